//! COUNT: rows, or rows whose argument is not NULL.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array};

use super::Accumulator;
use crate::value::Value;

/// One counter a slot.
#[derive(Clone, Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn grow(&mut self, slots: usize) {
        self.counts.resize(slots.max(self.counts.len()), 0);
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], argument: Option<&ArrayRef>) {
        match argument.filter(|a| a.null_count() > 0) {
            None => slots.iter().for_each(|&s| self.counts[s as usize] += 1),
            Some(array) => {
                for (&s, &r) in slots.iter().zip(rows) {
                    self.counts[s as usize] += i64::from(array.is_valid(r as usize));
                }
            }
        }
    }

    fn merge(&mut self, into: u32, from: u32) {
        self.counts[into as usize] += self.counts[from as usize];
    }

    fn clear(&mut self, slot: u32) {
        self.counts[slot as usize] = 0;
    }

    fn result(&self, slots: &[u32]) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(slots.iter().map(|&s| self.counts[s as usize])))
    }

    fn save(&self, slot: u32) -> Vec<Value> {
        vec![Value::BigInt(self.counts[slot as usize])]
    }

    fn load(&mut self, slot: u32, state: &[Value]) -> bool {
        let [Value::BigInt(count)] = state else { return false };
        self.counts[slot as usize] = *count;
        true
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(self.clone())
    }
}
