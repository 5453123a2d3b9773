//! Window joins: what plain loops over the rows of each window give.

use std::collections::BTreeMap;

use crate::changelog::{left, sorted};
use crate::drivers::watermarks;
use crate::joins::{both, name, outer};
use crate::stream::{Record, or_null, records, time};

const ROWS: &str = "CREATE VIEW l AS SELECT k, v, window_start AS ws, window_end AS we \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) WHERE g = 0;\n\
    CREATE VIEW r AS SELECT k, v, window_start AS ws, window_end AS we \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) WHERE g = 1;\n";

const INNER: &str = "SELECT l.k, l.v, r.v AS w, l.we FROM l JOIN r \
    ON l.k = r.k AND l.ws = r.ws AND l.we = r.we AND l.v <> r.v;";
const LEFT: &str = "SELECT l.k, l.v, r.v AS w, l.we FROM l LEFT JOIN r \
    ON l.k = r.k AND l.ws = r.ws AND l.we = r.we AND l.v < r.v;";
const RIGHT: &str = "SELECT r.k, l.v, r.v AS w, r.we FROM l RIGHT JOIN r \
    ON l.k = r.k AND l.ws = r.ws AND l.we = r.we AND l.v < r.v AND r.v > 2;";
const FULL: &str = "SELECT COALESCE(l.k, r.k) AS k, l.v, r.v AS w, COALESCE(l.we, r.we) AS we \
    FROM l FULL JOIN r ON l.k = r.k AND l.v = r.v AND l.ws = r.ws AND l.we = r.we;";
const SEMI: &str = "SELECT k, v, CAST(NULL AS INT) AS w, we FROM l WHERE v IN \
    (SELECT v FROM r WHERE l.ws = r.ws AND l.we = r.we AND l.k < r.k);";
const ANTI: &str = "SELECT k, v, CAST(NULL AS INT) AS w, we FROM l WHERE NOT EXISTS \
    (SELECT * FROM r WHERE l.ws = r.ws AND l.we = r.we AND l.k = r.k AND l.v >= r.v);";

const COUNTS: &str = "CREATE VIEW l AS SELECT k, window_start, window_end, window_time, COUNT(*) AS n \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) WHERE g = 0 \
    GROUP BY k, window_start, window_end, window_time;\n\
    CREATE VIEW r AS SELECT k, window_start, window_end, COUNT(*) AS n \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) WHERE g = 1 \
    GROUP BY k, window_start, window_end;\n\
    CREATE VIEW j AS SELECT l.k, l.n, r.n AS m, l.window_time AS closed FROM l LEFT JOIN r \
    ON l.k = r.k AND l.window_start = r.window_start AND l.window_end = r.window_end;\n\
    SELECT window_end, COUNT(*) AS ks, SUM(n) AS n, SUM(m) AS m \
    FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(closed), INTERVAL '20' SECONDS)) \
    GROUP BY window_start, window_end;";

/// The whole script of one of them.
fn script(join: &str) -> String {
    format!("{ROWS}{join}")
}

/// All of them, for the drivers to agree on.
pub fn scripts() -> Vec<(&'static str, String)> {
    let mut all = vec![("windows joined and aggregated", COUNTS.to_owned())];
    let named = [
        ("window join", INNER),
        ("left window join", LEFT),
        ("right window join", RIGHT),
        ("full window join", FULL),
        ("semi window join", SEMI),
        ("anti window join", ANTI),
    ];
    all.extend(named.into_iter().map(|(name, join)| (name, script(join))));
    all
}

/// The records that are not late, of either side, by the end of their window.
fn windows(all: &[Record]) -> BTreeMap<i64, [Vec<Record>; 2]> {
    let mut windows: BTreeMap<i64, [Vec<Record>; 2]> = BTreeMap::new();
    for (r, watermark) in all.iter().zip(watermarks(all)) {
        let end = (r.ts.div_euclid(10_000) + 1) * 10_000;
        if end - 1 > watermark {
            windows.entry(end).or_default()[r.g as usize].push(*r);
        }
    }
    windows
}

/// The lines of a join of each window, which keeps rows of the left or right without a partner.
fn expected(
    all: &[Record],
    kept: [bool; 2],
    partners: impl Fn(&Record, &Record) -> bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (end, [l, r]) in windows(all) {
        for (a, b) in outer(&l, &r, kept, &partners) {
            let k = a.or(b).and_then(|r| r.k);
            lines.push(line(k, a.and_then(|a| a.v), b.and_then(|b| b.v), end));
        }
    }
    sorted(lines.into_iter())
}

fn line(k: Option<char>, v: Option<i64>, w: Option<i64>, end: i64) -> String {
    let end = time(end);
    format!(r#"{{"k":{},"v":{},"w":{},"we":"{end}"}}"#, name(k), or_null(v), or_null(w))
}

#[test]
fn windows_meet_when_they_close() {
    let all = records(240, 1);
    let keys = |a: &Record, b: &Record| both(a.k, b.k, |a, b| a == b);
    let values = |a: &Record, b: &Record, is: fn(i64, i64) -> bool| both(a.v, b.v, is);
    let inner = expected(&all, [false, false], |a, b| keys(a, b) && values(a, b, |a, b| a != b));
    assert_eq!(left(&all, &script(INNER)), inner);
    let partners = |a: &Record, b: &Record| keys(a, b) && values(a, b, |a, b| a < b);
    assert_eq!(left(&all, &script(LEFT)), expected(&all, [true, false], partners));
    let partners = |a: &Record, b: &Record| partners(a, b) && b.v.is_some_and(|v| v > 2);
    assert_eq!(left(&all, &script(RIGHT)), expected(&all, [false, true], partners));
    let partners = |a: &Record, b: &Record| keys(a, b) && values(a, b, |a, b| a == b);
    let full = expected(&all, [true, true], partners);
    assert_eq!(left(&all, &script(FULL)), full);
    assert!(full.len() > inner.len() / 4 && inner.len() > 20, "{} {}", full.len(), inner.len());
}

#[test]
fn rows_of_a_window_have_a_partner_in_it_or_none() {
    let all = records(240, 1);
    let chosen = |keep: &dyn Fn(&Record, &[Record]) -> bool| {
        let windows = windows(&all);
        let rows = windows.iter().flat_map(|(end, [l, r])| {
            l.iter().filter(|a| keep(a, r)).map(|a| line(a.k, a.v, None, *end))
        });
        sorted(rows.collect::<Vec<_>>().into_iter())
    };
    let semi = |a: &Record, r: &[Record]| {
        r.iter().any(|b| both(a.v, b.v, |a, b| a == b) && both(a.k, b.k, |a, b| a < b))
    };
    assert_eq!(left(&all, &script(SEMI)), chosen(&semi));
    let anti = |a: &Record, r: &[Record]| {
        !r.iter().any(|b| both(a.k, b.k, |a, b| a == b) && both(a.v, b.v, |a, b| a >= b))
    };
    assert_eq!(left(&all, &script(ANTI)), chosen(&anti));
}

#[test]
fn joined_windows_are_aggregated_again() {
    let all = records(240, 1);
    let mut twenties: BTreeMap<i64, (usize, usize, Option<usize>)> = BTreeMap::new();
    for (end, [l, r]) in windows(&all) {
        let mut counts: BTreeMap<Option<char>, [usize; 2]> = BTreeMap::new();
        l.iter().for_each(|a| counts.entry(a.k).or_default()[0] += 1);
        r.iter().for_each(|b| counts.entry(b.k).or_default()[1] += 1);
        for (k, [n, m]) in counts.into_iter().filter(|(_, [n, _])| *n > 0) {
            let all = twenties.entry((end + 19_999) / 20_000 * 20_000).or_default();
            let m = Some(m).filter(|&m| m > 0 && k.is_some());
            *all = (all.0 + 1, all.1 + n, m.map_or(all.2, |m| Some(all.2.unwrap_or(0) + m)));
        }
    }
    let line = |(end, (ks, n, m)): (i64, (usize, usize, Option<usize>))| {
        let (end, m) = (time(end), or_null(m));
        format!(r#"{{"window_end":"{end}","ks":{ks},"n":{n},"m":{m}}}"#)
    };
    assert_eq!(left(&all, COUNTS), sorted(twenties.into_iter().map(line)));
}

/// A window closes when the watermark reaches its last millisecond, not before and not later.
#[test]
fn a_window_closes_at_its_last_millisecond() {
    let record = |at: i64, g: i64, ts: i64| Record {
        at,
        partition: 0,
        k: Some('a'),
        g,
        v: Some(ts.rem_euclid(10)),
        ts,
    };
    // The watermark is 4 s behind: the third record takes it to the last millisecond but one, the fifth on.
    let begin = 1_714_521_600_000;
    let all = [
        record(begin, 0, begin),
        record(begin + 1, 1, begin + 1),
        record(begin + 2, 0, begin + 13_998),
        record(begin + 3, 1, begin + 2),
        record(begin + 4, 0, begin + 13_999),
        record(begin + 5, 1, begin + 3),
    ];
    let pairs: Vec<String> =
        [1, 2].iter().map(|&w| line(Some('a'), Some(0), Some(w), begin + 10_000)).collect();
    assert_eq!(left(&all, &script(INNER)), pairs);
    let lonely = [1, 2].map(|w| line(Some('a'), None, Some(w), begin + 10_000));
    assert_eq!(left(&all, &script(RIGHT)), lonely);
}
