//! What the engine is measured against: each workload as a loop written by hand, on one thread, its keys
//! hashed.

mod hop;
mod join;
pub mod keys;
mod running;
mod session;
#[cfg(test)]
mod tests;
mod tumble;

use arrow_array::cast::AsArray as _;

use super::{Columns, Totals, Workload};
use keys::{Long, Pair, Text};

/// How far the watermark stays behind the highest event time, milliseconds.
const DELAY: i64 = 4_000;

/// The watermark over the events so far.
struct Clock {
    highest: i64,
    watermark: i64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { highest: i64::MIN, watermark: i64::MIN }
    }
}

impl Clock {
    /// The watermark after an event, when the event moves it.
    #[inline]
    fn advance(&mut self, ts: i64) -> Option<i64> {
        if ts <= self.highest {
            return None;
        }
        self.highest = ts;
        self.watermark = ts.saturating_sub(DELAY);
        Some(self.watermark)
    }
}

/// Runs a workload's loop over its columns.
pub fn run(workload: Workload, columns: &Columns) -> Totals {
    let (long, time) = (|c| columns.long(c), |c| columns.time(c));
    match workload {
        Workload::W1 | Workload::W1Guest => tumble::run(&mut Long::new(long(0)), long(1), time(2)),
        Workload::W1Text => {
            let text = columns.arrays[0].as_string();
            tumble::run(&mut Text::new(text), long(1), time(2))
        }
        Workload::W1Pair => tumble::run(&mut Pair::new(long(0), long(1)), long(2), time(3)),
        Workload::W2 => hop::run(&mut Long::new(long(0)), time(1)),
        Workload::W3 => session::run(&mut Long::new(long(0)), time(1)),
        Workload::W4 => {
            let kind = columns.arrays[0].as_primitive::<arrow_array::types::Int32Type>().values();
            let events = join::Events { kind, price: long(2), ts: time(3) };
            join::run(&mut Long::new(long(1)), events)
        }
        Workload::W5 => running::run(&mut Long::new(long(0)), long(1)),
        Workload::F2 => {
            let mut totals = Totals::default();
            linear(long(0), long(1), 8_192, &mut |values| {
                totals.rows += values.len() as u64;
                totals.sums = values.iter().fold(totals.sums, |sum, v| sum.wrapping_add(*v));
            });
            totals
        }
    }
}

/// F2 by hand: `a * 908 + b`, a result column for each `batch_rows` rows.
pub fn linear(a: &[i64], b: &[i64], batch_rows: usize, see: &mut dyn FnMut(&[i64])) {
    for (a, b) in a.chunks(batch_rows).zip(b.chunks(batch_rows)) {
        let values: Vec<i64> =
            a.iter().zip(b).map(|(a, b)| a.wrapping_mul(908).wrapping_add(*b)).collect();
        see(&values);
    }
}
