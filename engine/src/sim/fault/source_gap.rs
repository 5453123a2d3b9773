//! Records that never come.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `source-gap`
pub const KIND: Kind = Kind {
    name: "source-gap",
    target: Target::Partition,
    count: Some(1),
    means: "The source loses the next records of a partition, or of all. Offsets tell, and the job stops with \
            `source.gap`, whatever it guarantees.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.lose_records(aim);
}
