//! The open windows of a guest: by key, by end, each with a slot of the slab.

use std::collections::BTreeMap;

use crate::batch::Batch;
use crate::key::{self, KeyColumns, KeyOrder, KeyTable};
use crate::time::EventTime;
use crate::udf::Assigned;
use crate::value::Value;

use super::super::closed;

/// An open window of one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub start: i64,
    pub end: i64,
    /// Its accumulator.
    pub slot: u32,
    /// The trace's number.
    pub number: u64,
}

/// The windows of some bounds, by key number.
#[derive(Clone)]
struct Shared {
    bounds: (i64, i64),
    slots: Vec<u32>,
}

/// No window.
const NONE: u32 = u32::MAX;
/// How many bounds are looked up by key number.
const SHARED: usize = 8;

/// All open windows, and the slab of their accumulators.
#[derive(Clone)]
pub(super) struct OpenWindows {
    keys: KeyTable,
    /// By key number, each key's by start, then end.
    windows: Vec<Vec<Window>>,
    /// Key and number of windows by their end. A window that has grown or gone leaves its entry behind.
    timers: BTreeMap<i64, Vec<(u32, u64)>>,
    /// Of a few bounds that many keys share, the slot of each key's window.
    shared: Vec<Shared>,
    /// Bounds that were looked for before in vain.
    wanted: (i64, i64),
    slab: Vec<u8>,
    stride: usize,
    slots: u32,
    free: Vec<u32>,
}

impl OpenWindows {
    /// None, for keys of these types; `stride` bytes an accumulator.
    pub(super) fn new(keys: &KeyColumns, order: KeyOrder, stride: usize) -> OpenWindows {
        OpenWindows {
            keys: KeyTable::new(&keys.types, order),
            windows: Vec::new(),
            timers: BTreeMap::new(),
            shared: Vec::new(),
            wanted: (0, 0),
            slab: Vec::new(),
            stride,
            slots: 0,
            free: Vec::new(),
        }
    }

    /// Numbers the keys of a batch's rows.
    pub(super) fn intern(&mut self, keys: &KeyColumns, batch: &Batch, ids: &mut Vec<u32>) {
        self.keys.intern(keys, batch, (0, batch.rows), ids);
        self.windows.resize(self.keys.numbers().max(self.windows.len()), Vec::new());
    }

    /// The windows of a key, by start, then end.
    #[inline]
    pub(super) fn of(&self, id: u32) -> &[Window] {
        &self.windows[id as usize]
    }

    /// The slot of a key's window of these bounds. For windows that never change their bounds.
    #[inline]
    pub(super) fn find(&mut self, bounds: (i64, i64), id: u32) -> Option<u32> {
        match self.shared.iter().find(|s| s.bounds == bounds) {
            Some(shared) => shared.slots.get(id as usize).copied().filter(|&slot| slot != NONE),
            None => self.find_slowly(bounds, id),
        }
    }

    /// Puts rows that follow one another, each in the same one window of its key, to the slots of those; how
    /// many. It ends before row `to`, and before the first row whose window is another or not known.
    pub(super) fn find_run(
        &self,
        assigned: &Assigned,
        first: usize,
        to: u32,
        ids: &[u32],
        (rows, slots): (&mut Vec<u32>, &mut Vec<u32>),
    ) -> usize {
        let starts = assigned.starts.get(first..).unwrap_or_default();
        let ends = assigned.ends.get(first..).unwrap_or_default();
        let (Some(&start), Some(&end)) = (starts.first(), ends.first()) else { return 0 };
        let Some(shared) = self.shared.iter().find(|s| s.bounds == (start, end)) else { return 0 };
        let known = &assigned.rows[first..];
        // Rows never fall: one that is its follower's too has several windows.
        let followers = known[1..].iter().copied().chain([u32::MAX]);
        let before = rows.len();
        for (((&row, follower), &s), &e) in known.iter().zip(followers).zip(starts).zip(ends) {
            let slot = shared.slots.get(ids[row as usize] as usize).copied().unwrap_or(NONE);
            if row >= to || row == follower || (s, e) != (start, end) || slot == NONE {
                break;
            }
            rows.push(row);
            slots.push(slot);
        }
        rows.len() - before
    }

    #[cold]
    #[inline(never)]
    fn find_slowly(&mut self, bounds: (i64, i64), id: u32) -> Option<u32> {
        let slot = |list: &[Window]| {
            list.iter().find(|w| (w.start, w.end) == bounds).map_or(NONE, |w| w.slot)
        };
        // Bounds of one window alone are not worth a list: asked for twice in a row they are.
        if std::mem::replace(&mut self.wanted, bounds) == bounds {
            let slots = self.windows.iter().map(|list| slot(list)).collect();
            self.shared.truncate(SHARED - 1);
            self.shared.insert(0, Shared { bounds, slots });
        }
        Some(slot(self.of(id))).filter(|&slot| slot != NONE)
    }

    /// A key's values.
    pub(super) fn key(&self, id: u32) -> Vec<Value> {
        self.keys.key(id)
    }

    /// The keys.
    pub(super) fn keys(&self) -> &KeyTable {
        &self.keys
    }

    /// The accumulators.
    pub(super) fn slab(&mut self) -> &mut [u8] {
        &mut self.slab
    }

    /// The accumulator of a slot.
    pub(super) fn accumulator(&self, slot: u32) -> &[u8] {
        &self.slab[slot as usize * self.stride..][..self.stride]
    }

    /// Sets a new accumulator aside; its slot.
    pub(super) fn slot(&mut self, accumulator: &[u8]) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slab.resize(self.slab.len() + self.stride, 0);
            self.slots += 1;
            self.slots - 1
        });
        self.slab[slot as usize * self.stride..][..self.stride].copy_from_slice(accumulator);
        slot
    }

    /// Gives the slot of a window that has gone back.
    pub(super) fn release(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// Adds a window of a key.
    pub(super) fn insert(&mut self, id: u32, window: Window) {
        let list = &mut self.windows[id as usize];
        let at = list.partition_point(|w| (w.start, w.end) <= (window.start, window.end));
        list.insert(at, window);
        let bounds = (window.start, window.end);
        if let Some(shared) = self.shared.iter_mut().find(|s| s.bounds == bounds) {
            if id as usize >= shared.slots.len() {
                shared.slots.resize(self.windows.len(), NONE);
            }
            shared.slots[id as usize] = window.slot;
        }
        self.timers.entry(window.end).or_default().push((id, window.number));
    }

    /// Takes a window of a key out.
    pub(super) fn remove(&mut self, id: u32, number: u64) -> Option<Window> {
        let list = &mut self.windows[id as usize];
        let at = list.iter().position(|w| w.number == number)?;
        Some(list.remove(at))
    }

    /// Whether the watermark may close a window.
    pub(super) fn closes(&self, watermark: EventTime) -> bool {
        self.timers.first_key_value().is_some_and(|(end, _)| closed(*end, watermark))
    }

    /// Takes out the windows that the watermark closes, with their keys, in the one order in which results
    /// leave: by window, then key; where an operator follows, by key group before.
    pub(super) fn fire(&mut self, watermark: EventTime) -> Vec<(u32, Window)> {
        let mut fired = Vec::new();
        while let Some(entry) = self.timers.first_entry().filter(|e| closed(*e.key(), watermark)) {
            let (end, list) = entry.remove_entry();
            self.shared.retain(|s| s.bounds.1 != end);
            for (id, number) in list {
                let windows = &mut self.windows[id as usize];
                let at = windows.iter().position(|w| (w.number, w.end) == (number, end));
                if let Some(at) = at {
                    fired.push((id, windows.remove(at)));
                }
            }
        }
        self.order(fired)
    }

    fn order(&mut self, mut fired: Vec<(u32, Window)>) -> Vec<(u32, Window)> {
        let Some((_, first)) = fired.first() else { return fired };
        let bounds = (first.start, first.end);
        let one = fired.iter().all(|(_, w)| (w.start, w.end) == bounds);
        // A key has one window of these bounds: of many keys, all are gone through in their order.
        if one && fired.len() * 4 > self.keys.numbers() {
            let mut of_key = vec![u32::MAX; self.keys.numbers()];
            fired.iter().zip(0..).for_each(|((id, _), i)| of_key[*id as usize] = i);
            let order = self.keys.in_order().iter().map(|&id| of_key[id as usize]);
            return order.filter(|&i| i != u32::MAX).map(|i| fired[i as usize]).collect();
        }
        self.keys.sort_by_key(&mut fired, |(id, _)| *id);
        if !one && self.keys.order() == KeyOrder::Value {
            fired.sort_by_key(|(_, w)| (w.end, w.start));
        } else if !one {
            let group = |id: u32| key::group_of(&self.keys.key(id));
            fired.sort_by_cached_key(|(id, w)| (group(*id), w.end, w.start));
        }
        fired
    }

    /// Forgets keys without windows once they are many. To be called between batches.
    pub(super) fn sweep(&mut self) {
        let windows = &self.windows;
        self.keys.sweep(|live| {
            live.iter_mut().zip(windows).for_each(|(live, list)| *live = !list.is_empty());
        });
    }

    /// All windows with their keys, by the keys' bytes, then start and end.
    pub(super) fn all(&self) -> Vec<(Vec<Value>, Window)> {
        let open = (0..self.windows.len() as u32).filter(|&id| !self.of(id).is_empty());
        let mut keys: Vec<(Vec<u8>, Vec<Value>, u32)> = open
            .map(|id| {
                let key = self.key(id);
                (key::encode(&key), key, id)
            })
            .collect();
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        keys.into_iter()
            .flat_map(|(_, key, id)| self.of(id).iter().map(move |w| (key.clone(), *w)))
            .collect()
    }

    /// Takes a saved window back.
    pub(super) fn load(&mut self, key: &[Value], window: Window, accumulator: &[u8]) {
        let id = self.keys.id(key);
        self.windows.resize(self.keys.numbers().max(self.windows.len()), Vec::new());
        let slot = self.slot(accumulator);
        self.insert(id, Window { slot, ..window });
    }
}
