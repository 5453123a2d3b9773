//! State given back at any moment, to show that it is all there is.

use super::gate::GateState;
use super::{Head, Task};
use crate::error::Result;
use crate::operator::wrong_state;
use crate::{archive, unarchive};

impl Task {
    /// Has a source, or every operator and the gate in front of them, write its state and a fresh one take it, as a
    /// recovery does: operators where all that the gate has let through is of complete places, since only there is state
    /// written, the gate when nothing waits there. `fresh`: the task as it was built. How many of them have state.
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
                if gate.is_at_rest() {
                    let (state, mut new) = (archive!(&gate.state()), new.clone());
                    let taken = new.restore(unarchive!(GateState, &state)?);
                    if !taken || archive!(&new.state()) != state {
                        return Err(wrong_state(&self.name));
                    }
                    *gate = new;
                }
                0
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
