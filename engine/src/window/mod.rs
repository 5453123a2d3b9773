//! Windows: rows of a key gathered by event time, fired when the watermark closes them.
//!
//! A window `[start, end)` fires when the watermark reaches `end - 1` ms, before any later record is
//! looked at. A record is late when every window it belongs to has fired.

mod aligned;
mod guest;
mod merge;
mod panes;
mod part;
mod session;
mod timers;

pub use aligned::AlignedAggregate;
pub use guest::GuestWindow;
pub(crate) use guest::note_calls;
pub use merge::{MergeAggregate, Merging};
pub use part::{ELSEWHERE, HandOver, PartAggregate, TURN, Turns, closes_at};
pub use session::SessionAggregate;

use arrow_array::ArrayRef;

use crate::batch::{Batch, Seq};
use crate::column::timestamps;
use crate::key;
use crate::numbers::Numbers;
use crate::schema::{DataType, SchemaRef};
use crate::time::{Alignment, EventTime};
use crate::trace::What;
use crate::value::Value;

/// A window without its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowSpec {
    /// Tumbling and hopping windows.
    Aligned(Alignment),
    /// Rows of a key no more than `gap` apart, milliseconds.
    Session {
        /// The gap in milliseconds, positive.
        gap: i64,
    },
}

/// Whether a window that ends at `end` has fired under `watermark`.
pub fn closed(end: i64, watermark: EventTime) -> bool {
    end.saturating_sub(1) <= watermark.0
}

/// One fired window of one key, before it becomes a row.
struct Fired {
    group: u32,
    key: Vec<Value>,
    start: i64,
    end: i64,
}

impl Fired {
    /// The one order in which results of one moment leave: key group, window, key.
    fn order(&self, other: &Fired) -> std::cmp::Ordering {
        (self.group, self.end, self.start)
            .cmp(&(other.group, other.end, other.start))
            .then_with(|| key::encode(&self.key).cmp(&key::encode(&other.key)))
    }
}

/// The columns `window_start`, `window_end`, `window_time` of fired windows.
fn bounds(windows: impl Iterator<Item = (i64, i64)> + Clone, time: DataType) -> Vec<ArrayRef> {
    vec![
        timestamps(windows.clone().map(|w| w.0).collect(), DataType::Timestamp),
        timestamps(windows.clone().map(|w| w.1).collect(), DataType::Timestamp),
        timestamps(windows.map(|w| w.1.saturating_sub(1)).collect(), time),
    ]
}

/// The type of `window_time`: the event-time column's.
fn window_time_type(output: &SchemaRef, keys: usize) -> DataType {
    output.fields[keys + 2].data_type
}

/// The event of a late record.
fn late(
    batch: &Batch,
    row: usize,
    time: i64,
    watermark: EventTime,
    window: (i64, i64),
    key: &[Value],
) -> What {
    What::Late {
        seq: batch.seqs.at(row),
        event_time: time,
        watermark: watermark.0,
        start: window.0,
        end: window.1,
        key: key::text(key),
        row: batch.row_text(row),
    }
}

/// The same place in the stream for every row of a result.
fn seqs(seq: Seq, rows: usize) -> Numbers {
    Numbers::same(seq, rows)
}
