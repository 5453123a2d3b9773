//! The end of a changelog: the rows that are left when all input has ended, in the order that is asked for.

use std::sync::Arc;

use crate::batch::{Batch, RowKind, Seq, Stair};
use crate::error::Result;
use crate::key::{KeyColumns, KeyGroups, KeyOrder, KeyTable, Places};
use crate::numbers::Numbers;
use crate::operator::{Contents, Operator, Output, wrong_state};
use crate::rank::{Order, SortColumn};
use crate::schema::{Schema, SchemaRef};
use crate::snapshot::bytes::{Pieces, Reader, put};
use crate::time::EventTime;

/// Which rows are handed on, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterializeSpec {
    /// What rows are sorted by. Those that are equal in it leave as they came, one that was changed as of its last change.
    pub order: Vec<SortColumn>,
    /// The columns of the input that are handed on.
    pub columns: Vec<usize>,
}

impl MaterializeSpec {
    /// One line on it, as `EXPLAIN` prints it.
    pub(crate) fn describe(&self, input: &Schema) -> String {
        let name = |c: usize| input.fields.get(c).map_or("?", |f| f.name.as_str());
        let order = self.order.iter().map(|s| format!("{}{}", name(s.column), s.describe()));
        match order.collect::<Vec<_>>().join(", ") {
            order if order.is_empty() => "Materialize".to_owned(),
            order => format!("Materialize(order=[{order}])"),
        }
    }
}

/// Takes in a changelog, and says nothing of it before its end: then the rows that have not been taken back, inserts alone.
///
/// Rows that are equal in all columns are told apart by when they came; the one that came last is taken back first.
#[derive(Clone)]
pub struct Materialize {
    name: String,
    /// All columns: a row is its own key.
    keys: KeyColumns,
    order: Order,
    columns: Vec<usize>,
    input: SchemaRef,
    output: SchemaRef,
    table: KeyTable,
    /// By key number, when each of the rows that are equal came.
    arrivals: Vec<Vec<u64>>,
    next: u64,
    held: u64,
    ids: Vec<u32>,
    places: Places,
}

/// The first bytes of the state: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"materia1");

impl Materialize {
    /// Of the changelog `input`, as `spec` says.
    pub fn new(
        name: &str,
        spec: &MaterializeSpec,
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> Materialize {
        let all: Vec<usize> = (0..input.fields.len()).collect();
        let keys = KeyColumns::new(input, &all);
        Materialize {
            name: name.to_owned(),
            table: KeyTable::new(&keys.types, KeyOrder::Value),
            keys,
            order: Order::new(&spec.order, input),
            columns: spec.columns.clone(),
            input: Arc::clone(input),
            output: Arc::clone(output),
            arrivals: Vec::new(),
            next: 0,
            held: 0,
            ids: Vec::new(),
            places: Places::default(),
        }
    }

    fn take(&mut self, batch: &Batch) {
        self.table.intern(&self.keys, batch, (0, batch.rows), &mut self.ids);
        self.arrivals.resize_with(self.table.numbers(), Vec::new);
        for (row, &id) in self.ids.iter().enumerate().take(batch.rows) {
            let rows = &mut self.arrivals[id as usize];
            match batch.kind(row) {
                RowKind::Insert | RowKind::UpdateAfter => {
                    rows.push(self.next);
                    self.next += 1;
                    self.held += 1;
                }
                // A row is taken back only after it came.
                RowKind::UpdateBefore | RowKind::Delete => {
                    self.held -= u64::from(rows.pop().is_some());
                }
            }
        }
    }

    /// All rows, in their order.
    fn all(&self, seq: Seq) -> Batch {
        let each = self.arrivals.iter().zip(0..);
        let mut rows: Vec<(u64, u32)> =
            each.flat_map(|(came, id)| came.iter().map(move |&came| (came, id))).collect();
        rows.sort();
        let ids: Vec<u32> = rows.iter().map(|&(_, id)| id).collect();
        let seqs = Numbers::same(seq, ids.len());
        let all = Batch::new(Arc::clone(&self.input), self.table.columns(&ids), seqs);
        let sorted = self.order.of(&all);
        let mut places: Vec<u32> = (0..all.rows as u32).collect();
        places.sort_by(|&a, &b| sorted.get(a as usize).cmp(sorted.get(b as usize)));
        all.gather(&places)
    }

    /// Hands all rows on, and holds none any more.
    fn end(&mut self, seq: Seq) -> Batch {
        let all = self.all(seq);
        self.forget();
        let columns = self.columns.iter().map(|&c| Arc::clone(&all.columns[c])).collect();
        all.with_columns(Arc::clone(&self.output), columns)
    }

    fn forget(&mut self) {
        self.table = KeyTable::new(&self.keys.types, KeyOrder::Value);
        (self.arrivals, self.next, self.held) = (Vec::new(), 0, 0);
    }
}

impl Operator for Materialize {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let batch = self.places.complete(&self.keys, batch);
        let before = self.held;
        self.take(&batch);
        let ends = |stair: &&Stair| stair.watermark == EventTime::MAX;
        // Nothing comes behind the end.
        let end = batch.stairs.iter().find(ends).map(|stair| stair.seq);
        let made = end.filter(|_| self.held > 0).map(|seq| self.end(seq));
        out.hold(batch.rows, before, self.held);
        let said = made.as_ref().map_or(0, |made| made.rows as u32);
        let stairs = batch.stairs.iter().map(|stair| match ends(&stair) {
            true => Stair { row: said, ..*stair },
            false => Stair { row: 0, ..*stair },
        });
        let stairs = stairs.collect();
        out.batches.push(match made {
            Some(made) => Batch { stairs, upto: batch.upto, ..made },
            None => Batch::progress(Arc::clone(&self.output), stairs, batch.upto),
        });
        let arrivals = &self.arrivals;
        self.table.sweep(|live| {
            arrivals.iter().zip(live).for_each(|(came, live)| *live = !came.is_empty());
        });
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        debug_assert!(self.places.is_empty(), "a barrier stands behind complete places only");
        let ids = self.table.in_order().iter().copied();
        let ids: Vec<u32> = ids
            .filter(|&id| self.arrivals.get(id as usize).is_some_and(|a| !a.is_empty()))
            .collect();
        let mut out = Vec::new();
        put(&mut out, MARK);
        put(&mut out, self.next);
        put(&mut out, ids.len() as u64);
        self.table.save(&ids, &mut out);
        for id in ids {
            let came = &self.arrivals[id as usize];
            put(&mut out, came.len() as u64);
            came.iter().for_each(|&came| put(&mut out, came));
        }
        out.into()
    }

    fn empty(&mut self) {
        self.places = Places::default();
        self.forget();
    }

    /// There is one subtask, whatever the parallelism.
    fn absorb(&mut self, bytes: &[u8], _: KeyGroups) -> Result<()> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Err(wrong_state(&self.name));
        }
        self.next = reader.number()?;
        let count = reader.count()?;
        let ids = self.table.load(count, &mut reader)?.ok_or_else(|| wrong_state(&self.name))?;
        self.arrivals.resize_with(self.table.numbers(), Vec::new);
        for id in ids {
            let came = (0..reader.count()?).map(|_| reader.number());
            let came = came.collect::<Result<Vec<u64>>>()?;
            self.held += came.len() as u64;
            let known = std::mem::replace(&mut self.arrivals[id as usize], came);
            if !known.is_empty() {
                return Err(wrong_state(&self.name));
            }
        }
        reader.end()
    }

    fn contents(&mut self) -> Option<Vec<Contents>> {
        let all = self.all(0);
        Some(vec![Contents::new("rows", &self.input, all.columns.clone(), all.rows)])
    }

    fn rows_held(&self) -> Option<u64> {
        Some(self.arrivals.iter().map(|came| came.len() as u64).sum())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
