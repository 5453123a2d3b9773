//! OVER rows: each bid with count and sum of the last ten of its auction.

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::waiting::Waiting;
use super::{Column, Columns, Definition, Measures, Totals};

/// Bids leave when the watermark reaches their time, by time and then as they came. One is late when a bid of
/// its time or a later one of its auction has left.
///
/// The engine was measured below a tenth of the loop: rows that wait are rows of any columns, found by their key and put
/// in the order of time when they leave, and accumulators of any aggregate take in a value and give one back a row. The
/// loop keeps ten numbers a key.
pub const QUESTION: Definition = Definition {
    name: "over-rows",
    title: "OVER, 10 rows: count, sum per auction, a row a record",
    columns: &[Column::Auction, Column::Price, Column::Time],
    delay: Some(4_000),
    query: "\
SELECT auction, price, COUNT(*) OVER w AS n, SUM(price) OVER w AS total FROM events
WINDOW w AS (PARTITION BY auction ORDER BY ts ROWS BETWEEN 9 PRECEDING AND CURRENT ROW);
",
    measures: Measures { count: Some(2), sum: Some(3), max: None },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;
/// The frame's length.
const FRAME: usize = 10;

/// The last bids of one key that have left.
#[derive(Clone, Copy)]
struct Frame {
    prices: [i64; FRAME],
    /// Where the next one goes; how many there are.
    next: u32,
    count: u32,
    sum: i64,
    last: i64,
}

const NONE: Frame = Frame { prices: [0; FRAME], next: 0, count: 0, sum: 0, last: i64::MIN };

fn by_hand(columns: &Columns) -> Totals {
    let (price, ts) = (columns.long(1), columns.time(2));
    let mut keys = Long::new(columns.long(0));
    let (mut frames, mut rows): (Vec<Frame>, _) = (Vec::new(), Rows::<4>::new(MEASURES));
    let (mut waiting, mut late) = (Waiting::new(), 0);
    for (row, (&price, &ts)) in price.iter().zip(ts).enumerate() {
        waiting.advance(ts, |ts, due| leave(ts, due, &mut frames, &keys, &mut rows));
        let id = keys.id(row);
        if ts <= at(&mut frames, id, keys.count(), NONE).last {
            late += 1;
        } else {
            // Far fewer keys than 2^32.
            waiting.put(ts, (id as u32, price));
        }
    }
    waiting.end(|ts, due| leave(ts, due, &mut frames, &keys, &mut rows));
    rows.end(late)
}

fn leave(ts: i64, due: &[(u32, i64)], frames: &mut [Frame], keys: &Long<'_>, rows: &mut Rows<4>) {
    for &(id, price) in due {
        let frame = &mut frames[id as usize];
        let place = &mut frame.prices[frame.next as usize];
        // Nothing stands where the frame is not full yet.
        frame.sum += price - std::mem::replace(place, price);
        frame.next = (frame.next + 1) % FRAME as u32;
        frame.count = (frame.count + 1).min(FRAME as u32);
        frame.last = ts;
        rows.push([keys.key(id as usize), price, i64::from(frame.count), frame.sum]);
    }
}
