//! A window that is open, and which windows a row is in.

use super::super::WindowSpec;
use super::super::trigger::States;
use crate::batch::Batch;
use crate::column::millis;

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

/// A window of a key from its first record until no late one is taken any more.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) start: i64,
    pub(super) end: i64,
    /// What it holds; [`NONE`] once a discarding pane has taken it along.
    pub(super) slot: u32,
    /// Records since the last pane.
    pub(super) fresh: u64,
    /// Panes said, and those among them that were not early.
    pub(super) panes: u64,
    pub(super) on_time: u64,
    /// The watermark was past its end already when it got its bounds.
    pub(super) born_late: bool,
    /// What has been said and not been taken back: the pane before, those of windows it has taken in.
    pub(super) said: Vec<Said>,
    pub(super) states: States,
    /// Whether it is among those that are asked at the next tick.
    pub(super) asked: bool,
    /// The trace's number of it.
    pub(super) number: u64,
}

/// A row that has been said and may be taken back.
#[derive(Clone, Copy)]
pub(super) struct Said {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) slot: u32,
    pub(super) pane: Pane,
}

/// What is known of a firing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pane {
    pub(super) timing: Timing,
    pub(super) index: u64,
    /// Counted over panes that are not early.
    pub(super) on_time_index: u64,
    pub(super) last: bool,
}

/// When a pane comes, against the watermark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Timing {
    /// Before the watermark has passed the window's end.
    #[default]
    Early,
    /// With it: the first that is not early.
    OnTime,
    /// After that.
    Late,
}

impl Timing {
    pub(super) const ALL: [Timing; 3] = [Timing::Early, Timing::OnTime, Timing::Late];

    pub(super) fn name(self) -> &'static str {
        match self {
            Timing::Early => "EARLY",
            Timing::OnTime => "ON_TIME",
            Timing::Late => "LATE",
        }
    }
}

impl Open {
    /// The pane it says now.
    pub(super) fn pane(&self, past_end: bool, last: bool) -> Pane {
        let timing = match (past_end, self.on_time) {
            (false, _) => Timing::Early,
            (true, 0) if !self.born_late => Timing::OnTime,
            (true, _) => Timing::Late,
        };
        Pane { timing, index: self.panes, on_time_index: self.on_time, last }
    }

    /// Gives it other bounds: its panes are counted anew.
    pub(super) fn set_bounds(&mut self, (start, end): (i64, i64), past_end: bool) {
        (self.start, self.end) = (start, end);
        (self.panes, self.on_time, self.born_late) = (0, 0, past_end);
    }
}

/// The windows a row is in, by what it says alone; of a session the one it would be with no other.
pub(super) fn windows_of(
    spec: &WindowSpec,
    time: usize,
    batch: &Batch,
    row: usize,
    windows: &mut Vec<(i64, i64)>,
) {
    windows.clear();
    match spec {
        WindowSpec::Aligned(alignment) => {
            let last = alignment.slice(millis(&batch.columns[time])[row]);
            let all = (0..alignment.overlap()).rev();
            windows.extend(all.map(|back| alignment.bounds(last.saturating_sub(back))));
        }
        WindowSpec::Cumulate(cumulation) => {
            let slice = cumulation.slices().slice(millis(&batch.columns[time])[row]);
            windows.extend((slice..=cumulation.last(slice)).map(|n| cumulation.bounds(n)));
        }
        WindowSpec::Session { gap } => {
            let start = millis(&batch.columns[time])[row];
            windows.push((start, start.saturating_add(*gap)));
        }
        WindowSpec::Attached { bounds } => {
            let [start, end] = bounds.map(|c| millis(&batch.columns[c])[row]);
            windows.push((start, end));
        }
    }
}
