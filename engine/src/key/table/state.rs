//! Keys as bytes in a snapshot: integers as a column, everything else as order-preserving bytes.

use super::{KeyTable, Store};
use crate::error::Result;
use crate::key::encode::{encode, integer, measure};
use crate::schema::DataType;
use crate::snapshot::bytes::{Reader, put, put_signed};
use highwater_kernels::{IntIndex, NONE};

/// Integers, eight bytes each.
const INTEGERS: u64 = 0;
/// Encoded keys, one after the other: none is another's prefix.
const ENCODED: u64 = 1;

impl KeyTable {
    /// Appends the keys of these numbers. The bytes depend on the keys alone, not on how the table holds
    /// them.
    pub fn save(&self, ids: &[u32], out: &mut Vec<u8>) {
        match &self.store {
            Store::Ints(_, keys) => {
                put(out, INTEGERS);
                out.reserve(ids.len() * 8);
                ids.iter().for_each(|&id| put_signed(out, keys[id as usize]));
            }
            Store::Bytes(bytes) => {
                // A NULL makes a table of integers one of bytes; without it they are integers again.
                let ints = ids.iter().map(|&id| integer(bytes.get(id), &self.types));
                if self.of_integers()
                    && let Some(ints) = ints.collect::<Option<Vec<i64>>>()
                {
                    put(out, INTEGERS);
                    ints.into_iter().for_each(|key| put_signed(out, key));
                    return;
                }
                put(out, ENCODED);
                let length: usize = ids.iter().map(|&id| bytes.get(id).len()).sum();
                put(out, length as u64);
                out.reserve(length);
                ids.iter().for_each(|&id| out.extend_from_slice(bytes.get(id)));
            }
        }
    }

    /// Takes back `count` keys that [`KeyTable::save`] wrote: their numbers. `None` when they are of other
    /// types.
    ///
    /// # Errors
    /// `snapshot.corrupt` when there are too few bytes.
    pub fn load(&mut self, count: usize, reader: &mut Reader<'_>) -> Result<Option<Vec<u32>>> {
        match reader.number()? {
            INTEGERS if self.of_integers() => self.load_integers(count, reader),
            ENCODED => {
                let mut bytes = reader.bytes()?;
                let mut ids = Vec::with_capacity(count.min(bytes.len() + 1));
                for _ in 0..count {
                    let Some(length) = measure(bytes, &self.types) else { return Ok(None) };
                    let (key, rest) = bytes.split_at(length);
                    self.widen();
                    ids.push(self.bytes_id(key));
                    bytes = rest;
                }
                Ok(Some(ids).filter(|_| bytes.is_empty()))
            }
            _ => Ok(None),
        }
    }

    fn load_integers(&mut self, count: usize, reader: &mut Reader<'_>) -> Result<Option<Vec<u32>>> {
        let keys: Vec<i64> = reader.numbers(count)?.map(|key| key as i64).collect();
        let narrow = self.types == [DataType::Int];
        if narrow && keys.iter().any(|&key| i32::try_from(key).is_err()) {
            return Ok(None);
        }
        let mut ids = Vec::with_capacity(count);
        if let Store::Ints(index, known) = &mut self.store {
            if known.is_empty() {
                *index = IntIndex::new();
            }
            index.find_wide(&keys, &mut ids);
            for (id, &key) in ids.iter_mut().zip(&keys).filter(|(id, _)| **id == NONE) {
                *id = self.int_id(key);
            }
            return Ok(Some(ids));
        }
        let value = |key: i64| super::int_value(key, self.types[0]);
        let encoded: Vec<Vec<u8>> = keys.iter().map(|&key| encode(&[value(key)])).collect();
        ids.extend(encoded.iter().map(|key| self.bytes_id(key)));
        Ok(Some(ids))
    }

    /// Whether the keys are single integers.
    fn of_integers(&self) -> bool {
        matches!(
            self.types.as_slice(),
            [DataType::Int | DataType::BigInt | DataType::Timestamp | DataType::TimestampLtz]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyOrder;
    use crate::value::Value;

    fn table(types: &[DataType], keys: &[Vec<Value>]) -> KeyTable {
        let mut table = KeyTable::new(types, KeyOrder::Value);
        keys.iter().for_each(|key| _ = table.id(key));
        table
    }

    fn saved(table: &mut KeyTable) -> (usize, Vec<u8>) {
        let (ids, mut bytes) = (table.in_order().to_vec(), Vec::new());
        table.save(&ids, &mut bytes);
        (ids.len(), bytes)
    }

    #[test]
    fn keys_come_back_whatever_their_form() {
        let ints = |list: &[i64]| list.iter().map(|&v| vec![Value::BigInt(v)]).collect::<Vec<_>>();
        let text = |s: &str| vec![Value::String(s.into()), Value::Int(s.len() as i32)];
        let null = vec![Value::Null];
        let lists: [(&[DataType], Vec<Vec<Value>>); 4] = [
            (&[DataType::BigInt], ints(&[5, -9, i64::MAX, 0])),
            (&[DataType::BigInt], [ints(&[5, -9]), vec![null]].concat()),
            (&[DataType::String, DataType::Int], ["b", "", "a\0c"].map(text).to_vec()),
            (&[], vec![Vec::new()]),
        ];
        for (types, keys) in lists {
            let (count, bytes) = saved(&mut table(types, &keys));
            assert_eq!(count, keys.len());
            for known in [&[][..], &keys[1..]] {
                let mut other = table(types, known);
                let mut reader = Reader::new(&bytes);
                let ids = other.load(count, &mut reader).expect("whole").expect("its types");
                reader.end().expect("all is read");
                let found: Vec<Vec<u8>> = ids.iter().map(|&id| encode(&other.key(id))).collect();
                let mut expected: Vec<Vec<u8>> = keys.iter().map(|k| encode(k)).collect();
                expected.sort();
                assert_eq!(found, expected);
                assert_eq!(saved(&mut other).1, bytes, "the same keys, the same bytes");
            }
            let mut other = table(&[DataType::Boolean], &[]);
            let refused = other.load(count, &mut Reader::new(&bytes));
            assert!(refused.is_ok_and(|ids| ids.is_none()), "other types");
            for cut in 0..bytes.len() {
                let taken = table(types, &[]).load(count, &mut Reader::new(&bytes[..cut]));
                assert!(taken.is_err(), "cut at {cut}");
            }
        }
    }

    /// A table that has met a NULL and lost it writes what one writes that never met it.
    #[test]
    fn a_null_that_is_gone_leaves_no_mark() {
        let keys: Vec<Vec<Value>> = [7, 3].map(|v| vec![Value::Int(v)]).to_vec();
        let mut plain = table(&[DataType::Int], &keys);
        let met = table(&[DataType::Int], &[keys.clone(), vec![vec![Value::Null]]].concat());
        let ids = [1, 0];
        let [mut a, mut b] = [Vec::new(), Vec::new()];
        plain.save(&ids, &mut a);
        met.save(&ids, &mut b);
        assert_eq!(a, b);
        assert_eq!(saved(&mut plain).1, a);
        let beyond = [0, 1 << 40].map(u64::to_le_bytes).concat();
        assert!(plain.load(1, &mut Reader::new(&beyond)).expect("whole").is_none(), "no INT");
    }
}
