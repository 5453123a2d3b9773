//! COUNT(DISTINCT): the bidders of each auction in ten seconds.

use hashbrown::HashSet;
use rustc_hash::FxBuildHasher;

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::windows::Windows;
use super::{Column, Columns, Definition, Measures, Totals};

/// As W1 for the windows.
pub const QUESTION: Definition = Definition {
    name: "distinct",
    title: "TUMBLE 10 s: count, count of distinct bidders per auction",
    columns: &[Column::Auction, Column::Bidder, Column::Time],
    delay: Some(4_001),
    query: "\
SELECT auction, window_end, COUNT(*) AS n, COUNT(DISTINCT bidder) AS bidders
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;
",
    measures: Measures { count: Some(2), sum: Some(3), max: None },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;

/// One window: its pairs of key and bidder, and their numbers by key.
#[derive(Default)]
struct Window {
    pairs: HashSet<(u32, i64), FxBuildHasher>,
    /// Records and distinct bidders.
    counts: Vec<(i64, i64)>,
}

fn by_hand(columns: &Columns) -> Totals {
    let mut keys = Long::new(columns.long(0));
    let mut rows = Rows::<4>::new(MEASURES);
    let mut windows = Windows::<Window>::new();
    for (row, (&bidder, &ts)) in columns.long(1).iter().zip(columns.time(2)).enumerate() {
        let window = windows.of(ts, |start, window| close(window, start, &keys, &mut rows));
        let Some(window) = window else { continue };
        let id = keys.id(row);
        let counts = at(&mut window.counts, id, keys.count(), (0, 0));
        counts.0 += 1;
        // Far fewer keys than 2^32.
        counts.1 += i64::from(window.pairs.insert((id as u32, bidder)));
    }
    windows.end(|start, window| close(window, start, &keys, &mut rows));
    rows.end(windows.late)
}

fn close(window: &mut Window, start: i64, keys: &Long<'_>, rows: &mut Rows<4>) {
    for (id, counts) in window.counts.iter_mut().enumerate().filter(|(_, c)| c.0 > 0) {
        rows.push([keys.key(id), start, counts.0, counts.1]);
        *counts = (0, 0);
    }
    window.pairs.clear();
}
