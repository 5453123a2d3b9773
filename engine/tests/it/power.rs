//! Losses of power: what the store's disk keeps in any order, and what a recovery makes of it.

use std::collections::BTreeSet;

use highwater_engine::seeded::plant;
use highwater_engine::session::{Guarantee, Options, Session, broken};
use highwater_engine::trace::What;

use crate::drivers::{open, options};
use crate::inputs::scenario;

/// The checkpoint at 12 s is the third and has a window's row; the restart is a second behind the crash.
const FAULTS: &str = "at 9s disk-reorder for 800ms\nat 13s crash window/0";

fn run(guarantee: Guarantee, seed: u64) -> Session {
    let settings = format!(
        "SET 'highwater.guarantee' = '{}';\nSET 'state.checkpoints.num-retained' = '1';",
        guarantee.name()
    );
    let options = Options { seed: Some(seed), ..options(1, 1) };
    let mut session = open(&scenario(&settings, FAULTS), &options);
    let status = session.finish();
    assert!(status.finished, "{:?}", status.failed);
    session
}

fn restored(session: &Session) -> Vec<u64> {
    let restored = session.events().iter().filter_map(|e| match e.what {
        What::Restore { checkpoint } => Some(checkpoint),
        _ => None,
    });
    restored.collect()
}

/// What is wrong with the runs of some seeds.
fn wrong() -> BTreeSet<String> {
    let exactly = Guarantee::ExactlyOnce;
    let of_seed = |seed: u64| {
        let session = run(exactly, seed);
        broken(session.events(), session.header(), exactly)
    };
    (0..300).flat_map(of_seed).collect()
}

#[test]
fn a_recovery_is_right_whatever_the_disk_has_kept() {
    for guarantee in Guarantee::ALL {
        let (mut from, mut told) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..60 {
            let session = run(guarantee, seed);
            let delivery = session.delivery();
            assert!(delivery[0].keeps(guarantee), "seed {seed}: {delivery:?}");
            assert_eq!(broken(session.events(), session.header(), guarantee), [""; 0]);
            from.insert(restored(&session));
            told.extend(session.events().iter().filter_map(|e| match &e.what {
                What::Store { checkpoint: 0, reason } => Some(reason.clone()),
                _ => None,
            }));
        }
        if guarantee.replays() {
            assert_eq!(from, BTreeSet::from([vec![2], vec![3]]));
            let expected = [
                "a passing name is left of checkpoint 3",
                "checkpoint 1 is there again, which was thrown away",
                "checkpoint 3 is on the disk, and nobody was told",
                "power is lost",
                "the name is lost of checkpoint 3",
                "the name stays of checkpoint 3",
            ];
            assert_eq!(told, expected.map(str::to_owned).into());
        } else {
            // Who goes back to no checkpoint makes one only, at the end.
            assert_eq!(from, BTreeSet::from([vec![0]]));
        }
    }
}

#[test]
fn a_store_that_takes_its_steps_out_of_order_is_found_out() {
    assert_eq!(wrong(), BTreeSet::new());
    for (bug, says) in [
        ("rename-before-the-fsync", "a snapshot has its name and is not whole"),
        ("passing-names-are-read", "a snapshot has its name and is not whole"),
        ("skip-the-fsync", "a snapshot has its name and is not whole"),
        ("old-ones-go-too-early", "a checkpoint that was complete is not there any more"),
    ] {
        let Some(planted) = plant(bug) else { return };
        let wrong = wrong();
        assert!(wrong.iter().any(|line| line.starts_with(says)), "{bug}: {wrong:?}");
        drop(planted);
    }
}

#[test]
fn runs_without_power_can_be_run_again_and_sought() {
    for seed in 0..6 {
        let whole = run(Guarantee::ExactlyOnce, seed);
        let status = whole.status();
        assert_eq!(run(Guarantee::ExactlyOnce, seed).status().hash, status.hash);
        for step in (0..status.step).step_by(37) {
            let mut sought = whole.fork();
            sought.seek(step);
            sought.finish();
            assert_eq!(sought.status().hash, status.hash, "from step {step}");
        }
    }
}
