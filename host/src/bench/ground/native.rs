//! The engine over the same columns: SQL in, columns from memory, rows added up as they come.

use std::sync::Arc;

use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::graph::Graph;
use highwater_engine::numbers::Numbers;
use highwater_engine::source::inlet::Inlet;
use highwater_engine::source::{Chunk, Detached, Input, Reader};
use highwater_engine::sql::{self, Catalog};
use highwater_engine::udf::manifest::Manifest;
use highwater_engine::udf::{Guests, Instance, Sandbox};

use super::{Columns, Totals, Workload};
use crate::threads::{self, Threads};

/// Reads columns that are in memory already.
struct Memory {
    columns: Columns,
    next: usize,
}

impl Reader for Memory {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        let first = self.next;
        let rows = max_rows.min(self.columns.rows() - first);
        if rows == 0 {
            return Ok(None);
        }
        self.next += rows;
        Ok(Some(Chunk {
            columns: self.columns.arrays.iter().map(|a| a.slice(first, rows)).collect(),
            rows,
            offsets: Numbers::run(first as u64, rows),
            lines: Numbers::same(0, rows),
            arrivals: Numbers::run(first as u64, rows),
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

/// Runs a workload in the engine compiled in, `batch_rows` records at a time, on so many threads.
///
/// # Errors
/// When the engine refuses the job or stops.
pub fn run(
    workload: Workload,
    columns: &Columns,
    batch_rows: usize,
    threads: u32,
) -> Result<Totals> {
    let mut errors = Vec::new();
    let plan = sql::plan(&workload.sql("datagen"), &NoGuests).map_err(|e| errors.extend(e));
    let Ok(plan) = plan else { return Err(Box::new(errors.swap_remove(0))) };
    let graph = Graph::threaded(plan, threads, 1)?;
    let sources = graph.sources().len();
    // A table may be read in several places.
    let input = || Input {
        partition: 0,
        name: "events".into(),
        reader: Box::new(Memory { columns: columns.clone(), next: 0 }),
    };
    let inlet = Inlet::new((0..sources).map(|_| vec![input()]).collect(), None, false)?;
    let sandbox: Arc<dyn Sandbox> = Arc::new(NoGuests);
    let tasks = graph.build(&vec![vec![0]; sources], &Guests::default(), &sandbox)?;
    let mut totals = Totals::default();
    let report = threads::run(
        &graph,
        inlet,
        tasks,
        batch_rows,
        Threads { count: threads, pinned: true },
        &mut |_, batch| {
            workload.add(&batch.columns, batch.kinds.as_deref(), &mut totals);
            Ok(())
        },
        &mut |_| {},
    )?;
    totals.late = report.late;
    Ok(totals)
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
            for (batch_rows, threads) in [(1_000, 1), (8_192, 1), (1_000, 2), (8_192, 3)] {
                let found = run(workload, &columns, batch_rows, threads).expect("runs");
                let name = workload.name();
                assert_eq!(found, expected, "{name}, batches of {batch_rows}, {threads} threads");
            }
            assert!(expected.rows > 0);
        }
    }
}
