//! `highwater bench flights`: questions about a file of flights, beside a loop and batch engines.

use std::path::PathBuf;

use clap::Args;
use highwater::bench::Answer;
use highwater::bench::flights::{PEERS, Question, batch, engine, plain, prepare};
use highwater::bench::peer::{Peer, peers};
use highwater::bench::rows::Rows;
use highwater_engine::error::{Diagnostic, Result};
use serde_json::Value as Json;

use super::Done;
use super::bench_line::Measured;
use super::bench_turns::failure;
use super::console::Console;

#[derive(Args)]
pub(super) struct FlightsArgs {
    /// Parquet with a row a flight: date, delay (minutes), distance (miles), origin, destination
    #[arg(long, value_name = "PATH")]
    file: PathBuf,
    /// How many runs of each; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// The Python that may have Polars or DuckDB
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: String,
    /// Print one JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

/// Who answers, on how many threads.
#[derive(Clone)]
enum Subject {
    Loop,
    Engine(u32),
    Peer(Peer, u32),
}

impl Subject {
    fn name(&self) -> &'static str {
        match self {
            Subject::Loop => "loop",
            Subject::Engine(_) => "native",
            Subject::Peer(peer, _) => peer.name,
        }
    }

    fn threads(&self) -> u32 {
        match self {
            Subject::Loop => 1,
            Subject::Engine(threads) | Subject::Peer(_, threads) => *threads,
        }
    }
}

/// What a subject's runs took.
struct Runs {
    subject: Subject,
    seconds: Vec<(f64, f64)>,
    late: Option<u64>,
}

pub(super) fn flights(args: &FlightsArgs, console: &mut Console) -> Done {
    let peers = peers(&args.python, &PEERS);
    if peers.is_empty() {
        console.say("note: no peer: `pip install duckdb` (or polars) adds one");
    }
    let mut subjects = vec![Subject::Loop, Subject::Engine(1), Subject::Engine(2)];
    for peer in peers {
        subjects.extend([1, 2].map(|threads| Subject::Peer(peer.clone(), threads)));
    }
    let folder = tempfile::tempdir().map_err(|e| {
        let message = format!("cannot make a folder for the flights: {e}");
        failure(&Diagnostic::new("host.cannot-write", message), console)
    })?;
    console.say("sorting the flights by their arrival …");
    let records = prepare(&args.file, folder.path()).map_err(|e| failure(&e, console))?;
    for question in Question::ALL {
        console.say(&format!("measuring {} …", question.name()));
        let (runs, rows) = measure(question, folder.path(), &subjects, args.repeats)
            .map_err(|e| failure(&e, console))?;
        let lines: Vec<Json> =
            runs.iter().map(|r| line(question, r, &runs[0], records, rows)).collect();
        let text = match args.json {
            true => lines.iter().map(|line| format!("{line}\n")).collect(),
            false => table(question, &lines),
        };
        console.print(&text)?;
    }
    Ok(())
}

/// All subjects in turn, as often as asked, their rows compared with the loop's each time; and how many rows
/// there are.
fn measure(
    question: Question,
    folder: &std::path::Path,
    subjects: &[Subject],
    repeats: u32,
) -> Result<(Vec<Runs>, usize)> {
    let mut runs: Vec<Runs> = subjects
        .iter()
        .map(|subject| Runs { subject: subject.clone(), seconds: Vec::new(), late: None })
        .collect();
    let mut expected: Option<(Rows, Option<u64>)> = None;
    for _ in 0..repeats {
        for run in &mut runs {
            let answer: Answer = match &run.subject {
                Subject::Loop => plain(question, folder)?,
                Subject::Engine(threads) => engine(question, folder, *threads > 1)?,
                Subject::Peer(peer, threads) => batch(question, folder, peer, *threads)?,
            };
            run.seconds.push(answer.seconds);
            run.late = answer.late;
            let rows = answer.rows()?;
            let Some((wanted, late)) = &expected else {
                expected = Some((rows, run.late));
                continue;
            };
            rows.check(run.subject.name(), ("the loop", wanted))?;
            if run.late.is_some() && run.late != *late {
                let told = format!(
                    "{} counts {:?} late records, the loop {late:?}",
                    run.subject.name(),
                    run.late
                );
                return Err(Diagnostic::new("bench.wrong-totals", told));
            }
        }
    }
    let rows = expected.map_or(0, |(rows, _)| rows.len());
    Ok((runs, rows))
}

fn line(question: Question, runs: &Runs, baseline: &Runs, records: u64, rows: usize) -> Json {
    let measured = Measured {
        workload: &format!("flights-{}", question.name()),
        engine: runs.subject.name(),
        threads: runs.subject.threads(),
        records,
        rows,
        late: runs.late,
        seconds: &runs.seconds,
    };
    measured.line(Some(&baseline.seconds))
}

fn table(question: Question, lines: &[Json]) -> String {
    let mut text = format!(
        "{}: {}\n{:<9} {:>7} {:>9} {:>12} {:>12} {:>11} {:>7} {:>10} {:>8}\n",
        question.name(),
        question.title(),
        "",
        "threads",
        "seconds",
        "cpu seconds",
        "M records/s",
        "ratio (cpu)",
        "(wall)",
        "rows",
        "late"
    );
    for line in lines {
        let number = |field: &str| line[field].as_f64().unwrap_or(f64::NAN);
        let whole = |field: &str| match &line[field] {
            Json::Null => "-".to_owned(),
            value => value.to_string(),
        };
        text += &format!(
            "{:<9} {:>7} {:>9.3} {:>12.3} {:>12.1} {:>11.2} {:>7.2} {:>10} {:>8}\n",
            line["engine"].as_str().unwrap_or_default(),
            whole("threads"),
            number("seconds"),
            number("cpu_seconds"),
            number("records_per_s") / 1e6,
            number("ratio"),
            number("ratio_wall"),
            whole("rows"),
            whole("late"),
        );
    }
    text
}
