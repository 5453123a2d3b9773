//! Writing frames: Arrow columns, or a selection of their rows, laid out as the ABI says.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::ToByteSlice;
use highwater_abi::{Column, Header, Output, types};

use super::Instance;
use super::manifest::type_code;
use super::slots::gather;
use crate::schema::DataType;
use crate::value::Value;

/// The largest frame, in bytes. More rows than fit travel in several frames.
pub(super) const MAX_FRAME: usize = 64 << 20;

/// Bytes of a cache line on the machines at hand.
const CACHE_LINE: usize = 64;
/// Processors of today take a load for one that waits for a store when their addresses differ by a multiple of
/// this many bytes.
const ALIAS: usize = 4096;

/// A frame as it is copied into the guest: pieces at rising places, the output region not among them.
pub(super) struct Frame<'a> {
    /// Its head, as it stands in the first piece.
    pub header: Header,
    own: Vec<u8>,
    pieces: Vec<Piece<'a>>,
}

/// Bytes of a frame and where they go.
struct Piece<'a> {
    at: usize,
    from: Source<'a>,
}

enum Source<'a> {
    /// A range of the frame's own bytes.
    Own(Range<usize>),
    /// Values as they lie in Arrow's memory.
    Lent(&'a [u8]),
}

impl Frame<'_> {
    /// The same frame with room for `cap` bytes of answer.
    pub fn with_room(mut self, cap: usize) -> Self {
        self.header.out_cap = cap.next_multiple_of(8) as u32;
        self.header.total_len = self.header.out_off + self.header.out_cap;
        self.header.write(&mut self.own);
        self
    }

    /// Bytes it takes in the guest, the output region included.
    pub fn len(&self) -> usize {
        self.header.total_len as usize
    }

    /// The bytes it was written to, for the next frame.
    pub fn into_own(self) -> Vec<u8> {
        self.own
    }

    /// Copies it to an address; of the output region the first `zeroed` bytes are cleared. `false` when the
    /// guest's memory ends before.
    pub fn put(&self, guest: &mut dyn Instance, address: u32, zeroed: usize) -> bool {
        let place = |at: usize| address.checked_add(at as u32);
        let written = self.pieces.iter().all(|piece| {
            let bytes = match &piece.from {
                Source::Own(range) => &self.own[range.clone()],
                Source::Lent(bytes) => bytes,
            };
            place(piece.at).is_some_and(|address| guest.write(address, bytes))
        });
        let zeroed = zeroed.min(self.header.out_cap as usize);
        let out = self.header.out_off as usize;
        written && place(out).is_some_and(|address| guest.clear(address, zeroed))
    }

    /// All of it, the output region as zeros.
    #[cfg(test)]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len()];
        for piece in &self.pieces {
            let from = match &piece.from {
                Source::Own(range) => &self.own[range.clone()],
                Source::Lent(bytes) => bytes,
            };
            bytes[piece.at..piece.at + from.len()].copy_from_slice(from);
        }
        bytes
    }
}

/// Some rows of columns.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows<'a> {
    /// So many that follow one another, from the first.
    Run(usize, usize),
    /// These.
    List(&'a [u32]),
}

impl<'a> Rows<'a> {
    /// Those at the given positions.
    pub fn of(rows: &'a [u32]) -> Rows<'a> {
        match rows.first() {
            None => Rows::Run(0, 0),
            Some(&first) if rows.iter().zip(first..).all(|(row, next)| *row == next) => {
                Rows::Run(first as usize, rows.len())
            }
            Some(_) => Rows::List(rows),
        }
    }

    /// How many.
    pub fn len(self) -> usize {
        match self {
            Rows::Run(_, rows) => rows,
            Rows::List(rows) => rows.len(),
        }
    }

    fn at(self, i: usize) -> usize {
        match self {
            Rows::Run(first, _) => first + i,
            Rows::List(rows) => rows[i] as usize,
        }
    }
}

/// A frame being written. The number of columns is fixed at the start, as the descriptors come first.
pub(super) struct FrameWriter<'a> {
    own: Vec<u8>,
    pieces: Vec<Piece<'a>>,
    /// Where the next piece goes.
    end: usize,
    header: Header,
    written: u16,
}

impl<'a> FrameWriter<'a> {
    /// A frame of so many columns about so many rows.
    pub fn new(columns: u16, rows: u32) -> FrameWriter<'a> {
        FrameWriter::reusing(Vec::new(), columns, rows)
    }

    /// The same, written to bytes that another frame was written to.
    pub fn reusing(mut own: Vec<u8>, columns: u16, rows: u32) -> FrameWriter<'a> {
        let end = Header::LEN + usize::from(columns) * Column::LEN;
        own.clear();
        own.resize(end, 0);
        FrameWriter {
            own,
            pieces: vec![Piece { at: 0, from: Source::Own(0..end) }],
            end,
            header: Header { rows, columns, ..Header::default() },
            written: 0,
        }
    }

    /// Appends `len` bytes of the frame's own and answers where they begin in `own`.
    fn room(&mut self, len: usize) -> usize {
        let start = self.own.len();
        self.own.resize(start + len, 0);
        self.appended(start);
        start
    }

    /// Makes a piece of what `own` has from `start` on.
    fn appended(&mut self, start: usize) {
        let end = self.own.len();
        match self.pieces.last_mut() {
            Some(Piece { from: Source::Own(range), .. }) if range.end == start => range.end = end,
            _ => self.pieces.push(Piece { at: self.end, from: Source::Own(start..end) }),
        }
        self.end += end - start;
    }

    fn align(&mut self) -> u32 {
        self.align_to(8)
    }

    fn align_to(&mut self, size: usize) -> u32 {
        let missing = self.end.next_multiple_of(size) - self.end;
        if missing > 0 {
            self.room(missing);
        }
        self.end as u32
    }

    fn describe(&mut self, column: Column) {
        let at = Header::LEN + usize::from(self.written) * Column::LEN;
        let head = Header::LEN + usize::from(self.header.columns) * Column::LEN;
        column.write(&mut self.own[..head], at);
        self.written += 1;
    }

    fn describe_fixed(&mut self, data_type: u8, validity_off: u32, data_off: u32, rows: usize) {
        let data_len = self.end as u32 - data_off;
        let rows = rows as u32;
        self.describe(Column {
            data_type,
            flags: 0,
            validity_off,
            data_off,
            data_len,
            offsets_off: 0,
            rows,
        });
    }

    fn fixed<const N: usize>(
        &mut self,
        data_type: u8,
        validity_off: u32,
        values: impl ExactSizeIterator<Item = [u8; N]>,
    ) {
        let data_off = self.align();
        let rows = values.len();
        let start = self.room(rows * N);
        let (cells, _) = self.own[start..].as_chunks_mut::<N>();
        cells.iter_mut().zip(values).for_each(|(cell, value)| *cell = value);
        self.describe_fixed(data_type, validity_off, data_off, rows);
    }

    /// A column whose values are copied as they lie.
    fn lent(&mut self, data_type: u8, rows: usize, values: &'a [u8]) {
        // Long copies between cache lines' beginnings are the quickest.
        let data_off = self.align_to(CACHE_LINE);
        let (at, len) = (self.end, values.len());
        self.pieces.push(Piece { at, from: Source::Lent(values) });
        self.end += len;
        self.describe_fixed(data_type, 0, data_off, rows);
    }

    fn bitmap(&mut self, rows: usize, bit: impl Fn(usize) -> bool) -> u32 {
        let at = self.align();
        let start = self.room(rows.div_ceil(8));
        for i in (0..rows).filter(|i| bit(*i)) {
            self.own[start + i / 8] |= 1 << (i % 8);
        }
        at
    }

    /// A column of event times: those of the selected rows.
    pub fn times(&mut self, values: &'a [i64], rows: Rows<'_>) {
        match rows {
            Rows::Run(first, rows) => {
                let values = values[first..first + rows].to_byte_slice();
                self.lent(types::TIMESTAMP, rows, values);
            }
            Rows::List(rows) => {
                let values = rows.iter().map(|r| values[*r as usize].to_le_bytes());
                self.fixed(types::TIMESTAMP, 0, values);
            }
        }
    }

    /// A column of timestamps.
    pub fn timestamps(&mut self, values: impl ExactSizeIterator<Item = i64>) {
        self.fixed(types::TIMESTAMP, 0, values.map(i64::to_le_bytes));
    }

    /// A column of positions.
    pub fn positions(&mut self, values: &'a [u32]) {
        self.lent(types::INT, values.len(), values.to_byte_slice());
    }

    /// The selected rows of an array. NaN is made the one NaN.
    ///
    /// # Panics
    /// When the array does not hold the type: the planner has cast it.
    pub fn array(&mut self, data_type: DataType, array: &'a ArrayRef, rows: Rows<'_>) {
        let code = type_code(data_type).expect("the manifest admits only types of the ABI");
        let n = rows.len();
        let validity_off = match array.null_count() {
            0 => 0,
            _ => self.bitmap(n, |i| array.is_valid(rows.at(i))),
        };
        // A NULL's value is undefined in Arrow; zero keeps frames a function of the data alone. A run without
        // NULL and NaN is copied from where it lies.
        macro_rules! numbers {
            ($arrow:ty, $odd:expr, $map:expr) => {{
                let array = array.as_primitive::<$arrow>();
                let (odd, map) = ($odd, $map);
                match rows {
                    Rows::Run(first, len) if array.null_count() == 0 => {
                        let values = &array.values()[first..first + len];
                        if !values.iter().any(|v| odd(*v)) {
                            return self.lent(code, n, values.to_byte_slice());
                        }
                        self.fixed(code, 0, values.iter().map(|v| map(*v).to_le_bytes()))
                    }
                    Rows::List(list) if array.null_count() == 0 => {
                        let values = array.values();
                        let values = list.iter().map(|i| map(values[*i as usize]).to_le_bytes());
                        self.fixed(code, 0, values)
                    }
                    _ => {
                        let value = |i| match array.is_null(i) {
                            true => Default::default(),
                            false => array.value(i),
                        };
                        let values = (0..n).map(|i| map(value(rows.at(i))).to_le_bytes());
                        self.fixed(code, validity_off, values)
                    }
                }
            }};
        }
        match data_type {
            DataType::Int => numbers!(Int32Type, |_| false, |v: i32| v),
            DataType::Date => numbers!(Date32Type, |_| false, |v: i32| v),
            DataType::BigInt => numbers!(Int64Type, |_| false, |v: i64| v),
            DataType::Timestamp | DataType::TimestampLtz => {
                numbers!(TimestampMillisecondType, |_| false, |v: i64| v)
            }
            DataType::Float => numbers!(Float32Type, f32::is_nan, one_nan_f32),
            DataType::Double => numbers!(Float64Type, f64::is_nan, one_nan_f64),
            DataType::Boolean => {
                let array = array.as_boolean();
                let data_off = self.bitmap(n, |i| {
                    let at = rows.at(i);
                    array.is_valid(at) && array.value(at)
                });
                self.describe_fixed(code, validity_off, data_off, n);
            }
            DataType::String => {
                let array = array.as_string::<i32>();
                self.variable(code, validity_off, n, |i| match array.is_null(rows.at(i)) {
                    true => &[],
                    false => array.value(rows.at(i)).as_bytes(),
                });
            }
            DataType::Bytes => {
                let array = array.as_binary::<i32>();
                self.variable(code, validity_off, n, |i| match array.is_null(rows.at(i)) {
                    true => &[],
                    false => array.value(rows.at(i)),
                });
            }
            DataType::Null | DataType::Decimal(..) => unreachable!("no type of the ABI"),
        }
    }

    fn variable<'b>(
        &mut self,
        data_type: u8,
        validity_off: u32,
        rows: usize,
        value: impl Fn(usize) -> &'b [u8],
    ) {
        let offsets_off = self.align();
        let offsets = self.room((rows + 1) * 4);
        let data_off = self.align();
        let start = self.own.len();
        for i in 0..rows {
            // Beyond the largest frame nothing more is written: `finish` refuses it anyway.
            if self.own.len() <= MAX_FRAME {
                self.own.extend_from_slice(value(i));
            }
            let end = (self.own.len() - start) as u32;
            self.own[offsets + (i + 1) * 4..][..4].copy_from_slice(&end.to_le_bytes());
        }
        self.appended(start);
        let data_len = self.end as u32 - data_off;
        self.describe(Column {
            data_type,
            flags: 0,
            validity_off,
            data_off,
            data_len,
            offsets_off,
            rows: rows as u32,
        });
    }

    /// A column of one row: a parameter. NULL is allowed.
    pub fn value(&mut self, data_type: DataType, value: &Value) {
        let code = type_code(data_type).expect("the manifest admits only types of the ABI");
        let validity_off = if value.is_null() { self.bitmap(1, |_| false) } else { 0 };
        match *value {
            Value::Boolean(v) => self.fixed(code, 0, [[u8::from(v)]].into_iter()),
            Value::Int(v) | Value::Date(v) => self.fixed(code, 0, [v.to_le_bytes()].into_iter()),
            Value::BigInt(v) | Value::Timestamp(v) | Value::TimestampLtz(v) => {
                self.fixed(code, 0, [v.to_le_bytes()].into_iter());
            }
            Value::Float(v) => self.fixed(code, 0, [one_nan_f32(v).to_le_bytes()].into_iter()),
            Value::Double(v) => self.fixed(code, 0, [one_nan_f64(v).to_le_bytes()].into_iter()),
            Value::Null => self.fixed(code, validity_off, [[0u8; 8]].into_iter()),
            Value::String(_) | Value::Bytes(_) | Value::Decimal(..) => {
                unreachable!("parameters have types of fixed size")
            }
        }
    }

    /// The accumulators of some slots of a slab, in this order.
    pub fn state_of(&mut self, used: &[u32], slab: &[u8], stride: u32) {
        self.header.state_off = self.align();
        self.header.state_stride = stride;
        self.header.slots = used.len() as u32;
        let start = self.own.len();
        gather(used, slab, stride, &mut self.own);
        self.appended(start);
    }

    /// The accumulators.
    pub fn state(&mut self, slab: &'a [u8], stride: u32, slots: u32) {
        self.header.state_off = self.align();
        self.header.state_stride = stride;
        self.header.slots = slots;
        self.pieces.push(Piece { at: self.end, from: Source::Lent(slab) });
        self.end += slab.len();
    }

    /// The finished frame with room for `cap` bytes of answer; `None` when it is too large.
    pub fn finish(mut self, cap: usize) -> Option<Frame<'a>> {
        assert_eq!(self.written, self.header.columns, "all columns written");
        let large = self.end >= 4 * ALIAS;
        self.header.out_off = self.align_to(if large { ALIAS } else { CACHE_LINE });
        if large {
            // Long columns begin near one another's multiples: what a guest writes stays half way between.
            self.room(ALIAS / 2);
            self.header.out_off = self.end as u32;
        }
        if self.end + cap > MAX_FRAME {
            return None;
        }
        let FrameWriter { own, pieces, header, .. } = self;
        Some(Frame { header, own, pieces }.with_room(cap.max(Output::LEN)))
    }
}

/// Every NaN as the one NaN: its bits differ between processors.
pub(super) fn one_nan_f64(v: f64) -> f64 {
    if v.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { v }
}

/// Every NaN as the one NaN: its bits differ between processors.
pub(super) fn one_nan_f32(v: f32) -> f32 {
    if v.is_nan() { f32::from_bits(0x7fc0_0000) } else { v }
}
