//! EIO on read.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `read-error`
pub const KIND: Kind = Kind {
    name: "read-error",
    target: Target::Nothing,
    means: "The next snapshot that a recovery reads cannot be read; it takes the one before. Later it can be read again.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.fail_a_read();
}
