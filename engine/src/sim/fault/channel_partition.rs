//! A channel cut in two.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::link::Disturbance;
use crate::trace::Event;

/// `partition`
pub const KIND: Kind = Kind {
    name: "partition",
    target: Target::Channel,
    lasts: Some(3_000_000),
    means: "Nothing comes through the channel for a while; then all of it does, in order.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.disturb(aim.number, Disturbance::Cut { until: sim.now().after(aim.lasts).0 });
}
