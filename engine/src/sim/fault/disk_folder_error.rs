//! EIO on the fsync of a folder.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::disk::Mishap;
use crate::trace::Event;

/// `folder-fsync-error`
pub const KIND: Kind = Kind {
    name: "folder-fsync-error",
    target: Target::Nothing,
    lasts: None,
    means: "The next snapshot has its name, but the fsync of its folder fails: it counts as not written.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.mishap(Mishap::FolderError);
}
