//! Aligned windows: tumbling and hopping aggregation, fired by the watermark.

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
use crate::seeded::seeded;
use crate::snapshot::bytes::{Pieces, Reader, put, put_bytes, put_signed};
use crate::time::{Alignment, EventTime};
use crate::trace::What;

/// Aggregates per key and window of one length at every multiple of a step. Its rows: the key columns, the
/// window's bounds, one column an aggregate.
///
/// Window `n` is made of the slices `n..n + overlap` and fires before any later record is looked at.
#[derive(Clone)]
pub struct AlignedAggregate {
    name: String,
    alignment: Alignment,
    /// The first window that has not fired, and the first slice that takes records.
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
const MARK: u64 = u64::from_le_bytes(*b"aligned1");

impl AlignedAggregate {
    /// Windows over the column `time` of `input`; `order` is that of the rows of one window.
    pub fn new(
        name: &str,
        alignment: Alignment,
        time: usize,
        (keys, order): (&[usize], KeyOrder),
        (bounds, calls): (&[WindowBound], &[AggregateCall]),
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> AlignedAggregate {
        let keys = KeyColumns::new(input, keys);
        AlignedAggregate {
            name: name.to_owned(),
            alignment,
            open: alignment.first_open(EventTime::MIN),
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

    /// Takes in rows `from..to` of a batch, all under one watermark.
    fn add(&mut self, batch: &Batch, from: usize, to: usize, out: &mut Output) {
        let times = millis(&batch.columns[self.time]);
        if from < to {
            out.late += self.panes.add(batch, times, (from, to), (&self.alignment, self.open));
        }
        if out.traced() {
            (from..to).for_each(|row| self.tell(batch, row, times[row], out));
        }
    }

    /// Says which windows a row has gone into, or that it was late.
    fn tell(&mut self, batch: &Batch, row: usize, time: i64, out: &mut Output) {
        let key = self.keys.values(batch, row);
        let slice = self.alignment.slice(time);
        if slice < self.open {
            out.note(|| late(batch, row, time, self.watermark, self.alignment.bounds(slice), &key));
            return;
        }
        let encoded = key::encode(&key);
        for n in
            (slice.saturating_sub(self.alignment.overlap() - 1)..=slice).filter(|&n| n >= self.open)
        {
            let (start, end) = self.alignment.bounds(n);
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
        let early = i64::from(seeded("windows-a-moment-too-early"));
        let reached = EventTime(stair.watermark.0.saturating_add(early));
        let (from, open) = (self.open, self.alignment.first_open(reached));
        let mut fired = Vec::new();
        let mut next = from;
        while let Some(window) = self.panes.next_window((next, open), self.alignment.overlap()) {
            fired.push(self.fire(window, stair, out));
            next = window + 1;
        }
        self.open = open;
        if !seeded("panes-stay-when-they-are-over") {
            self.panes.drop_below(open);
        }
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

    fn fire(&mut self, window: i64, stair: Stair, out: &mut Output) -> Batch {
        let merged = self.panes.merge((window, window.saturating_add(self.alignment.overlap())));
        let (start, end) = self.alignment.bounds(window);
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

impl Operator for AlignedAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        // A row without event time is in no window.
        let batch = batch.having(self.time);
        let mut from = 0;
        // Steps that close nothing wait here for the next batch that leaves: rows on both sides of
        // them can be taken in together. Somebody who looks sees every record under its watermark.
        let mut pending: Vec<Stair> = Vec::new();
        for stair in &batch.stairs {
            if self.alignment.first_open(stair.watermark) == self.open && !out.traced() {
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
        self.open = self.alignment.first_open(EventTime::MIN);
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
        self.open = self.alignment.first_open(self.watermark);
        if seeded("windows-forget-how-far-they-are") {
            self.open = self.alignment.first_open(EventTime::MIN);
        }
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
        if !self.panes.load(&mut reader, own)? {
            return Err(wrong_state(&self.name));
        }
        reader.end()
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
