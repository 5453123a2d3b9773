//! Aggregates that depend on the order of rows, spreads, and values of rows before: through OVER, changelogs
//! that take rows back, grouping sets and windows that fire early, by plain loops.

use std::collections::{BTreeMap, BTreeSet};

use highwater_engine::value::Value;

use crate::changelog::{left, sorted};
use crate::over::{Frame, framed, gives, text, values};
use crate::random::spread;
use crate::stream::{Record, or_null, records, time};

/// One window for all of them: LAG takes that of the others.
const ROWS: &str = "SELECT k, v, ts, LAG(v, 2, -1) OVER (PARTITION BY g ORDER BY ts) AS b, \
    FIRST_VALUE(v) OVER w AS f, LAST_VALUE(v) OVER w AS l, LISTAGG(k, '') OVER w AS s, \
    LISTAGG(DISTINCT k) FILTER (WHERE v > 2) OVER w AS d, LAST_VALUE(DISTINCT v) OVER w AS ld, \
    VAR_SAMP(v * 10) OVER w AS vs, LAG(k) OVER (PARTITION BY g ORDER BY ts) AS bk FROM t \
    WINDOW w AS (PARTITION BY g ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW);";

const RANGE: &str = "SELECT v, ts, LISTAGG(k) OVER w AS s, LAG(v) OVER (PARTITION BY k, g ORDER BY ts) AS b, \
    FIRST_VALUE(v) OVER w AS f FROM t WINDOW w AS (PARTITION BY k, g ORDER BY ts RANGE BETWEEN \
    INTERVAL '1' SECOND PRECEDING AND CURRENT ROW);";

const ALL_BEFORE: &str = "SELECT v, ts, LISTAGG(DISTINCT k) OVER (ORDER BY ts) AS s, LAG(ts, 3) OVER (ORDER BY ts) \
    AS b, LAST_VALUE(v) OVER (ORDER BY ts) AS l, STDDEV_POP(v * 100) OVER (ORDER BY ts) AS sp FROM t;";

const LAGS: &str = "SELECT v, LAG(v + g, 1, v) OVER w AS a, LAG(v, 0) OVER w AS b, ts, \
    v - LAG(v, 5) OVER w AS c FROM t WINDOW w AS (PARTITION BY k ORDER BY ts);";

const OF_WINDOWS: &str = "SELECT k, window_time AS ts, COUNT(*) AS n, LAG(COUNT(*), 1, CAST(0 AS BIGINT)) OVER \
    (PARTITION BY k ORDER BY window_time) AS b FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
    INTERVAL '10' SECONDS)) GROUP BY k, window_start, window_end, window_time;";

/// Rows leave a group wherever they stand in it.
const OF_CHANGES: &str = "CREATE VIEW per_key AS SELECT v, COUNT(*) AS n FROM t GROUP BY v;\n\
    SELECT n, FIRST_VALUE(v) AS f, LAST_VALUE(v) AS l, LISTAGG(CAST(v AS STRING), '+') AS s, \
    LISTAGG(DISTINCT CAST(MOD(v, 2) AS STRING)) AS d, LAST_VALUE(DISTINCT MOD(v, 2)) AS ld, \
    VAR_POP(v * 10) AS vp, STDDEV_SAMP(DISTINCT v * 100) AS ss, BOOL_AND(v > 4) AS ba, BOOL_OR(v > 7) AS bo \
    FROM per_key GROUP BY n;";

const CUBE: &str = "SELECT k, g, LISTAGG(k) AS ks, FIRST_VALUE(k) AS f, LAST_VALUE(v) AS l, \
    VARIANCE(v * 10) AS vs FROM t GROUP BY CUBE (k, g);";

const HOPPING: &str = "SELECT g, window_start, LISTAGG(k, '') AS ks, FIRST_VALUE(v) AS f, LAST_VALUE(v) AS l, \
    STDDEV(v * 100) AS sd FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, \
    INTERVAL '12' SECONDS)) GROUP BY g, window_start, window_end;";

/// A window's rows come in the order of its keys' groups, whatever the subtasks.
const WINDOWS_OF_WINDOWS: &str = "CREATE VIEW tens AS SELECT k, v, window_start, window_end, COUNT(*) AS n, \
    FIRST_VALUE(g) AS g FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, v, window_start, window_end;\n\
    SELECT g, window_end, LISTAGG(k) AS ks, LAST_VALUE(v) AS l, FIRST_VALUE(n) AS f FROM tens \
    GROUP BY g, window_start, window_end;";

const EARLY: &str = "SET 'highwater.emit.trigger' = 'after_watermark(early => after_count(2))';\n";

/// All of them, for the drivers to agree on.
pub const SCRIPTS: [(&str, &str); 9] = [
    ("OVER in order, rows", ROWS),
    ("OVER in order, a range", RANGE),
    ("OVER in order, all before", ALL_BEFORE),
    ("LAG", LAGS),
    ("LAG of windows", OF_WINDOWS),
    ("changes in order", OF_CHANGES),
    ("a cube in order", CUBE),
    ("windows in order", HOPPING),
    ("windows of windows in order", WINDOWS_OF_WINDOWS),
];

fn quoted(list: &str) -> String {
    format!("\"{list}\"")
}

/// The values of a list, NULL for none.
fn list(texts: &[String], separator: &str) -> String {
    if texts.is_empty() { "null".to_owned() } else { quoted(&texts.join(separator)) }
}

fn keys(rows: &[Record]) -> Vec<String> {
    rows.iter().filter_map(|r| r.k.map(String::from)).collect()
}

/// Each once, where it first stands.
fn once<T: Ord + Clone>(values: &[T]) -> Vec<T> {
    let mut seen = BTreeSet::new();
    values.iter().filter(|value| seen.insert((*value).clone())).cloned().collect()
}

/// One of the four over integers.
fn spread_of(name: &str, values: impl IntoIterator<Item = i64>) -> String {
    let values: Vec<Value> = values.into_iter().map(|v| Value::Int(v as i32)).collect();
    match spread(name, &values.iter().collect::<Vec<_>>()) {
        Value::Null => "null".to_owned(),
        other => other.to_text(),
    }
}

/// The value of the row so many before the last.
fn back<T>(rows: &[Record], places: usize, of: impl Fn(&Record) -> T) -> Option<T> {
    rows.len().checked_sub(places + 1).map(|at| of(&rows[at]))
}

#[test]
fn frames_know_their_order() {
    let records = records(240, 1);
    let (rows, late) = framed(&records, Frame::Rows(3), |r| r.g);
    let line = |(r, frame): &(Record, Vec<Record>)| {
        let v = values(frame);
        let some: Vec<Record> =
            frame.iter().filter(|r| r.v.is_some_and(|v| v > 2)).copied().collect();
        let two = back(frame, 2, |r| r.v).map_or("-1".to_owned(), or_null);
        format!(
            r#"{{"k":{},"v":{},"ts":"{}","b":{two},"f":{},"l":{},"s":{},"d":{},"ld":{},"vs":{},"bk":{}}}"#,
            text(r.k),
            or_null(r.v),
            time(r.ts),
            or_null(v.first()),
            or_null(v.last()),
            list(&keys(frame), ""),
            list(&once(&keys(&some)), ","),
            or_null(once(&v).last()),
            spread_of("VAR_SAMP", v.iter().map(|v| v * 10)),
            text(back(frame, 1, |r| r.k).flatten()),
        )
    };
    gives(ROWS, &records, rows.iter().map(line).collect(), late);
}

/// With LAG no partition is forgotten, and a row from before the last one of its own is late.
#[test]
fn a_row_before_is_known_however_old_it_is() {
    let records = records(240, 1);
    let (all, late) = framed(&records, Frame::RangeForEver(1_000), |r| (r.k, r.g));
    let mut before: BTreeMap<(Option<char>, i64), Option<i64>> = BTreeMap::new();
    let mut line = |(r, frame): &(Record, Vec<Record>)| {
        let b = before.insert((r.k, r.g), r.v).flatten();
        let (v, b, f) = (or_null(r.v), or_null(b), or_null(values(frame).first()));
        let (ts, s) = (time(r.ts), list(&keys(frame), ","));
        format!(r#"{{"v":{v},"ts":"{ts}","s":{s},"b":{b},"f":{f}}}"#)
    };
    let lines = all.iter().map(&mut line).collect();
    assert!(framed(&records, Frame::Range(1_000), |r| (r.k, r.g)).1 < late, "some are forgotten");
    gives(RANGE, &records, lines, late);
}

#[test]
fn rows_of_one_time_see_each_other_and_each_its_own_row_before() {
    let mut records = records(240, 1);
    records.iter_mut().for_each(|r| r.ts = r.ts / 2_000 * 2_000);
    let (rows, late) = framed(&records, Frame::AllRange, |_| ());
    // One partition: the rows as they leave.
    let said: Vec<Record> = rows.iter().map(|row| row.0).collect();
    let line = |(at, (r, frame)): (usize, &(Record, Vec<Record>))| {
        let v = values(frame);
        let b = back(&said[..=at], 3, |r| quoted(&time(r.ts)));
        format!(
            r#"{{"v":{},"ts":"{}","s":{},"b":{},"l":{},"sp":{}}}"#,
            or_null(r.v),
            time(r.ts),
            list(&once(&keys(frame)), ","),
            or_null(b),
            or_null(v.last()),
            spread_of("STDDEV_POP", v.iter().map(|v| v * 100)),
        )
    };
    gives(ALL_BEFORE, &records, rows.iter().enumerate().map(line).collect(), late);
}

#[test]
fn lag_goes_back_in_its_partition() {
    let records = records(240, 1);
    let (rows, late) = framed(&records, Frame::AllRows, |r| r.k);
    let line = |(r, all): &(Record, Vec<Record>)| {
        let a = back(all, 1, |r| r.v.map(|v| v + r.g)).unwrap_or(r.v);
        let five = back(all, 5, |r| r.v).flatten();
        let (v, a, c) = (or_null(r.v), or_null(a), or_null(r.v.zip(five).map(|(v, b)| v - b)));
        format!(r#"{{"v":{v},"a":{a},"b":{v},"ts":"{}","c":{c}}}"#, time(r.ts))
    };
    gives(LAGS, &records, rows.iter().map(line).collect(), late);
}

/// Of equal values the first goes.
#[test]
fn what_is_taken_back_goes_from_where_it_stands() {
    let records = records(240, 1);
    let (mut counts, mut groups) = (BTreeMap::new(), BTreeMap::<usize, Vec<Option<i64>>>::new());
    for r in &records {
        let count = counts.entry(r.v).or_insert(0);
        if let Some(group) = groups.get_mut(count) {
            let at = group.iter().position(|v| *v == r.v).expect("it is there");
            group.remove(at);
        }
        *count += 1;
        groups.entry(*count).or_default().push(r.v);
    }
    let lines = groups.iter().filter(|(_, all)| !all.is_empty()).map(|(n, all)| {
        let v: Vec<i64> = all.iter().copied().flatten().collect();
        let (texts, odd) = (v.iter().map(i64::to_string), v.iter().map(|v| v % 2));
        let parity: Vec<i64> = once(&odd.collect::<Vec<_>>());
        let words: Vec<String> = parity.iter().map(i64::to_string).collect();
        let either = |some: bool| if v.is_empty() { "null".to_owned() } else { some.to_string() };
        format!(
            r#"{{"n":{n},"f":{},"l":{},"s":{},"d":{},"ld":{},"vp":{},"ss":{},"ba":{},"bo":{}}}"#,
            or_null(v.first()),
            or_null(v.last()),
            list(&texts.collect::<Vec<_>>(), "+"),
            list(&words, ","),
            or_null(parity.last()),
            spread_of("VAR_POP", v.iter().map(|v| v * 10)),
            spread_of("STDDEV_SAMP", once(&v).iter().map(|v| v * 100)),
            either(v.iter().all(|v| *v > 4)),
            either(v.iter().any(|v| *v > 7)),
        )
    });
    let lines = sorted(lines);
    assert!(lines.iter().any(|line| line.contains('+')), "some have several");
    assert_eq!(left(&records, OF_CHANGES), lines);
}

#[test]
fn each_grouping_set_has_its_own_order() {
    let records = records(240, 1);
    type Group = (u8, Option<char>, Option<i64>);
    let mut groups: BTreeMap<Group, Vec<Record>> = BTreeMap::new();
    for set in 0..4 {
        for r in &records {
            let key = (set, r.k.filter(|_| set & 1 > 0), Some(r.g).filter(|_| set & 2 > 0));
            groups.entry(key).or_default().push(*r);
        }
    }
    let lines = groups.iter().map(|((_, k, g), rows)| {
        let (ks, v) = (keys(rows), values(rows));
        format!(
            r#"{{"k":{},"g":{},"ks":{},"f":{},"l":{},"vs":{}}}"#,
            text(*k),
            or_null(*g),
            list(&ks, ","),
            or_null(ks.first().map(|k| quoted(k))),
            or_null(v.last()),
            spread_of("VAR_SAMP", v.iter().map(|v| v * 10)),
        )
    });
    assert_eq!(left(&records, CUBE), sorted(lines));
}

/// A pane says what its window has had so far; the last one says all of it.
#[test]
fn windows_that_fire_early_keep_the_order() {
    let records = records(240, 1);
    let on_time = left(&records, HOPPING);
    assert!(on_time.len() > 50);
    assert_eq!(left(&records, &format!("{EARLY}{HOPPING}")), on_time);
}
