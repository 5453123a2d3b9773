//! Clauses of a query, ranks among them.

use super::{Entry, Item, Section, item, listed};

const CLAUSES: &[Item] = &[
    item(
        "WITH",
        "WITH name AS (SELECT …) SELECT …",
        "Names a query within another one.",
        "WITH high AS (SELECT * FROM readings WHERE level > 4)\nSELECT gauge, level FROM high;",
    ),
    item(
        "FROM",
        "FROM table | view | (SELECT …) | TABLE(function(…)) [AS name]",
        "What a query reads.",
        "SELECT r.gauge FROM (SELECT * FROM readings) AS r;",
    ),
    item(
        "WHERE",
        "WHERE condition",
        "Keeps the rows for which the condition is TRUE.",
        "SELECT gauge, level FROM readings WHERE river = 'east' AND level > 4;",
    ),
    item(
        "GROUP BY",
        "GROUP BY expression, …",
        "A row for each group; a changelog, unless both ends of a window are among the keys.",
        "SELECT river, COUNT(*) AS n FROM readings GROUP BY river;",
    ),
    item(
        "HAVING",
        "GROUP BY … HAVING condition",
        "Keeps the groups for which the condition is TRUE.",
        "SELECT gauge, MAX(level) AS highest FROM readings GROUP BY gauge HAVING COUNT(*) > 1;",
    ),
    item(
        "GROUPING SETS",
        "GROUP BY GROUPING SETS ((a, b), (a), ())",
        "Groups by several lists of keys at once; a key that a list leaves out is NULL there.",
        "SELECT river, gauge, COUNT(*) AS n FROM readings\n\
         GROUP BY GROUPING SETS ((river, gauge), (river), ());",
    ),
    item(
        "ROLLUP",
        "GROUP BY ROLLUP (a, b)",
        "The same as GROUPING SETS ((a, b), (a), ()).",
        "SELECT river, gauge, COUNT(*) AS n FROM readings GROUP BY ROLLUP (river, gauge);",
    ),
    item(
        "CUBE",
        "GROUP BY CUBE (a, b)",
        "The same as GROUPING SETS ((a, b), (a), (b), ()).",
        "SELECT river, gauge, COUNT(*) AS n FROM readings GROUP BY CUBE (river, gauge);",
    ),
    item(
        "GROUPING",
        "GROUPING(a)",
        "1 in the rows of a grouping set that leaves the key out, 0 in the others.",
        "SELECT river, COUNT(*) AS n, GROUPING(river) AS total FROM readings GROUP BY ROLLUP (river);",
    ),
    item(
        "GROUPING_ID",
        "GROUPING_ID(a, b, …)",
        "GROUPING of several keys as the bits of a number, the first key's the highest.",
        "SELECT river, gauge, COUNT(*) AS n, GROUPING_ID(river, gauge) AS id FROM readings\n\
         GROUP BY CUBE (river, gauge);",
    ),
    item("DISTINCT", "SELECT DISTINCT …", "Each row once.", "SELECT DISTINCT river FROM readings;"),
    item(
        "DISTINCT in aggregates",
        "COUNT(DISTINCT x)",
        "Each value once, however often it comes; of any aggregate.",
        "SELECT river, COUNT(DISTINCT gauge) AS gauges FROM readings GROUP BY river;",
    ),
    item(
        "FILTER",
        "SUM(x) FILTER (WHERE condition)",
        "Only the rows for which the condition is TRUE; of any aggregate.",
        "SELECT river, COUNT(*) FILTER (WHERE level > 4) AS high FROM readings GROUP BY river;",
    ),
    item(
        "UNION ALL",
        "SELECT … UNION ALL SELECT …",
        "The rows of both queries, in the order in which they arrive.",
        "SELECT gauge, ts FROM readings UNION ALL SELECT gauge, ts FROM alerts;",
    ),
    item(
        "UNION",
        "SELECT … UNION SELECT …",
        "The rows of both queries, each once.",
        "SELECT gauge FROM readings UNION SELECT gauge FROM alerts;",
    ),
    item(
        "ORDER BY",
        "ORDER BY expression [ASC | DESC] [NULLS FIRST | NULLS LAST], … LIMIT n",
        "With LIMIT: the first rows of that order, a changelog. NULL is the least value.",
        "SELECT gauge, level FROM readings ORDER BY level DESC LIMIT 3;",
    ),
    item(
        "LIMIT",
        "LIMIT n [OFFSET m], or [OFFSET m ROWS] FETCH FIRST n ROWS ONLY",
        "So many rows, after so many that are left out.",
        "SELECT gauge, level FROM readings ORDER BY level LIMIT 2 OFFSET 1;",
    ),
    item(
        "query as a value",
        "x > (SELECT MAX(y) FROM t)",
        "The value of an aggregate without GROUP BY, as it changes; in SELECT, WHERE and HAVING.",
        "SELECT gauge, level FROM readings WHERE level >= (SELECT AVG(level) FROM readings);",
    ),
];

const RANKS: &[Item] = &[
    item(
        "Top-N",
        "SELECT … FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) AS n FROM t) WHERE n <= 3",
        "The first rows of each partition, as they change; final where the partition is one of a window.",
        "SELECT river, gauge, level FROM (\n  \
         SELECT *, ROW_NUMBER() OVER (PARTITION BY river ORDER BY level DESC) AS n FROM readings)\n\
         WHERE n <= 2;",
    ),
    item(
        "QUALIFY",
        "SELECT … FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) <= 3",
        "The same in one query; also conditions on what other calls compute with OVER.",
        "SELECT river, gauge, level FROM readings\n\
         QUALIFY ROW_NUMBER() OVER (PARTITION BY river ORDER BY level DESC) <= 2;",
    ),
    item(
        "first row",
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY time ASC) = 1",
        "Deduplication that keeps the first row of each key: said once, when the watermark reaches it.",
        "SELECT gauge, level FROM readings\n\
         QUALIFY ROW_NUMBER() OVER (PARTITION BY gauge ORDER BY ts ASC) = 1;",
    ),
    item(
        "last row",
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) = 1",
        "Deduplication that keeps the last row of each key; a view of it has versions.",
        "SELECT gauge, level FROM readings\n\
         QUALIFY ROW_NUMBER() OVER (PARTITION BY gauge ORDER BY ts DESC) = 1;",
    ),
    item(
        "window Top-N",
        "… PARTITION BY window_start, window_end ORDER BY b",
        "The first rows of each window, when it closes.",
        "SELECT window_end, gauge, COUNT(*) AS n\n\
         FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '10' SECONDS))\n\
         GROUP BY window_start, window_end, gauge\n\
         QUALIFY ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY COUNT(*) DESC) = 1;",
    ),
];

const OVER: &[Item] = &[
    item(
        "OVER",
        "SUM(x) OVER (PARTITION BY key ORDER BY time [frame])",
        "An aggregate beside each row, over the rows of its frame; it leaves when the watermark reaches its time.",
        "SELECT gauge, level, MAX(level) OVER (PARTITION BY gauge ORDER BY ts) AS so_far FROM readings;",
    ),
    item(
        "RANGE BETWEEN",
        "RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW, or UNBOUNDED PRECEDING",
        "A frame by time: the rows at most so much older.",
        "SELECT gauge, COUNT(*) OVER (PARTITION BY river ORDER BY ts\n  \
         RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW) AS n FROM readings;",
    ),
    item(
        "ROWS BETWEEN",
        "ROWS BETWEEN 9 PRECEDING AND CURRENT ROW, or UNBOUNDED PRECEDING",
        "A frame by number: the row and so many before it.",
        "SELECT gauge, AVG(level) OVER (PARTITION BY gauge ORDER BY ts\n  \
         ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS smooth FROM readings;",
    ),
    item(
        "ROW_NUMBER",
        "ROW_NUMBER() OVER (PARTITION BY key ORDER BY time)",
        "How many rows there have been with this one; with a condition on it, a rank by any order.",
        "SELECT gauge, level, ROW_NUMBER() OVER (PARTITION BY gauge ORDER BY ts) AS n FROM readings;",
    ),
    item(
        "LAG",
        "LAG(x [, n [, default]]) OVER (PARTITION BY key ORDER BY time)",
        "x of the row n places before, of the one right before without n; the default, or NULL, where there is \
         none.",
        "SELECT gauge, level, level - LAG(level) OVER (PARTITION BY gauge ORDER BY ts) AS rise FROM readings;",
    ),
    item(
        "WINDOW",
        "SELECT … OVER w FROM t WINDOW w AS (PARTITION BY … ORDER BY …)",
        "Names what several aggregates are over.",
        "SELECT gauge, MIN(level) OVER w AS lo, MAX(level) OVER w AS hi FROM readings\n\
         WINDOW w AS (PARTITION BY gauge ORDER BY ts);",
    ),
];

/// Clauses.
pub(super) fn entries() -> Vec<Entry> {
    listed(Section::Clauses, CLAUSES).collect()
}

/// What numbers rows or stands beside them.
pub(super) fn beside() -> Vec<Entry> {
    listed(Section::Over, OVER).chain(listed(Section::Ranks, RANKS)).collect()
}
