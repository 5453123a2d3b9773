//! A source that is silent.

use super::{Kind, PLAIN, Target};
use crate::source::inlet::Delay;

/// `source-stall`
pub const KIND: Kind = Kind {
    name: "source-stall",
    target: Target::Partition,
    lasts: Some(10_000_000),
    means: "A partition, or a whole source, delivers nothing for a while. What would have arrived arrives at the end.",
    delay: Some(|_| Delay::Stall),
    ..PLAIN
};
