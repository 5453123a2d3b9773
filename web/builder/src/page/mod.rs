//! The page as a folder of static files: built, assembled, weighed, served.

mod bindgen;
mod examples;
pub mod policy;
pub mod server;
mod site;
mod sizes;

use std::path::PathBuf;

use crate::artifacts;
use crate::failure::Result;
use crate::workspace;

/// The finished page and what it weighs.
#[derive(Clone, Debug)]
pub struct Page {
    /// The folder any static host can serve.
    pub folder: PathBuf,
    /// The weights, one line each, for people.
    pub report: String,
    /// Which ceilings the weights break, one line each.
    pub too_heavy: Vec<String>,
}

/// Builds the guests, the engine and the page, and puts everything into one folder.
///
/// # Errors
/// When something does not compile or a file cannot be read or written. Weight is no error here.
pub fn build() -> Result<Page> {
    let _lock = workspace::lock("page")?;
    let engine = artifacts::engine()?;
    let guests = artifacts::guests()?;
    let module = artifacts::page()?;
    let glue = workspace::output().join("glue");
    bindgen::run(&module, &glue)?;
    let folder = workspace::output().join("site");
    let root = workspace::root();
    site::assemble(&site::Parts { root, engine: &engine, guests: &guests, glue: &glue }, &folder)?;
    let (report, too_heavy) = sizes::weigh(&folder)?;
    Ok(Page { folder, report, too_heavy })
}
