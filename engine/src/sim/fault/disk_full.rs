//! ENOSPC.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::disk::Mishap;
use crate::trace::Event;

/// `disk-full`
pub const KIND: Kind = Kind {
    name: "disk-full",
    target: Target::Nothing,
    lasts: None,
    means: "There is no room for the next snapshot: its write fails.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.mishap(Mishap::Full);
}
