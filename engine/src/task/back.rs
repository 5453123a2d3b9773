//! State given back at any moment, to show that it is all there is.

use super::gate::{Gate, GateState, put_held};
use super::{Head, Task};
use crate::error::Result;
use crate::operator::wrong_state;
use crate::snapshot::bytes::Reader;
use crate::{archive, unarchive};

impl Task {
    /// Has a source, or every operator and the gate in front of them, write its state and a fresh one take it, as a
    /// recovery does: operators where all that the gate has let through is of complete places, since only there is state
    /// written, the gate with the rows that wait there, unless a barrier does. `fresh`: the task as it was built. How many
    /// of them have state, a gate counting when something waits.
    ///
    /// # Errors
    /// When one does not take the state of its like, or writes another afterwards.
    pub fn take_back(&mut self, fresh: &Task) -> Result<u64> {
        let mut with_state = match (&mut self.head, &fresh.head) {
            (Head::Source(source), Head::Source(new)) => {
                let (bytes, mut new) = (source.snapshot(), new.clone());
                new.restore(&bytes)?;
                if new.snapshot() != bytes {
                    return Err(wrong_state(&self.name));
                }
                *source = new;
                1
            }
            (Head::Gate(gate), Head::Gate(_)) if !gate.complete() => return Ok(0),
            (Head::Gate(gate), Head::Gate(new)) => {
                if gate.holds_rows_only() {
                    let (state, held, mut new) =
                        (archive!(&gate.state()), written(gate), new.clone());
                    let taken = new.restore(unarchive!(GateState, &state)?);
                    let mut reader = Reader::new(&held);
                    new.hold(&mut reader)?;
                    let other = archive!(&new.state()) != state || written(&new) != held;
                    if !taken || reader.left() > 0 || other {
                        return Err(wrong_state(&self.name));
                    }
                    let waits = u64::from(!gate.is_empty());
                    *gate = new;
                    waits
                } else {
                    0
                }
            }
            _ => return Ok(0),
        };
        for (operator, fresh) in self.operators.iter_mut().zip(&fresh.operators) {
            let (bytes, mut new) = (operator.snapshot(), fresh.fork());
            new.restore(&bytes)?;
            if new.snapshot() != bytes {
                return Err(wrong_state(&self.name));
            }
            with_state += u64::from(!bytes.is_empty());
            *operator = new;
        }
        Ok(with_state)
    }
}

/// What waits in a gate, as a snapshot has it.
fn written(gate: &Gate) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_held(&mut bytes, &gate.held());
    bytes
}
