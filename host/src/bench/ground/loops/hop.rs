//! W2 by hand: counts per key and window of 10 s that starts every 2 s, out of shared slices of 2 s.

use super::keys::Keys;
use super::{Clock, Totals};

/// The step between windows, and the length of a slice, in milliseconds.
const SLIDE: i64 = 2_000;
/// Slices a window.
const SLICES: i64 = 5;
/// Slices in the ring: more than can be open at once, five behind the watermark and three ahead.
const RING: usize = 16;

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

/// Counts per key and window.
pub fn run(keys: &mut impl Keys, ts: &[i64]) -> Totals {
    let mut ring: [Slice; RING] = Default::default();
    let (mut rows, mut totals) = (Rows::default(), Totals::default());
    let mut clock = Clock::default();
    // Windows whose last slice is before this one have closed.
    let mut first_open = i64::MIN + SLICES;
    for (row, &ts) in ts.iter().enumerate() {
        // An event closes no window of its own, so closing may come first.
        if let Some(watermark) = clock.advance(ts)
            && watermark.div_euclid(SLIDE) > first_open
        {
            let until = watermark.div_euclid(SLIDE);
            close(&mut ring, first_open, until, keys, &mut rows, &mut totals);
            first_open = until;
        }
        let number = ts.div_euclid(SLIDE);
        // The last window of a slice ends four slices after it.
        if number + SLICES - 1 < first_open {
            totals.late += 1;
            continue;
        }
        let id = keys.id(row);
        let slice = &mut ring[slot(number)];
        (slice.number, slice.open) = (number, true);
        if id >= slice.counts.len() {
            slice.counts.resize(keys.count().max(id + 1), 0);
        }
        slice.counts[id] += 1;
    }
    close(&mut ring, first_open, i64::MAX, keys, &mut rows, &mut totals);
    totals
}

/// Closes the windows whose last slice is in `from..until`, in order.
fn close(
    ring: &mut [Slice; RING],
    from: i64,
    until: i64,
    keys: &mut impl Keys,
    rows: &mut Rows,
    totals: &mut Totals,
) {
    // Only windows with an open slice have rows.
    let mut last = from;
    while let Some(oldest) = ring.iter().filter(|s| s.open).map(|s| s.number).min() {
        last = last.max(oldest);
        if last >= until {
            break;
        }
        window(ring, last, keys, rows, totals);
        let gone = last - SLICES + 1;
        let slice = &mut ring[slot(gone)];
        if slice.open && slice.number == gone {
            slice.open = false;
            slice.counts.fill(0);
        }
        last += 1;
    }
}

/// The rows of the window whose last slice is `last`.
fn window(
    ring: &[Slice; RING],
    last: i64,
    keys: &mut impl Keys,
    rows: &mut Rows,
    totals: &mut Totals,
) {
    rows.sum.clear();
    rows.sum.resize(keys.count(), 0);
    for number in last - SLICES + 1..=last {
        let slice = &ring[slot(number)];
        if slice.open && slice.number == number {
            for (sum, count) in rows.sum.iter_mut().zip(&slice.counts) {
                *sum += count;
            }
        }
    }
    let start = (last - SLICES + 1) * SLIDE;
    for (id, &count) in rows.sum.iter().enumerate().filter(|(_, n)| **n > 0) {
        keys.put(id);
        rows.start.push(start);
        rows.count.push(u64::from(count));
    }
    totals.rows += rows.start.len() as u64;
    totals.counts += rows.count.iter().sum::<u64>();
    std::hint::black_box(keys.clear());
    rows.start.clear();
    rows.count.clear();
}
