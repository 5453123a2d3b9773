//! Where a session stands.

use crate::error::Diagnostic;

/// Where a session stands, as front ends show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Steps done.
    pub step: u64,
    /// Virtual time, microseconds since 1970.
    pub at: u64,
    /// Events on the trace.
    pub events: u64,
    /// The job has run to its end.
    pub finished: bool,
    /// Why the job stopped, if it did.
    pub failed: Option<Diagnostic>,
    /// The trace's hash.
    pub hash: String,
    /// Rows the sinks have made visible.
    pub committed_rows: u64,
    /// Completed checkpoints.
    pub checkpoints: u64,
    /// Fuel that guests have used.
    pub fuel: u64,
    /// The furthest step reached so far.
    pub horizon: u64,
    /// Faults that have yet to strike, as they are written; of a run that has ended, those that never have.
    pub faults_to_come: Vec<String>,
}

impl Status {
    /// The JSON form of the embedding interface.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "step": self.step,
            "at_us": self.at,
            "events": self.events,
            "finished": self.finished,
            "failed": self.failed.as_ref().map(Diagnostic::to_json),
            "hash": self.hash,
            "committed_rows": self.committed_rows,
            "checkpoints": self.checkpoints,
            "fuel": self.fuel,
            "horizon": self.horizon,
            "faults_to_come": self.faults_to_come,
        })
    }
}
