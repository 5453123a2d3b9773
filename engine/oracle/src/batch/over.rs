//! OVER: every frame anew from all rows that have left.

use super::{Groups, Item, Late, Log, Row, answer, count, key};
use crate::parts::{Call, Frame};

/// One partition: rows that wait for the watermark, and those that have left, in the order in which they did.
#[derive(Default)]
struct Partition {
    waiting: Vec<Row>,
    left: Vec<Row>,
}

impl Partition {
    /// The rows in the frame of the one that left as number `at`.
    fn frame(&self, frame: Frame, at: usize) -> Vec<Row> {
        let time = self.left[at].time;
        let since = |from: i64| {
            let near = self.left.iter().filter(|row| (from..=time).contains(&row.time));
            near.cloned().collect()
        };
        match frame {
            Frame::Rows(None) => self.left[..=at].to_vec(),
            Frame::Rows(Some(before)) => {
                self.left[at.saturating_sub(before as usize)..=at].to_vec()
            }
            Frame::Range(None) => since(i64::MIN),
            Frame::Range(Some(before)) => since(time - before),
        }
    }
}

/// Each row with aggregates of its frame; it leaves when the watermark moves on and has reached it.
pub(super) fn over(
    log: Log,
    keys: &[usize],
    (frame, calls): (Frame, &[Call]),
    late_rows: &Late,
) -> Log {
    let (mut made, mut now) = (Log::new(), i64::MIN);
    let mut all = Groups::<Partition>::new();
    for (seq, item) in log {
        match item {
            Item::Row(row) => {
                let own = all.entry(key(&row, keys)).or_default();
                // A frame that ends is asked of what its own partition has said, others of the watermark.
                let late = match frame {
                    Frame::Rows(None) | Frame::Range(None) => row.time <= now,
                    _ => own.left.iter().any(|other| row.time <= other.time),
                };
                match late {
                    true => count(late_rows, 1),
                    false => own.waiting.push(row),
                }
            }
            Item::Mark(mark) => {
                now = mark;
                for own in all.values_mut() {
                    let (mut due, rest): (Vec<Row>, _) =
                        own.waiting.drain(..).partition(|row| row.time <= mark);
                    due.sort_by_key(|row| row.time);
                    own.waiting = rest;
                    let before = own.left.len();
                    own.left.extend(due);
                    for at in before..own.left.len() {
                        let row = own.left[at].clone();
                        let cells = answer(row.cells, &own.frame(frame, at), calls);
                        made.push((seq, Item::Row(Row { cells, window: (0, 0), ..row })));
                    }
                    // Once no row to come can have one of them in its frame, the partition is as a new one.
                    let last = own.left.last().map(|row| row.time);
                    if let (Frame::Range(Some(before)), Some(last)) = (frame, last)
                        && own.waiting.is_empty()
                        && last + before < mark
                    {
                        own.left.clear();
                    }
                }
                made.push((seq, Item::Mark(mark)));
            }
        }
    }
    made
}
