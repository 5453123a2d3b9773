//! Half a snapshot.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::disk::Mishap;
use crate::trace::Event;

/// `snapshot-torn`
pub const KIND: Kind = Kind {
    name: "snapshot-torn",
    target: Target::Nothing,
    lasts: None,
    means: "Only half of the next snapshot comes to the disk, and nobody is told.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.mishap(Mishap::Torn);
}
