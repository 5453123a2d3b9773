//! An index of integers: open addressing with linear probing, at most 5/8 full.

/// No number.
pub const NONE: u32 = u32::MAX;

/// Integers, each with a number.
#[derive(Clone, Debug)]
pub struct IntIndex {
    /// Key and number. Free entries hold key 0 and [`NONE`].
    entries: Vec<(i64, u32)>,
    used: usize,
    shift: u32,
}

impl IntIndex {
    /// An empty index with room for so many keys.
    pub fn with_room(keys: usize) -> IntIndex {
        IntIndex::with_slots((keys * 2 + 2).next_power_of_two().max(16))
    }

    fn with_slots(slots: usize) -> IntIndex {
        let shift = 64 - slots.trailing_zeros();
        IntIndex { entries: vec![(0, NONE); slots], used: 0, shift }
    }

    /// Where to look first. Multiplying by 2^64 over the golden ratio spreads keys over the high bits
    /// (Knuth, TAOCP 3, 6.4); the fold lets the high half of a key take part.
    #[inline(always)]
    fn start(&self, key: i64) -> usize {
        let folded = (key as u64) ^ (key as u64 >> 32);
        (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    /// The number of a key, [`NONE`] when it has none.
    #[inline(always)]
    pub fn find(&self, key: i64) -> u32 {
        let mask = self.entries.len() - 1;
        let mut at = self.start(key);
        loop {
            let (found, id) = self.entries[at & mask];
            if found == key || id == NONE {
                return id;
            }
            at += 1;
        }
    }

    /// The numbers of many keys, [`NONE`] for those without; whether there are such.
    #[inline(never)]
    pub fn find_wide(&self, keys: &[i64], ids: &mut Vec<u32>) -> bool {
        self.find_all(keys.iter().copied(), ids)
    }

    /// [`IntIndex::find_wide`] of 32-bit keys.
    #[inline(never)]
    pub fn find_narrow(&self, keys: &[i32], ids: &mut Vec<u32>) -> bool {
        self.find_all(keys.iter().map(|&k| k.into()), ids)
    }

    #[inline(always)]
    fn find_all(&self, keys: impl Iterator<Item = i64>, ids: &mut Vec<u32>) -> bool {
        let mut unknown = false;
        ids.extend(keys.map(|key| {
            let id = self.find(key);
            unknown |= id == NONE;
            id
        }));
        unknown
    }

    /// Adds a key that is not there.
    pub fn insert(&mut self, key: i64, id: u32) {
        if (self.used + 1) * 8 > self.entries.len() * 5 {
            let old = std::mem::replace(self, IntIndex::with_slots(self.entries.len() * 2));
            for (key, id) in old.entries.into_iter().filter(|e| e.1 != NONE) {
                self.insert(key, id);
            }
        }
        let mask = self.entries.len() - 1;
        let mut at = self.start(key);
        while self.entries[at & mask].1 != NONE {
            at += 1;
        }
        self.entries[at & mask] = (key, id);
        self.used += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_finds_what_a_map_finds() {
        for stride in [1, 7, 1 << 20, 1 << 32, (1 << 32) + 1, -3] {
            let mut index = IntIndex::with_room(0);
            let mut map = BTreeMap::new();
            for i in 0..5_000_i64 {
                let key = i.wrapping_mul(stride);
                let known = *map.entry(key).or_insert(i as u32);
                if index.find(key) == NONE {
                    index.insert(key, i as u32);
                }
                assert_eq!(index.find(key), known);
            }
            let keys: Vec<i64> = (-50..5_050).map(|i: i64| i.wrapping_mul(stride)).collect();
            let mut ids = Vec::new();
            let unknown = index.find_wide(&keys, &mut ids);
            let expected: Vec<u32> =
                keys.iter().map(|k| map.get(k).copied().unwrap_or(NONE)).collect();
            assert_eq!((unknown, ids), (expected.contains(&NONE), expected));
        }
        let mut index = IntIndex::with_room(1);
        index.insert(-4, 9);
        let mut ids = Vec::new();
        assert!(index.find_narrow(&[-4, 4], &mut ids));
        assert_eq!(ids, [9, NONE]);
    }
}
