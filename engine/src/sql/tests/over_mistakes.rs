//! Wrong OVER clauses, and the code and place each must be told. `¿` marks the place.

/// Code, and a script with its place marked.
pub(super) const OVERS: &[(&str, &str)] = &[
    // OVER: its order
    ("sql.over", "SELECT ¿SUM(a) OVER (PARTITION BY s) FROM plain"),
    ("sql.over", "SELECT id, ¿COUNT(*) OVER () FROM quakes"),
    ("sql.over", "SELECT SUM(depth) OVER (ORDER BY ¿event_time DESC) FROM quakes"),
    (
        "sql.over",
        "SELECT MAX(depth) OVER w FROM quakes WINDOW w AS (PARTITION BY net ORDER BY ¿event_time DESC)",
    ),
    ("sql.over", "SELECT SUM(depth) OVER (ORDER BY event_time, ¿id) FROM quakes"),
    (
        "sql.over",
        "SELECT 1 + COUNT(*) OVER (PARTITION BY net ORDER BY id, ¿event_time) FROM quakes",
    ),
    ("sql.over", "SELECT SUM(depth) OVER (ORDER BY ¿event_ms) FROM quakes"),
    ("sql.over", "SELECT SUM(depth) OVER (ORDER BY ¿event_time + INTERVAL '1' SECOND) FROM quakes"),
    ("sql.missing-watermark", "SELECT SUM(a) OVER (ORDER BY ¿ts) FROM plain"),
    ("sql.missing-watermark", "SELECT ROW_NUMBER() OVER (ORDER BY ¿a) + 1 AS n FROM plain"),
    (
        "sql.missing-watermark",
        "CREATE VIEW later AS SELECT depth, event_time + INTERVAL '1' SECOND AS ts FROM quakes; SELECT SUM(depth) OVER (ORDER BY ¿ts) FROM later",
    ),
    (
        "sql.updating",
        "CREATE VIEW n AS SELECT net, COUNT(*) AS c, MAX(event_time) AS ts FROM quakes GROUP BY net; SELECT SUM(c) OVER (ORDER BY ¿ts) FROM n",
    ),
    (
        "sql.updating",
        "SELECT COUNT(*) OVER (ORDER BY ¿event_time) FROM (SELECT * FROM quakes ORDER BY mag LIMIT 3)",
    ),
    (
        "sql.updating",
        "SELECT ROW_NUMBER() OVER w, SUM(depth) OVER (w ROWS UNBOUNDED PRECEDING) FROM (SELECT a.depth, a.event_time FROM quakes AS a LEFT JOIN plain AS b ON a.id = b.s) WINDOW w AS (ORDER BY ¿event_time)",
    ),
    // OVER: its frame
    (
        "sql.over",
        "SELECT SUM(depth) OVER (ORDER BY event_time ROWS BETWEEN 1 PRECEDING AND ¿1 FOLLOWING) FROM quakes",
    ),
    (
        "sql.over",
        "SELECT SUM(depth) OVER (ORDER BY event_time ROWS BETWEEN 9 PRECEDING AND ¿1 PRECEDING) FROM quakes",
    ),
    (
        "sql.over",
        "SELECT ¿SUM(depth) OVER (ORDER BY event_time RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM quakes",
    ),
    ("sql.over", "SELECT ¿SUM(depth) OVER (ORDER BY event_time ROWS CURRENT ROW) FROM quakes"),
    (
        "sql.over",
        "SELECT SUM(depth) OVER (ORDER BY event_time ROWS BETWEEN ¿1 FOLLOWING AND CURRENT ROW) FROM quakes",
    ),
    ("sql.over", "SELECT SUM(depth) OVER (ORDER BY event_time ROWS ¿1.5 PRECEDING) FROM quakes"),
    (
        "sql.over",
        "SELECT SUM(depth) OVER (ORDER BY event_time ROWS ¿event_ms PRECEDING) FROM quakes",
    ),
    (
        "sql.over",
        "SELECT SUM(depth) OVER (ORDER BY event_time ROWS ¿INTERVAL '1' DAY PRECEDING) FROM quakes",
    ),
    (
        "sql.over",
        "SELECT SUM(depth) OVER (ORDER BY event_time RANGE BETWEEN ¿3 PRECEDING AND CURRENT ROW) FROM quakes",
    ),
    (
        "sql.over",
        "SELECT SUM(depth) OVER (ORDER BY event_time RANGE ¿event_ms PRECEDING) FROM quakes",
    ),
    (
        "sql.over",
        "SELECT SUM(depth) OVER (ORDER BY event_time RANGE ¿INTERVAL '-1' DAY PRECEDING) FROM quakes",
    ),
    (
        "sql.interval",
        "SELECT SUM(depth) OVER (ORDER BY event_time RANGE ¿INTERVAL '1' MONTH PRECEDING) FROM quakes",
    ),
    (
        "sql.interval",
        "SELECT SUM(depth) OVER (ORDER BY event_time RANGE ¿INTERVAL '100' SECOND PRECEDING) FROM quakes",
    ),
    (
        "sql.unsupported",
        "SELECT ¿SUM(depth) OVER (ORDER BY event_time GROUPS 1 PRECEDING) FROM quakes",
    ),
    (
        "sql.unsupported",
        "SELECT ¿ROW_NUMBER() OVER w, SUM(depth) OVER w FROM quakes WINDOW w AS (ORDER BY event_time ROWS 2 PRECEDING)",
    ),
    // OVER: its window
    (
        "sql.over",
        "SELECT SUM(depth) OVER (ORDER BY event_time), ¿SUM(depth) OVER (PARTITION BY net ORDER BY event_time) FROM quakes",
    ),
    (
        "sql.over",
        "SELECT SUM(depth) OVER (ORDER BY event_time) + ¿COUNT(*) OVER (ORDER BY event_time ROWS 1 PRECEDING) FROM quakes",
    ),
    (
        "sql.over",
        "SELECT ROW_NUMBER() OVER (ORDER BY event_time), ¿MIN(id) OVER (ORDER BY event_time) FROM quakes",
    ),
    ("sql.unknown-window", "SELECT SUM(depth) OVER ¿w FROM quakes"),
    (
        "sql.unknown-window",
        "SELECT SUM(depth) OVER v FROM quakes WINDOW v AS (¿w ROWS 1 PRECEDING), w AS (ORDER BY event_time)",
    ),
    (
        "sql.duplicate",
        "SELECT SUM(depth) OVER w FROM quakes WINDOW w AS (ORDER BY event_time), ¿w AS (ORDER BY event_time)",
    ),
    (
        "sql.over",
        "SELECT SUM(depth) OVER (¿w ORDER BY event_time) FROM quakes WINDOW w AS (ORDER BY event_time)",
    ),
    (
        "sql.over",
        "SELECT SUM(depth) OVER (¿w PARTITION BY net) FROM quakes WINDOW w AS (ORDER BY event_time)",
    ),
    // OVER: where it stands, and of what
    ("sql.over", "SELECT id FROM quakes WHERE ¿COUNT(*) OVER (ORDER BY event_time) > 3"),
    ("sql.over", "SELECT COUNT(*) FROM quakes GROUP BY ¿SUM(depth) OVER (ORDER BY event_time)"),
    (
        "sql.over",
        "SELECT net FROM quakes GROUP BY net HAVING ¿COUNT(*) OVER (ORDER BY event_time) > 3",
    ),
    ("sql.over", "SELECT SUM(¿COUNT(*) OVER (ORDER BY event_time)) FROM quakes"),
    (
        "sql.over",
        "SELECT SUM(¿COUNT(*) OVER (ORDER BY event_time)) OVER (ORDER BY event_time) FROM quakes",
    ),
    ("sql.over", "SELECT ¿ABS(depth) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.over", "SELECT ¿UPPER(id) OVER (PARTITION BY net ORDER BY event_time) FROM quakes"),
    ("sql.unknown-function", "SELECT ¿SUMM(depth) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.type", "SELECT ¿SUM(id) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.type", "SELECT SUM(depth) FILTER (WHERE ¿depth) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.argument", "SELECT ¿COUNT(DISTINCT *) OVER (ORDER BY event_time) FROM quakes"),
    (
        "sql.group",
        "SELECT net, SUM(¿depth) OVER (ORDER BY event_time) FROM quakes GROUP BY net, event_time",
    ),
];
