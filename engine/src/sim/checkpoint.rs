//! Checkpoints: barriers out, snapshots in, stored, verified, then committed at the sinks.

use std::collections::BTreeMap;

use super::{Sim, State, Upcoming};
use crate::archive;
use crate::batch::Batch;
use crate::error::Result;
use crate::snapshot::bytes::Pieces;
use crate::snapshot::{INLET, PLAN, Snapshot};
use crate::source::inlet::Position;
use crate::trace::{COORDINATOR, Event, What};

/// The coordinator: at most one checkpoint is under way.
#[derive(Clone, Default)]
pub(super) struct Coordinator {
    /// The number of the last checkpoint begun.
    last: u64,
    under_way: Option<UnderWay>,
    /// The checkpoint whose commit ends the job.
    closing: Option<u64>,
}

#[derive(Clone)]
struct UnderWay {
    checkpoint: u64,
    position: Position,
    parts: BTreeMap<u16, Pieces>,
    bytes: Option<Vec<u8>>,
}

impl Coordinator {
    /// Forgets what was under way: the job has crashed.
    pub(super) fn abort(&mut self) {
        self.under_way = None;
        self.closing = None;
    }

    /// Numbers go on from a checkpoint that was restored.
    pub(super) fn resume_after(&mut self, checkpoint: u64) {
        self.last = self.last.max(checkpoint);
    }
}

impl Sim {
    /// The timer, or the end of the input, asks for a checkpoint. The last one closes the job, whatever it
    /// guarantees; others are made only where a recovery would go back to them.
    pub(super) fn checkpoint_due(&mut self, trace: &mut Vec<Event>) -> Result<()> {
        if self.inputs_done {
            if self.coordinator.under_way.is_none() && self.coordinator.closing.is_none() {
                self.coordinator.closing = Some(self.coordinator.last + 1);
                return self.begin_checkpoint(trace);
            }
            return Ok(());
        }
        if !self.guarantee.replays() {
            return Ok(());
        }
        if let Some(interval) = self.job.checkpoint_interval {
            self.plan(self.now.after(interval).0, Upcoming::CheckpointTimer);
        }
        if self.coordinator.under_way.is_some() {
            return Ok(());
        }
        self.begin_checkpoint(trace)
    }

    fn begin_checkpoint(&mut self, trace: &mut Vec<Event>) -> Result<()> {
        self.coordinator.last += 1;
        let checkpoint = self.coordinator.last;
        self.note(trace, COORDINATOR, What::CheckpointStart { checkpoint });
        self.coordinator.under_way = Some(UnderWay {
            checkpoint,
            position: self.inlet.position().clone(),
            parts: BTreeMap::new(),
            bytes: None,
        });
        // Every source is cut at the same place of the stream.
        self.tell_progress(None, self.inlet.position().seq, trace)?;
        for task in self.job.graph.source_tasks() {
            self.with_task(task, trace, |task, fx| {
                task.cut(checkpoint, fx);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// A task has written its state.
    pub(super) fn acknowledge(
        &mut self,
        checkpoint: u64,
        task: u16,
        bytes: Pieces,
        trace: &mut Vec<Event>,
    ) {
        self.note(trace, task, What::Snapshot { checkpoint, bytes: bytes.len() as u64 });
        let tasks = self.tasks.len();
        let Some(under_way) = &mut self.coordinator.under_way else { return };
        if under_way.checkpoint != checkpoint {
            return;
        }
        under_way.parts.insert(task, bytes);
        if under_way.parts.len() < tasks {
            return;
        }
        let mut sections = vec![
            (INLET.to_owned(), archive!(&under_way.position).into()),
            (PLAN.to_owned(), self.job.graph.fingerprint().to_vec().into()),
        ];
        for (task, bytes) in std::mem::take(&mut under_way.parts) {
            let name = self.job.graph.header.tasks[usize::from(task)].name.clone();
            sections.push((name, bytes));
        }
        under_way.bytes = Some(Snapshot { checkpoint, sections }.encode());
        let delay = 1_000 + self.chance(4_000);
        self.plan(self.now.after(delay).0, Upcoming::Stored(checkpoint));
    }

    /// The store has the snapshot: the commit point.
    pub(super) fn stored(&mut self, checkpoint: u64, trace: &mut Vec<Event>) {
        let done = self.coordinator.under_way.take_if(|u| u.checkpoint == checkpoint);
        let Some(bytes) = done.and_then(|u| u.bytes) else { return };
        let hash = crate::key::hash_bytes(&bytes);
        let len = bytes.len() as u64;
        self.note(trace, COORDINATOR, What::CheckpointComplete { checkpoint, bytes: len, hash });
        self.store.push((checkpoint, bytes.into()));
        let delay = 100 + self.chance(900);
        self.plan(self.now.after(delay).0, Upcoming::Notify(checkpoint));
    }

    /// A sink that waits for no checkpoint makes the rows visible that have reached it.
    pub(super) fn show(&mut self, task: u16, trace: &mut Vec<Event>) {
        let Some(sink) = self.tasks[usize::from(task)].sink() else { return };
        let batches = sink.drain();
        if batches.iter().any(|batch| batch.rows > 0) {
            let sinks = self.job.graph.sink_tasks();
            let table = sinks.iter().position(|sink| *sink == task).expect("a sink has a table");
            self.reveal((table, task), 0, batches, trace);
        }
    }

    /// Puts rows into a sink's table.
    fn reveal(
        &mut self,
        (table, task): (usize, u16),
        checkpoint: u64,
        batches: Vec<Batch>,
        trace: &mut Vec<Event>,
    ) {
        let rows = batches.iter().map(|batch| batch.rows as u64).sum();
        self.tables[table].batches.extend(batches.into_iter().filter(|batch| batch.rows > 0));
        self.note(trace, task, What::Commit { checkpoint, rows });
    }

    /// The sinks make the checkpoint's rows visible, once.
    pub(super) fn commit(&mut self, checkpoint: u64, trace: &mut Vec<Event>) {
        for (s, task) in self.job.graph.sink_tasks().into_iter().enumerate() {
            let sink = self.tasks[usize::from(task)].sink().expect("a sink task has a sink");
            let batches = sink.commit(checkpoint);
            if self.tables[s].committed < checkpoint {
                self.tables[s].committed = checkpoint;
                self.reveal((s, task), checkpoint, batches, trace);
            }
        }
        if self.coordinator.closing == Some(checkpoint) {
            self.note(trace, COORDINATOR, What::Finish);
            self.upcoming.clear();
            self.state = State::Finished;
        } else if self.inputs_done && self.coordinator.under_way.is_none() {
            // The input ended while this checkpoint was under way: one more closes the job.
            self.plan(self.now.0, Upcoming::CheckpointTimer);
        }
    }
}
