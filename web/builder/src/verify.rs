//! Every check of the project, one after the other, and what came of each.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::browser::webdriver::{self, Browser};
use crate::browser::{CHECKS, Site};
use crate::failure::{Failure, Result};
use crate::setup::{self, TARGET, apt};
use crate::workspace;

/// The benches' manifest, and where they are built: as `cargo crit` does.
const CRITERION: [&str; 2] = ["host/criterion/Cargo.toml", "target/criterion-build"];

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it should be.
    Passed,
    /// It is not, and why.
    Failed(String),
    /// It could not be made here, and why.
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

    /// Takes in what was checked beside the rest; the folder of the page, if there is one.
    fn add(&mut self, done: Vec<Done>) -> Option<PathBuf> {
        for (name, outcome, time, said) in done {
            eprintln!("\n== {name}\n{}", said.trim_end());
            self.lines.push((name.to_owned(), outcome, time));
        }
        site()
    }

    fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
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
        let failed = self.failed();
        let skipped = self.count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        let passed = self.lines.len() - failed - skipped;
        text.push_str(&format!("{passed} passed, {failed} failed, {skipped} skipped\n"));
        text
    }
}

/// The folder of the page, if there is one.
fn site() -> Option<PathBuf> {
    let site = workspace::output().join("site");
    site.join("index.html").is_file().then_some(site)
}

/// Runs every check. Returns the summary and whether nothing failed.
pub fn run() -> (String, bool) {
    let mut report = Report::default();
    report.check("formatter and linter are there", || setup::add_components().into());
    report.check("formatting", || cargo(&["fmt", "--all", "--check"]));
    // What is built for wasm32 has a target folder of its own, and its long optimisation leaves a core idle.
    let beside = beside();
    report.check("lints", || {
        let scope =
            ["clippy", "--workspace", "--all-targets", "--features", "highwater-builder/page"];
        cargo(&[&scope[..], &["--", "-D", "warnings"]].concat())
    });
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
    let tests = ["test", "--workspace", "--features", "highwater-builder/page", "--no-fail-fast"];
    report.check("the tests compile", || cargo(&[&tests[..], &["--no-run"]].concat()));
    let site = report.add(beside.join().unwrap_or_default());
    report.check("tests", || cargo(&tests));
    in_browser(&mut report, site.as_deref());
    (report.summary(), report.failed() == 0)
}

/// The checks in the browser alone, on the page as it was last built.
pub fn browser() -> (String, bool) {
    let mut report = Report::default();
    in_browser(&mut report, site().as_deref());
    (report.summary(), report.failed() == 0)
}

fn in_browser(report: &mut Report, site: Option<&Path>) {
    let programs = browser_programs();
    for check in CHECKS {
        report.check(&format!("browser: {}", check.name), || match (site, &programs) {
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
}

/// What is checked beside the rest: a heading, and the task of this program that does it.
const BESIDE: [(&str, &str); 3] = [
    ("lints of the page, for wasm32", "lint-page"),
    ("the guests and the engine build for wasm32", "modules"),
    ("the page builds and stays below its ceilings", "page"),
];

/// The exit code of a task that could not be done here.
pub const SKIPPED: u8 = 3;

/// A check that was made beside others: its heading, its outcome, how long it took, what it said.
type Done = (&'static str, Outcome, Duration, String);

/// Makes the checks of [`BESIDE`], one after the other, as processes of their own.
fn beside() -> JoinHandle<Vec<Done>> {
    eprintln!("\nbeside the next checks: {}", BESIDE.map(|(name, _)| name).join("; "));
    // Asked now: cargo may put a new file in the place of this one while the tests compile.
    let own = std::env::current_exe().map_err(|cause| cause.to_string());
    std::thread::spawn(move || {
        let one = |(name, task): (&'static str, &str)| {
            let start = Instant::now();
            let run = own.clone().and_then(|own| {
                let output = Command::new(own).arg(task).stdin(Stdio::null()).output();
                output.map_err(|cause| cause.to_string())
            });
            let (outcome, said) = match run {
                Ok(output) => {
                    let bytes = [output.stderr, output.stdout].concat();
                    let said = String::from_utf8_lossy(&bytes).into_owned();
                    let last = said.lines().last().unwrap_or_default().to_owned();
                    let outcome = match output.status.code() {
                        Some(0) => Outcome::Passed,
                        Some(code) if code == i32::from(SKIPPED) => Outcome::Skipped(last),
                        _ => Outcome::Failed(last),
                    };
                    (outcome, said)
                }
                Err(cause) => (Outcome::Failed(cause), String::new()),
            };
            (name, outcome, start.elapsed(), said)
        };
        BESIDE.into_iter().map(one).collect()
    })
}

/// The outer cargo, with its usual target folder: nothing is built twice.
fn cargo(arguments: &[&str]) -> Outcome {
    let mut command: Command = workspace::command(workspace::cargo());
    workspace::run(command.args(arguments)).into()
}

/// Some lints see the page's browser-only code alone when it is compiled for the browser.
pub fn lint_page() -> Outcome {
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
pub fn browser_programs() -> Result<(PathBuf, PathBuf)> {
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
