//! What the operators of a task hold, asked of them in the middle of a run.

use super::Task;
use crate::batch::{Batch, NO_CLOCK, RowKind, Seq, Stair};
use crate::error::Result;
use crate::key::hash_bytes;
use crate::operator::{Contents, Operator, Output};
use crate::schema::SchemaRef;
use crate::time::EventTime;
use crate::trace::What;

/// What an operator has let go of at the end of all input.
pub struct LetGo {
    /// Windows that have fired, rows that joins have freed.
    pub events: Vec<What>,
    /// The bytes of what it still holds.
    pub left: usize,
}

impl Task {
    /// What each operator holds, by the hash of its state.
    pub fn states(&self) -> Vec<u64> {
        self.operators.iter().map(|operator| hash_bytes(&operator.fork().snapshot())).collect()
    }

    /// What an operator of the chain holds, given what its rows look like: see [`Operator::contents`].
    ///
    /// # Errors
    /// What stops an operator that is asked what it would say.
    pub fn contents(&mut self, operator: usize, input: &SchemaRef) -> Result<Vec<Contents>> {
        if let Some(contents) = self.operators[operator].contents() {
            return Ok(contents);
        }
        let (_, out) = self.ended(operator, input, Output::default())?;
        let stays = |said: &Batch| {
            let kind = |row: u32| said.kind(row as usize);
            let rows = (0..said.rows as u32)
                .filter(|&row| matches!(kind(row), RowKind::Insert | RowKind::UpdateAfter));
            let rows = said.gather(&rows.collect::<Vec<_>>());
            Batch { kinds: None, stairs: Vec::new(), ..rows }
        };
        let said: Vec<Batch> = out.batches.iter().map(stays).collect();
        let open =
            (!said.is_empty()).then(|| Contents { part: "open", rows: Batch::concat(&said) });
        Ok(open.into_iter().collect())
    }

    /// How many rows an operator of the chain holds: see [`Operator::rows_held`].
    pub fn rows_held(&self, operator: usize) -> Option<u64> {
        self.operators[operator].rows_held()
    }

    /// What an operator of the chain would let go of if all input ended now, and what it would hold then.
    ///
    /// # Errors
    /// What stops it.
    pub fn would_let_go(&self, operator: usize, input: &SchemaRef) -> Result<LetGo> {
        let out = Output { trace: Some(Vec::new()), ..Output::default() };
        let (mut ended, out) = self.ended(operator, input, out)?;
        Ok(LetGo { events: out.trace.unwrap_or_default(), left: ended.snapshot().len() })
    }

    /// A copy of an operator behind the end of all input, and what it has said.
    fn ended(
        &self,
        operator: usize,
        input: &SchemaRef,
        mut out: Output,
    ) -> Result<(Box<dyn Operator>, Output)> {
        let seq = Seq::MAX / 2;
        let end = Stair { row: 0, watermark: EventTime::MAX, seq, idle: false, clock: NO_CLOCK };
        let mut copy = self.operators[operator].fork();
        copy.process(0, Batch::progress(input.clone(), vec![end], seq), &mut out)?;
        Ok((copy, out))
    }
}
