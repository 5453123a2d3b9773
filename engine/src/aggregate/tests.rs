//! Aggregates against plain arithmetic: through rows, merges, NULLs, filters, saved state.

use super::sum::LIMIT;
use super::*;
use crate::batch::Batch;
use crate::column::{from_values, value_at};
use crate::numbers::Numbers;
use crate::schema::{Field, Schema};
use crate::snapshot::bytes::Reader;
use crate::value::Value;

fn batch(data_type: DataType, values: &[Value]) -> Batch {
    let fields = [("x", data_type), ("wanted", DataType::Boolean)]
        .map(|(name, data_type)| Field::new(name, data_type));
    // Every third row is not wanted, every sixth perhaps.
    let wanted: Vec<Value> = (0..values.len())
        .map(|i| if i % 6 == 5 { Value::Null } else { Value::Boolean(i % 3 != 2) })
        .collect();
    let columns = vec![from_values(values, data_type), from_values(&wanted, DataType::Boolean)];
    Batch::new(Schema::new(fields.to_vec()), columns, Numbers::run(1, values.len()))
}

fn set(function: Function, batch: &Batch, filter: Option<usize>) -> AggregateSet {
    let call = AggregateCall { filter, ..AggregateCall::of(function, Some(0)) };
    AggregateSet::new(&[call], &batch.schema)
}

fn saved(set: &AggregateSet) -> Vec<u8> {
    let mut bytes = Vec::new();
    set.save(&[0], &mut bytes);
    bytes
}

/// The result over all values, half of them through another slot, a merge and a saved state.
fn one_of(
    function: Function,
    data_type: DataType,
    values: &[Value],
    filter: Option<usize>,
) -> String {
    let batch = batch(data_type, values);
    let mut set = set(function, &batch, filter);
    set.grow(3);
    let slots: Vec<u32> = (0..values.len() as u32).map(|i| i % 2).collect();
    set.update(&slots, 0, &batch);
    set.merge(&[(0, 1)]);
    let saved = saved(&set);
    set.clear(0, 3);
    let mut reader = Reader::new(&saved);
    assert!(set.load(&[2], &mut reader).expect("whole"));
    reader.end().expect("all is read");
    assert_eq!((set.rows(0), set.rows(2)), (0, values.len() as u64));
    let result = function.result_type(Some(data_type)).expect("applies");
    value_at(&set.results(&[2])[0], result, 0).to_text()
}

fn one(function: Function, data_type: DataType, values: &[Value]) -> String {
    one_of(function, data_type, values, None)
}

#[test]
fn integers_wrap_and_average_toward_zero() {
    let ints = [Value::Int(i32::MAX), Value::Int(1), Value::Null];
    assert_eq!(one(Function::Sum, DataType::Int, &ints), i32::MIN.to_string());
    let longs = [-3, 0, -2].map(Value::BigInt);
    assert_eq!(one(Function::Avg, DataType::BigInt, &longs), "-1");
    assert_eq!(one(Function::Sum, DataType::BigInt, &[Value::Null]), "NULL");
    assert_eq!(one(Function::Count, DataType::BigInt, &[Value::Null]), "0");
}

#[test]
fn decimals_keep_their_digits() {
    let prices = [10, 25, 1].map(|v| Value::Decimal(v, 2));
    assert_eq!(one(Function::Sum, DataType::Decimal(10, 2), &prices), "0.36");
    assert_eq!(one(Function::Avg, DataType::Decimal(10, 2), &prices), "0.120000");
    let huge = [LIMIT - 1, 1].map(|v| Value::Decimal(v, 2));
    assert_eq!(one(Function::Sum, DataType::Decimal(38, 2), &huge), "NULL");
    let negative = [-LIMIT + 1, 2].map(|v| Value::Decimal(v, 0));
    let sum = one(Function::Sum, DataType::Decimal(38, 0), &negative);
    assert_eq!(sum, (-LIMIT + 3).to_string());
}

/// Least and greatest of every type, from the total order of values.
#[test]
fn extremes_follow_the_order_of_values() {
    let text = |s: &str| Value::String(s.into());
    let lists: Vec<(DataType, Vec<Value>)> = vec![
        (DataType::Int, [3, -7, 5].map(Value::Int).to_vec()),
        (DataType::BigInt, [i64::MIN, 5, i64::MAX].map(Value::BigInt).to_vec()),
        (DataType::Date, [3, -7, 5].map(Value::Date).to_vec()),
        (DataType::Timestamp, [3, -7, 5].map(Value::Timestamp).to_vec()),
        (DataType::TimestampLtz, [3, -7, 5].map(Value::TimestampLtz).to_vec()),
        (
            DataType::Double,
            [-1.5, f64::NEG_INFINITY, 2.0, -0.0, f64::NAN].map(Value::Double).to_vec(),
        ),
        (DataType::Float, [-1.5, -0.5, 2.0, f32::INFINITY].map(Value::Float).to_vec()),
        (DataType::Boolean, [true, false].map(Value::Boolean).to_vec()),
        (DataType::Decimal(9, 1), [15, -15].map(|v| Value::Decimal(v, 1)).to_vec()),
        (DataType::String, ["b", "", "ab"].map(text).to_vec()),
    ];
    for (data_type, mut list) in lists {
        let greatest = list.iter().max_by(|a, b| a.total_cmp(b)).expect("values").to_text();
        let least = list.iter().min_by(|a, b| a.total_cmp(b)).expect("values").to_text();
        for _ in 0..2 {
            assert_eq!(one(Function::Max, data_type, &list), greatest, "{data_type}");
            assert_eq!(one(Function::Min, data_type, &list), least, "{data_type}");
            list.insert(1, Value::Null);
        }
        assert_eq!(one(Function::Min, data_type, &[Value::Null]), "NULL", "{data_type}");
    }
}

#[test]
fn a_filter_leaves_rows_out() {
    let values: Vec<Value> = (1..=12).map(Value::BigInt).collect();
    // Wanted: positions 0, 1, 3, 4, 6, 7, 9, 10.
    let wanted = [1, 2, 4, 5, 7, 8, 10, 11];
    let sum: i64 = wanted.iter().sum();
    assert_eq!(one_of(Function::Sum, DataType::BigInt, &values, Some(1)), sum.to_string());
    assert_eq!(one_of(Function::Count, DataType::BigInt, &values, Some(1)), "8");
    assert_eq!(one_of(Function::Max, DataType::BigInt, &values, Some(1)), "11");
    assert_eq!(one_of(Function::Avg, DataType::BigInt, &values, Some(1)), (sum / 8).to_string());
}

#[test]
fn state_of_other_aggregates_is_refused() {
    let batch = batch(DataType::BigInt, &[Value::BigInt(1)]);
    let mut sum = set(Function::Sum, &batch, None);
    sum.grow(1);
    sum.update(&[0], 0, &batch);
    let bytes = saved(&sum);
    for (function, fits) in [(Function::Sum, true), (Function::Count, false), (Function::Max, true)]
    {
        let mut other = set(function, &batch, None);
        let taken = other.load(&[0], &mut Reader::new(&bytes)).expect("whole");
        assert_eq!(taken, fits, "{function:?}");
    }
    for cut in 0..bytes.len() {
        let mut fresh = set(Function::Sum, &batch, None);
        assert!(fresh.load(&[0], &mut Reader::new(&bytes[..cut])).is_err(), "cut at {cut}");
    }
    // The slot has its rows already.
    assert!(!sum.load(&[0], &mut Reader::new(&bytes)).expect("whole"));
}

/// Words that no value makes: of an INT beyond its range, of a zero below zero, of a decimal with too many digits.
#[test]
fn words_that_nothing_writes_are_refused() {
    let lists = [
        (Function::Max, DataType::Int, Value::Int(7), vec![1 << 40]),
        (Function::Max, DataType::Double, Value::Double(1.0), vec![u64::MAX]),
        (Function::Sum, DataType::Decimal(9, 2), Value::Decimal(7, 2), vec![0, u64::MAX >> 1, 0]),
        (Function::Sum, DataType::Decimal(9, 2), Value::Decimal(7, 2), vec![0, 0, 2]),
    ];
    for (function, data_type, value, words) in lists {
        let batch = batch(data_type, &[value]);
        let mut full = set(function, &batch, None);
        full.grow(1);
        full.update(&[0], 0, &batch);
        let mut bytes = saved(&full);
        let load = |bytes: &[u8]| {
            set(function, &batch, None).load(&[0], &mut Reader::new(bytes)).expect("whole")
        };
        assert!(load(&bytes), "{function:?} {data_type}");
        for (i, word) in words.iter().enumerate() {
            bytes[16 + 8 * i..24 + 8 * i].copy_from_slice(&u64::to_le_bytes(*word));
        }
        assert!(!load(&bytes), "{function:?} {data_type} {words:?}");
    }
}

mod ordered;
mod spread;
