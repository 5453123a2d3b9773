//! Where keys are found by their content: an index of integers, and keys of bytes.

use hashbrown::HashTable;

use super::encode::Encoded;
use super::hash_bytes;

/// Keys of bytes, side by side in one piece of memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytes {
    pub(super) arena: Vec<u8>,
    /// Where each number's key stands.
    pub(super) spans: Vec<(usize, usize)>,
    /// Half of the hash, and the number.
    pub(super) index: HashTable<(u32, u32)>,
    pub(super) scratch: Encoded,
}

impl Bytes {
    #[inline]
    pub(super) fn get(&self, id: u32) -> &[u8] {
        let (from, to) = self.spans[id as usize];
        &self.arena[from..to]
    }

    pub(super) fn put(&mut self, id: u32, key: &[u8]) {
        let from = self.arena.len();
        self.arena.extend_from_slice(key);
        let span = (from, self.arena.len());
        if id as usize == self.spans.len() {
            self.spans.push(span);
        } else {
            self.spans[id as usize] = span;
        }
    }

    /// Forgets all keys but these.
    pub(super) fn keep(&mut self, kept: &[u32]) {
        let mut packed = Bytes { spans: vec![(0, 0); self.spans.len()], ..Bytes::default() };
        for &id in kept {
            packed.put(id, self.get(id));
        }
        let (arena, spans) = (&packed.arena, &packed.spans);
        let of = |id: u32| &arena[spans[id as usize].0..spans[id as usize].1];
        for &id in kept {
            let hash = hash_bytes(of(id));
            packed.index.insert_unique(hash, (hash as u32, id), |&(_, id)| hash_bytes(of(id)));
        }
        packed.scratch = std::mem::take(&mut self.scratch);
        *self = packed;
    }
}

/// Integers to numbers: open addressing with linear probing, at most 5/8 full.
#[derive(Clone, Debug)]
pub(super) struct IntIndex {
    /// Key and number; [`IntIndex::NONE`] where nothing is.
    entries: Vec<(i64, u32)>,
    used: usize,
    shift: u32,
}

impl IntIndex {
    /// No number.
    pub(super) const NONE: u32 = u32::MAX;

    pub(super) fn with_room(keys: usize) -> IntIndex {
        IntIndex::with_slots((keys * 2 + 2).next_power_of_two().max(16))
    }

    fn with_slots(slots: usize) -> IntIndex {
        let shift = 64 - slots.trailing_zeros();
        IntIndex { entries: vec![(0, IntIndex::NONE); slots], used: 0, shift }
    }

    /// Where to look first. Multiplying by 2^64 over the golden ratio spreads keys over the high bits
    /// (Knuth, TAOCP 3, 6.4); the fold lets the high half of a key take part.
    #[inline]
    fn start(&self, key: i64) -> usize {
        let folded = key as u64 ^ (key as u64 >> 32);
        (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    /// The number of a key, [`IntIndex::NONE`] when it has none. Free entries hold key 0 and no number.
    #[inline]
    pub(super) fn find(&self, key: i64) -> u32 {
        let mask = self.entries.len() - 1;
        let mut at = self.start(key);
        loop {
            let (found, id) = self.entries[at & mask];
            if found == key || id == IntIndex::NONE {
                return id;
            }
            at += 1;
        }
    }

    /// Adds a key that is not there.
    pub(super) fn insert(&mut self, key: i64, id: u32) {
        if (self.used + 1) * 8 > self.entries.len() * 5 {
            let old = std::mem::replace(self, IntIndex::with_slots(self.entries.len() * 2));
            for (key, id) in old.entries.into_iter().filter(|e| e.1 != IntIndex::NONE) {
                self.insert(key, id);
            }
        }
        let mask = self.entries.len() - 1;
        let mut at = self.start(key);
        while self.entries[at & mask].1 != IntIndex::NONE {
            at += 1;
        }
        self.entries[at & mask] = (key, id);
        self.used += 1;
    }
}
