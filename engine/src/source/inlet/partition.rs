//! One partition of a job's input: decoded records, and where its reader stands.

use std::cell::RefCell;
use std::rc::Rc;

use super::befall::Befallen;
use super::storm::Storms;
use crate::error::{Diagnostic, Result};
use crate::source::arrivals::Moved;
use crate::source::{Bad, Chunk, Reader};

/// How many records are decoded at a time.
const READ_ROWS: usize = 8192;

/// The decoded records of one partition, shared by every run that reads it.
pub(super) struct Log {
    pub(super) reader: Box<dyn Reader>,
    pub(super) chunks: Vec<Option<Rc<Chunk>>>,
    pub(super) ended: bool,
}

impl Log {
    /// One of which nothing is decoded yet.
    pub(super) fn new(reader: Box<dyn Reader>) -> Log {
        Log { reader, chunks: Vec::new(), ended: false }
    }

    /// Decodes a chunk more; false at the end.
    pub(super) fn fill(&mut self) -> Result<bool> {
        match self.reader.read(READ_ROWS)? {
            Some(chunk) => self.chunks.push(Some(Rc::new(chunk))),
            None => self.ended = true,
        }
        Ok(!self.ended)
    }
}

#[derive(Clone)]
pub(super) struct Partition {
    pub(super) source: usize,
    pub(super) number: u16,
    pub(super) log: Rc<RefCell<Log>>,
    /// Chunk, row and bad record that come next.
    pub(super) chunk: usize,
    pub(super) row: usize,
    pub(super) bad: usize,
    /// Whether its rows come before those of all partitions that are not so.
    pub(super) first: bool,
    /// After how many microseconds of silence it is idle.
    pub(super) idle_after: Option<u64>,
    pub(super) moved: Moved,
    pub(super) befallen: Befallen,
    pub(super) storms: Storms,
}

/// What comes next in a partition, and when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Next {
    Idle,
    Bad,
    Row,
}

impl Partition {
    pub(super) fn current(&self) -> Option<Rc<Chunk>> {
        self.log.borrow().chunks.get(self.chunk).cloned().flatten()
    }

    /// Moves past chunks that are used up.
    pub(super) fn settle(&mut self, retain: bool) {
        while let Some(chunk) = self.current() {
            if self.row < chunk.rows || self.bad < chunk.bad.len() {
                break;
            }
            if !retain {
                self.log.borrow_mut().chunks[self.chunk] = None;
            }
            (self.chunk, self.row, self.bad) = (self.chunk + 1, 0, 0);
        }
    }

    /// When the next record arrives and whether it can be read; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<(u64, Next)>> {
        self.settle(true);
        while self.chunk >= self.log.borrow().chunks.len() {
            let mut log = self.log.borrow_mut();
            if log.ended {
                return Ok(None);
            }
            log.fill()?;
            drop(log);
            self.settle(true);
        }
        let chunk = self.current().expect("a chunk that is not used up is kept");
        Ok(Some(match chunk.bad.get(self.bad).filter(|b| b.before_row <= self.row) {
            Some(bad) => (self.moved.at(bad.arrival), Next::Bad),
            None => (self.moved.at(chunk.arrivals.at(self.row)), Next::Row),
        }))
    }

    /// The offset of the next record; `None` at the end.
    pub(super) fn next_offset(&mut self) -> Result<Option<u64>> {
        let Some((_, kind)) = self.peek()? else { return Ok(None) };
        let chunk = self.current().expect("peeked");
        Ok(Some(match kind {
            Next::Bad => chunk.bad[self.bad].offset,
            _ => chunk.offsets.at(self.row),
        }))
    }

    /// Moves past the next record, which was peeked at.
    pub(super) fn pass(&mut self) {
        match self.peek() {
            Ok(Some((_, Next::Bad))) => self.bad += 1,
            Ok(Some(_)) => self.row += 1,
            _ => {}
        }
    }

    pub(super) fn take_bad(&mut self, retain: bool) -> Bad {
        let chunk = self.current().expect("peeked");
        self.bad += 1;
        let bad = chunk.bad[self.bad - 1].clone();
        self.settle(retain);
        bad
    }

    /// Goes to the record of that offset; all before it must be there to be passed.
    pub(super) fn seek(&mut self, offset: u64, retain: bool) -> Result<()> {
        (self.chunk, self.row, self.bad) = (0, 0, 0);
        self.befallen.sought();
        let mut passed = 0;
        while let Some((_, kind)) = self.peek()? {
            let chunk = self.current().expect("peeked");
            let last = |offsets: Option<u64>| offsets.map_or(0, |o| o.saturating_add(1));
            let end = last(chunk.offsets.last()).max(last(chunk.bad.last().map(|b| b.offset)));
            if end <= offset {
                (self.row, self.bad, passed) = (chunk.rows, chunk.bad.len(), end);
                self.settle(retain);
                continue;
            }
            let at = match kind {
                Next::Bad => chunk.bad[self.bad].offset,
                _ => chunk.offsets.at(self.row),
            };
            if at >= offset {
                return Ok(());
            }
            match kind {
                Next::Bad => self.bad += 1,
                _ => self.row += 1,
            }
        }
        if passed < offset {
            let number = self.number;
            let message = format!("partition {number} ends before record {offset}");
            return Err(Diagnostic::new("source.shorter", message).hint(
                "the input is shorter than when the snapshot was made: it cannot be continued",
            ));
        }
        Ok(())
    }
}
