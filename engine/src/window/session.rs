//! Session aggregation: windows of a key that grow and merge while records stay within the gap.

mod state;

use std::sync::Arc;

use super::timers::{Timer, Timers};
use super::{WindowBound, bound_columns, closed, late};
use crate::aggregate::{AggregateCall, AggregateSet};
use crate::batch::{Batch, Seq, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::key::{self, KeyColumns, KeyGroups, KeyOrder, KeyTable};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::seeded::seeded;
use crate::snapshot::bytes::Pieces;
use crate::time::EventTime;
use crate::trace::What;

/// Aggregates per key and session. Two records exactly the gap apart are one session, as in Flink.
///
/// A record is late when the session it would make, after merging with what is open, has fired.
#[derive(Clone)]
pub struct SessionAggregate {
    name: String,
    gap: i64,
    time: usize,
    columns: KeyColumns,
    bounds: Vec<WindowBound>,
    output: SchemaRef,
    aggregates: AggregateSet,
    /// Slots of `aggregates` that no session uses. Slot 0 is for late records.
    free: Vec<u32>,
    watermark: EventTime,
    keys: KeyTable,
    /// Open sessions by key number.
    open: Vec<Sessions>,
    timers: Timers,
    /// The trace's number of each slot's window.
    windows: Vec<u64>,
    next_window: u64,
    ids: Vec<u32>,
    slots: Vec<u32>,
    /// Sessions that fired since the last batch left.
    fired: Vec<Fired>,
}

/// The open sessions of one key in order of start: mostly one, two while records are out of order. One line
/// of the cache a key.
#[derive(Clone, Default)]
#[repr(align(64))]
struct Sessions {
    few: [Session; 2],
    count: u32,
    /// All of them, when they are more than two.
    #[allow(clippy::box_collection, reason = "one word, so that a key is one line of the cache")]
    many: Option<Box<Vec<Session>>>,
}

#[derive(Clone, Copy, Default)]
struct Session {
    start: i64,
    end: i64,
    slot: u32,
}

#[derive(Clone, Copy)]
struct Fired {
    seq: Seq,
    key: u32,
    session: Session,
}

impl Sessions {
    fn all(&self) -> &[Session] {
        match &self.many {
            Some(many) => many,
            None => &self.few[..self.count as usize],
        }
    }

    fn all_mut(&mut self) -> &mut [Session] {
        match &mut self.many {
            Some(many) => many,
            None => &mut self.few[..self.count as usize],
        }
    }

    /// Puts one session, or none, in the place of `count` from position `first` on.
    fn splice(&mut self, first: usize, count: usize, by: Option<Session>) {
        let (new, before) = (usize::from(by.is_some()), self.count as usize);
        let after = before - count + new;
        self.count = after as u32;
        if before <= 2 && after <= 2 {
            let old = self.few;
            for i in first..after {
                self.few[i] = by.filter(|_| i == first).unwrap_or_else(|| old[i - new + count]);
            }
            return;
        }
        let mut many = self.many.take().unwrap_or_else(|| Box::new(self.few[..before].to_vec()));
        many.splice(first..first + count, by);
        if after <= 2 {
            self.few[..after].copy_from_slice(&many);
        } else {
            self.many = Some(many);
        }
    }
}

impl SessionAggregate {
    /// Sessions with a gap of `gap` ms over the column `time` of `input`; `order` is that of the rows of
    /// one moment.
    pub fn new(
        name: &str,
        gap: i64,
        time: usize,
        (keys, order): (&[usize], KeyOrder),
        (bounds, calls): (&[WindowBound], &[AggregateCall]),
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> SessionAggregate {
        assert!(gap > 0, "a session has a gap");
        let columns = KeyColumns::new(input, keys);
        let mut made = SessionAggregate {
            name: name.to_owned(),
            gap,
            time,
            keys: KeyTable::new(&columns.types, order),
            columns,
            bounds: bounds.to_vec(),
            output: Arc::clone(output),
            aggregates: AggregateSet::new(calls, input),
            free: Vec::new(),
            watermark: EventTime::MIN,
            open: Vec::new(),
            timers: Timers::new(gap),
            windows: Vec::new(),
            next_window: 0,
            ids: Vec::new(),
            slots: Vec::new(),
            fired: Vec::new(),
        };
        made.empty();
        made
    }

    fn new_slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let slot = self.aggregates.slots();
            self.aggregates.grow(slot + 1);
            self.windows.push(0);
            slot as u32
        })
    }

    /// Finds where a record belongs; a single session it belongs to grows at once.
    #[inline]
    fn place(&mut self, id: u32, time: i64) -> Placed {
        let short = i64::from(seeded("a-gap-a-moment-too-short"));
        let (start, end) = (time, time.saturating_add(self.gap - short));
        let sessions = &mut self.open[id as usize];
        // Sessions that overlap or touch the record's own become one with it.
        let all = sessions.all_mut();
        let mut first = 0;
        while first < all.len() && all[first].end < start {
            first += 1;
        }
        let mut count = 0;
        while first + count < all.len() && all[first + count].start <= end {
            count += 1;
        }
        match count {
            0 if closed(end, self.watermark) => Placed::Late(start, end),
            0 => Placed::New(first, start, end),
            1 => {
                let session = &mut all[first];
                let before = (session.start, session.end);
                (session.start, session.end) = (start.min(before.0), end.max(before.1));
                Placed::In(*session, before != (session.start, session.end))
            }
            _ => Placed::Bridge(first, count, start, end),
        }
    }

    /// A new session.
    fn begin(
        &mut self,
        id: u32,
        first: usize,
        (start, end): (i64, i64),
        out: &mut Output,
    ) -> Session {
        let session = Session { start, end, slot: self.new_slot() };
        self.open[id as usize].splice(first, 0, Some(session));
        self.timers.set(Timer { end, key: id, slot: session.slot });
        if out.traced() {
            self.next_window += 1;
            let (window, key) = (self.next_window, key::text(&self.keys.key(id)));
            self.windows[session.slot as usize] = window;
            out.note(|| What::WindowOpen { window, key, start, end });
        }
        session
    }

    /// One session out of several that a record joins; all rows before it are in their accumulators.
    fn bridge(
        &mut self,
        id: u32,
        (first, count): (usize, usize),
        (start, end): (i64, i64),
        out: &mut Output,
    ) -> Session {
        let merged = self.open[id as usize].all()[first..first + count].to_vec();
        let (into, last) = (merged[0], merged[count - 1]);
        let session = Session { start: start.min(into.start), end: end.max(last.end), ..into };
        for gone in &merged[1..] {
            self.aggregates.merge(&[(into.slot, gone.slot)]);
            self.aggregates.clear(gone.slot, gone.slot + 1);
            self.free.push(gone.slot);
        }
        self.open[id as usize].splice(first, count, Some(session));
        self.tell_merge(session, &merged[1..], out);
        session
    }

    fn tell_merge(&self, session: Session, gone: &[Session], out: &mut Output) {
        out.note(|| What::WindowMerge {
            window: self.windows[session.slot as usize],
            merged: gone.iter().map(|s| self.windows[s.slot as usize]).collect(),
            start: session.start,
            end: session.end,
        });
    }

    /// Finds the slot of every row, firing sessions as the watermark moves between rows.
    fn take_in(&mut self, batch: &Batch, out: &mut Output) -> Vec<Stair> {
        let times = millis(&batch.columns[self.time]);
        let traced = out.traced();
        let (mut stairs, mut steps) = (Vec::with_capacity(batch.stairs.len()), batch.stairs.iter());
        let mut step = steps.next();
        let mut flushed = 0;
        self.slots.clear();
        for (row, &time) in times.iter().enumerate() {
            while let Some(s) = step.filter(|s| s.row as usize <= row) {
                self.advance(*s, &mut stairs, out);
                step = steps.next();
            }
            let id = self.ids[row];
            let slot = match self.place(id, time) {
                Placed::In(session, grown) => {
                    if grown && traced {
                        self.tell_merge(session, &[], out);
                    }
                    session.slot
                }
                Placed::New(first, start, end) => self.begin(id, first, (start, end), out).slot,
                Placed::Bridge(first, count, start, end) => {
                    let slots = &self.slots[flushed..];
                    self.aggregates.update(slots, flushed, batch);
                    flushed = row;
                    self.bridge(id, (first, count), (start, end), out).slot
                }
                Placed::Late(start, end) => {
                    out.late += 1;
                    let key = || self.columns.values(batch, row);
                    out.note(|| late(batch, row, time, self.watermark, (start, end), &key()));
                    0
                }
            };
            if traced && slot > 0 {
                let window = self.windows[slot as usize];
                out.note(|| What::WindowAdd { window, seq: batch.seqs.at(row) });
            }
            self.slots.push(slot);
        }
        self.aggregates.update(&self.slots[flushed..], flushed, batch);
        step.into_iter().chain(steps).for_each(|s| self.advance(*s, &mut stairs, out));
        stairs
    }

    /// Moves the watermark: takes out the sessions it closes. Their accumulators stay until the batch
    /// leaves.
    #[inline]
    fn advance(&mut self, stair: Stair, stairs: &mut Vec<Stair>, out: &mut Output) {
        self.watermark = stair.watermark;
        let from = self.fired.len();
        // A window fires at its end minus 1 ms; the last one there can be, at the end of time.
        let until = stair.watermark.0.saturating_add(1);
        while let Some(timer) = self.timers.due(until) {
            self.ring(timer, stair);
        }
        if self.fired.len() > from + 1 {
            let list = &mut self.fired[from..];
            list.sort_by_key(|f| f.session.start);
            self.keys.sort_by_key(list, |f| f.key);
        }
        for f in if out.traced() { &self.fired[from..] } else { &[] } {
            let (window, key) = (self.windows[f.session.slot as usize], self.keys.key(f.key));
            let (start, end) = (f.session.start, f.session.end);
            out.note(|| What::WindowFire { window, key: key::text(&key), start, end, rows: 1 });
        }
        stairs.push(Stair { row: self.fired.len() as u32, ..stair });
    }

    /// A timer's moment has come: its session fires, or has grown, or is part of another by now.
    fn ring(&mut self, timer: Timer, stair: Stair) {
        let sessions = &mut self.open[timer.key as usize];
        let Some(at) = sessions.all().iter().position(|s| s.slot == timer.slot) else { return };
        let session = sessions.all()[at];
        if closed(session.end, stair.watermark) {
            sessions.splice(at, 1, None);
            self.fired.push(Fired { seq: stair.seq, key: timer.key, session });
        } else if timer.end < session.end {
            self.timers.set(Timer { end: session.end, ..timer });
        }
    }

    /// The rows of the sessions that have fired; their slots and keys are free after that.
    fn rows(&mut self) -> Batch {
        let fired = std::mem::take(&mut self.fired);
        let ids: Vec<u32> = fired.iter().map(|f| f.key).collect();
        let slots: Vec<u32> = fired.iter().map(|f| f.session.slot).collect();
        let n_keys = self.columns.types.len();
        let mut columns = if n_keys == 0 { Vec::new() } else { self.keys.columns(&ids) };
        let windows = fired.iter().map(|f| (f.session.start, f.session.end));
        columns.extend(bound_columns(windows, &self.bounds, (&self.output, n_keys)));
        columns.extend(self.aggregates.results(&slots));
        let seqs = fired.iter().map(|f| f.seq).collect();
        for f in &fired {
            self.aggregates.clear(f.session.slot, f.session.slot + 1);
            self.free.push(f.session.slot);
        }
        self.fired = fired;
        self.fired.clear();
        Batch::new(Arc::clone(&self.output), columns, seqs)
    }
}

/// Where a record belongs.
enum Placed {
    /// In an open session; whether that has grown.
    In(Session, bool),
    /// In a new one, at this position among the key's.
    New(usize, i64, i64),
    /// In several that become one: the first, how many.
    Bridge(usize, usize, i64, i64),
    /// In one that has fired.
    Late(i64, i64),
}

impl Operator for SessionAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        // A row without event time is in no session.
        let batch = batch.having(self.time);
        self.keys.intern(&self.columns, &batch, (0, batch.rows), &mut self.ids);
        self.open.resize_with(self.keys.numbers(), Sessions::default);
        let stairs = self.take_in(&batch, out);
        if self.fired.is_empty() {
            out.end(&self.output, stairs, batch.upto);
        } else {
            let rows = self.rows();
            out.batches.push(Batch { stairs, upto: batch.upto, ..rows });
        }
        // Keys without a session: late records leave such behind, and sessions that have fired.
        let open = self.open.iter();
        self.keys.sweep(|live| open.zip(live).for_each(|(s, live)| *live = s.count > 0));
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.encode().into()
    }

    fn empty(&mut self) {
        (self.watermark, self.next_window) = (EventTime::MIN, 0);
        self.fired.clear();
        self.keys = KeyTable::new(&self.columns.types, self.keys.order());
        self.open.clear();
        self.timers = Timers::new(self.gap);
        self.aggregates.clear(0, self.aggregates.slots() as u32);
        self.aggregates.grow(1);
        self.aggregates.occupy(1);
        self.windows.resize(self.aggregates.slots(), 0);
        self.free = (1..self.aggregates.slots() as u32).rev().collect();
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
