//! Batch engines of Python as peers, where they are installed.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use highwater_engine::error::{Diagnostic, Error, Result};
use serde_json::Value as Json;

use super::parquet::whole;
use super::rows::Rows;

/// A batch engine that Python can import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `polars` or `duckdb`.
    pub name: &'static str,
    python: String,
}

/// Those of these engines that `python` can import.
pub fn peers(python: &str, names: &[&'static str]) -> Vec<Peer> {
    let importable = |name: &&&'static str| {
        let mut command = Command::new(python);
        command.args(["-c", &format!("import {name}")]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let names = names.iter().filter(importable);
    names.map(|name| Peer { name, python: python.to_owned() }).collect()
}

impl Peer {
    fn failed(&self, what: impl std::fmt::Display) -> Error {
        Diagnostic::new("bench.peer", format!("{} fails: {what}", self.name))
    }

    /// Runs a script in a process of its own; what it prints, which is one JSON object.
    pub(super) fn run<A: AsRef<OsStr>>(&self, script: &str, arguments: &[A]) -> Result<Json> {
        let mut command = Command::new(&self.python);
        let output = command.args(["-c", script]).args(arguments).output();
        let output = output.map_err(|e| self.failed(e))?;
        if !output.status.success() {
            return Err(self.failed(String::from_utf8_lossy(&output.stderr).trim_end()));
        }
        serde_json::from_slice(&output.stdout).map_err(|e| self.failed(e))
    }

    /// A field of what a script printed.
    pub(super) fn told<T>(
        &self,
        told: &Json,
        field: &str,
        of: fn(&Json) -> Option<T>,
    ) -> Result<T> {
        of(&told[field]).ok_or_else(|| self.failed(format!("it says no {field}")))
    }

    /// The rows a script left as a Parquet file, which is gone then: its place may be small.
    pub(super) fn rows(&self, path: &Path) -> Result<Rows> {
        let batch = whole(path)?;
        let _ = std::fs::remove_file(path);
        Rows::of_columns(batch.columns())
    }
}
