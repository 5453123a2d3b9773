//! A guest that traps.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::ward::Illness;
use crate::trace::Event;

/// `guest-trap`
pub const KIND: Kind = Kind {
    name: "guest-trap",
    target: Target::Task,
    means: "The guests of a task trap in the work on one element: the task dies, and its guests are well again.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.fall_ill(aim.number, Illness::Trap);
}
