//! Checkpoints from start to commit, and crashes with what was lost, restored and replayed.

use highwater_trace::trace::{Barriers, Event, What};

use super::{Pos, cut};

/// One checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Its number, from 1.
    pub id: u64,
    /// The event that began it.
    pub pos: Pos,
    /// The step it began in.
    pub step: u64,
    /// When it began: virtual microseconds.
    pub at: u64,
    /// Barriers as they reached a task: event, task, virtual microseconds.
    pub barriers: Vec<(Pos, u16, u64)>,
    /// State written by a task: event, task, bytes, virtual microseconds.
    pub snapshots: Vec<(Pos, u16, u64, u64)>,
    /// What its barriers do to what they meet.
    pub kind: Barriers,
    /// What they have overtaken, a channel each: event, elements, rows.
    pub in_flight: Vec<(Pos, u64, u64)>,
    /// The commit point: event, virtual microseconds, bytes.
    pub complete: Option<(Pos, u64, u64)>,
    /// Rows made visible by it: event and number.
    pub commits: Vec<(Pos, u64)>,
    /// A crash came before it was complete.
    pub aborted: Option<Pos>,
    /// The store could not keep it: event and reason.
    pub failed: Option<(Pos, String)>,
}

impl Checkpoint {
    /// Rows made visible by it.
    pub fn committed_rows(&self) -> u64 {
        self.commits.iter().map(|c| c.1).sum()
    }
}

/// A source that went back.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// The event.
    pub pos: Pos,
    /// The source task.
    pub task: u16,
    /// The partition.
    pub partition: u16,
    /// Where in the partition it went back to.
    pub offset: u64,
    /// The first record, over all partitions, that is read again.
    pub from: u64,
    /// The last.
    pub until: u64,
}

/// One crash and what followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Crash {
    /// The event.
    pub pos: Pos,
    /// The step it happened in.
    pub step: u64,
    /// When: virtual microseconds.
    pub at: u64,
    /// The task that died.
    pub task: u16,
    /// The fault that killed it, as it was written.
    pub fault: Option<String>,
    /// Messages in flight that are gone.
    pub lost_messages: u64,
    /// Staged rows that are gone.
    pub lost_rows: u64,
    /// The start after it: event, virtual microseconds, checkpoint (0: none).
    pub restore: Option<(Pos, u64, u64)>,
    /// The sources that went back.
    pub replays: Vec<Replay>,
    /// What the store said before that: event, checkpoint (0: all of them), reason.
    pub store: Vec<(Pos, u64, String)>,
}

impl Crash {
    /// How many records are read again: the sources went back to one moment together.
    pub fn replayed(&self) -> u64 {
        let count = |r: &Replay| r.until.saturating_sub(r.from).saturating_add(1);
        self.replays.iter().map(count).max().unwrap_or(0)
    }
}

/// Everything about snapshots and recovery.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Recovery {
    /// Checkpoints in the order they began.
    pub checkpoints: Vec<Checkpoint>,
    /// Crashes in order.
    pub crashes: Vec<Crash>,
    /// Faults as they were injected: event and text.
    pub faults: Vec<(Pos, String)>,
}

impl Recovery {
    /// The place in the trace of a task's snapshot for a checkpoint; 0 when there is none.
    pub fn snapshot_of(&self, checkpoint: u64, task: u16) -> Pos {
        let Some(c) = self.checkpoints.iter().rev().find(|c| c.id == checkpoint) else { return 0 };
        c.snapshots.iter().find(|s| s.1 == task).map_or(c.pos, |s| s.0)
    }

    /// The newest complete checkpoint.
    pub fn newest_complete(&self) -> Option<&Checkpoint> {
        self.checkpoints.iter().rev().find(|c| c.complete.is_some())
    }

    pub(super) fn apply(&mut self, pos: Pos, e: &Event) {
        match &e.what {
            What::CheckpointStart { checkpoint, barriers } => self.checkpoints.push(Checkpoint {
                id: *checkpoint,
                pos,
                step: e.step,
                at: e.at,
                barriers: Vec::new(),
                snapshots: Vec::new(),
                kind: *barriers,
                in_flight: Vec::new(),
                complete: None,
                commits: Vec::new(),
                aborted: None,
                failed: None,
            }),
            What::Barrier { checkpoint, .. } => {
                if let Some(c) = self.get(*checkpoint) {
                    c.barriers.push((pos, e.task, e.at));
                }
            }
            What::Snapshot { checkpoint, bytes } => {
                if let Some(c) = self.get(*checkpoint) {
                    c.snapshots.push((pos, e.task, *bytes, e.at));
                }
            }
            What::InFlight { checkpoint, elements, rows, .. } => {
                if let Some(c) = self.get(*checkpoint) {
                    c.in_flight.push((pos, *elements, *rows));
                }
            }
            What::CheckpointComplete { checkpoint, bytes, .. } => {
                if let Some(c) = self.get(*checkpoint) {
                    c.complete = Some((pos, e.at, *bytes));
                }
            }
            What::Commit { checkpoint, rows } => {
                if let Some(c) = self.get(*checkpoint) {
                    c.commits.push((pos, *rows));
                }
            }
            What::Store { checkpoint, reason } => self.store(pos, *checkpoint, reason),
            What::Fault { fault } => self.faults.push((pos, fault.clone())),
            What::Crash { lost_messages, lost_rows } => {
                self.crash(pos, e, *lost_messages, *lost_rows)
            }
            What::Restore { checkpoint } => {
                if let Some(crash) = self.crashes.last_mut() {
                    crash.restore = Some((pos, e.at, *checkpoint));
                }
            }
            What::Replay { partition, offset, from, until } => {
                if let Some(crash) = self.crashes.last_mut() {
                    crash.replays.push(Replay {
                        pos,
                        task: e.task,
                        partition: *partition,
                        offset: *offset,
                        from: *from,
                        until: *until,
                    });
                }
            }
            _ => {}
        }
    }

    pub(super) fn truncate(&mut self, n: Pos) {
        cut(&mut self.checkpoints, n, |c| c.pos);
        for c in &mut self.checkpoints {
            cut(&mut c.barriers, n, |b| b.0);
            cut(&mut c.snapshots, n, |s| s.0);
            cut(&mut c.in_flight, n, |s| s.0);
            cut(&mut c.commits, n, |s| s.0);
            c.complete = c.complete.filter(|d| d.0 < n);
            c.aborted = c.aborted.filter(|p| *p < n);
            c.failed.take_if(|f| f.0 >= n);
        }
        cut(&mut self.crashes, n, |c| c.pos);
        for c in &mut self.crashes {
            c.restore = c.restore.filter(|r| r.0 < n);
            cut(&mut c.replays, n, |r| r.pos);
            cut(&mut c.store, n, |s| s.0);
        }
        cut(&mut self.faults, n, |f| f.0);
    }

    fn crash(&mut self, pos: Pos, e: &Event, lost_messages: u64, lost_rows: u64) {
        let under_way = |c: &&mut Checkpoint| c.complete.is_none() && c.failed.is_none();
        for c in self.checkpoints.iter_mut().filter(under_way) {
            c.aborted.get_or_insert(pos);
        }
        let after = self.crashes.last().map_or(0, |c| c.pos);
        let fault = self.faults.last().filter(|f| f.0 >= after).map(|f| f.1.clone());
        self.crashes.push(Crash {
            pos,
            step: e.step,
            at: e.at,
            task: e.task,
            fault,
            lost_messages,
            lost_rows,
            restore: None,
            replays: Vec::new(),
            store: Vec::new(),
        });
    }

    /// The store could not write a checkpoint that is under way, or not read one for a job that is down.
    fn store(&mut self, pos: Pos, checkpoint: u64, reason: &str) {
        let open = |c: &&mut Checkpoint| c.complete.is_none() && c.aborted.is_none();
        if let Some(c) = self.get(checkpoint).filter(open) {
            c.failed.get_or_insert((pos, reason.to_owned()));
        } else if let Some(crash) = self.crashes.last_mut().filter(|c| c.restore.is_none()) {
            crash.store.push((pos, checkpoint, reason.to_owned()));
        }
    }

    fn get(&mut self, id: u64) -> Option<&mut Checkpoint> {
        self.checkpoints.iter_mut().rev().find(|c| c.id == id)
    }
}
