//! Joins as of a moment: lookups by arrival and as-of joins, planned; and the mistakes in them. `¿` marks the place.

use super::explained;
use super::mistakes::{diagnose, unmark};
use super::plans::lines;
use super::wrong::wrong;

const DIM: &str = "CREATE TABLE dim (k STRING, m INT, PRIMARY KEY (k) NOT ENFORCED, at AS PROCTIME()) \
    WITH ('connector' = 'filesystem', 'path' = 'dim.csv', 'format' = 'csv');\n";

/// Code, a script with its place marked, and a part of the hint.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("sql.unsupported", "SELECT ¿PROCTIME() FROM plain", "CREATE TABLE t"),
    ("sql.unsupported", "SELECT a FROM plain WHERE ts < ¿PROCTIME()", "CREATE TABLE t"),
    (
        "sql.versions",
        "SELECT p.a FROM plain p JOIN plain FOR SYSTEM_TIME AS OF ¿p.ts AS q ON p.a = q.a",
        "FOR SYSTEM_TIME AS OF a.ts",
    ),
    (
        "sql.versions",
        "SELECT p.a FROM plain p JOIN plain FOR SYSTEM_TIME AS OF ¿PROCTIME(1) AS q ON p.a = q.a",
        "FOR SYSTEM_TIME AS OF a.ts",
    ),
    (
        "sql.unsupported",
        "SELECT p.a FROM plain p RIGHT JOIN ¿plain FOR SYSTEM_TIME AS OF PROCTIME() AS q ON p.a = q.a",
        "a JOIN b",
    ),
    (
        "sql.updating",
        "SELECT p.a FROM (SELECT a, COUNT(*) AS n FROM plain GROUP BY a) p \
         JOIN ¿plain FOR SYSTEM_TIME AS OF PROCTIME() AS q ON p.a = q.a",
        "join first",
    ),
    (
        "sql.lookup",
        "CREATE TABLE gen (a INT) WITH ('connector' = 'datagen'); \
         SELECT p.a FROM plain p JOIN ¿gen FOR SYSTEM_TIME AS OF PROCTIME() ON p.a = gen.a",
        "number-of-rows",
    ),
    (
        "sql.duplicate",
        "SELECT plain.a FROM plain JOIN ¿plain FOR SYSTEM_TIME AS OF PROCTIME() ON plain.a = plain.a",
        "a name of its own",
    ),
    (
        "sql.asof",
        "SELECT a.id FROM quakes a ASOF JOIN quakes b MATCH_CONDITION (¿a.mag >= b.mag) ON a.net = b.net",
        "WATERMARK FOR ts",
    ),
    (
        "sql.asof",
        "SELECT a.id FROM quakes a ASOF JOIN quakes b MATCH_CONDITION (¿a.event_time <= b.event_time) \
         ON a.net = b.net",
        "turn the comparison",
    ),
    (
        "sql.asof",
        "SELECT a.id FROM quakes a ASOF JOIN quakes b MATCH_CONDITION (¿a.event_time = b.event_time) \
         ON a.net = b.net",
        "a.ts >= b.ts",
    ),
    (
        "sql.asof",
        "SELECT a.id FROM quakes a ASOF JOIN quakes b \
         MATCH_CONDITION (a.event_time >= ¿b.event_time + INTERVAL '1' HOUR) ON a.net = b.net",
        "a.ts >= b.ts",
    ),
    (
        "sql.asof",
        "SELECT a.id FROM quakes a ASOF JOIN quakes b MATCH_CONDITION (a.event_time >= b.event_time) \
         ON a.net = b.net AND ¿a.mag < b.mag",
        "filter before",
    ),
    (
        "sql.asof",
        "SELECT a.id FROM quakes a ASOF JOIN ¿quakes b MATCH_CONDITION (a.event_time >= b.event_time) \
         USING (net)",
        "ON a.k = b.k",
    ),
    (
        "sql.updating",
        "SELECT a.id FROM quakes a ASOF JOIN (¿SELECT net, MAX(event_time) AS event_time FROM quakes GROUP BY net) b \
         MATCH_CONDITION (a.event_time >= b.event_time) ON a.net = b.net",
        "closed windows",
    ),
    ("sql.syntax", "SELECT a.id FROM quakes a ASOF JOIN quakes b ¿ON a.net = b.net", ""),
];

#[test]
fn wrong_moments_are_told_what_and_where() {
    let wrong = wrong(MISTAKES);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A key that is declared must be compared whole.
#[test]
fn a_key_is_looked_up_whole() {
    let marked = format!(
        "{DIM}SELECT q.id FROM quakes q JOIN ¿dim FOR SYSTEM_TIME AS OF PROCTIME() ON CAST(q.mag AS INT) = dim.m"
    );
    let (script, line, column) = unmark(&marked);
    let found = diagnose(&script);
    let first = found.first().map(|(code, l, k, _)| (*code, *l, *k));
    assert_eq!(first, Some(("sql.versions", line, column)), "{found:#?}");
}

#[test]
fn a_lookup_keeps_the_time_of_the_left() {
    let found = lines(&format!(
        "{DIM}SELECT q.id, d.m, q.event_time FROM quakes q \
         LEFT JOIN dim FOR SYSTEM_TIME AS OF PROCTIME() AS d ON q.net = d.k AND d.m < 3"
    ));
    assert!(found[0].contains("event_time TIMESTAMP_LTZ(3) *ROWTIME*"), "{found:#?}");
    assert!(
        found
            .iter()
            .any(|l| l
                .starts_with("join: LookupJoin(left, keys=[net = k], latest, condition=[m < 3])")),
        "{found:#?}"
    );
    assert!(found.iter().any(|l| l.contains("lookup") && l.contains("at = ")), "{found:#?}");
}

#[test]
fn an_arrival_names_the_moment_wherever_it_is_handed_on() {
    let script = |asked: &str| {
        format!(
            "{DIM}CREATE TABLE hits (k STRING, pt AS PROCTIME());\n\
             CREATE VIEW v AS SELECT k AS name, pt AS p FROM hits WHERE k <> 'x';\n\
             SELECT v.name, d.m FROM v JOIN dim FOR SYSTEM_TIME AS OF {asked} AS d ON v.name = d.k"
        )
    };
    assert!(explained(&script("v.p")).contains("LookupJoin(inner"));
    let found = diagnose(&script("v.name"));
    assert_eq!(found.first().map(|f| f.0), Some("sql.versions"), "{found:#?}");
}

#[test]
fn an_asof_join_is_a_temporal_one() {
    let script = |op: &str| {
        format!(
            "SELECT a.id, b.mag, a.event_time FROM quakes a ASOF JOIN quakes b \
             MATCH_CONDITION (a.event_time {op} b.event_time) ON a.net = b.net"
        )
    };
    let plan = explained(&script(">="));
    assert!(
        plan.contains("TemporalJoin(left, times=[event_time, event_time], keys=[net = net])"),
        "{plan}"
    );
    let plan = explained(&script(">"));
    assert!(plan.contains("keys=[net = net], before)"), "{plan}");
}
