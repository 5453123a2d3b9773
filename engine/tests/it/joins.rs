//! Joins that keep their inputs whole: what they leave is what nested loops over all rows at once give.

use std::collections::BTreeMap;

use crate::changelog::{groups, left, sorted};
use crate::stream::{Record, or_null, records};

const INNER: &str = "SELECT a.k, a.v, b.v AS w FROM t a JOIN t b \
    ON a.k = b.k AND a.g = 0 AND b.g = 1 AND a.v < b.v;";

const LEFT: &str = "SELECT a.k, a.v, b.v AS w FROM t a LEFT JOIN t b \
    ON a.k = b.k AND a.v = b.v AND a.g = 0 AND b.g = 1;";

const RIGHT: &str = "SELECT a.k, a.v, b.v AS w FROM t a RIGHT JOIN t b \
    ON a.k = b.k AND a.v + 1 < b.v AND a.g = 0;";

const FULL: &str = "CREATE VIEW l AS SELECT k, v FROM t WHERE g = 0;\n\
    CREATE VIEW r AS SELECT k, v FROM t WHERE g = 1;\n\
    SELECT l.k, l.v, r.k AS rk, r.v AS w FROM l FULL JOIN r ON l.k = r.k AND l.v > r.v + 3;";

const CROSS: &str = "SELECT a.v, b.v AS w FROM t a, t b WHERE a.v + b.v = 15 AND a.g < b.g;";

/// Both sides change all the time.
const CHANGES: &str = "CREATE VIEW per_key AS SELECT k, COUNT(*) AS n, MAX(v) AS hi FROM t WHERE g = 0 GROUP BY k;\n\
    CREATE VIEW other AS SELECT k, v, COUNT(*) AS n FROM t WHERE g = 1 GROUP BY k, v;\n\
    SELECT per_key.k, per_key.n, other.v, other.n AS m \
    FROM per_key FULL JOIN other ON per_key.k = other.k AND other.v < per_key.hi;";

/// What a key is changes: rows move from one subtask to another.
const KEYS_CHANGE: &str = "CREATE VIEW per_key AS SELECT k, COUNT(*) AS n FROM t WHERE g = 0 GROUP BY k;\n\
    CREATE VIEW per_value AS SELECT v, COUNT(*) AS n FROM t WHERE g = 1 GROUP BY v;\n\
    SELECT per_key.k, per_value.v, per_key.n FROM per_key LEFT JOIN per_value ON per_key.n = per_value.n;";

const AGGREGATED: &str = "CREATE VIEW j AS SELECT a.k, a.v, b.v AS w FROM t a LEFT JOIN t b \
    ON a.k = b.k AND a.v < b.v AND b.g = 1;\n\
    SELECT k, COUNT(*) AS n, COUNT(w) AS some, SUM(w) AS s, MIN(w) AS lo FROM j GROUP BY k;";

const THREE: &str = "CREATE VIEW l AS SELECT k, v FROM t WHERE g = 0;\n\
    SELECT a.v, b.v AS w, c.n FROM l a LEFT JOIN (SELECT v FROM t WHERE g = 1 AND v > 4) b ON a.v = b.v \
    JOIN (SELECT v, COUNT(*) AS n FROM t GROUP BY v) c ON a.v = c.v WHERE a.k = 'a';";

const IN: &str =
    "SELECT k, v, g FROM t WHERE v > 2 AND v IN (SELECT v FROM t WHERE g = 1 AND k = 'b');";

const IN_CHANGES: &str = "SELECT k, v FROM t WHERE v IN (SELECT MOD(n, 10) FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) c);";

const NOT_IN: &str =
    "SELECT k, v, g FROM t WHERE NOT (v IN (SELECT v FROM t WHERE k = 'b' AND v < 5));";

/// A NULL among them: whether a value is among them is not known.
const NOT_IN_NULL: &str = "SELECT k, v FROM t WHERE v NOT IN (SELECT v FROM t WHERE k = 'b');";

const EXISTS: &str = "SELECT a.k, a.v, a.g FROM t a WHERE a.g = 0 \
    AND EXISTS (SELECT 1 FROM t b WHERE b.k = a.k AND b.v > a.v AND b.g = 1) AND a.v < 9;";

const NOT_EXISTS: &str = "SELECT a.k, a.v, a.g FROM t a \
    WHERE NOT EXISTS (SELECT * FROM t b WHERE b.k = a.k AND b.v > a.v AND b.g = 1);";

const NOT_EXISTS_CHANGES: &str = "CREATE VIEW c AS SELECT k, COUNT(*) AS n FROM t GROUP BY k;\n\
    CREATE VIEW d AS SELECT v, COUNT(*) AS n FROM t GROUP BY v;\n\
    SELECT c.k, c.n FROM c WHERE NOT EXISTS (SELECT 1 FROM d WHERE d.n + 20 > c.n AND d.v > 3);";

const LEFT_WITHIN: &str = "CREATE VIEW l AS SELECT k, v, ts FROM t WHERE g = 0;\n\
    CREATE VIEW r AS SELECT k, v, ts FROM t WHERE g = 1;\n\
    SELECT l.k, l.v, r.v AS w, l.ts, r.ts AS rts FROM l LEFT JOIN r ON l.k = r.k AND l.v <> r.v \
    AND l.ts BETWEEN r.ts - INTERVAL '1' SECOND AND r.ts + INTERVAL '2' SECOND;";

const FULL_WITHIN: &str = "CREATE VIEW l AS SELECT k, v, ts FROM t WHERE g = 0;\n\
    CREATE VIEW r AS SELECT k, v, ts FROM t WHERE g = 1;\n\
    SELECT COALESCE(l.k, r.k) AS k, l.v, r.v AS w, l.ts, r.ts AS rts FROM l FULL JOIN r ON r.k = l.k \
    AND r.ts >= l.ts + INTERVAL '1' SECOND AND r.ts < l.ts + INTERVAL '5' SECOND AND l.v < 8;";

/// The time of the side that is kept is a time attribute still: no row is late behind it.
const WINDOWS_OF_KEPT: &str = "CREATE VIEW l AS SELECT k, v, ts FROM t WHERE g = 0;\n\
    CREATE VIEW r AS SELECT k, v, ts FROM t WHERE g = 1;\n\
    CREATE VIEW j AS SELECT r.k, l.v, r.ts FROM l RIGHT JOIN r ON r.k = l.k \
    AND l.ts BETWEEN r.ts - INTERVAL '3' SECOND AND r.ts + INTERVAL '6' SECOND;\n\
    SELECT k, window_end, COUNT(*) AS n, COUNT(v) AS vs \
    FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(ts), INTERVAL '5' SECONDS)) \
    GROUP BY k, window_start, window_end;";

/// All of them, for the drivers to agree on.
pub const SCRIPTS: [(&str, &str); 18] = [
    ("left join within an interval", LEFT_WITHIN),
    ("full join within an interval", FULL_WITHIN),
    ("windows of a right join", WINDOWS_OF_KEPT),
    ("in", IN),
    ("in changes", IN_CHANGES),
    ("not in", NOT_IN),
    ("exists", EXISTS),
    ("not exists", NOT_EXISTS),
    ("not exists in changes", NOT_EXISTS_CHANGES),
    ("regular join", INNER),
    ("left join", LEFT),
    ("right join", RIGHT),
    ("full join", FULL),
    ("cross join", CROSS),
    ("join of changes", CHANGES),
    ("join by changing keys", KEYS_CHANGE),
    ("aggregated join", AGGREGATED),
    ("three joined", THREE),
];

pub fn name(k: Option<char>) -> String {
    or_null(k.map(|k| format!("\"{k}\"")))
}

/// Whether two values are there and fulfil something.
pub fn both<T>(a: Option<T>, b: Option<T>, is: impl Fn(T, T) -> bool) -> bool {
    a.zip(b).is_some_and(|(a, b)| is(a, b))
}

/// Pairs, and with `kept` the rows of a side without a partner.
pub fn outer<'a, A, B>(
    left: &'a [A],
    right: &'a [B],
    kept: [bool; 2],
    partners: impl Fn(&A, &B) -> bool,
) -> Vec<(Option<&'a A>, Option<&'a B>)> {
    let mut all = Vec::new();
    for a in left {
        all.extend(right.iter().filter(|b| partners(a, b)).map(|b| (Some(a), Some(b))));
        if kept[0] && !right.iter().any(|b| partners(a, b)) {
            all.push((Some(a), None));
        }
    }
    let lonely = |b: &&B| !left.iter().any(|a| partners(a, b));
    if kept[1] {
        all.extend(right.iter().filter(lonely).map(|b| (None, Some(b))));
    }
    all
}

fn of(records: &[Record], g: i64) -> Vec<Record> {
    records.iter().copied().filter(|r| r.g == g).collect()
}

type Pair<'a> = (Option<&'a Record>, Option<&'a Record>);

fn kvw((a, b): Pair<'_>) -> String {
    let (v, w) = (a.and_then(|a| a.v), b.and_then(|b| b.v));
    format!(r#"{{"k":{},"v":{},"w":{}}}"#, name(a.and_then(|a| a.k)), or_null(v), or_null(w))
}

#[test]
fn pairs_and_rows_without_a_partner() {
    let all = records(160, 2);
    let partners = |a: &Record, b: &Record| {
        a.g == 0 && b.g == 1 && both(a.k, b.k, |a, b| a == b) && both(a.v, b.v, |a, b| a < b)
    };
    let expected = outer(&all, &all, [false, false], partners);
    assert_eq!(left(&all, INNER), sorted(expected.into_iter().map(kvw)));
    let partners = |a: &Record, b: &Record| {
        a.g == 0 && b.g == 1 && both(a.k, b.k, |a, b| a == b) && both(a.v, b.v, |a, b| a == b)
    };
    let expected = outer(&all, &all, [true, false], partners);
    assert_eq!(left(&all, LEFT), sorted(expected.into_iter().map(kvw)));
    let partners = |a: &Record, b: &Record| {
        a.g == 0 && both(a.k, b.k, |a, b| a == b) && both(a.v, b.v, |a, b| a + 1 < b)
    };
    let expected = outer(&all, &all, [false, true], partners);
    assert_eq!(left(&all, RIGHT), sorted(expected.into_iter().map(kvw)));
    let (l, r) = (of(&all, 0), of(&all, 1));
    let partners =
        |a: &Record, b: &Record| both(a.k, b.k, |a, b| a == b) && both(a.v, b.v, |a, b| a > b + 3);
    let line = |(a, b): Pair<'_>| {
        let of = |r: Option<&Record>| (name(r.and_then(|r| r.k)), or_null(r.and_then(|r| r.v)));
        let ((k, v), (rk, w)) = (of(a), of(b));
        format!(r#"{{"k":{k},"v":{v},"rk":{rk},"w":{w}}}"#)
    };
    let expected = outer(&l, &r, [true, true], partners);
    assert!(expected.iter().any(|p| p.0.is_none()) && expected.iter().any(|p| p.1.is_none()));
    assert_eq!(left(&all, FULL), sorted(expected.into_iter().map(line)));
}

#[test]
fn without_a_key_every_row_meets_every_other() {
    let all = records(100, 2);
    let partners = |a: &Record, b: &Record| a.g < b.g && both(a.v, b.v, |a, b| a + b == 15);
    let pairs = outer(&all, &all, [false, false], partners);
    let line = |(a, b): Pair<'_>| {
        let v = |r: Option<&Record>| or_null(r.and_then(|r| r.v));
        format!(r#"{{"v":{},"w":{}}}"#, v(a), v(b))
    };
    assert_eq!(left(&all, CROSS), sorted(pairs.into_iter().map(line)));
}

#[test]
fn rows_that_change_change_their_pairs() {
    let all = records(160, 2);
    let of_keys: Vec<_> = groups(&of(&all, 0), |r| r.k).into_iter().collect();
    let others: Vec<_> = groups(&of(&all, 1), |r| (r.k, r.v)).into_iter().collect();
    type Key = (Option<char>, Vec<Record>);
    type Other = ((Option<char>, Option<i64>), Vec<Record>);
    let partners = |a: &Key, b: &Other| {
        let hi = a.1.iter().filter_map(|r| r.v).max();
        both(a.0, b.0.0, |a, b| a == b) && both(b.0.1, hi, |v, hi| v < hi)
    };
    let line = |(a, b): (Option<&Key>, Option<&Other>)| {
        format!(
            r#"{{"k":{},"n":{},"v":{},"m":{}}}"#,
            name(a.and_then(|a| a.0)),
            or_null(a.map(|a| a.1.len())),
            or_null(b.and_then(|b| b.0.1)),
            or_null(b.map(|b| b.1.len())),
        )
    };
    let expected = outer(&of_keys, &others, [true, true], partners);
    assert_eq!(left(&all, CHANGES), sorted(expected.into_iter().map(line)));
    let values: Vec<_> = groups(&of(&all, 1), |r| r.v).into_iter().collect();
    let expected = outer(&of_keys, &values, [true, false], |a, b| a.1.len() == b.1.len());
    type Value = (Option<i64>, Vec<Record>);
    let line = |(a, b): (Option<&Key>, Option<&Value>)| {
        let (k, n) = a.map_or((None, 0), |a| (a.0, a.1.len()));
        format!(r#"{{"k":{},"v":{},"n":{n}}}"#, name(k), or_null(b.and_then(|b| b.0)))
    };
    assert_eq!(left(&all, KEYS_CHANGE), sorted(expected.into_iter().map(line)));
}

#[test]
fn joined_rows_are_aggregated_and_joined_again() {
    let all = records(160, 2);
    let partners = |a: &Record, b: &Record| {
        b.g == 1 && both(a.k, b.k, |a, b| a == b) && both(a.v, b.v, |a, b| a < b)
    };
    let mut by_key: BTreeMap<Option<char>, Vec<Option<i64>>> = BTreeMap::new();
    for (a, b) in outer(&all, &all, [true, false], partners) {
        by_key.entry(a.and_then(|a| a.k)).or_default().push(b.and_then(|b| b.v));
    }
    let lines = by_key.into_iter().map(|(k, ws)| {
        let some = || ws.iter().flatten();
        let sum = some().copied().reduce(|a, b| a + b);
        format!(
            r#"{{"k":{},"n":{},"some":{},"s":{},"lo":{}}}"#,
            name(k),
            ws.len(),
            some().count(),
            or_null(sum),
            or_null(some().min()),
        )
    });
    assert_eq!(left(&all, AGGREGATED), sorted(lines));
    let l: Vec<Record> = of(&all, 0).into_iter().filter(|r| r.k == Some('a')).collect();
    let r: Vec<Record> = of(&all, 1).into_iter().filter(|r| r.v.is_some_and(|v| v > 4)).collect();
    let counts = groups(&all, |r| r.v);
    let mut expected = Vec::new();
    for (a, b) in outer(&l, &r, [true, false], |a, b| both(a.v, b.v, |a, b| a == b)) {
        if let Some(v) = a.and_then(|a| a.v) {
            let (w, n) = (or_null(b.and_then(|b| b.v)), counts[&Some(v)].len());
            expected.push(format!(r#"{{"v":{v},"w":{w},"n":{n}}}"#));
        }
    }
    assert_eq!(left(&all, THREE), sorted(expected.into_iter()));
}

fn kvg(r: &Record) -> String {
    format!(r#"{{"k":{},"v":{},"g":{}}}"#, name(r.k), or_null(r.v), r.g)
}

#[test]
fn rows_with_a_partner_and_without() {
    let all = records(160, 2);
    let lines = |keep: &dyn Fn(&Record) -> bool| {
        sorted(all.iter().filter(|r| keep(r)).map(kvg).collect::<Vec<_>>().into_iter())
    };
    let of_b: Vec<Option<i64>> =
        all.iter().filter(|r| r.g == 1 && r.k == Some('b')).map(|r| r.v).collect();
    let is_in = |r: &Record| r.v.is_some() && of_b.contains(&r.v);
    assert_eq!(left(&all, IN), lines(&|r| r.v.is_some_and(|v| v > 2) && is_in(r)));
    let small: Vec<i64> = groups(&all, |r| r.k)[&Some('b')].iter().filter_map(|r| r.v).collect();
    let is_small = |v: i64| v < 5 && small.contains(&v);
    assert_eq!(left(&all, NOT_IN), lines(&|r| r.v.is_some_and(|v| !is_small(v))));
    let better = |a: &Record| {
        let meets = |b: &Record| both(a.k, b.k, |a, b| a == b) && both(a.v, b.v, |a, b| b > a);
        all.iter().any(|b| b.g == 1 && meets(b))
    };
    let few = |r: &Record| r.g == 0 && better(r) && r.v.is_some_and(|v| v < 9);
    assert_eq!(left(&all, EXISTS), lines(&few));
    assert_eq!(left(&all, NOT_EXISTS), lines(&|r| !better(r)));
    assert!(all.iter().any(|r| r.k == Some('b') && r.v.is_none()));
    assert!(left(&all, NOT_IN_NULL).is_empty());
    let counts: Vec<_> = groups(&all, |r| r.k).into_iter().collect();
    let sizes: Vec<i64> = counts.iter().map(|(_, rows)| rows.len() as i64 % 10).collect();
    let some = all.iter().filter(|r| r.v.is_some_and(|v| sizes.contains(&v)));
    let line = |r: &Record| format!(r#"{{"k":{},"v":{}}}"#, name(r.k), or_null(r.v));
    assert_eq!(left(&all, IN_CHANGES), sorted(some.map(line)));
    let values = groups(&all, |r| r.v);
    let lonely =
        |n: usize| !values.iter().any(|(v, rows)| v.is_some_and(|v| v > 3) && rows.len() + 20 > n);
    let some = counts.iter().filter(|(_, rows)| lonely(rows.len()));
    let line = |(k, rows): &(Option<char>, Vec<Record>)| {
        format!(r#"{{"k":{},"n":{}}}"#, name(*k), rows.len())
    };
    assert_eq!(left(&all, NOT_EXISTS_CHANGES), sorted(some.map(line)));
}

/// The records that are not late.
fn in_time(all: &[Record]) -> Vec<Record> {
    let marks = crate::drivers::watermarks(all);
    all.iter().zip(marks).filter(|(r, mark)| r.ts >= *mark).map(|(r, _)| *r).collect()
}

#[test]
fn within_an_interval_rows_stay_alone_only_when_it_is_certain() {
    let all = records(240, 1);
    let some = in_time(&all);
    assert!(some.len() < all.len());
    let (l, r) = (of(&some, 0), of(&some, 1));
    let line = |(a, b): Pair<'_>| {
        let text =
            |r: Option<&Record>| or_null(r.map(|r| format!("\"{}\"", crate::stream::time(r.ts))));
        format!(
            r#"{{"k":{},"v":{},"w":{},"ts":{},"rts":{}}}"#,
            name(a.or(b).and_then(|r| r.k)),
            or_null(a.and_then(|a| a.v)),
            or_null(b.and_then(|b| b.v)),
            text(a),
            text(b),
        )
    };
    let keys = |a: &Record, b: &Record| both(a.k, b.k, |a, b| a == b);
    let partners = |a: &Record, b: &Record| {
        keys(a, b) && both(a.v, b.v, |a, b| a != b) && (b.ts - 1_000..=b.ts + 2_000).contains(&a.ts)
    };
    let expected = outer(&l, &r, [true, false], partners);
    assert!(expected.iter().filter(|p| p.1.is_none()).count() > 10, "some stay alone");
    // Who is behind the watermark is left out.
    let left = |all: &[Record], script: &str| {
        left(all, &format!("SET 'highwater.late.by' = 'record';\n{script}"))
    };
    assert_eq!(left(&all, LEFT_WITHIN), sorted(expected.into_iter().map(line)));
    let partners = |a: &Record, b: &Record| {
        let near = (a.ts + 1_000..a.ts + 5_000).contains(&b.ts);
        keys(a, b) && near && a.v.is_some_and(|v| v < 8)
    };
    let expected = outer(&l, &r, [true, true], partners);
    assert_eq!(left(&all, FULL_WITHIN), sorted(expected.into_iter().map(line)));
    let partners =
        |a: &Record, b: &Record| keys(a, b) && (b.ts - 3_000..=b.ts + 6_000).contains(&a.ts);
    let mut windows: BTreeMap<(String, i64), [usize; 2]> = BTreeMap::new();
    for (a, b) in outer(&l, &r, [false, true], partners) {
        let b = b.expect("the right is kept");
        let end = (b.ts.div_euclid(5_000) + 1) * 5_000;
        let counts = windows.entry((name(b.k), end)).or_default();
        counts[0] += 1;
        counts[1] += usize::from(a.and_then(|a| a.v).is_some());
    }
    let line = |((k, end), [n, vs]): ((String, i64), [usize; 2])| {
        let end = crate::stream::time(end);
        format!(r#"{{"k":{k},"window_end":"{end}","n":{n},"vs":{vs}}}"#)
    };
    assert_eq!(left(&all, WINDOWS_OF_KEPT), sorted(windows.into_iter().map(line)));
}

/// A join holds its watermark back. What meets its rows has heard of the same source: that falls silent and speaks
/// again on both ways at once, and no row of the join is late for it.
#[test]
fn a_source_that_falls_silent_makes_no_joined_row_late() {
    let pairs = "SELECT b.k, b.v, b.ts FROM t a JOIN t b ON a.k = b.k \
        AND a.ts BETWEEN b.ts - INTERVAL '2' SECOND AND b.ts + INTERVAL '9' SECOND";
    let orders = [
        format!("{pairs} UNION ALL SELECT k, v, ts FROM t"),
        format!("SELECT k, v, ts FROM t UNION ALL {pairs}"),
    ];
    // Each record is a silence away from the next one.
    let all: Vec<Record> = records(240, 1).into_iter().filter(|r| r.at % 2 == 0).collect();
    for rows in orders {
        let script = format!(
            "CREATE VIEW u AS {rows};\nSELECT k, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE u, \
             DESCRIPTOR(ts), INTERVAL '2' SECONDS)) GROUP BY k, window_start, window_end;"
        );
        let expected = left(&all, &script);
        assert!(expected.len() > 40, "{}", expected.len());
        for timeout in ["1 ms", "300 ms", "2 s"] {
            let silent = format!("SET 'table.exec.source.idle-timeout' = '{timeout}';\n{script}");
            assert_eq!(left(&all, &silent), expected, "{timeout}: {rows}");
        }
    }
}
