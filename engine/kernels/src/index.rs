//! An index of integers: a list where they lie near each other, else a table of their hashes.

/// No number.
pub const NONE: u32 = u32::MAX;

/// Integers whose lowest and highest are at most this many times their number apart, and this far besides, lie near
/// each other.
const SPARSE: (i128, i128) = (4, 256);

/// Integers, each with a number.
#[derive(Clone, Debug)]
pub struct IntIndex {
    form: Form,
    used: usize,
    /// The lowest and the highest key.
    span: Option<(i64, i64)>,
}

#[derive(Clone, Debug)]
enum Form {
    /// Keys near each other, as those that somebody has counted out: the number of `base + i`, around 2^64, is at `i`.
    Near { base: i64, ids: Vec<u32> },
    /// Any others.
    Hashed(Hashed),
}

/// Open addressing with linear probing, at most 5/8 full.
#[derive(Clone, Debug)]
struct Hashed {
    /// Key and number. Free entries hold key 0 and [`NONE`].
    entries: Vec<(i64, u32)>,
    shift: u32,
}

impl Hashed {
    fn with_slots(slots: usize) -> Hashed {
        Hashed { entries: vec![(0, NONE); slots], shift: 64 - slots.trailing_zeros() }
    }

    /// Where to look first. Multiplying by 2^64 over the golden ratio spreads keys over the high bits
    /// (Knuth, TAOCP 3, 6.4); the fold lets the high half of a key take part.
    #[inline(always)]
    fn start(&self, key: i64) -> usize {
        let folded = (key as u64) ^ (key as u64 >> 32);
        (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    #[inline(always)]
    fn find(&self, key: i64) -> u32 {
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

    /// Puts a key where none is.
    fn put(&mut self, key: i64, id: u32) {
        let mask = self.entries.len() - 1;
        let mut at = self.start(key);
        while self.entries[at & mask].1 != NONE {
            at += 1;
        }
        self.entries[at & mask] = (key, id);
    }
}

#[inline(always)]
fn near(ids: &[u32], base: i64, key: i64) -> u32 {
    let at = key.wrapping_sub(base) as u64;
    if at < ids.len() as u64 { ids[at as usize] } else { NONE }
}

impl IntIndex {
    /// An empty index.
    pub fn new() -> IntIndex {
        IntIndex { form: Form::Near { base: 0, ids: Vec::new() }, used: 0, span: None }
    }

    /// The number of a key, [`NONE`] when it has none.
    #[inline(always)]
    pub fn find(&self, key: i64) -> u32 {
        match &self.form {
            Form::Near { base, ids } => near(ids, *base, key),
            Form::Hashed(hashed) => hashed.find(key),
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
        fn all(
            keys: impl Iterator<Item = i64>,
            find: impl Fn(i64) -> u32,
            ids: &mut Vec<u32>,
        ) -> bool {
            let mut unknown = false;
            ids.extend(keys.map(|key| {
                let id = find(key);
                unknown |= id == NONE;
                id
            }));
            unknown
        }
        match &self.form {
            Form::Near { base, ids: list } => all(keys, |key| near(list, *base, key), ids),
            Form::Hashed(hashed) => all(keys, |key| hashed.find(key), ids),
        }
    }

    /// Adds a key that is not there.
    pub fn insert(&mut self, key: i64, id: u32) {
        let (low, high) = self.span.unwrap_or((key, key));
        self.span = Some((low.min(key), high.max(key)));
        self.used += 1;
        if !self.has_room(key) {
            self.make_room(low.min(key), high.max(key));
        }
        match &mut self.form {
            Form::Near { base, ids } => ids[key.wrapping_sub(*base) as u64 as usize] = id,
            Form::Hashed(hashed) => hashed.put(key, id),
        }
    }

    fn has_room(&self, key: i64) -> bool {
        match &self.form {
            Form::Near { base, ids } => (key.wrapping_sub(*base) as u64) < ids.len() as u64,
            Form::Hashed(hashed) => self.used * 8 <= hashed.entries.len() * 5,
        }
    }

    /// Takes the form that keys of this span have now.
    fn make_room(&mut self, low: i64, high: i64) {
        let all: Vec<(i64, u32)> = match &self.form {
            Form::Near { base, ids } => {
                let keys = ids.iter().zip(0..).map(|(&id, i)| (base.wrapping_add(i), id));
                keys.filter(|key| key.1 != NONE).collect()
            }
            Form::Hashed(hashed) => {
                hashed.entries.iter().copied().filter(|e| e.1 != NONE).collect()
            }
        };
        let width = i128::from(high) - i128::from(low) + 1;
        self.form = if width <= SPARSE.0 * self.used as i128 + SPARSE.1 {
            // As much room below as above, so that it is made seldom whichever way keys go.
            let (width, room) = (width as usize, width as usize / 2 + 64);
            let base = low.wrapping_sub(room as i64 / 2);
            let mut ids = vec![NONE; width + room];
            all.iter().for_each(|&(key, id)| ids[key.wrapping_sub(base) as u64 as usize] = id);
            Form::Near { base, ids }
        } else {
            let slots = (self.used * 2 + 2).next_power_of_two().max(16);
            let mut hashed = Hashed::with_slots(slots);
            all.into_iter().for_each(|(key, id)| hashed.put(key, id));
            Form::Hashed(hashed)
        };
    }
}

impl Default for IntIndex {
    fn default() -> IntIndex {
        IntIndex::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_finds_what_a_map_finds() {
        for stride in [1, 7, 1 << 20, 1 << 32, (1 << 32) + 1, -3] {
            let mut index = IntIndex::new();
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
        let mut index = IntIndex::new();
        index.insert(-4, 9);
        let mut ids = Vec::new();
        assert!(index.find_narrow(&[-4, 4], &mut ids));
        assert_eq!(ids, [9, NONE]);
    }

    /// Keys that grow up, down, both ways and over the end of all integers, then scatter: whatever form they are in.
    #[test]
    fn it_changes_its_form_and_keeps_what_it_has() {
        let ways: [fn(i64) -> i64; 6] = [
            |i| i,
            |i| -i,
            |i| if i % 2 == 0 { i } else { -i },
            |i| i64::MAX - i,
            |i| i64::MIN + i,
            |i| i64::MIN.wrapping_add(if i % 2 == 0 { i } else { -i }),
        ];
        for way in ways {
            let mut index = IntIndex::new();
            let scattered = (0..3_000).map(|i: i64| i.wrapping_mul(0x1234_5678_9abc_def1));
            let keys: Vec<i64> = (0..3_000).map(way).chain(scattered).collect();
            let mut map = BTreeMap::new();
            for (&key, id) in keys.iter().zip(0..) {
                if let std::collections::btree_map::Entry::Vacant(free) = map.entry(key) {
                    free.insert(id);
                    assert_eq!(index.find(key), NONE);
                    index.insert(key, id);
                }
                assert_eq!(index.find(key), map[&key]);
                assert_eq!(
                    index.find(key ^ 1 << 40),
                    map.get(&(key ^ 1 << 40)).map_or(NONE, |&id| id)
                );
            }
            assert!(map.iter().all(|(&key, &id)| index.find(key) == id));
            assert!(matches!(index.form, Form::Hashed(_)));
        }
    }

    /// However keys come, room is made for few of them.
    #[test]
    fn room_is_made_seldom() {
        for way in [|i: i64| i, |i: i64| -i, |i: i64| if i % 2 == 0 { i } else { -i }] {
            let mut index = IntIndex::new();
            let mut made = 0;
            for i in 0..100_000 {
                let before = index.room();
                index.insert(way(i), 0);
                made += usize::from(before != index.room());
            }
            assert!(made < 40, "{made}");
            assert!(index.room() < 400_000);
        }
    }

    /// Keys of a wide range are hashed as long as there are few, and listed when there are many.
    #[test]
    fn what_fills_its_range_is_listed() {
        let mut index = IntIndex::new();
        let key = |i: i64| i * 7_919 % 10_007;
        for (i, id) in (0..10_007).zip(0..) {
            index.insert(key(i), id);
            let few = (3..1_000).contains(&i);
            assert!(!few || matches!(index.form, Form::Hashed(_)), "{i}");
        }
        assert!(matches!(index.form, Form::Near { .. }));
        assert!((0..10_007).zip(0..).all(|(i, id)| index.find(key(i)) == id));
    }

    impl IntIndex {
        fn room(&self) -> usize {
            match &self.form {
                Form::Near { ids, .. } => ids.len(),
                Form::Hashed(hashed) => hashed.entries.len(),
            }
        }
    }
}
