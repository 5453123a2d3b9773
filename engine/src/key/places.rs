//! Rows of one place in the stream, in an order that does not depend on how many subtasks share the keys.

use super::KeyColumns;
use crate::batch::{Batch, Stair};

/// Brings rows of one place in the stream into the order in which several subtasks that share the key
/// groups would say them.
#[derive(Clone, Default)]
pub(crate) struct Places {
    /// Rows whose place is not complete yet.
    open: Vec<Batch>,
}

impl Places {
    /// The rows that are complete, those of one place by key group. A source's rows have a place each and
    /// pass as they are.
    pub(crate) fn complete(&mut self, keys: &KeyColumns, batch: Batch) -> Batch {
        // A step of the watermark stands behind all rows of its place.
        let done = batch.stairs.last().map_or(batch.upto, |s| s.seq.max(batch.upto));
        let whole = batch.seqs.last().is_none_or(|last| last <= done);
        if self.open.is_empty() && whole && batch.seqs.rises() {
            return batch;
        }
        let before: u32 = self.open.iter().map(|b| b.rows as u32).sum();
        let stairs = batch.stairs.iter().map(|s| Stair { row: s.row + before, ..*s }).collect();
        let upto = batch.upto;
        self.open.push(batch);
        let all = Batch::concat(&std::mem::take(&mut self.open));
        let count = all.seqs.count_upto(done);
        if count < all.rows {
            self.open.push(all.slice(count, all.rows));
        }
        let ready = all.slice(0, count);
        let groups = keys.groups(&ready);
        let key = |i: u32| (ready.seqs.at(i as usize), groups[i as usize]);
        let mut order: Vec<u32> = (0..count as u32).collect();
        order.sort_by_key(|&i| key(i));
        Batch { stairs, upto, ..ready.gather(&order) }
    }

    /// Whether no row waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}
