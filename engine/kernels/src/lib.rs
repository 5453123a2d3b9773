//! The engine's inner loops over plain slices: what is done once a record.
//!
//! Each is a function that is called once a batch, so that a profile names it. Nothing here knows what a
//! stream is.

mod bytes;
mod index;
mod routes;
mod rows;
mod words;

pub use bytes::{copy_short, same_bytes};
pub use index::{IntIndex, NONE};
pub use routes::deal;
pub use rows::{MISSING, Spread, at_least, gather_i64, record_highs, span};
pub use words::{
    count_rows, fill, gather_words, largest, merge_largest, merge_runs, merge_smallest, merge_sums,
    scatter_slots, smallest, sum_i64,
};
