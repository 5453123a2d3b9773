//! UNION ALL: the rows of several inputs as one stream.

use crate::batch::Batch;
use crate::error::Result;
use crate::key::KeyGroups;
use crate::operator::{Merged, Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::Pieces;

/// Rows in the one order of the stream; those of one place by input. Its watermark is the least of its
/// inputs'. It holds nothing.
#[derive(Clone)]
pub struct Union {
    name: String,
    output: SchemaRef,
}

impl Union {
    /// Of inputs whose columns are of the types of `output`.
    pub fn new(name: &str, output: &SchemaRef) -> Union {
        Union { name: name.to_owned(), output: output.clone() }
    }
}

impl Operator for Union {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        out.batches.push(Batch { schema: self.output.clone(), ..batch });
        Ok(())
    }

    fn process_merged(&mut self, merged: Merged, out: &mut Output) -> Result<()> {
        let batch = merged.into_batch(&self.output);
        out.batches.push(Batch { schema: self.output.clone(), ..batch });
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        Vec::new().into()
    }

    fn empty(&mut self) {}

    fn absorb(&mut self, bytes: &[u8], _: KeyGroups) -> Result<()> {
        if bytes.is_empty() { Ok(()) } else { Err(wrong_state(&self.name)) }
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
