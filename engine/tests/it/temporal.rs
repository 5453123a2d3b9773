//! Temporal joins: each row with the version that plain loops find for its time.

use std::fmt::Write as _;

use crate::changelog::{applied, sorted};
use crate::drivers::{options, tables};
use crate::joins::name;
use crate::stream::{Record, or_null, records, scenario, time};

const INNER: &str = "SELECT t.k, t.v, r.v AS w, t.ts, r.ts AS since FROM t \
    JOIN r FOR SYSTEM_TIME AS OF t.ts ON t.k = r.k;";

const LEFT: &str = "SELECT t.k, t.v, r.v AS w, t.ts, r.ts AS since FROM t \
    LEFT JOIN r FOR SYSTEM_TIME AS OF t.ts AS r ON r.k = t.k AND t.v < r.v;";

const FILTERED: &str = "SELECT t.k, t.v, r.v AS w, t.ts, r.ts AS since FROM t \
    JOIN r FOR SYSTEM_TIME AS OF t.ts ON t.k = r.k WHERE t.g = 0 AND r.v > 3;";

const WINDOWED: &str = "CREATE VIEW j AS SELECT t.k, t.ts, r.v AS w FROM t \
    JOIN r FOR SYSTEM_TIME AS OF t.ts ON t.k = r.k;\n\
    SELECT k, window_end, COUNT(*) AS n, SUM(w) AS s \
    FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end;";

/// Rows of `t` and, as versions, of `r`: those that a rule picks.
fn with_versions(all: &[Record], script: &str) -> String {
    let rows: Vec<Record> = all.iter().copied().filter(|r| !is_version(r)).collect();
    let table = "CREATE TABLE r (k STRING, v INT, ts TIMESTAMP(3), PRIMARY KEY (k) NOT ENFORCED, \
                 WATERMARK FOR ts AS ts - INTERVAL '4' SECOND);\n";
    let mut text = scenario(&rows, &format!("{table}{script}"));
    text.push_str("\n```jsonl r\n");
    for r in all.iter().filter(|r| is_version(r)) {
        let (at, k, v) = (time(r.at), name(r.k), or_null(r.v));
        let ts = time(r.ts);
        writeln!(text, r#"{{"@at": "{at}", "k": {k}, "v": {v}, "ts": "{ts}"}}"#).expect("text");
    }
    text.push_str("```\n");
    text
}

/// Without the long silence: a source that is idle holds nobody back.
fn stream() -> Vec<Record> {
    records(480, 1).into_iter().take(239).collect()
}

fn is_version(r: &Record) -> bool {
    r.at % 3 == 0
}

/// The least of both watermarks before each record; a source that has not spoken holds it back.
fn watermarks(all: &[Record]) -> Vec<i64> {
    let mut each = [i64::MIN; 2];
    let mut marks = Vec::new();
    for r in all {
        marks.push(each[0].min(each[1]));
        let own = &mut each[usize::from(is_version(r))];
        *own = (*own).max(r.ts - 4_000);
    }
    marks
}

/// The rows that are not late, each with its version: of those that were known when the watermark reached
/// the row's time, the latest that does not lie after it.
fn expected(all: &[Record]) -> Vec<(Record, Option<Record>)> {
    let marks = watermarks(all);
    let mut rows = Vec::new();
    for (i, row) in all.iter().enumerate().filter(|(_, r)| !is_version(r)) {
        if row.ts < marks[i] {
            continue;
        }
        let known = (i + 1..all.len()).find(|&j| marks[j] >= row.ts).unwrap_or(all.len());
        let mut version: Option<Record> = None;
        for other in &all[..known] {
            let valid = is_version(other) && other.k.is_some() && other.k == row.k;
            if valid && other.ts <= row.ts && version.is_none_or(|v| v.ts <= other.ts) {
                version = Some(*other);
            }
        }
        rows.push((*row, version));
    }
    rows
}

fn line((row, version): &(Record, Option<Record>)) -> String {
    let (w, since) = (version.and_then(|v| v.v), version.map(|v| format!("\"{}\"", time(v.ts))));
    format!(
        r#"{{"k":{},"v":{},"w":{},"ts":"{}","since":{}}}"#,
        name(row.k),
        or_null(row.v),
        or_null(w),
        time(row.ts),
        or_null(since),
    )
}

fn left(all: &[Record], script: &str) -> Vec<String> {
    let (tables, _) = tables(&with_versions(all, script), &options(2, 7));
    applied(&tables[0])
}

#[test]
fn each_row_meets_the_version_of_its_time() {
    let all = stream();
    let rows = expected(&all);
    let found = rows.iter().filter(|(_, version)| version.is_some());
    assert!(found.clone().count() > 40 && rows.len() - found.clone().count() > 20);
    assert_eq!(left(&all, INNER), sorted(found.clone().map(line)));
    let fit = |(row, version): &(Record, Option<Record>)| {
        let fits = |v: &Record| row.v.zip(v.v).is_some_and(|(v, w)| v < w);
        (*row, version.filter(fits))
    };
    assert_eq!(left(&all, LEFT), sorted(rows.iter().map(|row| line(&fit(row)))));
    let some = found.filter(|(row, version)| {
        row.g == 0 && version.and_then(|version| version.v).is_some_and(|w| w > 3)
    });
    assert_eq!(left(&all, FILTERED), sorted(some.map(line)));
}

/// Any number of subtasks, any batches and the simulation say the same in the same order.
#[test]
fn drivers_agree_on_versions() {
    let all = stream();
    for script in [INNER, LEFT, FILTERED, WINDOWED] {
        let text = with_versions(&all, script);
        crate::drivers::agree("temporal join", &text);
        crate::drivers::survives("temporal join", &text);
    }
}
