//! The rows a join keeps: batches as they came, by number, dropped whole once nothing needs them.

use std::collections::VecDeque;

use arrow_array::ArrayRef;

use crate::batch::{Batch, Seq};
use crate::column::interleave;
use crate::schema::SchemaRef;

/// Batches that follow one another are joined into one up to this many rows.
const SMALL: usize = 4096;

/// The rows of one side, numbered as they come. Numbers wrap after 2^32 rows: those that are kept at the
/// same time are fewer.
#[derive(Clone)]
pub(super) struct Rows {
    schema: SchemaRef,
    chunks: VecDeque<Chunk>,
    next: u32,
}

#[derive(Clone)]
struct Chunk {
    start: u32,
    rows: u32,
    /// Without rows once they are dropped.
    batch: Batch,
    /// The latest event time of a row that is needed; `None` when none is.
    newest: Option<i64>,
}

impl Rows {
    pub(super) fn new(schema: &SchemaRef) -> Rows {
        Rows { schema: schema.clone(), chunks: VecDeque::new(), next: 0 }
    }

    /// How many rows are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(|c| c.batch.rows).sum()
    }

    /// Takes in a batch; the number of its first row. None of the rows is needed until [`Rows::need`].
    pub(super) fn add(&mut self, batch: Batch) -> u32 {
        let (start, rows) = (self.next, batch.rows as u32);
        self.next = start.wrapping_add(rows);
        self.chunks.push_back(Chunk { start, rows, batch, newest: None });
        start
    }

    /// Rows with event times up to this of the batch that begins with row `start` are needed.
    pub(super) fn need(&mut self, start: u32, newest: i64) {
        if let Some(at) = self.chunks.iter().rposition(|c| c.start == start && c.rows > 0) {
            let chunk = &mut self.chunks[at];
            chunk.newest = chunk.newest.max(Some(newest));
        }
    }

    /// Drops batches whose rows all have event times before `dead`, and joins small ones.
    pub(super) fn tidy(&mut self, dead: i64) {
        for chunk in &mut self.chunks {
            if chunk.batch.rows > 0 && chunk.newest.is_none_or(|newest| newest < dead) {
                chunk.batch = Batch::progress(self.schema.clone(), Vec::new(), 0);
            }
        }
        while self.chunks.front().is_some_and(|c| c.batch.rows == 0) {
            self.chunks.pop_front();
        }
        while self.chunks.back().is_some_and(|c| c.batch.rows == 0) {
            self.chunks.pop_back();
        }
        // Each row is copied a few times on its way into a batch that is large enough.
        while let Some((last, before)) = self.chunks.back().zip(self.chunks.iter().nth_back(1)) {
            let follows = before.start.wrapping_add(before.rows) == last.start;
            let rows = before.batch.rows + last.batch.rows;
            if !follows || before.batch.rows == 0 || last.rows < before.rows || rows > SMALL {
                return;
            }
            let batch = Batch::concat(&[before.batch.clone(), last.batch.clone()]);
            let newest = before.newest.max(last.newest);
            self.chunks.pop_back();
            if let Some(chunk) = self.chunks.back_mut() {
                *chunk = Chunk { start: chunk.start, rows: rows as u32, batch, newest };
            }
        }
    }

    /// The batch that holds a row, and the row in it.
    fn locate(&self, row: u32) -> (u32, u32) {
        let first = self.chunks.front().map_or(0, |c| c.start);
        let place = row.wrapping_sub(first);
        let after = self.chunks.partition_point(|c| c.start.wrapping_sub(first) <= place);
        let chunk = after.saturating_sub(1);
        (chunk as u32, row.wrapping_sub(self.chunks[chunk].start))
    }

    /// The place in the stream of a row that is kept.
    pub(super) fn seq(&self, row: u32) -> Seq {
        let (chunk, row) = self.locate(row);
        self.chunks[chunk as usize].batch.seqs.at(row as usize)
    }

    /// Whole rows that are kept, in that order.
    pub(super) fn batch(&self, rows: &[u32]) -> Batch {
        if rows.is_empty() {
            return Batch::progress(self.schema.clone(), Vec::new(), 0);
        }
        let all: Vec<usize> = (0..self.schema.fields.len()).collect();
        let seqs: Vec<Seq> = rows.iter().map(|&row| self.seq(row)).collect();
        Batch::new(self.schema.clone(), self.gather(&all, rows), seqs.into())
    }

    /// Some columns of rows that are kept, in that order.
    pub(super) fn gather(&self, columns: &[usize], rows: &[u32]) -> Vec<ArrayRef> {
        // A row mostly stands in the batch of the one before.
        let (mut chunk, mut start, mut count) = (0, 0, 0);
        let place = |&row: &u32| {
            if row.wrapping_sub(start) >= count {
                let at;
                (chunk, at) = self.locate(row);
                (start, count) = (row.wrapping_sub(at), self.chunks[chunk as usize].rows);
            }
            (chunk, row.wrapping_sub(start))
        };
        let places: Vec<(u32, u32)> = rows.iter().map(place).collect();
        let column = |&c: &usize| {
            let parts: Vec<&ArrayRef> = self.chunks.iter().map(|k| &k.batch.columns[c]).collect();
            interleave(&parts, &places)
        };
        columns.iter().map(column).collect()
    }
}
