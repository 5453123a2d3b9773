//! Keys as bytes that sort as the values do: a compact row encoding, both ways.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int32Array, Int64Array};

use crate::column::{from_values, timestamps};
use crate::schema::DataType;
use crate::value::{Value, canonical_f32, canonical_f64};

/// The bytes of one value: shorter comparisons than values, same order as [`Value::total_cmp`].
pub(crate) fn encode_value(value: &Value, out: &mut Vec<u8>) {
    if value.is_null() {
        out.push(0);
        return;
    }
    out.push(1);
    match value {
        Value::Null => {}
        Value::Boolean(v) => out.push(u8::from(*v)),
        Value::Int(v) | Value::Date(v) => out.extend(((*v as u32) ^ (1 << 31)).to_be_bytes()),
        Value::BigInt(v) | Value::Timestamp(v) | Value::TimestampLtz(v) => {
            out.extend(((*v as u64) ^ (1 << 63)).to_be_bytes());
        }
        Value::Float(v) => {
            let bits = canonical_f32(*v).to_bits();
            let flip = if bits >> 31 == 1 { u32::MAX } else { 1 << 31 };
            out.extend((bits ^ flip).to_be_bytes());
        }
        Value::Double(v) => {
            let bits = canonical_f64(*v).to_bits();
            let flip = if bits >> 63 == 1 { u64::MAX } else { 1 << 63 };
            out.extend((bits ^ flip).to_be_bytes());
        }
        Value::Decimal(v, _) => out.extend(((*v as u128) ^ (1 << 127)).to_be_bytes()),
        Value::String(v) => encode_bytes(v.as_bytes(), out),
        Value::Bytes(v) => encode_bytes(v, out),
    }
}

/// Bytes so that no encoding is another's prefix: 0 becomes `0 FF`, the end is `0 0`.
fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.contains(&0) {
        for &b in bytes {
            out.push(b);
            if b == 0 {
                out.push(0xFF);
            }
        }
    } else {
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(&[0, 0]);
}

/// The order-preserving bytes of a whole key.
pub fn encode(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() * 9);
    for v in values {
        encode_value(v, &mut out);
    }
    out
}

/// What is left of a key's bytes, and the next value's without the byte that says it is there; `None`
/// for NULL.
fn split(key: &[u8], data_type: DataType) -> (Option<&[u8]>, &[u8]) {
    let (&there, rest) = key.split_first().expect("a key has all its columns");
    if there == 0 {
        return (None, rest);
    }
    let length = match data_type {
        DataType::Null => 0,
        DataType::Boolean => 1,
        DataType::Int | DataType::Date | DataType::Float => 4,
        DataType::BigInt | DataType::Timestamp | DataType::TimestampLtz | DataType::Double => 8,
        DataType::Decimal(..) => 16,
        DataType::String | DataType::Bytes => {
            let mut at = 0;
            while (rest[at], rest[at + 1]) != (0, 0) {
                at += if rest[at] == 0 { 2 } else { 1 };
            }
            let (value, rest) = rest.split_at(at);
            return (Some(value), &rest[2..]);
        }
    };
    let (value, rest) = rest.split_at(length);
    (Some(value), rest)
}

fn plain(escaped: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.iter();
    while let Some(&b) = rest.next() {
        bytes.push(b);
        if b == 0 {
            rest.next();
        }
    }
    bytes
}

fn number<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("split by its type")
}

fn decode_int(bytes: &[u8]) -> i32 {
    (u32::from_be_bytes(number(bytes)) ^ (1 << 31)) as i32
}

fn decode_long(bytes: &[u8]) -> i64 {
    (u64::from_be_bytes(number(bytes)) ^ (1 << 63)) as i64
}

/// The number that a key of one integer column is; `None` for other keys and for NULL.
#[inline]
pub(super) fn integer(key: &[u8], types: &[DataType]) -> Option<i64> {
    let (&[data_type], Some((1, bytes))) = (types, key.split_first()) else { return None };
    match data_type {
        DataType::Int => Some(decode_int(bytes).into()),
        DataType::BigInt | DataType::Timestamp | DataType::TimestampLtz => Some(decode_long(bytes)),
        _ => None,
    }
}

fn decode_value(bytes: Option<&[u8]>, data_type: DataType) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    match data_type {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Boolean(bytes[0] == 1),
        DataType::Int => Value::Int(decode_int(bytes)),
        DataType::Date => Value::Date(decode_int(bytes)),
        DataType::BigInt => Value::BigInt(decode_long(bytes)),
        DataType::Timestamp => Value::Timestamp(decode_long(bytes)),
        DataType::TimestampLtz => Value::TimestampLtz(decode_long(bytes)),
        DataType::Float => {
            let bits = u32::from_be_bytes(number(bytes));
            let flip = if bits >> 31 == 1 { 1 << 31 } else { u32::MAX };
            Value::Float(f32::from_bits(bits ^ flip))
        }
        DataType::Double => {
            let bits = u64::from_be_bytes(number(bytes));
            let flip = if bits >> 63 == 1 { 1 << 63 } else { u64::MAX };
            Value::Double(f64::from_bits(bits ^ flip))
        }
        DataType::Decimal(_, scale) => {
            Value::Decimal((u128::from_be_bytes(number(bytes)) ^ (1 << 127)) as i128, scale)
        }
        DataType::String => Value::String(String::from_utf8_lossy(&plain(bytes)).as_ref().into()),
        DataType::Bytes => Value::Bytes(plain(bytes).as_slice().into()),
    }
}

/// How many bytes from the first on are a key of these types, exactly as [`encode`] makes one; `None` when
/// they are none.
pub(crate) fn measure(bytes: &[u8], types: &[DataType]) -> Option<usize> {
    let mut rest = bytes;
    for &data_type in types {
        let (&there, after) = rest.split_first()?;
        let length = match (there, data_type) {
            (0, _) => 0,
            (1, DataType::Boolean) => after.first().filter(|b| **b < 2).map(|_| 1)?,
            (1, DataType::Int | DataType::Date) => 4,
            (1, DataType::BigInt | DataType::Timestamp | DataType::TimestampLtz) => 8,
            (1, DataType::Decimal(..)) => 16,
            (1, DataType::Float | DataType::Double) => {
                let length = if data_type == DataType::Float { 4 } else { 8 };
                let bytes = after.get(..length)?;
                let mut again = Vec::new();
                encode_value(&decode_value(Some(bytes), data_type), &mut again);
                Some(length).filter(|_| again[1..] == *bytes)?
            }
            (1, DataType::String | DataType::Bytes) => measure_bytes(after, data_type)?,
            _ => return None,
        };
        rest = after.get(length..)?;
    }
    Some(bytes.len() - rest.len())
}

/// The length of escaped bytes, their end included.
fn measure_bytes(bytes: &[u8], data_type: DataType) -> Option<usize> {
    let mut end = 0;
    let mut escaped = false;
    loop {
        end += bytes.get(end..)?.iter().position(|&b| b == 0)?;
        match bytes.get(end + 1)? {
            0 => break,
            0xFF => (end, escaped) = (end + 2, true),
            _ => return None,
        }
    }
    let content = &bytes[..end];
    let text = || match escaped {
        true => std::str::from_utf8(&plain(content)).is_ok(),
        false => std::str::from_utf8(content).is_ok(),
    };
    (data_type == DataType::Bytes || text()).then_some(end + 2)
}

/// The values of a key.
pub(crate) fn decode(mut key: &[u8], types: &[DataType]) -> Vec<Value> {
    let one = |&t: &DataType| {
        let (value, rest) = split(key, t);
        key = rest;
        decode_value(value, t)
    };
    types.iter().map(one).collect()
}

/// The columns of many keys.
pub(crate) fn decode_columns(mut keys: Vec<&[u8]>, types: &[DataType]) -> Vec<ArrayRef> {
    types.iter().map(|&t| decode_column(&mut keys, t)).collect()
}

/// The next column; `keys` are left with what follows it.
fn decode_column(keys: &mut [&[u8]], data_type: DataType) -> ArrayRef {
    let bytes: usize = keys.iter().map(|k| k.len()).sum();
    let mut values = keys.iter_mut().map(|key| {
        let (value, rest) = split(key, data_type);
        *key = rest;
        value
    });
    match data_type {
        DataType::Int => Arc::new(values.map(|v| v.map(decode_int)).collect::<Int32Array>()),
        DataType::BigInt => Arc::new(values.map(|v| v.map(decode_long)).collect::<Int64Array>()),
        DataType::String => {
            let mut builder = StringBuilder::with_capacity(values.len(), bytes);
            values.for_each(|v| match v {
                Some(v) if !v.contains(&0) => {
                    builder.append_value(std::str::from_utf8(v).unwrap_or_default());
                }
                v => builder
                    .append_option(v.map(|v| String::from_utf8_lossy(&plain(v)).into_owned())),
            });
            Arc::new(builder.finish())
        }
        DataType::Bytes => {
            let mut builder = BinaryBuilder::with_capacity(values.len(), bytes);
            values.for_each(|v| builder.append_option(v.map(plain)));
            Arc::new(builder.finish())
        }
        t if t.is_timestamp() => {
            let mut list = Vec::with_capacity(values.len());
            let mut first_null = None;
            for (i, value) in values.by_ref().enumerate() {
                if value.is_none() && first_null.is_none() {
                    first_null = Some(i);
                }
                list.push(value.map(decode_long));
            }
            match first_null {
                None => timestamps(list.into_iter().flatten().collect(), t),
                Some(_) => {
                    let one = |v: &Option<i64>| match (v, t) {
                        (None, _) => Value::Null,
                        (Some(v), DataType::Timestamp) => Value::Timestamp(*v),
                        (Some(v), _) => Value::TimestampLtz(*v),
                    };
                    from_values(&list.iter().map(one).collect::<Vec<_>>(), t)
                }
            }
        }
        t => from_values(&values.map(|v| decode_value(v, t)).collect::<Vec<_>>(), t),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Encoded;
    use std::cmp::Ordering;

    fn samples() -> Vec<(DataType, Vec<Value>)> {
        let text = |s: &str| Value::String(s.into());
        vec![
            (DataType::String, ["", "a", "a\0", "a\0b", "ab", "é"].map(text).to_vec()),
            (
                DataType::Double,
                [f64::NEG_INFINITY, -1.5, 0.0, 2.0, f64::NAN].map(Value::Double).to_vec(),
            ),
            (DataType::Float, [-2.5, 0.0, 1.0].map(Value::Float).to_vec()),
            (DataType::BigInt, [i64::MIN, -1, 0, 3, i64::MAX].map(Value::BigInt).to_vec()),
            (DataType::Int, [i32::MIN, -1, 7].map(Value::Int).to_vec()),
            (DataType::Date, [-4, 0, 9].map(Value::Date).to_vec()),
            (DataType::Timestamp, [-4, 0, 9].map(Value::Timestamp).to_vec()),
            (DataType::TimestampLtz, [-4, 9].map(Value::TimestampLtz).to_vec()),
            (DataType::Boolean, [false, true].map(Value::Boolean).to_vec()),
            (DataType::Decimal(10, 2), [-150, 0, 7].map(|v| Value::Decimal(v, 2)).to_vec()),
            (
                DataType::Bytes,
                [&[0u8][..], &[0, 0], &[1, 0, 2]].map(|b| Value::Bytes(b.into())).to_vec(),
            ),
        ]
    }

    #[test]
    fn encoded_keys_sort_as_their_values() {
        for (data_type, mut list) in samples() {
            list.insert(0, Value::Null);
            for pair in list.windows(2) {
                assert!(encode(&pair[..1]) < encode(&pair[1..]), "{data_type}: {pair:?}");
                assert_eq!(pair[0].total_cmp(&pair[1]), Ordering::Less);
            }
        }
        assert_eq!(encode(&[Value::Double(-0.0)]), encode(&[Value::Double(0.0)]));
    }

    /// Whatever is not exactly a key is none.
    #[test]
    fn keys_are_measured_and_others_refused() {
        for (data_type, list) in samples() {
            let types = [data_type, DataType::Int];
            for value in list.iter().chain([&Value::Null]) {
                let mut bytes = encode(&[value.clone(), Value::Int(5)]);
                let length = bytes.len();
                bytes.extend([1, 2, 3]);
                assert_eq!(measure(&bytes, &types), Some(length), "{value:?}");
                for cut in 0..length {
                    assert_eq!(measure(&bytes[..cut], &types), None, "{value:?} cut at {cut}");
                }
                // What is taken for a key decodes to values that encode to it again.
                for bit in 0..length * 8 {
                    let mut bad = bytes.clone();
                    bad[bit / 8] ^= 1 << (bit % 8);
                    if let Some(length) = measure(&bad, &types) {
                        assert_eq!(encode(&decode(&bad[..length], &types)), bad[..length]);
                    }
                }
            }
        }
        assert_eq!(measure(b"\x01\xc3\0\0", &[DataType::String]), None, "no UTF-8");
        assert_eq!(measure(b"\x01\xc3\0\0", &[DataType::Bytes]), Some(4));
        assert_eq!(measure(b"\x01\0", &[DataType::Null]), None);
    }

    /// Columns encode as their values do, and read back as what they were.
    #[test]
    fn columns_encode_and_decode() {
        let lists = samples();
        for nulls in [false, true] {
            for (data_type, list) in &lists {
                let mut list = list.clone();
                if nulls {
                    list.insert(1, Value::Null);
                }
                let ints: Vec<Value> = (0..list.len() as i32).map(Value::Int).collect();
                let types = [*data_type, DataType::Int, *data_type];
                let (array, ints) =
                    (from_values(&list, *data_type), from_values(&ints, DataType::Int));
                let columns = [(&array, *data_type), (&ints, DataType::Int), (&array, *data_type)];
                let mut encoded = Encoded::default();
                encoded.fill(&columns, 1, list.len());
                let keys: Vec<&[u8]> = encoded.iter().collect();
                for (i, key) in keys.iter().enumerate() {
                    let row = [list[i + 1].clone(), Value::Int(i as i32 + 1), list[i + 1].clone()];
                    assert_eq!(*key, encode(&row), "{row:?}");
                    assert_eq!(encode(&decode(key, &types)), *key, "{row:?}");
                }
                let decoded = decode_columns(keys.clone(), &types);
                for (array, (column, _)) in decoded.iter().zip(columns) {
                    assert_eq!(**array, *column.slice(1, list.len() - 1), "{data_type}");
                }
            }
        }
    }
}
