//! The page opens without a complaint and offers every example.

use std::time::Duration;

use serde_json::Value;

use super::webdriver::Browser;
use super::{Check, Site};
use crate::failure::{Failure, Result};

pub const CHECK: Check =
    Check { name: "the page opens, its console stays clean, every example is offered", run };

fn run(browser: &Browser, site: &Site) -> Result<()> {
    let index: Value = serde_json::from_str(&site.text("examples/index.json")?)
        .map_err(|cause| Failure::while_doing("examples/index.json", cause))?;
    let titles: Vec<_> = index
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["title"].as_str())
        .collect();
    if titles.is_empty() {
        return Err(Failure::new("examples/index.json lists no example"));
    }
    browser.go(&site.url())?;
    let mut missing = Vec::new();
    let shown = browser.until("every example's title", Duration::from_secs(30), |browser| {
        let text = browser.execute("return document.body.textContent", &[])?;
        let text = text.as_str().unwrap_or_default();
        missing = titles.iter().filter(|title| !text.contains(*title)).collect();
        Ok(missing.is_empty())
    });
    let errors = browser.console_errors()?;
    if !errors.is_empty() {
        return Err(Failure::new(format!("the console shows: {}", errors.join(" | "))));
    }
    shown.map_err(|failure| Failure::while_doing(failure, format_args!("missing {missing:?}")))
}
