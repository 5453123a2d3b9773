//! Top-N of a window: the three highest bids of each auction in ten seconds.

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::top::Best;
use super::windows::Windows;
use super::{Column, Columns, Definition, Measures, Totals};

/// They are told once, when the window closes. Of equal bids the one that came first is higher.
///
/// The engine was measured below a tenth of the loop: a partition's key has three columns here, two of them the
/// window's, and the rows that may be among the first are bytes, each in a place of its own.
pub const QUESTION: Definition = Definition {
    name: "window-top-n",
    title: "Top-N of a window: the 3 highest bids per auction, TUMBLE 10 s",
    columns: &[Column::Auction, Column::Price, Column::Time],
    delay: Some(4_001),
    query: "\
SELECT auction, price, n, ts, window_end FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, auction ORDER BY price DESC) AS n
  FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND)))
WHERE n <= 3;
",
    measures: Measures { count: Some(2), sum: Some(1), max: None },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;

fn by_hand(columns: &Columns) -> Totals {
    let mut keys = Long::new(columns.long(0));
    let mut rows = Rows::<5>::new(MEASURES);
    let mut windows = Windows::<Vec<Best>>::new();
    for (row, (&price, &ts)) in columns.long(1).iter().zip(columns.time(2)).enumerate() {
        if let Some(best) = windows.of(ts, |start, best| close(best, start, &keys, &mut rows)) {
            let id = keys.id(row);
            at(best, id, keys.count(), Best::NONE).enter(price, ts);
        }
    }
    windows.end(|start, best| close(best, start, &keys, &mut rows));
    rows.end(windows.late)
}

fn close(best: &mut [Best], start: i64, keys: &Long<'_>, rows: &mut Rows<5>) {
    for (id, best) in best.iter_mut().enumerate() {
        for (n, &(price, ts)) in best.bids().iter().enumerate() {
            rows.push([keys.key(id), price, n as i64 + 1, ts, start]);
        }
        *best = Best::NONE;
    }
}
