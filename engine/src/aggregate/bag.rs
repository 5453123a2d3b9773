//! Values with how often each is there, a bag a slot: what MIN and MAX need where rows are taken back, and
//! what DISTINCT needs to know a value again.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow_array::ArrayRef;

use super::extreme::{in_range, is_fixed, sortable, unsorted};
use super::{Accumulator, Trail, Words, WordsMut};
use crate::column::{from_values, value_at};
use crate::error::Result;
use crate::key;
use crate::schema::DataType;
use crate::snapshot::bytes::{Reader, put, put_bytes};
use crate::value::Value;

/// How a bag holds a value: sorted as the values are.
pub(super) trait Item: Ord + Clone + Send + 'static {
    /// Those of some rows, none NULL.
    fn read(array: &ArrayRef, data_type: DataType, rows: Range<usize>) -> Vec<Self>;
    /// The value again.
    fn value(&self, data_type: DataType) -> Value;
    /// Appends it.
    fn save(&self, out: &mut Vec<u8>);
    /// Takes it back; `None` when it is no value of the type.
    fn load(reader: &mut Reader<'_>, data_type: DataType) -> Result<Option<Self>>;
}

impl Item for i64 {
    fn read(array: &ArrayRef, data_type: DataType, rows: Range<usize>) -> Vec<i64> {
        sortable(array, data_type, rows).into_owned()
    }

    fn value(&self, data_type: DataType) -> Value {
        unsorted(*self, data_type)
    }

    fn save(&self, out: &mut Vec<u8>) {
        put(out, *self as u64);
    }

    fn load(reader: &mut Reader<'_>, data_type: DataType) -> Result<Option<i64>> {
        let word = reader.signed()?;
        Ok(Some(word).filter(|&word| in_range(word, data_type)))
    }
}

/// As order-preserving bytes.
impl Item for Vec<u8> {
    fn read(array: &ArrayRef, data_type: DataType, rows: Range<usize>) -> Vec<Vec<u8>> {
        rows.map(|row| key::encode(&[value_at(array, data_type, row)])).collect()
    }

    fn value(&self, data_type: DataType) -> Value {
        key::decode(self, &[data_type]).swap_remove(0)
    }

    fn save(&self, out: &mut Vec<u8>) {
        put_bytes(out, self);
    }

    fn load(reader: &mut Reader<'_>, data_type: DataType) -> Result<Option<Vec<u8>>> {
        let bytes = reader.bytes()?;
        let whole = key::measure(bytes, &[data_type]) == Some(bytes.len());
        let value = || key::decode(bytes, &[data_type]).swap_remove(0);
        Ok((whole && !value().is_null()).then(|| bytes.to_vec()))
    }
}

/// A bag a slot.
#[derive(Clone)]
pub(super) struct Bags<K> {
    pub(super) data_type: DataType,
    bags: Vec<BTreeMap<K, u64>>,
}

impl<K: Item> Bags<K> {
    pub(super) fn new(data_type: DataType) -> Bags<K> {
        Bags { data_type, bags: Vec::new() }
    }

    pub(super) fn grow(&mut self, slots: usize) {
        self.bags.resize_with(slots.max(self.bags.len()), BTreeMap::new);
    }

    pub(super) fn clear(&mut self, from: u32, to: u32) {
        self.bags[from as usize..to as usize].iter_mut().for_each(BTreeMap::clear);
    }

    pub(super) fn items(&self, array: Option<&ArrayRef>, rows: Range<usize>) -> Vec<K> {
        K::read(array.expect("COUNT(*) has no values"), self.data_type, rows)
    }

    /// What a slot holds, least first, and how often.
    pub(super) fn of(&self, slot: u32) -> &BTreeMap<K, u64> {
        &self.bags[slot as usize]
    }

    /// Puts a value in; true when it was not there.
    pub(super) fn add(&mut self, slot: u32, item: K, count: u64) -> bool {
        let held = self.bags[slot as usize].entry(item).or_insert(0);
        *held += count;
        *held == count
    }

    /// Takes a value out once; true when it is no longer there.
    pub(super) fn remove(&mut self, slot: u32, item: &K) -> bool {
        let bag = &mut self.bags[slot as usize];
        match bag.get_mut(item) {
            Some(1) => bag.remove(item).is_some(),
            Some(held) => {
                *held -= 1;
                false
            }
            // A row is taken back only after it came.
            None => false,
        }
    }

    pub(super) fn save(&self, slots: &[u32], out: &mut Vec<u8>) {
        for bag in slots.iter().map(|&slot| self.of(slot)) {
            put(out, bag.len() as u64);
            for (item, &count) in bag {
                item.save(out);
                put(out, count);
            }
        }
    }

    pub(super) fn load(&mut self, slots: &[u32], reader: &mut Reader<'_>) -> Result<bool> {
        for &slot in slots {
            for _ in 0..reader.count()? {
                let Some(item) = K::load(reader, self.data_type)? else { return Ok(false) };
                let bag = &mut self.bags[slot as usize];
                let rises = bag.last_key_value().is_none_or(|(last, _)| *last < item);
                let count = reader.number()?;
                if !rises || count == 0 || count > super::set::MOST_ROWS {
                    return Ok(false);
                }
                bag.insert(item, count);
            }
        }
        Ok(true)
    }
}

/// The accumulators of MAX, or of MIN, that can take values back.
pub(super) fn ranked(max: bool, data_type: DataType) -> Box<dyn Accumulator> {
    match is_fixed(data_type) {
        true => Box::new(Ranked::<i64> { max, bags: Bags::new(data_type) }),
        false => Box::new(Ranked::<Vec<u8>> { max, bags: Bags::new(data_type) }),
    }
}

/// The least or greatest of a bag.
#[derive(Clone)]
struct Ranked<K> {
    max: bool,
    bags: Bags<K>,
}

impl<K: Item> Ranked<K> {
    fn best(&self, slot: u32) -> Value {
        let bag = self.bags.of(slot);
        let best = if self.max { bag.last_key_value() } else { bag.first_key_value() };
        best.map_or(Value::Null, |(item, _)| item.value(self.bags.data_type))
    }
}

impl<K: Item> Accumulator for Ranked<K> {
    fn width(&self) -> usize {
        0
    }

    fn grow(&mut self, slots: usize) {
        self.bags.grow(slots);
    }

    fn clear(&mut self, from: u32, to: u32) {
        self.bags.clear(from, to);
    }

    fn update(&mut self, _: WordsMut<'_>, slots: &[u32], argument: Option<&ArrayRef>, from: usize) {
        let items = self.bags.items(argument, from..from + slots.len());
        for (&slot, item) in slots.iter().zip(items) {
            self.bags.add(slot, item, 1);
        }
    }

    fn retract(
        &mut self,
        _: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    ) {
        let items = self.bags.items(argument, from..from + slots.len());
        for (&slot, item) in slots.iter().zip(items) {
            self.bags.remove(slot, &item);
        }
    }

    fn merge(&mut self, _: WordsMut<'_>, pairs: &[(u32, u32)]) {
        for &(into, from) in pairs {
            for (item, count) in self.bags.of(from).clone() {
                self.bags.add(into, item, count);
            }
        }
    }

    fn result(&self, _: Words<'_>, slots: &[u32], _: &[i64]) -> ArrayRef {
        let values: Vec<Value> = slots.iter().map(|&slot| self.best(slot)).collect();
        from_values(&values, self.bags.data_type)
    }

    fn value(&self, _: Words<'_>, slot: u32, _: i64) -> Value {
        self.best(slot)
    }

    fn trail(
        &mut self,
        _: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        changes: &super::Rows<'_>,
    ) -> Option<Trail> {
        let items = self.bags.items(argument, 0..slots.len());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (row, (&slot, item)) in slots.iter().zip(items).enumerate() {
            before.push(self.best(slot));
            match changes.takes_back(row) {
                true => _ = self.bags.remove(slot, &item),
                false => _ = self.bags.add(slot, item, 1),
            }
            after.push(self.best(slot));
        }
        let column = |values: &[Value]| from_values(values, self.bags.data_type);
        Some(Trail { before: column(&before), after: column(&after) })
    }

    fn save(&self, slots: &[u32], out: &mut Vec<u8>) {
        self.bags.save(slots, out);
    }

    fn load(&mut self, slots: &[u32], reader: &mut Reader<'_>) -> Result<bool> {
        self.bags.load(slots, reader)
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(self.clone())
    }
}
