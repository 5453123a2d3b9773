//! Writes that were not on the disk when power went, kept in any order.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `disk-reorder`
pub const KIND: Kind = Kind {
    name: "disk-reorder",
    target: Target::Nothing,
    lasts: Some(2_000_000),
    means: "The snapshot store loses its power between two steps of writing the next snapshot, and is away for a while. \
            Of what was not on the disk any part stays, in any order: a name, blocks, a snapshot that was thrown away.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.lose_power_writing(aim.lasts);
}
