//! `highwater bench nexmark` as a user meets it, without a baseline and with one that is wrong.

use std::process::{Command, Output};

use serde_json::Value as Json;

fn nexmark(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.args(["bench", "nexmark", "--repeats", "1"]).args(args);
    command.output().expect("the command starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn without_python_the_engine_runs_alone_and_says_so() {
    let alone = ["--events", "20000", "--python", "no-such-python"];
    let output = nexmark(&[&alone[..], &["--json", "q0", "Q5", "q13"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let notes = text(&output.stderr).lines().filter(|l| l.contains("pip install duckdb"));
    assert_eq!(notes.count(), 1);
    let lines = text(&output.stdout).lines();
    let lines: Vec<Json> = lines.map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let told: Vec<_> =
        lines.iter().map(|l| (&l["workload"], &l["engine"], &l["records"])).collect();
    let expected = [("q0", 18_400), ("q5", 18_400), ("q13", 28_400)];
    let expected = expected.map(|(query, records)| (query.into(), "native".into(), records.into()));
    assert_eq!(told, expected.each_ref().map(|(a, b, c): &(Json, Json, Json)| (a, b, c)));
    for line in &lines {
        for field in ["seconds", "cpu_seconds", "records_per_s", "rows", "peak_rss_mb"] {
            assert!(line[field].as_f64().is_some_and(|v| v > 0.0), "{field} in {line}");
        }
        assert_eq!((&line["threads"], &line["late"]), (&1.into(), &0.into()));
        assert!(line["baseline"].is_null() && line["ratio"].is_null(), "{line}");
    }
    assert_eq!(lines[0]["rows"], 18_400);
}

#[test]
fn all_queries_are_told_with_those_that_are_left_out() {
    let output = nexmark(&["--events", "2000", "--python", "no-such-python"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for number in 0..=22 {
        let name = format!("q{number} ");
        let line = text(&output.stdout).lines().find(|line| line.starts_with(&name));
        let line = line.unwrap_or_else(|| panic!("{name}is missing"));
        assert_eq!(line.contains("left out:"), number == 6, "{line}");
    }
    for wrong in [&["q6"][..], &["q24"], &["--events", "0"], &["q1", "--here", "--json", "q2"]] {
        assert_eq!(nexmark(wrong).status.code(), Some(2), "{wrong:?}");
    }
    assert!(text(&nexmark(&["q6"]).stderr).contains("Flink refuses it"));
}

/// A baseline that has one row, which the engine does not.
#[cfg(unix)]
#[test]
fn other_rows_than_the_baselines_fail_the_command() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use parquet::arrow::ArrowWriter;

    let folder = tempfile::tempdir().expect("a folder");
    let rows = folder.path().join("rows.parquet");
    let columns: [(&str, ArrayRef); 2] = [
        ("auction", Arc::new(Int64Array::from(vec![-1]))),
        ("price", Arc::new(Int64Array::from(vec![77]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = fs::File::create(&rows).expect("made");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("starts");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    // Called with -c SCRIPT QUERY OUT …, or with -c and an import.
    let script = format!(
        "#!/bin/sh\n[ $# -gt 2 ] || exit 0\ncp '{}' \"$4\"\n\
         echo '{{\"seconds\": [1.0], \"cpu_seconds\": [1.0], \"peak_bytes\": 1, \"rows\": 1}}'\n",
        rows.display()
    );
    let python = folder.path().join("python");
    fs::write(&python, script).expect("written");
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).expect("may run");
    let python = python.to_str().expect("UTF-8");
    let output = nexmark(&["q2", "--events", "20000", "--python", python]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let told = text(&output.stderr);
    assert!(told.contains("bench.wrong-totals") && told.contains("`-1 | 77`"), "{told}");
    assert!(text(&output.stdout).contains("q2    error: q2: the engine gives"), "{told}");
}
