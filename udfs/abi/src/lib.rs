//! The operator ABI, version 1: what stands where in the memory an engine and a guest share.
//!
//! A guest is a core WebAssembly module. Every operator export takes the address of a *frame* and
//! returns a status. A frame is one block of memory, little endian, all offsets counted from its
//! first byte and divisible by 8:
//!
//! ```text
//! 0            header, 48 bytes                     [`Header`]
//! 48           one descriptor a column, 24 bytes    [`Column`]
//! …            the columns' buffers, as in Arrow
//! state_off    slots × state_stride bytes: the accumulators, read and written in place
//! out_off      out_cap bytes, zeroed: the answer, an [`Output`] header, descriptors, buffers
//! ```
//!
//! Buffers: validity and BOOLEAN values are bitmaps, least significant bit first; numbers lie side by
//! side; STRING and BYTES have `rows + 1` 32-bit offsets into their data. `validity_off` 0: no NULLs.
//!
//! | export | columns in | answer |
//! |---|---|---|
//! | `win_assign` | event time, the manifest's columns | row INT, start TIMESTAMP, end TIMESTAMP: any number of windows a row |
//! | `win_merge_windows` | start, end of one key's windows, sorted | group INT, one a window, starting at 0, never falling, no gaps |
//! | `win_init` | none | the state, written in place |
//! | `win_accumulate` | event time, the manifest's columns, slot INT | the state, changed in place |
//! | `win_merge` | slot INT to merge into, slot INT to merge | the state, changed in place |
//! | `win_result` | start, end: one row a slot | slot INT, the manifest's output columns: any number of rows a slot |
//! | `join_match` | left event time and columns, right event time and columns, left row INT, right row INT: one a pair | match BOOLEAN, one a pair |
//! | `fn_call` | the manifest's columns: the arguments | the result, one a row; its one column is written whole, as the region behind its descriptor is not zeroed |
//!
//! In `join_match` the columns of the two sides have their own numbers of rows ([`Column::rows`]); the
//! header's `rows` is the number of pairs.

#![no_std]

/// The version of the ABI, in the manifest and in the marker export's name.
pub const VERSION: u32 = 1;

/// First four bytes of a frame: `HWF1`.
pub const MAGIC: u32 = u32::from_le_bytes(*b"HWF1");

/// The custom section that holds the manifest.
pub const MANIFEST_SECTION: &str = "highwater.manifest";

/// Names of exports.
pub mod export {
    /// The one linear memory.
    pub const MEMORY: &str = "memory";
    /// A function or global whose presence says: this module speaks version 1.
    pub const MARKER: &str = "hw_abi_1";
    /// `(bytes: i32) -> i32`: an 8-aligned address where so many bytes are free for frames, 0 to refuse.
    /// Called again for more; the earlier block is then free.
    pub const ARENA: &str = "hw_arena";
    /// `(frame: i32, length: i32) -> i32`: takes the parameters, a frame of one row; answers a status.
    pub const CONFIGURE: &str = "hw_configure";
    /// Gives each record its windows.
    pub const WIN_ASSIGN: &str = "win_assign";
    /// Says which windows of a key become one. Without it windows that overlap or touch do.
    pub const WIN_MERGE_WINDOWS: &str = "win_merge_windows";
    /// Fills new accumulators. Without it they start as zeros.
    pub const WIN_INIT: &str = "win_init";
    /// Adds records to accumulators.
    pub const WIN_ACCUMULATE: &str = "win_accumulate";
    /// Adds accumulators to accumulators. A guest that has it has windows that merge.
    pub const WIN_MERGE: &str = "win_merge";
    /// Makes result rows of accumulators.
    pub const WIN_RESULT: &str = "win_result";
    /// Decides candidate pairs.
    pub const JOIN_MATCH: &str = "join_match";
    /// Computes a function.
    pub const FN_CALL: &str = "fn_call";
    /// Names the meter keeps for itself begin so.
    pub const RESERVED: &str = "__hw_";
}

/// Codes of column types.
pub mod types {
    /// Bitmap.
    pub const BOOLEAN: u8 = 1;
    /// `i32`
    pub const INT: u8 = 2;
    /// `i64`
    pub const BIGINT: u8 = 3;
    /// `f32`
    pub const FLOAT: u8 = 4;
    /// `f64`
    pub const DOUBLE: u8 = 5;
    /// Offsets and UTF-8.
    pub const STRING: u8 = 6;
    /// Offsets and bytes.
    pub const BYTES: u8 = 7;
    /// `i32`: days since 1970-01-01.
    pub const DATE: u8 = 8;
    /// `i64`: milliseconds since 1970-01-01 UTC.
    pub const TIMESTAMP: u8 = 9;
}

/// What an operator export returns.
pub mod status {
    /// Done.
    pub const OK: i32 = 0;
    /// The answer does not fit: [`Output::need`](crate::Output::need) says how many bytes would do; the
    /// engine calls again with the same frame and at least that room.
    pub const NEED_MORE: i32 = 1;
    /// From here on: the guest's own errors. `need` is the length of a UTF-8 text right after the
    /// output header.
    pub const ERROR: i32 = 16;
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Rows the call is about: records, windows or pairs.
    pub rows: u32,
    /// Columns, each with a descriptor.
    pub columns: u16,
    /// Reserved, 0.
    pub flags: u16,
    /// Bytes of the whole frame, the output region included.
    pub total_len: u32,
    /// Accumulators in the state region.
    pub slots: u32,
    /// Where the state region begins; 0 when there is none.
    pub state_off: u32,
    /// Bytes of one accumulator.
    pub state_stride: u32,
    /// Where the output region begins.
    pub out_off: u32,
    /// Bytes of the output region, at least [`Output::LEN`].
    pub out_cap: u32,
    /// A number for guests that need chance: equal for equal runs.
    pub seed: u64,
}

impl Header {
    /// Bytes of a header.
    pub const LEN: usize = 48;

    /// Writes the header at the start of a frame.
    ///
    /// # Panics
    /// When the frame is shorter than a header.
    pub fn write(&self, frame: &mut [u8]) {
        put(frame, 0, &MAGIC.to_le_bytes());
        put(frame, 4, &(Self::LEN as u16).to_le_bytes());
        put(frame, 6, &[0, 0]);
        put(frame, 8, &self.rows.to_le_bytes());
        put(frame, 12, &self.columns.to_le_bytes());
        put(frame, 14, &self.flags.to_le_bytes());
        put(frame, 16, &self.total_len.to_le_bytes());
        put(frame, 20, &self.slots.to_le_bytes());
        put(frame, 24, &self.state_off.to_le_bytes());
        put(frame, 28, &self.state_stride.to_le_bytes());
        put(frame, 32, &self.out_off.to_le_bytes());
        put(frame, 36, &self.out_cap.to_le_bytes());
        put(frame, 40, &self.seed.to_le_bytes());
    }

    /// Reads the header of a frame; `None` when it is too short or no frame of this version.
    pub fn read(frame: &[u8]) -> Option<Header> {
        if u32_at(frame, 0)? != MAGIC || usize::from(u16_at(frame, 4)?) < Self::LEN {
            return None;
        }
        Some(Header {
            rows: u32_at(frame, 8)?,
            columns: u16_at(frame, 12)?,
            flags: u16_at(frame, 14)?,
            total_len: u32_at(frame, 16)?,
            slots: u32_at(frame, 20)?,
            state_off: u32_at(frame, 24)?,
            state_stride: u32_at(frame, 28)?,
            out_off: u32_at(frame, 32)?,
            out_cap: u32_at(frame, 36)?,
            seed: u64::from_le_bytes(frame.get(40..48)?.try_into().ok()?),
        })
    }
}

/// The descriptor of one column, in a frame and in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// One of [`types`].
    pub data_type: u8,
    /// Reserved, 0.
    pub flags: u8,
    /// The validity bitmap; 0: no NULLs.
    pub validity_off: u32,
    /// The values.
    pub data_off: u32,
    /// Bytes of the values.
    pub data_len: u32,
    /// The `rows + 1` offsets of STRING and BYTES; 0 for other types.
    pub offsets_off: u32,
    /// Rows of this column.
    pub rows: u32,
}

impl Column {
    /// Bytes of a descriptor.
    pub const LEN: usize = 24;

    /// Writes the descriptor at `at`.
    ///
    /// # Panics
    /// When it does not fit.
    pub fn write(&self, bytes: &mut [u8], at: usize) {
        put(bytes, at, &[self.data_type, self.flags, 0, 0]);
        put(bytes, at + 4, &self.validity_off.to_le_bytes());
        put(bytes, at + 8, &self.data_off.to_le_bytes());
        put(bytes, at + 12, &self.data_len.to_le_bytes());
        put(bytes, at + 16, &self.offsets_off.to_le_bytes());
        put(bytes, at + 20, &self.rows.to_le_bytes());
    }

    /// Reads the descriptor at `at`; `None` when that is out of bounds.
    pub fn read(bytes: &[u8], at: usize) -> Option<Column> {
        Some(Column {
            data_type: *bytes.get(at)?,
            flags: *bytes.get(at + 1)?,
            validity_off: u32_at(bytes, at + 4)?,
            data_off: u32_at(bytes, at + 8)?,
            data_len: u32_at(bytes, at + 12)?,
            offsets_off: u32_at(bytes, at + 16)?,
            rows: u32_at(bytes, at + 20)?,
        })
    }
}

/// The head of an answer, first in the output region; its column descriptors follow at once. The
/// columns' buffers must lie in the output region too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The same as the export returns.
    pub status: i32,
    /// With [`status::NEED_MORE`] the bytes wanted, with an error the length of the text.
    pub need: u32,
    /// Rows of the answer.
    pub rows: u32,
    /// Columns of the answer.
    pub columns: u16,
}

impl Output {
    /// Bytes of an output header.
    pub const LEN: usize = 16;

    /// Writes the header at the start of an output region.
    ///
    /// # Panics
    /// When it does not fit.
    pub fn write(&self, region: &mut [u8]) {
        put(region, 0, &self.status.to_le_bytes());
        put(region, 4, &self.need.to_le_bytes());
        put(region, 8, &self.rows.to_le_bytes());
        put(region, 12, &self.columns.to_le_bytes());
        put(region, 14, &[0, 0]);
    }

    /// Reads the header of an output region; `None` when the region is too short.
    pub fn read(region: &[u8]) -> Option<Output> {
        Some(Output {
            status: u32_at(region, 0)? as i32,
            need: u32_at(region, 4)?,
            rows: u32_at(region, 8)?,
            columns: u16_at(region, 12)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_stand_where_the_table_says() {
        let header = Header {
            rows: 1,
            columns: 2,
            flags: 3,
            total_len: 4,
            slots: 5,
            state_off: 6,
            state_stride: 7,
            out_off: 8,
            out_cap: 9,
            seed: 10,
        };
        let mut bytes = [0xffu8; Header::LEN];
        header.write(&mut bytes);
        assert_eq!(&bytes[..8], b"HWF1\x30\0\0\0");
        assert_eq!((bytes[8], bytes[12], bytes[14], bytes[16], bytes[40]), (1, 2, 3, 4, 10));
        assert_eq!(Header::read(&bytes), Some(header));
        bytes[0] = b'X';
        assert_eq!(Header::read(&bytes), None);
        assert_eq!(Header::read(&bytes[..20]), None);

        let column = Column {
            data_type: types::STRING,
            flags: 0,
            validity_off: 1,
            data_off: 2,
            data_len: 3,
            offsets_off: 4,
            rows: 5,
        };
        let mut bytes = [0u8; 40];
        column.write(&mut bytes, 16);
        assert_eq!(
            bytes[16..40],
            [6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0]
        );
        assert_eq!(Column::read(&bytes, 16), Some(column));
        assert_eq!(Column::read(&bytes, 17), None);
    }
}
