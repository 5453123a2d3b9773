//! Joins: two buffers by key and event time, freed by the watermark.

mod guest;

pub use guest::GuestJoin;
