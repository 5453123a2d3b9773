//! Queries as values, and versions of views: the plans they become.

use super::plans::{PLAIN, QUAKES, check, lines};
use crate::sql::{NeedKind, needs};

#[test]
fn a_value_is_joined_with_every_row() {
    check(
        "SELECT a FROM plain WHERE b > 1 AND a > (SELECT MAX(a) FROM plain)",
        &[
            "result: Sink(collect, [a INT]), changes=[I,U,D]",
            "project-3: Project(a), changes=[I,U,D]",
            "filter-2: Filter(a > `(SELECT MAX(a) FROM plain)`), changes=[I,U,D]",
            "join: RegularJoin(left, keys=[ = ]), changes=[I,U,D]",
            "project-2: Project(a)",
            "filter: Filter(b > 1)",
            PLAIN,
            "project: Project(max_0 AS EXPR$0), changes=[I,U,D]",
            "group: GroupAggregate(keys=[], aggregates=[MAX(a)]), changes=[I,U,D]",
            "plain (see above)",
        ],
    );
    // Asked twice, it is computed once; beside groups it is joined with what they give.
    let found = lines(
        "SELECT s, SUM(a) / (SELECT SUM(a) FROM plain) AS p FROM plain GROUP BY s \
         HAVING SUM(a) > (SELECT SUM(a) FROM plain)",
    );
    let count = |what: &str| found.iter().filter(|line| line.contains(what)).count();
    assert_eq!((count("RegularJoin"), count("GroupAggregate(keys=[s]")), (1, 1), "{found:#?}");
    let found = lines(
        "SELECT a - (SELECT MAX(a) FROM plain) AS x FROM plain WHERE a > (SELECT MAX(a) FROM plain)",
    );
    let joins = found.iter().filter(|line| line.contains("RegularJoin")).count();
    assert_eq!(joins, 1, "{found:#?}");
    let star = lines("SELECT * FROM plain WHERE a > (SELECT MAX(a) FROM plain)");
    assert!(star[0].contains("[a INT, b BIGINT, s STRING, ts TIMESTAMP(3)]"), "{star:#?}");
}

#[test]
fn changes_are_held_back_below_what_is_computed_of_them() {
    check(
        "SET 'highwater.emit.suppress.rows' = '9'; SET 'highwater.emit.suppress.time' = '2 s'; \
         SELECT mag FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY net ORDER BY mag DESC) AS n FROM quakes) \
         WHERE n = 1 AND mag > 3",
        &[
            "result: Sink(collect, [mag DECIMAL(4, 2)]), changes=[I,U,D]",
            "project: Project(mag), changes=[I,U,D]",
            "filter: Filter(mag > 3), changes=[I,U,D]",
            "suppress: Suppress(keys=[net], time 2 s, rows 9), changes=[I,U,D]",
            "rank: Rank(keys=[net], order=[mag DESC], ranks=[1], columns=[net, mag]), changes=[I,U,D]",
            QUAKES,
        ],
    );
    let append_only =
        lines("SET 'highwater.emit.suppress.rows' = '9'; SELECT DISTINCT s FROM plain");
    assert!(!append_only.iter().any(|line| line.contains("Suppress")), "{append_only:#?}");
}

#[test]
fn a_file_that_only_a_value_reads_is_needed() {
    let table = |name: &str| {
        format!(
            "CREATE TABLE {name} (a INT) WITH ('connector' = 'filesystem', 'path' = '{name}.csv', \
             'format' = 'csv');\n"
        )
    };
    for value in [
        "SELECT a FROM t WHERE a > (SELECT MAX(a) FROM u)",
        "SELECT a + (SELECT MAX(a) FROM u) AS x FROM t",
        "SELECT a FROM t GROUP BY a HAVING a > (SELECT MAX(a) FROM u)",
        "SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1 AND a > (SELECT MAX(a) FROM u)",
    ] {
        let script = format!("{}{}{}{value}", table("t"), table("u"), table("w"));
        let found = needs(&script).expect("a good script");
        let paths: Vec<(&str, NeedKind)> =
            found.iter().map(|n| (n.path.as_str(), n.kind)).collect();
        assert_eq!(paths, [("t.csv", NeedKind::Data), ("u.csv", NeedKind::Data)], "{value}");
    }
}

#[test]
fn a_view_of_last_rows_has_versions() {
    const LAST: &str = "CREATE VIEW last AS SELECT net, mag AS m, event_time AS since FROM (SELECT *, \
        ROW_NUMBER() OVER (PARTITION BY net ORDER BY event_time DESC) AS n FROM quakes) WHERE n = 1;";
    check(
        &format!(
            "{LAST} SELECT a.id, l.m FROM quakes a \
             LEFT JOIN last FOR SYSTEM_TIME AS OF a.event_time AS l ON l.net = a.net AND l.m > 3"
        ),
        &[
            "result: Sink(collect, [id STRING, m DECIMAL(4, 2)])",
            "project-3: Project(id, m)",
            "join: TemporalJoin(left, times=[event_time, since], keys=[net = net], condition=[m > 3])",
            "project-2: Project(id, net, event_time)",
            QUAKES,
            "project: Project(net, mag AS m, event_time AS since), changes=[I,U,D]",
            "rank: Rank(keys=[net], order=[event_time DESC], ranks=[1], columns=[net, mag, event_time], \
             ties=[last]), changes=[I,U,D]",
            "quakes (see above)",
        ],
    );
}
