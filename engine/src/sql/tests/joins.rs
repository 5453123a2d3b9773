//! Joins and the plans they become.

use super::plans::{PLAIN, QUAKES, check, lines, planned};

#[test]
fn bounds_on_time_make_an_interval_join() {
    for condition in [
        "a.event_time BETWEEN b.event_time - INTERVAL '2' HOUR AND b.event_time + INTERVAL '10' SECOND",
        "b.event_time BETWEEN a.event_time - INTERVAL '10' SECOND AND a.event_time + INTERVAL '2' HOUR",
        "a.event_time >= b.event_time - INTERVAL '2' HOUR AND a.event_time <= b.event_time + INTERVAL '10' SECOND",
        "b.event_time - INTERVAL '2' HOUR <= a.event_time AND b.event_time + INTERVAL '10' SECOND >= a.event_time",
        "a.event_time + INTERVAL '2' HOUR >= b.event_time AND (a.event_time - INTERVAL '10' SECOND <= b.event_time)",
        "a.event_time < b.event_time + INTERVAL '10.001' SECOND AND b.event_time - INTERVAL '1:59:59.999' HOUR TO SECOND - INTERVAL '0.002' SECOND < a.event_time",
        "a.event_time + INTERVAL '1' HOUR >= b.event_time - INTERVAL '1' HOUR AND a.event_time <= INTERVAL '10' SECOND + b.event_time \
         AND a.event_time <= b.event_time + INTERVAL '1' DAY",
    ] {
        for script in [
            format!(
                "SELECT a.id, b.mag FROM quakes a JOIN quakes AS b ON a.net = b.net AND {condition}"
            ),
            format!(
                "SELECT a.id, b.mag FROM quakes a INNER JOIN quakes b ON {condition} AND b.net = a.net"
            ),
            format!(
                "SELECT a.id, b.mag FROM quakes a JOIN quakes b ON b.net = a.net WHERE {condition}"
            ),
            format!(
                "SELECT a.id, b.mag FROM quakes a, quakes b WHERE a.net = b.net AND {condition}"
            ),
        ] {
            check(
                &script,
                &[
                    "result: Sink(collect, [id STRING, mag DECIMAL(4, 2)])",
                    "project-3: Project(id, mag0 AS mag)",
                    "join: IntervalJoin(times=[event_time, event_time], keys=[net = net], between -10 s and 2 h)",
                    "project: Project(id, net, event_time)",
                    QUAKES,
                    "project-2: Project(net, mag, event_time)",
                    "quakes (see above)",
                ],
            );
        }
    }
}

#[test]
fn what_is_no_bound_and_no_key_filters() {
    check(
        "SELECT a.id FROM quakes a JOIN quakes b ON a.net = b.net AND a.mag < b.mag AND b.depth > 10 \
         AND a.event_time = b.event_time WHERE a.depth + b.depth < 5 AND a.id <> 'x'",
        &[
            "result: Sink(collect, [id STRING])",
            "project-3: Project(id)",
            "filter-4: Filter(depth + depth0 < 5.0E0)",
            "filter-3: Filter(mag < mag0)",
            "join: IntervalJoin(times=[event_time, event_time], keys=[net = net], between 0 ms and 0 ms)",
            "project: Project(id, net, mag, depth, event_time)",
            "filter-2: Filter(id <> 'x')",
            QUAKES,
            "project-2: Project(net, mag, depth, event_time)",
            "filter: Filter(depth > 10.0E0)",
            "quakes (see above)",
        ],
    );
}

#[test]
fn without_bounds_on_time_a_join_is_a_regular_one() {
    let both = "[a INT, s STRING]";
    for (script, join, right) in [
        ("plain x JOIN plain y ON x.a = y.a", "RegularJoin(inner, keys=[a = a])", "a, s"),
        ("plain x, plain y WHERE x.a = y.a", "RegularJoin(inner, keys=[a = a])", "a, s"),
        ("plain x CROSS JOIN plain y", "RegularJoin(inner, keys=[ = ])", "s"),
    ] {
        check(
            &format!("SELECT x.a, y.s FROM {script}"),
            &[
                &format!("result: Sink(collect, {both})"),
                "project-3: Project(a, s0 AS s)",
                &format!("join: {join}"),
                "project: Project(a)",
                PLAIN,
                &format!("project-2: Project({right})"),
                "plain (see above)",
            ],
        );
    }
    let times =
        "SELECT x.id FROM quakes x JOIN quakes y ON x.net = y.net AND x.event_time >= y.event_time";
    let plan = planned(times);
    assert_eq!(plan.warnings.len(), 1, "{:#?}", plan.warnings);
    assert_eq!(plan.warnings[0].code, "sql.unbounded-join");
    assert!(
        planned("SELECT x.id FROM quakes x JOIN quakes y ON x.net = y.net").warnings.is_empty()
    );
}

/// What ON says of the side whose rows are all kept is asked of pairs; what it says of the other may be
/// asked before.
#[test]
fn an_outer_join_keeps_its_condition() {
    for (kind, name, left, right) in
        [("LEFT", "left", "", "7"), ("RIGHT OUTER", "right", "3", ""), ("FULL", "full", "", "")]
    {
        let asked = match name {
            "left" => "a < a0 AND a > 3",
            "right" => "a < a0 AND a0 < 7",
            _ => "a < a0 AND a > 3 AND a0 < 7",
        };
        let found = lines(&format!(
            "SELECT x.s, y.b FROM plain x {kind} JOIN plain y \
             ON x.a < y.a AND x.a > 3 AND y.a < 7 AND x.b = y.b WHERE x.s IS NULL"
        ));
        assert_eq!(
            found[3],
            format!(
                "join: RegularJoin({name}, keys=[b = b], condition=[{asked}]), changes=[I,U,D]"
            )
        );
        assert_eq!(
            found[2],
            "filter-2: Filter(s IS NULL), changes=[I,U,D]"
                .replace("filter-2", if name == "full" { "filter" } else { "filter-2" })
        );
        let filters: Vec<&String> = found.iter().filter(|l| l.starts_with("filter: ")).collect();
        assert!(left.is_empty() || filters[0].contains("a > 3"), "{found:#?}");
        assert!(right.is_empty() || filters[0].contains("a < 7"), "{found:#?}");
    }
}

#[test]
fn keys_of_a_regular_join_may_be_computed() {
    check(
        "SELECT x.a, y.b FROM plain x LEFT JOIN plain y ON LOWER(x.s) = UPPER(y.s) AND x.b < y.b",
        &[
            "result: Sink(collect, [a INT, b BIGINT]), changes=[I,U,D]",
            "project-4: Project(a, b0 AS b), changes=[I,U,D]",
            "project-3: Project(a, b0), changes=[I,U,D]",
            "join: RegularJoin(left, keys=[key_0 = key_0], condition=[b < b0]), changes=[I,U,D]",
            "project: Project(a, b, LOWER(s) AS key_0)",
            PLAIN,
            "project-2: Project(b, UPPER(s) AS key_0)",
            "plain (see above)",
        ],
    );
}

#[test]
fn keys_of_a_join_may_be_computed() {
    check(
        "CREATE VIEW v AS SELECT UPPER(net) AS code, CAST(event_ms AS INT) AS ms, event_time FROM quakes;
         SELECT q.id, v.event_time FROM quakes q JOIN v ON LOWER(v.code) = q.net AND v.ms = q.event_ms \
         AND q.event_time BETWEEN v.event_time AND v.event_time + INTERVAL '1' MINUTE",
        &[
            "result: Sink(collect, [id STRING, event_time TIMESTAMP_LTZ(3) *ROWTIME*])",
            "project-4: Project(id, event_time0 AS event_time)",
            "join: IntervalJoin(times=[event_time, event_time], keys=[net, event_ms = key_0, key_1], between -1 min and 0 ms)",
            "project-3: Project(id, net, event_ms, event_time)",
            QUAKES,
            "project-2: Project(event_time, LOWER(code) AS key_0, CAST(ms AS BIGINT) AS key_1)",
            "project: Project(UPPER(net) AS code, CAST(event_ms AS INT) AS ms, event_time)",
            "quakes (see above)",
        ],
    );
}

/// Only the times that the join is about stay time attributes: they bound how far its rows lie behind.
#[test]
fn joined_rows_keep_the_time_attributes_of_the_join() {
    let joined = "CREATE VIEW j AS SELECT a.net, a.event_time AS one, b.event_time AS other FROM quakes a \
         JOIN quakes b ON a.net = b.net AND a.event_time BETWEEN b.event_time AND b.event_time + INTERVAL '1' HOUR;";
    for (time, rest) in [("one", ""), ("other", "")] {
        let found = lines(&format!(
            "{joined} SELECT COUNT(*) AS n FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR({time}), INTERVAL '1' DAY)){rest} \
             GROUP BY window_start, window_end"
        ));
        assert!(found[2].contains(&format!("time=[{time}]")), "{found:#?}");
    }
    let found = lines(&format!(
        "{joined} SELECT * FROM j JOIN quakes AS c ON j.net = c.net AND c.event_time = j.other"
    ));
    let times = "one TIMESTAMP_LTZ(3), other TIMESTAMP_LTZ(3) *ROWTIME*";
    assert!(found[0].contains(times), "{}", found[0]);
    assert!(found[0].contains("event_time TIMESTAMP_LTZ(3) *ROWTIME*"), "{}", found[0]);
}

/// Both ends of the windows among the keys: the rows of a window meet when it closes.
#[test]
fn windows_are_joined_by_both_their_ends() {
    let counts = "CREATE VIEW c AS SELECT net, window_start, window_end, window_time, COUNT(*) AS n \
        FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '6' HOURS)) \
        GROUP BY net, window_start, window_end, window_time;";
    for (kind, name) in [("", "inner"), ("LEFT", "left"), ("FULL", "full")] {
        let found = lines(&format!(
            "{counts} SELECT a.net, b.n FROM c a {kind} JOIN c b ON a.net = b.net \
             AND a.window_start = b.window_start AND b.window_end = a.window_end"
        ));
        assert_eq!(
            found[2],
            format!(
                "join: WindowJoin({name}, keys=[net, window_start, window_end = net, window_start, window_end])"
            )
        );
    }
    let one_end = format!(
        "{counts} SELECT a.net FROM c a JOIN c b ON a.net = b.net AND a.window_end = b.window_end"
    );
    assert!(lines(&one_end)[2].starts_with("join: RegularJoin(inner"));
    let semi = format!(
        "{counts} SELECT * FROM c a WHERE a.n IN (SELECT n FROM c b \
         WHERE a.window_start = b.window_start AND a.window_end = b.window_end AND b.net > a.net)"
    );
    let found = lines(&semi);
    assert!(found[1].starts_with("join: WindowJoin(semi"), "{found:#?}");
    assert!(found[0].contains("window_time TIMESTAMP_LTZ(3) *ROWTIME*"), "{found:#?}");
}

#[test]
fn a_version_is_asked_for_at_the_time_of_the_left() {
    let table = "CREATE TABLE v (k STRING, s STRING, ts TIMESTAMP_LTZ(3), PRIMARY KEY (k) NOT ENFORCED, \
                 WATERMARK FOR ts AS ts);";
    let found = lines(&format!(
        "{table} SELECT a.id, v.s, a.event_time FROM quakes a \
         LEFT JOIN v FOR SYSTEM_TIME AS OF a.event_time AS v ON UPPER(a.net) = v.k AND v.s <> a.id \
         WHERE a.depth > 3"
    ));
    assert!(found[0].contains("event_time TIMESTAMP_LTZ(3) *ROWTIME*"), "{found:#?}");
    assert_eq!(
        found[4],
        "join: TemporalJoin(left, times=[event_time, ts], keys=[key_0 = k], condition=[s <> id])"
    );
    let found = lines(&format!(
        "{table} SELECT a.id FROM quakes a JOIN v FOR SYSTEM_TIME AS OF a.event_time ON a.net = v.k \
         WHERE a.depth > 3 AND v.s = 'x'"
    ));
    // The version is chosen before it is looked at.
    assert!(found[2].starts_with("filter-2: Filter(s = 'x')"), "{found:#?}");
    assert!(found[3].starts_with("join: TemporalJoin(inner"), "{found:#?}");
    assert_eq!(
        found[4..6],
        ["project: Project(id, net, event_time)", "filter: Filter(depth > 3.0E0)"]
    );
}

#[test]
fn an_outer_join_within_bounds_keeps_the_time_of_the_kept_side() {
    let found = lines(
        "SELECT a.id, b.mag, a.event_time, b.event_time AS other FROM quakes a LEFT JOIN quakes b \
         ON a.net = b.net AND a.mag < b.mag AND b.depth > 3 \
         AND a.event_time BETWEEN b.event_time AND b.event_time + INTERVAL '1' HOUR",
    );
    assert_eq!(
        found[2],
        "join: IntervalJoin(left, times=[event_time, event_time], keys=[net = net], between -1 h and 0 ms, \
         condition=[mag < mag0])"
    );
    assert!(found[0].contains("event_time TIMESTAMP_LTZ(3) *ROWTIME*"), "{found:#?}");
    assert!(found[0].contains("other TIMESTAMP_LTZ(3)]"), "{found:#?}");
}
