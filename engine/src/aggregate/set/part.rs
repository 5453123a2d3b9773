//! Accumulators taken out of one set and merged into another: how several subtasks share a window.

use highwater_kernels as kernels;

use super::AggregateSet;

/// The accumulators of some slots, apart from any set.
#[derive(Clone, Debug, Default)]
pub struct Part {
    words: Vec<u64>,
    /// For each aggregate, what each slot left out; empty when it left out nothing.
    skipped: Vec<Vec<u32>>,
}

impl AggregateSet {
    /// Slots from 0 on that [`AggregateSet::absorb`] works in.
    pub const SCRATCH: usize = 512;

    /// Whether parts of it merge to the same in any order.
    pub fn splits(&self) -> bool {
        self.accumulators.iter().all(|a| a.splits())
    }

    /// A copy of these slots' accumulators, of a set that [splits](AggregateSet::splits).
    pub fn part(&self, slots: &[u32]) -> Part {
        let stride = self.empty.len();
        let mut words = Vec::with_capacity(slots.len() * stride);
        // Slots mostly follow one another.
        for run in slots.chunk_by(|a, b| a + 1 == *b) {
            words.extend_from_slice(&self.words[run[0] as usize * stride..][..run.len() * stride]);
        }
        let left_out = |all: &Vec<u32>| match all.as_slice() {
            [] => Vec::new(),
            all => slots.iter().map(|&s| all[s as usize]).collect(),
        };
        Part { words, skipped: self.skipped.iter().map(left_out).collect() }
    }

    /// Puts a part into the empty slots beside it.
    pub fn place(&mut self, slots: &[u32], part: &Part) {
        let stride = self.empty.len();
        kernels::scatter_slots(&mut self.words, stride, slots, &part.words);
        let all = self.words.len() / stride;
        for (own, part) in self.skipped.iter_mut().zip(&part.skipped).filter(|p| !p.1.is_empty()) {
            own.resize(all, 0);
            slots.iter().zip(part).for_each(|(&slot, &skipped)| own[slot as usize] = skipped);
        }
    }

    /// Merges a part into the slots beside it; none of them among the first [`AggregateSet::SCRATCH`].
    pub fn absorb(&mut self, slots: &[u32], part: &Part) {
        let stride = self.empty.len();
        self.grow(AggregateSet::SCRATCH);
        let mut pairs = Vec::with_capacity(AggregateSet::SCRATCH);
        let pieces = part.words.chunks(AggregateSet::SCRATCH * stride);
        for (first, (slots, words)) in slots.chunks(AggregateSet::SCRATCH).zip(pieces).enumerate() {
            let rows = first * AggregateSet::SCRATCH..first * AggregateSet::SCRATCH + slots.len();
            self.words[..words.len()].copy_from_slice(words);
            let all = self.words.len() / stride;
            for (own, part) in self.skipped.iter_mut().zip(&part.skipped) {
                match (own.is_empty(), part.is_empty()) {
                    (true, true) => {}
                    (false, true) => own[..slots.len()].fill(0),
                    (_, false) => {
                        own.resize(all, 0);
                        own[..slots.len()].copy_from_slice(&part[rows.clone()]);
                    }
                }
            }
            pairs.clear();
            pairs.extend(slots.iter().copied().zip(0..));
            self.merge(&pairs);
        }
    }
}
