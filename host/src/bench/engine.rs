//! The engine over the same bids: SQL in, columns from memory, rows counted as they come.

use std::rc::Rc;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, TimestampMillisecondArray};
use highwater_engine::batch::Batch;
use highwater_engine::error::{Diagnostic, Result};
use highwater_engine::graph::Graph;
use highwater_engine::runner::Runner;
use highwater_engine::source::inlet::Inlet;
use highwater_engine::source::{Chunk, Input, Reader};
use highwater_engine::sql::{self, Catalog};
use highwater_engine::udf::manifest::Manifest;
use highwater_engine::udf::{Guests, Sandbox};

use super::baseline::Totals;
use super::stream::Bids;
use crate::sandbox::WasmtimeSandbox;

/// The measured job. The engine closes a window at its end minus 1 ms, the definition at its end:
/// 1 ms more of delay makes them equal.
const SCRIPT: &str = "
CREATE TABLE bids (
  auction BIGINT, price BIGINT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '4.001' SECOND
) WITH ('connector' = 'datagen', 'number-of-rows' = '0');
SELECT auction, window_start, COUNT(*) AS n, SUM(price) AS total, MAX(price) AS highest
FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;
";

/// The bids as Arrow columns, shared by all runs.
#[derive(Clone)]
pub struct Columns {
    arrays: Vec<ArrayRef>,
}

impl From<Bids> for Columns {
    fn from(bids: Bids) -> Columns {
        Columns {
            arrays: vec![
                Arc::new(Int64Array::from(bids.auction)),
                Arc::new(Int64Array::from(bids.price)),
                Arc::new(TimestampMillisecondArray::from(bids.ts)),
            ],
        }
    }
}

/// Reads columns that are in memory already.
struct Memory {
    columns: Columns,
    next: usize,
}

impl Reader for Memory {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        let first = self.next;
        let rows = max_rows.min(self.columns.arrays[0].len() - first);
        if rows == 0 {
            return Ok(None);
        }
        self.next += rows;
        let places = first as u64..self.next as u64;
        Ok(Some(Chunk {
            columns: self.columns.arrays.iter().map(|a| a.slice(first, rows)).collect(),
            rows,
            offsets: places.clone().collect(),
            lines: vec![0; rows],
            arrivals: places.collect(),
            bad: Vec::new(),
        }))
    }

    fn relative(&self) -> bool {
        true
    }
}

struct NoGuests;

impl Catalog for NoGuests {
    fn guest(&self, path: &str) -> Result<Arc<Manifest>> {
        Err(Diagnostic::new("guest.missing", format!("the benchmark has no guest `{path}`")))
    }
}

/// Runs the job in the engine compiled in, `batch_rows` records at a time.
///
/// # Errors
/// When the engine refuses the job or stops.
pub fn run(columns: &Columns, batch_rows: usize) -> Result<Totals> {
    let mut errors = Vec::new();
    let plan = sql::plan(SCRIPT, &NoGuests).map_err(|e| errors.extend(e));
    let Ok(plan) = plan else { return Err(Box::new(errors.swap_remove(0))) };
    let graph = Graph::new(plan, 1, 1)?;
    let reader = Memory { columns: columns.clone(), next: 0 };
    let input = Input { partition: 0, name: "bids".into(), reader: Box::new(reader) };
    let inlet = Inlet::new(vec![vec![input]], None, false)?;
    let sandbox: Rc<dyn Sandbox> = Rc::new(WasmtimeSandbox::default());
    let tasks = graph.build(&[vec![0]], &Guests::default(), &sandbox)?;
    let mut totals = Totals::default();
    let report = Runner::new(&graph, inlet, tasks).run(
        batch_rows,
        &mut |_, batch| {
            add(&batch, &mut totals);
            Ok(())
        },
        &mut |_| {},
    )?;
    totals.late = report.late;
    Ok(totals)
}

/// Adds up a batch of result rows, as the loop's consumer does.
fn add(batch: &Batch, totals: &mut Totals) {
    let sum = |column: usize| -> i64 {
        batch.columns[column].as_primitive::<Int64Type>().values().iter().sum()
    };
    totals.rows += batch.rows as u64;
    // Counts are never negative.
    totals.counts += sum(2) as u64;
    totals.sums += sum(3);
    totals.maxima += sum(4);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::baseline;

    #[test]
    fn the_engine_and_the_loop_agree() {
        let bids = Bids::generate(120_000);
        let expected = baseline::run(&bids);
        let columns = Columns::from(bids);
        for batch_rows in [1_000, 8_192] {
            assert_eq!(run(&columns, batch_rows).expect("runs"), expected, "{batch_rows}");
        }
        assert!(expected.late > 0 && expected.rows > 0);
    }
}
