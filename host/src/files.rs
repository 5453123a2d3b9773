//! Files: scripts in, data and guests found, results written whole or not at all.

mod write;

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use highwater_engine::error::{Diagnostic, Error, Position, Result, Span};

pub(crate) use write::sync_folder;
pub use write::{check_writable, write_atomically};

/// A script or scenario as read from disk.
#[derive(Clone, Debug)]
pub struct Script {
    /// The path as the user gave it.
    pub path: PathBuf,
    /// What diagnostics call it: the path, in UTF-8.
    pub name: String,
    /// The text, without a byte order mark.
    pub text: String,
}

impl Script {
    /// Reads a scenario (`.md`) or a script (`.sql`).
    ///
    /// # Errors
    /// When there is no such file, it cannot be read, is empty, is no UTF-8 or has another ending.
    pub fn read(path: &Path) -> Result<Script> {
        let name = path.display().to_string();
        let kind = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let bytes = read(path)?;
        if !matches!(kind.as_deref(), Some("md" | "sql")) {
            return Err(Diagnostic::new(
                "host.unknown-file-kind",
                format!("`{name}` is neither a scenario (.md) nor a script (.sql)"),
            )
            .hint("rename it, or name another file"));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(e) => return Err(not_utf8(&name, bytes, e.valid_up_to())),
        };
        if text.trim().is_empty() {
            return Err(Diagnostic::new("host.empty-file", format!("`{name}` is empty"))
                .hint("`highwater help sql` shows what a script may hold"));
        }
        Ok(Script { path: path.to_owned(), name, text })
    }

    /// True for a scenario, false for a plain script.
    pub fn is_scenario(&self) -> bool {
        self.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("md"))
    }

    /// The file's name without folders: what the engine and its diagnostics call the script, so that
    /// nothing it says depends on where the script lies.
    pub fn short_name(&self) -> &str {
        self.path.file_name().and_then(|n| n.to_str()).unwrap_or(&self.name)
    }

    /// The folder that the script's paths start from.
    pub fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Reads a guest the script names: beside the script, or where the build puts guests, in
    /// `target/highwater/` of this folder, the script's, those above them, or the executable's.
    ///
    /// # Errors
    /// When it is at none of these places or cannot be read.
    pub fn guest(&self, path: &str) -> Result<Arc<[u8]>> {
        let given = self.resolve(path);
        if given.exists() {
            return Ok(read(&given)?.into());
        }
        let built = Path::new(path);
        // A path that leaves the folder is meant as it stands; it is no name inside a build folder.
        if built.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
            for folder in build_folders(self.folder()) {
                let candidate = folder.join(built);
                if candidate.is_file() {
                    return Ok(read(&candidate)?.into());
                }
            }
        }
        // Drawn jobs have them, and what is written of those is to run anywhere.
        let mut by_hand = highwater_byhand::all().into_iter();
        if let Some((_, module)) = by_hand.find(|(own, _)| *own == path) {
            return Ok(module.into());
        }
        Err(Diagnostic::new("host.no-guest", format!("no guest module at `{}`", given.display()))
            .hint(
                "guests of this repository are built by `cargo play` and `cargo verify` into \
                 target/highwater/; your own stands where the script says",
            ))
    }

    /// The place a path of the script means.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.folder().join(path.strip_prefix("file://").unwrap_or(path))
    }
}

fn build_folders(script: &Path) -> Vec<PathBuf> {
    let script = script.canonicalize().ok();
    let here = std::env::current_dir().ok();
    let executable = std::env::current_exe().ok();
    let mut folders = Vec::new();
    for start in [script, here].iter().flatten() {
        folders.extend(start.ancestors().map(|p| p.join("target").join("highwater")));
    }
    // The executable of a build stands in `target/debug/`.
    if let Some(target) = executable.as_deref().and_then(Path::parent).and_then(Path::parent) {
        folders.push(target.join("highwater"));
    }
    folders
}

/// Reads a whole file.
///
/// # Errors
/// When there is no such file, it is a folder, or the system does not let us.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    no_folder(path)?;
    std::fs::read(path).map_err(|e| unreadable(path, &e))
}

/// Finds out whether a file can be opened.
///
/// # Errors
/// As [`read`].
pub fn readable(path: &Path) -> Result<()> {
    no_folder(path)?;
    std::fs::File::open(path).map(|_| ()).map_err(|e| unreadable(path, &e))
}

fn no_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        let name = path.display();
        let message = format!("`{name}` is a folder, not a file");
        return Err(Diagnostic::new("host.is-a-folder", message));
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let name = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            Diagnostic::new("host.no-file", format!("there is no file `{name}`"))
                .hint("paths in a script start from the script's folder")
        }
        _ => Diagnostic::new("host.cannot-read", format!("cannot read `{name}`: {error}")),
    }
}

/// The names of the files in a folder, in order, without those that begin with `.` or `_`.
///
/// # Errors
/// When the system does not let us look.
pub fn folder(path: &Path) -> Result<Vec<String>> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with(['.', '_']) && entry.path().is_file() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    };
    list().map_err(|e| {
        Diagnostic::new("host.cannot-read", format!("cannot read `{}`: {e}", path.display()))
    })
}

fn not_utf8(name: &str, bytes: &[u8], at: usize) -> Error {
    let good = String::from_utf8_lossy(&bytes[..at]);
    let line = good.matches('\n').count() + 1;
    let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let place = Position {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    };
    Diagnostic::new(
        "host.not-utf8",
        format!("`{name}` is no UTF-8 text: byte {:#04x} at offset {at}", bytes[at]),
    )
    .hint("save the file as UTF-8")
    .in_source(name)
    .at(Span { start: place, end: place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<Script>) -> &'static str {
        result.expect_err("an error").code
    }

    #[test]
    fn bad_scripts_are_refused_each_for_its_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("empty.sql"), " \n").expect("written");
        std::fs::write(path("latin.sql"), b"SELECT 1;\nSELECT '\xe9'").expect("written");
        std::fs::write(path("note.txt"), "SELECT 1").expect("written");
        std::fs::create_dir(path("folder.sql")).expect("made");
        assert_eq!(code(Script::read(&path("none.sql"))), "host.no-file");
        assert_eq!(code(Script::read(&path("empty.sql"))), "host.empty-file");
        assert_eq!(code(Script::read(&path("note.txt"))), "host.unknown-file-kind");
        assert_eq!(code(Script::read(&path("folder.sql"))), "host.is-a-folder");
        let error = Script::read(&path("latin.sql")).expect_err("an error");
        assert_eq!(error.code, "host.not-utf8");
        let start = error.span.expect("a place").start;
        assert_eq!((start.line, start.column), (2, 9));
    }

    #[test]
    fn guests_are_found_beside_the_script_then_in_the_build() {
        let folder = tempfile::tempdir().expect("a folder");
        let built = folder.path().join("target/highwater/udfs");
        let scripts = folder.path().join("a/b");
        std::fs::create_dir_all(&built).expect("made");
        std::fs::create_dir_all(scripts.join("udfs")).expect("made");
        std::fs::write(scripts.join("x.sql"), "SELECT 1").expect("written");
        std::fs::write(built.join("g.wasm"), "built").expect("written");
        let script = Script::read(&scripts.join("x.sql")).expect("a script");
        assert_eq!(&*script.guest("udfs/g.wasm").expect("found"), b"built");
        std::fs::write(scripts.join("udfs/g.wasm"), "beside").expect("written");
        assert_eq!(&*script.guest("udfs/g.wasm").expect("found"), b"beside");
        assert_eq!(script.guest("udfs/none.wasm").expect_err("an error").code, "host.no-guest");
    }

    #[test]
    fn writing_replaces_whole_files_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.jsonl");
        write_atomically(&path, b"one").expect("written");
        write_atomically(&path, b"two").expect("replaced");
        assert_eq!(std::fs::read(&path).expect("read"), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
        let lost = folder.path().join("none/out.jsonl");
        assert_eq!(write_atomically(&lost, b"x").expect_err("an error").code, "host.cannot-write");
        assert_eq!(
            write_atomically(folder.path(), b"x").expect_err("an error").code,
            "host.is-a-folder"
        );
    }
}
