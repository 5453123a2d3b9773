//! The rows of one partition in their order: those that are handed on at hand, the others behind them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::error::Result;
use crate::snapshot::bytes::{Reader, put, put_bytes};

/// A row that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// What it is ranked by, as bytes that sort so.
    pub(super) sort: Box<[u8]>,
    /// Which came first, of rows that are equal in that.
    arrival: u64,
    /// The columns that are handed on.
    pub(super) bytes: Box<[u8]>,
}

/// What a row is ranked by, and when it came.
type Place = (Box<[u8]>, u64);

/// The rows of one partition.
#[derive(Clone)]
pub(super) struct Partition {
    /// The first rows, as many as are handed on or fewer.
    head: Vec<Row>,
    /// What the last of them is ranked by begins so, once there is no room for more: that tells of nearly all
    /// rows whether they come before it, without a look at a row somewhere else in memory.
    edge: u128,
    /// All others, where rows may be taken back. None while there is room in the head.
    tail: BTreeMap<Place, Box<[u8]>>,
}

/// What a row has changed among the first ones.
pub(super) struct Change {
    /// Where it came in or went out, from 0.
    pub(super) at: usize,
    /// The row that is no longer among them: pushed out from behind, or taken back.
    pub(super) out: Option<Row>,
    /// Whether one has moved up from behind in exchange.
    pub(super) refilled: bool,
}

/// How partitions keep their rows.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    /// How many rows are at hand.
    pub(super) first: usize,
    /// Whether those behind are kept, too: somebody may take one back.
    pub(super) all: bool,
    /// Whether a row comes before those that are equal in the order.
    pub(super) latest: bool,
}

impl Default for Partition {
    fn default() -> Partition {
        Partition { head: Vec::new(), edge: u128::MAX, tail: BTreeMap::new() }
    }
}

/// How bytes begin, as a number: of two, those with the greater number sort behind.
fn beginning(bytes: &[u8]) -> u128 {
    let mut first = [0; 16];
    let count = bytes.len().min(16);
    first[..count].copy_from_slice(&bytes[..count]);
    u128::from_be_bytes(first)
}

impl Partition {
    /// True without rows.
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// How many rows it has.
    pub(super) fn len(&self) -> u64 {
        (self.head.len() + self.tail.len()) as u64
    }

    /// The first rows.
    pub(super) fn head(&self) -> &[Row] {
        &self.head
    }

    /// The place of a new row among the first; `None` when it is not one of them.
    fn place(&self, sort: &[u8], keep: Keep) -> Option<usize> {
        let before = |row: &Row| if keep.latest { *row.sort < *sort } else { *row.sort <= *sort };
        let at = self.head.partition_point(before);
        (at < keep.first).then_some(at)
    }

    /// Whether a new row would be kept. Once it would not, it never will be unless one is taken back.
    pub(super) fn takes(&self, sort: &[u8], keep: Keep) -> bool {
        keep.all
            || match beginning(sort).cmp(&self.edge) {
                Ordering::Less => true,
                Ordering::Equal => self.place(sort, keep).is_some(),
                Ordering::Greater => false,
            }
    }

    /// Notes where the first rows end now.
    fn bound(&mut self, keep: Keep) {
        let last = self.head.last().filter(|_| self.head.len() >= keep.first);
        self.edge = last.map_or(u128::MAX, |row| beginning(&row.sort));
    }

    /// Puts a row in. `arrival` is higher than that of any other.
    pub(super) fn insert(
        &mut self,
        (sort, bytes): (&[u8], &[u8]),
        arrival: u64,
        keep: Keep,
    ) -> Option<Change> {
        let Some(at) = self.place(sort, keep) else {
            if keep.all {
                self.tail.insert((sort.into(), arrival), bytes.into());
            }
            return None;
        };
        self.head.insert(at, Row { sort: sort.into(), arrival, bytes: bytes.into() });
        let out = if self.head.len() > keep.first { self.head.pop() } else { None };
        if let (Some(row), true) = (&out, keep.all) {
            self.tail.insert((row.sort.clone(), row.arrival), row.bytes.clone());
        }
        // Where rows may be taken back, all are wanted.
        if !keep.all {
            self.bound(keep);
        }
        Some(Change { at, out, refilled: false })
    }

    /// Takes a row out: of equal ones the first.
    pub(super) fn remove(&mut self, sort: &[u8], bytes: &[u8]) -> Option<Change> {
        let from = self.head.partition_point(|row| *row.sort < *sort);
        let ties = self.head[from..].iter().take_while(|row| *row.sort == *sort);
        let mut ties = ties.zip(from..);
        if let Some((_, at)) = ties.find(|(row, _)| *row.bytes == *bytes) {
            let out = Some(self.head.remove(at));
            let next = self.tail.pop_first();
            let refilled = next.is_some();
            self.head.extend(next.map(|((sort, arrival), bytes)| Row { sort, arrival, bytes }));
            return Some(Change { at, out, refilled });
        }
        let ties = self.tail.range((sort.into(), 0)..);
        let mut ties = ties.take_while(|((other, _), _)| **other == *sort);
        // A row is taken back only after it came.
        let place = ties.find(|(_, row)| ***row == *bytes).map(|(place, _)| place.clone());
        place.and_then(|place| self.tail.remove(&place));
        None
    }

    /// Appends all rows in their order.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        put(out, (self.head.len() + self.tail.len()) as u64);
        let head = self.head.iter().map(|row| (&row.sort, &row.bytes));
        let tail = self.tail.iter().map(|((sort, _), bytes)| (sort, bytes));
        for (sort, bytes) in head.chain(tail) {
            put_bytes(out, sort);
            put_bytes(out, bytes);
        }
    }

    /// Takes them back; `false` when they are not rows as `keep` and `sound` want them. `arrival` counts on.
    pub(super) fn load(
        &mut self,
        reader: &mut Reader<'_>,
        arrival: &mut u64,
        keep: Keep,
        sound: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Result<bool> {
        *self = Partition::default();
        let rows = reader.count()?;
        if rows == 0 || (rows > keep.first && !keep.all) {
            return Ok(false);
        }
        let mut last: &[u8] = &[];
        for _ in 0..rows {
            let (sort, bytes) = (reader.bytes()?, reader.bytes()?);
            if sort < last || !sound(sort, bytes) {
                return Ok(false);
            }
            last = sort;
            *arrival += 1;
            if self.head.len() < keep.first {
                let row = Row { sort: sort.into(), arrival: *arrival, bytes: bytes.into() };
                self.head.push(row);
            } else {
                self.tail.insert((sort.into(), *arrival), bytes.into());
            }
        }
        if !keep.all {
            self.bound(keep);
        }
        Ok(true)
    }
}
