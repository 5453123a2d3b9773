//! Lookup joins and as-of joins: each row with what plain loops find as of its arrival, or before its time.

use std::fmt::Write as _;

use crate::changelog::{applied, sorted};
use crate::drivers::{agree, open, options, survives, tables};
use crate::joins::name;
use crate::stream::{Record, or_null, records, scenario, time};

/// Rows of `t` whose arrival is a multiple of three stand in a second table instead.
fn is_other(r: &Record) -> bool {
    r.at % 3 == 0
}

fn stream() -> Vec<Record> {
    records(480, 1).into_iter().take(239).collect()
}

/// A scenario of both tables; `declared`: what `r` has behind its columns; `timed`: whether its records say
/// when they arrive.
fn with_other(all: &[Record], (declared, timed): (&str, bool), script: &str) -> String {
    let rows: Vec<Record> = all.iter().copied().filter(|r| !is_other(r)).collect();
    let table = format!("CREATE TABLE r (k STRING, v INT, ts TIMESTAMP(3){declared});\n");
    let mut text = scenario(&rows, &format!("{table}{script}"));
    text.push_str("\n```jsonl r\n");
    for r in all.iter().filter(|r| is_other(r)) {
        let at = if timed { format!(r#""@at": "{}", "#, time(r.at)) } else { String::new() };
        let (k, v, ts) = (name(r.k), or_null(r.v), time(r.ts));
        writeln!(text, r#"{{{at}"k": {k}, "v": {v}, "ts": "{ts}"}}"#).expect("text");
    }
    text.push_str("```\n");
    text
}

/// The pairs of a lookup: each row with those of its key that `there` says are there; `latest` alone counts.
fn pairs(
    all: &[Record],
    latest: bool,
    there: impl Fn(&Record, &Record) -> bool,
) -> Vec<(Record, Vec<Record>)> {
    let rows = all.iter().filter(|r| !is_other(r));
    rows.map(|row| {
        let same = |other: &&Record| {
            is_other(other) && other.k.is_some() && other.k == row.k && there(row, other)
        };
        let mut found: Vec<Record> = all.iter().filter(same).copied().collect();
        if latest {
            found = found.pop().into_iter().collect();
        }
        (*row, found)
    })
    .collect()
}

fn line(row: &Record, other: Option<&Record>) -> String {
    let w = other.and_then(|other| other.v);
    format!(
        r#"{{"k":{},"v":{},"w":{},"ts":"{}"}}"#,
        name(row.k),
        or_null(row.v),
        or_null(w),
        time(row.ts)
    )
}

fn found(text: &str) -> Vec<String> {
    applied(&tables(text, &options(2, 7)).0[0])
}

const KEY: &str = ", PRIMARY KEY (k) NOT ENFORCED";
const INNER: &str = "SELECT t.k, t.v, r.v AS w, t.ts FROM t \
    JOIN r FOR SYSTEM_TIME AS OF PROCTIME() ON t.k = r.k;";
const LEFT: &str = "SELECT t.k, t.v, r.v AS w, t.ts FROM t \
    LEFT JOIN r FOR SYSTEM_TIME AS OF PROCTIME() AS r ON r.k = t.k AND t.v < r.v;";
const WINDOWED: &str = "CREATE VIEW j AS SELECT t.k, t.ts, r.v AS w FROM t \
    JOIN r FOR SYSTEM_TIME AS OF PROCTIME() ON t.k = r.k;\n\
    SELECT k, window_end, COUNT(*) AS n, SUM(w) AS s \
    FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end;";

#[test]
fn a_row_meets_the_row_that_was_there_when_it_came() {
    let all = stream();
    let rows = pairs(&all, true, |row, other| other.at < row.at);
    let met = rows.iter().filter(|(_, found)| !found.is_empty()).count();
    assert!(met > 60 && rows.len() - met > 5);
    let text = |script: &str| with_other(&all, (KEY, true), script);
    let one = rows.iter().flat_map(|(row, met)| met.iter().map(move |o| line(row, Some(o))));
    assert_eq!(found(&text(INNER)), sorted(one));
    let fits = |row: &Record, o: &&Record| row.v.zip(o.v).is_some_and(|(v, w)| v < w);
    let left = rows.iter().map(|(row, met)| line(row, met.iter().find(|o| fits(row, o))));
    assert_eq!(found(&text(LEFT)), sorted(left));
}

/// Without a key all rows that are there are met.
#[test]
fn a_row_meets_all_rows_of_a_table_without_a_key() {
    let all = stream();
    let rows = pairs(&all, false, |row, other| other.at < row.at);
    assert!(rows.iter().any(|(_, met)| met.len() > 5));
    let all_pairs = rows.iter().flat_map(|(row, met)| met.iter().map(move |o| line(row, Some(o))));
    assert_eq!(found(&with_other(&all, ("", true), INNER)), sorted(all_pairs));
}

const BROADCAST: &str = "SELECT t.k, t.v, r.v AS w, t.ts FROM t \
    LEFT JOIN r FOR SYSTEM_TIME AS OF PROCTIME() ON t.v < r.v AND r.k = 'b';";

/// Without an equality every subtask has all rows of the table, and each row is looked up by one of them.
#[test]
fn a_table_without_an_equality_is_broadcast() {
    let all = stream();
    let mut expected = Vec::new();
    for row in all.iter().filter(|r| !is_other(r)) {
        let there = all.iter().filter(|o| is_other(o) && o.at < row.at && o.k == Some('b'));
        let met: Vec<&Record> =
            there.filter(|o| row.v.zip(o.v).is_some_and(|(v, w)| v < w)).collect();
        expected.extend(met.iter().map(|o| line(row, Some(o))));
        if met.is_empty() {
            expected.push(line(row, None));
        }
    }
    assert!(expected.iter().filter(|l| !l.contains(r#""w":null"#)).count() > 100);
    let text = with_other(&all, ("", true), BROADCAST);
    assert_eq!(found(&text), sorted(expected.into_iter()));
    for subtasks in [1, 3] {
        let mut session = open(&text, &options(subtasks, 7));
        session.finish();
        let tasks = session.header().tasks.iter();
        let joins = tasks.filter(|task| task.name.starts_with("join")).count();
        assert_eq!(joins, subtasks as usize);
        // Asked for its state, the join says each row once.
        let kept = session.state("join", None).expect("it is there");
        let right = kept.iter().find(|k| k.part == "right").expect("it has that part");
        let held = all.iter().filter(|r| is_other(r)).count();
        assert_eq!(right.rows.len(), held);
    }
}

/// A table whose records do not say when they arrive is there before the first record.
#[test]
fn a_static_table_is_there_from_the_first_record_on() {
    let all = stream();
    let rows = pairs(&all, true, |_, _| true);
    let one = rows.iter().flat_map(|(row, met)| met.iter().map(move |o| line(row, Some(o))));
    let text = with_other(&all, (KEY, false), INNER);
    assert_eq!(found(&text), sorted(one));
    // Read a second time, as a stream, it is one.
    let both = format!(
        "CREATE TABLE out (n BIGINT) WITH ('connector' = 'print');\n\
         INSERT INTO out SELECT COUNT(*) FROM r;\n{INNER}"
    );
    let (tables, _) = tables(&with_other(&all, (KEY, false), &both), &options(2, 7));
    let count = all.iter().filter(|r| is_other(r)).count();
    assert_eq!(applied(&tables[0]), [format!(r#"{{"n":{count}}}"#)]);
    assert_eq!(applied(&tables[1]), found(&text));
}

/// What is looked up may be a result that changes.
#[test]
fn a_changing_result_is_looked_up_as_it_stands() {
    let all = stream();
    let script = "CREATE VIEW s AS SELECT k, COUNT(*) AS n FROM r GROUP BY k;\n\
        SELECT t.k, t.v, CAST(s.n AS INT) AS w, t.ts FROM t \
        JOIN s FOR SYSTEM_TIME AS OF PROCTIME() ON t.k = s.k;";
    let rows = pairs(&all, false, |row, other| other.at < row.at);
    let counted = rows
        .iter()
        .filter(|(_, met)| !met.is_empty())
        .map(|(row, met)| line(row, Some(&Record { v: Some(met.len() as i64), ..*row })));
    assert_eq!(found(&with_other(&all, ("", true), script)), sorted(counted));
}

/// The arrival of each record, in whatever batches it is read.
#[test]
fn proctime_is_when_a_record_arrives() {
    let all = stream();
    let table = "CREATE TABLE p (k STRING, v INT, ts TIMESTAMP(3), at AS PROCTIME(), \
        WATERMARK FOR at AS at);\n";
    let text = |script: &str| {
        let mut text = scenario(&[], &format!("{table}{script}"));
        text.push_str("\n```jsonl p\n");
        for r in &all {
            let (at, k, v) = (time(r.at), name(r.k), or_null(r.v));
            writeln!(text, r#"{{"@at": "{at}", "k": {k}, "v": {v}, "ts": "{at}"}}"#).expect("text");
        }
        text + "```\n"
    };
    let rows =
        sorted(all.iter().map(|r| format!(r#"{{"v":{},"at":"{}"}}"#, or_null(r.v), time(r.at))));
    for (parallelism, batch) in [(1, 1), (2, 7), (1, 4096)] {
        let (tables, _) = tables(&text("SELECT v, at FROM p;"), &options(parallelism, batch));
        assert_eq!(applied(&tables[0]), rows);
    }
    // Windows by processing time: those of the arrivals, and nothing is late.
    let windows = "SELECT window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE p, DESCRIPTOR(at), \
        INTERVAL '10' SECONDS)) GROUP BY window_start, window_end;";
    let mut counts = std::collections::BTreeMap::new();
    for r in &all {
        *counts.entry(r.at - r.at.rem_euclid(10_000) + 10_000).or_insert(0) += 1;
    }
    let counted =
        counts.iter().map(|(end, n)| format!(r#"{{"window_end":"{}","n":{n}}}"#, time(*end)));
    assert_eq!(found(&text(windows)), sorted(counted));
}

const ASOF: &str = "SELECT t.k, t.v, r.v AS w, t.ts FROM t \
    ASOF JOIN r MATCH_CONDITION (t.ts >= r.ts) ON t.k = r.k;";
const BEFORE: &str = "SELECT t.k, t.v, r.v AS w, t.ts FROM t \
    ASOF JOIN r MATCH_CONDITION (r.ts < t.ts) ON r.k = t.k;";
const TIMED: &str = ", WATERMARK FOR ts AS ts - INTERVAL '4' SECOND";

/// The last row of the key by time, of one time the last that came, of those known when the watermark
/// reaches the row's time.
#[test]
fn an_asof_join_finds_the_last_row_before_each() {
    // Times in whole seconds, so that many are equal.
    let second = |ms: i64| ms - ms.rem_euclid(1_000);
    let all: Vec<Record> = stream().into_iter().map(|r| Record { ts: second(r.ts), ..r }).collect();
    let mut each = [i64::MIN; 2];
    let mut marks = Vec::new();
    for r in &all {
        marks.push(each[0].min(each[1]));
        let own = &mut each[usize::from(is_other(r))];
        *own = (*own).max(r.ts - 4_000);
    }
    for (script, strict) in [(ASOF, 0), (BEFORE, 1)] {
        let mut expected = Vec::new();
        for (i, row) in all.iter().enumerate().filter(|(i, r)| !is_other(r) && r.ts >= marks[*i]) {
            let known = (i + 1..all.len()).find(|&j| marks[j] >= row.ts).unwrap_or(all.len());
            let others = all[..known].iter().filter(|o| {
                is_other(o) && o.k.is_some() && o.k == row.k && o.ts + strict <= row.ts
            });
            // The last of equal ones.
            expected.push(line(row, others.max_by_key(|o| o.ts)));
        }
        let met = expected.iter().filter(|l| !l.contains(r#""w":null"#)).count();
        assert!(met > 40 && expected.len() - met > 20);
        assert_eq!(found(&with_other(&all, (TIMED, true), script)), sorted(expected.into_iter()));
    }
}

/// Any number of subtasks, any batches and the simulation say the same in the same order.
#[test]
fn drivers_agree_on_lookups() {
    let all = stream();
    for (declared, timed) in [(KEY, true), (KEY, false), ("", true)] {
        for script in [INNER, LEFT, WINDOWED, BROADCAST] {
            if script == BROADCAST && !declared.is_empty() {
                // A table with a key is looked up by it.
                continue;
            }
            let text = with_other(&all, (declared, timed), script);
            agree("lookup join", &text);
            survives("lookup join", &text);
        }
    }
    for script in [ASOF, BEFORE] {
        let text = with_other(&all, (TIMED, true), script);
        agree("as-of join", &text);
        survives("as-of join", &text);
    }
}
