//! Aggregation per key without a window: every record changes the answer, the output is a changelog.

use std::sync::Arc;

use rkyv::{Archive, Deserialize, Serialize};

use crate::aggregate::{AggregateCall, AggregateSet};
use crate::batch::{Batch, RowKind, Seq, Stair};
use crate::column::{from_values, value_at};
use crate::error::Result;
use crate::key::{KeyColumns, KeyTable};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::{Cell, cells, values};
use crate::value::Value;
use crate::{archive, unarchive};

/// A running aggregate: `+I` for a key's first record, then `-U` and `+U` whenever its row changes.
#[derive(Clone)]
pub struct GroupAggregate {
    name: String,
    keys: KeyColumns,
    output: SchemaRef,
    table: KeyTable,
    aggregates: AggregateSet,
    /// The row each key has shown last.
    shown: Vec<Vec<Value>>,
}

#[derive(Archive, Serialize, Deserialize)]
struct State {
    groups: Vec<(Vec<Cell>, Vec<Vec<Cell>>)>,
}

impl GroupAggregate {
    /// Aggregates `calls` by the columns `keys` of `input`.
    pub fn new(
        name: &str,
        keys: &[usize],
        calls: &[AggregateCall],
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> GroupAggregate {
        let keys = KeyColumns::new(input, keys);
        GroupAggregate {
            name: name.to_owned(),
            table: KeyTable::new(&keys.types),
            keys,
            output: Arc::clone(output),
            aggregates: AggregateSet::new(calls, input),
            shown: Vec::new(),
        }
    }

    fn results(&self, slot: u32) -> Vec<Value> {
        let types = self.output.fields[self.keys.types.len()..].iter().map(|f| f.data_type);
        let columns = self.aggregates.results(&[slot]);
        columns.iter().zip(types).map(|(c, t)| value_at(c, t, 0)).collect()
    }
}

fn same(a: &[Value], b: &[Value]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.total_cmp(b).is_eq())
}

impl Operator for GroupAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let (mut rows, mut kinds, mut seqs) = (Vec::new(), Vec::new(), Vec::<Seq>::new());
        let mut stairs = Vec::new();
        let mut slots = Vec::new();
        let mut steps = batch.stairs.iter().peekable();
        for row in 0..batch.rows as u32 {
            while let Some(s) = steps.next_if(|s| s.row <= row) {
                stairs.push(Stair { row: rows.len() as u32, ..*s });
            }
            self.table.intern(&self.keys, &batch, &[row], &mut slots);
            let slot = slots[0];
            self.aggregates.grow(self.table.len());
            self.aggregates.update(&slots, &[row], &batch);
            let new = self.results(slot);
            let seq = batch.seqs[row as usize];
            let mut emit = |kind, results: &[Value]| {
                let mut values = self.table.key(slot);
                values.extend_from_slice(results);
                rows.push(values);
                kinds.push(kind);
                seqs.push(seq);
            };
            if slot as usize == self.shown.len() {
                emit(RowKind::Insert, &new);
                self.shown.push(new);
            } else if !same(&self.shown[slot as usize], &new) {
                emit(RowKind::UpdateBefore, &self.shown[slot as usize]);
                emit(RowKind::UpdateAfter, &new);
                self.shown[slot as usize] = new;
            }
        }
        stairs.extend(steps.map(|s| Stair { row: rows.len() as u32, ..*s }));
        let columns = self
            .output
            .fields
            .iter()
            .enumerate()
            .map(|(c, f)| {
                let column: Vec<Value> = rows.iter().map(|r: &Vec<Value>| r[c].clone()).collect();
                from_values(&column, f.data_type)
            })
            .collect();
        let made = Batch::new(Arc::clone(&self.output), columns, seqs.into());
        out.batches.push(Batch { kinds: Some(kinds.into()), stairs, upto: batch.upto, ..made });
        Ok(())
    }

    fn snapshot(&self) -> Vec<u8> {
        let groups = (0..self.table.len() as u32)
            .map(|slot| {
                let saved = self.aggregates.save(slot);
                (cells(&self.table.key(slot)), saved.iter().map(|s| cells(s)).collect())
            })
            .collect();
        archive!(&State { groups })
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let state = unarchive!(State, bytes)?;
        self.table = KeyTable::new(&self.keys.types);
        self.shown.clear();
        for (i, (key, accumulators)) in state.groups.iter().enumerate() {
            let slot = self.table.slot(values(key));
            let states: Vec<_> = accumulators.iter().map(|a| values(a)).collect();
            if slot as usize != i || !self.aggregates.load(slot, &states) {
                return Err(wrong_state(&self.name));
            }
            self.shown.push(self.results(slot));
        }
        Ok(())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
