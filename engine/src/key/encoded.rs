//! Keys of rows, encoded a column at a time into one piece of memory.

use arrow_array::cast::AsArray;
use arrow_array::types::{ByteArrayType, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, GenericByteArray};
use highwater_kernels::copy_short;

use super::encode::encode_value;
use crate::batch::Batch;
use crate::column::value_at;
use crate::schema::DataType;
use crate::value::Value;

/// Keys of rows, or whole rows, as bytes that sort as they do, side by side in one piece of memory.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Rows of a key column whose values are written as they lie there.
enum Plain<'a> {
    Int(&'a [i32]),
    Long(&'a [i64]),
    /// Bytes, none of them 0, and where each value's begin and end.
    Bytes(&'a [u8], &'a [i32]),
}

impl Encoded {
    /// Encodes rows `from..to` of key columns: as [`super::encode`] does their values.
    pub(super) fn fill(&mut self, columns: &[(&ArrayRef, DataType)], from: usize, to: usize) {
        self.ends.clear();
        let plain: Option<Vec<Plain<'_>>> =
            columns.iter().map(|&(array, t)| Plain::new(array, t, (from, to))).collect();
        let Some(plain) = plain else { return self.fill_by_value(columns, from, to) };
        // First how long each key is, then where it begins, which moves on to where it ends.
        self.ends.resize(to - from, 0);
        plain.iter().for_each(|column| column.measure(&mut self.ends));
        let mut total = 0;
        for end in &mut self.ends {
            total += std::mem::replace(end, total);
        }
        self.bytes.resize(total, 0);
        plain.iter().for_each(|column| column.write(&mut self.bytes, &mut self.ends));
    }

    fn fill_by_value(&mut self, columns: &[(&ArrayRef, DataType)], from: usize, to: usize) {
        self.bytes.clear();
        for row in from..to {
            for &(array, data_type) in columns {
                let null = array.is_null(row);
                let value = if null { Value::Null } else { value_at(array, data_type, row) };
                encode_value(&value, &mut self.bytes);
            }
            self.ends.push(self.bytes.len());
        }
    }

    /// All columns of a batch's rows.
    pub fn rows(batch: &Batch) -> Encoded {
        let types = batch.schema.fields.iter().map(|f| f.data_type);
        let columns: Vec<(&ArrayRef, DataType)> = batch.columns.iter().zip(types).collect();
        let mut encoded = Encoded::default();
        encoded.fill(&columns, 0, batch.rows);
        encoded
    }

    /// Some columns, each `rows` long.
    pub(crate) fn columns(columns: &[(&ArrayRef, DataType)], rows: usize) -> Encoded {
        let mut encoded = Encoded::default();
        encoded.fill(columns, 0, rows);
        encoded
    }

    /// The bytes of row `i` of those encoded.
    pub fn get(&self, i: usize) -> &[u8] {
        let from = i.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[from..self.ends[i]]
    }

    /// Key after key.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(from, &to)| &self.bytes[from..to])
    }
}

impl<'a> Plain<'a> {
    /// Rows `from..to` of a column, if their values can be written as they lie there.
    fn new(
        array: &'a ArrayRef,
        data_type: DataType,
        (from, to): (usize, usize),
    ) -> Option<Plain<'a>> {
        if array.null_count() > 0 {
            return None;
        }
        match data_type {
            DataType::Int => {
                Some(Plain::Int(&array.as_primitive::<Int32Type>().values()[from..to]))
            }
            DataType::BigInt => {
                Some(Plain::Long(&array.as_primitive::<Int64Type>().values()[from..to]))
            }
            DataType::Timestamp | DataType::TimestampLtz => {
                let values = array.as_primitive::<TimestampMillisecondType>().values();
                Some(Plain::Long(&values[from..to]))
            }
            DataType::String => Plain::bytes(array.as_string::<i32>(), (from, to)),
            DataType::Bytes => Plain::bytes(array.as_binary::<i32>(), (from, to)),
            _ => None,
        }
    }

    fn bytes<T: ByteArrayType<Offset = i32>>(
        array: &'a GenericByteArray<T>,
        (from, to): (usize, usize),
    ) -> Option<Plain<'a>> {
        let offsets = &array.value_offsets()[from..=to];
        let (first, last) = (offsets[0] as usize, offsets[to - from] as usize);
        let plain = !array.value_data()[first..last].contains(&0);
        plain.then_some(Plain::Bytes(array.value_data(), offsets))
    }

    /// Adds how many bytes each value takes.
    fn measure(&self, lengths: &mut [usize]) {
        match self {
            Plain::Int(_) => lengths.iter_mut().for_each(|length| *length += 5),
            Plain::Long(_) => lengths.iter_mut().for_each(|length| *length += 9),
            Plain::Bytes(_, offsets) => {
                let bounds = offsets.iter().zip(&offsets[1..]);
                for (length, (from, to)) in lengths.iter_mut().zip(bounds) {
                    *length += (to - from) as usize + 3;
                }
            }
        }
    }

    /// Writes each value where its key has got to, and moves that on.
    fn write(&self, bytes: &mut [u8], places: &mut [usize]) {
        match self {
            Plain::Int(values) => {
                for (place, &value) in places.iter_mut().zip(*values) {
                    let five = &mut bytes[*place..][..5];
                    five[0] = 1;
                    five[1..].copy_from_slice(&(value as u32 ^ (1 << 31)).to_be_bytes());
                    *place += 5;
                }
            }
            Plain::Long(values) => {
                for (place, &value) in places.iter_mut().zip(*values) {
                    let nine = &mut bytes[*place..][..9];
                    nine[0] = 1;
                    nine[1..].copy_from_slice(&(value as u64 ^ (1 << 63)).to_be_bytes());
                    *place += 9;
                }
            }
            Plain::Bytes(all, offsets) => {
                let bounds = offsets.iter().zip(&offsets[1..]);
                for (place, (&from, &to)) in places.iter_mut().zip(bounds) {
                    let value = &all[from as usize..to as usize];
                    let own = &mut bytes[*place..][..value.len() + 3];
                    own[0] = 1;
                    copy_short(&mut own[1..=value.len()], value);
                    own[value.len() + 1..].fill(0);
                    *place += own.len();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::from_values;
    use crate::key::encode;

    /// Texts of all lengths, some with a byte 0, some NULL, beside numbers: a column at a time as by value.
    #[test]
    fn columns_are_encoded_as_their_values_are() {
        let text = |i: usize| match i {
            0..40 => Value::String("äbcdefg".chars().cycle().take(i).collect::<String>().into()),
            _ => Value::String(format!("k{i}").into()),
        };
        let plain: Vec<Value> = (0..90).map(|i| text(i % 60)).collect();
        let zeros: Vec<Value> =
            (0..90).map(|i| if i == 44 { Value::String("a\0b".into()) } else { text(i) }).collect();
        let gaps: Vec<Value> =
            (0..90).map(|i| if i % 7 == 3 { Value::Null } else { text(i) }).collect();
        let longs: Vec<Value> = (0..90).map(|i| Value::BigInt((i - 45) << 40)).collect();
        let ints: Vec<Value> = (0..90).map(|i| Value::Int(45 - i)).collect();
        let times: Vec<Value> = (0..90).map(|i| Value::Timestamp(i * 999)).collect();
        let bytes: Vec<Value> =
            (0..90_u8).map(|i| Value::Bytes([i + 1; 5].as_slice().into())).collect();
        let flags: Vec<Value> = (0..90).map(|i| Value::Boolean(i % 3 == 0)).collect();
        let made = |values: &[Value], t| (from_values(values, t), t);
        let texts = DataType::String;
        for set in [
            vec![(&plain, texts), (&longs, DataType::BigInt), (&ints, DataType::Int)],
            vec![(&zeros, texts), (&times, DataType::Timestamp)],
            vec![(&gaps, texts), (&ints, DataType::Int)],
            vec![(&bytes, DataType::Bytes), (&flags, DataType::Boolean)],
            vec![(&ints, DataType::Int), (&plain, texts), (&bytes, DataType::Bytes)],
        ] {
            let arrays: Vec<(ArrayRef, DataType)> = set.iter().map(|(v, t)| made(v, *t)).collect();
            let columns: Vec<(&ArrayRef, DataType)> = arrays.iter().map(|(a, t)| (a, *t)).collect();
            let mut encoded = Encoded::default();
            for (from, to) in [(0, 90), (17, 64), (43, 45), (5, 5)] {
                encoded.fill(&columns, from, to);
                let expected: Vec<Vec<u8>> = (from..to)
                    .map(|row| encode(&set.iter().map(|(v, _)| v[row].clone()).collect::<Vec<_>>()))
                    .collect();
                assert_eq!(encoded.iter().collect::<Vec<_>>(), expected, "{from}..{to}");
            }
        }
    }
}
