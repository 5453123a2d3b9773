//! Flights from a file: two questions in SQL, beside a plain loop and beside batch engines, all rows compared.
//!
//! The file has a row a flight in the order of the timetable: `date`, `delay` in minutes, `distance` in miles,
//! `origin`, `destination`. Records arrive when flights are over, so the rows are put in the order of
//! date + delay first, once, before anything is measured; everybody reads that file.

mod loops;
mod peer;
mod prepare;
mod rows;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Instant;

use highwater_engine::batch::Batch;
use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::session::{Fast, Options};

use super::clock::{Clock, process_seconds};
use crate::files::Script;
use crate::job;
use crate::read_ahead::ReadAhead;
use crate::sandbox::WasmtimeSandbox;

pub use peer::{Peer, peers};
pub use prepare::prepare;
pub use rows::Rows;

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

/// An answer: what it took, what it was.
pub struct Answer {
    /// Seconds of wall-clock time and of processor time, over all threads of the process.
    pub seconds: (f64, f64),
    /// Records left out as late; `None` where nobody counts them.
    pub late: Option<u64>,
    /// The rows, not yet brought into one form.
    rows: Raw,
}

enum Raw {
    Batches(Vec<Batch>),
    Rows(Rows),
}

impl Answer {
    /// The rows in an order of their own, so that equal answers are equal.
    ///
    /// # Errors
    /// When there are columns of other types than the questions have.
    pub fn rows(self) -> Result<Rows> {
        let mut rows = match self.rows {
            Raw::Rows(rows) => rows,
            Raw::Batches(batches) => {
                let mut rows = Rows::default();
                batches.iter().try_for_each(|batch| rows.extend(&batch.columns))?;
                rows
            }
        };
        rows.sort();
        Ok(rows)
    }
}

/// Measures what a closure does.
fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<(T, Clock)> {
    let (began, began_cpu) = (Instant::now(), process_seconds());
    let done = run()?;
    let wall = began.elapsed().as_secs_f64();
    let cpu = process_seconds().zip(began_cpu).map_or(wall, |(now, then)| now - then);
    Ok((done, Clock { wall, cpu }))
}

/// The engine's answer, the file in `folder` read in a thread of its own or in the engine's.
///
/// # Errors
/// When the engine refuses the job or stops.
pub fn engine(question: Question, folder: &Path, ahead: bool) -> Result<Answer> {
    let name = format!("{}.sql", question.name());
    let path = folder.join(&name);
    let script = Script { path, name, text: question.sql().to_owned() };
    let ((batches, late), clock) = timed(|| {
        let files = job::files(&script).map_err(first)?;
        let sandbox = std::sync::Arc::new(WasmtimeSandbox::default());
        let options = Options::default();
        let mut job = Fast::open(script.short_name(), &script.text, &files, sandbox, &options)
            .map_err(first)?;
        let mut threads = ReadAhead::default();
        if ahead {
            job.wrap_readers(&mut |reader| threads.wrap(reader));
        }
        let mut batches = Vec::new();
        let report = job.run(
            &mut |_, batch| {
                batches.push(batch);
                Ok(())
            },
            &mut |_| {},
        )?;
        Ok((batches, report.late))
    })?;
    let seconds = (clock.wall, clock.cpu);
    Ok(Answer { seconds, late: Some(late), rows: Raw::Batches(batches) })
}

/// The plain loop's answer.
///
/// # Errors
/// When the file cannot be read.
pub fn plain(question: Question, folder: &Path) -> Result<Answer> {
    let path = folder.join(FILE);
    let ((rows, late), clock) = timed(|| loops::run(question, &path))?;
    let seconds = (clock.wall, clock.cpu);
    Ok(Answer { seconds, late: Some(late), rows: Raw::Rows(rows) })
}

/// The answer of a batch engine in a process of its own, which measures itself.
///
/// # Errors
/// When it fails, with what it said.
pub fn batch(question: Question, folder: &Path, peer: &Peer, threads: u32) -> Result<Answer> {
    let (rows, seconds) = peer::run(question, folder, peer, threads)?;
    Ok(Answer { seconds, late: None, rows: Raw::Rows(rows) })
}

fn first(mut errors: Vec<Diagnostic>) -> Error {
    match errors.is_empty() {
        true => Diagnostic::new("bench.refused", "the job is refused without a reason"),
        false => Box::new(errors.swap_remove(0)),
    }
}
