//! Checkpoints of the runner: a process that is killed at any moment, started again, and the output is
//! what it would have been.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const TABLES: &str = "CREATE TABLE bids (auction BIGINT, bidder STRING, price INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '3' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'bids.csv', 'format' = 'csv');
CREATE TABLE closings (auction BIGINT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '3' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'closings.jsonl', 'format' = 'json');
CREATE TABLE counts (auction BIGINT, window_start TIMESTAMP(3), n BIGINT, total INT, last STRING)
WITH ('connector' = 'filesystem', 'path' = 'out/counts.csv', 'format' = 'csv');
CREATE TABLE visits (bidder STRING, window_start TIMESTAMP(3), window_end TIMESTAMP(3), n BIGINT)
WITH ('connector' = 'filesystem', 'path' = 'out/all.jsonl', 'format' = 'json');
CREATE TABLE met (bidder STRING, window_start TIMESTAMP(3), window_end TIMESTAMP(3), n BIGINT)
WITH ('connector' = 'filesystem', 'path' = 'out/all.jsonl', 'format' = 'json');
";

/// A window, sessions, a join and a running sum; two sinks of one file, one that is printed.
const JOB: &str = "INSERT INTO counts
SELECT auction, window_start, COUNT(*), SUM(price), MAX(bidder)
FROM TABLE(HOP(TABLE bids, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;
INSERT INTO visits
SELECT bidder, window_start, window_end, COUNT(*)
FROM TABLE(SESSION(TABLE bids PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '1' SECOND))
GROUP BY bidder, window_start, window_end;
INSERT INTO met
SELECT b.bidder, b.ts, c.ts, b.auction
FROM bids b JOIN closings c ON b.auction = c.auction
  AND b.ts BETWEEN c.ts - INTERVAL '2' SECOND AND c.ts + INTERVAL '1' SECOND;
SELECT auction, SUM(price) AS total FROM bids WHERE price > 990 GROUP BY auction;
";

/// Enough for some checkpoints, however slow the disk is.
const BIDS: u64 = 40_000;

const OUTPUTS: [&str; 2] = ["out/counts.csv", "out/all.jsonl"];

fn time(ms: u64) -> String {
    format!(
        "2024-01-01 {:02}:{:02}:{:02}.{:03}",
        12 + ms / 3_600_000,
        ms / 60_000 % 60,
        ms / 1000 % 60,
        ms % 1000
    )
}

fn inputs(folder: &Path, bids: u64) {
    let mut x = 9_u64;
    let mut dice = |n: u64| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (x >> 33) % n
    };
    let (mut csv, mut json) = (String::new(), String::new());
    for i in 0..bids {
        let at = time(i * 5 + 4_000 - dice(4_000));
        writeln!(csv, "{},b{},{},{at}", dice(40), dice(300), dice(1_000)).expect("text");
        if i % 50 == 0 {
            writeln!(json, r#"{{"auction":{},"ts":"{}"}}"#, dice(40), time(i * 5)).expect("text");
        }
    }
    std::fs::write(folder.join("bids.csv"), csv).expect("written");
    std::fs::write(folder.join("closings.jsonl"), json).expect("written");
    std::fs::create_dir_all(folder.join("out")).expect("made");
    std::fs::write(folder.join("job.sql"), format!("{TABLES}{JOB}")).expect("written");
}

fn command(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.current_dir(folder).args(["run", "job.sql", "--format", "jsonl"]);
    command.args(["--batch-rows", "97"]).args(more);
    command
}

const OFTEN: [&str; 4] = ["--checkpoint-dir", "ckpt", "--checkpoint-interval", "0ms"];

fn run(folder: &Path, more: &[&str]) -> Output {
    command(folder, more).output().expect("the command starts")
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The checkpoints there are, by number.
fn checkpoints(folder: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder.join("ckpt")) else { return Vec::new() };
    let number = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".checkpoint")?;
        name.parse::<u64>().ok()
    };
    let paths = entries.filter_map(|e| Some(e.ok()?.path()));
    let mut all: Vec<(u64, PathBuf)> = paths.filter_map(|p| Some((number(&p)?, p))).collect();
    all.sort();
    all
}

/// Starts the job and kills it once a checkpoint of that number, or a later one, is there.
fn kill_after(folder: &Path, number: u64) -> bool {
    let mut child: Child = command(folder, &OFTEN)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    let begin = Instant::now();
    loop {
        if checkpoints(folder).last().is_some_and(|(last, _)| *last >= number) {
            child.kill().expect("killed");
        }
        if let Some(status) = child.try_wait().expect("a child") {
            return !status.success();
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "checkpoint {number} never comes");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn outputs(folder: &Path) -> Vec<Vec<u8>> {
    OUTPUTS.map(|name| std::fs::read(folder.join(name)).unwrap_or_default()).to_vec()
}

/// What the job leaves without checkpoints.
fn expected(folder: &Path) -> (Vec<Vec<u8>>, Vec<u8>) {
    let whole = run(folder, &[]);
    assert!(whole.status.success(), "{}", err(&whole));
    let files = outputs(folder);
    assert!(files.iter().all(|f| f.len() > 10_000) && whole.stdout.len() > 1_000);
    OUTPUTS.iter().for_each(|name| std::fs::remove_file(folder.join(name)).expect("removed"));
    (files, whole.stdout)
}

#[test]
fn a_killed_job_goes_on_and_its_output_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    inputs(folder, BIDS);
    let (files, printed) = expected(folder);
    let mut killed = 0;
    for steps in [&[1_u64, 2][..], &[3, 1, 1], &[5]] {
        for more in steps {
            let newest = checkpoints(folder).last().map_or(0, |c| c.0);
            // On a machine whose disk is slow the job may end before there are so many.
            if !kill_after(folder, newest + more) {
                break;
            }
            killed += 1;
            assert!(outputs(folder).iter().all(Vec::is_empty), "no file before the end");
        }
        let going_on = !checkpoints(folder).is_empty();
        let last = run(folder, &OFTEN);
        assert!(last.status.success(), "{}", err(&last));
        assert_eq!(err(&last).contains("going on from checkpoint"), going_on, "{}", err(&last));
        assert!(outputs(folder) == files, "killed at {steps:?}: the files differ");
        assert!(last.stdout == printed, "killed at {steps:?}: the printed rows differ");
        assert!(checkpoints(folder).is_empty(), "a job that has ended leaves no checkpoints");
        let left: Vec<_> = std::fs::read_dir(folder.join("out")).expect("listed").collect();
        assert_eq!(left.len(), 2, "{left:?}");
        OUTPUTS.iter().for_each(|name| std::fs::remove_file(folder.join(name)).expect("removed"));
    }
    assert!(killed >= 3, "killed {killed} times");
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_lost_rows_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    inputs(folder, BIDS);
    let (files, printed) = expected(folder);
    let staged = folder.join("out/.counts.csv.0.staged");
    // Windows fire some time after the beginning: until there are rows, and two checkpoints more.
    let (mut number, mut rows) = (2, 0);
    while rows < 1_000 {
        rows = std::fs::metadata(&staged).map_or(0, |m| m.len());
        assert!(kill_after(folder, number), "it has ended before checkpoint {number}");
        number = checkpoints(folder).last().map_or(0, |c| c.0) + 3;
    }
    let all = checkpoints(folder);
    assert!(all.len() > 1, "{all:?}");
    let (number, newest) = &all[all.len() - 1];
    let mut bytes = std::fs::read(newest).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(newest, bytes).expect("damaged");

    let rows = std::fs::read(&staged).expect("staged");
    std::fs::write(&staged, &rows[..1]).expect("cut");
    let lost = run(folder, &OFTEN);
    assert!(err(&lost).contains("the file is too short"), "{}", err(&lost));
    assert_eq!(lost.status.code(), Some(2));

    std::fs::write(&staged, &rows).expect("brought back");
    let last = run(folder, &OFTEN);
    assert!(err(&last).contains(&format!("checkpoint {number} is passed over")), "{}", err(&last));
    assert!(outputs(folder) == files && last.stdout == printed);
}

#[test]
fn another_job_or_another_input_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    inputs(folder, BIDS);
    assert!(kill_after(folder, 1));
    let refused = |what: &str| {
        let output = run(folder, &OFTEN);
        assert_eq!(output.status.code(), Some(2), "{}", err(&output));
        assert!(err(&output).contains(what), "{what}: {}", err(&output));
        assert!(!checkpoints(folder).is_empty(), "nothing is lost by trying");
    };
    let changed = |name: &str, change: &dyn Fn(&mut Vec<u8>), what: &str| {
        let path = folder.join(name);
        let before = std::fs::read(&path).expect("read");
        let mut bytes = before.clone();
        change(&mut bytes);
        std::fs::write(&path, bytes).expect("changed");
        refused(what);
        std::fs::write(&path, before).expect("brought back");
    };
    changed("job.sql", &|b| b.extend(b"-- more\n"), "the script has changed");
    changed("bids.csv", &|b| b.truncate(b.len() / 2), "the file `bids.csv` had");
    changed("bids.csv", &|b| b[3] = b'7', "the file `bids.csv` has changed");
    let mut more = OFTEN.to_vec();
    more.extend(["--parallelism", "2"]);
    let output = run(folder, &more);
    assert!(err(&output).contains("--parallelism"), "{}", err(&output));
    let (_, newest) = checkpoints(folder).pop().expect("one");
    let name = newest.strip_prefix(folder).expect("inside").to_str().expect("text").to_owned();
    changed(&name, &|b| b[4] = 1, "format 1");

    let nowhere = run(folder, &["--checkpoint-dir", "job.sql/no"]);
    assert!(err(&nowhere).contains("checkpoint.cannot-write"), "{}", err(&nowhere));
    let simulated = run(folder, &["--checkpoint-dir", "x", "--driver", "sim"]);
    assert_eq!(simulated.status.code(), Some(2));
    // A longer file goes on.
    let mut bids = std::fs::read(folder.join("bids.csv")).expect("read");
    bids.extend_from_slice(format!("1,b1,5,{}\n", time(BIDS * 5 + 10_000)).as_bytes());
    std::fs::write(folder.join("bids.csv"), bids).expect("longer");
    let output = run(folder, &OFTEN);
    assert!(output.status.success(), "{}", err(&output));
}
