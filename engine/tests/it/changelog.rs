//! Changelogs: what becomes of rows that are taken back, through every operator that takes them. Applied row
//! by row, a changelog gives the result of the query over all records at once, by plain loops.

use std::collections::{BTreeMap, BTreeSet};

use highwater_engine::batch::RowKind;
use highwater_engine::session::Rows;

use crate::drivers::{options, tables};
use crate::joins;
use crate::stream::{Record, or_null, records, scenario};

/// Greatest and least must remember what they have seen: rows of `per_key` change all the time.
const CHANGES_OF_CHANGES: &str = "CREATE VIEW per_key AS SELECT k, g, COUNT(*) AS n, SUM(v) AS s, \
    MAX(v) AS hi FROM t GROUP BY k, g;\n\
    SELECT g, COUNT(*) AS parts, SUM(n) AS n, MIN(n) AS lo, MAX(n) AS hi, AVG(s) AS mean, \
    COUNT(DISTINCT hi) AS his, MAX(k) AS last, SUM(s) FILTER (WHERE n > 3) AS big \
    FROM per_key GROUP BY g;";

/// How many keys have been seen how often: groups come and go.
const HISTOGRAM: &str = "CREATE VIEW per_key AS SELECT v, COUNT(*) AS n FROM t GROUP BY v;\n\
    SELECT n, COUNT(*) AS vs, SUM(v) AS s, MIN(v) AS lo FROM per_key GROUP BY n;";

const OF_NO_KEY: &str = "CREATE VIEW per_key AS SELECT v, COUNT(*) AS n FROM t GROUP BY v;\n\
    SELECT MAX(n) AS hi, MIN(v) AS lo, COUNT(DISTINCT n) AS ns FROM per_key;";

const FILTERED: &str = "CREATE VIEW per_key AS SELECT v, COUNT(*) AS n FROM t GROUP BY v;\n\
    SELECT n, COUNT(*) AS vs FROM per_key WHERE MOD(n, 3) = 1 GROUP BY n HAVING COUNT(*) < 3;";

const DISTINCT: &str = "SELECT DISTINCT k, v FROM t;";

const DISTINCT_OF_CHANGES: &str = "CREATE VIEW per_key AS SELECT k, g, COUNT(*) AS n FROM t GROUP BY k, g;\n\
    SELECT DISTINCT n, g FROM per_key;";

const DISTINCT_WINDOWS: &str = "SELECT DISTINCT g, window_end, window_start \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS));";

const COUNT_DISTINCT: &str = "SELECT g, COUNT(DISTINCT v) AS vs, COUNT(DISTINCT k) AS ks, \
    SUM(DISTINCT v) AS s, COUNT(DISTINCT v) FILTER (WHERE k = 'a') AS a FROM t GROUP BY g;";

const COUNT_DISTINCT_WINDOWS: &str = "SELECT g, window_start, COUNT(DISTINCT v) AS vs, \
    COUNT(DISTINCT k) AS ks, AVG(DISTINCT v) AS mean \
    FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '12' SECONDS)) \
    GROUP BY g, window_start, window_end;";

const UNION_ALL: &str = "SELECT k, v FROM t WHERE g = 0 UNION ALL SELECT k, v + 100 FROM t \
    UNION ALL SELECT 'x', CAST(g AS BIGINT) FROM t WHERE v > 5;";

const UNION: &str = "SELECT k, v FROM t WHERE g = 0 UNION SELECT k, v FROM t WHERE v > 5;";

const WINDOWED_UNION: &str = "CREATE VIEW both AS SELECT k, ts FROM t WHERE g = 0 \
    UNION ALL SELECT k, ts FROM t WHERE v > 5;\n\
    SELECT k, window_start, COUNT(*) AS n \
    FROM TABLE(TUMBLE(TABLE both, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end;";

const UNION_OF_CHANGES: &str = "CREATE VIEW both AS SELECT k, COUNT(*) AS n FROM t GROUP BY k \
    UNION ALL SELECT k, v FROM t WHERE g = 1;\n\
    SELECT k, SUM(n) AS n, MAX(n) AS hi FROM both GROUP BY k;";

/// All of them, for the drivers to agree on.
pub const SCRIPTS: [(&str, &str); 13] = [
    ("changes of changes", CHANGES_OF_CHANGES),
    ("histogram", HISTOGRAM),
    ("changes of no key", OF_NO_KEY),
    ("filtered changes", FILTERED),
    ("distinct", DISTINCT),
    ("distinct of changes", DISTINCT_OF_CHANGES),
    ("distinct windows", DISTINCT_WINDOWS),
    ("count distinct", COUNT_DISTINCT),
    ("count distinct windows", COUNT_DISTINCT_WINDOWS),
    ("union all", UNION_ALL),
    ("union", UNION),
    ("windowed union", WINDOWED_UNION),
    ("union of changes", UNION_OF_CHANGES),
];

/// The rows that a changelog leaves, sorted. A row is taken back only while it is there.
fn applied(rows: &Rows) -> Vec<String> {
    let mut left: BTreeMap<String, u32> = BTreeMap::new();
    for ((kind, seq, _), line) in rows.rows.iter().zip(rows.jsonl().lines()) {
        let line =
            line.split_once(r#","op":"#).map_or(line.to_owned(), |(row, _)| format!("{row}}}"));
        match kind {
            RowKind::Insert | RowKind::UpdateAfter => *left.entry(line).or_default() += 1,
            RowKind::UpdateBefore | RowKind::Delete => {
                let count = left.get_mut(&line).filter(|count| **count > 0);
                *count.unwrap_or_else(|| panic!("{line} is not there at {seq}")) -= 1;
            }
        }
    }
    left.into_iter().flat_map(|(line, count)| (0..count).map(move |_| line.clone())).collect()
}

/// What a script leaves, over a small stream.
pub fn left(records: &[Record], script: &str) -> Vec<String> {
    let (tables, _) = tables(&scenario(records, script), &options(2, 7));
    applied(&tables[0])
}

pub fn groups<K: Ord>(records: &[Record], key: impl Fn(&Record) -> K) -> BTreeMap<K, Vec<Record>> {
    let mut groups: BTreeMap<K, Vec<Record>> = BTreeMap::new();
    records.iter().for_each(|r| groups.entry(key(r)).or_default().push(*r));
    groups
}

fn sum(values: impl Iterator<Item = i64>) -> Option<i64> {
    values.reduce(|a, b| a + b)
}

fn values(records: &[Record]) -> impl Iterator<Item = i64> {
    records.iter().filter_map(|r| r.v)
}

fn different<T: Ord>(values: impl Iterator<Item = T>) -> BTreeSet<T> {
    values.collect()
}

pub fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

#[test]
fn aggregates_take_rows_back() {
    let records = records(240, 1);
    let per_key = groups(&records, |r| (r.g, r.k));
    let lines = [0, 1].map(|g| {
        let parts: Vec<&Vec<Record>> =
            per_key.iter().filter(|(key, _)| key.0 == g).map(|(_, rows)| rows).collect();
        let counts = || parts.iter().map(|rows| rows.len() as i64);
        let sums = || parts.iter().filter_map(|rows| sum(values(rows)));
        let his = parts.iter().filter_map(|rows| values(rows).max());
        let big = parts.iter().filter(|rows| rows.len() > 3).filter_map(|rows| sum(values(rows)));
        format!(
            r#"{{"g":{g},"parts":{},"n":{},"lo":{},"hi":{},"mean":{},"his":{},"last":"d","big":{}}}"#,
            parts.len(),
            counts().sum::<i64>(),
            or_null(counts().min()),
            or_null(counts().max()),
            sums().sum::<i64>() / sums().count() as i64,
            different(his).len(),
            or_null(sum(big)),
        )
    });
    assert_eq!(left(&records, CHANGES_OF_CHANGES), lines);
}

#[test]
fn groups_come_and_go() {
    let records = records(240, 1);
    let per_value = groups(&records, |r| r.v);
    let mut by_count: BTreeMap<usize, Vec<Option<i64>>> = BTreeMap::new();
    per_value.iter().for_each(|(v, rows)| by_count.entry(rows.len()).or_default().push(*v));
    let line = |(n, vs): (&usize, &Vec<Option<i64>>)| {
        let (s, lo) = (sum(vs.iter().flatten().copied()), vs.iter().flatten().min());
        format!(r#"{{"n":{n},"vs":{},"s":{},"lo":{}}}"#, vs.len(), or_null(s), or_null(lo))
    };
    assert_eq!(left(&records, HISTOGRAM), sorted(by_count.iter().map(line)));
    let few = by_count.iter().filter(|(n, vs)| *n % 3 == 1 && vs.len() < 3);
    let line = |(n, vs): (&usize, &Vec<Option<i64>>)| format!(r#"{{"n":{n},"vs":{}}}"#, vs.len());
    assert_eq!(left(&records, FILTERED), sorted(few.map(line)));
    let (hi, lo) = (by_count.last_key_value().map(|(n, _)| n), per_value.keys().flatten().min());
    let expected =
        format!(r#"{{"hi":{},"lo":{},"ns":{}}}"#, or_null(hi), or_null(lo), by_count.len());
    assert_eq!(left(&records, OF_NO_KEY), [expected]);
}

#[test]
fn different_rows_are_there_once() {
    let records = records(240, 1);
    let key = |r: &Record| or_null(r.k.map(|k| format!("\"{k}\"")));
    let row = |r: &Record| format!(r#"{{"k":{},"v":{}}}"#, key(r), or_null(r.v));
    let expected: Vec<String> = different(records.iter().map(row)).into_iter().collect();
    assert_eq!(left(&records, DISTINCT), expected);
    let some = records.iter().filter(|r| r.g == 0 || r.v.is_some_and(|v| v > 5)).map(row);
    assert_eq!(left(&records, UNION), different(some).into_iter().collect::<Vec<_>>());
    let per_key = groups(&records, |r| (r.k, r.g));
    let row =
        |(key, rows): (&(_, i64), &Vec<Record>)| format!(r#"{{"n":{},"g":{}}}"#, rows.len(), key.1);
    let expected: Vec<String> = different(per_key.iter().map(row)).into_iter().collect();
    assert_eq!(left(&records, DISTINCT_OF_CHANGES), expected);
}

#[test]
fn different_values_count_once() {
    let records = records(240, 1);
    let lines = groups(&records, |r| r.g).into_iter().map(|(g, rows)| {
        let of_a = rows.iter().filter(|r| r.k == Some('a')).filter_map(|r| r.v);
        format!(
            r#"{{"g":{g},"vs":{},"ks":{},"s":{},"a":{}}}"#,
            different(values(&rows)).len(),
            different(rows.iter().filter_map(|r| r.k)).len(),
            or_null(sum(different(values(&rows)).into_iter())),
            different(of_a).len(),
        )
    });
    assert_eq!(left(&records, COUNT_DISTINCT), sorted(lines));
}

#[test]
fn a_union_has_the_rows_of_all() {
    let records = records(240, 1);
    let key = |r: &Record| or_null(r.k.map(|k| format!("\"{k}\"")));
    let line = |k: &str, v: Option<i64>| format!(r#"{{"k":{k},"v":{}}}"#, or_null(v));
    let first = records.iter().filter(|r| r.g == 0).map(|r| line(&key(r), r.v));
    let second = records.iter().map(|r| line(&key(r), r.v.map(|v| v + 100)));
    let third =
        records.iter().filter(|r| r.v.is_some_and(|v| v > 5)).map(|r| line("\"x\"", Some(r.g)));
    assert_eq!(left(&records, UNION_ALL), sorted(first.chain(second).chain(third)));
    let lines = groups(&records, |r| r.k).into_iter().map(|(k, rows)| {
        let ones = rows.iter().filter(|r| r.g == 1).filter_map(|r| r.v);
        let all = || [rows.len() as i64].into_iter().chain(ones.clone());
        let k = or_null(k.map(|k| format!("\"{k}\"")));
        format!(r#"{{"k":{k},"n":{},"hi":{}}}"#, or_null(sum(all())), or_null(all().max()))
    });
    assert_eq!(left(&records, UNION_OF_CHANGES), sorted(lines));
}

/// Every changelog of every script can be applied, whatever the batches and subtasks.
#[test]
fn no_row_is_taken_back_that_is_not_there() {
    let records = records(240, 2);
    for (name, script) in SCRIPTS.into_iter().chain(joins::SCRIPTS) {
        let text = scenario(&records, script);
        let expected = applied(&tables(&text, &options(1, 1024)).0[0]);
        assert!(!expected.is_empty(), "{name}");
        assert_eq!(applied(&tables(&text, &options(4, 1)).0[0]), expected, "{name}");
    }
}
