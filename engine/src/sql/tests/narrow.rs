//! Joins get the columns that are read and no others: the plans that this leaves.

use super::plans::lines;

/// What stands below the sink, without the sources.
fn below(script: &str) -> Vec<String> {
    let mut found = lines(script);
    found.remove(0);
    found.retain(|line| !line.contains("Source(") && !line.contains("(see above)"));
    found
}

fn check(script: &str, wanted: &[&str]) {
    assert_eq!(below(script), wanted, "{script}");
}

#[test]
fn a_join_gets_the_columns_that_are_read() {
    // Of the result, of a condition of its own, of one behind it, and its keys.
    check(
        "SELECT y.s FROM plain x LEFT JOIN plain y ON x.a = y.a AND x.b < y.b WHERE y.ts IS NULL",
        &[
            "project-2: Project(s0 AS s), changes=[I,U,D]",
            "filter: Filter(ts0 IS NULL), changes=[I,U,D]",
            "join: RegularJoin(left, keys=[a = a], condition=[b < b0]), changes=[I,U,D]",
            "project: Project(a, b)",
        ],
    );
    check(
        "SELECT x.s FROM plain x JOIN plain y ON x.a = y.a AND x.b + y.b > 3",
        &[
            "project-3: Project(s)",
            "filter: Filter(b + b0 > 3)",
            "join: RegularJoin(inner, keys=[a = a])",
            "project: Project(a, b, s)",
            "project-2: Project(a, b)",
        ],
    );
    // A row that only counts has a column, too.
    check(
        "SELECT x.s FROM plain x CROSS JOIN plain y",
        &[
            "project-3: Project(s)",
            "join: RegularJoin(inner, keys=[ = ])",
            "project: Project(s)",
            "project-2: Project(a)",
        ],
    );
}

#[test]
fn a_join_whose_rows_are_read_whole_gets_them_whole() {
    check(
        "SELECT * FROM plain x JOIN plain y ON x.a = y.a",
        &[
            "project: Project(a, b, s, ts, a0, b0, s0, ts0)",
            "join: RegularJoin(inner, keys=[a = a])",
        ],
    );
    // Of the other table of EXISTS nobody gets more than whether there is a row.
    check(
        "SELECT * FROM plain x WHERE NOT EXISTS (SELECT * FROM plain y WHERE y.a = x.a AND y.b < x.b)",
        &[
            "join: RegularJoin(anti, keys=[a = a], condition=[b < b]), changes=[I,U,D]",
            "project: Project(a, b)",
        ],
    );
    check(
        "SELECT s FROM plain x WHERE ts IN (SELECT ts FROM plain y WHERE y.a > 3)",
        &[
            "project-3: Project(s)",
            "join: RegularJoin(semi, keys=[ts = ts])",
            "project-2: Project(s, ts)",
            "project: Project(ts)",
            "filter: Filter(a > 3)",
        ],
    );
}

#[test]
fn what_an_aggregation_reads_of_a_join_it_gets() {
    check(
        "SELECT x.s, MAX(y.ts) AS t, COUNT(*) FILTER (WHERE y.b > 1) AS n \
         FROM plain x JOIN plain y ON x.a = y.a GROUP BY x.s",
        &[
            "project-4: Project(s, max_0 AS t, count_1 AS n), changes=[I,U,D]",
            "group: GroupAggregate(keys=[s], aggregates=[MAX(ts), COUNT(*) FILTER (WHERE filter)]), changes=[I,U,D]",
            "project-3: Project(s, ts0 AS ts, b0 > 1 AS filter)",
            "join: RegularJoin(inner, keys=[a = a])",
            "project: Project(a, s)",
            "project-2: Project(a, b, ts)",
        ],
    );
    check(
        "SELECT x.s, MAX(y.b) AS b FROM plain x JOIN plain y ON x.a = y.a GROUP BY x.s",
        &[
            "project-3: Project(s, max_0 AS b), changes=[I,U,D]",
            "group: GroupAggregate(keys=[s], aggregates=[MAX(b0)]), changes=[I,U,D]",
            "join: RegularJoin(inner, keys=[a = a])",
            "project: Project(a, s)",
            "project-2: Project(a, b)",
        ],
    );
    check(
        "CREATE VIEW j AS SELECT x.*, y.b AS other FROM quakes x JOIN plain \
           FOR SYSTEM_TIME AS OF PROCTIME() AS y ON x.id = y.s; \
         SELECT net, SUM(other) AS o FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(event_time), INTERVAL '1' HOUR)) \
         GROUP BY net, window_start, window_end",
        &[
            "project-4: Project(net, sum_0 AS o)",
            "window: WindowAggregate(TUMBLE 1 h, time=[event_time], keys=[net], aggregates=[SUM(other)])",
            "project-3: Project(net, event_time, b AS other)",
            "join: LookupJoin(inner, keys=[id = s])",
            "project: Project(id, net, event_time)",
            "project-2: Project(b, s)",
        ],
    );
}

/// The last join first: what it does not need the one before it does not hand on, nor get.
#[test]
fn joins_of_joins_and_views_get_what_is_read() {
    check(
        "SELECT z.s FROM plain x JOIN plain y ON x.a = y.a JOIN plain z ON z.b = y.b",
        &[
            "project-5: Project(s1 AS s)",
            "join-2: RegularJoin(inner, keys=[b0 = b])",
            "project-3: Project(b0)",
            "join: RegularJoin(inner, keys=[a = a])",
            "project: Project(a)",
            "project-2: Project(a, b)",
            "project-4: Project(b, s)",
        ],
    );
    // A view, and keys that are computed: what they would add to a row.
    check(
        "CREATE VIEW v AS SELECT x.*, y.b AS other, x.a * y.a AS product FROM plain x JOIN plain y \
           ON LOWER(x.s) = UPPER(y.s); \
         SELECT other FROM v WHERE ts IS NOT NULL",
        &[
            "project-5: Project(other)",
            "filter: Filter(ts IS NOT NULL)",
            "project-4: Project(ts, b0 AS other)",
            "project-3: Project(ts, b0)",
            "join: RegularJoin(inner, keys=[key_0 = key_0])",
            "project: Project(ts, LOWER(s) AS key_0)",
            "project-2: Project(b, UPPER(s) AS key_0)",
        ],
    );
}

#[test]
fn every_kind_of_join_gets_what_is_read() {
    let within = "a.event_time BETWEEN b.event_time AND b.event_time + INTERVAL '1' HOUR";
    check(
        &format!("SELECT b.mag FROM quakes a JOIN quakes b ON a.net = b.net AND {within}"),
        &[
            "project-3: Project(mag0 AS mag)",
            "join: IntervalJoin(times=[event_time, event_time], keys=[net = net], between -1 h and 0 ms)",
            "project: Project(net, event_time)",
            "project-2: Project(net, mag, event_time)",
        ],
    );
    check(
        &format!(
            "SELECT b.mag FROM quakes a LEFT JOIN quakes b ON a.net = b.net AND {within} AND a.id <> b.id"
        ),
        &[
            "project-3: Project(mag0 AS mag)",
            "join: IntervalJoin(left, times=[event_time, event_time], keys=[net = net], between -1 h and 0 ms, \
             condition=[id <> id0])",
            "project: Project(id, net, event_time)",
            "project-2: Project(id, net, mag, event_time)",
        ],
    );
    let windows = "CREATE VIEW w AS SELECT * FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '1' HOUR));";
    check(
        &format!(
            "{windows} SELECT b.mag FROM w a JOIN w b ON a.net = b.net AND a.window_start = b.window_start \
             AND a.window_end = b.window_end"
        ),
        &[
            "project-3: Project(mag0 AS mag)",
            "join: WindowJoin(inner, keys=[net, window_start, window_end = net, window_start, window_end])",
            "project: Project(net, window_start, window_end)",
            "assign: AssignWindow(TUMBLE 1 h, time=[event_time])",
            "project-2: Project(net, mag, window_start, window_end)",
        ],
    );
    let versions = "CREATE TABLE v (k STRING, s STRING, x INT, ts TIMESTAMP_LTZ(3), PRIMARY KEY (k) NOT ENFORCED, \
        WATERMARK FOR ts AS ts);";
    check(
        &format!(
            "{versions} SELECT v.s FROM quakes a JOIN v FOR SYSTEM_TIME AS OF a.event_time ON a.net = v.k"
        ),
        &[
            "project-3: Project(s)",
            "join: TemporalJoin(inner, times=[event_time, ts], keys=[net = k])",
            "project: Project(net, event_time)",
            "project-2: Project(k, s, ts)",
        ],
    );
}

/// Each query leaves out what it does not read itself.
#[test]
fn a_table_that_is_read_twice_is_narrowed_where_it_is_read() {
    check(
        "CREATE TABLE one (s STRING) WITH ('connector' = 'blackhole'); \
         CREATE TABLE two (b BIGINT) WITH ('connector' = 'blackhole'); \
         INSERT INTO one SELECT x.s FROM plain x JOIN plain y ON x.a = y.a; \
         INSERT INTO two SELECT y.b FROM plain x JOIN plain y ON x.b = y.b;",
        &[
            "project-3: Project(s)",
            "join: RegularJoin(inner, keys=[a = a])",
            "project: Project(a, s)",
            "project-2: Project(a)",
            "",
            "two: Sink(blackhole, [b BIGINT])",
            "project-6: Project(b0 AS b)",
            "join-2: RegularJoin(inner, keys=[b = b])",
            "project-4: Project(b)",
            "project-5: Project(b)",
        ],
    );
}
