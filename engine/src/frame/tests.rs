//! Frames there and back, and what is refused.

use arrow_buffer::Buffer;

use super::*;
use crate::column::{from_values, value_at};
use crate::value::Value;

/// A column of each type with a NULL in it, three rows.
fn columns() -> (Vec<DataType>, Vec<Vec<Value>>) {
    use DataType as T;
    let of = |data_type, a: Value, b: Value| (data_type, vec![a, Value::Null, b]);
    let all = vec![
        of(T::Boolean, Value::Boolean(true), Value::Boolean(false)),
        of(T::Int, Value::Int(-7), Value::Int(i32::MAX)),
        of(T::BigInt, Value::BigInt(i64::MIN), Value::BigInt(3)),
        of(T::Float, Value::Float(1.5), Value::Float(f32::INFINITY)),
        of(T::Double, Value::Double(-0.25), Value::Double(f64::NAN.abs())),
        of(T::String, Value::String("naïve".into()), Value::String("".into())),
        of(T::Bytes, Value::Bytes([0, 255].as_slice().into()), Value::Bytes([9].as_slice().into())),
        of(T::Date, Value::Date(19_000), Value::Date(-1)),
        of(T::Timestamp, Value::Timestamp(1_700_000_000_000), Value::Timestamp(-5)),
        of(T::TimestampLtz, Value::TimestampLtz(0), Value::TimestampLtz(i64::MAX)),
        of(T::Decimal(5, 2), Value::Decimal(-99_999, 2), Value::Decimal(1, 2)),
    ];
    all.into_iter().unzip()
}

fn arrays(types: &[DataType], values: &[Vec<Value>]) -> Vec<ArrayRef> {
    types.iter().zip(values).map(|(t, v)| from_values(v, *t)).collect()
}

/// The values of each column, as text that tells all of them apart.
fn rows(frame: &Frame) -> Vec<String> {
    let column = |(array, t): (&ArrayRef, &DataType)| -> Vec<Value> {
        (0..frame.rows).map(|row| value_at(array, *t, row)).collect()
    };
    frame.columns.iter().zip(&frame.types).map(|pair| format!("{:?}", column(pair))).collect()
}

fn text(values: &[Vec<Value>]) -> Vec<String> {
    values.iter().map(|column| format!("{column:?}")).collect()
}

#[test]
fn every_type_comes_back() {
    let (types, values) = columns();
    let kinds = [RowKind::Insert, RowKind::UpdateBefore, RowKind::UpdateAfter];
    let bytes = encode(3, &types, &arrays(&types, &values), Some(&kinds)).expect("fits");
    let frame = decode(&Buffer::from_vec(bytes)).expect("is whole");
    assert_eq!((frame.rows, &frame.types), (3, &types));
    assert_eq!(rows(&frame), text(&values));
    assert_eq!(frame.kinds.as_deref(), Some(kinds.as_slice()));
}

#[test]
fn slices_and_misaligned_blocks_read_the_same() {
    let (types, values) = columns();
    let many: Vec<Vec<Value>> =
        values.iter().map(|v| v.iter().cycle().take(21).cloned().collect()).collect();
    let sliced: Vec<ArrayRef> = arrays(&types, &many).iter().map(|a| a.slice(5, 11)).collect();
    let bytes = encode(11, &types, &sliced, None).expect("fits");
    let expected: Vec<Vec<Value>> = many.iter().map(|v| v[5..16].to_vec()).collect();
    for shift in 0..8 {
        let mut moved = vec![0; shift];
        moved.extend_from_slice(&bytes);
        let frame = decode(&Buffer::from_vec(moved).slice(shift)).expect("is whole");
        assert_eq!(rows(&frame), text(&expected), "moved by {shift}");
        assert!(frame.kinds.is_none());
    }
}

#[test]
fn the_bytes_are_those_of_the_description() {
    let column = from_values(&[Value::BigInt(258), Value::Null], DataType::BigInt);
    let bytes = encode(2, &[DataType::BigInt], &[column], None).expect("fits");
    let mut expected = b"HWC1".to_vec();
    let mut numbers = |list: &[u32]| list.iter().for_each(|n| expected.extend(n.to_le_bytes()));
    numbers(&[2, 1, 0]);
    // BIGINT, validity at 40, values at 48, 16 bytes, no offsets, two rows.
    numbers(&[3, 40, 48, 16, 0, 2]);
    // The first row is a value; the second's number is free, here zero.
    numbers(&[1, 0, 258, 0, 0, 0]);
    assert_eq!(bytes, expected);
}

#[test]
fn a_float_has_one_nan_and_one_zero() {
    let odd = [f64::from_bits(0xfff8_0000_0000_0001), -0.0, 2.0];
    let column: ArrayRef = Arc::new(arrow_array::Float64Array::from(odd.to_vec()));
    let bytes = encode(3, &[DataType::Double], &[column], None).expect("fits");
    let frame = decode(&Buffer::from_vec(bytes)).expect("is whole");
    let bits = |row| match value_at(&frame.columns[0], DataType::Double, row) {
        Value::Double(v) => v.to_bits(),
        other => panic!("{other:?}"),
    };
    assert_eq!([bits(0), bits(1), bits(2)], [0x7ff8 << 48, 0, 2.0_f64.to_bits()]);
}

/// No damage of one byte panics, and damage of the head, a descriptor or the offsets is refused or reads
/// as other rows.
#[test]
fn damage_is_refused_or_harmless() {
    let (types, values) = columns();
    let bytes = encode(3, &types, &arrays(&types, &values), None).expect("fits");
    let mut refused = 0;
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            refused += usize::from(decode(&Buffer::from_vec(damaged)).is_err());
        }
        let cut = decode(&Buffer::from_vec(bytes[..at].to_vec()));
        assert_eq!(cut.expect_err("cut short").code, "frame.malformed");
    }
    assert!(refused > 300, "{refused}");
}
