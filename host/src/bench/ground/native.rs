//! The engine over the same columns: SQL in, columns from memory, rows added up as they come.

use std::rc::Rc;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{ArrayRef, TimestampMillisecondArray};
use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::graph::Graph;
use highwater_engine::numbers::Numbers;
use highwater_engine::runner::Runner;
use highwater_engine::source::inlet::Inlet;
use highwater_engine::source::{Chunk, Detached, Input, Reader};
use highwater_engine::sql::{self, Catalog};
use highwater_engine::udf::manifest::Manifest;
use highwater_engine::udf::{Guests, Instance, Sandbox};

use super::{Columns, Totals, Workload};

/// Reads columns that are in memory already, as often as asked: each time, their times are later by as much
/// as the stream is long.
struct Memory {
    columns: Columns,
    next: usize,
    /// How often they have been read, and how often they shall be.
    round: u32,
    rounds: u32,
    /// Milliseconds from one round to the next.
    span: i64,
}

impl Memory {
    /// The rows `first..first + rows`, as they are in this round.
    fn slice(&self, first: usize, rows: usize) -> Vec<ArrayRef> {
        let later = i64::from(self.round) * self.span;
        let column = |array: &ArrayRef| match array.as_primitive_opt::<TimestampMillisecondType>() {
            Some(times) if later > 0 => {
                let times = times.values()[first..first + rows].iter().map(|t| t + later);
                Arc::new(TimestampMillisecondArray::from_iter_values(times)) as ArrayRef
            }
            _ => array.slice(first, rows),
        };
        self.columns.arrays.iter().map(column).collect()
    }
}

impl Reader for Memory {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        if self.next == self.columns.rows() && self.round + 1 < self.rounds {
            (self.next, self.round) = (0, self.round + 1);
        }
        let first = self.next;
        let rows = max_rows.min(self.columns.rows() - first);
        if rows == 0 {
            return Ok(None);
        }
        self.next += rows;
        let number = u64::from(self.round) * self.columns.rows() as u64 + first as u64;
        Ok(Some(Chunk {
            columns: self.slice(first, rows),
            rows,
            offsets: Numbers::run(number, rows),
            lines: Numbers::same(0, rows),
            arrivals: Numbers::run(number, rows),
            bad: Vec::new(),
        }))
    }

    fn detach(self: Box<Self>) -> Detached {
        Ok(self)
    }

    fn relative(&self) -> bool {
        true
    }
}

/// The stream's pace.
const RECORDS_PER_MS: i64 = 10;

/// The workloads call no guest.
struct NoGuests;

impl Catalog for NoGuests {
    fn guest(&self, path: &str) -> Result<Arc<Manifest>> {
        Err(no_guest(path))
    }
}

impl Sandbox for NoGuests {
    fn instantiate(&self, _: &[u8]) -> Result<Box<dyn Instance>> {
        Err(no_guest("of some name"))
    }
}

fn no_guest(name: &str) -> Error {
    Diagnostic::new("guest.missing", format!("the benchmark has no guest `{name}`"))
}

/// Runs a workload in the engine compiled in, `batch_rows` records at a time.
///
/// # Errors
/// When the engine refuses the job or stops.
pub fn run(workload: Workload, columns: &Columns, batch_rows: usize) -> Result<Totals> {
    let mut totals = Totals::default();
    let report = runner(&workload.sql("datagen"), columns, 1)?.run(
        batch_rows,
        &mut |_, batch| {
            workload.add(&batch.columns, batch.kinds.as_deref(), &mut totals);
            Ok(())
        },
        &mut |_| {},
    )?;
    totals.late = report.late;
    Ok(totals)
}

/// A job over columns that are read so many times, before its first step.
///
/// # Errors
/// When the engine refuses the job.
pub fn runner(sql: &str, columns: &Columns, rounds: u32) -> Result<Runner> {
    let mut errors = Vec::new();
    let plan = sql::plan(sql, &NoGuests).map_err(|e| errors.extend(e));
    let Ok(plan) = plan else { return Err(Box::new(errors.swap_remove(0))) };
    let graph = Graph::new(plan, 1, 1)?;
    let sources = graph.sources().len();
    let span = columns.rows() as i64 / RECORDS_PER_MS;
    // A table may be read in several places.
    let input = || Input {
        partition: 0,
        name: "events".into(),
        reader: Box::new(Memory { columns: columns.clone(), next: 0, round: 0, rounds, span }),
    };
    let inlet = Inlet::new((0..sources).map(|_| vec![input()]).collect(), None, false)?;
    let sandbox: Rc<dyn Sandbox> = Rc::new(NoGuests);
    let tasks = graph.build(&vec![vec![0]; sources], &Guests::default(), &sandbox)?;
    Ok(Runner::new(&graph, inlet, tasks))
}

#[cfg(test)]
mod tests {
    use super::super::loops;
    use super::*;

    #[test]
    fn the_engine_and_the_loops_agree() {
        for &workload in Workload::SUPPORTED {
            let columns = workload.input(120_000);
            let expected = loops::run(workload, &columns);
            for batch_rows in [1_000, 8_192] {
                let found = run(workload, &columns, batch_rows).expect("runs");
                assert_eq!(found, expected, "{}, batches of {batch_rows}", workload.name());
            }
            assert!(expected.rows > 0);
        }
    }
}
