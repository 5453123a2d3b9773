//! `highwater bench`: the engine beside hand-written loops, workload by workload.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use highwater::bench::ground::Workload;
use highwater::bench::{BATCH_ROWS, Measurement, Subject, Task, measure};
use serde_json::{Value as Json, json};

use super::bench_flights::{FlightsArgs, flights};
use super::bench_growth::{GrowthArgs, growth};
use super::bench_nexmark::{NexmarkArgs, nexmark};
use super::bench_readers::{ReadersArgs, readers};
use super::bench_turns::{Measured, Turn, answer, in_turns};
use super::console::Console;
use super::{Done, Failure, bench_state};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    other: Option<Other>,
    /// Which workloads: W1 (with a text key W1s, with two keys W1k2, by a guest W1g), W2, W3, W4, W5, F2; these when none is
    /// named. For one feature each: cumulate, window-join, temporal-join, join, top-n, window-top-n, first, last,
    /// over-rows, over-range, distinct, early; `features` for all of those
    #[arg(value_name = "WORKLOAD", value_parser = named)]
    workloads: Vec<Named>,
    /// How many records
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    records: u64,
    /// How many runs of each; the median counts
    #[arg(long, value_name = "N", default_value_t = 6)]
    repeats: u32,
    /// On how many threads the engine runs
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1")]
    threads: Vec<u32>,
    /// How many records the engine takes at a time
    #[arg(long, value_name = "N", default_value_t = BATCH_ROWS, value_parser = batch_rows)]
    batch_rows: usize,
    /// What is measured: loop, built-in (for W1g, F2), native, wasmtime; all when none is named
    #[arg(long = "engine", value_name = "NAME", value_delimiter = ',', value_parser = subject)]
    engines: Vec<Subject>,
    /// engine.wasm, when it is not at its usual place
    #[arg(long, value_name = "PATH")]
    engine_wasm: Option<PathBuf>,
    /// Print one JSON object a line instead of a table
    #[arg(long)]
    json: bool,
    /// Measure in this process: what the command starts for each measurement
    #[arg(long, hide = true)]
    here: bool,
}

/// What is measured besides the workloads.
#[derive(Subcommand)]
enum Other {
    /// Two questions about a file of flights, beside a loop and, where Python has them, Polars and DuckDB
    Flights(FlightsArgs),
    /// Nexmark's queries over generated events, beside DuckDB where Python has it
    Nexmark(NexmarkArgs),
    /// The readers of files beside the bare libraries
    Readers(ReadersArgs),
    /// How the cost of an event grows: with records, keys, batches, disorder and overlapping windows
    Growth(GrowthArgs),
    #[command(flatten)]
    State(bench_state::StateBench),
}

pub(super) fn workload(name: &str) -> Result<Workload, String> {
    let names = || Workload::every().map(Workload::name).collect::<Vec<_>>().join(", ");
    Workload::named(name).ok_or_else(|| format!("the workloads are {}", names()))
}

/// The name that stands for one workload a feature.
const FEATURES: &str = "features";

/// What a name on the command line stands for.
#[derive(Clone)]
enum Named {
    One(Workload),
    Features,
}

fn named(name: &str) -> Result<Named, String> {
    match name.eq_ignore_ascii_case(FEATURES) {
        true => Ok(Named::Features),
        false => workload(name).map(Named::One).map_err(|e| format!("{e}; {FEATURES}")),
    }
}

/// The workloads of these names; without a name those that do not ask for one feature.
fn workloads(names: &[Named]) -> Vec<Workload> {
    let of = |named: &Named| match named {
        Named::One(workload) => vec![*workload],
        Named::Features => Workload::features().collect(),
    };
    match names {
        [] => Workload::ALL.into_iter().chain(Workload::GUESTS).collect(),
        names => names.iter().flat_map(of).collect(),
    }
}

pub(super) fn subject(name: &str) -> Result<Subject, String> {
    let names = || Subject::ALL.map(Subject::name).join(", ");
    Subject::named(name).ok_or_else(|| format!("what can be measured: {}", names()))
}

pub(super) fn batch_rows(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a whole number from 1".to_owned())
}

/// How many processes share the runs of a measurement: what disturbs the machine for a while then
/// disturbs all subjects alike.
const ROUNDS: u32 = 2;

pub(super) fn bench(args: &BenchArgs, console: &mut Console) -> Done {
    match &args.other {
        Some(Other::Flights(args)) => return flights(args, console),
        Some(Other::Nexmark(args)) => return nexmark(args, console),
        Some(Other::Readers(args)) => return readers(args, console),
        Some(Other::Growth(args)) => return growth(args, console),
        Some(Other::State(bench)) => return bench_state::bench(bench, console),
        None => {}
    }
    if args.here {
        return here(args, console);
    }
    let mut failure = None;
    let mut table = String::new();
    for (i, workload) in workloads(&args.workloads).into_iter().enumerate() {
        let measured = measure_workload(workload, args, console)?;
        let yardstick = Subject::baseline(workload);
        let baseline = measured.iter().find(|(t, m)| t.subject == yardstick && m.is_ok());
        let baseline = baseline.and_then(|(_, m)| m.as_ref().ok());
        let mut rows = Vec::new();
        for (task, measured) in &measured {
            if let Err(error) = measured {
                let wrong = error.code == "bench.wrong-totals";
                // Wrong results weigh more than none.
                failure =
                    if wrong { Some(Failure::Check) } else { failure.or(Some(Failure::Input)) };
            }
            rows.push(line(task, measured, baseline));
        }
        if args.json {
            let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
            console.print(&lines)?;
        } else {
            table += &heading(workload, i);
            rows.iter().for_each(|row| table += &text(row));
        }
    }
    console.print(&table)?;
    failure.map_or(Ok(()), Err)
}

/// The hidden side: one task, its runs as one line.
fn here(args: &BenchArgs, console: &mut Console) -> Done {
    let ([Named::One(workload)], [subject], [threads]) =
        (args.workloads.as_slice(), args.engines.as_slice(), args.threads.as_slice())
    else {
        console.say("error: --here measures one workload by one engine on so many threads");
        return Err(Failure::Input);
    };
    let task = task(args, *workload, *subject, *threads);
    answer(measure(&task, args.repeats, args.engine_wasm.as_deref()), console)
}

fn task(args: &BenchArgs, workload: Workload, subject: Subject, threads: u32) -> Task {
    Task { workload, subject, threads, records: args.records, batch_rows: args.batch_rows }
}

/// All measurements of a workload, one after the other and once more, the yardstick first.
fn measure_workload(
    workload: Workload,
    args: &BenchArgs,
    console: &mut Console,
) -> Done<Vec<(Task, Measured)>> {
    let mut tasks = Vec::new();
    for subject in Subject::ALL {
        let wanted = args.engines.is_empty() || args.engines.contains(&subject);
        if !wanted || !subject.runs(workload) {
            continue;
        }
        // The loops and the module have one thread.
        let threads = if subject == Subject::Native { args.threads.as_slice() } else { &[1] };
        tasks.extend(threads.iter().map(|threads| task(args, workload, subject, *threads)));
    }
    let turns: Vec<Turn> = tasks.iter().map(|task| turn(task, args)).collect();
    let measured = in_turns(&turns, (ROUNDS, args.repeats), console)?;
    Ok(tasks.into_iter().zip(measured).collect())
}

/// What [`here`] is asked.
fn turn(task: &Task, args: &BenchArgs) -> Turn {
    let (workload, subject) = (task.workload.name(), task.subject.name());
    let numbers = [task.threads.to_string(), task.records.to_string(), task.batch_rows.to_string()];
    let mut arguments: Vec<OsString> =
        ["bench", "--here", workload, "--engine", subject].map(OsString::from).into();
    for (option, number) in ["--threads", "--records", "--batch-rows"].into_iter().zip(numbers) {
        arguments.extend([option.into(), number.into()]);
    }
    if let Some(path) = &args.engine_wasm {
        arguments.extend(["--engine-wasm".into(), path.into()]);
    }
    Turn { name: format!("{workload} {subject}"), arguments }
}

/// A measurement as `--json` prints it.
fn line(task: &Task, measured: &Measured, baseline: Option<&Measurement>) -> Json {
    match measured {
        Ok(measured) => measured.report(task, baseline),
        Err(error) => json!({
            "workload": task.workload.name(),
            "engine": task.subject.name(),
            "threads": task.threads,
            "records": task.records,
            "error": error.message,
        }),
    }
}

fn heading(workload: Workload, place: usize) -> String {
    let gap = if place == 0 { "" } else { "\n" };
    format!(
        "{gap}{}  {}\n{:<9} {:>7} {:>9} {:>12} {:>12} {:>11} {:>6} {:>11} {:>10} {:>9}\n",
        workload.name(),
        workload.title(),
        "",
        "threads",
        "seconds",
        "M records/s",
        "cpu seconds",
        "ratio (cpu)",
        "(wall)",
        "rows",
        "late",
        "peak MB",
    )
}

/// A line of the table.
fn text(row: &Json) -> String {
    let engine = row["engine"].as_str().unwrap_or_default();
    // A JSON value knows no width.
    let whole = |field: &str| row[field].to_string();
    let threads = whole("threads");
    if let Some(error) = row["error"].as_str() {
        return format!("{engine:<9} {threads:>7} error: {error}\n");
    }
    let number = |field: &str| row[field].as_f64().unwrap_or(f64::NAN);
    let ratio = |field: &str| row[field].as_f64().map_or("-".into(), |r| format!("{r:.2}"));
    format!(
        "{engine:<9} {threads:>7} {:>9.3} {:>12.1} {:>12.3} {:>11} {:>6} {:>11} {:>10} {:>9.0}\n",
        number("seconds"),
        number("records_per_s") / 1e6,
        number("cpu_seconds"),
        ratio("ratio"),
        ratio("ratio_wall"),
        whole("rows"),
        whole("late"),
        number("peak_rss_mb"),
    )
}
