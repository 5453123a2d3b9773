//! Barriers for which nobody waits: what stands behind one on its channel goes on being let through, and they are
//! counted until they have come on every channel.
//!
//! As in Flink's at-least-once mode, a state then holds what was in front of all barriers, and more. Here rows are let
//! through by their places, and sources are cut at one place, so more of it comes from tasks that write their state some
//! time after the last barrier only, each when it gets round to it.

use super::{Channel, Element, Gate};
use crate::seeded::seeded;

impl Gate {
    /// Takes marks that stand at the front of their channels; answers the checkpoint when that was the last.
    pub(super) fn take_marks(&mut self) -> Option<u64> {
        let mut last = None;
        for c in 0..self.channels.len() {
            while let Some(checkpoint) = self.channels[c].take_mark() {
                // A checkpoint that came to nothing leaves its own behind.
                if checkpoint > self.marks.0 {
                    self.marks = (checkpoint, 0);
                }
                self.marks.1 += usize::from(checkpoint == self.marks.0);
                let first = seeded("the-first-mark-is-enough");
                if self.marks.1 == self.channels.len() || first {
                    last = Some(std::mem::take(&mut self.marks).0);
                }
            }
        }
        last
    }

    /// Whether a snapshot can hold all that waits here: rows, and no barrier of any kind.
    pub fn holds_rows_only(&self) -> bool {
        let mut waits = self.channels.iter().flat_map(|channel| &channel.queue);
        self.marks.1 == 0 && waits.all(|element| matches!(element, Element::Batch(_)))
    }

    /// Whether nothing waits here.
    pub fn is_empty(&self) -> bool {
        self.channels.iter().all(|channel| channel.queue.is_empty())
    }

    /// Whether a mark is the next thing of a channel.
    pub(super) fn is_at_a_mark(&self) -> bool {
        self.channels.iter().any(|channel| matches!(channel.queue.front(), Some(Element::Mark(_))))
    }
}

impl Channel {
    fn take_mark(&mut self) -> Option<u64> {
        let mark = self.queue.pop_front_if(|element| matches!(element, Element::Mark(_)))?;
        let Element::Mark(checkpoint) = mark else { unreachable!("it has been looked at") };
        Some(checkpoint)
    }
}
