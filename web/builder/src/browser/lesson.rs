//! The page plays the week of earthquakes: run to the end, crashed on the way, sought back.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::webdriver::Browser;
use super::{Check, Site};
use crate::failure::{Failure, Result};
use crate::workspace;

pub const CHECK: Check =
    Check { name: "the page plays, crashes, recovers and seeks, by its buttons", run };

const EXAMPLE: &str = "earthquakes.md";
const LONG: Duration = Duration::from_secs(120);

/// A button by its label, pressed as a reader would.
const PRESS: &str = "
    const [label] = arguments;
    const named = (b) => b.getAttribute('aria-label') === label || b.textContent.trim() === label;
    const button = [...document.querySelectorAll('button')].find((b) => named(b) && !b.disabled);
    if (button) button.click();
    return Boolean(button);
";

fn run(browser: &Browser, site: &Site) -> Result<()> {
    let natively = native_hash()?;
    browser.go(&format!("{}#/example/{EXAMPLE}", site.url()))?;
    press(browser, "Step")?;
    until_text(browser, "one step", ".facts dd", |t| t == "1")?;
    press(browser, "Run to the end")?;
    until_text(browser, "the hash of the native run", ".hash code", |t| t == natively)?;
    let end = text(browser, ".scrubber .end")?;
    seek(browser, "700")?;
    until_text(browser, "step 700", ".facts dd", |t| t == "700")?;
    press(browser, "✕ Crash it now")?;
    press(browser, "Run to the end")?;
    until_text(browser, "another run's end", ".hash code", |t| t.len() == 32 && t != natively)?;
    browser.until("the recovery in words", LONG, |browser| {
        let said = browser.execute("return document.body.textContent.toLowerCase()", &[])?;
        let said = said.as_str().unwrap_or_default();
        Ok(said.contains("crash") && said.contains("read again"))
    })?;
    if text(browser, ".scrubber .end")? == end {
        return Err(Failure::new(format!("the crashed run also ends at step {end}")));
    }
    let errors = browser.console_errors()?;
    if !errors.is_empty() {
        return Err(Failure::new(format!("the console shows: {}", errors.join(" | "))));
    }
    Ok(())
}

/// The hash the host's tests found for the example without faults.
fn native_hash() -> Result<String> {
    let path = workspace::output().join("replay.json");
    let text = fs::read_to_string(&path).map_err(Failure::file("read", &path))?;
    let list: Value =
        serde_json::from_str(&text).map_err(|cause| Failure::while_doing(path.display(), cause))?;
    let runs = list["runs"].as_array().into_iter().flatten();
    let quiet = |r: &&Value| {
        r["example"] == EXAMPLE && r["injections"].as_array().is_some_and(Vec::is_empty)
    };
    let hash = runs.filter(quiet).find_map(|r| r["result"]["hash"].as_str());
    hash.map(str::to_owned).ok_or_else(|| {
        Failure::new(format!("{} has no run of {EXAMPLE} without faults", path.display()))
    })
}

fn press(browser: &Browser, label: &str) -> Result<()> {
    browser.until(&format!("the button `{label}`"), LONG, |browser| {
        Ok(browser.execute(PRESS, &[label.into()])? == Value::Bool(true))
    })
}

fn text(browser: &Browser, selector: &str) -> Result<String> {
    let script = "return document.querySelector(arguments[0])?.textContent ?? ''";
    let found = browser.execute(script, &[selector.into()])?;
    Ok(found.as_str().unwrap_or_default().trim().to_owned())
}

fn until_text(
    browser: &Browser,
    what: &str,
    selector: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<()> {
    let mut last = String::new();
    let done = browser.until(what, LONG, |browser| {
        last = text(browser, selector)?;
        Ok(wanted(&last))
    });
    done.map_err(|failure| Failure::while_doing(failure, format_args!("`{selector}` is `{last}`")))
}

/// Types a step into the number field beside the scrubber.
fn seek(browser: &Browser, step: &str) -> Result<()> {
    let script = "
        const field = document.querySelector('.scrubber input[type=number]');
        field.value = arguments[0];
        field.dispatchEvent(new Event('change', { bubbles: true }));
    ";
    browser.execute(script, &[step.into()]).map(drop)
}
