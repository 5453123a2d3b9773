//! A write whose answer is lost.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::outside::Hindrance;
use crate::trace::Event;

/// `sink-timeout`
pub const KIND: Kind = Kind {
    name: "sink-timeout",
    target: Target::Sink,
    lasts: None,
    means: "The next write of the sink is applied, but its answer is lost: it is tried again, except under at-most-once.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.hinder(aim.number, Hindrance::TimedOut);
}
