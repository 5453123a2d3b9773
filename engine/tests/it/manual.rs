//! The manual's examples, run: a function gives the value that stands beside it, everything else gives rows.

use std::fmt::Write as _;

use highwater_engine::session::{Files, Options, Rows, Session};
use highwater_engine::sql::manual::{Entry, FILES, Gives, RECORDS, TABLES, entries};

use crate::sandbox::Interpreter;

fn files() -> Files {
    let mut files = Files::default();
    for (path, text) in FILES {
        files.insert(path, text.as_bytes());
    }
    files
}

/// An example with the tables it reads, as a scenario.
fn scenario(entry: &Entry) -> String {
    let mut text = format!("# Manual\n\n```sql\n{TABLES}{}\n```\n", entry.example.script);
    for (table, records) in RECORDS {
        _ = write!(text, "\n```jsonl {table}\n{records}```\n");
    }
    text
}

/// The rows of an example, or what is wrong with it.
fn run(entry: &Entry, files: &Files) -> Result<Vec<Rows>, String> {
    let (text, options) = (scenario(entry), Options::default());
    let opened = Session::open("manual.md", &text, files, Interpreter::shared(), &options);
    let mut session = opened.map_err(|errors| format!("{errors:?}"))?;
    let status = session.finish();
    match status.failed {
        Some(error) => Err(error.to_string()),
        None if !status.finished => Err("it does not end".into()),
        None => Ok(session.tables()),
    }
}

/// What an entry's example does otherwise than it should.
fn wrong(entry: &Entry, files: &Files) -> Option<String> {
    if entry.example.gives == Gives::Plan {
        return None;
    }
    let tables = match run(entry, files) {
        Ok(tables) => tables,
        Err(error) => return Some(error),
    };
    match entry.example.gives {
        Gives::Value(expected) => match tables.as_slice() {
            [Rows { rows, .. }] if rows.len() == 1 => {
                let got = rows[0].2[0].to_text();
                (got != expected).then(|| format!("it is {got}, not {expected}"))
            }
            _ => Some("it is no single row".into()),
        },
        _ if tables.is_empty() => Some("there is no table".into()),
        _ => tables.iter().any(|t| t.rows.is_empty()).then(|| "there is no row".into()),
    }
}

#[test]
fn every_example_gives_what_it_says() {
    let files = files();
    let all = entries();
    let wrong: Vec<String> = all
        .iter()
        .filter_map(|entry| {
            let what = wrong(entry, &files)?;
            Some(format!("{:?} {}: {what}\n{}", entry.section, entry.name, entry.example.script))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}\n\n{}", wrong.len(), all.len(), wrong.join("\n\n"));
}

/// A script that only explains opens, says its plan, and has nothing to run.
#[test]
fn what_is_only_explained_opens_and_ends() {
    let files = files();
    let explains = |entry: &Entry| entry.example.script.contains("EXPLAIN ");
    let all: Vec<Entry> = entries().into_iter().filter(explains).collect();
    assert!(!all.is_empty(), "EXPLAIN is in the manual");
    for entry in &all {
        let (text, options) = (scenario(entry), Options::default());
        let opened = Session::open("manual.md", &text, &files, Interpreter::shared(), &options);
        let mut session = opened.unwrap_or_else(|errors| panic!("{errors:?}"));
        assert!(session.explain_only() && session.explain().contains("Sink("));
        assert!(session.finish().failed.is_none());
    }
}
