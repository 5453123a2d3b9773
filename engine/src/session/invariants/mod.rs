//! What must hold of every trace, whatever the job and whatever befell it. Read from events alone: no operator
//! is asked.

use std::collections::{BTreeMap, BTreeSet};

use super::Guarantee;
use crate::trace::{COORDINATOR, Event, Header, What};

/// A checkpoint under way.
#[derive(Default)]
struct Cut {
    /// Barriers that have come, by channel.
    barriers: BTreeSet<u16>,
    /// Tasks that have written their state.
    written: BTreeSet<u16>,
    /// Barriers overtake: one is enough for a task to write its state.
    unaligned: bool,
}

/// What is known while a trace is read.
struct Reading<'a> {
    header: &'a Header,
    /// Nothing may be read or shown twice.
    once: bool,
    /// By task; the life's own.
    watermarks: BTreeMap<u16, i64>,
    partitions: BTreeMap<(u16, u16), i64>,
    /// By task, window and end: a session that has fired may grow, and then fires at its new end.
    fired: BTreeSet<(u16, u64, i64)>,
    last_arrival: BTreeMap<u16, u64>,
    cuts: BTreeMap<u64, Cut>,
    complete: BTreeSet<u64>,
    last_begun: u64,
    /// The store has told of something that it cannot read, since the last crash.
    told: bool,
    /// Something has damaged snapshots.
    harmed: bool,
    /// The furthest place that any life has read.
    furthest: u64,
    /// Rows that have come to sinks, less those that tables show.
    hidden: i64,
    down: bool,
    ended: bool,
    found: Vec<String>,
}

/// What is wrong with a trace, a line each: watermarks that fall, windows that fire twice or too early, states
/// written before all barriers have come, checkpoints complete or committed too early, snapshots that are not whole
/// although nothing has damaged them, something done while the job is down or behind its end. Under at-most-once also:
/// a record that is read twice, and tables that show more rows than have come to their sinks.
pub fn broken(events: &[Event], header: &Header, guarantee: Guarantee) -> Vec<String> {
    let mut reading = Reading {
        header,
        once: guarantee == Guarantee::AtMostOnce,
        watermarks: BTreeMap::new(),
        partitions: BTreeMap::new(),
        fired: BTreeSet::new(),
        last_arrival: BTreeMap::new(),
        cuts: BTreeMap::new(),
        complete: BTreeSet::new(),
        last_begun: 0,
        told: false,
        harmed: false,
        furthest: 0,
        hidden: 0,
        down: false,
        ended: false,
        found: Vec::new(),
    };
    for event in events {
        reading.read(event);
    }
    reading.found
}

impl Reading<'_> {
    fn wrong(&mut self, event: &Event, what: &str) {
        self.found.push(format!("{what}: {}", event.line(self.header)));
    }

    fn read(&mut self, event: &Event) {
        if self.ended {
            self.wrong(event, "something happens behind the end");
        }
        match &event.what {
            What::Crash { .. } => (self.down, self.told) = (true, false),
            What::Store { checkpoint, reason } if self.down && *checkpoint > 0 => {
                self.told = true;
                if !self.harmed && !reason.ends_with("EIO: read") {
                    self.wrong(event, "a snapshot has its name and is not whole");
                }
            }
            What::Fault { fault } if event.task == COORDINATOR => {
                self.harmed |= fault.contains(" snapshot-");
            }
            What::Restore { checkpoint } => self.restored(event, *checkpoint),
            What::Finish | What::Fail { .. } => {
                self.ended = true;
                if self.down && matches!(event.what, What::Finish) {
                    self.wrong(event, "the job ends while it is down");
                }
            }
            // The world does not wait for the job.
            What::Store { .. } | What::SinkWrite { .. } | What::Commit { .. } => {}
            _ if self.down && event.task != COORDINATOR => {
                self.wrong(event, "a task does something while the job is down");
            }
            _ => {}
        }
        self.read_stream(event);
        self.read_checkpoint(event);
    }

    /// A new life knows nothing of the one before it.
    fn restored(&mut self, event: &Event, checkpoint: u64) {
        self.down = false;
        self.vanished(event, checkpoint);
        // Who may count nothing twice remembers how far time was, or windows would open again.
        if !self.once {
            self.watermarks.clear();
            self.partitions.clear();
        }
        self.fired.clear();
        self.last_arrival.clear();
        // A checkpoint may have been stored without anybody being told, but not without its parts.
        let whole = self.cuts.get(&checkpoint).is_some_and(|cut| self.has_all(cut));
        if checkpoint > 0 && !whole && !self.complete.contains(&checkpoint) && event.step > 1 {
            self.wrong(event, "a checkpoint is restored that never was whole");
        }
    }

    /// A checkpoint that is complete is there, or the store says what is wrong with it.
    fn vanished(&mut self, event: &Event, restored: u64) {
        let newest = self.complete.last().copied().unwrap_or(0);
        if restored < newest && !self.told && !self.once {
            self.wrong(event, "a checkpoint that was complete is not there any more");
        }
    }

    fn has_all(&self, cut: &Cut) -> bool {
        cut.written.len() == self.header.tasks.len()
    }

    /// Records, time and windows, and rows.
    fn read_stream(&mut self, event: &Event) {
        match event.what {
            What::Stage { .. } => self.hidden += 1,
            What::Commit { rows, .. } => {
                self.hidden -= rows as i64;
                if self.once && self.hidden < 0 {
                    self.wrong(event, "a table shows more rows than have come to its sink");
                }
            }
            What::Arrive { seq, .. } => {
                let last = self.last_arrival.insert(event.task, seq);
                if last.is_some_and(|last| seq <= last) {
                    self.wrong(event, "a record arrives behind its place");
                }
                if self.once && seq <= self.furthest {
                    self.wrong(event, "a record is read twice");
                }
                self.furthest = self.furthest.max(seq);
            }
            What::Watermark { watermark, .. } => {
                let before = self.watermarks.insert(event.task, watermark);
                if before.is_some_and(|before| watermark < before) {
                    self.wrong(event, "a watermark falls");
                }
            }
            What::PartitionWatermark { partition, watermark } => {
                let before = self.partitions.insert((event.task, partition), watermark);
                if before.is_some_and(|before| watermark < before) {
                    self.wrong(event, "a partition's watermark falls");
                }
            }
            What::WindowFire { window, end, .. } => {
                if !self.fired.insert((event.task, window, end)) {
                    self.wrong(event, "a window fires twice");
                }
                let now = self.watermarks.get(&event.task).copied();
                if now.is_some_and(|now| now < end.saturating_sub(1)) {
                    self.wrong(event, "a window fires before the watermark is at its end");
                }
            }
            _ => {}
        }
    }

    /// The cut of a checkpoint, and who may commit it.
    fn read_checkpoint(&mut self, event: &Event) {
        match event.what {
            What::CheckpointStart { checkpoint, unaligned } => {
                if checkpoint <= self.last_begun && !self.down {
                    // A coordinator that has died may give a number again whose checkpoint never was.
                    self.complete.remove(&checkpoint);
                }
                self.last_begun = checkpoint;
                self.cuts.insert(checkpoint, Cut { unaligned, ..Cut::default() });
            }
            What::Barrier { checkpoint, channel } => {
                self.cuts.entry(checkpoint).or_default().barriers.insert(channel);
            }
            What::Snapshot { checkpoint, .. } => {
                let channels = self.header.channels.iter().enumerate();
                let mut into =
                    channels.filter(|(_, c)| c.1 == event.task).map(|(i, _)| i as u16).peekable();
                let cut = self.cuts.entry(checkpoint).or_default();
                let source = into.peek().is_none();
                let mut come = into.map(|channel| cut.barriers.contains(&channel));
                let may = if cut.unaligned { source || come.any(|b| b) } else { come.all(|b| b) };
                if !cut.written.insert(event.task) {
                    self.wrong(event, "a task writes its state twice");
                } else if !may {
                    self.wrong(event, "a state is written before its barriers have come");
                }
            }
            What::InFlight { checkpoint, .. }
                if !self.cuts.get(&checkpoint).is_some_and(|cut| cut.unaligned) =>
            {
                self.wrong(event, "something is in flight where all barriers have come");
            }
            What::CheckpointComplete { checkpoint, .. } => {
                if !self.cuts.get(&checkpoint).is_some_and(|cut| self.has_all(cut)) {
                    self.wrong(event, "a checkpoint is complete without all of its parts");
                }
                self.complete.insert(checkpoint);
            }
            What::Commit { checkpoint, .. } if checkpoint > 0 => {
                let whole = self.cuts.get(&checkpoint).is_none_or(|cut| self.has_all(cut));
                if !self.complete.contains(&checkpoint) && !whole {
                    self.wrong(event, "a checkpoint is committed that is not complete");
                }
            }
            _ => {}
        }
    }
}
