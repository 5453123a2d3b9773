//! What is going to happen in a simulation, and who does it.

use super::Sim;
use super::fault::Fault;
use super::outside::Write;
use crate::error::Result;
use crate::task::Element;
use crate::trace::Event;

/// Something that is going to happen.
#[derive(Clone)]
pub(super) enum Upcoming {
    /// The next record arrives.
    Source,
    /// An element reaches the end of its channel; its number there.
    Deliver(u16, u64, Element),
    /// A barrier reaches the end of its channel, ahead of what is on it; its checkpoint.
    Overtaken(u16, u64),
    /// A task gets round to writing its state for a checkpoint whose barriers nobody has waited for.
    GetsRound(u16, u64),
    /// It is time for a checkpoint.
    CheckpointTimer,
    /// Somebody asks for a checkpoint.
    Checkpoint,
    /// It is looked again whether a checkpoint can be handed to the store.
    HandOver(u64),
    /// The store has written and verified a checkpoint.
    Stored(u64),
    /// The sinks hear that a checkpoint is complete.
    Notify(u64),
    /// A fault strikes.
    Fault(Fault),
    /// The job is started again.
    Restart,
    /// A sink's write is tried again.
    Write(usize),
    /// A write of an earlier life arrives.
    Zombie(Write),
}

impl Sim {
    pub(super) fn happen(&mut self, upcoming: Upcoming, trace: &mut Vec<Event>) -> Result<()> {
        match upcoming {
            Upcoming::Source => self.arrive(trace),
            Upcoming::Deliver(channel, number, element) => {
                self.arrived(channel, number, element, trace)
            }
            Upcoming::Overtaken(channel, checkpoint) => self.overtaken(channel, checkpoint, trace),
            Upcoming::GetsRound(task, checkpoint) => self.gets_round(task, checkpoint, trace),
            Upcoming::Checkpoint => self.checkpoint_asked(trace),
            Upcoming::CheckpointTimer => self.checkpoint_due(trace),
            Upcoming::HandOver(checkpoint) => {
                self.hand_over(checkpoint, trace);
                Ok(())
            }
            Upcoming::Stored(checkpoint) => {
                self.stored(checkpoint, trace);
                Ok(())
            }
            Upcoming::Notify(checkpoint) => {
                self.commit(checkpoint, trace);
                Ok(())
            }
            Upcoming::Fault(fault) => {
                self.strike(&fault, trace);
                Ok(())
            }
            Upcoming::Restart => self.restart(trace),
            Upcoming::Write(sink) => {
                self.write_again(sink, trace);
                Ok(())
            }
            Upcoming::Zombie(write) => {
                self.apply(write, trace);
                Ok(())
            }
        }
    }
}
