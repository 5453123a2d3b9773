//! Frames: rows as one block of bytes, the way programs hand columns in and out.
//!
//! Little endian; all offsets are counted from the block's first byte and divisible by 8.
//!
//! ```text
//! 0    4 bytes  `HWC1`
//! 4    u32      rows
//! 8    u32      columns
//! 12   u32      where the row kinds stand, a byte a row (0 +I, 1 -U, 2 +U, 3 -D); 0: all are +I
//! 16   24 bytes a column:
//!      u8       type: 1 BOOLEAN, 2 INT, 3 BIGINT, 4 FLOAT, 5 DOUBLE, 6 STRING, 7 BYTES, 8 DATE,
//!               9 TIMESTAMP(3), 10 DECIMAL, 11 TIMESTAMP_LTZ(3), 12 NULL
//!      u8       0
//!      u8, u8   precision and scale of a DECIMAL, else 0
//!      u32      where the validity bitmap stands; 0: no NULL
//!      u32      where the values stand
//!      u32      bytes of the values
//!      u32      where the rows + 1 offsets of STRING and BYTES stand, u32 each from 0; else 0
//!      u32      rows, once more
//! …    the buffers
//! ```
//!
//! Bitmaps (validity: 1 is a value; BOOLEAN values) have a bit a row, the least significant first. INT
//! and DATE (days) are `i32`, BIGINT and timestamps (milliseconds) `i64`, FLOAT and DOUBLE IEEE 754,
//! DECIMAL an unscaled `i128`, STRING UTF-8. The first nine types and the descriptors are those of the
//! operator ABI's frames.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use arrow_array::ArrayRef;
use highwater_abi::types;

use crate::batch::RowKind;
use crate::error::{Diagnostic, Error};
use crate::schema::DataType;

pub use read::decode;
pub use write::{Layout, encode};

/// The first four bytes.
pub const MAGIC: [u8; 4] = *b"HWC1";
/// Bytes before the first descriptor.
const HEADER: usize = 16;

/// Types that only this form has.
const DECIMAL: u8 = 10;
const TIMESTAMP_LTZ: u8 = 11;
const NULL: u8 = 12;

/// What a frame holds.
#[derive(Clone, Debug)]
pub struct Frame {
    /// How many rows.
    pub rows: usize,
    /// The columns' types.
    pub types: Vec<DataType>,
    /// The columns, each `rows` long.
    pub columns: Vec<ArrayRef>,
    /// One kind a row; `None` when all rows are inserts.
    pub kinds: Option<Arc<[RowKind]>>,
}

/// The code of a type, and precision and scale of a DECIMAL.
fn code(data_type: DataType) -> [u8; 3] {
    let plain = |code| [code, 0, 0];
    match data_type {
        DataType::Null => plain(NULL),
        DataType::Boolean => plain(types::BOOLEAN),
        DataType::Int => plain(types::INT),
        DataType::BigInt => plain(types::BIGINT),
        DataType::Float => plain(types::FLOAT),
        DataType::Double => plain(types::DOUBLE),
        DataType::Decimal(precision, scale) => [DECIMAL, precision, scale],
        DataType::String => plain(types::STRING),
        DataType::Bytes => plain(types::BYTES),
        DataType::Date => plain(types::DATE),
        DataType::Timestamp => plain(types::TIMESTAMP),
        DataType::TimestampLtz => plain(TIMESTAMP_LTZ),
    }
}

/// The type of a code.
fn of_code(code: [u8; 3]) -> Option<DataType> {
    Some(match code {
        [NULL, ..] => DataType::Null,
        [types::BOOLEAN, ..] => DataType::Boolean,
        [types::INT, ..] => DataType::Int,
        [types::BIGINT, ..] => DataType::BigInt,
        [types::FLOAT, ..] => DataType::Float,
        [types::DOUBLE, ..] => DataType::Double,
        [DECIMAL, precision @ 1..=38, scale] if scale <= precision => {
            DataType::Decimal(precision, scale)
        }
        [types::STRING, ..] => DataType::String,
        [types::BYTES, ..] => DataType::Bytes,
        [types::DATE, ..] => DataType::Date,
        [types::TIMESTAMP, ..] => DataType::Timestamp,
        [TIMESTAMP_LTZ, ..] => DataType::TimestampLtz,
        _ => return None,
    })
}

fn malformed(what: impl std::fmt::Display) -> Error {
    Diagnostic::new("frame.malformed", format!("this is no frame of rows: {what}"))
}

/// Turns values of `size` bytes around where the machine is not little endian.
fn little_endian(bytes: &mut [u8], size: usize) {
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
}
