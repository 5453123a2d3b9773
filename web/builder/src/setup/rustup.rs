//! The first way: rustup downloads the target of the toolchain that runs us.

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
