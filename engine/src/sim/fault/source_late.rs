//! A storm of late data.
//!
//! Records that were held up on their way to the log stand in it behind those that were not. Offsets are of the log, so a job can
//! still say where it has got to.

use super::{Kind, PLAIN, Target};
use crate::source::inlet::Delay;

/// `source-late`
pub const KIND: Kind = Kind {
    name: "source-late",
    target: Target::Partition,
    step: Some(("by", 30_000_000)),
    lasts: Some(5_000_000),
    means: "A storm of late data: what would arrive from a partition, or from a whole source, within a while arrives later by \
            so much, behind all that has come in the meantime.",
    delay: Some(|aim| Delay::Late(aim.step)),
    ..PLAIN
};
