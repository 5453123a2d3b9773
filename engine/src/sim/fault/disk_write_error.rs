//! EIO on write.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::disk::Mishap;
use crate::trace::Event;

/// `write-error`
pub const KIND: Kind = Kind {
    name: "write-error",
    target: Target::Nothing,
    lasts: None,
    means: "The next snapshot's write fails.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.mishap(Mishap::WriteError);
}
