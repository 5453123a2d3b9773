//! A storm of late data: records that arrive when others of their partition that were behind them are there already.
//!
//! It rages between those who make records and the log from which the job reads. What is late is appended to the log later,
//! behind what has come in the meantime and under another offset; so a replay has the same order again, and a job still
//! knows by one offset how far it is.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::befall::Spell;
use super::partition::{Log, Next, Partition};
use crate::column::interleave;
use crate::error::Result;
use crate::source::arrivals::Moved;
use crate::source::{Bad, Chunk, Detached, Reader};

/// Records that would arrive in a while arrive later, all in microseconds as the reader counts them.
#[derive(Clone, Copy)]
struct Late {
    from: u64,
    until: u64,
    by: u64,
}

/// What has struck a partition, and its log before that.
#[derive(Clone, Default)]
pub(super) struct Storms {
    calm: Option<Rc<RefCell<Log>>>,
    late: Vec<Late>,
    origins: Rc<RefCell<BTreeMap<u64, u64>>>,
}

impl Storms {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.late.len()
    }

    /// Where a record that has been read stands in the calm log.
    pub(super) fn calm_offset(&self, offset: u64) -> u64 {
        self.origins.borrow().get(&offset).copied().unwrap_or(offset)
    }
}

impl Partition {
    /// Makes records late that would arrive while the spell lasts. What has been read must lie before it.
    ///
    /// # Errors
    /// When what has been read cannot be read again.
    pub(super) fn storm(&mut self, spell: Spell, by: u64, read: u64) -> Result<()> {
        let Moved::By(moved) = self.moved else { return Ok(()) };
        let own = |at: u64| at.saturating_sub(moved);
        self.storms.late.push(Late { from: own(spell.from), until: own(spell.until), by });
        let calm = self.storms.calm.get_or_insert_with(|| Rc::clone(&self.log));
        let reader = Delayed {
            calm: Rc::clone(calm),
            late: self.storms.late.clone(),
            next: 0,
            offsets: VecDeque::new(),
            waiting: BTreeMap::new(),
            read: 0,
            origins: Rc::default(),
        };
        self.storms.origins = Rc::clone(&reader.origins);
        self.log = Rc::new(RefCell::new(Log::new(Box::new(reader))));
        self.seek(read, true)
    }

    /// Has the log and the storms of another reader of the same records, before the first has been read.
    pub(super) fn storm_as(&mut self, other: &Partition) {
        (self.log, self.storms) = (Rc::clone(&other.log), other.storms.clone());
        (self.chunk, self.row, self.bad) = (0, 0, 0);
    }

    /// Forgets its storms: what a planted fault does.
    pub(super) fn calm_down(&mut self) {
        if let Some(calm) = std::mem::take(&mut self.storms).calm {
            self.log = calm;
        }
    }
}

/// A record of the calm log: its chunk, whether it can be read, and its number among those.
type Record = (Rc<Chunk>, Next, usize);

/// Reads a log in the order in which its records arrive when some are late.
struct Delayed {
    calm: Rc<RefCell<Log>>,
    late: Vec<Late>,
    /// The chunk of the calm log that is read next.
    next: usize,
    /// Offsets of records read there, not given yet: the first of all has the first of them.
    offsets: VecDeque<u64>,
    /// Records read there, by their arrival and their place in that log.
    waiting: BTreeMap<(u64, u64), Record>,
    /// How many records have been read there.
    read: u64,
    /// The offsets there of those that stand elsewhere here, by the ones here.
    origins: Rc<RefCell<BTreeMap<u64, u64>>>,
}

impl Delayed {
    /// Takes a chunk of the calm log in; when its last record would have arrived, `None`: it has ended.
    fn take_in(&mut self) -> Result<Option<u64>> {
        let mut log = self.calm.borrow_mut();
        while log.chunks.len() <= self.next && log.fill()? {}
        let Some(chunk) = log.chunks.get(self.next) else { return Ok(None) };
        let chunk = Rc::clone(chunk.as_ref().expect("what may be read again is kept"));
        drop(log);
        self.next += 1;
        let mut calm = 0;
        let mut bad = chunk.bad.iter().enumerate().peekable();
        for row in 0..=chunk.rows {
            while let Some((number, record)) = bad.next_if(|(_, bad)| bad.before_row <= row) {
                calm = record.arrival;
                self.await_turn(
                    record.arrival,
                    record.offset,
                    (Rc::clone(&chunk), Next::Bad, number),
                );
            }
            if row < chunk.rows {
                calm = chunk.arrivals.at(row);
                self.await_turn(calm, chunk.offsets.at(row), (Rc::clone(&chunk), Next::Row, row));
            }
        }
        Ok(Some(calm))
    }

    fn await_turn(&mut self, calm: u64, offset: u64, record: Record) {
        let struck = self.late.iter().filter(|late| (late.from..late.until).contains(&calm));
        let at = struck.fold(calm, |at, late| at.saturating_add(late.by));
        self.offsets.push_back(offset);
        self.waiting.insert((at, self.read), record);
        self.read += 1;
    }

    /// Those that arrive up to a time: nothing comes before them any more.
    fn up_to(&mut self, time: u64) -> Option<Chunk> {
        let rest = match time.checked_add(1) {
            Some(behind) => self.waiting.split_off(&(behind, 0)),
            None => BTreeMap::new(),
        };
        let all = std::mem::replace(&mut self.waiting, rest);
        let mut chunks: Vec<Rc<Chunk>> = Vec::new();
        let (mut rows, mut lines, mut offsets, mut arrivals) = (vec![], vec![], vec![], vec![]);
        let mut bad = Vec::new();
        for ((arrival, _), (chunk, kind, number)) in all {
            let offset = self.offsets.pop_front().expect("each record has one");
            let origin = match kind {
                Next::Bad => chunk.bad[number].offset,
                _ => chunk.offsets.at(number),
            };
            if origin != offset {
                self.origins.borrow_mut().insert(offset, origin);
            }
            if kind == Next::Bad {
                let before_row = rows.len();
                bad.push(Bad { before_row, offset, arrival, ..chunk.bad[number].clone() });
                continue;
            }
            let known = chunks.iter().position(|known| Rc::ptr_eq(known, &chunk));
            lines.push(chunk.lines.at(number));
            let place = known.unwrap_or(chunks.len());
            if known.is_none() {
                chunks.push(chunk);
            }
            rows.push((place as u32, number as u32));
            offsets.push(offset);
            arrivals.push(arrival);
        }
        if rows.is_empty() && bad.is_empty() {
            return None;
        }
        let width = chunks.first().map_or(0, |chunk| chunk.columns.len());
        let column = |c: usize| {
            interleave(&chunks.iter().map(|chunk| &chunk.columns[c]).collect::<Vec<_>>(), &rows)
        };
        Some(Chunk {
            columns: (0..width).map(column).collect(),
            rows: rows.len(),
            offsets: offsets.into(),
            lines: lines.into(),
            arrivals: arrivals.into(),
            bad,
        })
    }
}

impl Reader for Delayed {
    fn read(&mut self, _: usize) -> Result<Option<Chunk>> {
        loop {
            let Some(calm) = self.take_in()? else { return Ok(self.up_to(u64::MAX)) };
            if let Some(chunk) = self.up_to(calm) {
                return Ok(Some(chunk));
            }
        }
    }

    fn relative(&self) -> bool {
        self.calm.borrow().reader.relative()
    }

    fn detach(self: Box<Self>) -> Detached {
        Err(self)
    }
}
