//! Columns into a frame: first where everything will stand, then the bytes, copied once.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, OffsetBuffer};
use highwater_abi::Column;

use super::{HEADER, MAGIC, code, little_endian};
use crate::batch::RowKind;
use crate::error::{Diagnostic, Result};
use crate::schema::DataType;

/// Where the parts of a frame stand.
#[derive(Clone, Debug)]
pub struct Layout {
    rows: usize,
    codes: Vec<[u8; 3]>,
    columns: Vec<Column>,
    kinds_off: u32,
    len: usize,
}

/// A column's buffers, as they lie in memory.
enum Parts<'a> {
    /// A column of type NULL has none.
    None,
    Bits(&'a BooleanBuffer),
    /// Values of one size, in bytes.
    Fixed(&'a [u8], usize),
    Variable(&'a OffsetBuffer<i32>, &'a [u8]),
}

/// The buffers of an array, which must be of the type.
fn parts(data_type: DataType, array: &ArrayRef) -> Parts<'_> {
    macro_rules! fixed {
        ($arrow:ty, $size:expr) => {
            Parts::Fixed(array.as_primitive::<$arrow>().values().inner().as_slice(), $size)
        };
    }
    match data_type {
        DataType::Null => Parts::None,
        DataType::Boolean => Parts::Bits(array.as_boolean().values()),
        DataType::Int => fixed!(Int32Type, 4),
        DataType::Date => fixed!(Date32Type, 4),
        DataType::BigInt => fixed!(Int64Type, 8),
        DataType::Timestamp | DataType::TimestampLtz => fixed!(TimestampMillisecondType, 8),
        DataType::Float => fixed!(Float32Type, 4),
        DataType::Double => fixed!(Float64Type, 8),
        DataType::Decimal(..) => fixed!(Decimal128Type, 16),
        DataType::String => {
            let array = array.as_string::<i32>();
            Parts::Variable(array.offsets(), array.values())
        }
        DataType::Bytes => {
            let array = array.as_binary::<i32>();
            Parts::Variable(array.offsets(), array.values())
        }
    }
}

/// The first and the last offset, which Arrow keeps from being negative.
fn ends(offsets: &OffsetBuffer<i32>) -> (usize, usize) {
    (offsets.first() as usize, offsets.last() as usize)
}

/// The bytes of a validity bitmap; 0 when there is no NULL.
fn validity_len(array: &ArrayRef) -> usize {
    match array.nulls() {
        Some(nulls) if nulls.null_count() > 0 => nulls.len().div_ceil(8),
        _ => 0,
    }
}

impl Layout {
    /// Where these columns will stand, each of so many rows.
    ///
    /// # Errors
    /// When they need 4 GiB or more.
    ///
    /// # Panics
    /// When an array is not of its type, or not so long.
    pub fn new(
        rows: usize,
        types: &[DataType],
        columns: &[ArrayRef],
        kinds: Option<&[RowKind]>,
    ) -> Result<Layout> {
        assert_eq!(types.len(), columns.len(), "one type a column");
        assert!(columns.iter().all(|c| c.len() == rows), "columns of one length");
        let mut len = HEADER + columns.len() * Column::LEN;
        let mut fits = true;
        let mut place = |bytes: usize| {
            let at = len.next_multiple_of(8);
            len = at.saturating_add(bytes);
            fits &= u32::try_from(len).is_ok();
            at as u32
        };
        let kinds_off = if kinds.is_some() { place(rows) } else { 0 };
        let mut placed = Vec::with_capacity(columns.len());
        for (&data_type, array) in types.iter().zip(columns) {
            let validity = if data_type == DataType::Null { 0 } else { validity_len(array) };
            let validity_off = if validity > 0 { place(validity) } else { 0 };
            let (offsets_off, bytes) = match parts(data_type, array) {
                Parts::None => (0, 0),
                Parts::Bits(_) => (0, rows.div_ceil(8)),
                Parts::Fixed(values, _) => (0, values.len()),
                Parts::Variable(offsets, _) => {
                    let (first, last) = ends(offsets);
                    (place((rows + 1) * 4), last - first)
                }
            };
            placed.push(Column {
                data_type: code(data_type)[0],
                flags: 0,
                validity_off,
                data_off: place(bytes),
                data_len: bytes as u32,
                offsets_off,
                rows: rows as u32,
            });
        }
        if !fits {
            return Err(Diagnostic::new("frame.too-large", "these rows need more than 4 GiB")
                .hint("hand them over in several frames"));
        }
        let codes = types.iter().map(|t| code(*t)).collect();
        Ok(Layout { rows, codes, columns: placed, kinds_off, len })
    }

    /// The frame's length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// A frame has a head, so it is never empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Writes the columns the layout was made for.
    ///
    /// # Panics
    /// When the room is not as long as the layout says, or the columns are others.
    pub fn write(
        &self,
        types: &[DataType],
        columns: &[ArrayRef],
        kinds: Option<&[RowKind]>,
        into: &mut [u8],
    ) {
        assert_eq!(into.len(), self.len, "room for the frame");
        into[..4].copy_from_slice(&MAGIC);
        let head = [self.rows as u32, self.columns.len() as u32, self.kinds_off];
        for (i, number) in head.into_iter().enumerate() {
            into[4 + 4 * i..8 + 4 * i].copy_from_slice(&number.to_le_bytes());
        }
        let mut at = HEADER + self.columns.len() * Column::LEN;
        // What lies between parts, to the next multiple of 8, is zero.
        let mut room = |from: u32, len: usize, into: &mut [u8]| {
            let from = from as usize;
            into[at..from].fill(0);
            at = from + len;
            from..from + len
        };
        if let Some(kinds) = kinds {
            let range = room(self.kinds_off, self.rows, into);
            into[range].iter_mut().zip(kinds).for_each(|(byte, kind)| *byte = *kind as u8);
        }
        for (i, column) in self.columns.iter().enumerate() {
            let start = HEADER + i * Column::LEN;
            column.write(into, start);
            into[start + 2..start + 4].copy_from_slice(&self.codes[i][1..]);
            let array = &columns[i];
            if column.validity_off > 0 {
                let range = room(column.validity_off, self.rows.div_ceil(8), into);
                let nulls = array.nulls().expect("a column with a bitmap has NULLs");
                bits(nulls.inner(), &mut into[range]);
            }
            let len = column.data_len as usize;
            match parts(types[i], array) {
                Parts::None => drop(room(column.data_off, 0, into)),
                Parts::Bits(values) => {
                    let range = room(column.data_off, len, into);
                    bits(values, &mut into[range]);
                }
                Parts::Fixed(values, size) => {
                    let range = room(column.data_off, len, into);
                    into[range.clone()].copy_from_slice(values);
                    little_endian(&mut into[range], size);
                }
                Parts::Variable(offsets, values) => {
                    let (first, last) = ends(offsets);
                    let range = room(column.offsets_off, (self.rows + 1) * 4, into);
                    for (to, offset) in into[range].chunks_exact_mut(4).zip(offsets.iter()) {
                        to.copy_from_slice(&(*offset as u32 - first as u32).to_le_bytes());
                    }
                    let range = room(column.data_off, len, into);
                    into[range].copy_from_slice(&values[first..last]);
                }
            }
        }
    }
}

/// A bitmap from its first bit on; the bits behind the last are zero.
fn bits(values: &BooleanBuffer, into: &mut [u8]) {
    into.copy_from_slice(&values.sliced().as_slice()[..into.len()]);
    if !values.len().is_multiple_of(8)
        && let Some(last) = into.last_mut()
    {
        *last &= (1 << (values.len() % 8)) - 1;
    }
}

/// The frame of these columns, as a block of its own.
///
/// # Errors
/// As [`Layout::new`].
///
/// # Panics
/// As [`Layout::new`].
pub fn encode(
    rows: usize,
    types: &[DataType],
    columns: &[ArrayRef],
    kinds: Option<&[RowKind]>,
) -> Result<Vec<u8>> {
    let layout = Layout::new(rows, types, columns, kinds)?;
    let mut bytes = vec![0; layout.len()];
    layout.write(types, columns, kinds, &mut bytes);
    Ok(bytes)
}
