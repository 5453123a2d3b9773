//! A loss of power: what of the folder is there afterwards.
//!
//! What was brought to the disk (fsync) stays. The rest is lost, or the disk and its file system have kept some of it
//! in an order of their own: a name and not the blocks it leads to, what was done last and not what was done before
//! (Pillai and others, All File Systems Are Not Created Equal, OSDI 2014).

use std::rc::Rc;

use super::{Disk, File, Mishap};
use crate::key::hash_u64;
use crate::seeded::seeded;

/// The bytes of a file that come to the disk together.
const BLOCK: usize = 512;

/// How far a write has come: its bytes are written, they are on the disk, it has its name, the folder is on the disk.
/// Where most is open is drawn most often.
const REACHED: [u8; 6] = [1, 2, 3, 3, 3, 4];

/// What stays, one thing after the other.
struct Coin(u64);

impl Coin {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        hash_u64(self.0)
    }

    fn stays(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }
}

impl Disk {
    /// The power is gone: what was not on the disk is, too.
    pub(in crate::sim) fn lose_power(&mut self, back_at: u64) {
        self.writing = None;
        for (name, file) in std::mem::take(&mut self.thrown_away) {
            self.files.entry(name).or_insert(file);
        }
        self.files.retain(|_, file| file.named && file.synced);
        self.back_at = self.back_at.max(back_at);
    }

    /// Whether power is lost while the snapshot is written that is being written: for how long, and what hangs on that.
    pub(in crate::sim) fn power_goes(&mut self, now: u64) -> Option<(u64, u64)> {
        if self.writing.is_none() || now < self.back_at {
            return None;
        }
        let loss = |mishap: &mut Mishap| matches!(mishap, Mishap::PowerLoss { .. });
        match self.mishaps.pop_front_if(loss)? {
            Mishap::PowerLoss { away, drawn } => Some((away, drawn)),
            _ => None,
        }
    }

    /// The power is gone while a snapshot is written. How far that has come is drawn, and of each thing that was not
    /// on the disk whether it stays; what has become of each, a line. `kept`: how many snapshots are.
    pub(in crate::sim) fn lose_power_writing(
        &mut self,
        back_at: u64,
        drawn: u64,
        kept: usize,
    ) -> Vec<String> {
        let mut coin = Coin(drawn);
        let mut told = Vec::new();
        self.leave_unfinished(&mut coin, kept, &mut told);
        for (name, file) in std::mem::take(&mut self.thrown_away) {
            if coin.stays() {
                continue;
            }
            told.push(format!("checkpoint {name} is there again, which was thrown away"));
            self.files.entry(name).or_insert(file);
        }
        for (name, mut file) in std::mem::take(&mut self.files) {
            if !file.named && !coin.stays() {
                told.push(format!("the name is lost of checkpoint {name}"));
                continue;
            }
            if !file.named {
                told.push(format!("the name stays of checkpoint {name}"));
            }
            if !file.synced {
                file.content = with_holes(&file.content, &mut coin);
            }
            self.files.insert(name, File { synced: true, named: true, ..file });
        }
        self.back_at = self.back_at.max(back_at);
        told
    }

    /// Leaves what is being written as far as it has come.
    fn leave_unfinished(&mut self, coin: &mut Coin, kept: usize, told: &mut Vec<String>) {
        let Some((checkpoint, content)) = self.writing.take() else { return };
        let reached = REACHED[(coin.next() % REACHED.len() as u64) as usize];
        let early = seeded("rename-before-the-fsync");
        let synced = reached >= if early { 3 } else { 2 } && !seeded("skip-the-fsync");
        let has_name = reached >= if early { 2 } else { 3 };
        if !has_name {
            told.push(format!("a passing name is left of checkpoint {checkpoint}"));
            if seeded("passing-names-are-read") {
                self.files.insert(checkpoint, File { content, synced, named: true });
            }
            return;
        }
        let named = reached >= 4 && !seeded("skip-the-folder-fsync");
        if named {
            told.push(format!("checkpoint {checkpoint} is on the disk, and nobody was told"));
            self.thrown_away.clear();
        }
        self.files.insert(checkpoint, File { content, synced, named });
        if seeded("old-ones-go-too-early") {
            self.keep(kept);
        }
    }
}

/// The bytes less the blocks that are lost, which read as zeros.
fn with_holes(bytes: &[u8], coin: &mut Coin) -> Rc<[u8]> {
    let mut bytes = bytes.to_vec();
    for block in bytes.chunks_mut(BLOCK) {
        if !coin.stays() {
            block.fill(0);
        }
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::seeded::plant;
    use crate::snapshot::Snapshot;

    fn snapshot(checkpoint: u64) -> Rc<[u8]> {
        let sections = vec![("a".to_owned(), vec![7; 5 * BLOCK].into())];
        Snapshot { checkpoint, sections }.encode().into()
    }

    fn write(disk: &mut Disk, checkpoint: u64) -> bool {
        disk.begin(checkpoint, snapshot(checkpoint));
        disk.finish(9).is_ok()
    }

    /// The first is thrown away, the second on the disk, the third's folder was not, the fourth is being written.
    fn disk() -> Disk {
        let mut disk = Disk::default();
        assert!(write(&mut disk, 1) && write(&mut disk, 2));
        assert_eq!(disk.keep(1), Some(2));
        disk.mishap(Mishap::FolderError);
        assert!(!write(&mut disk, 3));
        disk.begin(4, snapshot(4));
        disk
    }

    /// The names that are left in so many losses of power, and what is wrong with what they lead to.
    fn left(kept: usize) -> (BTreeSet<Vec<u64>>, BTreeSet<(u64, String)>) {
        let (mut names, mut wrong) = (BTreeSet::new(), BTreeSet::new());
        for drawn in 0..2_000 {
            let mut disk = disk();
            disk.mishap(Mishap::PowerLoss { away: 5, drawn });
            assert_eq!(disk.power_goes(1), Some((5, drawn)));
            disk.lose_power_writing(6, drawn, kept);
            assert!(disk.finish(9).is_err() && disk.back_at() == 6);
            names.insert(disk.files.keys().copied().collect());
            let (newest, damaged) = disk.newest();
            if let Some((name, bytes)) = newest {
                assert_eq!(bytes, snapshot(name));
            }
            wrong.extend(damaged);
        }
        (names, wrong)
    }

    #[test]
    fn what_is_not_on_the_disk_stays_in_any_order() {
        let (names, wrong) = left(1);
        let any = |name: u64, bit: u64, subset: u64| (subset >> bit & 1 == 1).then_some(name);
        let subset = |s: u64| [any(1, 0, s), Some(2), any(3, 1, s), any(4, 2, s)];
        let all = (0..8).map(|s| subset(s).into_iter().flatten().collect());
        assert_eq!(names, all.collect::<BTreeSet<Vec<u64>>>());
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn without_an_order_of_its_own_the_disk_loses_all_of_it() {
        let mut disk = disk();
        disk.lose_power(6);
        assert!(disk.files.keys().eq([&1, &2]), "what was thrown away is there again");
        assert!(disk.finish(9).is_err());
        assert!(write(&mut disk, 5));
        disk.keep(1);
        disk.begin(6, snapshot(6));
        assert!(disk.finish(9).is_ok());
        disk.lose_power(9);
        assert!(disk.files.keys().eq([&5, &6]), "the folder is on the disk without them");
    }

    #[test]
    fn power_goes_only_while_something_is_written() {
        let mut disk = Disk::default();
        disk.mishap(Mishap::PowerLoss { away: 5, drawn: 0 });
        assert_eq!(disk.power_goes(0), None);
        disk.begin(1, snapshot(1));
        disk.back_at = 3;
        assert_eq!(disk.power_goes(2), None);
        assert_eq!(disk.power_goes(3), Some((5, 0)));
        assert_eq!(disk.power_goes(3), None);
    }

    #[test]
    fn a_store_that_takes_steps_out_of_order_is_found_out() {
        for bug in ["skip-the-fsync", "rename-before-the-fsync", "passing-names-are-read"] {
            let Some(planted) = plant(bug) else { return };
            let (_, wrong) = left(1);
            assert!(wrong.iter().any(|(name, _)| *name == 4), "{bug}");
            drop(planted);
        }
        let Some(planted) = plant("old-ones-go-too-early") else { return };
        assert!(left(1).0.contains(&vec![]), "nothing is left");
        drop(planted);
    }
}
