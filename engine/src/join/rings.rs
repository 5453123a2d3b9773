//! Buffered rows of both sides by key number: event times and row numbers in order of arrival, freed from
//! the front.
//!
//! A ring is a chain of small blocks, one cache line each, so that thousands of keys with a few rows each
//! stay in the cache, and a key's first row costs a block and no call to the allocator. The rings of a
//! key lie side by side and know the latest time of their last block, other blocks' latest times lie
//! apart from their entries: most of what is dead or too old is passed over without a look at it.

/// Entries a block.
const BLOCK: usize = 8;
/// No block.
const NONE: u32 = u32::MAX;

/// An event time as a ring keeps it: milliseconds after a base that all rings share.
pub(super) trait Delta: Copy + Default + Ord {
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

/// The rows of one key and side: a chain of blocks.
#[derive(Clone, Copy, Debug)]
struct Ring<T> {
    head: u32,
    tail: u32,
    /// How many entries of the tail are in use.
    last: u32,
    /// The latest time in the tail.
    newest: T,
}

impl<T: Delta> Ring<T> {
    fn empty() -> Ring<T> {
        Ring { head: NONE, tail: NONE, last: 0, newest: T::default() }
    }
}

/// What is known of a full block without a look at its entries.
#[derive(Clone, Copy, Debug)]
struct Link<T> {
    next: u32,
    /// The latest time in the block.
    newest: T,
}

/// The rings of both sides of a join. Times `dead` and earlier-than are relative to the base, too: an
/// entry before `dead` may be dropped whenever it is convenient.
#[derive(Clone, Default)]
pub(super) struct Rings<T> {
    rings: Vec<[Ring<T>; 2]>,
    blocks: Vec<[Entry<T>; BLOCK]>,
    /// One a block.
    links: Vec<Link<T>>,
    free: Vec<u32>,
}

impl<T: Delta> Rings<T> {
    /// Makes room for so many key numbers.
    pub(super) fn reach(&mut self, keys: usize) {
        if self.rings.len() < keys {
            self.rings.resize(keys, [Ring::empty(); 2]);
        }
    }

    /// How many blocks hold entries.
    pub(super) fn used(&self) -> usize {
        self.blocks.len() - self.free.len()
    }

    /// Appends a row.
    #[inline]
    pub(super) fn push(&mut self, (side, key): (usize, u32), entry: Entry<T>, dead: i64) {
        let ring = &self.rings[key as usize][side];
        if ring.head == NONE || ring.last as usize == BLOCK {
            self.extend((side, key), dead);
        }
        let ring = &mut self.rings[key as usize][side];
        self.blocks[ring.tail as usize][ring.last as usize] = entry;
        ring.newest = if ring.last == 0 { entry.time } else { ring.newest.max(entry.time) };
        ring.last += 1;
    }

    /// Puts an empty block at the end of a ring, first dropping what is dead at its front.
    fn extend(&mut self, (side, key): (usize, u32), dead: i64) {
        self.expire((side, key), dead);
        let link = Link { next: NONE, newest: T::default() };
        let block = self.free.pop().unwrap_or_else(|| {
            self.blocks.push([Entry::default(); BLOCK]);
            self.links.push(link);
            self.blocks.len() as u32 - 1
        });
        let ring = &mut self.rings[key as usize][side];
        match ring.tail {
            NONE => ring.head = block,
            tail => self.links[tail as usize] = Link { next: block, newest: ring.newest },
        }
        (ring.tail, ring.last) = (block, 0);
    }

    /// Drops blocks at the front of a ring that hold nothing but what is dead.
    #[inline]
    fn expire(&mut self, (side, key): (usize, u32), dead: i64) {
        let ring = &mut self.rings[key as usize][side];
        while ring.head != NONE {
            let alone = ring.head == ring.tail;
            let link = if alone { None } else { Some(self.links[ring.head as usize]) };
            if link.map_or(ring.newest, |l| l.newest).get() >= dead {
                return;
            }
            self.free.push(ring.head);
            match link {
                None => *ring = Ring::empty(),
                Some(link) => ring.head = link.next,
            }
        }
    }

    /// Those of some rows whose keys have rows on a side; whatever was in `found` goes.
    ///
    /// Without a branch, as nobody can guess which.
    pub(super) fn with_rows(&self, side: usize, keys: &[u32], rows: &[u32], found: &mut Vec<u32>) {
        found.clear();
        found.resize(rows.len(), 0);
        let mut count = 0;
        for &row in rows {
            found[count] = row;
            let ring = &self.rings[keys[row as usize] as usize][side];
            count += usize::from(ring.head != NONE);
        }
        found.truncate(count);
    }

    /// The rows of a key with times in `from..=to`, in order of arrival.
    #[inline]
    pub(super) fn find(
        &mut self,
        at: (usize, u32),
        (from, to): (i64, i64),
        dead: i64,
        found: &mut Vec<u32>,
    ) {
        self.expire(at, dead);
        for entries in self.entries_from(at, from) {
            for e in entries {
                if (from..=to).contains(&e.time.get()) {
                    found.push(e.row);
                }
            }
        }
    }

    /// The entries of a key, block after block, in order of arrival.
    pub(super) fn entries(&self, at: (usize, u32)) -> impl Iterator<Item = &[Entry<T>]> {
        self.entries_from(at, i64::MIN)
    }

    /// The same without blocks that hold nothing from time `from` on.
    #[inline]
    fn entries_from(&self, at: (usize, u32), from: i64) -> impl Iterator<Item = &[Entry<T>]> {
        let (side, key) = at;
        let ring = self.rings.get(key as usize).map_or_else(Ring::empty, |pair| pair[side]);
        let mut block = ring.head;
        std::iter::from_fn(move || {
            while block != NONE {
                let at = block as usize;
                let (next, newest, count) = match block == ring.tail {
                    true => (NONE, ring.newest, ring.last as usize),
                    false => (self.links[at].next, self.links[at].newest, BLOCK),
                };
                block = next;
                if newest.get() >= from {
                    return Some(&self.blocks[at][..count]);
                }
            }
            None
        })
    }

    /// The keys that have rows on a side.
    pub(super) fn keys(&self, side: usize) -> impl Iterator<Item = u32> + '_ {
        (0..self.rings.len() as u32).filter(move |&key| self.rings[key as usize][side].head != NONE)
    }

    /// Drops all that is dead, wherever it stands; `dead` by side.
    pub(super) fn sweep(&mut self, dead: [i64; 2]) {
        let mut kept = Vec::new();
        for (side, dead) in dead.into_iter().enumerate() {
            for key in 0..self.rings.len() as u32 {
                let all = || self.entries((side, key)).flatten();
                kept.clear();
                kept.extend(all().filter(|e| e.time.get() >= dead).copied());
                if all().count() > kept.len() {
                    self.clear((side, key));
                    kept.iter().for_each(|&entry| self.push((side, key), entry, i64::MIN));
                }
            }
        }
    }

    fn clear(&mut self, (side, key): (usize, u32)) {
        let ring = std::mem::replace(&mut self.rings[key as usize][side], Ring::empty());
        let mut block = ring.head;
        while block != NONE {
            self.free.push(block);
            block = if block == ring.tail { NONE } else { self.links[block as usize].next };
        }
    }

    /// The earliest and the latest time there is.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        let keys = [0, 1].into_iter().flat_map(|side| self.keys(side).map(move |key| (side, key)));
        let times = keys.flat_map(|at| self.entries(at)).flatten().map(|e| e.time.get());
        times.fold(None, |span, time| match span {
            None => Some((time, time)),
            Some((least, most)) => Some((time.min(least), time.max(most))),
        })
    }

    /// The same rows with times after another base, or in another form. The caller has made sure that
    /// they fit.
    pub(super) fn rebased<U: Delta>(&self, base: i64, new_base: i64) -> Rings<U> {
        let time = |t: T| U::of(t.get().saturating_add(base), new_base).unwrap_or_default();
        let entry = |e: &Entry<T>| Entry { time: time(e.time), row: e.row };
        let ring =
            |r: &Ring<T>| Ring { head: r.head, tail: r.tail, last: r.last, newest: time(r.newest) };
        let link = |l: &Link<T>| Link { next: l.next, newest: time(l.newest) };
        Rings {
            rings: self.rings.iter().map(|pair| [ring(&pair[0]), ring(&pair[1])]).collect(),
            blocks: self.blocks.iter().map(|b| std::array::from_fn(|i| entry(&b[i]))).collect(),
            links: self.links.iter().map(link).collect(),
            free: self.free.clone(),
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
        let mut lists: Vec<VecDeque<(i64, u32)>> = vec![VecDeque::new(); 10];
        let mut x = 7_u64;
        let mut dice = |n: u64| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 33) % n
        };
        let (mut hits, mut most) = (0, 0);
        for row in 0..20_000_u32 {
            let (side, key) = (dice(2) as usize, dice(5) as u32);
            let dead = i64::from(row) - 100;
            let time = i64::from(row).saturating_add(dice(60) as i64);
            rings.push((side, key), Entry { time: time as u32, row }, dead);
            lists[side * 5 + key as usize].push_back((time, row));
            let (side, key) = (dice(2) as usize, dice(5) as u32);
            let from = dead + dice(120) as i64;
            let range = (from, from + dice(50) as i64);
            let mut found = Vec::new();
            rings.find((side, key), range, dead, &mut found);
            let list = &lists[side * 5 + key as usize];
            let wanted = list.iter().filter(|(t, _)| *t >= range.0 && *t <= range.1);
            assert_eq!(found, wanted.map(|(_, r)| *r).collect::<Vec<u32>>(), "row {row}");
            hits += found.len();
            most = most.max(rings.used());
            if row % 1_000 == 999 {
                rings.sweep([dead; 2]);
                lists.iter_mut().for_each(|l| l.retain(|(t, _)| *t >= dead));
            }
        }
        assert!(hits > 10_000, "{hits}");
        assert!(most < 90, "the front is freed on the way: {most} blocks");
        let keys = |rings: &Rings<u32>, side| rings.keys(side).collect::<Vec<u32>>();
        assert_eq!([keys(&rings, 0), keys(&rings, 1)], [[0, 1, 2, 3, 4]; 2]);
        rings.sweep([i64::MAX, 0]);
        assert_eq!(rings.keys(0).count(), 0);
        assert_eq!(keys(&rings, 1), [0, 1, 2, 3, 4]);
        rings.sweep([i64::MAX; 2]);
        assert_eq!(rings.used(), 0);
    }
}
