//! Rows that reached a sink: staged, committed, or lost in a crash and made again.

use std::collections::{BTreeMap, BTreeSet};

use highwater_trace::trace::{COORDINATOR, Event, What};

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
    /// Made again behind a fallback: the table had it already and took it once.
    Known,
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
            What::Commit { checkpoint, rows } => {
                let ours = |r: &SinkRow| r.task == e.task || e.task == COORDINATOR;
                if *checkpoint > 0 {
                    self.recognise(pos, ours);
                }
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

    /// Rows that a place of the stream has made before and that a table shows: a commit brings what it has not.
    fn recognise(&mut self, pos: Pos, ours: impl Fn(&SinkRow) -> bool) {
        let staged = |r: &SinkRow| r.state() == RowState::Staged && ours(r);
        let there = self.all.iter().filter(|r| r.state() == RowState::Committed && ours(r));
        let there: BTreeSet<(u64, &str)> = there.map(|r| (r.seq, r.text.as_str())).collect();
        let known = self.all.iter().enumerate().skip(self.settled).filter(|(_, r)| staged(r));
        let known = known.filter(|(_, r)| there.contains(&(r.seq, r.text.as_str())));
        for place in known.map(|(place, _)| place).collect::<Vec<_>>() {
            self.all[place].states.push((pos, RowState::Known));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Behind a fallback the table is ahead of the job: what it has is made again, and not shown again.
    #[test]
    fn a_table_takes_a_row_once() {
        let mut rows = Rows::default();
        let mut pos = 0;
        let mut tell = |rows: &mut Rows, what: What| {
            rows.apply(pos, &Event { step: u64::from(pos), at: 0, task: 1, what });
            pos += 1;
        };
        let stage = |seq: u64| What::Stage { row: format!("n={seq}"), kind: 0, seq };
        for seq in 1..=3 {
            tell(&mut rows, stage(seq));
        }
        tell(&mut rows, What::Commit { checkpoint: 2, rows: 3 });
        rows.restore(4, &[0, 1]);
        for seq in 2..=4 {
            tell(&mut rows, stage(seq));
        }
        tell(&mut rows, What::Commit { checkpoint: 3, rows: 1 });
        let states: Vec<RowState> = rows.all.iter().map(SinkRow::state).collect();
        let there = [RowState::Committed; 3];
        assert_eq!(states[..3], there);
        assert_eq!(states[3..], [RowState::Known, RowState::Known, RowState::Committed]);
    }
}
