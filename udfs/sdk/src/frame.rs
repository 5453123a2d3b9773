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
    /// A column, to be read row by row. Of a column that is not there all rows are NULL.
    #[inline]
    pub fn reader<T: Cell<'a>>(&self, column: usize) -> Reader<'a, T> {
        let column = Column::read(self.bytes, Header::LEN + column * Column::LEN);
        let column = column.unwrap_or_default();
        let validity = match column.validity_off {
            0 => None,
            at => Some(self.bytes.get(at as usize..).unwrap_or_default()),
        };
        Reader { validity, values: T::values(self.bytes, &column).unwrap_or_default() }
    }

    /// A cell; `None` when it is NULL.
    pub fn cell<T: Cell<'a>>(&self, column: usize, row: usize) -> Option<T> {
        self.reader(column).get(row)
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

/// One column of a frame.
#[derive(Clone, Copy)]
pub struct Reader<'a, T: Cell<'a>> {
    validity: Option<&'a [u8]>,
    values: T::Values,
}

impl<'a, T: Cell<'a>> Reader<'a, T> {
    /// The cell of a row; `None` when it is NULL.
    #[inline(always)]
    pub fn get(&self, row: usize) -> Option<T> {
        if let Some(bits) = self.validity
            && bits.get(row / 8)? >> (row % 8) & 1 == 0
        {
            return None;
        }
        T::at(&self.values, row)
    }

    /// The cells of rows `BLOCK * block..` of a column without NULL; `None` where fewer are left.
    #[inline(always)]
    pub fn block(&self, block: usize) -> Option<Block<'a, T>> {
        Some(Block { cells: T::block(&self.values, block)? })
    }
}

/// How many rows a function computes at once: a loop's own work, the meter's and the host's clock are paid
/// once for so many.
pub const BLOCK: usize = 16;

/// [`BLOCK`] cells that follow one another.
#[derive(Clone, Copy)]
pub struct Block<'a, T: Cell<'a>> {
    cells: T::Block,
}

impl<'a, T: Cell<'a>> Block<'a, T> {
    /// The cell in a place below [`BLOCK`].
    #[inline(always)]
    pub fn get(&self, place: usize) -> T {
        T::of_block(&self.cells, place)
    }
}

/// A type a column can hold.
pub trait Cell<'a>: Copy {
    /// Where cells are read from.
    type Values: Copy + Default;
    /// [`BLOCK`] cells that follow one another.
    type Block: Copy;
    /// The values of a column of a frame.
    fn values(frame: &'a [u8], column: &Column) -> Option<Self::Values>;
    /// Reads a cell that is not NULL.
    fn at(values: &Self::Values, row: usize) -> Option<Self>;
    /// The cells of rows `BLOCK * block..`, if there are so many.
    fn block(values: &Self::Values, block: usize) -> Option<Self::Block>;
    /// One of them.
    fn of_block(cells: &Self::Block, place: usize) -> Self;
}

fn part(frame: &[u8], at: u32, len: usize) -> Option<&[u8]> {
    frame.get(at as usize..)?.get(..len)
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl<'a> Cell<'a> for $type {
            type Values = &'a [[u8; size_of::<$type>()]];
            type Block = &'a [[u8; size_of::<$type>()]; BLOCK];

            #[inline]
            fn values(frame: &'a [u8], column: &Column) -> Option<Self::Values> {
                let bytes = part(frame, column.data_off, column.rows as usize * size_of::<$type>());
                Some(bytes?.as_chunks().0)
            }

            #[inline(always)]
            fn at(values: &Self::Values, row: usize) -> Option<Self> {
                Some(<$type>::from_le_bytes(*values.get(row)?))
            }

            #[inline(always)]
            fn block(values: &Self::Values, block: usize) -> Option<Self::Block> {
                values.as_chunks().0.get(block)
            }

            #[inline(always)]
            fn of_block(cells: &Self::Block, place: usize) -> Self {
                <$type>::from_le_bytes(cells[place])
            }
        }
    )*};
}

numbers!(i32, i64, f32, f64);

impl<'a> Cell<'a> for bool {
    type Values = (&'a [u8], u32);
    type Block = [u8; BLOCK / 8];

    #[inline]
    fn values(frame: &'a [u8], column: &Column) -> Option<Self::Values> {
        let bytes = (column.rows as usize).div_ceil(8);
        Some((part(frame, column.data_off, bytes)?, column.rows))
    }

    #[inline(always)]
    fn at((bits, rows): &Self::Values, row: usize) -> Option<bool> {
        (row < *rows as usize).then_some(())?;
        Some(bits.get(row / 8)? >> (row % 8) & 1 == 1)
    }

    #[inline(always)]
    fn block((bits, rows): &Self::Values, block: usize) -> Option<Self::Block> {
        (block * BLOCK + BLOCK <= *rows as usize).then_some(())?;
        bits.as_chunks().0.get(block).copied()
    }

    #[inline(always)]
    fn of_block(cells: &Self::Block, place: usize) -> bool {
        cells[place / 8] >> (place % 8) & 1 == 1
    }
}

impl<'a> Cell<'a> for &'a [u8] {
    /// Offsets and data.
    type Values = (&'a [[u8; 4]], &'a [u8]);
    type Block = (Self::Values, usize);

    #[inline]
    fn values(frame: &'a [u8], column: &Column) -> Option<Self::Values> {
        let offsets = part(frame, column.offsets_off, (column.rows as usize + 1) * 4)?;
        Some((offsets.as_chunks().0, part(frame, column.data_off, column.data_len as usize)?))
    }

    #[inline]
    fn at((offsets, data): &Self::Values, row: usize) -> Option<&'a [u8]> {
        let offset = |i: usize| Some(u32::from_le_bytes(*offsets.get(i)?) as usize);
        data.get(offset(row)?..offset(row + 1)?)
    }

    #[inline]
    fn block(values: &Self::Values, block: usize) -> Option<Self::Block> {
        Self::at(values, block * BLOCK + BLOCK - 1)?;
        Some((*values, block * BLOCK))
    }

    #[inline]
    fn of_block((values, first): &Self::Block, place: usize) -> &'a [u8] {
        Self::at(values, first + place).unwrap_or_default()
    }
}

impl<'a> Cell<'a> for &'a str {
    type Values = (&'a [[u8; 4]], &'a [u8]);
    type Block = (Self::Values, usize);

    #[inline]
    fn values(frame: &'a [u8], column: &Column) -> Option<Self::Values> {
        <&[u8]>::values(frame, column)
    }

    #[inline]
    fn at(values: &Self::Values, row: usize) -> Option<&'a str> {
        core::str::from_utf8(<&[u8]>::at(values, row)?).ok()
    }

    #[inline]
    fn block(values: &Self::Values, block: usize) -> Option<Self::Block> {
        Self::at(values, block * BLOCK + BLOCK - 1)?;
        Some((*values, block * BLOCK))
    }

    #[inline]
    fn of_block((values, first): &Self::Block, place: usize) -> &'a str {
        Self::at(values, first + place).unwrap_or_default()
    }
}
