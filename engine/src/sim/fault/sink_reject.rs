//! A write that is refused.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::outside::Hindrance;
use crate::trace::Event;

/// `sink-reject`
pub const KIND: Kind = Kind {
    name: "sink-reject",
    target: Target::Sink,
    lasts: None,
    means: "The next write of the sink is refused; it is tried again after half a second, except under at-most-once.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.hinder(aim.number, Hindrance::Rejected);
}
