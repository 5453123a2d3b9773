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
    /// The median of what the processor spent on a run, in seconds: neighbours on the machine hardly
    /// move it. Equal to the wall-clock time where the system does not say.
    pub cpu_seconds: f64,
    /// The most memory the process had, in bytes, its input included; 0 where the system does not say.
    pub peak_bytes: u64,
}

impl Measurement {
    /// Millions of records a second of wall-clock time.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.seconds / 1e6
    }

    /// How fast it is beside another, by processor time: 1 is as fast.
    pub fn ratio(&self, yardstick: &Measurement) -> f64 {
        yardstick.cpu_seconds / self.cpu_seconds
    }

    /// The form in which a measuring process tells its parent.
    pub fn to_json(&self) -> Json {
        json!({
            "subject": self.subject,
            "records": self.records,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "peak_bytes": self.peak_bytes,
        })
    }

    /// Reads [`Measurement::to_json`].
    pub fn from_json(json: &Json) -> Option<Measurement> {
        Some(Measurement {
            subject: json["subject"].as_str()?.to_owned(),
            records: json["records"].as_u64()?,
            seconds: json["seconds"].as_f64()?,
            cpu_seconds: json["cpu_seconds"].as_f64()?,
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
    let (times, totals) = match subject {
        Subject::Loop => time(repeats, || Ok(baseline::run(&bids)))?,
        Subject::Native => {
            let columns = Columns::from(bids);
            time(repeats, || engine::run(&columns, BATCH_ROWS))?
        }
    };
    agree(subject.name(), &totals, &expected)?;
    let median = |of: fn(&Clock) -> f64| {
        let mut sorted: Vec<f64> = times.iter().map(of).collect();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    Ok(Measurement {
        subject: subject.name().to_owned(),
        records,
        seconds: median(|c| c.wall),
        cpu_seconds: median(|c| c.cpu),
        peak_bytes: peak_memory(),
    })
}

/// What a run took, in seconds.
struct Clock {
    wall: f64,
    cpu: f64,
}

/// What each run took, at least one, and the totals all of them agree on.
fn time(repeats: u32, mut run: impl FnMut() -> Result<Totals>) -> Result<(Vec<Clock>, Totals)> {
    let mut times = Vec::new();
    let mut agreed: Option<Totals> = None;
    for _ in 0..repeats.max(1) {
        let (began, began_cpu) = (Instant::now(), cpu_seconds());
        let totals = run()?;
        let wall = began.elapsed().as_secs_f64();
        let cpu = cpu_seconds().zip(began_cpu).map_or(wall, |(now, then)| now - then);
        times.push(Clock { wall, cpu });
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

/// Seconds this thread has been on a processor, where the system says so.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds as f64 / 1e9)
}

/// The most memory this process has had, in bytes; 0 where the system does not say.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0);
    kilobytes * 1024
}
