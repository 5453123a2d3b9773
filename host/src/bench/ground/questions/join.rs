//! A regular join: every bid with every opening of its auction, whenever they come.

use super::super::loops::keys::{Keys as _, Long, at};
use super::rows::Rows;
use super::{Column, Columns, Definition, Measures, Totals, kinds};

/// Nothing is ever let go. Of the openings one in ten takes part, so that results do not outgrow the input.
pub const QUESTION: Definition = Definition {
    name: "join",
    title: "regular join of bids and one opening in ten, without bounds",
    columns: &[Column::Kind, Column::Auction, Column::Price],
    delay: None,
    query: "\
CREATE VIEW bids AS SELECT auction, price FROM events WHERE kind = 0;
CREATE VIEW openings AS SELECT auction, price AS reserve FROM events WHERE kind = 1 AND price <= 1000;
SELECT b.auction, b.price, a.reserve FROM bids b JOIN openings a ON b.auction = a.auction;
",
    measures: Measures { count: None, sum: Some(1), max: Some(2) },
    by_hand,
};

const MEASURES: Measures = QUESTION.measures;
/// Openings above it take no part.
const MOST: i64 = 1_000;

/// What has come of one auction.
#[derive(Clone, Default)]
struct Sides {
    prices: Vec<i64>,
    reserves: Vec<i64>,
}

fn by_hand(columns: &Columns) -> Totals {
    let (kind, price) = (kinds(columns), columns.long(2));
    let mut keys = Long::new(columns.long(1));
    let mut rows = Rows::<3>::new(MEASURES);
    let mut sides: Vec<Sides> = Vec::new();
    for (row, &price) in price.iter().enumerate() {
        let bid = kind[row] == 0;
        if !bid && price > MOST {
            continue;
        }
        let id = keys.id(row);
        let sides = at(&mut sides, id, keys.count(), Sides::default());
        let key = keys.key(id);
        if bid {
            sides.reserves.iter().for_each(|reserve| rows.push([key, price, *reserve]));
            sides.prices.push(price);
        } else {
            sides.prices.iter().for_each(|bid| rows.push([key, *bid, price]));
            sides.reserves.push(price);
        }
    }
    rows.end(0)
}
