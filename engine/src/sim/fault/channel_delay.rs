//! A slow channel.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::link::Disturbance;
use crate::trace::Event;

/// `delay`
pub const KIND: Kind = Kind {
    name: "delay",
    target: Target::Channel,
    lasts: Some(3_000_000),
    means: "Each element of the channel takes half a second longer for a while; order is kept.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.disturb(aim.number, Disturbance::Slow { until: sim.now().after(aim.lasts).0 });
}
