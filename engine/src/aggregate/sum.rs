//! SUM and AVG: a sum and a count a slot, added in the order the rows come.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
};
use arrow_array::{ArrayRef, Int64Array};

use highwater_kernels as kernels;

use super::{Accumulator, Rows, Trail, Words, WordsMut};
use crate::column::from_values;
use crate::schema::DataType;
use crate::value::Value;

/// A kind of number: how it adds up, what comes out, and how it stands in words; all zero is nothing.
trait Number: Copy + Send + 'static {
    type Arrow: ArrowPrimitiveType;
    const WORDS: usize;
    /// Whether words add up as integers do.
    const WHOLE: bool;
    fn read(words: &[u64]) -> Self;
    fn write(self, words: &mut [u64]);
    fn add(self, value: <Self::Arrow as ArrowPrimitiveType>::Native) -> Self;
    fn sub(self, value: <Self::Arrow as ArrowPrimitiveType>::Native) -> Self;
    fn join(self, other: Self) -> Self;
    fn sum(self, result: DataType) -> Value;
    fn average(self, count: i64, scale: u8, result: DataType) -> Value;
    /// Whether these are words that [`Number::write`] writes.
    fn valid(_words: &[u64]) -> bool {
        true
    }
}

/// The accumulators of `SUM` or, with `average`, `AVG`.
pub(super) fn sum(
    average: bool,
    argument: Option<DataType>,
    result: DataType,
) -> Box<dyn Accumulator> {
    match argument {
        Some(DataType::Int) => Sum::<Narrow>::boxed(average, 0, result),
        Some(DataType::BigInt) => Sum::<Wide>::boxed(average, 0, result),
        Some(DataType::Float) => Sum::<Single>::boxed(average, 0, result),
        Some(DataType::Double) => Sum::<Double>::boxed(average, 0, result),
        Some(DataType::Decimal(_, s)) => Sum::<Exact>::boxed(average, s, result),
        other => unreachable!("SUM and AVG take numbers, not {other:?}"),
    }
}

#[derive(Clone)]
struct Sum<N> {
    average: bool,
    scale: u8,
    result: DataType,
    number: PhantomData<N>,
}

impl<N: Number> Sum<N> {
    fn boxed(average: bool, scale: u8, result: DataType) -> Box<dyn Accumulator> {
        Box::new(Sum::<N> { average, scale, result, number: PhantomData })
    }

    fn change(words: &mut WordsMut<'_>, slot: u32, change: impl FnOnce(N) -> N) {
        let words = words.many(slot, N::WORDS);
        change(N::read(words)).write(words);
    }

    fn finish(&self, sum: N, count: i64) -> Value {
        match (count, self.average) {
            (0, _) => Value::Null,
            (_, false) => sum.sum(self.result),
            (_, true) => sum.average(count, self.scale, self.result),
        }
    }
}

impl<N: Number> Accumulator for Sum<N> {
    fn width(&self) -> usize {
        N::WORDS
    }

    fn adds_up(&self) -> bool {
        N::WHOLE
    }

    fn splits(&self) -> bool {
        N::WHOLE
    }

    fn update(
        &mut self,
        mut words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    ) {
        let array = argument.expect("SUM and AVG have an argument").as_primitive::<N::Arrow>();
        if let Some(array) = argument.and_then(|a| a.as_primitive_opt::<Int64Type>()) {
            let (values, at) = (&array.values()[from..], words.at);
            return kernels::sum_i64(words.all, words.stride, at, slots, values);
        }
        for (&slot, &value) in slots.iter().zip(&array.values()[from..]) {
            Self::change(&mut words, slot, |sum| sum.add(value));
        }
    }

    fn retract(
        &mut self,
        mut words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    ) {
        let array = argument.expect("SUM and AVG have an argument").as_primitive::<N::Arrow>();
        for (&slot, &value) in slots.iter().zip(&array.values()[from..]) {
            Self::change(&mut words, slot, |sum| sum.sub(value));
        }
    }

    fn merge(&mut self, mut words: WordsMut<'_>, pairs: &[(u32, u32)]) {
        if N::WHOLE {
            return kernels::merge_sums(words.all, words.stride, words.at, pairs);
        }
        for &(into, from) in pairs {
            let other = N::read(words.many(from, N::WORDS));
            Self::change(&mut words, into, |sum| sum.join(other));
        }
    }

    fn result(&self, words: Words<'_>, slots: &[u32], values: &[i64]) -> ArrayRef {
        let sums = slots.iter().zip(values).map(|(&s, &n)| (N::read(words.many(s, N::WORDS)), n));
        if let (DataType::BigInt, false) = (self.result, self.average) {
            if !values.contains(&0) {
                let sums = kernels::gather_words(words.all, words.stride, words.at, slots);
                return Arc::new(Int64Array::from(sums));
            }
            let one = |(sum, count): (N, i64)| match (count, sum.sum(self.result)) {
                (0, _) => None,
                (_, Value::BigInt(v)) => Some(v),
                (_, other) => unreachable!("a BIGINT sum is kept as one, not as {other:?}"),
            };
            return Arc::new(sums.map(one).collect::<Int64Array>());
        }
        from_values(&sums.map(|(sum, n)| self.finish(sum, n)).collect::<Vec<_>>(), self.result)
    }

    fn value(&self, words: Words<'_>, slot: u32, values: i64) -> Value {
        self.finish(N::read(words.many(slot, N::WORDS)), values)
    }

    fn trail(
        &mut self,
        mut words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        rows: &Rows<'_>,
    ) -> Option<Trail> {
        if self.average || self.result != DataType::BigInt {
            return None;
        }
        let array = argument?.as_primitive::<N::Arrow>();
        let (mut before, mut after) =
            (Vec::with_capacity(slots.len()), Vec::with_capacity(slots.len()));
        for (row, (&slot, &value)) in slots.iter().zip(array.values()).enumerate() {
            let words = words.many(slot, N::WORDS);
            before.push(words[0] as i64);
            let sum = N::read(words);
            if rows.takes_back(row) { sum.sub(value) } else { sum.add(value) }.write(words);
            after.push(words[0] as i64);
        }
        Some(Trail::of(before, after, rows))
    }

    fn valid(&self, words: &[u64]) -> bool {
        N::valid(words)
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(self.clone())
    }
}

/// The words of a number that fits one.
macro_rules! one_word {
    ($name:ident, $whole:expr, $to:expr, $from:expr) => {
        const WORDS: usize = 1;
        const WHOLE: bool = $whole;
        #[inline]
        fn read(words: &[u64]) -> $name {
            $name($from(words[0]))
        }
        #[inline]
        fn write(self, words: &mut [u64]) {
            words[0] = $to(self.0);
        }
    };
}

/// INT: the running sum wraps at 64 bits, the result at 32, which is the same as wrapping throughout.
#[derive(Clone, Copy)]
struct Narrow(i64);

impl Number for Narrow {
    type Arrow = Int32Type;
    one_word!(Narrow, true, |v: i64| v as u64, |w: u64| w as i64);
    fn add(self, value: i32) -> Narrow {
        Narrow(self.0.wrapping_add(i64::from(value)))
    }
    fn sub(self, value: i32) -> Narrow {
        Narrow(self.0.wrapping_sub(i64::from(value)))
    }
    fn join(self, other: Narrow) -> Narrow {
        Narrow(self.0.wrapping_add(other.0))
    }
    fn sum(self, _: DataType) -> Value {
        Value::Int(self.0 as i32)
    }
    fn average(self, count: i64, _: u8, _: DataType) -> Value {
        Value::Int(self.0.wrapping_div(count) as i32)
    }
}

/// BIGINT: wraps at 64 bits.
#[derive(Clone, Copy)]
struct Wide(i64);

impl Number for Wide {
    type Arrow = Int64Type;
    one_word!(Wide, true, |v: i64| v as u64, |w: u64| w as i64);
    fn add(self, value: i64) -> Wide {
        Wide(self.0.wrapping_add(value))
    }
    fn sub(self, value: i64) -> Wide {
        Wide(self.0.wrapping_sub(value))
    }
    fn join(self, other: Wide) -> Wide {
        Wide(self.0.wrapping_add(other.0))
    }
    fn sum(self, _: DataType) -> Value {
        Value::BigInt(self.0)
    }
    fn average(self, count: i64, _: u8, _: DataType) -> Value {
        Value::BigInt(self.0.wrapping_div(count))
    }
}

/// FLOAT: added in double precision, rounded once at the end.
#[derive(Clone, Copy)]
struct Single(f64);

impl Number for Single {
    type Arrow = Float32Type;
    one_word!(Single, false, f64::to_bits, f64::from_bits);
    fn add(self, value: f32) -> Single {
        Single(self.0 + f64::from(value))
    }
    fn sub(self, value: f32) -> Single {
        Single(self.0 - f64::from(value))
    }
    fn join(self, other: Single) -> Single {
        Single(self.0 + other.0)
    }
    fn sum(self, _: DataType) -> Value {
        Value::Float(self.0 as f32)
    }
    fn average(self, count: i64, _: u8, _: DataType) -> Value {
        Value::Float((self.0 / count as f64) as f32)
    }
}

/// DOUBLE
#[derive(Clone, Copy)]
struct Double(f64);

impl Number for Double {
    type Arrow = Float64Type;
    one_word!(Double, false, f64::to_bits, f64::from_bits);
    fn add(self, value: f64) -> Double {
        Double(self.0 + value)
    }
    fn sub(self, value: f64) -> Double {
        Double(self.0 - value)
    }
    fn join(self, other: Double) -> Double {
        Double(self.0 + other.0)
    }
    fn sum(self, _: DataType) -> Value {
        Value::Double(self.0)
    }
    fn average(self, count: i64, _: u8, _: DataType) -> Value {
        Value::Double(self.0 / count as f64)
    }
}

/// DECIMAL: `None` once 38 digits no longer hold the sum; the result is then NULL.
#[derive(Clone, Copy)]
struct Exact(Option<i128>);

/// The first number with 39 digits.
pub(super) const LIMIT: i128 = 100_000_000_000_000_000_000_000_000_000_000_000_000;

fn within(value: Option<i128>) -> Option<i128> {
    value.filter(|v| -LIMIT < *v && *v < LIMIT)
}

impl Number for Exact {
    type Arrow = Decimal128Type;
    const WORDS: usize = 3;
    const WHOLE: bool = false;
    fn read(words: &[u64]) -> Exact {
        let value = u128::from(words[0]) | u128::from(words[1]) << 64;
        Exact((words[2] == 0).then_some(value as i128))
    }
    fn write(self, words: &mut [u64]) {
        let value = self.0.unwrap_or(0) as u128;
        words.copy_from_slice(&[value as u64, (value >> 64) as u64, self.0.is_none().into()]);
    }
    fn valid(words: &[u64]) -> bool {
        let sum = Exact::read(words);
        let mut written = [0; 3];
        sum.write(&mut written);
        written == words && (sum.0.is_none() || within(sum.0).is_some())
    }
    fn add(self, value: i128) -> Exact {
        Exact(within(self.0.and_then(|s| s.checked_add(value))))
    }
    fn sub(self, value: i128) -> Exact {
        Exact(within(self.0.and_then(|s| s.checked_sub(value))))
    }
    fn join(self, other: Exact) -> Exact {
        other.0.map_or(Exact(None), |o| self.add(o))
    }
    fn sum(self, result: DataType) -> Value {
        let DataType::Decimal(_, scale) = result else {
            unreachable!("a decimal sum is a decimal")
        };
        self.0.map_or(Value::Null, |v| Value::Decimal(v, scale))
    }
    fn average(self, count: i64, scale: u8, result: DataType) -> Value {
        let DataType::Decimal(_, to) = result else { unreachable!("a decimal mean is a decimal") };
        let widened = 10_i128
            .checked_pow(u32::from(to - scale))
            .and_then(|factor| self.0.and_then(|s| s.checked_mul(factor)));
        let Some(widened) = within(widened) else { return Value::Null };
        // Half up, away from zero, as Flink divides decimals.
        let count = i128::from(count);
        let (quotient, rest) = (widened / count, widened % count);
        let up = i128::from(rest.abs() * 2 >= count) * widened.signum();
        Value::Decimal(quotient + up, to)
    }
}
