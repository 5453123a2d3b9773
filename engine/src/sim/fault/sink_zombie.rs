//! A writer taken for dead.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::outside::Hindrance;
use crate::trace::Event;

/// `sink-zombie`
pub const KIND: Kind = Kind {
    name: "sink-zombie",
    target: Target::Sink,
    lasts: None,
    means: "The next write of the sink hangs, its task is taken for dead, and the write arrives when the job is running again.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.hinder(aim.number, Hindrance::Zombie);
}
