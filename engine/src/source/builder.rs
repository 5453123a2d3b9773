//! Column builders fed with text: cells become typed values at once, and a broken row can be undone.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMillisecondType,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, NullArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use super::number::{Fault, decode_base64, parse_decimal, parse_f64, parse_i64};
use crate::schema::DataType;
use crate::time::{parse_date, parse_timestamp};
use crate::value::{canonical_f32, canonical_f64};

/// The values so far, by how they are stored.
#[derive(Debug)]
enum Values {
    /// A column of the type NULL has none.
    None,
    Boolean(Vec<bool>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    I128(Vec<i128>),
    /// Strings and bytes: the ends of the values in `data`.
    Bytes {
        offsets: Vec<i32>,
        data: Vec<u8>,
    },
}

/// One growing column.
#[derive(Debug)]
pub(super) struct Builder {
    data_type: DataType,
    values: Values,
    /// One flag a row; false is NULL.
    valid: Vec<bool>,
}

impl Builder {
    /// An empty column of that type.
    pub(super) fn new(data_type: DataType) -> Builder {
        let values = match data_type {
            DataType::Null => Values::None,
            DataType::Boolean => Values::Boolean(Vec::new()),
            DataType::Int | DataType::Date => Values::I32(Vec::new()),
            DataType::BigInt | DataType::Timestamp | DataType::TimestampLtz => {
                Values::I64(Vec::new())
            }
            DataType::Float => Values::F32(Vec::new()),
            DataType::Double => Values::F64(Vec::new()),
            DataType::Decimal(..) => Values::I128(Vec::new()),
            DataType::String | DataType::Bytes => {
                Values::Bytes { offsets: vec![0], data: Vec::new() }
            }
        };
        Builder { data_type, values, valid: Vec::new() }
    }

    /// The column's type.
    pub(super) fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Adds NULL.
    pub(super) fn push_null(&mut self) {
        match &mut self.values {
            Values::None => {}
            Values::Boolean(v) => v.push(false),
            Values::I32(v) => v.push(0),
            Values::I64(v) => v.push(0),
            Values::F32(v) => v.push(0.0),
            Values::F64(v) => v.push(0.0),
            Values::I128(v) => v.push(0),
            Values::Bytes { offsets, data } => offsets.push(end_of(data)),
        }
        self.valid.push(false);
    }

    /// Adds the value that `text` writes; on failure the column may hold half a row: see `truncate`.
    pub(super) fn push_text(&mut self, text: &str) -> Result<(), Fault> {
        match &mut self.values {
            Values::None => return Err(Fault::Syntax),
            Values::Boolean(v) => v.push(parse_boolean(text)?),
            Values::I32(v) => v.push(if self.data_type == DataType::Date {
                parse_date(text).ok_or(Fault::Syntax)?
            } else {
                i32::try_from(parse_i64(text)?).map_err(|_| Fault::Range)?
            }),
            Values::I64(v) => v.push(if self.data_type == DataType::BigInt {
                parse_i64(text)?
            } else {
                parse_timestamp(text).ok_or(Fault::Syntax)?
            }),
            Values::F32(v) => v.push(parse_f32(text)?),
            Values::F64(v) => v.push(canonical_f64(parse_f64(text)?)),
            Values::I128(v) => {
                let DataType::Decimal(precision, scale) = self.data_type else {
                    return Err(Fault::Syntax);
                };
                v.push(parse_decimal(text, precision, scale)?);
            }
            Values::Bytes { offsets, data } => {
                if self.data_type == DataType::String {
                    data.extend_from_slice(text.as_bytes());
                } else {
                    decode_base64(text, data)?;
                }
                offsets.push(end_of(data));
            }
        }
        self.valid.push(true);
        Ok(())
    }

    /// Adds raw bytes to a BYTES column.
    pub(super) fn push_bytes(&mut self, bytes: impl IntoIterator<Item = u8>) {
        if let Values::Bytes { offsets, data } = &mut self.values {
            data.extend(bytes);
            offsets.push(end_of(data));
            self.valid.push(true);
        }
    }

    /// Adds the number to a column of integers, dates, timestamps or decimals (unscaled).
    pub(super) fn push_integer(&mut self, value: i128) {
        match &mut self.values {
            Values::I32(v) => v.push(value as i32),
            Values::I64(v) => v.push(value as i64),
            Values::I128(v) => v.push(value),
            _ => return,
        }
        self.valid.push(true);
    }

    /// Adds the number to a column of floats.
    pub(super) fn push_float(&mut self, value: f64) {
        match &mut self.values {
            Values::F32(v) => v.push(canonical_f32(value as f32)),
            Values::F64(v) => v.push(canonical_f64(value)),
            _ => return,
        }
        self.valid.push(true);
    }

    /// Adds a truth value.
    pub(super) fn push_boolean(&mut self, value: bool) {
        if let Values::Boolean(v) = &mut self.values {
            v.push(value);
            self.valid.push(true);
        }
    }

    /// Forgets all rows from `rows` on, half a row included.
    pub(super) fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::None => {}
            Values::Boolean(v) => v.truncate(rows),
            Values::I32(v) => v.truncate(rows),
            Values::I64(v) => v.truncate(rows),
            Values::F32(v) => v.truncate(rows),
            Values::F64(v) => v.truncate(rows),
            Values::I128(v) => v.truncate(rows),
            Values::Bytes { offsets, data } => {
                offsets.truncate(rows + 1);
                data.truncate(offsets.last().map_or(0, |&end| end as usize));
            }
        }
        self.valid.truncate(rows);
    }

    /// The last value of a BIGINT or timestamp column, if it is not NULL.
    pub(super) fn last_i64(&self) -> Option<i64> {
        match (&self.values, self.valid.last()) {
            (Values::I64(v), Some(true)) => v.last().copied(),
            _ => None,
        }
    }

    /// The rows as an array; the builder is empty again.
    pub(super) fn finish(&mut self) -> ArrayRef {
        let valid = std::mem::take(&mut self.valid);
        let rows = valid.len();
        let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
        let data_type = self.data_type.to_arrow();
        fn primitive<P: ArrowPrimitiveType>(
            values: &mut Vec<P::Native>,
            nulls: Option<NullBuffer>,
            data_type: arrow_schema::DataType,
        ) -> ArrayRef {
            let values = ScalarBuffer::from(std::mem::take(values));
            Arc::new(PrimitiveArray::<P>::new(values, nulls).with_data_type(data_type))
        }
        match &mut self.values {
            Values::None => Arc::new(NullArray::new(rows)),
            Values::Boolean(v) => {
                Arc::new(BooleanArray::new(BooleanBuffer::from(std::mem::take(v)), nulls))
            }
            Values::I32(v) if self.data_type == DataType::Date => {
                primitive::<Date32Type>(v, nulls, data_type)
            }
            Values::I32(v) => primitive::<Int32Type>(v, nulls, data_type),
            Values::I64(v) if self.data_type == DataType::BigInt => {
                primitive::<Int64Type>(v, nulls, data_type)
            }
            Values::I64(v) => primitive::<TimestampMillisecondType>(v, nulls, data_type),
            Values::F32(v) => primitive::<Float32Type>(v, nulls, data_type),
            Values::F64(v) => primitive::<Float64Type>(v, nulls, data_type),
            Values::I128(v) => primitive::<Decimal128Type>(v, nulls, data_type),
            Values::Bytes { offsets, data } => {
                let offsets = std::mem::replace(offsets, vec![0]);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let data = Buffer::from_vec(std::mem::take(data));
                if self.data_type == DataType::String {
                    Arc::new(StringArray::new(offsets, data, nulls))
                } else {
                    Arc::new(BinaryArray::new(offsets, data, nulls))
                }
            }
        }
    }
}

/// Readers end a chunk long before its text reaches 2 GiB.
fn end_of(data: &[u8]) -> i32 {
    i32::try_from(data.len()).expect("a chunk holds less than 2 GiB")
}

fn parse_boolean(text: &str) -> Result<bool, Fault> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(Fault::Syntax)
    }
}

fn parse_f32(text: &str) -> Result<f32, Fault> {
    let wide = parse_f64(text)?;
    if !wide.is_finite() {
        return Ok(canonical_f32(wide as f32));
    }
    // From the text, not from the wider float: rounding twice can differ.
    let value: f32 = text.parse().map_err(|_| Fault::Syntax)?;
    if value.is_finite() { Ok(canonical_f32(value)) } else { Err(Fault::Range) }
}

/// What a cell of that type has to look like, for messages.
pub(super) fn expectation(data_type: DataType, fault: Fault) -> String {
    let what = match (data_type, fault) {
        (DataType::Int | DataType::BigInt, Fault::Fraction) => "a number without fraction",
        (DataType::Int, Fault::Range) => "a number from -2147483648 to 2147483647",
        (DataType::BigInt, Fault::Range) => "a number from -2^63 to 2^63-1",
        (DataType::Int | DataType::BigInt, _) => "a whole number",
        (DataType::Float | DataType::Double, Fault::Range) => "a number within its range",
        (DataType::Decimal(..), Fault::Range) => "a number within its precision",
        (DataType::Float | DataType::Double | DataType::Decimal(..), _) => "a number",
        (DataType::Boolean, _) => "true or false",
        (DataType::Date, _) => "a date such as 2020-04-15",
        (DataType::Timestamp | DataType::TimestampLtz, _) => {
            "a timestamp such as 2020-04-15 08:05:00"
        }
        (DataType::Bytes, _) => "bytes in base64",
        (DataType::String, _) => "a text",
        (DataType::Null, _) => "null",
    };
    format!("expected {what} ({data_type})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::value_at;

    #[test]
    fn every_type_reads_its_text_and_undoes_half_a_row() {
        for (data_type, good, printed, bad) in [
            (DataType::Boolean, "True", "TRUE", "yes"),
            (DataType::Int, "-12", "-12", "2147483648"),
            (DataType::BigInt, "9007199254740993", "9007199254740993", "x"),
            (DataType::Float, "0.1", "0.1", "1e39"),
            (DataType::Double, "-0.0", "0.0", "1e309"),
            (DataType::Decimal(20, 2), "123456789012345678.905", "123456789012345678.91", "a"),
            (DataType::Bytes, "Zm8=", "0x666f", "Zm8=="),
            (DataType::Date, "2020-04-15", "2020-04-15", "2020-02-30"),
            (DataType::Timestamp, "2020-04-15T08:05:00Z", "2020-04-15 08:05:00.000", "now"),
            (DataType::TimestampLtz, "2020-04-15 08:05:00.5", "2020-04-15 08:05:00.500", "1"),
        ] {
            let mut builder = Builder::new(data_type);
            builder.push_text(good).expect(good);
            assert!(builder.push_text(bad).is_err(), "{data_type} {bad}");
            builder.truncate(1);
            builder.push_null();
            builder.push_text(good).expect(good);
            builder.truncate(2);
            let array = builder.finish();
            assert_eq!(array.data_type(), &data_type.to_arrow());
            assert_eq!(array.len(), 2);
            assert_eq!(value_at(&array, data_type, 0).to_text(), printed, "{data_type}");
            assert!(value_at(&array, data_type, 1).is_null());
            assert_eq!(builder.finish().len(), 0);
        }
    }
}
