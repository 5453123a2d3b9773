//! Wrong statements, and the code and place each must be told. `¿` marks the place.

use super::aggregate_mistakes::AGGREGATES;
use super::over_mistakes::OVERS;
use super::{Guests, TABLES};
use crate::sql::plan;

const TUMBLED: &str = "FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '6' HOUR))";
const SESSIONS: &str =
    "FROM TABLE(SESSION(TABLE quakes PARTITION BY net, DESCRIPTOR(event_time), INTERVAL '6' HOUR))";

/// Code, and a script with its place marked.
const MISTAKES: &[(&str, &str)] = &[
    // Syntax
    ("sql.syntax", "¿SELEC a FROM plain"),
    ("sql.syntax", "SELECT a b ¿c FROM plain"),
    ("sql.syntax", "SELECT a FROM plain WHERE¿"),
    ("sql.syntax", "SELECT (a ¿FROM plain"),
    ("sql.syntax", "SELECT ¿'abc FROM plain"),
    ("sql.syntax", "SELECT s FROM plain WHERE s = ¿\"x\""),
    ("sql.syntax", "CREATE ¿INDEX i ON plain (a)"),
    ("sql.syntax", "CREATE TABLE t (a INT ¿b INT)"),
    ("sql.syntax", "CREATE TABLE t (a INT) WITH (¿connector = 'print')"),
    ("sql.syntax", "CREATE TABLE t (a INT, PRIMARY KEY (a)¿) WITH ('connector' = 'print')"),
    ("sql.syntax", "CREATE FUNCTION f AS 'swarm.wasm'¿"),
    ("sql.syntax", "SET ¿parallelism.default = '2'"),
    ("sql.syntax", "SET 'parallelism.default' = ¿2"),
    ("sql.syntax", "INSERT ¿out2 SELECT s, b FROM plain"),
    // Names
    ("sql.unknown-table", "SELECT a FROM ¿plane"),
    ("sql.unknown-table", "SELECT x.* FROM plain AS p WHERE ¿x.a = 1"),
    ("sql.unknown-table", "SELECT ¿x.* FROM plain AS p"),
    ("sql.unknown-table", "INSERT INTO ¿out3 SELECT s, b FROM plain"),
    ("sql.unknown-column", "SELECT a,\n  ¿bb FROM plain"),
    ("sql.unknown-column", "SELECT p.¿A FROM plain AS p"),
    ("sql.unknown-column", "INSERT INTO out2 (k, ¿m) SELECT s, b FROM plain"),
    ("sql.unknown-column", "CREATE TABLE t (a INT, WATERMARK FOR ¿b AS b)"),
    ("sql.unknown-column", "CREATE TABLE t (a INT, b AS ¿c + 1)"),
    ("sql.unknown-column", "CREATE TABLE t (a INT, b INT, PRIMARY KEY (¿c) NOT ENFORCED)"),
    (
        "sql.unknown-column",
        "CREATE TABLE t (a INT) WITH ('connector' = 'datagen', ¿'fields.b.min' = '1')",
    ),
    ("sql.unknown-function", "SELECT ¿UPPPER(s) FROM plain"),
    ("sql.unknown-function", "SELECT * FROM TABLE(¿swarms(TABLE quakes))"),
    ("sql.ambiguous-column", "SELECT ¿x FROM (SELECT a, b FROM plain) AS t (x, x)"),
    ("sql.type", "CREATE TABLE t (a INT, b AS a + 1, PRIMARY KEY (¿b) NOT ENFORCED)"),
    ("sql.duplicate", "CREATE TABLE t (a INT PRIMARY KEY, b INT ¿PRIMARY KEY)"),
    (
        "sql.duplicate",
        "CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED, ¿PRIMARY KEY (a) NOT ENFORCED)",
    ),
    ("sql.duplicate", "CREATE TABLE ¿plain (a INT)"),
    ("sql.duplicate", "CREATE TABLE t (a INT, ¿a BIGINT)"),
    ("sql.duplicate", "CREATE VIEW ¿out2 AS SELECT a FROM plain"),
    ("sql.duplicate", "INSERT INTO out2 (k, ¿k) SELECT s, s FROM plain"),
    (
        "sql.duplicate",
        "CREATE TABLE t (a INT) WITH ('connector' = 'print', ¿'connector' = 'print')",
    ),
    // Types
    ("sql.type", "CREATE TABLE t (a ¿INTT)"),
    ("sql.type", "CREATE TABLE t (a ¿DECIMAL(40, 2))"),
    ("sql.type", "SELECT a FROM plain WHERE ¿a"),
    ("sql.type", "SELECT ¿SUM(s) FROM plain"),
    ("sql.type", "CREATE TABLE t (a BIGINT, WATERMARK FOR ¿a AS a)"),
    ("sql.type", "CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS ¿CAST(ts AS DATE))"),
    ("sql.type", "INSERT INTO out2 SELECT s, ¿s FROM plain"),
    ("sql.type", "INSERT INTO out2 SELECT ¿a, b FROM plain"),
    ("sql.columns", "INSERT INTO out2 ¿SELECT s FROM plain"),
    ("sql.columns", "CREATE VIEW ¿v (x, y) AS SELECT a FROM plain"),
    ("sql.literal", "SELECT a FROM plain WHERE ts > ¿TIMESTAMP '2020-13-01'"),
    ("sql.literal", "SELECT ¿DATE 'tomorrow' FROM plain"),
    // Options and settings
    ("sql.unknown-connector", "CREATE TABLE t (a INT) WITH ('connector' = ¿'prnt')"),
    ("sql.missing-option", "CREATE TABLE ¿t (a INT) WITH ('path' = 'x')"),
    (
        "sql.missing-option",
        "CREATE TABLE t (a INT) WITH ('connector' = ¿'filesystem', 'path' = 'x')",
    ),
    (
        "sql.unknown-option",
        "CREATE TABLE t (a INT) WITH ('connector' = 'print', ¿'colour' = 'red')",
    ),
    (
        "sql.option-value",
        "CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = ¿'many')",
    ),
    ("sql.setting", "SET 'parallelism.default' = ¿'0'"),
    ("sql.setting", "SET 'execution.checkpointing.interval' = ¿'soon'"),
    ("sql.setting", "SET 'pipeline.max-parallelism' = ¿'100000'"),
    ("sql.direction", "SELECT * FROM ¿out2"),
    ("sql.direction", "INSERT INTO ¿plain SELECT a, b, s, ts FROM plain"),
    // Windows and aggregates
    (
        "sql.missing-watermark",
        "SELECT * FROM TABLE(TUMBLE(TABLE plain, ¿DESCRIPTOR(ts), INTERVAL '1' DAY))",
    ),
    (
        "sql.missing-watermark",
        "SELECT * FROM TABLE(TUMBLE(DATA => ¿TABLE plain, SIZE => INTERVAL '1' DAY))",
    ),
    (
        "sql.interval",
        "SELECT * FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), ¿INTERVAL '100' SECOND))",
    ),
    (
        "sql.interval",
        "SELECT * FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), ¿INTERVAL '1' MONTH))",
    ),
    (
        "sql.window",
        "SELECT * FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), ¿INTERVAL '0' DAY))",
    ),
    ("sql.argument", "SELECT * FROM TABLE(¿TUMBLE(TABLE quakes, DESCRIPTOR(event_time)))"),
    (
        "sql.argument",
        "SELECT * FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), ¿SIZ => INTERVAL '1' DAY))",
    ),
    ("sql.argument", "SELECT * FROM TABLE(TUMBLE(DATA => TABLE quakes, ¿DESCRIPTOR(event_time)))"),
    (
        "sql.argument",
        "SELECT * FROM TABLE(TUMBLE(¿quakes, DESCRIPTOR(event_time), INTERVAL '1' DAY))",
    ),
    ("sql.window", "SELECT * FROM TABLE(¿quakes)"),
    ("sql.group", "SELECT s, ¿a, COUNT(*) FROM plain GROUP BY s"),
    ("sql.group", "SELECT ¿* FROM plain GROUP BY s"),
    ("sql.group", "SELECT a FROM plain HAVING ¿a > 1"),
    ("sql.aggregate", "SELECT a FROM plain WHERE ¿COUNT(*) > 1"),
    ("sql.aggregate", "SELECT SUM(¿MAX(a)) FROM plain"),
    ("sql.argument", "SELECT ¿SUM(a, b) FROM plain"),
    // Guests
    ("guest.missing", "CREATE FUNCTION f AS ¿'none.wasm' LANGUAGE WASM"),
    ("sql.unsupported", "CREATE FUNCTION f AS 'f.jar' LANGUAGE ¿JAVA"),
    ("sql.duplicate", "CREATE FUNCTION ¿Upper AS 'linear.wasm' LANGUAGE WASM"),
    ("sql.argument", "SELECT a, ¿linear(b) FROM plain"),
    ("sql.argument", "SELECT a FROM plain WHERE ¿linear(b, 1, 2) > 0"),
    ("sql.type", "SELECT linear(b,\n  ¿s) FROM plain"),
    ("sql.type", "SELECT linear(¿depth, 1) FROM quakes"),
    ("sql.argument", "SELECT linear(¿a => b, x => 1) FROM plain"),
    ("sql.unknown-function", "SELECT ¿linera(b, 1) FROM plain"),
    ("sql.unknown-column", "SELECT linear(¿c, 1) FROM plain"),
    ("sql.group", "SELECT linear(¿b, 1) FROM plain GROUP BY s"),
    ("sql.window", "SELECT ¿swarm(b) FROM plain"),
    ("sql.window", "SELECT * FROM TABLE(¿linear(b, 1))"),
    (
        "sql.unknown-column",
        "SELECT * FROM TABLE(swarm(¿TABLE (SELECT net, event_time FROM quakes), DESCRIPTOR(event_time)))",
    ),
    ("sql.argument", "SELECT * FROM TABLE(swarm(TABLE quakes, ¿bas_gap => 1))"),
    ("sql.type", "SELECT * FROM TABLE(swarm(TABLE quakes, base_gap => ¿'x'))"),
    ("sql.argument", "SELECT * FROM TABLE(swarm(TABLE quakes, base_gap => ¿mag))"),
    ("sql.argument", "SELECT * FROM TABLE(¿aftershocks(TABLE quakes, TABLE quakes, km => 1))"),
    (
        "sql.argument",
        "SELECT * FROM TABLE(¿aftershocks(TABLE quakes, TABLE quakes, UPPER => INTERVAL '1' DAY))",
    ),
    (
        "sql.argument",
        "SELECT * FROM TABLE(aftershocks(TABLE quakes PARTITION BY net, ¿TABLE quakes, UPPER => INTERVAL '1' DAY, km => 1))",
    ),
    (
        "sql.type",
        "SELECT * FROM TABLE(aftershocks(TABLE quakes PARTITION BY net, ¿TABLE quakes PARTITION BY mag, UPPER => INTERVAL '1' DAY, km => 1))",
    ),
    (
        "sql.window",
        "SELECT * FROM TABLE(HOP(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '2' DAY, ¿INTERVAL '3' DAY))",
    ),
    // Joins
    ("sql.subquery", "SELECT a FROM plain WHERE a IN (¿SELECT a, b FROM plain)"),
    ("sql.type", "SELECT a FROM plain WHERE ¿a IN (SELECT s FROM plain)"),
    (
        "sql.unknown-column",
        "SELECT a FROM plain p WHERE EXISTS (SELECT 1 FROM quakes q WHERE q.id = p.¿x)",
    ),
    (
        "sql.duplicate",
        "SELECT a FROM plain WHERE EXISTS (¿SELECT 1 FROM plain WHERE plain.a = x.b)",
    ),
    (
        "sql.versions",
        "SELECT 1 AS x FROM quakes a JOIN ¿quakes FOR SYSTEM_TIME AS OF a.event_time AS b ON a.net = b.net",
    ),
    (
        "sql.versions",
        "CREATE TABLE v (k INT, s STRING, PRIMARY KEY (k) NOT ENFORCED); SELECT 1 AS x FROM quakes a JOIN ¿v FOR SYSTEM_TIME AS OF a.event_time ON a.depth = v.k",
    ),
    (
        "sql.versions",
        "CREATE TABLE v (k STRING, ts TIMESTAMP_LTZ(3), PRIMARY KEY (k) NOT ENFORCED, WATERMARK FOR ts AS ts); SELECT 1 AS x FROM quakes a JOIN v FOR SYSTEM_TIME AS OF ¿a.event_ms ON a.net = v.k",
    ),
    (
        "sql.versions",
        "CREATE TABLE v (k STRING, b STRING, ts TIMESTAMP_LTZ(3), PRIMARY KEY (k) NOT ENFORCED, WATERMARK FOR ts AS ts); SELECT 1 AS x FROM quakes a JOIN ¿v FOR SYSTEM_TIME AS OF a.event_time ON a.net = v.b",
    ),
    (
        "sql.type",
        "CREATE TABLE v (k STRING, ts TIMESTAMP(3), PRIMARY KEY (k) NOT ENFORCED, WATERMARK FOR ts AS ts); SELECT 1 AS x FROM quakes a JOIN v FOR SYSTEM_TIME AS OF ¿a.event_time ON a.net = v.k",
    ),
    (
        "sql.unsupported",
        "CREATE TABLE v (k STRING, ts TIMESTAMP_LTZ(3), PRIMARY KEY (k) NOT ENFORCED, WATERMARK FOR ts AS ts); SELECT 1 AS x FROM quakes a RIGHT JOIN ¿v FOR SYSTEM_TIME AS OF a.event_time ON a.net = v.k",
    ),
    (
        "sql.updating",
        "CREATE TABLE v (k STRING, ts TIMESTAMP_LTZ(3), PRIMARY KEY (k) NOT ENFORCED, WATERMARK FOR ts AS ts); SELECT 1 AS x FROM (SELECT net, COUNT(*) AS n FROM quakes GROUP BY net) a JOIN ¿v FOR SYSTEM_TIME AS OF a.n ON a.net = v.k",
    ),
    ("sql.join", "SELECT 1 AS x FROM quakes a LEFT JOIN ¿quakes b"),
    ("sql.join", "SELECT 1 AS x FROM quakes a FULL OUTER JOIN ¿quakes b"),
    ("sql.unsupported", "SELECT 1 AS x FROM quakes a LEFT SEMI JOIN ¿quakes b ON a.net = b.net"),
    ("sql.type", "SELECT 1 AS x FROM quakes a LEFT JOIN quakes b ON a.net = b.net AND ¿a.mag"),
    (
        "sql.unknown-column",
        "SELECT 1 AS x FROM plain a RIGHT JOIN plain b ON a.a = b.a AND b.¿x > 3",
    ),
    (
        "sql.missing-watermark",
        "SELECT COUNT(*) AS n FROM TABLE(TUMBLE(TABLE (SELECT a.event_time FROM quakes AS a LEFT JOIN quakes AS b ON a.id = b.id), ¿DESCRIPTOR(event_time), INTERVAL '1' DAY)) GROUP BY window_start, window_end",
    ),
    ("sql.unsupported", "SELECT 1 AS x FROM quakes a JOIN ¿quakes b USING (net)"),
    ("sql.unsupported", "SELECT 1 AS x FROM quakes a NATURAL JOIN ¿quakes b"),
    (
        "sql.duplicate",
        "SELECT 1 AS x FROM quakes JOIN ¿quakes ON net = net AND event_time = event_time",
    ),
    (
        "sql.argument",
        "SELECT 1 AS x FROM quakes a JOIN quakes b ON a.net = b.net AND a.event_time > b.event_time AND ¿a.event_time < b.event_time",
    ),
    (
        "sql.type",
        "SELECT 1 AS x FROM quakes a JOIN quakes b ON ¿a.net = b.mag AND a.event_time = b.event_time",
    ),
    (
        "sql.unknown-column",
        "SELECT 1 AS x FROM quakes a JOIN quakes b ON a.net = b.¿nett AND a.event_time = b.event_time",
    ),
    (
        "sql.unknown-table",
        "SELECT 1 AS x FROM quakes a, quakes b WHERE ¿c.net = b.net AND a.net = b.net AND a.event_time = b.event_time",
    ),
    (
        "sql.ambiguous-column",
        "SELECT ¿net FROM quakes a JOIN quakes b ON a.net = b.net AND a.event_time = b.event_time",
    ),
    (
        "sql.type",
        "SELECT 1 AS x FROM quakes a JOIN quakes b ON a.net = b.net AND a.event_time = b.event_time AND ¿a.depth + b.depth",
    ),
    (
        "sql.window",
        "SELECT * FROM TABLE(HOP(TABLE quakes, DESCRIPTOR(event_time), ¿INTERVAL '0.001' SECOND, INTERVAL '3' DAY))",
    ),
    (
        "sql.window",
        "SELECT * FROM TABLE(CUMULATE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '2' HOUR, ¿INTERVAL '5' HOUR))",
    ),
    (
        "sql.window",
        "SELECT * FROM TABLE(CUMULATE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '1' DAY, ¿INTERVAL '6' HOUR))",
    ),
    (
        "sql.window",
        "SELECT * FROM TABLE(CUMULATE(TABLE quakes, DESCRIPTOR(event_time), ¿INTERVAL '0' HOUR, INTERVAL '6' HOUR))",
    ),
    (
        "sql.window",
        "SELECT * FROM TABLE(CUMULATE(TABLE quakes, DESCRIPTOR(event_time), ¿INTERVAL '0.001' SECOND, INTERVAL '3' DAY))",
    ),
    (
        "sql.interval",
        "SELECT * FROM TABLE(CUMULATE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '1' DAY, ¿INTERVAL '1' MONTH))",
    ),
    (
        "sql.argument",
        "SELECT * FROM TABLE(¿CUMULATE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '1' DAY))",
    ),
    (
        "sql.argument",
        "SELECT * FROM TABLE(CUMULATE(DATA => TABLE quakes, TIMECOL => DESCRIPTOR(event_time), ¿SLIDE => INTERVAL '1' DAY))",
    ),
    (
        "sql.unsupported",
        "SELECT * FROM TABLE(CUMULATE(¿TABLE quakes PARTITION BY net, DESCRIPTOR(event_time), INTERVAL '1' HOUR, INTERVAL '1' DAY))",
    ),
    (
        "sql.missing-watermark",
        "SELECT * FROM TABLE(CUMULATE(TABLE plain, ¿DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '1' DAY))",
    ),
    // Queries put together
    ("sql.union", "SELECT a FROM plain UNION ALL ¿SELECT a, b FROM plain"),
    ("sql.union", "SELECT s FROM plain UNION SELECT s FROM plain UNION ALL ¿SELECT a FROM plain"),
    ("sql.unknown-column", "SELECT a FROM plain UNION ALL SELECT ¿aa FROM plain"),
    ("sql.argument", "SELECT ¿COUNT(DISTINCT *) FROM plain"),
    ("sql.type", "SELECT ¿SUM(DISTINCT s) FROM plain"),
    // Ranks
    ("sql.rank", "SELECT * FROM (SELECT *, ¿ROW_NUMBER() OVER (ORDER BY a) AS n FROM plain)"),
    (
        "sql.rank",
        "SELECT * FROM (SELECT *, ¿ROW_NUMBER() OVER (ORDER BY a) AS n FROM plain) WHERE n <= a",
    ),
    (
        "sql.rank",
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY a) AS n FROM plain) WHERE a > 1 AND ¿n > 3",
    ),
    (
        "sql.rank",
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY a) AS n FROM plain) WHERE ¿n < 1",
    ),
    (
        "sql.rank",
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY a) AS n FROM plain) WHERE ¿n > 3 AND n < 4",
    ),
    (
        "sql.rank",
        "SELECT a FROM (SELECT a, ¿ROW_NUMBER() OVER (PARTITION BY a) AS n FROM plain) WHERE n = 1",
    ),
    ("sql.rank", "SELECT ¿ROW_NUMBER() AS n FROM plain"),
    ("sql.rank", "¿SELECT a FROM plain LIMIT 0"),
    ("sql.argument", "SELECT ¿ROW_NUMBER(a) OVER (ORDER BY a) AS n FROM plain"),
    ("sql.argument", "SELECT a FROM plain LIMIT ¿a"),
    ("sql.argument", "SELECT a FROM plain LIMIT 3 OFFSET ¿1.5"),
    ("sql.columns", "SELECT a FROM plain ORDER BY ¿2 LIMIT 3"),
    ("sql.unknown-column", "SELECT a FROM plain ORDER BY ¿aa LIMIT 3"),
    ("sql.unknown-column", "SELECT DISTINCT a FROM plain ORDER BY ¿b LIMIT 3"),
    ("sql.unknown-column", "SELECT a, ROW_NUMBER() OVER (PARTITION BY ¿c ORDER BY a) FROM plain"),
    ("sql.group", "SELECT s, ROW_NUMBER() OVER (ORDER BY ¿a) AS n FROM plain GROUP BY s"),
    ("sql.unsupported", "SELECT a, ¿RANK() OVER (ORDER BY a) AS n FROM plain"),
    ("sql.unsupported", "SELECT a, ¿DENSE_RANK() OVER (ORDER BY a) AS n FROM plain"),
    (
        "sql.unsupported",
        "SELECT ROW_NUMBER() OVER (ORDER BY a) AS n, ¿ROW_NUMBER() OVER (ORDER BY b) AS m FROM plain",
    ),
    (
        "sql.unsupported",
        "SELECT ¿ROW_NUMBER() OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS n FROM plain",
    ),
    ("sql.unsupported", "SELECT a FROM plain ORDER BY ¿a"),
    ("sql.unsupported", "¿SELECT a FROM plain ORDER BY a OFFSET 3"),
    ("sql.unsupported", "¿SELECT a FROM plain ORDER BY a FETCH FIRST 3 ROWS WITH TIES"),
    (
        "sql.updating",
        "SELECT COUNT(*) FROM TABLE(TUMBLE(¿TABLE (SELECT * FROM quakes ORDER BY mag LIMIT 3), DESCRIPTOR(event_time), INTERVAL '1' DAY)) GROUP BY window_start, window_end",
    ),
    // Not here yet
    ("sql.unsupported", "¿SELECT DISTINCT ON (a) a FROM plain"),
    ("sql.unsupported", "¿SELECT a FROM plain INTERSECT SELECT a FROM plain"),
    ("sql.unsupported", "¿SELECT a FROM plain EXCEPT ALL SELECT a FROM plain"),
    ("sql.unsupported", "¿SELECT a FROM plain UNION BY NAME SELECT a FROM plain"),
    ("sql.unsupported", "SELECT a FROM plain WHERE b > 1 OR ¿a IN (SELECT b FROM plain)"),
    ("sql.unsupported", "¿DROP TABLE plain"),
    ("sql.unsupported", "CREATE TABLE t (a INT ¿METADATA FROM 'x')"),
    ("sql.unsupported", "CREATE TABLE t (a ¿ARRAY<INT>)"),
    ("sql.unsupported", "CREATE TABLE t (a ¿TIMESTAMP(6))"),
    ("sql.unsupported", "SELECT ¿NOW() FROM plain"),
    ("sql.unsupported", "SELECT a FROM ¿db.plain"),
    ("sql.statement", "¿SELECT a FROM plain; SELECT b FROM plain"),
    ("sql.statement", "¿EXPLAIN SELECT a FROM plain; SELECT b FROM plain"),
];

/// The diagnostics of a script after the tables of the tests, places relative to the script.
pub(super) fn diagnose(script: &str) -> Vec<(&'static str, u32, u32, String)> {
    let lines = TABLES.lines().count() as u32;
    let errors = match plan(&format!("{TABLES}{script}"), &Guests) {
        Ok(_) => return Vec::new(),
        Err(errors) => errors,
    };
    let row = |e: crate::error::Diagnostic| {
        let at = e.span.unwrap_or_else(|| panic!("{script}: no place: {e}")).start;
        (e.code, at.line - lines, at.column, e.to_string())
    };
    errors.into_iter().map(row).collect()
}

/// Takes the mark out and says where it was.
pub(super) fn unmark(marked: &str) -> (String, u32, u32) {
    let before = marked.split('¿').next().unwrap_or_default();
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
    (marked.replacen('¿', "", 1), line, column)
}

fn check(code: &str, marked: &str, wrong: &mut Vec<String>) {
    let (script, line, column) = unmark(marked);
    let found = diagnose(&script);
    let fits = |(c, l, k, _): &(&str, u32, u32, String)| (*c, *l, *k) == (code, line, column);
    if !found.first().is_some_and(fits) {
        wrong.push(format!("{marked}\n  wanted {code} at {line}:{column}, got {found:#?}"));
    }
}

#[test]
fn every_mistake_has_its_code_and_place() {
    let mut wrong = Vec::new();
    for (code, marked) in MISTAKES.iter().chain(OVERS).chain(AGGREGATES) {
        check(code, marked, &mut wrong);
    }
    for (code, select, from, rest) in [
        ("sql.group", "SELECT ¿net, COUNT(*)", SESSIONS, "GROUP BY window_start, window_end"),
        ("sql.unknown-column", "SELECT *", SESSIONS, "WHERE ¿mags > 3"),
        ("sql.group", "SELECT ¿net, COUNT(*)", TUMBLED, "GROUP BY window_start, window_end"),
    ] {
        let select = if rest.contains('¿') || select.contains('¿') {
            select.to_owned()
        } else {
            format!("¿{select}")
        };
        check(code, &format!("{select} {from} {rest}"), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(MISTAKES.len() >= 60);
}

#[test]
fn every_statement_reports_its_own_mistake() {
    let found =
        diagnose("SELECT nope FROM plain;\nCREATE TABLE t (a NOTYPE);\nSET 1;\nSELECT a FROM t");
    let places: Vec<(&str, u32)> = found.iter().map(|(code, line, ..)| (*code, *line)).collect();
    assert_eq!(
        places,
        [("sql.statement", 1), ("sql.type", 2), ("sql.syntax", 3), ("sql.unknown-table", 4)],
        "{found:#?}"
    );
}

#[test]
fn what_uses_a_broken_table_adds_nothing() {
    let found = diagnose("CREATE TABLE t (a BIGINT, WATERMARK FOR a AS a); SELECT a FROM t");
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn hints_name_what_was_meant() {
    for (script, hint) in [
        ("SELECT a FROM plane", "did you mean `plain`?"),
        ("SELECT quake_id FROM quakes", "the columns are id, net, mag"),
        ("SELECT UPPPER(s) FROM plain", "did you mean `UPPER`?"),
        (
            "CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'rows-per-secnd' = '1')",
            "did you mean 'rows-per-second'?",
        ),
        (
            "CREATE TABLE t (a INT) WITH ('connector' = 'print', 'x' = 'y')",
            "`print` takes print-identifier",
        ),
        (
            "SELECT * FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '100' SECOND))",
            "SECOND(3)",
        ),
        (
            "SELECT * FROM TABLE(TUMBLE(TABLE plain, DESCRIPTOR(ts), INTERVAL '1' DAY))",
            "WATERMARK FOR ts AS ts",
        ),
        ("SELECT s FROM plain WHERE s = \"x\"", "single quotes"),
    ] {
        let found = diagnose(script);
        assert!(found.first().is_some_and(|f| f.3.contains(hint)), "{script}: {found:#?}");
    }
}

/// So deep CASE may stand in CASE: it is what sqlparser's limit leaves room for.
const DEEPEST_CASE: usize = 46;

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    let deep = |open: &str, n: usize, rest: &str| format!("{}{rest}", open.repeat(n));
    for script in [
        format!("SELECT {}", deep("(", 5_000, "a")),
        format!("SELECT {}a FROM plain", deep("NOT ", 5_000, "")),
        format!("SELECT {}a FROM plain", deep("- ", 5_000, "")),
        format!("SELECT a{} FROM plain", deep(" + a", 20_000, "")),
        format!("SELECT a{} FROM plain", deep(" IS NULL", 20_000, "")),
        format!("SELECT {}", deep("ABS(", 5_000, "")),
        format!("SELECT {}", deep("CASE WHEN ", 5_000, "")),
        deep("SELECT * FROM (", 2_000, ""),
        deep("SELECT * FROM TABLE(TABLE (", 2_000, ""),
        deep("SELECT a FROM plain UNION ALL ", 5_000, "SELECT a FROM plain"),
        format!("SELECT CAST(a AS {}", deep("ARRAY<", 5_000, "")),
        deep("EXPLAIN ", 5_000, ""),
        deep("EXECUTE ", 5_000, ""),
        format!("SELECT {}", deep("a.", 20_000, "a FROM plain")),
    ] {
        assert!(!diagnose(&script).is_empty(), "{}", &script[..60]);
    }
    for depth in 1..120 {
        let cases = format!("{}1{}", "CASE WHEN a = 1 THEN ".repeat(depth), " END".repeat(depth));
        let found = diagnose(&format!("SELECT {cases} FROM plain"));
        assert!(found.iter().all(|f| f.0 == "sql.too-deep"), "{depth}: {found:#?}");
        assert_eq!(found.is_empty(), depth <= DEEPEST_CASE, "{depth}: {found:#?}");
    }
    let many = format!("SELECT a FROM plain WHERE a = 0{}", " OR a = 1".repeat(150));
    assert!(diagnose(&many).is_empty(), "a long list of conditions is no deep one");
}
