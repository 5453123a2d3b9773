//! SUM and AVG: a sum and a count a slot, added in the order the rows come.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef, Int64Array};

use super::Accumulator;
use crate::column::from_values;
use crate::schema::DataType;
use crate::value::Value;

/// A kind of number: how it adds up and what comes out.
trait Number: Copy + Default + 'static {
    type Arrow: ArrowPrimitiveType;
    fn add(self, value: <Self::Arrow as ArrowPrimitiveType>::Native) -> Self;
    fn join(self, other: Self) -> Self;
    fn sum(self, result: DataType) -> Value;
    fn average(self, count: i64, scale: u8, result: DataType) -> Value;
    fn save(self) -> Value;
    fn load(value: &Value) -> Option<Self>;
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
    sums: Vec<N>,
    counts: Vec<i64>,
    average: bool,
    scale: u8,
    result: DataType,
}

impl<N: Number> Sum<N> {
    fn boxed(average: bool, scale: u8, result: DataType) -> Box<dyn Accumulator> {
        Box::new(Sum::<N> { sums: Vec::new(), counts: Vec::new(), average, scale, result })
    }

    fn value(&self, slot: u32) -> Value {
        let (sum, count) = (self.sums[slot as usize], self.counts[slot as usize]);
        match (count, self.average) {
            (0, _) => Value::Null,
            (_, false) => sum.sum(self.result),
            (_, true) => sum.average(count, self.scale, self.result),
        }
    }
}

impl<N: Number> Accumulator for Sum<N> {
    fn grow(&mut self, slots: usize) {
        let slots = slots.max(self.sums.len());
        self.sums.resize(slots, N::default());
        self.counts.resize(slots, 0);
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], argument: Option<&ArrayRef>) {
        let array = argument.expect("SUM and AVG have an argument").as_primitive::<N::Arrow>();
        let values = array.values();
        let all_valid = array.null_count() == 0;
        for (&s, &r) in slots.iter().zip(rows) {
            if all_valid || array.is_valid(r as usize) {
                let s = s as usize;
                self.sums[s] = self.sums[s].add(values[r as usize]);
                self.counts[s] += 1;
            }
        }
    }

    fn merge(&mut self, into: u32, from: u32) {
        let (into, from) = (into as usize, from as usize);
        self.sums[into] = self.sums[into].join(self.sums[from]);
        self.counts[into] += self.counts[from];
    }

    fn clear(&mut self, slot: u32) {
        self.sums[slot as usize] = N::default();
        self.counts[slot as usize] = 0;
    }

    fn result(&self, slots: &[u32]) -> ArrayRef {
        if let (DataType::BigInt, false) = (self.result, self.average) {
            let one = |&s: &u32| match (self.counts[s as usize], self.sums[s as usize].save()) {
                (0, _) => None,
                (_, Value::BigInt(v)) => Some(v),
                (_, other) => unreachable!("a BIGINT sum is kept as one, not as {other:?}"),
            };
            return Arc::new(slots.iter().map(one).collect::<Int64Array>());
        }
        let values: Vec<Value> = slots.iter().map(|&s| self.value(s)).collect();
        from_values(&values, self.result)
    }

    fn save(&self, slot: u32) -> Vec<Value> {
        vec![self.sums[slot as usize].save(), Value::BigInt(self.counts[slot as usize])]
    }

    fn load(&mut self, slot: u32, state: &[Value]) -> bool {
        let [sum, Value::BigInt(count)] = state else { return false };
        let Some(sum) = N::load(sum) else { return false };
        self.sums[slot as usize] = sum;
        self.counts[slot as usize] = *count;
        true
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(self.clone())
    }
}

/// INT: the running sum wraps at 64 bits, the result at 32, which is the same as wrapping throughout.
#[derive(Clone, Copy, Default)]
struct Narrow(i64);

impl Number for Narrow {
    type Arrow = Int32Type;
    fn add(self, value: i32) -> Narrow {
        Narrow(self.0.wrapping_add(i64::from(value)))
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
    fn save(self) -> Value {
        Value::BigInt(self.0)
    }
    fn load(value: &Value) -> Option<Narrow> {
        if let Value::BigInt(v) = value { Some(Narrow(*v)) } else { None }
    }
}

/// BIGINT: wraps at 64 bits.
#[derive(Clone, Copy, Default)]
struct Wide(i64);

impl Number for Wide {
    type Arrow = Int64Type;
    fn add(self, value: i64) -> Wide {
        Wide(self.0.wrapping_add(value))
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
    fn save(self) -> Value {
        Value::BigInt(self.0)
    }
    fn load(value: &Value) -> Option<Wide> {
        if let Value::BigInt(v) = value { Some(Wide(*v)) } else { None }
    }
}

/// FLOAT: added in double precision, rounded once at the end.
#[derive(Clone, Copy, Default)]
struct Single(f64);

impl Number for Single {
    type Arrow = Float32Type;
    fn add(self, value: f32) -> Single {
        Single(self.0 + f64::from(value))
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
    fn save(self) -> Value {
        Value::Double(self.0)
    }
    fn load(value: &Value) -> Option<Single> {
        if let Value::Double(v) = value { Some(Single(*v)) } else { None }
    }
}

/// DOUBLE
#[derive(Clone, Copy, Default)]
struct Double(f64);

impl Number for Double {
    type Arrow = Float64Type;
    fn add(self, value: f64) -> Double {
        Double(self.0 + value)
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
    fn save(self) -> Value {
        Value::Double(self.0)
    }
    fn load(value: &Value) -> Option<Double> {
        if let Value::Double(v) = value { Some(Double(*v)) } else { None }
    }
}

/// DECIMAL: `None` once 38 digits no longer hold the sum; the result is then NULL.
#[derive(Clone, Copy)]
struct Exact(Option<i128>);

/// The first number with 39 digits.
const LIMIT: i128 = 100_000_000_000_000_000_000_000_000_000_000_000_000;

fn within(value: Option<i128>) -> Option<i128> {
    value.filter(|v| -LIMIT < *v && *v < LIMIT)
}

impl Default for Exact {
    fn default() -> Exact {
        Exact(Some(0))
    }
}

impl Number for Exact {
    type Arrow = Decimal128Type;
    fn add(self, value: i128) -> Exact {
        Exact(within(self.0.and_then(|s| s.checked_add(value))))
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
    fn save(self) -> Value {
        self.0.map_or(Value::Null, |v| Value::Decimal(v, 0))
    }
    fn load(value: &Value) -> Option<Exact> {
        match value {
            Value::Null => Some(Exact(None)),
            Value::Decimal(v, 0) => Some(Exact(Some(*v))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Function, accumulator};
    use super::*;
    use crate::column::value_at;

    fn one(function: Function, data_type: DataType, values: &[Value]) -> String {
        let mut acc = accumulator(function, Some(data_type));
        acc.grow(2);
        let rows: Vec<u32> = (0..values.len() as u32).collect();
        // Half of the rows through slot 1 and a merge, so that both ways of adding are tried.
        let slots: Vec<u32> = rows.iter().map(|r| r % 2).collect();
        acc.update(&slots, &rows, Some(&from_values(values, data_type)));
        acc.merge(0, 1);
        let result = function.result_type(Some(data_type)).expect("applies");
        value_at(&acc.result(&[0]), result, 0).to_text()
    }

    #[test]
    fn integers_wrap_and_average_toward_zero() {
        let ints = [Value::Int(i32::MAX), Value::Int(1), Value::Null];
        assert_eq!(one(Function::Sum, DataType::Int, &ints), i32::MIN.to_string());
        let longs = [-3, 0, -2].map(Value::BigInt);
        assert_eq!(one(Function::Avg, DataType::BigInt, &longs), "-1");
        assert_eq!(one(Function::Sum, DataType::BigInt, &[Value::Null]), "NULL");
    }

    #[test]
    fn decimals_keep_their_digits() {
        let prices = [10, 25, 1].map(|v| Value::Decimal(v, 2));
        assert_eq!(one(Function::Sum, DataType::Decimal(10, 2), &prices), "0.36");
        assert_eq!(one(Function::Avg, DataType::Decimal(10, 2), &prices), "0.120000");
        let huge = [LIMIT - 1, 1].map(|v| Value::Decimal(v, 2));
        assert_eq!(one(Function::Sum, DataType::Decimal(38, 2), &huge), "NULL");
    }
}
