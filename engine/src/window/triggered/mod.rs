//! Windows with a trigger of their own: early and late panes, allowed lateness, panes that add up, repeat or
//! take back what was said before.

mod fire;
mod open;
mod state;

use std::collections::BTreeSet;
use std::sync::Arc;

use self::fire::Fired;
use self::open::{NONE, Open, windows_of};
use super::emission::Emission;
use super::trigger::{Machine, Moment};
use super::{WindowBound, WindowSpec, late};
use crate::aggregate::{AggregateCall, AggregateSet};
use crate::batch::{Batch, NO_CLOCK, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::key::{self, KeyColumns, KeyGroups, KeyOrder, KeyTable, Places};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::Pieces;
use crate::time::EventTime;
use crate::trace::What;

/// Aggregates per key and window, of any kind, and fires as an [`Emission`] says.
///
/// A record is late for a window once the watermark has passed the window's end and the time allowed after
/// it, or once the window's trigger has fired for the last time; it is left out when it is late for all of its
/// windows. Sessions merge before that is asked. Slots of its aggregates belong to windows, to
/// panes that may be taken back, and to panes under way to the output.
#[derive(Clone)]
pub struct TriggeredAggregate {
    name: String,
    spec: WindowSpec,
    emission: Emission,
    machine: Machine,
    time: usize,
    columns: KeyColumns,
    bounds: Vec<WindowBound>,
    output: SchemaRef,
    aggregates: AggregateSet,
    free: Vec<u32>,
    keys: KeyTable,
    /// Open windows by key number, by start, then end.
    open: Vec<Vec<Open>>,
    watermark: EventTime,
    clock: i64,
    /// When the watermark passes the ends of windows, and when they take nothing more; which windows wait for
    /// processing time. Key numbers, and bounds, of windows that may be gone.
    ends: BTreeSet<(i64, At)>,
    leaves: BTreeSet<(i64, At)>,
    deadlines: BTreeSet<(i64, At)>,
    /// Windows to ask at the next tick.
    asked: Vec<At>,
    next_window: u64,
    ids: Vec<u32>,
    /// Rows of the batch at hand that wait to be taken into a slot.
    waiting: (Vec<u32>, Vec<u32>),
    fired: Vec<Fired>,
    /// Rows of the batch at hand that are late.
    left_out: Vec<u32>,
    /// A record and the step it makes fire windows at one place in the stream: they leave by key group.
    places: Places,
    made: KeyColumns,
    /// Slots that are free once the output has left.
    spent: Vec<u32>,
}

/// A window: key number, start, end.
type At = (u32, i64, i64);

impl TriggeredAggregate {
    /// Windows of `spec` over the column `time` of `input`; `order` is that of the rows of one moment.
    pub fn new(
        name: &str,
        (spec, emission): (WindowSpec, &Emission),
        time: usize,
        (keys, order): (&[usize], KeyOrder),
        (bounds, calls): (&[WindowBound], &[AggregateCall]),
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> TriggeredAggregate {
        let columns = KeyColumns::new(input, keys);
        TriggeredAggregate {
            name: name.to_owned(),
            spec,
            machine: Machine::new(&emission.trigger),
            emission: emission.clone(),
            time,
            keys: KeyTable::new(&columns.types, order),
            columns,
            bounds: bounds.to_vec(),
            output: Arc::clone(output),
            aggregates: AggregateSet::new(calls, input),
            free: Vec::new(),
            open: Vec::new(),
            watermark: EventTime::MIN,
            clock: NO_CLOCK,
            ends: BTreeSet::new(),
            leaves: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            asked: Vec::new(),
            next_window: 0,
            ids: Vec::new(),
            waiting: (Vec::new(), Vec::new()),
            fired: Vec::new(),
            left_out: Vec::new(),
            places: Places::default(),
            made: KeyColumns::new(output, &(0..keys.len()).collect::<Vec<_>>()),
            spent: Vec::new(),
        }
    }

    fn new_slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let slot = self.aggregates.slots();
            self.aggregates.grow(slot + 1);
            slot as u32
        })
    }

    /// Whether a window takes nothing more.
    fn gone(&self, end: i64) -> bool {
        end.saturating_sub(1).saturating_add(self.emission.lateness) <= self.watermark.0
    }

    fn moment(&self, end: i64) -> Moment {
        Moment { clock: self.clock, past_end: super::closed(end, self.watermark) }
    }

    /// Takes in the rows that wait.
    fn flush(&mut self, batch: &Batch) {
        let (rows, slots) = &self.waiting;
        let Some((&first, &last)) = rows.first().zip(rows.last()) else { return };
        let whole = (last - first) as usize + 1 == rows.len() && rows.is_sorted_by(|a, b| a < b);
        match whole {
            true => self.aggregates.update(slots, first as usize, batch),
            false => self.aggregates.update(slots, 0, &batch.gather(rows)),
        }
        self.waiting.0.clear();
        self.waiting.1.clear();
    }

    /// Finds the windows of every row, firing as records come, time passes and the watermark moves.
    fn take_in(&mut self, batch: &Batch, out: &mut Output) -> Vec<Stair> {
        let mut stairs = Vec::with_capacity(batch.stairs.len());
        let mut steps = batch.stairs.iter().peekable();
        let mut windows = Vec::new();
        for row in 0..batch.rows {
            while let Some(step) = steps.next_if(|s| s.row as usize <= row) {
                self.flush(batch);
                self.step(*step, &mut stairs, out);
            }
            windows_of(&self.spec, self.time, batch, row, &mut windows);
            let time = millis(&batch.columns[self.time])[row];
            let behind = time.saturating_add(self.emission.lateness) < self.watermark.0;
            let mut taken = false;
            if !(behind && self.emission.by_record) {
                for &window in &windows {
                    taken |= self.element(batch, row, window, out);
                }
            }
            if !taken {
                out.late += 1;
                self.left_out.push(row as u32);
                let window = windows.last().copied().unwrap_or_default();
                let key = || self.columns.values(batch, row);
                out.note(|| late(batch, row, time, self.watermark, window, &key()));
            }
        }
        self.flush(batch);
        for step in steps {
            self.step(*step, &mut stairs, out);
        }
        stairs
    }

    /// A record of a window; whether the window takes it.
    fn element(&mut self, batch: &Batch, row: usize, window: (i64, i64), out: &mut Output) -> bool {
        let id = self.ids[row];
        let session = matches!(self.spec, WindowSpec::Session { .. });
        let found = match session {
            true => self.session(id, window, batch, out),
            false => self.window(id, window, out),
        };
        let Some(at) = found else { return false };
        let moment = self.moment(self.open[id as usize][at].end);
        if self.machine.finished(&self.open[id as usize][at].states) {
            return false;
        }
        if self.open[id as usize][at].slot == NONE {
            self.open[id as usize][at].slot = self.new_slot();
        }
        let open = &mut self.open[id as usize][at];
        open.fresh += 1;
        self.waiting.0.push(row as u32);
        self.waiting.1.push(open.slot);
        self.machine.element(&mut open.states, moment);
        let key = (id, open.start, open.end);
        let number = open.number;
        if let Some(deadline) = self.machine.deadline(&open.states) {
            self.deadlines.insert((deadline, key));
        }
        if self.emission.by_tick && !open.asked {
            open.asked = true;
            self.asked.push(key);
        }
        let fires = !self.emission.by_tick && self.machine.fires(&open.states, moment);
        out.note(|| What::WindowAdd { window: number, seq: batch.seqs.at(row) });
        if fires {
            self.flush(batch);
            self.fire(id, at, batch.seqs.at(row), out);
        }
        true
    }

    /// The open window with these bounds, a new one where there is none and it is not too late for it.
    fn window(&mut self, id: u32, (start, end): (i64, i64), out: &mut Output) -> Option<usize> {
        let all = &self.open[id as usize];
        match all.binary_search_by_key(&(start, end), |o| (o.start, o.end)) {
            Ok(at) => Some(at),
            Err(_) if self.gone(end) => None,
            Err(at) => {
                let open = self.begin(id, (start, end), out);
                self.open[id as usize].insert(at, open);
                Some(at)
            }
        }
    }

    fn begin(&mut self, id: u32, (start, end): (i64, i64), out: &mut Output) -> Open {
        self.set_timers((id, start, end));
        if out.traced() {
            self.next_window += 1;
            let (window, key) = (self.next_window, key::text(&self.keys.key(id)));
            out.note(|| What::WindowOpen { window, key, start, end });
        }
        Open {
            start,
            end,
            slot: NONE,
            fresh: 0,
            panes: 0,
            on_time: 0,
            born_late: super::closed(end, self.watermark),
            said: Vec::new(),
            states: self.machine.fresh(),
            asked: false,
            number: if out.traced() { self.next_window } else { 0 },
        }
    }

    /// Waits for the watermark to pass a window's end, and for the time after which it takes nothing more.
    fn set_timers(&mut self, window: At) {
        let last = window.2.saturating_sub(1);
        // A window that begins behind its end is asked when its record comes.
        if last > self.watermark.0 {
            self.ends.insert((last, window));
        }
        self.leaves.insert((last.saturating_add(self.emission.lateness), window));
    }

    /// The session a record is in: its own, those it touches, or all of these as one.
    fn session(
        &mut self,
        id: u32,
        (start, end): (i64, i64),
        batch: &Batch,
        out: &mut Output,
    ) -> Option<usize> {
        let all = &self.open[id as usize];
        // Those that only touch are one with it, too, or not.
        let apart = i64::from(self.emission.apart);
        let first = all.partition_point(|o| o.end < start.saturating_add(apart));
        let near = |o: &&Open| o.start <= end.saturating_sub(apart);
        let count = all[first..].iter().take_while(near).count();
        if count == 0 {
            return self.window(id, (start, end), out);
        }
        let grown = (start.min(all[first].start), end.max(all[first + count - 1].end));
        if count == 1 && grown == (all[first].start, all[first].end) {
            return Some(first);
        }
        // What the others hold is complete before they become one.
        self.flush(batch);
        let past_end = super::closed(grown.1, self.watermark);
        let gone: Vec<Open> = self.open[id as usize].splice(first + 1..first + count, []).collect();
        let merged: Vec<u64> = gone.iter().map(|o| o.number).collect();
        for other in gone {
            self.swallow(id, first, other, past_end);
        }
        let open = &mut self.open[id as usize][first];
        self.machine.grow(&mut open.states, past_end);
        open.set_bounds(grown, past_end);
        open.asked = false;
        let window = open.number;
        self.set_timers((id, grown.0, grown.1));
        out.note(|| What::WindowMerge { window, merged, start: grown.0, end: grown.1 });
        Some(first)
    }

    /// Takes another session of the key into the one at `at`.
    fn swallow(&mut self, id: u32, at: usize, other: Open, past_end: bool) {
        let open = &mut self.open[id as usize][at];
        self.machine.merge(&mut open.states, &other.states, past_end);
        open.fresh += other.fresh;
        open.said.extend(other.said);
        match (open.slot, other.slot) {
            (_, NONE) => {}
            (NONE, slot) => open.slot = slot,
            (into, from) => {
                self.aggregates.merge(&[(into, from)]);
                self.aggregates.clear(from, from + 1);
                self.free.push(from);
            }
        }
    }

    /// The position of a window that is still open.
    fn find(&self, (id, start, end): At) -> Option<usize> {
        let all = self.open.get(id as usize)?;
        all.binary_search_by_key(&(start, end), |o| (o.start, o.end)).ok()
    }

    /// Time passes, and the watermark moves.
    fn step(&mut self, stair: Stair, stairs: &mut Vec<Stair>, out: &mut Output) {
        if stair.clock > self.clock {
            self.clock = stair.clock;
            self.tick(stair, out);
        }
        if stair.watermark > self.watermark {
            self.watermark = stair.watermark;
            self.advance(stair, out);
        }
        stairs.push(Stair { row: self.fired.len() as u32, ..stair });
    }

    /// Asks the windows whose time has come, and those that records have come to.
    fn tick(&mut self, stair: Stair, out: &mut Output) {
        let mut due = std::mem::take(&mut self.asked);
        while let Some(&(at, window)) = self.deadlines.first().filter(|d| d.0 <= self.clock) {
            self.deadlines.remove(&(at, window));
            due.push(window);
        }
        for window in self.in_order(due) {
            let Some(at) = self.find(window) else { continue };
            let moment = self.moment(window.2);
            let open = &mut self.open[window.0 as usize][at];
            // It may have fired since it was put there: only what it knows now counts.
            let due = self.machine.deadline(&open.states).is_some_and(|due| due <= self.clock);
            let asked = std::mem::take(&mut open.asked);
            if (due || asked) && self.machine.fires(&open.states, moment) {
                match open.fresh {
                    0 => self.machine.fire(&mut open.states, moment),
                    _ => self.fire(window.0, at, stair.seq, out),
                }
            }
        }
    }

    /// Fires windows whose end the watermark has passed; those that take nothing more say what is left and go.
    fn advance(&mut self, stair: Stair, out: &mut Output) {
        let mut due = Vec::new();
        while let Some(&(at, window)) = self.ends.first().filter(|e| e.0 <= self.watermark.0) {
            self.ends.remove(&(at, window));
            due.push(window);
        }
        for window in self.in_order(due) {
            let Some(at) = self.find(window) else { continue };
            let (moment, open) = (self.moment(window.2), &self.open[window.0 as usize][at]);
            let quiet = open.fresh == 0 && !self.emission.always_on_time;
            if self.machine.fires(&open.states, moment) {
                match quiet {
                    true => self.machine.fire(&mut self.open[window.0 as usize][at].states, moment),
                    false => self.fire(window.0, at, stair.seq, out),
                }
            }
        }
        let mut due = Vec::new();
        while let Some(&(at, window)) = self.leaves.first().filter(|e| e.0 <= self.watermark.0) {
            self.leaves.remove(&(at, window));
            due.push(window);
        }
        for window in self.in_order(due) {
            if let Some(at) = self.find(window) {
                self.leave(window.0, at, stair.seq, out);
            }
        }
    }

    /// Windows in the order in which their rows leave, each once.
    fn in_order(&self, mut due: Vec<At>) -> Vec<At> {
        due.sort_by_key(|&(id, start, end)| (start, end, id));
        due.dedup();
        self.keys.sort_by_key(&mut due, |window| window.0);
        due
    }
}

impl TriggeredAggregate {
    /// The rows of a batch that are late, the steps of the watermark kept in their places; what the windows say
    /// is forgotten.
    pub(super) fn late_of(&mut self, batch: &Batch) -> Result<Batch> {
        let batch = batch.clone().having(self.time);
        self.windows(&batch, &mut Output::default());
        self.forget();
        Ok(batch.select(&self.left_out))
    }

    /// Takes a batch into windows; the steps, each behind the rows fired before it.
    fn windows(&mut self, batch: &Batch, out: &mut Output) -> Vec<Stair> {
        self.keys.intern(&self.columns, batch, (0, batch.rows), &mut self.ids);
        self.open.resize_with(self.keys.numbers(), Vec::new);
        self.left_out.clear();
        self.take_in(batch, out)
    }

    /// Keys without a window: late records leave such behind, and windows that are gone.
    fn sweep(&mut self) {
        let open = self.open.iter();
        self.keys.sweep(|live| open.zip(live).for_each(|(o, live)| *live = !o.is_empty()));
    }
}

impl Operator for TriggeredAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        // A row without event time is in no window.
        let batch = batch.having(self.time);
        let stairs = self.windows(&batch, out);
        let rows = match self.fired.is_empty() {
            true => Batch::progress(self.output.clone(), stairs, batch.upto),
            false => Batch { upto: batch.upto, ..self.rows(stairs) },
        };
        out.batches.push(self.places.complete(&self.made, rows));
        self.sweep();
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.encode().into()
    }

    fn empty(&mut self) {
        (self.watermark, self.clock, self.next_window) = (EventTime::MIN, NO_CLOCK, 0);
        self.keys = KeyTable::new(&self.columns.types, self.keys.order());
        self.open.clear();
        self.ends.clear();
        self.leaves.clear();
        self.deadlines.clear();
        self.asked.clear();
        self.fired.clear();
        self.places = Places::default();
        self.spent.clear();
        self.waiting = Default::default();
        self.aggregates.clear(0, self.aggregates.slots() as u32);
        self.free = (0..self.aggregates.slots() as u32).rev().collect();
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
