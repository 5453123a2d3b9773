//! Rows on their way in and out, as bytes.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};

use super::partition::Row;
use crate::batch::Batch;
use crate::column::take;
use crate::key::{Encoded, decode_columns};
use crate::schema::DataType;

/// Some columns, of these types, of some rows of a batch.
pub(super) fn encoded(
    batch: &Batch,
    rows: &[u32],
    (columns, types): (&[usize], &[DataType]),
) -> Encoded {
    let taken: Vec<ArrayRef> = columns.iter().map(|&c| take(&batch.columns[c], rows)).collect();
    let columns: Vec<_> = taken.iter().zip(types.iter().copied()).collect();
    Encoded::columns(&columns, rows.len())
}

/// Rows that are to be said, each with its rank.
#[derive(Default)]
pub(super) struct Said {
    ranks: Vec<i64>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Said {
    /// Appends a row; `rank` counts from 0.
    pub(super) fn say(&mut self, rank: usize, row: &Row) {
        self.ranks.push(rank as i64 + 1);
        self.bytes.extend_from_slice(&row.bytes);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Their columns, with the ranks behind them where these are handed on.
    pub(super) fn columns(self, types: &[DataType], numbered: bool) -> Vec<ArrayRef> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let rows = starts.zip(&self.ends).map(|(from, &to)| &self.bytes[from..to]).collect();
        let mut columns = decode_columns(rows, types);
        if numbered {
            columns.push(Arc::new(Int64Array::from(self.ranks)));
        }
        columns
    }
}
