//! Windows: rows of a key gathered by event time, fired when the watermark closes them.
//!
//! A window `[start, end)` fires when the watermark reaches `end - 1` ms, before any later record is
//! looked at. A record is late when every window it belongs to has fired.

mod aligned;
mod attached;
mod cumulate;
mod emission;
mod guest;
mod late_rows;
mod merge;
mod panes;
mod part;
mod session;
mod session_rows;
mod timers;
mod trigger;
mod triggered;
mod waiting;

pub use aligned::AlignedAggregate;
pub use attached::AttachedAggregate;
pub use cumulate::CumulateAggregate;
pub use emission::{Emission, Panes};
pub use guest::GuestWindow;
pub use late_rows::LateRows;
pub use merge::{MergeAggregate, Merging};
pub use part::{ELSEWHERE, HandOver, PartAggregate, TURN, Turns, closes_at};
pub use session::SessionAggregate;
pub use session_rows::SessionRows;
pub use trigger::Trigger;
pub use triggered::TriggeredAggregate;
pub(crate) use waiting::WaitingRows;

use arrow_array::ArrayRef;

use crate::batch::{Batch, Seq};
use crate::column::timestamps;
use crate::key::{self, KeyColumns, KeyOrder};
use crate::numbers::Numbers;
use crate::schema::{DataType, Field, SchemaRef};
use crate::time::{Alignment, Cumulation, EventTime};
use crate::trace::What;
use crate::value::Value;

/// A window without its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowSpec {
    /// Tumbling and hopping windows.
    Aligned(Alignment),
    /// Windows that begin together and end one after the other.
    Cumulate(Cumulation),
    /// Rows of a key no more than `gap` apart, milliseconds.
    Session {
        /// The gap in milliseconds, positive.
        gap: i64,
    },
    /// The window that stands in a row: one that was assigned or aggregated before.
    Attached {
        /// The columns of its start and end.
        bounds: [usize; 2],
    },
}

/// A column that says which window a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowBound {
    /// `window_start`: the first millisecond.
    Start,
    /// `window_end`: the first millisecond after it.
    End,
    /// `window_time`: the last millisecond, the event time of what follows.
    Time,
    /// What is known of the pane that a row is.
    Pane(PaneColumn),
}

/// What a row says of its pane, one firing of a window among several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaneColumn {
    /// `PANE_TIMING()`: EARLY, ON_TIME or LATE, against the watermark.
    Timing,
    /// `PANE_INDEX()`: how many the window has said before.
    Index,
    /// `PANE_ON_TIME_INDEX()`: how many of those were not early; NULL of an early one.
    OnTimeIndex,
    /// `PANE_IS_FIRST()`
    First,
    /// `PANE_IS_LAST()`: the window says nothing more.
    Last,
}

impl PaneColumn {
    /// All of them, with the functions that ask for them, in the order in which they stand in a row.
    pub const ALL: [(&str, PaneColumn); 5] = [
        ("PANE_TIMING", PaneColumn::Timing),
        ("PANE_INDEX", PaneColumn::Index),
        ("PANE_ON_TIME_INDEX", PaneColumn::OnTimeIndex),
        ("PANE_IS_FIRST", PaneColumn::First),
        ("PANE_IS_LAST", PaneColumn::Last),
    ];

    /// The column that holds it.
    pub fn field(self) -> Field {
        let (name, data_type) = match self {
            PaneColumn::Timing => ("pane_timing", DataType::String),
            PaneColumn::Index => ("pane_index", DataType::BigInt),
            PaneColumn::OnTimeIndex => ("pane_on_time_index", DataType::BigInt),
            PaneColumn::First => ("pane_is_first", DataType::Boolean),
            PaneColumn::Last => ("pane_is_last", DataType::Boolean),
        };
        Field { nullable: self == PaneColumn::OnTimeIndex, ..Field::new(name, data_type) }
    }
}

impl WindowBound {
    /// Those every window has, in the order in which they stand in a row.
    pub const ALL: [WindowBound; 3] = [WindowBound::Start, WindowBound::End, WindowBound::Time];
}

/// Whether a window that ends at `end` has fired under `watermark`.
pub fn closed(end: i64, watermark: EventTime) -> bool {
    end.saturating_sub(1) <= watermark.0
}

/// The columns that say which windows have fired; `output` is the schema of the rows, behind `keys` key
/// columns.
fn bound_columns(
    windows: impl Iterator<Item = (i64, i64)> + Clone,
    bounds: &[WindowBound],
    (output, keys): (&SchemaRef, usize),
) -> Vec<ArrayRef> {
    let column = |(bound, field): (&WindowBound, &Field)| {
        let windows = windows.clone();
        let times = match bound {
            WindowBound::Start => windows.map(|w| w.0).collect(),
            WindowBound::End => windows.map(|w| w.1).collect(),
            WindowBound::Time => windows.map(|w| w.1.saturating_sub(1)).collect(),
            WindowBound::Pane(_) => unreachable!("no time: whoever says panes makes it"),
        };
        timestamps(times, field.data_type)
    };
    bounds.iter().zip(&output.fields[keys..]).map(column).collect()
}

/// Rows of several windows, their keys in front. By key group, then window, where an operator follows: the
/// one order that does not depend on how many subtasks share the key groups. A sink puts them in its own.
fn interleave(fired: &[Batch], keys: &KeyColumns, order: KeyOrder) -> Batch {
    let joined = Batch::concat(fired);
    if fired.len() == 1 || order == KeyOrder::Value {
        return joined;
    }
    let columns = (0..keys.types.len()).collect();
    let groups = KeyColumns { columns, types: keys.types.clone() }.groups(&joined);
    let mut order: Vec<u32> = (0..joined.rows as u32).collect();
    order.sort_by_key(|&row| groups[row as usize]);
    joined.gather(&order)
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
