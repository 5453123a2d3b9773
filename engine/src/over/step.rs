//! What the steps of the watermark in one batch have brought about: rows to say, and what is done to the
//! accumulators, in their order.

use std::sync::Arc;

use crate::batch::{Batch, RowKind, Seq, Stair};

/// What is done to the accumulators of a partition.
#[derive(Clone, Copy)]
enum Change {
    /// A row comes in: its place among those that are said.
    In(u32),
    /// A row leaves the frame: its place among those that do.
    Out(u32),
}

/// What has come of a batch.
#[derive(Default)]
pub(super) struct Step {
    /// The numbers of the rows that are said, in their order, and the places in the stream they get.
    pub(super) rows: Vec<u64>,
    pub(super) seqs: Vec<Seq>,
    /// For each of them, after which change its results are read.
    pub(super) results: Vec<u32>,
    /// For each of them and each call of LAG, the number of the row it sees.
    pub(super) lagged: Vec<Option<u64>>,
    /// The numbers of the rows that no LAG sees any more.
    pub(super) passed: Vec<u64>,
    /// The numbers of the rows that leave a frame.
    pub(super) left: Vec<u64>,
    /// The steps of the watermark, each behind the rows it has released.
    pub(super) stairs: Vec<Stair>,
    changes: Vec<Change>,
    /// The partition of each change.
    pub(super) slots: Vec<u32>,
}

impl Step {
    /// Whether nothing is done to any accumulator.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// A row is said, and comes into its frame.
    pub(super) fn say(&mut self, id: u32, number: u64, seq: Seq) {
        self.results.push(self.changes.len() as u32);
        self.changes.push(Change::In(self.rows.len() as u32));
        self.slots.push(id);
        self.rows.push(number);
        self.seqs.push(seq);
    }

    /// A row leaves its frame.
    pub(super) fn leave(&mut self, id: u32, number: u64) {
        self.changes.push(Change::Out(self.left.len() as u32));
        self.slots.push(id);
        self.left.push(number);
    }

    /// The rows that come and go, one a change, each at the place where it was done.
    pub(super) fn changelog(&self, said: &Batch, left: Batch) -> Batch {
        let behind = said.rows as u32;
        let place = |change: &Change| match *change {
            Change::In(row) => row,
            Change::Out(row) => behind + row,
        };
        let kind = |change: &Change| match change {
            Change::In(_) => RowKind::Insert,
            Change::Out(_) => RowKind::Delete,
        };
        let mut seq = 0;
        let done = |change: &Change| {
            if let Change::In(row) = *change {
                seq = self.seqs[row as usize];
            }
            seq
        };
        let seqs: Vec<Seq> = self.changes.iter().map(done).collect();
        let order: Vec<u32> = self.changes.iter().map(place).collect();
        let kinds: Arc<[RowKind]> = self.changes.iter().map(kind).collect();
        let changes = Batch::concat(&[said.clone(), left]).gather(&order);
        Batch { kinds: Some(kinds), seqs: seqs.into(), ..changes }
    }
}
