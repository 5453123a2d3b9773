//! The benchmark: keyed tumbling windows over generated bids, beside a hand-written loop in the same run.

pub mod baseline;
pub mod engine;
pub mod stream;

use std::time::Instant;

use highwater_engine::error::{Diagnostic, Result};
use serde_json::{Value as Json, json};

use baseline::{TEN_MILLION, Totals};
use engine::Columns;
use stream::Bids;

/// How many records the engine takes at a time.
pub const BATCH_ROWS: usize = 8_192;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The hand-written loop.
    Loop,
    /// The engine compiled in.
    Native,
}

impl Subject {
    /// All of them, the yardstick first.
    pub const ALL: [Subject; 2] = [Subject::Loop, Subject::Native];

    /// Its name in reports and arguments.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Loop => "loop",
            Subject::Native => "native",
        }
    }

    /// The subject of that name.
    pub fn named(name: &str) -> Option<Subject> {
        Subject::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// A subject's figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// [`Subject::name`]
    pub subject: String,
    /// Records a run.
    pub records: u64,
    /// The median run in seconds.
    pub seconds: f64,
    /// The most memory the process had, in bytes, its input included; 0 where the system does not say.
    pub peak_bytes: u64,
}

impl Measurement {
    /// Millions of records a second.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.seconds / 1e6
    }

    /// The form in which a measuring process tells its parent.
    pub fn to_json(&self) -> Json {
        json!({
            "subject": self.subject,
            "records": self.records,
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
        })
    }

    /// Reads [`Measurement::to_json`].
    pub fn from_json(json: &Json) -> Option<Measurement> {
        Some(Measurement {
            subject: json["subject"].as_str()?.to_owned(),
            records: json["records"].as_u64()?,
            seconds: json["seconds"].as_f64()?,
            peak_bytes: json["peak_bytes"].as_u64()?,
        })
    }
}

/// Measures a subject in this process: the input is made first, then come `repeats` runs.
///
/// # Errors
/// When a run's totals are not what they must be.
pub fn measure(subject: Subject, records: u64, repeats: u32) -> Result<Measurement> {
    let bids = Bids::generate(records);
    let expected = if records == 10_000_000 { TEN_MILLION } else { baseline::run(&bids) };
    let (mut times, totals) = match subject {
        Subject::Loop => time(repeats, || Ok(baseline::run(&bids)))?,
        Subject::Native => {
            let columns = Columns::from(bids);
            time(repeats, || engine::run(&columns, BATCH_ROWS))?
        }
    };
    agree(subject.name(), &totals, &expected)?;
    times.sort_by(f64::total_cmp);
    Ok(Measurement {
        subject: subject.name().to_owned(),
        records,
        seconds: times.get(times.len() / 2).copied().unwrap_or(0.0),
        peak_bytes: peak_memory(),
    })
}

/// Seconds of each run, and the totals all of them agree on.
fn time(repeats: u32, mut run: impl FnMut() -> Result<Totals>) -> Result<(Vec<f64>, Totals)> {
    let mut times = Vec::new();
    let mut agreed: Option<Totals> = None;
    for _ in 0..repeats.max(1) {
        let began = Instant::now();
        let totals = run()?;
        times.push(began.elapsed().as_secs_f64());
        agree("a repeated run", &totals, agreed.get_or_insert(totals))?;
    }
    Ok((times, agreed.unwrap_or_default()))
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

/// The most memory this process has had, in bytes; 0 where the system does not say.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0);
    kilobytes * 1024
}
