//! A guest's window: the guest assigns, merges, accumulates and answers; the engine keeps the state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use rkyv::{Archive, Deserialize, Serialize};

use super::{Fired, WindowBound, bound_columns, closed, late, seqs};
use crate::batch::{Batch, Seq, Stair};
use crate::column::{from_values, millis};
use crate::error::Result;
use crate::key::{self, KeyColumns};
use crate::operator::{Operator, Output, row_error, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::Pieces;
use crate::snapshot::{Cell, cells, values};
use crate::time::EventTime;
use crate::trace::What;
use crate::udf::{Call, Failure, Guest};
use crate::value::Value;
use crate::{archive, unarchive};

/// Windows of a guest, per key. Accumulators live in a slab of the engine's, a slot a window.
#[derive(Clone)]
pub struct GuestWindow {
    name: String,
    guest: Guest,
    columns: Vec<usize>,
    time: usize,
    keys: KeyColumns,
    output: SchemaRef,
    slab: Vec<u8>,
    free: Vec<u32>,
    /// Rows of the batch at hand that are not in their accumulators yet, and their slots.
    rows: Vec<u32>,
    slots: Vec<u32>,
    watermark: EventTime,
    /// Open windows by encoded key, each key's by start, then end.
    open: BTreeMap<Vec<u8>, KeyState>,
    /// End, key and start of every open window: what fires next.
    timers: BTreeSet<(i64, Vec<u8>, i64)>,
    next_window: u64,
}

#[derive(Clone)]
struct KeyState {
    values: Vec<Value>,
    windows: Vec<Window>,
}

#[derive(Clone, Copy)]
struct Window {
    start: i64,
    end: i64,
    slot: u32,
    number: u64,
}

#[derive(Archive, Serialize, Deserialize)]
struct State {
    identity: [u8; 32],
    watermark: i64,
    next_window: u64,
    windows: Vec<WindowState>,
}

#[derive(Archive, Serialize, Deserialize)]
struct WindowState {
    key: Vec<Cell>,
    start: i64,
    end: i64,
    number: u64,
    accumulator: Vec<u8>,
}

/// The columns of a batch as the guest reads them.
struct Input<'a> {
    batch: &'a Batch,
    times: &'a [i64],
    columns: Vec<ArrayRef>,
}

impl GuestWindow {
    /// The windows of `guest` over `columns` of the input, by event time and keys.
    pub fn new(
        name: &str,
        guest: Guest,
        columns: Vec<usize>,
        time: usize,
        keys: &[usize],
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> GuestWindow {
        GuestWindow {
            name: name.to_owned(),
            guest,
            columns,
            time,
            keys: KeyColumns::new(input, keys),
            output: Arc::clone(output),
            slab: Vec::new(),
            free: Vec::new(),
            rows: Vec::new(),
            slots: Vec::new(),
            watermark: EventTime::MIN,
            open: BTreeMap::new(),
            timers: BTreeSet::new(),
            next_window: 0,
        }
    }

    /// Puts rows `from..to` into their windows, all under one watermark.
    fn add(&mut self, input: &Input, from: u32, to: u32, out: &mut Output) -> Result<()> {
        let times = &input.batch.columns[self.time];
        let rows: Vec<u32> = (from..to).filter(|&r| times.is_valid(r as usize)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let mut calls = Vec::new();
        let assigned = self.guest.assign(input.times, &input.columns, &rows, &mut calls);
        note_calls(calls, out);
        let assigned = assigned.map_err(|f| self.failure(f, input.batch, &rows))?;
        let mut next = assigned.into_iter().peekable();
        for (i, &row) in rows.iter().enumerate() {
            let mut windows = Vec::new();
            while let Some((_, start, end)) = next.next_if(|(r, ..)| *r as usize == i) {
                windows.push((start, end));
            }
            self.add_row(input, row, &windows, out)?;
        }
        self.flush(input, out)
    }

    fn add_row(
        &mut self,
        input: &Input,
        row: u32,
        windows: &[(i64, i64)],
        out: &mut Output,
    ) -> Result<()> {
        let key = self.keys.values(input.batch, row as usize);
        let encoded = key::encode(&key);
        let mut missed = None;
        let mut kept = false;
        for &window in windows {
            match self.place(input, &encoded, &key, window, row, out)? {
                Ok(number) => {
                    kept = true;
                    let seq = input.batch.seqs.at(row as usize);
                    out.note(|| What::WindowAdd { window: number, seq });
                }
                Err(bounds) => missed = Some(bounds),
            }
        }
        if let (false, Some(bounds)) = (kept, missed) {
            out.late += 1;
            let (row, time) = (row as usize, input.times[row as usize]);
            out.note(|| late(input.batch, row, time, self.watermark, bounds, &key));
        }
        Ok(())
    }

    /// Finds or makes the window of a row; `Err` with its bounds when it has fired.
    fn place(
        &mut self,
        input: &Input,
        encoded: &[u8],
        key: &[Value],
        (start, end): (i64, i64),
        row: u32,
        out: &mut Output,
    ) -> Result<std::result::Result<u64, (i64, i64)>> {
        let open: Vec<Window> = self.open.get(encoded).map_or(Vec::new(), |k| k.windows.clone());
        let mut group: Vec<Window> = Vec::new();
        if !self.guest.merges() {
            group.extend(open.iter().filter(|w| (w.start, w.end) == (start, end)));
        } else if !open.is_empty() {
            // The new window stands behind open ones of the same bounds.
            let at = open.partition_point(|w| (w.start, w.end) <= (start, end));
            let mut all: Vec<(i64, i64)> = open.iter().map(|w| (w.start, w.end)).collect();
            all.insert(at, (start, end));
            let mut calls = Vec::new();
            let groups = self.guest.merge_windows(&all, &mut calls);
            note_calls(calls, out);
            let groups = groups.map_err(|f| self.failure(f, input.batch, &[row]))?;
            let others = (0..all.len()).filter(|&i| i != at && groups[i] == groups[at]);
            group.extend(others.map(|i| open[i - usize::from(i > at)]));
        }
        let bounds = group.iter().fold((start, end), |(s, e), w| (s.min(w.start), e.max(w.end)));
        if closed(bounds.1, self.watermark) {
            return Ok(Err(bounds));
        }
        let window = match group.first().copied() {
            None => self.open_window(bounds, key, out, input, row)?,
            Some(first) => self.grow(first, &group, bounds, encoded, out, input, row)?,
        };
        let state = self
            .open
            .entry(encoded.to_vec())
            .or_insert_with(|| KeyState { values: key.to_vec(), windows: Vec::new() });
        state.windows.retain(|w| group.iter().all(|g| g.number != w.number));
        let at = state.windows.partition_point(|w| (w.start, w.end) <= bounds);
        state.windows.insert(at, window);
        self.timers.insert((bounds.1, encoded.to_vec(), bounds.0));
        self.rows.push(row);
        self.slots.push(window.slot);
        Ok(Ok(window.number))
    }

    fn open_window(
        &mut self,
        (start, end): (i64, i64),
        key: &[Value],
        out: &mut Output,
        input: &Input,
        row: u32,
    ) -> Result<Window> {
        self.next_window += 1;
        let number = self.next_window;
        out.note(|| What::WindowOpen { window: number, key: key::text(key), start, end });
        let mut calls = Vec::new();
        let fresh = self.guest.init(1, &mut calls);
        note_calls(calls, out);
        let fresh = fresh.map_err(|f| self.failure(f, input.batch, &[row]))?;
        let stride = self.guest.stride() as usize;
        let slot = self.free.pop().unwrap_or_else(|| {
            let slots = self.slab.len().checked_div(stride).unwrap_or(0);
            self.slab.resize(self.slab.len() + stride, 0);
            slots as u32
        });
        self.slab[slot as usize * stride..][..stride].copy_from_slice(&fresh);
        Ok(Window { start, end, slot, number })
    }

    /// The first window of a group takes the others in and gets the new bounds.
    #[allow(clippy::too_many_arguments, reason = "bounds, group and record all belong to a merge")]
    fn grow(
        &mut self,
        first: Window,
        group: &[Window],
        (start, end): (i64, i64),
        encoded: &[u8],
        out: &mut Output,
        input: &Input,
        row: u32,
    ) -> Result<Window> {
        for w in group {
            self.timers.remove(&(w.end, encoded.to_vec(), w.start));
        }
        if group.len() > 1 {
            self.flush(input, out)?;
            let pairs: Vec<(u32, u32)> = group[1..].iter().map(|w| (first.slot, w.slot)).collect();
            let mut calls = Vec::new();
            let merged = self.guest.merge(&pairs, &mut self.slab, &mut calls);
            note_calls(calls, out);
            merged.map_err(|f| {
                let only = Failure { row: f.row.map(|_| 0), ..f };
                self.failure(only, input.batch, &[row])
            })?;
            self.free.extend(group[1..].iter().map(|w| w.slot));
        }
        if group.len() > 1 || (first.start, first.end) != (start, end) {
            out.note(|| What::WindowMerge {
                window: first.number,
                merged: group[1..].iter().map(|w| w.number).collect(),
                start,
                end,
            });
        }
        Ok(Window { start, end, ..first })
    }

    /// Brings the accumulators up to date.
    fn flush(&mut self, input: &Input, out: &mut Output) -> Result<()> {
        let (rows, slots) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.slots));
        let mut calls = Vec::new();
        let done = self.guest.accumulate(
            input.times,
            &input.columns,
            &rows,
            &slots,
            &mut self.slab,
            &mut calls,
        );
        note_calls(calls, out);
        done.map_err(|f| self.failure(f, input.batch, &rows))
    }

    /// Moves the watermark: fires the windows it closes, then passes the step on.
    fn advance(&mut self, stair: Stair, upto: Seq, out: &mut Output) -> Result<()> {
        self.watermark = stair.watermark;
        let mut fired: Vec<(Fired, Window)> = Vec::new();
        while let Some((end, encoded, start)) = self.timers.first().cloned() {
            if !closed(end, stair.watermark) {
                break;
            }
            self.timers.pop_first();
            let state = self.open.get_mut(&encoded).expect("a timer has its window");
            let at = state.windows.iter().position(|w| (w.start, w.end) == (start, end));
            let window = state.windows.remove(at.expect("a timer has its window"));
            let key = state.values.clone();
            if state.windows.is_empty() {
                self.open.remove(&encoded);
            }
            fired.push((Fired { group: key::group_of(&key), key, start, end }, window));
        }
        fired.sort_by(|(a, _), (b, _)| a.order(b));
        let mut batch = self.results(&fired, stair.seq, out)?;
        self.free.extend(fired.iter().map(|(_, w)| w.slot));
        batch.stairs = vec![Stair { row: batch.rows as u32, ..stair }];
        batch.upto = upto.min(stair.seq.saturating_sub(1));
        out.batches.push(batch);
        Ok(())
    }

    fn results(&mut self, fired: &[(Fired, Window)], seq: Seq, out: &mut Output) -> Result<Batch> {
        let stride = self.guest.stride() as usize;
        let windows: Vec<(i64, i64)> = fired.iter().map(|(f, _)| (f.start, f.end)).collect();
        let slab: Vec<u8> = fired
            .iter()
            .flat_map(|(_, w)| &self.slab[w.slot as usize * stride..][..stride])
            .copied()
            .collect();
        let mut calls = Vec::new();
        let answer = self.guest.result(&windows, &slab, &mut calls);
        note_calls(calls, out);
        let (slots, results) = answer.map_err(|f| {
            let window = f.row.and_then(|r| windows.get(r as usize)).map_or(String::new(), |w| {
                format!(" (window {} to {})", EventTime(w.0), EventTime(w.1))
            });
            let mut error = row_error(&self.name, seq, f.diagnostic);
            error.message.push_str(&window);
            error
        })?;
        for (i, (f, w)) in fired.iter().enumerate() {
            let rows = slots.iter().filter(|&&s| s as usize == i).count() as u32;
            let (start, end) = (f.start, f.end);
            out.note(|| What::WindowFire {
                window: w.number,
                key: key::text(&f.key),
                start,
                end,
                rows,
            });
        }
        let mut columns: Vec<ArrayRef> = self
            .keys
            .types
            .iter()
            .enumerate()
            .map(|(c, &t)| {
                let column: Vec<Value> =
                    slots.iter().map(|&s| fired[s as usize].0.key[c].clone()).collect();
                from_values(&column, t)
            })
            .collect();
        let bounded = slots.iter().map(|&s| windows[s as usize]);
        let keys = self.keys.types.len();
        columns.extend(bound_columns(bounded, &WindowBound::ALL, (&self.output, keys)));
        columns.extend(results);
        Ok(Batch::new(Arc::clone(&self.output), columns, seqs(seq, slots.len())))
    }

    /// A guest's failure as the job's error: operator and record named.
    fn failure(&self, failure: Failure, batch: &Batch, rows: &[u32]) -> crate::error::Error {
        let row = failure.row.and_then(|r| rows.get(r as usize)).or(rows.first());
        let seq = row.map_or(0, |&r| batch.seqs.at(r as usize));
        row_error(&self.name, seq, failure.diagnostic)
    }
}

/// Puts a guest's calls on the trace.
pub(crate) fn note_calls(calls: Vec<Call>, out: &mut Output) {
    for call in calls {
        out.fuel += call.fuel;
        let (rows, fuel, pages) = (call.rows, call.fuel, call.pages);
        out.note(|| What::GuestCall { export: call.export.clone(), rows, fuel, pages });
        for line in call.log {
            out.note(|| What::GuestLog { level: line.level, text: line.text.clone() });
        }
    }
}

impl Operator for GuestWindow {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let input = Input {
            batch: &batch,
            times: millis(&batch.columns[self.time]),
            columns: self.columns.iter().map(|&c| Arc::clone(&batch.columns[c])).collect(),
        };
        let mut from = 0;
        for stair in &batch.stairs {
            self.add(&input, from, stair.row, out)?;
            from = stair.row;
            self.advance(*stair, batch.upto, out)?;
        }
        self.add(&input, from, batch.rows as u32, out)?;
        out.end(&self.output, Vec::new(), batch.upto);
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        let stride = self.guest.stride() as usize;
        let windows = self
            .open
            .values()
            .flat_map(|k| k.windows.iter().map(move |w| (k, w)))
            .map(|(k, w)| WindowState {
                key: cells(&k.values),
                start: w.start,
                end: w.end,
                number: w.number,
                accumulator: self.slab[w.slot as usize * stride..][..stride].to_vec(),
            })
            .collect();
        archive!(&State {
            identity: self.guest.module().identity(),
            watermark: self.watermark.0,
            next_window: self.next_window,
            windows,
        })
        .into()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let state = unarchive!(State, bytes)?;
        let stride = self.guest.stride() as usize;
        let foreign = state.windows.iter().any(|w| w.accumulator.len() != stride);
        if foreign || state.identity != self.guest.module().identity() {
            return Err(wrong_state(&self.name));
        }
        self.watermark = EventTime(state.watermark);
        self.next_window = state.next_window;
        self.slab.clear();
        self.free.clear();
        self.open.clear();
        self.timers.clear();
        for (slot, saved) in state.windows.into_iter().enumerate() {
            self.slab.extend_from_slice(&saved.accumulator);
            let values = values(&saved.key);
            let encoded = key::encode(&values);
            let (start, end, number) = (saved.start, saved.end, saved.number);
            self.timers.insert((end, encoded.clone(), start));
            let state =
                self.open.entry(encoded).or_insert(KeyState { values, windows: Vec::new() });
            state.windows.push(Window { start, end, slot: slot as u32, number });
        }
        Ok(())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
