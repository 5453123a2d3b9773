//! OVER: for each row, aggregates of the rows that stand before it by event time and of itself.

mod aggregate;
mod partition;
mod state;
mod step;

pub use aggregate::OverAggregate;

use crate::aggregate::AggregateCall;

/// Which rows of its partition a row's aggregates are over. The row itself is always among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The row and so many that stand right before it, by time and, of one time, by arrival. `None`: all
    /// before it.
    Rows(Option<u64>),
    /// The rows from so many milliseconds before the row on, up to all of its own time. `None`: from the
    /// first one on.
    Range(Option<i64>),
}

impl Frame {
    /// Whether rows leave it again.
    pub fn is_bounded(self) -> bool {
        matches!(self, Frame::Rows(Some(_)) | Frame::Range(Some(_)))
    }
}

/// Aggregates over a frame for each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverSpec {
    /// The columns of the input that make up a partition; none: all rows are one.
    pub keys: Vec<usize>,
    /// The event-time column, by which rows stand in their partition.
    pub time: usize,
    /// Which rows the aggregates are over.
    pub frame: Frame,
    /// The aggregates.
    pub aggregates: Vec<AggregateCall>,
    /// The columns of the input that are handed on; the aggregates' results stand behind them.
    pub columns: Vec<usize>,
}
