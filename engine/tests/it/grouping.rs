//! Grouping sets: every row counts once in each set, by plain loops; a key that is NULL and one that is left out
//! are two.

use std::collections::{BTreeMap, BTreeSet};

use crate::changelog::{applied, left, sorted};
use crate::drivers::{options, tables};
use crate::stream::{Record, or_null, records, scenario, time};
use crate::windows::{Window, bounds, cumulating, hops, name, sessions, timely};

/// The columns of most of the scripts.
const COLUMNS: &str = "SELECT k, g, window_start, window_end, COUNT(*) AS n, SUM(v) AS s, \
    COUNT(DISTINCT k) AS ks, GROUPING(k) AS gk, GROUPING(g) AS gg";

/// An aggregate of a key counts what the key is, not what the set makes of it.
const TUMBLING_CUBE: &str = "FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY window_start, window_end, CUBE (k, g);";

const HOPPING_SETS: &str = "FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, \
    INTERVAL '12' SECONDS)) GROUP BY GROUPING SETS ((window_start, window_end, g), \
    (window_start, k, window_end), (window_start, window_end));";

const CUMULATING_ROLLUP: &str = "FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, \
    INTERVAL '15' SECONDS, INTERVAL '4' SECONDS)) GROUP BY ROLLUP (k, g), window_start, window_end;";

/// What makes the sessions is the same in all sets.
const SESSION_SETS: &str = "FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), \
    INTERVAL '2' SECONDS)) GROUP BY window_start, window_end, GROUPING SETS ((k, g), (k), g, ());";

/// All of one session's rows are of one key: no other way to count them by it.
const SESSION_ROLLUP: &str = "SELECT k, window_start, window_end, COUNT(*) AS n \
    FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECONDS)) \
    GROUP BY window_start, window_end, ROLLUP (k);";

const PLAIN: &str = "SELECT k, g, COUNT(*) AS n, SUM(v) AS s, COUNT(DISTINCT k) AS ks, GROUPING(k) AS gk, \
    GROUPING(g) AS gg FROM t GROUP BY GROUPING SETS (ROLLUP (k, g), g);";

const HAVING: &str = "SELECT k, g, MAX(v) AS hi, GROUPING_ID(g, k) AS id FROM t \
    GROUP BY CUBE (k, g) HAVING GROUPING(k) = 1 OR COUNT(*) > 25;";

/// Rows of `per_key` are taken back from every set.
const OF_CHANGES: &str = "CREATE VIEW per_key AS SELECT k, g, COUNT(*) AS n FROM t GROUP BY k, g;\n\
    SELECT g, n, COUNT(*) AS keys, SUM(n) AS total, MIN(n) AS lo, GROUPING_ID(g, n) AS id \
    FROM per_key GROUP BY GROUPING SETS ((g), (n), ());";

const EXPRESSIONS: &str = "SELECT MOD(v, 3) AS r, g, COUNT(*) AS n, GROUPING(MOD(v, 3), g) AS id \
    FROM t GROUP BY g, ROLLUP ((MOD(v, 3)));";

/// A window that is no key of some set: counted for ever there.
const PARTLY_WINDOWED: &str = "SELECT k, window_start, window_end, COUNT(*) AS n \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY GROUPING SETS ((window_start, window_end), (k));";

const RANKED: &str = "SELECT window_end, k, n FROM (SELECT window_start, window_end, k, COUNT(*) AS n, \
    ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY COUNT(*) DESC, k) AS rn \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY window_start, window_end, ROLLUP (k)) WHERE rn <= 2;";

/// Whether a set has `k` and `g`.
type Set = (bool, bool);
type Groups = BTreeMap<(Window, Set, Option<char>, Option<i64>), Vec<Record>>;

/// The rows of each group of each set.
fn groups(rows: &[(Window, Record)], sets: &[Set]) -> Groups {
    let mut groups = Groups::new();
    for set in sets {
        for (window, r) in rows {
            let key = (*window, *set, r.k.filter(|_| set.0), set.1.then_some(r.g));
            groups.entry(key).or_default().push(*r);
        }
    }
    groups
}

fn sum(rows: &[Record]) -> Option<i64> {
    rows.iter().filter_map(|r| r.v).reduce(|a, b| a + b)
}

/// The rows of [`COLUMNS`]; `windowed`: with the window.
fn lines(groups: &Groups, windowed: bool) -> Vec<String> {
    sorted(groups.iter().map(|((window, set, k, g), rows)| {
        let window = match windowed {
            true => format!(r#""window_start":{},"#, bounds(*window)),
            false => String::new(),
        };
        let ks: BTreeSet<char> = rows.iter().filter_map(|r| r.k).collect();
        format!(
            r#"{{"k":{},"g":{},{window}"n":{},"s":{},"ks":{},"gk":{},"gg":{}}}"#,
            name(*k),
            or_null(*g),
            rows.len(),
            or_null(sum(rows)),
            ks.len(),
            u8::from(!set.0),
            u8::from(!set.1),
        )
    }))
}

/// All of them, for the drivers to agree on.
pub fn scripts() -> Vec<(&'static str, String)> {
    let windowed = [
        ("a cube of windows", TUMBLING_CUBE),
        ("sets of hopping windows", HOPPING_SETS),
        ("a rollup of cumulating windows", CUMULATING_ROLLUP),
        ("sets of sessions", SESSION_SETS),
    ];
    let whole = [
        ("a rollup of sessions", SESSION_ROLLUP),
        ("grouping sets", PLAIN),
        ("sets that are left out", HAVING),
        ("grouping sets of changes", OF_CHANGES),
        ("a rollup of expressions", EXPRESSIONS),
        ("sets partly of windows", PARTLY_WINDOWED),
        ("ranks of a rollup", RANKED),
    ];
    let windowed = windowed.map(|(name, from)| (name, format!("{COLUMNS} {from}")));
    windowed.into_iter().chain(whole.map(|(name, script)| (name, script.to_owned()))).collect()
}

/// The rows of a script over windows, and how many were late.
fn run(records: &[Record], from: &str) -> (Vec<String>, u64) {
    let text = scenario(records, &format!("{COLUMNS} {from}"));
    let (tables, late) = tables(&text, &options(2, 7));
    (sorted(tables[0].jsonl().lines().map(str::to_owned)), late)
}

/// Three records, worked out by hand: a group of NULL, a group of no value, and the totals.
#[test]
fn a_key_that_is_null_is_none_that_is_left_out() {
    let record = |at: i64, k, g, v| {
        let at = 1_714_521_600_000 + at * 1_000;
        Record { at, partition: 0, k, g, v, ts: at }
    };
    let all = [
        record(1, Some('a'), 0, Some(1)),
        record(2, None, 0, Some(2)),
        record(3, Some('a'), 1, None),
    ];
    let script = "SELECT k, g, COUNT(*) AS n, SUM(v) AS s, GROUPING_ID(k, g) AS id FROM t \
                  GROUP BY ROLLUP (k, g);";
    let expected = [
        r#"{"k":"a","g":0,"n":1,"s":1,"id":0}"#,
        r#"{"k":"a","g":1,"n":1,"s":null,"id":0}"#,
        r#"{"k":"a","g":null,"n":2,"s":1,"id":1}"#,
        r#"{"k":null,"g":0,"n":1,"s":2,"id":0}"#,
        r#"{"k":null,"g":null,"n":1,"s":2,"id":1}"#,
        r#"{"k":null,"g":null,"n":3,"s":3,"id":3}"#,
    ];
    assert_eq!(left(&all, script), expected);
    let script = "SELECT k, window_end, COUNT(*) AS n, SUM(v) AS s, GROUPING(k) AS id \
        FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
        GROUP BY window_start, window_end, GROUPING SETS ((k), ());";
    let expected = [
        r#"{"k":"a","window_end":"2024-05-01 00:00:10.000","n":2,"s":1,"id":0}"#,
        r#"{"k":null,"window_end":"2024-05-01 00:00:10.000","n":1,"s":2,"id":0}"#,
        r#"{"k":null,"window_end":"2024-05-01 00:00:10.000","n":3,"s":3,"id":1}"#,
    ];
    assert_eq!(left(&all, script), expected);
    let script = "SELECT k, g, COUNT(*) AS n FROM t GROUP BY k, GROUPING SETS ((g));";
    let expected =
        [r#"{"k":"a","g":0,"n":1}"#, r#"{"k":"a","g":1,"n":1}"#, r#"{"k":null,"g":0,"n":1}"#];
    assert_eq!(left(&all, script), expected, "one set is no more than its keys");
    let script = "SELECT COUNT(*) AS n, GROUPING(g) AS id, g FROM t GROUP BY g, ();";
    assert_eq!(left(&all, script), [r#"{"n":1,"id":0,"g":1}"#, r#"{"n":2,"id":0,"g":0}"#]);
}

#[test]
fn windows_are_aggregated_by_each_set() {
    let all = records(240, 1);
    let tens = |ts: i64| {
        let start = ts.div_euclid(10_000) * 10_000;
        vec![(start, start + 10_000)]
    };
    let cube = [(true, true), (true, false), (false, true), (false, false)];
    let (kept, late) = timely(&all, tens);
    assert!(late > 3, "the stream must have late records to tell anything");
    // A row that is late is late in each set.
    assert_eq!(run(&all, TUMBLING_CUBE), (lines(&groups(&kept, &cube), true), late * 4));
    let sets = [(false, true), (true, false), (false, false)];
    let (kept, _) = timely(&all, hops);
    assert_eq!(run(&all, HOPPING_SETS).0, lines(&groups(&kept, &sets), true));
    let rollup = [(true, true), (true, false), (false, false)];
    let (kept, _) = timely(&all, cumulating);
    assert_eq!(run(&all, CUMULATING_ROLLUP).0, lines(&groups(&kept, &rollup), true));
}

#[test]
fn sessions_are_those_of_their_key_in_each_set() {
    let all = records(240, 1);
    let (found, late) = sessions(&all, 2_000, |r| r.k);
    let rows: Vec<(Window, Record)> =
        found.iter().flat_map(|s| s.rows.iter().map(|r| (s.window, *r))).collect();
    let sets = [(true, true), (true, false), (false, true), (false, false)];
    assert_eq!(run(&all, SESSION_SETS), (lines(&groups(&rows, &sets), true), late));
    let groups = groups(&rows, &[(true, false), (false, false)]);
    let lines = groups.iter().map(|((window, _, k, _), rows)| {
        let (k, n) = (name(*k), rows.len());
        format!(r#"{{"k":{k},"window_start":{},"n":{n}}}"#, bounds(*window))
    });
    assert_eq!(left(&all, SESSION_ROLLUP), sorted(lines));
}

/// Rows in no window.
fn bare(records: &[Record]) -> Vec<(Window, Record)> {
    records.iter().map(|r| ((0, 0), *r)).collect()
}

#[test]
fn each_set_of_a_changelog_has_all_rows() {
    let all = records(240, 1);
    let sets = [(true, true), (true, false), (false, false), (false, true)];
    let whole = groups(&bare(&all), &sets);
    assert_eq!(left(&all, PLAIN), lines(&whole, false));
    let kept = whole.iter().filter(|((_, set, ..), rows)| !set.0 || rows.len() > 25);
    let lines = kept.map(|((_, set, k, g), rows)| {
        let hi = or_null(rows.iter().filter_map(|r| r.v).max());
        let id = 2 * u8::from(!set.1) + u8::from(!set.0);
        format!(r#"{{"k":{},"g":{},"hi":{hi},"id":{id}}}"#, name(*k), or_null(*g))
    });
    let lines = sorted(lines);
    assert!((6..whole.len()).contains(&lines.len()), "{lines:#?}");
    assert_eq!(left(&all, HAVING), lines);
    let rest = |r: &Record| r.v.map(|v| v % 3);
    let mut groups: BTreeMap<(i64, u8, Option<i64>), usize> = BTreeMap::new();
    for r in &all {
        *groups.entry((r.g, 0, rest(r))).or_default() += 1;
        *groups.entry((r.g, 2, None)).or_default() += 1;
    }
    let lines = groups.iter().map(|((g, id, rest), n)| {
        format!(r#"{{"r":{},"g":{g},"n":{n},"id":{id}}}"#, or_null(*rest))
    });
    assert_eq!(left(&all, EXPRESSIONS), sorted(lines));
}

#[test]
fn rows_are_taken_back_from_every_set() {
    let all = records(240, 1);
    let per_key = groups(&bare(&all), &[(true, true)]);
    let counts = || per_key.iter().map(|((.., g), rows)| (*g, rows.len()));
    let mut groups: BTreeMap<(u8, Option<i64>, Option<usize>), Vec<usize>> = BTreeMap::new();
    for (g, n) in counts() {
        for key in [(1, g, None), (2, None, Some(n)), (3, None, None)] {
            groups.entry(key).or_default().push(n);
        }
    }
    let lines = groups.iter().map(|((id, g, n), counts)| {
        let (keys, total) = (counts.len(), counts.iter().sum::<usize>());
        let (g, n, lo) = (or_null(*g), or_null(*n), or_null(counts.iter().min()));
        format!(r#"{{"g":{g},"n":{n},"keys":{keys},"total":{total},"lo":{lo},"id":{id}}}"#)
    });
    assert_eq!(left(&all, OF_CHANGES), sorted(lines));
}

/// Where a set lacks the window, nothing closes: late rows count, too.
#[test]
fn a_set_without_the_window_counts_for_ever() {
    let all = records(240, 1);
    let mut groups: BTreeMap<(Option<i64>, Option<char>), usize> = BTreeMap::new();
    for r in &all {
        *groups.entry((Some(r.ts.div_euclid(10_000) * 10_000), None)).or_default() += 1;
        *groups.entry((None, r.k)).or_default() += 1;
    }
    let lines = groups.iter().map(|((start, k), n)| {
        let bound = |by: i64| or_null(start.map(|start| format!("\"{}\"", time(start + by))));
        let (start, end) = (bound(0), bound(10_000));
        format!(r#"{{"k":{},"window_start":{start},"window_end":{end},"n":{n}}}"#, name(*k))
    });
    assert_eq!(left(&all, PARTLY_WINDOWED), sorted(lines));
}

/// Every changelog can be applied, whatever the batches and subtasks.
#[test]
fn no_set_takes_back_a_row_that_is_not_there() {
    let records = records(240, 2);
    for (name, script) in scripts() {
        let text = scenario(&records, &script);
        let expected = applied(&tables(&text, &options(1, 1024)).0[0]);
        assert!(!expected.is_empty(), "{name}");
        assert_eq!(applied(&tables(&text, &options(4, 1)).0[0]), expected, "{name}");
    }
}
