//! What every row of a batch does to the results, one after the other: what a changelog is made of.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};

use super::AggregateSet;
use crate::aggregate::{AggregateCall, Rows, Trail, Words, WordsMut};
use crate::batch::{Batch, RowKind};
use crate::column::from_values;

/// What the rows of a batch did to the results of their slots.
pub struct Changes {
    /// For each aggregate, its result before and after each row.
    pub trails: Vec<Trail>,
    /// Whether the row is the only one of its slot, which was empty before it.
    pub first: Vec<bool>,
    /// Whether the row was taken back and its slot is empty now; no entries when none was.
    pub gone: Vec<bool>,
}

impl AggregateSet {
    /// Takes in the rows of a batch, or takes them back, each of the slot beside it, and says what that did.
    /// A slot without rows is as it was before its first.
    pub fn follow(&mut self, slots: &[u32], batch: &Batch) -> Changes {
        let stride = self.empty.len();
        let mut first = vec![false; slots.len()];
        let back = taken_back(batch);
        let mut gone = vec![false; back.len()];
        let mut counts = Vec::with_capacity(slots.len());
        for (row, &slot) in slots.iter().enumerate() {
            let rows = &mut self.words[slot as usize * stride];
            counts.push(*rows as i64);
            if back.get(row).is_some_and(|&back| back) {
                // A row is taken back only after it came.
                *rows = rows.saturating_sub(1);
                gone[row] = *rows == 0;
            } else {
                first[row] = *rows == 0;
                *rows += 1;
            }
        }
        let places = self.arrivals(0, slots.len(), batch);
        let trails = (0..self.calls.len())
            .map(|i| {
                let AggregateCall { argument, filter, .. } = self.calls[i];
                let argument = argument.map(|a| &batch.columns[a]);
                let all = filter.is_none()
                    && self.skipped[i].is_empty()
                    && argument.is_none_or(|a| a.null_count() == 0);
                let words = WordsMut { all: &mut self.words, stride, at: self.places[i] };
                let rows = Rows { values: &counts, back: &back, places: &places };
                let quick = match all {
                    true => self.accumulators[i].trail(words, slots, argument, &rows),
                    false => None,
                };
                quick.unwrap_or_else(|| self.trail_slowly(i, slots, batch, &rows))
            })
            .collect();
        Changes { trails, first, gone }
    }

    /// The trail of aggregate `i`, a row at a time.
    fn trail_slowly(&mut self, i: usize, slots: &[u32], batch: &Batch, rows: &Rows<'_>) -> Trail {
        let (stride, at, result) = (self.empty.len(), self.places[i], self.results[i]);
        let AggregateCall { argument, filter, .. } = self.calls[i];
        let argument = argument.map(|a| &batch.columns[a]);
        let filter = filter.map(|f| batch.columns[f].as_boolean());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (row, (&slot, &count)) in slots.iter().zip(rows.values).enumerate() {
            let back = rows.takes_back(row);
            let value = |set: &AggregateSet, count: i64| {
                let skipped = set.skipped[i].get(slot as usize).map_or(0, |&s| i64::from(s));
                let words = Words { all: &set.words, stride, at };
                set.accumulators[i].value(words, slot, (count - skipped).max(0))
            };
            before.push(value(self, count));
            let wanted = filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if wanted && argument.is_none_or(|a| a.is_valid(row)) {
                match back {
                    true => self.take_back(i, slot, argument, row),
                    false => {
                        let place = rows.places.get(row..=row).unwrap_or_default();
                        self.hand_on(i, &[slot], argument, row, place);
                    }
                }
            } else {
                self.leave_out(i, slot, back);
            }
            let left = if back { count - 1 } else { count + 1 };
            after.push(value(self, left));
            if back && left <= 0 {
                // What rounding has left of a sum goes with the last row.
                let own = at..at + self.accumulators[i].width();
                let from = slot as usize * stride;
                self.words[from + own.start..from + own.end].copy_from_slice(&self.empty[own]);
                self.accumulators[i].clear(slot, slot + 1);
            }
        }
        Trail { before: from_values(&before, result), after: from_values(&after, result) }
    }

    /// Takes the value of one row back.
    fn take_back(&mut self, i: usize, slot: u32, argument: Option<&ArrayRef>, row: usize) {
        let words = WordsMut { all: &mut self.words, stride: self.empty.len(), at: self.places[i] };
        self.accumulators[i].retract(words, &[slot], argument, row);
    }

    /// Counts a row that aggregate `i` leaves out.
    pub(super) fn leave_out(&mut self, i: usize, slot: u32, back: bool) {
        if self.skipped[i].is_empty() {
            self.skipped[i] = vec![0; self.slots()];
        }
        let skipped = &mut self.skipped[i][slot as usize];
        *skipped = if back { skipped.saturating_sub(1) } else { *skipped + 1 };
    }
}

/// Which rows are taken back; empty when none is.
fn taken_back(batch: &Batch) -> Vec<bool> {
    let back = |kind: &RowKind| matches!(kind, RowKind::UpdateBefore | RowKind::Delete);
    match &batch.kinds {
        Some(kinds) if kinds.iter().any(back) => kinds.iter().map(back).collect(),
        _ => Vec::new(),
    }
}
