//! Keys: rows' key columns as compact bytes, tables of them, and the key groups they fall in.

mod ages;
mod encode;
mod encoded;
mod groups;
mod places;
mod store;
mod table;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMillisecondType};

use crate::batch::Batch;
use crate::column::value_at;
use crate::schema::DataType;
use crate::seeded::seeded;
use crate::value::Value;

pub use ages::{Ages, Cut};
pub use encode::encode;
pub(crate) use encode::{decode, decode_columns, encode_value, measure};
pub use encoded::Encoded;
pub use groups::{KeyGroups, encoded_in};
pub(crate) use places::Places;
pub use table::{KeyOrder, KeyTable};

/// How many key groups there are: the most subtasks a keyed operator can have, and the unit in which
/// state moves between them.
pub const KEY_GROUPS: u32 = 128;

/// The subtask of `parallelism` that owns a key group: contiguous ranges, as in Flink.
pub fn subtask_of(key_group: u32, parallelism: u32) -> u32 {
    key_group * parallelism / KEY_GROUPS
}

/// A fixed hash of 64 bits: the same on every host and in every version that reads the same snapshots.
pub fn hash_u64(x: u64) -> u64 {
    // The finaliser of splitmix64 (Steele, Lea, Flood 2014).
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The fixed hash of bytes: eight at a time, multiplied into what is there.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut h = 0x9E37_79B9_7F4A_7C15 ^ bytes.len() as u64;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
        h = (h.rotate_left(23) ^ word).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    let tail = words.remainder().iter().rev().fold(0, |t, &b| (t << 8) | u64::from(b));
    hash_u64(h.rotate_left(23) ^ tail)
}

/// Which columns of an operator's input make up its key.
#[derive(Clone, Debug)]
pub struct KeyColumns {
    /// Positions in the input.
    pub columns: Vec<usize>,
    /// Their types.
    pub types: Vec<DataType>,
}

impl KeyColumns {
    /// The key columns of a schema.
    pub fn new(schema: &crate::schema::Schema, columns: &[usize]) -> KeyColumns {
        KeyColumns {
            columns: columns.to_vec(),
            types: columns.iter().map(|&c| schema.fields[c].data_type).collect(),
        }
    }

    /// Whether these values can be a key.
    pub fn fit(&self, key: &[Value]) -> bool {
        key.len() == self.types.len() && key.iter().zip(&self.types).all(|(v, t)| v.fits(*t))
    }

    /// The key of one row.
    pub fn values(&self, batch: &Batch, row: usize) -> Vec<Value> {
        let pairs = self.columns.iter().zip(&self.types);
        pairs.map(|(&c, &t)| value_at(&batch.columns[c], t, row)).collect()
    }

    /// The single integer column this key is, when it is one without NULLs in this batch.
    fn integers<'a>(&self, batch: &'a Batch) -> Option<IntColumn<'a>> {
        let [column] = self.columns.as_slice() else { return None };
        let array = &batch.columns[*column];
        if array.null_count() > 0 {
            return None;
        }
        match self.types[0] {
            DataType::Int => Some(IntColumn::Narrow(array.as_primitive::<Int32Type>().values())),
            DataType::BigInt => Some(IntColumn::Wide(array.as_primitive::<Int64Type>().values())),
            DataType::Timestamp | DataType::TimestampLtz => {
                Some(IntColumn::Wide(array.as_primitive::<TimestampMillisecondType>().values()))
            }
            _ => None,
        }
    }

    /// The subtask of `parallelism`, at most [`KEY_GROUPS`], that each row belongs to.
    pub fn subtasks(&self, batch: &Batch, parallelism: u32) -> Vec<u8> {
        let mut owner = [0; KEY_GROUPS as usize];
        for (group, owner) in (0..).zip(&mut owner) {
            let moved = u32::from(seeded("keys-change-hands"))
                * (batch.seqs.iter().next().unwrap_or(0) as u32 / 16);
            *owner = subtask_of((group + moved) % KEY_GROUPS, parallelism) as u8;
        }
        let of = |key: i64| owner[group_of_int(key) as usize];
        match self.integers(batch) {
            Some(IntColumn::Narrow(keys)) => keys.iter().map(|&k| of(k.into())).collect(),
            Some(IntColumn::Wide(keys)) => keys.iter().map(|&k| of(k)).collect(),
            None => self.groups(batch).into_iter().map(|g| owner[g as usize]).collect(),
        }
    }

    /// The key group of each row.
    pub fn groups(&self, batch: &Batch) -> Vec<u32> {
        match self.integers(batch) {
            Some(ints) => (0..batch.rows).map(|i| group_of_int(ints.get(i))).collect(),
            None => {
                let columns: Vec<_> = self
                    .columns
                    .iter()
                    .zip(&self.types)
                    .map(|(&c, &t)| (&batch.columns[c], t))
                    .collect();
                let mut encoded = Encoded::default();
                encoded.fill(&columns, 0, batch.rows);
                encoded.iter().map(|key| group_of_encoded(key, &self.types)).collect()
            }
        }
    }
}

enum IntColumn<'a> {
    Narrow(&'a [i32]),
    Wide(&'a [i64]),
}

impl IntColumn<'_> {
    fn get(&self, i: usize) -> i64 {
        match self {
            IntColumn::Narrow(v) => i64::from(v[i]),
            IntColumn::Wide(v) => v[i],
        }
    }
}

fn group_of_int(key: i64) -> u32 {
    ((hash_u64(key as u64) >> 32) as u32) % KEY_GROUPS
}

fn group_of_bytes(key: &[u8]) -> u32 {
    ((hash_bytes(key) >> 32) as u32) % KEY_GROUPS
}

/// The key group of a key's bytes. An integer has the same group whether there is a NULL near it or not.
#[inline]
fn group_of_encoded(key: &[u8], types: &[DataType]) -> u32 {
    encode::integer(key, types).map_or_else(|| group_of_bytes(key), group_of_int)
}

/// The key group of a key.
pub fn group_of(key: &[Value]) -> u32 {
    match key {
        [Value::Int(v)] => group_of_int(i64::from(*v)),
        [Value::BigInt(v) | Value::Timestamp(v) | Value::TimestampLtz(v)] => group_of_int(*v),
        _ => group_of_bytes(&encode(key)),
    }
}

/// The key in text, as the trace shows it: values joined by ` | `, empty for no key.
pub fn text(key: &[Value]) -> String {
    let parts: Vec<String> = key.iter().map(Value::to_text).collect();
    parts.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_groups_spread_over_subtasks_in_contiguous_ranges() {
        for parallelism in [1, 2, 3, 128] {
            let owners: Vec<u32> = (0..KEY_GROUPS).map(|g| subtask_of(g, parallelism)).collect();
            assert!(owners.is_sorted() && owners[0] == 0);
            assert_eq!(*owners.last().expect("not empty"), parallelism - 1);
        }
    }

    /// The group of an integer decides which subtask it goes to, so no other row may change it.
    #[test]
    fn a_null_in_the_batch_leaves_the_key_groups_of_integers_alone() {
        use crate::column::from_values;
        use crate::numbers::Numbers;
        use crate::schema::{Field, Schema};
        let ints = |v: i64| [Value::Int(v as i32), Value::BigInt(v), Value::Timestamp(v)];
        for (t, data_type) in
            [DataType::Int, DataType::BigInt, DataType::Timestamp].into_iter().enumerate()
        {
            let schema = Schema::new(vec![Field::new("k", data_type)]);
            let keys = KeyColumns::new(&schema, &[0]);
            let values: Vec<Value> = (-40..40).map(|v| ints(v * v * v)[t].clone()).collect();
            let groups = |values: &[Value]| {
                let column = from_values(values, data_type);
                let numbers = Numbers::run(1, values.len());
                keys.groups(&Batch::new(schema.clone(), vec![column], numbers))
            };
            let expected: Vec<u32> =
                values.iter().map(|v| group_of(std::slice::from_ref(v))).collect();
            assert_eq!(groups(&values), expected);
            let with_null = [&values[..], &[Value::Null]].concat();
            assert_eq!(groups(&with_null)[..80], expected, "{data_type}");
            assert_eq!(groups(&with_null)[80], group_of(&[Value::Null]));
            // A table lists keys alike before and after it has met a NULL.
            let mut table = KeyTable::new(&[data_type], KeyOrder::Group);
            values.iter().for_each(|v| _ = table.id(std::slice::from_ref(v)));
            let before = table.in_order().to_vec();
            let null = table.id(&[Value::Null]);
            let after: Vec<u32> =
                table.in_order().iter().copied().filter(|&id| id != null).collect();
            assert_eq!(after, before);
            let mut sorted = before.clone();
            sorted.reverse();
            table.sort_by_key(&mut sorted, |&id| id);
            assert_eq!(sorted, before);
        }
    }
}
