//! Wrong input, from outside: a clear error each, with its place and a hint, exit code 2, nothing lost.

mod records;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use highwater::files::Script;
use highwater::job::{EngineKind, Job};
use highwater::sandbox::WasmtimeSandbox;
use highwater::table::Table;
use highwater::wasm_engine::WasmEngine;
use highwater_builder::artifacts;
use highwater_engine::session::{Options, Session};

use crate::example::{self, Example};

/// Two windows that have ended, then what a test adds.
const RECORDS: &str = r#"{"k":"a","v":1,"ts":"2024-01-01 12:00:01"}
{"k":"a","v":2,"ts":"2024-01-01 12:00:11"}
{"k":"a","v":3,"ts":"2024-01-01 12:00:31"}
"#;

fn table(options: &str) -> String {
    format!(
        "CREATE TABLE t (k STRING, v BIGINT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', {options});
"
    )
}

fn json_table(more: &str) -> String {
    table(&format!("'path' = 'in.jsonl', 'format' = 'json'{more}"))
}

const SUMS: &str = "SELECT k, window_start, SUM(v) AS s
FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY k, window_start, window_end;
";

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    folder
}

fn highwater(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_highwater"))
        .args(args)
        .env_remove("UPDATE_EXPECT")
        .current_dir(folder)
        .output()
        .expect("the command starts")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Both drivers, as the command's arguments.
const WAYS: [&[&str]; 2] = [&["--driver", "runner"], &["--driver", "sim"]];

/// What `engine.wasm` makes of a script with either driver, in this process: a process of its own each
/// time would compile the module each time.
fn in_wasm(folder: &Path, script: &str) -> Vec<(Option<i32>, String)> {
    let script = Script::read(&folder.join(script)).expect("a script");
    let engine = EngineKind::Wasm(Some(artifacts::engine().expect("engine.wasm builds")));
    let options = Options::default();
    let rows = |tables: &[Table]| tables.iter().map(Table::jsonl).collect::<String>();
    let code = |good: bool| Some(if good { 0 } else { 2 });
    let by_runner = match Job::run(&script, &engine, &options, 2, &mut |_, _| {}) {
        Ok(ran) => (code(ran.failed.is_none()), rows(&ran.tables)),
        Err(_) => (code(false), String::new()),
    };
    let mut job = Job::open(&script, &engine, &options).expect("it opens");
    let status = job.step(u32::MAX).expect("steps");
    let by_sim = (code(status.failed.is_none()), rows(&job.tables().expect("tables")));
    vec![by_runner, by_sim]
}

/// Runs a script with both drivers on both engines; what comes out must be the same each time, except
/// that a job that fails may or may not show rows that were final before.
fn every_way(folder: &Path, script: &str) -> (Option<i32>, String, String) {
    let mut first: Option<(Option<i32>, String)> = None;
    let mut said = String::new();
    for way in WAYS {
        let mut args = vec!["run", script, "--format", "jsonl"];
        args.extend(way);
        let output = highwater(folder, &args);
        let found = (output.status.code(), out(&output));
        let first = first.get_or_insert(found.clone());
        assert_eq!(first.0, found.0, "{way:?}: {}", err(&output));
        assert!(first.0 != Some(0) || first.1 == found.1, "{way:?}: {}", found.1);
        if said.is_empty() {
            said = err(&output);
        }
    }
    let (code, rows) = first.expect("several ways");
    for found in in_wasm(folder, script) {
        assert_eq!(found.0, code, "engine.wasm: {said}");
        assert!(code != Some(0) || found.1 == rows, "engine.wasm: {}", found.1);
    }
    (code, rows, said)
}

/// A script that is refused before it runs: exit code 2, no row, its place, a hint.
fn refused(files: &[(&str, &[u8])], script: &str, code: &str, place: &str) {
    let folder = folder(files);
    fs::write(folder.path().join("job.sql"), script).expect("written");
    for way in WAYS {
        let mut args = vec!["run", "job.sql", "--format", "jsonl"];
        args.extend(way);
        let output = highwater(folder.path(), &args);
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!(out(&output), "", "{text}");
        assert!(text.starts_with(&format!("error[{code}]: ")), "{code}: {text}");
        assert!(text.contains(&format!("--> {place}\n")), "{place}: {text}");
        assert!(text.contains("help: "), "{text}");
    }
}

#[test]
fn what_a_script_gets_wrong_is_shown_at_its_place() {
    let records: &[(&str, &[u8])] = &[("in.jsonl", RECORDS.as_bytes())];
    let good = json_table("");
    let on_table = |query: &str| format!("{good}{query}");
    let no_watermark = good.replace(",\n  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND", "") + SUMS;
    let cases: &[(&str, &str, String)] = &[
        ("sql.unknown-column", "job.sql:4:29", on_table(&SUMS.replace("SUM(v)", "SUM(w)"))),
        ("sql.type", "job.sql:4:8", on_table("SELECT v + k FROM t;")),
        ("sql.type", "job.sql:4:25", on_table(&SUMS.replace("SUM(v)", "SUM(k)"))),
        ("sql.missing-watermark", "job.sql:4:28", no_watermark),
        ("sql.window", "job.sql:5:44", on_table(&SUMS.replace("'10' SECOND", "'0' SECOND"))),
        ("sql.window", "job.sql:5:44", on_table(&SUMS.replace("'10' SECOND", "'-1' SECOND"))),
        ("sql.unknown-table", "job.sql:4:15", on_table("SELECT * FROM u;")),
        ("sql.duplicate", "job.sql:4:14", on_table(&good)),
        ("sql.statement", "job.sql:4:1", on_table("SELECT k FROM t;\nSELECT v FROM t;")),
        ("sql.unknown-option", "job.sql:3:75", json_table(", 'json.colour' = 'red'") + SUMS),
        (
            "sql.option-value",
            "job.sql:3:104",
            json_table(", 'json.ignore-parse-errors' = 'maybe'") + SUMS,
        ),
        ("sql.unknown-connector", "job.sql:3:21", good.replace("filesystem", "kafka") + SUMS),
        ("sql.literal", "job.sql:4:8", on_table(&format!("SELECT 1{} FROM t;", "0".repeat(60)))),
        (
            "sql.too-deep",
            "job.sql:4:1",
            on_table(&format!("SELECT {}v FROM t;", "- ".repeat(9999))),
        ),
        ("sql.empty", "job.sql:1:1", "-- nothing\n".to_owned()),
        ("sql.empty", "job.sql:1:1", ";;;".to_owned()),
        ("run.cast", "job.sql:4:8", on_table("SELECT CAST('12x' AS INT) FROM t;")),
    ];
    for (code, place, script) in cases {
        refused(records, script, code, place);
    }
}

#[test]
fn files_that_are_not_there_or_not_what_they_should_be() {
    let sums = json_table("") + SUMS;
    let guest = "CREATE FUNCTION f AS 'g.wasm' LANGUAGE WASM;\n";
    let window = "SELECT * FROM TABLE(f(TABLE t, DESCRIPTOR(ts)));";
    let script = format!("{}{guest}{window}", json_table(""));
    /// Files by name, the script, what the message says.
    type Case<'a> = (&'a [(&'a str, &'a [u8])], &'a str, &'a str);
    let cases: &[Case] = &[
        (&[("job.sql", sums.as_bytes())], "in.jsonl", "help: "),
        (&[("job.sql", sums.as_bytes()), ("in.jsonl/x", b"\x00\xff")], "in.jsonl/x:1:", "help: "),
        (&[("job.sql", b"SELECT 1;\n\xff\xfe")], "byte 0xff", "job.sql:2:1"),
        (
            &[("job.sql", script.as_bytes()), ("in.jsonl", b""), ("g.wasm", b"no module")],
            "g.wasm",
            "guest.",
        ),
        (
            &[("job.sql", script.as_bytes()), ("in.jsonl", b""), ("g.wasm", b"\0asm\x01\0\0\0")],
            "g.wasm",
            "guest.",
        ),
    ];
    for (files, part, other) in cases {
        let folder = folder(files);
        for way in &WAYS {
            let mut args = vec!["run", "job.sql"];
            args.extend(*way);
            let output = highwater(folder.path(), &args);
            let text = err(&output);
            assert_eq!(output.status.code(), Some(2), "{part}: {text}");
            assert_eq!(out(&output), "", "{text}");
            assert!(text.starts_with("error[") && text.contains(part), "{part}: {text}");
            assert!(text.contains(other), "{other}: {text}");
        }
    }
}

#[test]
fn input_without_an_end_is_refused_where_a_run_goes_to_the_end() {
    let script = "CREATE TABLE t (v BIGINT)\nWITH ('connector' = 'datagen', 'fields.v.max' = '9');
SELECT COUNT(*) AS n FROM t;";
    refused(&[], script, "run.endless", "job.sql:1:14");
    let folder = folder(&[("job.md", format!("# A\n\n```sql\n{script}\n```\n").as_bytes())]);
    let output = highwater(folder.path(), &["check", "job.md"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("--> job.md:4:14\n"), "{}", err(&output));
    // With an end it is a job like any other.
    let ended = script.replace("'9'", "'9', 'number-of-rows' = '7'");
    fs::write(folder.path().join("job.sql"), ended).expect("written");
    let (code, rows, said) = every_way(folder.path(), "job.sql");
    assert_eq!(code, Some(0), "{said}");
    assert!(rows.contains("\"n\":7"), "{rows}");
}

#[test]
fn wrong_lines_of_a_scenario_are_shown_in_the_scenario() {
    let text = fs::read_to_string(example::folder().join("first-window.md")).expect("an example");
    let expect = text.lines().position(|l| l.starts_with("2024") && l.ends_with("| 2    | 1"));
    let expect = expect.expect("the last expected row") + 1;
    let wrong_row = text.replace("| 2    | 1", "| 2    | 9");
    let faults = format!("{text}\n```faults\nat now crash nobody/7\n```\n");
    let line = faults.lines().position(|l| l.starts_with("at now")).expect("there") + 1;
    let folder = folder(&[
        ("wrong.md", wrong_row.as_bytes()),
        ("faults.md", faults.as_bytes()),
        ("good.md", text.as_bytes()),
    ]);
    for args in [&["run", "faults.md"][..], &["check", "faults.md"], &["trace", "faults.md"]] {
        let output = highwater(folder.path(), args);
        let said = err(&output);
        assert_eq!((output.status.code(), out(&output).as_str()), (Some(2), ""), "{said}");
        assert!(said.contains(&format!("--> faults.md:{line}:1\n")), "{said}");
        assert!(said.contains("nobody/7") && said.contains("help: "), "{said}");
    }
    let output = highwater(folder.path(), &["check", "good.md", "wrong.md"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let told = out(&output);
    assert!(told.contains("good.md: 2 ok\n") && told.contains("| 9\n"), "{told}");
    assert!(expect > 0 && wrong_row != text);
    let update = Command::new(env!("CARGO_BIN_EXE_highwater"))
        .args(["check", "wrong.md"])
        .env("UPDATE_EXPECT", "1")
        .current_dir(folder.path())
        .output()
        .expect("starts");
    assert_eq!(update.status.code(), Some(0));
    let mended = fs::read_to_string(folder.path().join("wrong.md")).expect("read");
    assert_eq!(mended, text, "only the block is written anew");
    // A file that cannot be read weighs more than a difference.
    let output = highwater(folder.path(), &["check", "wrong.md", "none.md"]);
    assert_eq!(output.status.code(), Some(2));
}

/// Flipped bits and cut ends of a snapshot: every one is refused, on both engines, and the job that was
/// there is still there and ends as it would have.
#[test]
fn damaged_snapshots_are_refused_and_nothing_is_lost() {
    let example = example::open("first-window.md");
    let open = |example: &Example| {
        let sandbox = Arc::new(WasmtimeSandbox::default());
        Session::open(&example.name, &example.text, &example.files, sandbox, &Options::default())
            .expect("it opens")
    };
    let mut whole = open(&example);
    let end = whole.finish();
    let snapshot = whole.snapshot().expect("a checkpoint");
    let bytes = fs::read(artifacts::engine().expect("engine.wasm builds")).expect("engine.wasm");
    let mut engine = WasmEngine::load(&bytes, Arc::new(WasmtimeSandbox::default())).expect("loads");
    let (job, _) =
        engine.open(&example.name, &example.text, &Options::default()).expect("it opens");
    let mut session = open(&example);
    let halfway = session.step(end.step / 2);
    engine.step(job, u32::try_from(end.step / 2).expect("few")).expect("steps");
    let mut damaged: Vec<Vec<u8>> = vec![Vec::new(), b"nonsense".to_vec()];
    damaged.extend((0..snapshot.len()).map(|n| snapshot[..n].to_vec()));
    damaged.push([snapshot.as_slice(), b"more"].concat());
    damaged.extend((0..snapshot.len()).map(|byte| {
        let mut flipped = snapshot.clone();
        flipped[byte] ^= 1 << (byte % 8);
        flipped
    }));
    for (i, bytes) in damaged.iter().enumerate() {
        let Err(error) = session.restore(bytes) else { panic!("damage {i} is accepted") };
        assert!(error.code.starts_with("snapshot."), "damage {i}: {error}");
        // wasmtime is slower; a sample is enough to know that the same code stands there.
        if i % 97 == 0 || i < 20 {
            let errors = engine.restore(job, bytes).expect_err("refused in engine.wasm");
            assert_eq!((errors[0].code, &errors[0].message), (error.code, &error.message));
        }
    }
    let status = session.status();
    assert_eq!((status.step, &status.hash), (halfway.step, &halfway.hash), "nothing has moved");
    assert_eq!(session.finish().hash, end.hash);
    assert_eq!(engine.step(job, u32::MAX).expect("steps").hash, end.hash);
    // A whole snapshot of another job is refused too.
    let other = example.text.replace("SUM(cars)", "MAX(cars)");
    let error = open(&example::with_text("first-window.md", &other))
        .restore(&snapshot)
        .expect_err("another pipeline");
    assert!(error.code.starts_with("snapshot."), "{error}");
    assert!(error.hint.is_some(), "{error}");
}

#[test]
fn several_statements_may_write_to_one_file() {
    let script = format!(
        "{}CREATE TABLE f (k STRING, v BIGINT)
  WITH ('connector' = 'filesystem', 'path' = 'out.csv', 'format' = 'csv');
INSERT INTO f SELECT k, v FROM t;
INSERT INTO f SELECT k, v * 10 FROM t;",
        json_table("")
    );
    let folder = folder(&[("in.jsonl", RECORDS.as_bytes()), ("job.sql", script.as_bytes())]);
    for way in WAYS {
        let output = highwater(folder.path(), &[&["run", "job.sql"], way].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let written = fs::read_to_string(folder.path().join("out.csv")).expect("written");
        assert_eq!(written, "a,1\na,2\na,3\na,10\na,20\na,30\n", "{way:?}");
    }
}
