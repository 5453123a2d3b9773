//! The first way: rustup downloads what the toolchain that runs us lacks.

use super::{TARGET, Toolchain, has_target};
use crate::failure::{Failure, Result};
use crate::workspace;

/// Asks rustup for the target.
///
/// # Errors
/// When rustup is missing or cannot get it.
pub fn add_target() -> Result<Toolchain> {
    if workspace::read(workspace::command("rustup").arg("--version")).is_err() {
        return Err(Failure::new("rustup is not installed"));
    }
    eprintln!("highwater: the {TARGET} standard library is missing; asking rustup for it");
    workspace::run(workspace::command("rustup").args(["target", "add", TARGET]))?;
    if has_target("rustc") {
        Ok(Toolchain::current())
    } else {
        Err(Failure::new("rustup added the target to another toolchain than the one that runs"))
    }
}

/// Makes sure of the formatter and the linter, which rustup's minimal profile leaves out.
///
/// # Errors
/// When one is missing and rustup cannot get it.
pub fn add_components() -> Result<()> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let mut ask = workspace::command(workspace::cargo());
        if workspace::read(ask.args([command, "--version"])).is_ok() {
            continue;
        }
        eprintln!("highwater: {component} is missing; asking rustup for it");
        workspace::run(workspace::command("rustup").args(["component", "add", component]))?;
    }
    Ok(())
}
