//! A frame's bytes back into columns: checked in full, copied only where they must be.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMillisecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, NullArray, PrimitiveArray, StringArray,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer,
};
use highwater_abi::Column;

use super::{Frame, HEADER, MAGIC, little_endian, malformed, of_code};
use crate::batch::RowKind;
use crate::error::{Error, Result};
use crate::schema::DataType;
use crate::value::{canonical_f32, canonical_f64};

/// Reads a frame. The columns share its memory where their values are aligned in it.
///
/// # Errors
/// `frame.malformed` when anything in it is not as the form says.
pub fn decode(bytes: &Buffer) -> Result<Frame> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    let head = || Some((number(4)?, number(8)?, number(12)?));
    let Some((rows, columns, kinds_off)) = head().filter(|_| bytes.starts_with(&MAGIC)) else {
        return Err(malformed("it does not begin with HWC1 and a head of 16 bytes"));
    };
    let kinds = match kinds_off {
        0 => None,
        at => Some(kinds(&part(bytes, at, rows, "the row kinds")?)?),
    };
    let mut frame = Frame { rows, types: Vec::new(), columns: Vec::new(), kinds };
    for i in 0..columns {
        let at = HEADER + i * Column::LEN;
        let column = Column::read(bytes, at).filter(|_| bytes.len() >= at + Column::LEN);
        let column =
            column.ok_or_else(|| malformed(format_args!("column {i} has no descriptor")))?;
        let place = |e: Error| malformed(format_args!("column {i}: {}", e.message));
        let code = [column.data_type, bytes[at + 2], bytes[at + 3]];
        let data_type = of_code(code).ok_or_else(|| {
            malformed(format_args!("column {i} has the unknown type {}", code[0]))
        })?;
        if column.rows as usize != rows {
            return Err(malformed(format_args!("column {i} has another number of rows")));
        }
        frame.columns.push(array(bytes, &column, data_type).map_err(place)?);
        frame.types.push(data_type);
    }
    Ok(frame)
}

/// A stretch of the frame.
fn part(bytes: &Buffer, at: usize, len: usize, what: &str) -> Result<Buffer> {
    let inside = at.checked_add(len).is_some_and(|end| end <= bytes.len());
    if !inside || !at.is_multiple_of(8) || at < HEADER {
        return Err(malformed(format_args!("{what} stand at {at}, {len} bytes long")));
    }
    Ok(bytes.slice_with_length(at, len))
}

fn kinds(bytes: &Buffer) -> Result<Arc<[RowKind]>> {
    let kind = |byte: &u8| match byte {
        0 => Ok(RowKind::Insert),
        1 => Ok(RowKind::UpdateBefore),
        2 => Ok(RowKind::UpdateAfter),
        3 => Ok(RowKind::Delete),
        other => Err(malformed(format_args!("{other} is no row kind"))),
    };
    bytes.iter().map(kind).collect()
}

fn array(bytes: &Buffer, column: &Column, data_type: DataType) -> Result<ArrayRef> {
    let rows = column.rows as usize;
    let nulls = match column.validity_off as usize {
        0 => None,
        at => {
            let bits = part(bytes, at, rows.div_ceil(8), "the validity bits")?;
            Some(NullBuffer::new(BooleanBuffer::new(bits, 0, rows)))
        }
    };
    let data = part(bytes, column.data_off as usize, column.data_len as usize, "the values")?;
    let fixed = |size: usize| match data.len() == rows * size {
        true => Ok(()),
        false => Err(malformed(format_args!("{} bytes for {rows} values", data.len()))),
    };
    macro_rules! numbers {
        ($arrow:ty) => {{
            fixed(size_of::<<$arrow as ArrowPrimitiveType>::Native>())?;
            PrimitiveArray::<$arrow>::new(values(&data), nulls)
        }};
    }
    Ok(match data_type {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => {
            if data.len() < rows.div_ceil(8) {
                return Err(malformed("too few bits"));
            }
            Arc::new(BooleanArray::new(BooleanBuffer::new(data, 0, rows), nulls))
        }
        DataType::Int => Arc::new(numbers!(Int32Type)),
        DataType::Date => Arc::new(numbers!(Date32Type)),
        DataType::BigInt => Arc::new(numbers!(Int64Type)),
        DataType::Timestamp | DataType::TimestampLtz => {
            Arc::new(numbers!(TimestampMillisecondType).with_data_type(data_type.to_arrow()))
        }
        // One NaN and one zero, as everywhere in the engine.
        DataType::Float => {
            let array = numbers!(Float32Type);
            let plain = |v: &f32| v.to_bits() == canonical_f32(*v).to_bits();
            match array.values().iter().all(plain) {
                true => Arc::new(array),
                false => Arc::new(array.unary::<_, Float32Type>(canonical_f32)),
            }
        }
        DataType::Double => {
            let array = numbers!(Float64Type);
            let plain = |v: &f64| v.to_bits() == canonical_f64(*v).to_bits();
            match array.values().iter().all(plain) {
                true => Arc::new(array),
                false => Arc::new(array.unary::<_, Float64Type>(canonical_f64)),
            }
        }
        DataType::Decimal(precision, _) => {
            let array = numbers!(Decimal128Type);
            let limit = 10_u128.pow(u32::from(precision));
            let fits = |row: usize| array.is_null(row) || array.value(row).unsigned_abs() < limit;
            if let Some(row) = (0..rows).find(|row| !fits(*row)) {
                return Err(malformed(format_args!("row {row} has too many digits")));
            }
            Arc::new(array.with_data_type(data_type.to_arrow()))
        }
        DataType::String => {
            let offsets = offsets(bytes, column, data.len())?;
            let array = StringArray::try_new(offsets, data, nulls);
            Arc::new(array.map_err(|_| malformed("a STRING is not UTF-8"))?)
        }
        DataType::Bytes => {
            let array = BinaryArray::try_new(offsets(bytes, column, data.len())?, data, nulls);
            Arc::new(array.map_err(|_| malformed("the values of BYTES do not fit"))?)
        }
    })
}

/// Numbers side by side: the frame's own memory where it is aligned, which it is in what was allocated
/// for it.
fn values<T: ArrowNativeType>(data: &Buffer) -> ScalarBuffer<T> {
    let aligned = data.as_ptr().align_offset(align_of::<T>()) == 0;
    if aligned && cfg!(target_endian = "little") {
        return ScalarBuffer::from(data.clone());
    }
    let mut bytes = arrow_buffer::MutableBuffer::with_capacity(data.len());
    bytes.extend_from_slice(data);
    little_endian(bytes.as_slice_mut(), size_of::<T>());
    ScalarBuffer::from(Buffer::from(bytes))
}

fn offsets(bytes: &Buffer, column: &Column, data_len: usize) -> Result<OffsetBuffer<i32>> {
    let rows = column.rows as usize;
    let part = part(bytes, column.offsets_off as usize, (rows + 1) * 4, "the offsets")?;
    let offsets: ScalarBuffer<i32> = values(&part);
    let rising = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
    let last = offsets.last().and_then(|o| usize::try_from(*o).ok());
    if offsets.first() != Some(&0) || !rising || last != Some(data_len) {
        return Err(malformed("offsets that do not rise from 0 to the end of the values"));
    }
    Ok(OffsetBuffer::new(offsets))
}
