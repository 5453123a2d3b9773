//! `highwater run`: rows out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use highwater::checkpoint::{self, Checkpoints, Listener};
use highwater::escape::visible_lines;
use highwater::files::write_atomically;
use highwater::job::{EngineKind, Job, Progress as Far, Ran};
use highwater::threads;
use highwater_engine::error::Diagnostic;

use super::console::Console;
use super::input::{Input, read};
use super::progress::{Progress, Show};
use super::{Done, Failure, JobArgs, sinks};

/// How many steps the simulation does between two looks at the terminal.
const STEPS: u32 = 20_000;

#[derive(Args)]
pub(super) struct RunArgs {
    /// A scenario (.md) or a script (.sql)
    file: PathBuf,
    #[command(flatten)]
    job: JobArgs,
    /// `sim`: virtual time, seeded schedule, faults, trace; `runner`: as fast as the machine goes
    /// (default: sim for .md, runner for .sql, sim with --hash)
    #[arg(long, value_enum)]
    driver: Option<Driver>,
    /// On how many threads the runner works (default: one a core, 8 at most); the rows are the same for any
    /// number. Small batches and engine.wasm have one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=128))]
    threads: Option<u32>,
    /// How rows are printed
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Print the hash of the trace as the last line: `trace` and 32 hexadecimal digits
    #[arg(long)]
    hash: bool,
    /// Keep checkpoints in this folder, and go on from the newest one that is there. With it, every row of
    /// a file sink counts exactly once, whatever happens to this process; rows for the terminal are
    /// printed by the run that comes to the end. Only for `--driver runner`
    #[arg(long, value_name = "DIR")]
    checkpoint_dir: Option<PathBuf>,
    /// The time from one checkpoint to the next, such as `500ms`
    #[arg(
        long, value_name = "TIME", default_value = "1s", value_parser = interval,
        requires = "checkpoint_dir"
    )]
    checkpoint_interval: Duration,
    /// Go on from a savepoint that `highwater savepoint` wrote of this job, with any --parallelism. Only for
    /// `--driver sim`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["checkpoint_dir", "threads"])]
    savepoint: Option<PathBuf>,
    /// Write the rows to a file instead of stdout; an existing file is replaced as a whole
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show on stderr how far the job is: `line` (the default on a terminal), `json` or `none`
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, default_missing_value = "line")]
    progress: Option<Show>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Driver {
    Sim,
    Runner,
}

/// How rows are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Aligned columns for people
    Table,
    /// One JSON object a row
    Jsonl,
}

pub(super) fn run(args: &RunArgs, console: &mut Console) -> Done {
    let input = read(&args.file, console)?;
    let simulated = input.script.is_scenario() || args.hash || args.savepoint.is_some();
    let driver = args.driver.unwrap_or(if simulated { Driver::Sim } else { Driver::Runner });
    if args.hash && driver == Driver::Runner {
        console.say("error: --hash needs a trace, and only `--driver sim` makes one");
        return Err(Failure::Input);
    }
    if args.savepoint.is_some() && driver == Driver::Runner {
        console.say("error: only `--driver sim` goes on from a savepoint");
        return Err(Failure::Input);
    }
    if args.threads.is_some() && driver == Driver::Sim {
        console.say("error: the simulation has one thread; --threads needs `--driver runner`");
        return Err(Failure::Input);
    }
    if let Some(folder) = &args.checkpoint_dir {
        if args.threads.is_some_and(|threads| threads > 1) {
            console.say("error: a job with --checkpoint-dir has one thread: leave --threads away");
            return Err(Failure::Input);
        }
        return checkpointed(args, folder, driver, &input, console);
    }
    let threads = args.threads.unwrap_or_else(threads::available);
    let ran = match driver {
        Driver::Sim => simulate(args, &input, console)?,
        Driver::Runner => {
            let mut progress = Progress::new("records", args.progress);
            let (engine, options) = (args.job.engine(), args.job.options());
            let mut heard = |far, share| progress.at(far, share);
            let ran = Job::run(&input.script, &engine, &options, threads, &mut heard);
            drop(progress);
            ran.map_err(|e| console.errors(&e, &input.sources))?
        }
    };
    deliver(args, &input, &ran, console)
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let micros = highwater_engine::time::parse_duration_micros(text);
    micros.map(Duration::from_micros).ok_or_else(|| "a duration, such as `1s` or `500 ms`".into())
}

/// The terminal, as a job with checkpoints sees it.
struct Told<'a>(Progress, &'a mut Console);

impl Listener for Told<'_> {
    fn at(&mut self, far: Far, share: Option<f64>) {
        self.0.at(far, share);
    }

    fn note(&mut self, text: &str) {
        self.1.say(text);
    }
}

/// Runs with checkpoints; they go once the rows have been delivered.
fn checkpointed(
    args: &RunArgs,
    folder: &Path,
    driver: Driver,
    input: &Input,
    console: &mut Console,
) -> Done {
    if driver == Driver::Sim || args.job.engine() != EngineKind::Native {
        console.say(
            "error: --checkpoint-dir is for `--driver runner --engine native`; a simulated job keeps its \
             checkpoints to itself",
        );
        return Err(Failure::Input);
    }
    let checkpoints = Checkpoints { folder: folder.to_owned(), interval: args.checkpoint_interval };
    let mut told = Told(Progress::new("records", args.progress), console);
    let ran = checkpoint::run(&input.script, &args.job.options(), &checkpoints, &mut told);
    drop(told);
    let (ran, completed) = ran.map_err(|e| console.errors(&e, &input.sources))?;
    deliver(args, input, &ran, console)?;
    console.flush()?;
    completed.map_or(Ok(()), |c| c.remove()).map_err(|e| console.error(&e, &input.sources))
}

fn simulate(args: &RunArgs, input: &Input, console: &mut Console) -> Done<Ran> {
    let mut job = input.open(&args.job, console)?;
    highwater_engine::session::ends(input.script.short_name(), &input.script.text)
        .map_err(|e| console.errors(&e, &input.sources))?;
    if let Some(path) = &args.savepoint {
        let restored = match std::fs::read(path) {
            Ok(bytes) => job.restore(&bytes),
            Err(error) => {
                let error =
                    Diagnostic::new("savepoint.read", format!("{}: {error}", path.display()));
                Err(vec![*error.hint("`highwater savepoint` writes one")])
            }
        };
        restored.map_err(|e| console.errors(&e, &input.sources))?;
    }
    let mut progress = Progress::new("events", args.progress);
    let mut finish = || {
        loop {
            let status = job.step(STEPS)?;
            progress.at(status.events.into(), None);
            if status.finished || status.failed.is_some() {
                return job.ran(&status);
            }
        }
    };
    let ran = finish();
    drop(progress);
    ran.map_err(|e| console.errors(&e, &input.sources))
}

/// Prints the rows, writes the files, says what else there is to say.
fn deliver(args: &RunArgs, input: &Input, ran: &Ran, console: &mut Console) -> Done {
    console.warnings(&ran.warnings, &input.sources);
    if let Some(explanation) = &ran.explanation {
        return console.print(&visible_lines(explanation));
    }
    // The headings of empty tables would say that a job that failed gave no rows.
    let nothing = ran.failed.is_some() && ran.tables.iter().all(|t| t.rows.is_empty());
    let mut rows = if nothing { String::new() } else { sinks::printed(&ran.tables, args.format) };
    if let Some(path) = &args.output {
        if ran.failed.is_none() {
            write_atomically(path, rows.as_bytes())
                .map_err(|e| console.error(&e, &input.sources))?;
        }
        rows.clear();
    }
    console.print(&rows)?;
    if let Some(failed) = &ran.failed {
        return Err(console.error(failed, &input.sources));
    }
    sinks::write_files(&input.script, &ran.tables)
        .map_err(|e| console.error(&e, &input.sources))?;
    for line in ran.notes() {
        console.say(&line);
    }
    if args.hash {
        console.print(&format!("trace {}\n", ran.hash.as_deref().unwrap_or_default()))?;
    }
    Ok(())
}
