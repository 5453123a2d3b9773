//! What the page knows of a run: the trace, and the facts drawn from it, which grow and shrink with the cursor.
//!
//! Every fact remembers the position of the event that made it, so that going back is cutting off
//! what came later. The events beyond the cursor stay: history does not change unless a fault is injected.

mod marks;
mod recovery;
mod rows;
mod tasks;
mod windows;

use highwater_trace::trace::{Chunk, Event, Header, What};

pub use marks::{Mark, MarkState, Marks};
pub use recovery::{Checkpoint, Crash, Recovery, Replay};
pub use rows::{RowState, Rows, SinkRow};
pub use tasks::{StairPoint, TaskFacts, Tasks};
pub use windows::{Window, WindowState, Windows};

/// The position of an event in the trace.
pub type Pos = u32;

/// A record that was left out, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct LateDrop {
    /// The event that told it.
    pub pos: Pos,
    /// The step it belongs to.
    pub step: u64,
    /// Virtual time in microseconds.
    pub at: u64,
    /// The task that left it out.
    pub task: u16,
    /// The record.
    pub seq: u64,
    /// The record's event time in milliseconds.
    pub event_time: i64,
    /// The task's watermark at that moment, milliseconds.
    pub watermark: i64,
    /// The last window it belonged to: start and end in milliseconds. `None` for a join.
    pub window: Option<(i64, i64)>,
    /// The key, as text.
    pub key: String,
    /// The record, as text.
    pub row: String,
    /// When that window fired: virtual microseconds, if it ever held anything.
    pub fired_at: Option<u64>,
}

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct BadRecord {
    /// The event that told it.
    pub pos: Pos,
    /// The source task.
    pub task: u16,
    /// Line in the input, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// From and to of what has happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range2 {
    /// Event time, milliseconds.
    pub event_time: (i64, i64),
    /// Arrival, virtual microseconds.
    pub arrival: (u64, u64),
}

/// How far all records known reach, those beyond the cursor included.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Extent {
    near: Option<Range2>,
    all: Option<Range2>,
}

impl Extent {
    /// The range worth showing: a few absurd timestamps do not squeeze all others into a corner.
    pub fn best(&self) -> Option<Range2> {
        self.near.or(self.all)
    }

    fn take(&mut self, event_time: i64, at: u64) {
        const YEAR_MS: u64 = 31_622_400_000;
        let seen = i64::try_from(at / 1000).unwrap_or(i64::MAX);
        let grow = |range: &mut Option<Range2>| {
            let r = range
                .get_or_insert(Range2 { event_time: (event_time, event_time), arrival: (at, at) });
            r.event_time = (r.event_time.0.min(event_time), r.event_time.1.max(event_time));
            r.arrival = (r.arrival.0.min(at), r.arrival.1.max(at));
        };
        if event_time.abs_diff(seen) < YEAR_MS {
            grow(&mut self.near);
        }
        grow(&mut self.all);
    }
}

/// The trace of a run and the facts up to the cursor.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Run {
    /// The names behind the numbers.
    pub header: Header,
    /// Every event known, those beyond the cursor included.
    pub events: Vec<Event>,
    /// How many of them the facts below hold.
    pub applied: usize,
    /// How far the records reach.
    pub extent: Extent,
    /// The records on the time plane.
    pub marks: Marks,
    /// The windows, in the order they opened.
    pub windows: Windows,
    /// Counters and watermarks of each task.
    pub tasks: Tasks,
    /// Checkpoints and crashes.
    pub recovery: Recovery,
    /// Rows that reached a sink.
    pub rows: Rows,
    /// Late drops of windows and joins.
    pub late: Vec<LateDrop>,
    /// Records that could not be read.
    pub bad: Vec<BadRecord>,
    /// Why the job stopped for good, if it did: position, code, message.
    pub failed: Option<(Pos, String, String)>,
}

impl Run {
    /// Takes in a stretch of the trace. A gap cannot be filled: such a chunk is left out and `false` returned.
    pub fn extend(&mut self, chunk: Chunk) -> bool {
        let first = usize::try_from(chunk.first).unwrap_or(usize::MAX);
        if first > self.events.len() {
            return false;
        }
        if self.header != chunk.header {
            self.header = chunk.header;
            self.tasks.resize(&self.header);
        }
        if first + chunk.events.len() > self.events.len() {
            let known = self.events.len();
            self.events.extend(chunk.events.into_iter().skip(known - first));
            for e in &self.events[known..] {
                if let What::Arrive { event_time: Some(t), .. } = e.what {
                    self.extent.take(t, e.at);
                }
            }
        }
        true
    }

    /// Moves the facts to the state right after `step`.
    pub fn show(&mut self, step: u64) {
        let target = self.events.partition_point(|e| e.step <= step);
        if target < self.applied {
            self.truncate(target);
        }
        while self.applied < target {
            self.apply_next();
        }
    }

    /// Forgets what is known beyond the cursor.
    pub fn cut(&mut self) {
        self.events.truncate(self.applied);
    }

    /// The step of the last event applied, 0 at the start.
    pub fn step(&self) -> u64 {
        self.shown().last().map_or(0, |e| e.step)
    }

    /// The furthest step known.
    pub fn known_step(&self) -> u64 {
        self.events.last().map_or(0, |e| e.step)
    }

    /// The events up to the cursor.
    pub fn shown(&self) -> &[Event] {
        self.events.get(..self.applied).unwrap_or(&[])
    }

    /// A task's name, or `coordinator`.
    pub fn task_name(&self, task: u16) -> &str {
        self.header.tasks.get(usize::from(task)).map_or("coordinator", |t| t.name.as_str())
    }

    /// The name of a task's operator: its own without the subtask.
    pub fn operator_of(&self, task: u16) -> &str {
        let name = self.task_name(task);
        name.rsplit_once('/').map_or(name, |(operator, _)| operator)
    }

    /// The operators that keep records until the watermark lets go of them, in order.
    pub fn waiting_operators(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for info in &self.header.tasks {
            let waits = ["window", "session", "join", "over"].iter().any(|k| info.kind.contains(k));
            let name = info.name.rsplit_once('/').map_or(info.name.as_str(), |(name, _)| name);
            if waits && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn apply_next(&mut self) {
        let index = self.applied;
        let Some(e) = self.events.get(index) else { return };
        let pos = Pos::try_from(index).unwrap_or(Pos::MAX);
        self.tasks.apply(pos, e, &self.header);
        self.marks.apply(pos, e, &self.windows);
        if let What::Restore { checkpoint } = e.what {
            let cuts: Vec<Pos> = (0..self.header.tasks.len())
                .map(|t| {
                    self.recovery.snapshot_of(checkpoint, u16::try_from(t).unwrap_or(u16::MAX))
                })
                .collect();
            self.windows.restore(pos, &cuts);
            self.rows.restore(pos, &cuts);
        }
        self.windows.apply(pos, e);
        self.recovery.apply(pos, e);
        self.rows.apply(pos, e);
        self.note(pos, index);
        self.applied = index + 1;
    }

    /// The facts that need no module of their own.
    fn note(&mut self, pos: Pos, index: usize) {
        let e = &self.events[index];
        let (step, at, task) = (e.step, e.at, e.task);
        match &e.what {
            What::Late { seq, event_time, watermark, start, end, key, row } => {
                let fired_at = self.windows.fired_at(task, key, *start, *end);
                self.late.push(LateDrop {
                    pos,
                    step,
                    at,
                    task,
                    seq: *seq,
                    event_time: *event_time,
                    watermark: *watermark,
                    window: Some((*start, *end)),
                    key: key.clone(),
                    row: row.clone(),
                    fired_at,
                });
            }
            What::JoinLate { seq, event_time, watermark, row, .. } => self.late.push(LateDrop {
                pos,
                step,
                at,
                task,
                seq: *seq,
                event_time: *event_time,
                watermark: *watermark,
                window: None,
                key: String::new(),
                row: row.clone(),
                fired_at: None,
            }),
            What::BadRecord { line, column, reason, .. } => self.bad.push(BadRecord {
                pos,
                task,
                line: *line,
                column: *column,
                reason: reason.clone(),
            }),
            What::Fail { code, message } => {
                self.failed = Some((pos, code.clone(), message.clone()));
            }
            _ => {}
        }
    }

    fn truncate(&mut self, target: usize) {
        let n = Pos::try_from(target).unwrap_or(Pos::MAX);
        self.marks.truncate(n);
        self.windows.truncate(n);
        self.tasks.truncate(n);
        self.recovery.truncate(n);
        self.rows.truncate(n);
        cut(&mut self.late, n, |l| l.pos);
        cut(&mut self.bad, n, |b| b.pos);
        if self.failed.as_ref().is_some_and(|f| f.0 >= n) {
            self.failed = None;
        }
        self.applied = target;
    }
}

/// Cuts a log, ordered by event, to the entries before the event at `n`.
pub(crate) fn cut<T>(log: &mut Vec<T>, n: Pos, pos: impl Fn(&T) -> Pos) {
    let keep = log.partition_point(|entry| pos(entry) < n);
    log.truncate(keep);
}

/// The last entry of a log made before the event at `n`.
pub(crate) fn before<T>(log: &[T], n: Pos, pos: impl Fn(&T) -> Pos) -> Option<&T> {
    let index = log.partition_point(|entry| pos(entry) < n);
    index.checked_sub(1).and_then(|i| log.get(i))
}

#[cfg(test)]
mod tests;
