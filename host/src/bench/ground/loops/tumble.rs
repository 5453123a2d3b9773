//! W1 by hand: count, sum and maximum per key and tumbling window.

use super::keys::Keys;
use super::{Clock, Totals};

/// The windows' length in milliseconds.
const WINDOW: i64 = 10_000;

/// Count, sum and maximum of one key in one window.
#[derive(Clone, Copy)]
struct Accumulator {
    count: u64,
    sum: i64,
    max: i64,
}

const NONE: Accumulator = Accumulator { count: 0, sum: 0, max: i64::MIN };

/// An open window: its number and its keys' accumulators.
#[derive(Default)]
struct Window {
    number: i64,
    open: bool,
    state: Vec<Accumulator>,
}

/// Rows as a consumer would get them, columns of one window.
#[derive(Default)]
struct Rows {
    start: Vec<i64>,
    count: Vec<u64>,
    sum: Vec<i64>,
    max: Vec<i64>,
}

/// Count, sum and maximum of the price per key and window.
pub fn run(keys: &mut impl Keys, price: &[i64], ts: &[i64]) -> Totals {
    // Never more than two are open, neighbours: the watermark is 4 s behind, a window has 10 s.
    let mut windows: [Window; 2] = Default::default();
    let (mut rows, mut totals) = (Rows::default(), Totals::default());
    let mut clock = Clock::default();
    // All windows before this one have closed.
    let mut first_open = i64::MIN;
    for (row, (&price, &ts)) in price.iter().zip(ts).enumerate() {
        // An event closes no window of its own, so closing may come first.
        if let Some(watermark) = clock.advance(ts)
            && watermark.div_euclid(WINDOW) > first_open
        {
            first_open = watermark.div_euclid(WINDOW);
            for window in &mut windows {
                close(window, first_open, keys, &mut rows, &mut totals);
            }
        }
        let number = ts.div_euclid(WINDOW);
        if number < first_open {
            totals.late += 1;
            continue;
        }
        let id = keys.id(row);
        let window = &mut windows[(number & 1) as usize];
        (window.number, window.open) = (number, true);
        if id >= window.state.len() {
            window.state.resize(keys.count().max(id + 1), NONE);
        }
        let state = &mut window.state[id];
        state.count += 1;
        state.sum += price;
        state.max = state.max.max(price);
    }
    windows.sort_by_key(|w| w.number);
    for window in &mut windows {
        close(window, i64::MAX, keys, &mut rows, &mut totals);
    }
    totals
}

fn close(
    window: &mut Window,
    first_open: i64,
    keys: &mut impl Keys,
    rows: &mut Rows,
    totals: &mut Totals,
) {
    if !window.open || window.number >= first_open {
        return;
    }
    for (id, state) in window.state.iter_mut().enumerate().filter(|(_, s)| s.count > 0) {
        keys.put(id);
        rows.start.push(window.number * WINDOW);
        rows.count.push(state.count);
        rows.sum.push(state.sum);
        rows.max.push(state.max);
        *state = NONE;
    }
    window.open = false;
    totals.rows += rows.start.len() as u64;
    totals.counts += rows.count.iter().sum::<u64>();
    totals.sums += rows.sum.iter().sum::<i64>();
    totals.maxima += rows.max.iter().sum::<i64>();
    std::hint::black_box(keys.clear());
    rows.start.clear();
    rows.count.clear();
    rows.sum.clear();
    rows.max.clear();
}
