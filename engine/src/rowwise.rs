//! Row-wise operators: filter, projection, tumbling window assignment. They hold no state.

use std::sync::Arc;

use arrow_array::Array;

use crate::batch::Batch;
use crate::column::{millis, timestamps};
use crate::error::Result;
use crate::expr::{self, Expr};
use crate::operator::{Operator, Output, row_error};
use crate::schema::{DataType, SchemaRef};
use crate::snapshot::bytes::Pieces;
use crate::time::Alignment;

/// Keeps the rows for which a condition is TRUE.
#[derive(Clone)]
pub struct Filter {
    name: String,
    predicate: Expr,
}

impl Filter {
    /// A filter; `name` is for its errors.
    pub fn new(name: &str, predicate: Expr) -> Filter {
        Filter { name: name.to_owned(), predicate }
    }
}

impl Operator for Filter {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        if batch.rows == 0 {
            out.batches.push(batch);
            return Ok(());
        }
        let kept = expr::select(&self.predicate, &batch)
            .map_err(|e| row_error(&self.name, batch.seqs.at(e.row as usize), e.diagnostic))?;
        out.batches.push(if kept.len() == batch.rows { batch } else { batch.select(&kept) });
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        Pieces::default()
    }

    fn restore(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
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
}

impl Project {
    /// A projection to `schema`; `name` is for its errors.
    pub fn new(name: &str, exprs: Vec<Expr>, schema: SchemaRef) -> Project {
        Project { name: name.to_owned(), exprs, schema }
    }
}

impl Operator for Project {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        if batch.rows == 0 {
            out.batches.push(Batch::progress(Arc::clone(&self.schema), batch.stairs, batch.upto));
            return Ok(());
        }
        let mut columns = Vec::with_capacity(self.exprs.len());
        for e in &self.exprs {
            columns.push(
                expr::evaluate(e, &batch).map_err(|e| {
                    row_error(&self.name, batch.seqs.at(e.row as usize), e.diagnostic)
                })?,
            );
        }
        out.batches.push(batch.with_columns(Arc::clone(&self.schema), columns));
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        Pieces::default()
    }

    fn restore(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
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
        let mut columns = batch.columns.clone();
        let time_type = self.schema.fields[self.schema.fields.len() - 1].data_type;
        columns.push(timestamps(windows.iter().map(|w| w.0).collect(), DataType::Timestamp));
        columns.push(timestamps(windows.iter().map(|w| w.1).collect(), DataType::Timestamp));
        columns
            .push(timestamps(windows.iter().map(|w| w.1.saturating_sub(1)).collect(), time_type));
        out.batches.push(batch.with_columns(Arc::clone(&self.schema), columns));
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        Pieces::default()
    }

    fn restore(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
