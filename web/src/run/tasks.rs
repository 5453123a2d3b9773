//! Counters and watermarks of each task, and the stairs the watermarks make on the time plane.

use std::collections::BTreeMap;

use highwater_trace::trace::{Event, Header, What};

use super::{Pos, cut};

/// One step of a watermark's stair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StairPoint {
    /// The event that moved it.
    pub pos: Pos,
    /// When: virtual microseconds.
    pub at: u64,
    /// Where to: milliseconds; `i64::MIN`: nothing is known.
    pub watermark: i64,
}

/// What one task did. The lists hold the positions of events; a count is a list's length.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TaskFacts {
    /// Records taken in: read, counted in a window, put in a join's buffer, staged at a sink.
    pub taken: Vec<Pos>,
    /// Records left out as late.
    pub late: Vec<Pos>,
    /// Windows fired, or pairs matched by a join.
    pub fired: Vec<(Pos, u64)>,
    /// Records that could not be read.
    pub bad: Vec<Pos>,
    /// The task's watermark.
    pub watermarks: Vec<StairPoint>,
    /// Guest fuel used, summed, and the guest's memory in pages.
    pub fuel: Vec<(Pos, u64, u32)>,
    /// Rows a sink has committed, summed.
    pub committed: Vec<(Pos, u64)>,
    /// Deaths.
    pub crashes: Vec<Pos>,
}

impl TaskFacts {
    /// The watermark now, milliseconds; `i64::MIN` before the first.
    pub fn watermark(&self) -> i64 {
        self.watermarks.last().map_or(i64::MIN, |w| w.watermark)
    }
}

/// All tasks.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Tasks {
    /// One entry a task, as in the trace's header.
    pub all: Vec<TaskFacts>,
    /// Each source partition's own watermark, by task and partition.
    pub partitions: BTreeMap<(u16, u16), Vec<StairPoint>>,
    /// Which partitions are idle: changes by task and partition.
    pub idle: BTreeMap<(u16, u16), Vec<(Pos, bool)>>,
    /// The watermark of the whole job: the least of the tasks that wait for it.
    pub merged: Vec<StairPoint>,
}

impl Tasks {
    /// The job's watermark now, milliseconds.
    pub fn watermark(&self) -> i64 {
        self.merged.last().map_or(i64::MIN, |w| w.watermark)
    }

    pub(super) fn resize(&mut self, header: &Header) {
        self.all.resize_with(header.tasks.len(), TaskFacts::default);
    }

    pub(super) fn apply(&mut self, pos: Pos, e: &Event, header: &Header) {
        match &e.what {
            What::Restore { .. } => return self.restore(pos, e.at),
            What::PartitionWatermark { partition, watermark } => {
                let stair = self.partitions.entry((e.task, *partition)).or_default();
                stair.push(StairPoint { pos, at: e.at, watermark: *watermark });
                return;
            }
            What::Idle { partition, idle } => {
                self.idle.entry((e.task, *partition)).or_default().push((pos, *idle));
                return;
            }
            _ => {}
        }
        let Some(task) = self.all.get_mut(usize::from(e.task)) else { return };
        match &e.what {
            What::Arrive { .. }
            | What::WindowAdd { .. }
            | What::JoinBuffer { .. }
            | What::JoinKeep { .. }
            | What::JoinTake { .. }
            | What::Stage { .. } => task.taken.push(pos),
            What::Hold { rows, .. } => (0..*rows).for_each(|_| task.taken.push(pos)),
            What::Late { .. } | What::JoinLate { .. } => task.late.push(pos),
            What::BadRecord { .. } => task.bad.push(pos),
            What::WindowFire { .. } | What::WindowPane { .. } => add(&mut task.fired, pos, 1),
            What::JoinMatch { matched, .. } if !matched.is_empty() => {
                add(&mut task.fired, pos, matched.len() as u64);
            }
            What::Commit { rows, .. } => add(&mut task.committed, pos, *rows),
            What::GuestCall { fuel, pages, .. } => {
                let sum = task.fuel.last().map_or(0, |f| f.1).saturating_add(*fuel);
                task.fuel.push((pos, sum, *pages));
            }
            What::Crash { .. } => task.crashes.push(pos),
            What::Watermark { watermark, .. } => {
                task.watermarks.push(StairPoint { pos, at: e.at, watermark: *watermark });
                self.merge(pos, e.at, header);
            }
            _ => {}
        }
    }

    pub(super) fn truncate(&mut self, n: Pos) {
        for t in &mut self.all {
            cut(&mut t.taken, n, |p| *p);
            cut(&mut t.late, n, |p| *p);
            cut(&mut t.fired, n, |p| p.0);
            cut(&mut t.bad, n, |p| *p);
            cut(&mut t.watermarks, n, |w| w.pos);
            cut(&mut t.fuel, n, |f| f.0);
            cut(&mut t.committed, n, |c| c.0);
            cut(&mut t.crashes, n, |p| *p);
        }
        for stair in self.partitions.values_mut() {
            cut(stair, n, |w| w.pos);
        }
        self.partitions.retain(|_, stair| !stair.is_empty());
        for log in self.idle.values_mut() {
            cut(log, n, |i| i.0);
        }
        self.idle.retain(|_, log| !log.is_empty());
        cut(&mut self.merged, n, |w| w.pos);
    }

    /// A job that starts again knows nothing of time until its sources speak.
    fn restore(&mut self, pos: Pos, at: u64) {
        let nothing = StairPoint { pos, at, watermark: i64::MIN };
        for task in self.all.iter_mut().filter(|t| t.watermark() != i64::MIN) {
            task.watermarks.push(nothing);
        }
        for stair in self.partitions.values_mut() {
            if stair.last().is_some_and(|w| w.watermark != i64::MIN) {
                stair.push(nothing);
            }
        }
        if self.watermark() != i64::MIN {
            self.merged.push(nothing);
        }
    }

    fn merge(&mut self, pos: Pos, at: u64, header: &Header) {
        let waits = |kind: &str| !matches!(kind, "source" | "sink" | "map");
        let of = |wanted: &dyn Fn(&str) -> bool| {
            let tasks = self.all.iter().zip(&header.tasks).filter(|(_, info)| wanted(&info.kind));
            tasks.map(|(t, _)| t.watermark()).min()
        };
        let Some(least) = of(&waits).or_else(|| of(&|kind| kind == "source")) else { return };
        if least != self.watermark() {
            self.merged.push(StairPoint { pos, at, watermark: least });
        }
    }
}

fn add(log: &mut Vec<(Pos, u64)>, pos: Pos, n: u64) {
    let sum = log.last().map_or(0, |e| e.1) + n;
    log.push((pos, sum));
}
