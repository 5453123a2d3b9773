//! An independent oracle: random pipelines over random records, evaluated by plain loops over all of them at
//! once, against what the engine leaves; and the engine against itself where the input is changed in a way
//! that must not show. No code of the operators is shared.
//!
//! `ORACLE_SEED=n` runs the case of one seed, `ORACLE_CASES=n` so many cases. Of a case that fails, the seed
//! is printed, and what is left of it after it was cut down is written as a scenario.

mod metamorphic;
#[path = "../it/sandbox.rs"]
mod sandbox;
mod shrink;

use std::io::Write as _;
use std::path::PathBuf;

use highwater_oracle::Case;
use highwater_oracle::kinds::{self, Counts, kinds};

use crate::metamorphic::{Failure, Left, check};

/// The system's own takes a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Cases of a run.
const CASES: u64 = 5_000;
const THREADS: u64 = 2;
/// How many pipelines there are of each kind, at least.
const FEWEST: u64 = 20;

fn lines((rows, late): &Left) -> String {
    let rows: String = rows.iter().map(|row| format!("{row:?}\n")).collect();
    format!("{rows}{late} late\n")
}

/// Cuts a case down, writes what is left and says where that is.
fn report(case: Case, failure: Failure) -> String {
    let seed = case.seed;
    let (case, failure) = match failure.refused {
        true => (case, failure),
        false => shrink::shrink(case, failure),
    };
    let found = match &failure.found {
        Ok(left) => lines(left),
        Err(error) => error.clone(),
    };
    let text = format!(
        "{}\nSeed {seed}, against {}.\n\nExpected:\n\n```text\n{}```\n\nFound:\n\n```text\n{found}```\n",
        failure.scenario,
        failure.check,
        lines(&failure.expected)
    );
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{seed}.md"));
    let written = std::fs::write(&path, &text);
    format!(
        "seed {seed} fails; ORACLE_SEED={seed} runs it again\n{}: {written:?}\n{:?}\n{text}",
        path.display(),
        case.node
    )
}

/// Every so many-th seed; how many pipelines of each kind there were, and what is said of those that fail, the
/// first few.
fn part(first: u64, end: u64) -> (Counts, Vec<String>) {
    let (mut counts, mut failing) = (Counts::new(), Vec::new());
    for seed in (first..end).step_by(THREADS as usize) {
        let case = Case::new(seed);
        kinds(&case.node).into_iter().for_each(|kind| *counts.entry(kind).or_default() += 1);
        if let Err(failure) = check(&case) {
            failing.push(report(case, failure));
            if failing.len() == 3 {
                break;
            }
        }
    }
    (counts, failing)
}

/// All cases, a part of them in each thread.
fn all(cases: u64) -> (Counts, Vec<String>) {
    let parts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|first| scope.spawn(move || part(first, cases))).collect();
        threads.into_iter().map(|t| t.join().expect("no case panics")).collect()
    });
    let (mut counts, mut failures) = (Counts::new(), Vec::new());
    for (own, failing) in parts {
        own.into_iter().for_each(|(kind, count)| *counts.entry(kind).or_default() += count);
        failures.extend(failing);
    }
    (counts, failures)
}

#[allow(clippy::disallowed_methods, reason = "which cases to run is asked of whoever runs them")]
fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn what_streams_leave_is_what_plain_loops_give() {
    let seed = number("ORACLE_SEED");
    let cases = number("ORACLE_CASES").unwrap_or(CASES);
    let (counts, failures) = match seed {
        Some(seed) => part(seed, seed + 1),
        None => all(cases),
    };
    // Not to what is caught of a test: how much was asked is worth a look each time.
    let table: String = counts.iter().map(|(kind, count)| format!("{count:6}  {kind}\n")).collect();
    let written =
        write!(std::io::stderr(), "Pipelines with each kind of step, of {cases}:\n{table}");
    written.expect("writing to the terminal");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    if seed.is_none() && cases >= CASES {
        let count = |kind: &&&str| counts.get(**kind).copied().unwrap_or(0);
        let rare: Vec<_> = kinds::ALL.iter().filter(|kind| count(kind) < FEWEST).collect();
        assert!(rare.is_empty(), "hardly drawn: {rare:?}");
        let known = counts.keys().all(|kind| kinds::ALL.contains(&kind.as_str()));
        assert!(known, "a kind that nobody counts: {:?}", counts.keys());
    }
}
