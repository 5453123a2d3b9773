//! W1 by hand: count, sum and maximum per key and tumbling window.

use super::keys::Keys;
use super::{Clock, Timing, Totals};

/// The windows' length in milliseconds.
const WINDOW: i64 = 10_000;
/// More windows than can be open at once, a power of two.
const RING: usize = 8;

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

/// Count, sum and maximum of the price per key and window, between two pieces of the input.
pub struct Tumble {
    windows: [Window; RING],
    rows: Rows,
    totals: Totals,
    clock: Clock,
    /// All windows before this one have closed.
    first_open: i64,
}

impl Tumble {
    /// Before the first record.
    pub fn new(timing: &Timing) -> Tumble {
        assert!(timing.delay <= (RING as i64 - 2) * WINDOW, "more windows open than there is room");
        Tumble {
            windows: Default::default(),
            rows: Rows::default(),
            totals: Totals::default(),
            clock: Clock::new(timing),
            first_open: i64::MIN,
        }
    }

    /// Takes the next records, `keys` over the same piece.
    pub fn feed(&mut self, keys: &mut impl Keys, price: &[i64], ts: &[i64]) {
        // Beside the state, so that they stay in registers.
        let (mut clock, mut first_open) = (self.clock, self.first_open);
        for (row, (&price, &ts)) in price.iter().zip(ts).enumerate() {
            // An event closes no window of its own, so closing may come first.
            if let Some(watermark) = clock.advance(ts)
                && watermark.div_euclid(WINDOW) > first_open
            {
                first_open = watermark.div_euclid(WINDOW);
                self.close(first_open, keys);
            }
            let number = ts.div_euclid(WINDOW);
            if number < first_open {
                self.totals.late += 1;
                continue;
            }
            let id = keys.id(row);
            let window = &mut self.windows[(number & (RING as i64 - 1)) as usize];
            (window.number, window.open) = (number, true);
            if id >= window.state.len() {
                window.state.resize(keys.count().max(id + 1), NONE);
            }
            let state = &mut window.state[id];
            state.count += 1;
            state.sum += price;
            state.max = state.max.max(price);
        }
        (self.clock, self.first_open) = (clock, first_open);
    }

    /// What came out, after the last record.
    pub fn end(mut self, keys: &mut impl Keys) -> Totals {
        self.close(i64::MAX, keys);
        self.totals
    }

    /// Closes the windows before that one. Their order makes no difference to the totals.
    fn close(&mut self, first_open: i64, keys: &mut impl Keys) {
        for window in &mut self.windows {
            close(window, first_open, keys, &mut self.rows, &mut self.totals);
        }
    }
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
