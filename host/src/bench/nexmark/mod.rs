//! Nexmark: the suite's queries over generated events, the engine beside DuckDB, all rows compared.
//!
//! The suite (<https://github.com/nexmark/nexmark>) asks 23 queries about an auction house. The engine is asked them as
//! streams, in Flink's dialect, and DuckDB is asked the same of all rows at once, from tables of its own, on as many
//! threads. What the engine has said by the end of the input, its changes made, must be DuckDB's rows.
//!
//! Where a query reads two tables the engine merges them by their arrival, a row at a time, before anything else.
//! Joins keep the columns that are read, and keep them for ever; filters in front of them look at whole rows.

mod draws;
mod engine;
mod queries;
mod stream;
mod tables;
#[cfg(test)]
mod tests;
mod texts;

use std::ffi::OsString;
use std::path::Path;

use highwater_engine::error::Result;
use serde_json::Value as Json;

use super::answer::Answer;
use super::clock::peak_memory;
use super::peer::Peer;
use super::rows::Rows;

pub use engine::answer;
pub use queries::{ALL, Clock, LEFT_OUT, Query, named};
pub use stream::Stream;
pub use tables::{Table, Tables};

/// The batch engine that is asked the same.
pub const PEER: &str = "duckdb";
const SCRIPT: &str = include_str!("peer.py");

/// What the runs of one subject took.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Wall-clock and processor seconds of each run.
    pub seconds: Vec<(f64, f64)>,
    /// Records left out as late, where somebody counts them.
    pub late: Option<u64>,
    /// The most memory its process had, in bytes, its input included; 0 where the system does not say.
    pub peak_bytes: u64,
}

/// The engine's runs of a query, and its rows: those of all runs are compared.
///
/// # Errors
/// When the engine refuses the query or stops, or a run's rows are others: `bench.wrong-totals`.
pub fn measure(
    query: &Query,
    tables: &Tables,
    how: (usize, u32),
    repeats: u32,
) -> Result<(Runs, Rows)> {
    let mut runs = Runs::default();
    let mut agreed: Option<Rows> = None;
    for _ in 0..repeats.max(1) {
        let answer: Answer = answer(query, tables, how)?;
        runs.seconds.push(answer.seconds);
        runs.late = answer.late;
        // Before the first answer is brought into another form, which takes memory of its own.
        if agreed.is_none() {
            runs.peak_bytes = peak_memory();
        }
        let rows = answer.rows()?;
        match &agreed {
            Some(first) => rows.check("a repeated run", ("the first", first))?,
            None => agreed = Some(rows),
        }
    }
    Ok((runs, agreed.unwrap_or_default()))
}

/// The peer's runs of a query over the files of a folder, and its rows.
///
/// # Errors
/// When it fails, with what it said.
pub fn peer(
    query: &Query,
    folder: &Path,
    peer: &Peer,
    (threads, repeats): (u32, u32),
) -> Result<(Runs, Rows)> {
    let out = folder.join(format!("{}-{}.answer", peer.name, query.name));
    let numbers = [threads, repeats].map(|n| n.to_string());
    let mut arguments: Vec<OsString> = vec![query.duckdb.into(), out.clone().into()];
    arguments.extend(numbers.map(OsString::from));
    for table in query.reads {
        arguments.extend([(*table).into(), tables::file(folder, table).into()]);
    }
    let told = peer.run(SCRIPT, &arguments)?;
    let list =
        |json: &Json| -> Option<Vec<f64>> { json.as_array()?.iter().map(Json::as_f64).collect() };
    let wall = peer.told(&told, "seconds", list)?;
    let cpu = peer.told(&told, "cpu_seconds", list)?;
    let peak_bytes = peer.told(&told, "peak_bytes", Json::as_u64)?;
    let seconds = wall.into_iter().zip(cpu).collect();
    Ok((Runs { seconds, late: None, peak_bytes }, peer.rows(&out)?))
}
