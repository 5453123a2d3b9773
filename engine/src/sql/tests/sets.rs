//! Grouping sets and the plans they become.

use super::plans::{PLAIN, QUAKES, check, lines};
use super::{Guests, TABLES};
use crate::sql::plan;

const TUMBLED: &str =
    "FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '6' HOURS))";

#[test]
fn rows_are_expanded_before_they_are_aggregated() {
    check(
        "SELECT s, a, SUM(a) AS n, GROUPING(a) AS g FROM plain GROUP BY ROLLUP (s, a)",
        &[
            "result: Sink(collect, [s STRING, a INT, n INT, g BIGINT]), changes=[I,U,D]",
            "project-2: Project(s, a, sum_0 AS n, `$e` % 2 AS g), changes=[I,U,D]",
            "group: GroupAggregate(keys=[s, a, $e], aggregates=[SUM(a0)]), changes=[I,U,D]",
            "expand: Expand(sets=[(s, a), (s), ()])",
            "project: Project(s, a, a AS a0)",
            PLAIN,
        ],
    );
    check(
        &format!(
            "SELECT net, window_end, COUNT(*) AS n {TUMBLED} \
             GROUP BY window_start, window_end, GROUPING SETS ((net), ())"
        ),
        &[
            "result: Sink(collect, [net STRING, window_end TIMESTAMP(3), n BIGINT])",
            "project-2: Project(net, window_end, count_0 AS n)",
            "window: WindowAggregate(TUMBLE 6 h, time=[event_time], keys=[net, $e], aggregates=[COUNT(*)])",
            "expand: Expand(sets=[(net), ()])",
            "project: Project(net, event_time)",
            QUAKES,
        ],
    );
}

/// The sets that a GROUP BY stands for; its keys are a, b, s.
fn sets_of(group_by: &str) -> String {
    let found = lines(&format!("SELECT COUNT(*) AS n FROM plain GROUP BY {group_by}"));
    let expand = found.iter().find_map(|line| line.strip_prefix("expand: Expand(sets=["));
    expand.map_or_else(String::new, |line| line.trim_end_matches("])").to_owned())
}

#[test]
fn each_form_stands_for_its_sets() {
    for (group_by, sets) in [
        ("GROUPING SETS ((a, b), (a), ())", "(a, b), (a), ()"),
        ("GROUPING SETS (a, b)", "(a), (b)"),
        ("ROLLUP (a, b)", "(a, b), (a), ()"),
        ("ROLLUP (a, (b, s))", "(a, b, s), (a), ()"),
        ("CUBE (a, b)", "(a, b), (a), (b), ()"),
        ("CUBE ((a, b), s)", "(a, b, s), (a, b), (s), ()"),
        // What is in all sets is not written again.
        ("s, ROLLUP (a)", "(a), ()"),
        ("s, (b), GROUPING SETS ((a), ())", "(a), ()"),
        ("GROUPING SETS ((s, a), (s))", "(a), ()"),
        // One by another: every set of the first with every one of the second.
        ("ROLLUP (a), ROLLUP (b)", "(a, b), (a), (b), ()"),
        ("GROUPING SETS (ROLLUP (a, b), s)", "(a, b), (a), (), (s)"),
        ("GROUPING SETS (CUBE (a, (b, s)))", "(a, b, s), (a), (b, s), ()"),
        // One set alone is a plain GROUP BY.
        ("GROUPING SETS ((a, b))", ""),
        ("GROUPING SETS (())", ""),
        ("()", ""),
        ("(a, b)", ""),
    ] {
        assert_eq!(sets_of(group_by), sets, "{group_by}");
    }
}

#[test]
fn a_window_that_some_set_lacks_is_warned_of() {
    let warnings = |group_by: &str| {
        let script = format!("{TABLES}SELECT COUNT(*) AS n {TUMBLED} GROUP BY {group_by}");
        let plan = plan(&script, &Guests).unwrap_or_else(|e| panic!("{group_by}: {e:#?}"));
        plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    for (group_by, missing) in [
        ("ROLLUP (window_start, window_end)", "`window_start and window_end`"),
        ("window_start, GROUPING SETS ((window_end, net), ())", "`window_end`"),
        ("GROUPING SETS ((window_start, window_end, net), (net))", "`window_start and window_end`"),
    ] {
        let found = warnings(group_by);
        let wanted = format!("a set of GROUP BY lacks {missing}");
        assert!(found.contains(&wanted), "{group_by}: {found}");
    }
    for whole in ["window_start, window_end, CUBE (net, mag)", "ROLLUP (net, mag)"] {
        assert_eq!(warnings(whole), "", "{whole}");
    }
}
