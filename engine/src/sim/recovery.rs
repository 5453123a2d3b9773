//! Crash and recovery: what was in memory is gone; the newest checkpoint and a replay bring it back.

use super::disk::{Mishap, Written};
use super::link::Link;
use super::outside::{Table, Writer};
use super::{Sim, State, Upcoming};
use crate::batch::{NO_CLOCK, Stair};
use crate::error::{Diagnostic, Result};
use crate::seeded::seeded;
use crate::snapshot::{IN_FLIGHT, INLET, Opened};
use crate::source::inlet::Position;
use crate::time::EventTime;
use crate::trace::{Barriers, COORDINATOR, Event, What};
use crate::unarchive;

impl Sim {
    /// A task dies, and with it the job: everything in memory is gone until the restart.
    pub fn crash(&mut self, task: u16, trace: &mut Vec<Event>) {
        self.disks.abort();
        self.go_down(task, trace);
    }

    /// The coordinator dies. What it has begun to write is written, since the store lives on.
    pub fn crash_coordinator(&mut self, trace: &mut Vec<Event>) {
        let writing = self.disks.writing();
        self.go_down(COORDINATOR, trace);
        self.coordinator.forget(self.disks.last_name().max(writing.unwrap_or(0)));
        if let Some(checkpoint) = writing {
            let delay = 1_000 + self.chance(4_000);
            self.plan(self.now.after(delay).0, Upcoming::Stored(checkpoint));
        }
    }

    /// The store loses its power and is away for some microseconds.
    pub fn crash_store(&mut self, away: u64, trace: &mut Vec<Event>) {
        self.disks.lose_power(self.now.after(away).0);
        self.note_store(0, "power is lost", trace);
    }

    /// The store will lose its power while it writes the next snapshot, and be away for some microseconds.
    pub(super) fn lose_power_writing(&mut self, away: u64) {
        let drawn = self.chance(u64::MAX);
        self.disks.mishap(Mishap::PowerLoss { away, drawn });
    }

    /// The store is done with what it writes, or its power is gone before: the bytes, or what went wrong.
    pub(super) fn finish_writing(&mut self, trace: &mut Vec<Event>) -> Written {
        let (now, kept) = (self.now.0, self.job.retained);
        let checkpoint = self.disks.writing().unwrap_or(0);
        let (mut written, mut told) = (Vec::new(), Vec::new());
        for (number, disk) in self.disks.disks().iter_mut().enumerate() {
            if let Some((away, drawn)) = disk.power_goes(now) {
                told.push((number, 0, "power is lost".to_owned()));
                let lines = disk.lose_power_writing(now.saturating_add(away), drawn, kept);
                told.extend(lines.into_iter().map(|line| (number, 0, line)));
            }
            written.push(disk.finish(now));
        }
        if let [_, _, ..] = written.as_slice() {
            let failed = (0..).zip(&written).filter_map(|(n, one)| Some((n, one.as_ref().err()?)));
            told.extend(failed.map(|(number, why)| (number, checkpoint, (*why).to_owned())));
        }
        for (disk, checkpoint, line) in told {
            self.note_store(checkpoint, &self.disks.named(disk, &line), trace);
        }
        self.disks.agreed(written)
    }

    fn go_down(&mut self, task: u16, trace: &mut Vec<Event>) {
        let under_way = self.upcoming.values().filter(|u| matches!(u, Upcoming::Deliver(..)));
        let lost_messages = under_way.count() as u64
            + self.links.iter().map(|l| l.waiting() as u64).sum::<u64>()
            + self.tasks.iter().map(|t| t.waiting() as u64).sum::<u64>();
        let lost_rows = self.tasks.iter().map(|t| t.uncommitted()).sum::<u64>()
            + self.writers.iter().map(Writer::waiting).sum::<u64>();
        self.note(trace, task, What::Crash { lost_messages, lost_rows });
        let stays = seeded("elements-outlive-a-crash");
        self.upcoming.retain(|_, u| match u {
            Upcoming::Fault(_) | Upcoming::Zombie(_) => true,
            Upcoming::Deliver(..) => stays,
            _ => false,
        });
        self.coordinator.abort();
        for writer in &mut self.writers {
            writer.clear();
        }
        self.state = State::Down;
        let wait = self.crashes.wait(self.now.0, &self.job.restarts);
        self.plan(self.now.after(wait).0, Upcoming::Restart);
    }

    /// Starts the job again from the newest checkpoint that is whole, or with nothing and from the place that was
    /// reached.
    pub(super) fn restart(&mut self, trace: &mut Vec<Event>) -> Result<()> {
        if let Some(most) = self.job.restarts.most.filter(|most| self.life >= *most) {
            let (message, hint) = match most {
                0 => (
                    "the job has crashed, and is not started again".to_owned(),
                    "leave 'restart-strategy.type' = 'none' out, or find what makes it crash",
                ),
                most => (
                    format!("the job has crashed once more after {most} restarts"),
                    "raise 'restart-strategy.fixed-delay.attempts', or find what makes it crash",
                ),
            };
            return Err(Diagnostic::new("run.restarts", message).hint(hint));
        }
        if !self.guarantee.replays() {
            self.live_again();
            self.note(trace, COORDINATOR, What::Restore { checkpoint: 0 });
            return self.go_on(trace);
        }
        if self.disks.back_at() > self.now.0 && seeded("a-store-that-is-away-is-empty") {
            self.live_again();
            self.anew()?;
            self.tables.iter_mut().for_each(Table::forget);
            self.note(trace, COORDINATOR, What::Restore { checkpoint: 0 });
            return self.resume(None, trace);
        }
        if self.disks.back_at() > self.now.0 {
            self.note_store(0, "away", trace);
            self.plan(self.disks.back_at(), Upcoming::Restart);
            return Ok(());
        }
        self.live_again();
        let (newest, damaged) = self.disks.newest(self.now.0);
        for (checkpoint, reason) in damaged {
            self.note_store(checkpoint, &reason, trace);
        }
        let checkpoint = newest.as_ref().map_or(0, |(id, _)| *id);
        if seeded("recovery-without-the-newest") {
            self.tables.iter_mut().for_each(Table::forget);
        }
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
        self.disks.put(checkpoint, &bytes.into());
        self.resume(Some(bytes), trace)
    }

    /// Starts with nothing but what the sources know: the place that was reached, and the watermark there; and what gates
    /// know of it, since the least of several does not say how far it was while one was silent. So no window can be
    /// opened a second time.
    fn go_on(&mut self, trace: &mut Vec<Event>) -> Result<()> {
        let tasks = self.job.graph.source_tasks();
        let former = std::mem::take(&mut self.tasks);
        let known: Vec<_> =
            tasks.iter().map(|&t| former[usize::from(t)].source().cloned()).collect();
        self.anew()?;
        if !seeded("at-most-once-forgets-its-watermark") {
            self.tasks.iter_mut().zip(&former).for_each(|(task, former)| task.remember(former));
        }
        if seeded("at-most-once-reads-again") {
            let beginning = self.inlet.beginning();
            self.inlet.seek(&beginning)?;
        }
        let seq = self.inlet.position().seq;
        for (source, (task, known)) in tasks.into_iter().zip(known).enumerate() {
            let Some(known) = known else { continue };
            if seeded("at-most-once-forgets-its-watermark") {
                continue;
            }
            let watermark = known.watermark();
            self.tasks[usize::from(task)].go_on_from(known);
            let stair = Stair { row: 0, watermark, seq, idle: false, clock: NO_CLOCK };
            let stairs = if watermark == EventTime::MIN { vec![] } else { vec![stair] };
            self.tell(source, stairs, seq, trace)?;
        }
        if self.state == State::Running {
            self.start_sources();
        }
        Ok(())
    }

    /// Whether all that was read before a crash has been read again.
    pub fn has_caught_up(&self) -> bool {
        self.state != State::Down && self.inlet.position().seq >= self.furthest
    }

    /// Tasks that know nothing, and empty channels between them.
    fn anew(&mut self) -> Result<()> {
        self.tasks = self.job.tasks()?;
        if !seeded("channels-count-on") {
            self.links.iter_mut().for_each(Link::clear);
        }
        self.inputs_done = false;
        self.last_committed = false;
        self.state = State::Running;
        Ok(())
    }

    fn resume(&mut self, bytes: Option<&[u8]>, trace: &mut Vec<Event>) -> Result<()> {
        let job = self.job.clone();
        self.anew()?;
        let mut position = self.inlet.beginning();
        if let Some(bytes) = bytes {
            let snapshot = Opened::read(bytes)?;
            job.graph.restore(&mut self.tasks, &snapshot)?;
            position = unarchive!(Position, snapshot.section(INLET)?)?;
            if self.barriers() == Barriers::Unawaited {
                self.tasks.iter_mut().for_each(|task| task.go_back(position.seq));
            }
            if seeded("sources-go-back-to-the-beginning") {
                position = self.inlet.beginning();
            }
            if let Ok(in_flight) = snapshot.section(IN_FLIGHT) {
                self.hold_in_flight(in_flight)?;
            }
            self.coordinator.resume_after(snapshot.checkpoint, position.seq);
            let latest = position.partitions.iter().map(|p| p.last_arrival).max().unwrap_or(0);
            self.now.0 = self.now.0.max(latest);
            self.go_back(&position, trace)?;
            if !seeded("no-second-commit") {
                self.commit(snapshot.checkpoint, trace);
            }
        } else {
            self.go_back(&position, trace)?;
        }
        self.go_on_with_held(trace)?;
        if self.state == State::Running {
            self.start_sources();
        }
        Ok(())
    }

    /// Has the sources read again from a position on, if they still can.
    fn go_back(&mut self, position: &Position, trace: &mut Vec<Event>) -> Result<()> {
        self.replayed(position, trace);
        if !seeded("sources-do-not-go-back") {
            self.inlet.seek(position)?;
        }
        let oldest = self.inlet.peek().ok().flatten();
        let old = |retention: u64| {
            position.seq < self.furthest
                && oldest.is_some_and(|at| at.0.saturating_add(retention) < self.now.0)
        };
        if position.seq < self.forgotten || self.job.retention.is_some_and(old) {
            let message = format!(
                "the job would have to read again from place {} of its input on, and the sources no longer have that",
                position.seq + 1
            );
            return Err(Diagnostic::new("source.retention", message).hint(
                "let sources keep records for longer ('highwater.source.retention'), or keep more \
                 checkpoints ('state.checkpoints.num-retained')",
            ));
        }
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
