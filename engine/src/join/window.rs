//! The window join: rows of two inputs that are in the same window meet when it closes.
//!
//! A row waits until the watermark reaches its window's last millisecond; then the window's rows are joined
//! at once, handed on and forgotten. So nothing is ever taken back, not even by an outer join. A row whose
//! window has closed is late and left out; a key with a NULL equals none.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};

use super::condition::Condition;
use super::places::{NONE, Places, Ready, key_numbers};
use super::regular::JoinKind;
use crate::batch::{Batch, Seq, Stair};
use crate::column::{concat, from_values, millis, take};
use crate::error::Result;
use crate::expr::Expr;
use crate::key::{KeyColumns, KeyGroups, KeyOrder, KeyTable};
use crate::numbers::Numbers;
use crate::operator::{Contents, Merged, Operator, Output, wrong_state};
use crate::schema::{Field, SchemaRef};
use crate::snapshot::bytes::{Pieces, Reader, put, put_bytes, put_signed};
use crate::snapshot::rows::{put_rows, read_rows};
use crate::time::EventTime;
use crate::trace::What;
use crate::value::Value;

/// Pairs that are looked at together, about.
const PAIRS: usize = 1 << 15;
/// The first bytes of its state: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"wnjoin_1");

/// The join. Its rows: the left row, then the right one; of a semi or anti join the left row alone.
#[derive(Clone)]
pub struct WindowJoin {
    name: String,
    kind: JoinKind,
    keys: [KeyColumns; 2],
    /// The columns that hold the window's end.
    ends: [usize; 2],
    inputs: [SchemaRef; 2],
    output: SchemaRef,
    condition: Condition,
    places: Places,
    watermark: EventTime,
    /// The rows of either side by the end of their window.
    open: BTreeMap<i64, [Vec<Batch>; 2]>,
}

impl WindowJoin {
    /// A join of two inputs by keys, the window's bounds among them; `ends` are the columns of its end;
    /// `condition` is over the columns of both inputs side by side.
    pub fn new(
        name: &str,
        kind: JoinKind,
        (keys, ends): (&[Vec<usize>; 2], [usize; 2]),
        condition: Option<Expr>,
        inputs: [&SchemaRef; 2],
        output: &SchemaRef,
    ) -> WindowJoin {
        let keys = [KeyColumns::new(inputs[0], &keys[0]), KeyColumns::new(inputs[1], &keys[1])];
        WindowJoin {
            name: name.to_owned(),
            kind,
            places: Places::new(keys.clone()),
            keys,
            ends,
            inputs: inputs.map(Arc::clone),
            output: Arc::clone(output),
            condition: Condition::new(name, condition, inputs),
            watermark: EventTime::MIN,
            open: BTreeMap::new(),
        }
    }

    fn join(&mut self, merged: Merged, out: &mut Output) -> Result<()> {
        let ready = self.places.take(merged, &self.inputs);
        let (mut at, mut pending) = (0, Vec::new());
        for &(rows, stair) in &ready.steps {
            self.buffer(&ready, (at, rows), out);
            at = rows;
            self.advance(stair, &mut pending, ready.upto, out)?;
        }
        self.buffer(&ready, (at, ready.order.len()), out);
        out.end(&self.output, pending, ready.upto);
        Ok(())
    }

    /// Keeps rows until their windows close; all of them are under one watermark.
    fn buffer(&mut self, ready: &Ready, (from, to): (usize, usize), out: &mut Output) {
        for side in 0..2 {
            let batch = &ready.batches[side];
            let own = ready.order[from..to].iter().filter(|o| usize::from(o.0) == side);
            let rows: Vec<u32> = own.map(|o| o.1).collect();
            out.late += self.file(side, batch, &rows);
            if !out.traced() {
                continue;
            }
            let ends = &batch.columns[self.ends[side]];
            for row in rows.into_iter().filter(|&row| ends.is_valid(row as usize)) {
                let row = row as usize;
                let (side, seq) = (side as u8, batch.seqs.at(row));
                let last = millis(ends)[row].saturating_sub(1);
                let watermark = self.watermark.0;
                out.note(|| match last <= watermark {
                    true => {
                        let row = batch.row_text(row);
                        What::JoinLate { side, seq, event_time: last, watermark, row }
                    }
                    false => What::JoinBuffer { side, seq, event_time: last, frees_at: last },
                });
            }
        }
    }

    /// Files rows under their windows; answers how many were late.
    fn file(&mut self, side: usize, batch: &Batch, rows: &[u32]) -> u64 {
        let ends = &batch.columns[self.ends[side]];
        let mut by_end: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for &row in rows.iter().filter(|&&row| ends.is_valid(row as usize)) {
            by_end.entry(millis(ends)[row as usize]).or_default().push(row);
        }
        let mut late = 0;
        for (end, rows) in by_end {
            if end.saturating_sub(1) <= self.watermark.0 {
                late += rows.len() as u64;
                continue;
            }
            let whole = rows.len() == batch.rows;
            let rows = if whole { batch.clone() } else { batch.gather(&rows) };
            self.open.entry(end).or_default()[side].push(rows);
        }
        late
    }

    /// Moves the watermark: joins the rows of the windows it closes, then passes the step on.
    fn advance(
        &mut self,
        stair: Stair,
        pending: &mut Vec<Stair>,
        upto: Seq,
        out: &mut Output,
    ) -> Result<()> {
        self.watermark = stair.watermark;
        let (mut fired, mut groups) = (Vec::new(), Vec::new());
        while let Some(entry) = self.open.first_entry() {
            if entry.key().saturating_sub(1) > stair.watermark.0 {
                break;
            }
            let sides = entry.remove();
            self.close(sides, (&mut fired, &mut groups), out)?;
        }
        let mut stairs = std::mem::take(pending);
        if fired.is_empty() {
            stairs.push(Stair { row: 0, ..stair });
            *pending = stairs;
            return Ok(());
        }
        let all = Batch::concat(&fired);
        // By key group: the one order that does not depend on how many subtasks share them.
        let mut order: Vec<u32> = (0..all.rows as u32).collect();
        order.sort_by_key(|&row| groups[row as usize]);
        let all = if order.is_sorted() { all } else { all.gather(&order) };
        stairs.push(Stair { row: all.rows as u32, ..stair });
        let seqs = Numbers::same(stair.seq, all.rows);
        let upto = upto.min(stair.seq.saturating_sub(1));
        out.batches.push(Batch { seqs, stairs, upto, ..all });
        Ok(())
    }

    /// Joins the rows of one window; adds what it makes, and each row's key group.
    fn close(
        &mut self,
        sides: [Vec<Batch>; 2],
        (fired, groups): (&mut Vec<Batch>, &mut Vec<u32>),
        out: &mut Output,
    ) -> Result<()> {
        let mut number = 0;
        let sides = sides.map(|batches| {
            number += 1;
            match batches.is_empty() {
                true => Batch::progress(self.inputs[number - 1].clone(), Vec::new(), 0),
                false => Batch::concat(&batches),
            }
        });
        let pairs = self.pairs(&sides, out)?;
        if out.traced() {
            for (side, batch) in (0..).zip(&sides).filter(|(_, batch)| batch.rows > 0) {
                let mut seqs: Vec<Seq> = batch.seqs.iter().collect();
                seqs.sort();
                out.note(|| What::JoinExpire { side, seqs });
            }
        }
        if pairs[0].is_empty() {
            return Ok(());
        }
        let own = [0, 1].map(|side| self.keys[side].groups(&sides[side]));
        let group = |(&l, &r): (&u32, &u32)| match l {
            NONE => own[1][r as usize],
            l => own[0][l as usize],
        };
        groups.extend(pairs[0].iter().zip(&pairs[1]).map(group));
        let mut columns = columns(&sides[0], &pairs[0]);
        if !self.kind.one_sided() {
            columns.extend(self::columns(&sides[1], &pairs[1]));
        }
        let seqs = Numbers::same(0, pairs[0].len());
        fired.push(Batch::new(self.output.clone(), columns, seqs));
        Ok(())
    }

    /// The rows of either side that stand together in a row of the result.
    fn pairs(&mut self, sides: &[Batch; 2], out: &mut Output) -> Result<[Vec<u32>; 2]> {
        let mut keys = KeyTable::new(&self.keys[0].types, KeyOrder::Value);
        let ids = [0, 1].map(|side| key_numbers(&mut keys, &self.keys[side], &sides[side]));
        let mut of_key: Vec<Vec<u32>> = vec![Vec::new(); keys.numbers()];
        for (row, &id) in (0..).zip(&ids[1]).filter(|(_, id)| **id != NONE) {
            of_key[id as usize].push(row);
        }
        let mut met = vec![false; sides[1].rows];
        let mut made = [Vec::new(), Vec::new()];
        let mut candidates = [Vec::new(), Vec::new()];
        let mut first = 0;
        for (left, &id) in ids[0].iter().enumerate() {
            let partners = if id == NONE { &[][..] } else { &of_key[id as usize] };
            candidates[1].extend_from_slice(partners);
            candidates[0].resize(candidates[1].len(), left as u32);
            if candidates[0].len() > PAIRS || left + 1 == sides[0].rows {
                let fits = self.fitting(sides, &candidates, out)?;
                self.choose((first, left + 1), (&candidates, &fits), &mut made, &mut met);
                if out.traced() {
                    tell(sides, (first, left + 1), (&candidates, &fits), out);
                }
                candidates.iter_mut().for_each(Vec::clear);
                first = left + 1;
            }
        }
        if self.kind.outer(1) {
            let lonely = (0..sides[1].rows as u32).filter(|&right| !met[right as usize]);
            made[1].extend(lonely);
            made[0].resize(made[1].len(), NONE);
        }
        Ok(made)
    }

    /// What becomes of the rows `first..last` of the left and their candidates.
    fn choose(
        &self,
        (first, last): (usize, usize),
        (candidates, fits): (&[Vec<u32>; 2], &[bool]),
        made: &mut [Vec<u32>; 2],
        met: &mut [bool],
    ) {
        let mut at = 0;
        for left in first as u32..last as u32 {
            let mut partners = 0;
            while at < fits.len() && candidates[0][at] == left {
                if fits[at] {
                    let right = candidates[1][at];
                    partners += 1;
                    met[right as usize] = true;
                    if !self.kind.one_sided() {
                        made[0].push(left);
                        made[1].push(right);
                    }
                }
                at += 1;
            }
            let alone = match self.kind {
                JoinKind::Semi => partners > 0,
                JoinKind::Anti => partners == 0,
                kind => kind.outer(0) && partners == 0,
            };
            if alone {
                made[0].push(left);
                made[1].push(NONE);
            }
        }
    }

    /// Which pairs fulfil the condition.
    fn fitting(
        &self,
        sides: &[Batch; 2],
        pairs: &[Vec<u32>; 2],
        out: &mut Output,
    ) -> Result<Vec<bool>> {
        let columns = || {
            let mut both = columns(&sides[0], &pairs[0]);
            both.extend(columns(&sides[1], &pairs[1]));
            (both, sides[0].seqs.gather(&pairs[0]).iter().collect())
        };
        self.condition.fits(pairs[0].len(), columns, out)
    }

    fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK || reader.bytes()? != self.condition.guests() {
            return Ok(false);
        }
        self.watermark = EventTime(reader.signed()?);
        for side in 0..2 {
            match read_rows(&mut reader, &self.inputs[side])? {
                Some(batch) if batch.kinds.is_none() => {
                    let batch = own.rows(&self.keys[side], batch);
                    let all: Vec<u32> = (0..batch.rows as u32).collect();
                    let nulls = batch.columns[self.ends[side]].null_count();
                    if self.file(side, &batch, &all) + nulls as u64 > 0 {
                        return Ok(false);
                    }
                }
                _ => return Ok(false),
            }
        }
        reader.end()?;
        Ok(true)
    }
}

/// The columns of some rows; NULLs for [`NONE`].
fn columns(batch: &Batch, rows: &[u32]) -> Vec<ArrayRef> {
    let null = batch.rows as u32;
    let nulls = rows.contains(&NONE);
    let rows: Vec<u32> = rows.iter().map(|&row| row.min(null)).collect();
    let column = |(column, field): (&ArrayRef, &Field)| match nulls {
        true => {
            let null = from_values(&[Value::Null], field.data_type);
            take(&concat(&[column.clone(), null]), &rows)
        }
        false => take(column, &rows),
    };
    batch.columns.iter().zip(&batch.schema.fields).map(column).collect()
}

/// Puts the partners of the left rows on the trace.
fn tell(
    sides: &[Batch; 2],
    (first, last): (usize, usize),
    (candidates, fits): (&[Vec<u32>; 2], &[bool]),
    out: &mut Output,
) {
    for left in first as u32..last as u32 {
        let range = candidates[0].partition_point(|&l| l < left)
            ..candidates[0].partition_point(|&l| l <= left);
        let count = range.len() as u32;
        let matched = range.filter(|&i| fits[i]).map(|i| candidates[1][i] as usize);
        let matched = matched.map(|right| sides[1].seqs.at(right)).collect();
        let seq = sides[0].seqs.at(left as usize);
        out.note(|| What::JoinMatch { side: 0, seq, candidates: count, matched });
    }
}

impl Operator for WindowJoin {
    fn process(&mut self, side: usize, batch: Batch, out: &mut Output) -> Result<()> {
        self.join(Merged::of(side, batch), out)
    }

    fn process_merged(&mut self, merged: Merged, out: &mut Output) -> Result<()> {
        self.join(merged, out)
    }

    fn save(&mut self) -> Pieces {
        debug_assert!(!self.places.waits(), "a barrier stands behind complete places only");
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_bytes(&mut out, &self.condition.guests());
        put_signed(&mut out, self.watermark.0);
        for side in 0..2 {
            let rows: Vec<Batch> = self.open.values().flat_map(|s| s[side].clone()).collect();
            let rows = match rows.is_empty() {
                true => Batch::progress(self.inputs[side].clone(), Vec::new(), 0),
                false => Batch::concat(&rows),
            };
            put_rows(&mut out, &rows, false);
        }
        out.into()
    }

    fn empty(&mut self) {
        self.watermark = EventTime::MIN;
        self.open.clear();
        self.places.clear();
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        match self.decode(bytes, own)? {
            true => Ok(()),
            false => Err(wrong_state(&self.name)),
        }
    }

    fn contents(&mut self) -> Option<Vec<Contents>> {
        let held = |s: usize, part| {
            let open = self.open.values().flat_map(|sides| sides[s].iter().cloned());
            let all: Vec<Batch> = open.collect();
            let rows = match all.is_empty() {
                true => Batch::progress(self.inputs[s].clone(), Vec::new(), 0),
                false => Batch::concat(&all),
            };
            Contents { part, rows }
        };
        Some(vec![held(0, "left"), held(1, "right")])
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
