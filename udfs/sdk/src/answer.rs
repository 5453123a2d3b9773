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
}
