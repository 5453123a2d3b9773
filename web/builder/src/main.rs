//! `cargo play` and `cargo verify`: the page on this machine, and every check.

use std::io::{self, Write};
use std::process::ExitCode;

use highwater_builder::browser::webdriver::Browser;
use highwater_builder::browser::{Site, bench, seek};
use highwater_builder::failure::{Failure, Result};
use highwater_builder::page::server::{self, Server};
use highwater_builder::verify::Outcome;
use highwater_builder::{artifacts, page, verify};

const USAGE: &str = "\
cargo play [--port N]   build the page and serve it on this machine
cargo verify            run every check
cargo measure           measure the benchmark's workloads in Chromium, a line of JSON each
Both set up what they need by themselves.";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Play { port: Option<u16> },
    Browser,
    LintPage,
    Measure,
    Modules,
    Page,
    Verify,
    Help,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let task = match parse(&arguments) {
        Ok(task) => task,
        Err(failure) => {
            eprintln!("{failure}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let done = match task {
        Task::Help => say(USAGE).map(|()| true),
        Task::Verify => {
            let (summary, passed) = verify::run();
            say(&format!("\n{}", summary.trim_end())).map(|()| passed)
        }
        Task::Browser => {
            let (summary, passed) = verify::browser();
            say(&format!("\n{}", summary.trim_end())).map(|()| passed)
        }
        Task::LintPage => return lint_page(),
        Task::Measure => measure().map(|()| true),
        Task::Modules => modules().map(|()| true),
        Task::Page => build().map(|page| page.too_heavy.is_empty()),
        Task::Play { port } => play(port).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Result<Task> {
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["play"] => Ok(Task::Play { port: None }),
        ["play", "--port", port] => match port.parse() {
            Ok(port) => Ok(Task::Play { port: Some(port) }),
            Err(cause) => Err(Failure::while_doing(format_args!("--port {port}"), cause)),
        },
        ["browser"] => Ok(Task::Browser),
        ["lint-page"] => Ok(Task::LintPage),
        ["measure"] => Ok(Task::Measure),
        ["modules"] => Ok(Task::Modules),
        ["page"] => Ok(Task::Page),
        ["verify"] => Ok(Task::Verify),
        ["help" | "--help" | "-h"] | [_, "--help" | "-h"] => Ok(Task::Help),
        other => Err(Failure::new(format!("unknown arguments: {}", other.join(" ")))),
    }
}

/// Lints what the page is for the browser alone.
fn lint_page() -> ExitCode {
    match verify::lint_page() {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Failed(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
        Outcome::Skipped(reason) => {
            eprintln!("{reason}");
            ExitCode::from(verify::SKIPPED)
        }
    }
}

/// Measures the benchmark's workloads in the browser: the median of three runs each.
fn measure() -> Result<()> {
    let folder = build()?.folder;
    let (driver, chromium) = verify::browser_programs()?;
    let site = Site::serve(&folder)?;
    let browser = Browser::start(&driver, &chromium)?;
    for line in bench::measure(&browser, &site, "full", 3)? {
        say(&line.to_string())?;
    }
    say(&seek::measure(&browser, &site)?.to_string())
}

/// Builds the engine and the guests and says where they are.
fn modules() -> Result<()> {
    say(&artifacts::engine()?.display().to_string())?;
    say(&artifacts::guests()?.display().to_string())
}

/// Builds the page and says what it weighs, and what is too heavy.
fn build() -> Result<page::Page> {
    let page = page::build()?;
    for line in page.report.lines().chain(page.too_heavy.iter().map(String::as_str)) {
        say(line)?;
    }
    Ok(page)
}

fn play(port: Option<u16>) -> Result<()> {
    // Too heavy a page is a failed check, yet no reason not to play.
    let page = build()?;
    let server = match port {
        Some(port) => Server::start(&page.folder, [port])?,
        None => Server::start(&page.folder, (server::PORT..server::PORT + 20).chain([0]))?,
    };
    say(&format!("\nHighwater plays at {}\nEnd it with Ctrl-C.", server.url()))?;
    server.wait();
    Ok(())
}

/// Prints a line; a closed pipe is a failure, not a panic.
fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|cause| Failure::while_doing("standard output", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(line: &str) -> Result<Task> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_says_what_to_do() {
        assert_eq!(task("play"), Ok(Task::Play { port: None }));
        assert_eq!(task("play --port 8080"), Ok(Task::Play { port: Some(8080) }));
        assert_eq!(task("measure"), Ok(Task::Measure));
        assert_eq!(task("lint-page"), Ok(Task::LintPage));
        assert_eq!(task("modules"), Ok(Task::Modules));
        assert_eq!(task("page"), Ok(Task::Page));
        assert_eq!(task("verify"), Ok(Task::Verify));
        assert_eq!(task("play --help"), Ok(Task::Help));
        for wrong in
            ["", "play --port", "play --port 70000", "play --port x", "verify now", "serve"]
        {
            assert!(task(wrong).is_err(), "{wrong}");
        }
    }
}
