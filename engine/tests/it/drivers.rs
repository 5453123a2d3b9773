//! Runner and sim give equal rows, in equal order, whatever the batch size, the number of subtasks
//! and the crashes; and the rows are those of plain loops over the records.

use std::collections::BTreeMap;

use highwater_engine::session::{Fast, Files, Options, Rows, Session};

use crate::changelog;
use crate::grouping;
use crate::joins;
use crate::ordered;
use crate::over;
use crate::rank;
use crate::sandbox::Interpreter;
use crate::stream::{Record, or_null, records, scenario, time};
use crate::window_joins;
use crate::windows;

const TUMBLING: &str = "SELECT k, g, window_start, window_end, COUNT(*) AS n, SUM(v) AS s, \
    MIN(v) AS lo, MAX(v) AS hi \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, g, window_start, window_end;";

const HOPPING: &str = "SELECT k, g, window_start, window_end, COUNT(*) AS n, SUM(v) AS s, \
    MIN(v) AS lo, MAX(v) AS hi \
    FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '12' SECONDS, \
    INTERVAL '1' SECOND)) \
    GROUP BY k, g, window_start, window_end;";

const HOPPING_ROWS: &str = "SELECT k, v, window_start \
    FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECONDS, INTERVAL '6' SECONDS));";

const SESSIONS: &str = "SELECT k, window_start, window_end, COUNT(*) AS n, SUM(v) AS s \
    FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECONDS)) \
    GROUP BY k, window_start, window_end;";

const UPDATING: &str = "SELECT k, COUNT(*) AS n, SUM(v) AS s, MAX(v) AS hi FROM t GROUP BY k;";

const ROW_WISE: &str = "SELECT k, v * 2 + g AS w, ts FROM t WHERE v > 3 OR k IS NULL;";

const TWO_LEVELS: &str = "CREATE VIEW tens AS \
    SELECT k, window_time AS closed, COUNT(*) AS n \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end, window_time;\n\
    SELECT window_start, window_end, COUNT(*) AS parts, SUM(n) AS n \
    FROM TABLE(TUMBLE(TABLE tens, DESCRIPTOR(closed), INTERVAL '30' SECONDS)) \
    GROUP BY window_start, window_end;";

const CHANGES_OF_WINDOWS: &str = "CREATE VIEW tens AS \
    SELECT k, g, window_start, COUNT(*) AS n \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, g, window_start, window_end;\n\
    SELECT g, window_start, COUNT(k) AS parts, SUM(n) AS n FROM tens GROUP BY g, window_start;";

const TWO_INSERTS: &str = "CREATE TABLE counts (k STRING, n BIGINT) WITH ('connector' = 'print');\n\
    CREATE TABLE big (g INT, v INT) WITH ('connector' = 'print');\n\
    INSERT INTO counts SELECT k, COUNT(*) \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end;\n\
    INSERT INTO big SELECT g, v FROM t WHERE v > 5;";

const JOIN: &str = "CREATE VIEW l AS SELECT k, v, ts FROM t WHERE g = 0;\n\
    CREATE VIEW r AS SELECT k, v, ts FROM t WHERE g = 1;\n\
    SELECT l.k, l.v, r.v AS w, l.ts, r.ts AS rts FROM l JOIN r ON l.k = r.k \
    AND l.ts BETWEEN r.ts - INTERVAL '3' SECOND AND r.ts + INTERVAL '6' SECOND;";

const JOIN_OF_ITSELF: &str = "SELECT a.k, a.g, a.v, b.v AS w, b.ts FROM t AS a, t AS b \
    WHERE a.g = b.g AND b.k = a.k AND a.v < b.v \
    AND a.ts > b.ts - INTERVAL '2' SECOND AND b.ts >= a.ts - INTERVAL '5' SECOND;";

const WINDOWED_JOIN: &str = "CREATE VIEW j AS SELECT a.k, a.v, b.ts FROM t a JOIN t b \
    ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '4' SECOND AND a.ts + INTERVAL '9' SECOND;\n\
    SELECT k, window_start, window_end, COUNT(*) AS n, SUM(v) AS s \
    FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(ts), INTERVAL '5' SECONDS)) \
    GROUP BY k, window_start, window_end;";

const THREE_JOINED: &str = "SELECT a.k, a.v, b.v AS w, c.v AS x, c.ts FROM t a \
    JOIN t b ON a.k = b.k AND a.ts BETWEEN b.ts - INTERVAL '2' SECOND AND b.ts \
    JOIN t c ON c.k = b.k AND c.g = a.g AND c.ts BETWEEN a.ts AND a.ts + INTERVAL '3' SECOND;";

const OWN: [(&str, &str); 13] = [
    ("tumbling", TUMBLING),
    ("hopping", HOPPING),
    ("hopping rows", HOPPING_ROWS),
    ("sessions", SESSIONS),
    ("updating", UPDATING),
    ("row-wise", ROW_WISE),
    ("two levels", TWO_LEVELS),
    ("changes of windows", CHANGES_OF_WINDOWS),
    ("two inserts", TWO_INSERTS),
    ("join", JOIN),
    ("join of itself", JOIN_OF_ITSELF),
    ("windowed join", WINDOWED_JOIN),
    ("three joined", THREE_JOINED),
];

pub fn all() -> impl Iterator<Item = (&'static str, String)> {
    let plain = OWN.into_iter().chain(changelog::SCRIPTS).chain(joins::SCRIPTS);
    let plain = plain.chain(rank::SCRIPTS).chain(over::SCRIPTS).chain(windows::SCRIPTS);
    let plain = plain.chain(ordered::SCRIPTS);
    plain
        .map(|(name, script)| (name, script.to_owned()))
        .chain(window_joins::scripts())
        .chain(grouping::scripts())
}

/// Subtasks and rows a batch: each number of the one beside two of the other, and with [`agree`]'s first run all
/// sizes of batches beside one subtask.
const SHAPES: [(u32, u32); 5] = [(1, 1), (1, 7), (2, 7), (2, 1024), (4, 1)];

/// For each sink, each row with its kind and its place in the stream.
type Output = Vec<Vec<String>>;

fn output(tables: &[Rows]) -> Output {
    let line = |rows: &Rows| -> Vec<String> {
        let jsonl = rows.jsonl();
        let marks = rows.rows.iter().map(|(kind, seq, _)| format!("{} {seq} ", kind.symbol()));
        marks.zip(jsonl.lines()).map(|(mark, line)| mark + line).collect()
    };
    tables.iter().map(line).collect()
}

/// So many subtasks, so many rows a batch.
pub fn options(parallelism: u32, batch_rows: u32) -> Options {
    Options { seed: None, parallelism: Some(parallelism), batch_rows: Some(batch_rows) }
}

/// The runner's rows and its count of late records.
fn run(text: &str, options: &Options) -> (Output, u64) {
    let (tables, late) = tables(text, options);
    (output(&tables), late)
}

/// The same as tables.
pub fn tables(text: &str, options: &Options) -> (Vec<Rows>, u64) {
    let fast = Fast::open("t.md", text, &Files::default(), Interpreter::shared(), options)
        .expect("the scenario opens");
    let mut tables = fast.sinks();
    let mut emit = |sink: usize, batch| {
        tables[sink].extend(&batch);
        Ok(())
    };
    let report = fast.run(&mut emit, &mut |_| {}).expect("the job runs");
    (tables, report.late)
}

/// A session over a scenario.
pub fn open(text: &str, options: &Options) -> Session {
    Session::open("t.md", text, &Files::default(), Interpreter::shared(), options)
        .expect("the scenario opens")
}

/// The committed rows of a session run to its end.
fn finished(mut session: Session) -> Output {
    let status = session.finish();
    assert!(status.finished, "{:?}", status.failed);
    output(&session.tables())
}

/// What the rows of one sink are without kind and place, in a fixed order.
fn sorted(output: &Output) -> Vec<String> {
    let bare = |line: &String| line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
    let mut rows: Vec<String> = output[0].iter().map(bare).collect();
    rows.sort();
    rows
}

fn same_everywhere(partitions: u64) {
    let records = records(240, partitions);
    all().for_each(|(name, script)| agree(name, &scenario(&records, &script)));
}

/// Every driver says the same of a scenario, whatever its batches and subtasks.
pub fn agree(name: &str, text: &str) {
    let (expected, late) = run(text, &options(1, 1024));
    assert!(expected.iter().all(|rows| rows.len() > 4), "{name} gives hardly any rows");
    for (subtasks, batch) in SHAPES {
        let options = options(subtasks, batch);
        let place = format!("{name}, {subtasks} subtasks, batches of {batch}");
        assert_eq!(run(text, &options), (expected.clone(), late), "runner: {place}");
        assert_eq!(finished(open(text, &options)), expected, "sim: {place}");
    }
}

#[test]
fn drivers_batches_and_subtasks_give_equal_rows() {
    same_everywhere(1);
}

#[test]
fn so_do_two_partitions_of_which_one_falls_silent() {
    same_everywhere(2);
}

#[test]
fn a_crash_of_any_task_at_any_time_changes_no_row() {
    let records = records(160, 2);
    all().for_each(|(name, script)| survives(name, &scenario(&records, &script)));
}

/// A crash at any of some moments changes no row of a scenario.
pub fn survives(name: &str, text: &str) {
    let options = options(2, 7);
    let (expected, _) = run(text, &options);
    let start = open(text, &options);
    let steps = start.fork().finish().step;
    let tasks: Vec<String> = start.header().tasks.iter().map(|t| t.name.clone()).collect();
    for i in 1..12 {
        let mut session = start.fork();
        session.step(steps * i / 12);
        let task = &tasks[i as usize % tasks.len()];
        session.inject(&format!("at now crash {task}")).expect("a fault");
        assert_eq!(finished(session), expected, "{name}, {task} crashed at {i}/12");
    }
    moves(name, text);
}

/// A scenario gone on with, from some checkpoints, with one more and one fewer subtask, and back: no row changes.
fn moves(name: &str, text: &str) {
    let mut run = open(text, &options(2, 7));
    run.finish();
    for to in [1, 3] {
        let moved = run.goes_on_as(&open(text, &options(to, 7)), 5);
        let points = moved.unwrap_or_else(|wrong| panic!("{name}, 2 to {to} subtasks: {wrong}"));
        assert!(points > 0, "{name}: {points}");
    }
}

/// The watermark of one partition before each record, and at last the end of time.
pub fn watermarks(records: &[Record]) -> Vec<i64> {
    let mut marks = vec![i64::MIN];
    for r in records {
        marks.push((r.ts - 4_000).max(marks[marks.len() - 1]));
    }
    marks
}

fn sum(values: &[Option<i64>]) -> Option<i64> {
    values.iter().flatten().copied().reduce(|a, b| a + b)
}

/// Reading a record, each window it belongs to has fired or not: nothing else matters to the rows.
fn aligned_rows_are_those_of_plain_loops(script: &str, size: i64, step: i64, offset: i64) {
    let records = records(240, 1);
    let marks = watermarks(&records);
    /// Window start and keys.
    type Key = (i64, Option<char>, i64);
    let mut windows: BTreeMap<Key, Vec<Option<i64>>> = BTreeMap::new();
    let mut late = 0;
    for (r, mark) in records.iter().zip(&marks) {
        let last = (r.ts - offset).div_euclid(step) * step + offset;
        let all = (0..size / step).map(|back| last - back * step);
        let open: Vec<i64> = all.filter(|start| start + size - 1 > *mark).collect();
        late += u64::from(open.is_empty());
        for start in open {
            windows.entry((start, r.k, r.g)).or_default().push(r.v);
        }
    }
    assert!(late > 3 || step < size, "the stream must have late records to tell anything");
    let row = |(&(start, k, g), values): (&Key, &Vec<Option<i64>>)| {
        let present = || values.iter().flatten();
        format!(
            r#"{{"k":{},"g":{g},"window_start":"{}","window_end":"{}","n":{},"s":{},"lo":{},"hi":{}}}"#,
            or_null(k.map(|k| format!("\"{k}\""))),
            time(start),
            time(start + size),
            values.len(),
            or_null(sum(values)),
            or_null(present().min()),
            or_null(present().max()),
        )
    };
    let mut expected: Vec<String> = windows.iter().map(row).collect();
    expected.sort();
    let (rows, dropped) = run(&scenario(&records, script), &options(2, 7));
    assert_eq!(sorted(&rows), expected);
    assert_eq!(dropped, late);
}

#[test]
fn tumbling_rows_are_those_of_plain_loops() {
    aligned_rows_are_those_of_plain_loops(TUMBLING, 10_000, 10_000, 0);
}

#[test]
fn hopping_rows_are_those_of_plain_loops() {
    aligned_rows_are_those_of_plain_loops(HOPPING, 12_000, 3_000, 1_000);
}

/// An open session of one key.
struct Open {
    start: i64,
    end: i64,
    values: Vec<Option<i64>>,
}

#[test]
fn session_rows_are_those_of_plain_loops() {
    let records = records(240, 1);
    let marks = watermarks(&records);
    let mut open: Vec<(Option<char>, Open)> = Vec::new();
    let mut fired: Vec<(Option<char>, Open)> = Vec::new();
    let mut late = 0;
    for (r, mark) in records.iter().zip(&marks) {
        let (done, still): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|(_, s)| s.end - 1 <= *mark);
        fired.extend(done);
        let mut own = Open { start: r.ts, end: r.ts + 2_000, values: vec![r.v] };
        let touches =
            |k: Option<char>, s: &Open| k == r.k && s.start <= r.ts + 2_000 && r.ts <= s.end;
        let (merged, rest): (Vec<_>, Vec<_>) = still.into_iter().partition(|(k, s)| touches(*k, s));
        open = rest;
        for (_, s) in merged {
            own.start = own.start.min(s.start);
            own.end = own.end.max(s.end);
            own.values.extend(s.values);
        }
        if own.end - 1 <= *mark {
            late += 1;
        } else {
            open.push((r.k, own));
        }
    }
    fired.extend(open);
    assert!(late > 3, "the stream must have late records to tell anything");
    assert!(fired.iter().any(|(_, s)| s.values.len() > 2), "sessions must merge to tell anything");
    let row = |(k, s): &(Option<char>, Open)| {
        format!(
            r#"{{"k":{},"window_start":"{}","window_end":"{}","n":{},"s":{}}}"#,
            or_null(k.map(|k| format!("\"{k}\""))),
            time(s.start),
            time(s.end),
            s.values.len(),
            or_null(sum(&s.values)),
        )
    };
    let mut expected: Vec<String> = fired.iter().map(row).collect();
    expected.sort();
    let (rows, dropped) = run(&scenario(&records, SESSIONS), &options(2, 7));
    assert_eq!(sorted(&rows), expected);
    assert_eq!(dropped, late);
}

/// The pairs of a nested loop over the records that are not late, in their order of arrival.
fn pairs(records: &[Record], joined: impl Fn(&Record, &Record) -> bool) -> Vec<(Record, Record)> {
    let marks = watermarks(records);
    let timely = records.iter().zip(&marks).filter(|(r, mark)| r.ts >= **mark);
    let timely: Vec<Record> = timely.map(|(r, _)| *r).collect();
    let all = timely.iter().flat_map(|l| timely.iter().map(move |r| (*l, *r)));
    all.filter(|(l, r)| l.k.is_some() && l.k == r.k && joined(l, r)).collect()
}

#[test]
fn joined_rows_are_those_of_plain_loops() {
    let records = records(240, 1);
    let marks = watermarks(&records);
    let late = records.iter().zip(&marks).filter(|(r, mark)| r.k.is_some() && r.ts < **mark);
    let late = late.count() as u64;
    assert!(late > 3, "the stream must have late records to tell anything");
    let near = |l: &Record, r: &Record| (-6_000..=3_000).contains(&(r.ts - l.ts));
    let expected = pairs(&records, |l, r| (l.g, r.g) == (0, 1) && near(l, r));
    assert!(expected.len() > 20, "{}", expected.len());
    let mut expected: Vec<String> = expected
        .iter()
        .map(|(l, r)| {
            format!(
                r#"{{"k":"{}","v":{},"w":{},"ts":"{}","rts":"{}"}}"#,
                l.k.unwrap_or_default(),
                or_null(l.v),
                or_null(r.v),
                time(l.ts),
                time(r.ts),
            )
        })
        .collect();
    expected.sort();
    let (rows, dropped) = run(&scenario(&records, &by_record(JOIN)), &options(2, 7));
    assert_eq!(sorted(&rows), expected);
    assert_eq!(dropped, late);
}

#[test]
fn a_table_is_joined_with_itself_as_in_plain_loops() {
    let records = records(240, 1);
    let joined = |a: &Record, b: &Record| {
        let bounds = -5_000..2_000;
        a.g == b.g && a.v.zip(b.v).is_some_and(|(v, w)| v < w) && bounds.contains(&(b.ts - a.ts))
    };
    let expected = pairs(&records, joined);
    assert!(expected.len() > 20, "{}", expected.len());
    let mut expected: Vec<String> = expected
        .iter()
        .map(|(a, b)| {
            format!(
                r#"{{"k":"{}","g":{},"v":{},"w":{},"ts":"{}"}}"#,
                a.k.unwrap_or_default(),
                a.g,
                or_null(a.v),
                or_null(b.v),
                time(b.ts),
            )
        })
        .collect();
    expected.sort();
    let (rows, _) = run(&scenario(&records, &by_record(JOIN_OF_ITSELF)), &options(2, 7));
    assert_eq!(sorted(&rows), expected);
}

/// A script in which whoever is behind the watermark is late, whomever it could still meet.
fn by_record(script: &str) -> String {
    format!("SET 'highwater.late.by' = 'record';\n{script}")
}

/// The join holds its watermark back by so much that none of its rows is late for a window.
#[test]
fn windows_over_joined_rows_lose_none() {
    let records = records(240, 1);
    let near = |a: &Record, b: &Record| (-4_000..=9_000).contains(&(b.ts - a.ts));
    let mut windows: BTreeMap<(i64, Option<char>), Vec<Option<i64>>> = BTreeMap::new();
    for (a, b) in pairs(&records, near) {
        windows.entry((b.ts.div_euclid(5_000) * 5_000, a.k)).or_default().push(a.v);
    }
    let row = |(&(start, k), values): (&(i64, Option<char>), &Vec<Option<i64>>)| {
        format!(
            r#"{{"k":"{}","window_start":"{}","window_end":"{}","n":{},"s":{}}}"#,
            k.unwrap_or_default(),
            time(start),
            time(start + 5_000),
            values.len(),
            or_null(sum(values)),
        )
    };
    let mut expected: Vec<String> = windows.iter().map(row).collect();
    expected.sort();
    assert!(expected.len() > 50, "{}", expected.len());
    let script = by_record(WINDOWED_JOIN);
    let script = script.replace(";\nSELECT", ";\nSET 'highwater.late.by' = 'window';\nSELECT");
    let (rows, _) = run(&scenario(&records, &script), &options(2, 7));
    assert_eq!(sorted(&rows), expected);
}
