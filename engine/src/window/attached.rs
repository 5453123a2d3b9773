//! Windows that rows carry: aggregation by the bounds that stand in two columns of the input.

mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{WindowBound, bound_columns, closed, late};
use crate::aggregate::{AggregateCall, AggregateSet};
use crate::batch::{Batch, Seq, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::key::{self, KeyColumns, KeyGroups, KeyOrder, KeyTable};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::Pieces;
use crate::time::EventTime;
use crate::trace::What;

/// Aggregates per key and window over rows that say themselves which window they are of: those of a window
/// function, or of an aggregation by windows.
///
/// A window fires once, when the watermark reaches its end minus 1 ms; a row of a window that has fired is late.
#[derive(Clone)]
pub struct AttachedAggregate {
    name: String,
    /// The columns of a window's start and end.
    window: [usize; 2],
    keys: KeyColumns,
    /// The key columns and the window's: a number in `table` is of a key and a window.
    whole: KeyColumns,
    order: KeyOrder,
    bounds: Vec<WindowBound>,
    output: SchemaRef,
    watermark: EventTime,
    table: KeyTable,
    /// The slot of a number is the next one. Slot 0 is for late rows.
    aggregates: AggregateSet,
    /// Open windows by end and start, each with the numbers it has rows of.
    open: BTreeMap<(i64, i64), Vec<u32>>,
    /// Whether a number has rows in an open window, and the trace's number of that.
    held: Vec<(bool, u64)>,
    next_window: u64,
    ids: Vec<u32>,
    slots: Vec<u32>,
    /// What has fired since the last batch left.
    fired: Vec<Fired>,
}

#[derive(Clone, Copy)]
struct Fired {
    seq: Seq,
    id: u32,
    window: (i64, i64),
}

impl AttachedAggregate {
    /// Windows from the columns `window` of `input`, start and end; `order` is that of the rows of one window.
    pub fn new(
        name: &str,
        window: [usize; 2],
        (keys, order): (&[usize], KeyOrder),
        (bounds, calls): (&[WindowBound], &[AggregateCall]),
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> AttachedAggregate {
        let whole = KeyColumns::new(input, &[keys, &window].concat());
        let mut made = AttachedAggregate {
            name: name.to_owned(),
            window,
            keys: KeyColumns::new(input, keys),
            table: KeyTable::new(&whole.types, KeyOrder::Value),
            whole,
            order,
            bounds: bounds.to_vec(),
            output: Arc::clone(output),
            watermark: EventTime::MIN,
            aggregates: AggregateSet::new(calls, input),
            open: BTreeMap::new(),
            held: Vec::new(),
            next_window: 0,
            ids: Vec::new(),
            slots: Vec::new(),
            fired: Vec::new(),
        };
        made.empty();
        made
    }

    /// Makes room for all numbers there are.
    fn reach(&mut self) {
        self.held.resize(self.table.numbers(), (false, 0));
        self.aggregates.grow(self.table.numbers() + 1);
    }

    /// Finds the slot of every row, firing windows as the watermark moves between rows.
    fn take_in(&mut self, batch: &Batch, out: &mut Output) -> Vec<Stair> {
        let [starts, ends] = self.window.map(|column| millis(&batch.columns[column]));
        let mut stairs = Vec::with_capacity(batch.stairs.len());
        let mut steps = batch.stairs.iter().peekable();
        self.slots.clear();
        for (row, window) in starts.iter().copied().zip(ends.iter().copied()).enumerate() {
            while let Some(step) = steps.next_if(|s| s.row as usize <= row) {
                self.advance(*step, &mut stairs, out);
            }
            if closed(window.1, self.watermark) {
                out.late += 1;
                self.slots.push(0);
                let time = window.1.saturating_sub(1);
                let key = || self.keys.values(batch, row);
                out.note(|| late(batch, row, time, self.watermark, window, &key()));
                continue;
            }
            let id = self.ids[row];
            if !self.held[id as usize].0 {
                self.begin(id, window, out);
            }
            self.slots.push(id + 1);
            let seq = batch.seqs.at(row);
            out.note(|| What::WindowAdd { window: self.held[id as usize].1, seq });
        }
        self.aggregates.update(&self.slots, 0, batch);
        steps.for_each(|step| self.advance(*step, &mut stairs, out));
        stairs
    }

    /// The first row of a key and window.
    fn begin(&mut self, id: u32, (start, end): (i64, i64), out: &mut Output) {
        self.open.entry((end, start)).or_default().push(id);
        if out.traced() {
            self.next_window += 1;
            let (window, key) = (self.next_window, key::text(&self.key(id)));
            out.note(|| What::WindowOpen { window, key, start, end });
        }
        let number = if out.traced() { self.next_window } else { 0 };
        self.held[id as usize] = (true, number);
    }

    /// The key of a number, without its window.
    fn key(&self, id: u32) -> Vec<crate::value::Value> {
        let mut key = self.table.key(id);
        key.truncate(self.keys.types.len());
        key
    }

    /// Moves the watermark: takes out the windows it closes. Their accumulators stay until the batch leaves.
    fn advance(&mut self, stair: Stair, stairs: &mut Vec<Stair>, out: &mut Output) {
        self.watermark = stair.watermark;
        let from = self.fired.len();
        while let Some(first) =
            self.open.first_entry().filter(|e| closed(e.key().0, stair.watermark))
        {
            let ((end, start), mut ids) = first.remove_entry();
            self.table.sort_by_key(&mut ids, |&id| id);
            let fired = |id: u32| Fired { seq: stair.seq, id, window: (start, end) };
            self.fired.extend(ids.into_iter().map(fired));
        }
        if self.order == KeyOrder::Group && self.fired.len() > from + 1 {
            // By key group first: the one order that does not depend on how many subtasks there are.
            let mut list = self.fired.split_off(from);
            list.sort_by_cached_key(|f| key::group_of(&self.key(f.id)));
            self.fired.append(&mut list);
        }
        for f in &self.fired[from..] {
            let (_, window) = std::mem::take(&mut self.held[f.id as usize]);
            if out.traced() {
                let (key, (start, end)) = (key::text(&self.key(f.id)), f.window);
                out.note(|| What::WindowFire { window, key, start, end, rows: 1 });
            }
        }
        stairs.push(Stair { row: self.fired.len() as u32, ..stair });
    }

    /// The rows of the windows that have fired; their slots and numbers are free after that.
    fn rows(&mut self) -> Batch {
        let fired = std::mem::take(&mut self.fired);
        let ids: Vec<u32> = fired.iter().map(|f| f.id).collect();
        let slots: Vec<u32> = ids.iter().map(|id| id + 1).collect();
        let n_keys = self.keys.types.len();
        let mut columns = self.table.columns(&ids);
        columns.truncate(n_keys);
        let windows = fired.iter().map(|f| f.window);
        columns.extend(bound_columns(windows, &self.bounds, (&self.output, n_keys)));
        columns.extend(self.aggregates.results(&slots));
        slots.iter().for_each(|&slot| self.aggregates.clear(slot, slot + 1));
        let seqs = fired.iter().map(|f| f.seq).collect();
        Batch::new(Arc::clone(&self.output), columns, seqs)
    }
}

impl Operator for AttachedAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        // A row without bounds is of no window.
        let batch = batch.having(self.window[0]).having(self.window[1]);
        self.table.intern(&self.whole, &batch, (0, batch.rows), &mut self.ids);
        self.reach();
        let stairs = self.take_in(&batch, out);
        if self.fired.is_empty() {
            out.end(&self.output, stairs, batch.upto);
        } else {
            let rows = self.rows();
            out.batches.push(Batch { stairs, upto: batch.upto, ..rows });
        }
        // Late rows leave numbers without a window behind, and so do windows that have fired.
        let held = self.held.iter();
        self.table.sweep(|live| held.zip(live).for_each(|(held, live)| *live = held.0));
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.encode().into()
    }

    fn empty(&mut self) {
        (self.watermark, self.next_window) = (EventTime::MIN, 0);
        self.fired.clear();
        self.table = KeyTable::new(&self.whole.types, KeyOrder::Value);
        self.open.clear();
        self.held.clear();
        self.aggregates.clear(0, self.aggregates.slots() as u32);
        self.aggregates.grow(1);
        self.aggregates.occupy(1);
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        match self.decode(bytes, own)? {
            true => Ok(()),
            false => Err(wrong_state(&self.name)),
        }
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
