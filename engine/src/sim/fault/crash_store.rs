//! The machine of the snapshot store loses its power.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `crash store`
pub const KIND: Kind = Kind {
    name: "crash store",
    target: Target::Nothing,
    lasts: Some(2_000_000),
    means: "The snapshot store loses its power: what was not on the disk is gone, and it is away for a while.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, trace: &mut Vec<Event>) {
    sim.crash_store(aim.lasts, trace);
}
