//! Batch engines of Python as peers, where they are installed.

use std::path::Path;
use std::process::{Command, Stdio};

use arrow_array::RecordBatch;
use highwater_engine::error::{Error, Result};
use serde_json::Value as Json;

use super::rows::{Rows, unfit};
use super::{FILE, Question, prepare};

const SCRIPT: &str = include_str!("peer.py");

/// A batch engine that Python can import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `polars` or `duckdb`.
    pub name: &'static str,
    python: String,
}

/// Those of Polars and DuckDB that `python` can import.
pub fn peers(python: &str) -> Vec<Peer> {
    let importable = |name: &&str| {
        let mut command = Command::new(python);
        command.args(["-c", &format!("import {name}")]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let names = ["polars", "duckdb"].into_iter().filter(importable);
    names.map(|name| Peer { name, python: python.to_owned() }).collect()
}

fn failed(peer: &Peer, what: impl std::fmt::Display) -> Error {
    unfit(format!("{} fails: {what}", peer.name))
}

/// The rows, and the seconds the peer measured: wall-clock and processor.
pub(super) fn run(
    question: Question,
    folder: &Path,
    peer: &Peer,
    threads: u32,
) -> Result<(Rows, (f64, f64))> {
    let out = folder.join(format!("{}-{}.parquet", peer.name, question.name()));
    let output = Command::new(&peer.python)
        .args(["-c", SCRIPT, peer.name, question.name(), &threads.to_string()])
        .arg(folder.join(FILE))
        .arg(&out)
        .output()
        .map_err(|e| failed(peer, e))?;
    if !output.status.success() {
        return Err(failed(peer, String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    let told: Json = serde_json::from_slice(&output.stdout).map_err(|e| failed(peer, e))?;
    let seconds = told["seconds"].as_f64().zip(told["cpu_seconds"].as_f64());
    let seconds = seconds.ok_or_else(|| failed(peer, "it says no seconds"))?;
    let batch = prepare::whole(&out)?;
    let mut rows = Rows::default();
    rows.extend(&plain(&batch)?)?;
    // It will not be looked at again, and its place may be small.
    let _ = std::fs::remove_file(&out);
    Ok((rows, seconds))
}

/// Texts of other widths as the engine's own.
fn plain(batch: &RecordBatch) -> Result<Vec<arrow_array::ArrayRef>> {
    use arrow_array::cast::AsArray as _;
    use arrow_array::{Array as _, StringArray};
    use arrow_schema::DataType;
    use std::sync::Arc;
    let one = |column: &arrow_array::ArrayRef| match column.data_type() {
        DataType::LargeUtf8 => {
            Arc::new(column.as_string::<i64>().iter().collect::<StringArray>()) as _
        }
        DataType::Utf8View => {
            Arc::new(column.as_string_view().iter().collect::<StringArray>()) as _
        }
        _ => Arc::clone(column),
    };
    Ok(batch.columns().iter().map(one).collect())
}
