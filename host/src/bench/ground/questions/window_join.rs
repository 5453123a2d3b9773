//! A window join: bids and openings of the same auction in the same ten seconds.

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::windows::Windows;
use super::{Column, Columns, Definition, Measures, Totals, kinds};

/// Pairs come when the window closes; a record whose window has closed is late.
pub const QUESTION: Definition = Definition {
    name: "window-join",
    title: "window join of bids and openings, TUMBLE 10 s both",
    columns: &[Column::Kind, Column::Auction, Column::Price, Column::Time],
    delay: Some(4_001),
    query: "\
CREATE VIEW bids AS SELECT auction, price, window_start, window_end
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND)) WHERE kind = 0;
CREATE VIEW openings AS SELECT auction, price AS reserve, window_start, window_end
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND)) WHERE kind = 1;
SELECT b.auction, b.price, a.reserve, b.window_end
FROM bids b JOIN openings a ON b.auction = a.auction
  AND b.window_start = a.window_start AND b.window_end = a.window_end;
",
    measures: Measures { count: None, sum: Some(1), max: Some(2) },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;
/// No opening.
const NONE: u32 = u32::MAX;

/// One window: its bids, and its openings as a list a key.
#[derive(Default)]
struct Window {
    bids: Vec<(u32, i64)>,
    /// A reserve, and the next opening of its key.
    openings: Vec<(i64, u32)>,
    /// The first opening by key.
    first: Vec<u32>,
}

fn by_hand(columns: &Columns) -> Totals {
    let (kind, price, ts) = (kinds(columns), columns.long(2), columns.time(3));
    let mut keys = Long::new(columns.long(1));
    let mut rows = Rows::<4>::new(MEASURES);
    let mut windows = Windows::<Window>::new();
    for (row, (&price, &ts)) in price.iter().zip(ts).enumerate() {
        let window = windows.of(ts, |start, window| close(window, start, &keys, &mut rows));
        let Some(window) = window else { continue };
        // Far fewer keys than 2^32.
        let id = keys.id(row);
        if kind[row] == 0 {
            window.bids.push((id as u32, price));
        } else {
            let first = at(&mut window.first, id, keys.count(), NONE);
            let before = std::mem::replace(first, window.openings.len() as u32);
            window.openings.push((price, before));
        }
    }
    windows.end(|start, window| close(window, start, &keys, &mut rows));
    rows.end(windows.late)
}

fn close(window: &mut Window, start: i64, keys: &Long<'_>, rows: &mut Rows<4>) {
    for &(id, price) in &window.bids {
        let mut next = window.first.get(id as usize).copied().unwrap_or(NONE);
        while next != NONE {
            let (reserve, after) = window.openings[next as usize];
            rows.push([keys.key(id as usize), price, reserve, start]);
            next = after;
        }
    }
    window.bids.clear();
    window.openings.clear();
    window.first.fill(NONE);
}
