//! Records that come again.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `source-redeliver`
pub const KIND: Kind = Kind {
    name: "source-redeliver",
    target: Target::Partition,
    count: Some(5),
    means: "The source hands the last records of a partition, or of all, out once more. Offsets tell them: they are \
            thrown away.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.hand_out_again(aim);
}
