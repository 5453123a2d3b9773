//! What is known of a partition: which rows of it wait, and which stand in the frame of the last one said.

use std::collections::VecDeque;

use super::Frame;

/// One partition.
#[derive(Clone, Default)]
pub(super) struct Partition {
    /// How many of its rows wait for the watermark.
    pub(super) waiting: u32,
    /// The rows in the frame of the last row that was said, that one included, by time and number; only of
    /// frames that rows leave.
    pub(super) frame: VecDeque<(i64, u64)>,
    /// The numbers of the last rows that were said, as far back as LAG looks.
    pub(super) before: VecDeque<u64>,
    /// Whether a moment is entered at which it may be forgotten.
    pub(super) entered: bool,
}

impl Partition {
    /// The time of the row that was said last, as long as that is known.
    pub(super) fn last(&self) -> Option<i64> {
        self.frame.back().map(|(time, _)| *time)
    }

    /// A row is said: those that its frame does not reach leave first.
    pub(super) fn say(&mut self, frame: Frame, row: (i64, u64), left: &mut Vec<u64>) {
        let leaving = match frame {
            Frame::Rows(Some(before)) => {
                let before = usize::try_from(before).unwrap_or(usize::MAX);
                self.frame.len().saturating_sub(before)
            }
            Frame::Range(Some(before)) => {
                let from = row.0.saturating_sub(before);
                self.frame.iter().take_while(|(time, _)| *time < from).count()
            }
            Frame::Rows(None) | Frame::Range(None) => return,
        };
        left.extend(self.frame.drain(..leaving).map(|(_, number)| number));
        self.frame.push_back(row);
    }

    /// The moment from which on no row before this one is in the frame of one that is not behind the
    /// watermark; `None` when there is no such moment.
    pub(super) fn forgets(&self, frame: Frame) -> Option<i64> {
        match frame {
            Frame::Range(Some(before)) => {
                Some(self.last()?.saturating_add(before).saturating_add(1))
            }
            _ => None,
        }
    }
}
