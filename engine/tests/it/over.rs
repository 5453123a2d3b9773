//! OVER: each row with aggregates of the rows before it. What plain loops say that compute every frame anew
//! from all rows that have left.

use std::collections::{BTreeMap, BTreeSet};

use highwater_engine::batch::RowKind;

use crate::drivers::{options, tables, watermarks};
use crate::stream::{Record, or_null, records, scenario, time};

const ROWS: &str = "SELECT k, g, v, ts, COUNT(*) OVER w AS n, COUNT(v) OVER w AS nv, SUM(v) OVER w AS s, \
    AVG(v) OVER w AS a, MIN(v) OVER w AS lo, MAX(v) OVER w AS hi, COUNT(DISTINCT v) OVER w AS d, \
    SUM(v) FILTER (WHERE g = 1) OVER w AS f FROM t \
    WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW);";

const RANGE: &str = "SELECT g, ts, v + MAX(v) OVER (PARTITION BY g ORDER BY ts RANGE BETWEEN \
    INTERVAL '6' SECOND PRECEDING AND CURRENT ROW) AS m, COUNT(DISTINCT k) OVER (PARTITION BY t.g \
    ORDER BY t.ts RANGE INTERVAL '6' SECOND PRECEDING) AS d, SUM(v) OVER (PARTITION BY g ORDER BY ts ASC \
    RANGE BETWEEN INTERVAL '6' SECOND PRECEDING AND CURRENT ROW) AS s FROM t WHERE v IS NULL OR v < 9;";

/// A partition is silent for longer than its frame is long.
const FORGETFUL: &str = "SELECT v, k, ts, COUNT(*) OVER (PARTITION BY v, k ORDER BY ts RANGE BETWEEN \
    INTERVAL '1' SECOND PRECEDING AND CURRENT ROW) AS n FROM t;";

const ALL_BEFORE: &str = "SELECT k, v, ts, MIN(v) OVER (ORDER BY ts) AS lo, SUM(DISTINCT v) OVER (ORDER BY ts) \
    AS s, COUNT(*) OVER (ORDER BY ts) AS n FROM t;";

const NUMBERED: &str = "SELECT v, ROW_NUMBER() OVER w + 100 AS rn, g, k, ts, SUM(v * 2) OVER (w ROWS UNBOUNDED \
    PRECEDING) AS s FROM t WINDOW w AS (PARTITION BY g ORDER BY ts);";

const NUMBERS: &str =
    "SELECT k, ts, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) AS rn, g FROM t;";

const WINDOWED: &str = "CREATE VIEW running AS SELECT k, ts, COUNT(*) OVER (PARTITION BY k ORDER BY ts) AS n \
    FROM t;\n\
    SELECT k, window_start, COUNT(*) AS rows_, MAX(n) AS n FROM TABLE(TUMBLE(TABLE running, DESCRIPTOR(ts), \
    INTERVAL '10' SECONDS)) GROUP BY k, window_start, window_end;";

const OF_WINDOWS: &str = "SELECT k, window_time AS ts, COUNT(*) AS c, SUM(COUNT(*)) OVER (PARTITION BY k \
    ORDER BY window_time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS n FROM TABLE(TUMBLE(TABLE t, \
    DESCRIPTOR(ts), INTERVAL '10' SECONDS)) GROUP BY k, window_start, window_end, window_time;";

const OF_JOINED: &str = "SELECT a.k, b.ts, a.v, SUM(b.v) OVER (PARTITION BY b.g ORDER BY b.ts RANGE BETWEEN \
    INTERVAL '4' SECOND PRECEDING AND CURRENT ROW) AS s FROM t a JOIN t b ON a.k = b.k AND b.ts BETWEEN a.ts \
    AND a.ts + INTERVAL '3' SECOND;";

const TWICE: &str = "CREATE VIEW running AS SELECT *, SUM(v) OVER (PARTITION BY k ORDER BY ts \
    ROWS 2 PRECEDING) AS s FROM t;\n\
    SELECT g, s, MAX(s) OVER (PARTITION BY g ORDER BY ts) AS hi FROM running;";

/// All of them, for the drivers to agree on.
pub const SCRIPTS: [(&str, &str); 10] = [
    ("OVER rows", ROWS),
    ("OVER a range", RANGE),
    ("OVER that forgets", FORGETFUL),
    ("OVER all before", ALL_BEFORE),
    ("OVER with numbers", NUMBERED),
    ("numbers by time", NUMBERS),
    ("windows of OVER", WINDOWED),
    ("OVER of windows", OF_WINDOWS),
    ("OVER of joined", OF_JOINED),
    ("OVER of OVER", TWICE),
];

/// The rows that a frame takes in.
#[derive(Clone, Copy)]
pub enum Frame {
    Rows(usize),
    Range(i64),
    /// The same, and no partition is forgotten.
    RangeForEver(i64),
    AllRows,
    AllRange,
}

impl Frame {
    /// Those of all rows of a partition that have left, in their order: the row is the one at `at`.
    fn of(self, said: &[Record], at: usize) -> Vec<Record> {
        let t = said[at].ts;
        let within =
            |from: i64| said.iter().filter(|r| (from..=t).contains(&r.ts)).copied().collect();
        match self {
            Frame::Rows(n) => said[at.saturating_sub(n)..=at].to_vec(),
            Frame::AllRows => said[..=at].to_vec(),
            Frame::Range(ms) | Frame::RangeForEver(ms) => within(t - ms),
            Frame::AllRange => within(i64::MIN),
        }
    }
}

/// Each row with its frame, in the order in which a partition's leave; and how many were late.
pub fn framed<K: Ord + Copy>(
    records: &[Record],
    frame: Frame,
    key: impl Fn(&Record) -> K,
) -> (Vec<(Record, Vec<Record>)>, u64) {
    let marks = watermarks(records);
    let (mut said, mut waiting) =
        (BTreeMap::<K, Vec<Record>>::new(), BTreeMap::<K, Vec<Record>>::new());
    let (mut rows, mut late) = (Vec::new(), 0);
    for (i, r) in records.iter().enumerate() {
        let key = key(r);
        let too_late = match frame {
            Frame::AllRows | Frame::AllRange => r.ts <= marks[i],
            _ => said.get(&key).is_some_and(|rows| rows.iter().any(|other| r.ts <= other.ts)),
        };
        late += u64::from(too_late);
        if !too_late {
            waiting.entry(key).or_default().push(*r);
        }
        // The end of the input is a step, too.
        let mark = if i + 1 < records.len() { marks[i + 1] } else { i64::MAX };
        if mark == marks[i] {
            continue;
        }
        for (key, waiting) in &mut waiting {
            let (mut due, rest): (Vec<Record>, _) = waiting.iter().partition(|r| r.ts <= mark);
            due.sort_by_key(|r| r.ts);
            let before = said.get(key).map_or(0, Vec::len);
            let all = said.entry(*key).or_default();
            all.extend(due);
            rows.extend((before..all.len()).map(|at| (all[at], frame.of(all, at))));
            *waiting = rest;
            let last = all.last().map(|r| r.ts);
            if let (Frame::Range(ms), Some(last)) = (frame, last)
                && waiting.is_empty()
                && last.saturating_add(ms) < mark
            {
                all.clear();
            }
        }
    }
    (rows, late)
}

pub fn values(rows: &[Record]) -> Vec<i64> {
    rows.iter().filter_map(|r| r.v).collect()
}

fn sum(values: &[i64]) -> Option<i64> {
    values.iter().copied().reduce(|a, b| a + b)
}

pub fn text(k: Option<char>) -> String {
    or_null(k.map(|k| format!("\"{k}\"")))
}

/// The rows of a script are inserts and these, and so many were late.
pub fn gives(script: &str, records: &[Record], mut wanted: Vec<String>, late: u64) {
    wanted.sort();
    for (parallelism, batch) in [(1, 1024), (3, 7)] {
        let (tables, dropped) = tables(&scenario(records, script), &options(parallelism, batch));
        assert!(tables[0].rows.iter().all(|(kind, ..)| *kind == RowKind::Insert), "{script}");
        let jsonl = tables[0].jsonl();
        let mut found: Vec<&str> = jsonl.lines().collect();
        found.sort();
        assert_eq!(found, wanted, "{script}");
        assert_eq!(dropped, late, "{script}");
    }
}

#[test]
fn rows_know_some_rows_before_them() {
    let records = records(240, 1);
    let (rows, late) = framed(&records, Frame::Rows(3), |r| r.k);
    assert!(late > 3 && rows.len() > 150, "{late} {}", rows.len());
    let line = |(r, frame): &(Record, Vec<Record>)| {
        let v = values(frame);
        let mean = sum(&v).map(|s| s / v.len() as i64);
        let some: Vec<Record> = frame.iter().filter(|r| r.g == 1).copied().collect();
        format!(
            r#"{{"k":{},"g":{},"v":{},"ts":"{}","n":{},"nv":{},"s":{},"a":{},"lo":{},"hi":{},"d":{},"f":{}}}"#,
            text(r.k),
            r.g,
            or_null(r.v),
            time(r.ts),
            frame.len(),
            v.len(),
            or_null(sum(&v)),
            or_null(mean),
            or_null(v.iter().min()),
            or_null(v.iter().max()),
            v.iter().collect::<BTreeSet<_>>().len(),
            or_null(sum(&values(&some))),
        )
    };
    gives(ROWS, &records, rows.iter().map(line).collect(), late);
}

#[test]
fn rows_know_the_time_before_them() {
    let all = records(240, 1);
    // What a condition leaves out has moved the watermark all the same.
    let (rows, late) =
        framed_where(&all, Frame::Range(6_000), |r| r.g, |r| r.v.is_none_or(|v| v < 9));
    let line = |(r, frame): &(Record, Vec<Record>)| {
        let v = values(frame);
        let keys: BTreeSet<char> = frame.iter().filter_map(|r| r.k).collect();
        let most = r.v.zip(v.iter().max()).map(|(v, most)| v + most);
        let (m, s) = (or_null(most), or_null(sum(&v)));
        format!(r#"{{"g":{},"ts":"{}","m":{m},"d":{},"s":{s}}}"#, r.g, time(r.ts), keys.len())
    };
    gives(RANGE, &all, rows.iter().map(line).collect(), late);
}

/// The same of some records alone: the others move the watermark.
fn framed_where<K: Ord + Copy>(
    records: &[Record],
    frame: Frame,
    key: impl Fn(&Record) -> K,
    wanted: impl Fn(&Record) -> bool,
) -> (Vec<(Record, Vec<Record>)>, u64) {
    let (rows, _) = framed(records, frame, |r| (wanted(r), key(r)));
    let kept: Vec<_> = rows.into_iter().filter(|(r, _)| wanted(r)).collect();
    let late = records.iter().filter(|r| wanted(r)).count() - kept.len();
    (kept, late as u64)
}

#[test]
fn a_forgotten_partition_is_as_a_new_one() {
    let records = records(240, 1);
    let (rows, late) = framed(&records, Frame::Range(1_000), |r| (r.v, r.k));
    let line = |(r, frame): &(Record, Vec<Record>)| {
        let (v, k, ts) = (or_null(r.v), text(r.k), time(r.ts));
        format!(r#"{{"v":{v},"k":{k},"ts":"{ts}","n":{}}}"#, frame.len())
    };
    let mut newest = BTreeMap::new();
    let old = rows.iter().filter(|(r, _)| {
        let newest = newest.entry((r.v, r.k)).or_insert(r.ts);
        *newest = r.ts.max(*newest);
        *newest > r.ts
    });
    assert!(old.count() > 3, "rows come after later ones that have been forgotten");
    gives(FORGETFUL, &records, rows.iter().map(line).collect(), late);
}

#[test]
fn without_a_frame_rows_of_one_time_have_one_result() {
    let mut records = records(240, 1);
    records.iter_mut().for_each(|r| r.ts = r.ts / 2_000 * 2_000);
    let (rows, late) = framed(&records, Frame::AllRange, |_| ());
    let line = |(r, frame): &(Record, Vec<Record>)| {
        let v: BTreeSet<i64> = values(frame).into_iter().collect();
        let (lo, s) = (or_null(v.first()), or_null(sum(&v.iter().copied().collect::<Vec<_>>())));
        let (k, ts) = (text(r.k), time(r.ts));
        let n = frame.len();
        format!(r#"{{"k":{k},"v":{},"ts":"{ts}","lo":{lo},"s":{s},"n":{n}}}"#, or_null(r.v))
    };
    assert!(late > 3 && late < 200, "{late}");
    gives(ALL_BEFORE, &records, rows.iter().map(line).collect(), late);
}

#[test]
fn rows_are_numbered_by_time() {
    let records = records(240, 1);
    let (rows, late) = framed(&records, Frame::AllRows, |r| r.g);
    let line = |(r, frame): &(Record, Vec<Record>)| {
        let s = or_null(sum(&values(frame)).map(|s| 2 * s));
        let (v, k, ts) = (or_null(r.v), text(r.k), time(r.ts));
        let rn = 100 + frame.len();
        format!(r#"{{"v":{v},"rn":{rn},"g":{},"k":{k},"ts":"{ts}","s":{s}}}"#, r.g)
    };
    gives(NUMBERED, &records, rows.iter().map(line).collect(), late);
    let (rows, late) = framed(&records, Frame::AllRows, |r| r.k);
    let line = |(r, frame): &(Record, Vec<Record>)| {
        let (k, ts) = (text(r.k), time(r.ts));
        format!(r#"{{"k":{k},"ts":"{ts}","rn":{},"g":{}}}"#, frame.len(), r.g)
    };
    gives(NUMBERS, &records, rows.iter().map(line).collect(), late);
}

/// Rows leave before the watermark passes them, and take their time along: no window behind loses one.
#[test]
fn windows_over_running_aggregates_lose_no_row() {
    let records = records(240, 1);
    let (rows, late) = framed(&records, Frame::AllRange, |r| r.k);
    let mut windows: BTreeMap<(Option<char>, i64), (usize, usize)> = BTreeMap::new();
    for (r, frame) in &rows {
        let window = windows.entry((r.k, r.ts.div_euclid(10_000) * 10_000)).or_default();
        *window = (window.0 + 1, window.1.max(frame.len()));
    }
    let line = |(&(k, start), &(rows, n)): (&(Option<char>, i64), &(usize, usize))| {
        let start = time(start);
        format!(r#"{{"k":{},"window_start":"{start}","rows_":{rows},"n":{n}}}"#, text(k))
    };
    gives(WINDOWED, &records, windows.iter().map(line).collect(), late);
}

/// A table `p` of a name, an amount and a time, its watermark `delay` seconds behind.
fn small(delay: u32, select: &str, rows: &[(&str, i64, &str)]) -> String {
    let line = |(who, n, at): &(&str, i64, &str)| {
        format!(r#"{{"who": "{who}", "n": {n}, "ts": "2024-05-01 00:00:{at}"}}"#)
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    format!(
        "# Small\n\n```sql\nCREATE TABLE p (who STRING, n INT, ts TIMESTAMP(3), \
         WATERMARK FOR ts AS ts - INTERVAL '{delay}' SECOND);\n{select}\n```\n\n```jsonl p\n{}\n```\n",
        lines.join("\n")
    )
}

fn found(text: &str) -> (Vec<String>, u64) {
    let (tables, late) = tables(text, &options(1, 4));
    let jsonl = tables[0].jsonl();
    (jsonl.lines().map(str::to_owned).collect(), late)
}

/// Worked out by hand: the sums stand beside the rows they are of.
#[test]
fn small_frames_worked_out_by_hand() {
    let rows = [
        ("ann", 1, "01"),
        ("bob", 10, "02"),
        ("ann", 2, "04"),
        ("ann", 4, "03"),
        ("bob", 20, "03"),
        ("ann", 8, "04"),
        ("ann", 16, "09"),
    ];
    let sums = |frame: &str| {
        let select = format!(
            "SELECT who, n, SUM(n) OVER (PARTITION BY who ORDER BY ts{frame}) AS s FROM p;"
        );
        let (mut rows, late) = found(&small(5, &select, &rows));
        assert_eq!(late, 0);
        rows.sort();
        rows
    };
    let line = |(who, n, s): (&str, i64, i64)| format!(r#"{{"who":"{who}","n":{n},"s":{s}}}"#);
    let is = |frame: &str, wanted: [(&str, i64, i64); 7]| {
        let mut wanted: Vec<String> = wanted.into_iter().map(line).collect();
        wanted.sort();
        assert_eq!(sums(frame), wanted, "{frame}");
    };
    // By time: ann 1@1 4@3 2@4 8@4 16@9, bob 10@2 20@3.
    let (bob1, bob2) = (("bob", 10, 10), ("bob", 20, 30));
    is(
        "",
        [("ann", 1, 1), ("ann", 4, 5), ("ann", 2, 15), ("ann", 8, 15), ("ann", 16, 31), bob1, bob2],
    );
    is(
        " ROWS UNBOUNDED PRECEDING",
        [("ann", 1, 1), ("ann", 4, 5), ("ann", 2, 7), ("ann", 8, 15), ("ann", 16, 31), bob1, bob2],
    );
    is(
        " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
        [("ann", 1, 1), ("ann", 4, 5), ("ann", 2, 6), ("ann", 8, 10), ("ann", 16, 24), bob1, bob2],
    );
    is(
        " ROWS 0 PRECEDING",
        [
            ("ann", 1, 1),
            ("ann", 4, 4),
            ("ann", 2, 2),
            ("ann", 8, 8),
            ("ann", 16, 16),
            bob1,
            ("bob", 20, 20),
        ],
    );
    // Exactly two seconds are still in: 1@1 in the frame of 4@3.
    is(
        " RANGE BETWEEN INTERVAL '2' SECOND PRECEDING AND CURRENT ROW",
        [("ann", 1, 1), ("ann", 4, 5), ("ann", 2, 14), ("ann", 8, 14), ("ann", 16, 16), bob1, bob2],
    );
    // One millisecond less, and it is not.
    is(
        " RANGE BETWEEN INTERVAL '1.999' SECOND PRECEDING AND CURRENT ROW",
        [("ann", 1, 1), ("ann", 4, 4), ("ann", 2, 14), ("ann", 8, 14), ("ann", 16, 16), bob1, bob2],
    );
}

/// Without a delay the watermark is at each record's time as soon as it has come.
#[test]
fn late_is_what_comes_after_its_turn() {
    let rows = [
        ("ann", 1, "05"),
        // Equal to the watermark and to what ann has had: late in either way.
        ("ann", 2, "05"),
        // Behind the watermark, but bob has had nothing: only a frame over all rows takes it for late.
        ("bob", 3, "01"),
        ("ann", 4, "06"),
        // By now he has.
        ("bob", 5, "01"),
        ("bob", 6, "02"),
        ("ann", 7, "07"),
    ];
    let of = |frame: &str| {
        let select =
            format!("SELECT n, SUM(n) OVER (PARTITION BY who ORDER BY ts {frame}) AS s FROM p;");
        found(&small(0, &select, &rows))
    };
    let line = |(n, s): &(i64, i64)| format!(r#"{{"n":{n},"s":{s}}}"#);
    let lines = |rows: &[(i64, i64)]| rows.iter().map(line).collect::<Vec<_>>();
    assert_eq!(of("ROWS 9 PRECEDING"), (lines(&[(1, 1), (3, 3), (4, 5), (6, 9), (7, 12)]), 2));
    assert_eq!(of(""), (lines(&[(1, 1), (4, 5), (7, 12)]), 4));
    let minute = "RANGE INTERVAL '1' MINUTE PRECEDING";
    assert_eq!(of(minute), (lines(&[(1, 1), (3, 3), (4, 5), (6, 9), (7, 12)]), 2));
    // The watermark has been at 06, two seconds and more after 01: that bob has had a row is forgotten.
    let short = "RANGE INTERVAL '2' SECOND PRECEDING";
    assert_eq!(of(short), (lines(&[(1, 1), (3, 3), (4, 5), (5, 5), (6, 11), (7, 12)]), 1));
}

/// A row waits for the watermark: while nobody moves that on, nothing leaves.
#[test]
fn a_row_leaves_when_the_watermark_reaches_its_time() {
    let select = "SELECT n, COUNT(*) OVER (ORDER BY ts) AS c FROM p;";
    let rows = [("a", 1, "03"), ("a", 2, "01"), ("a", 3, "06"), ("a", 4, "02"), ("a", 5, "08")];
    let (tables, late) = tables(&small(4, select, &rows), &options(1, 1));
    let places: Vec<(u64, &str)> =
        tables[0].rows.iter().map(|row| row.1).zip(["2", "1", "3", "5"]).collect();
    // 06 makes it 02: 01 leaves, and 02 is late. 08 makes it 04: 03 leaves. The others leave at the end.
    assert_eq!(late, 1);
    assert_eq!(places[..2], [(3, "2"), (5, "1")]);
    assert!(places[2].0 > 5 && places[3].0 > 5, "{places:?}");
    let lines = [(2, 1), (1, 2), (3, 3), (5, 4)].map(|(n, c)| format!("{{\"n\":{n},\"c\":{c}}}\n"));
    assert_eq!(tables[0].jsonl(), lines.concat());
}
