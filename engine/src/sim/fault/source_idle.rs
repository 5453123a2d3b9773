//! A source that has nothing, and says so.

use super::{Kind, PLAIN, Target};
use crate::source::inlet::Delay;

/// `source-idle`
pub const KIND: Kind = Kind {
    name: "source-idle",
    target: Target::Partition,
    lasts: Some(10_000_000),
    means: "A partition, or a whole source, delivers nothing for a while and is idle from the beginning, whatever the idle \
            timeout: it holds no watermark back. What would have arrived arrives at the end.",
    delay: Some(|_| Delay::Idle),
    ..PLAIN
};
