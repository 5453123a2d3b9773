//! OVER a range of time: each bid with count and sum of its auction in the ten seconds before.

use std::collections::VecDeque;

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::waiting::Waiting;
use super::{Column, Columns, Definition, Measures, Totals};

/// Bids leave as in [`super::over_rows`]; bids of the same time are in each other's frame. An auction that the
/// watermark says nothing can reach back to begins anew.
///
/// The engine was measured between a tenth and a fifth of the loop, for the reasons given there.
pub const QUESTION: Definition = Definition {
    name: "over-range",
    title: "OVER, a range of 10 s: count, sum per auction, a row a record",
    columns: &[Column::Auction, Column::Price, Column::Time],
    delay: Some(4_000),
    query: "\
SELECT auction, price, COUNT(*) OVER w AS n, SUM(price) OVER w AS total FROM events
WINDOW w AS (PARTITION BY auction ORDER BY ts
  RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW);
",
    measures: Measures { count: Some(2), sum: Some(3), max: None },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;
/// The frame's length in milliseconds.
const FRAME: i64 = 10_000;

/// The bids of one key in the frame of the last that has left.
#[derive(Clone)]
struct Frame {
    bids: VecDeque<(i64, i64)>,
    sum: i64,
    last: i64,
    /// How many wait.
    waiting: u32,
}

const NONE: Frame = Frame { bids: VecDeque::new(), sum: 0, last: i64::MIN, waiting: 0 };

fn by_hand(columns: &Columns) -> Totals {
    let (price, ts) = (columns.long(1), columns.time(2));
    let mut keys = Long::new(columns.long(0));
    let (mut frames, mut rows): (Vec<Frame>, _) = (Vec::new(), Rows::<4>::new(MEASURES));
    let (mut waiting, mut late) = (Waiting::new(), 0);
    for (row, (&price, &ts)) in price.iter().zip(ts).enumerate() {
        // A record comes before the step of the watermark it makes.
        let watermark = waiting.watermark();
        waiting.advance(ts, |ts, due| leave(ts, due, &mut frames, &keys, &mut rows));
        let id = keys.id(row);
        let frame = at(&mut frames, id, keys.count(), NONE);
        if frame.waiting == 0 && frame.last.saturating_add(FRAME) < watermark {
            frame.bids.clear();
            (frame.sum, frame.last) = (0, i64::MIN);
        }
        if ts <= frame.last {
            late += 1;
        } else {
            frame.waiting += 1;
            // Far fewer keys than 2^32.
            waiting.put(ts, (id as u32, price));
        }
    }
    waiting.end(|ts, due| leave(ts, due, &mut frames, &keys, &mut rows));
    rows.end(late)
}

/// All bids of one time: first they are in their frames, then each sees its own.
fn leave(ts: i64, due: &[(u32, i64)], frames: &mut [Frame], keys: &Long<'_>, rows: &mut Rows<4>) {
    for &(id, price) in due {
        let frame = &mut frames[id as usize];
        while frame.bids.front().is_some_and(|bid| bid.0 < ts - FRAME) {
            frame.sum -= frame.bids.pop_front().map_or(0, |bid| bid.1);
        }
        frame.bids.push_back((ts, price));
        frame.sum += price;
        frame.last = ts;
        frame.waiting -= 1;
    }
    for &(id, price) in due {
        let frame = &frames[id as usize];
        rows.push([keys.key(id as usize), price, frame.bids.len() as i64, frame.sum]);
    }
}
