//! Random streams: records of the table `t` in the order in which they arrive.

use std::fmt::Write as _;

use highwater_engine::value::Value;

use crate::stream::{or_null, time};

/// 2024-05-01 00:00:00 UTC, milliseconds.
const BEGIN: i64 = 1_714_521_600_000;

/// The columns a record has beside its event time `e`.
pub const COLUMNS: [(&str, &str); 8] = [
    ("k", "INT"),
    ("g", "BIGINT"),
    ("s", "STRING"),
    ("b", "BOOLEAN"),
    ("i", "INT"),
    ("l", "BIGINT"),
    ("f", "DOUBLE"),
    ("m", "DECIMAL(10, 2)"),
];

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it arrives, milliseconds.
    pub at: i64,
    /// Its partition.
    pub partition: usize,
    /// Its event time, milliseconds; a record without is left out.
    pub e: Option<i64>,
    /// The values of [`COLUMNS`].
    pub cells: Vec<Value>,
}

/// Numbers that look random (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// A number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % limit
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of a list.
    pub fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize].clone()
    }
}

/// What a stream is like.
#[derive(Clone, Debug)]
pub struct Shape {
    pub records: usize,
    pub partitions: usize,
    /// How many values a key has.
    pub keys: u64,
    /// The first record that may hold a NULL.
    pub nulls_from: usize,
    /// The first event time, and how far from one record to the next, milliseconds.
    pub first: i64,
    pub pace: i64,
    /// How far event time lies behind at most, milliseconds.
    pub jitter: i64,
    /// Whether some records are far ahead, and some have no event time.
    pub leaps: bool,
    pub timeless: bool,
    /// Whether one partition falls silent in the middle.
    pub silence: bool,
}

impl Shape {
    pub fn random(dice: &mut Dice) -> Shape {
        let records = dice.of(&[1, 3, 20, 60, 120, 250]);
        let timeless = dice.once_in(4);
        Shape {
            records,
            // Only a file may have records without event time, and a file has one partition.
            partitions: if timeless { 1 } else { dice.of(&[1, 1, 2, 3]) },
            keys: dice.of(&[1, 3, 20, 300]),
            nulls_from: dice.of(&[0, records / 2, records]),
            first: dice.of(&[BEGIN, 0, -7_001, i64::MIN + 100_000_000, i64::MAX - 400_000]),
            pace: dice.of(&[1, 40, 700, 700, 5_000, 600_000]),
            jitter: dice.of(&[1, 1_500, 6_000, 30_000]),
            leaps: dice.once_in(4),
            timeless,
            silence: dice.once_in(2),
        }
    }
}

fn cells(dice: &mut Dice, shape: &Shape, row: usize) -> Vec<Value> {
    let wide = [0, 1, -1, i64::MAX, i64::MIN, 1 << 40];
    let texts = ["", "a", "a\0", "a\0b", "ab", "한", "zz"];
    let mut cells = vec![
        Value::Int(dice.below(shape.keys) as i32 * 7 - 20),
        Value::BigInt(dice.below(shape.keys) as i64 - (1 << 33)),
        Value::String(dice.of(&texts).into()),
        Value::Boolean(dice.once_in(2)),
        Value::Int(if dice.once_in(9) { i32::MIN } else { dice.below(20) as i32 - 6 }),
        Value::BigInt(if dice.once_in(6) { dice.of(&wide) } else { dice.below(50) as i64 }),
        Value::Double((dice.below(400) as f64 - 200.0) / 4.0),
        Value::Decimal(i128::from(dice.below(100_000)) - 50_000, 2),
    ];
    if dice.once_in(8) {
        cells[6] = Value::Double(-0.0);
    }
    if dice.once_in(10) {
        cells[0] = Value::Int(dice.of(&[i32::MIN, i32::MAX, 0]));
        cells[1] = Value::BigInt(dice.of(&wide));
    }
    for cell in &mut cells {
        if row >= shape.nulls_from && dice.once_in(4) {
            *cell = Value::Null;
        }
    }
    cells
}

/// A stream of that shape.
pub fn records(dice: &mut Dice, shape: &Shape) -> Vec<Record> {
    let (mut at, mut now) = (BEGIN, shape.first);
    (0..shape.records.max(shape.partitions))
        .map(|row| {
            at += 1 + dice.below(2_000) as i64;
            if dice.once_in(60) {
                at += 20_000;
            }
            now = now.saturating_add(dice.below(shape.pace as u64 * 2) as i64);
            if shape.leaps && dice.once_in(40) {
                now = now.saturating_add(dice.of(&[100_000, 1 << 33, 1 << 50]));
            }
            let quiet = shape.silence && row > shape.records / 3 && row < shape.records * 2 / 3;
            let partition = match row {
                row if row < shape.partitions => row,
                _ if quiet => 0,
                _ => dice.below(shape.partitions as u64) as usize,
            };
            let e = now.saturating_sub(dice.below(shape.jitter as u64) as i64);
            let e = Some(e).filter(|_| !(shape.timeless && dice.once_in(9)));
            Record { at, partition, e, cells: cells(dice, shape, row) }
        })
        .collect()
}

fn json(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(v) => v.to_string(),
        Value::Int(v) => v.to_string(),
        Value::BigInt(v) => v.to_string(),
        Value::Double(v) => format!("{v:?}"),
        Value::Decimal(v, 2) => {
            let sign = if *v < 0 { "-" } else { "" };
            format!("{sign}{}.{:02}", v.abs() / 100, v.abs() % 100)
        }
        Value::String(v) => format!("\"{}\"", v.replace('\0', "\\u0000")),
        other => panic!("no column holds {other:?}"),
    }
}

/// A script over the table `t`, which is a block of records or, with `file`, the file `t.jsonl`.
pub fn scenario(
    (records, file): (&[Record], bool),
    delay: &str,
    idle: Option<i64>,
    script: &str,
) -> (String, String) {
    let columns: String = COLUMNS.iter().map(|(n, t)| format!("{n} {t}, ")).collect();
    let with = match file {
        true => {
            " WITH ('connector' = 'filesystem', 'path' = 't.jsonl', 'format' = 'json', \
             'json.ignore-parse-errors' = 'true')"
        }
        false => "",
    };
    let idle = idle
        .map_or(String::new(), |ms| format!("SET 'table.exec.source.idle-timeout' = '{ms} ms';\n"));
    let script = format!(
        "# Generated\n\n```sql\n\
         CREATE TABLE t ({columns}e BIGINT, ts AS TO_TIMESTAMP_LTZ(e, 3), \
         WATERMARK FOR ts AS ts - INTERVAL '{delay}' SECOND){with};\n\
         SET 'execution.checkpointing.interval' = '{}';\n\
         {idle}{script}\n```\n",
        if file { "5 ms" } else { "9 s" },
    );
    let mut lines = String::new();
    for r in records {
        if !file {
            write!(lines, "{{\"@at\": \"{}\", \"@partition\": {}, ", time(r.at), r.partition)
                .expect("writing to a string cannot fail");
        } else {
            lines += "{";
        }
        for ((name, _), value) in COLUMNS.iter().zip(&r.cells) {
            lines += &format!("\"{name}\": {}, ", json(value));
        }
        lines += &format!("\"e\": {}}}\n", or_null(r.e));
    }
    match file {
        true => (script, lines),
        false => (script + "\n```jsonl t\n" + &lines + "```\n", String::new()),
    }
}
