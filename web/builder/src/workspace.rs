//! Where things lie, and how a nested cargo is run beside the one that runs us.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};

/// The workspace's root folder.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap_or(here)
}

/// Where finished artifacts are put: `engine.wasm`, `udfs/`, `site/`.
pub fn output() -> PathBuf {
    root().join("target").join("highwater")
}

/// A nested cargo's target folder: not the outer cargo's, whose lock would block it.
pub fn nested_target(name: &str) -> PathBuf {
    root().join("target").join(name)
}

/// The cargo that runs us, or the one on the path.
pub fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A command in the workspace's root without what an outer cargo, clippy or user set for its own build.
///
/// Flags meant for the machine's own target break a build for wasm32, wrappers would lint instead of
/// compile, and a foreign target folder would scatter the artifacts.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_build_setting) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether an environment variable steers a build, rather than how cargo reaches the network.
fn is_build_setting(name: &str) -> bool {
    const KEPT: [&str; 8] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_TERM_",
        "CARGO_BUILD_JOBS",
        "CARGO_INCREMENTAL",
    ];
    const RUSTC: [&str; 6] = [
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTC_LINKER",
    ];
    RUSTC.contains(&name)
        || name.starts_with("CLIPPY_")
        || name == "CARGO"
        || name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept))
}

/// Runs a command whose own output the user sees, on standard error.
///
/// # Errors
/// When it cannot be started or ends with another code than 0.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command
        .stdout(std::io::stderr())
        .status()
        .map_err(|cause| Failure::while_doing(format_args!("cannot start `{shown}`"), cause))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{shown}` failed: {status}"))) }
}

/// Runs a command and returns what it wrote to standard output, without the last line's end.
///
/// # Errors
/// When it cannot be started, fails, or does not write UTF-8.
pub fn read(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command
        .output()
        .map_err(|cause| Failure::while_doing(format_args!("cannot start `{shown}`"), cause))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let first = error.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
        return Err(Failure::new(format!("`{shown}` failed: {}: {first}", output.status)));
    }
    let text = String::from_utf8(output.stdout)
        .map_err(|cause| Failure::while_doing(format_args!("`{shown}`"), cause))?;
    Ok(text.trim_end().to_owned())
}

/// A command as a person would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text =
        program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// A lock between processes, held until it is dropped: test binaries run at once.
///
/// # Errors
/// When the lock file cannot be made or locked.
pub fn lock(name: &str) -> Result<File> {
    let folder = output();
    fs::create_dir_all(&folder).map_err(Failure::file("make", &folder))?;
    let path = folder.join(format!("{name}.lock"));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Failure::file("open", &path))?;
    if file.try_lock().is_err() {
        eprintln!("highwater: waiting for another process that builds ({name})");
        file.lock().map_err(Failure::file("lock", &path))?;
    }
    Ok(file)
}

/// Writes a file so that a reader sees the old bytes or the new ones, and not at all when they are equal.
///
/// # Errors
/// When a folder or file cannot be written.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Failure::file("make", folder))?;
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    fs::write(&part, bytes).map_err(Failure::file("write", &part))?;
    fs::rename(&part, path).map_err(Failure::file("replace", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_cargo_keeps_the_network_settings_and_loses_the_build_settings() {
        for lost in ["CARGO", "CARGO_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC"] {
            assert!(is_build_setting(lost), "{lost}");
        }
        for lost in ["CARGO_BUILD_TARGET", "CARGO_PROFILE_WASM_LTO", "RUSTC_WORKSPACE_WRAPPER"] {
            assert!(is_build_setting(lost), "{lost}");
        }
        for kept in ["CARGO_HOME", "CARGO_HTTP_PROXY", "CARGO_NET_OFFLINE", "RUSTUP_TOOLCHAIN"] {
            assert!(!is_build_setting(kept), "{kept}");
        }
        for kept in ["CARGO_TERM_COLOR", "PATH", "CARGO_REGISTRIES_X_INDEX", "CARGO_INCREMENTAL"] {
            assert!(!is_build_setting(kept), "{kept}");
        }
    }

    #[test]
    fn an_unchanged_file_is_not_written_again() {
        let folder = env::temp_dir().join(format!("highwater-write-{}", std::process::id()));
        let path = folder.join("a/b.txt");
        write_if_changed(&path, b"one").expect("first");
        let first = fs::metadata(&path).and_then(|m| m.modified()).expect("time");
        write_if_changed(&path, b"one").expect("again");
        assert_eq!(fs::metadata(&path).and_then(|m| m.modified()).expect("time"), first);
        write_if_changed(&path, b"two").expect("changed");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        assert_eq!(fs::read_dir(folder.join("a")).expect("list").count(), 1, "no part is left");
        fs::remove_dir_all(folder).expect("clean");
    }

    #[test]
    fn one_holds_the_lock_at_a_time() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let (held, name) = (AtomicBool::new(false), format!("test-{}", std::process::id()));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let _lock = lock(&name).expect("lock");
                        assert!(!held.swap(true, Ordering::SeqCst), "two hold the lock");
                        std::thread::sleep(std::time::Duration::from_millis(1));
                        held.store(false, Ordering::SeqCst);
                    }
                });
            }
        });
        fs::remove_file(output().join(format!("{name}.lock"))).expect("clean");
    }
}
