//! Top-N without a window: every record may change who is among the first, the output is a changelog.

use std::sync::Arc;

use super::order::Order;
use super::partition::{Change, Keep, Partition, Row};
use super::said::{Said, encoded};
use super::{Emit, RankSpec};
use crate::batch::{Batch, RowKind, Stair};
use crate::error::Result;
use crate::key::{Ages, KeyColumns, KeyGroups, KeyOrder, KeyTable, Places, measure};
use crate::operator::{Contents, Operator, Output, wrong_state};
use crate::schema::{DataType, SchemaRef};
use crate::seeded::seeded;
use crate::snapshot::bytes::{Pieces, Reader, put};

/// The first rows of each partition, at any time.
///
/// A row that comes among them pushes the last one out: `-D` of that, `+I` of the new one. Where the rank is
/// handed on, and where only one rank is, the rows of all ranks from there on change instead: `-U` and `+U`.
/// An input that takes rows back lets those behind move up, so all rows are kept; else only the first.
#[derive(Clone)]
pub struct ChangingRank {
    name: String,
    keys: KeyColumns,
    order: Order,
    columns: Vec<usize>,
    types: Vec<DataType>,
    /// How many of the first rows are not handed on.
    skipped: usize,
    numbered: bool,
    keep: Keep,
    updates: bool,
    output: SchemaRef,
    table: KeyTable,
    partitions: Vec<Partition>,
    /// How many rows have come.
    arrivals: u64,
    slots: Vec<u32>,
    places: Places,
    /// The rows in all partitions.
    held: u64,
    /// When partitions were written to, where they are forgotten after a time.
    ages: Option<Ages>,
}

/// The first bytes of its state: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"ranks__1");

/// The changes that are to be said: their kinds, and the rows of the input that made them so.
#[derive(Default)]
struct Changes {
    rows: Said,
    kinds: Vec<RowKind>,
    causes: Vec<u32>,
}

impl Changes {
    fn say(&mut self, cause: u32, kind: RowKind, rank: usize, row: &Row) {
        self.rows.say(rank, row);
        self.kinds.push(kind);
        self.causes.push(cause);
    }
}

impl ChangingRank {
    /// Ranks the rows of `input` as `spec` says; `retracted`: they are taken back at times.
    pub fn new(
        name: &str,
        spec: &RankSpec,
        retracted: bool,
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> ChangingRank {
        let keys = KeyColumns::new(input, &spec.keys);
        let place = |rank: u64| usize::try_from(rank).unwrap_or(usize::MAX);
        ChangingRank {
            name: name.to_owned(),
            table: KeyTable::new(&keys.types, KeyOrder::Value),
            keys,
            order: Order::new(&spec.order, input),
            columns: spec.columns.clone(),
            types: spec.columns.iter().map(|&c| input.fields[c].data_type).collect(),
            skipped: place(spec.first.saturating_sub(1)),
            numbered: spec.numbered,
            keep: Keep {
                first: place(spec.last),
                all: retracted,
                latest: spec.emit == Emit::Latest,
            },
            updates: spec.updates(retracted),
            output: Arc::clone(output),
            partitions: Vec::new(),
            arrivals: 0,
            slots: Vec::new(),
            places: Places::default(),
            held: 0,
            ages: None,
        }
    }

    /// The same, partitions being forgotten so many milliseconds after the last row of theirs.
    #[must_use]
    pub fn forgetting(self, ttl: Option<i64>) -> ChangingRank {
        ChangingRank { ages: ttl.map(Ages::new), ..self }
    }

    /// Whether each rank has a row that changes, instead of rows that come and go.
    fn by_rank(&self) -> bool {
        self.numbered || self.skipped.saturating_add(1) == self.keep.first
    }

    /// Says what has become of the first rows of a partition by a row that came in.
    fn came(&self, slot: u32, change: Change, cause: u32, said: &mut Changes) {
        let head = self.partitions[slot as usize].head();
        let Change { at, out, .. } = change;
        if !self.by_rank() {
            if let Some(out) = &out {
                said.say(cause, RowKind::Delete, 0, out);
            }
            if let Some(row) = head.get(at.max(self.skipped)) {
                said.say(cause, RowKind::Insert, 0, row);
            }
            return;
        }
        for rank in at.max(self.skipped)..head.len() {
            let before = head.get(rank + 1).or(out.as_ref());
            self.replace(rank, (before, Some(&head[rank])), cause, said);
        }
    }

    /// The same by a row that was taken back.
    fn went(&self, slot: u32, change: Change, cause: u32, said: &mut Changes) {
        let head = self.partitions[slot as usize].head();
        let Change { at, out: Some(out), refilled } = change else { return };
        // How many rows there were.
        let count = head.len() + usize::from(!refilled);
        let before = |rank: usize| if rank == at { &out } else { &head[rank - 1] };
        let first = at.max(self.skipped);
        if self.by_rank() {
            for rank in first..count {
                self.replace(rank, (Some(before(rank)), head.get(rank)), cause, said);
            }
        } else if first < count {
            said.say(cause, RowKind::Delete, 0, before(first));
            if let Some(row) = head.last().filter(|_| refilled) {
                said.say(cause, RowKind::Insert, 0, row);
            }
        }
    }

    /// Another row has this rank, counted from 0.
    fn replace(
        &self,
        rank: usize,
        (before, after): (Option<&Row>, Option<&Row>),
        cause: u32,
        said: &mut Changes,
    ) {
        match (before, after) {
            (Some(before), Some(after)) if before.bytes == after.bytes => {}
            (Some(before), Some(after)) => {
                said.say(cause, RowKind::UpdateBefore, rank, before);
                said.say(cause, RowKind::UpdateAfter, rank, after);
            }
            (None, Some(after)) => said.say(cause, RowKind::Insert, rank, after),
            (Some(before), None) => said.say(cause, RowKind::Delete, rank, before),
            (None, None) => {}
        }
    }

    /// What a batch has changed.
    fn changes(&mut self, batch: &Batch) -> Changes {
        self.table.intern(&self.keys, batch, (0, batch.rows), &mut self.slots);
        self.partitions.resize_with(self.table.numbers(), Partition::default);
        let cuts = self.ages.as_mut().map(|ages| ages.walk(&batch.stairs, &self.slots));
        let aged = cuts.is_some();
        let mut cuts = cuts.into_iter().flatten().peekable();
        let sorted = self.order.of(batch);
        // Rows that are not among the first now will not be once others have come.
        let wanted = (0..batch.rows).filter(|&row| {
            let partition = &self.partitions[self.slots[row] as usize];
            aged || partition.takes(sorted.get(row), self.keep)
        });
        let wanted: Vec<u32> = wanted.map(|row| row as u32).collect();
        let rows = encoded(batch, &wanted, (&self.columns, &self.types));
        let mut said = Changes::default();
        for (i, &row) in wanted.iter().enumerate() {
            while let Some((_, gone)) = cuts.next_if(|(before, _)| *before <= row as usize) {
                self.forget(gone);
            }
            let slot = self.slots[row as usize];
            let (sort, bytes) = (sorted.get(row as usize), rows.get(i));
            let partition = &mut self.partitions[slot as usize];
            let before = partition.len();
            let takes_back =
                matches!(batch.kind(row as usize), RowKind::UpdateBefore | RowKind::Delete);
            if takes_back && self.keep.all {
                let change = partition.remove(sort, bytes);
                self.held -= before - partition.len();
                if let Some(change) = change {
                    self.went(slot, change, row, &mut said);
                }
                continue;
            }
            self.arrivals += 1;
            let change = partition.insert((sort, bytes), self.arrivals, self.keep);
            self.held += partition.len() - before;
            if let Some(change) = change {
                self.came(slot, change, row, &mut said);
            }
        }
        cuts.for_each(|(_, gone)| self.forget(gone));
        said
    }

    fn forget(&mut self, partitions: Vec<u32>) {
        for id in partitions {
            self.held -= self.partitions[id as usize].len();
            self.partitions[id as usize] = Partition::default();
        }
    }

    /// What was said, as rows among the steps of the watermark.
    fn changelog(&self, batch: Batch, said: Changes) -> Batch {
        let Changes { rows, kinds, causes } = said;
        let place = |row: u32| causes.partition_point(|&cause| cause < row) as u32;
        let stairs = batch.stairs.iter().map(|s| Stair { row: place(s.row), ..*s }).collect();
        let columns = rows.columns(&self.types, self.numbered);
        let made = Batch::new(self.output.clone(), columns, batch.seqs.gather(&causes));
        let kinds = self.updates.then(|| kinds.into());
        Batch { kinds, stairs, upto: batch.upto, ..made }
    }
}

impl Operator for ChangingRank {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let batch = self.places.complete(&self.keys, batch);
        let (rows, before) = (batch.rows, self.held);
        let quiet = rows == 0 && self.ages.is_none();
        let said = if quiet { Changes::default() } else { self.changes(&batch) };
        out.hold(rows, before, self.held);
        if said.causes.is_empty() {
            let stairs = batch.stairs.into_iter().map(|s| Stair { row: 0, ..s }).collect();
            out.batches.push(Batch::progress(self.output.clone(), stairs, batch.upto));
            return Ok(());
        }
        out.batches.push(self.changelog(batch, said));
        if self.keep.all || self.ages.is_some() {
            let partitions = &self.partitions;
            self.table.sweep(|live| {
                partitions.iter().zip(live).for_each(|(p, live)| *live = !p.is_empty());
            });
        }
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        debug_assert!(self.places.is_empty(), "a barrier stands behind complete places only");
        let ids = self.table.in_order().iter().copied();
        let ids: Vec<u32> = ids.filter(|&id| !self.partitions[id as usize].is_empty()).collect();
        let mut out = Vec::new();
        put(&mut out, MARK);
        put(&mut out, ids.len() as u64);
        self.table.save(&ids, &mut out);
        ids.iter().for_each(|&id| self.partitions[id as usize].save(&mut out));
        if let Some(ages) = &self.ages {
            ages.save(&ids, &mut out);
        }
        out.into()
    }

    fn empty(&mut self) {
        self.table = KeyTable::new(&self.keys.types, KeyOrder::Value);
        (self.places, self.partitions, self.arrivals) = (Places::default(), Vec::new(), 0);
        self.held = 0;
        if let Some(ages) = &mut self.ages {
            ages.empty();
        }
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        if seeded("ranks-forgotten") {
            return Ok(());
        }
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Err(wrong_state(&self.name));
        }
        let count = reader.count()?;
        let ids = self.table.load(count, &mut reader)?.ok_or_else(|| wrong_state(&self.name))?;
        self.partitions.resize_with(self.table.numbers(), Partition::default);
        let (order, types) = (&self.order, &self.types);
        let sound = |sort: &[u8], bytes: &[u8]| {
            order.made(sort) && measure(bytes, types) == Some(bytes.len())
        };
        for &id in &ids {
            let partition = &mut self.partitions[id as usize];
            let twice = !partition.is_empty();
            if twice || !partition.load(&mut reader, &mut self.arrivals, self.keep, sound)? {
                return Err(wrong_state(&self.name));
            }
            if !self.table.is_in(id, own) {
                *partition = Partition::default();
            }
            self.held += partition.len();
        }
        let table = &self.table;
        if let Some(ages) = &mut self.ages {
            ages.load(&ids, |id| table.is_in(id, own), &mut reader)?;
        }
        reader.end()
    }

    fn contents(&mut self) -> Option<Vec<Contents>> {
        let mut said = Said::default();
        let ids = self.table.in_order().to_vec();
        for partition in ids.iter().filter_map(|&id| self.partitions.get(id as usize)) {
            let head = partition.head().iter().enumerate().skip(self.skipped);
            head.for_each(|(rank, row)| said.say(rank, row));
        }
        let rows = said.len();
        let columns = said.columns(&self.types, self.numbered);
        Some(vec![Contents::new("ranks", &self.output, columns, rows)])
    }

    fn rows_held(&self) -> Option<u64> {
        Some(self.partitions.iter().map(Partition::len).sum())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
