//! `highwater diff` as a user meets it: text, JSON lines, exit codes, mistakes.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::example;

/// The window is closed by the third record; the fourth is late for it, and the fifth cannot be read.
const RECORDS: &str = r#"{"v":1,"ts":"2024-01-01 12:00:01"}
{"v":2,"ts":"2024-01-01 12:00:05"}
{"v":3,"ts":"2024-01-01 12:00:13"}
{"v":4,"ts":"2024-01-01 12:00:04"}
{"v":"x","ts":"2024-01-01 12:00:14"}
"#;

fn job(end: &str) -> String {
    format!(
        "CREATE TABLE t (v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND) WITH \
         ('connector' = 'filesystem', 'path' = 'in.jsonl', 'format' = 'json', \
         'json.ignore-parse-errors' = 'true');\n{end}"
    )
}

const QUERY: &str = "SELECT window_end, SUM(v) AS s FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
    INTERVAL '10' SECOND)) GROUP BY window_start, window_end;\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    write("in.jsonl", RECORDS);
    write("job.sql", &job(QUERY));
    write("other.sql", &job(&QUERY.replace("SUM(v) AS s", "COUNT(v) AS n, MAX(v) AS m")));
    write("plan.sql", &job(&format!("EXPLAIN {QUERY}")));
    write("empty.sql", &job(""));
    folder
}

fn diff(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_highwater"))
        .arg("diff")
        .args(args)
        .current_dir(folder)
        .output()
        .expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn lines(folder: &Path, args: &[&str]) -> Vec<Value> {
    let (status, out, err) = diff(folder, &[args, &["--json"]].concat());
    assert_eq!(status, Some(0), "{err}");
    out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

#[test]
fn a_file_is_no_different_from_itself() {
    let folder = folder();
    let told = lines(folder.path(), &["job.sql", "job.sql"]);
    let last = told.last().expect("a summary");
    assert_eq!(last["kind"], "summary");
    for (name, value) in
        [("only_a", 0), ("only_b", 0), ("reordered", 0), ("dropped_a", 2), ("dropped_b", 2)]
    {
        assert_eq!(last[name], value, "{last}");
    }
    assert_eq!((&last["rows_differ"], &last["traces_equal"]), (&false.into(), &true.into()));
    assert!(of_kind(&told, "row").is_empty());
    let (status, out, _) = diff(folder.path(), &["job.sql", "job.sql", "--check"]);
    assert_eq!(status, Some(0), "{out}");
    assert!(out.contains("the traces are equal: "), "{out}");
    assert!(!out.lines().any(|line| line.starts_with(['+', '-'])), "{out}");
}

#[test]
fn a_setting_shows_in_rows_drops_latency_and_traces() {
    let folder = folder();
    let set = ["job.sql", "--set", "table.exec.emit.allow-lateness = 1 h"];
    let told = lines(folder.path(), &set);
    let table = of_kind(&told, "table")[0];
    for (name, value) in [("a", 2), ("b", 4), ("both", 2), ("only_a", 0), ("only_b", 2)] {
        assert_eq!(table[name], value, "{table}");
    }
    let rows = of_kind(&told, "row");
    assert_eq!((&rows[0]["only"], &rows[0]["row"]["op"]), (&"b".into(), &"-U".into()));
    assert_eq!((&rows[1]["row"]["op"], &rows[1]["row"]["s"]), (&"+U".into(), &7.into()));
    let dropped = of_kind(&told, "dropped");
    let late = dropped.iter().find(|d| d["why"] == "late").expect("one is late");
    assert_eq!((&late["a"], &late["b"]), (&1.into(), &0.into()));
    let unreadable = dropped.iter().find(|d| d["why"] == "unreadable").expect("one is unreadable");
    assert_eq!((&unreadable["a"], &unreadable["b"]), (&1.into(), &1.into()));
    let latencies = of_kind(&told, "latency");
    assert_eq!(latencies.len(), 2);
    assert!(
        latencies
            .iter()
            .all(|l| l["p50_ms"].is_f64() && l["p50_ms"].as_f64() <= l["max_ms"].as_f64())
    );
    let state = of_kind(&told, "state");
    let window = state.iter().find(|s| s["operator"] == "window").expect("it has state");
    assert!(window["b"].as_u64() > window["a"].as_u64(), "{window}");
    let runs = of_kind(&told, "run");
    assert!(runs.iter().all(|r| r["finished"] == true && r["most_bytes"].is_u64()), "{runs:?}");
    let parted = of_kind(&told, "trace")[0];
    assert!(
        parted["event"].is_u64() && parted["a"].is_string() && parted["b"].is_string(),
        "{parted}"
    );

    let (status, out, _) = diff(folder.path(), &set);
    assert_eq!(status, Some(0));
    for part in [
        "B  job.sql with table.exec.emit.allow-lateness = 1 h",
        "result, rows that differ:\n  op | window_end              | s\n",
        "+ -U | 2024-01-01 12:00:10.000 | 3\n+ +U | 2024-01-01 12:00:10.000 | 7\n",
        "state: the most bytes that an operator's subtasks wrote for a checkpoint\noperator ",
        "the traces part at event ",
        "restarts ",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    // One row, and how many there are besides.
    let (status, out, _) = diff(folder.path(), &[&set[..], &["--rows", "1", "--check"]].concat());
    assert_eq!(status, Some(1));
    assert!(out.contains("| 3\n… and 1 more (--rows)\n"), "{out}");
    let (_, out, _) = diff(folder.path(), &[&set[..], &["--rows", "0"]].concat());
    assert!(!out.contains("rows that differ"), "{out}");
}

#[test]
fn an_example_under_another_guarantee() {
    let set = ["three-guarantees.md", "--set", "highwater.guarantee=at-least-once"];
    let told = lines(&example::folder(), &set);
    let only: Vec<_> =
        of_kind(&told, "table").iter().map(|t| [&t["only_a"], &t["only_b"]]).collect();
    assert_eq!(only, [[&Value::from(0), &3.into()], [&0.into(), &1.into()]]);
}

#[test]
fn other_columns_are_said_and_stand_under_their_own_names() {
    let folder = folder();
    let (status, out, err) = diff(folder.path(), &["job.sql", "other.sql"]);
    assert_eq!(status, Some(0), "{err}");
    for part in [
        "result, columns that differ:\n- window_end TIMESTAMP(3), s INT\n+ window_end TIMESTAMP(3), n BIGINT",
        "  window_end              | s\n- ",
        "  window_end              | n | m\n+ ",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
}

#[test]
fn mistakes_say_what_to_do() {
    let folder = folder();
    for (args, told) in [
        (
            &["job.sql", "--set", "highwater.guarante=at-most-once"][..],
            "did you mean `highwater.guarantee`?",
        ),
        (
            &["job.sql", "--set", "highwater.guarantee=twice"],
            "'twice' is no value of highwater.guarantee",
        ),
        (&["job.sql", "--set", "highwater.guarantee"], "expected KEY=VALUE"),
        (&["job.sql", "--set", "=1"], "expected KEY=VALUE"),
        (&["job.sql"], "--set"),
        (&["job.sql", "job.sql", "--set", "highwater.seed=1"], "cannot be used with"),
        (&["job.sql", "missing.md"], "missing.md"),
        (&["job.sql", "empty.sql"], "nothing to run"),
        (&["job.sql", "plan.sql"], "shows a plan and has no rows"),
    ] {
        let (status, out, err) = diff(folder.path(), args);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.contains(told), "{args:?}: {err}");
    }
}

#[test]
fn help_says_what_latency_is() {
    let output = Command::new(env!("CARGO_BIN_EXE_highwater")).args(["help", "diff"]).output();
    let help = String::from_utf8(output.expect("it starts").stdout).expect("UTF-8");
    for part in ["Latency: ", "--set <KEY=VALUE>", "--check"] {
        assert!(help.contains(part), "{help}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_highwater")).arg("help").output();
    let help = String::from_utf8(output.expect("it starts").stdout).expect("UTF-8");
    let listed = |line: &str| line.trim().starts_with("diff ") && line.contains("Compare two runs");
    assert!(help.lines().any(listed), "{help}");
}
