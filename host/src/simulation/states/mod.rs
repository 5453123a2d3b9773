//! Interesting states: places in a run where mistakes hide. A simulation that never comes to one of them proves
//! nothing about it, so each has a name and must have been reached.

mod list;

use std::collections::BTreeSet;

use highwater_engine::session::{Guarantee, Trial};
use highwater_engine::trace::{Barriers, COORDINATOR, Event, Header, What};

pub use list::STATES;

/// What a run has been through so far.
#[derive(Default)]
struct Reading {
    begun: u64,
    under_way: Option<u64>,
    barriers: BTreeSet<(u16, u16)>,
    written: BTreeSet<u16>,
    complete: BTreeSet<u64>,
    newest_committed: u64,
    /// Checkpoints with something in flight.
    in_flight: BTreeSet<u64>,
    unawaited: BTreeSet<u64>,
    failed: BTreeSet<u64>,
    folder_failed: BTreeSet<u64>,
    beside: BTreeSet<u64>,
    /// Power was lost while they were written.
    cut_off: BTreeSet<u64>,
    restored: Vec<u64>,
    fallback: bool,
    down: bool,
    /// Records up to this place are read again.
    replayed: u64,
    last_arrival: u64,
    arrivals_ended: bool,
    unsettled_crashes: u32,
    idle: BTreeSet<(u16, u16)>,
    early: bool,
    hanging: bool,
    delayed: bool,
    waiting_writes: BTreeSet<u16>,
}

/// Adds the states that a trial was in.
pub fn reached(trial: &Trial, header: &Header, states: &mut BTreeSet<&'static str>) {
    let mut reading = Reading::default();
    let mut names: BTreeSet<&'static str> = BTreeSet::new();
    let mut before: Option<&Event> = None;
    for event in &trial.events {
        reading.read_crash(event, before, header, &mut names);
        reading.read_restore(event, &mut names);
        reading.read_checkpoint(event, trial.guarantee, header, &mut names);
        reading.read_stream(event, &mut names);
        reading.read_world(event, trial.guarantee, &mut names);
        before = Some(event);
    }
    match trial.stopped.as_ref().map(|(code, _)| code.as_str()) {
        Some("source.retention") => _ = names.insert("records-no-longer-there"),
        Some("source.gap") => _ = names.insert("records-missing"),
        Some("source.regressed") => _ = names.insert(gone(&trial.events)),
        _ => {}
    }
    debug_assert!(names.iter().all(|name| STATES.iter().any(|(state, _)| state == name)));
    states.extend(names);
}

/// Where a job has stopped whose source has lost what was read of it.
fn gone(events: &[Event]) -> &'static str {
    let end = events.last().map_or(0, |event| event.step);
    let last = events.iter().rev().take_while(|event| event.step == end);
    match last.into_iter().any(|event| matches!(event.what, What::Restore { .. })) {
        true => "records-gone-at-a-restart",
        false => "records-gone",
    }
}

impl Reading {
    fn all_written(&self, header: &Header) -> bool {
        self.written.len() == header.tasks.len()
    }

    fn read_crash(
        &mut self,
        event: &Event,
        before: Option<&Event>,
        header: &Header,
        names: &mut BTreeSet<&'static str>,
    ) {
        let What::Crash { lost_messages, lost_rows } = event.what else { return };
        let mut put = |holds: bool, name: &'static str| {
            if holds {
                names.insert(name);
            }
        };
        let writing = self.under_way.is_some() && self.all_written(header);
        put(self.down, "crash-while-down");
        if !self.down {
            put(self.begun == 0, "crash-before-any-checkpoint");
            put(self.under_way.is_none() && !self.complete.is_empty(), "crash-between-checkpoints");
            let sources = |task: &u16| header.tasks[usize::from(*task)].kind == "source";
            let travelling = self.under_way.is_some() && self.written.iter().all(sources);
            put(travelling, "crash-while-barriers-travel");
            let some = !self.written.is_empty() && !self.all_written(header);
            put(self.under_way.is_some() && some, "crash-while-some-have-written");
            let waits = |task: u16| {
                let channels = header.channels.iter().filter(|c| c.1 == task).count();
                let come = self.barriers.iter().filter(|(t, _)| *t == task).count();
                come > 0 && come < channels
            };
            let any = (0..header.tasks.len() as u16).any(waits);
            put(self.under_way.is_some() && any, "crash-while-a-task-waits-for-barriers");
            put(writing, "crash-while-the-store-writes");
            let newest = self.complete.last().copied().unwrap_or(0);
            put(newest > self.newest_committed, "crash-between-stored-and-committed");
            let commit = before.is_some_and(|e| match e.what {
                What::Commit { .. } => true,
                What::Fault { .. } => e.step > 0 && newest > 0 && newest == self.newest_committed,
                _ => false,
            });
            put(commit, "crash-right-behind-a-commit");
            put(self.arrivals_ended, "crash-behind-the-end-of-the-input");
            put(lost_messages > 0, "crash-with-elements-on-their-way");
            put(lost_messages == 0 && lost_rows == 0, "crash-with-nothing-on-its-way");
            put(lost_rows > 0, "crash-with-rows-staged");
            let replay = !self.restored.is_empty() && self.last_arrival < self.replayed;
            put(replay, "crash-in-a-replay");
            self.unsettled_crashes = if replay { self.unsettled_crashes + 1 } else { 1 };
            put(self.unsettled_crashes >= 3, "crash-in-every-life");
            put(self.early, "crash-with-an-early-element");
            put(!self.waiting_writes.is_empty(), "crash-while-a-write-waits");
            put(!self.idle.is_empty(), "idle-before-a-crash");
            put(self.delayed, "crash-behind-a-delay");
        }
        if event.task == COORDINATOR {
            put(true, "coordinator-crash");
            put(writing && !self.down, "coordinator-crash-while-the-store-writes");
        }
        self.down = true;
        self.under_way = None;
        self.waiting_writes.clear();
    }

    fn read_restore(&mut self, event: &Event, names: &mut BTreeSet<&'static str>) {
        match event.what {
            What::Restore { checkpoint } => {
                let newest = self.complete.last().copied().unwrap_or(0);
                if self.beside.contains(&checkpoint) {
                    names.insert("read-from-another-disk");
                }
                if checkpoint == 0 && newest == 0 {
                    names.insert("restored-from-nothing");
                } else if checkpoint == 0 {
                    names.insert("restored-from-nothing-although-there-were");
                } else if checkpoint < newest {
                    names.insert("restored-from-an-older-one");
                } else if checkpoint == newest {
                    names.insert("restored-from-the-newest");
                } else if self.folder_failed.contains(&checkpoint) {
                    names.insert("restored-from-one-that-counts-as-failed");
                } else if self.cut_off.contains(&checkpoint) {
                    names.insert("restored-from-one-that-a-loss-of-power-left");
                } else {
                    names.insert("restored-from-one-nobody-knew-of");
                }
                if self.unawaited.contains(&checkpoint) {
                    names.insert("restored-from-one-nobody-waited-for");
                }
                if self.in_flight.contains(&checkpoint) {
                    names.insert("restored-with-elements-in-flight");
                }
                if checkpoint > 0 && self.restored.last() == Some(&checkpoint) {
                    names.insert("restored-from-the-same-twice");
                }
                self.fallback |= checkpoint < newest;
                self.restored.push(checkpoint);
                (self.down, self.early, self.arrivals_ended) = (false, false, false);
                self.last_arrival = 0;
                self.idle.clear();
            }
            What::Replay { until, .. } => self.replayed = until,
            _ => {}
        }
    }

    fn read_checkpoint(
        &mut self,
        event: &Event,
        guarantee: Guarantee,
        header: &Header,
        names: &mut BTreeSet<&'static str>,
    ) {
        match &event.what {
            What::CheckpointStart { checkpoint, barriers } => {
                if *barriers == Barriers::Unawaited {
                    self.unawaited.insert(*checkpoint);
                }
                self.begun = *checkpoint;
                self.under_way = Some(*checkpoint);
                self.barriers.clear();
                self.written.clear();
            }
            What::Barrier { channel, .. } => _ = self.barriers.insert((event.task, *channel)),
            What::Snapshot { .. } => {
                self.written.insert(event.task);
                let channels = header.channels.iter().filter(|c| c.1 == event.task).count();
                if self.barriers.iter().filter(|(task, _)| *task == event.task).count() < channels {
                    names.insert("written-before-a-barrier-has-come");
                }
            }
            What::InFlight { checkpoint, .. } => {
                self.in_flight.insert(*checkpoint);
                names.insert("elements-in-flight-kept");
            }
            What::CheckpointComplete { checkpoint, .. } => {
                if self.failed.iter().any(|failed| failed < checkpoint) {
                    names.insert("a-checkpoint-behind-a-failed-one");
                }
                if self.beside.contains(checkpoint) {
                    names.insert("written-by-most-disks");
                }
                self.complete.insert(*checkpoint);
                self.under_way = None;
            }
            What::Commit { checkpoint, rows } if *checkpoint > 0 => {
                if self.restored.last() == Some(checkpoint) && *rows > 0 {
                    names.insert("rows-of-a-checkpoint-committed-at-the-restart");
                }
                if self.fallback && guarantee == Guarantee::ExactlyOnce {
                    names.insert("rows-known-by-their-place");
                }
                self.newest_committed = self.newest_committed.max(*checkpoint);
                self.waiting_writes.remove(&event.task);
            }
            What::Store { checkpoint, reason } => {
                self.read_store(*checkpoint, reason, header, names)
            }
            _ => {}
        }
    }

    fn read_store(
        &mut self,
        checkpoint: u64,
        reason: &str,
        header: &Header,
        names: &mut BTreeSet<&'static str>,
    ) {
        let told: &[(&str, &'static str)] = &[
            ("cut short", "snapshot-cut-short"),
            ("checksum", "snapshot-with-a-flipped-bit"),
            ("it holds checkpoint", "snapshot-of-another-checkpoint"),
            ("ENOSPC", "no-room-for-a-snapshot"),
            ("EIO: write", "snapshot-not-written"),
            ("EIO: fsync of the folder", "folder-not-synced"),
            ("EIO: rename", "snapshot-not-renamed"),
            ("EIO: read", "snapshot-not-read"),
            ("a passing name is left", "passing-name-left"),
            ("the name is lost", "name-lost-with-the-power"),
            ("the name stays", "name-outlives-the-power"),
            ("nobody was told", "written-and-nobody-told"),
            ("is there again", "thrown-away-and-there-again"),
        ];
        names.extend(told.iter().filter(|(part, _)| reason.contains(part)).map(|(_, name)| name));
        match reason {
            "EIO: fsync" => _ = names.insert("snapshot-not-synced"),
            "away" => _ = names.insert("store-away-at-a-restart"),
            "power is lost" if self.under_way.is_some() && self.all_written(header) => {
                names.insert("power-lost-while-the-store-writes");
            }
            _ => {}
        }
        if reason.starts_with("disk ") {
            self.beside.insert(checkpoint);
        } else if self.under_way == Some(checkpoint) && checkpoint > 0 {
            self.under_way = None;
            self.failed.insert(checkpoint);
            if self.arrivals_ended {
                names.insert("last-checkpoint-tried-again");
            }
            if reason.contains("folder") {
                self.folder_failed.insert(checkpoint);
            }
            if reason.contains("power") {
                self.cut_off.insert(checkpoint);
            }
        }
    }

    fn read_stream(&mut self, event: &Event, names: &mut BTreeSet<&'static str>) {
        let replay = !self.restored.is_empty() && self.last_arrival < self.replayed;
        match event.what {
            What::Arrive { seq, .. } => self.last_arrival = self.last_arrival.max(seq),
            What::Watermark { watermark: i64::MAX, .. } => self.arrivals_ended = true,
            What::Idle { partition, idle } => {
                if idle {
                    self.idle.insert((event.task, partition));
                } else {
                    self.idle.remove(&(event.task, partition));
                }
            }
            What::Late { .. } if replay => _ = names.insert("late-in-a-replay"),
            What::WindowFire { .. } if replay => _ = names.insert("window-fires-in-a-replay"),
            What::JoinMatch { .. } if replay => _ = names.insert("join-meets-in-a-replay"),
            _ => {}
        }
    }

    fn read_world(
        &mut self,
        event: &Event,
        guarantee: Guarantee,
        names: &mut BTreeSet<&'static str>,
    ) {
        match &event.what {
            What::Channel { change, .. } => {
                let name = match change.as_str() {
                    "lost" => "element-sent-again",
                    "thrown-away" => "element-thrown-away",
                    "early" => "element-too-early",
                    "held" => "elements-held",
                    _ => return,
                };
                self.early = change == "early";
                names.insert(name);
            }
            What::SinkWrite { change, checkpoint, .. } => {
                let name = match change.as_str() {
                    "refused" => "write-refused",
                    "timed-out" => "write-timed-out",
                    "slow" => "write-slow",
                    "hangs" => "writer-taken-for-dead",
                    "fenced" if *checkpoint == 0 => "old-rows-turned-away",
                    "fenced" => "writer-turned-away",
                    "replaced" => "rows-replaced-by-themselves",
                    _ => return,
                };
                self.hanging |= change == "hangs";
                if change == "slow" || change == "refused" {
                    self.waiting_writes.insert(event.task);
                }
                names.insert(name);
            }
            What::Fault { fault } => {
                let kinds = [
                    ("source-stall", "partition-stalled"),
                    ("source-slow", "partition-slow"),
                    ("source-late", "partition-late"),
                    ("source-idle", "partition-idle"),
                    ("clock-jump", "clock-jumped"),
                ];
                for (_, name) in kinds.iter().filter(|(kind, _)| fault.contains(kind)) {
                    self.delayed |= *name != "clock-jumped";
                    names.insert(name);
                }
                let guests = [
                    ("guest.trap: ", "guest-trapped"),
                    ("guest.out-of-fuel: ", "guest-without-fuel"),
                    ("guest.bad-output: ", "guest-answered-garbage"),
                ];
                names
                    .extend(guests.iter().filter(|(code, _)| fault.starts_with(code)).map(|g| g.1));
            }
            What::SourceRead { .. } => {
                names.insert("records-known");
                if !self.restored.is_empty() {
                    names.insert("records-known-behind-a-crash");
                }
            }
            What::Commit { checkpoint: 0, .. } => {
                self.waiting_writes.remove(&event.task);
                if guarantee == Guarantee::ExactlyOnce {
                    names.insert("rows-shown-before-their-checkpoint");
                }
                let late = self.hanging && !self.restored.is_empty();
                if late && guarantee != Guarantee::ExactlyOnce {
                    names.insert("writer-of-an-earlier-life-let-in");
                }
            }
            _ => {}
        }
    }
}
