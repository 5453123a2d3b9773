//! Every check of the project, one after the other, and what came of each.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::artifacts;
use crate::browser::webdriver::{self, Browser};
use crate::browser::{CHECKS, Site};
use crate::failure::{Failure, Result};
use crate::page;
use crate::setup::{self, TARGET, apt};
use crate::workspace;

/// The benches' manifest, and where they are built: as `cargo crit` does.
const CRITERION: [&str; 2] = ["host/criterion/Cargo.toml", "target/criterion-build"];

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl From<Result<()>> for Outcome {
    fn from(result: Result<()>) -> Outcome {
        result.map_or_else(|failure| Outcome::Failed(failure.to_string()), |()| Outcome::Passed)
    }
}

/// The checks so far, for the summary.
#[derive(Default)]
struct Report {
    lines: Vec<(String, Outcome, Duration)>,
}

impl Report {
    /// Runs a check under its heading.
    fn check(&mut self, name: &str, run: impl FnOnce() -> Outcome) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let outcome = run();
        if let Outcome::Failed(reason) | Outcome::Skipped(reason) = &outcome {
            eprintln!("{reason}");
        }
        self.lines.push((name.to_owned(), outcome, start.elapsed()));
    }

    fn count(&self, is: fn(&Outcome) -> bool) -> usize {
        self.lines.iter().filter(|(_, outcome, _)| is(outcome)).count()
    }

    /// A line a check, then the line of totals.
    fn summary(&self) -> String {
        let mut text = String::new();
        for (name, outcome, time) in &self.lines {
            let (word, reason) = match outcome {
                Outcome::Passed => ("passed ", String::new()),
                Outcome::Failed(reason) => ("FAILED ", format!(": {reason}")),
                Outcome::Skipped(reason) => ("skipped", format!(": {reason}")),
            };
            text.push_str(&format!("{word} {:>5} s  {name}{reason}\n", time.as_secs()));
        }
        let failed = self.count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let skipped = self.count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        let passed = self.lines.len() - failed - skipped;
        text.push_str(&format!("{passed} passed, {failed} failed, {skipped} skipped\n"));
        text
    }
}

/// Runs every check. Returns the summary and whether nothing failed.
pub fn run() -> (String, bool) {
    let mut report = Report::default();
    report.check("formatter and linter are there", || setup::add_components().into());
    report.check("formatting", || cargo(&["fmt", "--all", "--check"]));
    report.check("lints", || {
        let scope =
            ["clippy", "--workspace", "--all-targets", "--features", "highwater-builder/page"];
        cargo(&[&scope[..], &["--", "-D", "warnings"]].concat())
    });
    report.check("lints of the page, for wasm32", lint_page);
    // A workspace of their own, and no wasmtime in it: a minute at first, then nothing.
    report.check("the criterion benches compile", || {
        cargo(&[
            "check",
            "--benches",
            "--manifest-path",
            CRITERION[0],
            "--target-dir",
            CRITERION[1],
        ])
    });
    report.check("the guests build", || artifacts::guests().map(drop).into());
    let mut site = None;
    report.check("the page builds and stays below its ceilings", || match build_page() {
        Ok(page) => {
            let outcome = match page.too_heavy.as_slice() {
                [] => Outcome::Passed,
                lines => Outcome::Failed(lines.join("; ")),
            };
            site = Some(page.folder);
            outcome
        }
        Err(failure) => Outcome::Failed(failure.to_string()),
    });
    report.check("tests", || {
        cargo(&["test", "--workspace", "--features", "highwater-builder/page", "--no-fail-fast"])
    });
    let programs = browser_programs();
    for check in CHECKS {
        report.check(&format!("browser: {}", check.name), || match (&site, &programs) {
            (None, _) => Outcome::Failed("there is no page to check".to_owned()),
            (_, Err(failure)) => Outcome::Skipped(failure.to_string()),
            (Some(folder), Ok((driver, chromium))) => {
                let run = || {
                    let site = Site::serve(folder)?;
                    (check.run)(&Browser::start(driver, chromium)?, &site)
                };
                run().into()
            }
        });
    }
    let failed = report.count(|outcome| matches!(outcome, Outcome::Failed(_)));
    (report.summary(), failed == 0)
}

fn build_page() -> Result<page::Page> {
    let page = page::build()?;
    eprint!("{}", page.report);
    Ok(page)
}

/// The outer cargo, with its usual target folder: nothing is built twice.
fn cargo(arguments: &[&str]) -> Outcome {
    let mut command: Command = workspace::command(workspace::cargo());
    workspace::run(command.args(arguments)).into()
}

/// Some lints see the page's browser-only code alone when it is compiled for the browser.
fn lint_page() -> Outcome {
    let toolchain = match setup::toolchain() {
        Ok(toolchain) => toolchain,
        Err(failure) => return Outcome::Failed(failure.to_string()),
    };
    if !toolchain.is_own() {
        return Outcome::Skipped("Debian's packages bring no clippy for wasm32".to_owned());
    }
    // The profile of the build, so that both share the macros they need.
    let scope = ["clippy", "--package", "highwater-web", "--target", TARGET, "--profile", "wasm"];
    let mut command = toolchain.cargo(setup::Code::Own);
    workspace::run(command.args(scope).args(["--", "-D", "warnings"])).into()
}

/// The browser and its driver, installed first where that is possible.
///
/// # Errors
/// When there is none, also after that.
pub fn browser_programs() -> Result<(std::path::PathBuf, std::path::PathBuf)> {
    if let Some(programs) = webdriver::programs() {
        return Ok(programs);
    }
    if let Err(failure) = apt::install(&["chromium", "chromium-driver"]) {
        eprintln!("highwater: {failure}");
    }
    webdriver::programs().ok_or_else(|| {
        Failure::new(
            "no chromium with chromedriver; `apt-get install chromium chromium-driver` as root",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_each_kind() {
        let mut report = Report::default();
        report.check("one", || Outcome::Passed);
        report.check("two", || Outcome::Failed("reason".to_owned()));
        report.check("three", || Outcome::Skipped("missing".to_owned()));
        report.check("four", || Ok(()).into());
        let summary = report.summary();
        assert_eq!(summary.lines().last(), Some("2 passed, 1 failed, 1 skipped"));
        assert!(summary.contains("two: reason\n"), "{summary}");
    }
}
