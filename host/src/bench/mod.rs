//! The benchmark: workloads over one stream, the engine beside a hand-written loop in the same run.

mod answer;
pub mod checkpoint;
mod clock;
pub mod flights;
pub mod ground;
pub mod growth;
pub mod guests;
pub mod module;
pub mod nexmark;
mod parquet;
pub mod peer;
pub mod readers;
pub mod rows;
pub mod seek;
pub mod state;

use std::path::Path;

use highwater_engine::error::{Diagnostic, Result};
use serde_json::{Value as Json, json};

pub use answer::Answer;
use clock::{Began, Clock, peak_memory};
use ground::{Columns, Totals, Workload, loops, native};
use module::Module;

/// How many records the engine takes at a time.
pub const BATCH_ROWS: usize = 8_192;
/// How many bids the published totals are of.
pub const PUBLISHED_RECORDS: u64 = 10_000_000;

/// What runs a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The hand-written loop.
    Loop,
    /// What the engine has built in for what a guest does, compiled in.
    BuiltIn,
    /// The engine compiled in.
    Native,
    /// `engine.wasm` under wasmtime.
    Wasmtime,
}

impl Subject {
    /// All of them, the yardstick first.
    pub const ALL: [Subject; 4] =
        [Subject::Loop, Subject::BuiltIn, Subject::Native, Subject::Wasmtime];

    /// Whether it runs that workload.
    pub fn runs(self, workload: Workload) -> bool {
        match self {
            Subject::Loop | Subject::Native => true,
            Subject::BuiltIn => workload.guest().is_some(),
            // The function is measured without a stream around it.
            Subject::Wasmtime => workload != Workload::F2,
        }
    }

    /// What a workload's ratios are to.
    pub fn baseline(workload: Workload) -> Subject {
        if workload == Workload::W1Guest { Subject::BuiltIn } else { Subject::Loop }
    }

    /// Its name in reports and arguments.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Loop => "loop",
            Subject::BuiltIn => "built-in",
            Subject::Native => "native",
            Subject::Wasmtime => "wasmtime",
        }
    }

    /// The subject of that name.
    pub fn named(name: &str) -> Option<Subject> {
        Subject::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// What is asked.
    pub workload: Workload,
    /// Who answers.
    pub subject: Subject,
    /// On how many threads; the loops and the module have one.
    pub threads: u32,
    /// How many bids.
    pub records: u64,
    /// How many records the engine takes at a time.
    pub batch_rows: usize,
}

/// The runs of a task: what each took, and what all of them gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurement {
    /// Wall-clock seconds of each run.
    pub seconds: Vec<f64>,
    /// What the processor spent on each run, in seconds: neighbours on the machine hardly move it. The
    /// wall-clock time where the system does not say.
    pub cpu_seconds: Vec<f64>,
    /// The most memory the process had, in bytes, its input included; 0 where the system does not say.
    pub peak_bytes: u64,
    /// What came out.
    pub totals: Totals,
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Measurement {
    /// The median run in seconds of wall-clock time.
    pub fn wall(&self) -> f64 {
        median(&self.seconds)
    }

    /// The median run in seconds of processor time.
    pub fn cpu(&self) -> f64 {
        median(&self.cpu_seconds)
    }

    /// Takes in the runs of a later process.
    ///
    /// # Errors
    /// When its totals are others.
    pub fn merge(&mut self, later: &Measurement) -> Result<()> {
        agree("a repeated run", &later.totals, &self.totals)?;
        self.seconds.extend(&later.seconds);
        self.cpu_seconds.extend(&later.cpu_seconds);
        self.peak_bytes = self.peak_bytes.max(later.peak_bytes);
        Ok(())
    }

    /// The form in which a measuring process tells its parent.
    pub fn to_json(&self) -> Json {
        let t = self.totals;
        json!({
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "peak_bytes": self.peak_bytes,
            "rows": t.rows, "late": t.late, "counts": t.counts, "sums": t.sums,
            "maxima": t.maxima,
        })
    }

    /// Reads [`Measurement::to_json`].
    pub fn from_json(json: &Json) -> Option<Measurement> {
        let list = |field: &str| -> Option<Vec<f64>> {
            json[field].as_array()?.iter().map(Json::as_f64).collect()
        };
        Some(Measurement {
            seconds: list("seconds")?,
            cpu_seconds: list("cpu_seconds")?,
            peak_bytes: json["peak_bytes"].as_u64()?,
            totals: Totals {
                rows: json["rows"].as_u64()?,
                late: json["late"].as_u64()?,
                counts: json["counts"].as_u64()?,
                sums: json["sums"].as_i64()?,
                maxima: json["maxima"].as_i64()?,
            },
        })
    }

    /// A line of `--json`; `baseline` is the measurement of [`Subject::baseline`] in the same run.
    pub fn report(&self, task: &Task, baseline: Option<&Measurement>) -> Json {
        let records = task.records as f64;
        let t = self.totals;
        json!({
            "workload": task.workload.name(),
            "engine": task.subject.name(),
            "threads": task.threads,
            "records": task.records,
            "batch_rows": task.batch_rows,
            "seconds": self.wall(),
            "cpu_seconds": self.cpu(),
            "records_per_s": records / self.wall(),
            "baseline": baseline.map(|b| records / b.wall()),
            "ratio": baseline.map(|b| b.cpu() / self.cpu()),
            "ratio_wall": baseline.map(|b| b.wall() / self.wall()),
            "rows": t.rows,
            "late": t.late,
            "counts": t.counts,
            "sums": t.sums,
            "maxima": t.maxima,
            "peak_rss_mb": self.peak_bytes as f64 / 1e6,
        })
    }
}

/// Measures a task in this process: the input is made first, then come `repeats` runs.
///
/// # Errors
/// When the engine refuses, or a run's totals are not what they must be: `bench.wrong-totals`.
pub fn measure(task: &Task, repeats: u32, engine_wasm: Option<&Path>) -> Result<Measurement> {
    if task.threads == 0 || (task.threads > 1 && task.subject != Subject::Native) {
        return Err(Diagnostic::new(
            "bench.threads",
            format!("{} runs on one thread, not on {}", task.subject.name(), task.threads),
        ));
    }
    let (workload, batch_rows) = (task.workload, task.batch_rows);
    let columns = workload.input(task.records);
    if workload == Workload::F2 {
        return measure_function(task, &columns, repeats);
    }
    let published = workload.published().filter(|_| task.records == PUBLISHED_RECORDS);
    let expected = published.unwrap_or_else(|| loops::run(workload, &columns));
    let (clocks, totals) = match task.subject {
        Subject::Loop => time(repeats, || Ok(loops::run(workload, &columns)))?,
        Subject::Native | Subject::BuiltIn => {
            let built_in =
                workload.built_in("datagen").filter(|_| task.subject == Subject::BuiltIn);
            let sql = built_in.unwrap_or_else(|| workload.sql("datagen"));
            let host = guests::host(workload)?;
            let how = (batch_rows, task.threads);
            time(repeats, || native::run_with(workload, &sql, &columns, how, &host))?
        }
        Subject::Wasmtime => {
            let mut module = Module::load(engine_wasm)?;
            time(repeats, || module.run(workload, &columns, batch_rows))?
        }
    };
    agree(task.subject.name(), &totals, &expected)?;
    Ok(measured(&clocks, totals))
}

fn measured(clocks: &[Clock], totals: Totals) -> Measurement {
    Measurement {
        seconds: clocks.iter().map(|c| c.wall).collect(),
        cpu_seconds: clocks.iter().map(|c| c.cpu).collect(),
        peak_bytes: peak_memory(),
        totals,
    }
}

/// Measures the evaluation of one expression: batches in, a column out.
fn measure_function(task: &Task, columns: &Columns, repeats: u32) -> Result<Measurement> {
    let (workload, batch_rows) = (task.workload, task.batch_rows);
    let host = guests::host(workload)?;
    let sql = match task.subject {
        Subject::BuiltIn => workload.built_in("datagen").unwrap_or_default(),
        _ => workload.sql("datagen"),
    };
    let expected = guests::function_by_hand(columns, batch_rows);
    let (clocks, totals) = match task.subject {
        Subject::Loop => time(repeats, || Ok(guests::function_by_hand(columns, batch_rows)))?,
        _ => {
            guests::check(&sql, columns, batch_rows, &host)?;
            time(repeats, || guests::function(&sql, columns, batch_rows, &host))?
        }
    };
    agree(task.subject.name(), &totals, &expected)?;
    Ok(measured(&clocks, totals))
}

/// What each run took, at least one, and the totals all of them agree on.
fn time(repeats: u32, mut run: impl FnMut() -> Result<Totals>) -> Result<(Vec<Clock>, Totals)> {
    repeat(repeats, || {
        let began = Began::now();
        let totals = run()?;
        Ok((began.took(), totals))
    })
}

/// The same of runs that measure themselves.
fn repeat(
    repeats: u32,
    mut run: impl FnMut() -> Result<(Clock, Totals)>,
) -> Result<(Vec<Clock>, Totals)> {
    let mut clocks = Vec::new();
    let mut agreed: Option<Totals> = None;
    for _ in 0..repeats.max(1) {
        let (clock, totals) = run()?;
        clocks.push(clock);
        agree("a repeated run", &totals, agreed.get_or_insert(totals))?;
    }
    Ok((clocks, agreed.unwrap_or_default()))
}

fn agree(subject: &str, found: &Totals, expected: &Totals) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Diagnostic::new(
        "bench.wrong-totals",
        format!("{subject} gives {found:?}, the definition {expected:?}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(seconds: &[f64]) -> Measurement {
        Measurement {
            seconds: seconds.to_vec(),
            cpu_seconds: seconds.iter().map(|s| s / 2.0).collect(),
            peak_bytes: 3_000_000,
            totals: Totals { rows: 4, late: 1, counts: 9, sums: -5, maxima: 7 },
        }
    }

    #[test]
    fn a_measurement_survives_its_process_and_knows_its_ratio() {
        let measured = runs(&[4.0, 1.0, 2.0]);
        assert_eq!(Measurement::from_json(&measured.to_json()), Some(measured.clone()));
        let task = Task {
            workload: Workload::W2,
            subject: Subject::Native,
            threads: 1,
            records: 1_000,
            batch_rows: 10,
        };
        let line = measured.report(&task, Some(&runs(&[1.0])));
        let expected = json!({
            "workload": "W2", "engine": "native", "threads": 1, "records": 1_000,
            "batch_rows": 10, "seconds": 2.0, "cpu_seconds": 1.0, "records_per_s": 500.0,
            "baseline": 1000.0, "ratio": 0.5, "ratio_wall": 0.5, "rows": 4, "late": 1,
            "counts": 9, "sums": -5, "maxima": 7, "peak_rss_mb": 3.0,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn runs_of_two_processes_are_one_measurement() {
        let mut all = runs(&[3.0, 1.0]);
        all.merge(&runs(&[2.0])).expect("the same totals");
        assert_eq!(all.wall(), 2.0);
        let other = Measurement { totals: Totals::default(), ..runs(&[2.0]) };
        assert_eq!(all.merge(&other).expect_err("other totals").code, "bench.wrong-totals");
    }

    #[test]
    fn other_totals_than_the_definitions_are_an_error() {
        let task = Task {
            workload: Workload::W1,
            subject: Subject::Loop,
            threads: 1,
            records: 20_000,
            batch_rows: BATCH_ROWS,
        };
        assert_eq!(measure(&task, 2, None).expect("agrees").seconds.len(), 2);
        let two = Task { threads: 2, ..task };
        assert_eq!(measure(&two, 1, None).expect_err("one thread").code, "bench.threads");
        let native = Task { subject: Subject::Native, ..two };
        let one = measure(&task, 1, None).expect("agrees");
        assert_eq!(measure(&native, 1, None).expect("agrees").totals, one.totals);
        let (right, wrong) = (Totals::default(), Totals { late: 1, ..Totals::default() });
        assert_eq!(agree("it", &wrong, &right).expect_err("differs").code, "bench.wrong-totals");
    }
}
