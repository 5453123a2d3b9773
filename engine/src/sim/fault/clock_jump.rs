//! A clock that leaps ahead.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `clock-jump`
pub const KIND: Kind = Kind {
    name: "clock-jump",
    target: Target::Nothing,
    step: Some(("by", 3_600_000_000)),
    means: "The clock of the machine leaps ahead, never back: timers that were to end in between end now, and records \
            that have arrived in between are there.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.now = sim.now.after(aim.step);
}
