//! The folder of a job's checkpoints: whole files under their final name, or none.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use highwater_engine::error::{Diagnostic, Result};
use highwater_engine::snapshot::{Opened, Snapshot};

use super::cannot;
use crate::files::sync_folder;

/// How many checkpoints are kept: the newest may turn out to be damaged.
const KEPT: usize = 3;
const ENDING: &str = ".checkpoint";
const UNFINISHED: &str = ".unfinished";

/// The folder, which no other run uses as long as this is there.
pub(crate) struct Store {
    folder: PathBuf,
    /// Locked.
    _lock: File,
}

impl Store {
    /// Makes the folder if there is none, and takes it.
    pub(crate) fn open(folder: &Path) -> Result<Store> {
        let open = || -> io::Result<File> {
            fs::create_dir_all(folder)?;
            File::create(folder.join("lock"))
        };
        let lock = open().map_err(|e| cannot("use the folder", folder, &e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let message = format!("`{}` is in use by another run", folder.display());
                return Err(Diagnostic::new("checkpoint.in-use", message)
                    .hint("every job has a folder of its own"));
            }
            Err(fs::TryLockError::Error(e)) => return Err(cannot("lock", folder, &e)),
        }
        let store = Store { folder: folder.to_owned(), _lock: lock };
        for (_, name) in store.names(UNFINISHED)? {
            remove(&folder.join(name))?;
        }
        Ok(store)
    }

    /// Numbers and names of the files with an ending, the newest first.
    fn names(&self, ending: &str) -> Result<Vec<(u64, String)>> {
        names(&self.folder, ending)
    }

    /// The newest checkpoint that is whole, and its number; tells of those that are not.
    pub(super) fn newest(&self, tell: &mut dyn FnMut(&str)) -> Result<Option<(u64, Vec<u8>)>> {
        let names = self.names(ENDING)?;
        let mut damaged = None;
        for (number, name) in &names {
            let path = self.folder.join(name);
            let bytes = crate::files::read(&path)?;
            match Opened::read(&bytes).map(|opened| opened.checkpoint) {
                Ok(found) if found == *number => return Ok(Some((*number, bytes))),
                Ok(_) => damaged = Some("it is another checkpoint than its name says".to_owned()),
                Err(e) if e.code == "snapshot.version" => return Err(e),
                Err(e) => damaged = Some(e.message),
            }
            let why = damaged.as_deref().unwrap_or_default();
            tell(&format!("warning: checkpoint {number} is passed over: {why}"));
        }
        match damaged {
            None => Ok(None),
            Some(_) => {
                let message =
                    format!("none of the checkpoints in `{}` is whole", self.folder.display());
                Err(Diagnostic::new("checkpoint.none-whole", message)
                    .hint("begin anew: remove the folder or name another"))
            }
        }
    }

    /// Removes all checkpoints.
    pub(super) fn clear(&self) -> Result<()> {
        // The oldest first: what is left after a crash is the newest, which says that the job has ended.
        for (_, name) in self.names(ENDING)?.into_iter().rev() {
            remove(&self.folder.join(name))?;
        }
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

fn names(folder: &Path, ending: &str) -> Result<Vec<(u64, String)>> {
    let list = || -> io::Result<Vec<(u64, String)>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let number = name.strip_suffix(ending).and_then(|n| n.parse().ok());
            names.extend(number.map(|number| (number, name)));
        }
        names.sort_by(|a, b| b.cmp(a));
        Ok(names)
    };
    list().map_err(|e| cannot("look into", folder, &e))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(cannot("remove", path, &e)),
        _ => Ok(()),
    }
}

/// Writes a checkpoint so that it is there as a whole and durable, or not at all; then lets old ones go.
/// How many bytes it has.
pub(crate) fn write(folder: &Path, snapshot: &Snapshot) -> Result<u64> {
    let name = format!("{:012}", snapshot.checkpoint);
    let (unfinished, path) =
        (folder.join(format!("{name}{UNFINISHED}")), folder.join(format!("{name}{ENDING}")));
    let write = || -> io::Result<u64> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
        let (mut bytes, mut done) = (0, Ok(()));
        snapshot.write(&mut |part| {
            bytes += part.len() as u64;
            if done.is_ok() {
                done = out.write_all(part);
            }
        });
        done?;
        out.flush()?;
        out.get_ref().sync_all()?;
        fs::rename(&unfinished, &path)?;
        sync_folder(folder)?;
        Ok(bytes)
    };
    let bytes = write().map_err(|e| {
        // What there is of it is of no use; the error says what is wrong.
        let _ = fs::remove_file(&unfinished);
        cannot("write the checkpoint", &path, &e)
    })?;
    for (_, name) in names(folder, ENDING)?.into_iter().skip(KEPT) {
        remove(&folder.join(name))?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(checkpoint: u64) -> Snapshot {
        Snapshot { checkpoint, sections: vec![("a".into(), vec![7; 40].into())] }
    }

    #[test]
    fn the_newest_whole_checkpoint_is_found_and_few_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("open");
        let mut told = Vec::new();
        let newest = |told: &mut Vec<String>| {
            store.newest(&mut |t| told.push(t.to_owned())).map(|found| found.map(|f| f.0))
        };
        assert_eq!(newest(&mut told).expect("looked"), None);
        for number in 1..=5 {
            let bytes = write(folder.path(), &snapshot(number)).expect("written");
            assert_eq!(bytes, snapshot(number).encode().len() as u64);
        }
        assert_eq!(newest(&mut told).expect("looked"), Some(5));
        let numbers = || store.names(ENDING).expect("listed").into_iter().map(|n| n.0);
        assert_eq!(numbers().collect::<Vec<_>>(), [5, 4, 3]);
        let path = |number: u64| folder.path().join(format!("{number:012}{ENDING}"));
        fs::write(path(5), &snapshot(5).encode()[..30]).expect("torn");
        fs::write(path(4), snapshot(3).encode()).expect("misplaced");
        assert_eq!(newest(&mut told).expect("looked"), Some(3));
        assert!(told.len() == 2 && told[0].contains("checkpoint 5"), "{told:?}");
        fs::write(path(3), b"HWSN\x01\0\0\0").expect("another format");
        assert_eq!(newest(&mut told).expect_err("refused").code, "snapshot.version");
        fs::write(path(3), b"").expect("empty");
        assert_eq!(newest(&mut told).expect_err("refused").code, "checkpoint.none-whole");
        store.clear().expect("removed");
        assert_eq!(numbers().count(), 0);
    }

    #[test]
    fn a_folder_has_one_user_and_must_be_writable() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(format!("000000000009{UNFINISHED}")), "x").expect("written");
        let store = Store::open(folder.path()).expect("open");
        assert!(store.names(UNFINISHED).expect("listed").is_empty(), "leftovers are removed");
        let again = Store::open(folder.path()).err().expect("refused");
        assert_eq!(again.code, "checkpoint.in-use");
        drop(store);
        Store::open(folder.path()).expect("free again");
        let file = folder.path().join("file");
        fs::write(&file, "x").expect("written");
        let refused = Store::open(&file).err().expect("refused");
        assert_eq!(refused.code, "checkpoint.cannot-write");
    }
}
