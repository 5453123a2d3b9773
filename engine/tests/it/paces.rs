//! When watermarks are said, what moves them, and what micro-batches leave of a changelog: against plain loops.

use std::collections::BTreeMap;

use crate::drivers::{agree, options, survives, tables};
use crate::stream::{Record, or_null, records, scenario, time};

const COUNTS: &str = "SELECT k, window_start, COUNT(*) AS n \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECONDS)) GROUP BY k, window_start, window_end;";

/// Counts of tumbling windows under the watermark that stands before each record, and how many are late.
fn counts(records: &[Record], marks: &[i64], by_record: bool) -> (Vec<String>, u64) {
    let (mut windows, mut late): (BTreeMap<(i64, Option<char>), u64>, u64) = (BTreeMap::new(), 0);
    for (r, &mark) in records.iter().zip(marks) {
        let start = r.ts.div_euclid(5_000) * 5_000;
        match start + 4_999 <= mark || (by_record && r.ts < mark) {
            true => late += 1,
            false => *windows.entry((start, r.k)).or_default() += 1,
        }
    }
    let row = |(&(start, k), n): (&(i64, Option<char>), &u64)| {
        let k = or_null(k.map(|k| format!("\"{k}\"")));
        format!(r#"{{"k":{k},"window_start":"{}","n":{n}}}"#, time(start))
    };
    let mut rows: Vec<String> = windows.iter().map(row).collect();
    rows.sort();
    (rows, late)
}

fn found(records: &[Record], settings: &str) -> (Vec<String>, u64) {
    let script = format!("{settings}{COUNTS}");
    agree("counts", &scenario(records, &script));
    survives("counts", &scenario(records, &script));
    let (rows, late) = tables(&scenario(records, &script), &options(3, 7));
    let mut rows: Vec<String> = rows[0].jsonl().lines().map(str::to_owned).collect();
    rows.sort();
    (rows, late)
}

/// The greatest event time less 4 s, before each record.
fn highest(records: &[Record]) -> Vec<i64> {
    let mut marks = vec![i64::MIN];
    records.iter().for_each(|r| marks.push((r.ts - 4_000).max(marks[marks.len() - 1])));
    marks
}

#[test]
fn a_watermark_may_be_said_every_so_often() {
    let records = records(200, 1);
    let moved = highest(&records);
    let (mut said, mut last, mut marks) = (i64::MIN, i64::MIN, Vec::new());
    for (r, &mark) in records.iter().zip(&moved) {
        if r.at.div_euclid(7_000) > last {
            (said, last) = (mark, r.at.div_euclid(7_000));
        }
        marks.push(said);
    }
    let expected = counts(&records, &marks, false);
    assert_ne!(expected, counts(&records, &moved, false), "the period changes something");
    let settings = "SET 'highwater.watermark.emit' = 'on-periodic';\n\
        SET 'pipeline.auto-watermark-interval' = '7 s';\n";
    assert_eq!(found(&records, settings), expected);
}

#[test]
fn a_watermark_may_be_said_at_the_end_of_micro_batches() {
    let records = records(200, 1);
    let moved = highest(&records);
    let marks: Vec<i64> = (0..records.len()).map(|i| moved[i / 20 * 20]).collect();
    let expected = counts(&records, &marks, false);
    assert_ne!(expected, counts(&records, &moved, false), "the batches change something");
    let settings = "SET 'highwater.watermark.emit' = 'on-batch';\n\
        SET 'table.exec.mini-batch.enabled' = 'true';\nSET 'table.exec.mini-batch.size' = '20';\n";
    assert_eq!(found(&records, settings), expected);
}

#[test]
fn a_watermark_may_go_on_with_time() {
    let records = records(200, 1);
    let (mut mark, mut since, mut marks) = (i64::MIN, i64::MAX, Vec::new());
    for r in &records {
        if since < r.at {
            (mark, since) = (mark + r.at - since, r.at);
        }
        marks.push(mark);
        if r.ts - 4_000 > mark {
            (mark, since) = (r.ts - 4_000, r.at);
        }
    }
    let expected = counts(&records, &marks, false);
    assert_ne!(expected, counts(&records, &highest(&records), false), "time changes something");
    assert_eq!(found(&records, "SET 'highwater.watermark.advance' = 'with-time';\n"), expected);
    // Bytewax has records late that are behind such a watermark.
    let expected = counts(&records, &marks, true);
    assert_eq!(found(&records, "SET 'semantics.profile' = 'bytewax';\n"), expected);
}

/// Two sessions or one: the profiles differ at the gap.
#[test]
fn records_exactly_a_gap_apart_are_as_the_profile_has_it() {
    let at = |i: i64, ts: i64| Record {
        at: 1_714_521_600_000 + i,
        partition: 0,
        k: Some('a'),
        g: 0,
        v: Some(1),
        ts: 1_714_521_600_000 + ts,
    };
    let records = [at(1, 30_000), at(2, 40_000), at(3, 49_999)];
    let script = |profile: &str| {
        format!(
            "SET 'semantics.profile' = '{profile}';\nSELECT window_start, COUNT(*) AS n \
             FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
             GROUP BY k, window_start, window_end;"
        )
    };
    let sessions = |profile: &str| {
        let (tables, _) = tables(&scenario(&records, &script(profile)), &options(1, 7));
        let mut left: BTreeMap<String, i64> = BTreeMap::new();
        for (kind, _, row) in &tables[0].rows {
            let by = if matches!(kind.symbol(), "+I" | "+U") { 1 } else { -1 };
            *left.entry(row[1].to_text()).or_default() += by;
        }
        left.retain(|_, count| *count != 0);
        left
    };
    let one: BTreeMap<String, i64> = [("3".to_owned(), 1)].into();
    for profile in ["flink", "spark", "kafka", "risingwave"] {
        assert_eq!(sessions(profile), one, "{profile}");
    }
    assert_eq!(sessions("beam"), [("1".to_owned(), 1), ("2".to_owned(), 1)].into());
}

/// A row: its key, how many records, their sum.
type Row = (Option<char>, u64, Option<i64>);

/// Of each key what it was before and is behind each micro-batch, and nothing in between.
#[test]
fn micro_batches_leave_of_a_changelog_what_has_changed() {
    let records = records(200, 1);
    let script = "SELECT k, COUNT(*) AS n, SUM(v) AS s FROM t GROUP BY k;";
    let size =
        "SET 'table.exec.mini-batch.enabled' = 'true';\nSET 'table.exec.mini-batch.size' = '13';\n";
    let mut state: BTreeMap<Option<char>, Row> = BTreeMap::new();
    let mut expected: Vec<Vec<String>> = Vec::new();
    let line = |kind: &str, row: &Row| {
        let k = or_null(row.0.map(|k| format!("\"{k}\"")));
        format!(r#"{{"k":{k},"n":{},"s":{},"op":"{kind}"}}"#, row.1, or_null(row.2))
    };
    for batch in records.chunks(13) {
        let before = state.clone();
        for r in batch {
            let row = state.entry(r.k).or_insert((r.k, 0, None));
            row.1 += 1;
            row.2 = r.v.map(|v| row.2.unwrap_or(0) + v).or(row.2);
        }
        let mut lines = Vec::new();
        for (k, row) in state.iter().filter(|(k, row)| before.get(*k) != Some(*row)) {
            match before.get(k) {
                Some(old) => lines.extend([line("-U", old), line("+U", row)]),
                None => lines.push(line("+I", row)),
            }
        }
        lines.sort();
        expected.push(lines);
    }
    let text = scenario(&records, &format!("{size}{script}"));
    agree("micro-batches", &text);
    survives("micro-batches", &text);
    agree(
        "by time",
        &scenario(
            &records,
            &format!("{}{script}", size.replace("size' = '13", "allow-latency' = '9 s")),
        ),
    );
    let (rows, _) = tables(&text, &options(3, 7));
    let lines = rows[0].jsonl();
    let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for ((_, seq, _), line) in rows[0].rows.iter().zip(lines.lines()) {
        found.entry(*seq).or_default().push(line.to_owned());
    }
    found.values_mut().for_each(|lines| lines.sort());
    assert_eq!(found.into_values().collect::<Vec<_>>(), expected);
}

/// A table's own idle timeout comes before that of the script, and 0 is never.
#[test]
fn a_table_says_itself_when_it_is_idle() {
    let script = |own: &str, all: &str| {
        let mut text = format!(
            "```sql\nSET 'table.exec.source.idle-timeout' = '{all}';\n\
             CREATE TABLE t (v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)\n\
             WITH ('connector' = 'inline'{own});\n\
             SELECT window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS))\n\
             GROUP BY window_start, window_end;\n```\n\n```jsonl t\n"
        );
        let mut record = |at: u32, partition: u32, ts: u32| {
            let time = |s: u32| format!("2024-05-01 00:00:{s:02}");
            let (at, ts) = (time(at), time(ts));
            let line =
                format!(r#"{{"@at": "{at}", "@partition": {partition}, "v": 1, "ts": "{ts}"}}"#);
            text.push_str(&line);
            text.push('\n');
        };
        record(0, 1, 0);
        (0..20).for_each(|second| record(second, 0, second));
        // Of a window that has fired if the partition was idle.
        record(20, 1, 1);
        text + "```\n"
    };
    let counts = |own: &str, all: &str| {
        let (tables, late) = tables(&script(own, all), &options(1, 4));
        (crate::changelog::applied(&tables[0]), late)
    };
    let own = |timeout: &str| format!(", 'scan.watermark.idle-timeout' = '{timeout}'");
    let idle = counts("", "5 s");
    assert_eq!(idle.1, 1);
    let never = counts("", "0 s");
    assert_eq!(never.1, 0);
    assert_eq!(counts(&own("5 s"), "0 s"), idle);
    assert_eq!(counts(&own("5 s"), "1 h"), idle);
    assert_eq!(counts(&own("0 s"), "5 s"), never);
    assert_eq!(counts(&own("1 h"), "5 s"), never);
}

/// A partition that is more than the drift ahead of the least watermark waits: the order in which records are read
/// is that of a loop which follows the rule.
#[test]
fn partitions_wait_for_each_other() {
    use highwater_engine::session::{Files, Session};
    use highwater_engine::trace::What;
    // Arrival in seconds, partition, event time in seconds: partition 1 is far ahead.
    let input: Vec<(u32, u32, u32)> =
        (0..15).flat_map(|i| [(2 * i, 0, i), (2 * i + 1, 1, (3 * i).min(50))]).collect();
    for drift in [0, 4, 100] {
        let mut text = format!(
            "```sql\nCREATE TABLE t (v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)\n\
             WITH ('connector' = 'inline', 'scan.watermark.alignment.group' = 'g', \
             'scan.watermark.alignment.max-drift' = '{drift} s');\n\
             SELECT v FROM t;\n```\n\n```jsonl t\n"
        );
        for (at, partition, ts) in &input {
            let line = format!(
                "{{\"@at\": \"2024-05-01 00:00:{at:02}\", \"@partition\": {partition}, \"v\": {at}, \
                 \"ts\": \"2024-05-01 00:00:{ts:02}\"}}\n"
            );
            text.push_str(&line);
        }
        text.push_str("```\n");
        let of = |partition: u32| input.iter().filter(move |r| r.1 == partition);
        let mut left = [of(0).peekable(), of(1).peekable()];
        let (mut ahead, mut expected) = ([i64::MIN; 2], Vec::new());
        loop {
            let ended = [left[0].peek().is_none(), left[1].peek().is_none()];
            let active = (0..2).filter(|&p| !ended[p]);
            let Some(least) = active.clone().map(|p| ahead[p]).min() else { break };
            let may = active.filter(|&p| ahead[p] <= least.saturating_add(i64::from(drift)));
            let next = may.min_by_key(|&p| left[p].peek().map(|r| r.0)).expect("the least may");
            let record = left[next].next().expect("it has one");
            ahead[next] = ahead[next].max(i64::from(record.2) - 1);
            expected.push(record.0.to_string());
        }
        let arrivals: Vec<String> = input.iter().map(|r| r.0.to_string()).collect();
        assert_eq!(expected == arrivals, drift == 100);
        let sandbox = crate::sandbox::Interpreter::shared();
        let mut session = Session::open("a.md", &text, &Files::default(), sandbox, &options(1, 1))
            .expect("opens");
        session.step(u64::MAX);
        let read = session.events().iter().filter_map(|e| match &e.what {
            What::Arrive { row, .. } => {
                row.split(", ").next()?.strip_prefix("v=").map(str::to_owned)
            }
            _ => None,
        });
        assert_eq!(read.collect::<Vec<_>>(), expected, "{drift}");
        agree("alignment", &text);
        survives("alignment", &text);
    }
}

/// Two tables in which `t` falls silent and speaks again with a record of another key than its last one, which moves no
/// watermark: `c`, then `a`.
fn wakes(settings: &str, t: &[(i64, char, i64)], r: &[(i64, char, i64)]) -> String {
    let at = |ms: i64| time(1_714_521_600_000 + ms);
    let block = |name: &str, rows: &[(i64, char, i64)]| {
        let line = |&(came, k, ts): &(i64, char, i64)| {
            format!(r#"{{"@at": "{}", "k": "{k}", "ts": "{}"}}"#, at(came), at(ts))
        };
        let lines: Vec<String> = rows.iter().map(line).collect();
        format!("```jsonl {name}\n{}\n```\n", lines.join("\n"))
    };
    let table = |name: &str| {
        format!(
            "CREATE TABLE {name} (k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND);\n"
        )
    };
    format!(
        "```sql\nSET 'table.exec.source.idle-timeout' = '700 ms';\n{settings}{}{}\
         SELECT t.k, t.ts, r.ts AS other FROM t JOIN r ON t.k = r.k \
         AND t.ts BETWEEN r.ts - INTERVAL '2' SECOND AND r.ts + INTERVAL '2' SECOND;\n```\n{}{}",
        table("t"),
        table("r"),
        block("t", t),
        block("r", r)
    )
}

/// All subtasks know that a silent table speaks again, also those that get none of its rows, and hold their time back.
#[test]
fn whoever_gets_no_row_hears_that_a_table_speaks_again() {
    let said = [(500, 'c', 10_000), (2_000, 'c', 9_500), (2_200, 'a', 10_500)];
    let others =
        [(600, 'b', 10_000), (1_100, 'b', 10_100), (1_600, 'a', 10_200), (2_100, 'b', 30_000)];
    let each = wakes("", &said, &others);
    let batches = "SET 'highwater.watermark.emit' = 'on-batch';\n\
        SET 'table.exec.mini-batch.enabled' = 'true';\nSET 'table.exec.mini-batch.size' = '7';\n";
    let said = [(1_371, 'c', 1_114), (1_931, 'a', 1_303)];
    let others = [(515, 'b', 3_594_568), (1_398, 'a', 1_398)];
    let batches = wakes(batches, &said, &others);
    for text in [each, batches] {
        for (parallelism, batch) in [(1, 1), (1, 4096), (2, 1), (3, 7), (4, 4096)] {
            let options = options(parallelism, batch);
            let (tables, late) = tables(&text, &options);
            let keys: Vec<String> = tables[0].rows.iter().map(|row| row.2[0].to_text()).collect();
            assert_eq!((keys, late), (vec!["a".to_owned()], 0), "{parallelism} {batch} {text}");
            let mut session = crate::drivers::open(&text, &options);
            session.finish();
            assert_eq!(session.tables()[0].rows.len(), 1, "sim: {parallelism} {batch} {text}");
        }
    }
}
