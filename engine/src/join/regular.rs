//! The regular join: every row of either input meets all rows of the other that are there.
//!
//! Both inputs are kept whole, and both may take rows back. What a row changes is said as Flink's streaming
//! join says it: an inner join hands the row's own kind on; where a side is outer, a row without a partner
//! stands with NULLs until its first partner comes, and again once the last has gone. A key with a NULL
//! equals none.
//!
//! A lookup join is the same with one input kept: a row of the left meets the rows of the right that are there,
//! leaves, and is forgotten; a row of the right says nothing.

pub(super) mod side;
mod state;

use std::sync::Arc;

use super::condition::Condition;
use super::places::{NONE, Places, key_numbers};
use crate::batch::{Batch, RowKind, Seq, Stair};
use crate::error::Result;
use crate::expr::Expr;
use crate::key::{Ages, Encoded, KeyColumns, KeyGroups, KeyOrder, KeyTable};
use crate::operator::{Contents, Merged, Operator, Output, wrong_state};
use crate::schema::{DataType, SchemaRef};
use crate::seeded::seeded;
use crate::snapshot::bytes::Pieces;
use crate::trace::What;

use side::{Side, contents};

/// Pairs that are looked at together, about.
const PAIRS: usize = 1 << 14;

/// Which rows a join hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs.
    Inner,
    /// Pairs, and rows of the left without a partner.
    Left,
    /// Pairs, and rows of the right without a partner.
    Right,
    /// Pairs, and rows of both without a partner.
    Full,
    /// Rows of the left that have a partner: `EXISTS`, `IN`.
    Semi,
    /// Rows of the left that have none: `NOT EXISTS`.
    Anti,
}

impl JoinKind {
    /// As a plan shows it.
    pub fn name(self) -> &'static str {
        match self {
            JoinKind::Inner => "inner",
            JoinKind::Left => "left",
            JoinKind::Right => "right",
            JoinKind::Full => "full",
            JoinKind::Semi => "semi",
            JoinKind::Anti => "anti",
        }
    }

    /// Whether rows of a side without a partner are handed on, with NULLs for the other side.
    pub fn outer(self, side: usize) -> bool {
        match self {
            JoinKind::Inner | JoinKind::Semi | JoinKind::Anti => false,
            JoinKind::Left => side == 0,
            JoinKind::Right => side == 1,
            JoinKind::Full => true,
        }
    }

    /// Whether a join's rows have columns of the left alone.
    pub fn one_sided(self) -> bool {
        matches!(self, JoinKind::Semi | JoinKind::Anti)
    }

    /// Whether it takes rows back that it has handed on, where its inputs take none back.
    pub fn updates(self) -> bool {
        !matches!(self, JoinKind::Inner | JoinKind::Semi)
    }

    /// Whether the rows of a side know how many partners they have.
    fn counted(self, side: usize) -> bool {
        self.outer(side) || (self.one_sided() && side == 0)
    }
}

/// The join. Its rows: the left row, then the right one; of a semi or anti join the left row alone.
#[derive(Clone)]
pub struct RegularJoin {
    name: String,
    kind: JoinKind,
    columns: [KeyColumns; 2],
    inputs: [SchemaRef; 2],
    output: SchemaRef,
    updating: bool,
    condition: Condition,
    places: Places,
    keys: KeyTable,
    sides: [Side; 2],
    made: Made,
    /// Set for a lookup join: whether a row of the right takes the place of the one with its key.
    lookup: Option<bool>,
    /// When rows came, where they are forgotten after a time: by twice their number, and one for the right.
    ages: Option<Ages>,
}

/// Rows that have not left yet, by their numbers on either side.
#[derive(Clone, Default)]
struct Made {
    rows: [Vec<u32>; 2],
    kinds: Vec<RowKind>,
    seqs: Vec<Seq>,
    stairs: Vec<Stair>,
}

impl Made {
    fn say(&mut self, kind: RowKind, seq: Seq, (side, own): (usize, u32), other: u32) {
        self.rows[side].push(own);
        self.rows[1 - side].push(other);
        self.kinds.push(kind);
        self.seqs.push(seq);
    }
}

/// A row that has come, and those of the other side whose keys equal its own.
struct Meeting {
    /// How many rows came before it.
    place: usize,
    side: usize,
    row: u32,
    seq: Seq,
    kind: RowKind,
    /// Its candidates.
    from: usize,
    to: usize,
}

impl RegularJoin {
    /// A join of two inputs by keys; `updating`: its rows may be taken back; `condition` is over the
    /// columns of both inputs side by side.
    pub fn new(
        name: &str,
        kind: JoinKind,
        keys: &[Vec<usize>; 2],
        condition: Option<Expr>,
        inputs: [&SchemaRef; 2],
        (output, updating): (&SchemaRef, bool),
    ) -> RegularJoin {
        let columns = [KeyColumns::new(inputs[0], &keys[0]), KeyColumns::new(inputs[1], &keys[1])];
        let types =
            |i: usize| -> Vec<DataType> { inputs[i].fields.iter().map(|f| f.data_type).collect() };
        RegularJoin {
            name: name.to_owned(),
            kind,
            keys: KeyTable::new(&columns[0].types, KeyOrder::Value),
            places: Places::new(columns.clone()),
            columns,
            inputs: inputs.map(Arc::clone),
            output: Arc::clone(output),
            updating,
            condition: Condition::new(name, condition, inputs),
            sides: [Side::new(types(0)), Side::new(types(1))],
            made: Made::default(),
            lookup: None,
            ages: None,
        }
    }

    /// The same, rows being forgotten so many milliseconds after they came: without a word, and their partners'
    /// numbers of partners stay as they are, as in Flink.
    #[must_use]
    pub fn forgetting(self, ttl: Option<i64>) -> RegularJoin {
        RegularJoin { ages: ttl.map(Ages::new), ..self }
    }

    /// The clock goes on: the rows whose time is over are no longer there.
    fn forget(&mut self, gone: Vec<u32>, out: &mut Output) {
        for aged in gone {
            let (side, number) = ((aged % 2) as usize, aged / 2);
            let id = self.sides[side].id(number);
            self.sides[side].take_out(id, number);
            let seqs = || vec![self.sides[side].seq(number)];
            out.note(|| What::JoinExpire { side: side as u8, seqs: seqs() });
        }
    }

    /// The same as a lookup join, inner or left; `replaces`: a row of the right takes the place of the one
    /// with its key.
    #[must_use]
    pub fn looking_up(self, replaces: bool) -> RegularJoin {
        RegularJoin { lookup: Some(replaces), ..self }
    }

    /// Takes in a row of the right that is looked up.
    fn learn(
        &mut self,
        replaces: bool,
        id: u32,
        kind: RowKind,
        (row, seq): (&[u8], Seq),
        out: &mut Output,
    ) {
        let side = &mut self.sides[1];
        let adds = matches!(kind, RowKind::Insert | RowKind::UpdateAfter);
        if id == NONE {
            return;
        }
        let known = if replaces { side.of(id).to_vec() } else { Vec::new() };
        known.iter().for_each(|&number| side.take_out(id, number));
        let removed = if adds || replaces { None } else { side.remove(id, row, seq) };
        if adds {
            side.add(id, row, seq);
        }
        let side = &self.sides[1];
        if !known.is_empty() {
            let seqs = || known.iter().map(|&number| side.seq(number)).collect();
            out.note(|| What::JoinExpire { side: 1, seqs: seqs() });
        }
        if let Some(number) = removed {
            out.note(|| What::JoinTake { side: 1, seq, of: side.seq(number) });
        }
        if adds {
            out.note(|| What::JoinKeep { side: 1, seq });
        }
    }

    /// Tells what a row that has come has changed in what is kept.
    fn note_kept(&self, m: &Meeting, out: &mut Output) {
        let (side, own) = (m.side as u8, &self.sides[m.side]);
        if self.lookup.is_some() || own.id(m.row) == NONE {
            return;
        }
        out.note(|| match m.kind {
            RowKind::Insert | RowKind::UpdateAfter => What::JoinKeep { side, seq: m.seq },
            RowKind::UpdateBefore | RowKind::Delete => {
                What::JoinTake { side, seq: m.seq, of: own.seq(m.row) }
            }
        });
    }

    fn join(&mut self, merged: Merged, out: &mut Output) -> Result<()> {
        let ready = self.places.take(merged, &self.inputs);
        let ids = [0, 1]
            .map(|side| key_numbers(&mut self.keys, &self.columns[side], &ready.batches[side]));
        let rows = [0, 1].map(|side| Encoded::rows(&ready.batches[side]));
        self.sides.iter_mut().for_each(|side| side.reach(self.keys.numbers()));
        let (mut steps, mut ticks) = (ready.steps.iter().peekable(), ready.steps.iter().peekable());
        let (mut meetings, mut candidates) = (Vec::new(), Vec::new());
        for (place, &(side, row)) in ready.order.iter().enumerate() {
            while let Some((_, stair)) = ticks.next_if(|step| step.0 <= place) {
                let gone = self.ages.as_mut().map(|ages| ages.advance(stair.clock));
                if let Some(gone) = gone.filter(|gone| !gone.is_empty()) {
                    self.meet(&mut meetings, &mut candidates, &mut steps, out)?;
                    self.forget(gone, out);
                }
            }
            let (side, row) = (usize::from(side), row as usize);
            let kind = ready.batches[side].kind(row);
            let id = ids[side][row];
            let alone = self.kind.outer(side) || (self.kind == JoinKind::Anti && side == 0);
            if id == NONE && !alone {
                continue;
            }
            let seq = ready.batches[side].seqs.at(row);
            if let (Some(replaces), 1) = (self.lookup, side) {
                if out.traced() {
                    self.meet(&mut meetings, &mut candidates, &mut steps, out)?;
                }
                self.learn(replaces, id, kind, (rows[1].get(row), seq), out);
                continue;
            }
            let adds = matches!(kind, RowKind::Insert | RowKind::UpdateAfter);
            let own = match adds {
                true => Some(self.sides[side].add(id, rows[side].get(row), seq)),
                false => self.sides[side].remove(id, rows[side].get(row), seq),
            };
            debug_assert!(
                own.is_some() || self.ages.is_some(),
                "a row is taken back only after it came"
            );
            let Some(own) = own else { continue };
            if self.lookup.is_some() && id != NONE {
                self.sides[0].take_out(id, own);
            }
            if let Some(ages) = self.ages.as_mut().filter(|_| id != NONE) {
                let aged = own * 2 + side as u32;
                if adds { ages.write(aged) } else { ages.drop(aged) }
            }
            let from = candidates.len();
            candidates.extend_from_slice(self.sides[1 - side].of(id));
            let to = candidates.len();
            meetings.push(Meeting { place, side, row: own, seq, kind, from, to });
            if candidates.len() + meetings.len() > PAIRS {
                self.meet(&mut meetings, &mut candidates, &mut steps, out)?;
                self.flush(ready.upto.min(seq.saturating_sub(1)), out);
            }
        }
        self.meet(&mut meetings, &mut candidates, &mut steps, out)?;
        for (_, stair) in ticks {
            let gone = self.ages.as_mut().map(|ages| ages.advance(stair.clock));
            self.forget(gone.unwrap_or_default(), out);
        }
        steps.for_each(|step| self.step(step.1));
        self.flush(ready.upto, out);
        self.keys.sweep(|live| self.sides.iter().for_each(|side| side.mark(live)));
        Ok(())
    }

    fn step(&mut self, stair: Stair) {
        let row = self.made.seqs.len() as u32;
        self.made.stairs.push(Stair { row, ..stair });
    }

    /// Says what the meetings change, in their order.
    fn meet<'a>(
        &mut self,
        meetings: &mut Vec<Meeting>,
        candidates: &mut Vec<u32>,
        steps: &mut std::iter::Peekable<impl Iterator<Item = &'a (usize, Stair)>>,
        out: &mut Output,
    ) -> Result<()> {
        let fits = self.fitting(meetings, candidates, out)?;
        let mut met = Vec::new();
        for m in meetings.drain(..) {
            while let Some(step) = steps.next_if(|step| step.0 <= m.place) {
                self.step(step.1);
            }
            met.clear();
            let all = m.from..m.to;
            met.extend(all.filter(|&i| fits[i]).map(|i| candidates[i]));
            if out.traced() {
                self.note_kept(&m, out);
                let seqs = met.iter().map(|&row| self.sides[1 - m.side].seq(row)).collect();
                let (side, candidates) = (m.side as u8, (m.to - m.from) as u32);
                out.note(|| What::JoinMatch { side, seq: m.seq, candidates, matched: seqs });
            }
            match self.kind.one_sided() {
                true => self.choose(&m, &met),
                false => self.pair(&m, &met),
            }
        }
        candidates.clear();
        Ok(())
    }

    /// Which candidates fulfil the condition.
    fn fitting(
        &self,
        meetings: &[Meeting],
        candidates: &[u32],
        out: &mut Output,
    ) -> Result<Vec<bool>> {
        let pairs = || {
            let mut rows = [Vec::new(), Vec::new()];
            let mut seqs = Vec::with_capacity(candidates.len());
            for m in meetings {
                rows[m.side].resize(m.to, m.row);
                rows[1 - m.side].extend_from_slice(&candidates[m.from..m.to]);
                seqs.resize(m.to, m.seq);
            }
            let mut columns = self.sides[0].columns(&rows[0]);
            columns.extend(self.sides[1].columns(&rows[1]));
            (columns, seqs)
        };
        self.condition.fits(candidates.len(), pairs, out)
    }

    /// Pairs a row with those it met.
    fn pair(&mut self, m: &Meeting, met: &[u32]) {
        let outer = [self.kind.outer(m.side), self.kind.outer(1 - m.side)];
        let adds = matches!(m.kind, RowKind::Insert | RowKind::UpdateAfter);
        let (own, seq) = ((m.side, m.row), m.seq);
        let plain = match (outer, adds) {
            ([false, false], _) => m.kind,
            (_, true) => RowKind::Insert,
            (_, false) => RowKind::Delete,
        };
        if met.is_empty() && outer[0] {
            self.made.say(plain, seq, own, NONE);
        }
        if outer[1] && adds {
            for &other in met {
                if self.sides[1 - m.side].count(other, 1) == 1 {
                    self.made.say(RowKind::Delete, seq, (1 - m.side, other), NONE);
                }
            }
        }
        met.iter().for_each(|&other| self.made.say(plain, seq, own, other));
        if outer[1] && !adds {
            for &other in met {
                if self.sides[1 - m.side].count(other, -1) == 0 {
                    self.made.say(RowKind::Insert, seq, (1 - m.side, other), NONE);
                }
            }
        }
        if outer[0] && adds {
            self.sides[m.side].count(m.row, met.len() as i64);
        }
    }

    /// Hands rows of the left on that have a partner, or that have none.
    fn choose(&mut self, m: &Meeting, met: &[u32]) {
        let semi = self.kind == JoinKind::Semi;
        let adds = matches!(m.kind, RowKind::Insert | RowKind::UpdateAfter);
        if m.side == 0 {
            if met.is_empty() != semi {
                self.made.say(m.kind, m.seq, (0, m.row), NONE);
            }
            if adds {
                self.sides[0].count(m.row, met.len() as i64);
            }
            return;
        }
        for &left in met {
            let count = self.sides[0].count(left, if adds { 1 } else { -1 });
            let kind = match (semi, adds, count) {
                (true, true, 1) | (true, false, 0) => m.kind,
                (false, true, 1) => RowKind::Delete,
                (false, false, 0) => RowKind::Insert,
                _ => continue,
            };
            self.made.say(kind, m.seq, (0, left), NONE);
        }
    }

    /// Hands on what has been made. `upto`: how far the stream has come.
    fn flush(&mut self, upto: Seq, out: &mut Output) {
        let made = std::mem::take(&mut self.made);
        if made.seqs.is_empty() {
            out.batches.push(Batch::progress(self.output.clone(), made.stairs, upto));
        } else {
            let mut columns = self.sides[0].columns(&made.rows[0]);
            if !self.kind.one_sided() {
                columns.extend(self.sides[1].columns(&made.rows[1]));
            }
            let batch = Batch::new(self.output.clone(), columns, made.seqs.into());
            let kinds = self.updating.then(|| made.kinds.into());
            out.batches.push(Batch { kinds, stairs: made.stairs, upto, ..batch });
        }
        self.sides.iter_mut().for_each(Side::tidy);
    }
}

impl Operator for RegularJoin {
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
        self.keys = KeyTable::new(&self.columns[0].types, self.keys.order());
        self.places.clear();
        self.sides.iter_mut().for_each(Side::clear);
        if let Some(ages) = &mut self.ages {
            ages.empty();
        }
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        if seeded("regular-join-forgotten") {
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

    fn rows_held(&self) -> Option<u64> {
        Some(self.sides.iter().map(Side::len).sum())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
