//! Queries as values: what is left after some of the records is what plain loops over them give.

use crate::changelog::{left, sorted};
use crate::stream::{Record, or_null, records, scenario};
use crate::windows::name;

const ABOVE: &str =
    "SELECT k, v FROM t WHERE v >= (SELECT MAX(v) - 1 FROM t WHERE g = 1) AND g = 0;";

const BESIDE: &str = "SELECT k, v - (SELECT AVG(v) FROM t) AS off, (SELECT COUNT(*) FROM t WHERE v > 100) \
    AS none FROM t WHERE k = 'a';";

const SHARES: &str = "SELECT k, SUM(v) * 100 / (1 + (SELECT SUM(v) FROM t)) AS share, COUNT(*) AS n FROM t GROUP BY k \
    HAVING COUNT(*) * 5 > (SELECT COUNT(*) FROM t);";

/// The query inside may be of changes itself, and may ask another.
const NESTED: &str = "CREATE VIEW per_key AS SELECT k, COUNT(*) AS n FROM t GROUP BY k;\n\
    SELECT k, n FROM per_key WHERE n < (SELECT MAX(n) FROM per_key \
    WHERE n < (SELECT MAX(n) FROM per_key));";

const STARRED: &str = "SELECT * FROM (SELECT k, g FROM t) AS q \
    WHERE CASE WHEN g = (SELECT MIN(g) FROM t) THEN k ELSE 'a' END = 'b';";

const AGGREGATED: &str =
    "SELECT COUNT(*) AS n, SUM(v) AS s FROM t WHERE v > (SELECT AVG(v) FROM t);";

const RANKED: &str = "SELECT k, v FROM t WHERE v < (SELECT MAX(v) FROM t) \
    QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC, ts) <= 2;";

/// All of them, for the drivers to agree on.
pub const SCRIPTS: [(&str, &str); 7] = [
    ("rows above a value", ABOVE),
    ("values beside rows", BESIDE),
    ("shares of a value", SHARES),
    ("values of values", NESTED),
    ("values that no star means", STARRED),
    ("aggregates above a value", AGGREGATED),
    ("ranks below a value", RANKED),
];

fn values<'a>(
    records: &'a [Record],
    keep: impl Fn(&Record) -> bool + 'a,
) -> impl Iterator<Item = i64> + 'a {
    records.iter().filter(move |r| keep(r)).filter_map(|r| r.v)
}

fn average(records: &[Record]) -> Option<i64> {
    let all: Vec<i64> = values(records, |_| true).collect();
    all.iter().copied().reduce(|a, b| a + b).map(|sum| sum / all.len() as i64)
}

fn counts(records: &[Record]) -> Vec<(Option<char>, usize)> {
    let keys = [None, Some('a'), Some('b'), Some('c'), Some('d')];
    let count = |k: &Option<char>| records.iter().filter(|r| r.k == *k).count();
    keys.iter().map(|k| (*k, count(k))).filter(|(_, n)| *n > 0).collect()
}

/// Three records, worked out by hand: the last one makes the first no longer the greatest.
#[test]
fn a_value_that_changes_takes_rows_back() {
    let record = |at: i64, k, v| {
        let at = 1_714_521_600_000 + at * 1_000;
        Record { at, partition: 0, k, g: 0, v, ts: at }
    };
    let all =
        [record(1, Some('a'), Some(5)), record(2, Some('b'), Some(2)), record(3, None, Some(9))];
    let script = "SELECT k, v FROM t WHERE v = (SELECT MAX(v) FROM t);";
    assert_eq!(left(&all[..2], script), [r#"{"k":"a","v":5}"#]);
    assert_eq!(left(&all, script), [r#"{"k":null,"v":9}"#]);
    let script = "SELECT v, (SELECT MAX(v) FROM t WHERE g = 1) AS hi FROM t;";
    let expected = [r#"{"v":2,"hi":null}"#, r#"{"v":5,"hi":null}"#, r#"{"v":9,"hi":null}"#];
    assert_eq!(left(&all, script), expected, "no row has no value");
}

#[test]
fn values_are_those_of_all_rows() {
    for count in [5, 60, 240] {
        let all = records(count, 1);
        let row = |r: &Record| format!(r#"{{"k":{},"v":{}}}"#, name(r.k), or_null(r.v));
        let hi = values(&all, |r| r.g == 1).max();
        let above = |r: &&Record| r.g == 0 && r.v.zip(hi).is_some_and(|(v, hi)| v >= hi - 1);
        assert_eq!(left(&all, ABOVE), sorted(all.iter().filter(above).map(row)), "{count}");
        let mean = average(&all);
        let of_a = all.iter().filter(|r| r.k == Some('a'));
        let off = of_a.map(|r| {
            let off = or_null(r.v.zip(mean).map(|(v, mean)| v - mean));
            format!(r#"{{"k":"a","off":{off},"none":null}}"#)
        });
        assert_eq!(left(&all, BESIDE), sorted(off), "{count}");
        let greater = all.iter().filter_map(|r| r.v.filter(|v| mean.is_some_and(|mean| *v > mean)));
        let (n, s) = (greater.clone().count(), or_null(greater.reduce(|a, b| a + b)));
        assert_eq!(left(&all, AGGREGATED), [format!(r#"{{"n":{n},"s":{s}}}"#)], "{count}");
        let least = all.iter().map(|r| r.g).min();
        let starred = all.iter().filter(|r| Some(r.g) == least && r.k == Some('b'));
        let starred = starred.map(|r| format!(r#"{{"k":"b","g":{}}}"#, r.g));
        assert_eq!(left(&all, STARRED), sorted(starred), "{count}");
    }
}

#[test]
fn values_stand_beside_groups() {
    let all = records(240, 1);
    let total: i64 = values(&all, |_| true).sum();
    let some = counts(&all).into_iter().filter(|(_, n)| n * 5 > all.len());
    let lines = some.map(|(k, n)| {
        let sum: i64 = values(&all, |r| r.k == k).sum();
        format!(r#"{{"k":{},"share":{},"n":{n}}}"#, name(k), sum * 100 / (1 + total))
    });
    let lines = sorted(lines);
    assert!((1..5).contains(&lines.len()), "{lines:?}");
    assert_eq!(left(&all, SHARES), lines);
    let mut different: Vec<usize> = counts(&all).into_iter().map(|(_, n)| n).collect();
    different.sort_by_key(|n| std::cmp::Reverse(*n));
    different.dedup();
    let some = counts(&all).into_iter().filter(|(_, n)| *n < different[1]);
    let lines = some.map(|(k, n)| format!(r#"{{"k":{},"n":{n}}}"#, name(k)));
    assert_eq!(left(&all, NESTED), sorted(lines));
}

#[test]
fn drivers_agree_on_values() {
    let all = records(100, 2);
    for (title, script) in SCRIPTS.into_iter().filter(|(_, script)| *script != AGGREGATED) {
        let text = scenario(&all, script);
        crate::drivers::agree(title, &text);
        crate::drivers::survives(title, &text);
    }
}
