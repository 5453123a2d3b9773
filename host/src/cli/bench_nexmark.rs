//! `highwater bench nexmark`: the suite's queries over generated events, beside DuckDB.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use highwater::bench::BATCH_ROWS;
use highwater::bench::nexmark::{
    self, ALL, LEFT_OUT, PEER, Query, Runs, Stream, Tables, measure, peer,
};
use highwater::bench::peer::{Peer, peers};
use highwater_engine::error::{Diagnostic, Result};
use serde_json::{Value as Json, json};

use super::bench_line::Measured;
use super::bench_turns::{failure, told};
use super::console::Console;
use super::{Done, Failure};

#[derive(Args)]
pub(super) struct NexmarkArgs {
    /// Which queries: q0 to q22; all when none is named
    #[arg(value_name = "QUERY", value_parser = query)]
    queries: Vec<&'static Query>,
    /// How many events: one of 50 is a person, three are auctions, the others bids
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=20_000_000))]
    events: u64,
    /// How many runs of each; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// On how many threads both engines run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// How many records the engine takes at a time
    #[arg(long, value_name = "N", default_value_t = BATCH_ROWS, value_parser = super::bench::batch_rows)]
    batch_rows: usize,
    /// The Python that may have DuckDB
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: String,
    /// Print one JSON object a line instead of a table
    #[arg(long)]
    json: bool,
    /// Measure in this process: what the command starts for each query; where the tables' files are, if anywhere
    #[arg(long, hide = true, value_name = "FOLDER")]
    here: Option<Option<PathBuf>>,
}

fn query(name: &str) -> std::result::Result<&'static Query, String> {
    if let Some((_, why)) = LEFT_OUT.iter().find(|left| left.0.eq_ignore_ascii_case(name)) {
        return Err(format!("left out: {why}"));
    }
    let names = || ALL.iter().map(|query| query.name).collect::<Vec<_>>().join(", ");
    nexmark::named(name).ok_or_else(|| format!("the queries are {}", names()))
}

pub(super) fn nexmark(args: &NexmarkArgs, console: &mut Console) -> Done {
    if let Some(folder) = &args.here {
        return here(args, folder.as_deref(), console);
    }
    let baseline = peers(&args.python, &[PEER]).pop();
    let folder = tempfile::tempdir().map_err(|e| {
        let message = format!("cannot make a folder for the events: {e}");
        failure(&Diagnostic::new("host.cannot-write", message), console)
    })?;
    match &baseline {
        Some(_) => {
            console.say("writing the events for DuckDB …");
            let tables = Tables::of(Stream::PUBLISHED, args.events);
            tables.write(folder.path()).map_err(|e| failure(&e, console))?;
        }
        None => console.say("note: no baseline: `pip install duckdb` adds it"),
    }
    let all: Vec<&Query> = match args.queries.as_slice() {
        [] => ALL.iter().collect(),
        some => some.to_vec(),
    };
    let mut failed = None;
    if !args.json {
        console.print(&heading(args))?;
    }
    for query in all {
        console.say(&format!("measuring {} …", query.name));
        let folder = baseline.as_ref().map(|_| folder.path());
        let lines = match told(&asked(query, args, folder), console)? {
            Ok(Json::Array(lines)) => lines,
            Ok(_) => vec![json!({ "workload": query.name, "error": "the measuring process died" })],
            Err(error) => {
                let wrong = error.code == "bench.wrong-totals";
                // Wrong results weigh more than none.
                failed = if wrong { Some(Failure::Check) } else { failed.or(Some(Failure::Input)) };
                vec![json!({ "workload": query.name, "error": error.message })]
            }
        };
        let text = match args.json {
            true => lines.iter().map(|line| format!("{line}\n")).collect(),
            false => text(query, &lines),
        };
        console.print(&text)?;
        console.flush()?;
    }
    if args.queries.is_empty() {
        console.print(&left_out(args.json))?;
    }
    failed.map_or(Ok(()), Err)
}

/// What [`here`] is asked.
fn asked(query: &Query, args: &NexmarkArgs, folder: Option<&Path>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["bench", "nexmark", query.name].map(OsString::from).into();
    let numbers = [
        ("--events", args.events.to_string()),
        ("--repeats", args.repeats.to_string()),
        ("--threads", args.threads.to_string()),
        ("--batch-rows", args.batch_rows.to_string()),
        ("--python", args.python.clone()),
    ];
    for (option, value) in numbers {
        arguments.extend([option.into(), value.into()]);
    }
    arguments.push("--here".into());
    arguments.extend(folder.map(OsString::from));
    arguments
}

/// The hidden side: one query, its lines as an array.
fn here(args: &NexmarkArgs, folder: Option<&Path>, console: &mut Console) -> Done {
    let [query] = args.queries.as_slice() else {
        console.say("error: --here measures one query");
        return Err(Failure::Input);
    };
    let baseline = folder.and_then(|folder| Some((folder, peers(&args.python, &[PEER]).pop()?)));
    match both(query, args, baseline) {
        Ok(lines) => console.print(&format!("{}\n", Json::Array(lines))),
        Err(error) => {
            console.print(&format!("{}\n", error.to_json()))?;
            Err(failure(&error, console))
        }
    }
}

/// The engine's line and, where it is, DuckDB's; their rows are compared.
fn both(query: &Query, args: &NexmarkArgs, baseline: Option<(&Path, Peer)>) -> Result<Vec<Json>> {
    let tables = Tables::of(Stream::PUBLISHED, args.events);
    let records = tables.records(query)?;
    let (runs, rows) = measure(query, &tables, (args.batch_rows, args.threads), args.repeats)?;
    drop(tables);
    let line = |engine: &str, runs: &Runs, baseline: Option<&Runs>| {
        let measured = Measured {
            workload: query.name,
            engine,
            threads: args.threads,
            records,
            rows: rows.len(),
            late: runs.late,
            seconds: &runs.seconds,
        };
        let mut line = measured.line(baseline.map(|b| b.seconds.as_slice()));
        line["peak_rss_mb"] = (runs.peak_bytes as f64 / 1e6).into();
        line
    };
    let Some((folder, one)) = baseline else { return Ok(vec![line("native", &runs, None)]) };
    let (theirs, expected) = peer(query, folder, &one, (args.threads, args.repeats))?;
    rows.check(&format!("{}: the engine", query.name), (one.name, &expected))?;
    Ok(vec![line("native", &runs, Some(&theirs)), line(one.name, &theirs, Some(&theirs))])
}

fn heading(args: &NexmarkArgs) -> String {
    format!(
        "Nexmark: {} events, on {} thread{}; the ratio is to DuckDB\n\
         {:<5} {:>10} {:>9} {:>11} {:>13} {:>13} {:>11} {:>7} {:>9} {:>6} {:>8}\n",
        args.events,
        args.threads,
        if args.threads == 1 { "" } else { "s" },
        "",
        "records",
        "seconds",
        "cpu seconds",
        "M records/s",
        "DuckDB's",
        "ratio (cpu)",
        "(wall)",
        "rows",
        "late",
        "peak MB",
    )
}

/// A query's line of the table: the engine's figures, beside the rate of the baseline.
fn text(query: &Query, lines: &[Json]) -> String {
    let Some(line) = lines.first() else { return String::new() };
    if let Some(error) = line["error"].as_str() {
        return format!("{:<5} error: {error}\n", query.name);
    }
    let number = |field: &str| line[field].as_f64().unwrap_or(f64::NAN);
    let maybe = |field: &str, unit: f64| {
        line[field].as_f64().map_or("-".into(), |n| format!("{:.2}", n / unit))
    };
    // A JSON value knows no width.
    let whole = |field: &str| line[field].to_string();
    format!(
        "{:<5} {:>10} {:>9.3} {:>11.3} {:>13.2} {:>13} {:>11} {:>7} {:>9} {:>6} {:>8.0}  {}\n",
        query.name,
        whole("records"),
        number("seconds"),
        number("cpu_seconds"),
        number("records_per_s") / 1e6,
        maybe("baseline", 1e6),
        maybe("ratio", 1.0),
        maybe("ratio_wall", 1.0),
        whole("rows"),
        whole("late"),
        number("peak_rss_mb"),
        query.title,
    )
}

/// What is not measured, and why.
fn left_out(as_json: bool) -> String {
    let one = |(name, why): &(&str, &str)| match as_json {
        true => format!("{}\n", json!({ "workload": name, "left_out": why })),
        false => format!("{name:<5} left out: {why}\n"),
    };
    LEFT_OUT.iter().map(one).collect()
}
