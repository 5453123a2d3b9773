//! What the engine is measured against: the same windows in a hand-written loop on one thread.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::stream::Bids;

/// The windows' length in milliseconds.
pub const WINDOW: i64 = 10_000;
/// How far the watermark stays behind the highest event time, milliseconds.
pub const DELAY: i64 = 4_000;

/// What a run must agree on, whatever the order of its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Result rows.
    pub rows: u64,
    /// Records whose window had closed.
    pub late: u64,
    /// The sum of the rows' counts.
    pub counts: u64,
    /// The sum of the rows' sums.
    pub sums: i64,
    /// The sum of the rows' maxima.
    pub maxima: i64,
}

/// The published totals for 10,000,000 bids.
pub const TEN_MILLION: Totals = Totals {
    rows: 997_165,
    late: 94_335,
    counts: 9_905_665,
    sums: 49_538_451_498,
    maxima: 8_254_095_650,
};

/// Count, sum and maximum of one auction in one window.
#[derive(Clone, Copy)]
struct Accumulator {
    count: u64,
    sum: i64,
    max: i64,
}

type Window = HashMap<i64, Accumulator, FxBuildHasher>;

/// Rows as a consumer would get them, columns of one window.
#[derive(Default)]
struct Rows {
    auction: Vec<i64>,
    start: Vec<i64>,
    count: Vec<u64>,
    sum: Vec<i64>,
    max: Vec<i64>,
}

/// Count, sum and maximum of the price per auction and tumbling window, by a hashed loop.
pub fn run(bids: &Bids) -> Totals {
    let mut open: Vec<(i64, Window)> = Vec::new();
    let mut spare: Vec<Window> = Vec::new();
    let (mut rows, mut totals) = (Rows::default(), Totals::default());
    let mut highest = i64::MIN + DELAY;
    // All windows that end here or before have closed.
    let mut closed = i64::MIN;
    for ((auction, price), ts) in bids.auction.iter().zip(&bids.price).zip(&bids.ts) {
        let start = ts - ts.rem_euclid(WINDOW);
        if start + WINDOW <= closed {
            totals.late += 1;
        } else {
            let at = match open.iter().position(|(s, _)| *s == start) {
                Some(at) => at,
                None => {
                    open.push((start, spare.pop().unwrap_or_default()));
                    open.len() - 1
                }
            };
            let fresh = Accumulator { count: 0, sum: 0, max: i64::MIN };
            let state = open[at].1.entry(*auction).or_insert(fresh);
            state.count += 1;
            state.sum += price;
            state.max = state.max.max(*price);
        }
        if *ts > highest {
            highest = *ts;
            let watermark = highest - DELAY;
            if watermark >= closed.saturating_add(WINDOW) {
                closed = watermark - watermark.rem_euclid(WINDOW);
                close(closed, &mut open, &mut spare, &mut rows, &mut totals);
            }
        }
    }
    close(i64::MAX, &mut open, &mut spare, &mut rows, &mut totals);
    totals
}

fn close(
    until: i64,
    open: &mut Vec<(i64, Window)>,
    spare: &mut Vec<Window>,
    rows: &mut Rows,
    totals: &mut Totals,
) {
    while let Some(at) = open.iter().position(|(s, _)| s + WINDOW <= until) {
        let (start, mut window) = open.swap_remove(at);
        for (auction, state) in window.drain() {
            rows.auction.push(auction);
            rows.start.push(start);
            rows.count.push(state.count);
            rows.sum.push(state.sum);
            rows.max.push(state.max);
        }
        spare.push(window);
        rows.consume(totals);
    }
}

impl Rows {
    /// What a consumer does with them here: adds them up.
    fn consume(&mut self, totals: &mut Totals) {
        totals.rows += self.auction.len() as u64;
        totals.counts += self.count.iter().sum::<u64>();
        totals.sums += self.sum.iter().sum::<i64>();
        totals.maxima += self.max.iter().sum::<i64>();
        self.auction.clear();
        self.start.clear();
        self.count.clear();
        self.sum.clear();
        self.max.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The definition word for word, slowly.
    fn naive(bids: &Bids) -> Totals {
        let mut windows: BTreeMap<(i64, i64), Vec<i64>> = BTreeMap::new();
        let (mut highest, mut late) = (i64::MIN, 0);
        for i in 0..bids.len() {
            let start = bids.ts[i].div_euclid(10_000) * 10_000;
            let watermark = highest.saturating_sub(4_000);
            if watermark >= start + 10_000 {
                late += 1;
            } else {
                windows.entry((start, bids.auction[i])).or_default().push(bids.price[i]);
            }
            highest = highest.max(bids.ts[i]);
        }
        Totals {
            rows: windows.len() as u64,
            late,
            counts: windows.values().map(|w| w.len() as u64).sum(),
            sums: windows.values().flatten().sum(),
            maxima: windows.values().filter_map(|w| w.iter().max()).sum(),
        }
    }

    #[test]
    fn the_loop_follows_the_definition() {
        for records in [0, 1, 999, 400_000] {
            let bids = Bids::generate(records);
            assert_eq!(run(&bids), naive(&bids), "{records} records");
        }
        let bids = Bids::generate(400_000);
        assert!(run(&bids).late > 1_000, "the stream has late records");
        // Time that jumps over several windows, and comes back.
        let ts = vec![0, 55_000, 49_999, 50_000, 40_000, 9_999, -1, 70_000, 54_000, 60_000];
        let bids = Bids { auction: vec![1; 10], price: (0..10).collect(), ts };
        assert_eq!(run(&bids), naive(&bids));
    }
}
