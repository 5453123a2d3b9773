//! The loops over input that comes piece by piece.

use super::hop::Hop;
use super::keys::Long;
use super::tumble::Tumble;
use super::{Columns, Timing, Totals, Workload};

/// The loop of W1 or W2, between two pieces of its input.
pub struct Fed {
    keys: Long<'static>,
    windows: Windows,
}

enum Windows {
    Tumble(Box<Tumble>),
    Hop(Box<Hop>),
}

impl Fed {
    /// The workload's loop before the first record; the others' cannot be fed.
    pub fn new(workload: Workload, timing: &Timing) -> Option<Fed> {
        let windows = match workload {
            Workload::W1 => Windows::Tumble(Box::new(Tumble::new(timing))),
            Workload::W2 => Windows::Hop(Box::new(Hop::new(timing))),
            _ => return None,
        };
        Some(Fed { keys: Long::new(&[]), windows })
    }

    /// Takes the next records.
    pub fn feed(&mut self, columns: &Columns) {
        let known = std::mem::replace(&mut self.keys, Long::new(&[]));
        let mut keys = known.over(columns.long(0));
        match &mut self.windows {
            Windows::Tumble(tumble) => tumble.feed(&mut keys, columns.long(1), columns.time(2)),
            Windows::Hop(hop) => hop.feed(&mut keys, columns.time(1)),
        }
        self.keys = keys.over(&[]);
    }

    /// What came out, after the last record.
    pub fn end(mut self) -> Totals {
        match self.windows {
            Windows::Tumble(tumble) => tumble.end(&mut self.keys),
            Windows::Hop(hop) => hop.end(&mut self.keys),
        }
    }
}
