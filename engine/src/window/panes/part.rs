//! Windows as parts: what a subtask that saw a share of the records hands over.

use super::{BLOCK, Panes};
use crate::aggregate::Part;

impl Panes {
    /// The keys with a row in slices `from..to`, in no order, and their accumulators.
    pub(in crate::window) fn part(&mut self, (from, to): (i64, i64)) -> (Vec<u32>, Part) {
        let mut panes = self.panes.range(from..to).map(|(_, pane)| pane);
        let (first, more) = (panes.next(), panes.next().is_some());
        let Some(pane) = first.filter(|_| !more) else {
            let merged = self.merge((from, to));
            let part = self.set.part(&merged.slots);
            let ids = merged.ids.clone();
            self.release(merged);
            return (ids, part);
        };
        let (mut ids, mut slots) = (Vec::new(), Vec::new());
        for &(place, block) in &pane.blocks {
            for i in 0..BLOCK as u32 {
                let slot = block * BLOCK as u32 + i;
                if self.set.rows(slot) > 0 {
                    ids.push(place * BLOCK as u32 + i);
                    slots.push(slot);
                }
            }
        }
        (ids, self.set.part(&slots))
    }
}
