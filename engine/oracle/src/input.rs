//! Records: in disorder, late, with NULLs, of one or two partitions of one or two tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::batch::{Item, Log, Row};
use crate::sql;
use crate::time;

/// 2024-05-01 00:00:00 UTC, milliseconds.
const BEGIN: i64 = 1_714_521_600_000;

/// Numbers that look random (splitmix64): whoever throws them again from one number gets the same.
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

/// A record of one of the tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it arrives, milliseconds; no two at once.
    pub at: i64,
    /// When it would have arrived if nothing had held it up.
    pub due: i64,
    /// Whose record it is: of `t0` or `t1`.
    pub table: usize,
    /// Of its table.
    pub partition: usize,
    /// The columns `a`, `b` and `c`.
    pub cells: [Option<i64>; 3],
    /// Its event time, milliseconds.
    pub ts: i64,
    /// Read by no pipeline: it can only move the watermark.
    pub noise: bool,
}

impl Record {
    /// Its table and its partition.
    fn place(&self) -> (usize, usize) {
        (self.table, self.partition)
    }

    /// Its columns: what is read by no pipeline is a version of nothing, either.
    fn shown(&self) -> [Option<i64>; 3] {
        let [a, b, c] = self.cells;
        [a.filter(|_| !self.noise), b, c]
    }
}

/// Something that keeps records of a table from arriving when they would.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay {
    /// Of `t0` or `t1`.
    pub table: usize,
    /// One of its partitions; `None`: all of them.
    pub partition: Option<usize>,
    /// Its first moment, milliseconds after the first record of all.
    pub from: i64,
    /// The moment behind its last.
    pub until: i64,
    /// What it does.
    pub how: Lateness,
}

impl Delay {
    fn is_of(&self, (table, partition): (usize, usize)) -> bool {
        self.table == table && self.partition.is_none_or(|p| p == partition)
    }
}

/// What a delay does to the records that would arrive while it lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lateness {
    /// They arrive at its end.
    Stalled,
    /// Each arrives so many milliseconds behind the one before it, unless the end comes before that.
    Slow(i64),
    /// They arrive so many milliseconds later, behind what has come in the meantime. Of several each counts from when they
    /// would have arrived without any.
    Late(i64),
    /// They arrive at its end, and their partition is idle from its beginning.
    Idle,
}

/// All there is to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// In the order of their arrival.
    pub records: Vec<Record>,
    /// How far the watermark of each table stays behind.
    pub delays: [i64; 2],
    /// After so long a silence a partition is idle.
    pub idle: Option<i64>,
    /// When partitions say that they are idle: table, partition, milliseconds.
    pub told: Vec<(usize, usize, i64)>,
}

impl Input {
    /// Random records; those of the tables that are not read are left out.
    pub fn random(dice: &mut Dice, tables: [bool; 2], may_idle: bool) -> Input {
        let partitions = dice.of(&[[1, 1], [1, 1], [2, 1], [1, 2]]);
        let count = 5 + dice.below(56);
        let (keys, pace) = (1 + dice.below(5), dice.of(&[20, 400, 1_500, 1_500, 6_000]));
        let (nulls, late) = (dice.of(&[4, 9, 1_000]), dice.of(&[3, 10, 1_000]));
        let delays = [0, 1].map(|_| dice.of(&[0, 1, 1_000, 4_000, 4_000]));
        let jitter = 1 + dice.of(&[0, 500, 3_000, 6_000]);
        let read: Vec<usize> = [0, 1].into_iter().filter(|&t| tables[t]).collect();
        let mut at = BEGIN + dice.below(20_000) as i64;
        let mut records: Vec<Record> = Vec::new();
        for i in 0..count {
            at += 2 + dice.below(pace) as i64;
            let silence = dice.once_in(25);
            at += if silence { 30_000 } else { 0 };
            let behind = if dice.once_in(late) { 20_000 } else { jitter };
            let mut cell = |limit: u64| {
                let value = dice.below(limit) as i64;
                Some(value).filter(|_| !dice.once_in(nulls))
            };
            let cells = [cell(keys), cell(3), cell(10)];
            // Every table that is read has a record.
            let table = if i < read.len() as u64 { read[i as usize] } else { dice.of(&read) };
            let partition = dice.below(partitions[table]) as usize;
            // Edges of windows are where mistakes are made.
            let mut ts = at - dice.below(behind as u64) as i64;
            if dice.once_in(3) {
                ts = ts.div_euclid(1_000) * 1_000 - dice.below(2) as i64;
            }
            // And so is the watermark itself.
            if dice.once_in(8) {
                let same = |r: &&Record| (r.table, r.partition) == (table, partition);
                let newest = records.iter().filter(same).map(|r| r.ts).max();
                ts = newest.map_or(ts, |newest| newest - delays[table]);
            }
            records.push(Record { at, due: at, table, partition, cells, ts, noise: false });
        }
        let idle = if may_idle { dice.of(&[None, Some(3_000), Some(15_000)]) } else { None };
        Input { records, delays, idle, told: Vec::new() }
    }

    /// The same records, some of them later; the first of all is not late.
    #[must_use]
    pub fn delayed(&self, delays: &[Delay]) -> Input {
        let start = self.records.first().map_or(0, |r| r.at);
        let span = |delay: &Delay| (start + delay.from, start.saturating_add(delay.until));
        let mut delays = delays.to_vec();
        delays.sort_by_key(|delay| delay.from);
        let mut input = self.clone();
        for record in &mut input.records {
            let by = |delay: &Delay| match delay.how {
                Lateness::Late(by) if delay.is_of(record.place()) => {
                    let (from, until) = span(delay);
                    if (from..until).contains(&record.at) { by } else { 0 }
                }
                _ => 0,
            };
            record.at += delays.iter().map(by).sum::<i64>();
            record.due = record.at;
        }
        input.records.sort_by_key(|record| record.at);
        let mut lasts: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        for record in &mut input.records {
            let place = record.place();
            let last = lasts.get(&place).copied();
            for delay in delays.iter().filter(|delay| delay.is_of(place)) {
                let (from, until) = span(delay);
                if record.at < from || record.at >= until {
                    continue;
                }
                record.at = match delay.how {
                    Lateness::Stalled | Lateness::Idle => until,
                    Lateness::Slow(gap) => {
                        last.map_or(record.at, |last| record.at.max(until.min(last + gap)))
                    }
                    Lateness::Late(_) => record.at,
                };
            }
            record.at = record.at.max(last.unwrap_or(record.at));
            lasts.insert(place, record.at);
        }
        input.records.sort_by_key(|record| record.at);
        for delay in delays.iter().filter(|delay| delay.how == Lateness::Idle) {
            let of = input.partitions().into_iter().filter(|&place| delay.is_of(place));
            input.told.extend(of.map(|(table, partition)| (table, partition, span(delay).0)));
        }
        input
    }

    /// The tables and partitions that have records, in the order of the engine's.
    pub fn partitions(&self) -> Vec<(usize, usize)> {
        let mut all: Vec<(usize, usize)> =
            self.records.iter().map(|r| (r.table, r.partition)).collect();
        all.sort();
        all.dedup();
        all
    }

    /// A scenario: the tables, their records, a script over them.
    pub fn scenario(&self, script: &str) -> String {
        let mut text = "# Generated\n\n```sql\n".to_owned();
        let has = |table: usize| self.records.iter().any(|r| r.table == table);
        for table in (0..2).filter(|&t| has(t)) {
            let delay = sql::interval(self.delays[table]);
            text += &format!(
                "CREATE TABLE t{table} (a BIGINT, b BIGINT, c BIGINT, z INT, ts TIMESTAMP(3), \
                 PRIMARY KEY (a) NOT ENFORCED, WATERMARK FOR ts AS ts - {delay});\n"
            );
        }
        text += "SET 'execution.checkpointing.interval' = '9 s';\n";
        if let Some(idle) = self.idle {
            text += &format!("SET 'table.exec.source.idle-timeout' = '{idle} ms';\n");
        }
        text += &format!("{script}\n```\n");
        for table in (0..2).filter(|&t| has(t)) {
            text += &format!("\n```jsonl t{table}\n");
            for r in self.records.iter().filter(|r| r.table == table) {
                let [a, b, c] = r.shown().map(|v| v.map_or("null".to_owned(), |v| v.to_string()));
                writeln!(
                    text,
                    "{{\"@at\": \"{}\", \"@partition\": {}, \"a\": {a}, \"b\": {b}, \"c\": {c}, \
                     \"z\": {}, \"ts\": \"{}\"}}",
                    time::written(r.at),
                    r.partition,
                    u8::from(r.noise),
                    time::written(r.ts)
                )
                .expect("writing to a string cannot fail");
            }
            text += "```\n";
        }
        text
    }

    /// What happens at a table, with places that count over both tables. As versions are read records that
    /// only move the watermark, too: they are of no key.
    pub(crate) fn log(&self, table: usize, versions: bool) -> Log {
        Sources::new(self).run(table, versions).0
    }

    /// When what has a place happens.
    pub(crate) fn clock(&self) -> BTreeMap<u64, i64> {
        Sources::new(self).run(0, false).1
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Active,
    Idle,
    Ended,
}

struct Partition {
    table: usize,
    partition: usize,
    records: Vec<usize>,
    next: usize,
    last: i64,
    /// Called idle, and no record since.
    quiet: bool,
    doing: Doing,
    high: i64,
}

/// The order in which records arrive and partitions fall silent and end.
struct Sources<'a> {
    input: &'a Input,
    partitions: Vec<Partition>,
}

impl Sources<'_> {
    fn new(input: &Input) -> Sources<'_> {
        let start = input.records.first().map_or(0, |r| r.at);
        let one = |(table, partition)| Partition {
            table,
            partition,
            records: (0..input.records.len())
                .filter(|&i| {
                    let r = &input.records[i];
                    (r.table, r.partition) == (table, partition)
                })
                .collect(),
            next: 0,
            last: start,
            quiet: false,
            doing: Doing::Active,
            high: i64::MIN,
        };
        Sources { input, partitions: input.partitions().into_iter().map(one).collect() }
    }

    /// What is next: when, at which partition, and whether that falls silent.
    fn turn(&self) -> Option<(i64, usize, bool)> {
        let next = |p: &Partition| {
            let Record { at, due, .. } = self.input.records[*p.records.get(p.next)?];
            // It says so, or is silent for too long.
            let told = self.input.told.iter().filter(|(table, partition, from)| {
                (*table, *partition) == (p.table, p.partition) && *from >= p.last
            });
            let told = told.map(|(.., from)| *from);
            let deadline = told.chain(self.input.idle.map(|idle| p.last + idle)).min();
            let deadline = deadline.filter(|_| !p.quiet);
            Some(deadline.filter(|d| *d <= at).map_or(((at, due), false), |d| ((d, d), true)))
        };
        let all = self.partitions.iter().enumerate();
        let all = all.filter_map(|(i, p)| next(p).map(|(at, silent)| (at, i, silent)));
        let first = all.min_by_key(|&(at, i, _)| (at, i));
        first.map(|((at, _), i, silent)| (at, i, silent))
    }

    fn run(mut self, table: usize, versions: bool) -> (Log, BTreeMap<u64, i64>) {
        let (mut log, mut seq, mut now) = (Log::new(), 0, i64::MIN);
        let mut clock = BTreeMap::new();
        while let Some((at, p, silent)) = self.turn() {
            seq += 1;
            clock.insert(seq, at);
            let delay = self.input.delays[self.partitions[p].table];
            let part = &mut self.partitions[p];
            if silent {
                (part.quiet, part.doing) = (true, Doing::Idle);
                self.step(table, &mut now, seq, &mut log);
                continue;
            }
            let record = &self.input.records[part.records[part.next]];
            part.next += 1;
            (part.last, part.quiet, part.doing) = (record.at, false, Doing::Active);
            part.high = part.high.max(record.ts - delay);
            let ended = part.next == part.records.len();
            if record.table == table && (versions || !record.noise) {
                let cells = record.shown().to_vec();
                let row = Row { cells, time: record.ts, window: (0, 0) };
                log.push((seq, Item::Row(row)));
            }
            self.step(table, &mut now, seq, &mut log);
            if ended {
                seq += 1;
                clock.insert(seq, at);
                self.partitions[p].doing = Doing::Ended;
                self.step(table, &mut now, seq, &mut log);
            }
        }
        (log, clock)
    }

    /// The table's watermark: the least of the active partitions', never falling; the end of time at the
    /// end.
    fn step(&self, table: usize, now: &mut i64, seq: u64, log: &mut Log) {
        let own = || self.partitions.iter().filter(|p| p.table == table);
        let least = match own().all(|p| p.doing == Doing::Ended) {
            true => Some(i64::MAX),
            false => own().filter(|p| p.doing == Doing::Active).map(|p| p.high).min(),
        };
        if let Some(least) = least.filter(|least| *least > *now) {
            *now = least;
            log.push((seq, Item::Mark(least)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One partition with a record a second from 0 s on, another with one at the odd half seconds.
    fn input() -> Input {
        let record = |i: i64| Record {
            at: BEGIN + i * 500,
            due: BEGIN + i * 500,
            table: 0,
            partition: usize::from(i % 2 == 1),
            cells: [Some(i), None, None],
            ts: BEGIN,
            noise: false,
        };
        Input {
            records: (0..8).map(record).collect(),
            delays: [0, 0],
            idle: None,
            told: Vec::new(),
        }
    }

    fn arrivals(delays: &[Delay]) -> Vec<(i64, i64)> {
        let records = input().delayed(delays).records;
        records.iter().map(|r| (r.cells[0].unwrap_or(-1), r.at - BEGIN)).collect()
    }

    #[test]
    fn records_are_delayed_or_late() {
        let delay = |how, from, until| Delay { table: 0, partition: Some(0), from, until, how };
        let stalled = arrivals(&[delay(Lateness::Stalled, 1_000, 2_600)]);
        let order = [0, 1, 3, 5, 2, 4, 6, 7];
        assert_eq!(stalled.iter().map(|r| r.0).collect::<Vec<_>>(), order);
        assert_eq!(stalled[4..6], [(2, 2_600), (4, 2_600)]);
        let slow = arrivals(&[delay(Lateness::Slow(1_400), 1, 3_100)]);
        assert_eq!(
            slow.iter().filter(|r| r.0 % 2 == 0).map(|r| r.1).collect::<Vec<_>>(),
            [0, 1_400, 2_800, 3_100]
        );
        // Late ones are overtaken, the later of two by as much as both say.
        let late = arrivals(&[delay(Lateness::Late(1_300), 1_000, 2_000)]);
        let order: Vec<_> = late.into_iter().filter(|r| r.0 % 2 == 0).collect();
        assert_eq!(order, [(0, 0), (4, 2_000), (2, 2_300), (6, 3_000)]);
        let twice = [1_000, 500].map(|from| delay(Lateness::Late(1_600), from, from + 600));
        let order: Vec<_> = arrivals(&twice).into_iter().filter(|r| r.0 % 2 == 0).collect();
        assert_eq!(order, [(0, 0), (4, 2_000), (6, 3_000), (2, 4_200)]);
        // The second begins when the first ends.
        let both = [delay(Lateness::Stalled, 2_600, 2_900), delay(Lateness::Stalled, 500, 2_700)];
        assert_eq!(arrivals(&both)[4..], [(2, 2_900), (4, 2_900), (6, 3_000), (7, 3_500)]);
    }
}
