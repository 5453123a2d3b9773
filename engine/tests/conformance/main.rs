//! Published cases: what other systems say comes out, as scenarios of ours that must give the same.
//!
//! `cases/<source>/index.md` names the source and lists its cases, each with the scenario that states it or
//! the reason why it is left out. Every scenario runs in the simulation and in the runner, there with
//! several batch sizes and subtasks. The table at the end counts the cases of each source.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own, with a table to print"
)]

#[path = "../it/sandbox.rs"]
mod sandbox;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use highwater_engine::error::Diagnostic;
use highwater_engine::scenario::{ExpectKind, parse};
use highwater_engine::session::{Fast, Files, Options, Rows, check};

use sandbox::Interpreter;

/// A source's cases.
#[derive(Default)]
struct Source {
    title: String,
    passed: usize,
    /// Case and reason.
    left_out: Vec<(String, String)>,
    /// Case and what is wrong.
    failed: Vec<(String, String)>,
}

fn main() -> ExitCode {
    if std::env::args().any(|a| a == "--list") {
        return ExitCode::SUCCESS;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/cases");
    let sources: Vec<Source> = folders(&root).iter().map(|folder| run(folder)).collect();
    assert!(!sources.is_empty(), "there are cases in {}", root.display());
    report(&sources)
}

fn report(sources: &[Source]) -> ExitCode {
    println!("\n{:<66} passed  left out  failed", "published cases");
    for s in sources {
        let (passed, left_out, failed) = (s.passed, s.left_out.len(), s.failed.len());
        println!("{:<66} {passed:>6}  {left_out:>8}  {failed:>6}", s.title);
    }
    let passed: usize = sources.iter().map(|s| s.passed).sum();
    println!("{:<66} {passed:>6}", "all");
    for s in sources.iter().filter(|s| !s.left_out.is_empty()) {
        println!("\nleft out of {}:", s.title);
        s.left_out.iter().for_each(|(case, why)| println!("  {case}: {why}"));
    }
    for s in sources {
        s.failed.iter().for_each(|(case, why)| println!("\n{}: {case} FAILED\n{why}", s.title));
    }
    ExitCode::from(u8::from(sources.iter().any(|s| !s.failed.is_empty())))
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
    let mut folders: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    folders.sort();
    folders
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Runs the cases of a source.
fn run(folder: &Path) -> Source {
    let index = read(&folder.join("index.md"));
    let title = index.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
    let mut source = Source { title, ..Source::default() };
    let mut unlisted: BTreeSet<String> = folders(folder)
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .filter(|name| name.ends_with(".md") && name != "index.md")
        .collect();
    let mut files = Files::default();
    for path in folders(folder).iter().filter(|p| p.extension().is_some_and(|e| e == "jsonl")) {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a plain name");
        files.insert(name, read(path).as_bytes());
    }
    for line in index.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let mut cells = line.trim_matches('|').splitn(2, " | ").map(str::trim);
        let case = cells.next().unwrap_or_default().to_owned();
        let how = cells.next().unwrap_or_default();
        let Some(why) = how.strip_prefix("left out: ") else {
            let name = how.split_once("](").and_then(|(_, rest)| rest.strip_suffix(')'));
            let name = name.unwrap_or_else(|| panic!("`{how}` is neither a link nor a reason"));
            unlisted.remove(name);
            match passes(name, &read(&folder.join(name)), &files) {
                Ok(()) => source.passed += 1,
                Err(why) => source.failed.push((case, why)),
            }
            continue;
        };
        source.left_out.push((case, why.to_owned()));
    }
    source.failed.extend(unlisted.into_iter().map(|name| (name, "is not in index.md".into())));
    source
}

fn shown(errors: Vec<Diagnostic>) -> String {
    errors.iter().map(|e| format!("{e}\n")).collect()
}

/// Whether a scenario gives what it says, whoever runs it.
fn passes(name: &str, text: &str, files: &Files) -> Result<(), String> {
    let report = check(name, text, files, Interpreter::shared()).map_err(shown)?;
    if report.blocks.is_empty() {
        return Err("says nothing of what must come out".into());
    }
    if let Some(block) = report.blocks.iter().find(|block| !block.passed()) {
        let (title, expected, actual) = (&block.title, &block.expected, &block.actual);
        return Err(format!("{title}\n--- published\n{expected}--- here\n{actual}"));
    }
    let expects = parse(name, text).map_err(shown)?.expects;
    for (parallelism, batch_rows) in [(1, 1024), (3, 1), (4, 5)] {
        let options =
            Options { seed: None, parallelism: Some(parallelism), batch_rows: Some(batch_rows) };
        let tables = fast(name, text, files, &options)?;
        for expect in &expects {
            let table =
                tables.iter().find(|t| [t.spec.table.as_str(), ""].contains(&&*expect.argument));
            let rows = match (expect.kind, table) {
                (ExpectKind::Rows, Some(table)) => table.text(),
                (ExpectKind::Table, Some(table)) => table.left(),
                _ => continue,
            };
            if rows != expect.text {
                let runner = format!("{parallelism} subtasks, batches of {batch_rows}");
                return Err(format!(
                    "the runner, {runner}\n--- published\n{}--- here\n{rows}",
                    expect.text
                ));
            }
        }
    }
    Ok(())
}

fn fast(name: &str, text: &str, files: &Files, options: &Options) -> Result<Vec<Rows>, String> {
    let fast = Fast::open(name, text, files, Interpreter::shared(), options).map_err(shown)?;
    let mut tables = fast.sinks();
    let mut emit = |sink: usize, batch| {
        tables[sink].extend(&batch);
        Ok(())
    };
    fast.run(&mut emit, &mut |_| {}).map_err(|e| e.to_string())?;
    Ok(tables)
}
