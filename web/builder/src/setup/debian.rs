//! The second way: Debian's compiler packages, whose standard library we build for wasm32 once.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{LEAST, TARGET, Toolchain, apt, has_target, version};
use crate::failure::{Failure, Result};
use crate::workspace;

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// Debian's toolchain when an earlier run has finished it.
pub fn ready() -> Option<Toolchain> {
    (installed() && has_target(RUSTC)).then(|| describe().ok()).flatten()
}

/// Debian's toolchain, installed and completed where needed.
///
/// # Errors
/// When this is no Debian, we are not root, or a step fails.
pub fn toolchain() -> Result<Toolchain> {
    if let Some(toolchain) = ready() {
        return Ok(toolchain);
    }
    if !installed() {
        install()?;
    }
    if !has_target(RUSTC) {
        build_standard_library()?;
    }
    // For people, so that `cargo +debian` works; our own builds name the compiler by its path.
    let link =
        workspace::run(workspace::command("rustup").args(["toolchain", "link", "debian", "/usr"]));
    if let Err(failure) = link {
        eprintln!("highwater: {failure} (not needed to go on)");
    }
    describe()
}

/// Whether Debian's packages are there and new enough.
fn installed() -> bool {
    Path::new(CARGO).exists()
        && Path::new("/usr/lib/rustlib/src/rust/library").exists()
        && workspace::read(workspace::command(RUSTC).arg("--version"))
            .is_ok_and(|text| version(&text) >= version(LEAST))
}

fn install() -> Result<()> {
    apt::install(&PACKAGES)?;
    if installed() {
        Ok(())
    } else {
        Err(Failure::new(format!("Debian's rustc-web is older than Rust {LEAST}")))
    }
}

/// Builds std for wasm32 out of an empty crate, and puts its libraries into the compiler's sysroot.
fn build_standard_library() -> Result<()> {
    eprintln!(
        "highwater: building the {TARGET} standard library with Debian's compiler, about a minute"
    );
    let empty = workspace::output().join("empty");
    write_empty_crate(&empty)?;
    let mut cargo = workspace::command(CARGO);
    cargo.current_dir(&empty);
    cargo.env("RUSTC", RUSTC).env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Cembed-bitcode=yes");
    cargo.env("CARGO_TARGET_DIR", empty.join("target"));
    cargo.args(["build", "--release", "-Z", "build-std=std,panic_abort,test", "--target", TARGET]);
    workspace::run(&mut cargo)?;

    let built = empty.join("target").join(TARGET).join("release").join("deps");
    let mut rustc = workspace::command(RUSTC);
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let into = PathBuf::from(workspace::read(&mut rustc)?);
    fs::create_dir_all(&into).map_err(Failure::file("make", &into))?;
    for entry in fs::read_dir(&built).map_err(Failure::file("list", &built))?.flatten() {
        let name = entry.file_name();
        let library = name.to_str().is_some_and(|name| name.ends_with(".rlib"));
        if library && !name.to_string_lossy().starts_with("libempty") {
            let target = into.join(&name);
            fs::copy(entry.path(), &target).map_err(Failure::file("write", &target))?;
        }
    }
    if !has_target(RUSTC) {
        return Err(Failure::new(format!(
            "the {TARGET} standard library is not in {}",
            into.display()
        )));
    }
    fs::remove_dir_all(&empty).map_err(Failure::file("remove", &empty))
}

fn write_empty_crate(folder: &Path) -> Result<()> {
    // A workspace of its own, so that cargo does not look for ours above it.
    let manifest =
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n";
    workspace::write_if_changed(&folder.join("Cargo.toml"), manifest.as_bytes())?;
    workspace::write_if_changed(&folder.join("src").join("lib.rs"), b"")
}

fn describe() -> Result<Toolchain> {
    let settings = vec![
        ("RUSTC", OsString::from(RUSTC)),
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker()?),
    ];
    Ok(Toolchain { cargo: CARGO.into(), settings, own: false })
}

/// A linker for WebAssembly, which Debian's compiler packages lack: rustup's, or the one of `lld`.
fn linker() -> Result<OsString> {
    let mut rustc = workspace::command("rustc");
    if let Ok(sysroot) = workspace::read(rustc.args(["--print", "sysroot"])) {
        let host = format!("{}-unknown-linux-gnu", env::consts::ARCH);
        let linker = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
        if linker.exists() {
            return Ok(linker.into());
        }
    }
    if workspace::read(workspace::command("wasm-ld").arg("--version")).is_err() {
        apt::install(&["lld"])?;
    }
    Ok("wasm-ld".into())
}
