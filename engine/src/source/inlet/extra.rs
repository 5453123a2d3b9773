//! Records that are not in the input, for those who ask what one more would do.

use std::rc::Rc;

use super::Inlet;
use crate::numbers::Numbers;
use crate::source::Chunk;
use crate::source::arrivals::{Arrivals, Moved};
use crate::time::VirtualTime;

impl Inlet {
    /// A record of the partition as a chunk of one row: the one read last, else the first of its source
    /// that has been decoded.
    pub fn example(&self, source: usize, partition: u16) -> Option<Chunk> {
        let own = |p: &&super::Partition| p.source == source && p.number == partition;
        let own = self.partitions.iter().filter(own);
        let others = self.partitions.iter().filter(|p| p.source == source);
        own.chain(others).find_map(|p| {
            let log = p.log.borrow();
            let read = log.chunks.iter().take(p.chunk + 1).enumerate().rev();
            let last = read.filter_map(|(i, chunk)| {
                let chunk = chunk.as_ref()?;
                let rows = if i == p.chunk { p.row } else { chunk.rows };
                Some(one_row(chunk, rows.checked_sub(1)?))
            });
            let first = || log.chunks.iter().flatten().find(|c| c.rows > 0);
            last.into_iter().next().or_else(|| first().map(|chunk| one_row(chunk, 0)))
        })
    }

    /// The record as an arrival behind all that have been.
    pub fn extra(
        &mut self,
        source: usize,
        partition: u16,
        record: Chunk,
        at: VirtualTime,
    ) -> Arrivals {
        self.position.seq += 1;
        let mut arrivals = Arrivals::new(source, self.names.clone());
        arrivals.at = at;
        let record = Rc::new(record);
        arrivals.push(record, (0, 1), (partition, self.position.seq), Moved::To(at.0));
        arrivals.finish();
        arrivals.upto = self.position.seq;
        arrivals
    }
}

fn one_row(chunk: &Chunk, row: usize) -> Chunk {
    Chunk {
        columns: chunk.columns.iter().map(|c| c.slice(row, 1)).collect(),
        rows: 1,
        offsets: Numbers::run(chunk.offsets.at(row), 1),
        lines: Numbers::run(0, 1),
        arrivals: Numbers::run(chunk.arrivals.at(row), 1),
        bad: Vec::new(),
    }
}
