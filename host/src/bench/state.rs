//! What a large state costs: snapshot and restore beside a plain copy and a plain file.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Int64Array, TimestampMillisecondArray};
use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::graph::Graph;
use highwater_engine::runner::Runner;
use highwater_engine::snapshot::{Opened, Snapshot};
use serde_json::{Value as Json, json};

use super::BATCH_ROWS;
use super::clock::peak_memory;
use super::ground::Columns;
use super::ground::native::{self, Host};
use crate::checkpoint::store;

/// Keys, each with a place in every open window.
pub(super) const KEYS: usize = 1 << 20;
/// Bytes of a key and its count, sum and maximum.
const BYTES_A_KEY: u64 = 32;
const WINDOW_MS: i64 = 10_000;

/// The state stays open: the watermark is a year behind.
const SQL: &str = "\
CREATE TABLE events (k BIGINT, v BIGINT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '365' DAY(3))
WITH ('connector' = 'datagen', 'number-of-rows' = '0');
SELECT k, window_start, COUNT(*) AS n, SUM(v) AS total, MAX(v) AS highest
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY k, window_start, window_end;
";

/// Fills open windows with about so many bytes of state; then takes snapshots, writes, reads and restores
/// them in `folder`. A line of `--json`; rates are in MB/s, a MB being a million bytes.
///
/// # Errors
/// When the engine stops, the disk does, or the restored state is not the one that was written.
pub fn measure(size: u64, folder: &Path) -> Result<Json> {
    let windows = size.div_ceil(BYTES_A_KEY * KEYS as u64).max(1);
    let keys = usize::try_from(size / BYTES_A_KEY / windows).map_or(KEYS, |keys| keys.max(1));
    let columns = columns(keys, windows);
    let mut runner = filled(&columns)?;
    let mut rates = Rates::default();
    let snapshot = rates.time("snapshot", || runner.checkpoint(1))?;
    rates.bytes = bytes(&snapshot);
    let again = rates.time("snapshot_unchanged", || runner.checkpoint(2))?;
    drop(again);
    let bytes = rates.time("checksum", || Ok(snapshot.encode()))?;
    let mut copy = vec![1_u8; bytes.len()];
    rates.time("memcpy", || {
        copy.copy_from_slice(&bytes);
        Ok(())
    })?;
    drop(copy);
    let path = folder.join("plain");
    rates.time("disk_write", || plain_write(&path, &bytes).map_err(|e| failed("write", &e)))?;
    let _ = std::fs::remove_file(&path);
    rates.time("store_write", || store::write(folder, &snapshot))?;
    drop(snapshot);
    let mut restored = native::runner(SQL, &columns, 1, &Host::default())?;
    rates.time("verify", || Opened::read(&bytes).map(|_| ()))?;
    let opened = Opened::read(&bytes)?;
    let graph = Graph::new(native::plan(SQL, &Host::default())?, 1, 1)?;
    rates.time("restore", || restored.restore(&graph, &opened))?;
    same(&mut restored, &mut runner)?;
    let mut line = json!({
        "bench": "state", "bytes": rates.bytes, "keys": keys, "windows": windows,
        "peak_rss_mb": peak_memory() as f64 / 1e6,
    });
    for (name, seconds) in &rates.seconds {
        line[format!("{name}_mb_per_s")] = json!(rates.bytes as f64 / 1e6 / seconds);
        line[format!("{name}_seconds")] = json!(seconds);
    }
    Ok(line)
}

/// A job that has taken in those columns but for their last batch: the end of the input would close the
/// windows.
pub(super) fn filled(columns: &Columns) -> Result<Runner> {
    let mut runner = native::runner(SQL, columns, 1, &Host::default())?;
    while runner.records() + (BATCH_ROWS as u64) < columns.rows() as u64 {
        runner.step(BATCH_ROWS, &mut |_, _| Ok(()))?;
    }
    Ok(runner)
}

/// How large a snapshot is.
pub(super) fn bytes(snapshot: &Snapshot) -> u64 {
    snapshot.sections.iter().map(|(_, content)| content.len() as u64).sum()
}

/// Seconds by name.
#[derive(Default)]
struct Rates {
    bytes: u64,
    seconds: Vec<(&'static str, f64)>,
}

impl Rates {
    fn time<T>(&mut self, name: &'static str, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let begin = Instant::now();
        let done = run()?;
        self.seconds.push((name, begin.elapsed().as_secs_f64()));
        Ok(done)
    }
}

/// Every key once in every window, in no order, and a batch that is never read.
pub(super) fn columns(keys: usize, windows: u64) -> Columns {
    let rows = keys * usize::try_from(windows).unwrap_or(1);
    let total = rows.next_multiple_of(BATCH_ROWS) + BATCH_ROWS;
    // An odd multiplier walks through all numbers below a power of two; others are walked past.
    let mask = keys.next_power_of_two() - 1;
    let mut walk = 0_usize;
    let mut next_key = || {
        loop {
            walk = walk.wrapping_mul(5).wrapping_add(12_345) & mask;
            if walk < keys {
                return walk as i64 * 1_000_003;
            }
        }
    };
    let key: Int64Array = (0..total).map(|_| Some(next_key())).collect();
    let value: Int64Array = (0..total).map(|i| Some((i % 9_973) as i64)).collect();
    let window = |i: usize| (i / keys).min(usize::try_from(windows).unwrap_or(1) - 1) as i64;
    let times = (0..total).map(|i| 1_700_000_000_000 + window(i) * WINDOW_MS + (i % 10_000) as i64);
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(key),
        Arc::new(value),
        Arc::new(TimestampMillisecondArray::from_iter_values(times)),
    ];
    Columns { arrays }
}

fn plain_write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Both give the same bytes, encoded anew.
fn same(restored: &mut Runner, original: &mut Runner) -> Result<()> {
    let [a, b] = [restored.checkpoint(3)?, original.checkpoint(3)?];
    let same = a.sections.iter().zip(&b.sections).all(|(a, b)| {
        a.0 == b.0 && a.1.len() == b.1.len() && a.1.iter().flatten().eq(b.1.iter().flatten())
    });
    match same {
        true => Ok(()),
        false => Err(Diagnostic::new("bench.wrong-totals", "the restored state is another one")),
    }
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Diagnostic::new("bench.failed", format!("cannot {what} the measured file: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_state_is_measured_and_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let line = measure(200_000, folder.path()).expect("measured");
        let bytes = line["bytes"].as_u64().expect("counted");
        assert!((150_000..300_000).contains(&bytes), "{line}");
        for name in ["snapshot", "memcpy", "disk_write", "store_write", "restore"] {
            let rate = line[format!("{name}_mb_per_s")].as_f64().expect("measured");
            assert!(rate > 0.0, "{name}: {line}");
        }
    }

    #[test]
    fn every_key_is_in_every_window() {
        let columns = columns(1_000, 3);
        let mut first: Vec<i64> = columns.long(0)[..1_000].to_vec();
        let mut second = columns.long(0)[1_000..2_000].to_vec();
        first.sort();
        second.sort();
        first.dedup();
        assert_eq!((first.len(), &first), (1_000, &second));
        assert_eq!(columns.rows() % BATCH_ROWS, 0);
    }
}
