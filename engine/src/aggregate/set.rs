//! The aggregates of one operator side by side: one column of accumulators each, slots in common.

use arrow_array::Array;
use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;

use super::{Accumulator, AggregateCall, accumulator};
use crate::batch::Batch;
use crate::schema::Schema;
use crate::value::Value;

/// All aggregates of an operator over the slots of one pane.
pub struct AggregateSet {
    calls: Vec<AggregateCall>,
    accumulators: Vec<Box<dyn Accumulator>>,
    slots: usize,
}

impl Clone for AggregateSet {
    fn clone(&self) -> AggregateSet {
        AggregateSet {
            calls: self.calls.clone(),
            accumulators: self.accumulators.iter().map(|a| a.fork()).collect(),
            slots: self.slots,
        }
    }
}

impl AggregateSet {
    /// The accumulators for these calls over an input.
    pub fn new(calls: &[AggregateCall], input: &Schema) -> AggregateSet {
        let accumulators = calls
            .iter()
            .map(|c| accumulator(c.function, c.argument.map(|a| input.fields[a].data_type)))
            .collect();
        AggregateSet { calls: calls.to_vec(), accumulators, slots: 0 }
    }

    /// Makes room for this many slots.
    pub fn grow(&mut self, slots: usize) {
        if slots > self.slots {
            self.slots = slots;
            self.accumulators.iter_mut().for_each(|a| a.grow(slots));
        }
    }

    /// Takes in rows of a batch, each into the slot beside it.
    pub fn update(&mut self, slots: &[u32], rows: &[u32], batch: &Batch) {
        for (call, accumulator) in self.calls.iter().zip(&mut self.accumulators) {
            let argument = call.argument.map(|a| &batch.columns[a]);
            match call.filter {
                None => accumulator.update(slots, rows, argument),
                Some(f) => {
                    let wanted = batch.columns[f].as_boolean();
                    let (slots, rows): (Vec<u32>, Vec<u32>) = slots
                        .iter()
                        .zip(rows)
                        .filter(|&(_, &r)| wanted.is_valid(r as usize) && wanted.value(r as usize))
                        .map(|(&s, &r)| (s, r))
                        .unzip();
                    accumulator.update(&slots, &rows, argument);
                }
            }
        }
    }

    /// Takes slot `from` into slot `into`.
    pub fn merge(&mut self, into: u32, from: u32) {
        self.accumulators.iter_mut().for_each(|a| a.merge(into, from));
    }

    /// Empties a slot.
    pub fn clear(&mut self, slot: u32) {
        self.accumulators.iter_mut().for_each(|a| a.clear(slot));
    }

    /// One result column an aggregate.
    pub fn results(&self, slots: &[u32]) -> Vec<ArrayRef> {
        self.accumulators.iter().map(|a| a.result(slots)).collect()
    }

    /// The state of a slot, all aggregates in a row.
    pub fn save(&self, slot: u32) -> Vec<Vec<Value>> {
        self.accumulators.iter().map(|a| a.save(slot)).collect()
    }

    /// Takes a saved state back; `false` when it is of other aggregates.
    pub fn load(&mut self, slot: u32, state: &[Vec<Value>]) -> bool {
        self.grow(slot as usize + 1);
        state.len() == self.accumulators.len()
            && self.accumulators.iter_mut().zip(state).all(|(a, s)| a.load(slot, s))
    }
}
