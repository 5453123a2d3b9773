//! A task dies.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `crash`
pub const KIND: Kind = Kind {
    name: "crash",
    target: Target::Task,
    lasts: None,
    means: "A task dies, and with it the job, which is restarted from its newest checkpoint.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, trace: &mut Vec<Event>) {
    sim.crash(aim.number, trace);
}
