//! MIN and MAX: the least or greatest value a slot, in the total order of values.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, Int64Array};

use super::Accumulator;
use crate::column::{from_values, value_at};
use crate::schema::DataType;
use crate::value::Value;

/// The accumulators of MAX, or of MIN.
pub(super) fn extreme(max: bool, data_type: DataType) -> Box<dyn Accumulator> {
    match data_type {
        DataType::BigInt | DataType::Timestamp | DataType::TimestampLtz => {
            Box::new(Integers { best: Vec::new(), some: Vec::new(), max, data_type })
        }
        _ => Box::new(Values { best: Vec::new(), max, data_type }),
    }
}

/// 64-bit integers and timestamps: a tight loop.
#[derive(Clone)]
struct Integers {
    best: Vec<i64>,
    some: Vec<bool>,
    max: bool,
    data_type: DataType,
}

impl Integers {
    fn start(&self) -> i64 {
        if self.max { i64::MIN } else { i64::MAX }
    }

    fn offer(&mut self, slot: usize, value: i64) {
        let best = self.best[slot];
        self.best[slot] = if self.max { best.max(value) } else { best.min(value) };
        self.some[slot] = true;
    }

    fn value(&self, slot: u32) -> Value {
        let value = self.best[slot as usize];
        match (self.some[slot as usize], self.data_type) {
            (false, _) => Value::Null,
            (_, DataType::Timestamp) => Value::Timestamp(value),
            (_, DataType::TimestampLtz) => Value::TimestampLtz(value),
            _ => Value::BigInt(value),
        }
    }
}

impl Accumulator for Integers {
    fn grow(&mut self, slots: usize) {
        let slots = slots.max(self.best.len());
        let start = self.start();
        self.best.resize(slots, start);
        self.some.resize(slots, false);
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], argument: Option<&ArrayRef>) {
        let array = argument.expect("MIN and MAX have an argument");
        let values = match self.data_type {
            DataType::BigInt => array.as_primitive::<Int64Type>().values(),
            _ => array.as_primitive::<TimestampMillisecondType>().values(),
        };
        let all_valid = array.null_count() == 0;
        for (&s, &r) in slots.iter().zip(rows) {
            if all_valid || array.is_valid(r as usize) {
                self.offer(s as usize, values[r as usize]);
            }
        }
    }

    fn merge(&mut self, into: u32, from: u32) {
        if self.some[from as usize] {
            self.offer(into as usize, self.best[from as usize]);
        }
    }

    fn clear(&mut self, slot: u32) {
        self.best[slot as usize] = self.start();
        self.some[slot as usize] = false;
    }

    fn result(&self, slots: &[u32]) -> ArrayRef {
        if self.data_type == DataType::BigInt {
            let one = |&s: &u32| self.some[s as usize].then_some(self.best[s as usize]);
            return Arc::new(slots.iter().map(one).collect::<Int64Array>());
        }
        let values: Vec<Value> = slots.iter().map(|&s| self.value(s)).collect();
        from_values(&values, self.data_type)
    }

    fn save(&self, slot: u32) -> Vec<Value> {
        vec![self.value(slot)]
    }

    fn load(&mut self, slot: u32, state: &[Value]) -> bool {
        match state {
            [Value::Null] => self.clear(slot),
            [Value::BigInt(v) | Value::Timestamp(v) | Value::TimestampLtz(v)] => {
                self.clear(slot);
                self.offer(slot as usize, *v);
            }
            _ => return false,
        }
        true
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(self.clone())
    }
}

/// Every other type, a value at a time.
#[derive(Clone)]
struct Values {
    best: Vec<Value>,
    max: bool,
    data_type: DataType,
}

impl Values {
    fn offer(&mut self, slot: usize, value: Value) {
        let wanted = if self.max { Ordering::Greater } else { Ordering::Less };
        let best = &mut self.best[slot];
        if !value.is_null() && (best.is_null() || value.total_cmp(best) == wanted) {
            *best = value;
        }
    }
}

impl Accumulator for Values {
    fn grow(&mut self, slots: usize) {
        self.best.resize(slots.max(self.best.len()), Value::Null);
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], argument: Option<&ArrayRef>) {
        let array = argument.expect("MIN and MAX have an argument");
        for (&s, &r) in slots.iter().zip(rows) {
            self.offer(s as usize, value_at(array, self.data_type, r as usize));
        }
    }

    fn merge(&mut self, into: u32, from: u32) {
        self.offer(into as usize, self.best[from as usize].clone());
    }

    fn clear(&mut self, slot: u32) {
        self.best[slot as usize] = Value::Null;
    }

    fn result(&self, slots: &[u32]) -> ArrayRef {
        let values: Vec<Value> = slots.iter().map(|&s| self.best[s as usize].clone()).collect();
        from_values(&values, self.data_type)
    }

    fn save(&self, slot: u32) -> Vec<Value> {
        vec![self.best[slot as usize].clone()]
    }

    fn load(&mut self, slot: u32, state: &[Value]) -> bool {
        let [value] = state else { return false };
        self.best[slot as usize] = value.clone();
        true
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(self.clone())
    }
}
