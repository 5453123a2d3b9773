//! Records that are gone although they have been read.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::trace::Event;

/// `source-regress`
pub const KIND: Kind = Kind {
    name: "source-regress",
    target: Target::Partition,
    count: Some(5),
    means: "The source loses the last records of a partition, or of all, that the job has read, and gives their offsets \
            to others. The job stops with `source.regressed`, whatever it guarantees.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, aim: Aim, _: &mut Vec<Event>) {
    sim.lose_read_records(aim);
}
