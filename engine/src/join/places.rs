//! Rows of two inputs in the one order in which a join takes them: by their place in the stream, and those
//! of one place by key group, so that subtasks that share the groups say together what one would say.

use arrow_array::Array;

use crate::batch::{Batch, Seq, Stair};
use crate::key::{KeyColumns, KeyTable};
use crate::operator::Merged;
use crate::schema::SchemaRef;

/// Holds rows back until their place in the stream is complete.
#[derive(Clone)]
pub(super) struct Places {
    keys: [KeyColumns; 2],
    open: [Option<Batch>; 2],
}

/// Rows whose places are complete.
pub(super) struct Ready {
    /// The rows of either side.
    pub batches: [Batch; 2],
    /// Side and row, in their order.
    pub order: Vec<(u8, u32)>,
    /// The watermark's steps, each with how many rows of `order` come before it.
    pub steps: Vec<(usize, Stair)>,
    /// Everything up to this place in the stream has been said.
    pub upto: Seq,
}

impl Places {
    pub(super) fn new(keys: [KeyColumns; 2]) -> Places {
        Places { keys, open: [None, None] }
    }

    /// Whether rows are held back.
    pub(super) fn waits(&self) -> bool {
        self.open.iter().any(Option::is_some)
    }

    /// Forgets what is held back.
    pub(super) fn clear(&mut self) {
        self.open = [None, None];
    }

    /// Takes rows in; those that are complete.
    pub(super) fn take(&mut self, merged: Merged, schemas: &[SchemaRef; 2]) -> Ready {
        // A step of the watermark stands behind all rows of its place.
        let done = merged.stairs.last().map_or(merged.upto, |s| s.seq.max(merged.upto));
        let batches = [0, 1].map(|side| {
            let Some(all) = of_side(&merged, side, self.open[side].take()) else {
                return Batch::progress(schemas[side].clone(), Vec::new(), 0);
            };
            let count = all.seqs.count_upto(done);
            if count < all.rows {
                self.open[side] = Some(all.slice(count, all.rows));
            }
            all.slice(0, count)
        });
        let (order, seqs) = self.order(&batches);
        let step = |stair: &Stair| (seqs.partition_point(|&seq| seq <= stair.seq), *stair);
        let steps = merged.stairs.iter().map(step).collect();
        Ready { batches, order, steps, upto: merged.upto }
    }

    /// The order of the rows, and the place of each.
    fn order(&self, [left, right]: &[Batch; 2]) -> (Vec<(u8, u32)>, Vec<Seq>) {
        let mut order = Vec::with_capacity(left.rows + right.rows);
        let mut seqs = Vec::with_capacity(left.rows + right.rows);
        let (mut l, mut r) = (left.seqs.iter().peekable(), right.seqs.iter().peekable());
        let mut at = [0_u32; 2];
        loop {
            let side = match (l.peek(), r.peek()) {
                (Some(x), Some(y)) => usize::from(y < x),
                (Some(_), None) => 0,
                (None, Some(_)) => 1,
                (None, None) => break,
            };
            seqs.extend(if side == 0 { l.next() } else { r.next() });
            order.push((side as u8, at[side]));
            at[side] += 1;
        }
        if seqs.windows(2).any(|pair| pair[0] == pair[1]) {
            let groups = [self.keys[0].groups(left), self.keys[1].groups(right)];
            let mut all: Vec<usize> = (0..order.len()).collect();
            let group = |i: usize| groups[usize::from(order[i].0)][order[i].1 as usize];
            all.sort_by_key(|&i| (seqs[i], group(i)));
            order = all.into_iter().map(|i| order[i]).collect();
        }
        (order, seqs)
    }
}

/// The rows of one side in their order, those that were held back first.
fn of_side(merged: &Merged, side: usize, open: Option<Batch>) -> Option<Batch> {
    let mut rows = open.as_ref().map_or(0, |b| b.rows as u32);
    let mut order: Vec<u32> = (0..rows).collect();
    let mut batches: Vec<Batch> = open.into_iter().collect();
    let mut firsts = vec![0; merged.pieces.len()];
    for (first, (_, batch)) in firsts.iter_mut().zip(&merged.pieces).filter(|p| p.1.0 == side) {
        *first = rows;
        rows += batch.rows as u32;
        batches.push(batch.clone());
    }
    for run in merged.runs.iter().filter(|run| merged.pieces[run.piece as usize].0 == side) {
        let first = firsts[run.piece as usize];
        order.extend(first + run.from..first + run.to);
    }
    if rows == 0 {
        return None;
    }
    let all = Batch::concat(&batches);
    Some(if order.is_sorted() { all } else { all.gather(&order) })
}

/// The number of a key with a NULL, which equals none; and of no row, in whose place NULLs stand.
pub(super) const NONE: u32 = u32::MAX;

/// The key numbers of a batch's rows; [`NONE`] where the key has a NULL.
pub(super) fn key_numbers(table: &mut KeyTable, keys: &KeyColumns, batch: &Batch) -> Vec<u32> {
    let mut ids = Vec::new();
    let nulls: Vec<_> = keys.columns.iter().filter_map(|&c| batch.columns[c].nulls()).collect();
    if nulls.iter().all(|n| n.null_count() == 0) {
        table.intern(keys, batch, (0, batch.rows), &mut ids);
        return ids;
    }
    let some = (0..batch.rows).filter(|&row| nulls.iter().all(|n| n.is_valid(row)));
    let some: Vec<u32> = some.map(|row| row as u32).collect();
    table.intern(keys, &batch.gather(&some), (0, some.len()), &mut ids);
    let mut all = vec![NONE; batch.rows];
    some.iter().zip(ids).for_each(|(&row, id)| all[row as usize] = id);
    all
}
