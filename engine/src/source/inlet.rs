//! The inlet: all sources of a job merged into the one order in which records arrive.

mod extra;

use std::cell::RefCell;
use std::rc::Rc;

use rkyv::{Archive, Deserialize, Serialize};

use super::arrivals::{Arrivals, Mark, Names};
use super::{Bad, Chunk, Input};
use crate::batch::NO_CLOCK;
use crate::error::{Diagnostic, Result};
use crate::time::VirtualTime;
use crate::watermark::Clock;

/// How many records are decoded at a time.
const READ_ROWS: usize = 8192;

/// Where a job has got to in its input: what a snapshot keeps of it.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Position {
    /// The last place in the stream given out.
    pub seq: u64,
    /// How many records of all sources have arrived, malformed ones among them.
    pub records: u64,
    /// What the stream's clock said last.
    pub clock: i64,
    /// Per partition, all sources in a row.
    pub partitions: Vec<PartitionPosition>,
}

/// Where one partition has got to.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct PartitionPosition {
    /// The offset of the next record.
    pub offset: u64,
    /// When the last record arrived.
    pub last_arrival: u64,
    /// Whether it has been called idle since.
    pub idle: bool,
    /// Whether its end has been told.
    pub finished: bool,
}

/// The decoded records of one partition, shared by every run that reads it.
struct Log {
    reader: Box<dyn super::Reader>,
    chunks: Vec<Option<Rc<Chunk>>>,
    ended: bool,
}

/// All sources of a job. Cloning gives a second reader of the same records.
#[derive(Clone)]
pub struct Inlet {
    partitions: Vec<Partition>,
    names: Names,
    position: Position,
    start: u64,
    idle_timeout: Option<u64>,
    clock: Clock,
    retain: bool,
}

#[derive(Clone)]
struct Partition {
    source: usize,
    number: u16,
    log: Rc<RefCell<Log>>,
    /// Chunk, row and bad record that come next.
    chunk: usize,
    row: usize,
    bad: usize,
    shift: u64,
}

/// What comes next in a partition, and when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Next {
    Idle,
    Bad,
    Row,
}

impl Inlet {
    /// The inputs of each source. With `retain`, records stay in memory so that the job can go back.
    ///
    /// # Errors
    /// When the first records cannot be read.
    pub fn new(sources: Vec<Vec<Input>>, idle_timeout: Option<u64>, retain: bool) -> Result<Inlet> {
        let mut partitions = Vec::new();
        let mut relative = Vec::new();
        let mut names = Vec::new();
        for (source, inputs) in sources.into_iter().enumerate() {
            for input in inputs {
                relative.push(input.reader.relative());
                names.push((source, input.partition, input.name));
                let log = Log { reader: input.reader, chunks: Vec::new(), ended: false };
                partitions.push(Partition {
                    source,
                    number: input.partition,
                    log: Rc::new(RefCell::new(log)),
                    chunk: 0,
                    row: 0,
                    bad: 0,
                    shift: 0,
                });
            }
        }
        let position = Position {
            seq: 0,
            records: 0,
            clock: NO_CLOCK,
            partitions: partitions
                .iter()
                .map(|_| PartitionPosition {
                    offset: 0,
                    last_arrival: 0,
                    idle: false,
                    finished: false,
                })
                .collect(),
        };
        let names = Names(names.into());
        let mut inlet = Inlet {
            partitions,
            names,
            position,
            start: 0,
            idle_timeout,
            clock: Clock::None,
            retain,
        };
        let mut start = u64::MAX;
        for (i, relative) in relative.iter().enumerate() {
            if !relative && let Some((at, _)) = inlet.partitions[i].peek()? {
                start = start.min(at);
            }
        }
        inlet.start = if start == u64::MAX { 0 } else { start };
        for (i, relative) in relative.into_iter().enumerate() {
            inlet.partitions[i].shift = if relative { inlet.start } else { 0 };
            inlet.position.partitions[i].last_arrival = inlet.start;
        }
        Ok(inlet)
    }

    /// When the job starts: the first arrival that is a time in the data, else 1970.
    pub fn start(&self) -> VirtualTime {
        VirtualTime(self.start)
    }

    /// The same with a clock: between records it is told what time it is.
    #[must_use]
    pub fn ticking(self, clock: Clock) -> Inlet {
        Inlet { clock, ..self }
    }

    /// Where the job has got to.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The position before the first record.
    pub fn beginning(&self) -> Position {
        let partitions = self.position.partitions.iter().map(|_| PartitionPosition {
            offset: 0,
            last_arrival: self.start,
            idle: false,
            finished: false,
        });
        Position { seq: 0, records: 0, clock: NO_CLOCK, partitions: partitions.collect() }
    }

    /// The partitions of a source.
    pub fn partitions_of(&self, source: usize) -> impl Iterator<Item = u16> + '_ {
        self.partitions.iter().filter(move |p| p.source == source).map(|p| p.number)
    }

    /// The partition's position among all, for a source's partition.
    pub fn place(&self, source: usize, partition: u16) -> Option<usize> {
        self.partitions.iter().position(|p| p.source == source && p.number == partition)
    }

    /// Goes back, or forward, to an earlier position.
    ///
    /// # Errors
    /// When the position is of another input.
    pub fn seek(&mut self, to: &Position) -> Result<()> {
        if to.partitions.len() != self.partitions.len() {
            return Err(crate::operator::wrong_state("the sources"));
        }
        self.position = to.clone();
        for (partition, to) in self.partitions.iter_mut().zip(&to.partitions) {
            partition.seek(to.offset, self.retain)?;
        }
        Ok(())
    }

    /// When the next thing happens; `None` at the end of all input.
    ///
    /// # Errors
    /// When the next record is malformed.
    pub fn peek(&mut self) -> Result<Option<VirtualTime>> {
        Ok(self.first()?.map(|(at, ..)| VirtualTime(at)))
    }

    /// The next thing to happen: time, kind, partition.
    fn first(&mut self) -> Result<Option<(u64, Next, usize)>> {
        let mut best: Option<(u64, Next, usize)> = None;
        for i in 0..self.partitions.len() {
            let position = &self.position.partitions[i];
            if position.finished {
                continue;
            }
            let next = self.partitions[i].peek()?;
            let deadline = self.idle_timeout.filter(|_| !position.idle);
            let deadline = deadline.map(|d| position.last_arrival.saturating_add(d));
            let candidate = match (next, deadline) {
                (Some((at, _)), Some(d)) if d <= at => Some((d, Next::Idle, i)),
                (Some((at, kind)), _) => Some((at, kind, i)),
                // An empty partition ends at once.
                (None, _) => Some((self.start, Next::Row, i)),
            };
            best = match (best, candidate) {
                (Some(b), Some(c)) if c.0 < b.0 => Some(c),
                (None, c) => c,
                (b, _) => b,
            };
        }
        Ok(best)
    }

    /// The next arrivals at one source: at most `max_rows`, and none after `until`.
    ///
    /// # Errors
    /// When a record is malformed and the table does not say to leave such records out.
    pub fn next(
        &mut self,
        max_rows: usize,
        until: Option<VirtualTime>,
    ) -> Result<Option<Arrivals>> {
        let Some((_, _, first)) = self.first()? else { return Ok(None) };
        let source = self.partitions[first].source;
        let mut a = Arrivals::new(source, self.names.clone());
        while a.rows() < max_rows {
            let next = match self.first() {
                // What came before a malformed record is delivered first.
                Err(e) if a.is_empty() => return Err(e),
                Err(_) | Ok(None) => break,
                Ok(Some(next)) => next,
            };
            let (at, _, i) = next;
            if self.partitions[i].source != source
                || (!a.is_empty() && until.is_some_and(|u| at > u.0))
            {
                break;
            }
            self.take(next, max_rows - a.rows(), until, &mut a);
        }
        a.finish();
        a.upto = self.position.seq;
        Ok(Some(a))
    }

    /// The next arrivals at all sources, at most `max_rows` together: one for each source, in the order of
    /// the sources. All of them come up to the same place in the stream; empty at the end.
    ///
    /// # Errors
    /// As [`Inlet::next`].
    pub fn round(&mut self, max_rows: usize) -> Result<Vec<Arrivals>> {
        let sources = self.partitions.iter().map(|p| p.source + 1).max().unwrap_or(0);
        if sources < 2 {
            return Ok(self.next(max_rows, None)?.into_iter().collect());
        }
        let mut all: Vec<Arrivals> =
            (0..sources).map(|source| Arrivals::new(source, self.names.clone())).collect();
        let mut rows = 0;
        while rows < max_rows {
            let next = match self.first() {
                Err(e) if all.iter().all(Arrivals::is_empty) => return Err(e),
                Err(_) | Ok(None) => break,
                Ok(Some(next)) => next,
            };
            let a = &mut all[self.partitions[next.2].source];
            let before = a.rows();
            self.take(next, max_rows - rows, None, a);
            rows += a.rows() - before;
        }
        if all.iter().all(Arrivals::is_empty) {
            return Ok(Vec::new());
        }
        for a in &mut all {
            a.finish();
            a.upto = self.position.seq;
        }
        Ok(all)
    }

    /// Takes what comes next in a partition: a mark, or at most `max_rows` rows.
    fn take(
        &mut self,
        (at, kind, i): (u64, Next, usize),
        max_rows: usize,
        until: Option<VirtualTime>,
        a: &mut Arrivals,
    ) {
        a.at = VirtualTime(at.max(a.at.0));
        let rows = a.rows() as u32;
        let now = self.clock.at(VirtualTime(at), self.position.records);
        if now > self.position.clock {
            self.position.clock = now;
            self.position.seq += 1;
            a.marks.push((rows, self.position.seq, Mark::Tick(now)));
        }
        let number = self.partitions[i].number;
        match kind {
            Next::Idle => {
                self.position.partitions[i].idle = true;
                self.position.seq += 1;
                a.marks.push((rows, self.position.seq, Mark::Idle(number)));
            }
            Next::Bad => {
                let bad = self.partitions[i].take_bad(self.retain);
                self.arrived(i, at, bad.offset, 1);
                a.marks.push((rows, self.position.seq, Mark::Bad(number, bad)));
            }
            Next::Row => self.take_rows(i, max_rows, until, a),
        }
        if let Ok(None) = self.partitions[i].peek() {
            self.position.partitions[i].finished = true;
            self.position.seq += 1;
            let rows = a.rows() as u32;
            a.marks.push((rows, self.position.seq, Mark::Finished(number)));
        }
    }

    fn arrived(&mut self, i: usize, at: u64, offset: u64, records: u64) {
        self.position.records += records;
        let p = &mut self.position.partitions[i];
        p.last_arrival = at;
        p.idle = false;
        p.offset = offset + 1;
    }

    /// Takes rows of one partition as long as nothing else comes before them.
    fn take_rows(
        &mut self,
        i: usize,
        max_rows: usize,
        until: Option<VirtualTime>,
        a: &mut Arrivals,
    ) {
        let alone = self.partitions.len() == 1 && self.idle_timeout.is_none();
        let Some(chunk) = self.partitions[i].current() else { return };
        let (from, shift) = (self.partitions[i].row, self.partitions[i].shift);
        let limit = if alone { max_rows } else { 1 };
        let bad_at = chunk.bad.get(self.partitions[i].bad).map_or(chunk.rows, |b| b.before_row);
        let mut to = bad_at.min(from + limit);
        if let Some(until) = until {
            let before = |row: &usize| chunk.arrivals.at(*row).saturating_add(shift) <= until.0;
            to = to.min(from + 1 + (from + 1..to).take_while(before).count());
        }
        if self.clock != Clock::None {
            // Up to the next tick.
            let first = self.position.records;
            let same = |(i, row): &(u64, usize)| {
                let arrival = VirtualTime(chunk.arrivals.at(*row).saturating_add(shift));
                self.clock.at(arrival, first + i) <= self.position.clock
            };
            to = from + (0..).zip(from..to).take_while(same).count();
        }
        if to > from {
            let (arrival, offset) = (chunk.arrivals.at(to - 1), chunk.offsets.at(to - 1));
            let arrival = arrival.saturating_add(shift);
            a.at = VirtualTime(arrival.max(a.at.0));
            a.push(chunk, (from, to), self.partitions[i].number, self.position.seq + 1);
            self.position.seq += (to - from) as u64;
            self.arrived(i, arrival, offset, (to - from) as u64);
        }
        self.partitions[i].row = to;
        self.partitions[i].settle(self.retain);
    }
}

impl Partition {
    fn current(&self) -> Option<Rc<Chunk>> {
        self.log.borrow().chunks.get(self.chunk).cloned().flatten()
    }

    /// Moves past chunks that are used up.
    fn settle(&mut self, retain: bool) {
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
    fn peek(&mut self) -> Result<Option<(u64, Next)>> {
        self.settle(true);
        while self.chunk >= self.log.borrow().chunks.len() {
            let mut log = self.log.borrow_mut();
            if log.ended {
                return Ok(None);
            }
            match log.reader.read(READ_ROWS)? {
                Some(chunk) => log.chunks.push(Some(Rc::new(chunk))),
                None => log.ended = true,
            }
            drop(log);
            self.settle(true);
        }
        let chunk = self.current().expect("a chunk that is not used up is kept");
        Ok(Some(match chunk.bad.get(self.bad).filter(|b| b.before_row <= self.row) {
            Some(bad) => (bad.arrival.saturating_add(self.shift), Next::Bad),
            None => (chunk.arrivals.at(self.row).saturating_add(self.shift), Next::Row),
        }))
    }

    fn take_bad(&mut self, retain: bool) -> Bad {
        let chunk = self.current().expect("peeked");
        self.bad += 1;
        let bad = chunk.bad[self.bad - 1].clone();
        self.settle(retain);
        bad
    }

    /// Goes to the record of that offset; all before it must be there to be passed.
    fn seek(&mut self, offset: u64, retain: bool) -> Result<()> {
        (self.chunk, self.row, self.bad) = (0, 0, 0);
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
