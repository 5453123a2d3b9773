//! Wrong records: what is malformed, late, empty, at the ends of time or not what a terminal should see.

use super::*;

#[test]
fn a_malformed_record_stops_the_job_at_its_line_and_column() {
    let records = format!("{RECORDS}{{\"k\":\"a\",\"v\":x,\"ts\":null}}\n");
    let script = json_table("") + SUMS;
    let folder = folder(&[("in.jsonl", records.as_bytes()), ("job.sql", script.as_bytes())]);
    for way in WAYS {
        let mut args = vec!["run", "job.sql", "--format", "jsonl"];
        args.extend(way);
        let output = highwater(folder.path(), &args);
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{way:?}: {text}");
        assert!(text.starts_with("error[source.malformed]: "), "{text}");
        assert!(text.contains("--> in.jsonl:4:14\n") && text.contains("help: "), "{text}");
        // Rows that were final before may be shown; never one that was not.
        let whole = "{\"k\":\"a\",\"window_start\":\"2024-01-01 12:00:00.000\",\"s\":1}\n\
                     {\"k\":\"a\",\"window_start\":\"2024-01-01 12:00:10.000\",\"s\":2}\n";
        assert!(whole.starts_with(&out(&output)), "{way:?}: {}", out(&output));
    }
}

#[test]
fn malformed_records_are_counted_and_shown_when_they_may_be_left_out() {
    let json = RECORDS.replace("2}", "2}\n[1]").replace("\"v\":2", "\"v\":\"two\"");
    let csv =
        "a,1,2024-01-01 12:00:01\na,2\nb,2,2024-01-01 12:00:05,9\nb,\"3\",2024-01-01 12:00:05\n";
    let by_json = table("'path' = 'in', 'format' = 'json', 'json.ignore-parse-errors' = 'true'");
    let by_csv = table("'path' = 'in', 'format' = 'csv', 'csv.ignore-parse-errors' = 'true'");
    let cases = [
        (json.as_str(), by_json, "note: 1 malformed", "2:14: expected", ["a 1", "a 3"]),
        (csv, by_csv, "note: 2 malformed", "2:1: expected 3 fields, found 2", ["a 1", "b 3"]),
    ];
    for (data, table, note, described, rows) in cases {
        let script = table + "SELECT k || ' ' || CAST(v AS STRING) AS r FROM t;";
        let folder = folder(&[("in", data.as_bytes()), ("job.sql", script.as_bytes())]);
        let (code, printed, _) = every_way(folder.path(), "job.sql");
        assert_eq!(code, Some(0));
        let expected: String = rows.iter().map(|r| format!("{{\"r\":\"{r}\"}}\n")).collect();
        assert_eq!(printed, expected);
        for way in WAYS {
            let mut args = vec!["run", "job.sql"];
            args.extend(way);
            let said = err(&highwater(folder.path(), &args));
            assert!(said.starts_with(note), "{way:?}: {said}");
            assert!(said.contains(described), "{way:?}: {said}");
        }
    }
}

#[test]
fn a_csv_line_with_too_few_or_too_many_fields_is_malformed() {
    let script = table("'path' = 'in.csv', 'format' = 'csv'") + SUMS;
    for (line, found) in [("a,1\n", 2), ("a,1,2024-01-01 12:00:01,x\n", 4), ("a\n", 1)] {
        let data = format!("a,1,2024-01-01 12:00:01\n{line}");
        let folder = folder(&[("in.csv", data.as_bytes()), ("job.sql", script.as_bytes())]);
        let (code, _, said) = every_way(folder.path(), "job.sql");
        assert_eq!(code, Some(2));
        assert!(said.contains(&format!("expected 3 fields, found {found}")), "{said}");
        assert!(said.contains("--> in.csv:2:") && said.contains("help: "), "{said}");
    }
}

#[test]
fn a_record_without_event_time_is_named_by_its_own_file() {
    let records = format!("{RECORDS}{{\"k\":\"a\",\"v\":4,\"ts\":null}}\n");
    let script = json_table("") + SUMS;
    let folder = folder(&[("in.jsonl", records.as_bytes()), ("job.sql", script.as_bytes())]);
    for way in WAYS {
        let mut args = vec!["run", "job.sql", "--format", "jsonl"];
        args.extend(way);
        let output = highwater(folder.path(), &args);
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.starts_with("error[run.event-time]: table `t`, record 4: "), "{text}");
        assert!(text.contains("--> in.jsonl:4:1\n") && text.contains("help: "), "{text}");
        assert!(!text.contains("job.sql"), "the script is not at fault: {text}");
    }
}

#[test]
fn an_empty_file_has_no_rows_and_is_no_error() {
    for data in ["", "\n\n", "\u{feff}"] {
        let script = json_table("") + SUMS;
        let folder = folder(&[("in.jsonl", data.as_bytes()), ("job.sql", script.as_bytes())]);
        assert_eq!(
            every_way(folder.path(), "job.sql"),
            (Some(0), String::new(), String::new()),
            "{data:?}"
        );
    }
}

#[test]
fn the_ends_of_time_give_rows_and_no_panic() {
    let records =
        "{\"v\":-9223372036854775808}\n{\"v\":0}\n{\"v\":9223372036854775807}\n{\"v\":7}\n";
    let table = "CREATE TABLE t (v BIGINT, ts AS TO_TIMESTAMP_LTZ(v, 3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'in.jsonl', 'format' = 'json');\n";
    let tumble = "SELECT window_start, window_end, COUNT(*) AS n, MIN(v) AS v
FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;";
    let session = "SELECT window_start, window_end, COUNT(*) AS n, MIN(v) AS v
FROM TABLE(SESSION(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;";
    let plain = "SELECT v, ts + INTERVAL '1' DAY AS a, ts - INTERVAL '1' DAY AS b FROM t;";
    for (query, windows) in [(tumble, true), (session, true), (plain, false)] {
        let script = format!("{table}{query}");
        let folder = folder(&[("in.jsonl", records.as_bytes()), ("job.sql", script.as_bytes())]);
        let (code, rows, said) = every_way(folder.path(), "job.sql");
        assert_eq!(code, Some(0), "{said}");
        let values: Vec<i64> = rows
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON"))
            .map(|r| r["v"].as_i64().expect("a number"))
            .collect();
        if windows {
            // The last record stands behind the end of time and is late.
            assert_eq!(values, [i64::MIN, 0, i64::MAX], "{rows}");
            assert!(said.contains("1 late record dropped"), "{said}");
        } else {
            assert_eq!(values, [i64::MIN, 0, i64::MAX, 7], "{rows}");
            // What lies beyond the calendar's 64 bits is NULL, never wrapped round.
            assert!(rows.lines().next().expect("a row").ends_with("\"b\":null}"), "{rows}");
            assert!(rows.lines().nth(2).expect("a row").contains("\"a\":null"), "{rows}");
        }
    }
    let beyond = records.replace("9223372036854775807", "9223372036854775808");
    let script = format!("{table}{tumble}");
    let folder = folder(&[("in.jsonl", beyond.as_bytes()), ("job.sql", script.as_bytes())]);
    let (code, _, said) = every_way(folder.path(), "job.sql");
    assert_eq!(code, Some(2));
    assert!(said.contains("--> in.jsonl:3:6\n") && said.contains("BIGINT"), "{said}");
}

#[test]
fn control_characters_in_data_and_names_never_reach_a_terminal_raw() {
    let hostile = "{\"k\":\"\\u001b[2J\\u0007\\u009b31m\",\"v\":1,\"ts\":\"2024-01-01 12:00:01\"}\n{\"k\":\u{1b}[31m\n";
    let lenient = json_table(", 'json.ignore-parse-errors' = 'true'");
    for table in [json_table(""), lenient] {
        let script = format!("{table}SELECT k AS `\u{1b}[2J`, v FROM t;");
        let folder = folder(&[("in.jsonl", hostile.as_bytes()), ("job.sql", script.as_bytes())]);
        let mut calls: Vec<Vec<&str>> = vec![vec!["trace", "job.sql"], vec!["explain", "job.sql"]];
        for format in ["table", "jsonl"] {
            let ways = WAYS.iter();
            calls.extend(ways.map(|w| [&["run", "job.sql", "--format", format], *w].concat()));
        }
        for args in calls {
            let output = highwater(folder.path(), &args);
            for text in [out(&output), err(&output)] {
                let raw = text.find(|c: char| c.is_control() && c != '\n');
                assert_eq!(raw, None, "{args:?}: {text:?}");
            }
        }
    }
}

#[test]
fn rows_as_json_lines_are_exactly_so() {
    let table = "CREATE TABLE t (a INT, b BIGINT, c DOUBLE, d DECIMAL(10, 2), e BOOLEAN, f STRING,
  g DATE, h TIMESTAMP(3), i AS TO_TIMESTAMP_LTZ(b, 3))
WITH ('connector' = 'filesystem', 'path' = 'in.jsonl', 'format' = 'json');\n";
    let records = "{\"a\":-1,\"b\":1700000000123,\"c\":0.1,\"d\":1.5,\"e\":true,\"f\":\"é\\\"\\n\",\"g\":\"2024-02-29\",\"h\":\"2024-02-29T23:59:59.9\"}\n{}\n";
    let script = format!("{table}SELECT * FROM t;");
    let grouped = format!("{table}SELECT e, COUNT(*) AS n, SUM(d) AS d FROM t GROUP BY e;");
    let folder = folder(&[
        ("in.jsonl", records.repeat(2).as_bytes()),
        ("job.sql", script.as_bytes()),
        ("grouped.sql", grouped.as_bytes()),
    ]);
    let rows = "{\"a\":-1,\"b\":1700000000123,\"c\":0.1,\"d\":\"1.50\",\"e\":true,\"f\":\"é\\\"\\n\",\"g\":\"2024-02-29\",\"h\":\"2024-02-29 23:59:59.900\",\"i\":\"2023-11-14 22:13:20.123\"}\n\
        {\"a\":null,\"b\":null,\"c\":null,\"d\":null,\"e\":null,\"f\":null,\"g\":null,\"h\":null,\"i\":null}\n";
    let (code, printed, said) = every_way(folder.path(), "job.sql");
    assert_eq!((code, printed), (Some(0), rows.repeat(2)), "{said}");
    let changes = "{\"e\":true,\"n\":1,\"d\":\"1.50\",\"op\":\"+I\"}\n\
        {\"e\":null,\"n\":1,\"d\":null,\"op\":\"+I\"}\n\
        {\"e\":true,\"n\":1,\"d\":\"1.50\",\"op\":\"-U\"}\n\
        {\"e\":true,\"n\":2,\"d\":\"3.00\",\"op\":\"+U\"}\n\
        {\"e\":null,\"n\":1,\"d\":null,\"op\":\"-U\"}\n\
        {\"e\":null,\"n\":2,\"d\":null,\"op\":\"+U\"}\n";
    let (code, printed, said) = every_way(folder.path(), "grouped.sql");
    assert_eq!((code, printed.as_str()), (Some(0), changes), "{said}");
    let args = ["run", "job.sql", "--format", "jsonl", "--output", "rows.jsonl"];
    let output = highwater(folder.path(), &args);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), ""));
    let written = fs::read_to_string(folder.path().join("rows.jsonl")).expect("written");
    assert_eq!(written, rows.repeat(2));
}

#[test]
fn a_crash_counts_what_is_left_out_once() {
    let text = fs::read_to_string(example::folder().join("first-window.md")).expect("an example");
    let late = "record 7 at 2024-05-01 08:00:09.000: window 2024-05-01 08:00:00.000 to 2024-05-01 08:00:10.000 had fired, watermark 2024-05-01 08:00:10.000: \"lane=north, cars=5, event_time=2024-05-01 08:00:09.000\"
record 10 at 2024-05-01 08:00:19.000: window 2024-05-01 08:00:10.000 to 2024-05-01 08:00:20.000 had fired, watermark 2024-05-01 08:00:20.000: \"lane=north, cars=3, event_time=2024-05-01 08:00:19.000\"\n";
    // The seventh record is dropped 14 s after the start, the next checkpoint comes after the crash.
    let crash =
        format!("{text}\n```faults\nat 16s crash window/0\n```\n\n```expect late\n{late}```\n");
    let folder = folder(&[("crash.md", crash.as_bytes())]);
    for way in &WAYS[1..] {
        let said = err(&highwater(folder.path(), &[&["run", "crash.md"], *way].concat()));
        assert_eq!(said, "note: 2 late records dropped\n", "{way:?}");
    }
    let output = highwater(folder.path(), &["check", "crash.md"]);
    assert_eq!(out(&output), "crash.md: 3 ok\n", "{}", err(&output));
}

#[test]
fn a_column_declared_not_null_takes_no_null() {
    let script = format!(
        "{}CREATE TABLE p (k STRING NOT NULL, v BIGINT) WITH ('connector' = 'print');
INSERT INTO p SELECT k, v FROM t;",
        json_table("")
    );
    let records = format!("{RECORDS}{{\"v\":4,\"ts\":\"2024-01-01 12:00:32\"}}\n");
    let folder = folder(&[("in.jsonl", records.as_bytes()), ("job.sql", script.as_bytes())]);
    for way in WAYS {
        let output = highwater(folder.path(), &[&["run", "job.sql"], way].concat());
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{way:?}: {text}");
        assert!(text.starts_with("error[run.not-null]: p: record 4: the column `k`"), "{text}");
        assert!(text.contains("help: ") && !out(&output).contains("NULL"), "{text}");
    }
}
