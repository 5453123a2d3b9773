//! When what is kept under numbers was last written to, so that it can be forgotten after a time.
//!
//! The time is the stream's clock: an entry is forgotten at the first tick that is so much later than the last
//! one before it was written to. Flink's state TTL with `OnCreateAndWrite` and `NeverReturnExpired`.

use std::collections::VecDeque;

use crate::batch::{NO_CLOCK, Stair};
use crate::error::Result;
use crate::snapshot::bytes::{Reader, put_signed};

/// Numbers and when they were last written to.
#[derive(Clone)]
pub struct Ages {
    /// How long something is kept, milliseconds.
    ttl: i64,
    now: i64,
    /// By number; `NO_CLOCK`: nothing is kept there.
    written: Vec<i64>,
    /// Numbers as they were written to; one that has been written to since stands there again.
    queue: VecDeque<(i64, u32)>,
}

/// What is forgotten before a row of a batch: how many rows come before, and the numbers.
pub type Cut = (usize, Vec<u32>);

impl Ages {
    /// Nothing is kept; what will be, is kept for `ttl` milliseconds.
    pub fn new(ttl: i64) -> Ages {
        Ages { ttl, now: NO_CLOCK, written: Vec::new(), queue: VecDeque::new() }
    }

    /// What the clock said last.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Something is written under a number.
    pub fn write(&mut self, number: u32) {
        self.set(number, self.now);
    }

    /// What was written under a number is no longer there.
    pub fn drop(&mut self, number: u32) {
        if let Some(written) = self.written.get_mut(number as usize) {
            *written = NO_CLOCK;
        }
    }

    /// When a number was last written to.
    pub fn written(&self, number: u32) -> i64 {
        self.written.get(number as usize).copied().unwrap_or(NO_CLOCK)
    }

    /// The clock goes on; the numbers whose time is over.
    pub fn advance(&mut self, clock: i64) -> Vec<u32> {
        let mut gone = Vec::new();
        if clock <= self.now {
            return gone;
        }
        self.now = clock;
        while let Some(&(at, number)) =
            self.queue.front().filter(|(at, _)| at.saturating_add(self.ttl) <= clock)
        {
            self.queue.pop_front();
            if self.written(number) == at {
                self.written[number as usize] = NO_CLOCK;
                gone.push(number);
            }
        }
        gone
    }

    /// Goes through a batch: each row is written under the number beside it, the clock goes on between them.
    pub fn walk(&mut self, stairs: &[Stair], numbers: &[u32]) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let mut stairs = stairs.iter().peekable();
        for row in 0..=numbers.len() {
            while let Some(stair) =
                stairs.next_if(|s| s.row as usize <= row || row == numbers.len())
            {
                let gone = self.advance(stair.clock);
                if !gone.is_empty() {
                    cuts.push((row, gone));
                }
            }
            if let Some(&number) = numbers.get(row) {
                self.write(number);
            }
        }
        cuts
    }

    /// Forgets everything.
    pub fn empty(&mut self) {
        *self = Ages::new(self.ttl);
    }

    /// Goes on from `now` at least, and gives numbers back the times at which they were written to.
    pub fn restore(&mut self, now: i64, times: Vec<(i64, u32)>) {
        self.now = self.now.max(now);
        times.into_iter().for_each(|(at, number)| self.set(number, at));
        self.queue.make_contiguous().sort();
    }

    /// Appends the clock, and when numbers were written to.
    pub fn save(&self, numbers: &[u32], out: &mut Vec<u8>) {
        put_signed(out, self.now);
        numbers.iter().for_each(|&number| put_signed(out, self.written(number)));
    }

    /// Takes back what [`Ages::save`] wrote of so many numbers, of those that are to be kept.
    ///
    /// # Errors
    /// When the bytes end before it.
    pub fn load(
        &mut self,
        numbers: &[u32],
        keep: impl Fn(u32) -> bool,
        reader: &mut Reader<'_>,
    ) -> Result<()> {
        let now = reader.signed()?;
        let times = numbers.iter().map(|&number| Ok((reader.signed()?, number)));
        let mut times = times.collect::<Result<Vec<_>>>()?;
        times.retain(|&(_, number)| keep(number));
        self.restore(now, times);
        Ok(())
    }

    fn set(&mut self, number: u32, at: i64) {
        let place = number as usize;
        if self.written.len() <= place {
            self.written.resize(place + 1, NO_CLOCK);
        }
        if self.written[place] != at {
            self.written[place] = at;
            self.queue.push_back((at, number));
        }
    }
}
