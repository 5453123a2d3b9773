//! A temporal join: each bid with the last opening of its auction before it.

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::waiting::Waiting;
use super::{Column, Columns, Definition, Measures, Totals, kinds};

/// A bid waits until the watermark says that no opening of its time can come; one behind the watermark is late.
/// An opening that comes when a later one is there is not the last row of its auction, and so never a version.
///
/// The engine was measured below a tenth of the loop: it keeps rows that wait, and versions, as bytes of any
/// columns, each in a place of its own, written once and read once. The loop keeps two numbers of each.
pub const QUESTION: Definition = Definition {
    name: "temporal-join",
    title: "temporal join: each bid with its auction's last opening",
    columns: &[Column::Kind, Column::Auction, Column::Price, Column::Time],
    delay: Some(4_000),
    query: "\
CREATE VIEW bids AS SELECT auction, price, ts FROM events WHERE kind = 0;
CREATE VIEW openings AS SELECT auction, reserve, ts FROM (
  SELECT auction, price AS reserve, ts,
    ROW_NUMBER() OVER (PARTITION BY auction ORDER BY ts DESC) AS n
  FROM events WHERE kind = 1) WHERE n = 1;
SELECT b.auction, b.price, a.reserve, b.ts, a.ts AS since
FROM bids b JOIN openings FOR SYSTEM_TIME AS OF b.ts AS a ON b.auction = a.auction;
",
    measures: Measures { count: None, sum: Some(1), max: Some(2) },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;

/// An auction as it was from some time on.
#[derive(Clone)]
struct Version {
    since: i64,
    reserve: i64,
}

fn by_hand(columns: &Columns) -> Totals {
    let (kind, price, ts) = (kinds(columns), columns.long(2), columns.time(3));
    let mut keys = Long::new(columns.long(1));
    let mut join = Join { rows: Rows::new(MEASURES), versions: Vec::new() };
    let mut waiting = Waiting::new();
    let mut late = 0;
    for (row, (&price, &ts)) in price.iter().zip(ts).enumerate() {
        waiting.advance(ts, |ts, due| join.meet(ts, due, &keys));
        let bid = kind[row] == 0;
        if bid && ts < waiting.watermark() {
            late += 1;
            continue;
        }
        let id = keys.id(row);
        if bid {
            // Far fewer keys than 2^32.
            waiting.put(ts, (id as u32, price));
        } else {
            let versions = at(&mut join.versions, id, keys.count(), Vec::new());
            if versions.last().is_none_or(|v| v.since <= ts) {
                forget(versions, waiting.watermark());
                versions.push(Version { since: ts, reserve: price });
            }
        }
    }
    waiting.end(|ts, due| join.meet(ts, due, &keys));
    join.rows.end(late)
}

/// Lets go of the versions that no bid can be of any more.
fn forget(versions: &mut Vec<Version>, watermark: i64) {
    let over = versions.iter().skip(1).take_while(|v| v.since <= watermark).count();
    versions.drain(..over);
}

struct Join {
    rows: Rows<5>,
    /// The versions by key, times ascending.
    versions: Vec<Vec<Version>>,
}

impl Join {
    /// Bids of that time meet the versions of that time.
    fn meet(&mut self, ts: i64, due: &[(u32, i64)], keys: &Long<'_>) {
        for &(id, price) in due {
            let versions = self.versions.get(id as usize).into_iter().flatten();
            if let Some(version) = versions.rev().find(|v| v.since <= ts) {
                self.rows.push([keys.key(id as usize), price, version.reserve, ts, version.since]);
            }
        }
    }
}
