//! A stream that need not be in memory at once: made piece by piece, off the clock.

use std::cell::Cell;
use std::rc::Rc;

use highwater_engine::error::Result;
use highwater_engine::source::{Chunk, Detached, Reader};

use super::super::clock::{Began, Clock};
use super::super::ground::native::chunk;
use super::super::ground::stream::Stream;
use super::super::ground::{Columns, Workload};

/// Bids made together: 24 MB of W1, far more than any cache holds, so that a short stream is read from memory
/// as a long one is.
const PIECE: u64 = 1 << 20;

/// Time that is no part of what is measured.
#[derive(Clone, Default)]
pub(super) struct Spent(Rc<Cell<Clock>>);

impl Spent {
    fn during<T>(&self, run: impl FnOnce() -> T) -> T {
        let began = Began::now();
        let done = run();
        let (took, sofar) = (began.took(), self.0.get());
        self.0.set(Clock { wall: sofar.wall + took.wall, cpu: sofar.cpu + took.cpu });
        done
    }

    /// What of a time is left without it.
    pub fn out_of(&self, all: Clock) -> Clock {
        let spent = self.0.get();
        // The system counts in steps of its own: a tiny run may seem to take nothing.
        let left = |all: f64, spent: f64| (all - spent).max(1e-9);
        Clock { wall: left(all.wall, spent.wall), cpu: left(all.cpu, spent.cpu) }
    }
}

/// The bids of a stream from one on.
#[derive(Clone)]
pub(super) struct Supply {
    workload: Workload,
    stream: Stream,
    records: u64,
    /// How many have been made.
    made: u64,
    piece: Option<Columns>,
    spent: Spent,
}

impl Supply {
    pub fn new(workload: Workload, stream: Stream, records: u64) -> Supply {
        Supply { workload, stream, records, made: 0, piece: None, spent: Spent::default() }
    }

    /// The time spent on making its bids, also those its readers read.
    pub fn spent(&self) -> Spent {
        self.spent.clone()
    }

    /// The next piece, in the place of the last one.
    pub fn piece(&mut self) -> Option<&Columns> {
        let upto = self.records.min(self.made + PIECE);
        let bids = self.made..upto;
        let (workload, stream, piece) = (self.workload, self.stream, &mut self.piece);
        self.spent.during(|| {
            // Freed first, so that one is in memory at a time.
            *piece = None;
            if !bids.is_empty() {
                *piece = Some(workload.input_of(&stream, bids));
            }
        });
        self.made = upto;
        self.piece.as_ref()
    }

    /// A reader of the whole stream for the engine.
    pub fn reader(&self) -> Box<dyn Reader> {
        let supply = Supply { made: 0, piece: None, ..self.clone() };
        Box::new(Pieces { supply, next: 0 })
    }
}

struct Pieces {
    supply: Supply,
    /// The row of the piece that comes next.
    next: usize,
}

impl Reader for Pieces {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        let rows = self.supply.piece.as_ref().map_or(0, Columns::rows);
        if self.next == rows {
            self.next = 0;
            self.supply.piece();
        }
        let Some(piece) = &self.supply.piece else { return Ok(None) };
        let rows = max_rows.min(piece.rows() - self.next);
        let columns = piece.arrays.iter().map(|a| a.slice(self.next, rows)).collect();
        let number = self.supply.made - (piece.rows() - self.next) as u64;
        self.next += rows;
        Ok(Some(chunk(columns, number)))
    }

    fn detach(self: Box<Self>) -> Detached {
        Err(self)
    }

    fn relative(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_stream_one_after_the_other() {
        let records = PIECE + 5_000;
        let mut supply = Supply::new(Workload::W1, Stream::PUBLISHED, records);
        let whole = Workload::W1.input(records);
        let mut reader = supply.reader();
        let (mut prices, mut numbers) = (Vec::new(), Vec::new());
        while let Some(chunk) = reader.read(8_192).expect("reads") {
            prices.extend_from_slice(Columns { arrays: chunk.columns }.long(1));
            numbers.push(chunk.offsets.at(0));
        }
        assert_eq!(prices, whole.long(1));
        assert_eq!((numbers[1], *numbers.last().expect("some")), (8_192, PIECE));
        let mut times = Vec::new();
        while let Some(piece) = supply.piece() {
            times.extend_from_slice(piece.time(2));
        }
        assert_eq!(times, whole.time(2));
        let left = supply.spent().out_of(Clock { wall: 1e9, cpu: 1e9 });
        assert!(left.wall < 1e9 && left.cpu < 1e9);
    }
}
