//! Queries that look at each bid alone.

use super::{Clock, Query};

/// The overhead of reading and handing on.
pub const Q0: Query = Query {
    name: "q0",
    title: "pass through",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "SELECT auction, bidder, price, date_time, extra FROM bid;\n",
    duckdb: "SELECT auction, bidder, price, date_time, extra FROM bid",
};

/// Decimals of three places.
pub const Q1: Query = Query {
    name: "q1",
    title: "currency conversion",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid;\n",
    duckdb: "SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid",
};

/// A filter that lets one bid of about a hundred through.
pub const Q2: Query = Query {
    name: "q2",
    title: "selection by the auction",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0;\n",
    duckdb: "SELECT auction, price FROM bid WHERE auction % 123 = 0",
};

/// The suite writes this to files by day and minute; where files are cut is a sink's business, so the rows with their
/// day and minute are what is asked for.
pub const Q10: Query = Query {
    name: "q10",
    title: "log to files: the rows with the day and minute they would be filed under",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "\
SELECT auction, bidder, price, date_time, extra,
  DATE_FORMAT(date_time, 'yyyy-MM-dd') AS `day`, DATE_FORMAT(date_time, 'HH:mm') AS `minute`
FROM bid;
",
    duckdb: "\
SELECT auction, bidder, price, date_time, extra,
  strftime(date_time, '%Y-%m-%d') AS day, strftime(date_time, '%H:%M') AS minute
FROM bid",
};

/// The suite counts letters by a function in Java; the lengths with and without them tell the same.
pub const Q14: Query = Query {
    name: "q14",
    title: "calculation: a filter, the time of day, letters counted",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "\
SELECT auction, bidder, 0.908 * price AS price,
  CASE
    WHEN HOUR(date_time) >= 8 AND HOUR(date_time) <= 18 THEN 'dayTime'
    WHEN HOUR(date_time) <= 6 OR HOUR(date_time) >= 20 THEN 'nightTime'
    ELSE 'otherTime'
  END AS bid_time_type,
  date_time, extra,
  CHAR_LENGTH(extra) - CHAR_LENGTH(REPLACE(extra, 'c', '')) AS c_counts
FROM bid
WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000;
",
    duckdb: "\
SELECT auction, bidder, 0.908 * price AS price,
  CASE
    WHEN hour(date_time) >= 8 AND hour(date_time) <= 18 THEN 'dayTime'
    WHEN hour(date_time) <= 6 OR hour(date_time) >= 20 THEN 'nightTime'
    ELSE 'otherTime'
  END AS bid_time_type,
  date_time, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts
FROM bid
WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000",
};

/// The suite takes the channel's number out of the url by a regular expression; splitting finds the same.
pub const Q21: Query = Query {
    name: "q21",
    title: "the channel's number from its name or its url",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "\
SELECT auction, bidder, price, channel,
  CASE
    WHEN LOWER(channel) = 'apple' THEN '0'
    WHEN LOWER(channel) = 'google' THEN '1'
    WHEN LOWER(channel) = 'facebook' THEN '2'
    WHEN LOWER(channel) = 'baidu' THEN '3'
    ELSE SPLIT_INDEX(SPLIT_INDEX(url, '&channel_id=', 1), '&', 0)
  END AS channel_id
FROM bid
WHERE SPLIT_INDEX(url, '&channel_id=', 1) IS NOT NULL
  OR LOWER(channel) IN ('apple', 'google', 'facebook', 'baidu');
",
    duckdb: "\
SELECT auction, bidder, price, channel,
  CASE
    WHEN lower(channel) = 'apple' THEN '0'
    WHEN lower(channel) = 'google' THEN '1'
    WHEN lower(channel) = 'facebook' THEN '2'
    WHEN lower(channel) = 'baidu' THEN '3'
    ELSE split_part(split_part(url, '&channel_id=', 2), '&', 1)
  END AS channel_id
FROM bid
WHERE contains(url, '&channel_id=') OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')",
};

/// Splitting a text.
pub const Q22: Query = Query {
    name: "q22",
    title: "the folders of the url",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "\
SELECT auction, bidder, price, channel,
  SPLIT_INDEX(url, '/', 3) AS dir1, SPLIT_INDEX(url, '/', 4) AS dir2, SPLIT_INDEX(url, '/', 5) AS dir3
FROM bid;
",
    duckdb: "\
SELECT auction, bidder, price, channel,
  split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3
FROM bid",
};
