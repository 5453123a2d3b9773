//! A source that cannot keep up.

use super::{FOR_EVER, Kind, PLAIN, Target};
use crate::source::inlet::Delay;

/// `source-slow`
pub const KIND: Kind = Kind {
    name: "source-slow",
    target: Target::Partition,
    step: Some(("every", 1_000_000)),
    lasts: Some(FOR_EVER),
    means: "Records of a partition, or of all of a source's, arrive with so much time between them at least, until the \
            end or for a while. What is left then arrives at its end.",
    delay: Some(|aim| Delay::Slow(aim.step)),
    ..PLAIN
};
