//! What waits in a loop until the watermark reaches its time: a bucket a millisecond.

use super::super::loops::Clock;

/// More milliseconds than lie between the watermark and the highest event time, a power of two.
const RING: usize = 4_096;

/// What waits, by its event time.
pub struct Waiting<T> {
    ring: Vec<Vec<T>>,
    /// What came when the watermark had reached its time, for the next step.
    behind: Vec<(i64, T)>,
    /// Those behind of one time.
    same: Vec<T>,
    clock: Clock,
}

impl<T: Copy> Waiting<T> {
    /// Nothing waits.
    pub fn new() -> Waiting<T> {
        let clock = Clock::default();
        assert!(clock.delay() < RING as i64, "more milliseconds wait than there is room for");
        Waiting { ring: vec![Vec::new(); RING], behind: Vec::new(), same: Vec::new(), clock }
    }

    /// The watermark so far.
    #[inline]
    pub fn watermark(&self) -> i64 {
        self.clock.watermark()
    }

    /// Takes the time of the next event; what is due now goes to `due`, with its time, times ascending.
    /// An event that moves the watermark is not due at once, so it may be put behind.
    #[inline]
    pub fn advance(&mut self, ts: i64, due: impl FnMut(i64, &[T])) {
        let before = self.clock.watermark();
        if let Some(watermark) = self.clock.advance(ts) {
            self.step(before, watermark, due);
        }
    }

    /// Lets one wait.
    #[inline]
    pub fn put(&mut self, ts: i64, one: T) {
        if ts > self.clock.watermark() {
            self.ring[slot(ts)].push(one);
        } else {
            self.behind.push((ts, one));
        }
    }

    /// Everything is due.
    pub fn end(&mut self, due: impl FnMut(i64, &[T])) {
        self.step(self.clock.watermark(), i64::MAX, due);
    }

    fn step(&mut self, before: i64, watermark: i64, mut due: impl FnMut(i64, &[T])) {
        if !self.behind.is_empty() {
            self.behind.sort_by_key(|b| b.0);
            for same in self.behind.chunk_by(|a, b| a.0 == b.0) {
                self.same.clear();
                self.same.extend(same.iter().map(|b| b.1));
                due(same[0].0, &self.same);
            }
            self.behind.clear();
        }
        if before == i64::MIN {
            return;
        }
        for ts in before + 1..=watermark.min(before + RING as i64) {
            let bucket = &mut self.ring[slot(ts)];
            if !bucket.is_empty() {
                due(ts, bucket);
                bucket.clear();
            }
        }
    }
}

fn slot(ts: i64) -> usize {
    (ts & (RING as i64 - 1)) as usize
}
