//! Flights from a file: two questions in SQL, beside a plain loop and beside batch engines, all rows compared.
//!
//! The file has a row a flight in the order of the timetable: `date`, `delay` in minutes, `distance` in miles,
//! `origin`, `destination`. Records arrive when flights are over, so the rows are put in the order of
//! date + delay first, once, before anything is measured; everybody reads that file.

mod loops;
mod prepare;
mod rows;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::Path;

use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::session::{Fast, Options};
use serde_json::Value as Json;

use super::answer::{Answer, timed};
use super::peer::Peer;
use crate::files::Script;
use crate::job;
use crate::read_ahead::ReadAhead;
use crate::sandbox::WasmtimeSandbox;

pub use prepare::prepare;

/// The batch engines that know the questions.
pub const PEERS: [&str; 2] = ["polars", "duckdb"];
const SCRIPT: &str = include_str!("peer.py");

/// What the scripts call the file.
pub const FILE: &str = "flights.parquet";

/// What is asked about flights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Flights an hour and their mean delay, by airport.
    Hourly,
    /// Departures that passengers of a late flight could still take.
    Connections,
}

impl Question {
    /// All of them, in the order of reports.
    pub const ALL: [Question; 2] = [Question::Hourly, Question::Connections];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Question::Hourly => "hourly",
            Question::Connections => "connections",
        }
    }

    /// What it asks, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Question::Hourly => "flights and mean delay per origin and hour, known within 4 hours",
            Question::Connections => {
                "departures 30 to 60 minutes after a late landing at the same airport"
            }
        }
    }

    /// The script.
    pub fn sql(self) -> &'static str {
        match self {
            Question::Hourly => include_str!("hourly.sql"),
            Question::Connections => include_str!("connections.sql"),
        }
    }
}

/// The engine's answer, the file in `folder` read in a thread of its own or in the engine's.
///
/// # Errors
/// When the engine refuses the job or stops.
pub fn engine(question: Question, folder: &Path, ahead: bool) -> Result<Answer> {
    let name = format!("{}.sql", question.name());
    let path = folder.join(&name);
    let script = Script { path, name, text: question.sql().to_owned() };
    Answer::of_engine(|emit| {
        let files = job::files(&script).map_err(first)?;
        let sandbox = std::sync::Arc::new(WasmtimeSandbox::default());
        let options = Options::default();
        let mut job = Fast::open(script.short_name(), &script.text, &files, sandbox, &options)
            .map_err(first)?;
        let mut threads = ReadAhead::default();
        if ahead {
            job.wrap_readers(&mut |reader| threads.wrap(reader));
        }
        Ok(job.run(emit, &mut |_| {})?.late)
    })
}

/// The plain loop's answer.
///
/// # Errors
/// When the file cannot be read.
pub fn plain(question: Question, folder: &Path) -> Result<Answer> {
    let path = folder.join(FILE);
    let ((rows, late), clock) = timed(|| loops::run(question, &path))?;
    let told = move || Ok(rows::told(question, &rows));
    Ok(Answer::new((clock.wall, clock.cpu), Some(late), told))
}

/// The answer of a batch engine in a process of its own, which measures itself.
///
/// # Errors
/// When it fails, with what it said.
pub fn batch(question: Question, folder: &Path, peer: &Peer, threads: u32) -> Result<Answer> {
    let out = folder.join(format!("{}-{}.parquet", peer.name, question.name()));
    let threads = threads.to_string();
    let mut arguments = [peer.name, question.name(), &threads].map(OsString::from).to_vec();
    arguments.extend([folder.join(FILE).into(), out.clone().into()]);
    let told = peer.run(SCRIPT, &arguments)?;
    let number = |field: &str| peer.told(&told, field, Json::as_f64);
    let seconds = (number("seconds")?, number("cpu_seconds")?);
    let rows = peer.rows(&out)?;
    Ok(Answer::new(seconds, None, move || Ok(rows)))
}

fn first(mut errors: Vec<Diagnostic>) -> Error {
    match errors.is_empty() {
        true => Diagnostic::new("bench.refused", "the job is refused without a reason"),
        false => Box::new(errors.swap_remove(0)),
    }
}
