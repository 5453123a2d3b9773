//! OVER: for each row, aggregates of the rows that stand before it by event time and of itself, and single
//! values of rows before it.

mod aggregate;
mod lag;
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

/// `LAG`: a column of the row so many places before in the partition, whatever the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The column of the input.
    pub column: usize,
    /// How many places; 0 is the row itself.
    pub offset: u64,
    /// The column of the row itself that stands in where there is no such row; `None` is NULL.
    pub default: Option<usize>,
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
    /// The values of rows before.
    pub lags: Vec<Lag>,
    /// The columns of the input that are handed on; behind them stand the results of the aggregates, then
    /// those of LAG.
    pub columns: Vec<usize>,
}
