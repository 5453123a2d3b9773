//! Buffered rows by key number: event times and row numbers in order of arrival, freed from the front.
//!
//! A ring is a chain of small blocks, one cache line each, so that thousands of keys with a few rows each
//! stay in the cache, and a key's first row costs a block and no call to the allocator.

/// Entries a block.
const BLOCK: usize = 8;
/// No block.
const NONE: u32 = u32::MAX;

/// An event time as a ring keeps it: milliseconds after a base that all rings share.
pub(super) trait Delta: Copy + Default {
    /// The milliseconds.
    fn get(self) -> i64;
    /// A time after the base, if it can be kept so.
    fn of(time: i64, base: i64) -> Option<Self>;
}

/// 49 days in half the space.
impl Delta for u32 {
    #[inline]
    fn get(self) -> i64 {
        i64::from(self)
    }

    #[inline]
    fn of(time: i64, base: i64) -> Option<u32> {
        time.checked_sub(base).and_then(|delta| u32::try_from(delta).ok())
    }
}

/// Any time at all, with a base of 0.
impl Delta for i64 {
    #[inline]
    fn get(self) -> i64 {
        self
    }

    #[inline]
    fn of(time: i64, base: i64) -> Option<i64> {
        time.checked_sub(base)
    }
}

/// A buffered row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry<T> {
    /// Its event time.
    pub time: T,
    /// Its number in the store of its side.
    pub row: u32,
}

#[derive(Clone, Copy, Debug)]
struct Ring {
    head: u32,
    tail: u32,
    /// The first entry of the head that counts.
    first: u8,
    /// How many entries of the tail are in use.
    last: u8,
}

const EMPTY: Ring = Ring { head: NONE, tail: NONE, first: 0, last: 0 };

/// The rings of one side of a join. Times `dead` and earlier-than are relative to the base, too: an
/// entry before `dead` may be dropped whenever it is convenient.
#[derive(Clone, Default)]
pub(super) struct Rings<T> {
    rings: Vec<Ring>,
    blocks: Vec<[Entry<T>; BLOCK]>,
    next: Vec<u32>,
    free: Vec<u32>,
    scratch: Vec<Entry<T>>,
}

impl<T: Delta> Rings<T> {
    /// Makes room for so many key numbers.
    pub(super) fn reach(&mut self, keys: usize) {
        if self.rings.len() < keys {
            self.rings.resize(keys, EMPTY);
        }
    }

    /// How many blocks hold entries.
    pub(super) fn used(&self) -> usize {
        self.blocks.len() - self.free.len()
    }

    /// Appends a row.
    #[inline]
    pub(super) fn push(&mut self, key: u32, entry: Entry<T>, dead: i64) {
        let ring = self.rings[key as usize];
        if ring.head == NONE || usize::from(ring.last) == BLOCK {
            self.extend(key, dead);
        }
        let ring = &mut self.rings[key as usize];
        self.blocks[ring.tail as usize][usize::from(ring.last)] = entry;
        ring.last += 1;
    }

    /// Puts an empty block at the end of a ring, first dropping what is dead at its front.
    fn extend(&mut self, key: u32, dead: i64) {
        self.expire(key, dead);
        let block = self.free.pop().unwrap_or_else(|| {
            self.blocks.push([Entry::default(); BLOCK]);
            self.next.push(NONE);
            self.blocks.len() as u32 - 1
        });
        let ring = &mut self.rings[key as usize];
        match ring.tail {
            NONE => *ring = Ring { head: block, tail: block, first: 0, last: 0 },
            tail => {
                self.next[tail as usize] = block;
                (ring.tail, ring.last) = (block, 0);
            }
        }
    }

    /// Drops what is dead at the front of a ring.
    fn expire(&mut self, key: u32, dead: i64) {
        let ring = &mut self.rings[key as usize];
        while ring.head != NONE {
            let block = &self.blocks[ring.head as usize];
            let alone = ring.head == ring.tail;
            let end = if alone { usize::from(ring.last) } else { BLOCK };
            let entries = &block[usize::from(ring.first)..end];
            let gone = entries.iter().take_while(|e| e.time.get() < dead).count();
            if gone < entries.len() {
                ring.first += gone as u8;
                return;
            }
            self.free.push(ring.head);
            match alone {
                true => *ring = EMPTY,
                false => (ring.head, ring.first) = (self.next[ring.head as usize], 0),
            }
        }
    }

    /// The rows of a key with times in `from..=to`, in order of arrival.
    #[inline]
    pub(super) fn find(
        &mut self,
        key: u32,
        (from, to): (i64, i64),
        dead: i64,
        found: &mut Vec<u32>,
    ) {
        if self.rings[key as usize].head == NONE {
            return;
        }
        self.expire(key, dead);
        let hit = |e: &&Entry<T>| (from..=to).contains(&e.time.get());
        for entries in self.entries(key) {
            found.extend(entries.iter().filter(hit).map(|e| e.row));
        }
    }

    /// The entries of a key, block after block, in order of arrival.
    pub(super) fn entries(&self, key: u32) -> impl Iterator<Item = &[Entry<T>]> {
        let ring = self.rings.get(key as usize).copied().unwrap_or(EMPTY);
        let mut block = ring.head;
        std::iter::from_fn(move || {
            let at = block;
            let entries = self.blocks.get(at as usize)?;
            block = if at == ring.tail { NONE } else { self.next[at as usize] };
            let first = if at == ring.head { usize::from(ring.first) } else { 0 };
            let end = if at == ring.tail { usize::from(ring.last) } else { BLOCK };
            Some(&entries[first..end])
        })
    }

    /// The keys that have rows.
    pub(super) fn keys(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.rings.len() as u32).filter(|&key| self.rings[key as usize].head != NONE)
    }

    /// Drops all that is dead, wherever it stands.
    pub(super) fn sweep(&mut self, dead: i64) {
        let mut kept = std::mem::take(&mut self.scratch);
        for key in 0..self.rings.len() as u32 {
            let ring = self.rings[key as usize];
            if ring.head == NONE {
                continue;
            }
            kept.clear();
            let mut dropped = false;
            for entries in self.entries(key) {
                kept.extend(entries.iter().filter(|e| e.time.get() >= dead));
                dropped |= entries.iter().any(|e| e.time.get() < dead);
            }
            if !dropped {
                continue;
            }
            self.clear(key);
            kept.iter().for_each(|&entry| self.push(key, entry, i64::MIN));
        }
        self.scratch = kept;
    }

    fn clear(&mut self, key: u32) {
        let ring = std::mem::replace(&mut self.rings[key as usize], EMPTY);
        let mut block = ring.head;
        while block != NONE {
            self.free.push(block);
            block = if block == ring.tail { NONE } else { self.next[block as usize] };
        }
    }

    /// The earliest and the latest time there is.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        let entries = self.keys().flat_map(|key| self.entries(key)).flatten();
        entries.map(|e| e.time.get()).fold(None, |span, time| match span {
            None => Some((time, time)),
            Some((least, most)) => Some((time.min(least), time.max(most))),
        })
    }

    /// The same rows with times after another base, or in another form. The caller has made sure that
    /// they fit.
    pub(super) fn rebased<U: Delta>(&self, base: i64, new_base: i64) -> Rings<U> {
        let entry = |e: &Entry<T>| Entry {
            time: U::of(e.time.get().saturating_add(base), new_base).unwrap_or_default(),
            row: e.row,
        };
        Rings {
            rings: self.rings.clone(),
            blocks: self.blocks.iter().map(|b| std::array::from_fn(|i| entry(&b[i]))).collect(),
            next: self.next.clone(),
            free: self.free.clone(),
            scratch: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Rows come, are looked for and die; plain lists say what must be found.
    #[test]
    fn what_is_found_is_what_lists_hold() {
        let mut rings: Rings<u32> = Rings::default();
        rings.reach(5);
        let mut lists: Vec<VecDeque<(i64, u32)>> = vec![VecDeque::new(); 5];
        let mut x = 7_u64;
        let mut dice = |n: u64| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 33) % n
        };
        let (mut hits, mut most) = (0, 0);
        for row in 0..20_000_u32 {
            let key = dice(5) as u32;
            let dead = i64::from(row) - 100;
            let time = i64::from(row).saturating_add(dice(60) as i64);
            rings.push(key, Entry { time: time as u32, row }, dead);
            lists[key as usize].push_back((time, row));
            let (key, from) = (dice(5) as u32, dead + dice(120) as i64);
            let range = (from, from + dice(50) as i64);
            let mut found = Vec::new();
            rings.find(key, range, dead, &mut found);
            let wanted = lists[key as usize].iter().filter(|(t, _)| *t >= range.0 && *t <= range.1);
            assert_eq!(found, wanted.map(|(_, r)| *r).collect::<Vec<u32>>(), "row {row}");
            hits += found.len();
            most = most.max(rings.used());
            if row % 1_000 == 999 {
                rings.sweep(dead);
                lists.iter_mut().for_each(|l| l.retain(|(t, _)| *t >= dead));
            }
        }
        assert!(hits > 10_000, "{hits}");
        assert!(most < 60, "the front is freed on the way: {most} blocks");
        assert_eq!(rings.keys().collect::<Vec<u32>>(), [0, 1, 2, 3, 4]);
        rings.sweep(i64::MAX);
        assert_eq!((rings.keys().count(), rings.used()), (0, 0));
    }
}
