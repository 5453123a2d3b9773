//! Rows in a snapshot: their places in the stream, and their columns as frames.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, cast::AsArray};
use arrow_buffer::{Buffer, ScalarBuffer};

use super::bytes::{Reader, put, put_all, put_bytes};
use super::corrupt;
use crate::batch::{Batch, RowKind, Seq};
use crate::error::Result;
use crate::frame;
use crate::schema::{DataType, SchemaRef};

/// Rows a frame: what is encoded at a time.
const ROWS: usize = 1 << 14;

/// Appends a batch's rows; with `kinds` the kind of each. Its bytes depend on the rows alone.
pub fn put_rows(out: &mut Vec<u8>, batch: &Batch, kinds: bool) {
    put(out, batch.rows as u64);
    put_all(out, &batch.seqs.iter().collect::<Vec<Seq>>());
    let mut from = 0;
    while from < batch.rows {
        let to = batch.rows.min(from + ROWS);
        put_frame(out, &batch.slice(from, to), kinds);
        from = to;
    }
}

fn put_frame(out: &mut Vec<u8>, batch: &Batch, kinds: bool) {
    let types: Vec<DataType> = batch.schema.fields.iter().map(|f| f.data_type).collect();
    let columns: Vec<ArrayRef> = batch.columns.iter().map(blank).collect();
    let kinds: Option<Vec<RowKind>> =
        kinds.then(|| (0..batch.rows).map(|i| batch.kind(i)).collect());
    match frame::encode(batch.rows, &types, &columns, kinds.as_deref()) {
        Ok(bytes) => put_bytes(out, &bytes),
        // Text of 4 GiB in so few rows: half as many at a time.
        Err(_) => {
            let half = batch.rows / 2;
            put_frame(out, &batch.slice(0, half), kinds.is_some());
            put_frame(out, &batch.slice(half, batch.rows), kinds.is_some());
        }
    }
}

/// Reads the rows that [`put_rows`] wrote.
///
/// # Errors
/// `snapshot.corrupt` when the bytes are no rows. `None` when they are of another schema.
pub fn read_rows(reader: &mut Reader<'_>, schema: &SchemaRef) -> Result<Option<Batch>> {
    let rows = reader.count()?;
    let seqs: Vec<Seq> = reader.numbers(rows)?.collect();
    let types: Vec<DataType> = schema.fields.iter().map(|f| f.data_type).collect();
    let mut parts: Vec<Batch> = Vec::new();
    let mut read = 0;
    while read < rows {
        let bytes = Buffer::from(reader.bytes()?);
        let frame = frame::decode(&bytes).map_err(|e| corrupt(&e.message))?;
        if frame.types != types {
            return Ok(None);
        }
        let until = read + frame.rows;
        if frame.rows == 0 || until > rows {
            return Err(corrupt("its frames hold other rows than it counts"));
        }
        let batch =
            Batch::new(schema.clone(), frame.columns, seqs[read..until].iter().copied().collect());
        parts.push(Batch { kinds: frame.kinds, ..batch });
        read = until;
    }
    if parts.is_empty() {
        return Ok(Some(Batch::progress(schema.clone(), Vec::new(), 0)));
    }
    Ok(Some(Batch::concat(&parts)))
}

/// The same column with nothing behind its NULLs, so that equal columns have equal bytes.
fn blank(array: &ArrayRef) -> ArrayRef {
    if array.null_count() == 0 {
        return Arc::clone(array);
    }
    fn zeroed<P: ArrowPrimitiveType>(array: &ArrayRef) -> ArrayRef {
        let a = array.as_primitive::<P>();
        let value = |i: usize| if a.is_valid(i) { a.value(i) } else { P::default_value() };
        let values: ScalarBuffer<P::Native> = (0..a.len()).map(value).collect();
        Arc::new(
            PrimitiveArray::<P>::new(values, a.nulls().cloned())
                .with_data_type(a.data_type().clone()),
        )
    }
    match array.data_type() {
        arrow_schema::DataType::Int32 => zeroed::<Int32Type>(array),
        arrow_schema::DataType::Int64 => zeroed::<Int64Type>(array),
        arrow_schema::DataType::Float32 => zeroed::<Float32Type>(array),
        arrow_schema::DataType::Float64 => zeroed::<Float64Type>(array),
        arrow_schema::DataType::Date32 => zeroed::<Date32Type>(array),
        arrow_schema::DataType::Decimal128(..) => zeroed::<Decimal128Type>(array),
        arrow_schema::DataType::Timestamp(..) => zeroed::<TimestampMillisecondType>(array),
        arrow_schema::DataType::Boolean => {
            let a = array.as_boolean();
            let values = a.iter().map(|v| v.unwrap_or(false));
            Arc::new(BooleanArray::new(values.collect(), a.nulls().cloned()))
        }
        // Text of a NULL is empty already: every column of text is built value by value, or taken.
        _ => {
            let all: Vec<u32> = (0..array.len() as u32).collect();
            crate::column::take(array, &all)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::from_values;
    use crate::numbers::Numbers;
    use crate::schema::{Field, Schema};
    use crate::value::Value;
    use arrow_array::Int64Array;

    fn batch(rows: usize) -> Batch {
        let schema = Schema::new(vec![
            Field::new("n", DataType::BigInt),
            Field::new("s", DataType::String),
            Field::new("b", DataType::Boolean),
        ]);
        let null = |i: usize, v: Value| if i % 5 == 3 { Value::Null } else { v };
        let column = |t: DataType, of: &dyn Fn(usize) -> Value| {
            from_values(&(0..rows).map(|i| null(i, of(i))).collect::<Vec<_>>(), t)
        };
        let columns = vec![
            column(DataType::BigInt, &|i| Value::BigInt(i as i64)),
            column(DataType::String, &|i| Value::String(format!("r{i}").into())),
            column(DataType::Boolean, &|i| Value::Boolean(i % 2 == 0)),
        ];
        Batch::new(schema, columns, Numbers::run(7, rows))
    }

    fn shown(b: &Batch) -> Vec<String> {
        (0..b.rows).map(|i| format!("{:?} {} {:?}", b.kind(i), b.seqs.at(i), b.row(i))).collect()
    }

    #[test]
    fn rows_come_back_and_damage_is_found() {
        for rows in [0, 1, 9, ROWS + 3] {
            let made = batch(rows);
            let mut bytes = Vec::new();
            put_rows(&mut bytes, &made, rows == 9);
            let mut reader = Reader::new(&bytes);
            let found = read_rows(&mut reader, &made.schema).expect("sound").expect("its schema");
            reader.end().expect("nothing is left");
            assert_eq!(shown(&found), shown(&made));
            let other = Schema::new(vec![Field::new("n", DataType::Int)]);
            let of_other = read_rows(&mut Reader::new(&bytes), &other).expect("sound");
            assert!(of_other.is_none() == (rows > 0));
            for cut in (0..bytes.len()).step_by(1 + bytes.len() / 300) {
                assert!(read_rows(&mut Reader::new(&bytes[..cut]), &made.schema).is_err());
            }
        }
    }

    #[test]
    fn what_lies_behind_a_null_is_not_told() {
        let nulls = || Some(vec![true, false].into());
        let schema = Schema::new(vec![Field::new("n", DataType::BigInt)]);
        let bytes = [vec![1, 2].into(), vec![1, 9].into()].map(|values| {
            let column: ArrayRef = Arc::new(Int64Array::new(values, nulls()));
            let batch = Batch::new(schema.clone(), vec![column], Numbers::run(1, 2));
            let mut out = Vec::new();
            put_rows(&mut out, &batch, false);
            out
        });
        assert_eq!(bytes[0], bytes[1]);
    }
}
