//! How the cost of an event grows: with the stream's length, its keys, its disorder, with the batch and with
//! overlapping windows; the engine beside the hand-written loop over the same input.

pub mod chart;
pub mod held;
mod pair;
mod supply;
pub mod verdict;

use highwater_engine::error::Result;

use super::clock::{Began, Clock};
use super::ground::native::{self, Host};
use super::ground::stream::Stream;
use super::ground::{Timing, Totals, Workload, loops};
use super::{BATCH_ROWS, Measurement, PUBLISHED_RECORDS, Subject, Task, measured, repeat};
use supply::Supply;

pub use pair::Pair;

/// How long the streams before the measured ones are at most, and how many.
const WARM_RECORDS: u64 = 1_000_000;
const WARM_RUNS: u32 = 3;

/// What grows from one measurement to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// How many records the stream has.
    Records,
    /// How many keys it has.
    Keys,
    /// How many records the engine takes at a time.
    Batch,
    /// How far records are out of order.
    Disorder,
    /// In how many windows a record is.
    Overlap,
}

impl Axis {
    /// All of them, in the order of reports.
    pub const ALL: [Axis; 5] =
        [Axis::Records, Axis::Keys, Axis::Batch, Axis::Disorder, Axis::Overlap];

    /// Its name in reports and arguments.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Records => "records",
            Axis::Keys => "keys",
            Axis::Batch => "batch-rows",
            Axis::Disorder => "disorder",
            Axis::Overlap => "overlap",
        }
    }

    /// The axis of that name.
    pub fn named(name: &str) -> Option<Axis> {
        Axis::ALL.into_iter().find(|axis| axis.name() == name)
    }

    /// What its values are, with their unit.
    pub fn title(self) -> &'static str {
        match self {
            Axis::Records => "Records in the stream",
            Axis::Keys => "Keys in the stream",
            Axis::Batch => "Records in a batch",
            Axis::Disorder => "Disorder in seconds",
            Axis::Overlap => "Windows a record is in",
        }
    }

    /// What is asked.
    pub fn about(self) -> &'static str {
        match self {
            Axis::Records | Axis::Batch => "TUMBLE 10 s, 10,000 keys",
            Axis::Keys => "TUMBLE 10 s",
            Axis::Disorder => "TUMBLE 10 s; the watermark waits as long",
            Axis::Overlap => "HOP by 2 s, 2 to 40 s long",
        }
    }

    /// What is to be borne in mind.
    pub fn note(self) -> &'static str {
        match self {
            Axis::Records => "",
            Axis::Keys => "; more keys are more rows, too",
            Axis::Batch => "; the loop has no batches",
            Axis::Disorder => ", and 4/5 of it where some are late",
            Axis::Overlap => {
                "; as many windows close whatever their length, the longer with more keys"
            }
        }
    }

    /// The question.
    pub fn workload(self) -> Workload {
        match self {
            Axis::Overlap => Workload::W2,
            _ => Workload::W1,
        }
    }

    fn values(self) -> &'static [u64] {
        match self {
            Axis::Records => &[1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000],
            Axis::Keys => &[100, 1_000, 10_000, 100_000, 1_000_000],
            Axis::Batch => &[64, 256, 1_024, 4_096, 8_192, 32_768],
            // The last one again, under a watermark that does not wait for all.
            Axis::Disorder => &[0, 1_000, 5_000, 20_000, 20_000],
            Axis::Overlap => &[1, 2, 5, 10, 20],
        }
    }

    /// A value as tables and charts print it.
    pub fn label(self, value: u64) -> String {
        // Exact ones are in the lines of `--json`.
        let short = |unit: f64| (value as f64 / unit * 100.0).round() / 100.0;
        match self {
            Axis::Disorder => short(1e3).to_string(),
            Axis::Records | Axis::Keys if value >= 1_000_000 => format!("{} M", short(1e6)),
            Axis::Records | Axis::Keys if value >= 1_000 => format!("{} k", short(1e3)),
            _ => value.to_string(),
        }
    }

    /// What is measured, of streams no longer than so many records.
    pub fn points(self, records: u64) -> Vec<Point> {
        let mut points = Vec::new();
        for (i, &value) in self.values().iter().enumerate() {
            let mut point = Point {
                axis: self,
                value,
                records: records.min(PUBLISHED_RECORDS),
                stream: Stream::PUBLISHED,
                timing: Timing::PUBLISHED,
                batch_rows: BATCH_ROWS,
                covered: true,
            };
            match self {
                Axis::Records => {
                    point.value = value.min(records);
                    point.records = point.value;
                }
                Axis::Keys => point.stream.auctions = value,
                Axis::Batch => point.batch_rows = usize::try_from(value).unwrap_or(BATCH_ROWS),
                Axis::Disorder => {
                    point.covered = i + 1 < self.values().len();
                    point.stream.disorder = value;
                    let delay = i64::try_from(value).unwrap_or_default();
                    point.timing.delay = if point.covered { delay } else { delay / 5 * 4 };
                }
                Axis::Overlap => point.timing.overlap = i64::try_from(value).unwrap_or(1),
            }
            points.push(point);
        }
        // Where few records are asked for, the longer streams are all the same.
        points.dedup();
        points
    }
}

/// One place on an axis: what is read and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// What grows.
    pub axis: Axis,
    /// How far it has grown; for [`Axis::Disorder`] in milliseconds.
    pub value: u64,
    /// How many records are read.
    pub records: u64,
    stream: Stream,
    timing: Timing,
    batch_rows: usize,
    /// Whether the point is one of the curve's: the watermark waits for the stream's whole disorder, as far as
    /// the axis says so.
    pub covered: bool,
}

impl Point {
    /// Its value as tables print it.
    pub fn label(&self) -> String {
        let label = self.axis.label(self.value);
        if self.covered { label } else { format!("{label}, some late") }
    }

    /// What it is in the terms of the workloads' own benchmark.
    pub fn task(&self, subject: Subject) -> Task {
        Task {
            workload: self.axis.workload(),
            subject,
            threads: 1,
            records: self.records,
            batch_rows: self.batch_rows,
        }
    }

    /// The published totals, where it is the published stream.
    fn published(&self) -> Option<Totals> {
        let same = self.records == PUBLISHED_RECORDS
            && (self.stream, self.timing) == (Stream::PUBLISHED, Timing::PUBLISHED);
        self.axis.workload().published().filter(|_| same)
    }

    /// Measures `repeats` runs in this process; the input is made while the clock stands still. Short runs
    /// go before: the first ones touch memory that the process does not have yet, several times the cost of a
    /// short stream and nothing of a long one.
    ///
    /// # Errors
    /// When the engine refuses, or runs differ.
    pub fn measure(&self, subject: Subject, repeats: u32) -> Result<Measurement> {
        let short = Point { records: self.records.min(WARM_RECORDS), ..*self };
        for _ in 0..WARM_RUNS {
            short.run(subject)?;
        }
        let (clocks, totals) = repeat(repeats, || self.run(subject))?;
        Ok(measured(&clocks, totals))
    }

    fn run(&self, subject: Subject) -> Result<(Clock, Totals)> {
        match subject {
            Subject::Loop => Ok(self.by_hand()),
            _ => self.by_engine(),
        }
    }

    fn supply(&self) -> Supply {
        Supply::new(self.axis.workload(), self.stream, self.records)
    }

    fn by_hand(&self) -> (Clock, Totals) {
        let mut supply = self.supply();
        let began = Began::now();
        let fed = loops::Fed::new(self.axis.workload(), &self.timing);
        let mut fed = fed.expect("the axes' workloads have windows");
        while let Some(columns) = supply.piece() {
            fed.feed(columns);
        }
        let totals = fed.end();
        (supply.spent().out_of(began.took()), totals)
    }

    fn by_engine(&self) -> Result<(Clock, Totals)> {
        let workload = self.axis.workload();
        let supply = self.supply();
        let spent = supply.spent();
        let began = Began::now();
        let sql = workload.sql_at("datagen", &self.timing);
        let reader = || supply.reader();
        let runner = native::runner_over(&sql, &reader, &Host::default())?;
        let mut totals = Totals::default();
        let report = runner.run(
            self.batch_rows,
            &mut |_, batch| {
                workload.add(&batch.columns, batch.kinds.as_deref(), &mut totals);
                Ok(())
            },
            &mut |_| {},
        )?;
        totals.late = report.late;
        Ok((spent.out_of(began.took()), totals))
    }
}

#[cfg(test)]
mod tests;
