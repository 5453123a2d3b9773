//! Wrong aggregates, and the code and place each must be told. `¿` marks the place.

/// Code, and a script with its place marked.
pub(super) const AGGREGATES: &[(&str, &str)] = &[
    ("sql.type", "SELECT ¿LISTAGG(a) FROM plain"),
    ("sql.type", "SELECT ¿VAR_POP(s) FROM plain"),
    ("sql.type", "SELECT ¿STDDEV(ts) FROM plain"),
    ("sql.type", "SELECT ¿BOOL_AND(a) FROM plain"),
    ("sql.type", "SELECT ¿FIRST_VALUE(NULL) FROM plain"),
    ("sql.argument", "SELECT ¿FIRST_VALUE(*) FROM plain"),
    ("sql.argument", "SELECT ¿LAST_VALUE(a, b) FROM plain"),
    ("sql.argument", "SELECT ¿LISTAGG(s, ',', s) FROM plain"),
    ("sql.argument", "SELECT LISTAGG(s, ¿s) FROM plain"),
    ("sql.argument", "SELECT LISTAGG(s, ¿1) FROM plain"),
    ("sql.argument", "SELECT LISTAGG(s, ¿UPPER('x')) FROM plain GROUP BY a"),
    ("sql.unsupported", "SELECT ¿LISTAGG(s) WITHIN GROUP (ORDER BY a) FROM plain"),
    ("sql.unsupported", "SELECT ¿FIRST_VALUE(a) IGNORE NULLS FROM plain"),
    ("sql.unsupported", "SELECT ¿LISTAGG(s ORDER BY a) FROM plain"),
    ("sql.unsupported", "SELECT ¿COLLECT(a) FROM plain"),
    ("sql.unsupported", "SELECT ¿APPROX_COUNT_DISTINCT(a) FROM plain"),
    ("sql.aggregate", "SELECT a FROM plain WHERE ¿FIRST_VALUE(a) > 1"),
    ("sql.aggregate", "SELECT SUM(¿VARIANCE(a)) FROM plain"),
    // LAG
    ("sql.over", "SELECT ¿LAG(depth) FROM quakes"),
    ("sql.over", "SELECT id FROM quakes WHERE ¿LAG(depth) OVER (ORDER BY event_time) > 3"),
    ("sql.over", "SELECT LAG(depth, -¿1) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.over", "SELECT LAG(depth, ¿event_ms) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.over", "SELECT LAG(depth, ¿1.5) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.over", "SELECT LAG(depth) OVER (ORDER BY ¿event_time DESC) FROM quakes"),
    (
        "sql.over",
        "SELECT LAG(depth) OVER (ORDER BY event_time), ¿SUM(depth) OVER (PARTITION BY net ORDER BY event_time) FROM quakes",
    ),
    (
        "sql.over",
        "SELECT ROW_NUMBER() OVER w, LAG(id) OVER w, ¿MIN(id) OVER w FROM quakes WINDOW w AS (ORDER BY event_time)",
    ),
    ("sql.type", "SELECT LAG(depth, 1, ¿id) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.type", "SELECT LAG(¿NULL) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.argument", "SELECT ¿LAG() OVER (ORDER BY event_time) FROM quakes"),
    ("sql.argument", "SELECT ¿LAG(id, 1, id, 2) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.argument", "SELECT ¿LAG(*) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.argument", "SELECT ¿LAG(DISTINCT id) OVER (ORDER BY event_time) FROM quakes"),
    (
        "sql.unsupported",
        "SELECT ¿LAG(depth) OVER (ORDER BY event_time ROWS 2 PRECEDING) FROM quakes",
    ),
    ("sql.unsupported", "SELECT ¿LAG(depth) IGNORE NULLS OVER (ORDER BY event_time) FROM quakes"),
    ("sql.missing-watermark", "SELECT LAG(a) OVER (ORDER BY ¿ts) FROM plain"),
    // LEAD waits for what is still to come
    ("sql.unsupported", "SELECT ¿LEAD(depth) OVER (ORDER BY event_time) FROM quakes"),
    ("sql.unsupported", "SELECT ¿LEAD(depth, 1) FROM quakes"),
];
