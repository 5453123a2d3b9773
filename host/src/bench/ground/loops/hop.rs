//! W2 by hand: counts per key and window of some slices, one starting every 2 s, out of shared slices of 2 s.

use super::keys::Keys;
use super::{Clock, Timing, Totals};

/// The step between windows, and the length of a slice, in milliseconds.
const SLIDE: i64 = 2_000;
/// Slices in the ring: more than can be open at once, a window behind the watermark and three ahead.
const RING: usize = 32;

/// The counts of one slice by key.
#[derive(Default)]
struct Slice {
    number: i64,
    open: bool,
    counts: Vec<u32>,
}

/// Rows as a consumer would get them, columns of one window.
#[derive(Default)]
struct Rows {
    start: Vec<i64>,
    count: Vec<u64>,
    /// The window's counts by key, while it closes.
    sum: Vec<u32>,
}

fn slot(number: i64) -> usize {
    (number & (RING as i64 - 1)) as usize
}

/// Counts per key and window, between two pieces of the input.
pub struct Hop {
    ring: [Slice; RING],
    rows: Rows,
    totals: Totals,
    clock: Clock,
    /// Slices a window.
    slices: i64,
    /// Windows whose last slice is before this one have closed.
    first_open: i64,
}

impl Hop {
    /// Before the first record.
    pub fn new(timing: &Timing) -> Hop {
        let open = timing.overlap + timing.delay / SLIDE + 2;
        assert!(open <= RING as i64, "more slices open than there is room");
        Hop {
            ring: Default::default(),
            rows: Rows::default(),
            totals: Totals::default(),
            clock: Clock::new(timing),
            slices: timing.overlap,
            first_open: i64::MIN + timing.overlap,
        }
    }

    /// Takes the next records, `keys` over the same piece.
    pub fn feed(&mut self, keys: &mut impl Keys, ts: &[i64]) {
        // Beside the state, so that they stay in registers.
        let (mut clock, mut first_open, slices) = (self.clock, self.first_open, self.slices);
        for (row, &ts) in ts.iter().enumerate() {
            // An event closes no window of its own, so closing may come first.
            if let Some(watermark) = clock.advance(ts)
                && watermark.div_euclid(SLIDE) > first_open
            {
                let until = watermark.div_euclid(SLIDE);
                self.close(first_open, until, keys);
                first_open = until;
            }
            let number = ts.div_euclid(SLIDE);
            // The last window of a slice ends with the slice that many after it.
            if number + slices - 1 < first_open {
                self.totals.late += 1;
                continue;
            }
            let id = keys.id(row);
            let slice = &mut self.ring[slot(number)];
            (slice.number, slice.open) = (number, true);
            if id >= slice.counts.len() {
                slice.counts.resize(keys.count().max(id + 1), 0);
            }
            slice.counts[id] += 1;
        }
        (self.clock, self.first_open) = (clock, first_open);
    }

    /// What came out, after the last record.
    pub fn end(mut self, keys: &mut impl Keys) -> Totals {
        self.close(self.first_open, i64::MAX, keys);
        self.totals
    }

    /// Closes the windows whose last slice is in `from..until`, in order.
    fn close(&mut self, from: i64, until: i64, keys: &mut impl Keys) {
        // Only windows with an open slice have rows.
        let mut last = from;
        while let Some(oldest) = self.ring.iter().filter(|s| s.open).map(|s| s.number).min() {
            last = last.max(oldest);
            if last >= until {
                break;
            }
            self.window(last, keys);
            let gone = last - self.slices + 1;
            let slice = &mut self.ring[slot(gone)];
            if slice.open && slice.number == gone {
                slice.open = false;
                slice.counts.fill(0);
            }
            last += 1;
        }
    }

    /// The rows of the window whose last slice is `last`.
    fn window(&mut self, last: i64, keys: &mut impl Keys) {
        let rows = &mut self.rows;
        rows.sum.clear();
        rows.sum.resize(keys.count(), 0);
        let first = last - self.slices + 1;
        for number in first..=last {
            let slice = &self.ring[slot(number)];
            if slice.open && slice.number == number {
                for (sum, count) in rows.sum.iter_mut().zip(&slice.counts) {
                    *sum += count;
                }
            }
        }
        for (id, &count) in rows.sum.iter().enumerate().filter(|(_, n)| **n > 0) {
            keys.put(id);
            rows.start.push(first * SLIDE);
            rows.count.push(u64::from(count));
        }
        self.totals.rows += rows.start.len() as u64;
        self.totals.counts += rows.count.iter().sum::<u64>();
        std::hint::black_box(keys.clear());
        rows.start.clear();
        rows.count.clear();
    }
}
