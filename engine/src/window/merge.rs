//! The other end of pre-aggregation: parts of windows become windows again, and leave as rows in the one
//! order in which a single subtask would have let them go.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::part::{Closed, HandOver, Turns};
use super::{WindowBound, bound_columns, interleave, seqs};
use crate::aggregate::{AggregateCall, AggregateSet};
use crate::batch::{Batch, Seq, Stair};
use crate::key::{KeyColumns, KeyOrder, KeyTable};
use crate::schema::{Schema, SchemaRef};
use crate::time::{Alignment, EventTime};

/// The slot of a key number.
const FIRST: u32 = AggregateSet::SCRATCH as u32;

/// Merges what several subtasks hand over. Blocks of the stream went to them in turns.
#[derive(Clone)]
pub struct MergeAggregate {
    alignment: Alignment,
    output: SchemaRef,
    key_schema: SchemaRef,
    columns: KeyColumns,
    bounds: Vec<WindowBound>,
    keys: KeyTable,
    /// A slot a key; empty but while a window leaves.
    set: AggregateSet,
    parts: Vec<Sender>,
    /// Whose block comes next.
    turns: Turns,
    block: Option<Block>,
    /// Steps of the watermark that have not left yet.
    pending: Vec<Stair>,
    watermark: EventTime,
}

/// One of the subtasks.
#[derive(Clone, Default)]
struct Sender {
    queue: VecDeque<Item>,
    closed: VecDeque<Closed>,
    /// Its key numbers, in ours.
    numbers: Vec<u32>,
    /// Those of ours that it has.
    held: Vec<u32>,
}

#[derive(Clone)]
enum Item {
    Block(Vec<Stair>, Seq),
    Barrier(u64),
}

/// The block that is being gone through.
#[derive(Clone)]
struct Block {
    sender: usize,
    stairs: Vec<Stair>,
    next: usize,
    upto: Seq,
}

/// What comes out.
pub enum Merging {
    /// Rows, or steps of the watermark.
    Batch(Batch),
    /// A barrier has come from everybody.
    Barrier(u64),
}

impl MergeAggregate {
    /// The merging end for so many subtasks; `order` is that of the rows of one window.
    pub fn new(
        alignment: Alignment,
        (keys, order): (&[usize], KeyOrder),
        (bounds, calls): (&[WindowBound], &[AggregateCall]),
        (input, output): (&SchemaRef, &SchemaRef),
        subtasks: usize,
    ) -> MergeAggregate {
        let key_schema = Schema::new(output.fields[..keys.len()].to_vec());
        let columns = KeyColumns::new(&key_schema, &(0..keys.len()).collect::<Vec<_>>());
        MergeAggregate {
            alignment,
            output: Arc::clone(output),
            keys: KeyTable::new(&columns.types, order),
            columns,
            bounds: bounds.to_vec(),
            key_schema,
            set: AggregateSet::new(calls, input),
            parts: vec![Sender::default(); subtasks],
            turns: Turns::new(subtasks),
            block: None,
            pending: Vec::new(),
            watermark: EventTime::MIN,
        }
    }

    /// The watermark of what has left.
    pub fn watermark(&self) -> EventTime {
        self.watermark
    }

    /// Takes what a subtask hands over.
    pub fn push(&mut self, subtask: usize, from: HandOver) {
        let sender = &mut self.parts[subtask];
        sender.closed.extend(from.closed);
        sender.queue.extend(from.block.map(|(stairs, upto)| Item::Block(stairs, upto)));
    }

    /// Takes a subtask's barrier.
    pub fn barrier(&mut self, subtask: usize, checkpoint: u64) {
        self.parts[subtask].queue.push_back(Item::Barrier(checkpoint));
    }

    /// How much waits.
    pub fn waiting(&self) -> usize {
        self.parts.iter().map(|s| s.queue.len() + s.closed.len()).sum()
    }

    /// The next thing to leave, if everything it needs has come.
    pub fn release(&mut self) -> Option<Merging> {
        if self.block.is_none() {
            let sender = self.turns.current();
            match self.parts[sender].queue.pop_front()? {
                Item::Block(stairs, upto) => {
                    self.turns.advance();
                    self.block = Some(Block { sender, stairs, next: 0, upto });
                }
                Item::Barrier(id) => return self.align(sender, id),
            }
        }
        let block = self.block.as_mut()?;
        while let Some(&stair) = block.stairs.get(block.next) {
            let closing = self.parts[block.sender].closed.front();
            if closing.is_some_and(|closed| closed.seq == stair.seq) {
                if self.parts.iter().any(|s| s.closed.is_empty()) {
                    return None;
                }
                (block.next, self.watermark) = (block.next + 1, stair.watermark);
                let upto = block.upto;
                if let Some(batch) = self.close(stair, upto) {
                    return Some(Merging::Batch(batch));
                }
                return self.release();
            }
            block.next += 1;
            self.pending.push(Stair { row: 0, ..stair });
        }
        let upto = block.upto;
        self.block = None;
        let stairs = std::mem::take(&mut self.pending);
        if let Some(last) = stairs.last() {
            self.watermark = last.watermark;
        }
        Some(Merging::Batch(Batch::progress(Arc::clone(&self.output), stairs, upto)))
    }

    /// A barrier stands behind the last block of everybody.
    fn align(&mut self, first: usize, checkpoint: u64) -> Option<Merging> {
        let there = |s: &Sender| matches!(s.queue.front(), Some(Item::Barrier(_)));
        let mut others = self.parts.iter().enumerate().filter(|(i, _)| *i != first);
        if !others.all(|(_, s)| there(s)) {
            self.parts[first].queue.push_front(Item::Barrier(checkpoint));
            return None;
        }
        for (i, sender) in self.parts.iter_mut().enumerate() {
            if i != first {
                sender.queue.pop_front();
            }
        }
        Some(Merging::Barrier(checkpoint))
    }

    /// Merges the windows that a step closes; the rows carry the steps that wait.
    fn close(&mut self, stair: Stair, upto: Seq) -> Option<Batch> {
        let mut closed: Vec<Closed> =
            self.parts.iter_mut().filter_map(|s| s.closed.pop_front()).collect();
        debug_assert!(closed.iter().all(|c| c.seq == stair.seq), "one step closes for everybody");
        for (sender, closed) in closed.iter().enumerate() {
            self.learn(sender, closed);
        }
        let mut whole: BTreeMap<i64, Option<Batch>> = closed
            .iter_mut()
            .flat_map(|c| c.whole.drain(..))
            .map(|(n, rows)| (n, Some(rows)))
            .collect();
        for (window, ..) in closed.iter().flat_map(|c| &c.windows) {
            let other = whole.insert(*window, None);
            debug_assert!(other.flatten().is_none(), "a window is one subtask's own or it is not");
        }
        let rows = |(window, rows): (i64, Option<Batch>)| match rows {
            Some(rows) => rows,
            None => self.window(window, &closed, stair.seq),
        };
        let fired: Vec<Batch> = whole.into_iter().map(rows).collect();
        let held = self.parts.iter().flat_map(|s| &s.held);
        self.keys.sweep(|live| held.for_each(|&id| live[id as usize] = true));
        if fired.is_empty() {
            self.pending.push(Stair { row: 0, ..stair });
            return None;
        }
        let mut batch = interleave(&fired, &self.columns, self.keys.order());
        batch.stairs = std::mem::take(&mut self.pending);
        batch.stairs.push(Stair { row: batch.rows as u32, ..stair });
        // The rest of the block is still to come.
        batch.upto = upto.min(stair.seq.saturating_sub(1));
        Some(batch)
    }

    /// Takes in what a subtask says of its keys.
    fn learn(&mut self, sender: usize, Closed { told, .. }: &Closed) {
        let sender = &mut self.parts[sender];
        if told.afresh {
            sender.numbers.clear();
            sender.held.clear();
        }
        if told.ids.is_empty() {
            return;
        }
        let mut own = Vec::new();
        let batch = told.batch(&self.key_schema);
        self.keys.intern(&self.columns, &batch, (0, batch.rows), &mut own);
        let most = told.ids.iter().copied().max().unwrap_or(0) as usize;
        sender.numbers.resize(sender.numbers.len().max(most + 1), 0);
        for (&id, &own) in told.ids.iter().zip(&own) {
            sender.numbers[id as usize] = own;
            sender.held.push(own);
        }
        self.set.grow(AggregateSet::SCRATCH + self.keys.numbers());
    }

    /// The rows of a window.
    fn window(&mut self, window: i64, closed: &[Closed], seq: Seq) -> Batch {
        let mut touched = 0;
        let mut own: Vec<u32> = Vec::new();
        for (sender, closed) in self.parts.iter().zip(closed) {
            for (_, ids, part) in closed.windows.iter().filter(|w| w.0 == window) {
                let first = own.len();
                own.extend(ids.iter().map(|&id| FIRST + sender.numbers[id as usize]));
                match first {
                    0 => self.set.place(&own, part),
                    _ => self.set.absorb(&own[first..], part),
                }
                touched = touched.max(ids.len());
            }
        }
        let ids = self.list(own, touched);
        let slots: Vec<u32> = ids.iter().map(|&id| FIRST + id).collect();
        let n_keys = self.columns.types.len();
        let mut columns = if n_keys == 0 { Vec::new() } else { self.keys.columns(&ids) };
        let window = std::iter::repeat_n(self.alignment.bounds(window), ids.len());
        columns.extend(bound_columns(window, &self.bounds, (&self.output, n_keys)));
        columns.extend(self.set.results(&slots));
        if ids.len() * 4 > self.keys.numbers() {
            self.set.clear(FIRST, self.set.slots() as u32);
        } else {
            slots.iter().for_each(|&slot| self.set.clear(slot, slot + 1));
        }
        Batch::new(Arc::clone(&self.output), columns, seqs(seq, ids.len()))
    }

    /// The keys of these slots in the table's order, each once.
    fn list(&mut self, mut slots: Vec<u32>, most: usize) -> Vec<u32> {
        if most * 4 > self.keys.numbers() {
            let set = &self.set;
            let some = self.keys.in_order().iter().filter(|&&id| set.rows(FIRST + id) > 0);
            return some.copied().collect();
        }
        slots.sort();
        slots.dedup();
        slots.iter_mut().for_each(|slot| *slot -= FIRST);
        self.keys.sort_by_key(&mut slots, |&id| id);
        slots
    }
}
