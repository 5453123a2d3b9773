//! `highwater sim`: jobs and faults drawn from seeds, run under every guarantee and checked.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Args;
use clap::builder::PossibleValuesParser;
use highwater::escape::visible_lines;
use highwater::simulation::{Choice, Found, LISTS, STATES, Violation, seed, shrink};
use highwater_engine::session::Guarantee;
use highwater_engine::sim::fault::KINDS;
use serde_json::json;

use super::console::Console;
use super::progress::Progress;
use super::{Done, Failure};

/// Every kind, every guarantee.
const ALL: &str = "all";
/// Seeds from which on every state must be reached.
const MANY: u64 = 840;
/// Violations that are told.
const TOLD: usize = 5;

#[derive(Args)]
pub(super) struct SimArgs {
    /// The seeds to draw from: the first, and the one behind the last
    #[arg(long, value_name = "A..B", default_value = "0..100", value_parser = seeds)]
    seeds: (u64, u64),
    /// Kinds of faults, with commas between; `all`
    #[arg(long, value_name = "KINDS", value_delimiter = ',', default_value = ALL, value_parser = kinds())]
    faults: Vec<String>,
    /// What jobs promise, with commas between; `all`
    #[arg(long, value_name = "GUARANTEES", value_delimiter = ',', default_value = ALL, value_parser = modes())]
    modes: Vec<String>,
    /// How many threads run them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    threads: Option<u64>,
    /// Print a JSON object for each violation, and one in the end, instead of text
    #[arg(long)]
    json: bool,
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("`{text}` is no range of seeds: write `0..100`, or one seed");
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => (number(from)?, number(to)?),
        None => (number(text)?, number(text)?.saturating_add(1)),
    };
    if from < to { Ok((from, to)) } else { Err(wrong()) }
}

fn kinds() -> PossibleValuesParser {
    KINDS.iter().map(|kind| kind.name).chain([ALL]).collect::<Vec<_>>().into()
}

fn modes() -> PossibleValuesParser {
    Guarantee::NAMES.iter().copied().chain([ALL]).collect::<Vec<_>>().into()
}

pub(super) fn sim(args: &SimArgs, console: &mut Console) -> Done {
    let all_kinds = args.faults.iter().any(|name| name == ALL);
    let faults = if all_kinds { Vec::new() } else { args.faults.clone() };
    let all_modes = args.modes.iter().any(|name| name == ALL);
    let named = args.modes.iter().filter_map(|name| Guarantee::named(name));
    let guarantees = if all_modes { Guarantee::ALL.to_vec() } else { named.collect() };
    let choice = Choice { faults, guarantees, lists: LISTS, twice: true, first: false };
    let began = Instant::now();
    let found = run(args, &choice);
    let seconds = began.elapsed().as_secs_f64();
    // A few seeds cannot come to every place.
    let enforced = all_kinds && all_modes && args.seeds.1 - args.seeds.0 >= MANY;
    let names = STATES.iter().map(|(name, _)| *name);
    let missed: Vec<&str> = names.filter(|name| !found.states.contains(name)).collect();
    let told = match args.json {
        true => lines(&found, seconds, &missed, enforced),
        false => report(&found, seconds, if enforced { &missed } else { &[] }),
    };
    drop(std::panic::take_hook());
    console.print(&visible_lines(&told))?;
    let complete = missed.is_empty() || !enforced;
    if found.violations.is_empty() && complete { Ok(()) } else { Err(Failure::Check) }
}

/// All seeds, dealt out to threads.
fn run(args: &SimArgs, choice: &Choice) -> Found {
    let (from, to) = args.seeds;
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let threads = args.threads.unwrap_or(cores).min(to - from);
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        let mut found = Found::default();
        loop {
            let one = next.fetch_add(1, Ordering::Relaxed);
            if one >= to - from {
                return found;
            }
            found.add(seed(from + one, choice));
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    // What panics is caught and told as a violation.
    std::panic::set_hook(Box::new(|_| {}));
    let mut found = Found::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut progress = Progress::new("seeds", None);
        while workers.iter().any(|worker| !worker.is_finished()) {
            let count = done.load(Ordering::Relaxed);
            progress.at(count.into(), Some(count as f64 / (to - from) as f64));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        for worker in workers {
            found.add(worker.join().expect("what panics is caught"));
        }
    });
    found.violations.sort_by_key(|v| (v.seed, v.list));
    found
}

fn report(found: &Found, seconds: f64, missed: &[&str]) -> String {
    let mut text = format!(
        "{} schedules, each run twice, in {seconds:.1} s: {:.0} a second\n\n\
         {:<15}{:>10}{:>9}{:>11}{:>7}{:>12}{:>11}{:>7}{:>15}{:>21}\n",
        found.schedules,
        found.schedules as f64 / seconds.max(1e-9),
        "guarantee",
        "schedules",
        "stopped",
        "expected",
        "lost",
        "duplicated",
        "reordered",
        "wrong",
        "expected loss",
        "expected duplicates",
    );
    for (guarantee, c) in Guarantee::ALL.iter().zip(&found.counts) {
        if c.schedules > 0 {
            let name = guarantee.name();
            let _ = writeln!(
                text,
                "{name:<15}{:>10}{:>9}{:>11}{:>7}{:>12}{:>11}{:>7}{:>15}{:>21}",
                c.schedules,
                c.stopped,
                c.expected,
                c.lost,
                c.duplicated,
                c.reordered,
                c.wrong,
                c.expected_loss,
                c.expected_duplicates
            );
        }
    }
    let _ = writeln!(
        text,
        "\n{} of {} states reached, {} times an operator went on from its snapshot, {} schedules with two traces, \
         {} violations",
        found.states.len(),
        STATES.len(),
        found.restore_points,
        found.trace_mismatches,
        found.violations.len()
    );
    let twice: u64 = found.counts.iter().map(|c| c.counted_twice).sum();
    if twice > 0 {
        let _ = writeln!(
            text,
            "{twice} rows of records that count twice, where nobody waits for barriers"
        );
    }
    for name in missed {
        let means = STATES.iter().find(|(state, _)| state == name).map_or("", |(_, means)| means);
        let _ = writeln!(text, "never reached: {name}: {means}");
    }
    for violation in found.violations.iter().take(TOLD) {
        let _ = write!(text, "\nseed {}, {}: ", violation.seed, violation.guarantee.name());
        let _ = writeln!(text, "{}", violation.what);
        for fault in &violation.faults {
            let _ = writeln!(text, "  {fault}");
        }
    }
    if let Some(first) = found.violations.first() {
        text += &cut_down(first);
    }
    text
}

/// The first violation as a small scenario.
fn cut_down(violation: &Violation) -> String {
    match shrink(violation) {
        Some(shrunk) => format!(
            "\nThe first of them, cut down in {} runs to {} records and {} statements: {}\n\n{}",
            shrunk.runs, shrunk.records, shrunk.statements, shrunk.what, shrunk.scenario
        ),
        None => String::new(),
    }
}

fn lines(found: &Found, seconds: f64, missed: &[&str], enforced: bool) -> String {
    let mut text = String::new();
    for v in &found.violations {
        let violation = json!({
            "seed": v.seed,
            "list": v.list,
            "mode": v.guarantee.name(),
            "faults": v.faults,
            "what": v.what,
        });
        let _ = writeln!(text, "{violation}");
    }
    let modes: serde_json::Map<String, serde_json::Value> = Guarantee::ALL
        .iter()
        .zip(&found.counts)
        .filter(|(_, c)| c.schedules > 0)
        .map(|(guarantee, c)| {
            let counts = json!({
                "schedules": c.schedules,
                "stopped": c.stopped,
                "expected": c.expected,
                "lost": c.lost,
                "duplicated": c.duplicated,
                "reordered": c.reordered,
                "wrong": c.wrong,
                "expected_loss": c.expected_loss,
                "expected_duplicates": c.expected_duplicates,
                "counted_twice": c.counted_twice,
                "alike": c.alike,
            });
            (guarantee.name().to_owned(), counts)
        })
        .collect();
    let last = json!({
        "schedules": found.schedules,
        "seconds": seconds,
        "schedules_per_s": found.schedules as f64 / seconds.max(1e-9),
        "modes": modes,
        "trace_mismatches": found.trace_mismatches,
        "restore_points": found.restore_points,
        "rescales": found.rescales,
        "states_reached": found.states.len(),
        "states_required": STATES.len(),
        "states_enforced": enforced,
        "states_missed": missed,
        "violations": found.violations.len(),
    });
    let _ = writeln!(text, "{last}");
    text
}
