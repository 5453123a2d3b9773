//! Joins: two buffers by key; those of joins within an interval of event time are freed by the watermark.

mod bounds;
mod buffers;
mod condition;
mod guest;
mod interval;
mod outer;
mod places;
mod regular;
mod rings;
mod rows;
mod temporal;
#[cfg(test)]
mod tests;
mod window;

pub use bounds::Bounds;
pub use guest::GuestJoin;
pub use interval::IntervalJoin;
pub use outer::OuterIntervalJoin;
pub use regular::{JoinKind, RegularJoin};
pub use temporal::TemporalJoin;
pub use window::WindowJoin;
