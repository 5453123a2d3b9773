//! An element delivered twice.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::link::Disturbance;
use crate::trace::Event;

/// `duplicate`
pub const KIND: Kind = Kind {
    name: "duplicate",
    target: Target::Channel,
    lasts: None,
    means: "The next element of the channel comes twice; the second time it is thrown away.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.disturb(aim.number, Disturbance::Duplicate);
}
