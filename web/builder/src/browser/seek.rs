//! How long seeks take in a long trace in the browser.

use serde_json::{Value, json};

use super::bench::expected;
use super::webdriver::Browser;
use super::{Check, Site};
use crate::failure::{Failure, Result};

/// In a trace that takes a moment.
pub const CHECK: Check =
    Check { name: "seeks in the browser lead where they lead natively", run: check };

/// The worker's script, served beside the page.
pub const WORKER: (&str, &str) = ("verify/seek.js", include_str!("seek.js"));

fn check(browser: &Browser, site: &Site) -> Result<()> {
    let wanted = &expected()?["seek"];
    let found = seek(browser, site, wanted, &wanted["small"])?;
    for field in ["events", "step", "hash"] {
        if found[field] != wanted["small"][field] {
            let words = format!("{field} is {}, natively {}", found[field], wanted["small"][field]);
            return Err(Failure::while_doing("a seek", words));
        }
    }
    Ok(())
}

/// Simulates until the trace is long, seeks in it, and answers a line of JSON as `highwater bench seek --json` prints it.
///
/// # Errors
/// When the browser does not run it, or a seek does not lead where it should.
pub fn measure(browser: &Browser, site: &Site) -> Result<Value> {
    let wanted = &expected()?["seek"];
    let found = seek(browser, site, wanted, &wanted["full"])?;
    if !found["median"].is_number() {
        return Err(Failure::while_doing("a seek", "nothing was measured"));
    }
    Ok(json!({
        "bench": "seek", "engine": "chromium", "events": found["events"], "steps": found["step"],
        "seeks": wanted["full"]["seeks"], "run_seconds": found["run"], "median_ms": found["median"],
        "p99_ms": found["p99"], "most_ms": found["most"],
    }))
}

fn seek(browser: &Browser, site: &Site, job: &Value, size: &Value) -> Result<Value> {
    browser.go(&site.url())?;
    let order = json!({
        "base": site.url(), "sql": job["sql"], "options": job["options"],
        "events": size["beyond"], "seeks": size["seeks"],
    });
    site.ask(browser, WORKER, order).map_err(|error| Failure::while_doing("a seek", error))
}
