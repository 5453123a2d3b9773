//! Keys as dense numbers: hashed once a record, so that all else is an index into an array.

use arrow_array::{Array as _, StringArray};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

/// The key columns of a stream, and those of the rows that come out.
pub trait Keys {
    /// The number of a record's key, given out in the order of first appearance.
    fn id(&mut self, row: usize) -> usize;

    /// How many keys have appeared.
    fn count(&self) -> usize;

    /// Appends a key to the rows that come out.
    fn put(&mut self, id: usize);

    /// Forgets the rows that came out; answers how many bytes their keys had.
    fn clear(&mut self) -> usize;
}

type Ids<K> = HashMap<K, u32, FxBuildHasher>;

/// The number of a key that may be new.
#[inline]
fn intern<K: Copy + Eq + std::hash::Hash>(ids: &mut Ids<K>, known: &mut Vec<K>, key: K) -> usize {
    *ids.entry(key).or_insert_with(|| {
        known.push(key);
        // Far fewer keys than 2^32 fit any input in memory.
        (known.len() - 1) as u32
    }) as usize
}

/// The state of a key among those of so many keys; there is room for all of them then.
#[inline]
pub fn at<T: Clone>(states: &mut Vec<T>, id: usize, keys: usize, empty: T) -> &mut T {
    if id >= states.len() {
        states.resize(keys.max(id + 1), empty);
    }
    &mut states[id]
}

/// One column of whole numbers.
pub struct Long<'a> {
    column: &'a [i64],
    ids: Ids<i64>,
    known: Vec<i64>,
    out: Vec<i64>,
}

impl<'a> Long<'a> {
    /// No key yet.
    pub fn new(column: &'a [i64]) -> Long<'a> {
        Long { column, ids: Ids::default(), known: Vec::new(), out: Vec::new() }
    }

    /// The key of a number that has been given out.
    #[inline]
    pub fn key(&self, id: usize) -> i64 {
        self.known[id]
    }

    /// The same keys over the next piece of the column.
    pub fn over(self, column: &[i64]) -> Long<'_> {
        Long { column, ids: self.ids, known: self.known, out: self.out }
    }
}

impl Keys for Long<'_> {
    #[inline]
    fn id(&mut self, row: usize) -> usize {
        intern(&mut self.ids, &mut self.known, self.column[row])
    }

    fn count(&self) -> usize {
        self.known.len()
    }

    #[inline]
    fn put(&mut self, id: usize) {
        self.out.push(self.known[id]);
    }

    fn clear(&mut self) -> usize {
        let bytes = self.out.len() * 8;
        self.out.clear();
        bytes
    }
}

/// Two columns of whole numbers.
pub struct Pair<'a> {
    columns: [&'a [i64]; 2],
    ids: Ids<(i64, i64)>,
    known: Vec<(i64, i64)>,
    out: [Vec<i64>; 2],
}

impl<'a> Pair<'a> {
    /// No key yet.
    pub fn new(first: &'a [i64], second: &'a [i64]) -> Pair<'a> {
        Pair {
            columns: [first, second],
            ids: Ids::default(),
            known: Vec::new(),
            out: Default::default(),
        }
    }
}

impl Keys for Pair<'_> {
    #[inline]
    fn id(&mut self, row: usize) -> usize {
        let key = (self.columns[0][row], self.columns[1][row]);
        intern(&mut self.ids, &mut self.known, key)
    }

    fn count(&self) -> usize {
        self.known.len()
    }

    #[inline]
    fn put(&mut self, id: usize) {
        let (first, second) = self.known[id];
        self.out[0].push(first);
        self.out[1].push(second);
    }

    fn clear(&mut self) -> usize {
        let bytes = self.out[0].len() * 16;
        self.out.iter_mut().for_each(Vec::clear);
        bytes
    }
}

/// A column of text.
pub struct Text<'a> {
    column: &'a StringArray,
    ids: Ids<String>,
    known: Vec<String>,
    out: String,
    ends: Vec<usize>,
}

impl<'a> Text<'a> {
    /// No key yet.
    pub fn new(column: &'a StringArray) -> Text<'a> {
        debug_assert_eq!(column.null_count(), 0, "the stream has no NULL");
        let (ids, known) = (Ids::default(), Vec::new());
        Text { column, ids, known, out: String::new(), ends: Vec::new() }
    }
}

impl Keys for Text<'_> {
    #[inline]
    fn id(&mut self, row: usize) -> usize {
        let key = self.column.value(row);
        let known = &mut self.known;
        *self.ids.entry_ref(key).or_insert_with(|| {
            known.push(key.into());
            // Far fewer keys than 2^32 fit any input in memory.
            (known.len() - 1) as u32
        }) as usize
    }

    fn count(&self) -> usize {
        self.known.len()
    }

    #[inline]
    fn put(&mut self, id: usize) {
        self.out.push_str(&self.known[id]);
        self.ends.push(self.out.len());
    }

    fn clear(&mut self) -> usize {
        let bytes = self.out.len();
        self.out.clear();
        self.ends.clear();
        bytes
    }
}
