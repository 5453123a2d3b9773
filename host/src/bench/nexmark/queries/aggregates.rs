//! Queries that count and add up for ever, by the day.

use super::{Clock, Query};

/// The bids of a group, all and by price; both engines read it.
macro_rules! bids {
    () => {
        "\
  COUNT(*) AS total_bids,
  COUNT(*) FILTER (WHERE price < 10000) AS rank1_bids,
  COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
  COUNT(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
"
    };
}

/// Its bidders and auctions, the same.
macro_rules! bidders_and_auctions {
    () => {
        "\
  COUNT(DISTINCT bidder) AS total_bidders,
  COUNT(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders,
  COUNT(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bidders,
  COUNT(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders,
  COUNT(DISTINCT auction) AS total_auctions,
  COUNT(DISTINCT auction) FILTER (WHERE price < 10000) AS rank1_auctions,
  COUNT(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions,
  COUNT(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions
"
    };
}

/// One group a day, three sets of bidders and of auctions besides all of them.
pub const Q15: Query = Query {
    name: "q15",
    title: "bidding statistics of a day: counts, and distinct bidders and auctions by price",
    reads: &["bid"],
    clock: Clock::Event,
    sql: concat!(
        "\
SELECT
  DATE_FORMAT(date_time, 'yyyy-MM-dd') AS `day`,
",
        bids!(),
        bidders_and_auctions!(),
        "\
FROM bid
GROUP BY DATE_FORMAT(date_time, 'yyyy-MM-dd');
"
    ),
    duckdb: concat!(
        "\
SELECT
  strftime(date_time, '%Y-%m-%d') AS day,
",
        bids!(),
        bidders_and_auctions!(),
        "\
FROM bid
GROUP BY day"
    ),
};

/// The same by channel, of which there are some ten thousand.
pub const Q16: Query = Query {
    name: "q16",
    title: "channel statistics of a day: as q15, and the last minute with a bid",
    reads: &["bid"],
    clock: Clock::Event,
    sql: concat!(
        "\
SELECT
  channel,
  DATE_FORMAT(date_time, 'yyyy-MM-dd') AS `day`,
  MAX(DATE_FORMAT(date_time, 'HH:mm')) AS `minute`,
",
        bids!(),
        bidders_and_auctions!(),
        "\
FROM bid
GROUP BY channel, DATE_FORMAT(date_time, 'yyyy-MM-dd');
"
    ),
    duckdb: concat!(
        "\
SELECT
  channel,
  strftime(date_time, '%Y-%m-%d') AS day,
  max(strftime(date_time, '%H:%M')) AS minute,
",
        bids!(),
        bidders_and_auctions!(),
        "\
FROM bid
GROUP BY channel, day"
    ),
};

/// The average of whole numbers is cut to a whole number, as in Flink.
pub const Q17: Query = Query {
    name: "q17",
    title: "auction statistics of a day: counts by price, least, greatest, average and sum",
    reads: &["bid"],
    clock: Clock::Event,
    sql: concat!(
        "\
SELECT auction, DATE_FORMAT(date_time, 'yyyy-MM-dd') AS `day`,
",
        bids!(),
        "\
  MIN(price) AS min_price, MAX(price) AS max_price, AVG(price) AS avg_price, SUM(price) AS sum_price
FROM bid
GROUP BY auction, DATE_FORMAT(date_time, 'yyyy-MM-dd');
"
    ),
    duckdb: concat!(
        "\
SELECT auction, strftime(date_time, '%Y-%m-%d') AS day,
",
        bids!(),
        "\
  min(price) AS min_price, max(price) AS max_price,
  (sum(price) // count(*))::BIGINT AS avg_price, sum(price)::BIGINT AS sum_price
FROM bid
GROUP BY auction, day"
    ),
};
