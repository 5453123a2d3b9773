//! Aggregation per key without a window: every record changes the answer, the output is a changelog.

use std::sync::Arc;

use rkyv::{Archive, Deserialize, Serialize};

use crate::aggregate::{AggregateCall, AggregateSet};
use crate::batch::{Batch, RowKind, Stair};
use crate::column::{concat, differ, take};
use crate::error::Result;
use crate::key::{KeyColumns, KeyOrder, KeyTable};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::{Cell, cells, values};
use crate::{archive, unarchive};

/// A running aggregate: `+I` for a key's first record, then `-U` and `+U` whenever its row changes.
#[derive(Clone)]
pub struct GroupAggregate {
    name: String,
    keys: KeyColumns,
    output: SchemaRef,
    table: KeyTable,
    aggregates: AggregateSet,
    slots: Vec<u32>,
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
            table: KeyTable::new(&keys.types, KeyOrder::Value),
            keys,
            output: Arc::clone(output),
            aggregates: AggregateSet::new(calls, input),
            slots: Vec::new(),
        }
    }
}

impl Operator for GroupAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        if batch.rows == 0 {
            out.batches.push(Batch::progress(self.output.clone(), batch.stairs, batch.upto));
            return Ok(());
        }
        self.table.intern(&self.keys, &batch, (0, batch.rows), &mut self.slots);
        self.aggregates.grow(self.table.numbers());
        let mut first = vec![false; batch.rows];
        let trails = self.aggregates.trail(&self.slots, &batch, |i| first[i] = true);
        let mut changed = first.clone();
        trails.iter().for_each(|t| differ(&t.before, &t.after, &mut changed));
        // Which rows of before and after, the latter counted on, the changelog is made of.
        let (mut rows, mut picks, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        let mut stairs = Vec::with_capacity(batch.stairs.len());
        let mut steps = batch.stairs.iter().peekable();
        for row in 0..batch.rows {
            while let Some(s) = steps.next_if(|s| s.row as usize <= row) {
                stairs.push(Stair { row: rows.len() as u32, ..*s });
            }
            if !first[row] && changed[row] {
                rows.push(row as u32);
                picks.push(row as u32);
                kinds.push(RowKind::UpdateBefore);
            }
            if changed[row] {
                rows.push(row as u32);
                picks.push((batch.rows + row) as u32);
                kinds.push(if first[row] { RowKind::Insert } else { RowKind::UpdateAfter });
            }
        }
        stairs.extend(steps.map(|s| Stair { row: rows.len() as u32, ..*s }));
        let keys = self.keys.columns.iter().map(|&c| take(&batch.columns[c], &rows));
        let results = trails.into_iter().map(|t| take(&concat(&[t.before, t.after]), &picks));
        let columns = keys.chain(results).collect();
        let made = Batch::new(self.output.clone(), columns, batch.seqs.gather(&rows));
        out.batches.push(Batch { kinds: Some(kinds.into()), stairs, upto: batch.upto, ..made });
        Ok(())
    }

    fn snapshot(&self) -> Vec<u8> {
        let groups = (0..self.table.numbers() as u32)
            .map(|slot| {
                let saved = self.aggregates.save(slot);
                (cells(&self.table.key(slot)), saved.iter().map(|s| cells(s)).collect())
            })
            .collect();
        archive!(&State { groups })
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let state = unarchive!(State, bytes)?;
        self.table = KeyTable::new(&self.keys.types, KeyOrder::Value);
        self.aggregates.clear(0, self.aggregates.slots() as u32);
        for (i, (key, accumulators)) in state.groups.iter().enumerate() {
            let key = values(key);
            if !self.keys.fit(&key) {
                return Err(wrong_state(&self.name));
            }
            let slot = self.table.id(&key);
            let states: Vec<_> = accumulators.iter().map(|a| values(a)).collect();
            if slot as usize != i || !self.aggregates.load(slot, &states) {
                return Err(wrong_state(&self.name));
            }
        }
        Ok(())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
