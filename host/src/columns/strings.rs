//! Texts and bytes, of whatever width their offsets are.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::ByteArrayType;
use arrow_array::{Array, ArrayRef, BinaryArray, GenericByteArray, StringArray};
use arrow_buffer::{ArrowNativeType as _, Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType as Arrow;
use highwater_engine::schema::DataType;

use super::convert::{Cast, Faults, without};

/// The longest value, in bytes: that of a record of text.
const LONGEST: usize = 1 << 20;
/// How many bytes of texts stand together at most, so that no column outgrows its offsets.
pub(super) const MOST: usize = 64 << 20;

/// The array as one of texts or bytes; `None` when it is neither.
pub(super) fn array<'a>(
    cast: &Cast,
    into: DataType,
    array: &'a ArrayRef,
    faults: &mut Faults,
) -> Option<ArrayRef> {
    match (array.data_type(), into) {
        (Arrow::Utf8, DataType::String) if short(array.as_string::<i32>().value_offsets()) => {
            return Some(Arc::clone(array));
        }
        (Arrow::Binary, DataType::Bytes) if short(array.as_binary::<i32>().value_offsets()) => {
            return Some(Arc::clone(array));
        }
        _ => {}
    }
    let rows = array.len();
    let string = |row| array.as_string::<i32>().value(row).as_bytes();
    let large_string = |row| array.as_string::<i64>().value(row).as_bytes();
    let string_view = |row| array.as_string_view().value(row).as_bytes();
    let binary = |row| array.as_binary::<i32>().value(row);
    let large_binary = |row| array.as_binary::<i64>().value(row);
    let binary_view = |row| array.as_binary_view().value(row);
    let fixed = |row| array.as_fixed_size_binary().value(row);
    let value: &dyn Fn(usize) -> &'a [u8] = match array.data_type() {
        Arrow::Utf8 => &string,
        Arrow::LargeUtf8 => &large_string,
        Arrow::Utf8View => &string_view,
        Arrow::Binary => &binary,
        Arrow::LargeBinary => &large_binary,
        Arrow::BinaryView => &binary_view,
        Arrow::FixedSizeBinary(_) => &fixed,
        _ => return None,
    };
    let (offsets, data, broken) = copied(cast, into, array, value, faults);
    let nulls = without(array.nulls(), rows, &broken);
    Some(match into {
        // Checked value by value.
        DataType::String => Arc::new(StringArray::try_new(offsets, data, nulls).ok()?),
        _ => Arc::new(BinaryArray::try_new(offsets, data, nulls).ok()?),
    })
}

fn short(offsets: &[i32]) -> bool {
    let bytes = offsets.last().zip(offsets.first()).map_or(0, |(last, first)| last - first);
    bytes as usize <= LONGEST || offsets.windows(2).all(|w| (w[1] - w[0]) as usize <= LONGEST)
}

/// Offsets, bytes, and the rows whose value does not fit.
type Copied = (OffsetBuffer<i32>, Buffer, Vec<usize>);

/// Copies value after value.
fn copied<'a>(
    cast: &Cast,
    into: DataType,
    array: &ArrayRef,
    value: &dyn Fn(usize) -> &'a [u8],
    faults: &mut Faults,
) -> Copied {
    let mut ends = Vec::with_capacity(array.len() + 1);
    ends.push(0_i32);
    let (mut data, mut broken): (Vec<u8>, Vec<usize>) = (Vec::new(), Vec::new());
    for row in 0..array.len() {
        if array.is_valid(row) {
            let bytes = value(row);
            let found = if bytes.len() > LONGEST {
                Some("a value longer than 1 MiB")
            } else if into == DataType::String && std::str::from_utf8(bytes).is_err() {
                Some("bytes that are no UTF-8")
            } else {
                data.extend_from_slice(bytes);
                None
            };
            if let Some(found) = found {
                cast.fault(row, found, faults);
                broken.push(row);
            }
        }
        // Pieces are cut so that this is far below 2 GiB.
        ends.push(i32::try_from(data.len()).unwrap_or(i32::MAX));
    }
    (OffsetBuffer::new(ScalarBuffer::from(ends)), Buffer::from_vec(data), broken)
}

/// How many bytes the values of a column take once each stands by itself.
pub(super) fn bytes(array: &ArrayRef) -> usize {
    fn total<T: ByteArrayType>(array: &GenericByteArray<T>) -> usize {
        let offsets = array.value_offsets();
        let ends = offsets.last().zip(offsets.first());
        ends.map_or(0, |(last, first)| last.as_usize() - first.as_usize())
    }
    match array.data_type() {
        Arrow::Utf8 => total(array.as_string::<i32>()),
        Arrow::LargeUtf8 => total(array.as_string::<i64>()),
        Arrow::Binary => total(array.as_binary::<i32>()),
        Arrow::LargeBinary => total(array.as_binary::<i64>()),
        Arrow::Utf8View => array.as_string_view().lengths().map(|n| n as usize).sum(),
        Arrow::BinaryView => array.as_binary_view().lengths().map(|n| n as usize).sum(),
        Arrow::FixedSizeBinary(width) => usize::try_from(*width).unwrap_or(0) * array.len(),
        Arrow::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = dictionary.values();
            if bytes(values) == 0 || values.is_empty() {
                return 0;
            }
            let each: Vec<usize> = (0..values.len()).map(|i| bytes(&values.slice(i, 1))).collect();
            dictionary.normalized_keys().into_iter().map(|key| each[key]).sum()
        }
        _ => 0,
    }
}
