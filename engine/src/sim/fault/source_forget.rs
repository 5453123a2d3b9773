//! Records that sources no longer have.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `forget`
pub const KIND: Kind = Kind {
    name: "forget",
    target: Target::Nothing,
    lasts: None,
    means: "The sources throw away what no kept checkpoint needs; whoever has to go back further cannot.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.forget();
}
