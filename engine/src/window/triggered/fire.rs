//! Panes: what a window says when it fires, and the rows this makes.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, StringArray};

use super::super::emission::Panes;
use super::super::{PaneColumn, WindowBound, bound_columns};
use super::TriggeredAggregate;
use super::open::{NONE, Pane, Said, Timing};
use crate::batch::{Batch, RowKind, Seq, Stair};
use crate::column::{differ, take};
use crate::key;
use crate::operator::Output;
use crate::trace::What;

/// A row that has been said.
#[derive(Clone, Copy)]
pub(super) struct Fired {
    seq: Seq,
    key: u32,
    kind: RowKind,
    said: Said,
}

impl TriggeredAggregate {
    /// Says what a window holds.
    pub(super) fn fire(&mut self, id: u32, at: usize, seq: Seq, out: &mut Output) {
        let moment = self.moment(self.open[id as usize][at].end);
        self.machine.fire(&mut self.open[id as usize][at].states, moment);
        let open = &self.open[id as usize][at];
        let last = self.machine.finished(&open.states) || self.gone(open.end);
        let (held, pane) = (open.slot, open.pane(moment.past_end, last));
        let (start, end, number) = (open.start, open.end, open.number);
        let slot = match self.emission.panes {
            Panes::Discarding if held != NONE => held,
            _ => {
                let slot = self.new_slot();
                if held != NONE {
                    self.aggregates.merge(&[(slot, held)]);
                }
                slot
            }
        };
        let said = Said { start, end, slot, pane };
        let before = match self.emission.panes {
            Panes::Retracting => {
                std::mem::replace(&mut self.open[id as usize][at].said, vec![said])
            }
            _ => Vec::new(),
        };
        // A pane of the same window is replaced; those of windows that are part of it now are gone.
        let replaced = matches!(before.as_slice(), [one] if (one.start, one.end) == (start, end));
        for said in &before {
            let kind = if replaced { RowKind::UpdateBefore } else { RowKind::Delete };
            self.fired.push(Fired { seq, key: id, kind, said: *said });
            self.spent.push(said.slot);
        }
        let kind = if replaced { RowKind::UpdateAfter } else { RowKind::Insert };
        self.fired.push(Fired { seq, key: id, kind, said });
        if self.emission.panes != Panes::Retracting {
            self.spent.push(slot);
        }
        let open = &mut self.open[id as usize][at];
        if self.emission.panes == Panes::Discarding {
            open.slot = NONE;
        }
        open.fresh = 0;
        open.asked = false;
        open.panes += 1;
        open.on_time += u64::from(pane.timing != Timing::Early);
        if let Some(deadline) = self.machine.deadline(&open.states) {
            self.deadlines.insert((deadline, (id, start, end)));
        }
        let text = || key::text(&self.keys.key(id));
        out.note(|| match pane.timing {
            Timing::OnTime => What::WindowFire { window: number, key: text(), start, end, rows: 1 },
            timing => What::WindowPane {
                window: number,
                key: text(),
                start,
                end,
                timing: timing.name().to_owned(),
                index: pane.index,
            },
        });
    }

    /// A window that takes nothing more says what it has not said, and goes.
    pub(super) fn leave(&mut self, id: u32, at: usize, seq: Seq, out: &mut Output) {
        let open = &self.open[id as usize][at];
        let never = open.on_time == 0 && !open.born_late && self.emission.always_on_time;
        if !self.machine.finished(&open.states) && (open.fresh > 0 || never) {
            self.fire(id, at, seq, out);
        }
        let open = self.open[id as usize].remove(at);
        self.spent.extend(open.said.iter().map(|said| said.slot));
        if open.slot != NONE {
            self.spent.push(open.slot);
        }
    }

    /// The rows said since the last batch left, and the steps among them; their slots are free after that.
    pub(super) fn rows(&mut self, stairs: Vec<Stair>) -> Batch {
        let fired = std::mem::take(&mut self.fired);
        let ids: Vec<u32> = fired.iter().map(|f| f.key).collect();
        let slots: Vec<u32> = fired.iter().map(|f| f.said.slot).collect();
        let n_keys = self.columns.types.len();
        let mut columns = if n_keys == 0 { Vec::new() } else { self.keys.columns(&ids) };
        let windows = fired.iter().map(|f| (f.said.start, f.said.end));
        let (times, panes): (Vec<_>, Vec<_>) =
            self.bounds.iter().copied().partition(|b| !matches!(b, WindowBound::Pane(_)));
        columns.extend(bound_columns(windows, &times, (&self.output, n_keys)));
        for bound in panes {
            if let WindowBound::Pane(column) = bound {
                columns.push(pane_column(&fired, &column));
            }
        }
        columns.extend(self.aggregates.results(&slots));
        let said = unchanged(&fired, &columns);
        let seqs = fired.iter().map(|f| f.seq).collect();
        let mut batch = Batch::new(Arc::clone(&self.output), columns, seqs);
        if self.emission.retracts() {
            batch.kinds = Some(fired.iter().map(|f| f.kind).collect());
        }
        batch.stairs = stairs;
        self.free_spent();
        match said.len() < batch.rows {
            true => batch.select(&said),
            false => batch,
        }
    }

    /// Nothing of what has been said leaves.
    pub(super) fn forget(&mut self) {
        self.fired.clear();
        self.free_spent();
        self.sweep();
    }

    fn free_spent(&mut self) {
        for slot in std::mem::take(&mut self.spent) {
            self.aggregates.clear(slot, slot + 1);
            self.free.push(slot);
        }
    }
}

/// The rows without those pairs that replace a row by itself.
fn unchanged(fired: &[Fired], columns: &[ArrayRef]) -> Vec<u32> {
    let pairs: Vec<u32> = (0..fired.len() as u32)
        .filter(|&i| fired[i as usize].kind == RowKind::UpdateBefore)
        .collect();
    let after: Vec<u32> = pairs.iter().map(|i| i + 1).collect();
    let mut differs = vec![false; pairs.len()];
    for column in columns {
        differ(&take(column, &pairs), &take(column, &after), &mut differs);
    }
    let mut same = pairs.iter().zip(&differs).filter(|(_, differs)| !**differs).map(|(&i, _)| i);
    let mut next = same.next();
    let mut kept = Vec::with_capacity(fired.len());
    for i in 0..fired.len() as u32 {
        match next {
            Some(pair) if i == pair => {}
            Some(pair) if i == pair + 1 => next = same.next(),
            _ => kept.push(i),
        }
    }
    kept
}

fn pane_column(fired: &[Fired], column: &PaneColumn) -> ArrayRef {
    let panes = fired.iter().map(|f| f.said.pane);
    let early = |pane: &Pane| pane.timing == Timing::Early;
    match column {
        PaneColumn::Timing => {
            Arc::new(panes.map(|p| Some(p.timing.name())).collect::<StringArray>())
        }
        PaneColumn::Index => Arc::new(panes.map(|p| Some(p.index as i64)).collect::<Int64Array>()),
        PaneColumn::OnTimeIndex => {
            let index = |p: Pane| Some(p.on_time_index as i64).filter(|_| !early(&p));
            Arc::new(panes.map(index).collect::<Int64Array>())
        }
        PaneColumn::First => Arc::new(panes.map(|p| Some(p.index == 0)).collect::<BooleanArray>()),
        PaneColumn::Last => Arc::new(panes.map(|p| Some(p.last)).collect::<BooleanArray>()),
    }
}
