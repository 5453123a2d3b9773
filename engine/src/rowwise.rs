//! Row-wise operators: filter, projection, assignment of windows that depend on time alone. They hold no state; a snapshot
//! only says which guests their expressions call.

use std::sync::Arc;

use arrow_array::Array;

use crate::batch::Batch;
use crate::column::{millis, timestamps};
use crate::error::Result;
use crate::expr::guest::Called;
use crate::expr::{self, Expr};
use crate::key::KeyGroups;
use crate::operator::{Operator, Output, row_error, wrong_state};
use crate::schema::{DataType, SchemaRef};
use crate::snapshot::bytes::Pieces;
use crate::time::{Alignment, Cumulation};

/// Keeps the rows for which a condition is TRUE.
#[derive(Clone)]
pub struct Filter {
    name: String,
    predicate: Expr,
    called: Called,
}

impl Filter {
    /// A filter; `name` is for its errors.
    pub fn new(name: &str, predicate: Expr) -> Filter {
        Filter { name: name.to_owned(), called: Called::of([&predicate]), predicate }
    }
}

impl Operator for Filter {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        if batch.rows == 0 {
            out.batches.push(batch);
            return Ok(());
        }
        self.called.trace([&self.predicate], out.traced());
        let kept = expr::select(&self.predicate, &batch);
        self.called.tell([&self.predicate], out);
        let kept =
            kept.map_err(|e| row_error(&self.name, batch.seqs.at(e.row as usize), e.diagnostic))?;
        out.batches.push(if kept.len() == batch.rows { batch } else { batch.select(&kept) });
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.called.identities([&self.predicate]).into()
    }

    fn empty(&mut self) {}

    fn absorb(&mut self, bytes: &[u8], _: KeyGroups) -> Result<()> {
        match bytes == self.snapshot() {
            true => Ok(()),
            false => Err(wrong_state(&self.name)),
        }
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}

/// Computes each output column from the input row.
#[derive(Clone)]
pub struct Project {
    name: String,
    exprs: Vec<Expr>,
    schema: SchemaRef,
    called: Called,
}

impl Project {
    /// A projection to `schema`; `name` is for its errors.
    pub fn new(name: &str, exprs: Vec<Expr>, schema: SchemaRef) -> Project {
        Project { name: name.to_owned(), called: Called::of(&exprs), exprs, schema }
    }
}

impl Operator for Project {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        if batch.rows == 0 {
            out.batches.push(Batch::progress(Arc::clone(&self.schema), batch.stairs, batch.upto));
            return Ok(());
        }
        self.called.trace(&self.exprs, out.traced());
        let columns: std::result::Result<Vec<_>, _> =
            self.exprs.iter().map(|e| expr::evaluate(e, &batch)).collect();
        self.called.tell(&self.exprs, out);
        let columns = columns
            .map_err(|e| row_error(&self.name, batch.seqs.at(e.row as usize), e.diagnostic))?;
        out.batches.push(batch.with_columns(Arc::clone(&self.schema), columns));
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.called.identities(&self.exprs).into()
    }

    fn empty(&mut self) {}

    fn absorb(&mut self, bytes: &[u8], _: KeyGroups) -> Result<()> {
        match bytes == self.snapshot() {
            true => Ok(()),
            false => Err(wrong_state(&self.name)),
        }
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}

/// Appends a row's windows, one row a window: `window_start`, `window_end`, `window_time`. Drops nothing.
#[derive(Clone)]
pub struct AssignAligned {
    alignment: Alignment,
    time: usize,
    schema: SchemaRef,
}

impl AssignAligned {
    /// Windows over the column `time`.
    pub fn new(alignment: Alignment, time: usize, schema: SchemaRef) -> AssignAligned {
        AssignAligned { alignment, time, schema }
    }
}

impl Operator for AssignAligned {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        // A row without event time is in no window.
        let times = &batch.columns[self.time];
        let overlap = self.alignment.overlap();
        let rows: Vec<u32> = (0..batch.rows)
            .filter(|&i| times.is_valid(i))
            .flat_map(|i| (0..overlap).map(move |_| i as u32))
            .collect();
        let batch =
            if rows.len() == batch.rows && overlap == 1 { batch } else { batch.select(&rows) };
        let first = (0..overlap).rev().cycle();
        let windows: Vec<(i64, i64)> = millis(&batch.columns[self.time])
            .iter()
            .zip(first)
            .map(|(&t, back)| self.alignment.bounds(self.alignment.slice(t).saturating_sub(back)))
            .collect();
        out.batches.push(with_windows(batch, &windows, &self.schema));
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        Pieces::default()
    }

    fn empty(&mut self) {}

    fn absorb(&mut self, _: &[u8], _: KeyGroups) -> Result<()> {
        Ok(())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}

/// Appends a row's cumulating windows, one row a window, the shortest first. Drops nothing.
#[derive(Clone)]
pub struct AssignCumulating {
    windows: Cumulation,
    time: usize,
    schema: SchemaRef,
}

impl AssignCumulating {
    /// Windows over the column `time`.
    pub fn new(windows: Cumulation, time: usize, schema: SchemaRef) -> AssignCumulating {
        AssignCumulating { windows, time, schema }
    }
}

impl Operator for AssignCumulating {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        // A row without event time is in no window.
        let batch = batch.having(self.time);
        let (mut rows, mut windows) = (Vec::new(), Vec::new());
        for (&time, row) in millis(&batch.columns[self.time]).iter().zip(0_u32..) {
            let slice = self.windows.slices().slice(time);
            for window in slice..=self.windows.last(slice) {
                rows.push(row);
                windows.push(self.windows.bounds(window));
            }
        }
        out.batches.push(with_windows(batch.select(&rows), &windows, &self.schema));
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        Pieces::default()
    }

    fn empty(&mut self) {}

    fn absorb(&mut self, _: &[u8], _: KeyGroups) -> Result<()> {
        Ok(())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}

/// Rows with the start, end and last millisecond of each one's window behind them.
fn with_windows(batch: Batch, windows: &[(i64, i64)], schema: &SchemaRef) -> Batch {
    let mut columns = batch.columns.clone();
    let time_type = schema.fields[schema.fields.len() - 1].data_type;
    columns.push(timestamps(windows.iter().map(|w| w.0).collect(), DataType::Timestamp));
    columns.push(timestamps(windows.iter().map(|w| w.1).collect(), DataType::Timestamp));
    let times = windows.iter().map(|w| w.1.saturating_sub(1)).collect();
    columns.push(timestamps(times, time_type));
    batch.with_columns(Arc::clone(schema), columns)
}
