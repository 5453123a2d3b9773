//! MIN and MAX: the least or greatest value a slot, in the total order of values.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{ArrayRef, Int64Array};

use highwater_kernels as kernels;

use super::{Accumulator, Rows, Trail, Words, WordsMut};
use crate::column::{from_values, millis, timestamps, value_at};
use crate::error::Result;
use crate::key;
use crate::schema::DataType;
use crate::snapshot::bytes::{Reader, put_bytes};
use crate::value::{Value, canonical_f32, canonical_f64};

/// The accumulators of MAX, or of MIN.
pub(super) fn extreme(max: bool, data_type: DataType) -> Box<dyn Accumulator> {
    match is_fixed(data_type) {
        true => Box::new(Fixed { max, data_type }),
        false => Box::new(Values { best: Vec::new(), max, data_type }),
    }
}

/// Whether values of a type fit a word.
pub(super) fn is_fixed(data_type: DataType) -> bool {
    matches!(
        data_type,
        DataType::Int
            | DataType::BigInt
            | DataType::Date
            | DataType::Float
            | DataType::Double
            | DataType::Timestamp
            | DataType::TimestampLtz
    )
}

/// The bits of a float, with all but the sign turned in negative ones, sort as `total_cmp` says.
fn turned(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// So do those of a single one.
fn turned_single(bits: i32) -> i32 {
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

/// Some values as integers that sort as they do.
pub(super) fn sortable(
    array: &ArrayRef,
    data_type: DataType,
    rows: Range<usize>,
) -> Cow<'_, [i64]> {
    let wide =
        |values: &[i32]| Cow::Owned(values[rows.clone()].iter().map(|&v| v.into()).collect());
    match data_type {
        DataType::Int => wide(array.as_primitive::<Int32Type>().values()),
        DataType::Date => wide(array.as_primitive::<Date32Type>().values()),
        DataType::BigInt => Cow::Borrowed(&array.as_primitive::<Int64Type>().values()[rows]),
        DataType::Double => {
            let values = array.as_primitive::<Float64Type>().values()[rows].iter();
            Cow::Owned(values.map(|&v| turned(canonical_f64(v).to_bits() as i64)).collect())
        }
        DataType::Float => {
            let values = array.as_primitive::<Float32Type>().values()[rows].iter();
            let word = |&v: &f32| turned_single(canonical_f32(v).to_bits() as i32).into();
            Cow::Owned(values.map(word).collect())
        }
        _ => Cow::Borrowed(&millis(array)[rows]),
    }
}

/// What [`sortable`] made an integer of.
pub(super) fn unsorted(word: i64, data_type: DataType) -> Value {
    match data_type {
        DataType::Int => Value::Int(word as i32),
        DataType::Date => Value::Date(word as i32),
        DataType::BigInt => Value::BigInt(word),
        DataType::Double => Value::Double(f64::from_bits(turned(word) as u64)),
        DataType::Float => Value::Float(f32::from_bits(turned_single(word as i32) as u32)),
        DataType::Timestamp => Value::Timestamp(word),
        _ => Value::TimestampLtz(word),
    }
}

/// Whether [`sortable`] makes this number of a value of the type.
pub(super) fn in_range(word: i64, data_type: DataType) -> bool {
    match (data_type, unsorted(word, data_type)) {
        (DataType::Double, Value::Double(v)) => canonical_f64(v).to_bits() == v.to_bits(),
        (DataType::Float, Value::Float(v)) => {
            i32::try_from(word).is_ok() && canonical_f32(v).to_bits() == v.to_bits()
        }
        (DataType::Int | DataType::Date, _) => i32::try_from(word).is_ok(),
        _ => true,
    }
}

/// Values that fit a word.
struct Fixed {
    max: bool,
    data_type: DataType,
}

impl Accumulator for Fixed {
    fn width(&self) -> usize {
        1
    }

    fn empty(&self) -> u64 {
        (if self.max { i64::MIN } else { i64::MAX }) as u64
    }

    fn splits(&self) -> bool {
        true
    }

    fn update(
        &mut self,
        words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    ) {
        let array = argument.expect("MIN and MAX have an argument");
        let values = sortable(array, self.data_type, from..from + slots.len());
        let kernel = if self.max { kernels::largest } else { kernels::smallest };
        kernel(words.all, words.stride, words.at, slots, &values);
    }

    fn merge(&mut self, words: WordsMut<'_>, pairs: &[(u32, u32)]) {
        let kernel = if self.max { kernels::merge_largest } else { kernels::merge_smallest };
        kernel(words.all, words.stride, words.at, pairs);
    }

    fn result(&self, words: Words<'_>, slots: &[u32], values: &[i64]) -> ArrayRef {
        let all = kernels::gather_words(words.all, words.stride, words.at, slots);
        let some = !values.contains(&0);
        match self.data_type {
            DataType::BigInt if some => Arc::new(Int64Array::from(all)),
            t if some && t.is_timestamp() => timestamps(all, t),
            t => {
                let one = |(&n, &word): (&i64, &i64)| {
                    if n == 0 { Value::Null } else { unsorted(word, t) }
                };
                from_values(&values.iter().zip(&all).map(one).collect::<Vec<_>>(), t)
            }
        }
    }

    fn value(&self, words: Words<'_>, slot: u32, values: i64) -> Value {
        match values {
            0 => Value::Null,
            _ => unsorted(words.many(slot, 1)[0] as i64, self.data_type),
        }
    }

    fn trail(
        &mut self,
        mut words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        rows: &Rows<'_>,
    ) -> Option<Trail> {
        if self.data_type != DataType::BigInt {
            return None;
        }
        let array = argument?.as_primitive::<Int64Type>();
        let (mut before, mut after) =
            (Vec::with_capacity(slots.len()), Vec::with_capacity(slots.len()));
        for (&slot, &value) in slots.iter().zip(array.values()) {
            let best = words.one(slot);
            let old = *best as i64;
            let new = if self.max { old.max(value) } else { old.min(value) };
            before.push(old);
            after.push(new);
            *best = new as u64;
        }
        Some(Trail::of(before, after, rows))
    }

    fn valid(&self, words: &[u64]) -> bool {
        // An empty slot's word stands where no value has come.
        words == [self.empty()] || in_range(words[0] as i64, self.data_type)
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(Fixed { ..*self })
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

    fn clear(&mut self, from: u32, to: u32) {
        self.best[from as usize..to as usize].fill(Value::Null);
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

    fn value(&self, _: Words<'_>, slot: u32, _: i64) -> Value {
        self.best[slot as usize].clone()
    }

    fn save(&self, slots: &[u32], out: &mut Vec<u8>) {
        let best = slots.iter().map(|&slot| &self.best[slot as usize]);
        let mut bytes = Vec::new();
        best.for_each(|value| key::encode_value(value, &mut bytes));
        put_bytes(out, &bytes);
    }

    fn load(&mut self, slots: &[u32], reader: &mut Reader<'_>) -> Result<bool> {
        let types = [self.data_type];
        let mut bytes = reader.bytes()?;
        for &slot in slots {
            let Some(length) = key::measure(bytes, &types) else { return Ok(false) };
            let (value, rest) = bytes.split_at(length);
            self.best[slot as usize] = key::decode(value, &types).swap_remove(0);
            bytes = rest;
        }
        Ok(bytes.is_empty())
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(self.clone())
    }
}
