//! The keys of an operator, numbered: every other piece of its state is an array indexed by key number.

mod state;

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array};

use super::encode::{decode, decode_columns, encode};
use super::store::Bytes;
use super::{IntColumn, KeyColumns, group_of_encoded, group_of_int, hash_bytes};
use highwater_kernels::{IntIndex, NONE, same_bytes};

use crate::batch::Batch;
use crate::column::timestamps;
use crate::schema::DataType;
use crate::value::Value;

/// In which order a table lists its keys. Neither depends on the order they came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    /// By value: what a sink wants.
    Value,
    /// By key group, then value: the order that does not depend on how many subtasks share the groups.
    Group,
}

/// The keys of an operator, each with a number. The number of a key without state may go to another.
#[derive(Clone, Debug)]
pub struct KeyTable {
    types: Vec<DataType>,
    order: KeyOrder,
    store: Store,
    /// One more than the highest number.
    numbers: u32,
    /// Numbers that belong to no key.
    free: Vec<u32>,
    /// With more keys than this, those without state are looked for.
    limit: usize,
    /// How often numbers have changed hands.
    sweeps: u64,
    /// Keys in their order, and those that came since, in none.
    sorted: Vec<u32>,
    fresh: Vec<u32>,
}

#[derive(Clone, Debug)]
enum Store {
    /// A single integer key, as long as no NULL turns up.
    Ints(IntIndex, Vec<i64>),
    /// Everything else: as order-preserving bytes.
    Bytes(Bytes),
}

/// How many keys without state are kept in any case.
const IDLE_KEYS: usize = 4096;

impl KeyTable {
    /// An empty table for keys of these types.
    pub fn new(types: &[DataType], order: KeyOrder) -> KeyTable {
        let store = match types {
            [DataType::Int | DataType::BigInt | DataType::Timestamp | DataType::TimestampLtz] => {
                Store::Ints(IntIndex::new(), Vec::new())
            }
            _ => Store::Bytes(Bytes::default()),
        };
        KeyTable {
            types: types.to_vec(),
            order,
            store,
            numbers: 0,
            free: Vec::new(),
            limit: IDLE_KEYS,
            sweeps: 0,
            sorted: Vec::new(),
            fresh: Vec::new(),
        }
    }

    /// The order in which keys are listed.
    pub fn order(&self) -> KeyOrder {
        self.order
    }

    /// One more than the highest number.
    pub fn numbers(&self) -> usize {
        self.numbers as usize
    }

    /// The numbers of the keys of rows `from..to`, new keys getting a free one.
    pub fn intern(
        &mut self,
        keys: &KeyColumns,
        batch: &Batch,
        (from, to): (usize, usize),
        ids: &mut Vec<u32>,
    ) {
        ids.clear();
        if self.types.is_empty() {
            let id = self.id(&[]);
            return ids.resize(to - from, id);
        }
        match (keys.integers(batch), matches!(self.store, Store::Ints(..))) {
            (Some(column), true) => self.intern_ints(&column, (from, to), ids),
            _ => self.intern_bytes(keys, batch, (from, to), ids),
        }
    }

    fn intern_ints(
        &mut self,
        column: &IntColumn<'_>,
        (from, to): (usize, usize),
        ids: &mut Vec<u32>,
    ) {
        let Store::Ints(index, _) = &self.store else { unreachable!("checked by the caller") };
        let unknown = match column {
            IntColumn::Wide(keys) => index.find_wide(&keys[from..to], ids),
            IntColumn::Narrow(keys) => index.find_narrow(&keys[from..to], ids),
        };
        for (id, row) in ids.iter_mut().zip(from..).filter(|(id, _)| unknown && **id == NONE) {
            *id = self.int_id(column.get(row));
        }
    }

    fn int_id(&mut self, key: i64) -> u32 {
        let Store::Ints(index, _) = &self.store else { unreachable!("an integer key") };
        match index.find(key) {
            NONE => self.add_int(key),
            id => id,
        }
    }

    #[cold]
    #[inline(never)]
    fn add_int(&mut self, key: i64) -> u32 {
        let id = self.number();
        let Store::Ints(index, keys) = &mut self.store else { unreachable!("an integer key") };
        if id as usize == keys.len() {
            keys.push(key);
        } else {
            keys[id as usize] = key;
        }
        index.insert(key, id);
        id
    }

    fn intern_bytes(
        &mut self,
        keys: &KeyColumns,
        batch: &Batch,
        (from, to): (usize, usize),
        ids: &mut Vec<u32>,
    ) {
        self.widen();
        let columns: Vec<(&ArrayRef, DataType)> =
            keys.columns.iter().zip(&keys.types).map(|(&c, &t)| (&batch.columns[c], t)).collect();
        let Store::Bytes(bytes) = &mut self.store else { unreachable!("widened") };
        let mut scratch = std::mem::take(&mut bytes.scratch);
        scratch.fill(&columns, from, to);
        ids.extend(scratch.iter().map(|key| self.bytes_id(key)));
        let Store::Bytes(bytes) = &mut self.store else { unreachable!("widened") };
        bytes.scratch = scratch;
    }

    #[inline]
    fn bytes_id(&mut self, key: &[u8]) -> u32 {
        let Store::Bytes(bytes) = &self.store else { unreachable!("checked by the caller") };
        let hash = hash_bytes(key);
        match bytes
            .index
            .find(hash, |&(tag, id)| tag == hash as u32 && same_bytes(bytes.get(id), key))
        {
            Some(&(_, id)) => id,
            None => self.add_bytes(key),
        }
    }

    #[cold]
    #[inline(never)]
    fn add_bytes(&mut self, key: &[u8]) -> u32 {
        let id = self.number();
        let Store::Bytes(bytes) = &mut self.store else { unreachable!("a key of bytes") };
        bytes.put(id, key);
        bytes.enter(id);
        id
    }

    /// A number for a new key.
    fn number(&mut self) -> u32 {
        let id = self.free.pop().unwrap_or_else(|| {
            self.numbers += 1;
            self.numbers - 1
        });
        self.fresh.push(id);
        id
    }

    /// The number of one key.
    pub fn id(&mut self, key: &[Value]) -> u32 {
        let int = match key {
            [Value::BigInt(v) | Value::Timestamp(v) | Value::TimestampLtz(v)] => Some(*v),
            [Value::Int(v)] => Some(i64::from(*v)),
            _ => None,
        };
        match (&self.store, int) {
            (Store::Ints(..), Some(key)) => self.int_id(key),
            _ => {
                self.widen();
                self.bytes_id(&encode(key))
            }
        }
    }

    /// Gives up the integer shortcut: a NULL key has come. Numbers stay.
    fn widen(&mut self) {
        let Store::Ints(_, keys) = &self.store else { return };
        let keys = keys.clone();
        self.store = Store::Bytes(Bytes::default());
        let mut used = vec![true; keys.len()];
        self.free.iter().for_each(|&id| used[id as usize] = false);
        let Store::Bytes(bytes) = &mut self.store else { unreachable!("just made") };
        for (id, key) in keys.iter().enumerate() {
            let key = encode(&[int_value(*key, self.types[0])]);
            bytes.put(id as u32, &key);
            if used[id] {
                bytes.enter(id as u32);
            }
        }
    }

    /// Forgets keys without state once the keys have doubled since that was done last: so it costs a key
    /// little, and nobody keeps count. `mark` sets the numbers that have state. To be called when no
    /// number is at hand that has none.
    pub fn sweep(&mut self, mark: impl FnOnce(&mut [bool])) {
        if self.numbers() - self.free.len() <= self.limit {
            return;
        }
        let mut live = vec![false; self.numbers()];
        mark(&mut live);
        self.sorted.append(&mut self.fresh);
        let (kept, gone): (Vec<u32>, Vec<u32>) =
            self.sorted.iter().partition(|&&id| live[id as usize]);
        match &mut self.store {
            Store::Ints(index, keys) => {
                *index = IntIndex::new();
                kept.iter().for_each(|&id| index.insert(keys[id as usize], id));
            }
            Store::Bytes(bytes) => bytes.keep(&kept),
        }
        self.sweeps += 1;
        self.free.extend(&gone);
        self.limit = IDLE_KEYS + 2 * kept.len();
        (self.sorted, self.fresh) = (Vec::new(), kept);
    }

    /// How often numbers may have changed hands so far.
    pub fn sweeps(&self) -> u64 {
        self.sweeps
    }

    /// Numbers of all keys, those without state among them, in the table's order.
    pub fn in_order(&mut self) -> &[u32] {
        if !self.fresh.is_empty() {
            let mut fresh = std::mem::take(&mut self.fresh);
            self.sort_by_key(&mut fresh, |&id| id);
            self.sorted = match self.sorted.is_empty() {
                true => fresh,
                false => self.merge(&self.sorted, &fresh),
            };
        }
        &self.sorted
    }

    /// Puts things that belong to keys in the table's order.
    pub fn sort_by_key<T>(&self, list: &mut [T], id: impl Fn(&T) -> u32) {
        match (&self.store, self.order) {
            (Store::Ints(_, keys), KeyOrder::Value) => list.sort_by_key(|t| keys[id(t) as usize]),
            (Store::Ints(_, keys), KeyOrder::Group) => list.sort_by_cached_key(|t| {
                let key = keys[id(t) as usize];
                (group_of_int(key), key)
            }),
            (Store::Bytes(b), KeyOrder::Value) => {
                list.sort_by(|x, y| b.get(id(x)).cmp(b.get(id(y))));
            }
            (Store::Bytes(b), KeyOrder::Group) => list.sort_by_cached_key(|t| {
                let key = b.get(id(t));
                (group_of_encoded(key, &self.types), key)
            }),
        }
    }

    fn merge(&self, a: &[u32], b: &[u32]) -> Vec<u32> {
        let mut all = Vec::with_capacity(a.len() + b.len());
        let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
        while let (Some(&x), Some(&y)) = (a.peek(), b.peek()) {
            let next = if self.before(x, y) { a.next() } else { b.next() };
            all.extend(next);
        }
        all.extend(a.chain(b));
        all
    }

    /// Whether key `x` comes before key `y`.
    fn before(&self, x: u32, y: u32) -> bool {
        match &self.store {
            Store::Ints(_, keys) => {
                let (x, y) = (keys[x as usize], keys[y as usize]);
                match self.order {
                    KeyOrder::Value => x < y,
                    KeyOrder::Group => (group_of_int(x), x) < (group_of_int(y), y),
                }
            }
            Store::Bytes(bytes) => {
                let (x, y) = (bytes.get(x), bytes.get(y));
                match self.order {
                    KeyOrder::Value => x < y,
                    KeyOrder::Group => {
                        (group_of_encoded(x, &self.types), x)
                            < (group_of_encoded(y, &self.types), y)
                    }
                }
            }
        }
    }

    /// A key's group.
    pub fn group(&self, id: u32) -> u32 {
        match &self.store {
            Store::Ints(_, keys) => group_of_int(keys[id as usize]),
            Store::Bytes(bytes) => group_of_encoded(bytes.get(id), &self.types),
        }
    }

    /// A key's values.
    pub fn key(&self, id: u32) -> Vec<Value> {
        match &self.store {
            Store::Ints(_, keys) => vec![int_value(keys[id as usize], self.types[0])],
            Store::Bytes(bytes) => decode(bytes.get(id), &self.types),
        }
    }

    /// The key columns of these numbers.
    pub fn columns(&self, ids: &[u32]) -> Vec<ArrayRef> {
        match &self.store {
            Store::Ints(_, keys) => {
                let values = ids.iter().map(|&id| keys[id as usize]);
                vec![match self.types[0] {
                    DataType::Int => {
                        Arc::new(Int32Array::from_iter_values(values.map(|k| k as i32)))
                    }
                    DataType::BigInt => Arc::new(Int64Array::from_iter_values(values)),
                    time => timestamps(values.collect(), time),
                }]
            }
            Store::Bytes(bytes) => {
                decode_columns(ids.iter().map(|&id| bytes.get(id)).collect(), &self.types)
            }
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
    use crate::column::from_values;
    use crate::numbers::Numbers;
    use crate::schema::{Field, Schema};
    use std::collections::BTreeMap;

    fn list(table: &mut KeyTable) -> Vec<Vec<u8>> {
        let ids = table.in_order().to_vec();
        ids.iter().map(|&id| encode(&table.key(id))).collect()
    }

    #[test]
    fn a_null_among_integer_keys_keeps_their_numbers() {
        let mut table = KeyTable::new(&[DataType::BigInt], KeyOrder::Value);
        assert_eq!(table.id(&[Value::BigInt(9)]), 0);
        assert_eq!(table.id(&[Value::BigInt(5)]), 1);
        assert_eq!(table.id(&[Value::Null]), 2);
        assert_eq!(table.id(&[Value::BigInt(9)]), 0);
        assert_eq!(table.id(&[Value::BigInt(7)]), 3);
        let keys = [Value::Null, Value::BigInt(5), Value::BigInt(7), Value::BigInt(9)];
        let keys: Vec<Vec<u8>> = keys.iter().map(|k| encode(std::slice::from_ref(k))).collect();
        assert_eq!(list(&mut table), keys);
    }

    /// Keys of two kinds come, stay a while and go; a map says which number each must have.
    #[test]
    fn numbers_stay_while_held_and_change_hands_after() {
        for types in [&[DataType::BigInt][..], &[DataType::String, DataType::Int]] {
            let key = |k: i64| match types.len() {
                1 => vec![Value::BigInt(k * k - 999)],
                _ => vec![Value::String(format!("k{}", k / 3).into()), Value::Int(k as i32 % 3)],
            };
            let mut table = KeyTable::new(types, KeyOrder::Value);
            let mut held: BTreeMap<i64, u32> = BTreeMap::new();
            let mut highest = 0;
            for round in 0..40 {
                for k in round * 500..round * 500 + 900 {
                    let id = table.id(&key(k));
                    if let Some(&before) = held.get(&k) {
                        assert_eq!(id, before, "key {k} in round {round}");
                    } else {
                        assert!(held.values().all(|&other| other != id), "{id} is taken");
                        held.insert(k, id);
                    }
                }
                highest = highest.max(held.len());
                while held.len() > 300 {
                    held.pop_first();
                }
                table.sweep(|live| held.values().for_each(|&id| live[id as usize] = true));
                let mut expected: Vec<Vec<u8>> = held.keys().map(|&k| encode(&key(k))).collect();
                expected.sort();
                let ids = table.in_order().to_vec();
                let found = ids.iter().filter(|&&id| held.values().any(|&other| other == id));
                let found: Vec<Vec<u8>> = found.map(|&id| encode(&table.key(id))).collect();
                assert_eq!(found, expected, "round {round}");
            }
            assert!(table.numbers() < highest + 2 * IDLE_KEYS + 2000, "{}", table.numbers());
        }
    }

    #[test]
    fn columns_of_a_batch_are_numbered_and_come_back() {
        let text =
            from_values(&["b", "a", "b", "c"].map(|s| Value::String(s.into())), DataType::String);
        let ints = from_values(&[3, 1, 3, 2].map(Value::Int), DataType::Int);
        let schema =
            Schema::new(vec![Field::new("s", DataType::String), Field::new("i", DataType::Int)]);
        let batch = Batch::new(schema.clone(), vec![text, ints], Numbers::run(1, 4));
        for (columns, order) in [(&[0][..], [1, 0, 2]), (&[1], [1, 2, 0]), (&[1, 0], [1, 2, 0])] {
            let keys = KeyColumns::new(&schema, columns);
            let mut table = KeyTable::new(&keys.types, KeyOrder::Value);
            let mut ids = Vec::new();
            table.intern(&keys, &batch, (0, 4), &mut ids);
            assert_eq!(ids, [0, 1, 0, 2]);
            assert_eq!(table.in_order(), order);
            let made = table.columns(&ids);
            for (array, &c) in made.iter().zip(columns) {
                assert_eq!(**array, *batch.columns[c]);
            }
        }
    }
}
