//! What must hold of every trace, whatever the job and whatever befell it. Read from events alone: no operator
//! is asked.

mod time;

use std::collections::{BTreeMap, BTreeSet};

use super::{Guarantee, Ledger};
use crate::trace::{Barriers, COORDINATOR, Event, Header, What};
use time::Progress;

/// What the store says of a snapshot that it reads and that is not whole; of one that it writes it says other things.
const DAMAGED: [&str; 2] = ["the snapshot is damaged", "it holds checkpoint"];

/// Checkpoints whose tasks' progress is kept: a recovery goes back to no older one.
const KEPT: usize = 12;

/// A checkpoint under way.
#[derive(Default)]
struct Cut {
    /// Barriers that have come, by channel.
    barriers: BTreeSet<u16>,
    /// Tasks that have written their state.
    written: BTreeSet<u16>,
    /// How much they have written.
    bytes: u64,
    /// Barriers overtake: one is enough for a task to write its state.
    unaligned: bool,
}

/// What is known while a trace is read.
struct Reading<'a> {
    header: &'a Header,
    /// Nothing may be read or shown twice.
    once: bool,
    /// By task.
    progress: BTreeMap<u16, Progress>,
    /// The same as it was when a task wrote its state, by checkpoint.
    kept: BTreeMap<u64, BTreeMap<u16, Progress>>,
    ledger: Ledger,
    /// Restored from a snapshot of another run: what was before is not known.
    foreign: bool,
    /// The step that events are of, and the tasks that have said something in it.
    step: u64,
    busy: BTreeSet<u16>,
    last_arrival: BTreeMap<u16, u64>,
    cuts: BTreeMap<u64, Cut>,
    complete: BTreeSet<u64>,
    last_begun: u64,
    /// The store has told of something that it cannot read, since the last crash.
    told: bool,
    /// Something has damaged snapshots.
    harmed: bool,
    /// The furthest place that any life has read, and that a source has told of: idleness and the end of the input have
    /// places, too.
    furthest: u64,
    told_of: u64,
    /// How many such places there may be.
    marks: u64,
    /// The clock has places that no source tells of.
    ticks: bool,
    /// Rows that have come to sinks, less those that tables show.
    hidden: i64,
    down: bool,
    ended: bool,
    found: Vec<String>,
}

/// What is wrong with a trace, a line each: watermarks that fall, also behind a recovery; windows that fire twice, too
/// early, too late, or are not open; records that are not accounted for; rows of records that nobody has read; states
/// written before all barriers have come, checkpoints complete or committed too early, snapshots that are not whole
/// although nothing has damaged them, something done while the job is down or behind its end. Under at-most-once also:
/// a record that is read twice, and tables that show more rows than have come to their sinks.
pub fn broken(events: &[Event], header: &Header, guarantee: Guarantee) -> Vec<String> {
    let mut reading = Reading {
        header,
        once: guarantee == Guarantee::AtMostOnce,
        progress: BTreeMap::new(),
        kept: BTreeMap::new(),
        ledger: Ledger::default(),
        foreign: false,
        step: 0,
        busy: BTreeSet::new(),
        last_arrival: BTreeMap::new(),
        cuts: BTreeMap::new(),
        complete: BTreeSet::new(),
        last_begun: 0,
        told: false,
        harmed: false,
        furthest: 0,
        told_of: 0,
        marks: header.tasks.iter().map(|task| task.partitions.len() as u64).sum(),
        ticks: header.tasks.iter().any(|task| {
            ["emit=", "batch", "periodic"].iter().any(|word| task.describe.contains(word))
        }),
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
        if event.step != self.step {
            self.step_is_over(event);
        }
        if self.ended {
            self.wrong(event, "something happens behind the end");
        }
        match &event.what {
            What::Crash { .. } => {
                (self.down, self.told) = (true, false);
                self.busy.clear();
            }
            What::Store { checkpoint, reason } if self.down && *checkpoint > 0 => {
                self.told = true;
                if !self.harmed && DAMAGED.iter().any(|damage| reason.contains(damage)) {
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
                if matches!(event.what, What::Finish) && !self.foreign {
                    self.at_the_end(event);
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
        if event.task != COORDINATOR {
            self.read_time(event);
        }
        self.ledger.apply(event);
        let account = self.ledger.accounts().get(usize::from(event.task));
        if account.is_some_and(|account| !account.balances()) && !self.foreign {
            self.wrong(event, "a record is not accounted for");
        }
    }

    /// What the task's clock says, and its account.
    fn read_time(&mut self, event: &Event) {
        let triggers = self.has_triggers(event.task);
        let wrong = self.progress.entry(event.task).or_default().read(&event.what, triggers);
        if let Some(wrong) = wrong {
            self.wrong(event, wrong);
        }
        if let What::Snapshot { checkpoint, .. } = event.what {
            let now = self.progress[&event.task].clone();
            self.kept.entry(checkpoint).or_default().insert(event.task, now);
            while self.kept.len() > KEPT {
                self.kept.pop_first();
            }
        }
        // What a crash has cut short is done in the next life.
        if !self.down {
            self.busy.insert(event.task);
        }
    }

    fn is_source(&self, task: u16) -> bool {
        self.header.tasks.get(usize::from(task)).is_some_and(|task| task.kind == "source")
    }

    /// A trigger says when its windows fire, if ever.
    fn has_triggers(&self, task: u16) -> bool {
        self.header.tasks[usize::from(task)].describe.contains("emit=")
    }

    /// Nothing is left in windows when everything has been read and committed. Of sinks it cannot be told: behind a recovery
    /// tables know rows by their places, and take fewer than are staged.
    fn at_the_end(&mut self, event: &Event) {
        let accounts = (0..).zip(self.ledger.accounts());
        let left = accounts.filter(|(_, account)| account.in_windows() > 0).map(|(task, _)| task);
        let left: Vec<u16> = left.filter(|task| !self.has_triggers(*task)).collect();
        for task in left {
            let name = self.header.tasks[usize::from(task)].name.clone();
            self.wrong(event, &format!("{name} has records in windows at the end"));
        }
    }

    /// Behind each step every window has fired that the watermark has come to.
    fn step_is_over(&mut self, next: &Event) {
        self.step = next.step;
        for task in std::mem::take(&mut self.busy) {
            if self.has_triggers(task) {
                continue;
            }
            if self.progress.get_mut(&task).is_some_and(Progress::left_behind) {
                let name = &self.header.tasks[usize::from(task)].name;
                let said =
                    format!("a window of {name} has not fired before: {}", next.line(self.header));
                self.found.push(said);
            }
        }
    }

    /// A new life knows nothing of the one before it.
    fn restored(&mut self, event: &Event, checkpoint: u64) {
        self.down = false;
        self.vanished(event, checkpoint);
        // Who may count nothing twice remembers how far time was, or windows would open again; what was in them is gone.
        if self.once {
            self.progress.values_mut().for_each(Progress::forget);
        } else {
            self.progress = self.kept.get(&checkpoint).cloned().unwrap_or_default();
            if checkpoint > 0 && self.progress.is_empty() {
                self.foreign = true;
                let tasks = 0..self.header.tasks.len() as u16;
                self.progress = tasks.map(|task| (task, Progress::foreign())).collect();
            }
        }
        self.last_arrival.clear();
        // A checkpoint may have been stored without anybody being told, but not without its parts.
        let whole = self.cuts.get(&checkpoint).is_some_and(|cut| self.has_all(cut));
        let whole = whole || self.complete.contains(&checkpoint) || self.foreign;
        if checkpoint > 0 && !whole {
            self.wrong(event, "a checkpoint is restored that never was whole");
        }
    }

    /// A checkpoint that is complete is there, or the store says what is wrong with it.
    fn vanished(&mut self, event: &Event, restored: u64) {
        let newest = self.complete.last().copied().unwrap_or(0);
        // One that is written under another's name tells nobody.
        if restored < newest && !self.told && !self.once && !self.harmed {
            self.wrong(event, "a checkpoint that was complete is not there any more");
        }
    }

    fn has_all(&self, cut: &Cut) -> bool {
        cut.written.len() == self.header.tasks.len()
    }

    /// Records, time and windows, and rows.
    fn read_stream(&mut self, event: &Event) {
        match event.what {
            What::Stage { seq, .. } => {
                self.hidden += 1;
                let known = (self.furthest + self.marks).max(self.told_of);
                if seq > known && !self.foreign && !self.ticks {
                    self.wrong(event, "a row of records that have not been read");
                }
            }
            What::Commit { rows, .. } => {
                self.hidden -= rows as i64;
                if self.once && self.hidden < 0 {
                    self.wrong(event, "a table shows more rows than have come to its sink");
                }
            }
            What::Idle { .. } => self.marks += 1,
            What::Watermark { seq, .. } if self.is_source(event.task) => {
                self.told_of = self.told_of.max(seq);
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
            _ => {}
        }
    }

    /// The cut of a checkpoint, and who may commit it.
    fn read_checkpoint(&mut self, event: &Event) {
        match event.what {
            What::CheckpointStart { checkpoint, barriers } => {
                if checkpoint <= self.last_begun && !self.down {
                    // A coordinator that has died may give a number again whose checkpoint never was.
                    self.complete.remove(&checkpoint);
                }
                self.last_begun = checkpoint;
                let unaligned = barriers == Barriers::Unaligned;
                self.cuts.insert(checkpoint, Cut { unaligned, ..Cut::default() });
            }
            What::Barrier { checkpoint, channel } => {
                self.cuts.entry(checkpoint).or_default().barriers.insert(channel);
            }
            What::Snapshot { checkpoint, bytes } => {
                let channels = self.header.channels.iter().enumerate();
                let mut into =
                    channels.filter(|(_, c)| c.1 == event.task).map(|(i, _)| i as u16).peekable();
                let cut = self.cuts.entry(checkpoint).or_default();
                let source = into.peek().is_none();
                let mut come = into.map(|channel| cut.barriers.contains(&channel));
                let may = if cut.unaligned { source || come.any(|b| b) } else { come.all(|b| b) };
                cut.bytes += bytes;
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
            What::CheckpointComplete { checkpoint, bytes, .. } => {
                if !self.cuts.get(&checkpoint).is_some_and(|cut| self.has_all(cut)) {
                    self.wrong(event, "a checkpoint is complete without all of its parts");
                } else if self.cuts.get(&checkpoint).is_some_and(|cut| bytes < cut.bytes) {
                    self.wrong(event, "a checkpoint is smaller than the states in it");
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
