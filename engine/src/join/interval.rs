//! The inner interval join: rows of two inputs with equal keys and event times near each other.
//!
//! Rows whose keys are equal and whose times lie within the bounds are joined, at the moment the later of the two
//! arrives; a key with a NULL equals none. A row is held as long as a row at the watermark could still meet it. One that
//! comes behind the watermark meets what is held, as in Flink's join, and is late only when it meets nobody and nobody can
//! meet it any more; or, where records are late by themselves, it is left out at once. When a row is dropped that is held
//! no longer changes nothing, so it is dropped when that is cheap: with a
//! block at the front of its ring, with the whole batch it came in, and with everything else once the rings have
//! doubled. Only the trace tells the exact step of the watermark that frees it.

mod state;

use std::sync::Arc;

use arrow_array::Array;
use highwater_kernels::at_least;

use super::bounds::Bounds;
use super::buffers::Buffers;
use super::rings::{Delta, Entry, Rings};
use super::rows::Rows;
use crate::batch::{Batch, Seq, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::key::{KeyColumns, KeyGroups, KeyOrder, KeyTable};
use crate::operator::{Contents, Merged, Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::seeded::seeded;
use crate::snapshot::bytes::Pieces;
use crate::time::EventTime;
use crate::trace::What;

/// Joined rows that leave in one batch, about.
const OUTPUT_ROWS: usize = 1 << 15;
/// Blocks of rings that are always allowed before everything dead is looked for.
const BLOCKS: usize = 4096;

/// The join. Its rows: columns of the left row, then columns of the right.
#[derive(Clone)]
pub struct IntervalJoin {
    name: String,
    times: [usize; 2],
    columns: [KeyColumns; 2],
    bounds: Bounds,
    by_record: bool,
    /// The columns of either side that go into the joined rows.
    kept: [Vec<usize>; 2],
    inputs: [SchemaRef; 2],
    output: SchemaRef,
    watermark: EventTime,
    keys: KeyTable,
    rings: Buffers,
    rows: [Rows; 2],
    /// How many blocks were in use after everything dead was dropped last.
    swept: usize,
    made: Made,
    taken: Vec<u32>,
    near: Vec<u32>,
}

/// Joined rows that have not left yet.
#[derive(Clone, Default)]
struct Made {
    /// The rows' numbers on either side.
    rows: [Vec<u32>; 2],
    seqs: Vec<Seq>,
    stairs: Vec<Stair>,
}

/// Rows of one side, ready to be joined.
struct Piece {
    side: usize,
    batch: Batch,
    /// For each row that came, how many before it have both key and time; `None`: all have.
    place: Option<Vec<u32>>,
    /// The number of the first row.
    first: u32,
    ids: Vec<u32>,
    /// The earliest and the latest time.
    span: (i64, i64),
    /// The latest time of a row that was buffered.
    newest: Option<i64>,
}

/// Rows of one side under one watermark.
struct Now<'a> {
    dead: [i64; 2],
    bounds: Bounds,
    times: &'a [i64],
    piece: &'a Piece,
    /// Those that are taken in.
    taken: &'a [u32],
    /// Rows before this time meet somebody or are late.
    behind: i64,
}

/// What has become of them.
#[derive(Default)]
struct Joined {
    /// The latest time of one that is held.
    newest: Option<i64>,
    /// How many that are not held have met nobody.
    late: u64,
}

impl IntervalJoin {
    /// A join of two inputs by keys, within bounds of their times; `by_record`: whoever is behind the watermark is late;
    /// `kept` are the columns it hands on.
    pub fn new(
        name: &str,
        times: [usize; 2],
        keys: &[Vec<usize>; 2],
        (bounds, by_record): (Bounds, bool),
        kept: &[Vec<usize>; 2],
        inputs: [&SchemaRef; 2],
        output: &SchemaRef,
    ) -> IntervalJoin {
        let columns = [KeyColumns::new(inputs[0], &keys[0]), KeyColumns::new(inputs[1], &keys[1])];
        IntervalJoin {
            name: name.to_owned(),
            times,
            keys: KeyTable::new(&columns[0].types, KeyOrder::Value),
            columns,
            bounds,
            by_record,
            kept: kept.clone(),
            rows: inputs.map(Rows::new),
            inputs: inputs.map(Arc::clone),
            output: Arc::clone(output),
            watermark: EventTime::MIN,
            rings: Buffers::Narrow(0, Default::default()),
            swept: 0,
            made: Made::default(),
            taken: Vec::new(),
            near: Vec::new(),
        }
    }

    /// Numbers the keys of a batch and keeps its rows. Those without a key or a time are in no pair.
    fn piece(&mut self, side: usize, batch: &Batch) -> Piece {
        if batch.rows == 0 {
            let (place, ids, span) = (None, Vec::new(), (0, 0));
            return Piece { side, batch: batch.clone(), place, first: 0, ids, span, newest: None };
        }
        let needed = self.columns[side].columns.iter().chain([&self.times[side]]);
        let nulls: Vec<_> = needed
            .filter_map(|&c| batch.columns[c].nulls().filter(|n| n.null_count() > 0))
            .collect();
        let (batch, place) = if nulls.is_empty() {
            (Batch { stairs: Vec::new(), ..batch.clone() }, None)
        } else {
            let (mut some, mut place) = (Vec::new(), Vec::with_capacity(batch.rows + 1));
            for row in 0..batch.rows {
                place.push(some.len() as u32);
                if nulls.iter().all(|n| n.is_valid(row)) {
                    some.push(row as u32);
                }
            }
            place.push(some.len() as u32);
            (batch.gather(&some), Some(place))
        };
        let mut ids = Vec::new();
        self.keys.intern(&self.columns[side], &batch, (0, batch.rows), &mut ids);
        self.rings.reach(self.keys.numbers());
        let first = self.rows[side].add(batch.clone());
        let times = millis(&batch.columns[self.times[side]]).iter();
        let span =
            times.fold((i64::MAX, i64::MIN), |(least, most), &t| (least.min(t), most.max(t)));
        Piece { side, batch, place, first, ids, span, newest: None }
    }

    /// Takes in rows `from..to` of a piece, all under one watermark; answers how many were late.
    fn take(&mut self, piece: &mut Piece, (from, to): (usize, usize)) -> u64 {
        let side = piece.side;
        let times = millis(&piece.batch.columns[self.times[side]]);
        at_least(&times[from..to], self.watermark.0, from as u32, &mut self.taken);
        let dead = [0, 1].map(|side| self.bounds.dead(side, self.watermark));
        let mut late = (to - from - self.taken.len()) as u64;
        // Nobody behind the watermark: the usual case.
        let mut behind = i64::MIN;
        if late > 0 && !self.by_record {
            self.taken.clear();
            self.taken.extend(from as u32..to as u32);
            (behind, late) = (self.watermark.0.min(dead[side]), 0);
        }
        if !self.rings.fits(piece.span) {
            let held = self.taken.iter().map(|&row| times[row as usize]);
            let held = held.filter(|&time| time >= dead[side]);
            let span = (held.clone().min(), held.max());
            if let (Some(least), Some(most)) = span {
                self.rings.fit((least, most), dead);
            }
        }
        let (bounds, taken) = (self.bounds, &self.taken);
        let now = Now { dead, bounds, times, piece: &*piece, taken, behind };
        let (made, near) = (&mut self.made, &mut self.near);
        let joined = match &mut self.rings {
            Buffers::Narrow(base, rings) => now.join(*base, rings, made, near),
            Buffers::Wide(rings) => now.join(0, rings, made, near),
        };
        piece.newest = piece.newest.max(joined.newest);
        late + joined.late
    }

    /// The same, telling of every row.
    fn tell(&mut self, piece: &mut Piece, (from, to): (usize, usize), out: &mut Output) {
        for row in from..to {
            let before = self.made.seqs.len();
            let late = self.take(piece, (row, row + 1));
            out.late += late;
            let side = piece.side;
            let time = millis(&piece.batch.columns[self.times[side]])[row];
            let (seq, watermark) = (piece.batch.seqs.at(row), self.watermark.0);
            if late > 0 {
                let row = piece.batch.row_text(row);
                out.note(|| What::JoinLate {
                    side: side as u8,
                    seq,
                    event_time: time,
                    watermark,
                    row,
                });
                continue;
            }
            let met = &self.made.rows[1 - side][before..];
            if !met.is_empty() {
                let matched: Vec<Seq> = met.iter().map(|&r| self.rows[1 - side].seq(r)).collect();
                let candidates = matched.len() as u32;
                out.note(|| What::JoinMatch { side: side as u8, seq, candidates, matched });
            }
            if time >= self.bounds.dead(side, self.watermark) {
                let frees_at = time.saturating_add(self.bounds.ahead(side)).saturating_add(1);
                out.note(|| What::JoinBuffer { side: side as u8, seq, event_time: time, frees_at });
            }
        }
    }

    /// Moves the watermark.
    fn advance(&mut self, stair: Stair, out: &mut Output) {
        let before = std::mem::replace(&mut self.watermark, stair.watermark);
        let watermark = self.bounds.hold(stair.watermark);
        let row = self.made.seqs.len() as u32;
        self.made.stairs.push(Stair { row, watermark, ..stair });
        if !out.traced() || before == stair.watermark {
            return;
        }
        for side in 0..2 {
            let freed = self.bounds.dead(side, before)..self.bounds.dead(side, stair.watermark);
            let held = self.rings.rows(side);
            let gone = held.filter(|(_, time, _)| freed.contains(time));
            let mut seqs: Vec<Seq> = gone.map(|(_, _, row)| self.rows[side].seq(row)).collect();
            if !seqs.is_empty() {
                seqs.sort();
                out.note(|| What::JoinExpire { side: side as u8, seqs });
            }
        }
    }

    /// Hands on what has been joined. `upto`: how far the stream has come.
    fn flush(&mut self, upto: Seq, out: &mut Output) {
        let made = &mut self.made;
        let stairs = std::mem::take(&mut made.stairs);
        if made.seqs.is_empty() {
            out.batches.push(Batch::progress(self.output.clone(), stairs, upto));
            return;
        }
        let mut columns = self.rows[0].gather(&self.kept[0], &made.rows[0]);
        columns.extend(self.rows[1].gather(&self.kept[1], &made.rows[1]));
        made.rows.iter_mut().for_each(Vec::clear);
        let seqs = std::mem::take(&mut made.seqs);
        let batch = Batch::new(self.output.clone(), columns, seqs.into());
        out.batches.push(Batch { stairs, upto, ..batch });
    }

    fn join(&mut self, merged: Merged, out: &mut Output) {
        let mut pieces: Vec<Piece> =
            merged.pieces.iter().map(|(side, batch)| self.piece(*side, batch)).collect();
        let mut steps = merged.stairs.iter().peekable();
        let mut rows = 0;
        for run in &merged.runs {
            let piece = &mut pieces[run.piece as usize];
            let mut from = run.from;
            while from < run.to {
                while let Some(stair) = steps.next_if(|s| s.row <= rows) {
                    self.advance(*stair, out);
                }
                let next = steps.peek().map_or(u32::MAX, |s| s.row - rows);
                let to = run.to.min(from.saturating_add(next));
                let range = match &piece.place {
                    None => (from as usize, to as usize),
                    Some(p) => (p[from as usize] as usize, p[to as usize] as usize),
                };
                match out.traced() {
                    true => self.tell(piece, range, out),
                    false => out.late += self.take(piece, range),
                }
                if self.made.seqs.len() >= OUTPUT_ROWS && range.0 < range.1 {
                    let seq = piece.batch.seqs.at(range.1 - 1);
                    self.flush(merged.upto.min(seq.saturating_sub(1)), out);
                }
                (rows, from) = (rows + (to - from), to);
            }
        }
        steps.for_each(|stair| self.advance(*stair, out));
        self.flush(merged.upto, out);
        for piece in pieces {
            if let Some(newest) = piece.newest {
                self.rows[piece.side].need(piece.first, newest);
            }
        }
        self.tidy();
    }

    /// How many rows, blocks of rings and key numbers are there.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize, usize) {
        (self.rows.iter().map(Rows::len).sum(), self.rings.used(), self.keys.numbers())
    }

    /// Drops what nothing can meet any more.
    fn tidy(&mut self) {
        let dead = [0, 1].map(|side| self.bounds.dead(side, self.watermark));
        if self.rings.used() > BLOCKS.max(2 * self.swept) {
            self.rings.sweep(dead);
            self.swept = self.rings.used();
        }
        for (rows, dead) in self.rows.iter_mut().zip(dead) {
            rows.tidy(dead);
        }
        self.keys.sweep(|live| self.rings.mark(live));
    }
}

impl Now<'_> {
    /// Joins the rows that are taken in, then holds them: they meet only rows of the other side. `near` is room for those
    /// that may meet any.
    fn join<T: Delta>(
        &self,
        base: i64,
        rings: &mut Rings<T>,
        made: &mut Made,
        near: &mut Vec<u32>,
    ) -> Joined {
        let side = self.piece.side;
        let [own_dead, other_dead] =
            [side, 1 - side].map(|side| self.dead[side].saturating_sub(base));
        let [left, right] = &mut made.rows;
        let (mine, met) = if side == 0 { (left, right) } else { (right, left) };
        rings.with_rows(1 - side, &self.piece.ids, self.taken, near);
        let is_behind = |&&row: &&u32| self.times[row as usize] < self.behind;
        let mut joined = Joined::default();
        if self.behind > i64::MIN {
            joined.late = self.taken.iter().filter(is_behind).count() as u64;
        }
        for &row in &*near {
            let (time, id) = (self.times[row as usize], self.piece.ids[row as usize]);
            if let Some((least, most)) = self.bounds.range(side, time) {
                // Rows that are held no longer may still be there.
                let least = least.max(self.dead[1 - side]);
                let range = (least.saturating_sub(base), most.saturating_sub(base));
                rings.find((1 - side, id), range, other_dead, met);
                if met.len() > mine.len() {
                    mine.resize(met.len(), self.piece.first.wrapping_add(row));
                    made.seqs.resize(met.len(), self.piece.batch.seqs.at(row as usize));
                    joined.late -= u64::from(time < self.behind);
                }
            }
        }
        for &row in self.taken {
            let (time, id) = (self.times[row as usize], self.piece.ids[row as usize]);
            if time >= self.dead[side] {
                let number = self.piece.first.wrapping_add(row);
                let entry = Entry { time: T::of(time, base).expect("made to fit"), row: number };
                rings.push((side, id), entry, own_dead);
                joined.newest = joined.newest.max(Some(time));
            }
        }
        joined
    }
}

impl Operator for IntervalJoin {
    fn process(&mut self, side: usize, batch: Batch, out: &mut Output) -> Result<()> {
        self.join(Merged::of(side, batch), out);
        Ok(())
    }

    fn process_merged(&mut self, merged: Merged, out: &mut Output) -> Result<()> {
        self.join(merged, out);
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.encode().into()
    }

    fn empty(&mut self) {
        self.watermark = EventTime::MIN;
        self.keys = KeyTable::new(&self.columns[0].types, KeyOrder::Value);
        self.rings = Buffers::Narrow(0, Default::default());
        self.rows = [0, 1].map(|side| Rows::new(&self.inputs[side]));
        (self.made, self.swept) = (Made::default(), 0);
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        if seeded("interval-join-forgotten") {
            return Ok(());
        }
        match self.decode(bytes, own)? {
            true => Ok(()),
            false => Err(wrong_state(&self.name)),
        }
    }

    fn contents(&mut self) -> Option<Vec<Contents>> {
        let held = |side: usize, part| Contents { part, rows: self.needed(side) };
        Some(vec![held(0, "left"), held(1, "right")])
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
