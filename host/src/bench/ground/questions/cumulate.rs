//! CUMULATE: ten seconds so far, told every two.

use super::super::loops::Clock;
use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::{Column, Columns, Definition, Measures, Totals};

/// A key is told at each step from its first record on, whether others have come or not. A record that is late
/// for some windows of its ten seconds counts in those that are left, and is late once all of them have closed.
pub const QUESTION: Definition = Definition {
    name: "cumulate",
    title: "CUMULATE 10 s by 2 s: count, sum per auction",
    columns: &[Column::Auction, Column::Price, Column::Time],
    delay: Some(4_001),
    query: "\
SELECT auction, window_end, COUNT(*) AS n, SUM(price) AS total
FROM TABLE(CUMULATE(TABLE events, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;
",
    measures: Measures { count: Some(2), sum: Some(3), max: None },
    by_hand,
};

const STEP: i64 = 2_000;
/// Steps a window.
const STEPS: i64 = 5;
/// More steps than can be open at once, a power of two.
const RING: usize = 16;
const MEASURES: Measures = QUESTION.measures;

/// Count and sum of one key.
#[derive(Clone, Copy, Default)]
struct Sum {
    count: i64,
    sum: i64,
}

/// What has come in one step, by key.
#[derive(Default)]
struct Step {
    number: i64,
    open: bool,
    sums: Vec<Sum>,
}

struct Cumulate {
    ring: [Step; RING],
    /// All of the windows that are under way, up to the last step that has closed.
    so_far: Vec<Sum>,
    rows: Rows<4>,
    first_open: i64,
}

fn by_hand(columns: &Columns) -> Totals {
    let (price, ts) = (columns.long(1), columns.time(2));
    let mut keys = Long::new(columns.long(0));
    let (mut clock, mut late) = (Clock::default(), 0);
    let mut state = Cumulate {
        ring: Default::default(),
        so_far: Vec::new(),
        rows: Rows::new(MEASURES),
        first_open: i64::MIN,
    };
    for (row, (&price, &ts)) in price.iter().zip(ts).enumerate() {
        if let Some(watermark) = clock.advance(ts) {
            state.close(watermark.div_euclid(STEP), &keys);
        }
        let mut number = ts.div_euclid(STEP);
        if number < state.first_open {
            if last(number) < state.first_open {
                late += 1;
                continue;
            }
            // The next window to close has all that came before.
            number = state.first_open;
        }
        let id = keys.id(row);
        let step = &mut state.ring[slot(number)];
        (step.number, step.open) = (number, true);
        let sum = at(&mut step.sums, id, keys.count(), Sum::default());
        sum.count += 1;
        sum.sum += price;
    }
    state.close(i64::MAX, &keys);
    state.rows.end(late)
}

fn slot(number: i64) -> usize {
    (number & (RING as i64 - 1)) as usize
}

/// The last step of a step's ten seconds.
fn last(number: i64) -> i64 {
    (number.div_euclid(STEPS) + 1) * STEPS - 1
}

impl Cumulate {
    /// Closes the steps before that one.
    fn close(&mut self, until: i64, keys: &Long<'_>) {
        while self.first_open < until {
            let under_way = self.so_far.iter().any(|s| s.count > 0);
            if !under_way {
                // Steps without a record are told of no key.
                let open = self.ring.iter().filter(|s| s.open).map(|s| s.number).min();
                self.first_open = open.unwrap_or(until).min(until);
                if self.first_open == until {
                    return;
                }
            }
            self.fire(keys);
            self.first_open += 1;
        }
    }

    /// Tells of the window that ends with the first open step.
    fn fire(&mut self, keys: &Long<'_>) {
        let number = self.first_open;
        let step = &mut self.ring[slot(number)];
        if step.open && step.number == number {
            self.so_far.resize(keys.count(), Sum::default());
            for (so_far, sum) in self.so_far.iter_mut().zip(&mut step.sums) {
                so_far.count += sum.count;
                so_far.sum += sum.sum;
                *sum = Sum::default();
            }
            step.open = false;
        }
        let end = (number + 1) * STEP;
        for (id, s) in self.so_far.iter().enumerate().filter(|(_, s)| s.count > 0) {
            self.rows.push([keys.key(id), end, s.count, s.sum]);
        }
        if number == last(number) {
            self.so_far.fill(Sum::default());
        }
    }
}
