//! Sessions: seeking, forking, injecting, snapshots.

use highwater_engine::session::{Files, Options, Session, Status};

use crate::sandbox::Interpreter;
use crate::stream::{records, scenario};

const FIRST_WINDOW: &str = include_str!("../../../examples/first-window.md");

fn open(text: &str) -> Session {
    Session::open("t.md", text, &Files::default(), Interpreter::shared(), &Options::default())
        .expect("the scenario opens")
}

/// A job of a thousand steps or so, several copies of which a session keeps.
fn long() -> String {
    let script = "SELECT k, window_start, window_end, COUNT(*) AS n \
        FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
        GROUP BY k, window_start, window_end;";
    scenario(&records(300, 2), script)
}

fn rows(session: &Session) -> Vec<String> {
    session.tables().iter().map(|table| table.jsonl()).collect()
}

/// What a run that was never sought shows after each step.
fn straight(text: &str) -> Vec<(Status, Vec<String>)> {
    let mut session = open(text);
    let mut seen = vec![(session.status(), rows(&session))];
    loop {
        let status = session.step(1);
        if status.step == seen[seen.len() - 1].0.step {
            return seen;
        }
        seen.push((status, rows(&session)));
    }
}

fn seek_back_and_forth(text: &str, stride: usize) {
    let straight = straight(text);
    let last = straight.len() - 1;
    assert!(straight[last].0.finished);
    let mut session = open(text);
    session.finish();
    // There and back: far ahead, far back, and every stride between.
    let forth: Vec<usize> = (0..=last).step_by(stride).collect();
    let back = forth.iter().rev();
    for (&low, &high) in forth.iter().zip(back) {
        for step in [high, low] {
            let (mut expected, rows_then) = straight[step].clone();
            expected.horizon = last as u64;
            assert_eq!(session.seek(step as u64), expected);
            assert_eq!(rows(&session), rows_then, "rows after step {step}");
        }
    }
}

#[test]
fn seeking_shows_what_a_straight_run_shows() {
    seek_back_and_forth(FIRST_WINDOW, 1);
    seek_back_and_forth(&long(), 37);
}

#[test]
fn a_fork_with_a_crash_leaves_the_original_alone() {
    let straight = straight(FIRST_WINDOW);
    let last = &straight[straight.len() - 1];
    let mut original = open(FIRST_WINDOW);
    let before = original.step(straight.len() as u64 / 2);
    let mut fork = original.fork();
    fork.inject("at now crash window/0").expect("a fault");
    let crashed = fork.finish();
    assert!(crashed.finished);
    assert_ne!(crashed.hash, last.0.hash, "a crash stands in the trace");
    assert_eq!(rows(&fork), last.1, "a crash changes no row");
    assert_eq!(original.status(), before);
    assert_eq!(original.finish(), last.0);
}

#[test]
fn a_snapshot_resumes_and_a_damaged_one_is_refused() {
    let text = long();
    let mut session = open(&text);
    while session.step(1).checkpoints < 3 {}
    let snapshot = session.snapshot().expect("a checkpoint is complete");
    let visible = rows(&session);
    session.finish();
    let all = rows(&session);

    // A new world has empty tables: the snapshot brings the rows of its own checkpoint and later.
    let mut resumed = open(&text);
    resumed.restore(&snapshot).expect("the snapshot is sound");
    assert!(resumed.finish().finished);
    let tail = rows(&resumed);
    assert!(!tail[0].is_empty() && tail[0].len() < all[0].len());
    assert!(all[0].ends_with(&tail[0]), "{tail:?} is no end of {all:?}");
    assert!(visible[0].len() + tail[0].len() >= all[0].len(), "a row is lost between");

    let mut damaged = snapshot.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 4;
    for bad in [&damaged[..], &snapshot[..snapshot.len() - 1], &[]] {
        let mut session = open(&text);
        let before = session.step(9);
        assert!(session.restore(bad).is_err());
        assert_eq!(session.status(), before, "a refused snapshot changes nothing");
    }
}
