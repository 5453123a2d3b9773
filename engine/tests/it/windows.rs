//! Windows that cumulate, rows of sessions, and rows that carry their windows, aggregated by them once more.

use std::collections::{BTreeMap, BTreeSet};

use highwater_engine::value::Value;

use crate::changelog::{left, sorted};
use crate::drivers::{options, tables};
use crate::stream::{Record, or_null, records, scenario, time};

/// Each step of the watermark closes several windows that overlap.
const HOP_AGAIN: &str = "CREATE VIEW hops AS \
    SELECT k, g, window_start AS ws, window_end AS we, COUNT(*) AS n, SUM(v) AS s \
    FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '12' SECONDS)) \
    GROUP BY k, g, window_start, window_end;\n\
    SELECT k, ws, we, COUNT(*) AS parts, MAX(n) AS hi, SUM(s) AS s FROM hops GROUP BY k, ws, we;";

const HOP_AGAIN_WHOLE: &str = "CREATE VIEW hops AS \
    SELECT k, window_start, window_end, window_time, COUNT(*) AS n \
    FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '12' SECONDS)) \
    GROUP BY k, window_start, window_end, window_time;\n\
    SELECT window_start, window_end, COUNT(*) AS parts, MAX(n) AS hi FROM hops \
    GROUP BY window_start, window_end;";

/// A row in four windows is late in some of them.
const HOP_ROWS: &str = "CREATE VIEW hops AS SELECT k, v, window_start, window_end \
    FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '12' SECONDS));\n\
    SELECT k, window_start, window_end, COUNT(*) AS n, SUM(v) AS s FROM hops \
    GROUP BY k, window_start, window_end;";

/// The window of the query and that of its rows are two.
const TWO_WINDOWS: &str = "CREATE VIEW hops AS \
    SELECT k, window_start AS ws, window_end AS we, window_time AS wt, COUNT(*) AS n \
    FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '12' SECONDS)) \
    GROUP BY k, window_start, window_end, window_time;\n\
    SELECT ws, we, window_start, window_end, COUNT(*) AS parts, SUM(n) AS n \
    FROM TABLE(TUMBLE(TABLE hops, DESCRIPTOR(wt), INTERVAL '30' SECONDS)) \
    GROUP BY ws, we, window_start, window_end;";

/// Counted by key, a row counts in each of its windows.
const HOP_BY_KEY: &str = "SELECT k, COUNT(*) AS n \
    FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '12' SECONDS)) GROUP BY k;";

const SESSION_AGAIN: &str = "CREATE VIEW sessions AS \
    SELECT k, g, window_start, window_end, COUNT(*) AS n, SUM(v) AS s \
    FROM TABLE(SESSION(TABLE t PARTITION BY k, g, DESCRIPTOR(ts), INTERVAL '3' SECONDS)) \
    GROUP BY k, g, window_start, window_end;\n\
    SELECT g, window_start, window_end, COUNT(*) AS parts, SUM(n) AS n, MIN(s) AS lo FROM sessions \
    GROUP BY g, window_start, window_end;";

const CUMULATING: &str = "SELECT k, g, window_start, window_end, COUNT(*) AS n, SUM(v) AS s, \
    MIN(v) AS lo FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '15' SECONDS, \
    INTERVAL '4' SECONDS)) GROUP BY k, g, window_start, window_end;";

/// The same, of rows that have been put into each of their windows.
const CUMULATING_ROWS: &str = "CREATE VIEW rows_ AS SELECT k, g, v, window_start, window_end \
    FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '15' SECONDS, \
    INTERVAL '4' SECONDS));\n\
    SELECT k, g, window_start, window_end, COUNT(*) AS n, SUM(v) AS s, MIN(v) AS lo FROM rows_ \
    GROUP BY k, g, window_start, window_end;";

const CUMULATING_WHOLE: &str = "SELECT window_start, window_end, COUNT(DISTINCT v) AS vs \
    FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '20' SECONDS)) \
    WHERE k = 'a' GROUP BY window_start, window_end;";

const CUMULATED: &str = "SELECT k, v, window_start, window_end FROM TABLE(CUMULATE(TABLE t, \
    DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '15' SECONDS, INTERVAL '4' SECONDS)) WHERE g = 1;";

const SESSION_ROWS: &str = "SELECT k, v, ts, window_start, window_end \
    FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECONDS));";

/// Which rows there are decides what the sessions are, not which are looked at.
const SESSION_ROWS_WHOLE: &str = "SELECT k, v, ts, window_start, window_end \
    FROM TABLE(SESSION(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECONDS)) WHERE v > 4;";

/// What is counted together is not what makes the sessions.
const SESSION_BY_OTHERS: &str = "SELECT g, window_start, window_end, COUNT(*) AS n \
    FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECONDS)) \
    GROUP BY g, window_start, window_end;";

/// Rows beside the whole of their session.
const SESSION_JOINED: &str = "CREATE VIEW alone AS SELECT k, v, window_time AS wt \
    FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECONDS));\n\
    CREATE VIEW whole AS SELECT k, window_time AS wt, COUNT(*) AS n \
    FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECONDS)) \
    GROUP BY k, window_start, window_end, window_time;\n\
    SELECT alone.k, alone.v, whole.n FROM alone JOIN whole ON alone.k = whole.k AND alone.wt = whole.wt;";

/// All of them, for the drivers to agree on.
pub const SCRIPTS: [(&str, &str); 14] = [
    ("cumulating", CUMULATING),
    ("cumulating rows", CUMULATING_ROWS),
    ("cumulating whole", CUMULATING_WHOLE),
    ("cumulated", CUMULATED),
    ("session rows", SESSION_ROWS),
    ("session rows without a key", SESSION_ROWS_WHOLE),
    ("sessions by others", SESSION_BY_OTHERS),
    ("rows joined with their session", SESSION_JOINED),
    ("hop again", HOP_AGAIN),
    ("hop again whole", HOP_AGAIN_WHOLE),
    ("hopping rows again", HOP_ROWS),
    ("two windows", TWO_WINDOWS),
    ("hop by key", HOP_BY_KEY),
    ("session again", SESSION_AGAIN),
];

/// Start and end, milliseconds.
pub type Window = (i64, i64);
type Key = (Window, Option<char>);
type Rows = Vec<(Window, Record)>;

/// The watermark before each record of one partition.
fn watermarks(records: &[Record]) -> Vec<i64> {
    let mut marks = vec![i64::MIN];
    for r in records {
        marks.push((r.ts - 4_000).max(marks[marks.len() - 1]));
    }
    marks
}

/// Records with each of their windows that has not fired before them, and how many others there are.
pub fn timely(records: &[Record], windows: impl Fn(i64) -> Vec<Window>) -> (Rows, u64) {
    let (mut kept, mut late) = (Vec::new(), 0);
    for (r, mark) in records.iter().zip(watermarks(records)) {
        for window in windows(r.ts) {
            match window.1 - 1 > mark {
                true => kept.push((window, *r)),
                false => late += 1,
            }
        }
    }
    (kept, late)
}

/// Windows of 12 s every 3 s.
pub fn hops(ts: i64) -> Vec<Window> {
    let last = ts.div_euclid(3_000) * 3_000;
    (0..4).map(|back| (last - back * 3_000, last - back * 3_000 + 12_000)).collect()
}

fn grouped<T: Copy, K: Ord>(rows: &[T], key: impl Fn(&T) -> K) -> BTreeMap<K, Vec<T>> {
    let mut groups: BTreeMap<K, Vec<T>> = BTreeMap::new();
    rows.iter().for_each(|row| groups.entry(key(row)).or_default().push(*row));
    groups
}

fn sum(rows: &[(Window, Record)]) -> Option<i64> {
    rows.iter().filter_map(|(_, r)| r.v).reduce(|a, b| a + b)
}

pub fn name(k: Option<char>) -> String {
    or_null(k.map(|k| format!("\"{k}\"")))
}

pub fn bounds((start, end): Window) -> String {
    format!(r#""{}","window_end":"{}""#, time(start), time(end))
}

/// The rows of a script, sorted, and how many were late.
fn run(records: &[Record], script: &str) -> (Vec<String>, u64) {
    let (tables, late) = tables(&scenario(records, script), &options(2, 7));
    (sorted(tables[0].jsonl().lines().map(str::to_owned)), late)
}

#[test]
fn hopping_windows_are_aggregated_once_more() {
    let all = records(240, 1);
    let (kept, late) = timely(&all, hops);
    assert!(late > 20, "windows must have fired before their records to tell anything");
    let parts = grouped(&kept, |(w, r)| (*w, r.k, r.g));
    let mut again: BTreeMap<Key, Vec<&Rows>> = BTreeMap::new();
    parts.iter().for_each(|((w, k, _), rows)| again.entry((*w, *k)).or_default().push(rows));
    let line = |((w, k), parts): (&Key, &Vec<&Rows>)| {
        format!(
            r#"{{"k":{},"ws":"{}","we":"{}","parts":{},"hi":{},"s":{}}}"#,
            name(*k),
            time(w.0),
            time(w.1),
            parts.len(),
            or_null(parts.iter().map(|rows| rows.len()).max()),
            or_null(parts.iter().filter_map(|rows| sum(rows)).reduce(|a, b| a + b)),
        )
    };
    assert_eq!(run(&all, HOP_AGAIN).0, sorted(again.iter().map(line)));
    let parts = grouped(&kept, |(w, r)| (*w, r.k));
    let mut whole: BTreeMap<Window, Vec<usize>> = BTreeMap::new();
    parts.iter().for_each(|((w, _), rows)| whole.entry(*w).or_default().push(rows.len()));
    let lines = whole.iter().map(|(w, counts)| {
        let hi = or_null(counts.iter().max());
        format!(r#"{{"window_start":{},"parts":{},"hi":{hi}}}"#, bounds(*w), counts.len())
    });
    assert_eq!(run(&all, HOP_AGAIN_WHOLE).0, sorted(lines));
    let lines = parts.iter().map(|((w, k), rows)| {
        let (n, s) = (rows.len(), or_null(sum(rows)));
        format!(r#"{{"k":{},"window_start":{},"n":{n},"s":{s}}}"#, name(*k), bounds(*w))
    });
    assert_eq!(run(&all, HOP_ROWS), (sorted(lines), late));
}

#[test]
fn rows_of_windows_are_put_into_others() {
    let all = records(240, 1);
    let (kept, _) = timely(&all, hops);
    let mut again: BTreeMap<Window, Vec<usize>> = BTreeMap::new();
    let parts = grouped(&kept, |(w, r)| (*w, r.k));
    parts.iter().for_each(|((w, _), rows)| again.entry(*w).or_default().push(rows.len()));
    let lines = again.iter().map(|((start, end), counts)| {
        let outer = (end - 1).div_euclid(30_000) * 30_000;
        format!(
            r#"{{"ws":"{}","we":"{}","window_start":{},"parts":{},"n":{}}}"#,
            time(*start),
            time(*end),
            bounds((outer, outer + 30_000)),
            counts.len(),
            counts.iter().sum::<usize>(),
        )
    });
    assert_eq!(run(&all, TWO_WINDOWS), (sorted(lines), run(&all, HOP_AGAIN).1));
}

#[test]
fn without_their_window_rows_count_in_each() {
    let all = records(240, 1);
    let lines = grouped(&all, |r| r.k);
    let lines =
        lines.iter().map(|(k, rows)| format!(r#"{{"k":{},"n":{}}}"#, name(*k), 4 * rows.len()));
    assert_eq!(left(&all, HOP_BY_KEY), sorted(lines));
}

/// A session of a key.
pub struct Session<K> {
    key: K,
    pub window: Window,
    /// In their order of arrival.
    pub rows: Vec<Record>,
}

/// All sessions, and how many records came when theirs had fired.
pub fn sessions<K: Ord + Copy>(
    records: &[Record],
    gap: i64,
    key: impl Fn(&Record) -> K,
) -> (Vec<Session<K>>, u64) {
    let (mut open, mut fired, mut late): (Vec<Session<K>>, Vec<Session<K>>, _) =
        (Vec::new(), Vec::new(), 0);
    for (r, mark) in records.iter().zip(watermarks(records)) {
        let (done, still): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|s| s.window.1 - 1 <= mark);
        fired.extend(done);
        let mut own = Session { key: key(r), window: (r.ts, r.ts + gap), rows: vec![*r] };
        let near = |s: &Session<K>| s.window.0 <= r.ts + gap && r.ts <= s.window.1;
        let (merged, rest): (Vec<_>, Vec<_>) =
            still.into_iter().partition(|s| s.key == own.key && near(s));
        open = rest;
        for s in merged {
            own.window = (own.window.0.min(s.window.0), own.window.1.max(s.window.1));
            own.rows.extend(s.rows);
        }
        own.rows.sort_by_key(|r| r.at);
        match own.window.1 - 1 <= mark {
            true => late += 1,
            false => open.push(own),
        }
    }
    fired.extend(open);
    (fired, late)
}

#[test]
fn sessions_are_aggregated_once_more() {
    let all = records(240, 1);
    let (parts, late) = sessions(&all, 3_000, |r| (r.k, r.g));
    let mut again: BTreeMap<(i64, Window), Vec<&Session<_>>> = BTreeMap::new();
    parts.iter().for_each(|s| again.entry((s.key.1, s.window)).or_default().push(s));
    let lines = again.iter().map(|((g, w), parts)| {
        let n: usize = parts.iter().map(|s| s.rows.len()).sum();
        let sums =
            parts.iter().filter_map(|s| s.rows.iter().filter_map(|r| r.v).reduce(|a, b| a + b));
        let (parts, lo) = (parts.len(), or_null(sums.min()));
        format!(r#"{{"g":{g},"window_start":{},"parts":{parts},"n":{n},"lo":{lo}}}"#, bounds(*w))
    });
    assert_eq!(run(&all, SESSION_AGAIN), (sorted(lines), late));
}

/// Windows of 15 s that begin together, one every 3 s.
pub fn cumulating(ts: i64) -> Vec<Window> {
    let start = (ts - 4_000).div_euclid(15_000) * 15_000 + 4_000;
    let all = (1..=5).map(|k| (start, start + k * 3_000));
    all.filter(|window| window.1 > ts).collect()
}

#[test]
fn cumulating_rows_are_those_of_plain_loops() {
    let all = records(240, 1);
    let (kept, dropped) = timely(&all, cumulating);
    let groups = grouped(&kept, |(w, r)| ((*w, r.k), r.g));
    let line = |(((w, k), g), rows): (&(Key, i64), &Rows)| {
        let lo = or_null(rows.iter().filter_map(|(_, r)| r.v).min());
        let (n, s) = (rows.len(), or_null(sum(rows)));
        let (k, w) = (name(*k), bounds(*w));
        format!(r#"{{"k":{k},"g":{g},"window_start":{w},"n":{n},"s":{s},"lo":{lo}}}"#)
    };
    let expected = sorted(groups.iter().map(line));
    // A key fires again at steps at which nothing has come.
    let quiet = groups.iter().filter(|(((w, k), g), rows)| {
        let before = groups.get(&(((w.0, w.1 - 3_000), *k), *g));
        before.is_some_and(|before| before.len() == rows.len())
    });
    assert!(quiet.count() > 20, "some must have nothing new to tell anything");
    // A record is late when all its windows are.
    let fired = |r: &Record, mark: i64| {
        let windows = cumulating(r.ts);
        (windows.iter().filter(|window| window.1 - 1 <= mark).count(), windows.len())
    };
    let fired: Vec<(usize, usize)> =
        all.iter().zip(watermarks(&all)).map(|(r, mark)| fired(r, mark)).collect();
    let late = fired.iter().filter(|(fired, all)| fired == all).count() as u64;
    let partly = fired.iter().filter(|(fired, all)| *fired > 0 && fired < all).count();
    assert!(late > 3 && partly > 3, "{late} must be late, and {partly} for some windows only");
    assert_eq!(run(&all, CUMULATING), (expected.clone(), late));
    assert_eq!(run(&all, CUMULATING_ROWS), (expected, dropped));
    let whole = |ts: i64| {
        let start = ts.div_euclid(20_000) * 20_000;
        let ends = (1..=20).map(|k| start + k * 1_000).filter(|end| *end > ts);
        ends.map(|end| (start, end)).collect()
    };
    let kept = timely(&all, whole).0.into_iter().filter(|(_, r)| r.k == Some('a'));
    let lines = grouped(&kept.collect::<Vec<_>>(), |(w, _)| *w);
    let lines = lines.iter().map(|(w, rows)| {
        let vs: BTreeSet<i64> = rows.iter().filter_map(|(_, r)| r.v).collect();
        format!(r#"{{"window_start":{},"vs":{}}}"#, bounds(*w), vs.len())
    });
    // The watermark is that of all records.
    assert_eq!(run(&all, CUMULATING_WHOLE).0, sorted(lines));
}

#[test]
fn rows_are_put_into_all_windows_that_cumulate() {
    let all = records(240, 1);
    let rows = all.iter().filter(|r| r.g == 1).flat_map(|r| {
        let line = |w| {
            let (k, v) = (name(r.k), or_null(r.v));
            format!(r#"{{"k":{k},"v":{v},"window_start":{}}}"#, bounds(w))
        };
        cumulating(r.ts).into_iter().map(line).collect::<Vec<_>>()
    });
    assert_eq!(run(&all, CUMULATED), (sorted(rows), 0));
}

fn session_row(r: &Record, window: Window) -> String {
    let (k, v, ts) = (name(r.k), or_null(r.v), time(r.ts));
    format!(r#"{{"k":{k},"v":{v},"ts":"{ts}","window_start":{}}}"#, bounds(window))
}

#[test]
fn rows_of_a_session_leave_with_its_bounds() {
    let all = records(240, 1);
    let (found, late) = sessions(&all, 2_000, |r| r.k);
    assert!(late > 3 && found.iter().any(|s| s.rows.len() > 3));
    let lines = found.iter().flat_map(|s| s.rows.iter().map(|r| session_row(r, s.window)));
    assert_eq!(run(&all, SESSION_ROWS), (sorted(lines), late));
    let pairs = found.iter().filter(|s| s.key.is_some()).flat_map(|s| {
        let n = s.rows.len();
        s.rows.iter().map(move |r| (name(r.k), or_null(r.v), n))
    });
    let lines = pairs.map(|(k, v, n)| format!(r#"{{"k":{k},"v":{v},"n":{n}}}"#));
    assert_eq!(left(&all, SESSION_JOINED), sorted(lines));
    let rows: Vec<(Window, Record)> =
        found.iter().flat_map(|s| s.rows.iter().map(|r| (s.window, *r))).collect();
    let lines = grouped(&rows, |(w, r)| (*w, r.g));
    let lines = lines.iter().map(|((w, g), rows)| {
        format!(r#"{{"g":{g},"window_start":{},"n":{}}}"#, bounds(*w), rows.len())
    });
    assert_eq!(run(&all, SESSION_BY_OTHERS), (sorted(lines), late));
    let (found, late) = sessions(&all, 1_000, |_| ());
    assert!(found.len() > 8);
    let kept = found.iter().flat_map(|s| s.rows.iter().map(|r| (r, s.window)));
    let lines = kept.filter(|(r, _)| r.v.is_some_and(|v| v > 4)).map(|(r, w)| session_row(r, w));
    assert_eq!(run(&all, SESSION_ROWS_WHOLE), (sorted(lines), late));
}

/// The order in which rows leave, for whoever computes with them.
#[test]
fn rows_of_a_session_leave_in_their_order_of_arrival() {
    let all = records(240, 1);
    let script = "CREATE VIEW s AS SELECT v, ts FROM TABLE(SESSION(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND));\n\
        SELECT COUNT(*) AS n, SUM(v) AS s FROM s;";
    let found = sessions(&all, 1_000, |_| ()).0;
    let mut rows = found.iter().collect::<Vec<_>>();
    rows.sort_by_key(|s| s.window.1);
    let (mut n, mut s, mut expected) = (0, None, Vec::new());
    for r in rows.iter().flat_map(|session| &session.rows) {
        (n, s) = (n + 1, r.v.map_or(s, |v| Some(s.unwrap_or(0) + v)));
        expected.push((n, s));
    }
    let (tables, _) = tables(&scenario(&all, script), &options(2, 7));
    let found: Vec<(i64, Option<i64>)> = tables[0]
        .rows
        .iter()
        .filter(|(kind, ..)| matches!(kind.symbol(), "+I" | "+U"))
        .map(|(_, _, row)| match row.as_slice() {
            [Value::BigInt(n), Value::BigInt(s)] => (*n, Some(*s)),
            [Value::BigInt(n), Value::Int(s)] => (*n, Some(i64::from(*s))),
            _ => (0, None),
        })
        .collect();
    assert_eq!(found, expected);
}
