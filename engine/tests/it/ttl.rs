//! State that is forgotten after a time: what plain loops say that remember no longer than that.

use std::collections::BTreeMap;

use crate::drivers::{agree, options, survives, tables};
use crate::stream::{Record, records, scenario};

/// Milliseconds; the stream's silences are often longer than that for a key.
const TTL: i64 = 6_000;

const SET: &str = "SET 'table.exec.state.ttl' = '6 s';\n";
const GROUPS: &str = "SELECT k, COUNT(*) AS n FROM t GROUP BY k;";
const JOIN: &str = "SELECT a.v, b.v AS w FROM t AS a JOIN t AS b ON a.k = b.k AND a.g < b.g;";
const LEFT: &str = "SELECT a.v, b.v AS w FROM t AS a LEFT JOIN t AS b ON a.k = b.k AND a.g < b.g;";
const BEST: &str = "SELECT k, v FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) AS n \
    FROM t WHERE v IS NOT NULL) WHERE n = 1;";
const COUNTED: &str = "CREATE VIEW counts AS SELECT k, COUNT(*) AS n FROM t GROUP BY k;\n\
    SELECT t.v, counts.n FROM t JOIN counts ON t.k = counts.k;";
const CHAIN: &str = "SELECT n, COUNT(*) AS groups, MAX(k) AS last FROM \
    (SELECT k, COUNT(*) AS n FROM t GROUP BY k) GROUP BY n;";

fn stream() -> Vec<Record> {
    records(300, 1)
}

/// The changelog as it comes, a line a change.
fn changes(script: &str, parallelism: u32, batch: u32) -> Vec<String> {
    let text = scenario(&stream(), &format!("{SET}{script}"));
    let (tables, _) = tables(&text, &options(parallelism, batch));
    let line = |values: &[highwater_engine::value::Value]| {
        values.iter().map(highwater_engine::value::Value::to_text).collect::<Vec<_>>().join(" ")
    };
    tables[0].rows.iter().map(|(kind, _, row)| format!("{} {}", kind.symbol(), line(row))).collect()
}

fn key(k: Option<char>) -> String {
    k.map_or("NULL".to_owned(), |k| k.to_string())
}

#[test]
fn a_group_begins_anew_after_its_time() {
    let (mut groups, mut expected) =
        (BTreeMap::<Option<char>, (i64, i64)>::new(), Vec::<String>::new());
    let mut forgotten = 0;
    for r in stream() {
        let known = groups.get(&r.k).copied();
        forgotten += usize::from(known.is_some_and(|(at, _)| r.at - at >= TTL));
        let known = known.filter(|(at, _)| r.at - at < TTL);
        let n = known.map_or(1, |(_, n)| n + 1);
        if known.is_some() {
            expected.push(format!("-U {} {}", key(r.k), n - 1));
        }
        let kind = if known.is_some() { "+U" } else { "+I" };
        expected.push(format!("{kind} {} {n}", key(r.k)));
        groups.insert(r.k, (r.at, n));
    }
    assert!(forgotten > 20, "{forgotten}");
    for (parallelism, batch) in [(1, 1), (1, 4096), (3, 7)] {
        assert_eq!(changes(GROUPS, parallelism, batch), expected, "{parallelism} {batch}");
    }
}

#[test]
fn a_row_is_joined_until_its_time_is_over() {
    let all = stream();
    let value = |r: &Record| r.v.map_or("NULL".to_owned(), |v| v.to_string());
    let mut expected = Vec::new();
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate() {
            let pair = a.k.is_some() && a.k == b.k && a.g < b.g;
            let (earlier, later) = if i < j { (a, b) } else { (b, a) };
            if pair && later.at - earlier.at < TTL {
                expected.push(format!("+I {} {}", value(a), value(b)));
            }
        }
    }
    expected.sort();
    assert!(expected.len() > 50);
    for (parallelism, batch) in [(1, 1), (1, 4096), (3, 7)] {
        let mut found = changes(JOIN, parallelism, batch);
        found.sort();
        assert_eq!(found, expected, "{parallelism} {batch}");
    }
}

/// A row that has been taken back is not forgotten once more.
#[test]
fn a_row_that_is_taken_back_before_its_time_is_over_is_gone() {
    let value = |r: &Record| r.v.map_or("NULL".to_owned(), |v| v.to_string());
    let mut rows = Vec::<Record>::new();
    let mut counts = BTreeMap::<char, (i64, i64)>::new();
    let mut expected = Vec::new();
    for r in stream().into_iter().filter(|r| r.k.is_some()) {
        let k = r.k.expect("a key");
        rows.retain(|left| r.at - left.at < TTL);
        rows.push(r);
        let before = counts.get(&k).filter(|(at, _)| r.at - at < TTL).map_or(0, |(_, n)| *n);
        counts.insert(k, (r.at, before + 1));
        if before > 0 {
            expected.push(format!("+I {} {before}", value(&r)));
        }
        for left in rows.iter().filter(|left| left.k == r.k) {
            if before > 0 {
                expected.push(format!("-U {} {before}", value(left)));
            }
            let kind = if before > 0 { "+U" } else { "+I" };
            expected.push(format!("{kind} {} {}", value(left), before + 1));
        }
    }
    expected.sort();
    for (parallelism, batch) in [(1, 1), (1, 4096), (3, 7)] {
        let mut found = changes(COUNTED, parallelism, batch);
        found.sort();
        assert_eq!(found, expected, "{parallelism} {batch}");
    }
}

#[test]
fn a_rank_begins_anew_after_its_time() {
    let (mut best, mut expected) =
        (BTreeMap::<Option<char>, (i64, i64)>::new(), Vec::<String>::new());
    for r in stream() {
        let Some(v) = r.v else { continue };
        let known = best.get(&r.k).copied().filter(|(at, _)| r.at - at < TTL);
        match known {
            Some((_, most)) if v <= most => {}
            Some((_, most)) => {
                expected.push(format!("-U {} {most}", key(r.k)));
                expected.push(format!("+U {} {v}", key(r.k)));
            }
            None => expected.push(format!("+I {} {v}", key(r.k))),
        }
        let most = known.map_or(v, |(_, most)| most.max(v));
        best.insert(r.k, (r.at, most));
    }
    for (parallelism, batch) in [(1, 1), (1, 4096), (3, 7)] {
        assert_eq!(changes(BEST, parallelism, batch), expected, "{parallelism} {batch}");
    }
}

/// Any number of subtasks, any batches, the simulation and a crash say the same.
#[test]
fn drivers_agree_on_what_is_forgotten() {
    let batched = "SET 'table.exec.mini-batch.enabled' = 'true';\n\
        SET 'table.exec.mini-batch.allow-latency' = '2 s';\n";
    for script in [GROUPS, JOIN, LEFT, COUNTED, BEST, CHAIN] {
        let text = scenario(&stream(), &format!("{SET}{script}"));
        agree("state ttl", &text);
        survives("state ttl", &text);
    }
    agree("state ttl in micro-batches", &scenario(&stream(), &format!("{SET}{batched}{GROUPS}")));
}
