//! Grouping sets: each row once a set, with the keys that the set leaves out NULL and the set's number behind
//! its columns.
//!
//! The number stands among the keys of the aggregation, so that a key that is NULL in the row and one that
//! the set leaves out make two groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};

use crate::batch::Batch;
use crate::column::{from_values, interleave};
use crate::error::Result;
use crate::key::KeyGroups;
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::Pieces;
use crate::value::Value;

/// One grouping set, by what it leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupingSet {
    /// The columns of the input that are NULL in its rows.
    pub left_out: BTreeSet<usize>,
    /// Its number, which no other set has.
    pub id: i64,
}

/// Hands each row on once for each grouping set, in the order of the sets. Row kinds stay what they are: what
/// is taken back is taken back from every set. It holds nothing.
#[derive(Clone)]
pub struct Expand {
    name: String,
    sets: Vec<GroupingSet>,
    output: SchemaRef,
}

impl Expand {
    /// Rows of `output`: the columns of the input, then the number of the set.
    pub fn new(name: &str, sets: &[GroupingSet], output: &SchemaRef) -> Expand {
        Expand { name: name.to_owned(), sets: sets.to_vec(), output: Arc::clone(output) }
    }

    /// A column of the input as the sets have it.
    fn column(&self, batch: &Batch, column: usize) -> ArrayRef {
        let nothing = from_values(&[Value::Null], self.output.fields[column].data_type);
        let pick = |row: u32, set: &GroupingSet| match set.left_out.contains(&column) {
            true => (1, 0),
            false => (0, row),
        };
        let rows = 0..batch.rows as u32;
        let picks = rows.flat_map(|row| self.sets.iter().map(move |set| pick(row, set)));
        interleave(&[&batch.columns[column], &nothing], &picks.collect::<Vec<_>>())
    }
}

impl Operator for Expand {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        if batch.rows == 0 {
            out.batches.push(Batch::progress(self.output.clone(), batch.stairs, batch.upto));
            return Ok(());
        }
        let sets = self.sets.len();
        let rows: Vec<u32> =
            (0..batch.rows as u32).flat_map(|row| std::iter::repeat_n(row, sets)).collect();
        let mut all = batch.select(&rows);
        for column in 0..batch.columns.len() {
            if self.sets.iter().any(|set| set.left_out.contains(&column)) {
                all.columns[column] = self.column(&batch, column);
            }
        }
        let ids = self.sets.iter().map(|set| set.id).cycle().take(rows.len());
        let mut columns = std::mem::take(&mut all.columns);
        columns.push(Arc::new(Int64Array::from(ids.collect::<Vec<i64>>())));
        out.batches.push(all.with_columns(Arc::clone(&self.output), columns));
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        Pieces::default()
    }

    fn empty(&mut self) {}

    fn absorb(&mut self, bytes: &[u8], _: KeyGroups) -> Result<()> {
        if bytes.is_empty() { Ok(()) } else { Err(wrong_state(&self.name)) }
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
