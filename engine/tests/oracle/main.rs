//! An independent oracle: random pipelines over random records, evaluated by plain loops over all of them at
//! once, against what the engine leaves; and the engine against itself where the input is changed in a way
//! that must not show. No code of the operators is shared.
//!
//! `ORACLE_SEED=n` runs the case of one seed, `ORACLE_CASES=n` so many cases. Of a case that fails, the seed
//! is printed, and what is left of it after it was cut down is written as a scenario.

mod batch;
mod generate;
mod input;
mod metamorphic;
mod pipeline;
#[path = "../it/sandbox.rs"]
mod sandbox;
mod shrink;
mod sql;

use std::path::PathBuf;

use batch::Cell;
use metamorphic::{Case, Failure};

/// Cases of a run.
const CASES: u64 = 5_000;
const THREADS: u64 = 2;

fn lines(rows: &[Vec<Cell>]) -> String {
    rows.iter().map(|row| format!("{row:?}\n")).collect()
}

/// Cuts a case down, writes what is left and says where that is.
fn report(case: Case, failure: Failure) -> String {
    let seed = case.seed;
    let (case, failure) = match failure.refused {
        true => (case, failure),
        false => shrink::shrink(case, failure),
    };
    let found = match &failure.found {
        Ok(rows) => lines(rows),
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

/// Every so many-th seed; what is said of those that fail, the first few.
fn part(first: u64, end: u64) -> Vec<String> {
    let seeds = (first..end).step_by(THREADS as usize);
    let failing = seeds.filter_map(|seed| {
        let case = Case::new(seed);
        let failure = case.check().err()?;
        Some(report(case, failure))
    });
    failing.take(3).collect()
}

#[allow(clippy::disallowed_methods, reason = "which cases to run is asked of whoever runs them")]
fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn what_streams_leave_is_what_plain_loops_give() {
    let failures = match number("ORACLE_SEED") {
        Some(seed) => part(seed, seed + 1),
        None => {
            let cases = number("ORACLE_CASES").unwrap_or(CASES);
            std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..THREADS).map(|first| scope.spawn(move || part(first, cases))).collect();
                threads.into_iter().flat_map(|t| t.join().expect("no case panics")).collect()
            })
        }
    };
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
