//! What stands between `fn_call` and the guest's own function: columns in, one column out.

use highwater_abi::{Column, Output, status};

use crate::answer::bits;
use crate::{BLOCK, Input, Parts};

/// The status for a frame that is none.
const NO_FRAME: i32 = status::ERROR;
/// Where an answer's first buffer begins in the output region: behind the heads, at a cache line.
const HEAD: usize = (Output::LEN + Column::LEN).next_multiple_of(64);

/// What a function returns: a value, or an `Option` of one.
pub trait Returned {
    /// The value.
    type Value: Value;
    /// Whether it can be NULL.
    const NULLS: bool;
    /// The value, anything for NULL, and whether there is one.
    fn parts(self) -> (Self::Value, bool);
}

/// A type of fixed size that a function can give.
pub trait Value: Copy + Default {
    /// Bytes of so many.
    fn len(rows: usize) -> usize;
    /// Writes the values of rows `BLOCK * block..`, one after the other; `None` when they have no place.
    fn put_block(values: impl Fn(usize) -> Self, block: usize, out: &mut [u8]) -> Option<()>;
    /// Writes the value of a row.
    fn put(self, row: usize, out: &mut [u8]);
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn len(rows: usize) -> usize {
                rows * size_of::<$type>()
            }

            #[inline(always)]
            fn put_block(
                values: impl Fn(usize) -> Self,
                block: usize,
                out: &mut [u8],
            ) -> Option<()> {
                let cells = out.as_chunks_mut::<{ size_of::<$type>() }>().0;
                let cells = cells.as_chunks_mut::<BLOCK>().0.get_mut(block)?;
                for i in 0..BLOCK {
                    cells[i] = values(i).to_le_bytes();
                }
                Some(())
            }

            #[inline(always)]
            fn put(self, row: usize, out: &mut [u8]) {
                out.as_chunks_mut::<{ size_of::<$type>() }>().0[row] = self.to_le_bytes();
            }
        }
    )*};
}

numbers!(i32, i64, f32, f64);

impl Value for bool {
    fn len(rows: usize) -> usize {
        bits(rows)
    }

    #[inline(always)]
    fn put_block(values: impl Fn(usize) -> bool, block: usize, out: &mut [u8]) -> Option<()> {
        *out.as_chunks_mut().0.get_mut(block)? = bits_of(values);
        Some(())
    }

    #[inline(always)]
    fn put(self, row: usize, out: &mut [u8]) {
        set(out, row, self);
    }
}

macro_rules! returned {
    ($($type:ty),*) => {$(
        impl Returned for $type {
            type Value = $type;
            const NULLS: bool = false;

            #[inline(always)]
            fn parts(self) -> ($type, bool) {
                (self, true)
            }
        }
    )*};
}

returned!(i32, i64, f32, f64, bool);

impl<T: Value> Returned for Option<T> {
    type Value = T;
    const NULLS: bool = true;

    #[inline(always)]
    fn parts(self) -> (T, bool) {
        (self.unwrap_or_default(), self.is_some())
    }
}

#[inline(always)]
fn bits_of(flags: impl Fn(usize) -> bool) -> [u8; BLOCK / 8] {
    core::array::from_fn(|b| (0..8).fold(0, |byte, i| byte | u8::from(flags(b * 8 + i)) << i))
}

/// Sets a bit in bytes that may hold anything: the first of each byte clears the others.
fn set(out: &mut [u8], row: usize, flag: bool) {
    let before = if row.is_multiple_of(8) { 0 } else { out[row / 8] };
    out[row / 8] = before | u8::from(flag) << (row % 8);
}

/// Writes the results of a block.
#[inline(always)]
fn put<V: Value, R: Returned<Value = V>>(
    result: impl Fn(usize) -> R,
    block: usize,
    valid: &mut [u8],
    data: &mut [u8],
) -> Option<()> {
    if !R::NULLS {
        return V::put_block(|i| result(i).parts().0, block, data);
    }
    let mut results = [(V::default(), false); BLOCK];
    for (i, place) in results.iter_mut().enumerate() {
        *place = result(i).parts();
    }
    V::put_block(|i| results[i].0, block, data)?;
    *valid.as_chunks_mut().0.get_mut(block)? = bits_of(|i| results[i].1);
    Some(())
}

/// Says that the answer takes more room than there is.
fn more(region: &mut [u8], need: usize) -> i32 {
    let head = Output { status: status::NEED_MORE, need: need as u32, rows: 0, columns: 0 };
    head.write(region);
    status::NEED_MORE
}

fn finish(region: &mut [u8], column: Column) -> i32 {
    column.write(region, Output::LEN);
    Output { status: status::OK, need: 0, rows: column.rows, columns: 1 }.write(region);
    status::OK
}

/// `fn_call` of a function that gives a value of fixed size. Rows are computed by blocks, so that little of a
/// loop's own work and of the meter's is done a row.
#[inline(always)]
pub fn values<'a, V: Value, A, F: Fn(usize) -> R, R: Returned<Value = V>>(
    frame: &'a mut [u8],
    data_type: u8,
    readers: impl Fn(Input<'a>) -> A,
    some: impl Fn(&A, usize) -> Option<F>,
    one: impl Fn(&A, usize) -> Option<R>,
) -> i32 {
    let Some(parts) = Parts::of(frame) else { return NO_FRAME };
    let (rows, out_off) = (parts.header.rows as usize, parts.header.out_off);
    let validity = if R::NULLS { bits(rows) } else { 0 };
    let need = HEAD + validity + V::len(rows);
    if need > parts.output.len() {
        return more(parts.output, need);
    }
    let (valid, data) = parts.output[HEAD..need].split_at_mut(validity);
    let readers = readers(parts.input);
    let mut block = 0;
    while block < rows / BLOCK {
        let Some(result) = some(&readers, block) else { return NO_FRAME };
        if put(result, block, valid, data).is_none() {
            return NO_FRAME;
        }
        // An index that the optimiser sees through becomes 32-bit sums that may wrap, three a row; hidden, each
        // column has one address a block and the rows are constant offsets from it.
        block = core::hint::black_box(block) + 1;
    }
    for row in rows / BLOCK * BLOCK..rows {
        let Some(result) = one(&readers, row) else { return NO_FRAME };
        let (value, is) = result.parts();
        value.put(row, data);
        if R::NULLS {
            set(valid, row, is);
        }
    }
    let at = out_off + HEAD as u32;
    finish(
        parts.output,
        Column {
            data_type,
            flags: 0,
            validity_off: if R::NULLS { at } else { 0 },
            data_off: at + validity as u32,
            data_len: V::len(rows) as u32,
            offsets_off: 0,
            rows: rows as u32,
        },
    )
}

/// Where a function writes a STRING or BYTES result. What is beyond the room is only counted.
pub struct Text<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Text<'_> {
    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(place) = self.room.get_mut(self.len..).and_then(|r| r.get_mut(..bytes.len())) {
            place.copy_from_slice(bytes);
        }
        self.len += bytes.len();
    }

    /// Appends a text.
    pub fn push_str(&mut self, text: &str) {
        self.push(text.as_bytes());
    }
}

impl core::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

/// `fn_call` of a function that writes texts or bytes.
pub fn text<'a, A>(
    frame: &'a mut [u8],
    data_type: u8,
    readers: impl Fn(Input<'a>) -> A,
    write: impl Fn(&A, usize, &mut Text<'_>) -> Option<()>,
) -> i32 {
    let Some(parts) = Parts::of(frame) else { return NO_FRAME };
    let (rows, out_off) = (parts.header.rows as usize, parts.header.out_off);
    let (validity, offsets) = (bits(rows), ((rows + 1) * 4).next_multiple_of(8));
    let fixed = HEAD + validity + offsets;
    if fixed > parts.output.len() {
        return more(parts.output, fixed + rows * 16);
    }
    let (head, room) = parts.output.split_at_mut(fixed);
    let (valid, ends) = head[HEAD..].split_at_mut(validity);
    let ends = ends.as_chunks_mut::<4>().0;
    let readers = readers(parts.input);
    let mut out = Text { room, len: 0 };
    ends[0] = [0; 4];
    for row in 0..rows {
        let start = out.len;
        let is = write(&readers, row, &mut out).is_some();
        if !is {
            out.len = start;
        }
        set(valid, row, is);
        ends[row + 1] = (out.len as u32).to_le_bytes();
    }
    let (len, need) = (out.len, fixed + out.len);
    if need > parts.output.len() {
        return more(parts.output, need);
    }
    let at = out_off + HEAD as u32;
    finish(
        parts.output,
        Column {
            data_type,
            flags: 0,
            validity_off: at,
            data_off: out_off + fixed as u32,
            data_len: len as u32,
            offsets_off: at + validity as u32,
            rows: rows as u32,
        },
    )
}
