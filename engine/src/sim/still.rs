//! A run that stands still after a record: what would one more do?

use super::{Sim, State, Upcoming};
use crate::batch::Seq;
use crate::error::Result;
use crate::source::Chunk;
use crate::source::inlet::Inlet;
use crate::task::Task;
use crate::trace::Event;

impl Sim {
    /// Takes in nothing behind a place in the stream, not even the end of the input. The run then does what
    /// is under way and has nothing left to do.
    pub fn stop_after(&mut self, seq: Seq) {
        self.until = Some(seq);
    }

    /// Takes in nothing more, and lets no fault strike and no checkpoint begin: what is under way is done, then
    /// the run stands still after the last record it has read.
    pub fn settle(&mut self) {
        self.stop_after(self.inlet.position().seq);
        self.spare();
        self.upcoming.retain(|_, u| !matches!(u, Upcoming::CheckpointTimer | Upcoming::Fault(_)));
    }

    /// Whether the place is reached.
    pub fn stands(&self) -> bool {
        self.until.is_some_and(|until| self.inlet.position().seq >= until)
    }

    /// Lets a record arrive that is not in the input, a chunk of one row, and does all that follows.
    ///
    /// # Errors
    /// What stops the job.
    pub fn append(
        &mut self,
        source: usize,
        partition: u16,
        record: Chunk,
        trace: &mut Vec<Event>,
    ) -> Result<()> {
        debug_assert!(self.state != State::Down, "nobody reads");
        self.step += 1;
        let arrivals = self.inlet.extra(source, partition, record, self.now);
        self.take_in(arrivals, trace)?;
        while self.step(trace) {}
        match &self.state {
            State::Failed(error) => Err(Box::new(error.clone())),
            _ => Ok(()),
        }
    }

    /// The input.
    pub fn inlet(&self) -> &Inlet {
        &self.inlet
    }

    /// All tasks, in the graph's order.
    pub fn tasks_mut(&mut self) -> &mut [Task] {
        &mut self.tasks
    }

    /// What the operators of each task hold, by the hash of their state.
    pub fn states(&self) -> Vec<Vec<u64>> {
        self.tasks.iter().map(Task::states).collect()
    }

    /// A task of the graph.
    pub fn task(&self, task: u16) -> &Task {
        &self.tasks[usize::from(task)]
    }
}
