//! Deduplication that keeps the first: each bidder's earliest bid.

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::waiting::Waiting;
use super::{Column, Columns, Definition, Measures, Totals};

/// A bid is told once, when the watermark says that none before it can come. Bids behind the watermark are late.
pub const QUESTION: Definition = Definition {
    name: "first",
    title: "deduplication: the first bid per bidder by event time",
    columns: &[Column::Bidder, Column::Price, Column::Time],
    delay: Some(4_000),
    query: "\
SELECT bidder, price, ts FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder ORDER BY ts) AS n FROM events)
WHERE n = 1;
",
    measures: Measures { count: None, sum: Some(1), max: None },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;

/// A key's earliest bid so far.
#[derive(Clone, Copy)]
struct First {
    ts: i64,
    price: i64,
    said: bool,
}

const NONE: First = First { ts: i64::MAX, price: 0, said: false };

fn by_hand(columns: &Columns) -> Totals {
    let mut keys = Long::new(columns.long(0));
    let (mut firsts, mut rows): (Vec<First>, _) = (Vec::new(), Rows::<3>::new(MEASURES));
    let (mut waiting, mut late) = (Waiting::new(), 0);
    for (row, (&price, &ts)) in columns.long(1).iter().zip(columns.time(2)).enumerate() {
        waiting.advance(ts, |ts, due| say(ts, due, &mut firsts, &keys, &mut rows));
        if ts < waiting.watermark() {
            late += 1;
            continue;
        }
        let id = keys.id(row);
        let first = at(&mut firsts, id, keys.count(), NONE);
        if !first.said && ts < first.ts {
            (first.ts, first.price) = (ts, price);
            // Far fewer keys than 2^32.
            waiting.put(ts, id as u32);
        }
    }
    waiting.end(|ts, due| say(ts, due, &mut firsts, &keys, &mut rows));
    rows.end(late)
}

/// Says the bids of that time, unless an earlier one has taken the place.
fn say(ts: i64, due: &[u32], firsts: &mut [First], keys: &Long<'_>, rows: &mut Rows<3>) {
    for &id in due {
        let first = &mut firsts[id as usize];
        if !first.said && first.ts == ts {
            first.said = true;
            rows.push([keys.key(id as usize), first.price, ts]);
        }
    }
}
