//! W4 by hand: pairs of a bid and an opening of the same auction, at most 10 s apart.

use std::collections::VecDeque;

use super::keys::Keys;
use super::{Clock, Totals};

/// How far apart a pair may be, milliseconds.
const REACH: i64 = 10_000;
/// Pairs a consumer takes at a time.
const PAIRS: usize = 4_096;

/// An event kept for partners to come: its time since the first event's, and its row.
#[derive(Clone, Copy)]
struct Kept {
    time: i32,
    row: u32,
}

/// One auction's events, in one cache line.
#[derive(Clone, Default)]
#[repr(align(64))]
struct Sides {
    bids: VecDeque<Kept>,
    openings: VecDeque<Kept>,
}

/// Rows as a consumer would get them, in columns.
#[derive(Default)]
struct Rows {
    price: Vec<i64>,
    bid_time: Vec<i64>,
    opening_time: Vec<i64>,
}

/// The columns of the merged stream. It spans less than 24 days.
#[derive(Clone, Copy)]
pub struct Events<'a> {
    /// 0 for a bid, 1 for an opening.
    pub kind: &'a [i32],
    /// A bid's price.
    pub price: &'a [i64],
    /// Event time in milliseconds.
    pub ts: &'a [i64],
}

/// All pairs.
pub fn run(keys: &mut impl Keys, events: Events<'_>) -> Totals {
    let (mut rows, mut totals) = (Rows::default(), Totals::default());
    let mut clock = Clock::default();
    let mut sides: Vec<Sides> = Vec::new();
    let base = events.ts.first().copied().unwrap_or(0);
    for (row, &ts) in events.ts.iter().enumerate() {
        // An event that moves the watermark is never behind it.
        clock.advance(ts);
        if ts < clock.watermark {
            totals.late += 1;
            continue;
        }
        let id = keys.id(row);
        if id >= sides.len() {
            sides.resize(keys.count().max(id + 1), Sides::default());
        }
        let sides = &mut sides[id];
        // Within 24 days of the first, and fewer rows than 2^32 fit any input in memory.
        let event = Kept { time: (ts - base) as i32, row: row as u32 };
        let expired = (clock.watermark - REACH).saturating_sub(base);
        let opening = events.kind[row] == 1;
        let (own, partners) = match opening {
            true => (&mut sides.openings, &mut sides.bids),
            false => (&mut sides.bids, &mut sides.openings),
        };
        // A side is swept when it would grow, and when somebody looks at it: a sweep a record costs more.
        if own.len() == own.capacity() {
            sweep(own, expired);
        }
        sweep(partners, expired);
        for partner in partners.iter() {
            if partner.time.abs_diff(event.time) <= REACH as u32 {
                let (bid, opened) = if opening { (partner, &event) } else { (&event, partner) };
                keys.put(id);
                rows.price.push(events.price[bid.row as usize]);
                rows.bid_time.push(events.ts[bid.row as usize]);
                rows.opening_time.push(events.ts[opened.row as usize]);
            }
        }
        own.push_back(event);
        if rows.price.len() >= PAIRS {
            rows.consume(&mut totals, keys);
        }
    }
    rows.consume(&mut totals, keys);
    totals
}

/// Lets go of what is out of reach of all that may come, as far as it stands in front.
#[inline]
fn sweep(side: &mut VecDeque<Kept>, expired: i64) {
    while side.front().is_some_and(|e| i64::from(e.time) < expired) {
        side.pop_front();
    }
}

impl Rows {
    fn consume(&mut self, totals: &mut Totals, keys: &mut impl Keys) {
        totals.rows += self.price.len() as u64;
        totals.counts += self.price.len() as u64;
        totals.sums += self.price.iter().sum::<i64>();
        std::hint::black_box((keys.clear(), &self.bid_time, &self.opening_time));
        self.price.clear();
        self.bid_time.clear();
        self.opening_time.clear();
    }
}
