//! Cumulating windows: a day so far, told every hour.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::panes::Panes;
use super::{WindowBound, interleave, late};
use crate::aggregate::AggregateCall;
use crate::batch::{Batch, Seq, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::key::{self, KeyColumns, KeyGroups, KeyOrder};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::{Pieces, Reader, put, put_bytes, put_signed};
use crate::time::{Cumulation, EventTime};
use crate::trace::What;

/// Aggregates per key and window, where windows that begin together end one step after the other. Its rows:
/// the key columns, the window's bounds, one column an aggregate.
///
/// A record goes into the pane of its slice alone. Window `n` ends with slice `n`: when it fires, the pane
/// before, which holds all that is older, is taken into that of slice `n`, which so holds the whole window. A
/// key fires at every step from its first record on, whether others have come or not. A record of a window that
/// has fired still counts in those that have not.
#[derive(Clone)]
pub struct CumulateAggregate {
    name: String,
    windows: Cumulation,
    /// The first window that has not fired.
    open: i64,
    time: usize,
    keys: KeyColumns,
    order: KeyOrder,
    bounds: Vec<WindowBound>,
    output: SchemaRef,
    watermark: EventTime,
    panes: Panes,
    /// The trace's numbers of open windows, by window and encoded key; kept when somebody looks.
    numbers: BTreeMap<(i64, Vec<u8>), u64>,
    next_window: u64,
}

/// The first bytes of its state: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"cumulat1");

impl CumulateAggregate {
    /// Windows over the column `time` of `input`; `order` is that of the rows of one window.
    pub fn new(
        name: &str,
        windows: Cumulation,
        time: usize,
        (keys, order): (&[usize], KeyOrder),
        (bounds, calls): (&[WindowBound], &[AggregateCall]),
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> CumulateAggregate {
        let keys = KeyColumns::new(input, keys);
        CumulateAggregate {
            name: name.to_owned(),
            windows,
            open: windows.slices().first_open(EventTime::MIN),
            time,
            panes: Panes::new(keys.clone(), order, calls, input),
            keys,
            order,
            bounds: bounds.to_vec(),
            output: Arc::clone(output),
            watermark: EventTime::MIN,
            numbers: BTreeMap::new(),
            next_window: 0,
        }
    }

    /// The first window that a record is in and that has not fired; `None` when all of them have.
    fn first_window(&self, time: i64) -> Option<i64> {
        let slice = self.windows.slices().slice(time);
        Some(slice.max(self.open)).filter(|_| self.windows.last(slice) >= self.open)
    }

    /// Takes in rows `from..to` of a batch, all under one watermark.
    fn add(&mut self, batch: &Batch, from: usize, to: usize, out: &mut Output) {
        if from >= to {
            return;
        }
        let times = millis(&batch.columns[self.time]);
        let slices = self.windows.slices();
        let place = (&slices, self.open);
        if self.open == self.windows.first(self.open) {
            out.late += self.panes.add(batch, times, (from, to), place);
        } else {
            // What comes too late for some windows of its group is in the next one that fires.
            let (start, open) =
                (slices.start(self.windows.first(self.open)), slices.start(self.open));
            let moved = |&time: &i64| if time >= start { time.max(open) } else { time };
            let moved: Vec<i64> = times.iter().map(moved).collect();
            out.late += self.panes.add(batch, &moved, (from, to), place);
        }
        if out.traced() {
            (from..to).for_each(|row| self.tell(batch, row, times[row], out));
        }
    }

    /// Says which windows a row has gone into, or that it was late.
    fn tell(&mut self, batch: &Batch, row: usize, time: i64, out: &mut Output) {
        let key = self.keys.values(batch, row);
        let slice = self.windows.slices().slice(time);
        let Some(first) = self.first_window(time) else {
            out.note(|| late(batch, row, time, self.watermark, self.windows.bounds(slice), &key));
            return;
        };
        let encoded = key::encode(&key);
        for n in first..=self.windows.last(slice) {
            let (start, end) = self.windows.bounds(n);
            let next = &mut self.next_window;
            let window = *self.numbers.entry((n, encoded.clone())).or_insert_with(|| {
                *next += 1;
                let (window, key) = (*next, key::text(&key));
                out.note(|| What::WindowOpen { window, key, start, end });
                window
            });
            out.note(|| What::WindowAdd { window, seq: batch.seqs.at(row) });
        }
    }

    /// Moves the watermark: fires what it closes, then passes the steps on.
    fn advance(&mut self, stair: Stair, pending: &mut Vec<Stair>, upto: Seq, out: &mut Output) {
        self.watermark = stair.watermark;
        let open = self.windows.slices().first_open(stair.watermark);
        let mut fired = Vec::new();
        let mut next = self.open;
        while let Some(window) = self.next_window(next, open) {
            fired.push(self.fire(window, stair, out));
            next = window + 1;
        }
        self.open = open;
        self.panes.drop_below(self.oldest());
        self.numbers = self.numbers.split_off(&(open, Vec::new()));
        let mut stairs = std::mem::take(pending);
        if fired.is_empty() {
            stairs.push(Stair { row: 0, ..stair });
            *pending = stairs;
            return;
        }
        let mut batch = interleave(&fired, &self.keys, self.order);
        stairs.push(Stair { row: batch.rows as u32, ..stair });
        batch.stairs = stairs;
        // The rest of this input batch is still to come.
        batch.upto = upto.min(stair.seq.saturating_sub(1));
        out.batches.push(batch);
    }

    /// The first window from `next` on and before `open` with something in it; its pane holds all of that.
    fn next_window(&mut self, next: i64, open: i64) -> Option<i64> {
        if next >= open {
            return None;
        }
        if next != self.windows.first(next) && self.panes.carry(next.saturating_sub(1), next) {
            return Some(next);
        }
        self.panes.next_window((next, open), 1)
    }

    /// The first pane that is still needed. That of the window that fired last is, unless it was the last of
    /// its group.
    fn oldest(&self) -> i64 {
        let inside = self.open < i64::MAX && self.open != self.windows.first(self.open);
        self.open.saturating_sub(i64::from(inside))
    }

    fn fire(&mut self, window: i64, stair: Stair, out: &mut Output) -> Batch {
        let merged = self.panes.merge((window, window.saturating_add(1)));
        let (start, end) = self.windows.bounds(window);
        if out.traced() {
            for &id in &merged.ids {
                let key = self.panes.keys().key(id);
                let number = self.numbers.get(&(window, key::encode(&key))).copied().unwrap_or(0);
                let key = key::text(&key);
                out.note(|| What::WindowFire { window: number, key, start, end, rows: 1 });
            }
        }
        let rows = self.panes.rows(&merged, (start, end), (&self.bounds, &self.output), stair.seq);
        self.panes.release(merged);
        rows
    }
}

impl Operator for CumulateAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        // A row without event time is in no window.
        let batch = batch.having(self.time);
        let mut from = 0;
        // Steps that close nothing wait for the next batch that leaves, as those of other aligned windows.
        let mut pending: Vec<Stair> = Vec::new();
        for stair in &batch.stairs {
            let open = self.windows.slices().first_open(stair.watermark);
            if open == self.open && !out.traced() {
                pending.push(Stair { row: 0, ..*stair });
                continue;
            }
            self.add(&batch, from, stair.row as usize, out);
            from = stair.row as usize;
            self.advance(*stair, &mut pending, batch.upto, out);
        }
        self.add(&batch, from, batch.rows, out);
        if let Some(last) = pending.last() {
            self.watermark = last.watermark;
        }
        out.end(&self.output, pending, batch.upto);
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        let mut head = Vec::new();
        put(&mut head, MARK);
        put_signed(&mut head, self.watermark.0);
        put(&mut head, self.next_window);
        put(&mut head, self.numbers.len() as u64);
        for ((window, key), &number) in &self.numbers {
            put_signed(&mut head, *window);
            put_bytes(&mut head, key);
            put(&mut head, number);
        }
        let mut pieces = Pieces::from(head);
        pieces.append(self.panes.save());
        pieces
    }

    fn empty(&mut self) {
        self.watermark = EventTime::MIN;
        self.open = self.windows.slices().first_open(EventTime::MIN);
        self.next_window = 0;
        self.numbers.clear();
        self.panes.empty();
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Err(wrong_state(&self.name));
        }
        self.watermark = EventTime(reader.signed()?);
        self.open = self.windows.slices().first_open(self.watermark);
        // Numbers of several subtasks are made different.
        let before = self.next_window;
        self.next_window = before.saturating_add(reader.number()?);
        for _ in 0..reader.count()? {
            let window = reader.signed()?;
            let key = reader.bytes()?;
            let number = before.saturating_add(reader.number()?);
            match key::encoded_in(key, &self.keys, own) {
                Some(true) => _ = self.numbers.insert((window, key.to_vec()), number),
                Some(false) => {}
                None => return Err(wrong_state(&self.name)),
            }
        }
        let loaded = self.panes.load(&mut reader, own)?;
        let first = self.panes.next_window((i64::MIN, i64::MAX), 1);
        if !loaded || first.is_some_and(|slice| slice < self.oldest()) {
            return Err(wrong_state(&self.name));
        }
        reader.end()
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
