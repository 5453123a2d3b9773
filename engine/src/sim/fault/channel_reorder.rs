//! An element that is overtaken.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::link::Disturbance;
use crate::trace::Event;

/// `reorder`
pub const KIND: Kind = Kind {
    name: "reorder",
    target: Target::Channel,
    lasts: None,
    means: "The next element of the channel is overtaken by those behind it, which wait for it.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.disturb(aim.number, Disturbance::Reorder);
}
