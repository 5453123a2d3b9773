//! The operator: rows wait until the watermark reaches their time, then leave with their aggregates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::ArrayRef;

use super::lag::Lags;
use super::partition::Partition;
use super::step::Step;
use super::{Frame, Lag, OverSpec};
use crate::aggregate::{AggregateCall, AggregateSet};
use crate::batch::{Batch, Seq, Stair};
use crate::column::{millis, take};
use crate::error::Result;
use crate::key::Places;
use crate::key::{KeyColumns, KeyGroups, KeyOrder, KeyTable};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::{Schema, SchemaRef};
use crate::snapshot::bytes::Pieces;
use crate::time::EventTime;
use crate::trace::What;
use crate::window::WaitingRows;

/// Aggregates over a frame that ends with the row itself.
///
/// The rows of a partition leave in the order of their times, those of one time as they came; with `RANGE`
/// these have one result. So a row is late when its time has had its turn. Over all rows before it, that is
/// when the watermark has reached it. Over some of them, it is when a row of its partition with its time or
/// a later one has left; a row behind the watermark that is not late leaves with the next step. Rows that no
/// frame reaches any more are forgotten: with `RANGE` by the watermark, and then also what has left before,
/// so that a row of a forgotten partition is as one of a new one. LAG may ask for a row however old it is: with
/// it, no partition is forgotten.
#[derive(Clone)]
pub struct OverAggregate {
    pub(super) name: String,
    pub(super) frame: Frame,
    /// The event-time column of the input.
    time: usize,
    pub(super) keys: KeyColumns,
    /// The columns of the input that are kept of a row that waits.
    kept: Vec<usize>,
    /// What of these is handed on, is read by aggregates, is the time, is the key.
    handed_on: Vec<usize>,
    read: Vec<usize>,
    pub(super) kept_time: usize,
    pub(super) kept_keys: KeyColumns,
    output: SchemaRef,
    pub(super) places: Places,
    pub(super) watermark: EventTime,
    pub(super) table: KeyTable,
    pub(super) partitions: Vec<Partition>,
    pub(super) aggregates: AggregateSet,
    /// Rows that wait, and where they belong by time, those of one time as they came.
    pub(super) waiting: WaitingRows,
    pub(super) due: BTreeMap<i64, Vec<Due>>,
    /// What aggregates read of the rows in frames.
    pub(super) framed: WaitingRows,
    pub(super) lags: Lags,
    /// When partitions may be forgotten.
    pub(super) forgets: BTreeSet<(i64, u32)>,
    pub(super) ids: Vec<u32>,
}

/// Where a row that waits belongs.
#[derive(Clone, Copy)]
pub(super) struct Due {
    pub(super) time: i64,
    /// Its number among those that wait.
    pub(super) number: u64,
    pub(super) id: u32,
    /// The key group: what rows of one moment are ordered by, so that subtasks do not matter.
    pub(super) group: u32,
    /// Its place in the stream.
    pub(super) seq: Seq,
}

/// The position of a column among those that are kept.
fn place(columns: &[usize], column: usize) -> usize {
    columns.iter().position(|&c| c == column).expect("every column that is used is kept")
}

fn of_columns(schema: &Schema, columns: &[usize]) -> SchemaRef {
    Schema::new(columns.iter().map(|&c| schema.fields[c].clone()).collect())
}

fn select(batch: Batch, schema: &SchemaRef, columns: &[usize]) -> Batch {
    let taken = columns.iter().map(|&c| Arc::clone(&batch.columns[c])).collect();
    batch.with_columns(Arc::clone(schema), taken)
}

impl OverAggregate {
    /// Aggregates the rows of `input` as `spec` says.
    pub fn new(
        name: &str,
        spec: &OverSpec,
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> OverAggregate {
        let arguments =
            || spec.aggregates.iter().flat_map(|c| c.argument.into_iter().chain(c.filter));
        let lagged = spec.lags.iter().flat_map(|lag| lag.default.into_iter().chain([lag.column]));
        let used = spec.columns.iter().chain(&spec.keys).copied().chain([spec.time]).chain(lagged);
        let kept: Vec<usize> =
            used.chain(arguments()).collect::<BTreeSet<_>>().into_iter().collect();
        let read: Vec<usize> = arguments().collect::<BTreeSet<_>>().into_iter().collect();
        let calls: Vec<AggregateCall> = spec
            .aggregates
            .iter()
            .map(|call| AggregateCall {
                argument: call.argument.map(|c| place(&read, c)),
                filter: call.filter.map(|c| place(&read, c)),
                ..call.clone()
            })
            .collect();
        let (kept_schema, framed) = (of_columns(input, &kept), of_columns(input, &read));
        let among =
            |columns: &[usize]| columns.iter().map(|&c| place(&kept, c)).collect::<Vec<_>>();
        let lag = |lag: &Lag| Lag {
            column: place(&kept, lag.column),
            default: lag.default.map(|column| place(&kept, column)),
            ..*lag
        };
        let lags = spec.lags.iter().map(lag).collect();
        let keys = KeyColumns::new(input, &spec.keys);
        OverAggregate {
            name: name.to_owned(),
            frame: spec.frame,
            time: spec.time,
            table: KeyTable::new(&keys.types, KeyOrder::Value),
            keys,
            handed_on: among(&spec.columns),
            read: among(&read),
            kept_time: place(&kept, spec.time),
            kept_keys: KeyColumns::new(&kept_schema, &among(&spec.keys)),
            kept,
            output: Arc::clone(output),
            places: Places::default(),
            watermark: EventTime::MIN,
            partitions: Vec::new(),
            aggregates: match spec.frame.is_bounded() {
                true => AggregateSet::retracting(&calls, &framed),
                false => AggregateSet::new(&calls, &framed),
            },
            waiting: WaitingRows::new(&kept_schema),
            due: BTreeMap::new(),
            framed: WaitingRows::new(&framed),
            lags: Lags::new(lags, |columns| of_columns(&kept_schema, columns)),
            forgets: BTreeSet::new(),
            ids: Vec::new(),
        }
    }

    /// Whether a row's time has had its turn.
    fn is_late(&self, id: u32, time: i64) -> bool {
        match self.frame.is_bounded() {
            true => self.partitions[id as usize].last().is_some_and(|last| time <= last),
            false => time <= self.watermark.0,
        }
    }

    /// Enters the rows of a batch, saying what becomes due as the watermark moves between them; answers
    /// which rows wait.
    fn enter(&mut self, batch: &Batch, step: &mut Step, out: &mut Output) -> Vec<u32> {
        let times = millis(&batch.columns[self.time]);
        let groups = self.keys.groups(batch);
        let (first, mut kept) = (self.waiting.next(), Vec::new());
        let mut stairs = batch.stairs.iter().peekable();
        for (row, &event_time) in times.iter().enumerate() {
            while let Some(stair) = stairs.next_if(|s| s.row as usize <= row) {
                self.advance(*stair, step, out);
            }
            let (id, seq) = (self.ids[row], batch.seqs.at(row));
            if self.is_late(id, event_time) {
                let watermark = self.watermark.0;
                out.late += 1;
                out.note(|| {
                    let row = batch.row_text(row);
                    What::JoinLate { side: 0, seq, event_time, watermark, row }
                });
                continue;
            }
            let number = first + kept.len() as u64;
            self.wait(Due { time: event_time, number, id, group: groups[row], seq });
            out.note(|| What::JoinBuffer { side: 0, seq, event_time, frees_at: event_time });
            kept.push(row as u32);
        }
        stairs.for_each(|stair| self.advance(*stair, step, out));
        kept
    }

    /// Enters a row that waits.
    pub(super) fn wait(&mut self, due: Due) {
        self.partitions[due.id as usize].waiting += 1;
        self.due.entry(due.time).or_default().push(due);
    }

    /// Moves the watermark: the rows whose time it has reached leave before the step.
    fn advance(&mut self, stair: Stair, step: &mut Step, out: &mut Output) {
        if stair.watermark > self.watermark {
            self.watermark = stair.watermark;
            let mut due = Vec::new();
            while let Some(entry) = self.due.first_entry().filter(|e| *e.key() <= stair.watermark.0)
            {
                due.extend(entry.remove());
            }
            due.sort_by_key(|due| (due.group, due.time, due.number));
            let together = |due: &Due| (due.group, due.time);
            for rows in due.chunk_by(|a, b| together(a) == together(b)) {
                self.say(rows, stair.seq, step);
            }
            if out.traced() && !due.is_empty() {
                let mut seqs: Vec<Seq> = due.iter().map(|due| due.seq).collect();
                seqs.sort();
                out.note(|| What::JoinExpire { side: 0, seqs });
            }
            self.forget(step);
        }
        step.stairs.push(Stair { row: step.rows.len() as u32, ..stair });
    }

    /// Rows of one time leave.
    fn say(&mut self, rows: &[Due], seq: Seq, step: &mut Step) {
        let (first, mut left) = (step.rows.len(), Vec::new());
        for &Due { time, number, id, .. } in rows {
            let partition = &mut self.partitions[id as usize];
            partition.waiting -= 1;
            let framed = self.framed.next() + step.rows.len() as u64;
            partition.say(self.frame, (time, framed), &mut left);
            left.drain(..).for_each(|number| step.leave(id, number));
            self.lags.say(partition, step);
            step.say(id, number, seq);
            self.enter_end(id);
        }
        if matches!(self.frame, Frame::Range(_)) && rows.len() > 1 {
            // The last one of a partition knows all of them.
            let results = &mut step.results[first..];
            let ids = || rows.iter().map(|due| due.id);
            let last: BTreeMap<u32, u32> = ids().zip(results.iter().copied()).collect();
            results.iter_mut().zip(ids()).for_each(|(result, id)| *result = last[&id]);
        }
    }

    /// Enters when a partition may be forgotten, unless that has been done.
    pub(super) fn enter_end(&mut self, id: u32) {
        let partition = &mut self.partitions[id as usize];
        let kept = partition.entered || !self.lags.is_empty();
        if let (false, Some(moment)) = (kept, partition.forgets(self.frame)) {
            partition.entered = true;
            self.forgets.insert((moment, id));
        }
    }

    /// Forgets the partitions that nobody needs any more.
    fn forget(&mut self, step: &mut Step) {
        while let Some(&(moment, id)) = self.forgets.first().filter(|f| f.0 <= self.watermark.0) {
            self.forgets.remove(&(moment, id));
            let partition = &mut self.partitions[id as usize];
            partition.entered = false;
            if partition.waiting > 0 {
                // Entered again with the next row that is said.
                continue;
            }
            match partition.forgets(self.frame) {
                Some(later) if later > self.watermark.0 => self.enter_end(id),
                _ => partition.frame.drain(..).for_each(|(_, number)| step.leave(id, number)),
            }
        }
    }

    /// Does what was done to the accumulators; the rows that are said.
    fn follow(&mut self, step: Step, upto: Seq) -> Batch {
        let rows = self.waiting.take(&step.rows);
        let lagged = self.lags.results(&rows, &step);
        // The order that counts is the one in which rows leave, not that in which they came.
        let read = select(rows.clone(), self.framed.schema(), &self.read);
        let read = Batch { seqs: step.seqs.clone().into(), ..read };
        let changes = match self.frame.is_bounded() {
            true => {
                self.framed.push(read.clone());
                step.changelog(&read, self.framed.take(&step.left))
            }
            false => read,
        };
        let trails = self.aggregates.follow(&step.slots, &changes).trails;
        let handed_on = self.handed_on.iter().map(|&c| Arc::clone(&rows.columns[c]));
        let results = trails.iter().map(|trail| take(&trail.after, &step.results));
        let columns: Vec<ArrayRef> = handed_on.chain(results).chain(lagged).collect();
        let made = Batch::new(Arc::clone(&self.output), columns, step.seqs.into());
        Batch { stairs: step.stairs, upto, ..made }
    }

    /// Makes room for all partitions there are.
    pub(super) fn grow(&mut self) {
        self.partitions.resize_with(self.table.numbers(), Partition::default);
        self.aggregates.grow(self.table.numbers());
    }
}

impl Operator for OverAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        // A row without event time stands nowhere.
        let batch = self.places.complete(&self.keys, batch).having(self.time);
        self.table.intern(&self.keys, &batch, (0, batch.rows), &mut self.ids);
        self.grow();
        let mut step = Step::default();
        let rows = self.enter(&batch, &mut step, out);
        self.waiting.push(select(batch.gather(&rows), self.waiting.schema(), &self.kept));
        if step.is_empty() {
            out.batches.push(Batch::progress(self.output.clone(), step.stairs, batch.upto));
        } else {
            let said = self.follow(step, batch.upto);
            out.batches.push(said);
        }
        let (partitions, aggregates) = (&self.partitions, &self.aggregates);
        self.table.sweep(|live| {
            for (id, live) in (0..).zip(live) {
                *live = aggregates.rows(id) > 0 || partitions[id as usize].waiting > 0;
            }
        });
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.encode().into()
    }

    fn empty(&mut self) {
        self.watermark = EventTime::MIN;
        self.table = KeyTable::new(&self.keys.types, self.table.order());
        self.aggregates.clear(0, self.aggregates.slots() as u32);
        self.partitions = Vec::<Partition>::new();
        self.places = Places::default();
        (self.due, self.forgets) = (BTreeMap::new(), BTreeSet::new());
        self.waiting.clear();
        self.framed.clear();
        self.lags.rows.clear();
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
