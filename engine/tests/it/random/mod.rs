//! Random pipelines over random streams: whatever the driver, the batches, the subtasks and the crashes,
//! the rows are those of plain loops over the records.

mod model;
mod overs;
mod ranks;
mod spread;
mod state;
mod stream;

use highwater_engine::batch::RowKind;
use highwater_engine::key::encode;
use highwater_engine::session::{Fast, Files, Options, Rows, Session};
use highwater_engine::value::Value;

use crate::sandbox::Interpreter;
use crate::schedule;
pub use spread::spread;

use model::{Call, Pipeline, Row, Windows};
use stream::{COLUMNS, Dice, Record, Shape, records, scenario};

/// Everything about one try; printed when it fails.
#[derive(Debug)]
struct Try {
    seed: u64,
    shape: Shape,
    records: Vec<Record>,
    delay: i64,
    idle: Option<i64>,
    windows: Windows,
    keys: Vec<usize>,
    calls: Vec<Call>,
}

/// A script and the files it reads.
struct Job {
    text: String,
    files: Files,
}

/// Milliseconds as an interval literal writes seconds.
fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", ms.abs() / 1000, ms.abs() % 1000)
}

fn windows(dice: &mut Dice) -> Windows {
    let step = dice.of(&[1, 20, 1_000, 3_000, 10_000]);
    let offset = dice.of(&[0, 0, 1, -700, 25_000]);
    match dice.below(9) {
        0 | 1 => Windows::Aligned(step, step, offset),
        2 | 3 => Windows::Aligned(step * dice.of(&[1, 2, 5, 12, 70]), step, offset),
        7 | 8 => Windows::Cumulate(step * dice.of(&[1, 2, 5, 12, 70]), step, offset),
        4 | 5 => Windows::Session(dice.of(&[1, 30, 1_000, 4_000, 60_000])),
        _ => Windows::None,
    }
}

const NAMES: [&str; 14] = [
    "COUNT",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "FIRST_VALUE",
    "LAST_VALUE",
    "LISTAGG",
    "VAR_POP",
    "VAR_SAMP",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "BOOL_AND",
    "BOOL_OR",
];

fn calls(dice: &mut Dice) -> Vec<Call> {
    let one = |dice: &mut Dice| {
        let name = dice.of(&NAMES);
        let column = match name {
            "LISTAGG" => Some(2),
            "BOOL_AND" | "BOOL_OR" => Some(3),
            "COUNT" => dice.of(&[None, Some(2), Some(4)]),
            "SUM" | "AVG" | "VAR_POP" | "VAR_SAMP" | "STDDEV_POP" | "STDDEV_SAMP" => {
                Some(dice.of(&[0, 1, 4, 5, 6, 7]))
            }
            _ => Some(dice.of(&[0, 1, 2, 3, 4, 5, 6, 7])),
        };
        let distinct = column.is_some() && dice.once_in(3);
        let separator = Some("; ").filter(|_| name == "LISTAGG" && dice.once_in(2));
        Call { name, column, distinct, filter: dice.once_in(3), separator }
    };
    (0..1 + dice.below(4)).map(|_| one(dice)).collect()
}

impl Try {
    fn new(seed: u64) -> Try {
        let mut dice = Dice(seed);
        let shape = Shape::random(&mut dice);
        let mut keys: Vec<usize> = (0..COLUMNS.len()).filter(|_| dice.once_in(4)).collect();
        keys.truncate(2);
        Try {
            seed,
            records: records(&mut dice, &shape),
            delay: dice.of(&[0, 1, 2_000, 9_000]),
            // The records of a file arrive one soon after the other.
            idle: if shape.timeless { None } else { dice.of(&[None, Some(3_000), Some(15_000)]) },
            windows: windows(&mut dice),
            keys,
            calls: calls(&mut dice),
            shape,
        }
    }

    /// The query whose rows the model knows.
    fn query(&self) -> String {
        let keys = self.keys.iter().map(|&k| COLUMNS[k].0.to_owned());
        let calls = self.calls.iter().zip(0..).map(|(call, i)| {
            let argument = call.column.map_or("*", |c| COLUMNS[c].0);
            let filter = if call.filter { " FILTER (WHERE b)" } else { "" };
            let distinct = if call.distinct { "DISTINCT " } else { "" };
            let by = call.separator.map_or(String::new(), |text| format!(", '{text}'"));
            format!("{}({distinct}{argument}{by}){filter} AS a{i}", call.name)
        });
        let bounds = ["window_start".to_owned(), "window_end".to_owned()];
        let list = |parts: Vec<String>| parts.join(", ");
        let keys: Vec<String> = keys.collect();
        let by = match (&self.windows, keys.is_empty()) {
            (Windows::None, true) => String::new(),
            (Windows::None, false) => format!(" GROUP BY {}", list(keys.clone())),
            _ => format!(" GROUP BY {}", list([&keys[..], &bounds].concat())),
        };
        let from = match self.windows {
            Windows::None => "t".to_owned(),
            Windows::Aligned(size, step, offset) => {
                let [size, step, offset] = [size, step, offset].map(seconds);
                format!(
                    "TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '{step}' SECOND(4), \
                     INTERVAL '{size}' SECOND(4), INTERVAL '{offset}' SECOND(4)))"
                )
            }
            Windows::Cumulate(size, step, offset) => {
                let [size, step, offset] = [size, step, offset].map(seconds);
                format!(
                    "TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '{step}' SECOND(4), \
                     INTERVAL '{size}' SECOND(4), INTERVAL '{offset}' SECOND(4)))"
                )
            }
            Windows::Session(gap) => {
                let partition = if keys.is_empty() { String::new() } else { list(keys.clone()) };
                let by = if keys.is_empty() { "" } else { " PARTITION BY " };
                let gap = seconds(gap);
                format!(
                    "TABLE(SESSION(TABLE t{by}{partition}, DESCRIPTOR(ts), \
                     INTERVAL '{gap}' SECOND(4)))"
                )
            }
        };
        let bounds = if let Windows::None = self.windows { &[][..] } else { &bounds };
        let columns = list([&keys[..], bounds, &calls.collect::<Vec<_>>()].concat());
        format!("SELECT {columns} FROM {from}{by}")
    }

    fn scenario(&self, script: &str) -> Job {
        let records = (&self.records[..], self.shape.timeless);
        let (text, lines) = scenario(records, &seconds(self.delay), self.idle, script);
        let mut files = Files::default();
        files.insert("t.jsonl", lines.as_bytes());
        Job { text, files }
    }

    fn expected(&self) -> (Vec<Row>, u64) {
        let pipeline = Pipeline {
            records: &self.records,
            partitions: self.shape.partitions,
            delay: self.delay,
            idle: self.idle,
            windows: self.windows,
            keys: &self.keys,
            calls: &self.calls,
        };
        pipeline.rows()
    }
}

fn options(parallelism: u32, batch_rows: u32) -> Options {
    Options { seed: None, parallelism: Some(parallelism), batch_rows: Some(batch_rows) }
}

type Lines = Vec<(RowKind, u64, String)>;

fn lines(rows: &[Row]) -> Lines {
    rows.iter().map(|(kind, seq, values)| (*kind, *seq, model::text(values))).collect()
}

/// The rows of plain loops by place and text; a changelog as it is.
fn sorted(mut lines: Lines, changelog: bool) -> Lines {
    if !changelog {
        lines.sort();
    }
    lines
}

fn rows(tables: &[Rows]) -> Lines {
    lines(&tables[0].rows)
}

fn run(job: &Job, options: &Options) -> (Lines, u64) {
    let fast = Fast::open("t.md", &job.text, &job.files, Interpreter::shared(), options)
        .unwrap_or_else(|e| panic!("{e:?}"));
    let mut tables = fast.sinks();
    let mut emit = |sink: usize, batch| {
        tables[sink].extend(&batch);
        Ok(())
    };
    let report = fast.run(&mut emit, &mut |_| {}).expect("the job runs");
    let place = |row: &Row| (row.1, encode(&row.2));
    assert!(
        tables[0].updating || tables[0].rows.is_sorted_by_key(place),
        "rows of one place stand in the order of their values: {options:?}"
    );
    (rows(&tables), report.late)
}

/// The rows of tasks cut for threads, under a schedule of the dice.
fn scheduled(job: &Job, options: &Options, threads: u32, dice: &mut Dice) -> (Lines, u64) {
    let fast = Fast::open("t.md", &job.text, &job.files, Interpreter::shared(), options)
        .unwrap_or_else(|e| panic!("{e:?}"));
    let mut tables = fast.sinks();
    let mut emit = |sink: usize, batch| tables[sink].extend(&batch);
    let late = schedule::run(fast, threads, &mut |limit| dice.below(limit), &mut emit);
    (rows(&tables), late.expect("the job runs"))
}

/// The rows of a session in which a task crashes, and one that goes through a snapshot.
fn crashed(job: &Job, options: &Options, dice: &mut Dice) -> Lines {
    let mut session = Session::open("t.md", &job.text, &job.files, Interpreter::shared(), options)
        .unwrap_or_else(|e| panic!("{e:?}"));
    let steps = session.fork().finish().step;
    for _ in 0..dice.below(3) {
        session.step(dice.below(steps.max(1)));
        if session.status().finished {
            break;
        }
        let tasks: Vec<String> = session.header().tasks.iter().map(|t| t.name.clone()).collect();
        session.inject(&format!("at now crash {}", dice.of(&tasks))).expect("a fault");
    }
    let status = session.finish();
    assert!(status.finished, "{:?}", status.failed);
    rows(&session.tables())
}

/// Compares and says which try it was.
fn same(found: &Lines, expected: &Lines, what: &str, t: &Try) {
    if found == expected {
        return;
    }
    let first = found.iter().zip(expected).position(|(a, b)| a != b);
    let at = first.unwrap_or(found.len().min(expected.len()));
    panic!(
        "seed {}: {what}: row {at} of {} is {:?} instead of {:?} of {}\n{}\n{:?} delay {} idle {:?}",
        t.seed,
        found.len(),
        found.get(at),
        expected.get(at),
        expected.len(),
        t.query(),
        t.shape,
        t.delay,
        t.idle,
    );
}

/// Every driver against the first, for a script.
fn alike(t: &Try, job: &Job, expected: &(Lines, u64), dice: &mut Dice) {
    for _ in 0..3 {
        let options = options(1 + dice.below(4) as u32, dice.of(&[1, 2, 7, 64, 1024]));
        let found = run(job, &options);
        same(&found.0, &expected.0, &format!("runner with {options:?}"), t);
        assert_eq!(found.1, expected.1, "seed {}: late records with {options:?}", t.seed);
    }
    for _ in 0..4 {
        let options = options(1, dice.of(&[1, 2, 7, 64, 1024]));
        let threads = dice.of(&[1, 2, 3, 4, 8]);
        let found = scheduled(job, &options, threads, dice);
        same(&found.0, &expected.0, &format!("{threads} threads with {options:?}"), t);
        assert_eq!(found.1, expected.1, "seed {}: late records on {threads} threads", t.seed);
    }
    let options = options(1 + dice.below(4) as u32, dice.of(&[1, 3, 64]));
    same(&crashed(job, &options, dice), &expected.0, &format!("sim with {options:?}"), t);
}

fn attempt(seed: u64) {
    let t = Try::new(seed);
    let mut dice = Dice(!seed);
    let changelog = matches!(t.windows, Windows::None);
    let job = t.scenario(&format!("{};", t.query()));
    let (expected, late) = t.expected();
    let found = run(&job, &options(1, 1024));
    same(
        &sorted(found.0.clone(), changelog),
        &sorted(lines(&expected), changelog),
        "the runner against plain loops",
        &t,
    );
    assert_eq!(found.1, late, "seed {seed}: late records of {}", t.query());
    assert!(found.0.is_sorted_by_key(|row| row.1), "seed {seed}: places fall");
    alike(&t, &job, &found, &mut dice);
    // A second operator behind the first shows in which order the first's rows leave.
    if !changelog && dice.once_in(2) {
        let job = t.scenario(&format!(
            "CREATE VIEW w AS {};\nSELECT COUNT(*) AS n, COUNT(a0) AS c, MIN(a0) AS lo, \
             MAX(window_start) AS hi, LAST_VALUE(a0) AS latest FROM w;",
            t.query()
        ));
        let found = run(&job, &options(1, 1024));
        alike(&t, &job, &found, &mut dice);
        // The same rows once more by the windows they carry.
        let job = t.scenario(&format!(
            "CREATE VIEW w AS {};\nSELECT window_start, window_end, COUNT(*) AS n, COUNT(a0) AS c, \
             MIN(a0) AS lo, LISTAGG(CAST(a0 AS STRING)) AS list FROM w \
             GROUP BY window_start, window_end;",
            t.query()
        ));
        let found = run(&job, &options(1, 1024));
        alike(&t, &job, &found, &mut dice);
    }
}

/// Neither where a zero comes from nor whether its row was in a snapshot shows in it.
#[test]
fn a_zero_that_leaves_has_one_sign() {
    let mut t = Try::new(3);
    for (i, record) in t.records.iter_mut().enumerate() {
        record.cells[6] = Value::Double(if i % 3 == 0 { 1.5 } else { 0.0 });
        record.cells[4] = Value::Int(if i % 2 == 0 { 1 } else { -1 });
    }
    for query in [
        "SELECT f * -1.0E0 AS x, ts FROM t;",
        "SELECT f * i AS x, COUNT(*) AS n FROM t GROUP BY f * i;",
    ] {
        let job = t.scenario(query);
        let (rows, _) = run(&job, &options(1, 7));
        assert!(rows.len() > 8, "{query}");
        assert!(rows.iter().any(|row| row.2.starts_with("Double(0.0)")), "{query}");
        assert!(!rows.iter().any(|row| row.2.contains("Double(-0.0)")), "{query}: {rows:?}");
        assert_eq!(crashed(&job, &options(1, 7), &mut Dice(8)), rows, "{query}");
    }
}

#[test]
fn random_pipelines_are_plain_loops_under_every_driver() {
    for seed in 0..50 {
        attempt(seed);
    }
}
