//! Keys of bytes, found by their content.

use hashbrown::HashTable;

use super::Encoded;
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

    /// Makes a number's key one that is found.
    pub(super) fn enter(&mut self, id: u32) {
        let (arena, spans) = (&self.arena, &self.spans);
        let hash_of = |id: u32| hash_bytes(&arena[spans[id as usize].0..spans[id as usize].1]);
        let hash = hash_of(id);
        self.index.insert_unique(hash, (hash as u32, id), |&(_, id)| hash_of(id));
    }

    /// Forgets all keys but these.
    pub(super) fn keep(&mut self, kept: &[u32]) {
        let mut packed = Bytes { spans: vec![(0, 0); self.spans.len()], ..Bytes::default() };
        for &id in kept {
            packed.put(id, self.get(id));
        }
        kept.iter().for_each(|&id| packed.enter(id));
        packed.scratch = std::mem::take(&mut self.scratch);
        *self = packed;
    }
}
