//! The coordinator dies.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `crash coordinator`
pub const KIND: Kind = Kind {
    name: "crash coordinator",
    target: Target::Nothing,
    lasts: None,
    means: "The coordinator dies and the job with it; a snapshot that is being written is written all the same, but nobody is told.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, trace: &mut Vec<Event>) {
    sim.crash_coordinator(trace);
}
