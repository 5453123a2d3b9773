//! The outer interval join: as the inner one, and rows that stayed alone are handed on with NULLs.
//!
//! That a row stays alone is certain once the watermark has passed the last time at which a partner could
//! come; then it is handed on and forgotten. So nothing is ever taken back. A row from behind the watermark meets what is
//! held; when nobody can meet it any more it is handed on at once where its side is, and late where it has met nobody. Where
//! records are late by themselves it is left out at once. A key with a NULL equals none.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array;

use super::bounds::Bounds;
use super::condition::Condition;
use super::places::{NONE, Places, Ready, key_numbers};
use super::regular::JoinKind;
use super::regular::side::{Side, contents};
use crate::batch::{Batch, Seq, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::expr::Expr;
use crate::key::{self, Encoded, KeyColumns, KeyGroups, KeyOrder, KeyTable, measure};
use crate::operator::{Contents, Merged, Operator, Output, wrong_state};
use crate::schema::{DataType, SchemaRef};
use crate::seeded::seeded;
use crate::snapshot::bytes::{Pieces, Reader, put, put_bytes, put_signed};
use crate::time::EventTime;
use crate::trace::What;
use crate::value::Value;

/// Pairs that are looked at together, about.
const PAIRS: usize = 1 << 14;
/// The first bytes of its state: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"ivouter1");

/// The join. Its rows: the left row, then the right one.
#[derive(Clone)]
pub struct OuterIntervalJoin {
    name: String,
    kind: JoinKind,
    times: [usize; 2],
    bounds: Bounds,
    by_record: bool,
    columns: [KeyColumns; 2],
    inputs: [SchemaRef; 2],
    output: SchemaRef,
    condition: Condition,
    places: Places,
    watermark: EventTime,
    keys: KeyTable,
    sides: [Side; 2],
    /// The rows of either side by time and arrival.
    held: [BTreeMap<(i64, u64), Held>; 2],
    /// The time of each row of a side, by its number.
    at: [Vec<i64>; 2],
    /// Counts rows: later ones have higher numbers.
    arrivals: u64,
    made: Made,
}

#[derive(Clone)]
struct Held {
    number: u32,
    id: u32,
    group: u32,
}

/// Rows that have not left yet, by their numbers on either side.
#[derive(Clone, Default)]
struct Made {
    rows: [Vec<u32>; 2],
    seqs: Vec<Seq>,
    stairs: Vec<Stair>,
}

/// A row that has come, and those of the other side that are near it and of its key.
struct Meeting {
    side: usize,
    row: u32,
    seq: Seq,
    from: usize,
    to: usize,
    /// Its time, of one that is not held: nobody can meet it any more.
    passing: Option<i64>,
}

/// What has come since pairs were made last.
#[derive(Default)]
struct Met {
    meetings: Vec<Meeting>,
    candidates: Vec<u32>,
}

impl OuterIntervalJoin {
    /// A join by keys within bounds of the times; `condition` is over the columns of both inputs side by
    /// side.
    pub fn new(
        name: &str,
        kind: JoinKind,
        (times, keys, bounds, by_record): ([usize; 2], &[Vec<usize>; 2], Bounds, bool),
        condition: Option<Expr>,
        inputs: [&SchemaRef; 2],
        output: &SchemaRef,
    ) -> OuterIntervalJoin {
        let columns = [KeyColumns::new(inputs[0], &keys[0]), KeyColumns::new(inputs[1], &keys[1])];
        let types =
            |i: &SchemaRef| -> Vec<DataType> { i.fields.iter().map(|f| f.data_type).collect() };
        OuterIntervalJoin {
            name: name.to_owned(),
            kind,
            times,
            bounds,
            by_record,
            keys: KeyTable::new(&columns[0].types, KeyOrder::Value),
            places: Places::new(columns.clone()),
            columns,
            inputs: inputs.map(Arc::clone),
            output: Arc::clone(output),
            condition: Condition::new(name, condition, inputs),
            watermark: EventTime::MIN,
            sides: inputs.map(|i| Side::new(types(i))),
            held: Default::default(),
            at: Default::default(),
            arrivals: 0,
            made: Made::default(),
        }
    }

    fn join(&mut self, merged: Merged, out: &mut Output) -> Result<()> {
        let ready = self.places.take(merged, &self.inputs);
        let rows = [0, 1].map(|side| Encoded::rows(&ready.batches[side]));
        let groups = [0, 1].map(|side| self.columns[side].groups(&ready.batches[side]));
        let ids = [0, 1]
            .map(|side| key_numbers(&mut self.keys, &self.columns[side], &ready.batches[side]));
        self.sides.iter_mut().for_each(|side| side.reach(self.keys.numbers()));
        let (mut steps, mut met) = (ready.steps.iter().peekable(), Met::default());
        for (place, &(side, row)) in ready.order.iter().enumerate() {
            while let Some((_, stair)) = steps.next_if(|step| step.0 <= place) {
                self.advance(*stair, &mut met, out)?;
            }
            let (side, row) = (usize::from(side), row as usize);
            let who = (ids[side][row], groups[side][row]);
            self.take(&ready, (side, row), who, rows[side].get(row), (&mut met, out));
            if met.candidates.len() + met.meetings.len() > PAIRS {
                self.meet(&mut met, out)?;
                let seq = ready.batches[side].seqs.at(row);
                self.flush(ready.upto.min(seq.saturating_sub(1)), out);
            }
        }
        for (_, stair) in steps {
            self.advance(*stair, &mut met, out)?;
        }
        self.meet(&mut met, out)?;
        self.flush(ready.upto, out);
        let held = &self.held;
        self.keys.sweep(|live| {
            let ids = held.iter().flat_map(|held| held.values()).map(|row| row.id);
            ids.filter(|&id| id != NONE).for_each(|id| live[id as usize] = true);
        });
        Ok(())
    }

    /// Takes in a row.
    fn take(
        &mut self,
        ready: &Ready,
        (side, row): (usize, usize),
        (id, group): (u32, u32),
        bytes: &[u8],
        (met, out): (&mut Met, &mut Output),
    ) {
        let batch = &ready.batches[side];
        let times = &batch.columns[self.times[side]];
        // A row without event time is near none.
        if times.is_null(row) {
            return;
        }
        let (time, seq) = (millis(times)[row], batch.seqs.at(row));
        let (s, watermark) = (side as u8, self.watermark.0);
        if time < watermark && self.by_record {
            out.late += 1;
            let row = || batch.row_text(row);
            out.note(|| What::JoinLate { side: s, seq, event_time: time, watermark, row: row() });
            return;
        }
        let passing =
            (time < watermark.min(self.bounds.dead(side, self.watermark))).then_some(time);
        let number = match passing {
            Some(_) => self.sides[side].add(NONE, bytes, seq),
            None => {
                self.arrivals += 1;
                self.hold(side, (time, self.arrivals), (id, group), (bytes, seq))
            }
        };
        let from = met.candidates.len();
        if let (Some((least, most)), true) = (self.bounds.range(side, time), id != NONE) {
            let at = &self.at[1 - side];
            // Rows that are held no longer may still be there.
            let least = least.max(self.bounds.dead(1 - side, self.watermark));
            let near = |&&other: &&u32| (least..=most).contains(&at[other as usize]);
            met.candidates.extend(self.sides[1 - side].of(id).iter().filter(near));
        }
        let to = met.candidates.len();
        met.meetings.push(Meeting { side, row: number, seq, from, to, passing });
        if passing.is_some() {
            return;
        }
        let frees_at = time.saturating_add(self.bounds.ahead(side)).saturating_add(1);
        out.note(|| What::JoinBuffer { side: s, seq, event_time: time, frees_at });
    }

    fn hold(
        &mut self,
        side: usize,
        key: (i64, u64),
        (id, group): (u32, u32),
        (bytes, seq): (&[u8], Seq),
    ) -> u32 {
        let number = self.sides[side].keep(id, bytes, seq);
        let at = &mut self.at[side];
        at.resize(at.len().max(number as usize + 1), 0);
        at[number as usize] = key.0;
        self.held[side].insert(key, Held { number, id, group });
        number
    }

    /// Makes the pairs of what has come.
    fn meet(&mut self, met: &mut Met, out: &mut Output) -> Result<()> {
        let Met { meetings, candidates } = met;
        let pairs = || {
            let mut rows = [Vec::new(), Vec::new()];
            let mut seqs = Vec::with_capacity(candidates.len());
            for m in &*meetings {
                rows[m.side].resize(m.to, m.row);
                rows[1 - m.side].extend_from_slice(&candidates[m.from..m.to]);
                seqs.resize(m.to, m.seq);
            }
            let mut columns = self.sides[0].columns(&rows[0]);
            columns.extend(self.sides[1].columns(&rows[1]));
            (columns, seqs)
        };
        let fits = self.condition.fits(candidates.len(), pairs, out)?;
        for m in meetings.drain(..) {
            let partners: Vec<u32> =
                (m.from..m.to).filter(|&i| fits[i]).map(|i| candidates[i]).collect();
            if out.traced() && !partners.is_empty() {
                let matched = partners.iter().map(|&row| self.sides[1 - m.side].seq(row)).collect();
                let (side, candidates) = (m.side as u8, (m.to - m.from) as u32);
                out.note(|| What::JoinMatch { side, seq: m.seq, candidates, matched });
            }
            if let Some(time) = m.passing.filter(|_| partners.is_empty()) {
                self.pass(&m, time, out);
            }
            for other in partners {
                self.sides[m.side].count(m.row, 1);
                self.sides[1 - m.side].count(other, 1);
                self.say(m.seq, (m.side, m.row), other);
            }
        }
        candidates.clear();
        Ok(())
    }

    /// A row that nobody holds has met nobody.
    fn pass(&mut self, m: &Meeting, event_time: i64, out: &mut Output) {
        if self.kind.outer(m.side) {
            return self.say(m.seq, (m.side, m.row), NONE);
        }
        out.late += 1;
        let own = &self.sides[m.side];
        out.note(|| {
            let columns = own.columns(&[m.row]);
            let row = Batch::new(Arc::clone(&self.inputs[m.side]), columns, vec![m.seq].into());
            let (side, watermark) = (m.side as u8, self.watermark.0);
            What::JoinLate { side, seq: m.seq, event_time, watermark, row: row.row_text(0) }
        });
    }

    fn say(&mut self, seq: Seq, (side, own): (usize, u32), other: u32) {
        self.made.rows[side].push(own);
        self.made.rows[1 - side].push(other);
        self.made.seqs.push(seq);
    }

    /// Moves the watermark. Time alone makes nothing certain: what windows or micro-batches wait for hands no
    /// row on.
    fn advance(&mut self, stair: Stair, met: &mut Met, out: &mut Output) -> Result<()> {
        self.meet(met, out)?;
        if stair.watermark > self.watermark {
            self.watermark = stair.watermark;
            self.expire(stair, out);
        }
        let row = self.made.seqs.len() as u32;
        let watermark = self.bounds.hold(stair.watermark);
        self.made.stairs.push(Stair { row, watermark, ..stair });
        Ok(())
    }

    /// Rows that no partner can meet any more are handed on if none has.
    fn expire(&mut self, stair: Stair, out: &mut Output) {
        let mut alone = Vec::new();
        for side in 0..2 {
            let dead = self.bounds.dead(side, stair.watermark);
            let stays = side == 1 && seeded("the-right-is-never-freed");
            let over = |time: i64| !stays && (time < dead || stair.watermark == EventTime::MAX);
            let mut gone = Vec::new();
            while let Some(entry) = self.held[side].first_entry().filter(|e| over(e.key().0)) {
                let ((_, n), row) = entry.remove_entry();
                let seq = self.sides[side].seq(row.number);
                gone.push(seq);
                self.sides[side].take_out(row.id, row.number);
                if self.kind.outer(side) && self.sides[side].partners(row.number) == 0 {
                    alone.push((row.group, side, n, row.number));
                }
            }
            if !gone.is_empty() {
                gone.sort();
                out.note(|| What::JoinExpire { side: side as u8, seqs: gone });
            }
        }
        // By key group: the order that does not depend on how many subtasks there are.
        alone.sort();
        for (_, side, _, number) in alone {
            self.say(stair.seq, (side, number), NONE);
        }
    }

    /// Hands on what has been made. `upto`: how far the stream has come.
    fn flush(&mut self, upto: Seq, out: &mut Output) {
        let made = std::mem::take(&mut self.made);
        if made.seqs.is_empty() {
            out.batches.push(Batch::progress(self.output.clone(), made.stairs, upto));
        } else {
            let mut columns = self.sides[0].columns(&made.rows[0]);
            columns.extend(self.sides[1].columns(&made.rows[1]));
            let batch = Batch::new(self.output.clone(), columns, made.seqs.into());
            out.batches.push(Batch { stairs: made.stairs, upto, ..batch });
        }
        self.sides.iter_mut().for_each(Side::tidy);
    }

    fn encode(&self) -> Vec<u8> {
        debug_assert!(!self.places.waits(), "a barrier stands behind complete places only");
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_bytes(&mut out, &self.condition.guests());
        put_signed(&mut out, self.watermark.0);
        for (side, held) in self.sides.iter().zip(&self.held) {
            let mut rows: Vec<_> = held.iter().collect();
            rows.sort_by_key(|((_, n), _)| *n);
            put(&mut out, rows.len() as u64);
            for ((time, _), row) in rows {
                put_signed(&mut out, *time);
                put(&mut out, side.seq(row.number));
                put(&mut out, side.partners(row.number).into());
                put_bytes(&mut out, side.bytes(row.number));
            }
        }
        out
    }

    /// Takes back what [`OuterIntervalJoin::encode`] wrote; `false` when it is of another operator.
    fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK || reader.bytes()? != self.condition.guests() {
            return Ok(false);
        }
        self.watermark = EventTime(reader.signed()?);
        for side in 0..2 {
            for _ in 0..reader.count()? {
                let (time, seq) = (reader.signed()?, reader.number()?);
                self.arrivals += 1;
                let (partners, row) = (reader.number()?, reader.bytes()?);
                let types = &self.sides[side].types;
                let Ok(partners) = u32::try_from(partners) else { return Ok(false) };
                if measure(row, types) != Some(row.len()) {
                    return Ok(false);
                }
                let all = key::decode(row, types);
                let columns = &self.columns[side].columns;
                let values: Vec<Value> = columns.iter().map(|&c| all[c].clone()).collect();
                if !own.has_key(&values) {
                    continue;
                }
                let null = values.iter().any(Value::is_null);
                let id = if null { NONE } else { self.keys.id(&values) };
                self.sides[side].reach(self.keys.numbers());
                let who = (id, key::group_of(&values));
                let number = self.hold(side, (time, self.arrivals), who, (row, seq));
                self.sides[side].count(number, partners.into());
            }
        }
        reader.end()?;
        Ok(true)
    }
}

impl Operator for OuterIntervalJoin {
    fn process(&mut self, side: usize, batch: Batch, out: &mut Output) -> Result<()> {
        self.join(Merged::of(side, batch), out)
    }

    fn process_merged(&mut self, merged: Merged, out: &mut Output) -> Result<()> {
        self.join(merged, out)
    }

    fn save(&mut self) -> Pieces {
        self.encode().into()
    }

    fn empty(&mut self) {
        (self.watermark, self.arrivals) = (EventTime::MIN, 0);
        self.keys = KeyTable::new(&self.columns[0].types, self.keys.order());
        self.places.clear();
        self.sides.iter_mut().for_each(Side::clear);
        (self.held, self.at) = Default::default();
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        if seeded("outer-join-forgotten") {
            return Ok(());
        }
        match self.decode(bytes, own)? {
            true => Ok(()),
            false => Err(wrong_state(&self.name)),
        }
    }

    fn contents(&mut self) -> Option<Vec<Contents>> {
        Some(contents(&self.sides, &self.inputs))
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
