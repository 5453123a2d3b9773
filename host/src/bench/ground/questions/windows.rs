//! Tumbling windows of a loop: the few that are open, and when they close.

use super::super::loops::Clock;

/// The windows' length in milliseconds.
pub const WINDOW: i64 = 10_000;
/// More windows than can be open at once, a power of two.
const RING: usize = 8;

/// A window's number and what is in it.
#[derive(Default)]
struct Slot<W> {
    number: i64,
    open: bool,
    state: W,
}

/// The open windows. What a closed one held is used again by a later one: whoever closes it empties it.
pub struct Windows<W> {
    ring: [Slot<W>; RING],
    clock: Clock,
    /// All windows before this one have closed.
    first_open: i64,
    /// Records that came when their window had closed.
    pub late: u64,
}

impl<W: Default> Windows<W> {
    /// No window yet.
    pub fn new() -> Windows<W> {
        let ring = Default::default();
        Windows { ring, clock: Clock::default(), first_open: i64::MIN, late: 0 }
    }

    /// The window of the next event, windows that it moves the watermark past closed; `None` for a late one.
    #[inline]
    pub fn of(&mut self, ts: i64, close: impl FnMut(i64, &mut W)) -> Option<&mut W> {
        if let Some(watermark) = self.clock.advance(ts)
            && watermark.div_euclid(WINDOW) > self.first_open
        {
            self.close(watermark.div_euclid(WINDOW), close);
        }
        let number = ts.div_euclid(WINDOW);
        if number < self.first_open {
            self.late += 1;
            return None;
        }
        let slot = &mut self.ring[(number & (RING as i64 - 1)) as usize];
        (slot.number, slot.open) = (number, true);
        Some(&mut slot.state)
    }

    /// Closes all that is open.
    pub fn end(&mut self, close: impl FnMut(i64, &mut W)) {
        self.close(i64::MAX, close);
    }

    /// Closes the windows before that one; `close` gets the start of each.
    fn close(&mut self, first_open: i64, mut close: impl FnMut(i64, &mut W)) {
        self.first_open = first_open;
        for slot in self.ring.iter_mut().filter(|s| s.open && s.number < first_open) {
            slot.open = false;
            close(slot.number * WINDOW, &mut slot.state);
        }
    }
}
