//! Files of columns from outside: the rows of the same CSV, through crashes too, and what else is said of them.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::session::{Files, Options, Session};
use parquet::arrow::ArrowWriter;
use serde_json::Value as Json;

/// Records: a key, a number, a second of 2024.
fn records() -> Vec<(&'static str, i64, i64)> {
    let keys = ["a", "b", "c"];
    (0..400).map(|i: i64| (keys[(i * i % 3) as usize], i * 7 % 50, i - i * 13 % 11)).collect()
}

/// The first millisecond of 2024.
const YEAR: i64 = 1_704_067_200_000;

/// A folder with the records in every format, and their description in a table of each.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let records = records();
    let times = records.iter().map(|r| (YEAR + r.2 * 1_000) * 1_000 + 999);
    let columns: [(&str, ArrayRef); 4] = [
        // Not asked for, and of a type that is not read.
        ("extra", Arc::new(arrow_array::DurationSecondArray::from(vec![0; records.len()]))),
        ("v", Arc::new(Int64Array::from_iter_values(records.iter().map(|r| r.1)))),
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(times))),
        ("k", Arc::new(StringArray::from_iter_values(records.iter().map(|r| r.0)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = |name: &str| File::create(folder.path().join(name)).expect("made");
    let mut writer =
        ArrowWriter::try_new(file("in.parquet"), batch.schema(), None).expect("starts");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(file("in.arrow"), &batch.schema())
        .expect("starts");
    writer.write(&batch).expect("written");
    writer.finish().expect("closed");
    let text: String = records
        .iter()
        .map(|r| {
            let (minute, second) = (r.2.div_euclid(60), r.2.rem_euclid(60));
            match r.2 {
                0.. => format!("{},{},2024-01-01 00:{minute:02}:{second:02}\n", r.0, r.1),
                _ => format!("{},{},2023-12-31 23:59:{second:02}\n", r.0, r.1),
            }
        })
        .collect();
    std::fs::write(folder.path().join("in.csv"), text).expect("written");
    folder
}

fn script(format: &str, setting: &str) -> String {
    format!(
        "SET 'execution.checkpointing.interval' = '50 ms';{setting}
         CREATE TABLE t (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
         WITH ('connector' = 'filesystem', 'path' = 'in.{format}', 'format' = '{format}');
         SELECT k, window_start, COUNT(*) AS n, SUM(v) AS s
         FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))
         GROUP BY k, window_start, window_end;"
    )
}

fn highwater(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.args(args).current_dir(folder).env_remove("HIGHWATER_ENGINE_WASM");
    command.output().expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn rows_are_those_of_the_same_csv_by_both_drivers_and_after_a_crash() {
    let folder = folder();
    for setting in ["", "SET 'highwater.t.partition' = 'k';", "SET 'highwater.t.arrival' = 'ts';"] {
        let mut expected = None;
        for format in ["csv", "parquet", "arrow"] {
            let sql = script(format, setting);
            let crashing =
                format!("```sql\n{sql}\n```\n\n```faults\nat 200ms crash window/0\n```\n");
            std::fs::write(folder.path().join("job.sql"), sql).expect("written");
            std::fs::write(folder.path().join("crash.md"), crashing).expect("written");
            let ways: [&[&str]; 3] = [
                &["run", "job.sql", "--format", "jsonl"],
                &["run", "job.sql", "--format", "jsonl", "--driver", "sim", "--batch-rows", "7"],
                &["run", "crash.md", "--format", "jsonl"],
            ];
            for way in ways {
                let output = highwater(folder.path(), way);
                let found = (text(&output.stdout), output.status.code());
                assert_eq!(found.1, Some(0), "{format} {way:?}: {}", text(&output.stderr));
                assert!(found.0.lines().count() > 50, "{}", found.0);
                assert_eq!(&found, expected.get_or_insert(found.clone()), "{format} {way:?}");
            }
        }
    }
}

#[test]
fn whoever_gives_the_engine_bytes_hears_whose_format_it_is() {
    let folder = folder();
    let bytes = std::fs::read(folder.path().join("in.parquet")).expect("read");
    let mut files = Files::default();
    files.insert("in.parquet", bytes);
    let (sandbox, options) = (Arc::new(WasmtimeSandbox::default()), Options::default());
    let opened = Session::open("job.sql", &script("parquet", ""), &files, sandbox, &options);
    let errors = opened.err().expect("refused");
    assert_eq!(errors[0].code, "source.native-format");
    assert!(errors[0].hint.as_deref().is_some_and(|h| h.contains("highwater run")), "{errors:?}");
}

#[test]
fn what_does_not_fit_is_said_with_file_column_and_row() {
    let folder = folder();
    let run = |sql: String| {
        std::fs::write(folder.path().join("job.sql"), sql).expect("written");
        let output = highwater(folder.path(), &["run", "job.sql"]);
        (output.status.code(), text(&output.stderr))
    };
    let sql = script("parquet", "");
    let narrow = sql.replace("v INT", "v DECIMAL(1, 0)");
    // The first number of two digits is that of the third record.
    let (code, said) = run(narrow.clone());
    assert_eq!(code, Some(2), "{said}");
    for part in [
        "error[source.malformed]: row 3 of table `t`",
        "for `v`, found 14",
        "in.parquet:3:1",
        "help: ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let ignoring =
        narrow.replace("'format' =", "'parquet.ignore-parse-errors' = 'true', 'format' =");
    let (code, said) = run(ignoring);
    let wide = records().iter().filter(|r| r.1 > 9).count();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("note: {wide} malformed records left out")), "{said}");
    for (from, to, code) in [
        ("v INT", "v INT, w INT", "error[source.no-column]"),
        ("v INT", "v BOOLEAN", "error[source.column-type]"),
        ("in.parquet", "in.csv", "error[source.damaged-file]"),
        ("in.parquet", "none", "error[host.no-file]"),
    ] {
        // A sum of BOOLEAN would be refused before the file is looked at.
        let (exit, said) = run(sql.replace(from, to).replace("SUM(v)", "COUNT(v)"));
        assert_eq!(exit, Some(2), "{said}");
        assert!(said.starts_with(code), "{code}: {said}");
    }
    let writes = "CREATE TABLE o (a INT) WITH ('connector' = 'filesystem', 'path' = 'o', 'format' = 'parquet');
        INSERT INTO o VALUES (1);";
    assert!(run(writes.into()).1.contains("sql.direction"));
}

#[test]
fn progress_is_silent_unless_asked_for() {
    let folder = folder();
    std::fs::write(folder.path().join("job.sql"), script("parquet", "")).expect("written");
    let said = |args: &[&str]| {
        let output = highwater(folder.path(), &[&["run", "job.sql"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    assert_eq!(said(&[]), "");
    assert_eq!(said(&["--progress", "none"]), "");
    let last = said(&["--progress", "json"]);
    let last: Json = serde_json::from_str(last.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["records"], &last["share"]), (&Json::from(400), &Json::from(1.0)));
    // The newest record is that of the greatest second.
    let newest = records().iter().map(|r| YEAR + r.2 * 1_000).max().expect("records");
    assert_eq!(last["newest_ms"], Json::from(newest));
    assert!(said(&["--progress"]).starts_with("400 records, "));
}

#[test]
fn flights_and_readers_are_measured_with_equal_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = 3_000_i64;
    let airports = ["ATL", "DFW", "ORD"];
    let airport = |shift: i64| {
        let names = (0..count).map(|i| airports[((i * 31 + i / 7 + shift) % 3) as usize]);
        Arc::new(StringArray::from_iter_values(names)) as ArrayRef
    };
    let number = |of: fn(i64) -> i64| Arc::new(Int64Array::from_iter_values((0..count).map(of)));
    let columns: [(&str, ArrayRef); 5] = [
        (
            "date",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                (0..count).map(|i| i * 30_000_000),
            )),
        ),
        ("delay", number(|i| (i * 37 % 90) - 20)),
        ("distance", number(|i| 100 + i * 53 % 2_000)),
        ("origin", airport(0)),
        ("destination", airport(1)),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = File::create(folder.path().join("f.parquet")).expect("made");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("starts");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    let bench = |args: &[&str]| -> Vec<Json> {
        let output = highwater(folder.path(), &[&["bench"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let lines = text(&output.stdout);
        lines.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
    };
    let none = [
        "flights",
        "--file",
        "f.parquet",
        "--repeats",
        "1",
        "--json",
        "--python",
        "no-such-python",
    ];
    let lines = bench(&none);
    let names =
        |line: &Json| format!("{} {} {}", line["workload"], line["engine"], line["threads"]);
    let names: Vec<String> = lines.iter().map(|l| names(l).replace('"', "")).collect();
    let expected = |w: &str| {
        [("loop", 1), ("native", 1), ("native", 2)].map(|(e, t)| format!("flights-{w} {e} {t}"))
    };
    assert_eq!(names, [expected("hourly"), expected("connections")].concat());
    assert!(lines.iter().all(|l| l["records"] == count && l["rows"].as_u64() > Some(0)));
    let lines = bench(&["readers", "--records", "5000", "--repeats", "1", "--json"]);
    let names: Vec<&str> = lines.iter().filter_map(|l| l["workload"].as_str()).collect();
    assert_eq!(names, ["read-json", "read-csv", "read-parquet", "read-arrow"]);
    let wrong =
        highwater(folder.path(), &["bench", "flights", "--file", "none.parquet", "--python", "no"]);
    assert_eq!(wrong.status.code(), Some(2));
}
