//! Columns: the few typed gathers the engine needs over the types it supports.
//!
//! Arrow's own type-generic kernels would be most of `engine.wasm`.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMillisecondType,
};
use arrow_array::{
    Array, ArrayRef, ArrowNativeTypeOp, BinaryArray, BooleanArray, Int64Array, NullArray,
    PrimitiveArray, StringArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::DataType as ArrowType;
use highwater_kernels::gather_i64;

use crate::schema::DataType;
use crate::value::{Value, canonical_f32, canonical_f64};

/// Calls a generic function with the Arrow primitive type of a column; the other types have arms of
/// their own.
macro_rules! by_type {
    ($array:expr, primitive $p:ident => $prim:expr, boolean => $bool:expr, string => $str:expr, bytes => $bin:expr, null => $null:expr) => {
        match $array.data_type() {
            ArrowType::Int32 => {
                type $p = Int32Type;
                $prim
            }
            ArrowType::Int64 => {
                type $p = Int64Type;
                $prim
            }
            ArrowType::Float32 => {
                type $p = Float32Type;
                $prim
            }
            ArrowType::Float64 => {
                type $p = Float64Type;
                $prim
            }
            ArrowType::Decimal128(_, _) => {
                type $p = Decimal128Type;
                $prim
            }
            ArrowType::Date32 => {
                type $p = Date32Type;
                $prim
            }
            ArrowType::Timestamp(_, _) => {
                type $p = TimestampMillisecondType;
                $prim
            }
            ArrowType::Boolean => $bool,
            ArrowType::Utf8 => $str,
            ArrowType::Binary => $bin,
            ArrowType::Null => $null,
            other => panic!("the engine has no columns of type {other}"),
        }
    };
}

/// The rows at `indices`, in that order.
///
/// # Panics
/// When an index is out of bounds.
pub fn take(array: &ArrayRef, indices: &[u32]) -> ArrayRef {
    let quick = array.null_count() == 0;
    if let Some(a) = array.as_primitive_opt::<Int64Type>().filter(|_| quick) {
        return Arc::new(Int64Array::from(gather_i64(a.values(), indices)));
    }
    if let Some(a) = array.as_primitive_opt::<TimestampMillisecondType>().filter(|_| quick) {
        let times = PrimitiveArray::<TimestampMillisecondType>::new(
            gather_i64(a.values(), indices).into(),
            None,
        );
        return Arc::new(times.with_data_type(array.data_type().clone()));
    }
    by_type!(array,
        primitive P => take_primitive(array.as_primitive::<P>(), indices),
        boolean => {
            let a = array.as_boolean();
            let values = BooleanBuffer::collect_bool(indices.len(), |i| a.value(indices[i] as usize));
            Arc::new(BooleanArray::new(values, take_nulls(array, indices)))
        },
        string => {
            let a = array.as_string::<i32>();
            let mut b = StringBuilder::with_capacity(indices.len(), indices.len() * 8);
            for &i in indices {
                b.append_option(a.is_valid(i as usize).then(|| a.value(i as usize)));
            }
            Arc::new(b.finish())
        },
        bytes => {
            let a = array.as_binary::<i32>();
            let mut b = BinaryBuilder::with_capacity(indices.len(), indices.len() * 8);
            for &i in indices {
                b.append_option(a.is_valid(i as usize).then(|| a.value(i as usize)));
            }
            Arc::new(b.finish())
        },
        null => Arc::new(NullArray::new(indices.len()))
    )
}

fn take_nulls(array: &ArrayRef, indices: &[u32]) -> Option<NullBuffer> {
    let nulls = array.nulls().filter(|n| n.null_count() > 0)?;
    Some(NullBuffer::new(BooleanBuffer::collect_bool(indices.len(), |i| {
        nulls.is_valid(indices[i] as usize)
    })))
}

fn take_primitive<P: ArrowPrimitiveType>(a: &PrimitiveArray<P>, indices: &[u32]) -> ArrayRef {
    let array: ArrayRef = Arc::new(a.clone());
    let values = a.values();
    let gathered: Vec<P::Native> = indices.iter().map(|&i| values[i as usize]).collect();
    Arc::new(
        PrimitiveArray::<P>::new(ScalarBuffer::from(gathered), take_nulls(&array, indices))
            .with_data_type(a.data_type().clone()),
    )
}

/// Rows of several arrays of one type: for each, the array's position and the row in it.
///
/// # Panics
/// When there are no arrays, they differ in type, or a row is out of bounds.
pub fn interleave(arrays: &[&ArrayRef], rows: &[(u32, u32)]) -> ArrayRef {
    let first = arrays.first().expect("at least one array to take from");
    by_type!(first,
        primitive P => {
            let parts: Vec<&[<P as ArrowPrimitiveType>::Native]> =
                arrays.iter().map(|a| &a.as_primitive::<P>().values()[..]).collect();
            let values: Vec<<P as ArrowPrimitiveType>::Native> =
                rows.iter().map(|&(a, i)| parts[a as usize][i as usize]).collect();
            Arc::new(
                PrimitiveArray::<P>::new(ScalarBuffer::from(values), interleave_nulls(arrays, rows))
                    .with_data_type(first.data_type().clone()),
            )
        },
        boolean => {
            let parts: Vec<&BooleanArray> = arrays.iter().map(|a| a.as_boolean()).collect();
            let value = |i: usize| parts[rows[i].0 as usize].value(rows[i].1 as usize);
            let values = BooleanBuffer::collect_bool(rows.len(), value);
            Arc::new(BooleanArray::new(values, interleave_nulls(arrays, rows)))
        },
        string => {
            let parts: Vec<&StringArray> = arrays.iter().map(|a| a.as_string::<i32>()).collect();
            let mut b = StringBuilder::with_capacity(rows.len(), rows.len() * 8);
            for &(a, i) in rows {
                let part = parts[a as usize];
                b.append_option(part.is_valid(i as usize).then(|| part.value(i as usize)));
            }
            Arc::new(b.finish())
        },
        bytes => {
            let parts: Vec<&BinaryArray> = arrays.iter().map(|a| a.as_binary::<i32>()).collect();
            let mut b = BinaryBuilder::with_capacity(rows.len(), rows.len() * 8);
            for &(a, i) in rows {
                let part = parts[a as usize];
                b.append_option(part.is_valid(i as usize).then(|| part.value(i as usize)));
            }
            Arc::new(b.finish())
        },
        null => Arc::new(NullArray::new(rows.len()))
    )
}

fn interleave_nulls(arrays: &[&ArrayRef], rows: &[(u32, u32)]) -> Option<NullBuffer> {
    if arrays.iter().all(|a| a.null_count() == 0) {
        return None;
    }
    Some(NullBuffer::new(BooleanBuffer::collect_bool(rows.len(), |i| {
        arrays[rows[i].0 as usize].is_valid(rows[i].1 as usize)
    })))
}

/// The arrays one after the other. They must be of one type.
///
/// # Panics
/// When there are none, or they differ in type.
pub fn concat(arrays: &[ArrayRef]) -> ArrayRef {
    let first = arrays.first().expect("at least one array to concatenate");
    if arrays.len() == 1 {
        return Arc::clone(first);
    }
    by_type!(first,
        primitive P => {
            let mut values: Vec<<P as ArrowPrimitiveType>::Native> = Vec::new();
            for a in arrays {
                values.extend_from_slice(a.as_primitive::<P>().values());
            }
            Arc::new(
                PrimitiveArray::<P>::new(ScalarBuffer::from(values), concat_nulls(arrays))
                    .with_data_type(first.data_type().clone()),
            )
        },
        boolean => {
            let mut b = BooleanBuilder::new();
            for a in arrays {
                b.extend(a.as_boolean().iter());
            }
            Arc::new(b.finish())
        },
        string => Arc::new(arrays.iter().flat_map(|a| a.as_string::<i32>().iter()).collect::<StringArray>()),
        bytes => Arc::new(arrays.iter().flat_map(|a| a.as_binary::<i32>().iter()).collect::<BinaryArray>()),
        null => Arc::new(NullArray::new(arrays.iter().map(|a| a.len()).sum()))
    )
}

fn concat_nulls(arrays: &[ArrayRef]) -> Option<NullBuffer> {
    if arrays.iter().all(|a| a.null_count() == 0) {
        return None;
    }
    let valid: Vec<bool> =
        arrays.iter().flat_map(|a| (0..a.len()).map(move |i| a.is_valid(i))).collect();
    Some(NullBuffer::from(valid))
}

/// The rows in which two columns of one type differ; NULL equals NULL.
///
/// # Panics
/// When they differ in type or length.
pub fn differ(a: &ArrayRef, b: &ArrayRef, differs: &mut [bool]) {
    assert_eq!((a.data_type(), a.len()), (b.data_type(), differs.len()), "columns alike");
    let nulls = a.null_count() + b.null_count() > 0;
    macro_rules! compare {
        ($equal:expr) => {
            for (i, differs) in differs.iter_mut().enumerate() {
                let valid = !nulls || (a.is_valid(i) && b.is_valid(i));
                *differs |= match valid {
                    true => !$equal(i),
                    false => a.is_valid(i) != b.is_valid(i),
                };
            }
        };
    }
    by_type!(a,
        primitive P => {
            let (x, y) = (a.as_primitive::<P>(), b.as_primitive::<P>());
            compare!(|i| x.value(i).is_eq(y.value(i)))
        },
        boolean => compare!(|i| a.as_boolean().value(i) == b.as_boolean().value(i)),
        string => compare!(|i| a.as_string::<i32>().value(i) == b.as_string::<i32>().value(i)),
        bytes => compare!(|i| a.as_binary::<i32>().value(i) == b.as_binary::<i32>().value(i)),
        null => {}
    );
}

/// The value in row `i`; `data_type` is the column's type in the schema.
pub fn value_at(array: &ArrayRef, data_type: DataType, i: usize) -> Value {
    if data_type == DataType::Null || array.is_null(i) {
        return Value::Null;
    }
    match data_type {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Boolean(array.as_boolean().value(i)),
        DataType::Int => Value::Int(array.as_primitive::<Int32Type>().value(i)),
        DataType::BigInt => Value::BigInt(array.as_primitive::<Int64Type>().value(i)),
        DataType::Float => Value::Float(array.as_primitive::<Float32Type>().value(i)),
        DataType::Double => Value::Double(array.as_primitive::<Float64Type>().value(i)),
        DataType::Decimal(_, s) => {
            Value::Decimal(array.as_primitive::<Decimal128Type>().value(i), s)
        }
        DataType::String => Value::String(array.as_string::<i32>().value(i).into()),
        DataType::Bytes => Value::Bytes(array.as_binary::<i32>().value(i).into()),
        DataType::Date => Value::Date(array.as_primitive::<Date32Type>().value(i)),
        DataType::Timestamp => {
            Value::Timestamp(array.as_primitive::<TimestampMillisecondType>().value(i))
        }
        DataType::TimestampLtz => {
            Value::TimestampLtz(array.as_primitive::<TimestampMillisecondType>().value(i))
        }
    }
}

/// A column of these values, each NULL or of the column's type.
///
/// # Panics
/// When a value is of another type: a bug of the caller.
pub fn from_values(values: &[Value], data_type: DataType) -> ArrayRef {
    macro_rules! primitive {
        ($p:ty, $variant:pat => $v:expr) => {
            Arc::new(
                values
                    .iter()
                    .map(|v| match v {
                        Value::Null => None,
                        $variant => Some($v),
                        other => panic!("{other:?} in a column of {data_type}"),
                    })
                    .collect::<PrimitiveArray<$p>>()
                    .with_data_type(data_type.to_arrow()),
            )
        };
    }
    match data_type {
        DataType::Null => Arc::new(NullArray::new(values.len())),
        DataType::Boolean => Arc::new(
            values
                .iter()
                .map(|v| match v {
                    Value::Null => None,
                    Value::Boolean(b) => Some(*b),
                    other => panic!("{other:?} in a column of BOOLEAN"),
                })
                .collect::<BooleanArray>(),
        ),
        DataType::Int => primitive!(Int32Type, Value::Int(v) => *v),
        DataType::BigInt => primitive!(Int64Type, Value::BigInt(v) => *v),
        DataType::Float => primitive!(Float32Type, Value::Float(v) => canonical_f32(*v)),
        DataType::Double => primitive!(Float64Type, Value::Double(v) => canonical_f64(*v)),
        DataType::Decimal(..) => primitive!(Decimal128Type, Value::Decimal(v, _) => *v),
        DataType::Date => primitive!(Date32Type, Value::Date(v) => *v),
        DataType::Timestamp => primitive!(TimestampMillisecondType, Value::Timestamp(v) => *v),
        DataType::TimestampLtz => {
            primitive!(TimestampMillisecondType, Value::TimestampLtz(v) => *v)
        }
        DataType::String => Arc::new(
            values
                .iter()
                .map(|v| match v {
                    Value::Null => None,
                    Value::String(s) => Some(s.as_ref()),
                    other => panic!("{other:?} in a column of STRING"),
                })
                .collect::<StringArray>(),
        ),
        DataType::Bytes => Arc::new(
            values
                .iter()
                .map(|v| match v {
                    Value::Null => None,
                    Value::Bytes(s) => Some(s.as_ref()),
                    other => panic!("{other:?} in a column of BYTES"),
                })
                .collect::<BinaryArray>(),
        ),
    }
}

/// The column with the one zero and the one NaN that leave the engine.
pub fn canonical(array: &ArrayRef) -> ArrayRef {
    if let Some(a) = array.as_primitive_opt::<Float64Type>() {
        let other = |v: &f64| v.to_bits() != canonical_f64(*v).to_bits();
        if a.values().iter().any(other) {
            return Arc::new(a.unary::<_, Float64Type>(canonical_f64));
        }
    }
    if let Some(a) = array.as_primitive_opt::<Float32Type>() {
        let other = |v: &f32| v.to_bits() != canonical_f32(*v).to_bits();
        if a.values().iter().any(other) {
            return Arc::new(a.unary::<_, Float32Type>(canonical_f32));
        }
    }
    Arc::clone(array)
}

/// A column of event times in milliseconds, without NULL.
pub fn timestamps(values: Vec<i64>, data_type: DataType) -> ArrayRef {
    Arc::new(
        PrimitiveArray::<TimestampMillisecondType>::new(ScalarBuffer::from(values), None)
            .with_data_type(data_type.to_arrow()),
    )
}

/// The milliseconds of a timestamp column; NULL rows hold anything.
pub fn millis(array: &ArrayRef) -> &[i64] {
    array.as_primitive::<TimestampMillisecondType>().values()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<(DataType, Vec<Value>)> {
        vec![
            (DataType::Boolean, vec![Value::Boolean(true), Value::Null, Value::Boolean(false)]),
            (DataType::Int, vec![Value::Int(1), Value::Null, Value::Int(-3)]),
            (DataType::BigInt, vec![Value::BigInt(i64::MIN), Value::Null, Value::BigInt(7)]),
            (DataType::Float, vec![Value::Float(1.5), Value::Null, Value::Float(-0.5)]),
            (DataType::Double, vec![Value::Double(1.5), Value::Null, Value::Double(-0.5)]),
            (
                DataType::Decimal(10, 2),
                vec![Value::Decimal(150, 2), Value::Null, Value::Decimal(-5, 2)],
            ),
            (
                DataType::String,
                vec![Value::String("a".into()), Value::Null, Value::String("한".into())],
            ),
            (
                DataType::Bytes,
                vec![
                    Value::Bytes([1, 2].as_slice().into()),
                    Value::Null,
                    Value::Bytes([].as_slice().into()),
                ],
            ),
            (DataType::Date, vec![Value::Date(1), Value::Null, Value::Date(-1)]),
            (DataType::Timestamp, vec![Value::Timestamp(1), Value::Null, Value::Timestamp(-1)]),
            (
                DataType::TimestampLtz,
                vec![Value::TimestampLtz(1), Value::Null, Value::TimestampLtz(-1)],
            ),
        ]
    }

    #[test]
    fn interleaved_rows_come_from_their_arrays() {
        for (data_type, values) in samples() {
            let array = from_values(&values, data_type);
            let turned = from_values(&[values[2].clone(), values[1].clone()], data_type);
            let rows = [(1, 0), (0, 0), (1, 1), (0, 2), (0, 1)];
            let mixed = interleave(&[&array, &turned], &rows);
            assert_eq!(mixed.data_type(), &data_type.to_arrow());
            let expected = [2, 0, 1, 2, 1].map(|i: usize| format!("{:?}", values[i]));
            let actual: Vec<_> =
                (0..5).map(|i| format!("{:?}", value_at(&mixed, data_type, i))).collect();
            assert_eq!(actual, expected, "{data_type}");
        }
    }

    #[test]
    fn take_and_concat_keep_values_nulls_and_types() {
        for (data_type, values) in samples() {
            let array = from_values(&values, data_type);
            assert_eq!(array.data_type(), &data_type.to_arrow());
            let both = concat(&[take(&array, &[2, 1, 0, 2]), Arc::clone(&array)]);
            assert_eq!(both.data_type(), &data_type.to_arrow());
            let expected = [2, 1, 0, 2, 0, 1, 2].map(|i: usize| format!("{:?}", values[i]));
            let actual: Vec<_> =
                (0..7).map(|i| format!("{:?}", value_at(&both, data_type, i))).collect();
            assert_eq!(actual, expected, "{data_type}");
        }
    }
}
