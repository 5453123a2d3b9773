//! What checkpoints cost a stream: the same job with and without them, in turns.

use std::path::Path;
use std::time::{Duration, Instant};

use highwater_engine::error::Result;
use serde_json::{Value as Json, json};

use super::clock::{Began, Clock};
use super::ground::native::{self, Host};
use super::ground::stream::PER_MILLISECOND;
use super::ground::{Columns, Totals, Workload};
use super::state::bytes;
use super::{BATCH_ROWS, agree, median};
use crate::checkpoint::store::Store;
use crate::checkpoint::writer::Writer;

/// Records that are in memory; a longer stream repeats them at later times.
const RECORDS: u64 = 10_000_000;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The question asked of the stream.
    pub workload: Workload,
    /// The time from one checkpoint to the next.
    pub interval: Interval,
    /// How long a run shall take, about, in seconds.
    pub seconds: f64,
    /// How many runs of each kind.
    pub repeats: u32,
}

/// When there is a checkpoint.
#[derive(Clone, Copy, Debug)]
pub enum Interval {
    /// By the wall's clock, as soon as the one before it is written.
    Wall(Duration),
    /// By the stream's: behind so much event time, however long the one before it takes to be written. Faster than any
    /// stream that is alive, the stream of the benchmark does hundreds of seconds of event time in one.
    Event(Duration),
}

/// One run.
#[derive(Clone, Debug, Default)]
struct Run {
    wall: f64,
    /// Of the thread the stream runs in.
    cpu: f64,
    totals: Totals,
    records: u64,
    /// Seconds the stream stood still for each checkpoint.
    pauses: Vec<f64>,
    /// The largest snapshot's bytes.
    bytes: u64,
}

/// Runs the job with checkpoints into `folder` and without, in turns; a line of `--json`.
///
/// # Errors
/// When a run stops, or its totals are others than those of a run without checkpoints.
pub fn measure(plan: &Plan, folder: &Path) -> Result<Json> {
    let columns = plan.workload.input(RECORDS);
    let once = run(plan, &columns, 1, None)?;
    let rounds = (plan.seconds / once.wall).ceil().clamp(1.0, 1e6) as u32;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..plan.repeats.max(1) {
        without.push(run(plan, &columns, rounds, None)?);
        with.push(run(plan, &columns, rounds, Some(folder))?);
        let last = |runs: &[Run]| runs.last().map(|r| r.totals).unwrap_or_default();
        agree("a run with checkpoints", &last(&with), &last(&without))?;
    }
    let of =
        |runs: &[Run], field: fn(&Run) -> f64| median(&runs.iter().map(field).collect::<Vec<_>>());
    let records = once.records as f64 * f64::from(rounds);
    let pauses: Vec<f64> = with.iter().flat_map(|r| r.pauses.clone()).collect();
    let (plain, checked) = (of(&without, |r| r.wall), of(&with, |r| r.wall));
    let (plain_cpu, checked_cpu) = (of(&without, |r| r.cpu), of(&with, |r| r.cpu));
    Ok(json!({
        "bench": "checkpoint",
        "workload": plan.workload.name(),
        "records": records,
        "interval": plan.interval.name(),
        "interval_ms": plan.interval.length().as_millis() as u64,
        "seconds": checked,
        "seconds_without": plain,
        "records_per_s": records / checked,
        "records_per_s_without": records / plain,
        "cost": 1.0 - plain / checked,
        "cost_cpu": 1.0 - plain_cpu / checked_cpu,
        "checkpoints": pauses.len() / with.len(),
        "bytes": with.last().map(|r| r.bytes),
        "pause_ms": median(&pauses) * 1e3,
        "pause_ms_most": pauses.iter().copied().fold(0.0, f64::max) * 1e3,
    }))
}

impl Interval {
    /// The name of its clock in a line of `--json`.
    fn name(self) -> &'static str {
        match self {
            Interval::Wall(_) => "wall",
            Interval::Event(_) => "event",
        }
    }

    fn length(self) -> Duration {
        match self {
            Interval::Wall(length) | Interval::Event(length) => length,
        }
    }
}

/// When the next checkpoint is due: of both clocks the one that is gone by.
struct Due {
    at: Instant,
    /// Bids come evenly in event time.
    records: u64,
}

impl Due {
    fn next(&mut self, interval: Interval, records: u64) {
        self.at = Instant::now() + interval.length();
        self.records = records + interval.length().as_millis() as u64 * PER_MILLISECOND;
    }

    fn is_now(&self, interval: Interval, records: u64, writer: &mut Writer) -> Result<bool> {
        match interval {
            Interval::Wall(_) => Ok(Instant::now() >= self.at && writer.idle()?),
            Interval::Event(_) if records < self.records => Ok(false),
            Interval::Event(_) => writer.wait().map(|_| true),
        }
    }
}

fn run(plan: &Plan, columns: &Columns, rounds: u32, folder: Option<&Path>) -> Result<Run> {
    let mut runner =
        native::runner(&plan.workload.sql("datagen"), columns, rounds, &Host::default())?;
    let store = folder.map(Store::open).transpose()?;
    let mut writer = store.as_ref().map(Writer::start);
    let mut run = Run::default();
    let totals = &mut run.totals;
    let mut emit = |_: usize, batch: highwater_engine::batch::Batch| {
        plan.workload.add(&batch.columns, batch.kinds.as_deref(), totals);
        Ok(())
    };
    let began = Began::now();
    let mut due = Due { at: Instant::now(), records: 0 };
    due.next(plan.interval, 0);
    let mut number = 0;
    while runner.step(BATCH_ROWS, &mut emit)? {
        let Some(writer) = &mut writer else { continue };
        let records = runner.report().records;
        if due.is_now(plan.interval, records, writer)? {
            number += 1;
            let begin = Instant::now();
            let snapshot = runner.checkpoint(number)?;
            run.bytes = run.bytes.max(bytes(&snapshot));
            writer.write(snapshot, Vec::new())?;
            run.pauses.push(begin.elapsed().as_secs_f64());
            due.next(plan.interval, records);
        }
    }
    Clock { wall: run.wall, cpu: run.cpu } = began.took();
    if let Some(mut writer) = writer {
        writer.wait()?;
    }
    let report = runner.report();
    (run.totals.late, run.records) = (report.late, report.records);
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_change_no_total_and_are_counted() {
        let columns = Workload::W1.input(60_000);
        let second = Duration::from_secs(1);
        // Six seconds of event time in batches of 8,192 records, twice: a checkpoint behind every second batch.
        for (interval, most) in [(Interval::Wall(Duration::ZERO), 15), (Interval::Event(second), 7)]
        {
            let plan = Plan { workload: Workload::W1, interval, seconds: 0.0, repeats: 1 };
            let folder = tempfile::tempdir().expect("a folder");
            let plain = run(&plan, &columns, 2, None).expect("runs");
            let checked = run(&plan, &columns, 2, Some(folder.path())).expect("runs");
            assert_eq!(checked.totals, plain.totals);
            assert_eq!((plain.records, plain.pauses.len()), (120_000, 0));
            let made = checked.pauses.len();
            let exactly = matches!(interval, Interval::Wall(_)) || made >= most - 1;
            assert!((1..=most).contains(&made) && exactly, "{interval:?}: {checked:?}");
            assert!(checked.bytes > 1_000, "{checked:?}");
        }
    }
}
