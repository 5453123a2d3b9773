//! MIN and MAX: the least or greatest value a slot, in the total order of values.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMillisecondType,
};
use arrow_array::{ArrayRef, Int64Array};

use highwater_kernels as kernels;

use super::{Accumulator, Trail, Words, WordsMut};
use crate::column::{from_values, timestamps, value_at};
use crate::schema::DataType;
use crate::value::{Value, canonical_f32, canonical_f64};

/// The accumulators of MAX, or of MIN.
pub(super) fn extreme(max: bool, data_type: DataType) -> Box<dyn Accumulator> {
    match data_type {
        DataType::Int => Fixed::<Int32Type>::boxed(max, data_type),
        DataType::BigInt => Fixed::<Int64Type>::boxed(max, data_type),
        DataType::Date => Fixed::<Date32Type>::boxed(max, data_type),
        DataType::Float => Fixed::<Float32Type>::boxed(max, data_type),
        DataType::Double => Fixed::<Float64Type>::boxed(max, data_type),
        DataType::Timestamp | DataType::TimestampLtz => {
            Fixed::<TimestampMillisecondType>::boxed(max, data_type)
        }
        _ => Box::new(Values { best: Vec::new(), max, data_type }),
    }
}

/// Values that fit a word: as integers that sort as they do.
trait Word: ArrowPrimitiveType {
    fn word(value: Self::Native) -> i64;
    fn value(word: i64, data_type: DataType) -> Value;
}

impl Word for Int32Type {
    fn word(value: i32) -> i64 {
        value.into()
    }
    fn value(word: i64, _: DataType) -> Value {
        Value::Int(word as i32)
    }
}

impl Word for Date32Type {
    fn word(value: i32) -> i64 {
        value.into()
    }
    fn value(word: i64, _: DataType) -> Value {
        Value::Date(word as i32)
    }
}

impl Word for Int64Type {
    fn word(value: i64) -> i64 {
        value
    }
    fn value(word: i64, _: DataType) -> Value {
        Value::BigInt(word)
    }
}

impl Word for TimestampMillisecondType {
    fn word(value: i64) -> i64 {
        value
    }
    fn value(word: i64, data_type: DataType) -> Value {
        if data_type == DataType::Timestamp {
            Value::Timestamp(word)
        } else {
            Value::TimestampLtz(word)
        }
    }
}

/// The bits of a float, with all but the sign turned in negative ones, sort as `total_cmp` says.
fn turned(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

impl Word for Float64Type {
    fn word(value: f64) -> i64 {
        turned(canonical_f64(value).to_bits() as i64)
    }
    fn value(word: i64, _: DataType) -> Value {
        Value::Double(f64::from_bits(turned(word) as u64))
    }
}

impl Word for Float32Type {
    fn word(value: f32) -> i64 {
        let bits = canonical_f32(value).to_bits() as i32;
        i64::from(bits ^ ((bits >> 31) as u32 >> 1) as i32)
    }
    fn value(word: i64, _: DataType) -> Value {
        let word = word as i32;
        Value::Float(f32::from_bits((word ^ ((word >> 31) as u32 >> 1) as i32) as u32))
    }
}

struct Fixed<T> {
    max: bool,
    data_type: DataType,
    word: PhantomData<T>,
}

impl<T: Word> Fixed<T> {
    fn boxed(max: bool, data_type: DataType) -> Box<dyn Accumulator> {
        Box::new(Fixed::<T> { max, data_type, word: PhantomData })
    }

    #[inline]
    fn offer(&self, best: &mut u64, value: i64) {
        let old = *best as i64;
        *best = (if self.max { old.max(value) } else { old.min(value) }) as u64;
    }
}

impl<T: Word> Accumulator for Fixed<T> {
    fn width(&self) -> usize {
        1
    }

    fn empty(&self) -> u64 {
        (if self.max { i64::MIN } else { i64::MAX }) as u64
    }

    fn update(
        &mut self,
        own: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    ) {
        let array = argument.expect("MIN and MAX have an argument").as_primitive::<T>();
        let all = &array.values()[from..];
        let words: Vec<i64>;
        let values = match argument.and_then(|a| a.as_primitive_opt::<Int64Type>()) {
            Some(array) => &array.values()[from..],
            None => {
                words = all.iter().take(slots.len()).map(|&v| T::word(v)).collect();
                &words
            }
        };
        let kernel = if self.max { kernels::largest } else { kernels::smallest };
        kernel(own.all, own.stride, own.at, slots, values);
    }

    fn merge(&mut self, words: WordsMut<'_>, pairs: &[(u32, u32)]) {
        let kernel = if self.max { kernels::merge_largest } else { kernels::merge_smallest };
        kernel(words.all, words.stride, words.at, pairs);
    }

    fn result(&self, words: Words<'_>, slots: &[u32], values: &[i64]) -> ArrayRef {
        let some = !values.contains(&0);
        let mut all = slots.iter().map(|&s| words.one(s) as i64);
        match self.data_type {
            DataType::BigInt if some => Arc::new(Int64Array::from_iter_values(all)),
            t if some && t.is_timestamp() => timestamps(all.collect(), t),
            t => {
                let one = |&n: &i64| {
                    let word = all.next().expect("one a slot");
                    if n == 0 { Value::Null } else { T::value(word, t) }
                };
                from_values(&values.iter().map(one).collect::<Vec<_>>(), t)
            }
        }
    }

    fn trail(
        &mut self,
        mut words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
        values: &[i64],
    ) -> Option<Trail> {
        if self.data_type != DataType::BigInt {
            return None;
        }
        let array = argument?.as_primitive::<T>();
        let (mut before, mut after) =
            (Vec::with_capacity(slots.len()), Vec::with_capacity(slots.len()));
        for (&slot, &value) in slots.iter().zip(&array.values()[from..]) {
            let best = words.one(slot);
            before.push(*best as i64);
            self.offer(best, T::word(value));
            after.push(*best as i64);
        }
        Some(Trail::of(before, after, values))
    }

    fn save(&self, words: Words<'_>, slot: u32) -> Vec<Value> {
        vec![Value::BigInt(words.one(slot) as i64)]
    }

    fn load(&mut self, mut words: WordsMut<'_>, slot: u32, state: &[Value]) -> bool {
        let [Value::BigInt(word)] = state else { return false };
        *words.one(slot) = *word as u64;
        true
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Fixed::<T>::boxed(self.max, self.data_type)
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
    fn offer(&mut self, slot: u32, value: Value) {
        let wanted = if self.max { Ordering::Greater } else { Ordering::Less };
        let best = &mut self.best[slot as usize];
        if !value.is_null() && (best.is_null() || value.total_cmp(best) == wanted) {
            *best = value;
        }
    }
}

impl Accumulator for Values {
    fn width(&self) -> usize {
        0
    }

    fn grow(&mut self, slots: usize) {
        self.best.resize(slots, Value::Null);
    }

    fn clear(&mut self, slot: u32) {
        self.best[slot as usize] = Value::Null;
    }

    fn update(&mut self, _: WordsMut<'_>, slots: &[u32], argument: Option<&ArrayRef>, from: usize) {
        let array = argument.expect("MIN and MAX have an argument");
        for (&slot, row) in slots.iter().zip(from..) {
            self.offer(slot, value_at(array, self.data_type, row));
        }
    }

    fn merge(&mut self, _: WordsMut<'_>, pairs: &[(u32, u32)]) {
        for &(into, from) in pairs {
            self.offer(into, self.best[from as usize].clone());
        }
    }

    fn result(&self, _: Words<'_>, slots: &[u32], _: &[i64]) -> ArrayRef {
        let values: Vec<Value> = slots.iter().map(|&s| self.best[s as usize].clone()).collect();
        from_values(&values, self.data_type)
    }

    fn save(&self, _: Words<'_>, slot: u32) -> Vec<Value> {
        vec![self.best[slot as usize].clone()]
    }

    fn load(&mut self, _: WordsMut<'_>, slot: u32, state: &[Value]) -> bool {
        let [value] = state else { return false };
        if !value.fits(self.data_type) {
            return false;
        }
        self.best[slot as usize] = value.clone();
        true
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(self.clone())
    }
}
