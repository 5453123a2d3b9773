//! Session aggregation: windows of a key that grow and merge while records stay within the gap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::Array;
use rkyv::{Archive, Deserialize, Serialize};

use super::{Fired, bounds, closed, late, seqs, window_time_type};
use crate::aggregate::{AggregateCall, AggregateSet};
use crate::batch::{Batch, Seq, Stair};
use crate::column::{from_values, millis};
use crate::error::Result;
use crate::key::{self, KeyColumns};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::{Cell, cells, values};
use crate::time::EventTime;
use crate::trace::What;
use crate::value::Value;
use crate::{archive, unarchive};

/// Aggregates per key and session. Two records exactly the gap apart are one session, as in Flink.
///
/// A record is late when the session it would make, after merging with what is open, has fired.
#[derive(Clone)]
pub struct SessionAggregate {
    name: String,
    gap: i64,
    time: usize,
    keys: KeyColumns,
    output: SchemaRef,
    aggregates: AggregateSet,
    /// Slots of `aggregates` that no session uses.
    free: Vec<u32>,
    slots: u32,
    watermark: EventTime,
    /// Open sessions by encoded key, each key's in order of start.
    sessions: BTreeMap<Vec<u8>, KeyState>,
    /// End and key of every open session: what fires next.
    timers: BTreeSet<(i64, Vec<u8>)>,
    next_window: u64,
}

#[derive(Clone)]
struct KeyState {
    values: Vec<Value>,
    open: Vec<Session>,
}

#[derive(Clone, Copy)]
struct Session {
    start: i64,
    end: i64,
    slot: u32,
    window: u64,
}

#[derive(Archive, Serialize, Deserialize)]
struct State {
    watermark: i64,
    next_window: u64,
    sessions: Vec<SessionState>,
}

#[derive(Archive, Serialize, Deserialize)]
struct SessionState {
    key: Vec<Cell>,
    start: i64,
    end: i64,
    window: u64,
    accumulators: Vec<Vec<Cell>>,
}

impl SessionAggregate {
    /// Sessions with a gap of `gap` ms over the column `time` of `input`.
    pub fn new(
        name: &str,
        gap: i64,
        time: usize,
        keys: &[usize],
        calls: &[AggregateCall],
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> SessionAggregate {
        assert!(gap > 0, "a session has a gap");
        SessionAggregate {
            name: name.to_owned(),
            gap,
            time,
            keys: KeyColumns::new(input, keys),
            output: Arc::clone(output),
            aggregates: AggregateSet::new(calls, input),
            free: Vec::new(),
            slots: 0,
            watermark: EventTime::MIN,
            sessions: BTreeMap::new(),
            timers: BTreeSet::new(),
            next_window: 0,
        }
    }

    fn new_slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.aggregates.grow(self.slots as usize);
            self.slots - 1
        })
    }

    fn release(&mut self, slot: u32) {
        self.aggregates.clear(slot);
        self.free.push(slot);
    }

    fn add(&mut self, batch: &Batch, row: usize, time: i64, out: &mut Output) {
        let values = self.keys.values(batch, row);
        let encoded = key::encode(&values);
        let (mut start, mut end) = (time, time.saturating_add(self.gap));
        let open = self.sessions.get(&encoded).map_or(&[][..], |k| &k.open);
        // Sessions that overlap or touch the record's own become one with it.
        let first = open.partition_point(|s| s.end < start);
        let count = open[first..].iter().take_while(|s| s.start <= end).count();
        for s in &open[first..first + count] {
            start = start.min(s.start);
            end = end.max(s.end);
        }
        if closed(end, self.watermark) {
            out.late += 1;
            out.note(|| late(batch, row, time, self.watermark, (start, end), &values));
            return;
        }
        let merged: Vec<Session> = open[first..first + count].to_vec();
        let session = self.merge(&encoded, &merged, (start, end), &values, out);
        let state = self.sessions.entry(encoded).or_insert(KeyState { values, open: Vec::new() });
        state.open.splice(first..first + count, [session]);
        self.aggregates.update(&[session.slot], &[row as u32], batch);
        out.note(|| What::WindowAdd { window: session.window, seq: batch.seqs[row] });
    }

    /// One session out of several, or a new one.
    fn merge(
        &mut self,
        encoded: &[u8],
        merged: &[Session],
        (start, end): (i64, i64),
        values: &[Value],
        out: &mut Output,
    ) -> Session {
        let Some(&first) = merged.first() else {
            self.next_window += 1;
            let window = self.next_window;
            out.note(|| What::WindowOpen { window, key: key::text(values), start, end });
            self.timers.insert((end, encoded.to_vec()));
            return Session { start, end, slot: self.new_slot(), window };
        };
        for s in &merged[1..] {
            self.aggregates.merge(first.slot, s.slot);
            self.release(s.slot);
        }
        if merged.len() > 1 || (first.start, first.end) != (start, end) {
            for s in merged {
                self.timers.remove(&(s.end, encoded.to_vec()));
            }
            self.timers.insert((end, encoded.to_vec()));
            out.note(|| What::WindowMerge {
                window: first.window,
                merged: merged[1..].iter().map(|s| s.window).collect(),
                start,
                end,
            });
        }
        Session { start, end, ..first }
    }

    /// Moves the watermark: fires the sessions it closes, then passes the step on.
    fn advance(&mut self, stair: Stair, upto: Seq, out: &mut Output) {
        self.watermark = stair.watermark;
        let mut fired: Vec<(Fired, Session)> = Vec::new();
        while let Some((end, encoded)) = self.timers.first().cloned() {
            if !closed(end, stair.watermark) {
                break;
            }
            self.timers.pop_first();
            let state = self.sessions.get_mut(&encoded).expect("a timer has its session");
            let at = state.open.iter().position(|s| s.end == end).expect("a timer has its session");
            let session = state.open.remove(at);
            let key = state.values.clone();
            if state.open.is_empty() {
                self.sessions.remove(&encoded);
            }
            let fire = Fired { group: key::group_of(&key), key, start: session.start, end };
            fired.push((fire, session));
        }
        fired.sort_by(|(a, _), (b, _)| a.order(b));
        let mut batch = self.rows(&fired, stair.seq, out);
        fired.iter().for_each(|(_, s)| self.release(s.slot));
        batch.stairs = vec![Stair { row: batch.rows as u32, ..stair }];
        batch.upto = upto.min(stair.seq.saturating_sub(1));
        out.batches.push(batch);
    }

    fn rows(&self, fired: &[(Fired, Session)], seq: Seq, out: &mut Output) -> Batch {
        for (f, s) in fired {
            out.note(|| What::WindowFire {
                window: s.window,
                key: key::text(&f.key),
                start: f.start,
                end: f.end,
                rows: 1,
            });
        }
        let mut columns: Vec<_> = self
            .keys
            .types
            .iter()
            .enumerate()
            .map(|(c, &t)| {
                let column: Vec<Value> = fired.iter().map(|(f, _)| f.key[c].clone()).collect();
                from_values(&column, t)
            })
            .collect();
        let windows = fired.iter().map(|(f, _)| (f.start, f.end));
        columns.extend(bounds(windows, window_time_type(&self.output, self.keys.types.len())));
        let slots: Vec<u32> = fired.iter().map(|(_, s)| s.slot).collect();
        columns.extend(self.aggregates.results(&slots));
        Batch::new(Arc::clone(&self.output), columns, seqs(seq, fired.len()))
    }
}

impl Operator for SessionAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let times = &batch.columns[self.time];
        let mut stairs = batch.stairs.iter().peekable();
        for row in 0..batch.rows {
            while let Some(stair) = stairs.next_if(|s| s.row as usize <= row) {
                self.advance(*stair, batch.upto, out);
            }
            if times.is_valid(row) {
                self.add(&batch, row, millis(times)[row], out);
            }
        }
        for stair in stairs {
            self.advance(*stair, batch.upto, out);
        }
        out.end(&self.output, Vec::new(), batch.upto);
        Ok(())
    }

    fn snapshot(&self) -> Vec<u8> {
        let sessions = self
            .sessions
            .values()
            .flat_map(|k| k.open.iter().map(move |s| (k, s)))
            .map(|(k, s)| SessionState {
                key: cells(&k.values),
                start: s.start,
                end: s.end,
                window: s.window,
                accumulators: self.aggregates.save(s.slot).iter().map(|a| cells(a)).collect(),
            })
            .collect();
        archive!(&State { watermark: self.watermark.0, next_window: self.next_window, sessions })
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let state = unarchive!(State, bytes)?;
        self.watermark = EventTime(state.watermark);
        self.next_window = state.next_window;
        self.sessions.clear();
        self.timers.clear();
        (0..self.slots).for_each(|slot| self.aggregates.clear(slot));
        (self.free, self.slots) = (Vec::new(), 0);
        for saved in state.sessions {
            let slot = self.new_slot();
            let accumulators: Vec<_> = saved.accumulators.iter().map(|a| values(a)).collect();
            if !self.aggregates.load(slot, &accumulators) {
                return Err(wrong_state(&self.name));
            }
            let values = values(&saved.key);
            let encoded = key::encode(&values);
            self.timers.insert((saved.end, encoded.clone()));
            let state =
                self.sessions.entry(encoded).or_insert(KeyState { values, open: Vec::new() });
            let (start, end, window) = (saved.start, saved.end, saved.window);
            state.open.push(Session { start, end, slot, window });
        }
        Ok(())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
