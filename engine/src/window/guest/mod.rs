//! A guest's window: the guest assigns, merges, accumulates and answers; the engine keeps the state.

mod open;
mod state;

use std::sync::Arc;

use arrow_array::ArrayRef;

use super::{WindowBound, bound_columns, closed, late, seqs};
use crate::batch::{Batch, Seq, Stair};
use crate::column::millis;
use crate::error::{Error, Result};
use crate::key::{self, KeyColumns, KeyGroups, KeyOrder};
use crate::operator::{Operator, Output, row_error, wrong_state};
use crate::schema::SchemaRef;
use crate::seeded::seeded;
use crate::snapshot::bytes::Pieces;
use crate::time::EventTime;
use crate::trace::What;
use crate::udf::{Assigned, Failure, Guest};

use open::{OpenWindows, Window};

/// Windows of a guest, per key. Accumulators live in a slab of the engine's, a slot a window.
///
/// The guest is asked for the windows of all rows of a batch at once, and given the rows of all windows at
/// once: nothing it is asked depends on the watermark. Which windows are late and which fire is decided row by
/// row, under each row's own watermark.
#[derive(Clone)]
pub struct GuestWindow {
    name: String,
    guest: Guest,
    columns: Vec<usize>,
    time: usize,
    keys: KeyColumns,
    order: KeyOrder,
    output: SchemaRef,
    open: OpenWindows,
    /// Whether windows of a key may become one.
    merges: bool,
    /// A new accumulator, unless the guest makes its own.
    empty: Option<Vec<u8>>,
    /// Rows of the batch at hand that are not in their accumulators yet, and their slots.
    rows: Vec<u32>,
    slots: Vec<u32>,
    watermark: EventTime,
    next_window: u64,
}

/// A batch as the guest reads it, and what it has said about it.
struct Input<'a> {
    batch: &'a Batch,
    times: &'a [i64],
    columns: Vec<ArrayRef>,
    /// The number of each row's key.
    ids: Vec<u32>,
    /// The windows of rows.
    assigned: Assigned,
    /// How many rows the guest has assigned windows to.
    known: u32,
    /// The first of `assigned` that no row was put into.
    next: usize,
    /// The row that the guest cannot place, and why.
    failed: Option<(u32, Error)>,
}

impl GuestWindow {
    /// The windows of `guest` over `columns` of the input, by event time and keys.
    pub fn new(
        name: &str,
        guest: Guest,
        columns: Vec<usize>,
        time: usize,
        (keys, order): (&[usize], KeyOrder),
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> GuestWindow {
        let keys = KeyColumns::new(input, keys);
        let merges = guest.merges();
        let stride = guest.stride() as usize;
        GuestWindow {
            name: name.to_owned(),
            columns,
            time,
            open: OpenWindows::new(&keys, order, stride),
            merges,
            order,
            keys,
            output: Arc::clone(output),
            empty: (!guest.initialises()).then(|| vec![0; stride]),
            guest,
            rows: Vec::new(),
            slots: Vec::new(),
            watermark: EventTime::MIN,
            next_window: 0,
        }
    }

    /// Puts rows `from..to` into their windows, all under one watermark.
    fn add(&mut self, input: &mut Input<'_>, from: u32, to: u32, out: &mut Output) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        if input.known < to && input.failed.is_none() {
            // Somebody who looks sees the calls for the rows under each watermark.
            self.assign(input, if out.traced() { to } else { input.batch.rows as u32 }, out);
        }
        // The usual row is in one window, and nobody looks.
        let plain = !self.merges && !out.traced();
        loop {
            if plain {
                let into = (&mut self.rows, &mut self.slots);
                input.next += self.open.find_run(&input.assigned, input.next, to, &input.ids, into);
            }
            let left = input.assigned.rows[input.next..].split_first();
            let Some((&row, others)) = left.filter(|(row, _)| **row < to) else { break };
            let many = 1 + others.iter().take_while(|other| **other == row).count();
            match plain && many == 1 {
                true => self.add_plainly(input, row, out)?,
                false => self.add_row(input, row, input.next..input.next + many, out)?,
            }
            input.next += many;
        }
        // Rows before one that the guest cannot place come first, whatever they do.
        match input.failed.take_if(|(row, _)| *row < to) {
            None => Ok(()),
            Some((_, error)) => self.flush(input, out).and(Err(error)),
        }
    }

    /// Asks the guest for the windows of the rows up to `to`. When it fails at one, those before are known.
    fn assign(&mut self, input: &mut Input<'_>, to: u32, out: &mut Output) {
        let first = input.known;
        let rows: Vec<u32> = (first..to).collect();
        let mut calls = Vec::new();
        let mut found = self.guest.assign(input.times, &input.columns, &rows, &mut calls);
        if let Err(failure) = &found {
            let before = &rows[..failure.row.unwrap_or(0) as usize];
            let error = self.failure(failure.clone(), input.batch, &rows);
            input.failed = Some((first + before.len() as u32, error));
            found = self.guest.assign(input.times, &input.columns, before, &mut calls);
        }
        out.calls(calls);
        input.assigned.append(found.unwrap_or_default(), first);
        input.known = to;
    }

    /// Puts a row into its one window.
    fn add_plainly(&mut self, input: &Input<'_>, row: u32, out: &mut Output) -> Result<()> {
        let id = input.ids[row as usize];
        let (start, end) = (input.assigned.starts[input.next], input.assigned.ends[input.next]);
        let slot = match self.open.find((start, end), id) {
            Some(slot) => slot,
            None if closed(end, self.watermark) => {
                out.late += 1;
                return Ok(());
            }
            None => self.open_window((start, end), id, out, input, row)?.slot,
        };
        self.rows.push(row);
        self.slots.push(slot);
        Ok(())
    }

    fn add_row(
        &mut self,
        input: &Input<'_>,
        row: u32,
        windows: std::ops::Range<usize>,
        out: &mut Output,
    ) -> Result<()> {
        let id = input.ids[row as usize];
        let mut missed = None;
        let mut kept = false;
        for window in windows {
            let (start, end) = (input.assigned.starts[window], input.assigned.ends[window]);
            match self.place(input, id, (start, end), row, out)? {
                Ok(number) => {
                    kept = true;
                    let seq = || input.batch.seqs.at(row as usize);
                    out.note(|| What::WindowAdd { window: number, seq: seq() });
                }
                Err(bounds) => missed = Some(bounds),
            }
        }
        if let (false, Some(bounds)) = (kept, missed) {
            out.late += 1;
            let (row, time) = (row as usize, input.times[row as usize]);
            let key = || self.keys.values(input.batch, row);
            out.note(|| late(input.batch, row, time, self.watermark, bounds, &key()));
        }
        Ok(())
    }

    /// Finds or makes the window of a row; `Err` with its bounds when it has fired.
    #[inline]
    fn place(
        &mut self,
        input: &Input<'_>,
        id: u32,
        (start, end): (i64, i64),
        row: u32,
        out: &mut Output,
    ) -> Result<std::result::Result<u64, (i64, i64)>> {
        let window = if self.merges {
            match self.merged(input, id, (start, end), row, out)? {
                Ok(window) => window,
                Err(bounds) => return Ok(Err(bounds)),
            }
        } else {
            let same = |w: &&Window| (w.start, w.end) == (start, end);
            match self.open.of(id).iter().find(same) {
                Some(window) => *window,
                None if closed(end, self.watermark) => return Ok(Err((start, end))),
                None => self.open_window((start, end), id, out, input, row)?,
            }
        };
        self.rows.push(row);
        self.slots.push(window.slot);
        Ok(Ok(window.number))
    }

    /// The window of a row among those of its key that can become one; it is made, or takes others in.
    fn merged(
        &mut self,
        input: &Input<'_>,
        id: u32,
        (start, end): (i64, i64),
        row: u32,
        out: &mut Output,
    ) -> Result<std::result::Result<Window, (i64, i64)>> {
        let open = self.open.of(id).to_vec();
        let mut group: Vec<Window> = Vec::new();
        if !open.is_empty() {
            // The new window stands behind open ones of the same bounds.
            let at = open.partition_point(|w| (w.start, w.end) <= (start, end));
            let mut all: Vec<(i64, i64)> = open.iter().map(|w| (w.start, w.end)).collect();
            all.insert(at, (start, end));
            let mut calls = Vec::new();
            let groups = self.guest.merge_windows(&all, &mut calls);
            out.calls(calls);
            let groups = groups.map_err(|f| self.failure(f, input.batch, &[row]))?;
            let others = (0..all.len()).filter(|&i| i != at && groups[i] == groups[at]);
            group.extend(others.map(|i| open[i - usize::from(i > at)]));
        }
        let bounds = group.iter().fold((start, end), |(s, e), w| (s.min(w.start), e.max(w.end)));
        if closed(bounds.1, self.watermark) {
            return Ok(Err(bounds));
        }
        match group.first().copied() {
            None => self.open_window(bounds, id, out, input, row).map(Ok),
            Some(first) => self.grow(first, &group, bounds, id, out, input, row).map(Ok),
        }
    }

    #[cold]
    #[inline(never)]
    fn open_window(
        &mut self,
        (start, end): (i64, i64),
        id: u32,
        out: &mut Output,
        input: &Input<'_>,
        row: u32,
    ) -> Result<Window> {
        self.next_window += 1;
        let number = self.next_window;
        out.note(|| {
            let key = key::text(&self.open.key(id));
            What::WindowOpen { window: number, key, start, end }
        });
        let slot = match &self.empty {
            Some(empty) => self.open.slot(empty),
            None => {
                let mut calls = Vec::new();
                let fresh = self.guest.init(1, &mut calls);
                out.calls(calls);
                self.open.slot(&fresh.map_err(|f| self.failure(f, input.batch, &[row]))?)
            }
        };
        let window = Window { start, end, slot, number };
        self.open.insert(id, window);
        Ok(window)
    }

    /// The first window of a group takes the others in and gets the new bounds.
    #[allow(clippy::too_many_arguments, reason = "bounds, group and record all belong to a merge")]
    fn grow(
        &mut self,
        first: Window,
        group: &[Window],
        (start, end): (i64, i64),
        id: u32,
        out: &mut Output,
        input: &Input<'_>,
        row: u32,
    ) -> Result<Window> {
        if group.len() == 1 && (first.start, first.end) == (start, end) {
            return Ok(first);
        }
        if group.len() > 1 {
            self.flush(input, out)?;
            let pairs: Vec<(u32, u32)> = group[1..].iter().map(|w| (first.slot, w.slot)).collect();
            let mut calls = Vec::new();
            let merged = self.guest.merge(&pairs, self.open.slab(), &mut calls);
            out.calls(calls);
            merged.map_err(|f| {
                let only = Failure { row: f.row.map(|_| 0), ..f };
                self.failure(only, input.batch, &[row])
            })?;
            group[1..].iter().for_each(|w| self.open.release(w.slot));
        }
        out.note(|| What::WindowMerge {
            window: first.number,
            merged: group[1..].iter().map(|w| w.number).collect(),
            start,
            end,
        });
        for w in group {
            self.open.remove(id, w.number);
        }
        let window = Window { start, end, ..first };
        self.open.insert(id, window);
        Ok(window)
    }

    /// Brings the accumulators up to date.
    fn flush(&mut self, input: &Input<'_>, out: &mut Output) -> Result<()> {
        let mut calls = Vec::new();
        let done = self.guest.accumulate(
            input.times,
            &input.columns,
            &self.rows,
            &self.slots,
            self.open.slab(),
            &mut calls,
        );
        out.calls(calls);
        let done = done.map_err(|f| self.failure(f, input.batch, &self.rows));
        self.rows.clear();
        self.slots.clear();
        done
    }

    /// Moves the watermark: fires the windows it closes, then passes the steps on.
    fn advance(
        &mut self,
        stair: Stair,
        pending: &mut Vec<Stair>,
        upto: Seq,
        out: &mut Output,
    ) -> Result<()> {
        self.watermark = stair.watermark;
        let fired = self.open.fire(stair.watermark);
        let mut batch = self.results(&fired, stair.seq, out)?;
        fired.iter().for_each(|(_, w)| self.open.release(w.slot));
        batch.stairs = std::mem::take(pending);
        batch.stairs.push(Stair { row: batch.rows as u32, ..stair });
        batch.upto = upto.min(stair.seq.saturating_sub(1));
        out.batches.push(batch);
        Ok(())
    }

    fn results(&mut self, fired: &[(u32, Window)], seq: Seq, out: &mut Output) -> Result<Batch> {
        let windows: Vec<(i64, i64)> = fired.iter().map(|(_, w)| (w.start, w.end)).collect();
        let mut slab = Vec::with_capacity(fired.len() * self.guest.stride() as usize);
        fired.iter().for_each(|(_, w)| slab.extend_from_slice(self.open.accumulator(w.slot)));
        let mut calls = Vec::new();
        let answer = self.guest.result(&windows, &slab, &mut calls);
        out.calls(calls);
        let (slots, results) = answer.map_err(|f| {
            let window = f.row.and_then(|r| windows.get(r as usize)).map_or(String::new(), |w| {
                format!(" (window {} to {})", EventTime(w.0), EventTime(w.1))
            });
            let mut error = row_error(&self.name, seq, f.diagnostic);
            error.message.push_str(&window);
            error
        })?;
        if out.traced() {
            for (i, &(id, Window { start, end, number, .. })) in fired.iter().enumerate() {
                let rows = slots.iter().filter(|&&s| s as usize == i).count() as u32;
                let key = key::text(&self.open.key(id));
                out.note(|| What::WindowFire { window: number, key, start, end, rows });
            }
        }
        let ids: Vec<u32> = slots.iter().map(|&s| fired[s as usize].0).collect();
        let n_keys = self.keys.types.len();
        let mut columns = if n_keys == 0 { Vec::new() } else { self.open.keys().columns(&ids) };
        let bounded = slots.iter().map(|&s| windows[s as usize]);
        columns.extend(bound_columns(bounded, &WindowBound::ALL, (&self.output, n_keys)));
        columns.extend(results);
        Ok(Batch::new(Arc::clone(&self.output), columns, seqs(seq, slots.len())))
    }

    /// A guest's failure as the job's error: operator and record named.
    fn failure(&self, failure: Failure, batch: &Batch, rows: &[u32]) -> Error {
        let row = failure.row.and_then(|r| rows.get(r as usize)).or(rows.first());
        let seq = row.map_or(0, |&r| batch.seqs.at(r as usize));
        row_error(&self.name, seq, failure.diagnostic)
    }
}

impl Operator for GuestWindow {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        // A row without event time is in no window.
        let batch = batch.having(self.time);
        self.guest.trace(out.traced());
        let mut ids = Vec::new();
        self.open.intern(&self.keys, &batch, &mut ids);
        let mut input = Input {
            batch: &batch,
            times: millis(&batch.columns[self.time]),
            columns: self.columns.iter().map(|&c| Arc::clone(&batch.columns[c])).collect(),
            ids,
            assigned: Assigned::default(),
            known: 0,
            next: 0,
            failed: None,
        };
        // Steps that close nothing wait here for the next batch that leaves.
        let (mut from, mut pending) = (0, Vec::<Stair>::new());
        for stair in &batch.stairs {
            self.add(&mut input, from, stair.row, out)?;
            from = stair.row;
            if !self.open.closes(stair.watermark) && !out.traced() {
                self.watermark = stair.watermark;
                pending.push(Stair { row: 0, ..*stair });
                continue;
            }
            self.flush(&input, out)?;
            self.advance(*stair, &mut pending, batch.upto, out)?;
        }
        self.add(&mut input, from, batch.rows as u32, out)?;
        self.flush(&input, out)?;
        self.open.sweep();
        out.end(&self.output, pending, batch.upto);
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.encode().into()
    }

    fn empty(&mut self) {
        (self.watermark, self.next_window) = (EventTime::MIN, 0);
        self.open = OpenWindows::new(&self.keys, self.order, self.guest.stride() as usize);
        self.rows.clear();
        self.slots.clear();
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        if seeded("guest-windows-forgotten") {
            return Ok(());
        }
        match self.decode(bytes, own)? {
            true => Ok(()),
            false => Err(wrong_state(&self.name)),
        }
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
