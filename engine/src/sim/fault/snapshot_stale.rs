//! An old snapshot in a new one's place.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::disk::Mishap;
use crate::trace::Event;

/// `snapshot-stale`
pub const KIND: Kind = Kind {
    name: "snapshot-stale",
    target: Target::Nothing,
    lasts: None,
    means: "Under the next snapshot's name stands what the one before it held, and nobody is told.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.mishap(Mishap::Stale);
}
