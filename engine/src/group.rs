//! Aggregation per key without a window: every record changes the answer, the output is a changelog.

mod batched;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aggregate::{AggregateCall, AggregateSet, Changes};
use crate::batch::{Batch, RowKind, Stair};
use crate::column::{concat, differ, take};
use crate::error::Result;
use crate::key::{Ages, Cut, KeyColumns, KeyGroups, KeyOrder, KeyTable, Places};
use crate::operator::{Contents, Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::seeded::seeded;
use crate::snapshot::bytes::{Pieces, Reader, put};

pub use batched::BatchedAggregate;

/// A running aggregate: `+I` for a key's first record, then `-U` and `+U` whenever its row changes; only
/// `+U` for whoever needs no more. An input that takes rows back takes them out of the aggregates, and a
/// key's last one is answered by `-D`.
#[derive(Clone)]
pub struct GroupAggregate {
    name: String,
    keys: KeyColumns,
    output: SchemaRef,
    table: KeyTable,
    aggregates: AggregateSet,
    retracts: bool,
    /// Whether the input takes rows back.
    retracted: bool,
    slots: Vec<u32>,
    places: Places,
    /// The rows in all groups.
    held: u64,
    /// When groups were written to, where they are forgotten after a time.
    ages: Option<Ages>,
}

/// The first bytes of its state: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"groups_1");

impl GroupAggregate {
    /// Aggregates `calls` by the columns `keys` of `input`; `retracts`: a `-U` comes before each `+U`;
    /// `retracted`: the input's rows are taken back at times.
    pub fn new(
        name: &str,
        keys: &[usize],
        calls: &[AggregateCall],
        (retracts, retracted): (bool, bool),
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> GroupAggregate {
        let keys = KeyColumns::new(input, keys);
        GroupAggregate {
            name: name.to_owned(),
            table: KeyTable::new(&keys.types, KeyOrder::Value),
            keys,
            output: Arc::clone(output),
            aggregates: match retracted {
                true => AggregateSet::retracting(calls, input),
                false => AggregateSet::new(calls, input),
            },
            retracts,
            retracted,
            slots: Vec::new(),
            places: Places::default(),
            held: 0,
            ages: None,
        }
    }

    /// The same, groups being forgotten so many milliseconds after the last row of theirs: without a word,
    /// and the next row is a first one again.
    #[must_use]
    pub fn forgetting(self, ttl: Option<i64>) -> GroupAggregate {
        GroupAggregate { ages: ttl.map(Ages::new), ..self }
    }

    /// Forgets groups.
    fn forget(&mut self, ids: impl IntoIterator<Item = u32>) {
        for id in ids {
            self.held = self.held.saturating_sub(self.aggregates.rows(id));
            self.aggregates.clear(id, id + 1);
        }
    }

    /// Takes in rows whose slots are known, and says what they change.
    fn take_in(&mut self, (from, to): (usize, usize), batch: Batch, out: &mut Output) {
        let back = |kind: &&RowKind| matches!(kind, RowKind::UpdateBefore | RowKind::Delete);
        let back = batch.kinds.as_ref().map_or(0, |kinds| kinds.iter().filter(back).count());
        self.held = (self.held + (batch.rows - back) as u64).saturating_sub(back as u64);
        let changes = self.aggregates.follow(&self.slots[from..to], &batch);
        out.batches.push(match self.retracts || self.retracted || !self.updates() {
            true => self.changelog(batch, changes),
            false => self.upserts(batch, changes),
        });
    }

    /// The same where groups may be forgotten between the rows.
    fn take_in_aged(&mut self, mut batch: Batch, cuts: Vec<Cut>, out: &mut Output) {
        let stairs = std::mem::take(&mut batch.stairs);
        let mut stairs = stairs.into_iter().peekable();
        let (mut from, rows, end) = (0, batch.rows, batch.upto);
        for (to, gone) in cuts.into_iter().chain([(rows, Vec::new())]) {
            let is_last = to == rows && gone.is_empty();
            let mut own = Vec::new();
            while let Some(s) = stairs.next_if(|s| is_last || s.row as usize <= to) {
                own.push(Stair { row: s.row - from as u32, ..s });
            }
            // Nothing is said yet of the rows behind.
            let upto = batch.seqs.get(to).map_or(end, |seq| end.min(seq - 1));
            let piece = Batch { stairs: own, upto, ..batch.slice(from, to) };
            let kept = self.kept((from, to), &piece);
            match kept.len() == piece.rows {
                true => self.take_in((from, to), piece, out),
                false => {
                    let slots: Vec<u32> =
                        kept.iter().map(|&i| self.slots[from + i as usize]).collect();
                    let whole = std::mem::replace(&mut self.slots, slots);
                    self.take_in((0, kept.len()), piece.select(&kept), out);
                    self.slots = whole;
                }
            }
            self.forget(gone);
            from = to;
        }
    }

    /// The rows that are not taken back from a group that has none: it has been forgotten since they came.
    fn kept(&self, (from, to): (usize, usize), piece: &Batch) -> Vec<u32> {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        let slots = &self.slots[from..to];
        let mut keeps = |row: usize| {
            let count =
                counts.entry(slots[row]).or_insert_with(|| self.aggregates.rows(slots[row]));
            match piece.kind(row) {
                RowKind::Insert | RowKind::UpdateAfter => *count += 1,
                _ if *count == 0 => return false,
                _ => *count -= 1,
            }
            true
        };
        (0..piece.rows).filter(|&row| keeps(row)).map(|row| row as u32).collect()
    }

    /// The changelog of what a batch did.
    fn changelog(&self, batch: Batch, changes: Changes) -> Batch {
        let Changes { trails, first, gone } = changes;
        let mut changed = first.clone();
        trails.iter().for_each(|t| differ(&t.before, &t.after, &mut changed));
        let gone = |row: usize| gone.get(row).is_some_and(|&gone| gone);
        // Which rows of before and after, the latter counted on, it is made of.
        let (mut rows, mut picks, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        let mut stairs = Vec::with_capacity(batch.stairs.len());
        let mut steps = batch.stairs.iter().peekable();
        let mut say = |row: usize, after: bool, kind: RowKind| {
            rows.push(row as u32);
            picks.push((row + if after { batch.rows } else { 0 }) as u32);
            kinds.push(kind);
            rows.len()
        };
        let mut said = 0;
        for row in 0..batch.rows {
            while let Some(s) = steps.next_if(|s| s.row as usize <= row) {
                stairs.push(Stair { row: said as u32, ..*s });
            }
            if gone(row) {
                said = say(row, false, RowKind::Delete);
            } else if first[row] {
                said = say(row, true, RowKind::Insert);
            } else if changed[row] {
                if self.retracts {
                    say(row, false, RowKind::UpdateBefore);
                }
                said = say(row, true, RowKind::UpdateAfter);
            }
        }
        stairs.extend(steps.map(|s| Stair { row: said as u32, ..*s }));
        let keys = self.keys.columns.iter().map(|&c| take(&batch.columns[c], &rows));
        let results = trails.into_iter().map(|t| take(&concat(&[t.before, t.after]), &picks));
        let columns = keys.chain(results).collect();
        let made = Batch::new(self.output.clone(), columns, batch.seqs.gather(&rows));
        let inserts = kinds.iter().all(|&kind| kind == RowKind::Insert);
        let kinds = (!inserts || self.updates()).then(|| kinds.into());
        Batch { kinds, stairs, upto: batch.upto, ..made }
    }

    /// The changelog of a batch that takes nothing back, without `-U`: a row a record that changed something.
    fn upserts(&self, batch: Batch, changes: Changes) -> Batch {
        let Changes { trails, first, .. } = changes;
        let mut changed = first.clone();
        trails.iter().for_each(|t| differ(&t.before, &t.after, &mut changed));
        let kind = |&first| if first { RowKind::Insert } else { RowKind::UpdateAfter };
        let kinds = first.iter().map(kind).collect();
        let keys = self.keys.columns.iter().map(|&c| batch.columns[c].clone());
        let columns = keys.chain(trails.into_iter().map(|t| t.after)).collect();
        let all =
            Batch { kinds: Some(kinds), ..batch.with_columns(Arc::clone(&self.output), columns) };
        if changed.iter().all(|&changed| changed) {
            return all;
        }
        let rows = (0..all.rows as u32).filter(|&row| changed[row as usize]);
        all.select(&rows.collect::<Vec<u32>>())
    }

    /// Whether there is more to say of a key than that it is there: else all answers are inserts.
    fn updates(&self) -> bool {
        self.retracted || self.output.fields.len() > self.keys.columns.len()
    }
}

impl Operator for GroupAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let batch = self.places.complete(&self.keys, batch);
        let (rows, before) = (batch.rows, self.held);
        if batch.rows == 0 {
            let aged = self.ages.iter_mut().flat_map(|ages| ages.walk(&batch.stairs, &[]));
            let aged: Vec<u32> = aged.flat_map(|(_, gone)| gone).collect();
            self.forget(aged);
            out.hold(rows, before, self.held);
            out.batches.push(Batch::progress(self.output.clone(), batch.stairs, batch.upto));
            return Ok(());
        }
        self.table.intern(&self.keys, &batch, (0, batch.rows), &mut self.slots);
        self.aggregates.grow(self.table.numbers());
        match &mut self.ages {
            None => self.take_in((0, batch.rows), batch, out),
            Some(ages) => {
                let cuts = ages.walk(&batch.stairs, &self.slots);
                self.take_in_aged(batch, cuts, out);
            }
        }
        out.hold(rows, before, self.held);
        if self.retracted || self.ages.is_some() {
            let aggregates = &self.aggregates;
            self.table.sweep(|live| {
                (0..).zip(live).for_each(|(slot, live)| *live = aggregates.rows(slot) > 0);
            });
        }
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        debug_assert!(self.places.is_empty(), "a barrier stands behind complete places only");
        let ids = self.table.in_order().iter().copied();
        let ids: Vec<u32> = ids.filter(|&id| self.aggregates.rows(id) > 0).collect();
        let mut out = Vec::new();
        put(&mut out, MARK);
        put(&mut out, ids.len() as u64);
        self.table.save(&ids, &mut out);
        self.aggregates.save(&ids, &mut out);
        if let Some(ages) = &self.ages {
            ages.save(&ids, &mut out);
        }
        out.into()
    }

    fn empty(&mut self) {
        self.table = KeyTable::new(&self.keys.types, KeyOrder::Value);
        self.places = Places::default();
        self.aggregates.clear(0, self.aggregates.slots() as u32);
        self.held = 0;
        if let Some(ages) = &mut self.ages {
            ages.empty();
        }
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        if seeded("groups-forgotten") {
            return Ok(());
        }
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Err(wrong_state(&self.name));
        }
        let count = reader.count()?;
        let ids = self.table.load(count, &mut reader)?.ok_or_else(|| wrong_state(&self.name))?;
        if !self.aggregates.load(&ids, &mut reader)? {
            return Err(wrong_state(&self.name));
        }
        let table = &self.table;
        if let Some(ages) = &mut self.ages {
            ages.load(&ids, |id| table.is_in(id, own), &mut reader)?;
        }
        for &id in ids.iter().filter(|&&id| !table.is_in(id, own)) {
            self.aggregates.clear(id, id + 1);
        }
        self.held += ids.iter().map(|&id| self.aggregates.rows(id)).sum::<u64>();
        reader.end()
    }

    fn contents(&mut self) -> Option<Vec<Contents>> {
        let ids = self.table.in_order().iter().copied();
        let ids: Vec<u32> = ids.filter(|&id| self.aggregates.rows(id) > 0).collect();
        let mut columns = self.table.columns(&ids);
        columns.extend(self.aggregates.results(&ids));
        Some(vec![Contents::new("groups", &self.output, columns, ids.len())])
    }

    fn rows_held(&self) -> Option<u64> {
        Some((0..self.aggregates.slots() as u32).map(|id| self.aggregates.rows(id)).sum())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
