//! One side of a join: its rows as bytes, by key in the order in which they came.

use arrow_array::ArrayRef;

use crate::batch::Seq;
use crate::join::places::NONE;
use crate::key::{self, decode_columns};
use crate::operator::Contents;
use crate::schema::{DataType, SchemaRef};
use crate::value::Value;

#[derive(Clone)]
pub(in crate::join) struct Side {
    pub(in crate::join) types: Vec<DataType>,
    /// By number.
    rows: Vec<Held>,
    free: Vec<u32>,
    /// The numbers of a key's rows.
    by_key: Vec<Vec<u32>>,
    /// Rows that are in no key any more, but may be named by what has not left yet.
    gone: Vec<u32>,
    /// A row of NULLs.
    blank: Box<[u8]>,
}

/// A row that is kept.
#[derive(Clone)]
struct Held {
    /// Its key.
    id: u32,
    row: Box<[u8]>,
    seq: Seq,
    /// How many partners it has, where somebody asks.
    partners: u32,
}

impl Side {
    pub(in crate::join) fn new(types: Vec<DataType>) -> Side {
        let blank = key::encode(&vec![Value::Null; types.len()]).into();
        Side {
            types,
            rows: Vec::new(),
            free: Vec::new(),
            by_key: Vec::new(),
            gone: Vec::new(),
            blank,
        }
    }

    /// There are this many keys.
    pub(in crate::join) fn reach(&mut self, keys: usize) {
        self.by_key.resize_with(keys.max(self.by_key.len()), Vec::new);
    }

    /// Keeps a row of a key; one of no key until [`Side::tidy`].
    pub(in crate::join) fn add(&mut self, id: u32, row: &[u8], seq: Seq) -> u32 {
        let number = self.keep(id, row, seq);
        if id == NONE {
            self.gone.push(number);
        }
        number
    }

    /// Keeps a row of a key, or of none.
    pub(in crate::join) fn keep(&mut self, id: u32, row: &[u8], seq: Seq) -> u32 {
        let held = Held { id, row: row.into(), seq, partners: 0 };
        let number = match self.free.pop() {
            Some(number) => {
                self.rows[number as usize] = held;
                number
            }
            None => {
                self.rows.push(held);
                self.rows.len() as u32 - 1
            }
        };
        if id != NONE {
            self.by_key[id as usize].push(number);
        }
        number
    }

    /// Takes a row out by its number; it can be named until [`Side::tidy`].
    pub(in crate::join) fn take_out(&mut self, id: u32, number: u32) {
        if let Some(numbers) = self.by_key.get_mut(id as usize)
            && let Some(at) = numbers.iter().position(|&n| n == number)
        {
            numbers.remove(at);
        }
        self.gone.push(number);
    }

    /// Takes a row of a key out, the last of several that are equal; it can be named until [`Side::tidy`].
    pub(in crate::join) fn remove(&mut self, id: u32, row: &[u8], seq: Seq) -> Option<u32> {
        if id == NONE {
            return Some(self.add(id, row, seq));
        }
        let rows = &self.rows;
        let numbers = &mut self.by_key[id as usize];
        let at = numbers.iter().rposition(|&number| *rows[number as usize].row == *row)?;
        let number = numbers.remove(at);
        self.gone.push(number);
        Some(number)
    }

    /// The rows of a key.
    pub(in crate::join) fn of(&self, id: u32) -> &[u32] {
        self.by_key.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// The key of a row.
    pub(in crate::join) fn id(&self, number: u32) -> u32 {
        self.rows[number as usize].id
    }

    pub(in crate::join) fn seq(&self, number: u32) -> Seq {
        self.rows[number as usize].seq
    }

    pub(in crate::join) fn bytes(&self, number: u32) -> &[u8] {
        self.rows.get(number as usize).map_or(&self.blank, |held| &held.row)
    }

    pub(in crate::join) fn partners(&self, number: u32) -> u32 {
        self.rows[number as usize].partners
    }

    /// A row has so many partners more; how many it has now.
    pub(in crate::join) fn count(&mut self, number: u32, more: i64) -> u32 {
        let partners = &mut self.rows[number as usize].partners;
        *partners = (i64::from(*partners) + more) as u32;
        *partners
    }

    /// How many rows keys have.
    pub(in crate::join) fn len(&self) -> u64 {
        self.by_key.iter().map(|rows| rows.len() as u64).sum()
    }

    /// The numbers of all rows that keys have, as they came.
    pub(in crate::join) fn held(&self) -> Vec<u32> {
        let mut held: Vec<u32> = self.by_key.iter().flatten().copied().collect();
        held.sort_by_key(|&number| self.seq(number));
        held
    }

    /// The columns of rows.
    pub(in crate::join) fn columns(&self, numbers: &[u32]) -> Vec<ArrayRef> {
        decode_columns(numbers.iter().map(|&number| self.bytes(number)).collect(), &self.types)
    }

    /// Forgets the rows that were taken out.
    pub(in crate::join) fn tidy(&mut self) {
        for number in self.gone.drain(..) {
            self.rows[number as usize].row = Box::default();
            self.free.push(number);
        }
    }

    /// Marks the keys that have rows.
    pub(in crate::join) fn mark(&self, live: &mut [bool]) {
        live.iter_mut().zip(&self.by_key).for_each(|(live, rows)| *live |= !rows.is_empty());
    }

    /// Forgets everything.
    pub(in crate::join) fn clear(&mut self) {
        *self = Side::new(std::mem::take(&mut self.types));
    }
}

/// What both sides hold, as rows.
pub(in crate::join) fn contents(sides: &[Side; 2], inputs: &[SchemaRef; 2]) -> Vec<Contents> {
    let held = |s: usize, part| {
        let numbers = sides[s].held();
        Contents::new(part, &inputs[s], sides[s].columns(&numbers), numbers.len())
    };
    vec![held(0, "left"), held(1, "right")]
}
