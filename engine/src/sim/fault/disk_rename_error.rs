//! EIO on rename.

use super::{Aim, Kind, PLAIN, Target};
use crate::sim::Sim;
use crate::sim::disk::Mishap;
use crate::trace::Event;

/// `rename-error`
pub const KIND: Kind = Kind {
    name: "rename-error",
    target: Target::Nothing,
    lasts: None,
    means: "The next snapshot cannot be given its name.",
    strike,
    ..PLAIN
};

fn strike(sim: &mut Sim, _: Aim, _: &mut Vec<Event>) {
    sim.disks.mishap(Mishap::RenameError);
}
