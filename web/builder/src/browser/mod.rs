//! What is checked in a real browser, on the finished page.

pub mod bench;
mod gallery;
mod lesson;
mod replay;
pub mod webdriver;

use std::path::Path;

use self::webdriver::Browser;
use crate::failure::{Failure, Result};
use crate::page::server::Server;

/// One check, in a browser of its own.
pub struct Check {
    /// What holds when it passes.
    pub name: &'static str,
    /// Does it.
    pub run: fn(&Browser, &Site) -> Result<()>,
}

/// Every check, in the order they run. A new one is one file and one line here.
pub const CHECKS: &[Check] = &[gallery::CHECK, lesson::CHECK, replay::CHECK, bench::CHECK];

/// The page under test.
pub struct Site {
    server: Server,
    folder: std::path::PathBuf,
}

impl Site {
    /// Serves the finished page on a free port, and beside it what the checks run in it.
    ///
    /// # Errors
    /// When the folder is missing.
    pub fn serve(folder: &Path) -> Result<Site> {
        Ok(Site {
            server: Server::start_with(folder, &[replay::WORKER, bench::WORKER], [0])?,
            folder: folder.to_owned(),
        })
    }

    /// The page's address, with a final slash.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// A file of the page, as text.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&self, path: &str) -> Result<String> {
        let path = self.folder.join(path);
        std::fs::read_to_string(&path).map_err(Failure::file("read", &path))
    }
}
