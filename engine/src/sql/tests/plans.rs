//! Good scripts and the plans they must become, reasoned from what Flink does with them.

use super::{Guests, TABLES, explained};
use crate::plan::Plan;
use crate::sql::{NeedKind, endless, needs, plan};

/// The tables of the tests as sources.
pub(super) const QUAKES: &str = "quakes: Source(filesystem, 'quakes.jsonl', [id STRING, net STRING, mag DECIMAL(4, 2), \
    depth DOUBLE, event_ms BIGINT, event_time TIMESTAMP_LTZ(3) *ROWTIME*], event_time = \
    TO_TIMESTAMP_LTZ(event_ms, 3), watermark=[event_time - 4 h])";
pub(super) const PLAIN: &str =
    "plain: Source(inline, [a INT, b BIGINT, s STRING, ts TIMESTAMP(3)])";
const TUMBLE: &str = "TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '6' HOURS))";
const SESSION: &str = "TABLE(SESSION(DATA => TABLE quakes PARTITION BY net, TIMECOL => DESCRIPTOR(event_time), GAP => INTERVAL '90' MINUTE))";
const ENDS: &str = "window_start TIMESTAMP(3), window_end TIMESTAMP(3)";

/// The lines of a plan without indentation, the sink first.
pub(super) fn lines(script: &str) -> Vec<String> {
    explained(script).lines().map(|l| l.trim_start().trim_start_matches("+- ").to_owned()).collect()
}

pub(super) fn check(script: &str, wanted: &[&str]) {
    let found = lines(script);
    assert_eq!(found, wanted, "{script}");
}

pub(super) fn planned(script: &str) -> Plan {
    plan(&format!("{TABLES}{script}"), &Guests).unwrap_or_else(|e| panic!("{script}: {e:#?}"))
}

#[test]
fn rows_are_filtered_and_projected() {
    check(
        "SELECT * FROM plain WHERE a > 1 AND s IS NOT NULL",
        &[
            "result: Sink(collect, [a INT, b BIGINT, s STRING, ts TIMESTAMP(3)])",
            "filter: Filter(a > 1 AND s IS NOT NULL)",
            PLAIN,
        ],
    );
    check(
        "SELECT a, b, s, ts FROM plain AS p",
        &["result: Sink(collect, [a INT, b BIGINT, s STRING, ts TIMESTAMP(3)])", PLAIN],
    );
    check(
        "SELECT p.a AS x, a + 1, 1.50 AS c, a FROM plain p",
        &[
            "result: Sink(collect, [x INT, EXPR$1 INT, c DECIMAL(3, 2), a INT])",
            "project: Project(a AS x, a + 1 AS EXPR$1, 1.50 AS c, a)",
            PLAIN,
        ],
    );
    check(
        "SELECT a, a FROM plain",
        &["result: Sink(collect, [a INT, a0 INT])", "project: Project(a, a AS a0)", PLAIN],
    );
}

#[test]
fn windows_are_aggregated_by_both_their_ends() {
    check(
        &format!(
            "SELECT net, window_start, window_end, COUNT(*) AS n FROM {TUMBLE} GROUP BY net, window_start, window_end"
        ),
        &[
            &format!("result: Sink(collect, [net STRING, {ENDS}, n BIGINT])"),
            "project: Project(net, window_start, window_end, count_0 AS n)",
            "window: WindowAggregate(TUMBLE 6 h, time=[event_time], keys=[net], aggregates=[COUNT(*)])",
            QUAKES,
        ],
    );
    check(
        &format!(
            "SELECT window_end, MAX(mag) AS top FROM {SESSION} GROUP BY window_end, net, window_start"
        ),
        &[
            "result: Sink(collect, [window_end TIMESTAMP(3), top DECIMAL(4, 2)])",
            "project: Project(window_end, max_0 AS top)",
            "window: WindowAggregate(SESSION gap 90 min, time=[event_time], keys=[net], aggregates=[MAX(mag)])",
            QUAKES,
        ],
    );
    check(
        "SELECT COUNT(*) AS n FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '1' DAY, \
         INTERVAL '8' HOUR)) WHERE mag > 3 GROUP BY window_start, window_end",
        &[
            "result: Sink(collect, [n BIGINT])",
            "project: Project(count_0 AS n)",
            "window: WindowAggregate(TUMBLE 1 d offset 8 h, time=[event_time], keys=[], aggregates=[COUNT(*)])",
            "filter: Filter(mag > 3)",
            QUAKES,
        ],
    );
}

#[test]
fn a_changelog_takes_no_update_before_to_a_sink_with_its_key() {
    let aggregate = |table: &str, query: &str| {
        let found =
            lines(&format!("CREATE TABLE o (k STRING, n BIGINT{table}); INSERT INTO o {query}"));
        found.into_iter().find(|line| line.starts_with("group: ")).expect("a changelog")
    };
    let push = " PRIMARY KEY NOT ENFORCED) WITH ('connector' = 'push'";
    let on_k = ", CONSTRAINT c PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'push'".to_owned();
    let counts = "SELECT s, COUNT(*) FROM plain GROUP BY s";
    for (table, query, upserts) in [
        (on_k.as_str(), counts, true),
        (") WITH ('connector' = 'blackhole'", counts, true),
        (") WITH ('connector' = 'push'", counts, false),
        // The key is the count, not what is counted by.
        (push, counts, false),
        // A row that HAVING no longer lets through must go.
        (on_k.as_str(), "SELECT s, COUNT(*) FROM plain GROUP BY s HAVING COUNT(*) < 3", false),
        // One of two key columns is not enough.
        (on_k.as_str(), "SELECT s, COUNT(*) FROM plain GROUP BY s, a", false),
        // A key that was computed may be the same for two groups.
        (on_k.as_str(), "SELECT UPPER(s), COUNT(*) FROM plain GROUP BY s", false),
    ] {
        let found = aggregate(table, query);
        assert_eq!(found.contains(", upserts)"), upserts, "{table}: {query}: {found}");
    }
}

#[test]
fn a_window_is_aggregated_through_a_view() {
    check(
        &format!(
            "CREATE VIEW w AS SELECT net AS n, window_start, window_end FROM {TUMBLE} WHERE net <> 'ak';
             SELECT n, COUNT(*) AS c FROM w GROUP BY n, window_start, window_end"
        ),
        &[
            "result: Sink(collect, [n STRING, c BIGINT])",
            "project-2: Project(n, count_0 AS c)",
            "window: WindowAggregate(TUMBLE 6 h, time=[window_start], keys=[n], aggregates=[COUNT(*)])",
            "project: Project(net AS n, window_start, window_end)",
            "assign: AssignWindow(TUMBLE 6 h, time=[event_time])",
            "filter: Filter(net <> 'ak')",
            QUAKES,
        ],
    );
}

#[test]
fn rows_that_carry_their_windows_are_aggregated_by_them() {
    let hop =
        "TABLE(HOP(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '1' HOUR, INTERVAL '6' HOUR))";
    check(
        &format!(
            "CREATE VIEW counts AS SELECT net, COUNT(*) AS num, window_start, window_end FROM {hop} \
             GROUP BY net, window_start, window_end; \
             SELECT MAX(num) AS most, window_start FROM counts GROUP BY window_start, window_end"
        ),
        &[
            "result: Sink(collect, [most BIGINT, window_start TIMESTAMP(3)])",
            "project-2: Project(max_0 AS most, window_start)",
            "window-2: WindowAggregate(windows=[window_start, window_end], keys=[], aggregates=[MAX(num)])",
            "project: Project(net, count_0 AS num, window_start, window_end)",
            "window: WindowAggregate(HOP 6 h by 1 h, time=[event_time], keys=[net], aggregates=[COUNT(*)])",
            QUAKES,
        ],
    );
    // What reads the window's columns needs them in the row.
    check(
        &format!("SELECT MAX(window_time) AS m FROM {hop} GROUP BY net, window_start, window_end"),
        &[
            "result: Sink(collect, [m TIMESTAMP_LTZ(3)])",
            "project: Project(max_0 AS m)",
            "window: WindowAggregate(windows=[window_start, window_end], keys=[net], aggregates=[MAX(window_time)])",
            "assign: AssignWindow(HOP 6 h by 1 h, time=[event_time])",
            QUAKES,
        ],
    );
    check(
        &format!("SELECT net, COUNT(*) AS n FROM {hop} GROUP BY net"),
        &[
            "result: Sink(collect, [net STRING, n BIGINT]), changes=[I,U,D]",
            "project: Project(net, count_0 AS n), changes=[I,U,D]",
            "group: GroupAggregate(keys=[net], aggregates=[COUNT(*)]), changes=[I,U,D]",
            "assign: AssignWindow(HOP 6 h by 1 h, time=[event_time])",
            QUAKES,
        ],
    );
}

#[test]
fn windows_cumulate_alone_and_aggregated() {
    let cumulate =
        "CUMULATE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '1' HOUR, INTERVAL '1' DAY)";
    let assigned = lines(&format!("SELECT id, window_end FROM TABLE({cumulate})"));
    assert_eq!(assigned[2], "assign: AssignWindow(CUMULATE 1 d by 1 h, time=[event_time])");
    check(
        "SELECT net, window_end, COUNT(*) AS n FROM CUMULATE(DATA => TABLE quakes, \
         TIMECOL => DESCRIPTOR(event_time), STEP => INTERVAL '1' HOUR, SIZE => INTERVAL '1' DAY, \
         OFFSET => INTERVAL '8' HOUR) GROUP BY net, window_start, window_end",
        &[
            "result: Sink(collect, [net STRING, window_end TIMESTAMP(3), n BIGINT])",
            "project: Project(net, window_end, count_0 AS n)",
            "window: WindowAggregate(CUMULATE 1 d by 1 h offset 8 h, time=[event_time], keys=[net], aggregates=[COUNT(*)])",
            QUAKES,
        ],
    );
}

#[test]
fn rows_of_a_session_wait_for_its_end() {
    check(
        &format!("SELECT id, window_end FROM {SESSION} WHERE mag > 3"),
        &[
            "result: Sink(collect, [id STRING, window_end TIMESTAMP(3)])",
            "project: Project(id, window_end)",
            "filter: Filter(mag > 3)",
            "session: SessionWindow(gap 90 min, time=[event_time], keys=[net])",
            QUAKES,
        ],
    );
    // Whole keys may be left out before.
    let found = lines(&format!("SELECT id, window_end FROM {SESSION} WHERE net = 'ci'"));
    assert_eq!(
        found[2..4],
        [
            "session: SessionWindow(gap 90 min, time=[event_time], keys=[net])",
            "filter: Filter(net = 'ci')"
        ]
    );
    // Sessions of one key are no sessions of another.
    check(
        &format!("SELECT COUNT(*) AS n FROM {SESSION} GROUP BY window_start, window_end"),
        &[
            "result: Sink(collect, [n BIGINT])",
            "project: Project(count_0 AS n)",
            "window: WindowAggregate(windows=[window_start, window_end], keys=[], aggregates=[COUNT(*)])",
            "session: SessionWindow(gap 90 min, time=[event_time], keys=[net])",
            QUAKES,
        ],
    );
}

#[test]
fn window_time_is_the_time_of_what_follows() {
    check(
        &format!(
            "SELECT window_start, SUM(n) AS s FROM TABLE(TUMBLE(TABLE (SELECT net, window_time, COUNT(*) AS n \
             FROM {TUMBLE} GROUP BY net, window_start, window_end, window_time), DESCRIPTOR(window_time), \
             INTERVAL '1' DAY)) GROUP BY window_start, window_end"
        ),
        &[
            "result: Sink(collect, [window_start TIMESTAMP(3), s BIGINT])",
            "project-2: Project(window_start, sum_0 AS s)",
            "window-2: WindowAggregate(TUMBLE 1 d, time=[window_time], keys=[], aggregates=[SUM(n)])",
            "project: Project(net, window_time, count_0 AS n)",
            "window: WindowAggregate(TUMBLE 6 h, time=[event_time], keys=[net], aggregates=[COUNT(*)])",
            QUAKES,
        ],
    );
}

#[test]
fn a_window_alone_is_assigned() {
    let found = lines(&format!("SELECT id, window_time FROM {TUMBLE}"));
    assert_eq!(
        found[0],
        "result: Sink(collect, [id STRING, window_time TIMESTAMP_LTZ(3) *ROWTIME*])"
    );
    assert_eq!(found[2], "assign: AssignWindow(TUMBLE 6 h, time=[event_time])");
}

#[test]
fn keys_arguments_and_results_may_be_expressions() {
    check(
        "SELECT UPPER(s), SUM(a * 2) / COUNT(*) AS m FROM plain GROUP BY UPPER(s) HAVING COUNT(*) > 2",
        &[
            "result: Sink(collect, [EXPR$0 STRING, m BIGINT]), changes=[I,U,D]",
            "project-2: Project(key AS EXPR$0, CAST(sum_0 AS BIGINT) / count_1 AS m), changes=[I,U,D]",
            "filter: Filter(count_1 > 2), changes=[I,U,D]",
            "group: GroupAggregate(keys=[key], aggregates=[SUM(argument), COUNT(*)]), changes=[I,U,D]",
            "project: Project(UPPER(s) AS key, a * 2 AS argument)",
            PLAIN,
        ],
    );
    check(
        "SELECT COUNT(a) FILTER (WHERE b > 0) AS n FROM plain",
        &[
            "result: Sink(collect, [n BIGINT]), changes=[I,U,D]",
            "project-2: Project(count_0 AS n), changes=[I,U,D]",
            "group: GroupAggregate(keys=[], aggregates=[COUNT(a) FILTER (WHERE filter)]), changes=[I,U,D]",
            "project: Project(a, b > 0 AS filter)",
            PLAIN,
        ],
    );
}

#[test]
fn a_group_by_with_one_end_of_a_window_warns() {
    for (given, missing) in [("window_start", "window_end"), ("window_end", "window_start")] {
        let plan = planned(&format!("SELECT {given}, COUNT(*) FROM {TUMBLE} GROUP BY {given}"));
        let [warning] = plan.warnings.as_slice() else { panic!("{:?}", plan.warnings) };
        assert_eq!(warning.code, "sql.unbounded-aggregation");
        assert!(warning.message.contains(&format!("`{missing}`")), "{warning}");
        assert!(plan.nodes.iter().any(|n| n.updating), "it updates");
    }
}

#[test]
fn guests_are_called_with_columns_and_parameters() {
    check(
        "CREATE VIEW q AS SELECT net, CAST(mag AS DOUBLE) AS mag, event_time FROM quakes;
         SELECT net, quakes FROM TABLE(swarm(TABLE q PARTITION BY net, DESCRIPTOR(event_time), base_gap => INTERVAL '1' MINUTE))",
        &[
            "result: Sink(collect, [net STRING, quakes BIGINT])",
            "project-2: Project(net, quakes)",
            "swarm: GuestWindow(swarm 'swarm.wasm', reads=[mag], parameters=[60000], time=[event_time], keys=[net])",
            "project: Project(net, CAST(mag AS DOUBLE) AS mag, event_time)",
            QUAKES,
        ],
    );
    check(
        "CREATE VIEW q AS SELECT net, depth AS mag, event_time FROM quakes;
         SELECT * FROM TABLE(aftershocks(mainshock => TABLE q PARTITION BY net, aftershock => TABLE q PARTITION BY net, \
         ON_TIME => DESCRIPTOR(event_time), LOWER => INTERVAL '1' SECOND, UPPER => INTERVAL '3' DAY, km => 100))",
        &[
            "result: Sink(collect, [mainshock_net STRING, mainshock_mag DOUBLE, mainshock_event_time TIMESTAMP_LTZ(3), \
             aftershock_net STRING, aftershock_mag DOUBLE, aftershock_event_time TIMESTAMP_LTZ(3)])",
            "aftershocks: GuestJoin(aftershocks 'aftershocks.wasm', reads=[mag], reads=[mag], parameters=[100.0], \
             times=[event_time, event_time], keys=[net = net], between 1 s and 3 d)",
            "project: Project(net, depth AS mag, event_time)",
            QUAKES,
            "project (see above)",
        ],
    );
}

/// Each way to write the same bounds.
#[test]
fn inserts_are_cast_and_reordered() {
    check(
        "EXECUTE STATEMENT SET BEGIN INSERT INTO out2 SELECT s, a FROM plain; INSERT INTO out2 (n) SELECT b FROM plain; END",
        &[
            "out2: Sink(print, [k STRING, n BIGINT])",
            "project-2: Project(s AS k, CAST(a AS BIGINT) AS n)",
            "project: Project(s, a)",
            PLAIN,
            "",
            "out2-2: Sink(print, [k STRING, n BIGINT])",
            "project-4: Project(NULL AS k, b AS n)",
            "project-3: Project(b)",
            "plain (see above)",
        ],
    );
}

#[test]
fn what_no_sink_needs_is_left_out() {
    let plan = planned("CREATE VIEW v AS SELECT * FROM quakes; SELECT a FROM plain");
    assert!(plan.nodes.iter().all(|n| n.name != "quakes"));
    for (i, node) in plan.nodes.iter().enumerate() {
        assert!(node.inputs.iter().all(|input| *input < i), "inputs come first");
    }
}

#[test]
fn settings_and_explain_are_kept() {
    let plan = planned(
        "SET 'parallelism.default' = '2'; SET 'my.key' = 'x'; EXPLAIN PLAN FOR SELECT a FROM plain;",
    );
    assert!(plan.explain && plan.warnings.is_empty());
    assert_eq!(plan.settings.get("parallelism.default"), Some("2"));
    assert_eq!(plan.settings.get("my.key"), Some("x"));
    let near = planned("SET 'paralelism.default' = '2'; SELECT a FROM plain");
    assert!(
        !near.explain
            && near.warnings[0].hint.as_deref() == Some("did you mean `parallelism.default`?")
    );
}

#[test]
fn barriers_that_nobody_waits_for_need_a_job_that_does_not_count_once() {
    let script = |guarantee: &str| {
        format!(
            "SET 'highwater.barriers' = 'none';\nSET 'highwater.guarantee' = '{guarantee}';\n\
             SELECT a FROM plain"
        )
    };
    assert!(planned(&script("at-least-once")).warnings.is_empty());
    for guarantee in ["exactly-once", "at-most-once"] {
        let plan = planned(&script(guarantee));
        let [warning] = plan.warnings.as_slice() else { panic!("{:?}", plan.warnings) };
        assert_eq!(warning.code, "sql.barriers");
        assert_eq!(warning.span.map(|span| span.start.column), Some(28));
        assert!(warning.message.contains(guarantee), "{warning}");
    }
}

#[test]
fn tables_without_an_end_are_named_when_they_are_read() {
    let generated = |name: &str, options: &str| {
        format!("CREATE TABLE {name} (a INT) WITH ('connector' = 'datagen'{options});\n")
    };
    let count = "SELECT COUNT(*) FROM g";
    let sequence = ", 'fields.a.kind' = 'sequence', 'fields.a.start' = '1', 'fields.a.end' = '9'";
    for (script, lines) in [
        (generated("g", "") + count, &[1][..]),
        (generated("g", ", 'rows-per-second' = '5'") + count, &[1]),
        (generated("g", ", 'fields.a.kind' = 'random'") + count, &[1]),
        (generated("g", ", 'number-of-rows' = '5'") + count, &[]),
        (generated("g", sequence) + count, &[]),
        (generated("g", "") + "SELECT 1", &[]),
        (generated("g", "") + "EXPLAIN " + count, &[]),
        (
            generated("x", "")
                + &generated("g", "")
                + "CREATE VIEW v AS SELECT g.a FROM g; CREATE VIEW w AS SELECT a FROM x;
                   SELECT v.a FROM (SELECT a FROM v) AS v",
            &[2],
        ),
    ] {
        let found = endless(&script);
        assert!(found.iter().all(|e| e.code == "run.endless" && e.hint.is_some()), "{script}");
        let places: Vec<_> = found.iter().filter_map(|e| Some(e.span?.start.line)).collect();
        assert_eq!(places, lines, "{script}");
    }
}

#[test]
fn options_and_settings_that_are_read_can_be_written() {
    let script = |format: &str, option: &str| {
        format!(
            "SET 'restart-strategy.fixed-delay.delay' = '5 s';
             CREATE TABLE g (a INT) WITH ('connector' = 'filesystem', 'path' = 'in', \
             'format' = '{format}', {option}); SELECT a FROM g"
        )
    };
    for (format, option) in [
        ("json", "'json.timestamp-format.standard' = 'ISO-8601'"),
        ("json", "'json.timestamp-format.standard' = 'SQL'"),
        ("csv", "'csv.header' = 'true'"),
    ] {
        let plan = plan(&script(format, option), &Guests).expect(option);
        assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
        assert_eq!(plan.settings.get("restart-strategy.fixed-delay.delay"), Some("5 s"));
    }
    for (wrong, code) in [
        (script("json", "'json.timestamp-format.standard' = 'RFC'"), "sql.option-value"),
        (script("csv", "'csv.header' = 'yes'"), "sql.option-value"),
        (script("csv", "'csv.header' = 'true'").replace("5 s", "soon"), "sql.setting"),
    ] {
        let errors = plan(&wrong, &Guests).expect_err(&wrong);
        assert_eq!(errors[0].code, code, "{}", errors[0]);
    }
}

#[test]
fn only_files_that_are_read_are_needed() {
    let script = "CREATE TABLE r (a INT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'csv');
        CREATE TABLE w (a INT) WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'csv');
        CREATE TABLE u (a INT) WITH ('connector' = 'filesystem', 'path' = 'unused', 'format' = 'csv');
        CREATE FUNCTION f AS 'f.wasm' LANGUAGE WASM;
        CREATE VIEW v AS SELECT * FROM TABLE(f(x => TABLE r PARTITION BY a));
        INSERT INTO w SELECT w.a FROM (SELECT a FROM v) AS w";
    let found = needs(script).expect("it can be read");
    let found: Vec<_> = found.iter().map(|n| (n.path.as_str(), n.kind)).collect();
    assert_eq!(found, [("in", NeedKind::Data), ("f.wasm", NeedKind::Guest)]);
}

#[test]
fn functions_of_guests_stand_wherever_a_value_does() {
    check(
        "SELECT s, Linear(MAX(b), 2) AS y FROM plain WHERE linear(a, 1.5) > 0 OR linear(1, 1) IS NULL \
         GROUP BY s, linear(b, NULL)",
        &[
            "result: Sink(collect, [s STRING, y BIGINT]), changes=[I,U,D]",
            "project-2: Project(s, linear(max_0, 2.0E0) AS y), changes=[I,U,D]",
            "group: GroupAggregate(keys=[s, key], aggregates=[MAX(b)]), changes=[I,U,D]",
            "project: Project(s, linear(b, NULL) AS key, b)",
            "filter: Filter(linear(CAST(a AS BIGINT), 1.5E0) > 0 OR linear(1, 1.0E0) IS NULL)",
            "plain: Source(inline, [a INT, b BIGINT, s STRING, ts TIMESTAMP(3)])",
        ],
    );
}
