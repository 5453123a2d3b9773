//! A snapshot in another's place.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::disk::Mishap;
use crate::trace::Event;

/// `snapshot-misdirected`
pub const KIND: Kind = Kind {
    name: "snapshot-misdirected",
    target: Target::Nothing,
    lasts: None,
    means: "The next snapshot is written over the one before it, and nobody is told.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.mishap(Mishap::Misdirected);
}
