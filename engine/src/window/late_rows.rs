//! The rows that windows leave out as late, as rows of their own.

use super::triggered::TriggeredAggregate;
use super::{Emission, WindowSpec};
use crate::batch::Batch;
use crate::error::Result;
use crate::key::{KeyGroups, KeyOrder};
use crate::operator::{Operator, Output};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::Pieces;

/// Hands on the rows that an aggregation over the same windows leaves out. It keeps windows without aggregates
/// and forgets what they would say, so that both agree whatever the windows are.
#[derive(Clone)]
pub struct LateRows {
    windows: TriggeredAggregate,
}

impl LateRows {
    /// The rows of `input` that are late for windows of `spec` over the column `time` and the key columns.
    pub fn new(
        name: &str,
        window: (WindowSpec, &Emission),
        time: usize,
        keys: &[usize],
        input: &SchemaRef,
    ) -> LateRows {
        let keys = (keys, KeyOrder::Group);
        let windows = TriggeredAggregate::new(name, window, time, keys, (&[], &[]), (input, input));
        LateRows { windows }
    }
}

impl Operator for LateRows {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let late = self.windows.late_of(&batch)?;
        out.batches.push(late);
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.windows.save()
    }

    fn empty(&mut self) {
        self.windows.empty();
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        self.windows.absorb(bytes, own)
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
