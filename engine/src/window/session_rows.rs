//! Sessions of whole rows: they wait until their session closes, then leave with its bounds.

mod state;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{WaitingRows, WindowBound, bound_columns, closed, late};
use crate::batch::{Batch, Seq, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::key::{self, KeyColumns, KeyGroups, KeyOrder, KeyTable};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::Pieces;
use crate::time::EventTime;
use crate::trace::What;

/// Appends the bounds of its session to each row, once that is known: when the session fires. Its rows leave
/// in their order of arrival.
///
/// Sessions and late records are those of [`super::SessionAggregate`].
#[derive(Clone)]
pub struct SessionRows {
    name: String,
    gap: i64,
    time: usize,
    columns: KeyColumns,
    output: SchemaRef,
    watermark: EventTime,
    keys: KeyTable,
    /// Open sessions by key number, each key's in order of start.
    open: Vec<Vec<Open>>,
    /// All of them by end, key number and start.
    ends: BTreeSet<(i64, u32, i64)>,
    rows: WaitingRows,
    next_window: u64,
    ids: Vec<u32>,
    /// Sessions that fired since the last batch left.
    fired: Vec<(Seq, Open)>,
}

/// An open session.
#[derive(Clone)]
struct Open {
    start: i64,
    end: i64,
    /// Its number on the trace.
    number: u64,
    /// Its rows, in their order of arrival.
    rows: Vec<u64>,
}

impl SessionRows {
    /// Sessions with a gap of `gap` ms over the column `time` of `input`; `order` is that of the sessions of one
    /// moment.
    pub fn new(
        name: &str,
        gap: i64,
        time: usize,
        (keys, order): (&[usize], KeyOrder),
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> SessionRows {
        assert!(gap > 0, "a session has a gap");
        let columns = KeyColumns::new(input, keys);
        SessionRows {
            name: name.to_owned(),
            gap,
            time,
            keys: KeyTable::new(&columns.types, order),
            columns,
            output: Arc::clone(output),
            watermark: EventTime::MIN,
            open: Vec::new(),
            ends: BTreeSet::new(),
            rows: WaitingRows::new(input),
            next_window: 0,
            ids: Vec::new(),
            fired: Vec::new(),
        }
    }

    /// Finds the session of every row, firing sessions as the watermark moves between rows; answers which rows
    /// wait.
    fn take_in(&mut self, batch: &Batch, stairs: &mut Vec<Stair>, out: &mut Output) -> Vec<u32> {
        let times = millis(&batch.columns[self.time]);
        let mut steps = batch.stairs.iter().peekable();
        let (first, mut kept, mut said) = (self.rows.next(), Vec::new(), 0);
        for (row, &time) in times.iter().enumerate() {
            while let Some(step) = steps.next_if(|s| s.row as usize <= row) {
                self.advance(*step, &mut said, stairs, out);
            }
            let own = (time, time.saturating_add(self.gap));
            let id = self.ids[row];
            if self.touching(id, own).is_empty() && closed(own.1, self.watermark) {
                out.late += 1;
                let key = || self.columns.values(batch, row);
                out.note(|| late(batch, row, time, self.watermark, own, &key()));
                continue;
            }
            let window = self.put(id, own, first + kept.len() as u64, out);
            out.note(|| What::WindowAdd { window, seq: batch.seqs.at(row) });
            kept.push(row as u32);
        }
        steps.for_each(|step| self.advance(*step, &mut said, stairs, out));
        kept
    }

    /// Those open sessions of a key that become one with a row's own.
    fn touching(&self, id: u32, (start, end): (i64, i64)) -> std::ops::Range<usize> {
        let open = &self.open[id as usize];
        let first = open.partition_point(|s| s.end < start);
        let count = open[first..].iter().take_while(|s| s.start <= end).count();
        first..first + count
    }

    /// Puts a row into a session, which is new, or grows, or takes others in; answers its number on the trace.
    fn put(&mut self, id: u32, (start, end): (i64, i64), row: u64, out: &mut Output) -> u64 {
        let range = self.touching(id, (start, end));
        let mut others = self.open[id as usize].splice(range.clone(), []);
        let Some(mut session) = others.next() else {
            drop(others);
            let number = if out.traced() { self.next_window + 1 } else { 0 };
            self.next_window += u64::from(out.traced());
            let key = || key::text(&self.keys.key(id));
            out.note(|| What::WindowOpen { window: number, key: key(), start, end });
            self.ends.insert((end, id, start));
            self.open[id as usize]
                .insert(range.start, Open { start, end, number, rows: vec![row] });
            return number;
        };
        let before = (session.start, session.end);
        self.ends.remove(&(before.1, id, before.0));
        (session.start, session.end) = (start.min(before.0), end.max(before.1));
        let mut merged = Vec::new();
        for mut other in others {
            self.ends.remove(&(other.end, id, other.start));
            session.end = session.end.max(other.end);
            session.rows.append(&mut other.rows);
            merged.push(other.number);
        }
        if !merged.is_empty() {
            session.rows.sort();
        }
        session.rows.push(row);
        let (number, start, end) = (session.number, session.start, session.end);
        if (start, end) != before || !merged.is_empty() {
            out.note(|| What::WindowMerge { window: number, merged, start, end });
        }
        self.ends.insert((end, id, start));
        self.open[id as usize].insert(range.start, session);
        number
    }

    /// Moves the watermark: takes out the sessions it closes. Their rows stay until the batch leaves.
    fn advance(
        &mut self,
        stair: Stair,
        said: &mut usize,
        stairs: &mut Vec<Stair>,
        out: &mut Output,
    ) {
        self.watermark = stair.watermark;
        let mut due: Vec<(u32, Open)> = Vec::new();
        while let Some(&(end, id, start)) =
            self.ends.first().filter(|(end, ..)| closed(*end, stair.watermark))
        {
            self.ends.remove(&(end, id, start));
            let open = &mut self.open[id as usize];
            let at = open.partition_point(|s| s.start < start);
            due.push((id, open.remove(at)));
        }
        due.sort_by_key(|(_, session)| session.start);
        self.keys.sort_by_key(&mut due, |(id, _)| *id);
        for (id, session) in due {
            let (window, rows) = (session.number, session.rows.len());
            let (start, end, key) = (session.start, session.end, || key::text(&self.keys.key(id)));
            let rows32 = rows as u32;
            out.note(|| What::WindowFire { window, key: key(), start, end, rows: rows32 });
            *said += rows;
            self.fired.push((stair.seq, session));
        }
        stairs.push(Stair { row: *said as u32, ..stair });
    }

    /// The rows of the sessions that have fired.
    fn leaving(&mut self) -> Batch {
        let fired = std::mem::take(&mut self.fired);
        let numbers: Vec<u64> = fired.iter().flat_map(|(_, s)| s.rows.iter().copied()).collect();
        let rows = self.rows.take(&numbers);
        let each = || fired.iter().flat_map(|(seq, s)| s.rows.iter().map(move |_| (*seq, s)));
        let windows: Vec<(i64, i64)> = each().map(|(_, s)| (s.start, s.end)).collect();
        let mut columns = rows.columns;
        let before = columns.len();
        let bounds = (&self.output, before);
        columns.extend(bound_columns(windows.iter().copied(), &WindowBound::ALL, bounds));
        Batch::new(Arc::clone(&self.output), columns, each().map(|(seq, _)| seq).collect())
    }
}

impl Operator for SessionRows {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        // A row without event time is in no session.
        let batch = batch.having(self.time);
        self.keys.intern(&self.columns, &batch, (0, batch.rows), &mut self.ids);
        self.open.resize_with(self.keys.numbers(), Vec::new);
        let mut stairs = Vec::with_capacity(batch.stairs.len());
        let kept = self.take_in(&batch, &mut stairs, out);
        self.rows.push(batch.gather(&kept));
        if self.fired.is_empty() {
            out.end(&self.output, stairs, batch.upto);
        } else {
            let rows = self.leaving();
            out.batches.push(Batch { stairs, upto: batch.upto, ..rows });
        }
        // Late records leave keys without a session behind, and so do sessions that have fired.
        let open = self.open.iter();
        self.keys.sweep(|live| open.zip(live).for_each(|(s, live)| *live = !s.is_empty()));
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.encode().into()
    }

    fn empty(&mut self) {
        (self.watermark, self.next_window) = (EventTime::MIN, 0);
        self.keys = KeyTable::new(&self.columns.types, self.keys.order());
        (self.open, self.ends, self.fired) = Default::default();
        self.rows.clear();
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
