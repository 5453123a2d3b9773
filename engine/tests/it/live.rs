//! A job fed with rows gives what the same rows in a scenario's block give, however they are cut.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};
use highwater_engine::batch::Batch;
use highwater_engine::schema::DataType;
use highwater_engine::session::{Fast, Files, Live, Options, Rows, Session};

use crate::sandbox::Interpreter;

const COLUMNS: &str = "k STRING, v BIGINT, ts TIMESTAMP(3), \
    WATERMARK FOR ts AS ts - INTERVAL '2' SECOND";
const TYPES: [DataType; 3] = [DataType::String, DataType::BigInt, DataType::Timestamp];

const QUERIES: [&str; 3] = [
    "SELECT k, window_start, COUNT(*) AS n, SUM(v) AS s \
     FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND)) \
     GROUP BY k, window_start, window_end;",
    "SELECT k, SUM(v) AS s FROM t GROUP BY k;",
    "SELECT v * 2 AS w, ts FROM t WHERE v > 40;",
];

/// Key, value and time of each record.
fn records() -> Vec<(Option<String>, i64, i64)> {
    let key = |i: i64| (i % 7 != 3).then(|| format!("k{}", i * i % 5));
    (0..500).map(|i| (key(i), i * 37 % 101, 100_000 + i * 200 - i * 7919 % 4_000)).collect()
}

fn columns(records: &[(Option<String>, i64, i64)]) -> Vec<ArrayRef> {
    vec![
        Arc::new(StringArray::from_iter(records.iter().map(|r| r.0.as_deref()))),
        Arc::new(Int64Array::from_iter_values(records.iter().map(|r| r.1))),
        Arc::new(TimestampMillisecondArray::from_iter_values(records.iter().map(|r| r.2))),
    ]
}

/// The rows and the late records by a block of a scenario.
fn expected(query: &str) -> (String, u64) {
    let time = |ts: i64| {
        format!("1970-01-01 00:{:02}:{:02}.{:03}", ts / 60_000, ts / 1000 % 60, ts % 1000)
    };
    let mut text =
        format!("# t\n\n```sql\nCREATE TABLE t ({COLUMNS});\n{query}\n```\n\n```jsonl t\n");
    for (k, v, ts) in records() {
        let k = k.map_or("null".into(), |k| format!("\"{k}\""));
        text += &format!("{{\"k\":{k},\"v\":{v},\"ts\":\"{}\"}}\n", time(ts));
    }
    text += "```\n";
    let fast =
        Fast::open("t.md", &text, &Files::default(), Interpreter::shared(), &Options::default())
            .expect("opens");
    let mut tables = fast.sinks();
    let mut emit = |sink: usize, batch: Batch| {
        tables[sink].extend(&batch);
        Ok(())
    };
    let report = fast.run(&mut emit, &mut |_| {}).expect("runs");
    (tables[0].jsonl(), report.late)
}

fn open(query: &str) -> Live {
    let script = format!("CREATE TABLE t ({COLUMNS}) WITH ('connector' = 'push');\n{query}");
    let options = Options::default();
    Live::open("t.sql", &script, &Files::default(), Interpreter::shared(), &options).expect("opens")
}

fn take(live: &mut Live, into: &mut Rows) {
    while let Some(batch) = live.take(0) {
        into.extend(&batch);
    }
}

#[test]
fn rows_handed_in_are_rows_of_a_file() {
    let records = records();
    for query in QUERIES {
        let (expected, late) = expected(query);
        for piece in [1, 7, 500] {
            let mut live = open(query);
            let fast = live.outputs();
            let spec = highwater_engine::plan::SinkSpec::clone(&sink(query));
            let mut rows = Rows::new(&spec, &fast[0].schema, fast[0].updating, Vec::new());
            let mut early = 0;
            for piece in records.chunks(piece) {
                assert!(!live.push(0, &TYPES, columns(piece)).expect("fits"));
                take(&mut live, &mut rows);
                early = early.max(rows.rows.len());
            }
            assert!(live.end(0).expect("ends"));
            take(&mut live, &mut rows);
            assert_eq!(rows.jsonl(), expected, "{query}, {piece} at a time");
            let report = live.report();
            assert_eq!((report.records, report.late), (500, late));
            assert!(early > 10, "rows come out while rows go in: {early}");
        }
    }
}

/// A table with a key takes what is now true of each; what was true before is not said again.
#[test]
fn a_sink_with_a_key_hears_of_no_row_twice() {
    let now_true = |rows: &Rows| -> Vec<String> {
        rows.jsonl().lines().filter(|row| !row.contains("\"-U\"")).map(str::to_owned).collect()
    };
    let run = |query: &str| {
        let mut live = open(query);
        let port = &live.outputs()[0];
        let spec = highwater_engine::plan::SinkSpec::clone(&sink(query));
        let mut rows = Rows::new(&spec, &port.schema, port.updating, Vec::new());
        live.push(0, &TYPES, columns(&records())).expect("fits");
        live.end(0).expect("ends");
        take(&mut live, &mut rows);
        rows
    };
    let all = run(QUERIES[1]);
    let upserts = run(&format!(
        "CREATE TABLE o (k STRING, s BIGINT, PRIMARY KEY (k) NOT ENFORCED) \
         WITH ('connector' = 'push');\nINSERT INTO o {}",
        QUERIES[1]
    ));
    assert_eq!(now_true(&upserts), now_true(&all));
    assert_eq!(now_true(&upserts).len(), upserts.rows.len());
    assert!(all.rows.len() > upserts.rows.len() && upserts.rows.len() > 400);
}

fn sink(query: &str) -> highwater_engine::plan::SinkSpec {
    let script = format!(
        "CREATE TABLE t ({COLUMNS}) WITH ('connector' = 'datagen', 'number-of-rows' = '1');\n{query}"
    );
    let fast =
        Fast::open("t.sql", &script, &Files::default(), Interpreter::shared(), &Options::default());
    fast.expect("opens").sinks()[0].spec.clone()
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut live = open(QUERIES[2]);
    let code = |result: highwater_engine::error::Result<bool>| result.expect_err("refused").code;
    let good = columns(&records()[..9]);
    assert_eq!(code(live.push(1, &TYPES, good.clone())), "embed.input");
    assert_eq!(code(live.push(0, &TYPES[..2], good[..2].to_vec())), "source.pushed");
    let [k, v, ts] = TYPES;
    let swapped = vec![good[1].clone(), good[0].clone(), good[2].clone()];
    assert_eq!(code(live.push(0, &[v, k, ts], swapped)), "source.pushed");
    let uneven = vec![good[0].clone(), good[1].slice(0, 3), good[2].clone()];
    assert_eq!(code(live.push(0, &TYPES, uneven)), "source.pushed");
    assert!(!live.push(0, &TYPES, good.clone()).expect("fits"));
    assert!(live.end(0).expect("ends"));
    assert_eq!(code(live.push(0, &TYPES, good)), "source.pushed");
    assert_eq!(live.report().records, 9);
}

#[test]
fn nobody_feeds_a_table_elsewhere() {
    let script = format!("CREATE TABLE t ({COLUMNS}) WITH ('connector' = 'push');\n{}", QUERIES[1]);
    let sandbox = || Arc::clone(&Interpreter::shared());
    let (files, options) = (Files::default(), Options::default());
    let fast = Fast::open("t.sql", &script, &files, sandbox(), &options).err().expect("refused");
    let session =
        Session::open("t.sql", &script, &files, sandbox(), &options).err().expect("refused");
    assert_eq!([fast[0].code, session[0].code], ["source.not-fed"; 2]);
}
