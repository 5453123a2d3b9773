//! What the engine is measured against: each workload as a loop written by hand, on one thread, its keys
//! hashed.

mod hop;
mod join;
pub mod keys;
mod pieces;
mod running;
mod session;
#[cfg(test)]
pub(super) mod tests;
mod tumble;

use arrow_array::cast::AsArray as _;

use super::{Columns, Timing, Totals, Workload};
use hop::Hop;
use keys::{Keys, Long, Pair, Text};
use tumble::Tumble;

pub use pieces::Fed;

/// The watermark over the events so far.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    delay: i64,
    highest: i64,
    watermark: i64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new(&Timing::PUBLISHED)
    }
}

impl Clock {
    fn new(timing: &Timing) -> Clock {
        Clock { delay: timing.delay, highest: i64::MIN, watermark: i64::MIN }
    }

    /// How far the watermark stays behind the highest event time.
    pub(super) fn delay(&self) -> i64 {
        self.delay
    }

    /// The watermark so far.
    #[inline]
    pub(super) fn watermark(&self) -> i64 {
        self.watermark
    }

    /// The watermark after an event, when the event moves it.
    #[inline]
    pub(super) fn advance(&mut self, ts: i64) -> Option<i64> {
        if ts <= self.highest {
            return None;
        }
        self.highest = ts;
        self.watermark = ts.saturating_sub(self.delay);
        Some(self.watermark)
    }
}

/// Runs a workload's loop over its columns.
pub fn run(workload: Workload, columns: &Columns) -> Totals {
    let (long, time) = (|c| columns.long(c), |c| columns.time(c));
    match workload {
        Workload::W1 | Workload::W1Guest => tumble(&mut Long::new(long(0)), long(1), time(2)),
        Workload::W1Text => {
            let text = columns.arrays[0].as_string();
            tumble(&mut Text::new(text), long(1), time(2))
        }
        Workload::W1Pair => tumble(&mut Pair::new(long(0), long(1)), long(2), time(3)),
        Workload::W2 => {
            let (mut hop, mut keys) = (Hop::new(&Timing::PUBLISHED), Long::new(long(0)));
            hop.feed(&mut keys, time(1));
            hop.end(&mut keys)
        }
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
        Workload::Asked(question) => (question.definition().by_hand)(columns),
    }
}

fn tumble(keys: &mut impl Keys, price: &[i64], ts: &[i64]) -> Totals {
    let mut tumble = Tumble::new(&Timing::PUBLISHED);
    tumble.feed(keys, price, ts);
    tumble.end(keys)
}

/// F2 by hand: `a * 908 + b`, a result column for each `batch_rows` rows.
pub fn linear(a: &[i64], b: &[i64], batch_rows: usize, see: &mut dyn FnMut(&[i64])) {
    for (a, b) in a.chunks(batch_rows).zip(b.chunks(batch_rows)) {
        let values: Vec<i64> =
            a.iter().zip(b).map(|(a, b)| a.wrapping_mul(908).wrapping_add(*b)).collect();
        see(&values);
    }
}
