//! The simulation over many seeds, and over engines with faults of their own.

use std::collections::BTreeMap;
use std::io::Write as _;

use highwater_engine::seeded::{BUGS, plant};
use highwater_engine::session::Guarantee;

use super::{Choice, Counts, Found, LISTS, STATES, guest, seed, shrink, shrink_file};

/// As the command has it: the system's own takes a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds of a run: three guarantees and [`LISTS`] of faults each.
const SEEDS: u64 = 840;
/// Seeds after which a planted fault counts as one that nothing finds.
const PATIENCE: u64 = 2_000;
const THREADS: u64 = 2;

fn all() -> Choice {
    let guarantees = Guarantee::ALL.to_vec();
    Choice { faults: Vec::new(), guarantees, lists: LISTS, twice: true, first: false }
}

/// Not to what is caught of a test: how much was asked is worth a look each time.
fn tell(text: &str) {
    write!(std::io::stderr(), "{text}").expect("writing to the terminal");
}

fn in_threads<T: Send>(work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|t| scope.spawn(move || work(t))).collect();
        threads.into_iter().map(|t| t.join().expect("what panics is caught")).collect()
    })
}

#[test]
fn guarantees_hold_under_ten_thousand_schedules() {
    let part = |first| {
        let mut found = Found::default();
        for one in (first..SEEDS).step_by(THREADS as usize) {
            found.add(seed(one, &all()));
        }
        found
    };
    let mut found = Found::default();
    in_threads(part).into_iter().for_each(|part| found.add(part));
    assert_eq!(found.schedules, SEEDS * LISTS * Guarantee::ALL.len() as u64);
    assert!(found.schedules >= 10_000);
    let mut table = format!("{} fault schedules, each run twice:\n", found.schedules);
    for (guarantee, counts) in Guarantee::ALL.iter().zip(&found.counts) {
        table += &format!("{:>14}: {counts:?}\n", guarantee.name());
    }
    table += &format!("{} of {} states\n", found.states.len(), STATES.len());
    table += &format!("{} times an operator went on from its snapshot\n", found.restore_points);
    table += &format!("{} times a job went on with another parallelism\n", found.rescales);
    tell(&table);
    let first: Vec<_> = found.violations.iter().take(3).collect();
    assert!(first.is_empty(), "{} violations: {first:#?}", found.violations.len());
    assert_eq!(found.trace_mismatches, 0);
    let missed: Vec<_> = STATES.iter().filter(|s| !found.states.contains(s.0)).collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
    assert!(STATES.len() >= 40);
    assert!(found.restore_points >= 200_000, "{}", found.restore_points);
    assert!(found.rescales >= 1_000, "{}", found.rescales);
    for (guarantee, c) in Guarantee::ALL.iter().zip(&found.counts) {
        let Counts { lost, duplicated, reordered, wrong, .. } = *c;
        assert_eq!((lost, duplicated, reordered, wrong), (0, 0, 0, 0), "{}", guarantee.name());
        // Those that stop are few, or the others say little.
        assert!(c.stopped * 5 < c.schedules, "{} of {} stopped", c.stopped, c.schedules);
        match guarantee {
            Guarantee::ExactlyOnce => {
                assert_eq!((c.expected_loss, c.expected_duplicates), (0, 0));
            }
            Guarantee::AtLeastOnce => {
                assert!(c.expected_duplicates > 1_000 && c.expected_loss == 0)
            }
            Guarantee::AtMostOnce => {
                assert!(c.expected_loss > 1_000 && c.expected_duplicates == 0);
            }
        }
    }
}

/// Planted faults that show only where certain kinds strike together, and these kinds.
const HUNTED: [(&str, &[&str]); 9] = [
    ("a-replay-forgets-the-last-arrival", &["crash", "source-slow"]),
    ("a-replay-knows-of-no-delay", &["crash", "source-slow", "source-stall"]),
    ("a-replay-knows-of-no-storm", &["crash", "source-late"]),
    ("rename-before-the-fsync", &["crash", "disk-reorder"]),
    ("passing-names-are-read", &["crash", "disk-reorder"]),
    ("damaged-state-is-believed", &["crash", "snapshot-flipped"]),
    ("no-flush-before-a-checkpoint", &["crash", "crash coordinator", "sink-slow"]),
    ("interval-join-forgotten", &["crash"]),
    ("an-old-row-replaces-a-newer-one", &["sink-zombie"]),
];

/// Planted faults that show only where a run is compared with a second one, or audited in it.
const TWICE: [&str; 3] =
    ["a-schedule-of-its-own", "the-right-is-never-freed", "panes-stay-when-they-are-over"];

/// What is hardly ever drawn: power that is lost, of a store that keeps one checkpoint alone, right when that is replaced,
/// and a crash before there is another. The engine's own tests of losses of power make it, plant the fault and find it.
const SHOWN_BY_HAND: [&str; 1] = ["old-ones-go-too-early"];

/// The tests' own teeth: each fault of the engine's is planted, and the simulation must find it.
#[test]
fn every_planted_fault_is_found() {
    if plant(BUGS[0].0).is_none() {
        tell("no fault can be planted in a build without debug assertions: nothing was hunted\n");
        return;
    }
    let part = |first: u64| {
        let mut found = BTreeMap::new();
        let hunted = BUGS.iter().filter(|(name, _)| !SHOWN_BY_HAND.contains(name));
        for (name, _) in hunted.skip(first as usize).step_by(THREADS as usize) {
            let planted = plant(name);
            let mut schedules = 0;
            let twice = TWICE.contains(name);
            let kinds = HUNTED.iter().find(|(hunted, _)| hunted == name).map_or(&[][..], |h| h.1);
            let faults = kinds.iter().map(|&kind| kind.to_owned()).collect();
            // Where few kinds are drawn more lists of them are worth a try.
            let lists = if kinds.is_empty() { 1 } else { LISTS };
            let choice = Choice { faults, lists, twice, first: true, ..all() };
            let killed = (0..PATIENCE).find_map(|one| {
                let found = seed(one, &choice);
                schedules += found.schedules;
                found.violations.into_iter().next()
            });
            drop(planted);
            // What is wrong without it as well shows nothing of it.
            let without = killed.as_ref().map(|v| seed(v.seed, &choice).violations);
            let what = killed.map(|v| v.what).filter(|_| without.is_some_and(|v| v.is_empty()));
            found.insert(*name, (schedules, what));
        }
        found
    };
    std::panic::set_hook(Box::new(|_| {}));
    let parts = in_threads(part);
    drop(std::panic::take_hook());
    let hunted = BUGS.len() - SHOWN_BY_HAND.len();
    let mut table = format!(
        "{hunted} faults planted in the engine, found after schedules ({} more have tests of their own):\n",
        SHOWN_BY_HAND.len()
    );
    let mut alive = Vec::new();
    for (name, (schedules, killed)) in parts.into_iter().flatten() {
        match killed {
            Some(what) => {
                let what: String = what.chars().take(70).collect();
                let among = HUNTED.iter().find(|(hunted, _)| *hunted == name);
                let among = among.map_or("", |_| " (of few kinds)");
                table += &format!("{schedules:>6}{among}  {name}: {what}\n");
            }
            None => alive.push(name),
        }
    }
    tell(&table);
    assert!(hunted >= 40);
    assert!(alive.is_empty(), "nothing finds {alive:?}");
}

/// A schedule that shows a planted fault is cut down to one that still does, and whose file shows it.
#[test]
fn what_is_found_is_cut_down() {
    let Some(planted) = plant("the-lost-are-not-sent-again") else { return };
    let guarantees = vec![Guarantee::ExactlyOnce];
    let choice = Choice { guarantees, first: true, ..all() };
    let violation = (0..PATIENCE).find_map(|one| seed(one, &choice).violations.into_iter().next());
    let violation = violation.expect("it is found");
    let shrunk = shrink(&violation).expect("it is still there");
    assert_eq!(shrunk.faults.len(), 1, "{shrunk:?}");
    assert!(shrunk.faults[0].contains(" drop "), "{shrunk:?}");
    assert!(shrunk.records <= 3, "{shrunk:?}");
    // The table, and the query whose channel the fault names.
    assert!(shrunk.statements <= 4, "{}", shrunk.scenario);
    let of_file = || shrink_file("shrunk.md", &shrunk.scenario, &guest::files());
    assert!(of_file().is_some(), "the file shows it: {}", shrunk.scenario);
    drop(planted);
    assert!(of_file().is_none(), "nothing is wrong without it");
    assert!(shrink(&violation).is_none(), "nothing is wrong without it");
}
