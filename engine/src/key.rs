//! Keys: rows' key columns as compact bytes, tables of them, and the key groups they fall in.

#[cfg(test)]
use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef};
use hashbrown::HashTable;

use crate::batch::Batch;
use crate::column::{from_values, value_at};
use crate::schema::DataType;
use crate::value::{Value, canonical_f32, canonical_f64};

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

/// The fixed hash of bytes.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut h = 0x9E37_79B9_7F4A_7C15 ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        h = hash_u64(h ^ u64::from_le_bytes(word));
    }
    h
}

/// The order-preserving bytes of one value: shorter comparisons than values, same order as
/// [`Value::total_cmp`].
fn encode_value(value: &Value, out: &mut Vec<u8>) {
    if value.is_null() {
        out.push(0);
        return;
    }
    out.push(1);
    match value {
        Value::Null => {}
        Value::Boolean(v) => out.push(u8::from(*v)),
        Value::Int(v) | Value::Date(v) => out.extend(((*v as u32) ^ (1 << 31)).to_be_bytes()),
        Value::BigInt(v) | Value::Timestamp(v) | Value::TimestampLtz(v) => {
            out.extend(((*v as u64) ^ (1 << 63)).to_be_bytes());
        }
        Value::Float(v) => {
            let bits = canonical_f32(*v).to_bits();
            let flip = if bits >> 31 == 1 { u32::MAX } else { 1 << 31 };
            out.extend((bits ^ flip).to_be_bytes());
        }
        Value::Double(v) => {
            let bits = canonical_f64(*v).to_bits();
            let flip = if bits >> 63 == 1 { u64::MAX } else { 1 << 63 };
            out.extend((bits ^ flip).to_be_bytes());
        }
        Value::Decimal(v, _) => out.extend(((*v as u128) ^ (1 << 127)).to_be_bytes()),
        Value::String(v) => encode_bytes(v.as_bytes(), out),
        Value::Bytes(v) => encode_bytes(v, out),
    }
}

/// Bytes so that no encoding is another's prefix: 0 becomes `0 FF`, the end is `0 0`.
fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    for &b in bytes {
        out.push(b);
        if b == 0 {
            out.push(0xFF);
        }
    }
    out.extend([0, 0]);
}

/// The order-preserving bytes of a whole key.
pub fn encode(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() * 9);
    for v in values {
        encode_value(v, &mut out);
    }
    out
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

    /// The key group of each row.
    pub fn groups(&self, batch: &Batch) -> Vec<u32> {
        match self.integers(batch) {
            Some(ints) => (0..batch.rows).map(|i| group_of_int(ints.get(i))).collect(),
            None => (0..batch.rows).map(|i| group_of(&self.values(batch, i))).collect(),
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

/// The key group of a key.
pub fn group_of(key: &[Value]) -> u32 {
    match key {
        [Value::Int(v)] => group_of_int(i64::from(*v)),
        [Value::BigInt(v) | Value::Timestamp(v) | Value::TimestampLtz(v)] => group_of_int(*v),
        _ => ((hash_bytes(&encode(key)) >> 32) as u32) % KEY_GROUPS,
    }
}

/// The key in text, as the trace shows it: values joined by ` | `, empty for no key.
pub fn text(key: &[Value]) -> String {
    let parts: Vec<String> = key.iter().map(Value::to_text).collect();
    parts.join(" | ")
}

/// The keys of one pane, numbered in the order they came: slots of the accumulators' columns.
#[derive(Clone, Debug)]
pub struct KeyTable {
    index: HashTable<u32>,
    types: Vec<DataType>,
    store: Store,
}

#[derive(Clone, Debug)]
enum Store {
    /// A single integer key, as long as no NULL turns up.
    Ints(Vec<i64>),
    /// Everything else: encoded for comparison, and as values for output.
    Encoded { bytes: Vec<Box<[u8]>>, values: Vec<Vec<Value>> },
}

impl KeyTable {
    /// An empty table for keys of these types.
    pub fn new(types: &[DataType]) -> KeyTable {
        let store = match types {
            [DataType::Int | DataType::BigInt | DataType::Timestamp | DataType::TimestampLtz] => {
                Store::Ints(Vec::new())
            }
            _ => Store::Encoded { bytes: Vec::new(), values: Vec::new() },
        };
        KeyTable { index: HashTable::new(), types: types.to_vec(), store }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        match &self.store {
            Store::Ints(keys) => keys.len(),
            Store::Encoded { bytes, .. } => bytes.len(),
        }
    }

    /// True without keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot of each of `rows`' keys, new keys getting the next free ones.
    pub fn intern(&mut self, keys: &KeyColumns, batch: &Batch, rows: &[u32], slots: &mut Vec<u32>) {
        slots.clear();
        if keys.columns.is_empty() {
            if self.is_empty() {
                self.insert(Vec::new());
            }
            slots.resize(rows.len(), 0);
            return;
        }
        match (keys.integers(batch), matches!(self.store, Store::Ints(_))) {
            (Some(IntColumn::Wide(column)), true) => {
                slots.extend(rows.iter().map(|&r| self.int_slot(column[r as usize])));
            }
            (Some(IntColumn::Narrow(column)), true) => {
                slots.extend(rows.iter().map(|&r| self.int_slot(i64::from(column[r as usize]))));
            }
            _ => slots.extend(rows.iter().map(|&r| self.slot(keys.values(batch, r as usize)))),
        }
    }

    #[inline]
    fn int_slot(&mut self, key: i64) -> u32 {
        let Store::Ints(keys) = &mut self.store else { unreachable!("checked by the caller") };
        let hash = hash_u64(key as u64);
        if let Some(&slot) = self.index.find(hash, |&s| keys[s as usize] == key) {
            return slot;
        }
        let slot = keys.len() as u32;
        keys.push(key);
        self.index.insert_unique(hash, slot, |&s| hash_u64(keys[s as usize] as u64));
        slot
    }

    /// The slot of one key.
    pub fn slot(&mut self, key: Vec<Value>) -> u32 {
        if let (Store::Ints(_), [Value::BigInt(v) | Value::Timestamp(v) | Value::TimestampLtz(v)]) =
            (&self.store, key.as_slice())
        {
            return self.int_slot(*v);
        }
        if let (Store::Ints(_), [Value::Int(v)]) = (&self.store, key.as_slice()) {
            return self.int_slot(i64::from(*v));
        }
        self.widen();
        self.insert(key)
    }

    /// Gives up the integer shortcut: a NULL key has come.
    fn widen(&mut self) {
        if let Store::Ints(keys) = &self.store {
            let (keys, data_type) = (keys.clone(), self.types[0]);
            self.index = HashTable::new();
            self.store = Store::Encoded { bytes: Vec::new(), values: Vec::new() };
            for key in keys {
                self.insert(vec![int_value(key, data_type)]);
            }
        }
    }

    fn insert(&mut self, key: Vec<Value>) -> u32 {
        let Store::Encoded { bytes, values } = &mut self.store else {
            unreachable!("an integer table is widened first")
        };
        let encoded = encode(&key).into_boxed_slice();
        let hash = hash_bytes(&encoded);
        if let Some(&slot) = self.index.find(hash, |&s| bytes[s as usize] == encoded) {
            return slot;
        }
        let slot = bytes.len() as u32;
        bytes.push(encoded);
        values.push(key);
        self.index.insert_unique(hash, slot, |&s| hash_bytes(&bytes[s as usize]));
        slot
    }

    /// A key's values.
    pub fn key(&self, slot: u32) -> Vec<Value> {
        match &self.store {
            Store::Ints(keys) => vec![int_value(keys[slot as usize], self.types[0])],
            Store::Encoded { values, .. } => values[slot as usize].clone(),
        }
    }

    /// All slots by key group, each group's in the order its keys came: an order that does not depend on
    /// how many subtasks share the key groups.
    pub fn order(&self) -> Vec<u32> {
        let groups: Vec<u32> = match &self.store {
            Store::Ints(keys) => keys.iter().map(|&k| group_of_int(k)).collect(),
            Store::Encoded { values, .. } => values.iter().map(|k| group_of(k)).collect(),
        };
        let mut next = [0_u32; KEY_GROUPS as usize + 1];
        groups.iter().for_each(|&g| next[g as usize + 1] += 1);
        for g in 0..KEY_GROUPS as usize {
            next[g + 1] += next[g];
        }
        let mut order = vec![0; groups.len()];
        for (slot, &group) in groups.iter().enumerate() {
            let place = &mut next[group as usize];
            order[*place as usize] = slot as u32;
            *place += 1;
        }
        order
    }

    /// The key columns of these slots.
    pub fn columns(&self, slots: &[u32]) -> Vec<ArrayRef> {
        match &self.store {
            Store::Ints(keys) => {
                let values: Vec<Value> =
                    slots.iter().map(|&s| int_value(keys[s as usize], self.types[0])).collect();
                vec![from_values(&values, self.types[0])]
            }
            Store::Encoded { values, .. } => (0..self.types.len())
                .map(|c| {
                    let column: Vec<Value> =
                        slots.iter().map(|&s| values[s as usize][c].clone()).collect();
                    from_values(&column, self.types[c])
                })
                .collect(),
        }
    }
}

fn int_value(key: i64, data_type: DataType) -> Value {
    match data_type {
        DataType::Int => Value::Int(key as i32),
        DataType::Timestamp => Value::Timestamp(key),
        DataType::TimestampLtz => Value::TimestampLtz(key),
        _ => Value::BigInt(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_keys_sort_as_their_values() {
        let strings = ["", "a", "a\0", "a\0b", "ab", "b"].map(|s| Value::String(s.into()));
        let doubles = [f64::NEG_INFINITY, -1.5, 0.0, 2.0, f64::NAN].map(Value::Double);
        let ints = [Value::Null, Value::BigInt(i64::MIN), Value::BigInt(-1), Value::BigInt(3)];
        for list in [&strings[..], &doubles[..], &ints[..]] {
            for pair in list.windows(2) {
                assert!(encode(&pair[..1]) < encode(&pair[1..]), "{pair:?}");
                assert_eq!(pair[0].total_cmp(&pair[1]), Ordering::Less);
            }
        }
        assert_eq!(encode(&[Value::Double(-0.0)]), encode(&[Value::Double(0.0)]));
    }

    #[test]
    fn a_null_among_integer_keys_keeps_their_slots() {
        let mut table = KeyTable::new(&[DataType::BigInt]);
        assert_eq!(table.slot(vec![Value::BigInt(5)]), 0);
        assert_eq!(table.slot(vec![Value::BigInt(9)]), 1);
        assert_eq!(table.slot(vec![Value::Null]), 2);
        assert_eq!(table.slot(vec![Value::BigInt(5)]), 0);
        assert_eq!(table.slot(vec![Value::BigInt(7)]), 3);
        assert_eq!(table.len(), 4);
    }

    #[test]
    fn key_groups_spread_over_subtasks_in_contiguous_ranges() {
        for parallelism in [1, 2, 3, 128] {
            let owners: Vec<u32> = (0..KEY_GROUPS).map(|g| subtask_of(g, parallelism)).collect();
            assert!(owners.is_sorted() && owners[0] == 0);
            assert_eq!(*owners.last().expect("not empty"), parallelism - 1);
        }
    }
}
