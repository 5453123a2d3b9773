//! A write that never happens.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::disk::Mishap;
use crate::trace::Event;

/// `snapshot-lost`
pub const KIND: Kind = Kind {
    name: "snapshot-lost",
    target: Target::Nothing,
    lasts: None,
    means: "The next snapshot never comes to the disk, and nobody is told.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.mishap(Mishap::Lost);
}
