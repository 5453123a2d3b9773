//! Rows that reached a sink: staged, committed, or lost in a crash and made again.

use std::collections::{BTreeMap, BTreeSet};

use highwater_engine::trace::{COORDINATOR, Event, What};

use super::{Pos, cut};

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// Written by the sink, not visible to readers yet.
    Staged,
    /// Visible.
    Committed,
    /// Gone with a crash.
    Lost,
}

/// One row at a sink.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkRow {
    /// The event that staged it.
    pub pos: Pos,
    /// The step it was staged in.
    pub step: u64,
    /// The sink task.
    pub task: u16,
    /// The row, as text.
    pub text: String,
    /// `+I`, `-U`, `+U`, `-D` as 0 to 3.
    pub kind: u8,
    /// The record that caused it.
    pub seq: u64,
    /// The same row was staged before and lost.
    pub again: bool,
    /// Its states, each change with its event.
    pub states: Vec<(Pos, RowState)>,
}

impl SinkRow {
    /// The state now.
    pub fn state(&self) -> RowState {
        self.states.last().map_or(RowState::Staged, |s| s.1)
    }
}

/// All rows in the order they were staged.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Rows {
    /// One entry a row; a row made again after a crash has two.
    pub all: Vec<SinkRow>,
    /// No row before this place is staged.
    settled: usize,
    /// Lost rows not made again yet, counted by task and text.
    missing: BTreeMap<(u16, String), u32>,
}

impl Rows {
    /// How many rows are in that state.
    pub fn count(&self, state: RowState) -> usize {
        self.all.iter().filter(|r| r.state() == state).count()
    }

    pub(super) fn apply(&mut self, pos: Pos, e: &Event) {
        match &e.what {
            What::Stage { row, kind, seq } => {
                let again = self.made_again(e.task, row);
                self.all.push(SinkRow {
                    pos,
                    step: e.step,
                    task: e.task,
                    text: row.clone(),
                    kind: *kind,
                    seq: *seq,
                    again,
                    states: vec![(pos, RowState::Staged)],
                });
            }
            What::Commit { rows, .. } => {
                let ours = |r: &SinkRow| r.task == e.task || e.task == COORDINATOR;
                let open = self.all.iter_mut().skip(self.settled);
                let staged = open.filter(|r| r.state() == RowState::Staged && ours(r));
                for row in staged.take(usize::try_from(*rows).unwrap_or(usize::MAX)) {
                    row.states.push((pos, RowState::Committed));
                }
                self.settle();
            }
            _ => {}
        }
    }

    /// The job starts again: rows staged after the sink's snapshot and never committed are gone.
    pub(super) fn restore(&mut self, pos: Pos, cuts: &[Pos]) {
        for row in &mut self.all {
            let at = cuts.get(usize::from(row.task)).copied().unwrap_or(0);
            if row.state() == RowState::Staged && row.pos >= at {
                row.states.push((pos, RowState::Lost));
                *self.missing.entry((row.task, row.text.clone())).or_insert(0) += 1;
            }
        }
        self.settle();
    }

    pub(super) fn truncate(&mut self, n: Pos) {
        cut(&mut self.all, n, |r| r.pos);
        for row in &mut self.all {
            cut(&mut row.states, n, |s| s.0);
        }
        self.settled = 0;
        self.settle();
        self.missing.clear();
        for row in &self.all {
            if row.state() == RowState::Lost {
                *self.missing.entry((row.task, row.text.clone())).or_insert(0) += 1;
            }
        }
        for row in self.all.iter().filter(|r| r.again) {
            if let Some(n) = self.missing.get_mut(&(row.task, row.text.clone())) {
                *n = n.saturating_sub(1);
            }
        }
        self.missing.retain(|_, n| *n > 0);
    }

    /// The sink tasks that have rows.
    pub fn sinks(&self) -> BTreeSet<u16> {
        self.all.iter().map(|r| r.task).collect()
    }

    fn settle(&mut self) {
        let rest = self.all.iter().skip(self.settled);
        self.settled += rest.take_while(|r| r.state() != RowState::Staged).count();
    }

    fn made_again(&mut self, task: u16, text: &str) -> bool {
        if self.missing.is_empty() {
            return false;
        }
        let key = (task, text.to_owned());
        let Some(n) = self.missing.get_mut(&key) else { return false };
        *n -= 1;
        if *n == 0 {
            self.missing.remove(&key);
        }
        true
    }
}
