//! Files written whole.

use std::io::{self, Write as _};
use std::path::Path;

use highwater_engine::error::{Diagnostic, Error, Result};

/// Whether a whole file could be [written](write_atomically) there, before there is something to write.
///
/// # Errors
/// When it could not.
pub fn check_writable(path: &Path) -> Result<()> {
    // Gone when it is dropped.
    let file = new_file(folder_of(path)?);
    file.map(drop).map_err(|e| cannot_write(path, &e))
}

/// Writes a whole file: under another name in the same folder, to the disk, then renamed, so that a
/// reader sees the old content or the new and never a part.
///
/// # Errors
/// When the system does not let us.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = folder_of(path)?;
    let write = || -> io::Result<()> {
        let mut file = new_file(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        sync_folder(folder)
    };
    write().map_err(|e| cannot_write(path, &e))
}

/// The folder a file is in or will be; what is a folder itself is no file.
fn folder_of(path: &Path) -> Result<&Path> {
    if path.as_os_str().is_empty() {
        return Err(Diagnostic::new("host.cannot-write", "cannot write a file without a name"));
    }
    if path.is_dir() {
        return Err(Diagnostic::new(
            "host.is-a-folder",
            format!("cannot write `{}`: it is a folder", path.display()),
        ));
    }
    Ok(match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    })
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Diagnostic::new("host.cannot-write", format!("cannot write `{}`: {error}", path.display()))
        .hint("the file's old content, if any, is untouched")
}

/// A new file with the permissions any new file gets, not those of a secret.
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".highwater-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Makes the new name durable. Only Unix can sync a folder.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_known_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.svg");
        check_writable(&path).expect("can be written");
        assert!(!path.exists(), "nothing is left");
        write_atomically(&path, b"x").expect("written");
        check_writable(&path).expect("can be written again");
        assert_eq!(std::fs::read(&path).expect("there"), b"x");
        let code = |path: &Path| check_writable(path).expect_err("cannot be written").code;
        assert_eq!(code(folder.path()), "host.is-a-folder");
        assert_eq!(code(&path.join("b.svg")), "host.cannot-write");
        assert_eq!(code(Path::new("")), "host.cannot-write");
    }
}
