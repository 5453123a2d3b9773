//! Pre-aggregation: a subtask sees some blocks of the stream and hands over what it has of each window
//! when the watermark closes it. Whoever merges the parts need not know which rows went where.

use std::sync::Arc;

use arrow_array::ArrayRef;

use super::WindowBound;
use super::panes::Panes;
use crate::aggregate::{AggregateCall, Part};
use crate::batch::{Batch, Seq, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::key::{KeyColumns, KeyGroups, KeyOrder};
use crate::operator::{Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::{Pieces, Reader, put, put_signed};
use crate::time::{Alignment, EventTime};

/// What [`Batch::upto`] says on steps of the watermark whose rows went to another subtask.
pub const ELSEWHERE: Seq = 0;

/// The least watermark that closes the window `open`, if there is one; any below leaves it open.
pub fn closes_at(alignment: &Alignment, open: i64) -> EventTime {
    let end = alignment.start(open.saturating_add(alignment.overlap()));
    EventTime(end.saturating_sub(1))
}

/// The most blocks that a subtask is given in a row. The more, the fewer windows lie in the blocks of
/// several; and the more of the stream is under way.
pub const TURN: u32 = 48;

/// Whose turn it is to be given a block: of one, then of two, four, and so on in a row. The first subtask's
/// turns are a little shorter: the thread that runs it has the input to read.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    subtasks: usize,
    at: usize,
    left: u32,
    length: u32,
}

impl Turns {
    /// The turns of so many subtasks.
    pub fn new(subtasks: usize) -> Turns {
        Turns { subtasks, at: 0, left: 1, length: 1 }
    }

    /// Whose block comes next.
    pub fn current(&self) -> usize {
        self.at
    }

    /// The block has been given.
    pub fn advance(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.at = (self.at + 1) % self.subtasks;
            if self.at == 0 {
                self.length = TURN.min(2 * self.length);
            }
            self.left = if self.at == 0 { self.length - self.length / 8 } else { self.length };
        }
    }

    /// Whether the next block is the first of a turn.
    pub fn begins(&self) -> bool {
        self.left == if self.at == 0 { self.length - self.length / 8 } else { self.length }
    }
}

/// What a subtask hands over after a block of the stream.
#[derive(Clone, Debug)]
pub struct HandOver {
    /// The block's steps of the watermark and its end, if it was this subtask's.
    pub(super) block: Option<(Vec<Stair>, Seq)>,
    /// What closed in it, in order.
    pub(super) closed: Vec<Closed>,
}

/// Windows that one step of the watermark closed.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    /// The step's place.
    pub seq: Seq,
    pub told: Told,
    /// Number of the window, keys by the subtask's numbers, accumulators; by number.
    pub windows: Vec<(i64, Vec<u32>, Part)>,
    /// Number and rows of windows that no other subtask has a record of; by number.
    pub whole: Vec<(i64, Batch)>,
}

/// Keys behind a subtask's numbers that have not been told before.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Whether all told before is void.
    pub afresh: bool,
    pub ids: Vec<u32>,
    pub columns: Vec<ArrayRef>,
}

/// One of several subtasks that share the windows of an aligned aggregation.
#[derive(Clone)]
pub struct PartAggregate {
    name: String,
    alignment: Alignment,
    /// The first window that has not closed.
    open: i64,
    time: usize,
    keyed: bool,
    bounds: Vec<WindowBound>,
    output: SchemaRef,
    watermark: EventTime,
    /// The first window that no block before this subtask's turn has a record of.
    alone: i64,
    panes: Panes,
    /// By key number, whether the other side knows the key.
    told: Vec<bool>,
    /// How often numbers had changed hands when it was told.
    sweeps: u64,
}

/// The first bytes of its state: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"aligpart");

impl PartAggregate {
    /// Windows over the column `time` of `input`, none of which overlap; the aggregates must
    /// [split](crate::aggregate::AggregateSet::splits). `order` is that of the rows of one window.
    pub fn new(
        name: &str,
        alignment: Alignment,
        time: usize,
        (keys, order): (&[usize], KeyOrder),
        (bounds, calls): (&[WindowBound], &[AggregateCall]),
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> PartAggregate {
        let columns = KeyColumns::new(input, keys);
        PartAggregate {
            name: name.to_owned(),
            alignment,
            open: alignment.first_open(EventTime::MIN),
            time,
            keyed: !keys.is_empty(),
            bounds: bounds.to_vec(),
            output: Arc::clone(output),
            watermark: EventTime::MIN,
            alone: i64::MAX,
            panes: Panes::new(columns, order, calls, input),
            told: Vec::new(),
            sweeps: 0,
        }
    }

    /// Blocks come to this subtask from here on. No record before has an event time after `newest`: windows
    /// that begin later, and end while its turn lasts, are its own.
    pub fn turn(&mut self, newest: i64) {
        self.alone = self.alignment.slice(newest).saturating_add(1);
    }

    /// Takes a block in, or the steps of one that went elsewhere.
    pub fn take(&mut self, batch: Batch, out: &mut Output) -> Option<HandOver> {
        // A row without event time is in no window.
        let mut batch = batch.having(self.time);
        let stairs = std::mem::take(&mut batch.stairs);
        let elsewhere = batch.upto == ELSEWHERE;
        // Later blocks are others': they may have records of any window that is open now.
        let alone = if elsewhere { i64::MAX } else { self.alone };
        let (mut from, mut closed) = (0, Vec::new());
        let mut closes = closes_at(&self.alignment, self.open);
        for stair in stairs.iter().filter(|s| !s.idle) {
            if stair.watermark < closes {
                continue;
            }
            let open = self.alignment.first_open(stair.watermark);
            if open > self.open {
                let to = stair.row as usize;
                self.add(&batch, (from, to), out);
                from = to;
                closed.push(self.close((open, alone), stair.seq));
                closes = closes_at(&self.alignment, self.open);
            }
        }
        self.add(&batch, (from, batch.rows), out);
        if let Some(last) = stairs.last() {
            self.watermark = last.watermark;
        }
        let block = (!elsewhere).then_some((stairs, batch.upto));
        (block.is_some() || !closed.is_empty()).then_some(HandOver { block, closed })
    }

    fn add(&mut self, batch: &Batch, (from, to): (usize, usize), out: &mut Output) {
        if from < to {
            let times = millis(&batch.columns[self.time]);
            out.late += self.panes.add(batch, times, (from, to), (&self.alignment, self.open));
        }
    }

    /// Closes the windows before `open`; those from `alone` on are this subtask's own.
    fn close(&mut self, (open, alone): (i64, i64), seq: Seq) -> Closed {
        let mut told = Told::default();
        if self.panes.keys().sweeps() != self.sweeps {
            self.sweeps = self.panes.keys().sweeps();
            self.told.clear();
            told.afresh = true;
        }
        self.told.resize(self.panes.keys().numbers(), false);
        let (mut windows, mut whole) = (Vec::new(), Vec::new());
        let mut next = self.open;
        while let Some(window) = self.panes.next_window((next, open), 1) {
            next = window + 1;
            if window >= alone {
                let merged = self.panes.merge((window, next));
                let (shape, bounds) =
                    ((&self.bounds[..], &self.output), self.alignment.bounds(window));
                whole.push((window, self.panes.rows(&merged, bounds, shape, seq)));
                self.panes.release(merged);
                continue;
            }
            let (ids, part) = self.panes.part((window, next));
            for &id in &ids {
                if !std::mem::replace(&mut self.told[id as usize], true) {
                    told.ids.push(id);
                }
            }
            windows.push((window, ids, part));
        }
        if self.keyed {
            told.columns = self.panes.keys().columns(&told.ids);
        }
        self.open = open;
        self.panes.drop_below(open);
        Closed { seq, told, windows, whole }
    }

    /// The state as bytes.
    pub fn save(&mut self) -> Pieces {
        let mut head = Vec::new();
        put(&mut head, MARK);
        put_signed(&mut head, self.watermark.0);
        let mut pieces = Pieces::from(head);
        pieces.append(self.panes.save());
        pieces
    }

    /// Takes state back. What was told before is void, on the other side too.
    ///
    /// # Errors
    /// When the bytes are not this operator's.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Err(wrong_state(&self.name));
        }
        self.watermark = EventTime(reader.signed()?);
        self.open = self.alignment.first_open(self.watermark);
        self.panes.empty();
        let loaded = self.panes.load(&mut reader, KeyGroups::ALL)?;
        self.alone = i64::MAX;
        (self.told, self.sweeps) = (Vec::new(), self.panes.keys().sweeps());
        if !loaded {
            return Err(wrong_state(&self.name));
        }
        reader.end()
    }
}

impl Told {
    /// The keys as a batch of these columns.
    pub(super) fn batch(&self, schema: &SchemaRef) -> Batch {
        let seqs = crate::numbers::Numbers::same(0, self.ids.len());
        Batch::new(Arc::clone(schema), self.columns.clone(), seqs)
    }
}
