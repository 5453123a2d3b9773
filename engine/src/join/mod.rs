//! Joins: two buffers by key and event time, freed by the watermark.

mod guest;
mod interval;
mod rings;
mod rows;

pub use guest::GuestJoin;
pub use interval::{Bounds, IntervalJoin};
