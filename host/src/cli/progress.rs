//! A line on the terminal while a long job runs; silent elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a job is, shown on stderr when that is a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Progress counted in `unit`, such as `records`.
    pub(super) fn new(unit: &'static str) -> Progress {
        // Hidden by itself where stderr is no terminal; at most 10 lines a second elsewhere.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        let style =
            ProgressStyle::with_template("{spinner} {human_pos} {msg}, {per_sec}, {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
        bar.set_style(style);
        bar.set_message(unit);
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress(bar)
    }

    /// So many are done.
    pub(super) fn at(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
