//! Crash and recovery: what was in memory is gone; the newest checkpoint and a replay bring it back.

use super::fault::{Fault, What as FaultKind};
use super::{Sim, State, Upcoming};
use crate::batch::{NO_CLOCK, Stair};
use crate::error::Result;
use crate::operator::wrong_state;
use crate::snapshot::{INLET, Opened, PLAN};
use crate::source::inlet::Position;
use crate::time::EventTime;
use crate::trace::{COORDINATOR, Event, What};
use crate::unarchive;

impl Sim {
    /// Places a fault in the future; one of the past strikes at once.
    pub fn place(&mut self, fault: Fault) {
        let at = fault.at.resolve(self.inlet.start(), self.now);
        self.plan(at.0, Upcoming::Fault(fault));
    }

    pub(super) fn strike(&mut self, fault: &Fault, trace: &mut Vec<Event>) {
        let FaultKind::Crash { task } = fault.what;
        self.note(trace, COORDINATOR, What::Fault { fault: fault.to_string() });
        self.crash(task, trace);
    }

    /// A task dies, and with it the job: everything in memory is gone until the restart.
    pub fn crash(&mut self, task: u16, trace: &mut Vec<Event>) {
        let under_way = self.upcoming.values().filter(|u| matches!(u, Upcoming::Deliver(..)));
        let lost_messages =
            under_way.count() as u64 + self.tasks.iter().map(|t| t.waiting() as u64).sum::<u64>();
        let lost_rows = self.tasks.iter().map(|t| t.uncommitted()).sum();
        self.note(trace, task, What::Crash { lost_messages, lost_rows });
        self.upcoming.retain(|_, u| matches!(u, Upcoming::Fault(_)));
        self.coordinator.abort();
        self.state = State::Down;
        let delay = self.job.restart_delay;
        self.plan(self.now.after(delay).0, Upcoming::Restart);
    }

    /// Starts the job again from the newest checkpoint, or with nothing and from the place that was reached.
    pub(super) fn restart(&mut self, trace: &mut Vec<Event>) -> Result<()> {
        if !self.guarantee.replays() {
            self.note(trace, COORDINATOR, What::Restore { checkpoint: 0 });
            return self.go_on(trace);
        }
        let newest = self.store.last().cloned();
        let checkpoint = newest.as_ref().map_or(0, |(id, _)| *id);
        self.note(trace, COORDINATOR, What::Restore { checkpoint });
        let bytes = newest.map(|(_, bytes)| bytes);
        self.resume(bytes.as_deref(), trace)
    }

    /// Starts from a snapshot made elsewhere, in a world whose tables are empty.
    ///
    /// # Errors
    /// When the snapshot is damaged or of another pipeline.
    pub fn restore(&mut self, bytes: &[u8], trace: &mut Vec<Event>) -> Result<()> {
        let checkpoint = Opened::read(bytes)?.checkpoint;
        self.note(trace, COORDINATOR, What::Restore { checkpoint });
        self.upcoming.retain(|_, u| matches!(u, Upcoming::Fault(_)));
        self.store.push((checkpoint, bytes.into()));
        self.resume(Some(bytes), trace)
    }

    /// Starts with nothing but what the sources know: the place that was reached, and the watermark there, so
    /// that no window can be opened a second time.
    fn go_on(&mut self, trace: &mut Vec<Event>) -> Result<()> {
        let tasks = self.job.graph.source_tasks();
        let known: Vec<_> =
            tasks.iter().map(|&t| self.tasks[usize::from(t)].source().cloned()).collect();
        self.anew()?;
        let seq = self.inlet.position().seq;
        for (source, (task, known)) in tasks.into_iter().zip(known).enumerate() {
            let Some(known) = known else { continue };
            let watermark = known.watermark();
            self.tasks[usize::from(task)].go_on_from(known);
            let stair = Stair { row: 0, watermark, seq, idle: false, clock: NO_CLOCK };
            let stairs = if watermark == EventTime::MIN { vec![] } else { vec![stair] };
            self.tell(source, stairs, seq, trace)?;
        }
        self.start_sources();
        Ok(())
    }

    /// Whether all that was read before a crash has been read again.
    pub fn has_caught_up(&self) -> bool {
        self.state != State::Down && self.inlet.position().seq >= self.furthest
    }

    /// Tasks that know nothing, and empty channels between them.
    fn anew(&mut self) -> Result<()> {
        let job = &self.job;
        self.tasks = job.graph.build(&job.partitions, &job.guests, &job.sandbox)?;
        self.last_delivery.fill(0);
        self.inputs_done = false;
        self.state = State::Running;
        Ok(())
    }

    fn resume(&mut self, bytes: Option<&[u8]>, trace: &mut Vec<Event>) -> Result<()> {
        let job = self.job.clone();
        self.anew()?;
        let mut position = self.inlet.beginning();
        if let Some(bytes) = bytes {
            let snapshot = Opened::read(bytes)?;
            if snapshot.section(PLAN)? != job.graph.fingerprint() {
                return Err(wrong_state("the plan"));
            }
            position = unarchive!(Position, snapshot.section(INLET)?)?;
            for task in &mut self.tasks {
                task.restore(snapshot.section(&task.name)?)?;
            }
            self.coordinator.resume_after(snapshot.checkpoint);
            let latest = position.partitions.iter().map(|p| p.last_arrival).max().unwrap_or(0);
            self.now.0 = self.now.0.max(latest);
            self.replayed(&position, trace);
            self.inlet.seek(&position)?;
            self.commit(snapshot.checkpoint, trace);
        } else {
            self.replayed(&position, trace);
            self.inlet.seek(&position)?;
        }
        self.start_sources();
        Ok(())
    }

    /// Tells which records are going to be read again.
    fn replayed(&self, position: &Position, trace: &mut Vec<Event>) {
        if self.furthest <= position.seq {
            return;
        }
        let sources = self.job.graph.source_tasks();
        for (source, partitions) in self.job.partitions.iter().enumerate() {
            for &partition in partitions {
                let place = self.inlet.place(source, partition).expect("a known partition");
                let offset = position.partitions[place].offset;
                let (from, until) = (position.seq + 1, self.furthest);
                let what = What::Replay { partition, offset, from, until };
                self.note(trace, sources[source], what);
            }
        }
    }
}
