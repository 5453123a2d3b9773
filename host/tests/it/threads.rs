//! Any number of threads gives the rows, the counts and the errors of one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use highwater::sandbox::WasmtimeSandbox;
use highwater::threads::{Threads, run_job};
use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::runner::Report;
use highwater_engine::session::{Fast, Files, Options, Rows};
use highwater_engine::udf::{Instance, Sandbox};

use crate::example;

/// What a run gave: its rows, and its report or its error.
type Ran = (Vec<Rows>, std::result::Result<Report, Error>);

fn open(name: &str, text: &str, files: &Files, batch_rows: u32) -> Fast {
    let options = Options { batch_rows: Some(batch_rows), ..Options::default() };
    Fast::open(name, text, files, Arc::new(WasmtimeSandbox::default()), &options)
        .unwrap_or_else(|e| panic!("{name}: {e:?}"))
}

/// Runs on so many threads; on none with the engine's own runner.
fn run(job: Fast, threads: u32) -> Ran {
    let mut tables = job.sinks();
    let mut emit = |sink: usize, batch| {
        tables[sink].extend(&batch);
        Ok(())
    };
    let done = match threads {
        0 => job.run(&mut emit, &mut |_| {}),
        n => run_job(job, Threads::new(n), &mut emit, &mut |_| {}),
    };
    (tables, done)
}

fn rows(tables: &[Rows]) -> Vec<String> {
    tables
        .iter()
        .flat_map(|t| t.rows.iter().map(|row| format!("{} {row:?}", t.spec.table)))
        .collect()
}

/// The same on 1, 2, 3, 4 and 8 threads as by the runner; answers what came out.
fn alike(name: &str, text: &str, files: &Files, batch_rows: u32) -> Ran {
    let expected = run(open(name, text, files, batch_rows), 0);
    for threads in [1, 2, 3, 4, 8] {
        let found = run(open(name, text, files, batch_rows), threads);
        let (found_rows, expected_rows) = (rows(&found.0), rows(&expected.0));
        let first = found_rows.iter().zip(&expected_rows).position(|(a, b)| a != b);
        let first = first.unwrap_or(found_rows.len().min(expected_rows.len()));
        assert!(
            found_rows == expected_rows,
            "{name} on {threads} threads: row {first} of {} is {:?} instead of {:?} of {}\n{text}",
            found_rows.len(),
            found_rows.get(first),
            expected_rows.get(first),
            expected_rows.len(),
        );
        match (&found.1, &expected.1) {
            // How often a guest is called, and so what it burns, is a matter of the cut.
            (Ok(found), Ok(expected)) => {
                assert_eq!(
                    Report { fuel: 0, ..found.clone() },
                    Report { fuel: 0, ..expected.clone() }
                );
            }
            (Err(found), Err(expected)) => {
                assert_eq!(format!("{found:?}"), format!("{expected:?}"))
            }
            other => panic!("{name} on {threads} threads: {other:?}"),
        }
    }
    expected
}

/// Two streams out of order, one of them with NULLs.
const STREAMS: &str = "
CREATE TABLE a (k INT, s STRING, v BIGINT, f DOUBLE, b BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'datagen', 'number-of-rows' = '9000', 'rows-per-second' = '500',
  'fields.k.min' = '0', 'fields.k.max' = '40', 'fields.k.null-rate' = '0.1',
  'fields.s.length' = '1', 'fields.v.min' = '-9', 'fields.v.max' = '99',
  'fields.f.min' = '-1', 'fields.f.max' = '1', 'fields.ts.max-past' = '5 s');
CREATE TABLE c (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '3' SECOND)
WITH ('connector' = 'datagen', 'number-of-rows' = '1500', 'rows-per-second' = '90',
  'fields.k.min' = '0', 'fields.k.max' = '40', 'fields.ts.max-past' = '4 s');
";

const WINDOWS: [&str; 5] = [
    "SELECT k, window_start, COUNT(*) AS n, COUNT(v) FILTER (WHERE b) AS c, SUM(v) AS t, AVG(v) AS m,
       MIN(ts) AS lo, MAX(f) AS hi
     FROM TABLE(TUMBLE(TABLE a, DESCRIPTOR(ts), INTERVAL '1' SECOND)) WHERE v > 0
     GROUP BY k, window_start, window_end",
    "SELECT s, k, window_start, SUM(f) AS t
     FROM TABLE(TUMBLE(TABLE a, DESCRIPTOR(ts), INTERVAL '3' SECOND))
     GROUP BY s, k, window_start, window_end",
    "SELECT k, window_start, COUNT(*) AS n
     FROM TABLE(HOP(TABLE a, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '4' SECOND))
     GROUP BY k, window_start, window_end",
    "SELECT k, window_start, COUNT(*) AS n, SUM(v) AS t
     FROM TABLE(SESSION(TABLE a PARTITION BY k, DESCRIPTOR(ts), INTERVAL '0.05' SECOND))
     GROUP BY k, window_start, window_end",
    "SELECT window_start, COUNT(*) AS n, MAX(v) AS hi
     FROM TABLE(TUMBLE(TABLE a, DESCRIPTOR(ts), INTERVAL '0.002' SECOND))
     GROUP BY window_start, window_end",
];

#[test]
fn windows_and_what_stands_behind_them_are_those_of_one_thread() {
    for window in WINDOWS {
        let (tables, done) = alike("w.sql", &format!("{STREAMS}{window};"), &Files::default(), 256);
        // No record is late for all of four windows.
        let late = done.expect("it runs").late > 0;
        assert!(tables[0].rows.len() > 15 && late != window.contains("HOP"), "{window}");
        let behind = format!(
            "{STREAMS}CREATE VIEW w AS {window};\nSELECT window_start, COUNT(*) AS n FROM w GROUP BY window_start;"
        );
        alike("b.sql", &behind, &Files::default(), 256).1.expect("it runs");
    }
}

#[test]
fn joins_changelogs_and_several_sinks_are_those_of_one_thread() {
    let join = "SELECT a.k, a.v, a.ts AS at, c.ts AS ct FROM a JOIN c ON a.k = c.k
      AND a.ts BETWEEN c.ts - INTERVAL '1' SECOND AND c.ts + INTERVAL '2' SECOND";
    let (tables, _) = alike("j.sql", &format!("{STREAMS}{join};"), &Files::default(), 512);
    assert!(tables[0].rows.len() > 1000);
    let group = "SELECT k, COUNT(*) AS n, SUM(v) AS t FROM a GROUP BY k";
    alike("g.sql", &format!("{STREAMS}{group};"), &Files::default(), 300).1.expect("it runs");
    let tumble = WINDOWS[0];
    let several = format!(
        "{STREAMS}CREATE TABLE p (k INT, at TIMESTAMP(3)) WITH ('connector' = 'print');
         CREATE TABLE q (k INT, n BIGINT) WITH ('connector' = 'print');
         INSERT INTO p SELECT a.k, a.ts FROM a JOIN c ON a.k = c.k AND a.ts BETWEEN c.ts AND c.ts + INTERVAL '1' SECOND;
         INSERT INTO q SELECT k, n FROM ({tumble});"
    );
    let (tables, _) = alike("s.sql", &several, &Files::default(), 400);
    assert!(tables.iter().all(|t| t.rows.len() > 100));
}

#[test]
fn examples_with_their_guests_are_those_of_one_thread() {
    for example in example::all() {
        for batch_rows in [256, 8192] {
            alike(&example.name, &example.text, &example.files, batch_rows).1.expect("it runs");
        }
    }
}

/// Thousands of records, the later half of them bad in one way or another.
fn failing(record: impl Fn(u32) -> String) -> Files {
    let lines: String = (0..6000).map(|i| record(i) + "\n").collect();
    let mut files = Files::default();
    files.insert("in.jsonl", lines.as_bytes());
    files
}

#[test]
fn a_job_that_fails_says_the_same_and_has_given_the_same_rows() {
    let table = "CREATE TABLE t (k INT, s STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
      WITH ('connector' = 'filesystem', 'path' = 'in.jsonl', 'format' = 'json');\n";
    let time = |i: u32| format!("2024-01-01 00:{:02}:{:02}", i / 60 / 60, i / 60 % 60);
    let window = "SELECT k, window_start, SUM(n) AS n
      FROM TABLE(TUMBLE(TABLE x, DESCRIPTOR(ts), INTERVAL '1' SECOND))
      GROUP BY k, window_start, window_end;";
    let cast =
        format!("{table}CREATE VIEW x AS SELECT k, ts, CAST(s AS INT) AS n FROM t;\n{window}");
    let behind = format!(
        "{table}CREATE VIEW x AS SELECT k, ts, 1 AS n FROM t;
         SELECT k, 10 / (k - 3) AS d FROM ({}) WHERE n > 0;",
        window.trim_end_matches(';')
    );
    let bad = |i: u32| i >= 4500 && i.is_multiple_of(7);
    let line = |i: u32, k: u32, s: &str| format!(r#"{{"k":{k},"s":"{s}","ts":"{}"}}"#, time(i));
    let jobs: [(&str, &str, Files); 4] = [
        ("a value", &cast, failing(|i| line(i, i % 3, if bad(i) { "x" } else { "1" }))),
        ("a window", &behind, failing(|i| line(i, if i == 5000 { 3 } else { i % 3 }, "1"))),
        ("a line", &cast, failing(|i| if bad(i) { "{".into() } else { line(i, 1, "1") })),
        (
            "a time",
            &cast,
            failing(|i| if bad(i) { r#"{"k":1,"s":"1"}"#.into() } else { line(i, 1, "1") }),
        ),
    ];
    for (what, text, files) in &jobs {
        let (tables, done) = alike("f.sql", text, files, 256);
        assert!(done.is_err() && !tables[0].rows.is_empty(), "{what}: {done:?}");
    }
}

/// Cannot be had without a panic.
struct Panics;

impl Sandbox for Panics {
    fn instantiate(&self, _: &[u8]) -> Result<Box<dyn Instance>> {
        panic!("no sandbox today")
    }
}

#[test]
fn a_panic_in_any_thread_is_told_and_nobody_waits_for_ever() {
    let example = example::open("earthquakes.md");
    let panics = |sandbox: Arc<dyn Sandbox>, fails: bool| {
        let options = Options { batch_rows: Some(256), ..Options::default() };
        let job = Fast::open(&example.name, &example.text, &example.files, sandbox, &options);
        let job = job.unwrap_or_else(|e| panic!("{e:?}"));
        let mut emit = |_, _| if fails { panic!("no row today") } else { Ok(()) };
        let run = || run_job(job, Threads::new(3), &mut emit, &mut |_| {});
        let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it panics");
        panic.downcast_ref::<&str>().map(|text| (*text).to_owned())
    };
    assert_eq!(panics(Arc::new(Panics), false).as_deref(), Some("no sandbox today"));
    let wasmtime: Arc<dyn Sandbox> = Arc::new(WasmtimeSandbox::default());
    assert_eq!(panics(wasmtime, true).as_deref(), Some("no row today"));
}

#[test]
fn whoever_takes_the_rows_may_stop_the_job() {
    let job = open("w.sql", &format!("{STREAMS}{};", WINDOWS[0]), &Files::default(), 256);
    let mut taken = 0;
    let mut emit = |_, _| {
        taken += 1;
        if taken == 3 { Err(Diagnostic::new("test.enough", "enough")) } else { Ok(()) }
    };
    let done = run_job(job, Threads::new(2), &mut emit, &mut |_| {});
    assert_eq!(done.expect_err("it stops").code, "test.enough");
    assert_eq!(taken, 3);
}
