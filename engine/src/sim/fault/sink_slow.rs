//! A slow write.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::outside::Hindrance;
use crate::trace::Event;

/// `sink-slow`
pub const KIND: Kind = Kind {
    name: "sink-slow",
    target: Target::Sink,
    lasts: Some(3_000_000),
    means: "The next write of the sink takes a while; others wait behind it.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.hinder(aim.number, Hindrance::Slow(aim.lasts));
}
