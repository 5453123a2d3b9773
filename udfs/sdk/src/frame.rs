//! Reading a frame: its parts, its columns, its cells.

use highwater_abi::{Column, Header};

/// A frame taken apart: what is read, what is changed, what is answered.
pub struct Parts<'a> {
    /// The head.
    pub header: Header,
    /// The columns.
    pub input: Input<'a>,
    /// The accumulators.
    pub state: &'a mut [u8],
    /// The output region.
    pub output: &'a mut [u8],
}

impl<'a> Parts<'a> {
    /// Takes a frame apart; `None` when it is no frame of this ABI.
    pub fn of(frame: &'a mut [u8]) -> Option<Parts<'a>> {
        let header = Header::read(frame)?;
        let state_len = header.slots as usize * header.state_stride as usize;
        let (input, output) = frame.split_at_mut_checked(header.out_off as usize)?;
        let (input, state) = match header.state_off {
            0 => (input, &mut [][..]),
            at => input.split_at_mut_checked(at as usize)?,
        };
        let (state, output) = (
            state.get_mut(..if header.state_off == 0 { 0 } else { state_len })?,
            output.get_mut(..header.out_cap as usize)?,
        );
        Some(Parts { header, input: Input { bytes: input }, state, output })
    }
}

/// The columns of a frame.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    fn column(&self, column: usize) -> Column {
        Column::read(self.bytes, Header::LEN + column * Column::LEN).unwrap_or_default()
    }

    /// A cell; `None` when it is NULL.
    pub fn cell<T: Cell<'a>>(&self, column: usize, row: usize) -> Option<T> {
        let column = self.column(column);
        if column.validity_off != 0 {
            let byte = self.bytes.get(column.validity_off as usize + row / 8)?;
            if byte >> (row % 8) & 1 == 0 {
                return None;
            }
        }
        T::read(self.bytes, &column, row)
    }

    /// The event time of a row: a cell that is never NULL.
    pub fn time(&self, column: usize, row: usize) -> i64 {
        self.cell(column, row).unwrap_or_default()
    }

    /// A slot or row number: a cell that is never NULL.
    pub fn position(&self, column: usize, row: usize) -> usize {
        self.cell::<i32>(column, row).unwrap_or_default() as usize
    }
}

/// A type a column can hold.
pub trait Cell<'a>: Sized {
    /// Reads a cell that is not NULL.
    fn read(frame: &'a [u8], column: &Column, row: usize) -> Option<Self>;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl<'a> Cell<'a> for $type {
            fn read(frame: &'a [u8], column: &Column, row: usize) -> Option<Self> {
                let at = column.data_off as usize + row * size_of::<$type>();
                let bytes = frame.get(at..at + size_of::<$type>())?;
                Some(<$type>::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    )*};
}

numbers!(i32, i64, f32, f64);

impl<'a> Cell<'a> for bool {
    fn read(frame: &'a [u8], column: &Column, row: usize) -> Option<bool> {
        Some(frame.get(column.data_off as usize + row / 8)? >> (row % 8) & 1 == 1)
    }
}

impl<'a> Cell<'a> for &'a [u8] {
    fn read(frame: &'a [u8], column: &Column, row: usize) -> Option<&'a [u8]> {
        let offset = |i: usize| {
            let at = column.offsets_off as usize + i * 4;
            Some(u32::from_le_bytes(frame.get(at..at + 4)?.try_into().ok()?) as usize)
        };
        let data = frame.get(column.data_off as usize..)?;
        data.get(offset(row)?..offset(row + 1)?)
    }
}

impl<'a> Cell<'a> for &'a str {
    fn read(frame: &'a [u8], column: &Column, row: usize) -> Option<&'a str> {
        core::str::from_utf8(Cell::read(frame, column, row)?).ok()
    }
}
