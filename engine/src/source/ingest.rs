//! The head of a source task: computed columns, event time, watermarks per partition.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, TimestampMillisecondArray};
use highwater_kernels::record_highs;
use rkyv::{Archive, Deserialize, Serialize};

use super::arrivals::{Arrivals, Mark};
use crate::batch::{Batch, NO_CLOCK, Seq, Stair};
use crate::column::millis;
use crate::error::{Diagnostic, Error, Position, Result, Span};
use crate::expr::guest::Called;
use crate::expr::{self, Expr};
use crate::operator::{Output, wrong_state};
use crate::schema::SchemaRef;
use crate::seeded::seeded;
use crate::time::EventTime;
use crate::trace::What;
use crate::watermark::{Activity, MinWatermark, Pace, Said};
use crate::{archive, unarchive};

/// Turns arrivals into a batch of the table's columns with the watermark's steps.
#[derive(Clone)]
pub struct Ingest {
    table: String,
    /// What `columns` are over.
    physical: SchemaRef,
    /// Whether the last of these is when a record arrives.
    arrival: bool,
    schema: SchemaRef,
    columns: Vec<Expr>,
    watermark: Option<(usize, Expr)>,
    called: Called,
    /// How far the watermark stays behind, milliseconds, when it is no more than that.
    delay: Option<i64>,
    /// Whether a record without event time is left out and counted, instead of stopping the job.
    lenient: bool,
    /// The option that says so.
    ignore: &'static str,
    /// The numbers of the partitions, in the order of `state`.
    partitions: Vec<u16>,
    state: MinWatermark,
    /// What the stream's clock said last.
    now: i64,
    /// When the watermark is said.
    pace: Pace,
    /// For each partition whose watermark goes on with time, when it was what it is, in milliseconds.
    since: Vec<i64>,
    /// Records left out because they could not be read.
    pub bad: u64,
    /// The first of those since this task began: where they are and what is wrong with them.
    pub described: Vec<String>,
}

/// How many malformed records are described.
const DESCRIBED: usize = 5;

#[derive(Archive, Serialize, Deserialize)]
struct State {
    watermark: MinWatermark,
    now: i64,
    since: Vec<i64>,
    bad: u64,
}

impl Ingest {
    /// The head of the source of `spec`, whose rows look like `schema`.
    pub fn new(spec: &crate::plan::SourceSpec, schema: &SchemaRef, partitions: Vec<u16>) -> Ingest {
        let lenient = super::IGNORE
            .iter()
            .any(|(_, o)| spec.options.get(*o).is_some_and(|v| v.eq_ignore_ascii_case("true")));
        Ingest {
            table: spec.table.clone(),
            physical: spec.row(),
            arrival: spec.arrival,
            schema: Arc::clone(schema),
            columns: spec.columns.clone(),
            watermark: spec.watermark.as_ref().map(|w| (w.column, w.expr.clone())),
            called: Called::of(spec.columns.iter().chain(spec.watermark.iter().map(|w| &w.expr))),
            delay: spec.watermark.as_ref().and_then(|w| w.delay),
            lenient,
            ignore: super::ignore_option(spec.options.get("format").map_or("", String::as_str)),
            state: MinWatermark::new(partitions.len()),
            now: NO_CLOCK,
            pace: spec.watermark.as_ref().map(|w| w.pace).unwrap_or_default(),
            since: vec![i64::MAX; partitions.len()],
            partitions,
            bad: 0,
            described: Vec::new(),
        }
    }

    /// Everything it evaluates.
    fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.columns.iter().chain(self.watermark.iter().map(|w| &w.1))
    }

    /// The source's watermark.
    pub fn watermark(&self) -> EventTime {
        self.state.current()
    }

    /// Whether the table declares a watermark.
    pub fn is_timed(&self) -> bool {
        self.watermark.is_some()
    }

    /// The newest event time so far, in milliseconds, where the watermark stays a fixed delay behind it.
    pub fn newest(&self) -> Option<i64> {
        let delay = self.delay.filter(|_| !self.pace.runs)?;
        let parts = (0..self.state.len()).map(|part| self.state.part(part).0);
        let newest = parts.max().filter(|w| *w != i64::MIN && *w != i64::MAX)?;
        Some(newest.saturating_add(delay))
    }

    /// The partitions: number, own watermark, what it is doing.
    pub fn partitions(&self) -> impl Iterator<Item = (u16, EventTime, Activity)> + '_ {
        let numbers = self.partitions.iter().enumerate();
        numbers.map(|(part, &n)| (n, self.state.part(part), self.state.activity(part)))
    }

    /// True once every partition has ended.
    pub fn finished(&self) -> bool {
        (0..self.state.len()).all(|p| self.state.activity(p) == Activity::Finished)
    }

    fn index(&self, partition: u16) -> usize {
        self.partitions.iter().position(|&p| p == partition).expect("a known partition")
    }

    /// Takes arrivals in.
    ///
    /// # Errors
    /// `run.event-time` for a record without event time, and what a computed column cannot compute.
    pub fn ingest(&mut self, mut a: Arrivals, out: &mut Output) -> Result<Batch> {
        self.called.trace(self.exprs(), out.traced());
        let batch = self.compute(&mut a, out);
        self.called.tell(self.exprs(), out);
        let mut batch = batch?;
        let single = self.single(&batch, &a, out);
        let proposals = match &self.watermark {
            Some((_, e)) if batch.rows > 0 && single.is_none() => {
                let proposals = self.evaluate(e, &batch, &a);
                self.called.tell(self.exprs(), out);
                Some(proposals?)
            }
            _ => None,
        };
        let mut stairs = Vec::new();
        let mut marks = std::mem::take(&mut a.marks).into_iter().peekable();
        let mut row = 0;
        while row < batch.rows {
            while let Some((_, seq, mark)) = marks.next_if(|(r, ..)| *r as usize <= row) {
                self.describe(&mark, &a);
                self.mark(mark, row as u32, seq, &mut stairs, out);
            }
            let end = marks.peek().map_or(batch.rows, |(r, ..)| batch.rows.min(*r as usize));
            match single {
                Some((part, delay)) => self.rows(part, delay, (row, end), &batch, &mut stairs),
                None => {
                    for row in row..end {
                        self.arrive(&batch, &a, row, out);
                        if let Some(p) = proposals.as_ref().filter(|p| p.is_valid(row)) {
                            let (partition, seq) = (a.partition(row), batch.seqs.at(row));
                            let watermark = millis(p)[row];
                            self.moved(partition, watermark);
                            self.propose(
                                partition,
                                watermark,
                                row as u32 + 1,
                                seq,
                                &mut stairs,
                                out,
                            );
                        }
                    }
                }
            }
            row = end;
        }
        for (_, seq, mark) in marks {
            self.describe(&mark, &a);
            self.mark(mark, batch.rows as u32, seq, &mut stairs, out);
        }
        batch.stairs = stairs;
        batch.upto = a.upto;
        Ok(batch)
    }

    /// The short cut: nobody looks, all rows are of the one partition there is, and the watermark stays a
    /// fixed delay behind. Answers that partition and the delay.
    fn single(&self, batch: &Batch, a: &Arrivals, out: &Output) -> Option<(usize, i64)> {
        let part = self.index(a.partition_of_all()?);
        let active = self.state.activity(part) == Activity::Active;
        let no_marks = !a.marks.iter().any(|m| matches!(m.2, Mark::Idle(_)));
        let timed = self.pace != Pace::default() && self.pace.at != Said::AtEnd;
        if out.traced() || self.partitions.len() > 1 || !active || !no_marks || timed {
            return None;
        }
        let Some((column, _)) = &self.watermark else { return Some((part, 0)) };
        let delay = self.delay.filter(|&d| d >= 0)?;
        // Where the subtraction would fail, the expression says so with its place.
        let times = millis(&batch.columns[*column]);
        let fails = times.iter().fold(false, |fails, &time| fails | (time < i64::MIN + delay));
        (!times.is_empty() && !fails).then_some((part, delay))
    }

    /// Rows of the only partition: the watermark is the greatest event time so far less the delay.
    fn rows(
        &mut self,
        part: usize,
        delay: i64,
        (from, to): (usize, usize),
        batch: &Batch,
        stairs: &mut Vec<Stair>,
    ) {
        let Some((column, _)) = &self.watermark else { return };
        if self.pace.at == Said::AtEnd {
            return;
        }
        let times = &millis(&batch.columns[*column])[from..to];
        let before = self.state.current().0.saturating_add(delay);
        let (mut steps, clock) = (Vec::new(), self.now);
        let highest = record_highs(times, before, &mut steps);
        stairs.extend(steps.into_iter().map(|i| {
            let row = from + i as usize;
            let watermark = EventTime(times[i as usize] - delay);
            Stair { row: row as u32 + 1, watermark, seq: batch.seqs.at(row), idle: false, clock }
        }));
        self.state.propose(part, EventTime(highest.saturating_sub(delay)));
        self.state.advance();
    }

    /// The table's columns; rows without event time are taken out of `a`.
    fn compute(&mut self, a: &mut Arrivals, out: &mut Output) -> Result<Batch> {
        if a.rows() == 0 {
            return Ok(Batch::progress(Arc::clone(&self.schema), Vec::new(), a.upto));
        }
        let mut columns = std::mem::take(&mut a.columns);
        if self.arrival {
            let arrivals = (0..a.rows()).map(|row| a.arrival(row));
            columns.push(Arc::new(TimestampMillisecondArray::from_iter_values(arrivals)));
        }
        let raw = Batch::new(Arc::clone(&self.physical), columns, a.seqs.clone());
        let mut columns = Vec::with_capacity(self.columns.len());
        for e in &self.columns {
            columns.push(self.evaluate(e, &raw, a)?);
        }
        let batch = Batch::new(Arc::clone(&self.schema), columns, a.seqs.clone());
        let Some((time, _)) = &self.watermark else { return Ok(batch) };
        let Some(nulls) = batch.columns[*time].nulls().filter(|n| n.null_count() > 0).cloned()
        else {
            return Ok(batch);
        };
        let name = self.schema.fields[*time].name.clone();
        let row = (0..batch.rows).find(|&i| nulls.is_null(i)).expect("there is a NULL");
        if !self.lenient {
            let message = format!("the event time `{name}` of this record is NULL");
            let error = Diagnostic::new("run.event-time", message);
            return Err(self.at_record(error, a, row).hint(format!(
                "give every record an event time, or set '{}' = 'true' to count and leave out such records",
                self.ignore
            )));
        }
        let kept: Vec<u32> =
            (0..batch.rows).filter(|&i| nulls.is_valid(i)).map(|i| i as u32).collect();
        for row in (0..batch.rows).filter(|&i| nulls.is_null(i)) {
            self.bad += 1;
            let reason = format!("the event time `{name}` is NULL");
            self.described_at(a, a.partition(row), a.line(row), 1, &reason);
            out.note(|| What::BadRecord {
                partition: a.partition(row),
                offset: a.offset(row),
                line: a.line(row),
                column: 1,
                reason,
            });
        }
        let batch = batch.gather(&kept);
        a.keep(kept);
        Ok(batch)
    }

    fn evaluate(&self, e: &Expr, batch: &Batch, a: &Arrivals) -> Result<ArrayRef> {
        expr::evaluate(e, batch).map_err(|e| self.at_record(e.diagnostic, a, e.row as usize))
    }

    /// The error with the record it is about.
    fn at_record(&self, mut error: Error, a: &Arrivals, row: usize) -> Error {
        error.message =
            format!("table `{}`, record {}: {}", self.table, a.seqs.at(row), error.message);
        let line = u32::try_from(a.line(row)).unwrap_or(u32::MAX);
        if line == 0 {
            return error;
        }
        let at = |column| Position { line, column };
        let error = error.at(Span { start: at(1), end: at(1) });
        match a.name(a.partition(row)) {
            Some(name) => error.in_source(name),
            None => error,
        }
    }

    fn describe(&mut self, mark: &Mark, a: &Arrivals) {
        if let Mark::Bad(partition, bad) = mark {
            self.described_at(a, *partition, bad.line, bad.column, &bad.reason);
        }
    }

    /// Keeps the description of a record that is left out, if it is among the first.
    fn described_at(&mut self, a: &Arrivals, partition: u16, line: u64, column: u64, reason: &str) {
        if self.described.len() < DESCRIBED {
            let name = a.name(partition).unwrap_or(&self.table);
            self.described.push(format!("{name}:{line}:{column}: {reason}"));
        }
    }

    fn arrive(&self, batch: &Batch, a: &Arrivals, row: usize, out: &mut Output) {
        out.note(|| What::Arrive {
            partition: a.partition(row),
            offset: a.offset(row),
            seq: batch.seqs.at(row),
            event_time: self.watermark.as_ref().map(|(c, _)| millis(&batch.columns[*c])[row]),
            row: batch.row_text(row),
        });
    }

    fn propose(
        &mut self,
        partition: u16,
        watermark: i64,
        row: u32,
        seq: Seq,
        stairs: &mut Vec<Stair>,
        out: &mut Output,
    ) {
        let part = self.index(partition);
        let woke = self.state.activity(part) == Activity::Idle;
        let silent = woke && !self.is_active();
        if woke {
            self.state.set_activity(part, Activity::Active);
            out.note(|| What::Idle { partition, idle: false });
        }
        let moved = self.pace.at != Said::AtEnd && self.state.propose(part, EventTime(watermark));
        if moved && self.partitions.len() > 1 {
            out.note(|| What::PartitionWatermark { partition, watermark });
        }
        let before = stairs.len();
        if self.pace.at == Said::EachRecord && (moved || woke) {
            self.step(row, seq, stairs, out);
        }
        if silent && stairs.len() == before {
            // Who does not get the record hears of it all the same.
            let watermark = self.state.current();
            stairs.push(Stair { row, watermark, seq, idle: false, clock: self.now });
        }
    }

    /// Whether a partition is neither idle nor at its end.
    fn is_active(&self) -> bool {
        (0..self.state.len()).any(|p| self.state.activity(p) == Activity::Active)
    }

    /// Time passes: watermarks go on, those that wait for their moment are said, and so is what time it is.
    fn tick(&mut self, now: i64, place: (u32, Seq), stairs: &mut Vec<Stair>, out: &mut Output) {
        let (row, seq) = place;
        for part in 0..if self.pace.runs { self.since.len() } else { 0 } {
            let passed = now.saturating_sub(self.since[part]);
            if passed > 0 && self.state.activity(part) != Activity::Finished {
                self.since[part] = now;
                let watermark = self.state.part(part).0.saturating_add(passed);
                let partition = self.partitions[part];
                if self.state.propose(part, EventTime(watermark)) && self.partitions.len() > 1 {
                    out.note(|| What::PartitionWatermark { partition, watermark });
                }
            }
        }
        let due = match self.pace.at {
            Said::EachRecord => self.pace.runs,
            Said::EachTick => true,
            Said::AtEnd => false,
            Said::Every(period) => now.div_euclid(period) > self.now.div_euclid(period),
        };
        self.now = now;
        let before = stairs.len();
        if due {
            self.step(row, seq, stairs, out);
        }
        if stairs.len() == before {
            let watermark = self.state.current();
            // Time alone wakes nobody.
            let idle = !self.is_active();
            stairs.push(Stair { row, watermark, seq, idle, clock: now });
        }
    }

    /// Notes when a record moves its partition's watermark, which goes on with time from there.
    fn moved(&mut self, partition: u16, watermark: i64) {
        let part = self.index(partition);
        if self.pace.runs && watermark > self.state.part(part).0 {
            self.since[part] = self.now;
        }
    }

    fn mark(&mut self, mark: Mark, row: u32, seq: Seq, stairs: &mut Vec<Stair>, out: &mut Output) {
        match mark {
            Mark::Bad(partition, bad) => {
                self.bad += 1;
                out.note(|| What::BadRecord {
                    partition,
                    offset: bad.offset,
                    line: bad.line,
                    column: bad.column,
                    reason: bad.reason,
                });
            }
            Mark::Tick(now) => self.tick(now, (row, seq), stairs, out),
            Mark::Idle(partition) => {
                let part = self.index(partition);
                self.state.set_activity(part, Activity::Idle);
                out.note(|| What::Idle { partition, idle: true });
                self.step(row, seq, stairs, out);
                if !self.is_active() {
                    let watermark = self.state.current();
                    stairs.push(Stair { row, watermark, seq, idle: true, clock: self.now });
                }
            }
            Mark::Finished(partition) => {
                let part = self.index(partition);
                self.state.set_activity(part, Activity::Finished);
                if self.finished() {
                    if let Some(watermark) = self.state.finish() {
                        out.note(|| What::Watermark { watermark: watermark.0, seq });
                        stairs.push(Stair { row, watermark, seq, idle: false, clock: self.now });
                    }
                } else {
                    self.step(row, seq, stairs, out);
                }
            }
        }
    }

    fn step(&mut self, row: u32, seq: Seq, stairs: &mut Vec<Stair>, out: &mut Output) {
        if self.watermark.is_some()
            && let Some(watermark) = self.state.advance()
        {
            out.note(|| What::Watermark { watermark: watermark.0, seq });
            stairs.push(Stair { row, watermark, seq, idle: false, clock: self.now });
        }
    }

    /// The state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        archive!(&State {
            watermark: self.state.clone(),
            now: self.now,
            since: self.since.clone(),
            bad: self.bad,
        })
    }

    /// Takes state back.
    ///
    /// # Errors
    /// When the bytes are not this source's.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let state = unarchive!(State, bytes)?;
        let parts = self.state.len();
        if state.watermark.len() != parts || state.since.len() != parts {
            return Err(wrong_state(&self.table));
        }
        self.bad = state.bad;
        if !seeded("a-source-forgets-its-watermark") {
            self.state = state.watermark;
        }
        (self.now, self.since) = (state.now, state.since);
        Ok(())
    }
}
