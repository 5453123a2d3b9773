//! Joins: two buffers by key and event time, freed by the watermark.

mod bounds;
mod buffers;
mod guest;
mod interval;
mod rings;
mod rows;
#[cfg(test)]
mod tests;

pub use bounds::Bounds;
pub use guest::GuestJoin;
pub use interval::IntervalJoin;
