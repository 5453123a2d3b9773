//! The command line: arguments, what each command does, exit codes.

mod bench;
mod bench_flights;
mod bench_growth;
mod bench_line;
mod bench_nexmark;
mod bench_readers;
mod bench_state;
mod bench_turns;
mod check;
mod console;
mod diff;
mod diff_report;
mod explain;
mod help;
mod input;
mod progress;
mod run;
mod savepoint;
mod shrink;
mod sim;
mod sinks;
mod state;
mod torture;
mod trace;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use highwater::job::EngineKind;

use console::Console;

/// Runs streaming SQL with WebAssembly operators.
#[derive(Parser)]
#[command(name = "highwater", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a scenario or an SQL script and print its rows
    Run(run::RunArgs),
    /// Simulate a job and print everything that happens in it
    Trace(trace::TraceArgs),
    /// Run scenarios and compare them with their `expect` blocks (UPDATE_EXPECT=1 rewrites these)
    Check(check::CheckArgs),
    /// Print how a job would be run
    Explain(explain::ExplainArgs),
    /// Answer why a window has not fired, a record was dropped, a row is held or what made a row
    Why(why::WhyArgs),
    /// Print what an operator holds, after a record or as of a checkpoint
    State(state::StateArgs),
    /// Write the state of a job, after a record, to a file from which it can go on
    Savepoint(savepoint::SavepointArgs),
    // Its description stands with its arguments: the long one says what is measured.
    Diff(diff::DiffArgs),
    /// Crash a job at every step, and again at every step of the recovery, and compare its rows
    Torture(torture::TortureArgs),
    /// Draw jobs and faults from seeds, run them under every guarantee, and check what comes of it
    Sim(sim::SimArgs),
    /// Cut a scenario in which a guarantee is broken, or a seed of `highwater sim`, down to the least that shows it
    Shrink(shrink::ShrinkArgs),
    /// Measure the engine beside hand-written loops, its readers beside bare libraries
    Bench(bench::BenchArgs),
    /// Print help: of a command, or on a topic (`help sql`)
    Help(help::HelpArgs),
}

/// What runs the job and how; the same for all commands that run one.
#[derive(Args, Clone)]
struct JobArgs {
    /// The engine: compiled into this command, or engine.wasm under wasmtime
    #[arg(long, value_enum, default_value = "native")]
    engine: EngineChoice,
    /// Where engine.wasm is, if not where the build puts it
    #[arg(long, value_name = "PATH")]
    engine_wasm: Option<PathBuf>,
    /// The seed of the schedule and of generators (default: the script's)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Into how many subtasks keyed operators are split (default: the script's)
    #[arg(long, value_name = "N")]
    parallelism: Option<u32>,
    /// How many rows travel together (default: the script's)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_rows: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineChoice {
    Native,
    Wasm,
}

impl JobArgs {
    fn engine(&self) -> EngineKind {
        match self.engine {
            EngineChoice::Native => EngineKind::Native,
            EngineChoice::Wasm => EngineKind::Wasm(self.engine_wasm.clone()),
        }
    }

    fn options(&self) -> highwater_engine::session::Options {
        highwater_engine::session::Options {
            seed: self.seed,
            parallelism: self.parallelism,
            batch_rows: self.batch_rows,
        }
    }
}

/// How a command ended, other than well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An expectation does not hold; said already.
    Check,
    /// Usage or bad input; said already.
    Input,
    /// Nobody reads our output any more: no failure, but nothing left to do.
    Closed,
}

/// The result of a command.
pub(crate) type Done<T = ()> = Result<T, Failure>;

/// Runs the command named by the process's arguments.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no errors. Nobody to tell when printing fails.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let mut console = Console::new();
    let done = match cli.command {
        Command::Run(args) => run::run(&args, &mut console),
        Command::Trace(args) => trace::trace(&args, &mut console),
        Command::Check(args) => check::check(&args, &mut console),
        Command::Explain(args) => explain::explain(&args, &mut console),
        Command::Why(args) => why::why(&args, &mut console),
        Command::State(args) => state::state(&args, &mut console),
        Command::Savepoint(args) => savepoint::savepoint(&args, &mut console),
        Command::Diff(args) => diff::diff(&args, &mut console),
        Command::Torture(args) => torture::torture(&args, &mut console),
        Command::Sim(args) => sim::sim(&args, &mut console),
        Command::Shrink(args) => shrink::shrink(&args, &mut console),
        Command::Bench(args) => bench::bench(&args, &mut console),
        Command::Help(args) => help::help(&args, &mut console),
    };
    match done.and_then(|()| console.flush()) {
        Ok(()) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(Failure::Check) => ExitCode::from(1),
        Err(Failure::Input) => ExitCode::from(2),
    }
}
