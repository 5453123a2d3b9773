//! Records that are late.
//!
//! A partition's records arrive in the order of their offsets, or a job could not say where it has got to. So what
//! lies behind a late record in its partition waits for it, and only other partitions go on: with an idle timeout
//! they take the watermark along, and then records are late that would not have been.

use super::{Kind, PLAIN, Target};
use crate::source::inlet::Delay;

/// `source-late`
pub const KIND: Kind = Kind {
    name: "source-late",
    target: Target::Partition,
    step: Some(("by", 30_000_000)),
    lasts: Some(5_000_000),
    means: "What would arrive from a partition, or from a whole source, within a while arrives later by so much. What \
            lies behind it in the same partition waits for it.",
    delay: Some(|aim| Delay::Late(aim.step)),
    ..PLAIN
};
