//! EIO on fsync.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::disk::Mishap;
use crate::trace::Event;

/// `fsync-error`
pub const KIND: Kind = Kind {
    name: "fsync-error",
    target: Target::Nothing,
    lasts: None,
    means: "The next snapshot's fsync fails: what is on the disk nobody knows.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.mishap(Mishap::FsyncError);
}
