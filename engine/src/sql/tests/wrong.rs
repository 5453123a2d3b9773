//! Wrong grouping sets, sets of statements, QUALIFY, queries as values and versions of views, and what each must be told: code, place and hint. `¿` marks the place.

use super::mistakes::{diagnose, unmark};

/// Code, a script with its place marked, and a part of the hint.
const SETS: &[(&str, &str, &str)] = &[
    (
        "sql.statement-set",
        "¿EXECUTE STATEMENT SET BEGIN INSERT INTO out2 SELECT s, b FROM plain;",
        "write `END;`",
    ),
    ("sql.statement-set", "INSERT INTO out2 SELECT s, b FROM plain; ¿END", "leave the END out"),
    (
        "sql.statement-set",
        "BEGIN STATEMENT SET; ¿SET 'parallelism.default' = '2'; INSERT INTO out2 SELECT s, b FROM plain; END",
        "put it before",
    ),
    (
        "sql.statement-set",
        "BEGIN STATEMENT SET; INSERT INTO out2 SELECT s, b FROM plain; ¿BEGIN STATEMENT SET; END; END",
        "end the one before",
    ),
    (
        "sql.group",
        "SELECT s FROM plain GROUP BY s, GROUPING SETS ((¿a), (a), ())",
        "write the sets out, each once",
    ),
    ("sql.group", "SELECT s, COUNT(*) FROM plain GROUP BY ROLLUP (¿s, s)", "each once"),
    (
        "sql.group",
        "SELECT COUNT(*) FROM plain GROUP BY GROUPING SETS (¿ROLLUP (a, b), CUBE (s))",
        "each once",
    ),
    ("sql.group", "SELECT a, ¿b, COUNT(*) FROM plain GROUP BY CUBE (a, s)", "add `b` to GROUP BY"),
    ("sql.group", "SELECT a, GROUPING(¿b) FROM plain GROUP BY ROLLUP (a)", "add `b` to GROUP BY"),
    ("sql.group", "SELECT ¿GROUPING(a) FROM plain", "GROUP BY ROLLUP (a)"),
    (
        "sql.group",
        "SELECT a FROM plain WHERE ¿GROUPING_ID(a) = 0 GROUP BY a",
        "it stands in SELECT",
    ),
    ("sql.group", "SELECT SUM(¿GROUPING(a)) FROM plain GROUP BY a", "it stands in SELECT"),
    ("sql.argument", "SELECT ¿GROUPING() FROM plain GROUP BY a", "is 1 where"),
    ("sql.argument", "SELECT GROUPING(¿a + 1) FROM plain GROUP BY a", "is 1 where"),
    ("sql.unsupported", "SELECT ¿GROUP_ID() FROM plain GROUP BY a", "GROUPING_ID(a, b)"),
    ("sql.unsupported", "SELECT ¿ROLLUP(a) FROM plain", "GROUPING SETS"),
    ("sql.unknown-column", "SELECT 1 AS x FROM plain GROUP BY GROUPING SETS ((a, ¿c), ())", "a, b"),
    ("sql.aggregate", "SELECT 1 AS x FROM plain GROUP BY CUBE (a, ¿SUM(b))", "subquery"),
    ("sql.unsupported", "SELECT COUNT(*) FROM plain GROUP BY ROLLUP (¿1)", "write the column"),
    ("sql.unsupported", "SELECT COUNT(*) FROM plain GROUP BY ROLLUP ((a, (¿b, s)))", "one column"),
    (
        "sql.group",
        "SELECT COUNT(*) FROM plain GROUP BY CUBE (¿a, b, s, ts, a+1, a+2, a+3, a+4, a+5, a+6, a+7, a+8, a+9)",
        "write out those",
    ),
    (
        "sql.group",
        "SELECT COUNT(*) FROM plain GROUP BY CUBE (a, b, s, ts, a+1, a+2), CUBE (¿a+3, a+4, a+5, a+6, a+7, a+8, a+9)",
        "write out those",
    ),
    ("sql.group", "¿SELECT 1 AS x FROM plain GROUP BY ()", "add a key"),
    ("sql.syntax", "SELECT a FROM plain GROUP BY GROUPING SETS ¿a", ""),
];

const QUALIFIED: &[(&str, &str, &str)] = &[
    ("sql.rank", "SELECT a FROM plain QUALIFY ¿a > 1", "QUALIFY ROW_NUMBER() OVER"),
    (
        "sql.rank",
        "SELECT a FROM plain QUALIFY ¿ROW_NUMBER() OVER (ORDER BY a) > 3",
        "where they end",
    ),
    ("sql.rank", "SELECT a FROM plain QUALIFY ¿ROW_NUMBER() OVER (ORDER BY a) < 1", "rn <= 3"),
    ("sql.rank", "SELECT a FROM plain QUALIFY ¿ROW_NUMBER() OVER (ORDER BY a) <= a", "<= 3"),
    (
        "sql.rank",
        "SELECT a FROM plain QUALIFY ¿ROW_NUMBER() OVER (PARTITION BY a) <= 3",
        "without an order",
    ),
    (
        "sql.unsupported",
        "SELECT a FROM plain QUALIFY ¿ROW_NUMBER() OVER (ORDER BY a) <= 3 OR b > 1",
        "QUALIFY ROW_NUMBER()",
    ),
    (
        "sql.unsupported",
        "SELECT a FROM plain QUALIFY ¿RANK() OVER (ORDER BY a) <= 3",
        "number the rows",
    ),
    (
        "sql.unsupported",
        "SELECT a FROM plain QUALIFY ROW_NUMBER() OVER (ORDER BY a) <= 3 AND ¿ROW_NUMBER() OVER (ORDER BY b) <= 3",
        "a query of their own",
    ),
    (
        "sql.unknown-column",
        "SELECT a FROM plain QUALIFY ROW_NUMBER() OVER (ORDER BY ¿c) <= 3",
        "the columns are a, b",
    ),
    (
        "sql.unknown-column",
        "SELECT a AS x FROM plain QUALIFY ROW_NUMBER() OVER (ORDER BY a) <= 3 AND ¿c > x",
        "the columns are x",
    ),
    (
        "sql.type",
        "SELECT a FROM plain QUALIFY ROW_NUMBER() OVER (ORDER BY a) <= 3 AND ¿b",
        "compare it",
    ),
    (
        "sql.group",
        "SELECT s, COUNT(*) AS n FROM plain GROUP BY s QUALIFY ROW_NUMBER() OVER (ORDER BY ¿a) <= 3",
        "add `a` to GROUP BY",
    ),
];

const VALUES: &[(&str, &str, &str)] = &[
    (
        "sql.subquery",
        "SELECT a FROM plain WHERE a > (¿SELECT b FROM plain)",
        "(SELECT MAX(x) FROM t)",
    ),
    (
        "sql.subquery",
        "SELECT a, (¿SELECT MAX(b) FROM plain GROUP BY s) AS hi FROM plain",
        "aggregate without GROUP BY",
    ),
    (
        "sql.subquery",
        "SELECT a FROM plain WHERE a > (¿SELECT MAX(b), MIN(b) FROM plain)",
        "CROSS JOIN",
    ),
    (
        "sql.unsupported",
        "SELECT a FROM plain AS p WHERE a > (SELECT MAX(mag) FROM quakes WHERE net = ¿p.s)",
        "LEFT JOIN (SELECT k, MAX(x) AS hi",
    ),
    (
        "sql.unsupported",
        "SELECT a, (SELECT MAX(mag) FROM quakes WHERE net = ¿s) AS hi FROM plain",
        "LEFT JOIN (SELECT k, MAX(x) AS hi",
    ),
    (
        "sql.unsupported",
        "SELECT a, COUNT(*) AS n FROM plain GROUP BY a HAVING COUNT(*) > (SELECT SUM(mag) + ¿b FROM quakes)",
        "LEFT JOIN",
    ),
    (
        "sql.unknown-column",
        "SELECT a FROM plain WHERE a > (SELECT MAX(¿c) FROM plain)",
        "the columns are a, b",
    ),
    ("sql.type", "SELECT a FROM plain WHERE ¿a > (SELECT MAX(s) FROM plain)", ""),
    ("sql.unsupported", "SELECT SUM(a - (¿SELECT MAX(b) FROM plain)) FROM plain", "CROSS JOIN"),
    (
        "sql.unsupported",
        "SELECT 1 AS x FROM plain p JOIN plain q ON p.a = q.a AND p.b > (¿SELECT MAX(b) FROM plain)",
        "CROSS JOIN",
    ),
    (
        "sql.missing-watermark",
        "SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE (SELECT * FROM quakes WHERE mag > (SELECT AVG(mag) FROM quakes)), ¿DESCRIPTOR(event_time), INTERVAL '1' DAY)) GROUP BY window_start, window_end",
        "hands the column on unchanged",
    ),
];

/// A join by `net` at the time of a quake; before it, what `v` is.
const VERSIONS: &[(&str, &str, &str)] = &[
    ("SELECT net, event_time FROM quakes", "v", "WHERE n = 1"),
    ("SELECT net, COUNT(*) AS n FROM quakes GROUP BY net", "v", "WHERE n = 1"),
    // The first row of a key is no version: it stays.
    (
        "SELECT net, event_time FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY net ORDER BY event_time) AS n FROM quakes) WHERE n = 1",
        "v",
        "ORDER BY ts DESC",
    ),
    (
        "SELECT net, event_time FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY net ORDER BY event_time DESC) AS n FROM quakes) WHERE n <= 2",
        "v",
        "WHERE n = 1",
    ),
    (
        "SELECT net, event_time FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY net ORDER BY mag DESC) AS n FROM quakes) WHERE n = 1",
        "v",
        "ORDER BY ts DESC",
    ),
    (
        "SELECT id AS net, event_time FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY net ORDER BY event_time DESC) AS n FROM quakes) WHERE n = 1",
        "v",
        "columns of PARTITION BY",
    ),
    (
        "SELECT net FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY net ORDER BY event_time DESC) AS n FROM quakes) WHERE n = 1",
        "v",
        "column of ORDER BY",
    ),
    (
        "SELECT net, event_time FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY net ORDER BY event_time DESC) AS n FROM quakes) WHERE n = 1 AND mag > 3",
        "v",
        "put the condition into the join",
    ),
    (
        "SELECT id, net, event_time FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY net, id ORDER BY event_time DESC) AS n FROM quakes) WHERE n = 1",
        "v",
        "compare the key (net, id)",
    ),
];

/// What of them is not told as it must be.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("sql.setting", "SET 'highwater.barriers' = ¿'some'", "aligned or none"),
    ("sql.setting", "SET 'execution.runtime-mode' = ¿'automatic'", "streaming or batch"),
    (
        "sql.batch",
        "SET 'execution.runtime-mode' = 'batch'; \
         CREATE TABLE ¿fed (a INT) WITH ('connector' = 'push'); SELECT a FROM fed",
        "read a file",
    ),
    (
        "sql.batch",
        "CREATE TABLE ¿drawn (a INT) WITH ('connector' = 'datagen'); \
         SET 'execution.runtime-mode' = 'batch'; SELECT a FROM drawn",
        "'number-of-rows' = '1000'",
    ),
    (
        "sql.unsupported",
        "SET 'execution.runtime-mode' = 'batch'; \
         SELECT a FROM (SELECT a FROM plain ORDER BY ¿a)",
        "LIMIT 10",
    ),
    (
        "sql.barriers",
        "SET 'highwater.barriers' = ¿'none'; SET 'highwater.guarantee' = 'at-least-once'; \
         SET 'execution.checkpointing.unaligned.enabled' = 'true'; SELECT a FROM plain",
        "leave 'highwater.barriers' = 'none' or",
    ),
    ("sql.setting", "SET 'semantics.profile' = ¿'storm'", "flink or beam"),
    ("sql.setting", "SET 'highwater.emit.panes' = ¿'additive'", "retracting or accumulating"),
    ("sql.setting", "SET 'table.exec.emit.allow-lateness' = ¿'long'", "a duration"),
    ("sql.setting", "SET 'table.exec.emit.early-fire.enabled' = ¿'yes'", "true or false"),
    ("sql.setting", "SET 'highwater.late.by' = ¿'window_end'", "window or record"),
    ("sql.setting", "SET 'highwater.session.at-gap' = ¿'join'", "merge or separate"),
    ("sql.trigger", "SET 'highwater.emit.trigger' = ¿'after_count(0)'", "after_watermark("),
    ("sql.trigger", "SET 'highwater.emit.trigger' = ¿'at once'", "after_watermark("),
    ("sql.trigger", "SET 'highwater.emit.trigger' = ¿'soon()'", "there are after_watermark"),
    ("sql.trigger", "SET 'highwater.emit.trigger' = ¿'after_processing_time(3)'", "('1 min')"),
    ("sql.setting", "SET 'highwater.emit.suppress.time' = ¿'soon'", "a duration"),
    ("sql.setting", "SET 'highwater.emit.suppress.rows' = ¿'0'", "a whole number from 1"),
    (
        "sql.setting",
        "SET 'highwater.emit.suppress.time' = '1 s'; ¿SELECT s, COUNT(*) AS n FROM plain GROUP BY s",
        "declare WATERMARK FOR",
    ),
    (
        "sql.setting",
        "SET 'highwater.emit.suppress.rows' = '9'; ¿SELECT s, COUNT(*) AS n FROM plain GROUP BY s \
         UNION ALL SELECT s, b FROM plain",
        "rows have one where they are grouped",
    ),
    (
        "sql.setting",
        "SET 'highwater.emit.suppress.rows' = '9'; INSERT INTO ¿out2 SELECT p.s, g.n FROM plain p \
         JOIN (SELECT s, COUNT(*) AS n FROM plain GROUP BY s) g ON p.s = g.s",
        "joined with each other",
    ),
    (
        "sql.setting",
        "SET 'highwater.emit.suppress.rows' = '9'; ¿SELECT x.s, y.n FROM \
         (SELECT s, COUNT(*) AS n FROM plain GROUP BY s) x FULL JOIN \
         (SELECT s, COUNT(*) AS n FROM plain GROUP BY s) y ON x.s = y.s",
        "the rows of `join` have none",
    ),
    (
        "sql.option-value",
        "CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'scan.watermark.advance' = ¿'never')",
        "with-records or with-time",
    ),
    ("sql.argument", "SELECT s, ¿PANE_INDEX() FROM plain GROUP BY s", "over a window"),
    ("sql.argument", "SELECT * FROM TABLE(LATE(¿TABLE plain))", "window_start, window_end"),
    ("sql.argument", "SELECT * FROM TABLE(¿LATE())", "LATE(TABLE counts)"),
];

pub(super) fn wrong(all: &[(&str, &str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (code, marked, hint) in all {
        let (script, line, column) = unmark(marked);
        let found = diagnose(&script);
        let told = found.first().is_some_and(|(c, l, k, text)| {
            (*c, *l, *k) == (*code, line, column) && text.contains(hint)
        });
        if !told {
            wrong.push(format!("{marked}\n  wanted {code} at {line}:{column}, {hint}: {found:#?}"));
        }
    }
    wrong
}

#[test]
fn wrong_grouping_sets_are_told_what_and_where() {
    let wrong = wrong(SETS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_qualify_is_told_what_and_where() {
    let wrong = wrong(QUALIFIED);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_queries_as_values_are_told_what_and_where() {
    let wrong = wrong(VALUES);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_has_no_versions_is_told_why() {
    for (view, name, hint) in VERSIONS {
        let script = format!(
            "CREATE VIEW v AS {view}; SELECT 1 AS x FROM quakes a\nJOIN {name} FOR SYSTEM_TIME AS OF a.event_time \
             AS b ON a.net = b.net"
        );
        let found = diagnose(&script);
        let first = found
            .first()
            .map(|(code, line, column, text)| (*code, *line, *column, text.contains(hint)));
        assert_eq!(first, Some(("sql.versions", 2, 6, true)), "{view}: {found:#?}");
    }
}

#[test]
fn wrong_settings_are_told_what_and_where() {
    assert_eq!(wrong(SETTINGS), Vec::<String>::new());
}
