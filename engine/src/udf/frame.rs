//! Writing frames: Arrow columns, or a selection of their rows, laid out as the ABI says.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef};
use highwater_abi::{Column, Header, Output, types};

use super::manifest::type_code;
use crate::schema::DataType;
use crate::value::Value;

/// The largest frame, in bytes. More rows than fit travel in several frames.
pub(super) const MAX_FRAME: usize = 64 << 20;

/// A frame as it is copied into the guest.
pub(super) struct Frame {
    /// All of it, the output region as zeros.
    pub bytes: Vec<u8>,
    /// Its head, as it stands in `bytes`.
    pub header: Header,
}

impl Frame {
    /// The same frame with room for `cap` bytes of answer.
    pub fn with_room(mut self, cap: usize) -> Frame {
        let cap = cap.next_multiple_of(8);
        self.bytes.resize(self.header.out_off as usize + cap, 0);
        self.header.out_cap = cap as u32;
        self.header.total_len = self.bytes.len() as u32;
        self.header.write(&mut self.bytes);
        self
    }
}

/// A frame being written. The number of columns is fixed at the start, as the descriptors come first.
pub(super) struct FrameWriter {
    bytes: Vec<u8>,
    header: Header,
    written: u16,
}

impl FrameWriter {
    /// A frame of so many columns about so many rows.
    pub fn new(columns: u16, rows: u32) -> FrameWriter {
        let bytes = vec![0; Header::LEN + usize::from(columns) * Column::LEN];
        FrameWriter { bytes, header: Header { rows, columns, ..Header::default() }, written: 0 }
    }

    fn align(&mut self) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self.bytes.len() as u32
    }

    fn describe(&mut self, column: Column) {
        let at = Header::LEN + usize::from(self.written) * Column::LEN;
        column.write(
            &mut self.bytes[..Header::LEN + usize::from(self.header.columns) * Column::LEN],
            at,
        );
        self.written += 1;
    }

    fn fixed<const N: usize>(
        &mut self,
        data_type: u8,
        validity_off: u32,
        rows: usize,
        values: impl Iterator<Item = [u8; N]>,
    ) {
        let data_off = self.align();
        self.bytes.reserve(rows * N);
        values.for_each(|v| self.bytes.extend_from_slice(&v));
        let data_len = self.bytes.len() as u32 - data_off;
        self.describe(Column {
            data_type,
            flags: 0,
            validity_off,
            data_off,
            data_len,
            offsets_off: 0,
            rows: rows as u32,
        });
    }

    fn bitmap(&mut self, rows: usize, bit: impl Fn(usize) -> bool) -> u32 {
        let at = self.align();
        self.bytes.resize(at as usize + rows.div_ceil(8), 0);
        for i in (0..rows).filter(|i| bit(*i)) {
            self.bytes[at as usize + i / 8] |= 1 << (i % 8);
        }
        at
    }

    /// A column of event times: those of the selected rows.
    pub fn times(&mut self, values: &[i64], rows: &[u32]) {
        let values = rows.iter().map(|r| values[*r as usize].to_le_bytes());
        self.fixed(types::TIMESTAMP, 0, rows.len(), values);
    }

    /// A column of timestamps.
    pub fn timestamps(&mut self, values: impl ExactSizeIterator<Item = i64>) {
        self.fixed(types::TIMESTAMP, 0, values.len(), values.map(i64::to_le_bytes));
    }

    /// A column of positions.
    pub fn positions(&mut self, values: &[u32]) {
        self.fixed(types::INT, 0, values.len(), values.iter().map(|v| v.to_le_bytes()));
    }

    /// The selected rows of an array. NaN is made the one NaN.
    ///
    /// # Panics
    /// When the array does not hold the type: the planner has cast it.
    pub fn array(&mut self, data_type: DataType, array: &ArrayRef, rows: &[u32]) {
        let code = type_code(data_type).expect("the manifest admits only types of the ABI");
        let n = rows.len();
        let at = |i: usize| rows[i] as usize;
        let validity_off = match array.null_count() {
            0 => 0,
            _ => self.bitmap(n, |i| array.is_valid(at(i))),
        };
        // A NULL's value is undefined in Arrow; zero keeps frames a function of the data alone.
        macro_rules! numbers {
            ($arrow:ty, $map:expr) => {{
                let array = array.as_primitive::<$arrow>();
                let map = $map;
                let value = |i| if array.is_null(i) { Default::default() } else { array.value(i) };
                let values = (0..n).map(|i| map(value(at(i))).to_le_bytes());
                self.fixed(code, validity_off, n, values)
            }};
        }
        match data_type {
            DataType::Int => numbers!(Int32Type, |v: i32| v),
            DataType::Date => numbers!(Date32Type, |v: i32| v),
            DataType::BigInt => numbers!(Int64Type, |v: i64| v),
            DataType::Timestamp | DataType::TimestampLtz => {
                numbers!(TimestampMillisecondType, |v: i64| v)
            }
            DataType::Float => numbers!(Float32Type, one_nan_f32),
            DataType::Double => numbers!(Float64Type, one_nan_f64),
            DataType::Boolean => {
                let array = array.as_boolean();
                let data_off = self.bitmap(n, |i| array.is_valid(at(i)) && array.value(at(i)));
                self.describe(Column {
                    data_type: code,
                    flags: 0,
                    validity_off,
                    data_off,
                    data_len: n.div_ceil(8) as u32,
                    offsets_off: 0,
                    rows: n as u32,
                });
            }
            DataType::String => {
                let array = array.as_string::<i32>();
                self.variable(code, validity_off, n, |i| match array.is_null(at(i)) {
                    true => &[],
                    false => array.value(at(i)).as_bytes(),
                });
            }
            DataType::Bytes => {
                let array = array.as_binary::<i32>();
                self.variable(code, validity_off, n, |i| match array.is_null(at(i)) {
                    true => &[],
                    false => array.value(at(i)),
                });
            }
            DataType::Null | DataType::Decimal(..) => unreachable!("no type of the ABI"),
        }
    }

    fn variable<'a>(
        &mut self,
        data_type: u8,
        validity_off: u32,
        rows: usize,
        value: impl Fn(usize) -> &'a [u8],
    ) {
        let offsets_off = self.align();
        self.bytes.resize(offsets_off as usize + (rows + 1) * 4, 0);
        let data_off = self.align();
        for i in 0..rows {
            // Beyond the largest frame nothing more is written: `finish` refuses it anyway.
            if self.bytes.len() <= MAX_FRAME {
                self.bytes.extend_from_slice(value(i));
            }
            let end = self.bytes.len() as u32 - data_off;
            let at = offsets_off as usize + (i + 1) * 4;
            self.bytes[at..at + 4].copy_from_slice(&end.to_le_bytes());
        }
        let data_len = self.bytes.len() as u32 - data_off;
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
            Value::Boolean(v) => self.fixed(code, 0, 1, [[u8::from(v)]].into_iter()),
            Value::Int(v) | Value::Date(v) => self.fixed(code, 0, 1, [v.to_le_bytes()].into_iter()),
            Value::BigInt(v) | Value::Timestamp(v) | Value::TimestampLtz(v) => {
                self.fixed(code, 0, 1, [v.to_le_bytes()].into_iter());
            }
            Value::Float(v) => self.fixed(code, 0, 1, [one_nan_f32(v).to_le_bytes()].into_iter()),
            Value::Double(v) => self.fixed(code, 0, 1, [one_nan_f64(v).to_le_bytes()].into_iter()),
            Value::Null => self.fixed(code, validity_off, 1, [[0u8; 8]].into_iter()),
            Value::String(_) | Value::Bytes(_) | Value::Decimal(..) => {
                unreachable!("parameters have types of fixed size")
            }
        }
    }

    /// The accumulators.
    pub fn state(&mut self, slab: &[u8], stride: u32, slots: u32) {
        self.header.state_off = self.align();
        self.header.state_stride = stride;
        self.header.slots = slots;
        self.bytes.extend_from_slice(slab);
    }

    /// The finished frame with room for `cap` bytes of answer; `None` when it is too large.
    pub fn finish(mut self, cap: usize) -> Option<Frame> {
        assert_eq!(self.written, self.header.columns, "all columns written");
        self.header.out_off = self.align();
        if self.bytes.len() + cap > MAX_FRAME {
            return None;
        }
        Some(Frame { bytes: self.bytes, header: self.header }.with_room(cap.max(Output::LEN)))
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
