//! The accumulators of many slots as bytes: words as they stand, slot after slot.

use super::AggregateSet;
use crate::error::Result;
use crate::snapshot::bytes::{Reader, put, put_all};

/// More rows than any stream has, and few enough that those of many slots add up.
pub(in crate::aggregate) const MOST_ROWS: u64 = 1 << 48;

impl AggregateSet {
    /// Appends the state of slots, in that order.
    pub fn save(&self, slots: &[u32], out: &mut Vec<u8>) {
        let stride = self.empty.len();
        put(out, stride as u64);
        out.reserve(slots.len() * stride * 8);
        for &slot in slots {
            put_all(out, &self.words[slot as usize * stride..][..stride]);
        }
        for (accumulator, skipped) in self.accumulators.iter().zip(&self.skipped) {
            let left_out = |slot: &u32| skipped.get(*slot as usize).copied().unwrap_or(0);
            // Most leave out nothing, and then say so once.
            let some = !skipped.is_empty() && slots.iter().any(|slot| left_out(slot) > 0);
            put(out, some.into());
            if some {
                slots.iter().for_each(|slot| put(out, left_out(slot).into()));
            }
            accumulator.save(slots, out);
        }
    }

    /// Takes what [`AggregateSet::save`] wrote back into empty slots, each of them another; `false` when it
    /// is of other aggregates. A slot without rows is none that was saved.
    ///
    /// # Errors
    /// `snapshot.corrupt` when there are too few bytes.
    pub fn load(&mut self, slots: &[u32], reader: &mut Reader<'_>) -> Result<bool> {
        let stride = self.empty.len();
        // What comes next has a place of its own.
        self.last = (0, 0);
        if reader.number()? != stride as u64 {
            return Ok(false);
        }
        let highest = slots.iter().max().map_or(0, |&slot| slot as usize + 1);
        self.grow(highest);
        let mut numbers = reader.numbers(slots.len().saturating_mul(stride))?;
        for &slot in slots {
            let words = &mut self.words[slot as usize * stride..][..stride];
            let taken = words[0] > 0;
            words.iter_mut().zip(&mut numbers).for_each(|(word, number)| *word = number);
            let rows = words[0];
            let own = |i: usize| {
                let from = self.places[i];
                &words[from..from + self.accumulators[i].width()]
            };
            let valid = |i: usize| self.accumulators[i].valid(own(i));
            if taken || rows == 0 || rows > MOST_ROWS {
                return Ok(false);
            }
            if !(0..self.accumulators.len()).all(valid) {
                return Ok(false);
            }
        }
        for i in 0..self.accumulators.len() {
            let whole = match reader.number()? {
                0 => true,
                1 => self.load_skipped(i, slots, reader)?,
                _ => false,
            };
            if !whole || !self.accumulators[i].load(slots, reader)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many rows aggregate `i` left out: never more than the slot has.
    fn load_skipped(&mut self, i: usize, slots: &[u32], reader: &mut Reader<'_>) -> Result<bool> {
        let numbers = reader.numbers(slots.len())?;
        if self.skipped[i].is_empty() {
            self.skipped[i] = vec![0; self.slots()];
        }
        for (&slot, number) in slots.iter().zip(numbers) {
            match u32::try_from(number) {
                Ok(count) if number <= self.rows(slot) => self.skipped[i][slot as usize] = count,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
