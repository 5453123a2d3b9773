//! Ranks that are final when they are handed on: those of a window that has closed, and the first row by
//! event time. The output is inserts alone, and the rows are forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::order::{Order, Sorted};
use super::partition::{Keep, Partition};
use super::said::{Said, encoded};
use super::{Emit, RankSpec};
use crate::batch::{Batch, Seq, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::key::Places;
use crate::key::{self, Encoded, KeyColumns, KeyGroups, KeyOrder, KeyTable, measure};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::{DataType, SchemaRef};
use crate::snapshot::bytes::{Pieces, Reader, put, put_signed};
use crate::time::EventTime;
use crate::trace::What;

/// The first rows of each partition once the watermark has reached a time: that of the last moment of the
/// partition's window, or that of the row itself.
#[derive(Clone)]
pub struct ClosingRank {
    name: String,
    keys: KeyColumns,
    order: Order,
    columns: Vec<usize>,
    types: Vec<DataType>,
    skipped: usize,
    numbered: bool,
    keep: Keep,
    emit: Emit,
    output: SchemaRef,
    watermark: EventTime,
    table: KeyTable,
    partitions: Vec<Partition>,
    /// When each partition is due, and which have had their row and get no other.
    due: Vec<i64>,
    done: Vec<bool>,
    /// Partitions by the time they were due when they were entered.
    timers: BTreeMap<i64, Vec<u32>>,
    arrivals: u64,
    slots: Vec<u32>,
    places: Places,
    /// The rows in all partitions.
    held: u64,
}

/// The first bytes of its state: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"closing1");

/// What has become final in a batch: rows, their places in the stream, and the steps between them.
#[derive(Default)]
struct Fired {
    rows: Said,
    seqs: Vec<Seq>,
    stairs: Vec<Stair>,
}

impl ClosingRank {
    /// Ranks the rows of `input` as `spec` says, which names the time; `order` is that of partitions that
    /// become final at once.
    pub fn new(
        name: &str,
        spec: &RankSpec,
        order: KeyOrder,
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> ClosingRank {
        let keys = KeyColumns::new(input, &spec.keys);
        let place = |rank: u64| usize::try_from(rank).unwrap_or(usize::MAX);
        ClosingRank {
            name: name.to_owned(),
            table: KeyTable::new(&keys.types, order),
            keys,
            order: Order::new(&spec.order, input),
            columns: spec.columns.clone(),
            types: spec.columns.iter().map(|&c| input.fields[c].data_type).collect(),
            skipped: place(spec.first.saturating_sub(1)),
            numbered: spec.numbered,
            keep: Keep {
                first: place(spec.last),
                all: false,
                latest: matches!(spec.emit, Emit::Window { latest: true, .. }),
            },
            emit: spec.emit,
            output: Arc::clone(output),
            watermark: EventTime::MIN,
            partitions: Vec::new(),
            due: Vec::new(),
            done: Vec::new(),
            timers: BTreeMap::new(),
            arrivals: 0,
            slots: Vec::new(),
            places: Places::default(),
            held: 0,
        }
    }

    /// The column of the time, and how long before it a row is due.
    fn clock(&self) -> (usize, i64) {
        match self.emit {
            Emit::Window { end, .. } => (end, 1),
            Emit::First(time) => (time, 0),
            Emit::Changes | Emit::Latest => unreachable!("those wait for no time"),
        }
    }

    /// Whether a row is too late. One that is alone with its time is not when the watermark is just there:
    /// it is due with the next step.
    fn is_late(&self, due: i64) -> bool {
        match self.emit {
            Emit::First(_) => due < self.watermark.0,
            _ => due <= self.watermark.0,
        }
    }

    /// Says that a row was late.
    fn tell(&self, batch: &Batch, row: usize, due: i64, out: &mut Output) {
        let (seq, watermark) = (batch.seqs.at(row), self.watermark.0);
        let time = |column: usize| millis(&batch.columns[column])[row];
        out.note(|| match self.emit {
            Emit::Window { start, end, .. } => What::Late {
                seq,
                event_time: due,
                watermark,
                start: time(start),
                end: time(end),
                key: key::text(&self.keys.values(batch, row)),
                row: batch.row_text(row),
            },
            _ => {
                let row = batch.row_text(row);
                What::JoinLate { side: 0, seq, event_time: due, watermark, row }
            }
        });
    }

    /// Takes in rows `from..to`, all under one watermark.
    fn add(&mut self, batch: &Batch, (from, to): (usize, usize), ready: &Ready, out: &mut Output) {
        let (column, before) = self.clock();
        let times = millis(&batch.columns[column]);
        for (row, time) in (from..to).zip(&times[from..to]) {
            let due = time.saturating_sub(before);
            if self.is_late(due) {
                out.late += 1;
                self.tell(batch, row, due, out);
                continue;
            }
            let slot = self.slots[row];
            let Some(wanted) = ready.wanted[row].filter(|_| !self.done[slot as usize]) else {
                continue;
            };
            self.arrivals += 1;
            let partition = &mut self.partitions[slot as usize];
            let before = partition.len();
            let row = (ready.sorted.get(row), ready.rows.get(wanted));
            let change = partition.insert(row, self.arrivals, self.keep);
            // The first row by time takes its time along.
            let moved = matches!(self.emit, Emit::First(_)) && change.is_some_and(|c| c.at == 0);
            self.held += partition.len() - before;
            if before == 0 || moved {
                self.due[slot as usize] = due;
                self.timers.entry(due).or_default().push(slot);
            }
        }
    }

    /// Moves the watermark: what it makes final leaves before the step.
    fn advance(&mut self, stair: Stair, fired: &mut Fired) {
        if stair.watermark > self.watermark {
            self.watermark = stair.watermark;
            self.fire(stair.seq, fired);
        }
        fired.stairs.push(Stair { row: fired.rows.len() as u32, ..stair });
    }

    fn fire(&mut self, seq: Seq, fired: &mut Fired) {
        let mut ids = Vec::new();
        while let Some(entry) = self.timers.first_entry()
            && *entry.key() <= self.watermark.0
        {
            // One that was entered again, for an earlier time, may have left already: it is empty.
            let open = |&slot: &u32| !self.partitions[slot as usize].is_empty();
            ids.extend(entry.remove().into_iter().filter(open));
        }
        self.table.sort_by_key(&mut ids, |&id| id);
        ids.dedup();
        for id in ids {
            let partition = std::mem::take(&mut self.partitions[id as usize]);
            self.held -= partition.len();
            for (rank, row) in partition.head().iter().enumerate().skip(self.skipped) {
                fired.rows.say(rank, row);
                fired.seqs.push(seq);
            }
            self.done[id as usize] = matches!(self.emit, Emit::First(_));
        }
    }

    /// A batch's rows as they may be kept. Those that are not among the first now never will be: once their
    /// partition is empty again, they are late.
    fn ready(&self, batch: &Batch) -> Ready {
        let sorted = self.order.of(batch);
        let mut rows = Vec::new();
        let wanted = (0..batch.rows).map(|row| {
            let partition = &self.partitions[self.slots[row] as usize];
            partition.takes(sorted.get(row), self.keep).then(|| {
                rows.push(row as u32);
                rows.len() - 1
            })
        });
        let wanted = wanted.collect();
        let rows = encoded(batch, &rows, (&self.columns, &self.types));
        Ready { sorted, wanted, rows }
    }

    fn grow(&mut self) {
        let numbers = self.table.numbers();
        self.partitions.resize_with(numbers, Partition::default);
        self.due.resize(numbers, 0);
        self.done.resize(numbers, false);
    }

    /// The numbers of partitions with rows, or of those that have had theirs, in the table's order.
    fn listed(&mut self, done: bool) -> Vec<u32> {
        let (partitions, flags) = (&self.partitions, &self.done);
        let ids = self.table.in_order().iter().copied();
        ids.filter(|&id| match done {
            true => flags[id as usize],
            false => !partitions[id as usize].is_empty(),
        })
        .collect()
    }
}

/// A batch's rows, as they are kept.
struct Ready {
    sorted: Sorted,
    /// For each row, its place in `rows`.
    wanted: Vec<Option<usize>>,
    rows: Encoded,
}

impl Operator for ClosingRank {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let batch = self.places.complete(&self.keys, batch);
        // A row without its time is in no window, and comes at no time.
        let batch = batch.having(self.clock().0);
        self.table.intern(&self.keys, &batch, (0, batch.rows), &mut self.slots);
        self.grow();
        let ready = self.ready(&batch);
        let (mut from, mut fired) = (0, Fired::default());
        let (before, late) = (self.held, out.late);
        for stair in &batch.stairs {
            let to = stair.row as usize;
            self.add(&batch, (from, to), &ready, out);
            from = to;
            self.advance(*stair, &mut fired);
        }
        self.add(&batch, (from, batch.rows), &ready, out);
        out.hold(batch.rows - (out.late - late) as usize, before, self.held);
        let Fired { rows, seqs, stairs } = fired;
        if seqs.is_empty() {
            out.batches.push(Batch::progress(self.output.clone(), stairs, batch.upto));
            return Ok(());
        }
        let columns = rows.columns(&self.types, self.numbered);
        let made = Batch::new(self.output.clone(), columns, seqs.into());
        out.batches.push(Batch { stairs, upto: batch.upto, ..made });
        let (partitions, done) = (&self.partitions, &self.done);
        self.table.sweep(|live| {
            let held = partitions.iter().zip(done).map(|(p, done)| *done || !p.is_empty());
            live.iter_mut().zip(held).for_each(|(live, held)| *live = held);
        });
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        debug_assert!(self.places.is_empty(), "a barrier stands behind complete places only");
        let (open, done) = (self.listed(false), self.listed(true));
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_signed(&mut out, self.watermark.0);
        for ids in [&open, &done] {
            put(&mut out, ids.len() as u64);
            self.table.save(ids, &mut out);
        }
        for id in open {
            put_signed(&mut out, self.due[id as usize]);
            self.partitions[id as usize].save(&mut out);
        }
        out.into()
    }

    fn empty(&mut self) {
        self.watermark = EventTime::MIN;
        self.table = KeyTable::new(&self.keys.types, self.table.order());
        let (partitions, due) = (Vec::new(), Vec::new());
        (self.partitions, self.due, self.done) = (partitions, due, Vec::new());
        (self.timers, self.places, self.arrivals) = (BTreeMap::new(), Places::default(), 0);
        self.held = 0;
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Err(wrong_state(&self.name));
        }
        self.watermark = EventTime(reader.signed()?);
        let mut lists = [Vec::new(), Vec::new()];
        for ids in &mut lists {
            let count = reader.count()?;
            let loaded = self.table.load(count, &mut reader)?;
            *ids = loaded.ok_or_else(|| wrong_state(&self.name))?;
        }
        self.grow();
        let [open, done] = lists;
        let is_own = |id: u32| self.table.is_in(id, own);
        done.iter().for_each(|&id| self.done[id as usize] = is_own(id));
        let (order, types) = (&self.order, &self.types);
        let sound = |sort: &[u8], bytes: &[u8]| {
            order.made(sort) && measure(bytes, types) == Some(bytes.len())
        };
        for id in open {
            let due = reader.signed()?;
            let partition = &mut self.partitions[id as usize];
            let twice = !partition.is_empty() || self.done[id as usize];
            if twice || !partition.load(&mut reader, &mut self.arrivals, self.keep, sound)? {
                return Err(wrong_state(&self.name));
            }
            if !is_own(id) {
                *partition = Partition::default();
                continue;
            }
            self.held += partition.len();
            self.due[id as usize] = due;
            self.timers.entry(due).or_default().push(id);
        }
        reader.end()
    }

    fn rows_held(&self) -> Option<u64> {
        Some(self.partitions.iter().map(Partition::len).sum())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
