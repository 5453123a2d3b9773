//! Snapshots that are damaged, old or of another version.

use std::path::PathBuf;

use highwater_engine::seeded::plant;
use highwater_engine::session::Session;
use highwater_engine::snapshot::{FORMAT, IN_FLIGHT, Opened};
use highwater_engine::trace::What;

use crate::drivers::{open, options};
use crate::stream::{records, scenario};

/// Windows, a join, a running aggregate, ranks and sessions: much that can be held.
pub const SCRIPT: &str = "\
    CREATE TABLE windows (k STRING, n BIGINT) WITH ('connector' = 'print');\n\
    CREATE TABLE visits (k STRING, n BIGINT) WITH ('connector' = 'print');\n\
    CREATE TABLE sums (k STRING, v BIGINT) WITH ('connector' = 'print');\n\
    CREATE TABLE pairs (k STRING, ts TIMESTAMP(3), other TIMESTAMP(3)) WITH ('connector' = 'print');\n\
    CREATE TABLE best (k STRING, v INT) WITH ('connector' = 'print');\n\
    INSERT INTO windows SELECT k, COUNT(*) AS n FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), \
      INTERVAL '5' SECONDS, INTERVAL '20' SECONDS)) GROUP BY k, window_start, window_end;\n\
    INSERT INTO visits SELECT k, COUNT(*) AS n FROM TABLE(SESSION(TABLE t PARTITION BY k, \
      DESCRIPTOR(ts), INTERVAL '9' SECONDS)) GROUP BY k, window_start, window_end;\n\
    INSERT INTO sums SELECT k, SUM(v) AS v FROM t GROUP BY k;\n\
    INSERT INTO pairs SELECT a.k, a.ts, b.ts AS other FROM t AS a JOIN t AS b \
      ON a.k = b.k AND a.g < b.g AND a.ts BETWEEN b.ts - INTERVAL '20' SECOND AND b.ts;\n\
    INSERT INTO best SELECT k, v FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) <= 60;";

/// Operators that the first does not have: joins of the other kinds, OVER, windows that grow, sets of values. When its file
/// was written, joins left out whoever was behind the watermark.
const MORE: &str = "\
    CREATE TABLE alone (k STRING, ts TIMESTAMP(3), other TIMESTAMP(3)) WITH ('connector' = 'print');\n\
    CREATE TABLE totals (k STRING, total BIGINT, n BIGINT) WITH ('connector' = 'print');\n\
    CREATE TABLE lately (k STRING, s BIGINT) WITH ('connector' = 'print');\n\
    CREATE TABLE met (k STRING, v INT, w INT) WITH ('connector' = 'print');\n\
    CREATE TABLE growing (k STRING, n BIGINT) WITH ('connector' = 'print');\n\
    CREATE TABLE kinds (k STRING, n BIGINT, all_of_them BIGINT) WITH ('connector' = 'print');\n\
    CREATE VIEW tens AS SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS));\n\
    SET 'highwater.late.by' = 'record';\n\
    INSERT INTO alone SELECT a.k, a.ts, b.ts AS other FROM t AS a LEFT JOIN t AS b \
      ON a.k = b.k AND a.g < b.g AND a.ts BETWEEN b.ts - INTERVAL '9' SECOND AND b.ts;\n\
    SET 'highwater.late.by' = 'window';\n\
    INSERT INTO totals SELECT a.k, a.total, b.n FROM (SELECT k, SUM(v) AS total FROM t GROUP BY k) AS a \
      JOIN (SELECT k, COUNT(*) AS n FROM t GROUP BY k) AS b ON a.k = b.k;\n\
    INSERT INTO lately SELECT k, SUM(v) OVER (PARTITION BY k ORDER BY ts \
      ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS s FROM t;\n\
    INSERT INTO met SELECT a.k, a.v, b.v AS w FROM tens AS a JOIN tens AS b ON a.k = b.k AND a.g < b.g \
      AND a.window_start = b.window_start AND a.window_end = b.window_end;\n\
    INSERT INTO growing SELECT k, COUNT(*) AS n FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), \
      INTERVAL '5' SECONDS, INTERVAL '20' SECONDS)) GROUP BY k, window_start, window_end;\n\
    INSERT INTO kinds SELECT k, COUNT(DISTINCT v) AS n, COUNT(*) AS all_of_them FROM t GROUP BY k;";

/// Joins with what held at a time, while every channel is slow and barriers overtake: there is much in flight.
const FLIGHT: &str = "\
    SET 'execution.checkpointing.unaligned.enabled' = 'true';\n\
    CREATE TABLE then (k STRING, v INT, w INT, since TIMESTAMP(3)) WITH ('connector' = 'print');\n\
    CREATE TABLE before (k STRING, v INT, w INT) WITH ('connector' = 'print');\n\
    CREATE TABLE told (k STRING, n BIGINT) WITH ('connector' = 'print');\n\
    CREATE VIEW last AS SELECT v AS w, ts AS since, k AS name FROM \
      (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS n FROM t) WHERE n = 1;\n\
    INSERT INTO then SELECT t.k, t.v, last.w, last.since FROM t \
      JOIN last FOR SYSTEM_TIME AS OF t.ts ON t.k = last.name;\n\
    INSERT INTO before SELECT a.k, a.v, b.v AS w FROM t AS a ASOF JOIN t AS b \
      MATCH_CONDITION (a.ts > b.ts) ON a.k = b.k;\n\
    INSERT INTO told SELECT k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
      INTERVAL '20' SECONDS)) GROUP BY k, window_start, window_end;";

fn job() -> Session {
    job_of(SCRIPT)
}

fn job_of(script: &str) -> Session {
    let text = scenario(&records(160, 2), script);
    let text = format!("{text}\n```toml settings\nseed = 5\n```\n");
    let job = open(&text, &options(2, 3));
    if !script.ends_with(FLIGHT) {
        return job;
    }
    let header = job.header();
    let name = |task: u16| &header.tasks[usize::from(task)].name;
    let slow = header
        .channels
        .iter()
        .map(|&(from, to)| format!("at 0s delay {}->{} for 300s\n", name(from), name(to)));
    open(&format!("{text}\n```faults\n{}```\n", slow.collect::<String>()), &options(2, 3))
}

/// The newest snapshot in the middle of a run.
fn middle(mut job: Session) -> Vec<u8> {
    let steps = job.fork().finish().step;
    job.step(steps / 2);
    job.snapshot().expect("there is a checkpoint by then")
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_real_snapshot_is_found() {
    let mut bytes = middle(job());
    assert!(bytes.len() >= 8_192, "{}", bytes.len());
    assert!(Opened::read(&bytes).is_ok());
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Opened::read(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for end in 0..bytes.len() {
        assert!(Opened::read(&bytes[..end]).is_err(), "cut at {end}");
    }
}

/// What a version has written, later ones restore, or refuse by name. `UPDATE_EXPECT=1` writes the file of a new
/// format.
#[test]
#[allow(clippy::disallowed_methods, reason = "whether to write is asked of whoever runs it")]
fn a_snapshot_of_this_format_is_restored_from_now_on() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden");
    for (name, script) in [("", SCRIPT), ("-more", MORE), ("-flight", FLIGHT)] {
        let path = folder.join(format!("format-{FORMAT}{name}.hwsn"));
        if std::env::var_os("UPDATE_EXPECT").is_some() && !path.exists() {
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(&path, middle(job_of(script))).expect("a file");
        }
        let bytes = std::fs::read(&path).expect("the golden snapshot");
        let flight = Opened::read(&bytes).and_then(|opened| opened.section(IN_FLIGHT));
        assert_eq!(flight.is_ok_and(|bytes| bytes.len() > 500), script == FLIGHT);
        let mut whole = job_of(script);
        whole.finish();
        let mut resumed = job_of(script);
        resumed.restore(&bytes).expect("it is restored");
        assert!(resumed.finish().finished);
        for (whole, resumed) in whole.tables().iter().zip(resumed.tables()) {
            let (whole, rest) = (whole.jsonl(), resumed.jsonl());
            assert!(!rest.is_empty() && whole.ends_with(&rest), "{}", resumed.spec.table);
        }
        // The format stands behind the mark of four bytes.
        let mut other = bytes;
        other[4..8].copy_from_slice(&(FORMAT - 1).to_le_bytes());
        let refused = job_of(script).restore(&other).expect_err("of another format");
        assert_eq!(refused.code, "snapshot.version");
        assert!(refused.message.contains(&format!("format {}", FORMAT - 1)), "{refused}");
    }
}

/// What each task has said of its records, windows, pairs and rows; and of time, task by task behind that: how the two lie
/// between each other hangs on which rows come to a sink together.
fn told(session: &Session) -> Vec<Vec<String>> {
    let tasks = session.header().tasks.len();
    let mut told = vec![Vec::new(); 2 * tasks];
    for event in session.events() {
        let of_the_stream = matches!(
            event.what,
            What::Arrive { .. }
                | What::PartitionWatermark { .. }
                | What::Idle { .. }
                | What::Watermark { .. }
                | What::WindowOpen { .. }
                | What::WindowMerge { .. }
                | What::WindowAdd { .. }
                | What::WindowFire { .. }
                | What::Late { .. }
                | What::JoinBuffer { .. }
                | What::JoinMatch { .. }
                | What::JoinExpire { .. }
                | What::JoinKeep { .. }
                | What::JoinTake { .. }
                | What::Hold { .. }
                | What::JoinLate { .. }
                | What::Stage { .. }
        );
        if of_the_stream {
            let time = matches!(event.what, What::Watermark { .. });
            let place = usize::from(event.task) + if time { tasks } else { 0 };
            told[place].push(format!("{:?}", event.what));
        }
    }
    told
}

/// The number of a checkpoint, and a task, that does not say the rest as the run said it; how many checkpoints do.
fn otherwise(script: &str) -> Result<u32, (u32, usize)> {
    let often = format!("SET 'execution.checkpointing.interval' = '1500 ms';\n{script}");
    let mut whole = job_of(&often);
    whole.finish();
    let whole = told(&whole);
    let (mut run, mut before, mut restored) = (job_of(&often), None, 0);
    while !run.step(1).finished {
        let newest = run.snapshot();
        if newest == before {
            continue;
        }
        let mut resumed = job_of(&often);
        resumed.restore(newest.as_deref().expect("there is one")).expect("it is restored");
        assert!(resumed.finish().finished);
        for ((task, whole), rest) in whole.iter().enumerate().zip(told(&resumed)) {
            let from = whole.len().checked_sub(rest.len());
            if from.map(|from| &whole[from..]) != Some(&rest[..]) {
                return Err((restored, task));
            }
        }
        (before, restored) = (newest, restored + 1);
    }
    Ok(restored)
}

/// A whole job that goes on from any of its checkpoints says of the rest of its input, task by task and event by event,
/// what the run said from there on that the checkpoint is of; only the schedule and its own checkpoints are others.
#[test]
fn the_rest_of_the_trace_is_the_same_from_every_checkpoint() {
    for script in [SCRIPT, MORE, FLIGHT] {
        let checkpoints = otherwise(script);
        assert!(checkpoints.is_ok_and(|all| all > 50), "{checkpoints:?}");
    }
    for bug in ["a-source-forgets-its-watermark", "timers-forgotten", "interval-join-forgotten"] {
        let Some(planted) = plant(bug) else { return };
        assert!(otherwise(SCRIPT).is_err(), "{bug}");
        drop(planted);
    }
}
