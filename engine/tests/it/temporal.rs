//! Temporal joins: each row with the version that plain loops find for its time.

use std::collections::BTreeMap;
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

/// The last row of each key is a version, too, under names of its own and without a key that is declared.
const LAST: &str = "CREATE VIEW last AS SELECT v AS w, ts AS since, k AS name FROM \
    (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS n FROM r) WHERE n = 1;\n";

const OF_LAST: &str = "SELECT t.k, t.v, last.w, t.ts, last.since FROM t \
    JOIN last FOR SYSTEM_TIME AS OF t.ts ON t.k = last.name;";

const LEFT_OF_LAST: &str = "SELECT t.k, t.v, x.w, t.ts, x.since FROM t \
    LEFT JOIN last FOR SYSTEM_TIME AS OF t.ts AS x ON x.name = t.k AND t.v < x.w;";

const WINDOWED_LAST: &str = "CREATE VIEW j AS SELECT t.k, t.ts, last.w FROM t \
    JOIN last FOR SYSTEM_TIME AS OF t.ts ON t.k = last.name;\n\
    SELECT k, window_end, COUNT(*) AS n, SUM(w) AS s \
    FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end;";

/// The same of the table itself, through a view that gives its columns other names.
const OF_RENAMED: &str = "CREATE VIEW last AS SELECT ts AS since, k AS name, v AS w FROM r;\n";

/// Rows of `t` and, as versions, of `r`: those that a rule picks.
fn with_versions(all: &[Record], script: &str) -> String {
    with_table(all, "PRIMARY KEY (k) NOT ENFORCED, ", script)
}

/// The same with what the table declares.
fn with_table(all: &[Record], key: &str, script: &str) -> String {
    let rows: Vec<Record> = all.iter().copied().filter(|r| !is_version(r)).collect();
    let table = format!(
        "CREATE TABLE r (k STRING, v INT, ts TIMESTAMP(3), {key}\
         WATERMARK FOR ts AS ts - INTERVAL '4' SECOND);\n"
    );
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
    met(all, all)
}

/// The same, when only those of some records are versions.
fn met(all: &[Record], versions: &[Record]) -> Vec<(Record, Option<Record>)> {
    let marks = watermarks(all);
    let at = |r: &Record| versions.iter().any(|v| v.at == r.at);
    let mut rows = Vec::new();
    for (i, row) in all.iter().enumerate().filter(|(_, r)| !is_version(r)) {
        if row.ts < marks[i] {
            continue;
        }
        let known = (i + 1..all.len()).find(|&j| marks[j] >= row.ts).unwrap_or(all.len());
        let mut version: Option<Record> = None;
        for other in &all[..known] {
            let valid = is_version(other) && at(other) && other.k.is_some() && other.k == row.k;
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

/// The versions that are the last of their key when they come: the others are no row of the view.
fn last(all: &[Record]) -> Vec<Record> {
    let mut newest: BTreeMap<Option<char>, i64> = BTreeMap::new();
    let mut is_last = |r: &Record| {
        let newest = newest.entry(r.k).or_insert(i64::MIN);
        let last = *newest <= r.ts;
        *newest = (*newest).max(r.ts);
        last
    };
    all.iter().filter(|r| !is_version(r) || is_last(r)).copied().collect()
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

#[test]
fn the_last_row_of_each_key_is_a_version() {
    let all = stream();
    let kept = last(&all);
    assert!(kept.len() + 8 < all.len(), "some must come when a newer one is there");
    let rows = met(&all, &kept);
    let applied_to = |key: &str, script: String| {
        let (tables, _) = tables(&with_table(&all, key, &script), &options(2, 7));
        applied(&tables[0])
    };
    let found = rows.iter().filter(|(_, version)| version.is_some());
    assert!(found.clone().count() > 40);
    assert_eq!(applied_to("", format!("{LAST}{OF_LAST}")), sorted(found.map(line)));
    let fit = |(row, version): &(Record, Option<Record>)| {
        let fits = |v: &Record| row.v.zip(v.v).is_some_and(|(v, w)| v < w);
        (*row, version.filter(fits))
    };
    let lines = sorted(rows.iter().map(|row| line(&fit(row))));
    assert_eq!(applied_to("", format!("{LAST}{LEFT_OF_LAST}")), lines);
    // A table has all its versions, those that came when a newer one was there, too.
    let rows = expected(&all);
    let lines = sorted(rows.iter().filter(|(_, version)| version.is_some()).map(line));
    let key = "PRIMARY KEY (k) NOT ENFORCED, ";
    assert_eq!(applied_to(key, format!("{OF_RENAMED}{OF_LAST}")), lines);
}

/// Two versions and three rows, worked out by hand.
#[test]
fn a_row_meets_the_row_that_was_last_at_its_time() {
    let at = |second: i64| 1_714_521_600_000 + second * 1_000;
    let text = |second: i64| time(at(second));
    let script = format!("{LAST}{OF_LAST}");
    let mut scenario = scenario(
        &[],
        &format!(
            "CREATE TABLE r (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts);\n{script}"
        ),
    );
    let rows: String = [(1, 1), (5, 2), (9, 3)]
        .iter()
        .map(|(ts, v)| {
            format!(r#"{{"@at": "{0}", "k": "a", "g": 0, "v": {v}, "ts": "{0}"}}"#, text(*ts))
                + "\n"
        })
        .collect();
    scenario = scenario.replace("```jsonl t\n", &format!("```jsonl t\n{rows}"));
    scenario.push_str("\n```jsonl r\n");
    for (ts, v) in [(2, 20), (8, 80)] {
        let ts = text(ts);
        writeln!(scenario, r#"{{"@at": "{ts}", "k": "a", "v": {v}, "ts": "{ts}"}}"#).expect("text");
    }
    scenario.push_str("```\n");
    let (tables, _) = tables(&scenario, &options(1, 1));
    let row = |v: i64, w: i64, ts: i64, since: i64| {
        format!(r#"{{"k":"a","v":{v},"w":{w},"ts":"{}","since":"{}"}}"#, text(ts), text(since))
    };
    assert_eq!(applied(&tables[0]), [row(2, 20, 5, 2), row(3, 80, 9, 8)]);
}

/// A row at the watermark waits for its next step: a late version may still come. That time passes meanwhile,
/// for whatever else waits for it, is no such step.
#[test]
fn micro_batches_change_no_version() {
    let begin = 1_714_521_600_000;
    let record = |at: i64, v: i64, second: i64| Record {
        at: begin + at,
        partition: 0,
        k: Some('a'),
        g: 0,
        v: Some(v),
        ts: begin + second * 1_000,
    };
    // The watermark is 4 s behind: the fourth record has its time, the fifth is the version of that time.
    let all = [
        record(0, 1, 10),
        record(1, 7, 20),
        record(3, 9, 20),
        record(4, 8, 16),
        record(6, 2, 15),
        record(7, 5, 30),
        record(9, 3, 30),
    ];
    let pairs = [(all[1], all[2]), (all[3], all[4]), (all[5], all[6])];
    let lines = sorted(pairs.into_iter().map(|(row, version)| line(&(row, Some(version)))));
    assert_eq!(left(&all, INNER), lines);
    for pace in ["size' = '1", "allow-latency' = '1 ms"] {
        let batched = format!(
            "SET 'table.exec.mini-batch.enabled' = 'true';\nSET 'table.exec.mini-batch.{pace}';\n{INNER}"
        );
        assert_eq!(left(&all, &batched), lines, "{pace}");
    }
}

#[test]
fn drivers_agree_on_last_rows() {
    let all = stream();
    for script in [OF_LAST, LEFT_OF_LAST, WINDOWED_LAST] {
        let text = with_table(&all, "", &format!("{LAST}{script}"));
        crate::drivers::agree("versions of a view", &text);
        crate::drivers::survives("versions of a view", &text);
    }
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
