//! Checking a scenario: what its `expect` blocks say against what a run gives.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::prepare::{Many, read};
use super::{Delivery, Files, Guarantee, Options, Rows, Session};
use crate::error::Diagnostic;
use crate::scenario::{self, Expect, ExpectKind};
use crate::time::EventTime;
use crate::trace::{What, quoted};
use crate::udf::Sandbox;

/// One `expect` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The line of its first line of content.
    pub line: u32,
    /// Its info string: `expect rows result`.
    pub title: String,
    /// What it says.
    pub expected: String,
    /// What the run gives.
    pub actual: String,
}

impl Block {
    /// Whether the run gives what the block says.
    pub fn passed(&self) -> bool {
        self.expected == self.actual
    }
}

/// The blocks of a scenario, and the scenario as it would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    /// The file's text with every block holding what the run gives.
    pub updated: String,
    /// The trace's hash.
    pub hash: String,
    /// Faults of the file that never struck.
    pub never_struck: Vec<String>,
}

/// Runs a scenario and compares its `expect` blocks.
///
/// # Errors
/// Everything that is wrong with the file, and why the job failed if it did.
pub fn check(
    name: &str,
    text: &str,
    files: &Files,
    sandbox: Arc<dyn Sandbox>,
) -> Many<CheckReport> {
    let scenario = read(name, text)?;
    let mut session = Session::open(name, text, files, sandbox.clone(), &Options::default())?;
    super::ends(name, text)?;
    let status = session.finish();
    if let Some(failed) = status.failed {
        return Err(vec![failed]);
    }
    let tables = session.tables();
    let mut blocks = Vec::new();
    let mut replacements = Vec::new();
    for expect in &scenario.expects {
        let actual = match expect.settings.as_slice() {
            [] => actual(expect, &session, &tables, &status.hash),
            set => {
                let mut other = Session::to_compare(name, text, files, sandbox.clone(), set)?;
                let status = other.finish();
                match status.failed {
                    Some(failed) => Err(Box::new(failed)),
                    None => actual(expect, &other, &other.tables(), &status.hash),
                }
            }
        };
        let actual = actual.map_err(|e| vec![*e.at(expect.span).in_source(name)])?;
        replacements.push((expect.range.clone(), actual.clone()));
        blocks.push(Block {
            line: expect.first_line,
            title: title(expect),
            expected: expect.text.clone(),
            actual,
        });
    }
    let updated = scenario::rewrite(text, &replacements);
    Ok(CheckReport { blocks, updated, hash: status.hash, never_struck: status.faults_to_come })
}

/// The block's info string.
fn title(expect: &Expect) -> String {
    let kind = ExpectKind::ALL.iter().find(|(_, k)| *k == expect.kind).map_or("", |(name, _)| name);
    let mut title = format!("expect {kind} {}", expect.argument).trim_end().to_owned();
    let settings = expect.settings.iter().map(|(key, value)| format!(" {key}={value}"));
    if !expect.settings.is_empty() {
        title.push_str(" with");
        title.extend(settings);
    }
    title
}

fn actual(
    expect: &Expect,
    session: &Session,
    tables: &[Rows],
    hash: &str,
) -> crate::error::Result<String> {
    Ok(match expect.kind {
        ExpectKind::Hash => format!("{hash}\n"),
        ExpectKind::Late => late(session),
        ExpectKind::Delivery => Delivery::text(&deliveries(expect, session)?),
        ExpectKind::Trace => {
            let wanted: Vec<&str> = expect.argument.split_whitespace().collect();
            let events = session.events().iter();
            events
                .filter(|e| wanted.is_empty() || wanted.contains(&e.what.name()))
                .map(|e| e.line(session.header()) + "\n")
                .collect()
        }
        ExpectKind::Rows | ExpectKind::Table => {
            let name = expect.argument.trim();
            let table = tables.iter().find(|t| name.is_empty() || t.spec.table == name);
            let table = table.ok_or_else(|| {
                let names: Vec<&str> = tables.iter().map(|t| t.spec.table.as_str()).collect();
                Diagnostic::new("scenario.expect", format!("there is no sink `{name}`"))
                    .hint(format!("the sinks are {}", names.join(", ")))
            })?;
            if expect.kind == ExpectKind::Table { table.left() } else { table.text() }
        }
    })
}

/// What the sinks show at the end, under the guarantee that the block names.
fn deliveries(expect: &Expect, session: &Session) -> crate::error::Result<Vec<Delivery>> {
    let name = expect.argument.as_str();
    if name.is_empty() {
        return Ok(session.delivery());
    }
    let Some(guarantee) = Guarantee::named(name) else {
        let error = Diagnostic::new("scenario.expect", format!("there is no guarantee `{name}`"));
        return Err(error.hint(format!("the guarantees are {}", Guarantee::NAMES.join(", "))));
    };
    let mut other = session.promising(guarantee);
    match other.finish().failed {
        Some(failed) => Err(Box::new(failed)),
        None => Ok(other.delivery()),
    }
}

/// The drop ledger: every late record with the reason, once, though a crash makes the job drop it again.
fn late(session: &Session) -> String {
    let mut seen = BTreeSet::new();
    let lines = session.events().iter().filter_map(|e| match &e.what {
        What::Late { seq, .. } if !seen.insert((e.task, None, *seq)) => None,
        What::JoinLate { side, seq, .. } if !seen.insert((e.task, Some(*side), *seq)) => None,
        // Late by itself: its window is open.
        What::Late { seq, event_time, watermark, end, row, .. } if end - 1 > *watermark => {
            Some(format!(
                "record {seq} at {}: behind the watermark {}: {}\n",
                EventTime(*event_time),
                EventTime(*watermark),
                quoted(row)
            ))
        }
        What::Late { seq, event_time, watermark, start, end, row, .. } => Some(format!(
            "record {seq} at {}: window {} to {} had fired, watermark {}: {}\n",
            EventTime(*event_time),
            EventTime(*start),
            EventTime(*end),
            EventTime(*watermark),
            quoted(row)
        )),
        What::JoinLate { seq, event_time, watermark, row, .. } => Some(format!(
            "record {seq} at {}: {}, watermark {}: {}\n",
            EventTime(*event_time),
            match session.header().tasks.get(usize::from(e.task)) {
                Some(task) if matches!(task.kind.as_str(), "join" | "rank") => {
                    "it came after the watermark"
                }
                Some(task) if task.kind == "over" => "the rows of its time had left",
                _ => "nothing can meet it any more",
            },
            EventTime(*watermark),
            quoted(row)
        )),
        _ => None,
    });
    lines.collect()
}
