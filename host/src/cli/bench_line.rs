//! A line of `--json` for runs that somebody else made the baseline of.

use serde_json::{Value as Json, json};

/// What was measured.
pub(super) struct Measured<'a> {
    pub workload: &'a str,
    pub engine: &'a str,
    pub threads: u32,
    /// How many were read, and how many rows came out.
    pub records: u64,
    pub rows: usize,
    /// Records left out as late, where somebody counts them.
    pub late: Option<u64>,
    /// Wall-clock and processor seconds of each run.
    pub seconds: &'a [(f64, f64)],
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Measured<'_> {
    /// The line; `baseline` is the runs of whom it is compared with.
    pub(super) fn line(&self, baseline: Option<&[(f64, f64)]>) -> Json {
        let wall = |seconds: &[(f64, f64)]| median(seconds.iter().map(|s| s.0));
        let cpu = |seconds: &[(f64, f64)]| median(seconds.iter().map(|s| s.1));
        let (own, records) = (self.seconds, self.records as f64);
        json!({
            "workload": self.workload,
            "engine": self.engine,
            "threads": self.threads,
            "records": self.records,
            "seconds": wall(own),
            "cpu_seconds": cpu(own),
            "records_per_s": records / wall(own),
            "baseline": baseline.map(|b| records / wall(b)),
            "ratio": baseline.map(|b| cpu(b) / cpu(own)),
            "ratio_wall": baseline.map(|b| wall(b) / wall(own)),
            "rows": self.rows,
            "late": self.late,
        })
    }
}
