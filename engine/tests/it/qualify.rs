//! QUALIFY: the rows, kinds and places are those of the query inside another one.

use crate::changelog::left;
use crate::drivers::{options, tables};
use crate::stream::{Record, or_null, records, scenario};
use crate::windows::name;

/// With QUALIFY, and as a query inside another one.
const PAIRS: [(&str, &str); 9] = [
    (
        "SELECT k, v FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY g ORDER BY v DESC, k) <= 3;",
        "SELECT k, v FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY g ORDER BY v DESC, k) AS n \
         FROM t) WHERE n <= 3;",
    ),
    (
        "SELECT *, ROW_NUMBER() OVER (PARTITION BY g ORDER BY v DESC, k) AS n FROM t \
         WHERE v < 9 QUALIFY n BETWEEN 2 AND 4;",
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY g ORDER BY v DESC, k) AS n \
         FROM t WHERE v < 9) WHERE n BETWEEN 2 AND 4;",
    ),
    (
        "SELECT k, g, v, ts FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY k, g ORDER BY ts DESC) = 1;",
        "SELECT k, g, v, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k, g ORDER BY ts DESC) \
         AS n FROM t) WHERE n = 1;",
    ),
    (
        "SELECT v + g AS w FROM t QUALIFY 4 > ROW_NUMBER() OVER (PARTITION BY k ORDER BY v) \
         AND g = 1 AND w > 2;",
        "SELECT w FROM (SELECT v + g AS w, g, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v) AS n \
         FROM t) WHERE n < 4 AND w > 2 AND g = 1;",
    ),
    (
        "SELECT k, COUNT(*) AS n FROM t GROUP BY k HAVING COUNT(*) > 3 \
         QUALIFY ROW_NUMBER() OVER (ORDER BY COUNT(*) DESC, k) <= 2 AND SUM(v) > 5;",
        "SELECT k, n FROM (SELECT k, COUNT(*) AS n, SUM(v) AS s, ROW_NUMBER() OVER \
         (ORDER BY COUNT(*) DESC, k) AS rn FROM t GROUP BY k HAVING COUNT(*) > 3) \
         WHERE rn <= 2 AND s > 5;",
    ),
    (
        "SELECT window_end, k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
         INTERVAL '10' SECONDS)) GROUP BY window_start, window_end, k QUALIFY ROW_NUMBER() OVER \
         (PARTITION BY window_start, window_end ORDER BY COUNT(*) DESC, k) <= 2;",
        "SELECT window_end, k, n FROM (SELECT window_end, k, COUNT(*) AS n, ROW_NUMBER() OVER \
         (PARTITION BY window_start, window_end ORDER BY COUNT(*) DESC, k) AS rn \
         FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
         GROUP BY window_start, window_end, k) WHERE rn <= 2;",
    ),
    (
        "SELECT k, v FROM t QUALIFY COUNT(*) OVER (PARTITION BY k ORDER BY ts) > 3 OR v > 8;",
        "SELECT k, v FROM (SELECT k, v, COUNT(*) OVER (PARTITION BY k ORDER BY ts) AS n FROM t) \
         WHERE n > 3 OR v > 8;",
    ),
    (
        "SELECT k, SUM(v) OVER w AS s FROM t WHERE v > 1 \
         WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) \
         QUALIFY s > 12 AND MAX(v) OVER w < 9;",
        "SELECT k, s FROM (SELECT k, SUM(v) OVER w AS s, MAX(v) OVER w AS m FROM t WHERE v > 1 \
         WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)) \
         WHERE s > 12 AND m < 9;",
    ),
    (
        "SELECT DISTINCT g, v FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) <= 2;",
        "SELECT DISTINCT g, v FROM (SELECT g, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) \
         AS n FROM t) WHERE n <= 2;",
    ),
];

#[test]
fn the_condition_may_stand_inside_or_outside() {
    let all = records(240, 2);
    for (qualified, nested) in PAIRS {
        let rows = |script: &str| {
            let (tables, late) = tables(&scenario(&all, script), &options(2, 7));
            (tables[0].text(), late)
        };
        assert!(rows(nested).0.lines().count() > 4, "{nested}");
        assert_eq!(rows(qualified), rows(nested), "{qualified}");
    }
}

/// Three records, worked out by hand.
#[test]
fn the_first_rows_are_kept() {
    let record = |at: i64, k, v| {
        let at = 1_714_521_600_000 + at * 1_000;
        Record { at, partition: 0, k, g: 0, v, ts: at }
    };
    let all =
        [record(1, Some('a'), Some(1)), record(2, Some('b'), Some(9)), record(3, None, Some(5))];
    let script = "SELECT k, v FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY v DESC) <= 2;";
    assert_eq!(left(&all, script), [r#"{"k":"b","v":9}"#, r#"{"k":null,"v":5}"#]);
}

#[test]
fn the_first_rows_are_those_of_a_sort() {
    let all = records(240, 1);
    let script = "SELECT k, v FROM t WHERE k IS NOT NULL QUALIFY v IS NOT NULL \
                  AND ROW_NUMBER() OVER (PARTITION BY g ORDER BY v DESC, k DESC, ts) <= 5;";
    let mut expected: Vec<String> = Vec::new();
    for g in [0, 1] {
        let mut rows: Vec<&Record> = all.iter().filter(|r| r.g == g && r.k.is_some()).collect();
        rows.sort_by_key(|r| std::cmp::Reverse((r.v, r.k, std::cmp::Reverse(r.ts))));
        let line = |r: &&Record| format!(r#"{{"k":{},"v":{}}}"#, name(r.k), or_null(r.v));
        expected.extend(rows[..5].iter().map(line));
    }
    expected.sort();
    assert_eq!(left(&all, script), expected);
}

#[test]
fn drivers_agree_on_qualified_rows() {
    let all = records(160, 2);
    for (script, _) in PAIRS {
        let text = scenario(&all, script);
        crate::drivers::agree("qualified", &text);
        crate::drivers::survives("qualified", &text);
    }
}
