//! Batch mode: nothing is late, nothing is taken back, what is ordered comes in order; by plain loops, and as a stream says
//! it in the end whose watermark waits for everybody.

use std::collections::BTreeMap;

use highwater_engine::batch::RowKind;
use highwater_engine::session::Rows;
use highwater_engine::value::Value;

use crate::changelog::applied;
use crate::drivers::{agree, all, open, options, survives, tables};
use crate::stream::{Record, records, scenario, time};

const BATCH: &str = "SET 'execution.runtime-mode' = 'batch';\n";
const TUMBLE: &str = "SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
    INTERVAL '5' SECONDS)) GROUP BY window_start, window_end ORDER BY n DESC, window_start;";
const TOTALS: &str = "SELECT k, COUNT(*) AS n, SUM(v) AS s FROM t GROUP BY k ORDER BY n DESC, k;";
const SORTED: &str = "SELECT k, v FROM t ORDER BY ts DESC, v;";
const BEST: &str = "SELECT k, v, ts FROM t ORDER BY v DESC, ts LIMIT 7 OFFSET 2;";

fn stream() -> Vec<Record> {
    records(240, 2)
}

/// Each row as text, in the order in which they come; nothing is taken back.
fn lines(script: &str, parallelism: u32, batch: u32) -> Vec<String> {
    let text = scenario(&stream(), &format!("{BATCH}{script}"));
    let (tables, late) = tables(&text, &options(parallelism, batch));
    assert_eq!(late, 0);
    let line = |(kind, _, row): &(RowKind, u64, Vec<Value>)| {
        assert_eq!(*kind, RowKind::Insert);
        row.iter().map(Value::to_text).collect::<Vec<_>>().join(" ")
    };
    tables[0].rows.iter().map(line).collect()
}

fn or(value: Option<impl std::fmt::Display>) -> String {
    value.map_or("NULL".to_owned(), |value| value.to_string())
}

/// What a plain loop says of a script, and what it is ordered by.
fn by_loop(script: &str) -> Vec<String> {
    let all = stream();
    match script {
        TUMBLE => {
            let mut windows: BTreeMap<i64, i64> = BTreeMap::new();
            all.iter()
                .for_each(|r| *windows.entry(r.ts - r.ts.rem_euclid(5_000)).or_default() += 1);
            let mut rows: Vec<(i64, i64)> = windows.into_iter().collect();
            rows.sort_by_key(|&(start, n)| (-n, start));
            rows.iter().map(|&(start, n)| format!("{} {n}", time(start))).collect()
        }
        TOTALS => {
            let mut groups: BTreeMap<Option<char>, (i64, Option<i64>)> = BTreeMap::new();
            for r in &all {
                let (n, sum) = groups.entry(r.k).or_default();
                *n += 1;
                *sum = sum.map_or(r.v, |sum| Some(sum + r.v.unwrap_or(0)));
            }
            let mut rows: Vec<_> = groups.into_iter().collect();
            rows.sort_by_key(|&(k, (n, _))| (-n, k));
            rows.iter().map(|(k, (n, s))| format!("{} {n} {}", or(*k), or(*s))).collect()
        }
        SORTED => {
            let mut rows = all;
            // NULL is the least value.
            rows.sort_by_key(|r| (-r.ts, r.v));
            rows.iter().map(|r| format!("{} {}", or(r.k), or(r.v))).collect()
        }
        BEST => {
            let mut rows = all;
            rows.sort_by_key(|r| (r.v.map_or(1, |v| -v), r.ts));
            let row = |r: &Record| format!("{} {} {}", or(r.k), or(r.v), time(r.ts));
            rows[2..9].iter().map(row).collect()
        }
        _ => unreachable!("only those are asked"),
    }
}

#[test]
fn results_are_whole_and_in_order() {
    for script in [TUMBLE, TOTALS, SORTED, BEST] {
        let expected = by_loop(script);
        assert!(expected.len() > 4, "{script}");
        for (parallelism, batch) in [(1, 1), (1, 4096), (3, 7)] {
            assert_eq!(lines(script, parallelism, batch), expected, "{script}");
        }
    }
}

/// What is left in the end of a stream for which no record is too late, table by table.
#[test]
fn a_batch_says_what_a_patient_stream_says_in_the_end() {
    let (mut scripts, mut rows) = (0, 0);
    for (name, script) in all().filter(|(_, script)| !script.contains("SET '")) {
        let left = |text: &str| -> Vec<Vec<String>> {
            let (tables, late) = tables(text, &options(2, 7));
            assert_eq!(late, 0, "{name}");
            tables.iter().map(applied).collect()
        };
        let patient = |text: String| {
            let declared = "FOR ts AS ts - INTERVAL";
            text.replace(&format!("{declared} '4' SECOND"), &format!("{declared} '9' DAY"))
        };
        let expected = left(&patient(scenario(&stream(), &script)));
        let text = scenario(&stream(), &format!("{BATCH}{script}"));
        assert!(left(&text) == expected, "{name}");
        let (tables, _) = tables(&text, &options(2, 7));
        let inserts = |table: &Rows| table.rows.iter().all(|row| row.0 == RowKind::Insert);
        assert!(tables.iter().all(inserts), "{name}");
        (scripts, rows) = (scripts + 1, rows + expected.iter().flatten().count());
    }
    assert!(scripts > 60 && rows > 3_000, "{scripts} scripts, {rows} rows");
}

/// Drivers, batches, subtasks and crashes change nothing.
#[test]
fn drivers_agree_and_crashes_change_nothing() {
    for script in [TUMBLE, TOTALS, SORTED, BEST] {
        let text = scenario(&stream(), &format!("{BATCH}{script}"));
        agree("batch mode", &text);
        survives("batch mode", &text);
    }
}

/// What is written about when rows are said has no effect, wherever the mode stands in the script.
#[test]
fn settings_of_streams_have_no_effect() {
    let settings = "SET 'table.exec.state.ttl' = '1 s';\n\
        SET 'table.exec.mini-batch.enabled' = 'true';\nSET 'table.exec.mini-batch.size' = '3';\n\
        SET 'highwater.emit.suppress.rows' = '1';\nSET 'semantics.profile' = 'kafka';\n\
        SET 'highwater.emit.trigger' = 'repeatedly(after_count(1))';\nSET 'highwater.late.by' = 'record';\n\
        SET 'highwater.watermark.emit' = 'on-batch';\n";
    for script in [TUMBLE, TOTALS] {
        assert_eq!(lines(&format!("{settings}{script}"), 1, 7), by_loop(script), "{script}");
    }
    let late =
        format!("CREATE VIEW late AS SELECT COUNT(*) AS n FROM t;\n{BATCH}SELECT n FROM late;");
    let mut session = open(&scenario(&stream(), &late), &options(1, 7));
    session.finish();
    assert_eq!(session.tables()[0].rows.len(), 1);
}

/// A generated table ends with its shortest sequence, also without a number of rows.
#[test]
fn a_sequence_has_an_end() {
    let text = format!(
        "```sql\n{BATCH}CREATE TABLE s (n INT) WITH ('connector' = 'datagen', 'rows-per-second' = '10', \
         'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '5');\n\
         SELECT SUM(n) AS total FROM s;\n```\n"
    );
    let (tables, _) = tables(&text, &options(1, 7));
    assert_eq!(tables[0].rows[0].2[0].to_text(), "15");
}
