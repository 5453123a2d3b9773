//! The buffers of both sides of a join, in the shortest form that holds their times.

use super::rings::{Delta, Entry, Rings};

/// The rings of both sides.
#[derive(Clone)]
pub(super) enum Buffers {
    /// Times within 49 days, after a base.
    Narrow(i64, Rings<u32>),
    Wide(Rings<i64>),
}

impl Buffers {
    pub(super) fn reach(&mut self, keys: usize) {
        match self {
            Buffers::Narrow(_, rings) => rings.reach(keys),
            Buffers::Wide(rings) => rings.reach(keys),
        }
    }

    pub(super) fn used(&self) -> usize {
        match self {
            Buffers::Narrow(_, rings) => rings.used(),
            Buffers::Wide(rings) => rings.used(),
        }
    }

    /// Drops what is dead, wherever it stands.
    pub(super) fn sweep(&mut self, dead: [i64; 2]) {
        match self {
            Buffers::Narrow(base, rings) => rings.sweep(dead.map(|d| d.saturating_sub(*base))),
            Buffers::Wide(rings) => rings.sweep(dead),
        }
    }

    /// Whether times from the first to the last can be buffered as things are.
    pub(super) fn fits(&self, (first, last): (i64, i64)) -> bool {
        match self {
            Buffers::Narrow(base, _) => [first, last].iter().all(|&t| u32::of(t, *base).is_some()),
            Buffers::Wide(_) => true,
        }
    }

    /// Makes room for times that do not fit: moves the base, or gives the short form up.
    pub(super) fn fit(&mut self, (first, last): (i64, i64), dead: [i64; 2]) {
        if self.fits((first, last)) {
            return;
        }
        self.sweep(dead);
        let Buffers::Narrow(base, rings) = self else { return };
        let base = *base;
        let (least, most) = rings.span().map_or((first, last), |(least, most)| {
            (first.min(least.saturating_add(base)), last.max(most.saturating_add(base)))
        });
        let room = most.checked_sub(least).and_then(|span| i64::from(u32::MAX).checked_sub(span));
        *self = match room {
            Some(room) if room >= 0 => {
                let new = least.saturating_sub(room / 2);
                Buffers::Narrow(new, rings.rebased(base, new))
            }
            _ => Buffers::Wide(rings.rebased(base, 0)),
        };
    }

    /// Buffers a row.
    pub(super) fn put(&mut self, side: usize, id: u32, (time, row): (i64, u32)) {
        self.fit((time, time), [i64::MIN; 2]);
        match self {
            Buffers::Narrow(base, rings) => {
                let time = u32::of(time, *base).unwrap_or_default();
                rings.push((side, id), Entry { time, row }, i64::MIN);
            }
            Buffers::Wide(rings) => rings.push((side, id), Entry { time, row }, i64::MIN),
        }
    }

    /// Sets the key numbers that have rows.
    pub(super) fn mark(&self, live: &mut [bool]) {
        fn set<T: Delta>(rings: &Rings<T>, live: &mut [bool]) {
            let keys = rings.keys(0).chain(rings.keys(1));
            keys.for_each(|key| live[key as usize] = true);
        }
        match self {
            Buffers::Narrow(_, rings) => set(rings, live),
            Buffers::Wide(rings) => set(rings, live),
        }
    }

    /// All rows of one side, key after key, in order of arrival: key, time, row number.
    pub(super) fn rows(&self, side: usize) -> Box<dyn Iterator<Item = (u32, i64, u32)> + '_> {
        fn all<T: Delta>(
            rings: &Rings<T>,
            side: usize,
            base: i64,
        ) -> impl Iterator<Item = (u32, i64, u32)> {
            rings.keys(side).flat_map(move |key| {
                let entries = rings.entries((side, key)).flatten();
                entries.map(move |e| (key, e.time.get().saturating_add(base), e.row))
            })
        }
        match self {
            Buffers::Narrow(base, rings) => Box::new(all(rings, side, *base)),
            Buffers::Wide(rings) => Box::new(all(rings, side, 0)),
        }
    }
}
