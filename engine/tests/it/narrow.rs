//! Joins keep the columns that are read: what they hold, how large it is, and that the rows are those that joins
//! of whole rows give.

use highwater_engine::trace::What;

use crate::changelog::{applied, sorted};
use crate::drivers::{open, options, tables};
use crate::state::after;
use crate::stream::{Record, or_null, records, time};

/// Tables with a wide column, which stands before and among the others.
const TABLES: &str = "CREATE TABLE l (wide STRING, k STRING, v INT, ts TIMESTAMP(3), more STRING, \
      WATERMARK FOR ts AS ts - INTERVAL '4' SECOND);\n\
    CREATE TABLE r (k STRING, wide STRING, v INT, more STRING, ts TIMESTAMP(3), \
      WATERMARK FOR ts AS ts - INTERVAL '4' SECOND);\n\
    CREATE TABLE d (wide STRING, k STRING, v INT, ts TIMESTAMP(3), more STRING, \
      PRIMARY KEY (k) NOT ENFORCED, WATERMARK FOR ts AS ts - INTERVAL '4' SECOND);\n\
    CREATE VIEW lw AS SELECT * FROM TABLE(TUMBLE(TABLE l, DESCRIPTOR(ts), INTERVAL '10' SECONDS));\n\
    CREATE VIEW rw AS SELECT * FROM TABLE(TUMBLE(TABLE r, DESCRIPTOR(ts), INTERVAL '10' SECONDS));\n\
    CREATE VIEW lc AS SELECT MAX(wide) AS wide, k, MAX(v) AS v, COUNT(*) AS n FROM l GROUP BY k;\n\
    CREATE VIEW rc AS SELECT v, MAX(more) AS more, COUNT(*) AS n, MIN(k) AS k FROM r GROUP BY v;\n\
    SET 'execution.checkpointing.interval' = '20 s';\n";

/// Joins of every kind, between the names of left and right.
const JOINS: [(&str, &str); 17] = [
    ("inner", "l AS a JOIN r AS b ON a.k = b.k AND a.v < b.v"),
    ("left", "l AS a LEFT JOIN r AS b ON a.k = b.k AND a.v < b.v AND b.v > 2"),
    ("right", "l AS a RIGHT JOIN r AS b ON a.k = b.k AND a.v < b.v"),
    ("full", "l AS a FULL JOIN r AS b ON a.v = b.v AND a.k <> b.k"),
    ("cross", "l AS a, r AS b WHERE a.v + b.v = 15"),
    ("computed keys", "l AS a LEFT JOIN r AS b ON UPPER(a.k) = UPPER(b.k) AND a.v + 1 = b.v"),
    ("changes", "lc AS a JOIN rc AS b ON a.k = b.k"),
    ("changes, left", "lc AS a LEFT JOIN rc AS b ON a.n = b.n AND a.v >= b.v"),
    ("changes, full", "lc AS a FULL JOIN rc AS b ON a.v = b.v"),
    (
        "interval",
        "l AS a JOIN r AS b ON a.k = b.k AND a.v <> b.v \
         AND a.ts BETWEEN b.ts - INTERVAL '3' SECOND AND b.ts + INTERVAL '6' SECOND",
    ),
    (
        "interval, full",
        "l AS a FULL JOIN r AS b ON a.k = b.k AND a.v < b.v \
         AND a.ts BETWEEN b.ts - INTERVAL '3' SECOND AND b.ts + INTERVAL '6' SECOND",
    ),
    (
        "window",
        "lw AS a JOIN rw AS b ON a.k = b.k AND a.v < b.v \
         AND a.window_start = b.window_start AND a.window_end = b.window_end",
    ),
    (
        "window, full",
        "lw AS a FULL JOIN rw AS b ON a.k = b.k AND a.v < b.v \
         AND a.window_start = b.window_start AND a.window_end = b.window_end",
    ),
    ("temporal", "l AS a LEFT JOIN d FOR SYSTEM_TIME AS OF a.ts AS b ON a.k = b.k AND a.v < b.v"),
    ("as of", "l AS a ASOF JOIN r AS b MATCH_CONDITION (a.ts > b.ts) ON a.k = b.k"),
    (
        "lookup",
        "l AS a LEFT JOIN d FOR SYSTEM_TIME AS OF PROCTIME() AS b ON a.k = b.k AND a.v < b.v",
    ),
    ("broadcast", "l AS a JOIN r FOR SYSTEM_TIME AS OF PROCTIME() AS b ON a.v + b.v = 15"),
];

/// Every third record stands in the second table, every third in the third.
fn text(all: &[Record], script: &str) -> String {
    let mut text = format!("# Wide\n\n```sql\n{TABLES}{script}\n```\n");
    for (i, table) in ["l", "r", "d"].into_iter().enumerate() {
        text += &format!("\n```jsonl {table}\n");
        for (n, r) in all.iter().enumerate().filter(|(n, _)| n % 3 == i) {
            let (at, ts, k) = (time(r.at), time(r.ts), or_null(r.k.map(|k| format!("\"{k}\""))));
            let (wide, v) = (format!("{n} ").repeat(40), or_null(r.v));
            text += &format!(
                r#"{{"@at": "{at}", "k": {k}, "v": {v}, "ts": "{ts}", "wide": "{wide}", "more": "m{wide}"}}"#
            );
            text.push('\n');
        }
        text += "```\n";
    }
    text
}

fn stream() -> Vec<Record> {
    records(240, 1)
}

/// The rows that a script leaves, these columns of them.
fn left(text: &str, columns: &[&str]) -> Vec<String> {
    let rows = &tables(text, &options(2, 7)).0[0];
    sorted(applied(rows).iter().map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row");
        columns.iter().map(|c| format!("{} ", row[*c])).collect()
    }))
}

/// Whatever is read of a join, it is what is there where all is read.
#[test]
fn a_join_that_keeps_less_gives_the_same() {
    let all = stream();
    for (name, join) in JOINS {
        let whole = text(&all, &format!("SELECT * FROM {join};"));
        let fields = &tables(&whole, &options(2, 7)).0[0].schema.fields.clone();
        let split = fields.iter().position(|f| f.name.ends_with('0')).expect("a name of both");
        let own = |field: &str| field.trim_end_matches('0').to_owned();
        for (one, first) in fields.iter().enumerate() {
            let other = &fields[(one * 5 + 3) % fields.len()];
            let of = |field: &str| {
                let at = fields.iter().position(|f| f.name == field).expect("its own");
                format!("{}.{}", if at < split { "a" } else { "b" }, own(field))
            };
            let (first, other) = (first.name.as_str(), other.name.as_str());
            let script = format!("SELECT {} AS x, {} AS y FROM {join};", of(first), of(other));
            let some = left(&text(&all, &script), &["x", "y"]);
            assert!(some.len() > 3, "{name}");
            assert_eq!(some, left(&whole, &[first, other]), "{name}: {script}");
        }
    }
}

/// The bytes of a join's state in the last checkpoint of a run.
fn held(text: &str) -> u64 {
    let mut session = open(text, &options(1, 7));
    assert!(session.finish().finished);
    let join = session.header().tasks.iter().position(|t| t.name == "join/0").expect("a join");
    let bytes = session.events().iter().filter_map(|event| match event.what {
        What::Snapshot { bytes, .. } if usize::from(event.task) == join => Some(bytes),
        _ => None,
    });
    bytes.max().expect("a checkpoint")
}

/// What is not read is neither there to be asked for nor in a checkpoint.
#[test]
fn a_join_holds_what_is_read() {
    let all = stream();
    for (name, join) in JOINS {
        let some = text(&all, &format!("SELECT b.v FROM {join};"));
        let session = after(&some, 100, &options(2, 3));
        let kept = session.state("join", None).expect("it is there");
        assert_eq!(kept.len(), 2, "{name}");
        for side in kept {
            let names: Vec<&str> = side.schema.fields.iter().map(|f| f.name.as_str()).collect();
            assert!(!names.contains(&"wide") && !names.contains(&"more"), "{name}: {names:?}");
        }
        let (some, whole) = (held(&some), held(&text(&all, &format!("SELECT * FROM {join};"))));
        assert!(some * 3 < whole, "{name}: {some} bytes of {whole}");
    }
}
