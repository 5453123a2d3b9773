//! A job under way in the runner, a step at a time: a host takes checkpoints between the steps.

use crate::batch::Batch;
use crate::error::Result;
use crate::graph::Graph;
use crate::runner::{Progress, Report, Runner};
use crate::snapshot::{Opened, Snapshot};

/// What [`Fast::begin`](super::Fast::begin) makes.
pub struct Running {
    pub(super) graph: Graph,
    pub(super) runner: Runner,
    pub(super) batch_rows: usize,
    pub(super) name: String,
}

impl Running {
    /// Takes the next records through the job; `false` at the end of the input. `emit` gets each sink's
    /// rows in their order.
    ///
    /// # Errors
    /// What stops the job, `emit`'s own errors among it.
    pub fn step(&mut self, emit: &mut dyn FnMut(usize, Batch) -> Result<()>) -> Result<bool> {
        self.runner.step(self.batch_rows, emit).map_err(|e| e.in_source(&self.name))
    }

    /// The state between two steps: with the rows that were emitted so far all there is to know.
    ///
    /// # Errors
    /// What stops the job.
    pub fn checkpoint(&mut self, checkpoint: u64) -> Result<Snapshot> {
        self.runner.checkpoint(checkpoint).map_err(|e| e.in_source(&self.name))
    }

    /// Goes on from a checkpoint; to be called before the first step.
    ///
    /// # Errors
    /// When the snapshot is of another job, or the input is not what it was.
    pub fn restore(&mut self, snapshot: &Opened<'_>) -> Result<()> {
        self.runner.restore(&self.graph, snapshot).map_err(|e| e.in_source(&self.name))
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        self.runner.progress()
    }

    /// What the job has done so far.
    pub fn report(&self) -> Report {
        self.runner.report()
    }
}
