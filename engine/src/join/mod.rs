//! Joins: two buffers by key; those of joins within an interval of event time are freed by the watermark.

mod bounds;
mod buffers;
mod guest;
mod interval;
mod places;
mod regular;
mod rings;
mod rows;
#[cfg(test)]
mod tests;
mod window;

pub use bounds::Bounds;
pub use guest::GuestJoin;
pub use interval::IntervalJoin;
pub use regular::{JoinKind, RegularJoin};
pub use window::WindowJoin;
