//! Barriers at which nobody waits: after a crash a record may count twice inside a row, and none is lost.

use std::collections::{BTreeMap, BTreeSet};

use highwater_engine::seeded::plant;
use highwater_engine::session::{Guarantee, Session, broken};
use highwater_engine::trace::{Barriers, What};

use crate::drivers::{open, options};
use crate::stream::{records, scenario};

const WINDOWS: &str = "SELECT k, window_end, LISTAGG(CAST(ts AS STRING)) AS who \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end;";
const JOIN: &str = "SELECT a.k, a.ts, CAST(b.ts AS STRING) AS who FROM t AS a JOIN t AS b \
    ON a.k = b.k AND a.g < b.g AND a.ts BETWEEN b.ts - INTERVAL '5' SECOND AND b.ts;";

fn job(script: &str, barriers: &str, guarantee: Guarantee) -> Session {
    let set = format!(
        "SET 'highwater.barriers' = '{barriers}';\nSET 'highwater.guarantee' = '{}';\n{script}",
        guarantee.name()
    );
    open(&scenario(&records(60, 2), &set), &options(2, 4))
}

/// For each pair of a key and a window, or of a key and a time, what each row of it holds: how often each record.
type Members = BTreeMap<(String, String), Vec<BTreeMap<String, usize>>>;

fn members(session: &Session) -> Members {
    let mut members = Members::new();
    for (_, _, row) in &session.tables()[0].rows {
        let mut counts = BTreeMap::new();
        for who in row[2].to_text().split(',') {
            *counts.entry(who.to_owned()).or_default() += 1;
        }
        members.entry((row[0].to_text(), row[1].to_text())).or_default().push(counts);
    }
    members
}

/// What crashes behind every step come to.
#[derive(Debug, Default, PartialEq)]
struct Found {
    /// Records that a row without a crash holds, and no row of its kind with one.
    lost: usize,
    /// Records that are twice in a row.
    twice: usize,
    /// Records in rows to which they do not belong.
    strange: usize,
    /// What the checkers say of the traces.
    broken: usize,
    /// Restarts from such a checkpoint.
    restored: usize,
}

fn crashes(script: &str, barriers: &str, guarantee: Guarantee) -> Found {
    let whole = job(script, barriers, guarantee);
    let mut calm = whole.fork();
    let steps = calm.finish().step;
    let expected = members(&calm);
    let mut found = Found::default();
    for step in 0..steps {
        let mut run = whole.fork();
        run.step(step);
        run.inject("at now crash t/0").expect("it is a fault");
        let status = run.finish();
        assert!(status.finished, "{:?}", status.failed);
        found.broken += broken(run.events(), run.header(), guarantee).len();
        let got = members(&run);
        found.strange += got.keys().filter(|key| !expected.contains_key(*key)).count();
        for (key, rows) in &expected {
            let should: BTreeSet<&String> = rows.iter().flat_map(BTreeMap::keys).collect();
            let all: Vec<_> = got.get(key).into_iter().flatten().flatten().collect();
            let has: BTreeSet<&String> = all.iter().map(|(who, _)| *who).collect();
            found.lost += should.difference(&has).count();
            found.strange += has.difference(&should).count();
            found.twice += all.iter().filter(|(_, times)| **times > 1).count();
        }
        let unawaited = |what: &What| match what {
            What::CheckpointStart { checkpoint, barriers: Barriers::Unawaited } => {
                Some(*checkpoint)
            }
            _ => None,
        };
        let begun: BTreeSet<u64> = run.events().iter().filter_map(|e| unawaited(&e.what)).collect();
        let back = |what: &What| match what {
            What::Restore { checkpoint } => begun.contains(checkpoint),
            _ => false,
        };
        found.restored += usize::from(run.events().iter().any(|e| back(&e.what)));
    }
    found
}

#[test]
fn a_record_counts_twice_in_a_window_and_none_is_lost() {
    let at_least = Guarantee::AtLeastOnce;
    let none = crashes(WINDOWS, "none", at_least);
    assert!(none.twice > 20 && none.restored > 50, "{none:?}");
    assert_eq!((none.lost, none.strange, none.broken), (0, 0, 0));
    assert_eq!(crashes(WINDOWS, "aligned", at_least), Found::default());
    // Who counts everything once, waits.
    assert_eq!(crashes(WINDOWS, "none", Guarantee::ExactlyOnce), Found::default());
}

/// Where one barrier is taken for all of them, what stands in front of the others is in no state.
#[test]
fn a_task_waits_for_the_last_barrier_before_it_gets_round_to_it() {
    let run = || crashes(JOIN, "none", Guarantee::AtLeastOnce);
    let found = run();
    assert_eq!((found.lost, found.strange, found.broken), (0, 0, 0));
    assert!(found.restored > 50, "{found:?}");
    let Some(planted) = plant("the-first-mark-is-enough") else { return };
    assert!(run().broken > 0, "nothing shows that a task does not wait for the others");
    drop(planted);
}

#[test]
fn what_holds_everything_is_waited_for() {
    let mut run = job(WINDOWS, "none", Guarantee::AtLeastOnce);
    assert!(run.finish().finished);
    let all: Vec<Barriers> = run
        .events()
        .iter()
        .filter_map(|e| match e.what {
            What::CheckpointStart { barriers, .. } => Some(barriers),
            _ => None,
        })
        .collect();
    let (last, others) = all.split_last().expect("there are checkpoints");
    assert_eq!(*last, Barriers::Aligned, "the last one stands behind everything");
    assert!(others.len() > 2 && others.iter().all(|one| *one == Barriers::Unawaited), "{all:?}");

    // A savepoint is a cut: what goes on from it says what the whole run says.
    let whole = job(WINDOWS, "none", Guarantee::AtLeastOnce);
    let mut rest_of = 0;
    for step in (0..all.len() as u64 * 20).step_by(7) {
        let mut run = whole.fork();
        if run.step(step).finished {
            break;
        }
        let Ok(savepoint) = run.savepoint() else { continue };
        run.finish();
        let mut resumed = job(WINDOWS, "none", Guarantee::AtLeastOnce);
        resumed.restore(&savepoint).expect("it is restored");
        assert!(resumed.finish().finished);
        let (all, rest) = (run.tables()[0].jsonl(), resumed.tables()[0].jsonl());
        assert!(all.ends_with(&rest), "after step {step}");
        rest_of += 1;
    }
    assert!(rest_of > 5, "{rest_of} savepoints");
}
