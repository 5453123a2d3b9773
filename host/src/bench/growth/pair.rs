//! The engine's measurement of a point beside the loop's.

use highwater_engine::error::Result;
use serde_json::{Value as Json, json};

use super::super::{Measurement, Subject, agree};
use super::Point;

/// A point measured by both.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Where.
    pub point: Point,
    /// The engine's runs.
    pub engine: Measurement,
    /// The loop's.
    pub by_hand: Measurement,
}

impl Pair {
    /// Both measurements, once they agree on rows, late records and sums.
    ///
    /// # Errors
    /// `bench.wrong-totals` when they do not, or when they do not give what is published.
    pub fn new(point: Point, by_hand: Measurement, engine: Measurement) -> Result<Pair> {
        if let Some(published) = point.published() {
            agree("the loop", &by_hand.totals, &published)?;
        }
        let place = format!("the engine at {} {}", point.axis.name(), point.label());
        agree(&place, &engine.totals, &by_hand.totals)?;
        Ok(Pair { point, engine, by_hand })
    }

    /// Nanoseconds of processor time an event, of the engine and of the loop.
    pub fn costs(&self) -> (f64, f64) {
        let of = |measured: &Measurement| measured.cpu() * 1e9 / self.point.records as f64;
        (of(&self.engine), of(&self.by_hand))
    }

    /// The lines of `--json`, the loop's first.
    pub fn lines(&self) -> [Json; 2] {
        let (engine, by_hand) = self.costs();
        let line = |measured: &Measurement, subject, cost: f64| {
            let mut line = measured.report(&self.point.task(subject), Some(&self.by_hand));
            line["axis"] = json!(self.point.axis.name());
            line["value"] = json!(self.point.value);
            line["delay_ms"] = json!(self.point.timing.delay);
            line["ns_per_event"] = json!(cost);
            line["rows_per_event"] = json!(measured.totals.rows as f64 / self.point.records as f64);
            line
        };
        [line(&self.by_hand, Subject::Loop, by_hand), line(&self.engine, Subject::Native, engine)]
    }
}
