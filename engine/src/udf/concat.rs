//! Putting the columns of several answers behind one another.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};

use crate::schema::DataType;

/// One array a type out of parts that each hold one array a type; empty arrays when there are none.
pub(super) fn concat(types: &[DataType], mut parts: Vec<Vec<ArrayRef>>) -> Vec<ArrayRef> {
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    let column = |(i, data_type): (usize, &DataType)| {
        let arrays: Vec<&ArrayRef> = parts.iter().map(|part| &part[i]).collect();
        concat_one(*data_type, &arrays)
    };
    types.iter().enumerate().map(column).collect()
}

fn concat_one(data_type: DataType, arrays: &[&ArrayRef]) -> ArrayRef {
    macro_rules! numbers {
        ($arrow:ty) => {
            arrays
                .iter()
                .flat_map(|a| a.as_primitive::<$arrow>().iter())
                .collect::<PrimitiveArray<$arrow>>()
        };
    }
    match data_type {
        DataType::Boolean => {
            Arc::new(arrays.iter().flat_map(|a| a.as_boolean().iter()).collect::<BooleanArray>())
        }
        DataType::Int => Arc::new(numbers!(Int32Type)),
        DataType::BigInt => Arc::new(numbers!(Int64Type)),
        DataType::Float => Arc::new(numbers!(Float32Type)),
        DataType::Double => Arc::new(numbers!(Float64Type)),
        DataType::Date => Arc::new(numbers!(Date32Type)),
        DataType::Timestamp => Arc::new(numbers!(TimestampMillisecondType)),
        DataType::TimestampLtz => Arc::new(numbers!(TimestampMillisecondType).with_timezone("UTC")),
        DataType::String => Arc::new(
            arrays.iter().flat_map(|a| a.as_string::<i32>().iter()).collect::<StringArray>(),
        ),
        DataType::Bytes => Arc::new(
            arrays.iter().flat_map(|a| a.as_binary::<i32>().iter()).collect::<BinaryArray>(),
        ),
        DataType::Null | DataType::Decimal(..) => unreachable!("no type of the ABI"),
    }
}
