//! Queries that join.

use super::{Clock, Query};

/// Both sides are kept for ever.
pub const Q3: Query = Query {
    name: "q3",
    title: "local items: what persons of three states sell in a category",
    reads: &["person", "auction"],
    clock: Clock::Event,
    sql: "\
SELECT p.name, p.city, p.state, a.id
FROM auction AS a JOIN person AS p ON a.seller = p.id
WHERE a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA');
",
    duckdb: "\
SELECT p.name, p.city, p.state, a.id
FROM auction AS a JOIN person AS p ON a.seller = p.id
WHERE a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA')",
};

/// The average of whole numbers is cut to a whole number, as in Flink.
///
/// About a tenth of DuckDB: the condition on times stands behind the join, so that pairs are made of all bids for an
/// auction before those out of its time are dropped.
pub const Q4: Query = Query {
    name: "q4",
    title: "the average of the winning bids of a category, as they change",
    reads: &["auction", "bid"],
    clock: Clock::Event,
    sql: "\
SELECT q.category, AVG(q.final) AS `avg`
FROM (
  SELECT MAX(b.price) AS final, a.category
  FROM auction AS a, bid AS b
  WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
  GROUP BY a.id, a.category
) AS q
GROUP BY q.category;
",
    duckdb: "\
SELECT q.category, (sum(q.final) // count(*))::BIGINT AS avg
FROM (
  SELECT max(b.price) AS final, a.category
  FROM auction AS a, bid AS b
  WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
  GROUP BY a.id, a.category
) AS q
GROUP BY q.category",
};

/// The side input is there before the first bid, 10,000 numbers and their texts.
///
/// About a fifth of DuckDB: a second table makes the engine take bids in one at a time.
pub const Q13: Query = Query {
    name: "q13",
    title: "side input: each bid with the row of a table that is there from the start",
    reads: &["bid", "side_input"],
    clock: Clock::Event,
    sql: "\
CREATE VIEW keyed AS SELECT *, MOD(auction, 10000) AS side FROM bid;

SELECT b.auction, b.bidder, b.price, b.date_time, s.`value`
FROM keyed AS b JOIN side_input FOR SYSTEM_TIME AS OF PROCTIME() AS s ON b.side = s.key;
",
    duckdb: "\
SELECT b.auction, b.bidder, b.price, b.date_time, s.value
FROM bid AS b JOIN side_input AS s ON b.auction % 10000 = s.key",
};

/// Both sides are kept for ever: all bids are kept whole, also those for auctions that are filtered out.
pub const Q20: Query = Query {
    name: "q20",
    title: "bids with all of their auction, of one category",
    reads: &["auction", "bid"],
    clock: Clock::Event,
    sql: "\
SELECT auction, bidder, price, channel, url, b.date_time AS bid_date_time, b.extra AS bid_extra,
  item_name, description, initial_bid, reserve, a.date_time AS auction_date_time, expires, seller,
  category, a.extra AS auction_extra
FROM bid AS b JOIN auction AS a ON b.auction = a.id
WHERE a.category = 10;
",
    duckdb: "\
SELECT auction, bidder, price, channel, url, b.date_time AS bid_date_time, b.extra AS bid_extra,
  item_name, description, initial_bid, reserve, a.date_time AS auction_date_time, expires, seller,
  category, a.extra AS auction_extra
FROM bid AS b JOIN auction AS a ON b.auction = a.id
WHERE a.category = 10",
};
