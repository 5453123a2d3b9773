//! The engine's module gives in the browser what the native engine gave: trace, rows, snapshot, fuel.

use std::fs;

use serde_json::{Map, Value, json};

use super::webdriver::Browser;
use super::{Check, Site};
use crate::failure::{Failure, Result};
use crate::workspace;

pub const CHECK: Check = Check { name: "runs on engine.wasm equal the native ones", run };

/// The worker's script, served beside the page.
pub const WORKER: (&str, &str) = ("verify/replay.js", include_str!("replay.js"));

/// Hands runs to workers, which stay for the next ones; answers what they answer, in the runs' order.
const ASK: &str = "
    const [url, count, orders, done] = arguments;
    const fresh = () => new Worker(url, { type: 'module' });
    window.replayers ??= Array.from({ length: count }, fresh);
    const answers = orders.map(() => null);
    let [next, missing] = [0, orders.length];
    const work = (worker) => {
      if (next >= orders.length) return;
      const number = next++;
      const answered = (answer, goesOn) => {
        if (answers[number] !== null) return;
        answers[number] = answer;
        if (--missing === 0) done(answers);
        work(goesOn);
      };
      worker.onmessage = (event) => answered(event.data, worker);
      worker.onerror = (event) => {
        worker.terminate();
        const other = fresh();
        window.replayers.splice(window.replayers.indexOf(worker), 1, other);
        answered({ error: event.message || 'the worker did not start' }, other);
      };
      worker.postMessage(orders[number]);
    };
    window.replayers.forEach(work);
";

/// Workers at a time, and runs that are asked for at once.
const WORKERS: usize = 2;
const RUNS: usize = 24;

/// What the native runs gave, written by the host's tests:
/// `{"runs": [{"example", "options", "injections": [{"step", "fault"}], "result": {…}}]}`;
/// a run with a `script` of its own brings its text and, in hex by path, its `files`;
/// `result` holds any of `step`, `hash`, `fuel`, `committed_rows`, `failed`, and as SHA-256 in hex
/// `rows` (the jsonl bytes) and `snapshot` (the newest, or null).
const EXPECTED: [&str; 3] = ["replay.json", "replay-hostile.json", "replay-seeds.json"];

fn run(browser: &Browser, site: &Site) -> Result<()> {
    browser.go(&site.url())?;
    let mut equal = 0;
    for list in EXPECTED {
        equal += run_list(browser, site, list)?;
    }
    eprintln!("{equal} runs are equal");
    Ok(())
}

/// Does the runs of one list; how many they are.
fn run_list(browser: &Browser, site: &Site, list: &str) -> Result<usize> {
    let path = workspace::output().join(list);
    let text = fs::read_to_string(&path).map_err(|cause| {
        Failure::new(format!("{}, which the host's tests write: {cause}", path.display()))
    })?;
    let expected: Value =
        serde_json::from_str(&text).map_err(|cause| Failure::while_doing(path.display(), cause))?;
    let runs = expected["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    if runs.is_empty() {
        return Err(Failure::new(format!("{} lists no run", path.display())));
    }
    for (part, asked) in runs.chunks(RUNS).enumerate() {
        let answers = ask(browser, site, asked)?;
        for (place, (run, answer)) in asked.iter().zip(answers).enumerate() {
            let name = run["example"].as_str().unwrap_or_default();
            let which = format!("run {}, {name}", part * RUNS + place);
            if let Some(error) = answer["error"].as_str() {
                return Err(Failure::while_doing(which, error));
            }
            let differing = differences(&run["result"], &answer["result"]);
            if !differing.is_empty() {
                let (faults, differing) = (&run["injections"], differing.join("; "));
                return Err(Failure::new(format!("{which} with {faults}: {differing}")));
            }
        }
    }
    Ok(runs.len())
}

/// Has the page do some runs; what came of each.
fn ask(browser: &Browser, site: &Site, runs: &[Value]) -> Result<Vec<Value>> {
    let object = |value: &Value| if value.is_null() { json!({}) } else { value.clone() };
    let list = |value: &Value| if value.is_null() { json!([]) } else { value.clone() };
    let order = |run: &Value| {
        json!({
            "base": site.url(),
            "example": run["example"],
            "script": run["script"],
            "files": object(&run["files"]),
            "options": object(&run["options"]),
            "injections": list(&run["injections"]),
        })
    };
    let orders: Vec<Value> = runs.iter().map(order).collect();
    let url = format!("{}{}", site.url(), WORKER.0);
    let answers = browser.execute_async(ASK, &[url.into(), WORKERS.into(), orders.into()])?;
    match answers {
        Value::Array(answers) if answers.len() == runs.len() => Ok(answers),
        other => Err(Failure::new(format!("the page answers {other}"))),
    }
}

/// Each expected value that was not found, in words. Nothing expected is a difference too.
fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let none = Map::new();
    let expected = expected.as_object().unwrap_or(&none);
    if expected.is_empty() {
        return vec!["nothing is expected of it".to_owned()];
    }
    let differing = expected.iter().filter(|(name, value)| found[name.as_str()] != **value);
    differing
        .map(|(name, value)| format!("{name} is {}, natively {value}", found[name.as_str()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_differing_digit_is_a_difference() {
        let found = json!({ "hash": "0a", "fuel": 7, "snapshot": null });
        assert!(differences(&json!({ "hash": "0a", "fuel": 7 }), &found).is_empty());
        assert!(differences(&json!({ "snapshot": null }), &found).is_empty());
        assert_eq!(
            differences(&json!({ "hash": "0b", "fuel": 7 }), &found),
            ["hash is \"0a\", natively \"0b\""]
        );
        assert_eq!(differences(&json!({ "rows": "1" }), &found), ["rows is null, natively \"1\""]);
        assert_eq!(differences(&json!({}), &found).len(), 1);
    }
}
