//! Packages of Debian and its kin, installed when we are root there.

use std::path::Path;

use crate::failure::{Failure, Result};
use crate::workspace;

/// Installs packages with apt-get, and never removes one to make room.
///
/// # Errors
/// When this is no Debian, we are not root, or apt-get fails.
pub fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let is_root = workspace::read(workspace::command("id").arg("-u")).is_ok_and(|id| id == "0");
    if !Path::new("/etc/debian_version").exists() || !is_root {
        return Err(Failure::new(format!("installing {names} by apt-get needs Debian and root")));
    }
    eprintln!("highwater: installing {names} by apt-get");
    let apt = || {
        let mut command = workspace::command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    // Stale lists are the usual reason for a failed install; a failed update alone is none.
    if let Err(failure) = workspace::run(apt().args(["update", "-q"])) {
        eprintln!("highwater: {failure}");
    }
    let options = ["install", "-y", "-q", "--no-install-recommends", "--no-remove"];
    workspace::run(apt().args(options).args(packages))
}
