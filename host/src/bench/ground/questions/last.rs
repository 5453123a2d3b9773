//! Deduplication that keeps the last: each bidder's latest bid, as it changes.

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::{Column, Columns, Definition, Measures, Totals};

/// A bid takes the place of one before it in event time, or of the same time; that one is taken back. One that is
/// equal in all that is told changes nothing.
///
/// The engine was measured around a tenth of the loop: each record is a row that is kept as bytes, takes one
/// back and is said itself. The loop writes two numbers over two others.
pub const QUESTION: Definition = Definition {
    name: "last",
    title: "deduplication: the last bid per bidder by event time, as it changes",
    columns: &[Column::Bidder, Column::Price, Column::Time],
    delay: Some(4_000),
    query: "\
SELECT bidder, price, ts FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder ORDER BY ts DESC) AS n FROM events)
WHERE n = 1;
",
    measures: Measures { count: None, sum: Some(1), max: None },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;

/// A key's latest bid.
#[derive(Clone, Copy)]
struct Last {
    ts: i64,
    price: i64,
}

const NONE: Last = Last { ts: i64::MIN, price: 0 };

fn by_hand(columns: &Columns) -> Totals {
    let mut keys = Long::new(columns.long(0));
    let (mut lasts, mut rows): (Vec<Last>, _) = (Vec::new(), Rows::<3>::new(MEASURES));
    for (row, (&price, &ts)) in columns.long(1).iter().zip(columns.time(2)).enumerate() {
        let id = keys.id(row);
        let last = at(&mut lasts, id, keys.count(), NONE);
        if ts < last.ts || (ts, price) == (last.ts, last.price) {
            continue;
        }
        let key = keys.key(id);
        if last.ts != NONE.ts {
            rows.change(-1, [key, last.price, last.ts]);
        }
        *last = Last { ts, price };
        rows.change(1, [key, price, ts]);
    }
    rows.end(0)
}
