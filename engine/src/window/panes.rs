//! Panes: the state of aligned windows, shared by all windows that overlap.
//!
//! Time is cut into slices as long as the step between windows; a pane holds the accumulators of one
//! slice. A record goes into one pane however many windows contain it; a window's result is the panes
//! under it, merged. (Li et al., No Pane, No Gain, SIGMOD Record 2005.)
//!
//! A slot of the accumulators belongs to a pane and a key. Slots come in blocks of [`BLOCK`] keys with
//! neighbouring numbers; a table a pane says which block serves which keys. So a pane that sees
//! few keys takes little memory, and one that sees all of them is an array.

mod part;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use highwater_kernels::{self as kernels, MISSING};

use super::{WindowBound, bound_columns, seqs};
use crate::aggregate::{AggregateCall, AggregateSet};
use crate::batch::{Batch, Seq};
use crate::key::{KeyColumns, KeyOrder, KeyTable};
use crate::schema::{Schema, SchemaRef};
use crate::time::Alignment;

/// Keys a block.
const BLOCK: usize = kernels::Spread::BLOCK;
/// The row of `tables` whose blocks are block 0: where late records go.
const LATE: usize = 0;
/// The row of `tables` without any block: a pane that does not exist.
const ABSENT: usize = 1;
/// Records taken in at a time: their slots stay in the first cache from one aggregate to the next.
const RUN: usize = 512;
/// Rows looked at together, whether one lacks a block.
const LOOKED_AT: usize = 16;
/// The most slices a run of records may spread over to be told apart by comparing.
const NEAR: i64 = 8;

/// The state of all panes.
#[derive(Clone)]
pub(super) struct Panes {
    columns: KeyColumns,
    keys: KeyTable,
    set: AggregateSet,
    panes: BTreeMap<i64, Pane>,
    /// A row a pane, `stride` long: the block that serves keys `BLOCK * i..`.
    tables: Vec<u32>,
    stride: usize,
    free_rows: Vec<usize>,
    free_blocks: Vec<u32>,
    ids: Vec<u32>,
    slots: Vec<u32>,
}

#[derive(Clone)]
struct Pane {
    row: usize,
    /// Position in the table, and block.
    blocks: Vec<(u32, u32)>,
    /// Its bytes in the last snapshot, as long as nothing has changed since.
    saved: Option<Arc<Vec<u8>>>,
}

/// The result of one window: keys in the table's order, and the slots that hold their accumulators.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) ids: Vec<u32>,
    pub(super) slots: Vec<u32>,
    /// Blocks that were made for it.
    blocks: Vec<u32>,
}

/// Tells the slices of a run of records apart.
enum Spread {
    /// All rows are in a few neighbouring slices: the first, and where the others begin.
    Near(i64, Vec<i64>),
    Far,
}

impl Panes {
    pub(super) fn new(
        columns: KeyColumns,
        order: KeyOrder,
        calls: &[AggregateCall],
        input: &Schema,
    ) -> Panes {
        let mut panes = Panes {
            keys: KeyTable::new(&columns.types, order),
            columns,
            set: AggregateSet::new(calls, input),
            panes: BTreeMap::new(),
            tables: Vec::new(),
            stride: 0,
            free_rows: Vec::new(),
            free_blocks: Vec::new(),
            ids: Vec::new(),
            slots: Vec::new(),
        };
        panes.empty();
        panes
    }

    /// Forgets everything.
    pub(super) fn empty(&mut self) {
        self.keys = KeyTable::new(&self.columns.types, self.keys.order());
        self.set.clear(0, self.set.slots() as u32);
        self.set.grow(BLOCK);
        // Late records find their slot taken: they hold no key.
        self.set.occupy(BLOCK as u32);
        self.panes.clear();
        self.free_rows.clear();
        self.free_blocks = (1..(self.set.slots() / BLOCK) as u32).rev().collect();
        self.stride = 4;
        self.tables = [vec![0; self.stride], vec![MISSING; self.stride]].concat();
    }

    /// The first window with a record from window `from` on and before `open`; windows are `overlap` slices
    /// long. Those without one do not fire: it goes from one pane to the next.
    pub(super) fn next_window(&self, (from, open): (i64, i64), overlap: i64) -> Option<i64> {
        let (&slice, _) = self.panes.range(from..).next()?;
        Some(from.max(slice.saturating_sub(overlap - 1))).filter(|window| *window < open)
    }

    /// The keys.
    pub(super) fn keys(&self) -> &KeyTable {
        &self.keys
    }

    /// Takes in rows `from..to` of a batch with these event times; answers how many were late.
    pub(super) fn add(
        &mut self,
        batch: &Batch,
        times: &[i64],
        (from, to): (usize, usize),
        (alignment, open): (&Alignment, i64),
    ) -> u64 {
        let mut late = 0;
        let mut first = from;
        while first < to {
            let end = to.min(first + RUN);
            self.keys.intern(&self.columns, batch, (first, end), &mut self.ids);
            self.reach();
            let run = &times[first..end];
            late += match spread(run, alignment, open) {
                Spread::Near(slice, starts) => {
                    let last = slice.saturating_add(starts.len() as i64);
                    self.panes.range_mut(slice..=last).for_each(|(_, pane)| pane.saved = None);
                    self.slots_near(run, (slice, &starts), (alignment, open))
                }
                Spread::Far => self.slots_far(run, alignment, open),
            };
            self.set.update(&self.slots, first, batch);
            first = end;
        }
        self.sweep();
        late
    }

    /// Forgets keys that no pane has: late records leave such behind, and panes that are dropped.
    fn sweep(&mut self) {
        let blocks = || self.panes.values().flat_map(|pane| &pane.blocks);
        self.keys.sweep(|live| {
            for &(place, block) in blocks() {
                for i in (0..BLOCK).filter(|&i| self.set.rows(block * BLOCK as u32 + i as u32) > 0)
                {
                    live[place as usize * BLOCK + i] = true;
                }
            }
        });
    }

    /// Makes the tables as wide as the keys' numbers go.
    fn reach(&mut self) {
        let needed = self.keys.numbers().div_ceil(BLOCK);
        if needed <= self.stride {
            return;
        }
        let wide = needed.next_power_of_two();
        let rows = self.tables.len() / self.stride;
        let mut tables = vec![MISSING; rows * wide];
        for (new, old) in tables.chunks_mut(wide).zip(self.tables.chunks(self.stride)) {
            new[..old.len()].copy_from_slice(old);
        }
        tables[..wide].fill(0);
        (self.tables, self.stride) = (tables, wide);
    }

    /// Finds the slots of rows that lie in few slices; answers how many rows are late.
    fn slots_near(
        &mut self,
        times: &[i64],
        (first, starts): (i64, &[i64]),
        (alignment, open): (&Alignment, i64),
    ) -> u64 {
        let (start, open) = (alignment.start(first), alignment.start(open));
        // Where each slice's row of the tables begins; before them all, that of late records.
        let mut bases = [LATE * self.stride; 16];
        for (i, base) in bases[1..=NEAR as usize].iter_mut().enumerate() {
            *base = self.base(first.saturating_add(i as i64));
        }
        let mut slots = std::mem::take(&mut self.slots);
        slots.resize(times.len(), 0);
        let (ids, tables) = (&self.ids[..], &self.tables[..]);
        // Far from the ends of time, where slices are cut off.
        let whole = start > i64::MIN / 2 && starts.iter().all(|&s| s < i64::MAX / 2);
        let step = whole.then_some((start, alignment.step()));
        let spread = kernels::Spread { times, ids, tables, bases: &bases, open, starts, step };
        let (late, missing) = spread.find(&mut slots);
        // Blocks that were not there are made, and their rows looked at again.
        let lacks = |slot: u32| slot / BLOCK as u32 == MISSING / BLOCK as u32;
        for from in (0..if missing { slots.len() } else { 0 }).step_by(LOOKED_AT) {
            let to = slots.len().min(from + LOOKED_AT);
            // Without a branch a row: most rows have theirs.
            if !slots[from..to].iter().fold(false, |any, &slot| any | lacks(slot)) {
                continue;
            }
            for i in from..to {
                if !lacks(slots[i]) {
                    continue;
                }
                let slice = first + starts.iter().filter(|&&s| times[i] >= s).count() as i64;
                let place = self.ids[i] as usize / BLOCK;
                let block = match self.tables[self.base(slice) + place] {
                    MISSING => self.block(slice, place),
                    block => block,
                };
                slots[i] = block * BLOCK as u32 + slots[i] % BLOCK as u32;
            }
        }
        self.slots = slots;
        late
    }

    /// Finds the slots of rows that lie anywhere.
    fn slots_far(&mut self, times: &[i64], alignment: &Alignment, open: i64) -> u64 {
        self.slots.clear();
        let mut late = 0;
        // The rows of the tables found last, by the slice's low bits.
        let mut recent = [(i64::MIN, ABSENT * self.stride); 64];
        for (&time, i) in times.iter().zip(0..) {
            let id = self.ids[i] as usize;
            let slice = alignment.slice(time);
            if slice < open {
                late += 1;
                self.slots.push((id % BLOCK) as u32);
                continue;
            }
            let place = (slice & 63) as usize;
            if recent[place].0 != slice {
                recent[place] = (slice, self.base(slice));
                if let Some(pane) = self.panes.get_mut(&slice) {
                    pane.saved = None;
                }
            }
            let mut block = self.tables[recent[place].1 + id / BLOCK];
            if block == MISSING {
                block = self.block(slice, id / BLOCK);
                recent[place] = (slice, self.base(slice));
            }
            self.slots.push(block * BLOCK as u32 + (id % BLOCK) as u32);
        }
        late
    }

    /// Where the row of a slice's pane begins.
    fn base(&self, slice: i64) -> usize {
        self.panes.get(&slice).map_or(ABSENT, |p| p.row) * self.stride
    }

    /// Makes a block of a pane, and the pane if it is the first.
    #[cold]
    fn block(&mut self, slice: i64, place: usize) -> u32 {
        let block = self.fresh_block();
        let stride = self.stride;
        let pane = self.panes.entry(slice).or_insert_with(|| {
            let row = self.free_rows.pop().unwrap_or_else(|| {
                self.tables.resize(self.tables.len() + stride, MISSING);
                self.tables.len() / stride - 1
            });
            Pane { row, blocks: Vec::new(), saved: None }
        });
        self.tables[pane.row * stride + place] = block;
        pane.blocks.push((place as u32, block));
        block
    }

    fn fresh_block(&mut self) -> u32 {
        if let Some(block) = self.free_blocks.pop() {
            return block;
        }
        let slots = self.set.slots();
        self.set.grow(slots + BLOCK);
        (slots / BLOCK) as u32
    }

    /// Takes the pane of slice `from` into that of slice `to`; `false` when there is none to take.
    pub(super) fn carry(&mut self, from: i64, to: i64) -> bool {
        let Some(pane) = self.panes.remove(&from) else { return false };
        let Some(into) = self.panes.get_mut(&to) else {
            self.panes.insert(to, Pane { saved: None, ..pane });
            return true;
        };
        into.saved = None;
        let mut pairs = Vec::new();
        for (place, block) in pane.blocks {
            self.tables[pane.row * self.stride + place as usize] = MISSING;
            let own = &mut self.tables[into.row * self.stride + place as usize];
            if *own == MISSING {
                *own = block;
                into.blocks.push((place, block));
            } else {
                pairs.push((*own, block));
            }
        }
        self.free_rows.push(pane.row);
        let slot = |block: u32| block * BLOCK as u32;
        let slots: Vec<(u32, u32)> = pairs.iter().map(|&(a, b)| (slot(a), slot(b))).collect();
        self.set.merge_runs(BLOCK as u32, &slots);
        pairs.into_iter().for_each(|(_, block)| self.free(block));
        true
    }

    /// Merges the panes of slices `from..to`. To be given back with [`Panes::release`].
    pub(super) fn merge(&mut self, (from, to): (i64, i64)) -> Merged {
        let panes: Vec<(usize, Vec<(u32, u32)>)> =
            self.panes.range(from..to).map(|(_, p)| (p.row, p.blocks.clone())).collect();
        if let [(row, blocks)] = panes.as_slice() {
            let table = self.tables[row * self.stride..][..self.stride].to_vec();
            return self.collect(&table, blocks.len(), Vec::new());
        }
        let mut table = vec![MISSING; self.stride];
        let mut made = Vec::new();
        let mut pairs = Vec::new();
        for (_, blocks) in panes {
            pairs.clear();
            for (place, block) in blocks {
                let into = &mut table[place as usize];
                if *into == MISSING {
                    *into = self.fresh_block();
                    made.push(*into);
                }
                pairs.push((*into * BLOCK as u32, block * BLOCK as u32));
            }
            self.set.merge_runs(BLOCK as u32, &pairs);
        }
        let count = made.len();
        self.collect(&table, count, made)
    }

    /// The keys that have a row, in the table's order.
    fn collect(&mut self, table: &[u32], blocks: usize, made: Vec<u32>) -> Merged {
        let (set, mut merged) = (&self.set, Merged { blocks: made, ..Merged::default() });
        let mut see = |id: u32| {
            let block = table[id as usize / BLOCK];
            let slot = block.wrapping_mul(BLOCK as u32) + id % BLOCK as u32;
            if block != MISSING && set.rows(slot) > 0 {
                merged.ids.push(id);
                merged.slots.push(slot);
            }
        };
        if blocks * BLOCK * 4 > self.keys.numbers() {
            self.keys.in_order().iter().for_each(|&id| see(id));
            return merged;
        }
        // Few of many keys: sort those.
        let places = (0..table.len()).filter(|&p| table[p] != MISSING);
        let ids = places.flat_map(|p| p * BLOCK..(p + 1) * BLOCK).map(|id| id as u32);
        ids.for_each(&mut see);
        let mut pairs: Vec<(u32, u32)> =
            merged.ids.iter().copied().zip(merged.slots.iter().copied()).collect();
        self.keys.sort_by_key(&mut pairs, |pair| pair.0);
        (merged.ids, merged.slots) = pairs.into_iter().unzip();
        merged
    }

    /// The rows of a window whose panes are merged: the key columns, the window's bounds, the aggregates'
    /// results.
    pub(super) fn rows(
        &self,
        merged: &Merged,
        window: (i64, i64),
        (bounds, output): (&[WindowBound], &SchemaRef),
        seq: Seq,
    ) -> Batch {
        let (n_keys, rows) = (self.columns.types.len(), merged.ids.len());
        let mut columns = if n_keys == 0 { Vec::new() } else { self.keys.columns(&merged.ids) };
        let windows = std::iter::repeat_n(window, rows);
        columns.extend(bound_columns(windows, bounds, (output, n_keys)));
        columns.extend(self.set.results(&merged.slots));
        Batch::new(Arc::clone(output), columns, seqs(seq, rows))
    }

    /// Gives back what [`Panes::merge`] made.
    pub(super) fn release(&mut self, merged: Merged) {
        for block in merged.blocks {
            self.free(block);
        }
    }

    fn free(&mut self, block: u32) {
        self.set.clear(block * BLOCK as u32, (block + 1) * BLOCK as u32);
        self.free_blocks.push(block);
    }

    /// Drops the panes below a slice.
    pub(super) fn drop_below(&mut self, slice: i64) {
        while let Some((&first, _)) =
            self.panes.first_key_value().filter(|(first, _)| **first < slice)
        {
            self.drop(first);
        }
        self.sweep();
    }

    /// Drops a pane.
    fn drop(&mut self, slice: i64) {
        let Some(pane) = self.panes.remove(&slice) else { return };
        for (place, block) in pane.blocks {
            self.tables[pane.row * self.stride + place as usize] = MISSING;
            self.free(block);
        }
        self.free_rows.push(pane.row);
    }
}

/// How the slices of some event times lie; `open` is the first slice that still takes records.
fn spread(times: &[i64], alignment: &Alignment, open: i64) -> Spread {
    if open == i64::MAX {
        return Spread::Far;
    }
    let start = alignment.start(open);
    let (low, high) = kernels::span(times);
    let (first, last) = (alignment.slice(low.max(start)).max(open), alignment.slice(high));
    if last.saturating_sub(first) >= NEAR {
        return Spread::Far;
    }
    Spread::Near(first, (first.saturating_add(1)..=last).map(|s| alignment.start(s)).collect())
}
