//! A guest that never comes back.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::ward::Illness;
use crate::trace::Event;

/// `guest-loop`
pub const KIND: Kind = Kind {
    name: "guest-loop",
    target: Target::Task,
    means: "The guests of a task run until their fuel is gone, in the work on one element: the task dies, and its guests are well again.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.fall_ill(aim.number, Illness::Loop);
}
