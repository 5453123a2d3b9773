//! The engine's inner loops over plain slices: what is done once a record.
//!
//! They stand in a crate of their own because `engine.wasm` is built for size and these are not: each is a
//! function that is called once a batch and never inlined into code built for size. Nothing here
//! knows what a stream is.

mod index;
mod rows;
mod words;

pub use index::{IntIndex, NONE};
pub use rows::{MISSING, Spread, at_least, gather_i64, record_highs};
pub use words::{
    count_rows, fill, gather_words, largest, merge_largest, merge_runs, merge_smallest, merge_sums,
    smallest, sum_i64,
};
