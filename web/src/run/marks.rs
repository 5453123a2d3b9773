//! The records on the time plane: when they happened, when they arrived, and what became of them.

use std::collections::BTreeMap;

use highwater_trace::trace::{Event, What};

use super::{Pos, WindowState, Windows, cut};

/// One arrival of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The event of its arrival.
    pub pos: Pos,
    /// The step it arrived in.
    pub step: u64,
    /// When it arrived: virtual microseconds.
    pub at: u64,
    /// The source task.
    pub task: u16,
    /// The partition it was read from.
    pub partition: u16,
    /// Its place in the partition.
    pub offset: u64,
    /// The record's number.
    pub seq: u64,
    /// When it happened: milliseconds, if it has an event time.
    pub event_time: Option<i64>,
    /// It was read before, ahead of a crash.
    pub replayed: bool,
    /// The events that left it out, and in which task.
    pub late: Vec<(Pos, u16)>,
    /// The windows it was counted in: the event and the position in [`Windows::all`].
    pub windows: Vec<(Pos, u32)>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkState {
    /// Every window it belongs to has fired, or it belongs to none.
    OnTime,
    /// A window it belongs to is still open.
    Open,
    /// It was left out.
    Late,
}

/// All arrivals in order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Marks {
    /// One entry an arrival; a replayed record has several.
    pub all: Vec<Mark>,
    latest: BTreeMap<u64, u32>,
    /// One more than the highest number read so far.
    reached: u64,
}

impl Marks {
    /// The latest arrival of a record.
    pub fn by_seq(&self, seq: u64) -> Option<&Mark> {
        self.all.get(*self.latest.get(&seq)? as usize)
    }

    /// What became of a record so far in the tasks that `counts` names.
    pub fn state(&self, mark: &Mark, windows: &Windows, counts: impl Fn(u16) -> bool) -> MarkState {
        if mark.late.iter().any(|(_, task)| counts(*task)) {
            return MarkState::Late;
        }
        let is_open = |(_, w): &(Pos, u32)| {
            windows.state(*w) == WindowState::Open
                && windows.all.get(*w as usize).is_some_and(|w| counts(w.task))
        };
        if mark.windows.iter().any(is_open) { MarkState::Open } else { MarkState::OnTime }
    }

    pub(super) fn apply(&mut self, pos: Pos, e: &Event, windows: &Windows) {
        match &e.what {
            What::Arrive { partition, offset, seq, event_time, .. } => {
                self.push(Mark {
                    pos,
                    step: e.step,
                    at: e.at,
                    task: e.task,
                    partition: *partition,
                    offset: *offset,
                    seq: *seq,
                    event_time: *event_time,
                    replayed: false,
                    late: Vec::new(),
                    windows: Vec::new(),
                });
            }
            What::WindowAdd { window, seq } => {
                if let (Some(mark), Some(w)) = (self.find(*seq), windows.index(e.task, *window)) {
                    mark.windows.push((pos, w));
                }
            }
            What::Late { seq, .. } | What::JoinLate { seq, .. } => {
                if let Some(mark) = self.find(*seq) {
                    mark.late.push((pos, e.task));
                }
            }
            _ => {}
        }
    }

    pub(super) fn truncate(&mut self, n: Pos) {
        cut(&mut self.all, n, |m| m.pos);
        let kept = std::mem::take(&mut self.all);
        self.latest.clear();
        self.reached = 0;
        self.all.reserve(kept.len());
        for mut mark in kept {
            cut(&mut mark.late, n, |l| l.0);
            cut(&mut mark.windows, n, |w| w.0);
            self.push(mark);
        }
    }

    fn push(&mut self, mut mark: Mark) {
        mark.replayed = mark.seq < self.reached;
        self.reached = self.reached.max(mark.seq.saturating_add(1));
        let index = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.latest.insert(mark.seq, index);
        self.all.push(mark);
    }

    fn find(&mut self, seq: u64) -> Option<&mut Mark> {
        self.all.get_mut(*self.latest.get(&seq)? as usize)
    }
}
