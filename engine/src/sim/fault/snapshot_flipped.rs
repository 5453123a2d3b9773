//! One flipped bit.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::disk::Mishap;
use crate::trace::Event;

/// `snapshot-flipped`
pub const KIND: Kind = Kind {
    name: "snapshot-flipped",
    target: Target::Nothing,
    lasts: None,
    means: "A bit of the next snapshot is flipped on the disk, and nobody is told.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.mishap(Mishap::Flipped);
}
