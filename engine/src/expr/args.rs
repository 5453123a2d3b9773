//! What a kernel sees of its arguments, and how it makes its result: typed views, typed builders.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::DataType as ArrowType;

use crate::error::{Diagnostic, Error, Result};
use crate::schema::DataType;

use super::evaluate::Datum;
use super::{Outcome, RowError};

/// The most bytes a text function may make of one value: REPEAT and its like end here.
pub(super) const LONGEST_TEXT: usize = 1 << 20;
/// The most bytes of text one column of a batch may hold.
const LARGEST_COLUMN: usize = 1 << 28;

/// A type stored as a slice of fixed-width values.
pub(super) trait Native: Copy + Default + 'static {
    /// The values of a column of this physical type.
    fn slice(array: &dyn Array) -> &[Self];
    /// A column of a logical type that is stored like this.
    fn array(values: Vec<Self>, nulls: Option<NullBuffer>, data_type: DataType) -> ArrayRef;
}

macro_rules! native {
    ($native:ty, $plain:ty $(, $pattern:pat => $other:ty)?) => {
        impl Native for $native {
            fn slice(array: &dyn Array) -> &[Self] {
                match array.data_type() {
                    $($pattern => array.as_primitive::<$other>().values(),)?
                    _ => array.as_primitive::<$plain>().values(),
                }
            }

            fn array(
                values: Vec<Self>,
                nulls: Option<NullBuffer>,
                data_type: DataType,
            ) -> ArrayRef {
                let arrow = data_type.to_arrow();
                match arrow {
                    $($pattern => Arc::new(
                        PrimitiveArray::<$other>::new(values.into(), nulls).with_data_type(arrow),
                    ),)?
                    _ => Arc::new(
                        PrimitiveArray::<$plain>::new(values.into(), nulls).with_data_type(arrow),
                    ),
                }
            }
        }
    };
}

native!(i32, Int32Type, ArrowType::Date32 => Date32Type);
native!(i64, Int64Type, ArrowType::Timestamp(..) => TimestampMillisecondType);
native!(f32, Float32Type);
native!(f64, Float64Type);
native!(i128, Decimal128Type);

/// The arguments of a call, evaluated: a constant stands for all rows.
pub(super) struct Args<'a> {
    /// One column or constant an argument.
    pub columns: &'a [Datum],
    /// How many rows the result has.
    pub rows: usize,
    /// Where no argument is NULL; `None` when that is everywhere.
    pub nulls: Option<NullBuffer>,
    /// The type of the result.
    pub result: DataType,
}

/// A fixed-width argument, row by row.
#[derive(Clone, Copy)]
pub(super) struct View<'a, T> {
    values: &'a [T],
    stride: usize,
}

impl<T: Copy> View<'_, T> {
    /// The value in that row; anything where it is NULL.
    pub(super) fn at(&self, row: usize) -> T {
        self.values[row * self.stride]
    }
}

/// A STRING argument, row by row.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    array: &'a StringArray,
    stride: usize,
}

impl<'a> Text<'a> {
    /// The text in that row; anything where it is NULL.
    pub(super) fn at(&self, row: usize) -> &'a str {
        self.array.value(row * self.stride)
    }
}

impl<'a> Args<'a> {
    /// The arguments for `rows` rows.
    pub(super) fn new(columns: &'a [Datum], rows: usize, result: DataType) -> Args<'a> {
        let nulls = columns
            .iter()
            .filter(|c| !c.constant)
            .fold(None, |nulls, c| NullBuffer::union(nulls.as_ref(), c.array.nulls()))
            .filter(|n| n.null_count() > 0);
        Args { columns, rows, nulls, result }
    }

    /// True when no argument of the row is NULL (constants were looked at before).
    pub(super) fn valid(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|n| n.is_valid(row))
    }

    /// True when that argument is NULL in that row.
    pub(super) fn is_null(&self, index: usize, row: usize) -> bool {
        let column = &self.columns[index];
        column.array.is_null(if column.constant { 0 } else { row })
    }

    /// A fixed-width argument.
    pub(super) fn view<T: Native>(&self, index: usize) -> View<'a, T> {
        let column = &self.columns[index];
        View { values: T::slice(&column.array), stride: usize::from(!column.constant) }
    }

    /// A fixed-width argument that may have been left out.
    pub(super) fn view_or<T: Native>(&self, index: usize, default: &'a [T; 1]) -> View<'a, T> {
        if index < self.columns.len() {
            self.view(index)
        } else {
            View { values: default, stride: 0 }
        }
    }

    /// A STRING argument.
    pub(super) fn text(&self, index: usize) -> Text<'a> {
        let column = &self.columns[index];
        Text { array: column.array.as_string(), stride: usize::from(!column.constant) }
    }

    /// A BOOLEAN argument as long as the result.
    pub(super) fn bits(&self, index: usize) -> BooleanArray {
        self.columns[index].bits(self.rows)
    }

    /// Whether that argument was given.
    pub(super) fn has(&self, index: usize) -> bool {
        index < self.columns.len()
    }

    /// A column computed from every row, also those that will be NULL.
    pub(super) fn each<T: Native>(&self, f: impl FnMut(usize) -> T) -> ArrayRef {
        T::array((0..self.rows).map(f).collect(), self.nulls.clone(), self.result)
    }

    /// A BOOLEAN column computed from the rows without NULL.
    pub(super) fn each_bit(&self, mut f: impl FnMut(usize) -> bool) -> ArrayRef {
        let bits = BooleanBuffer::collect_bool(self.rows, |row| self.valid(row) && f(row));
        Arc::new(BooleanArray::new(bits, self.nulls.clone()))
    }

    /// A column computed from the rows without NULL, where the result may be NULL.
    pub(super) fn each_option<T: Native>(&self, mut f: impl FnMut(usize) -> Option<T>) -> ArrayRef {
        let mut values = vec![T::default(); self.rows];
        let mut valid = Validity::new(self.rows);
        for (row, slot) in values.iter_mut().enumerate() {
            let value = if self.valid(row) { f(row) } else { None };
            valid.push(value.is_some());
            *slot = value.unwrap_or_default();
        }
        T::array(values, valid.finish(), self.result)
    }

    /// A column computed from the rows without NULL, where the result may be NULL or an error.
    pub(super) fn try_each<T: Native>(
        &self,
        mut f: impl FnMut(usize) -> Result<Option<T>>,
    ) -> Outcome<ArrayRef> {
        let mut failed = None;
        let array = self.each_option(|row| match (&failed, f(row)) {
            (None, Ok(value)) => value,
            (None, Err(error)) => {
                failed = Some(row_error(row, error));
                None
            }
            (Some(_), _) => None,
        });
        failed.map_or(Ok(array), Err)
    }

    /// A STRING column computed from the rows without NULL: the closure appends the text and says
    /// whether it is one, NULL otherwise.
    pub(super) fn try_text(
        &self,
        mut f: impl FnMut(usize, &mut String) -> Result<bool>,
    ) -> Outcome<ArrayRef> {
        build_text(self.rows, |row, out| if self.valid(row) { f(row, out) } else { Ok(false) })
    }
}

/// A STRING column: the closure appends the text of each row and says whether it is one or NULL.
pub(super) fn build_text(
    rows: usize,
    mut f: impl FnMut(usize, &mut String) -> Result<bool>,
) -> Outcome<ArrayRef> {
    let mut text = String::new();
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0_i32);
    let mut valid = Validity::new(rows);
    for row in 0..rows {
        let start = text.len();
        let some = f(row, &mut text).map_err(|error| row_error(row, error))?;
        if !some {
            text.truncate(start);
        }
        valid.push(some);
        let end = i32::try_from(text.len()).ok().filter(|_| text.len() <= LARGEST_COLUMN);
        offsets.push(end.ok_or_else(|| row_error(row, too_long("a column", LARGEST_COLUMN)))?);
    }
    let offsets = OffsetBuffer::new(offsets.into());
    let values = Buffer::from_vec(text.into_bytes());
    Ok(Arc::new(StringArray::new(offsets, values, valid.finish())))
}

/// The error for text beyond a limit.
pub(super) fn too_long(what: &str, limit: usize) -> Error {
    Diagnostic::new("run.too-long", format!("{what} would hold more than {limit} bytes of text"))
}

/// An error of a row of the input at hand.
pub(super) fn row_error(row: usize, diagnostic: Error) -> RowError {
    RowError { row: u32::try_from(row).unwrap_or(u32::MAX), diagnostic }
}

/// Which rows are not NULL, built in order.
pub(super) struct Validity {
    bits: BooleanBufferBuilder,
    nulls: bool,
}

impl Validity {
    /// For that many rows.
    pub(super) fn new(rows: usize) -> Validity {
        Validity { bits: BooleanBufferBuilder::new(rows), nulls: false }
    }

    /// The next row.
    pub(super) fn push(&mut self, valid: bool) {
        self.bits.append(valid);
        self.nulls |= !valid;
    }

    /// The bitmap, or `None` when nothing is NULL.
    pub(super) fn finish(mut self) -> Option<NullBuffer> {
        self.nulls.then(|| NullBuffer::new(self.bits.finish()))
    }
}
