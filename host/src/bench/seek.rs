//! How long a seek takes in a long trace, beside the run that it spares.

use std::sync::Arc;
use std::time::Instant;

use highwater_engine::error::{Diagnostic, Result};
use highwater_engine::session::{Files, Options, Session};
use serde_json::{Value as Json, json};

use super::ground::stream::mix;
use crate::sandbox::WasmtimeSandbox;

/// Windows, two subtasks, a checkpoint a minute: an ordinary job to look into.
pub const SQL: &str = "\
SET 'execution.checkpointing.interval' = '1 min';
CREATE TABLE events (k BIGINT, v BIGINT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'datagen', 'number-of-rows' = '10000000', 'rows-per-second' = '20',
  'fields.k.min' = '0', 'fields.k.max' = '40');
SELECT k, window_start, COUNT(*) AS n, SUM(v) AS total
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY k, window_start, window_end;
";

/// How it is opened.
pub fn options() -> Options {
    Options { parallelism: Some(2), batch_rows: Some(1), ..Options::default() }
}

/// Simulates the job until its trace has so many events.
///
/// # Errors
/// When the job stops before that.
pub fn simulated(events: u64) -> Result<Session> {
    let sandbox = Arc::new(WasmtimeSandbox::default());
    let session = Session::open("seek.sql", SQL, &Files::default(), sandbox, &options());
    let mut session = session.map_err(|mut errors| Box::new(errors.remove(0)))?;
    while session.events().len() as u64 <= events {
        let status = session.step(10_000);
        if status.finished || status.failed.is_some() {
            return Err(Diagnostic::new("bench.failed", "the job ends before so many events"));
        }
    }
    Ok(session)
}

/// Simulates until the trace has so many events; then seeks to so many steps, drawn. A line of `--json`.
///
/// # Errors
/// When the job stops before that, or a seek does not lead where it should.
pub fn measure(events: u64, seeks: u32) -> Result<Json> {
    let begin = Instant::now();
    let mut session = simulated(events)?;
    let run = begin.elapsed().as_secs_f64();
    let last = session.status();
    let mut seconds = Vec::new();
    for i in 0..u64::from(seeks) {
        let step = 1 + mix(i) % last.step;
        let begin = Instant::now();
        let found = session.seek(step);
        seconds.push(begin.elapsed().as_secs_f64());
        if found.step != step {
            let message = format!("a seek to step {step} leads to step {}", found.step);
            return Err(Diagnostic::new("bench.failed", message));
        }
    }
    if session.seek(last.step).hash != last.hash {
        return Err(Diagnostic::new("bench.failed", "the run is another behind its seeks"));
    }
    seconds.sort_by(f64::total_cmp);
    let at = |part: usize| seconds[(seconds.len() - 1) * part / 100];
    Ok(json!({
        "bench": "seek", "events": last.events, "steps": last.step, "seeks": seeks,
        "run_seconds": run, "median_ms": at(50) * 1e3, "p99_ms": at(99) * 1e3,
        "most_ms": at(100) * 1e3, "share_of_run": at(50) / run,
    }))
}

#[cfg(test)]
mod tests {
    use super::measure;

    #[test]
    fn seeks_lead_where_they_should() {
        let line = measure(4_000, 30).expect("it runs");
        assert!(line["events"].as_u64() > Some(4_000));
        assert!(line["median_ms"].as_f64() <= line["most_ms"].as_f64());
    }
}
