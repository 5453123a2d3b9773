//! What is held back, as bytes in a snapshot: the watermark, the keys as they are to leave, their changes.

use std::collections::VecDeque;

use super::{Held, Suppress};
use crate::error::Result;
use crate::key::measure;
use crate::operator::wrong_state;
use crate::snapshot::bytes::{Reader, put, put_bytes, put_signed};
use crate::time::EventTime;

/// The first bytes of the state: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"supprss1");

fn put_row(out: &mut Vec<u8>, row: Option<&[u8]>) {
    put(out, u64::from(row.is_some()));
    row.into_iter().for_each(|row| put_bytes(out, row));
}

impl Suppress {
    pub(super) fn saved(&self) -> Vec<u8> {
        debug_assert!(self.places.is_empty(), "a barrier stands behind complete places only");
        let ids: Vec<u32> = self.queue.iter().copied().collect();
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_signed(&mut out, self.watermark.0);
        put(&mut out, ids.len() as u64);
        self.table.save(&ids, &mut out);
        for held in ids.iter().filter_map(|&id| self.held[id as usize].as_ref()) {
            put_signed(&mut out, held.since.0);
            put(&mut out, held.fresh);
            put_row(&mut out, held.before.as_deref());
            put_row(&mut out, held.after.as_deref());
        }
        out
    }

    pub(super) fn restored(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Err(wrong_state(&self.name));
        }
        self.watermark = EventTime(reader.signed()?);
        let count = reader.count()?;
        let ids = self.table.load(count, &mut reader)?.ok_or_else(|| wrong_state(&self.name))?;
        self.held = vec![None; self.table.numbers()];
        for &id in &ids {
            let (since, fresh) = (EventTime(reader.signed()?), reader.number()?);
            let (before, after) = (self.row(&mut reader)?, self.row(&mut reader)?);
            let held = Held { since, fresh, before, after };
            if self.held[id as usize].replace(held).is_some() {
                return Err(wrong_state(&self.name));
            }
        }
        self.queue = VecDeque::from(ids);
        reader.end()
    }

    /// A row that may be there.
    fn row(&self, reader: &mut Reader<'_>) -> Result<Option<Box<[u8]>>> {
        if reader.number()? == 0 {
            return Ok(None);
        }
        let row = reader.bytes()?;
        match measure(row, &self.types) == Some(row.len()) {
            true => Ok(Some(row.into())),
            false => Err(wrong_state(&self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::SuppressSpec;
    use super::*;
    use crate::batch::{Batch, NO_CLOCK, RowKind, Stair};
    use crate::column::from_values;
    use crate::operator::{Operator, Output};
    use crate::schema::{DataType, Field, Schema, SchemaRef};
    use crate::value::Value;

    fn schema() -> SchemaRef {
        Schema::new(vec![Field::new("k", DataType::String), Field::new("n", DataType::BigInt)])
    }

    fn fresh() -> Suppress {
        let spec = SuppressSpec { keys: vec![0], time: Some(10), rows: Some(5) };
        Suppress::new("suppress", &spec, &schema())
    }

    /// Changes with the keys and counts given, and a step of the watermark behind them.
    fn batch(seq: u64, changes: &[(RowKind, &str, i64)], watermark: i64) -> Batch {
        let keys: Vec<Value> =
            changes.iter().map(|&(_, k, _)| Value::String(k.to_owned().into())).collect();
        let counts: Vec<Value> = changes.iter().map(|&(.., n)| Value::BigInt(n)).collect();
        let columns =
            vec![from_values(&keys, DataType::String), from_values(&counts, DataType::BigInt)];
        let kinds: Vec<RowKind> = changes.iter().map(|&(kind, ..)| kind).collect();
        let (row, watermark) = (changes.len() as u32, EventTime(watermark));
        let stairs = vec![Stair { row, watermark, seq, idle: false, clock: NO_CLOCK }];
        let seqs = crate::numbers::Numbers::same(seq, changes.len());
        let made = Batch::new(schema(), columns, seqs);
        Batch { kinds: Some(Arc::from(kinds)), stairs, ..made }
    }

    fn said(suppress: &mut Suppress, batch: Batch) -> Vec<String> {
        let mut out = Output::default();
        suppress.process(0, batch, &mut out).expect("it takes changes");
        let rows = out.batches.iter().flat_map(|b| (0..b.rows).map(move |i| (b, i)));
        rows.map(|(b, i)| format!("{} {}", b.kind(i).symbol(), b.row_text(i))).collect()
    }

    #[test]
    fn changes_come_back_and_damage_is_found() {
        use RowKind::{Delete, Insert, UpdateAfter, UpdateBefore};
        let mut first = fresh();
        let changes = [(UpdateBefore, "b", 1), (UpdateAfter, "b", 2), (Insert, "a", 1)];
        assert!(said(&mut first, batch(1, &changes, 0)).is_empty());
        let changes = [(Delete, "c", 9), (Insert, "d", 4), (Delete, "d", 4)];
        assert!(said(&mut first, batch(2, &changes, 3)).is_empty());
        let bytes = first.snapshot();
        let mut second = fresh();
        second.restore(&bytes).expect("they are its own");
        assert_eq!(second.snapshot(), bytes);
        for suppress in [&mut first, &mut second] {
            let found =
                said(suppress, batch(3, &[(UpdateBefore, "b", 2), (UpdateAfter, "b", 5)], 10));
            let expected = ["-U k=b, n=1", "+U k=b, n=5", "+I k=a, n=1"];
            // Keys of one place leave by their groups.
            let mut sorted = (found.clone(), expected.map(str::to_owned).to_vec());
            sorted.0.sort();
            sorted.1.sort();
            assert_eq!(sorted.0, sorted.1);
            assert_eq!(said(suppress, batch(4, &[], 13)), ["-D k=c, n=9"]);
        }
        for cut in 0..bytes.len() {
            assert!(fresh().restore(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let spec = SuppressSpec { keys: vec![1], time: None, rows: None };
        assert!(Suppress::new("other", &spec, &schema()).restore(&bytes).is_err());
    }
}
