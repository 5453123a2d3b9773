//! Queries over windows of time.

use super::{Clock, Query};

/// DuckDB counts each two seconds once and adds five of them up.
pub const Q5: Query = Query {
    name: "q5",
    title: "hot items: the auctions with most bids in ten seconds, every two seconds",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "\
CREATE VIEW counts AS
  SELECT auction, COUNT(*) AS num, window_start, window_end
  FROM TABLE(HOP(TABLE bid, DESCRIPTOR(date_time), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
  GROUP BY auction, window_start, window_end;

SELECT c.auction, c.num
FROM counts AS c JOIN (
  SELECT MAX(num) AS maxn, window_start, window_end FROM counts GROUP BY window_start, window_end
) AS m ON c.window_start = m.window_start AND c.window_end = m.window_end AND c.num >= m.maxn;
",
    duckdb: "\
WITH slices AS (
  SELECT auction, epoch_ms(date_time) // 2000 AS slice, count(*) AS num FROM bid GROUP BY ALL),
spread AS (SELECT auction, unnest(range(slice - 4, slice + 1)) AS start, num FROM slices),
counts AS (SELECT auction, start, sum(num)::BIGINT AS num FROM spread GROUP BY auction, start)
SELECT c.auction, c.num
FROM counts AS c JOIN (SELECT max(num) AS maxn, start FROM counts GROUP BY start) AS m
  ON c.start = m.start AND c.num >= m.maxn",
};

/// The join is by the price and the time.
pub const Q7: Query = Query {
    name: "q7",
    title: "the highest bid of ten seconds",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "\
SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid AS b JOIN (
  SELECT MAX(price) AS maxprice, window_end AS date_time
  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end
) AS m ON b.price = m.maxprice
WHERE b.date_time BETWEEN m.date_time - INTERVAL '10' SECOND AND m.date_time;
",
    duckdb: "\
SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid AS b JOIN (
  SELECT max(price) AS maxprice, (epoch_ms(date_time) // 10000 + 1) * 10000 AS ending
  FROM bid GROUP BY ending
) AS m ON b.price = m.maxprice
WHERE epoch_ms(b.date_time) BETWEEN m.ending - 10000 AND m.ending",
};

/// A join of two windows.
pub const Q8: Query = Query {
    name: "q8",
    title: "new sellers: persons who came and opened an auction in the same ten seconds",
    reads: &["person", "auction"],
    clock: Clock::Event,
    sql: "\
SELECT p.id, p.name, p.window_start AS starttime
FROM (
  SELECT id, name, window_start, window_end
  FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(date_time), INTERVAL '10' SECOND))
  GROUP BY id, name, window_start, window_end
) AS p JOIN (
  SELECT seller, window_start, window_end
  FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(date_time), INTERVAL '10' SECOND))
  GROUP BY seller, window_start, window_end
) AS a ON p.id = a.seller AND p.window_start = a.window_start AND p.window_end = a.window_end;
",
    duckdb: "\
SELECT p.id, p.name, p.start AS starttime
FROM (SELECT DISTINCT id, name, epoch_ms(date_time) // 10000 * 10000 AS start FROM person) AS p
JOIN (SELECT DISTINCT seller, epoch_ms(date_time) // 10000 * 10000 AS start FROM auction) AS a
  ON p.id = a.seller AND p.start = a.start",
};

/// Two bids just ten seconds apart are of one session, as in Flink.
pub const Q11: Query = Query {
    name: "q11",
    title: "bids of a session: a bidder's bids until ten seconds without one",
    reads: &["bid"],
    clock: Clock::Event,
    sql: "\
SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime
FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(date_time), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end;
",
    duckdb: "\
WITH marked AS (
  SELECT bidder, epoch_ms(date_time) AS ts, seq, ts - lag(ts) OVER (PARTITION BY bidder ORDER BY seq) AS gap
  FROM bid),
numbered AS (
  SELECT bidder, ts, count(*) FILTER (WHERE gap > 10000) OVER (PARTITION BY bidder ORDER BY seq) AS session
  FROM marked)
SELECT bidder, count(*) AS bid_count, min(ts) AS starttime, max(ts) + 10000 AS endtime
FROM numbered GROUP BY bidder, session",
};

/// By the time at which a bid arrives; here it arrives when it happens, so that the answer is the same each time.
pub const Q12: Query = Query {
    name: "q12",
    title: "bids in ten seconds of processing time; each arrives when it happens",
    reads: &["bid"],
    clock: Clock::Arrival,
    sql: "\
SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(p_time), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end;
",
    duckdb: "\
SELECT bidder, count(*) AS bid_count, epoch_ms(date_time) // 10000 * 10000 AS starttime, starttime + 10000 AS endtime
FROM bid GROUP BY bidder, starttime",
};
