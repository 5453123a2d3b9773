//! A small disorderly stream from a fixed seed, as records of a scenario and as plain values.

use std::fmt::Write as _;

use highwater_engine::time::EventTime;

/// 2024-05-01 00:00:00 UTC, milliseconds.
const BEGIN: i64 = 1_714_521_600_000;

/// One record of the table `t`.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// When it arrives, milliseconds.
    pub at: i64,
    /// Its partition.
    pub partition: u8,
    /// A key that is sometimes NULL.
    pub k: Option<char>,
    /// A second key.
    pub g: i64,
    /// A value that is sometimes NULL.
    pub v: Option<i64>,
    /// Its event time, milliseconds.
    pub ts: i64,
}

/// Numbers that look random: Knuth's linear congruential generator, its upper bits.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Records in the order they arrive: most within the watermark's 4 s, some far too late, one long
/// silence of everybody and, with two partitions, a longer one of the second alone.
pub fn records(count: u64, partitions: u64) -> Vec<Record> {
    let mut dice = Dice(20_240_501);
    let mut at = BEGIN;
    (0..count)
        .map(|i| {
            at += 1 + dice.below(1_500) as i64;
            if i == count / 2 {
                at += 60_000;
            }
            let quiet = (count / 5..count * 2 / 5).contains(&i);
            let partition = if quiet { 0 } else { dice.below(partitions) as u8 };
            let behind = if dice.below(12) == 0 { 20_000 } else { 5_000 };
            Record {
                at,
                partition,
                k: ['a', 'b', 'c', 'd'].get(dice.below(5) as usize).copied(),
                g: dice.below(2) as i64,
                v: Some(dice.below(10) as i64).filter(|v| *v != 7),
                ts: at - dice.below(behind) as i64,
            }
        })
        .collect()
}

/// A time as records and rows write it.
pub fn time(ms: i64) -> String {
    EventTime(ms).to_string()
}

/// A JSON value that may be missing.
pub fn or_null(value: Option<impl std::fmt::Display>) -> String {
    value.map_or("null".to_owned(), |v| v.to_string())
}

/// A scenario: the table `t` with these records, and a script over it.
pub fn scenario(records: &[Record], script: &str) -> String {
    let mut text = format!(
        "# Generated\n\n```sql\n\
         CREATE TABLE t (k STRING, g INT, v INT, ts TIMESTAMP(3), \
         WATERMARK FOR ts AS ts - INTERVAL '4' SECOND);\n\
         SET 'execution.checkpointing.interval' = '20 s';\n\
         SET 'table.exec.source.idle-timeout' = '30 s';\n\
         {script}\n```\n\n```jsonl t\n"
    );
    for r in records {
        let key = or_null(r.k.map(|k| format!("\"{k}\"")));
        writeln!(
            text,
            "{{\"@at\": \"{}\", \"@partition\": {}, \"k\": {key}, \"g\": {}, \"v\": {}, \"ts\": \"{}\"}}",
            time(r.at),
            r.partition,
            r.g,
            or_null(r.v),
            time(r.ts),
        )
        .expect("writing to a string cannot fail");
    }
    text + "```\n"
}
