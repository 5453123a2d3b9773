//! Queries by ROW_NUMBER.

use super::{Clock, Query};

/// Of bids of one price and time the one that came first wins.
pub const Q9: Query = Query {
    name: "q9",
    title: "the winning bid of each auction, as it changes",
    reads: &["auction", "bid"],
    clock: Clock::Event,
    sql: "\
SELECT id, item_name, description, initial_bid, reserve, date_time, expires, seller, category,
  auction, bidder, price, bid_date_time, bid_extra
FROM (
  SELECT a.*, b.auction, b.bidder, b.price, b.date_time AS bid_date_time, b.extra AS bid_extra,
    ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time ASC) AS rownum
  FROM auction AS a, bid AS b
  WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
)
WHERE rownum <= 1;
",
    duckdb: "\
SELECT a.id, a.item_name, a.description, a.initial_bid, a.reserve, a.date_time, a.expires, a.seller, a.category,
  b.auction, b.bidder, b.price, b.date_time AS bid_date_time, b.extra AS bid_extra
FROM auction AS a, bid AS b
WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time ASC, b.seq ASC) <= 1",
};

/// Of bids of one time the one that came last counts, as in Flink.
pub const Q18: Query = Query {
    name: "q18",
    title: "the last bid of each bidder for each auction, as it changes",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "\
SELECT auction, bidder, price, channel, url, date_time, extra
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC) AS rank_number
  FROM bid
)
WHERE rank_number <= 1;
",
    duckdb: "\
SELECT auction, bidder, price, channel, url, date_time, extra
FROM bid
QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, seq DESC) <= 1",
};

/// A bid that enters moves those below it down, each of which is taken back and said anew.
pub const Q19: Query = Query {
    name: "q19",
    title: "the ten highest bids of each auction with their places, as they change",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "\
SELECT *
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number
  FROM bid
)
WHERE rank_number <= 10;
",
    duckdb: "\
SELECT auction, bidder, price, channel, url, date_time, extra,
  row_number() OVER (PARTITION BY auction ORDER BY price DESC, seq ASC) AS rank_number
FROM bid
QUALIFY rank_number <= 10",
};
