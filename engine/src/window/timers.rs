//! Timers of open sessions: a wheel of ticks, each timer set once and set again only when its tick comes.
//!
//! A session that grows leaves its timer where it is. When the timer's tick comes, the session's real end
//! decides: it fires, or the timer moves to where the end is now. So a record costs no timer,
//! however often it makes a session longer. (Varghese and Lauck, Hashed and Hierarchical Timing
//! Wheels, SOSP 1987.)

use std::collections::{BTreeMap, VecDeque};

/// How many ticks the wheel holds; later ones wait in a tree.
const TICKS: usize = 2048;

/// A timer: when it is due at the earliest, and for which key and slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timer {
    pub(super) end: i64,
    pub(super) key: u32,
    pub(super) slot: u32,
}

/// All timers, by the end of their window.
#[derive(Clone)]
pub(super) struct Timers {
    /// A tick is `1 << shift` milliseconds.
    shift: u32,
    /// The tick of `wheel[0]`. Timers of earlier ticks are in `now`.
    first: i64,
    wheel: VecDeque<Vec<Timer>>,
    later: BTreeMap<i64, Vec<Timer>>,
    /// Due ones and those of the tick at hand, latest end first.
    now: Vec<Timer>,
}

impl Timers {
    /// Timers for windows that mostly end within a few times `span` milliseconds.
    pub(super) fn new(span: i64) -> Timers {
        let shift = (span.max(1) as u64).ilog2().saturating_sub(8);
        let wheel = VecDeque::new();
        Timers { shift, first: i64::MIN, wheel, later: BTreeMap::new(), now: Vec::new() }
    }

    /// Sets a timer.
    pub(super) fn set(&mut self, timer: Timer) {
        let tick = timer.end >> self.shift;
        if tick < self.first {
            let at = self.now.partition_point(|t| t.end > timer.end);
            self.now.insert(at, timer);
            return;
        }
        let ahead = tick.abs_diff(self.first);
        if ahead >= TICKS as u64 {
            self.later.entry(tick).or_default().push(timer);
            return;
        }
        let ahead = ahead as usize;
        if self.wheel.len() <= ahead {
            self.wheel.resize(ahead + 1, Vec::new());
        }
        self.wheel[ahead].push(timer);
    }

    /// The next timer that ends at or before `until`, in no promised order.
    #[inline]
    pub(super) fn due(&mut self, until: i64) -> Option<Timer> {
        loop {
            if self.now.last().is_some_and(|t| t.end <= until) {
                return self.now.pop();
            }
            let tick = until >> self.shift;
            if tick < self.first || !self.turn(tick) {
                return None;
            }
        }
    }

    /// Brings the timers of the next tick that has some, up to tick `limit`, into `now`; `false` when
    /// none has.
    #[cold]
    fn turn(&mut self, limit: i64) -> bool {
        let filled = self.wheel.iter().position(|t| !t.is_empty());
        let near = filled.map(|ahead| self.first.saturating_add(ahead as i64));
        let far = self.later.first_key_value().map(|(&tick, _)| tick);
        let next = near.into_iter().chain(far).min().filter(|&tick| tick <= limit);
        let last = next.unwrap_or(limit);
        // Counted up to the last tick itself: the last there is has none behind it.
        let passed = last.abs_diff(self.first).saturating_add(1).min(self.wheel.len() as u64);
        for _ in 0..passed {
            self.now.extend(self.wheel.pop_front().unwrap_or_default());
        }
        self.first = last.saturating_add(1);
        self.now.extend(next.and_then(|tick| self.later.remove(&tick)).unwrap_or_default());
        self.now.sort_by_key(|t| std::cmp::Reverse(t.end));
        next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last moment there is has no tick behind it.
    #[test]
    fn a_timer_at_the_end_of_time_comes_once() {
        for span in [1, 5_000] {
            let mut timers = Timers::new(span);
            for key in [1, 2] {
                timers.set(Timer { end: i64::MAX, key, slot: 0 });
                assert!(timers.due(0).is_none());
                assert_eq!(timers.due(i64::MAX).map(|t| t.key), Some(key));
                assert!(timers.due(i64::MAX).is_none());
            }
        }
    }

    /// Timers come out when they are due and not before, whatever was set in between.
    #[test]
    fn every_timer_comes_once_and_in_time() {
        for span in [1, 50, 5_000, 86_400_000] {
            let mut timers = Timers::new(span);
            let mut open: Vec<i64> = Vec::new();
            let (mut seed, mut now) = (7_u64, -3 * span);
            for step in 0..3_000_u32 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let jump = (seed >> 40) as i64;
                for k in 0..jump % 3 {
                    let far = if jump % 97 == 0 { span * 5_000 } else { span * (jump % 7) };
                    let end = now + far + k - 2;
                    open.push(end);
                    timers.set(Timer { end, key: step, slot: k as u32 });
                }
                now += jump % (span + 2);
                let mut due: Vec<i64> = open.iter().copied().filter(|&e| e <= now).collect();
                open.retain(|&e| e > now);
                let mut found: Vec<i64> =
                    std::iter::from_fn(|| timers.due(now)).map(|t| t.end).collect();
                due.sort();
                found.sort();
                assert_eq!(found, due, "span {span}, step {step}");
            }
            assert_eq!(std::iter::from_fn(|| timers.due(i64::MAX)).count(), open.len());
        }
    }
}
