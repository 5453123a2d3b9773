//! How far apart the event times of joined rows may be, and what follows for watermarks.

use crate::seeded::seeded;
use crate::time::EventTime;

/// How far apart event times may be: `lower <= right - left <= upper`, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The least difference.
    pub lower: i64,
    /// The greatest difference.
    pub upper: i64,
}

impl Bounds {
    /// The event times on the other side that may pair with one of this side.
    pub(super) fn range(self, side: usize, time: i64) -> Option<(i64, i64)> {
        let (from, to) = match side {
            0 => (self.lower, self.upper),
            _ => (self.upper.saturating_neg(), self.lower.saturating_neg()),
        };
        // Past either end of time there is nothing.
        if (from > 0 && time.checked_add(from).is_none())
            || (to < 0 && time.checked_add(to).is_none())
        {
            return None;
        }
        Some((time.saturating_add(from), time.saturating_add(to)))
    }

    /// How long after a row of this side its last partner may be.
    pub(super) fn ahead(self, side: usize) -> i64 {
        if side == 0 { self.upper } else { self.lower.saturating_neg() }
    }

    /// The time from which on rows of this side are still needed under a watermark.
    pub(super) fn dead(self, side: usize, watermark: EventTime) -> i64 {
        match watermark {
            EventTime::MIN | EventTime::MAX => watermark.0,
            w if seeded("joins-free-too-early") => w.0.saturating_sub(self.ahead(side)) + 1_000,
            w => w.0.saturating_sub(self.ahead(side)),
        }
    }

    /// How far the watermark behind the join stays behind the one before it, milliseconds, but for the
    /// last one.
    pub fn back(self) -> i64 {
        self.ahead(0).max(self.ahead(1)).max(0)
    }

    /// The watermark behind the join: no joined row has a time at or below it, whichever of its two
    /// times one takes. A row that arrives is at the watermark or after; its partner lies behind it by
    /// no more than the bounds.
    pub(super) fn hold(self, watermark: EventTime) -> EventTime {
        match watermark {
            EventTime::MIN | EventTime::MAX => watermark,
            w => EventTime(w.0.saturating_sub(self.back()).saturating_sub(1)),
        }
    }
}
