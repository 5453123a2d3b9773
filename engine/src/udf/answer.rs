//! Reading a guest's answer: every byte is checked before it becomes an Arrow column.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int32Array,
    Int64Array, StringArray, TimestampMillisecondArray,
};
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
        let head = Output::read(self.region).ok_or("the answer has no header")?;
        if usize::from(head.columns) != wanted.len() {
            return Err(format!(
                "the answer has {} columns, {} are promised",
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
            self.column(&head, *data_type, rows).map_err(|e| format!("column {i}: {e}"))
        };
        let columns = wanted.iter().enumerate().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok((rows, columns))
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
        let code = type_code(data_type).expect("the manifest admits only types of the ABI");
        if head.data_type != code {
            return Err(format!("its type code is {}, not {code} ({data_type})", head.data_type));
        }
        if head.rows as usize != rows {
            return Err(format!("it has {} rows, not {rows}", head.rows));
        }
        let validity = match head.validity_off {
            0 => None,
            at => Some(self.slice("validity bits", at, (rows as u64).div_ceil(8))?),
        };
        let data = self.slice("values", head.data_off, u64::from(head.data_len))?;
        let valid = |i: usize| validity.is_none_or(|bits| bits[i / 8] >> (i % 8) & 1 == 1);
        let width = match data_type {
            DataType::Boolean => 0,
            DataType::String | DataType::Bytes => {
                return self.variable(head, data, data_type, rows, valid);
            }
            DataType::Int | DataType::Float | DataType::Date => 4,
            _ => 8,
        };
        let needed = if width == 0 { rows.div_ceil(8) } else { rows * width };
        if data.len() < needed {
            return Err(format!("its values take {needed} bytes, it has {}", data.len()));
        }
        let narrow = |i: usize| {
            valid(i).then(|| {
                i32::from_le_bytes([data[i * 4], data[i * 4 + 1], data[i * 4 + 2], data[i * 4 + 3]])
            })
        };
        let wide = |i: usize| {
            valid(i).then(|| {
                let mut eight = [0; 8];
                eight.copy_from_slice(&data[i * 8..i * 8 + 8]);
                i64::from_le_bytes(eight)
            })
        };
        Ok(match data_type {
            DataType::Boolean => {
                let bit = |i: usize| valid(i).then(|| data[i / 8] >> (i % 8) & 1 == 1);
                Arc::new((0..rows).map(bit).collect::<BooleanArray>())
            }
            DataType::Int => Arc::new((0..rows).map(narrow).collect::<Int32Array>()),
            DataType::Date => Arc::new((0..rows).map(narrow).collect::<Date32Array>()),
            DataType::Float => {
                let float = |i| narrow(i).map(|v| one_nan_f32(f32::from_bits(v as u32)));
                Arc::new((0..rows).map(float).collect::<Float32Array>())
            }
            DataType::Double => {
                let float = |i| wide(i).map(|v| one_nan_f64(f64::from_bits(v as u64)));
                Arc::new((0..rows).map(float).collect::<Float64Array>())
            }
            DataType::Timestamp => {
                Arc::new((0..rows).map(wide).collect::<TimestampMillisecondArray>())
            }
            DataType::TimestampLtz => {
                let array = (0..rows).map(wide).collect::<TimestampMillisecondArray>();
                Arc::new(array.with_timezone("UTC"))
            }
            _ => Arc::new((0..rows).map(wide).collect::<Int64Array>()),
        })
    }

    fn variable(
        &self,
        head: &Column,
        data: &'a [u8],
        data_type: DataType,
        rows: usize,
        valid: impl Fn(usize) -> bool,
    ) -> Result<ArrayRef, Lie> {
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
