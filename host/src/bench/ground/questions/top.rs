//! Top-N as it changes: the three highest bids of each auction so far.

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::{Column, Columns, Definition, Measures, Totals};

/// Of equal bids the one that came first is higher. A bid that enters pushes another out, which is taken back.
pub const QUESTION: Definition = Definition {
    name: "top-n",
    title: "Top-N: the 3 highest bids per auction, as they change",
    columns: &[Column::Auction, Column::Bidder, Column::Price],
    delay: None,
    query: "\
SELECT auction, bidder, price FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS n FROM events)
WHERE n <= 3;
",
    measures: Measures { count: None, sum: Some(2), max: Some(1) },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;
/// How many bids are kept.
const N: usize = 3;

/// The highest bids of one key, each a price and what else is told of it.
#[derive(Clone, Copy)]
pub struct Best {
    bids: [(i64, i64); N],
    count: usize,
}

impl Best {
    /// No bid yet.
    pub const NONE: Best = Best { bids: [(0, 0); N], count: 0 };

    /// Takes a bid in; whether it is one of the highest, and which one it pushes out.
    #[inline]
    pub fn enter(&mut self, price: i64, with: i64) -> (bool, Option<(i64, i64)>) {
        let out = (self.count == N).then_some(self.bids[N - 1]);
        if out.is_some_and(|out| price <= out.0) {
            return (false, None);
        }
        let place = self.bids[..self.count].iter().take_while(|b| b.0 >= price).count();
        self.count = (self.count + 1).min(N);
        self.bids.copy_within(place..self.count - 1, place + 1);
        self.bids[place] = (price, with);
        (true, out)
    }

    /// The highest first.
    pub fn bids(&self) -> &[(i64, i64)] {
        &self.bids[..self.count]
    }
}

fn by_hand(columns: &Columns) -> Totals {
    let mut keys = Long::new(columns.long(0));
    let mut rows = Rows::<3>::new(MEASURES);
    let mut best: Vec<Best> = Vec::new();
    for (row, (&bidder, &price)) in columns.long(1).iter().zip(columns.long(2)).enumerate() {
        let id = keys.id(row);
        let (entered, out) = at(&mut best, id, keys.count(), Best::NONE).enter(price, bidder);
        let key = keys.key(id);
        if let Some((price, bidder)) = out {
            rows.change(-1, [key, bidder, price]);
        }
        if entered {
            rows.change(1, [key, bidder, price]);
        }
    }
    rows.end(0)
}
