//! A lost element.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::link::Disturbance;
use crate::trace::Event;

/// `drop`
pub const KIND: Kind = Kind {
    name: "drop",
    target: Target::Channel,
    lasts: None,
    means: "The next element of the channel is lost; it is sent again after 200 ms, and later ones wait for it.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.disturb(aim.number, Disturbance::Drop);
}
