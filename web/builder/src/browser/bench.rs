//! The benchmark's workloads in the browser: rows handed to `engine.wasm` and taken out as columns.

use std::fs;

use serde_json::{Value, json};

use super::webdriver::Browser;
use super::{Check, Site};
use crate::failure::{Failure, Result};
use crate::workspace;

/// At a size that takes seconds.
pub const CHECK: Check =
    Check { name: "the benchmark's workloads give what the hand-written loops give", run: check };

/// The worker's script, served beside the page.
pub const WORKER: (&str, &str) = ("verify/bench.js", include_str!("bench.js"));

/// What must come out, written by the host's tests: `{"workloads": [{"workload", "sql", "small":
/// {"records", "rows", "late", "counts", "sums", "maxima"}, "full": {…}}], "seek": {"sql", "options", "small", "full"}}`.
const EXPECTED: &str = "bench.json";

/// Records that the engine takes at a time.
const BATCH_ROWS: u32 = 8_192;

fn check(browser: &Browser, site: &Site) -> Result<()> {
    let lines = measure(browser, site, "small", 1)?;
    eprintln!("{} workloads are equal", lines.len());
    Ok(())
}

/// What the host's tests have written.
///
/// # Errors
/// When they have not.
pub(super) fn expected() -> Result<Value> {
    let path = workspace::output().join(EXPECTED);
    let text = fs::read_to_string(&path).map_err(|cause| {
        Failure::new(format!("{}, which the host's tests write: {cause}", path.display()))
    })?;
    serde_json::from_str(&text).map_err(|cause| Failure::while_doing(path.display(), cause))
}

/// Runs each workload in the browser, `full` or `small`, so many times after the module has warmed up; a
/// line of JSON each, as `highwater bench --json` prints them.
///
/// # Errors
/// When the browser does not run it, or rows, late records or sums differ from the definition.
pub fn measure(browser: &Browser, site: &Site, size: &str, repeats: u32) -> Result<Vec<Value>> {
    let (list, path) = (expected()?, workspace::output().join(EXPECTED));
    let workloads = list["workloads"].as_array().map(Vec::as_slice).unwrap_or_default();
    if workloads.is_empty() {
        return Err(Failure::new(format!("{} lists no workload", path.display())));
    }
    browser.go(&site.url())?;
    let line = |workload: &Value| one(browser, site, workload, size, repeats);
    workloads.iter().map(line).collect()
}

fn one(
    browser: &Browser,
    site: &Site,
    workload: &Value,
    size: &str,
    repeats: u32,
) -> Result<Value> {
    let (name, expected) = (&workload["workload"], &workload[size]);
    let order = json!({
        "base": site.url(),
        "sql": workload["sql"],
        "records": expected["records"],
        "batch_rows": BATCH_ROWS,
        "repeats": repeats,
    });
    let answer = site.ask(browser, WORKER, order).map_err(|e| Failure::while_doing(name, e))?;
    let runs = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut seconds: Vec<f64> = runs.iter().filter_map(|r| r["seconds"].as_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    let Some(median) = seconds.get(seconds.len() / 2) else {
        return Err(Failure::while_doing(name, "no run was measured"));
    };
    for field in ["rows", "late", "counts", "sums", "maxima"] {
        if let Some(run) = runs.iter().find(|run| run[field] != expected[field]) {
            let words = format!("{field} is {}, by definition {}", run[field], expected[field]);
            return Err(Failure::while_doing(name, words));
        }
    }
    let records = expected["records"].as_f64().unwrap_or_default();
    let mut line = json!({
        "workload": name, "engine": "chromium", "threads": 1, "records": expected["records"],
        "batch_rows": BATCH_ROWS, "seconds": median, "records_per_s": records / median,
    });
    for field in ["rows", "late", "counts", "sums", "maxima"] {
        line[field] = expected[field].clone();
    }
    Ok(line)
}
