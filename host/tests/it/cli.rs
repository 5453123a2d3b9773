//! The command as a user meets it: exit codes, what goes where, what it says when things are wrong.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

/// Three windows of a key each, and one late record: the watermark is 12:00:29 when it comes.
const RECORDS: &str = r#"{"k":"a","v":1,"ts":"2024-01-01 12:00:01"}
{"k":"b","v":10,"ts":"2024-01-01 12:00:02"}
{"k":"a","v":2,"ts":"2024-01-01 12:00:11"}
{"k":"a","v":3,"ts":"2024-01-01 12:00:30"}
{"k":"a","v":4,"ts":"2024-01-01 12:00:05"}
"#;

pub(crate) const TABLE: &str = "CREATE TABLE t (k STRING, v DECIMAL(6, 2), ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'in.jsonl', 'format' = 'json');
";

pub(crate) const QUERY: &str = "SELECT k, window_start, SUM(v) AS s
FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY k, window_start, window_end;
";

/// What anybody can add up from the records above.
const ROWS: &str = r#"{"k":"a","window_start":"2024-01-01 12:00:00.000","s":"1.00"}
{"k":"b","window_start":"2024-01-01 12:00:00.000","s":"10.00"}
{"k":"a","window_start":"2024-01-01 12:00:10.000","s":"2.00"}
{"k":"a","window_start":"2024-01-01 12:00:30.000","s":"3.00"}
"#;

pub(crate) fn folder(script: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("in.jsonl"), RECORDS).expect("written");
    std::fs::write(folder.path().join("job.sql"), script).expect("written");
    folder
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.args(args).env_remove("UPDATE_EXPECT").env_remove("HIGHWATER_ENGINE_WASM");
    command
}

pub(crate) fn highwater(folder: &Path, args: &[&str]) -> Output {
    command(args).current_dir(folder).output().expect("the command starts")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn both_drivers_print_the_rows_and_tell_of_late_records() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    for driver in ["runner", "sim"] {
        for more in [&["--parallelism", "2"][..], &["--batch-rows", "1"], &["--seed", "9"]] {
            let mut args = vec!["run", "job.sql", "--format", "jsonl", "--driver", driver];
            args.extend(more);
            let output = highwater(folder.path(), &args);
            assert_eq!(out(&output), ROWS, "{args:?}: {}", err(&output));
            assert_eq!(output.status.code(), Some(0));
            assert_eq!(err(&output), "note: 1 late record dropped\n");
        }
    }
}

#[test]
fn paths_start_from_the_scripts_folder() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    let script = folder.path().join("job.sql");
    let output =
        highwater(Path::new("/"), &["run", script.to_str().expect("UTF-8"), "--format", "jsonl"]);
    assert_eq!(out(&output), ROWS, "{}", err(&output));
}

#[test]
fn the_hash_is_the_last_line_and_stays_the_same() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    let hash = |args: &[&str]| {
        let output = highwater(folder.path(), args);
        let text = out(&output);
        let line = text.lines().last().expect("a line").to_owned();
        let hex = line.strip_prefix("trace ").unwrap_or_else(|| panic!("{line}"));
        assert!(hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
        line
    };
    let first = hash(&["run", "job.sql", "--hash"]);
    assert_eq!(first, hash(&["run", "job.sql", "--hash", "--format", "jsonl"]));
    assert_eq!(first, hash(&["trace", "job.sql", "--hash", "--to", "2"]));
    std::fs::rename(folder.path().join("job.sql"), folder.path().join("moved.sql")).expect("moved");
    assert_eq!(first, hash(&["trace", "moved.sql", "--hash"]), "a name is no part of a run");
    let output = highwater(folder.path(), &["run", "moved.sql", "--hash", "--driver", "runner"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn traces_can_be_cut_and_kept_in_binary() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    let all = out(&highwater(folder.path(), &["trace", "job.sql"]));
    let late = out(&highwater(folder.path(), &["trace", "job.sql", "--grep", "late,finish"]));
    let expected: Vec<&str> =
        all.lines().filter(|l| l.contains(" late ") || l.ends_with(" finish")).collect();
    assert_eq!(late.lines().collect::<Vec<_>>(), expected);
    assert_eq!(expected.len(), 2);
    let some = out(&highwater(folder.path(), &["trace", "job.sql", "--from", "2", "--to", "3"]));
    assert!(!some.is_empty() && all.contains(&some));
    assert!(some.lines().all(|l| l.starts_with("2 ") || l.starts_with("3 ")), "{some}");
    let output = highwater(folder.path(), &["trace", "job.sql", "--binary", "t.bin"]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), ""));
    let bytes = std::fs::read(folder.path().join("t.bin")).expect("written");
    let chunk = highwater_engine::trace::decode(&bytes).expect("a trace");
    let lines: String = chunk.events.iter().map(|e| e.line(&chunk.header) + "\n").collect();
    assert_eq!(lines, all);
}

#[test]
fn sinks_get_headings_and_files_are_replaced_whole() {
    let script = format!(
        "{TABLE}CREATE TABLE p (k STRING, s DECIMAL(38, 2)) WITH ('connector' = 'print');
         CREATE TABLE f (k STRING, s DECIMAL(38, 2))
           WITH ('connector' = 'filesystem', 'path' = 'out.csv', 'format' = 'csv');
         CREATE VIEW w AS {}
         INSERT INTO p SELECT k, s FROM w;
         INSERT INTO f SELECT k, s FROM w;",
        QUERY
    );
    let folder = folder(&script);
    std::fs::write(folder.path().join("out.csv"), "old").expect("written");
    let output = highwater(folder.path(), &["run", "job.sql"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let expected = "p (4 rows)\nk      s\n-  -----\na   1.00\nb  10.00\na   2.00\na   3.00\n";
    assert_eq!(out(&output), expected);
    let read = || std::fs::read_to_string(folder.path().join("out.csv")).expect("written");
    assert_eq!(read(), "a,1.00\nb,10.00\na,2.00\na,3.00\n");
    // A job that fails leaves the old file as it was.
    std::fs::write(folder.path().join("in.jsonl"), format!("{RECORDS}{{\"k\"\n")).expect("written");
    let output = highwater(folder.path(), &["run", "job.sql"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("in.jsonl"), "{}", err(&output));
    assert_eq!(read(), "a,1.00\nb,10.00\na,2.00\na,3.00\n");
}

#[test]
fn output_goes_to_a_file_when_asked() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    let output = highwater(
        folder.path(),
        &["run", "job.sql", "--format", "jsonl", "--output", "rows.jsonl"],
    );
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), ""));
    let rows = std::fs::read_to_string(folder.path().join("rows.jsonl")).expect("written");
    assert_eq!(rows, ROWS);
    let output =
        highwater(folder.path(), &["run", "job.sql", "--output", "no/such/folder/rows.jsonl"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn mistakes_are_shown_where_they_are_without_colours() {
    let folder = folder(&format!("{TABLE}SELECT kk, v FROM t;"));
    for args in [&["run", "job.sql"][..], &["explain", "job.sql"], &["trace", "job.sql"]] {
        let output = highwater(folder.path(), args);
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!(out(&output), "");
        assert!(text.contains("job.sql:4:8"), "{text}");
        assert!(text.contains("4 | SELECT kk, v FROM t;\n"), "{text}");
        assert!(text.contains(" ^^\n"), "{text}");
        assert!(text.contains("help: "), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_a_panic() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("empty.sql"), "").expect("written");
    std::fs::write(at("bytes.sql"), b"SELECT '\xff'").expect("written");
    std::fs::write(at("text.txt"), "SELECT 1").expect("written");
    std::fs::create_dir(at("dir.sql")).expect("made");
    std::fs::write(at("lost.sql"), TABLE.replace("in.jsonl", "gone.jsonl") + QUERY)
        .expect("written");
    let guest = "CREATE FUNCTION f AS 'none.wasm' LANGUAGE WASM; SELECT 1;";
    std::fs::write(at("guest.sql"), guest).expect("written");
    for (args, part) in [
        (&["run", "none.sql"][..], "there is no file `none.sql`"),
        (&["run", "empty.sql"], "is empty"),
        (&["run", "bytes.sql"], "byte 0xff at offset 8"),
        (&["run", "text.txt"], "neither a scenario"),
        (&["run", "dir.sql"], "is a folder"),
        (&["run", "lost.sql"], "gone.jsonl"),
        (&["run", "guest.sql"], "none.wasm"),
        (
            &["run", "job.sql", "--engine", "wasm", "--engine-wasm", "in.jsonl"],
            "refuses the module",
        ),
        (&["run", "job.sql", "--engine", "wasm", "--engine-wasm", "none"], "no engine.wasm"),
        (&["run", "job.sql", "--batch-rows", "0"], "--batch-rows"),
        (&["run", "job.sql", "--format", "xml"], "--format"),
        (&["check", "job.sql", "none.md"], "none.md"),
        (&["help", "nothing"], "nothing"),
        (&["sail"], "sail"),
        (&[], "Usage"),
    ] {
        let output = highwater(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(part), "{args:?}: {}", err(&output));
    }
}

#[test]
fn control_characters_never_arrive_raw() {
    let folder = folder(&format!("{TABLE}SELECT k, v FROM t;"));
    let hostile =
        "{\"k\":\"\\u001b[2J\\u009b31m\\n\\u202e\",\"v\":1,\"ts\":\"2024-01-01 12:00:01\"}\n";
    std::fs::write(folder.path().join("in.jsonl"), hostile).expect("written");
    for (args, exact) in [
        (&["run", "job.sql"][..], false),
        (&["run", "job.sql", "--format", "jsonl"], false),
        // The trace's text is what its hash is over; only a terminal gets more of it escaped.
        (&["trace", "job.sql"], true),
    ] {
        let text = out(&highwater(folder.path(), args));
        let raw = |c: char| c.is_control() && c != '\n' || c == '\u{202e}' && !exact;
        assert!(!text.contains(raw), "{args:?}: {text:?}");
        assert!(text.contains("[2J"), "{args:?}: {text:?}");
    }
    let text = out(&highwater(folder.path(), &["run", "job.sql", "--format", "jsonl"]));
    let row: serde_json::Value = serde_json::from_str(&text).expect("one JSON line");
    assert_eq!(row["k"], "\u{1b}[2J\u{9b}31m\n\u{202e}");
}

#[test]
fn checks_show_differences_and_rewrite_when_asked() {
    let folder = folder("SELECT 1;");
    let scenario = format!(
        "# A lesson\n\n```sql\n{TABLE}{QUERY}```\n\nThe rows:\n\n```expect rows result\nk | wrong\n```\n\nEnd.\n"
    );
    let path = folder.path().join("lesson.md");
    std::fs::write(&path, &scenario).expect("written");
    let output = highwater(folder.path(), &["check", "lesson.md"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let text = out(&output);
    assert!(text.contains("  -k | wrong\n"), "{text}");
    assert!(text.contains("  +a"), "{text}");
    assert!(text.ends_with("lesson.md: 1 of 1 failed\n"), "{text}");
    assert_eq!(std::fs::read_to_string(&path).expect("read"), scenario, "untouched");
    let update = command(&["check", "lesson.md"])
        .current_dir(folder.path())
        .env("UPDATE_EXPECT", "1")
        .output()
        .expect("starts");
    assert_eq!(update.status.code(), Some(0), "{}", err(&update));
    let rewritten = std::fs::read_to_string(&path).expect("read");
    assert!(rewritten.contains("10.00") && rewritten.ends_with("```\n\nEnd.\n"), "{rewritten}");
    let output = highwater(folder.path(), &["check", "lesson.md"]);
    assert_eq!(out(&output), "lesson.md: 1 ok\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn why_answers_and_says_what_there_is_to_ask_about() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    let why = |args: &[&str]| {
        let mut all = vec!["why", "job.sql"];
        all.extend(args);
        let output = highwater(folder.path(), &all);
        (output.status.code(), out(&output) + &err(&output))
    };
    for (args, code, said) in [
        (
            &["record", "5"][..],
            0,
            "INTERVAL '20.002' SECOND keeps the record, INTERVAL '20.001' SECOND drops it",
        ),
        (&["window", "--after", "2", "--key", "b"], 0, "at 2024-01-01 12:00:10.999 fires it"),
        (
            &["window", "--end", "2024-01-01 12:00:20"],
            0,
            "came to 2024-01-01 12:00:29.000 by record 4",
        ),
        (&["row", "result", "1"], 0, "made of record 1\n"),
        (&["record", "9"], 2, "5 records were read, numbered 1 to 5"),
        (&["held"], 2, "this job has no join"),
        (&["row", "result", "9"], 2, "it has 4 rows"),
        (&["row", "other", "1"], 2, "the sinks are result"),
        (&["window", "--key", "x"], 2, "no such window"),
        (&["window", "--end", "soon"], 2, "expected a time"),
        (&["ledger", "--after", "2"], 0, "window/0"),
        (&[], 2, "window, record, held"),
    ] {
        let (status, text) = why(args);
        assert_eq!(status, Some(code), "{args:?}: {text}");
        assert!(text.contains(said), "{args:?}: {text}");
    }
}

#[test]
fn state_is_printed_after_a_record_and_by_condition() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    let ask = |args: &[&str]| highwater(folder.path(), &[&["state", "job.sql"], args].concat());
    assert_eq!(out(&ask(&[])), "window\n");
    // The last window alone is open when the last record has come.
    let last = out(&ask(&["window", "--format", "json"]));
    assert_eq!(last.lines().count(), 1, "{last}");
    for part in [r#""k":"a""#, r#""window_start":"2024-01-01 12:00:30.000""#, r#":"3.00"}"#] {
        assert!(last.contains(part), "{last}");
    }
    let second = out(&ask(&["window", "--after", "2", "--format", "json"]));
    assert_eq!(second.lines().count(), 2, "{second}");
    let one = out(&ask(&["window", "--after", "2", "--where", "k = 'b'", "--format", "json"]));
    assert!(one.lines().count() == 1 && one.contains(r#":"10.00"}"#), "{one}");
    let table = out(&ask(&["window", "--where", "window_start > TIMESTAMP '2024-01-01 12:00:20'"]));
    assert!(table.contains("window_start") && table.contains("3.00"), "{table}");
    for (args, part) in [
        (&["join"][..], "those that do are window"),
        (&["window", "--where", "x = 1"], "x"),
        (&["window", "--checkpoint", "99"], "checkpoint"),
    ] {
        let wrong = ask(args);
        assert_eq!(wrong.status.code(), Some(2), "{args:?}");
        assert!(err(&wrong).contains(part), "{}", err(&wrong));
    }
}

#[test]
fn torture_counts_what_each_guarantee_costs() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    let ask = |args: &[&str]| highwater(folder.path(), &[&["torture", "job.sql"], args].concat());
    let all = out(&ask(&["--guarantee", "all", "--json"]));
    let lines = all.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let found: Vec<serde_json::Value> = lines.collect();
    assert_eq!(found.len(), 3, "{all}");
    for (one, guarantee) in found.iter().zip(["at-most-once", "at-least-once", "exactly-once"]) {
        let count = |name: &str| one[name].as_u64().expect("a number");
        assert_eq!((one["guarantee"].as_str(), count("violated")), (Some(guarantee), 0), "{one}");
        assert!(count("single") > 10 && count("double") > 10, "{one}");
        let table = |name: &str| one["tables"][0][name].as_u64().expect("a number");
        let (lost, twice) = (table("lost"), table("duplicated"));
        assert_eq!(
            (lost > 0, twice > 0),
            (guarantee == "at-most-once", guarantee == "at-least-once")
        );
    }
    let text = out(&ask(&["--once"]));
    assert!(text.contains("exactly-once holds in all of them"), "{text}");
    let wrong = ask(&["--guarantee", "twice"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = folder(
        "CREATE TABLE g (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '200000',
           'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '200000');
         SELECT n FROM g;",
    );
    let mut child = command(&["run", "job.sql", "--format", "jsonl"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut first = [0; 8];
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut first).expect("a line");
    assert_eq!(&first, b"{\"n\":1}\n");
    drop(stdout);
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
}

#[test]
fn help_knows_the_language() {
    let output = highwater(Path::new("."), &["help", "sql"]);
    let text = out(&output);
    for word in [
        "filesystem",
        "csv.ignore-parse-errors",
        "execution.checkpointing.interval",
        "COALESCE",
        "AVG",
    ] {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&highwater(Path::new("."), &["help", "run"])).contains("--driver"));
}

/// The lines of `highwater bench --json`.
fn bench(arguments: &[&str]) -> (Vec<serde_json::Value>, Output) {
    let output = highwater(Path::new("."), &[&["bench", "--json"], arguments].concat());
    let lines = out(&output);
    let line =
        |l: &str| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}\n{}", err(&output)));
    (lines.lines().map(line).collect(), output)
}

#[test]
fn the_benchmark_prints_a_line_a_measurement() {
    let few = ["--records", "30000", "--repeats", "2", "--engine", "loop,native"];
    let (lines, output) = bench(&[&["w1", "W5"], &few[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let names: Vec<_> = lines.iter().map(|l| (&l["workload"], &l["engine"])).collect();
    let expected = [("W1", "loop"), ("W1", "native"), ("W5", "loop"), ("W5", "native")];
    assert_eq!(format!("{names:?}"), format!("{:?}", expected.map(|(w, e)| (json!(w), json!(e)))));
    for line in &lines {
        for field in ["seconds", "cpu_seconds", "records_per_s", "baseline", "ratio", "peak_rss_mb"]
        {
            assert!(line[field].as_f64().is_some_and(|v| v > 0.0), "{field} in {line}");
        }
        assert_eq!((&line["threads"], &line["records"]), (&json!(1), &json!(30_000)));
    }
    assert_eq!(lines[2]["rows"], 30_000);
    assert_eq!(lines[0]["rows"], lines[1]["rows"]);
    assert_eq!(lines[0]["ratio"], 1.0);
}

#[test]
fn the_benchmark_asks_for_features_by_name() {
    let few = ["--records", "20000", "--repeats", "1", "--engine", "loop,native"];
    let (lines, output) = bench(&[&["features"], &few[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let names: Vec<_> = lines.iter().filter_map(|l| l["workload"].as_str()).collect();
    assert!(names.contains(&"cumulate") && names.contains(&"early"), "{names:?}");
    for pair in lines.chunks(2) {
        for field in ["workload", "rows", "late", "counts", "sums", "maxima"] {
            assert_eq!(pair[0][field], pair[1][field], "{field} of {}", pair[0]);
        }
        assert!(pair[1]["ratio"].as_f64().is_some_and(|r| r > 0.0), "{}", pair[1]);
    }
    let (lines, _) = bench(&[&["Top-N"], &few[..]].concat());
    assert_eq!(lines.len(), 2);
}

#[test]
fn the_benchmark_counts_threads_and_says_what_it_cannot_measure() {
    let few = ["W1", "--records", "30000", "--repeats", "1", "--engine", "native"];
    let (lines, output) = bench(&[&few[..], &["--threads", "1,3"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!([&lines[0]["threads"], &lines[1]["threads"]], [1, 3]);
    assert_eq!(lines[0]["rows"], lines[1]["rows"]);
    for wrong in
        [&["W9"][..], &["--engine", "abacus"], &["--batch-rows", "0"], &["W1", "--threads", "0"]]
    {
        assert_eq!(bench(wrong).1.status.code(), Some(2), "{wrong:?}");
    }
}

/// A job stopped after two records goes on with more and with fewer subtasks; another job does not go on from that.
#[test]
fn a_savepoint_goes_on_with_another_parallelism() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    let at = |args: &[&str]| highwater(folder.path(), args);
    for (from, to) in [("1", "3"), ("4", "2"), ("2", "128")] {
        let taken =
            ["savepoint", "job.sql", "--after", "2", "--parallelism", from, "--output", "s"];
        let made = at(&taken);
        assert!(made.status.success() && err(&made).contains("savepoint of"), "{}", err(&made));
        let going_on = ["--savepoint", "s", "--parallelism", to, "--format", "jsonl"];
        let rest = at(&[&["run", "job.sql"], &going_on[..]].concat());
        assert_eq!((out(&rest), rest.status.code()), (ROWS.to_owned(), Some(0)), "{}", err(&rest));
        // The windows that are open then are none of the input's rest.
        let open = at(&["state", "job.sql", "window", "--after", "2", "--format", "json"]);
        assert_eq!(out(&open).lines().count(), 2, "{}", err(&open));
    }
    std::fs::write(folder.path().join("other.sql"), format!("{TABLE}SELECT k FROM t;\n"))
        .expect("written");
    let wrong: [(&[&str], &str); 4] = [
        (&["run", "other.sql", "--savepoint", "s"], "snapshot.mismatch"),
        (&["run", "job.sql", "--savepoint", "none"], "savepoint.read"),
        (&["run", "job.sql", "--savepoint", "in.jsonl"], "snapshot.corrupt"),
        (&["savepoint", "job.sql", "--after", "99", "--output", "t"], "come to its end"),
    ];
    for (args, said) in wrong {
        let refused = at(args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(err(&refused).contains(said), "{args:?}: {}", err(&refused));
    }
}
