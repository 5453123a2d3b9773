//! Checkpoints: barriers out, snapshots in, stored, verified, then committed at the sinks.

use std::collections::BTreeMap;

use super::cut::Cut;
use super::unaligned::InFlight;
use super::{Sim, State, Upcoming};
use crate::archive;
use crate::batch::Seq;
use crate::error::Result;
use crate::plan::SinkKind;
use crate::seeded::seeded;
use crate::sink::Sink;
use crate::snapshot::bytes::Pieces;
use crate::snapshot::{IN_FLIGHT, INLET, Snapshot};
use crate::source::inlet::Position;
use crate::trace::{Barriers, COORDINATOR, Event, What};

/// Microseconds until it is looked again whether sinks have written what came before a checkpoint.
const FLUSH: u64 = 100_000;
/// Microseconds until a job tries again to close whose last checkpoint could not be written.
const AGAIN: u64 = 250_000;

/// The coordinator: at most one checkpoint is under way.
#[derive(Clone, Default)]
pub(super) struct Coordinator {
    /// The number of the last checkpoint begun.
    last: u64,
    under_way: Option<UnderWay>,
    /// The checkpoint whose commit ends the job.
    closing: Option<u64>,
    /// The place in the stream of each checkpoint that is kept.
    cuts: BTreeMap<u64, Seq>,
    /// The checkpoint that is to be a savepoint.
    savepoint: Option<u64>,
}

#[derive(Clone)]
pub(super) struct UnderWay {
    pub checkpoint: u64,
    position: Position,
    parts: BTreeMap<u16, Pieces>,
    /// What is in flight, when barriers overtake.
    pub in_flight: Option<InFlight>,
    pub cut: Cut,
}

impl Coordinator {
    /// Forgets what was under way: the job has crashed.
    pub(super) fn abort(&mut self) {
        if !seeded("a-checkpoint-outlives-a-crash") {
            self.under_way = None;
        }
        self.closing = None;
    }

    /// The checkpoint that is under way.
    pub(super) fn under_way(&mut self) -> Option<&mut UnderWay> {
        self.under_way.as_mut()
    }

    /// A new coordinator knows no more than the store's names.
    pub(super) fn forget(&mut self, last: u64) {
        self.last = last;
    }

    /// The place up to which a checkpoint holds everything.
    pub(super) fn cut(&self, checkpoint: u64) -> Option<Seq> {
        self.cuts.get(&checkpoint).copied()
    }

    /// Numbers go on from a checkpoint that was restored, which comes up to this place.
    pub(super) fn resume_after(&mut self, checkpoint: u64, cut: Seq) {
        self.last = self.last.max(checkpoint);
        self.cuts.insert(checkpoint, cut);
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

    /// Asks for a checkpoint out of turn.
    pub(super) fn ask_for_checkpoint(&mut self) {
        if self.state == State::Running {
            self.plan(self.now.0, Upcoming::Checkpoint);
        }
    }

    /// Begins it, if there can be one: the last one closes the job and comes by itself.
    pub(super) fn checkpoint_asked(&mut self, trace: &mut Vec<Event>) -> Result<()> {
        let none = self.coordinator.under_way.is_none();
        if none && self.guarantee.replays() && !self.inputs_done {
            return self.begin_checkpoint(trace);
        }
        Ok(())
    }

    /// Begins a savepoint as soon as the job runs and no checkpoint is under way; to be asked before each step until there
    /// is one of the number it answers. `None`: there will be none.
    ///
    /// # Errors
    /// What stops the job.
    pub fn ask_for_savepoint(&mut self, trace: &mut Vec<Event>) -> Result<Option<u64>> {
        let begun = self.coordinator.under_way.as_ref().map(|u| u.checkpoint);
        if begun.is_some() && begun == self.coordinator.savepoint {
            return Ok(begun);
        }
        if self.inputs_done {
            return Ok(None);
        }
        if begun.is_none() && self.state == State::Running {
            self.coordinator.savepoint = Some(self.coordinator.last + 1);
            self.begin_checkpoint(trace)?;
        }
        Ok(Some(self.coordinator.savepoint.unwrap_or(0)))
    }

    fn begin_checkpoint(&mut self, trace: &mut Vec<Event>) -> Result<()> {
        self.coordinator.last += 1;
        let checkpoint = self.coordinator.last;
        // The last one stands behind everything: nothing may be in flight any more.
        let aligned =
            self.coordinator.closing.is_some() || self.coordinator.savepoint == Some(checkpoint);
        let barriers = if aligned { Barriers::Aligned } else { self.barriers() };
        self.note(trace, COORDINATOR, What::CheckpointStart { checkpoint, barriers });
        self.coordinator.under_way = Some(UnderWay {
            checkpoint,
            position: self.inlet.position().clone(),
            parts: BTreeMap::new(),
            in_flight: (barriers == Barriers::Unaligned).then(InFlight::default),
            cut: Cut::new(barriers),
        });
        // Every source is cut at the same place of the stream.
        self.tell_progress(None, self.inlet.position().seq, trace)?;
        for task in self.job.graph.source_tasks() {
            self.with_task(task, trace, |task, fx| {
                task.cut(checkpoint, barriers, fx);
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
        if under_way.parts.len() + usize::from(seeded("complete-without-the-last-part")) == tasks {
            self.hand_over(checkpoint, trace);
        }
    }

    /// All states are in: the store begins to write them, once sinks have written what came before. Nothing else
    /// holds that any more, and once the store has begun it goes on whatever becomes of the job.
    pub(super) fn hand_over(&mut self, checkpoint: u64, trace: &mut Vec<Event>) {
        if self.writes() && !seeded("no-flush-before-a-checkpoint") {
            // Not before the write that takes longest has had its time.
            let writes = self.upcoming.iter().filter(|(_, u)| matches!(u, Upcoming::Write(_)));
            let due = writes.map(|((at, _), _)| *at).max().unwrap_or(0);
            self.plan(due.max(self.now.after(FLUSH).0), Upcoming::HandOver(checkpoint));
            return;
        }
        let late = seeded("cut-behind-the-barriers");
        let Some(under_way) = &mut self.coordinator.under_way else { return };
        let place = if late { self.inlet.position() } else { &under_way.position };
        let mut sections = vec![(INLET.to_owned(), archive!(place).into())];
        sections.extend(self.job.graph.identity());
        for (task, bytes) in std::mem::take(&mut under_way.parts) {
            let name = self.job.graph.header.tasks[usize::from(task)].name.clone();
            sections.push((name, bytes));
        }
        let (cut, in_flight) = (std::mem::take(&mut under_way.cut), under_way.in_flight.take());
        let mut kept = BTreeMap::new();
        if let Some(in_flight) = in_flight {
            let bytes = self.put_in_flight(checkpoint, in_flight, &mut kept, trace);
            sections.push((IN_FLIGHT.to_owned(), bytes.into()));
        }
        self.check_cut(checkpoint, &cut, &kept);
        self.disks.begin(checkpoint, &Snapshot { checkpoint, sections }.encode().into());
        let delay = 1_000 + self.chance(4_000);
        if seeded("commit-before-stored") {
            self.coordinator.cuts.insert(checkpoint, self.inlet.position().seq);
            self.commit(checkpoint, trace);
        }
        self.plan(self.now.after(delay).0, Upcoming::Stored(checkpoint));
    }

    /// The store has the snapshot: the commit point. Or it has not, then there was no such checkpoint.
    pub(super) fn stored(&mut self, checkpoint: u64, trace: &mut Vec<Event>) {
        let awaited = self.coordinator.under_way.as_ref().map(|u| u.checkpoint) == Some(checkpoint);
        let ours = self.disks.writing().is_none_or(|writing| writing == checkpoint);
        let written = if ours { self.finish_writing(trace) } else { Err("another is written") };
        // Nobody is told of what a coordinator began that is no more.
        let Some(under_way) = self.coordinator.under_way.take_if(|_| awaited) else { return };
        let bytes = match written {
            Ok((_, bytes)) => bytes,
            Err(_) if seeded("failed-write-counts") => Vec::new().into(),
            Err(reason) => {
                self.note_store(checkpoint, reason, trace);
                for task in self.job.graph.sink_tasks() {
                    let sink =
                        self.tasks[usize::from(task)].sink().expect("a sink task has a sink");
                    if !seeded("rows-of-a-failed-checkpoint-are-lost") {
                        sink.abort(checkpoint);
                    }
                }
                self.coordinator.closing = None;
                if self.inputs_done && !seeded("last-checkpoint-not-tried-again") {
                    let again = self.now.after(AGAIN).0.max(self.disks.back_at());
                    self.plan(again, Upcoming::CheckpointTimer);
                }
                return;
            }
        };
        let hash = crate::key::hash_bytes(&bytes);
        let len = bytes.len() as u64;
        self.note(trace, COORDINATOR, What::CheckpointComplete { checkpoint, bytes: len, hash });
        self.coordinator.cuts.insert(checkpoint, under_way.position.seq);
        if let Some(oldest) = self.disks.keep(self.job.retained) {
            self.coordinator.cuts.retain(|kept, _| *kept >= oldest);
        }
        self.store.push((checkpoint, bytes));
        if seeded("close-without-the-last-commit") && self.coordinator.closing == Some(checkpoint) {
            self.last_committed = true;
            self.finish_when_done(trace);
            return;
        }
        let delay = 100 + self.chance(900);
        self.plan(self.now.after(delay).0, Upcoming::Notify(checkpoint));
    }

    /// Tells what the store says of a checkpoint.
    pub(super) fn note_store(&self, checkpoint: u64, reason: &str, trace: &mut Vec<Event>) {
        let reason = reason.to_owned();
        self.note(trace, COORDINATOR, What::Store { checkpoint, reason });
    }

    /// Sources throw away what no checkpoint needs that is kept.
    pub(super) fn forget(&mut self) {
        let mut oldest = self.coordinator.cuts.values().next().copied();
        if seeded("sources-forget-too-much") {
            oldest = Some(self.inlet.position().seq);
        }
        self.forgotten = self.forgotten.max(oldest.unwrap_or(0));
    }

    /// The table of a task that is a sink, if it waits for no checkpoint, and the sink.
    pub(super) fn at_once(&mut self, task: u16) -> Option<(usize, &mut Sink)> {
        let table = self.job.graph.sink_of(task)?;
        let waits = self.tables[table].kind == SinkKind::Transactional;
        let sink = self.tasks[usize::from(task)].sink()?;
        (!waits).then_some((table, sink))
    }

    /// A sink whose table waits for no checkpoint makes the rows visible that have reached it.
    pub(super) fn show(&mut self, task: u16, trace: &mut Vec<Event>) {
        let Some((table, sink)) = self.at_once(task) else { return };
        let batches = sink.drain();
        if batches.iter().any(|batch| batch.rows > 0) {
            self.write(table, None, batches, trace);
        }
    }

    /// The sinks make the checkpoint's rows visible, once.
    pub(super) fn commit(&mut self, checkpoint: u64, trace: &mut Vec<Event>) {
        let upto = self.coordinator.cut(checkpoint).expect("it is complete, so its place is known");
        for (s, task) in self.job.graph.sink_tasks().into_iter().enumerate() {
            let sink = self.tasks[usize::from(task)].sink().expect("a sink task has a sink");
            let Some((own, batches)) = sink.commit(checkpoint) else { continue };
            let own = if seeded("a-sink-is-as-far-as-the-sources") { None } else { own };
            self.write(s, Some((checkpoint, own.unwrap_or(upto))), batches, trace);
            if self.state == State::Down {
                return;
            }
        }
        if self.coordinator.closing == Some(checkpoint) {
            self.last_committed = true;
            self.finish_when_done(trace);
        } else if self.inputs_done && self.coordinator.under_way.is_none() {
            // The input ended while this checkpoint was under way: one more closes the job.
            self.plan(self.now.0, Upcoming::CheckpointTimer);
        }
    }
}
