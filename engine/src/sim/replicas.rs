//! The copies of the snapshot store, each on a disk of its own that fails by itself.
//!
//! A checkpoint is complete once most disks have written it, and a recovery waits until most of them can be asked: one
//! that has the newest complete checkpoint is among these (Gifford, Weighted Voting for Replicated Data, SOSP 1979). With
//! one disk that is the disk.

use std::rc::Rc;

use super::disk::{Disk, Mishap, Stored, Written};

/// The disks, one or several.
#[derive(Clone)]
pub(super) struct Replicas {
    disks: Vec<Disk>,
    /// The disk that something befalls next: they take turns.
    turn: usize,
}

impl Replicas {
    /// So many empty disks, one at least.
    pub(super) fn new(count: usize) -> Replicas {
        Replicas { disks: vec![Disk::default(); count.max(1)], turn: 0 }
    }

    /// The disks, in their order.
    pub(super) fn disks(&mut self) -> &mut [Disk] {
        &mut self.disks
    }

    /// What a disk says, with its number where there are several.
    pub(super) fn named(&self, disk: usize, said: &str) -> String {
        match self.disks.len() {
            1 => said.to_owned(),
            _ => format!("disk {}: {said}", disk + 1),
        }
    }

    /// How many are most of them.
    fn most(&self) -> usize {
        self.disks.len() / 2 + 1
    }

    fn next(&mut self) -> &mut Disk {
        let disk = self.turn % self.disks.len();
        self.turn = disk + 1;
        &mut self.disks[disk]
    }

    /// Something will befall a disk's copy of the next snapshot.
    pub(super) fn mishap(&mut self, what: Mishap) {
        self.next().mishap(what);
    }

    /// One more of a disk's next reads of a snapshot fails.
    pub(super) fn fail_a_read(&mut self) {
        self.next().fail_a_read();
    }

    /// Nothing will.
    pub(super) fn calm(&mut self) {
        self.disks.iter_mut().for_each(Disk::calm);
    }

    /// Begins to write a snapshot.
    pub(super) fn begin(&mut self, checkpoint: u64, bytes: &Rc<[u8]>) {
        self.disks.iter_mut().for_each(|disk| disk.begin(checkpoint, bytes.clone()));
    }

    /// Writes no more on what it was writing.
    pub(super) fn abort(&mut self) {
        self.disks.iter_mut().for_each(Disk::abort);
    }

    /// The checkpoint that is being written.
    pub(super) fn writing(&self) -> Option<u64> {
        self.disks.iter().find_map(Disk::writing)
    }

    /// Puts a snapshot there that was made elsewhere.
    pub(super) fn put(&mut self, checkpoint: u64, bytes: &Rc<[u8]>) {
        self.disks.iter_mut().for_each(|disk| disk.put(checkpoint, bytes.clone()));
    }

    /// What has come of a snapshot, by what has on each disk.
    pub(super) fn agreed(&self, written: Vec<Written>) -> Written {
        let done = written.iter().filter(|one| one.is_ok()).count();
        let (done_well, failed): (Vec<Written>, Vec<Written>) =
            written.into_iter().partition(Result::is_ok);
        let all = if done >= self.most() { done_well } else { failed };
        all.into_iter().next().expect("there is a disk")
    }

    /// Keeps the newest so many on each disk and throws the others away; the oldest that is kept.
    pub(super) fn keep(&mut self, count: usize) -> Option<u64> {
        self.disks.iter_mut().filter_map(|disk| disk.keep(count)).min()
    }

    /// The power is gone everywhere: what was not on the disks is, too.
    pub(super) fn lose_power(&mut self, back_at: u64) {
        self.disks.iter_mut().for_each(|disk| disk.lose_power(back_at));
    }

    /// When most of them can be read; now unless they are away.
    pub(super) fn back_at(&self) -> u64 {
        let mut times: Vec<u64> = self.disks.iter().map(Disk::back_at).collect();
        times.sort();
        times[self.most() - 1]
    }

    /// The number after all names that were ever given, as far as the folders tell.
    pub(super) fn last_name(&self) -> u64 {
        self.disks.iter().map(Disk::last_name).max().unwrap_or(0)
    }

    /// The newest snapshot that is whole on a disk that is there, and what its name says; for each newer one on such a
    /// disk what is wrong with it.
    pub(super) fn newest(&mut self, now: u64) -> (Option<Stored>, Vec<(u64, String)>) {
        let (mut newest, mut damaged): (Option<Stored>, Vec<(u64, String)>) = (None, Vec::new());
        for disk in 0..self.disks.len() {
            if self.disks[disk].back_at() > now {
                continue;
            }
            let (found, wrong) = self.disks[disk].newest();
            let named = |(name, reason): (u64, String)| (name, self.named(disk, &reason));
            damaged.extend(wrong.into_iter().map(named));
            let known = newest.as_ref().map(|(name, _)| *name);
            newest = found.filter(|(name, _)| known < Some(*name)).or(newest);
        }
        (newest, damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Snapshot;

    fn snapshot(checkpoint: u64) -> Rc<[u8]> {
        Snapshot { checkpoint, sections: Vec::new() }.encode().into()
    }

    fn written(disks: &mut Replicas, checkpoint: u64, now: u64) -> Written {
        disks.begin(checkpoint, &snapshot(checkpoint));
        let all = disks.disks().iter_mut().map(|disk| disk.finish(now)).collect();
        disks.agreed(all)
    }

    #[test]
    fn most_disks_must_have_written_a_checkpoint() {
        let mut three = Replicas::new(3);
        three.mishap(Mishap::Full);
        assert!(written(&mut three, 1, 0).is_ok(), "two have");
        three.mishap(Mishap::WriteError);
        three.mishap(Mishap::FsyncError);
        assert_eq!(written(&mut three, 2, 0).expect_err("one has"), "EIO: write");
        // What one has written and nobody was told of is found all the same: it is whole.
        assert_eq!(three.newest(0).0.map(|(name, _)| name), Some(2));
        let mut one = Replicas::new(1);
        one.mishap(Mishap::Full);
        assert!(written(&mut one, 1, 0).is_err());
        assert!(written(&mut one, 2, 0).is_ok());
    }

    #[test]
    fn what_is_damaged_on_one_disk_is_read_from_another() {
        let mut three = Replicas::new(3);
        assert!(written(&mut three, 1, 0).is_ok());
        three.mishap(Mishap::Flipped);
        three.mishap(Mishap::Torn);
        assert!(written(&mut three, 2, 0).is_ok());
        let (newest, damaged) = three.newest(0);
        assert_eq!(newest.map(|(name, _)| name), Some(2), "the third has it");
        let damaged: Vec<(u64, &str)> = damaged.iter().map(|(n, why)| (*n, &why[..7])).collect();
        assert_eq!(damaged, [(2, "disk 1:"), (2, "disk 2:")]);
    }

    #[test]
    fn a_recovery_waits_for_most_disks() {
        let mut three = Replicas::new(3);
        for (disk, back_at) in three.disks().iter_mut().zip([30, 10, 20]) {
            disk.lose_power(back_at);
        }
        assert_eq!(three.back_at(), 20);
        // A disk that is away is not asked.
        let mut two = Replicas::new(2);
        assert!(written(&mut two, 1, 0).is_ok());
        two.disks()[0].lose_power(50);
        assert_eq!(two.back_at(), 50);
        assert!(written(&mut two, 2, 0).is_err(), "most of two are both");
        assert_eq!(two.newest(0).0.map(|(name, _)| name), Some(2));
    }
}
