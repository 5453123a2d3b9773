//! How far a long job is: a line on the terminal that is rewritten, or lines for programs; silent elsewhere.

use std::collections::VecDeque;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use highwater::job::Progress as Far;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

/// How progress is shown on stderr.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Show {
    /// A line that is rewritten; a line a second where stderr is no terminal
    Line,
    /// A JSON object a second, and one at the end
    Json,
    /// Nothing
    None,
}

/// Rates are over this long.
const SECOND: Duration = Duration::from_secs(1);

/// How far a job is, shown on stderr.
pub(super) struct Progress {
    unit: &'static str,
    to: To,
    rate: Rate,
    last: Option<State>,
    told: Option<Instant>,
}

enum To {
    Bar(ProgressBar),
    Lines,
    Json,
    Nobody,
}

/// What there is to show.
#[derive(Clone, Copy, Debug)]
struct State {
    far: Far,
    share: Option<f64>,
    rate: f64,
    elapsed: Duration,
}

/// Counts of the last second.
struct Rate {
    began: Instant,
    counts: VecDeque<(Duration, u64)>,
}

impl Rate {
    /// Takes in a count; how many a second there were over the last second, or since the beginning.
    fn at(&mut self, now: Duration, count: u64) -> f64 {
        self.counts.push_back((now, count));
        while self.counts.len() > 2 && self.counts.get(1).is_some_and(|c| now - c.0 >= SECOND) {
            self.counts.pop_front();
        }
        let (then, before) = match self.counts.front() {
            Some((then, before)) if now > *then => (*then, *before),
            _ => (Duration::ZERO, 0),
        };
        let seconds = (now - then).as_secs_f64();
        if seconds > 0.0 { count.saturating_sub(before) as f64 / seconds } else { 0.0 }
    }
}

impl State {
    /// Seconds until the end, if it goes on like this.
    fn left(&self) -> Option<f64> {
        let share = self.share.filter(|share| *share > 0.0)?;
        Some(self.elapsed.as_secs_f64() * (1.0 - share) / share)
    }

    /// How far the watermark is behind the newest record, in milliseconds.
    fn lag(&self) -> Option<i64> {
        Some(self.far.newest?.saturating_sub(self.far.watermark?))
    }

    fn line(&self, unit: &str) -> String {
        let mut line =
            format!("{} {unit}, {}/s", HumanCount(self.far.records), HumanCount(self.rate as u64));
        if let Some(share) = self.share {
            line += &format!(", {:.0} %", share * 100.0);
        }
        if let Some(lag) = self.lag() {
            line += &format!(", watermark {} behind", seconds(lag as f64 / 1000.0));
        }
        if let Some(left) = self.left() {
            line += &format!(", {} left", seconds(left));
        }
        line
    }

    fn json(&self, unit: &str) -> String {
        json!({
            unit: self.far.records,
            format!("{unit}_per_s"): self.rate,
            "share": self.share,
            "watermark_ms": self.far.watermark,
            "newest_ms": self.far.newest,
            "lag_ms": self.lag(),
            "elapsed_s": self.elapsed.as_secs_f64(),
            "eta_s": self.left(),
        })
        .to_string()
    }
}

/// A length of time as people say it.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

impl Progress {
    /// Progress counted in `unit`, such as `records`; by default on a terminal only.
    pub(super) fn new(unit: &'static str, show: Option<Show>) -> Progress {
        let terminal = std::io::stderr().is_terminal();
        let to = match show {
            Some(Show::None) => To::Nobody,
            Some(Show::Json) => To::Json,
            Some(Show::Line) if !terminal => To::Lines,
            None if !terminal => To::Nobody,
            _ => To::Bar(bar()),
        };
        let rate = Rate { began: Instant::now(), counts: VecDeque::new() };
        Progress { unit, to, rate, last: None, told: None }
    }

    /// So far it is, and so much of the input has been read.
    pub(super) fn at(&mut self, far: Far, share: Option<f64>) {
        if matches!(self.to, To::Nobody) {
            return;
        }
        let elapsed = self.rate.began.elapsed();
        // Ten times a second is as often as anybody looks.
        if self.last.is_some_and(|l| elapsed - l.elapsed < SECOND / 10 && share != Some(1.0)) {
            if let Some(last) = &mut self.last {
                (last.far, last.share) = (far, share);
            }
            return;
        }
        let rate = self.rate.at(elapsed, far.records);
        let state = State { far, share, rate, elapsed };
        self.last = Some(state);
        match &self.to {
            To::Bar(bar) => bar.set_message(state.line(self.unit)),
            To::Lines | To::Json => {
                if self.told.is_none_or(|told| told.elapsed() >= SECOND) {
                    self.told = Some(Instant::now());
                    self.tell(&state);
                }
            }
            To::Nobody => {}
        }
    }

    fn tell(&self, state: &State) {
        let line = match &self.to {
            To::Lines => state.line(self.unit),
            To::Json => state.json(self.unit),
            To::Bar(_) | To::Nobody => return,
        };
        // Whoever closed stderr does not want to hear it.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

impl Drop for Progress {
    fn drop(&mut self) {
        match &self.to {
            To::Bar(bar) => bar.finish_and_clear(),
            // The end says what the whole was.
            _ => {
                if let Some(last) = self.last {
                    let elapsed = self.rate.began.elapsed();
                    let rate = last.far.records as f64 / elapsed.as_secs_f64().max(1e-9);
                    self.tell(&State { elapsed, rate, ..last });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_second() {
        let mut rate = Rate { began: Instant::now(), counts: VecDeque::new() };
        let at = |ms: u64| Duration::from_millis(ms);
        assert_eq!(rate.at(at(500), 100), 200.0);
        assert_eq!(rate.at(at(1_000), 600), 1_000.0);
        assert_eq!(rate.at(at(1_500), 600), 500.0);
        assert_eq!(rate.at(at(2_500), 1_600), 1_000.0);
        assert_eq!(rate.at(at(9_500), 1_600), 0.0);
    }

    #[test]
    fn a_line_says_what_is_known_and_no_more() {
        let far = Far { records: 1_234_567, watermark: Some(1_000), newest: Some(6_000) };
        let state =
            State { far, share: Some(0.25), rate: 5_000.4, elapsed: Duration::from_secs(60) };
        let line = "1,234,567 records, 5,000/s, 25 %, watermark 5 s behind, 3 min left";
        assert_eq!(state.line("records"), line);
        let json: serde_json::Value = serde_json::from_str(&state.json("records")).expect("JSON");
        assert_eq!((&json["records"], &json["lag_ms"]), (&json!(1_234_567), &json!(5_000)));
        assert_eq!((&json["share"], &json["eta_s"]), (&json!(0.25), &json!(180.0)));
        let bare = State { far: 7.into(), share: None, rate: 0.0, elapsed: Duration::ZERO };
        assert_eq!(bare.line("events"), "7 events, 0/s");
    }
}
