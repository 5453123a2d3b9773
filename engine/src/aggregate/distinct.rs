//! DISTINCT: an aggregate that takes in each value of a slot once, however often it comes.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};

use super::bag::{Bags, Item};
use super::extreme::is_fixed;
use super::{Accumulator, Rows, Trail, Words, WordsMut};
use crate::column::{from_values, take};
use crate::error::Result;
use crate::schema::DataType;
use crate::snapshot::bytes::Reader;
use crate::value::Value;

/// The accumulators of `inner` over the distinct values of a column.
pub(super) fn distinct(inner: Box<dyn Accumulator>, data_type: DataType) -> Box<dyn Accumulator> {
    match is_fixed(data_type) {
        true => Box::new(Distinct::<i64> { inner, bags: Bags::new(data_type) }),
        false => Box::new(Distinct::<Vec<u8>> { inner, bags: Bags::new(data_type) }),
    }
}

/// The first word of a slot counts its values; those behind it are the inner aggregate's.
struct Distinct<K> {
    inner: Box<dyn Accumulator>,
    bags: Bags<K>,
}

impl<K: Item> Distinct<K> {
    /// Whether the count of values is all there is to know: COUNT.
    fn counts(&self) -> bool {
        self.inner.width() == 0
    }

    /// Hands on the rows with a value that has come or gone.
    fn hand_on(
        &mut self,
        mut words: WordsMut<'_>,
        changed: &[(u32, u32)],
        argument: &ArrayRef,
        gone: bool,
    ) {
        for &(slot, _) in changed {
            let count = words.one(slot);
            *count = if gone { count.wrapping_sub(1) } else { count.wrapping_add(1) };
        }
        if changed.is_empty() || self.counts() {
            return;
        }
        let (slots, rows): (Vec<u32>, Vec<u32>) = changed.iter().copied().unzip();
        let values = take(argument, &rows);
        match gone {
            true => self.inner.retract(words.behind(1), &slots, Some(&values), 0),
            false => self.inner.update(words.behind(1), &slots, Some(&values), 0),
        }
    }
}

impl<K: Item> Accumulator for Distinct<K> {
    fn width(&self) -> usize {
        1 + self.inner.width()
    }

    fn grow(&mut self, slots: usize) {
        self.bags.grow(slots);
        self.inner.grow(slots);
    }

    fn clear(&mut self, from: u32, to: u32) {
        self.bags.clear(from, to);
        self.inner.clear(from, to);
    }

    fn update(
        &mut self,
        words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    ) {
        let items = self.bags.items(argument, from..from + slots.len());
        let rows = slots.iter().zip(items).zip(from as u32..);
        let new = rows
            .filter_map(|((&slot, item), row)| self.bags.add(slot, item, 1).then_some((slot, row)));
        let new: Vec<(u32, u32)> = new.collect();
        self.hand_on(words, &new, argument.expect("DISTINCT has an argument"), false);
    }

    fn retract(
        &mut self,
        words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    ) {
        let items = self.bags.items(argument, from..from + slots.len());
        let rows = slots.iter().zip(items).zip(from as u32..);
        let gone = rows.filter_map(|((&slot, item), row)| {
            self.bags.remove(slot, &item).then_some((slot, row))
        });
        let gone: Vec<(u32, u32)> = gone.collect();
        self.hand_on(words, &gone, argument.expect("DISTINCT has an argument"), true);
    }

    fn merge(&mut self, words: WordsMut<'_>, pairs: &[(u32, u32)]) {
        let (mut new, mut values) = (Vec::new(), Vec::new());
        for &(into, from) in pairs {
            for (item, count) in self.bags.of(from).clone() {
                let value = (!self.counts()).then(|| item.value(self.bags.data_type));
                if self.bags.add(into, item, count) {
                    new.push((into, new.len() as u32));
                    values.extend(value);
                }
            }
        }
        let values = from_values(&values, self.bags.data_type);
        self.hand_on(words, &new, &values, false);
    }

    fn result(&self, words: Words<'_>, slots: &[u32], _: &[i64]) -> ArrayRef {
        let counts: Vec<i64> = slots.iter().map(|&slot| words.many(slot, 1)[0] as i64).collect();
        self.inner.result(words.behind(1), slots, &counts)
    }

    fn value(&self, words: Words<'_>, slot: u32, _: i64) -> Value {
        self.inner.value(words.behind(1), slot, words.many(slot, 1)[0] as i64)
    }

    fn trail(
        &mut self,
        mut words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        changes: &Rows<'_>,
    ) -> Option<Trail> {
        if !self.counts() {
            return None;
        }
        let items = self.bags.items(argument, 0..slots.len());
        let (mut before, mut after) =
            (Vec::with_capacity(slots.len()), Vec::with_capacity(slots.len()));
        for (row, (&slot, item)) in slots.iter().zip(items).enumerate() {
            let count = words.one(slot);
            before.push(*count as i64);
            *count = match changes.takes_back(row) {
                true => count.wrapping_sub(self.bags.remove(slot, &item).into()),
                false => count.wrapping_add(self.bags.add(slot, item, 1).into()),
            };
            after.push(*count as i64);
        }
        Some(Trail {
            before: Arc::new(Int64Array::from(before)),
            after: Arc::new(Int64Array::from(after)),
        })
    }

    fn valid(&self, words: &[u64]) -> bool {
        words[0] <= super::set::MOST_ROWS && self.inner.valid(&words[1..])
    }

    fn save(&self, slots: &[u32], out: &mut Vec<u8>) {
        self.bags.save(slots, out);
        self.inner.save(slots, out);
    }

    fn load(&mut self, slots: &[u32], reader: &mut Reader<'_>) -> Result<bool> {
        Ok(self.bags.load(slots, reader)? && self.inner.load(slots, reader)?)
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(Distinct { inner: self.inner.fork(), bags: self.bags.clone() })
    }
}
