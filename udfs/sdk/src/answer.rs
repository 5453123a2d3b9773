//! Writing an answer row by row into the output region.

use highwater_abi::{Column, Output, status, types};

/// A table being written into an output region. Rows beyond its room are only counted; then the answer
/// is to ask for more.
pub struct Table<'a> {
    region: &'a mut [u8],
    out_off: u32,
    types: &'a [u8],
    room: usize,
    rows: usize,
}

/// A value a table can hold: its little-endian bytes, one byte for a BOOLEAN.
pub trait Fixed: Copy {
    /// The bytes, the first `len` of eight.
    fn bytes(self) -> [u8; 8];
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Fixed for $type {
            fn bytes(self) -> [u8; 8] {
                let mut bytes = [0; 8];
                bytes[..size_of::<$type>()].copy_from_slice(&self.to_le_bytes());
                bytes
            }
        }
    )*};
}

numbers!(i32, i64, f32, f64);

impl Fixed for bool {
    fn bytes(self) -> [u8; 8] {
        [u8::from(self), 0, 0, 0, 0, 0, 0, 0]
    }
}

fn width(of: u8) -> usize {
    match of {
        types::BOOLEAN => 0,
        types::INT | types::FLOAT | types::DATE => 4,
        _ => 8,
    }
}

pub(crate) fn bits(rows: usize) -> usize {
    rows.div_ceil(8).next_multiple_of(8)
}

/// Bytes a column takes: validity, and eight for each value of whatever type, so that a column's place
/// follows from its number.
fn stride(room: usize) -> usize {
    bits(room) + room * 8
}

impl<'a> Table<'a> {
    /// An empty table of these types, [`highwater_abi::types`].
    pub fn new(region: &'a mut [u8], out_off: u32, types: &'a [u8]) -> Table<'a> {
        let mut table = Table { region, out_off, types, room: 0, rows: 0 };
        let left = table.region.len().saturating_sub(table.head());
        // 65 bits a cell; the bitmaps' ends may take more.
        table.room = left * 8 / (65 * types.len().max(1));
        while table.room > 0 && table.size(table.room) > table.region.len() {
            table.room -= 1;
        }
        table
    }

    fn head(&self) -> usize {
        Output::LEN + self.types.len() * Column::LEN
    }

    fn size(&self, rows: usize) -> usize {
        self.head() + self.types.len() * stride(rows)
    }

    /// Where a column's validity begins in the region; its values follow.
    #[inline(always)]
    fn column_at(&self, column: usize) -> usize {
        self.head() + column * stride(self.room)
    }

    /// Sets a cell of the row being written.
    #[inline(always)]
    pub fn set<T: Fixed>(&mut self, column: usize, value: Option<T>) {
        let (Some(value), true) = (value, self.rows < self.room) else { return };
        let (row, of) = (self.rows, self.types[column]);
        let at = self.column_at(column);
        self.region[at + row / 8] |= 1 << (row % 8);
        let values = at + bits(self.room);
        let bytes = value.bytes();
        match width(of) {
            0 => self.region[values + row / 8] |= bytes[0] << (row % 8),
            4 => self.region[values + row * 4..][..4].copy_from_slice(&bytes[..4]),
            _ => self.region[values + row * 8..][..8].copy_from_slice(&bytes),
        }
    }

    /// Ends the row being written.
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Writes the heads; the status to return.
    pub fn finish(self) -> i32 {
        if self.rows > self.room || self.region.len() < self.head() {
            let need = self.size(self.rows) as u32;
            let head = Output { status: status::NEED_MORE, need, rows: 0, columns: 0 };
            head.write(self.region);
            return status::NEED_MORE;
        }
        for (i, of) in self.types.iter().enumerate() {
            let at = self.column_at(i);
            let column = Column {
                data_type: *of,
                flags: 0,
                validity_off: self.out_off + at as u32,
                data_off: self.out_off + (at + bits(self.room)) as u32,
                data_len: (self.room * 8) as u32,
                offsets_off: 0,
                rows: self.rows as u32,
            };
            column.write(self.region, Output::LEN + i * Column::LEN);
        }
        let columns = self.types.len() as u16;
        Output { status: status::OK, need: 0, rows: self.rows as u32, columns }.write(self.region);
        status::OK
    }
}

/// The windows of rows being written into an output region: three columns without NULL, so without a bitmap to
/// keep. Those beyond its room are only counted, as a table's rows are.
pub(crate) struct Windows<'a> {
    head: &'a mut [u8],
    starts: &'a mut [[u8; 8]],
    ends: &'a mut [[u8; 8]],
    rows: &'a mut [[u8; 4]],
    out_off: u32,
    len: usize,
}

impl<'a> Windows<'a> {
    const HEAD: usize = (Output::LEN + 3 * Column::LEN).next_multiple_of(8);
    /// Bytes of a window: its start, its end, its row.
    const EACH: usize = 8 + 8 + 4;

    /// None yet.
    pub fn new(region: &'a mut [u8], out_off: u32) -> Windows<'a> {
        let room = region.len().saturating_sub(Self::HEAD) / Self::EACH;
        let (head, rest) = region.split_at_mut(Self::HEAD.min(region.len()));
        let (starts, rest) = rest.split_at_mut(room * 8);
        let (ends, rest) = rest.split_at_mut(room * 8);
        let rows = &mut rest[..room * 4];
        let (starts, ends) = (starts.as_chunks_mut().0, ends.as_chunks_mut().0);
        Windows { head, starts, ends, rows: rows.as_chunks_mut().0, out_off, len: 0 }
    }

    /// Adds a window of a row.
    #[inline(always)]
    pub fn push(&mut self, row: u32, (start, end): (i64, i64)) {
        let at = self.len;
        self.len += 1;
        let (starts, ends, rows) = (&mut *self.starts, &mut *self.ends, &mut *self.rows);
        if let (Some(s), Some(e), Some(r)) =
            (starts.get_mut(at), ends.get_mut(at), rows.get_mut(at))
        {
            *s = start.to_le_bytes();
            *e = end.to_le_bytes();
            *r = row.to_le_bytes();
        }
    }

    /// Writes the heads; the status to return.
    pub fn finish(self) -> i32 {
        let room = self.rows.len();
        if self.len > room || self.head.len() < Self::HEAD {
            let need = (Self::HEAD + self.len * Self::EACH) as u32;
            let head = Output { status: status::NEED_MORE, need, rows: 0, columns: 0 };
            head.write(self.head);
            return status::NEED_MORE;
        }
        let columns = [(types::INT, 16, 4), (types::TIMESTAMP, 0, 8), (types::TIMESTAMP, 8, 8)];
        for (i, (data_type, before, width)) in columns.into_iter().enumerate() {
            let column = Column {
                data_type,
                flags: 0,
                validity_off: 0,
                data_off: self.out_off + (Self::HEAD + before * room) as u32,
                data_len: (self.len * width) as u32,
                offsets_off: 0,
                rows: self.len as u32,
            };
            column.write(self.head, Output::LEN + i * Column::LEN);
        }
        let head = Output { status: status::OK, need: 0, rows: self.len as u32, columns: 3 };
        head.write(self.head);
        status::OK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(region: &mut [u8], rows: i32) -> i32 {
        let types = [types::INT, types::BOOLEAN, types::DOUBLE];
        let mut table = Table::new(region, 1000, &types);
        for i in 0..rows {
            table.set(0, Some(i));
            table.set(1, (i % 3 != 0).then_some(i % 2 == 0));
            table.set(2, Some(f64::from(i) / 2.0));
            table.end_row();
        }
        table.finish()
    }

    #[test]
    fn a_table_too_large_says_how_much_it_needs_and_that_is_enough() {
        for rows in [0, 1, 7, 8, 9, 64, 65] {
            let mut small = [0u8; 16];
            let status = fill(&mut small, rows);
            assert_eq!(status, status::NEED_MORE);
            let need = Output::read(&small).expect("a head").need as usize;
            let mut region = [0u8; 4096];
            assert_eq!(fill(&mut region[..need], rows), status::OK, "{rows} rows in {need} bytes");
            assert_eq!(Output::read(&region).map(|o| o.rows), Some(rows as u32));
        }
    }

    #[test]
    fn cells_stand_where_the_descriptors_say() {
        let mut region = [0u8; 512];
        assert_eq!(fill(&mut region, 10), status::OK);
        let column =
            |i| Column::read(&region, Output::LEN + i * Column::LEN).expect("a descriptor");
        let at = |offset: u32| offset as usize - 1000;
        assert_eq!(region[at(column(0).data_off) + 4 * 9], 9);
        // Rows 0, 3, 6 and 9 are NULL; of the others 2, 4 and 8 are TRUE.
        let valid = at(column(1).validity_off);
        assert_eq!(region[valid..valid + 2], [0b1011_0110, 0b01]);
        let bits = at(column(1).data_off);
        assert_eq!(region[bits..bits + 2], [0b0001_0100, 0b01]);
        let last = at(column(2).data_off) + 8 * 9;
        assert_eq!(region[last..last + 8], 4.5f64.to_le_bytes());
    }

    #[test]
    fn windows_too_many_say_how_much_they_need_and_that_is_enough() {
        let fill = |region: &mut [u8], len: u32| {
            let mut windows = Windows::new(region, 1000);
            for i in 0..len {
                windows.push(i / 2, (i64::from(i), i64::from(i) + 10));
            }
            windows.finish()
        };
        for len in [0, 1, 7, 64] {
            let mut small = [0u8; 16];
            assert_eq!(fill(&mut small, len), status::NEED_MORE);
            let need = Output::read(&small).expect("a head").need as usize;
            let mut region = [0u8; 4096];
            assert_eq!(fill(&mut region[..need], len), status::OK, "{len} in {need} bytes");
            for (i, wanted) in
                [(0, 1), (1, 3), (2, 13)].into_iter().take(3 * (len as usize / 7).min(1))
            {
                let column = Column::read(&region, Output::LEN + i * Column::LEN).expect("one");
                assert_eq!((column.rows, column.validity_off), (len, 0));
                let width = column.data_len as usize / len as usize;
                assert_eq!(region[column.data_off as usize - 1000 + 3 * width], wanted);
            }
        }
    }
}
