//! Early panes: ten seconds of each auction, told at every tenth bid and at the end.

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::windows::Windows;
use super::{Column, Columns, Definition, Measures, Totals};

/// A pane takes back what the one before has said of its window; one that says the same is left out.
///
/// The engine is below a tenth of the loop: after each record it asks a trigger of any composition, and what it
/// knows of a window (bounds, the trigger's state, what it has said, accumulators) stands in four places in
/// memory. The loop has all that in forty bytes.
pub const QUESTION: Definition = Definition {
    name: "early",
    title: "TUMBLE 10 s, early after each 10 records: count, sum per auction",
    columns: &[Column::Auction, Column::Price, Column::Time],
    delay: Some(4_001),
    query: "\
SET 'highwater.emit.trigger' = 'after_watermark(early => after_count(10))';
SELECT auction, window_end, COUNT(*) AS n, SUM(price) AS total
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;
",
    measures: Measures { count: Some(2), sum: Some(3), max: None },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;
/// Records from one pane to the next.
const EACH: i64 = 10;

/// Count and sum of one key, and what has been said of them.
#[derive(Clone, Copy, Default)]
struct Sum {
    count: i64,
    sum: i64,
    said: Option<(i64, i64)>,
}

impl Sum {
    #[inline]
    fn fire(&mut self, key: i64, start: i64, rows: &mut Rows<4>) {
        let now = (self.count, self.sum);
        let before = self.said.replace(now);
        if before == Some(now) {
            return;
        }
        if let Some((count, sum)) = before {
            rows.change(-1, [key, start, count, sum]);
        }
        rows.change(1, [key, start, self.count, self.sum]);
    }
}

fn by_hand(columns: &Columns) -> Totals {
    let mut keys = Long::new(columns.long(0));
    let mut rows = Rows::<4>::new(MEASURES);
    let mut windows = Windows::<Vec<Sum>>::new();
    for (row, (&price, &ts)) in columns.long(1).iter().zip(columns.time(2)).enumerate() {
        let window = windows.of(ts, |start, sums| close(sums, start, &keys, &mut rows));
        let Some(sums) = window else { continue };
        let id = keys.id(row);
        let sum = at(sums, id, keys.count(), Sum::default());
        sum.count += 1;
        sum.sum += price;
        if sum.count % EACH == 0 {
            sum.fire(keys.key(id), ts, &mut rows);
        }
    }
    windows.end(|start, sums| close(sums, start, &keys, &mut rows));
    rows.end(windows.late)
}

fn close(sums: &mut [Sum], start: i64, keys: &Long<'_>, rows: &mut Rows<4>) {
    for (id, sum) in sums.iter_mut().enumerate().filter(|(_, s)| s.count > 0) {
        sum.fire(keys.key(id), start, rows);
        *sum = Sum::default();
    }
}
