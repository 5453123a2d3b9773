//! Reading a guest's answer: every byte is checked before it becomes an Arrow column.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMillisecondType,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use highwater_abi::{Column, Output};

use super::frame::{one_nan_f32, one_nan_f64};
use super::manifest::type_code;
use crate::schema::DataType;

/// The output region of a frame after the call.
pub(super) struct Answer<'a> {
    /// The region's bytes.
    pub region: &'a [u8],
    /// Where the region begins in the frame: the offsets in it count from the frame's start.
    pub out_off: u32,
}

/// What is wrong with an answer, for the guest's author.
pub(super) type Lie = String;

impl<'a> Answer<'a> {
    /// Decodes the columns of the answer.
    ///
    /// # Errors
    /// Says which promise of the ABI the answer breaks.
    pub fn columns(
        &self,
        wanted: &[DataType],
        max_rows: usize,
    ) -> Result<(usize, Vec<ArrayRef>), Lie> {
        let (rows, heads) = self.heads(wanted, max_rows)?;
        let column = |(i, (head, data_type)): (usize, (&Column, &DataType))| {
            self.column(head, *data_type, rows).map_err(|e| format!("column {i}: {e}"))
        };
        let columns = heads.iter().zip(wanted).enumerate().map(column);
        Ok((rows, columns.collect::<Result<Vec<_>, _>>()?))
    }

    /// How many rows the answer has, and the descriptors of its columns: their types and numbers of rows are
    /// right, nothing else is known of them.
    ///
    /// # Errors
    /// Says which promise of the ABI the answer breaks.
    pub fn heads(&self, wanted: &[DataType], max_rows: usize) -> Result<(usize, Vec<Column>), Lie> {
        let head = Output::read(self.region).ok_or("the answer has no header")?;
        if usize::from(head.columns) != wanted.len() {
            return Err(format!(
                "the answer has {} columns, not the {} promised",
                head.columns,
                wanted.len()
            ));
        }
        let rows = head.rows as usize;
        if rows > max_rows {
            return Err(format!("the answer has {rows} rows, at most {max_rows} are allowed"));
        }
        let column = |(i, data_type): (usize, &DataType)| {
            let at = Output::LEN + i * Column::LEN;
            let head = Column::read(self.region, at)
                .ok_or_else(|| format!("the descriptor of column {i} is out of bounds"))?;
            check(&head, *data_type, rows).map_err(|e| format!("column {i}: {e}"))?;
            Ok::<_, Lie>(head)
        };
        let heads = wanted.iter().enumerate().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok((rows, heads))
    }

    /// The guest's own error text, with what is not UTF-8 replaced.
    pub fn text(&self, len: u32) -> String {
        let end = (Output::LEN + len as usize).min(self.region.len()).min(Output::LEN + 1024);
        let bytes = self.region.get(Output::LEN..end).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// `len` bytes of the answer at an offset into the frame.
    fn slice(&self, what: &str, offset: u32, len: u64) -> Result<&'a [u8], Lie> {
        let start = u64::from(offset).checked_sub(u64::from(self.out_off));
        let range = start.map(|start| (start, start.saturating_add(len)));
        match range {
            Some((start, end)) if end <= self.region.len() as u64 => {
                Ok(&self.region[start as usize..end as usize])
            }
            _ => Err(format!("its {what} ({len} bytes at {offset}) leave the output region")),
        }
    }

    fn column(&self, head: &Column, data_type: DataType, rows: usize) -> Result<ArrayRef, Lie> {
        let validity = match head.validity_off {
            0 => None,
            at => Some(self.slice("validity bits", at, (rows as u64).div_ceil(8))?),
        };
        let data = self.slice("values", head.data_off, u64::from(head.data_len))?;
        let nulls = validity.and_then(|bits| nulls_of(bits, rows));
        match data_type {
            DataType::String | DataType::Bytes => {
                return self.variable(head, data, data_type, rows, nulls);
            }
            DataType::Boolean => enough(data.len(), rows.div_ceil(8))?,
            _ => enough(data.len(), rows * width(data_type))?,
        }
        Ok(fixed(data, data_type, rows, nulls))
    }

    fn variable(
        &self,
        head: &Column,
        data: &'a [u8],
        data_type: DataType,
        rows: usize,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, Lie> {
        let valid = |i: usize| nulls.as_ref().is_none_or(|n| n.is_valid(i));
        let bytes = self.slice("offsets", head.offsets_off, (rows as u64 + 1) * 4)?;
        let offset = |i: usize| {
            i32::from_le_bytes([bytes[i * 4], bytes[i * 4 + 1], bytes[i * 4 + 2], bytes[i * 4 + 3]])
        };
        let mut values = Vec::with_capacity(rows);
        for i in 0..rows {
            let (start, end) = (offset(i), offset(i + 1));
            if start < 0 || start > end {
                return Err(format!("its offsets {start}, {end} at row {i} fall or are negative"));
            }
            let value = data.get(start as usize..end as usize).ok_or_else(|| {
                format!("its offset {end} at row {i} leaves the {} bytes of values", data.len())
            })?;
            values.push(valid(i).then_some(value));
        }
        if data_type == DataType::Bytes {
            return Ok(Arc::new(BinaryArray::from_iter(values)));
        }
        let mut texts = Vec::with_capacity(rows);
        for (i, value) in values.into_iter().enumerate() {
            let text = value.map(std::str::from_utf8).transpose();
            texts.push(text.map_err(|e| format!("row {i} is not UTF-8: {e}"))?);
        }
        Ok(Arc::new(StringArray::from_iter(texts)))
    }
}

/// Whether a descriptor is of this type and so many rows.
fn check(head: &Column, data_type: DataType, rows: usize) -> Result<(), Lie> {
    let code = type_code(data_type).expect("the manifest admits only types of the ABI");
    if head.data_type != code {
        return Err(format!("its type code is {}, not {code} ({data_type})", head.data_type));
    }
    if head.rows as usize != rows {
        return Err(format!("it has {} rows, not {rows}", head.rows));
    }
    Ok(())
}

/// The NULLs that a bitmap tells of, if there are any.
pub(super) fn nulls_of(bits: &[u8], rows: usize) -> Option<NullBuffer> {
    let bits = BooleanBuffer::new(Buffer::from(bits), 0, rows);
    Some(NullBuffer::new(bits)).filter(|nulls| nulls.null_count() > 0)
}

/// Bytes of a value of a type that is neither BOOLEAN nor of variable size.
pub(super) fn width(data_type: DataType) -> usize {
    match data_type {
        DataType::Int | DataType::Float | DataType::Date => 4,
        _ => 8,
    }
}

/// Whether so many bytes of values are as many as are needed.
pub(super) fn enough(len: usize, needed: usize) -> Result<(), Lie> {
    match len < needed {
        true => Err(format!("its values take {needed} bytes, it has {len}")),
        false => Ok(()),
    }
}

/// A column of values of fixed size; `data` holds at least `rows` of them.
fn fixed(data: &[u8], data_type: DataType, rows: usize, nulls: Option<NullBuffer>) -> ArrayRef {
    if data_type == DataType::Boolean {
        let bits = Buffer::from(&data[..rows.div_ceil(8)]);
        return whole(bits, data_type, rows, nulls);
    }
    whole(Buffer::from(&data[..rows * width(data_type)]), data_type, rows, nulls)
}

/// The column whose values are all of a buffer. A NULL's value is zero, a NaN the one NaN.
pub(super) fn whole(
    data: Buffer,
    data_type: DataType,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    macro_rules! numbers {
        ($arrow:ty, $odd:expr, $map:expr) => {{
            let values = ScalarBuffer::<<$arrow as ArrowPrimitiveType>::Native>::new(data, 0, rows);
            let (odd, map) = ($odd, $map);
            let values = match &nulls {
                None if !values.iter().any(|v| odd(*v)) => values,
                None => values.iter().map(|v| map(*v)).collect(),
                Some(nulls) => {
                    let value = |(v, valid)| if valid { map(v) } else { Default::default() };
                    values.iter().copied().zip(nulls.iter()).map(value).collect()
                }
            };
            let array = PrimitiveArray::<$arrow>::new(values, nulls);
            Arc::new(array.with_data_type(data_type.to_arrow()))
        }};
    }
    match data_type {
        DataType::Boolean => {
            let bits = BooleanBuffer::new(data, 0, rows);
            let bits = match &nulls {
                Some(nulls) => &bits & nulls.inner(),
                None => bits,
            };
            Arc::new(BooleanArray::new(bits, nulls))
        }
        DataType::Int => numbers!(Int32Type, |_| false, |v: i32| v),
        DataType::Date => numbers!(Date32Type, |_| false, |v: i32| v),
        DataType::Float => numbers!(Float32Type, f32::is_nan, one_nan_f32),
        DataType::Double => numbers!(Float64Type, f64::is_nan, one_nan_f64),
        DataType::Timestamp | DataType::TimestampLtz => {
            numbers!(TimestampMillisecondType, |_| false, |v: i64| v)
        }
        _ => numbers!(Int64Type, |_| false, |v: i64| v),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{
        Date32Array, Float32Array, Float64Array, Int32Array, Int64Array, TimestampMillisecondArray,
    };

    use super::super::frame::{FrameWriter, Rows};
    use super::*;

    const TYPES: [DataType; 9] = [
        DataType::Boolean,
        DataType::Int,
        DataType::BigInt,
        DataType::Float,
        DataType::Double,
        DataType::String,
        DataType::Bytes,
        DataType::Date,
        DataType::TimestampLtz,
    ];
    /// A frame's descriptors stand behind 48 bytes, an answer's behind 16: an answer that begins 32 bytes
    /// into a frame has the same.
    const SHIFT: u32 = 32;

    fn columns() -> Vec<ArrayRef> {
        let payload = f64::from_bits(0xfff8_0000_0000_0123);
        vec![
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)])),
            Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(2), None, Some(4)])),
            Arc::new(Int64Array::from(vec![1, i64::MAX, 3, 4])),
            Arc::new(Float32Array::from(vec![Some(1.5), None, Some(-0.0), Some(0.1)])),
            Arc::new(Float64Array::from(vec![Some(payload), Some(-0.0), None, Some(0.1)])),
            Arc::new(StringArray::from(vec![Some("물결"), Some(""), None, Some("abc")])),
            Arc::new(BinaryArray::from(vec![Some(&b"\xff\0"[..]), None, Some(b""), Some(b"z")])),
            Arc::new(Date32Array::from(vec![Some(0), Some(-1), None, Some(20_000)])),
            Arc::new(
                TimestampMillisecondArray::from(vec![Some(i64::MIN), None, Some(0), Some(9)])
                    .with_timezone("UTC"),
            ),
        ]
    }

    fn frame(rows: &[u32]) -> Vec<u8> {
        let columns = columns();
        let mut writer = FrameWriter::new(TYPES.len() as u16, rows.len() as u32);
        for (data_type, column) in TYPES.iter().zip(&columns) {
            writer.array(*data_type, column, Rows::of(rows));
        }
        let mut frame = writer.finish(16).expect("small").bytes();
        let head =
            Output { status: 0, need: 0, rows: rows.len() as u32, columns: TYPES.len() as u16 };
        head.write(&mut frame[SHIFT as usize..]);
        frame
    }

    fn decode(bytes: &[u8]) -> Result<(usize, Vec<ArrayRef>), Lie> {
        Answer { region: &bytes[SHIFT as usize..], out_off: SHIFT }.columns(&TYPES, 100)
    }

    #[test]
    fn what_is_written_is_read_nulls_and_all() {
        let (rows, back) = decode(&frame(&[0, 1, 2, 3])).expect("a good answer");
        assert_eq!(rows, 4);
        for (i, (is, was)) in back.iter().zip(columns()).enumerate() {
            assert_eq!(is.data_type(), was.data_type());
            if i != 4 {
                assert_eq!(is, &was, "column {i}");
            }
        }
        use arrow_array::Array as _;
        let doubles = back[4].as_any().downcast_ref::<Float64Array>().expect("doubles");
        assert_eq!(doubles.value(0).to_bits(), 0x7ff8_0000_0000_0000, "the one NaN");
        assert_eq!(doubles.value(1).to_bits(), 0x8000_0000_0000_0000, "the sign of zero stays");
        assert!(doubles.is_null(2));
    }

    #[test]
    fn a_selection_of_rows_is_gathered() {
        let (_, back) = decode(&frame(&[3, 0, 0])).expect("a good answer");
        assert_eq!(
            back[5].as_ref(),
            &StringArray::from(vec!["abc", "물결", "물결"]) as &dyn arrow_array::Array
        );
        assert_eq!(back[2].as_ref(), &Int64Array::from(vec![4, 1, 1]) as &dyn arrow_array::Array);
        assert_eq!(decode(&frame(&[])).expect("no rows").0, 0);
    }

    #[test]
    fn lies_are_found() {
        let good = frame(&[0, 1, 2, 3]);
        let descriptor = |column: usize| 48 + column * Column::LEN;
        let set = |at: usize, value: u32| {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            decode(&bytes).expect_err("a lie")
        };
        let text = Column::read(&good, descriptor(5)).expect("a descriptor");
        let cases = [
            (40, 5, "it has 4 rows, not 5"),
            (40, 101, "101 rows, at most 100"),
            (44, 8, "8 columns, not the 9 promised"),
            (descriptor(1), 3, "type code"),
            (descriptor(1) + 4, u32::MAX, "validity bits"),
            (descriptor(2) + 8, u32::MAX - 7, "values"),
            (descriptor(2) + 8, 0, "leave the output region"),
            (descriptor(2) + 12, u32::MAX, "leave the output region"),
            (descriptor(2) + 12, 31, "take 32 bytes, it has 31"),
            (descriptor(0) + 12, 0, "take 1 bytes, it has 0"),
            (descriptor(5) + 16, u32::MAX - 3, "offsets"),
            (descriptor(2) + 20, 3, "it has 3 rows, not 4"),
            (text.offsets_off as usize, u32::MAX, "negative"),
            (text.offsets_off as usize + 8, 1, "fall"),
            (text.offsets_off as usize + 16, 1 << 20, "leaves"),
            (text.offsets_off as usize + 4, 5, "not UTF-8"),
            (text.data_off as usize, 0xffff_ffff, "not UTF-8"),
        ];
        for (at, value, message) in cases {
            let lie = set(at, value);
            assert!(lie.contains(message), "{at} = {value}: {lie}");
        }
        for cut in 0..good.len() - SHIFT as usize {
            let region = &good[SHIFT as usize..SHIFT as usize + cut];
            // Shorter regions must be refused or decode; never panic.
            let _ = Answer { region, out_off: SHIFT }.columns(&TYPES, 100);
        }
    }
}
