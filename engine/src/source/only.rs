//! Some of a partition's records, as if the others had never been.

use std::collections::BTreeSet;

use super::{Chunk, Detached, Reader};
use crate::column::take;
use crate::error::Result;

/// Reads on, leaving out every record whose offset is not among the kept.
pub struct Only {
    inner: Box<dyn Reader>,
    kept: BTreeSet<u64>,
}

impl Only {
    /// The records of `inner` at these offsets.
    pub fn new(inner: Box<dyn Reader>, kept: BTreeSet<u64>) -> Only {
        Only { inner, kept }
    }
}

impl Reader for Only {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        let Some(chunk) = self.inner.read(max_rows)? else { return Ok(None) };
        let rows = 0..chunk.rows as u32;
        let rows: Vec<u32> =
            rows.filter(|&row| self.kept.contains(&chunk.offsets.at(row as usize))).collect();
        Ok(Some(Chunk {
            columns: chunk.columns.iter().map(|c| take(c, &rows)).collect(),
            rows: rows.len(),
            offsets: chunk.offsets.gather(&rows),
            lines: chunk.lines.gather(&rows),
            arrivals: chunk.arrivals.gather(&rows),
            bad: Vec::new(),
        }))
    }

    fn relative(&self) -> bool {
        self.inner.relative()
    }

    fn detach(self: Box<Self>) -> Detached {
        Err(self)
    }
}
