//! The snapshot store: a folder on a disk that may fail in every way that disks do.
//!
//! A snapshot is written under a passing name, brought to the disk (fsync), given its name (rename), and the
//! folder is brought to the disk, too: only then has it been written, and older ones are thrown away. What is read
//! back right after a write comes from the cache; a recovery reads the disk. The kinds of failure are those of
//! TigerBeetle's simulated storage and of Rebello and others, Can Applications Recover from fsync Failures? (USENIX
//! ATC 2020); `power` has what a loss of power leaves.

mod power;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::key::hash_u64;
use crate::seeded::seeded;
use crate::snapshot::Opened;

/// What may happen to the next snapshot that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// A part of it comes to the disk: how much hangs on its number.
    Torn,
    /// Nothing of it does.
    Lost,
    /// All but one bit; which one hangs on its number.
    Flipped,
    /// It is written over the one before it.
    Misdirected,
    /// Its name leads to what the one before it held.
    Stale,
    /// ENOSPC.
    Full,
    /// EIO on write.
    WriteError,
    /// EIO on fsync.
    FsyncError,
    /// EIO on rename.
    RenameError,
    /// EIO on the fsync of the folder.
    FolderError,
    /// Power is lost on the way.
    PowerLoss {
        /// For how long the store is away then, microseconds.
        away: u64,
        /// Of this hangs how far the write has come, and what of the folder stays.
        drawn: u64,
    },
}

/// A snapshot in the folder, by what of it would outlive a loss of power.
#[derive(Clone)]
struct File {
    /// What a read gives.
    content: Rc<[u8]>,
    /// Its bytes are on the disk.
    synced: bool,
    /// Its name is, too.
    named: bool,
}

/// A snapshot and the checkpoint that it is of.
pub(super) type Stored = (u64, Rc<[u8]>);

/// What has come of writing one, or why nothing has.
pub(super) type Written = Result<Stored, &'static str>;

/// The store.
#[derive(Clone, Default)]
pub(super) struct Disk {
    /// By the checkpoint that the file is named after.
    files: BTreeMap<u64, File>,
    /// Files thrown away since the folder was last brought to the disk.
    thrown_away: BTreeMap<u64, File>,
    mishaps: VecDeque<Mishap>,
    /// What is being written.
    writing: Option<Stored>,
    /// When it is there again, virtual time.
    back_at: u64,
    /// So many of the next reads fail.
    unreadable: u64,
}

impl Disk {
    /// Something will befall the next snapshot.
    pub(super) fn mishap(&mut self, what: Mishap) {
        self.mishaps.push_back(what);
    }

    /// One more of the next reads of a snapshot fails.
    pub(super) fn fail_a_read(&mut self) {
        self.unreadable += 1;
    }

    /// Nothing will.
    pub(super) fn calm(&mut self) {
        self.unreadable = 0;
        self.mishaps.clear();
    }

    /// Begins to write a snapshot.
    pub(super) fn begin(&mut self, checkpoint: u64, bytes: Rc<[u8]>) {
        self.writing = Some((checkpoint, bytes));
    }

    /// Writes no more on what it was writing.
    pub(super) fn abort(&mut self) {
        self.writing = None;
    }

    /// The checkpoint that is being written.
    pub(super) fn writing(&self) -> Option<u64> {
        self.writing.as_ref().map(|(checkpoint, _)| *checkpoint)
    }

    /// Puts a snapshot there that was made elsewhere.
    pub(super) fn put(&mut self, checkpoint: u64, bytes: Rc<[u8]>) {
        self.files.insert(checkpoint, File { content: bytes, synced: true, named: true });
    }

    /// Finishes what is being written: its bytes, or what went wrong.
    pub(super) fn finish(&mut self, now: u64) -> Written {
        let (checkpoint, bytes) =
            self.writing.take().ok_or("power was lost while it was written")?;
        if now < self.back_at {
            return Err("the store is away");
        }
        let mishap = self.mishaps.pop_front();
        let before = self.files.keys().next_back().copied();
        let old = before.and_then(|b| self.files.get(&b)).map(|file| file.content.clone());
        match mishap {
            Some(Mishap::Full) => return Err("ENOSPC: no space left on the device"),
            Some(Mishap::WriteError) => return Err("EIO: write"),
            // What a failed fsync leaves nobody knows; the file has no name yet, so nobody will read it.
            Some(Mishap::FsyncError) => return Err("EIO: fsync"),
            Some(Mishap::RenameError) => return Err("EIO: rename"),
            _ => {}
        }
        let content = match mishap {
            Some(Mishap::Torn) => bytes[..place(checkpoint, bytes.len())].into(),
            Some(Mishap::Lost) => Rc::from([]),
            Some(Mishap::Flipped) => flipped(&bytes, place(checkpoint, bytes.len() * 8)),
            Some(Mishap::Stale) => old.unwrap_or_else(|| Rc::from([])),
            _ => bytes.clone(),
        };
        let misdirected = before.filter(|_| mishap == Some(Mishap::Misdirected));
        let name = misdirected.unwrap_or(checkpoint);
        let named = mishap != Some(Mishap::FolderError);
        let named_for_good = named && !seeded("skip-the-folder-fsync");
        let synced = !seeded("skip-the-fsync");
        self.files.insert(name, File { content, synced, named: named_for_good });
        if !named {
            return Err("EIO: fsync of the folder");
        }
        if named_for_good {
            self.thrown_away.clear();
        }
        Ok((checkpoint, bytes))
    }

    /// Keeps the newest so many and throws the others away; the oldest that is kept.
    pub(super) fn keep(&mut self, count: usize) -> Option<u64> {
        while self.files.len() > count.max(1) {
            self.thrown_away.extend(self.files.pop_first());
        }
        self.files.keys().next().copied()
    }

    /// When it can be read; now unless it is away.
    pub(super) fn back_at(&self) -> u64 {
        self.back_at
    }

    /// The number after all names that were ever given, as far as the folder tells.
    pub(super) fn last_name(&self) -> u64 {
        self.files.keys().next_back().copied().unwrap_or(0)
    }

    /// The newest snapshot that is whole and what its name says; for each newer one what is wrong with it.
    pub(super) fn newest(&mut self) -> (Option<Stored>, Vec<(u64, String)>) {
        let mut damaged = Vec::new();
        for (&name, file) in self.files.iter().rev() {
            if self.unreadable > 0 {
                self.unreadable -= 1;
                damaged.push((name, "EIO: read".to_owned()));
                continue;
            }
            match Opened::read(&file.content) {
                Ok(opened) if opened.checkpoint == name => {
                    return (Some((name, file.content.clone())), damaged);
                }
                Ok(opened) => {
                    damaged.push((name, format!("it holds checkpoint {}", opened.checkpoint)));
                }
                Err(error) => {
                    damaged.push((name, error.message.clone()));
                    if seeded("no-older-checkpoint") {
                        return (Some((name, file.content.clone())), damaged);
                    }
                }
            }
        }
        (None, damaged)
    }
}

/// One of so many places, drawn from a checkpoint's number.
fn place(checkpoint: u64, places: usize) -> usize {
    (hash_u64(checkpoint) % places.max(1) as u64) as usize
}

/// The bytes with one bit turned.
fn flipped(bytes: &[u8], bit: usize) -> Rc<[u8]> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Snapshot;
    use crate::snapshot::bytes::Pieces;

    /// A snapshot of somewhat more than 8 KiB, whose bytes have no pattern.
    fn snapshot(checkpoint: u64) -> Rc<[u8]> {
        let noise = |i: u64| (hash_u64(i ^ checkpoint << 32) >> 7) as u8;
        let section =
            |from: u64| Pieces::from((from..from + 2_048).map(noise).collect::<Vec<u8>>());
        let sections = (0..4).map(|i| (format!("window/{i}"), section(i * 2_048))).collect();
        Snapshot { checkpoint, sections }.encode().into()
    }

    /// Whichever bit of the newest is turned, and wherever it ends: the one before it is taken, and what is wrong is told.
    #[test]
    fn whatever_is_damaged_is_found_and_the_one_before_it_taken() {
        let (older, newer) = (snapshot(6), snapshot(7));
        assert!(newer.len() >= 8_192);
        let mut disk = Disk::default();
        disk.put(6, older.clone());
        let mut falls_back = |damaged: Rc<[u8]>| {
            disk.put(7, damaged);
            let (found, told) = disk.newest();
            found == Some((6, older.clone())) && told.len() == 1 && told[0].0 == 7
        };
        for bit in 0..newer.len() * 8 {
            assert!(falls_back(flipped(&newer, bit)), "bit {bit}");
        }
        for end in 0..newer.len() {
            assert!(falls_back(newer[..end].into()), "cut at {end}");
        }
        disk.put(7, newer.clone());
        assert_eq!(disk.newest(), (Some((7, newer)), Vec::new()));
    }

    /// What tears and what turns a bit does so in many places.
    #[test]
    fn damage_is_in_many_places() {
        let places: std::collections::BTreeSet<usize> =
            (0..100).map(|id| place(id, 8_192)).collect();
        assert!(places.len() > 90 && places.iter().all(|place| *place < 8_192));
        assert_eq!(place(3, 0), 0);
    }
}
