//! The inlet: all sources of a job merged into the one order in which records arrive.

mod align;
mod befall;
mod extra;
mod partition;
mod storm;

use std::cell::RefCell;
use std::rc::Rc;

use rkyv::{Archive, Deserialize, Serialize};

use self::align::Aligned;
use self::befall::Befallen;
use self::partition::{Log, Next, Partition};
use self::storm::Storms;
use super::Input;
use super::arrivals::{Arrivals, Mark, Moved, Names};
use crate::batch::NO_CLOCK;
use crate::error::Result;
use crate::seeded::seeded;
use crate::time::VirtualTime;
use crate::watermark::Clock;

pub use self::befall::{Delay, Spell, Thrown};

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
    /// The greatest watermark its records have proposed, where somebody waits for it; milliseconds.
    pub ahead: i64,
}

/// All sources of a job. Cloning gives a second reader of the same records.
#[derive(Clone)]
pub struct Inlet {
    partitions: Vec<Partition>,
    names: Names,
    position: Position,
    start: u64,
    clock: Clock,
    /// By source.
    aligned: Vec<Option<Aligned>>,
    /// Not told yet.
    thrown: Vec<Thrown>,
    retain: bool,
}

impl Inlet {
    /// The inputs of each source. With `retain`, records stay in memory so that the job can go back.
    ///
    /// # Errors
    /// When the first records cannot be read.
    pub fn new(sources: Vec<Vec<Input>>, retain: bool) -> Result<Inlet> {
        let mut partitions = Vec::new();
        let mut relative = Vec::new();
        let mut names = Vec::new();
        for (source, inputs) in sources.into_iter().enumerate() {
            for input in inputs {
                relative.push(input.reader.relative());
                names.push((source, input.partition, input.name));
                let log = Log::new(input.reader);
                let first = input.first;
                partitions.push(Partition {
                    source,
                    number: input.partition,
                    log: Rc::new(RefCell::new(log)),
                    chunk: 0,
                    row: 0,
                    bad: 0,
                    first,
                    idle_after: None,
                    moved: Moved::By(0),
                    befallen: Befallen::default(),
                    storms: Storms::default(),
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
                    ahead: i64::MIN,
                })
                .collect(),
        };
        let names = Names(names.into());
        let mut inlet = Inlet {
            partitions,
            names,
            position,
            start: 0,
            clock: Clock::None,
            aligned: Vec::new(),
            thrown: Vec::new(),
            retain,
        };
        let mut start = u64::MAX;
        for (i, relative) in relative.iter().enumerate() {
            let counts = !relative && !inlet.partitions[i].first;
            if counts && let Some((at, _)) = inlet.partitions[i].peek()? {
                start = start.min(at);
            }
        }
        inlet.start = if start == u64::MAX { 0 } else { start };
        for (i, relative) in relative.into_iter().enumerate() {
            inlet.partitions[i].moved = match inlet.partitions[i].first {
                true => Moved::To(inlet.start),
                false => Moved::By(if relative { inlet.start } else { 0 }),
            };
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

    /// The same, the partitions of each source being idle after so many microseconds of silence; `None`: never.
    #[must_use]
    pub fn idling(mut self, after: &[Option<u64>]) -> Inlet {
        for partition in &mut self.partitions {
            partition.idle_after = after.get(partition.source).copied().flatten();
        }
        self
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
            ahead: i64::MIN,
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
    /// When the position is of another input, or behind the end of one that has become shorter.
    pub fn seek(&mut self, to: &Position) -> Result<()> {
        if to.partitions.len() != self.partitions.len() {
            return Err(crate::operator::wrong_state("the sources"));
        }
        self.reach_to(to)?;
        self.position = to.clone();
        for (partition, to) in self.partitions.iter_mut().zip(&to.partitions) {
            partition.seek(to.offset, self.retain)?;
        }
        if seeded("a-replay-knows-of-no-delay") {
            self.partitions.iter_mut().for_each(|p| p.befallen.undelay());
        }
        if seeded("a-replay-knows-of-no-storm") {
            self.partitions.iter_mut().for_each(Partition::calm_down);
        }
        if seeded("a-replay-forgets-the-last-arrival") {
            self.position.partitions.iter_mut().for_each(|p| p.last_arrival = self.start);
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
        // When, and when it would have been without delays: what has been held up comes in the order in which it was.
        let mut best: Option<((u64, u64), Next, usize)> = None;
        let mut all = self.partitions.iter().zip(&self.position.partitions);
        let loading = all.any(|(partition, position)| partition.first && !position.finished);
        let held = if self.aligns() { self.held() } else { Vec::new() };
        for i in 0..self.partitions.len() {
            let position = &self.position.partitions[i];
            let waits = loading && !self.partitions[i].first;
            if position.finished || waits || held.get(i).is_some_and(|&held| held) {
                continue;
            }
            self.handed_out(i)?;
            let next = self.partitions[i].peek()?.map(|(at, kind)| (self.delayed(i, at), at, kind));
            let position = &self.position.partitions[i];
            let deadline = match (self.partitions[i].idle_after, next) {
                _ if position.idle => None,
                (after, next) => {
                    let silent = after.map(|after| position.last_arrival.saturating_add(after));
                    let told = next.and_then(|(at, ..)| self.falls_idle(i, at));
                    silent.into_iter().chain(told).min()
                }
            };
            let candidate = match (next, deadline) {
                (Some((at, ..)), Some(d)) if d <= at => Some(((d, d), Next::Idle, i)),
                (Some((at, own, kind)), _) => Some(((at, own), kind, i)),
                // An empty partition ends at once.
                (None, _) => Some(((self.start, self.start), Next::Row, i)),
            };
            best = match (best, candidate) {
                (Some(b), Some(c)) if c.0 < b.0 => Some(c),
                (None, c) => c,
                (b, _) => b,
            };
        }
        Ok(best.map(|((at, _), kind, i)| (at, kind, i)))
    }

    /// The next thing to happen, when nothing is missing before it.
    fn upcoming(&mut self) -> Result<Option<(u64, Next, usize)>> {
        let next = self.first()?;
        if let Some((_, Next::Row | Next::Bad, i)) = next {
            self.complete(i)?;
        }
        Ok(next)
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
            let next = match self.upcoming() {
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
            let next = match self.upcoming() {
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
            Next::Row => self.take_rows((at, i), max_rows, until, a),
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
        (at, i): (u64, usize),
        max_rows: usize,
        until: Option<VirtualTime>,
        a: &mut Arrivals,
    ) {
        let befallen = self.partitions[i].befallen.any();
        let alone =
            self.partitions.len() == 1 && self.partitions[i].idle_after.is_none() && !befallen;
        let Some(chunk) = self.partitions[i].current() else { return };
        let (from, moved) = (self.partitions[i].row, self.partitions[i].moved);
        // A row alone, then: each may have a time of its own.
        let moved = if befallen { Moved::To(at) } else { moved };
        let limit = if alone { max_rows } else { 1 };
        let bad_at = chunk.bad.get(self.partitions[i].bad).map_or(chunk.rows, |b| b.before_row);
        let mut to = bad_at.min(from + limit);
        if let Some(until) = until {
            let before = |row: &usize| moved.at(chunk.arrivals.at(*row)) <= until.0;
            to = to.min(from + 1 + (from + 1..to).take_while(before).count());
        }
        if self.clock != Clock::None {
            // Up to the next tick.
            let first = self.position.records;
            let same = |(i, row): &(u64, usize)| {
                let arrival = VirtualTime(moved.at(chunk.arrivals.at(*row)));
                self.clock.at(arrival, first + i) <= self.position.clock
            };
            to = from + (0..).zip(from..to).take_while(same).count();
        }
        if to > from {
            let (arrival, offset) = (chunk.arrivals.at(to - 1), chunk.offsets.at(to - 1));
            let arrival = moved.at(arrival);
            if self.aligns() {
                (from..to).for_each(|row| self.moved(i, &chunk, row, arrival));
            }
            a.at = VirtualTime(arrival.max(a.at.0));
            let place = (self.partitions[i].number, self.position.seq + 1);
            a.push(chunk, (from, to), place, moved);
            self.position.seq += (to - from) as u64;
            self.arrived(i, arrival, offset, (to - from) as u64);
        }
        self.partitions[i].row = to;
        self.partitions[i].settle(self.retain);
    }
}
