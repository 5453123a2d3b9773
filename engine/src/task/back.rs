//! State given back at any moment, to show that it is all there is.

use super::gate::GateState;
use super::{Head, Task};
use crate::error::Result;
use crate::operator::wrong_state;
use crate::{archive, unarchive};

impl Task {
    /// Has every operator write its state and a fresh one take it, as a recovery does, where all that the task's gate has
    /// let through is of complete places, since only there is state written; the gate, too, when nothing waits there.
    /// `fresh`: the task as it was built. How many operators have state.
    ///
    /// # Errors
    /// When one does not take the state of its like, or writes another afterwards.
    pub fn take_back(&mut self, fresh: &Task) -> Result<u64> {
        let mut with_state = 0;
        let (Head::Gate(gate), Head::Gate(new)) = (&self.head, &fresh.head) else { return Ok(0) };
        if !gate.complete() {
            return Ok(0);
        }
        if gate.queued().iter().all(|queued| *queued == 0) {
            let mut new = new.clone();
            if !new.restore(unarchive!(GateState, &archive!(&gate.state()))?) {
                return Err(wrong_state(&self.name));
            }
            self.head = Head::Gate(new);
        }
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
