//! Ranks and the plans they must become: which rows are kept, in what form, and for how long.

use super::explained;

/// The line of the only rank of a plan.
fn rank(script: &str) -> String {
    let found = explained(script);
    let mut lines = found.lines().map(|l| l.trim_start().trim_start_matches("+- "));
    let of_rank = |l: &&str| l.starts_with("rank: ") || l.starts_with("limit: ");
    let line = lines.find(of_rank).unwrap_or_else(|| panic!("{script}: {found}"));
    line.to_owned()
}

const OVER_PLAIN: &str =
    "SELECT *, ROW_NUMBER() OVER (PARTITION BY s ORDER BY a DESC) AS n FROM plain";

/// The columns of the pattern, and what is handed on.
const HEAD: &str = "rank: Rank(keys=[s], order=[a DESC], ";
const ALL: &str = "columns=[a, b, s, ts], numbered), changes=[I,U,D]";

#[test]
fn the_condition_gives_a_rank_its_end() {
    for (condition, ranks) in [
        ("n <= 3", "1 to 3"),
        ("n < 4", "1 to 3"),
        ("3 >= n", "1 to 3"),
        ("4 > n AND n <= 9", "1 to 3"),
        ("n = 2", "2"),
        ("n BETWEEN 2 AND 5", "2 to 5"),
        ("(n > 1 AND (n <= (5)))", "2 to 5"),
        ("q.n >= 2 AND a > 0 AND q.n < 6", "2 to 5"),
    ] {
        let script = format!("SELECT * FROM ({OVER_PLAIN}) AS q WHERE {condition}");
        assert_eq!(rank(&script), format!("{HEAD}ranks=[{ranks}], {ALL}"), "{condition}");
    }
    // Wherever the condition stands, and under whatever name.
    for script in [
        format!("CREATE VIEW v AS {OVER_PLAIN}; SELECT * FROM v WHERE n <= 3"),
        format!("WITH v AS ({OVER_PLAIN}) SELECT * FROM v AS x (c, d, e, f, g) WHERE g <= 3"),
        format!(
            "SELECT m, a + 1 AS a1 FROM (SELECT n AS m, b, a, ts, s FROM ({OVER_PLAIN}) \
             WHERE MOD(n, 2) = 1) WHERE m <= 3 AND b > 0 AND ts IS NOT NULL AND s = 'x'"
        ),
    ] {
        assert_eq!(rank(&script), format!("{HEAD}ranks=[1 to 3], {ALL}"), "{script}");
    }
}

#[test]
fn conditions_beside_the_number_filter_what_is_left() {
    let script = format!("SELECT a FROM ({OVER_PLAIN}) WHERE b > 0 AND n <= 3 AND n <> 2");
    let found = explained(&script);
    assert!(found.contains("Filter(b > 0 AND n <> 2)"), "{found}");
    let script = format!("SELECT a FROM ({OVER_PLAIN}) WHERE b > 0 AND n <= 3");
    assert_eq!(
        rank(&script),
        format!("{HEAD}ranks=[1 to 3], columns=[a, b]), changes=[I,U,D]"),
        "columns that nobody reads are not kept"
    );
}

#[test]
fn what_is_ranked_by_is_computed_below() {
    assert_eq!(
        rank(
            "SELECT a FROM (SELECT a, ROW_NUMBER() OVER (PARTITION BY MOD(a, 3), UPPER(s) \
             ORDER BY b + 1 NULLS LAST, ts DESC NULLS FIRST) AS n FROM plain) WHERE n <= 3"
        ),
        "rank: Rank(keys=[order, order0], order=[order1 NULLS LAST, ts DESC NULLS FIRST], \
         ranks=[1 to 3], columns=[a]), changes=[I,U,D]"
    );
    assert_eq!(
        rank(
            "SELECT s FROM (SELECT s, COUNT(*) AS c, ROW_NUMBER() OVER (ORDER BY SUM(b) DESC, \
             COUNT(*)) AS n FROM plain GROUP BY s) WHERE n <= 3"
        ),
        "rank: Rank(keys=[], order=[sum_1 DESC, c], ranks=[1 to 3], columns=[s, c]), \
         changes=[I,U,D]",
        "all columns of rows that are taken back are kept"
    );
}

#[test]
fn the_first_and_the_last_by_time_are_deduplication() {
    let quakes = |order: &str, condition: &str| {
        rank(&format!(
            "SELECT id FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY net ORDER BY {order}) AS n \
             FROM quakes) WHERE {condition}"
        ))
    };
    assert_eq!(
        quakes("event_time", "n = 1"),
        "rank: Rank(keys=[net], order=[event_time], ranks=[1], columns=[id], final=[event_time])"
    );
    assert_eq!(
        quakes("event_time DESC", "n <= 1"),
        "rank: Rank(keys=[net], order=[event_time DESC], ranks=[1], columns=[id], ties=[last]), \
         changes=[I,U,D]"
    );
    for (order, condition) in
        [("event_time", "n <= 2"), ("event_time, id", "n = 1"), ("event_ms", "n = 1")]
    {
        let found = quakes(order, condition);
        assert!(found.ends_with("columns=[id]), changes=[I,U,D]"), "{found}");
    }
}

#[test]
fn ranks_of_a_window_are_final() {
    let windows = "TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '6' HOURS))";
    let first = |partition: &str, order: &str, last: u32| {
        rank(&format!(
            "SELECT id FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {partition} \
             ORDER BY {order}) AS n FROM {windows}) WHERE n <= {last}"
        ))
    };
    let ranked = |partition: &str| first(partition, "mag", 2);
    assert_eq!(
        ranked("window_end, net, window_start"),
        "rank: Rank(keys=[window_end, net, window_start], order=[mag], ranks=[1 to 2], \
         columns=[id], final=[window_end])"
    );
    // The last row by time is the one that came last, the first the one that came first.
    for (order, last, emit) in [
        ("event_time DESC", 1, "final=[window_end], ties=[last])"),
        ("event_time", 1, "columns=[id], final=[window_end])"),
        ("event_time DESC", 2, "columns=[id], final=[window_end])"),
        ("event_ms DESC", 1, "columns=[id], final=[window_end])"),
    ] {
        let found = first("window_start, window_end", order, last);
        assert!(found.ends_with(emit), "{found}");
    }
    assert!(ranked("window_end, net").ends_with("columns=[id]), changes=[I,U,D]"));
    assert_eq!(
        rank(&format!(
            "SELECT net FROM (SELECT net, ROW_NUMBER() OVER (PARTITION BY window_start, window_end \
             ORDER BY COUNT(*) DESC) AS n FROM {windows} \
             GROUP BY net, window_start, window_end) WHERE n = 1"
        )),
        "rank: Rank(keys=[window_start, window_end], order=[count_0 DESC], ranks=[1], \
         columns=[net], final=[window_end])"
    );
}

#[test]
fn a_limit_is_a_rank_of_all_rows() {
    let all = "columns=[a, b, s, ts]";
    for (query, wanted) in [
        (
            "ORDER BY b DESC, s LIMIT 3",
            format!("order=[b DESC, s], ranks=[1 to 3], {all}), changes=[I,U,D]"),
        ),
        (
            "ORDER BY 2 LIMIT 3 OFFSET 5",
            format!("order=[b], ranks=[6 to 8], {all}), changes=[I,U,D]"),
        ),
        (
            "ORDER BY plain.a OFFSET 1 ROWS FETCH NEXT ROW ONLY",
            format!("order=[a0], ranks=[2], {all}), changes=[I,U,D]"),
        ),
        // Nothing changes who came first.
        ("LIMIT 4", format!("order=[], ranks=[1 to 4], {all})")),
    ] {
        let script = format!("SELECT * FROM plain {query}");
        assert_eq!(rank(&script), format!("limit: Rank(keys=[], {wanted}"), "{script}");
    }
    let hidden = rank("SELECT s, COUNT(*) AS n FROM plain GROUP BY s ORDER BY MAX(b), n LIMIT 3");
    let wanted = "order=[EXPR$2, n], ranks=[1 to 3], columns=[s, n]), changes=[I,U,D]";
    assert_eq!(hidden, format!("limit: Rank(keys=[], {wanted}"));
}

/// QUALIFY is the condition of the query around: the operators are the same.
#[test]
fn a_qualified_rank_is_that_of_a_query_inside_another() {
    const OVER: &str = "ROW_NUMBER() OVER (PARTITION BY s ORDER BY a DESC)";
    for (qualified, nested) in [
        (
            format!("SELECT a, s FROM plain QUALIFY {OVER} <= 3"),
            format!("SELECT a, s FROM (SELECT a, s, {OVER} AS n FROM plain) WHERE n <= 3"),
        ),
        (
            format!("SELECT *, {OVER} AS n FROM plain WHERE b > 0 QUALIFY n = 2"),
            format!("SELECT * FROM (SELECT *, {OVER} AS n FROM plain WHERE b > 0) WHERE n = 2"),
        ),
        (
            format!("SELECT a + 1 AS x FROM plain QUALIFY x > 5 AND ({OVER}) BETWEEN 2 AND 4"),
            format!(
                "SELECT x FROM (SELECT a + 1 AS x, {OVER} AS n FROM plain) WHERE x > 5 AND n BETWEEN 2 AND 4"
            ),
        ),
        (
            format!("SELECT a, b > 0 AS c FROM plain QUALIFY {OVER} < 4 AND b > 0"),
            format!(
                "SELECT a, c FROM (SELECT a, b > 0 AS c, b > 0 AS d, {OVER} AS n FROM plain) WHERE n < 4 AND d"
            ),
        ),
    ] {
        // The columns that only the condition reads have names of their own.
        let plan = |script: &str| explained(script).replace("`EXPR$2`", "d").replace("EXPR$2", "d");
        assert_eq!(plan(&qualified), plan(&nested), "{qualified}");
    }
}
