//! An axis of time: ticks at round times, labels as short as they can be.

use std::ops::Range;

use highwater_trace::time::format_timestamp;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Lengths between ticks, in milliseconds.
const STEPS: [f64; 30] = [
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
    200.0,
    500.0,
    1e3,
    2e3,
    5e3,
    10e3,
    15e3,
    30e3,
    60e3,
    120e3,
    300e3,
    600e3,
    900e3,
    1_800e3,
    3_600e3,
    7_200e3,
    10_800e3,
    21_600e3,
    43_200e3,
    86_400e3,
    172_800e3,
    604_800e3,
    2_419_200e3,
];

/// The round length of which at most `parts` fit into `length` milliseconds.
pub fn round_step(length: f64, parts: f64) -> f64 {
    let least = length / parts.max(1.0);
    let fits = STEPS.iter().copied().find(|s| *s >= least);
    // Beyond months: doubled until it fits.
    fits.unwrap_or_else(|| {
        let mut step = STEPS[STEPS.len() - 1];
        while step < least {
            step *= 2.0;
        }
        step
    })
}

/// A range of milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeAxis {
    range: Range<f64>,
    step: f64,
}

impl TimeAxis {
    /// An axis over that range with at most `ticks` ticks.
    pub fn new(range: Range<f64>, ticks: usize) -> TimeAxis {
        let step = round_step(range.end - range.start, ticks as f64);
        TimeAxis { range, step }
    }

    /// A tick's label: the date at midnight, else as much of the time as the step needs.
    pub fn label(&self, at: f64) -> String {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let text = format_timestamp(at as i64);
        let Some((date, time)) = text.split_once(' ') else { return text };
        if self.step >= 86_400e3 || (self.step >= 60e3 && time.starts_with("00:00:00.000")) {
            let mut parts = date.rsplit('-');
            let day = parts.next().unwrap_or_default().trim_start_matches('0');
            let month = parts.next().and_then(|m| m.parse::<usize>().ok()).unwrap_or(1);
            let name = MONTHS.get(month.wrapping_sub(1)).copied().unwrap_or_default();
            return format!("{name} {day}");
        }
        let cut = if self.step >= 60e3 {
            0..5
        } else if self.step >= 1e3 {
            0..8
        } else {
            3..12
        };
        time.get(cut).unwrap_or(time).to_owned()
    }
}

impl Ranged for TimeAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let length = (self.range.end - self.range.start).max(1.0);
        let share = (value - self.range.start) / length;
        (f64::from(limit.0) + share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let step = self.step.max(round_step(
            self.range.end - self.range.start,
            hint.max_num_points().max(1) as f64,
        ));
        let mut at = (self.range.start / step).ceil() * step;
        let mut points = Vec::new();
        while at <= self.range.end && points.len() < 200 {
            points.push(at);
            at += step;
        }
        points
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for TimeAxis {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_times_inside_the_range() {
        let start = 1_517_356_800_000.0; // 2018-01-31 00:00:00
        let day = TimeAxis::new(start + 600e3..start + 86_400e3, 8);
        let labels: Vec<String> =
            day.key_points(8).into_iter().map(|t| day.format_ext(&t)).collect();
        assert_eq!(
            labels,
            ["03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "Feb 1"]
        );
        let short = TimeAxis::new(start..start + 40.0, 5);
        assert_eq!(short.format_ext(&(start + 10.0)), "00:00.010");
        let week = TimeAxis::new(start..start + 604_800e3, 8);
        assert_eq!(week.key_points(8).len(), 8);
    }

    #[test]
    fn the_ends_of_the_range_map_to_the_ends_of_the_pixels() {
        let axis = TimeAxis::new(1000.0..3000.0, 4);
        assert_eq!(axis.map(&1000.0, (50, 250)), 50);
        assert_eq!(axis.map(&3000.0, (50, 250)), 250);
        assert_eq!(axis.map(&2000.0, (250, 50)), 150);
    }

    #[test]
    fn a_very_long_range_still_has_few_ticks() {
        let axis = TimeAxis::new(0.0..1e15, 6);
        assert!(axis.key_points(6).len() <= 7);
    }
}
