//! The wasm32 standard library: found, fetched by rustup, or built from Debian's packages.

pub mod apt;
mod debian;
mod rustup;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::failure::{Failure, Result};
use crate::workspace;

pub use self::rustup::add_components;

/// The target every module of ours is built for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Forces a way: `rustup`, or `debian` for the packages even where rustup could do it.
pub const SWITCH: &str = "HIGHWATER_WASM_TARGET";

/// The least Rust the workspace builds with, as `rust-version` in `Cargo.toml` says.
const LEAST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Whose code is built: what it may use of WebAssembly differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Guests: what the engine's gate lets in.
    Guest,
    /// The engine and the page.
    Own,
}

/// A compiler that can build for [`TARGET`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    cargo: OsString,
    settings: Vec<(&'static str, OsString)>,
    own: bool,
}

impl Code {
    /// Where it is built. Flags are no part of a package's name there: in one folder, guests and engine would
    /// each make the other's packages stale, and the engine would be built again and again.
    pub fn target(self) -> PathBuf {
        workspace::nested_target(match self {
            Code::Guest => "guests",
            Code::Own => "wasm",
        })
    }
}

impl Toolchain {
    /// The toolchain that runs us.
    fn current() -> Toolchain {
        Toolchain { cargo: workspace::cargo(), settings: Vec::new(), own: true }
    }

    /// This toolchain's cargo, in the workspace's root, in the nested target folder.
    pub fn cargo(&self, code: Code) -> Command {
        let mut command = workspace::command(&self.cargo);
        if !self.own {
            command.env_remove("RUSTUP_TOOLCHAIN");
        }
        command.env("CARGO_TARGET_DIR", code.target());
        let mut flags = without_paths();
        if code == Code::Own {
            // Every browser of today has vectors; guests are refused with them.
            flags.push("\u{1f}-Ctarget-feature=+simd128");
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", flags);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Whether it is the toolchain that runs us, which then also lints for [`TARGET`].
    pub fn is_own(&self) -> bool {
        self.own
    }
}

/// Compiler flags that keep this machine's folders out of panic messages.
///
/// Otherwise a guest's bytes, and with them its identity, would depend on where it was built.
fn without_paths() -> OsString {
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".cargo")))
        .unwrap_or_default();
    let mut flags = OsString::new();
    for (folder, name) in [(workspace::root(), "."), (cargo_home.as_path(), "cargo")] {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(folder);
        flags.push("=");
        flags.push(name);
    }
    flags
}

/// A toolchain that builds for [`TARGET`]. Sets one up where there is none and says so.
///
/// # Errors
/// When neither rustup nor Debian's packages can provide the target: what to do, in one line.
pub fn toolchain() -> Result<Toolchain> {
    static FOUND: OnceLock<Result<Toolchain>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> Result<Toolchain> {
    let _lock = workspace::lock("setup")?;
    match env::var(SWITCH).as_deref() {
        Ok("debian") => return debian::toolchain(),
        Ok("rustup") => {
            return if has_target("rustc") {
                Ok(Toolchain::current())
            } else {
                rustup::add_target()
            };
        }
        Ok("") | Err(_) => {}
        Ok(other) => {
            return Err(Failure::new(format!("{SWITCH} is `{other}`; expected rustup or debian")));
        }
    }
    if has_target("rustc") {
        return Ok(Toolchain::current());
    }
    if let Some(ready) = debian::ready() {
        eprintln!(
            "highwater: rustup's compiler lacks {TARGET}; Debian's, which has it, builds for it"
        );
        return Ok(ready);
    }
    let by_rustup = match rustup::add_target() {
        Ok(toolchain) => return Ok(toolchain),
        Err(failure) => failure,
    };
    eprintln!("highwater: {by_rustup}");
    debian::toolchain().map_err(|by_debian| {
        Failure::new(format!(
            "no {TARGET} standard library: {by_rustup}; {by_debian}. \
             Run `rustup target add {TARGET}`, or install your distribution's package of it"
        ))
    })
}

/// Whether a compiler has a core library for [`TARGET`], whoever put it there.
fn has_target(rustc: impl AsRef<std::ffi::OsStr>) -> bool {
    let mut command = workspace::command(rustc);
    let Ok(folder) =
        workspace::read(command.args(["--print", "target-libdir", "--target", TARGET]))
    else {
        return false;
    };
    ["libcore-", "libstd-", "libpanic_abort-"].iter().all(|name| holds(Path::new(&folder), name))
}

/// Whether a folder holds a Rust library whose file name starts so.
fn holds(folder: &Path, prefix: &str) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            name.to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(".rlib"))
        })
    })
}

/// The version a compiler reports, as numbers: `rustc 1.96.0 (…)` is `[1, 96, 0]`.
fn version(text: &str) -> Vec<u32> {
    let word = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let number = word.unwrap_or("").split(['-', '+']).next().unwrap_or("");
    number.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(
            version("rustc 1.96.0 (0123456 2026-05-25) (built from a source tarball)"),
            [1, 96, 0]
        );
        assert_eq!(version("rustc 1.100.0-nightly (abc 2026-01-01)"), [1, 100, 0]);
        assert_eq!(version("1.95"), [1, 95]);
        assert!(version("rustc 1.100.0") > version("1.95"));
        assert!(version("no version") < version("1.0"));
    }

    #[test]
    fn a_folder_without_the_library_does_not_count() {
        let folder = env::temp_dir().join(format!("highwater-target-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("make");
        assert!(!holds(&folder, "libcore-"));
        std::fs::write(folder.join("libcore-1a.rmeta"), "").expect("write");
        assert!(!holds(&folder, "libcore-"));
        std::fs::write(folder.join("libcore-1a.rlib"), "").expect("write");
        assert!(holds(&folder, "libcore-"));
        std::fs::remove_dir_all(folder).expect("clean");
    }
}
