//! What is checked in a real browser, on the finished page.

pub mod bench;
mod gallery;
mod lesson;
mod replay;
pub mod seek;
pub mod webdriver;

use std::path::Path;

use serde_json::Value;

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
pub const CHECKS: &[Check] =
    &[gallery::CHECK, lesson::CHECK, replay::CHECK, bench::CHECK, seek::CHECK];

/// Starts a worker, hands it an order, and answers what it answers.
const ASK: &str = "
    const [url, order, done] = arguments;
    const worker = new Worker(url, { type: 'module' });
    const end = (answer) => { worker.terminate(); done(answer); };
    worker.onmessage = (event) => end(event.data);
    worker.onerror = (event) => end({ error: event.message || 'the worker did not start' });
    worker.postMessage(order);
";

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
            server: Server::start_with(
                folder,
                &[replay::WORKER, bench::WORKER, seek::WORKER],
                [0],
            )?,
            folder: folder.to_owned(),
        })
    }

    /// The page's address, with a final slash.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What a worker of its own answers to an order.
    ///
    /// # Errors
    /// When it says what went wrong, or does not start.
    fn ask(&self, browser: &Browser, worker: (&str, &str), order: Value) -> Result<Value> {
        let url = format!("{}{}", self.url(), worker.0);
        let mut answer = browser.execute_async(ASK, &[url.into(), order])?;
        match answer["error"].as_str() {
            Some(error) => Err(Failure::new(error)),
            None => Ok(answer["result"].take()),
        }
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
