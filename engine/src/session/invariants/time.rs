//! Time, and what windows make of it: how far a task is, which windows stand open there, which have fired.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::hash_bytes;
use crate::trace::What;

/// A window without its number, which is another in every life: the hash of its key's text, its bounds. Two keys may have
/// one text, as NULL and 'NULL'.
type Bounds = (u64, i64, i64);

/// How far a task is.
#[derive(Clone, Default)]
pub(super) struct Progress {
    watermark: Option<i64>,
    partitions: BTreeMap<u16, i64>,
    /// By number. What has fired is not open, although late rows may still come to it.
    open: BTreeMap<u64, Bounds>,
    fired: BTreeSet<Bounds>,
    /// By number and end: a session that has fired may grow, and then fires at its new end.
    numbers: BTreeSet<(u64, i64)>,
    /// Restored from a snapshot of another run: what it had open is not known.
    foreign: bool,
    /// The watermark has moved in this step.
    moved: bool,
}

impl Progress {
    /// A task of which nothing is known but that it has been going on.
    pub(super) fn foreign() -> Progress {
        Progress { foreign: true, ..Progress::default() }
    }

    /// The task knows nothing any more but how far time is.
    pub(super) fn forget(&mut self) {
        let (watermark, partitions) = (self.watermark, std::mem::take(&mut self.partitions));
        *self = Progress { watermark, partitions, ..Progress::default() };
    }

    /// Takes an event of the task in; what is wrong with it. `triggers`: its windows fire when they say so, and may again.
    pub(super) fn read(&mut self, what: &What, triggers: bool) -> Option<&'static str> {
        match what {
            What::Watermark { watermark, .. } => {
                self.moved = true;
                let before = self.watermark.replace(*watermark);
                (before > Some(*watermark)).then_some("a watermark falls")
            }
            What::PartitionWatermark { partition, watermark } => {
                let before = self.partitions.insert(*partition, *watermark);
                (before > Some(*watermark)).then_some("a partition's watermark falls")
            }
            What::WindowOpen { window, key, start, end } => {
                let bounds = (hash_bytes(key.as_bytes()), *start, *end);
                if self.open.insert(*window, bounds).is_some() {
                    return Some("a window opens twice");
                }
                (self.fired.contains(&bounds) && !triggers)
                    .then_some("a window opens again that has fired")
            }
            What::WindowMerge { window, merged, start, end } => {
                let others = merged.iter().filter(|other| *other != window);
                let keys: Vec<Bounds> = others.filter_map(|id| self.open.remove(id)).collect();
                let own = self.open.get(window).or(keys.first()).map(|bounds| bounds.0);
                if let Some(key) = own {
                    self.open.insert(*window, (key, *start, *end));
                }
                None
            }
            What::WindowFire { window, key, start, end, .. } => {
                let bounds = (hash_bytes(key.as_bytes()), *start, *end);
                let open = self.open.remove(window);
                self.fired.insert(bounds);
                if !self.numbers.insert((*window, *end)) {
                    return Some("a window fires twice");
                }
                if self.watermark.is_none_or(|now| now < end.saturating_sub(1)) && !self.foreign {
                    return Some("a window fires before the watermark is at its end");
                }
                (open.is_none_or(|open| open != bounds) && !self.foreign && !triggers)
                    .then_some("a window fires that is not open")
            }
            _ => None,
        }
    }

    /// A step is over: whether a window should have fired that has not.
    pub(super) fn left_behind(&mut self) -> bool {
        let Some(now) = self.watermark.filter(|_| std::mem::take(&mut self.moved)) else {
            return false;
        };
        self.open.values().any(|(_, _, end)| end.saturating_sub(1) <= now)
    }
}
