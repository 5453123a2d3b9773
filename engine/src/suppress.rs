//! A changelog held back: of what becomes of a key for some time, or among so many keys, only the end is said.

mod state;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::batch::{Batch, RowKind, Seq, Stair};
use crate::error::Result;
use crate::key::{Encoded, KeyColumns, KeyGroups, KeyOrder, KeyTable, Places, decode_columns};
use crate::operator::{Contents, Operator, Output};
use crate::schema::{DataType, Schema, SchemaRef};
use crate::snapshot::bytes::Pieces;
use crate::time::{EventTime, format_duration};

/// How long changes are held back. At the end of the stream all of them are said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressSpec {
    /// The columns that tell the rows apart: no two rows agree in them at any time.
    pub keys: Vec<usize>,
    /// How many milliseconds the watermark goes on from a key's first held change until its changes are said.
    pub time: Option<i64>,
    /// Of how many keys changes are held at most. Those held longest are said to make room.
    pub rows: Option<u64>,
}

impl SuppressSpec {
    /// One line on it, as `EXPLAIN` prints it.
    pub(crate) fn describe(&self, input: &Schema) -> String {
        let name = |&c: &usize| input.fields.get(c).map_or("?", |f| f.name.as_str());
        let keys: Vec<&str> = self.keys.iter().map(name).collect();
        let mut parts = vec![format!("keys=[{}]", keys.join(", "))];
        parts.extend(self.time.map(|time| format!("time {}", format_duration(time))));
        parts.extend(self.rows.map(|rows| format!("rows {rows}")));
        format!("Suppress({})", parts.join(", "))
    }
}

/// Holds the changes of each key back: what was there before the first of them and what is there behind the
/// last one leave as one change, or as none where they are the same.
///
/// Keys leave in the order in which their first held change came. The stream's time is the watermark; a change
/// comes at what that is behind the record that made it, and, where there has been none yet, at the first one.
/// A key keeps its place when its changes come to nothing in between, as in Kafka Streams.
#[derive(Clone)]
pub struct Suppress {
    name: String,
    keys: KeyColumns,
    time: Option<i64>,
    rows: usize,
    schema: SchemaRef,
    types: Vec<DataType>,
    table: KeyTable,
    /// By key number.
    held: Vec<Option<Held>>,
    /// The keys that have changes, the one held longest first.
    queue: VecDeque<u32>,
    watermark: EventTime,
    slots: Vec<u32>,
    places: Places,
}

/// The changes of a key, as what they come to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    /// The stream's time when the first came.
    since: EventTime,
    /// The place of that one until the watermark has moved behind it, then 0.
    fresh: Seq,
    /// The row that whoever reads on has, if any.
    before: Option<Box<[u8]>>,
    /// The row that is there now, if any.
    after: Option<Box<[u8]>>,
}

/// What leaves, among the steps of the watermark.
#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    kinds: Vec<RowKind>,
    seqs: Vec<Seq>,
    stairs: Vec<Stair>,
}

impl Said {
    fn say(&mut self, kind: RowKind, row: &[u8], seq: Seq) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
        self.kinds.push(kind);
        self.seqs.push(seq);
    }
}

/// The columns of rows that stand one behind the other in `bytes`.
fn columns(bytes: &[u8], ends: &[usize], types: &[DataType]) -> Vec<arrow_array::ArrayRef> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let rows = starts.zip(ends).map(|(from, &to)| &bytes[from..to]).collect();
    decode_columns(rows, types)
}

impl Suppress {
    /// Holds back the changes of rows that look like `schema`.
    pub fn new(name: &str, spec: &SuppressSpec, schema: &SchemaRef) -> Suppress {
        let keys = KeyColumns::new(schema, &spec.keys);
        Suppress {
            name: name.to_owned(),
            table: KeyTable::new(&keys.types, KeyOrder::Value),
            keys,
            time: spec.time,
            rows: spec.rows.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX)),
            schema: Arc::clone(schema),
            types: schema.fields.iter().map(|f| f.data_type).collect(),
            held: Vec::new(),
            queue: VecDeque::new(),
            watermark: EventTime::MIN,
            slots: Vec::new(),
            places: Places::default(),
        }
    }

    /// Takes a change in.
    fn hold(&mut self, slot: u32, kind: RowKind, row: &[u8], seq: Seq) {
        let takes_back = matches!(kind, RowKind::UpdateBefore | RowKind::Delete);
        let row = Some(Box::from(row));
        match (&mut self.held[slot as usize], takes_back) {
            (Some(held), true) => held.after = None,
            (Some(held), false) => held.after = row,
            (none, _) => {
                let (before, after) = if takes_back { (row, None) } else { (None, row) };
                let since = self.watermark;
                *none = Some(Held { since, fresh: seq, before, after });
                self.queue.push_back(slot);
            }
        }
    }

    /// Says what the changes of the key held longest come to.
    fn release(&mut self, seq: Seq, said: &mut Said) {
        let Some(slot) = self.queue.pop_front() else { return };
        let Some(Held { before, after, .. }) = self.held[slot as usize].take() else { return };
        match (&before, &after) {
            (Some(before), Some(after)) if before == after => {}
            (Some(before), Some(after)) => {
                said.say(RowKind::UpdateBefore, before, seq);
                said.say(RowKind::UpdateAfter, after, seq);
            }
            (None, Some(after)) => said.say(RowKind::Insert, after, seq),
            (Some(before), None) => said.say(RowKind::Delete, before, seq),
            (None, None) => {}
        }
    }

    /// Takes rows `from..to` in, and makes room behind each place.
    fn take(&mut self, batch: &Batch, (from, to): (usize, usize), rows: &Encoded, said: &mut Said) {
        for row in from..to {
            let seq = batch.seqs.at(row);
            self.hold(self.slots[row], batch.kind(row), rows.get(row), seq);
            if batch.seqs.get(row + 1) != Some(seq) {
                while self.queue.len() > self.rows {
                    self.release(seq, said);
                }
            }
        }
    }

    /// Moves the watermark: what has been held long enough leaves before the step.
    fn advance(&mut self, stair: Stair, said: &mut Said) {
        if stair.watermark > self.watermark {
            self.date(stair);
            self.watermark = stair.watermark;
            while self.queue.front().is_some_and(|&slot| self.is_due(slot)) {
                self.release(stair.seq, said);
            }
        }
        said.stairs.push(Stair { row: said.ends.len() as u32, ..stair });
    }

    /// Changes that the step of their own record stands behind came at its time, and so did all before the first.
    fn date(&mut self, stair: Stair) {
        for &slot in self.queue.iter().rev() {
            let Some(held) = self.held[slot as usize].as_mut().filter(|h| h.fresh > 0) else {
                break;
            };
            if held.fresh == stair.seq || held.since == EventTime::MIN {
                held.since = stair.watermark;
            }
            held.fresh = 0;
        }
    }

    fn is_due(&self, slot: u32) -> bool {
        let Some(held) = &self.held[slot as usize] else { return false };
        let long = |time: i64| held.since.0.saturating_add(time) <= self.watermark.0;
        self.watermark == EventTime::MAX || self.time.is_some_and(long)
    }

    /// What leaves, as a batch.
    fn changelog(&self, said: Said, upto: Seq) -> Batch {
        let Said { bytes, ends, kinds, seqs, stairs } = said;
        if ends.is_empty() {
            return Batch::progress(self.schema.clone(), stairs, upto);
        }
        let columns = columns(&bytes, &ends, &self.types);
        let made = Batch::new(self.schema.clone(), columns, seqs.into());
        Batch { kinds: Some(kinds.into()), stairs, upto, ..made }
    }
}

impl Operator for Suppress {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let batch = self.places.complete(&self.keys, batch);
        self.table.intern(&self.keys, &batch, (0, batch.rows), &mut self.slots);
        self.held.resize_with(self.table.numbers(), || None);
        let rows = Encoded::rows(&batch);
        let (mut from, mut said) = (0, Said::default());
        let before = self.queue.len() as u64;
        for stair in &batch.stairs {
            self.take(&batch, (from, stair.row as usize), &rows, &mut said);
            from = stair.row as usize;
            self.advance(*stair, &mut said);
        }
        self.take(&batch, (from, batch.rows), &rows, &mut said);
        out.hold(batch.rows, before, self.queue.len() as u64);
        out.batches.push(self.changelog(said, batch.upto));
        let held = &self.held;
        self.table.sweep(|live| {
            held.iter().zip(live).for_each(|(held, live)| *live = held.is_some());
        });
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        self.saved().into()
    }

    fn empty(&mut self) {
        self.table = KeyTable::new(&self.keys.types, KeyOrder::Value);
        self.places = Places::default();
        (self.watermark, self.held, self.queue) = (EventTime::MIN, Vec::new(), VecDeque::new());
    }

    /// There is one subtask, whatever the parallelism.
    fn absorb(&mut self, bytes: &[u8], _: KeyGroups) -> Result<()> {
        self.restored(bytes)
    }

    /// The rows that are held, as they are now; none where a key's last change took its row away.
    fn contents(&mut self) -> Option<Vec<Contents>> {
        let held = self.queue.iter().filter_map(|&slot| self.held[slot as usize].as_ref());
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for row in held.filter_map(|held| held.after.as_deref()) {
            bytes.extend_from_slice(row);
            ends.push(bytes.len());
        }
        let columns = columns(&bytes, &ends, &self.types);
        Some(vec![Contents::new("held", &self.schema, columns, ends.len())])
    }

    fn rows_held(&self) -> Option<u64> {
        Some(self.queue.len() as u64)
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
