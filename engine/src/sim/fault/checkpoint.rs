//! A checkpoint out of turn: no fault, but what faults are placed around.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `checkpoint`
pub const KIND: Kind = Kind {
    name: "checkpoint",
    target: Target::Nothing,
    means: "A checkpoint begins, unless one is under way or the job is down or makes none.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.ask_for_checkpoint();
}
