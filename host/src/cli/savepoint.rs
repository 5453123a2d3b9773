//! `highwater savepoint`: the state of a job, kept in a file.

use std::path::PathBuf;

use clap::Args;
use highwater::files::write_atomically;
use highwater_engine::session::Options;

use super::Done;
use super::console::Console;
use super::input::read;

#[derive(Args)]
pub(super) struct SavepointArgs {
    /// A scenario (.md) or a script (.sql)
    file: PathBuf,
    /// Take it after the record of this number (default: the last)
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// Where to write it; `highwater run --savepoint` goes on from there, with any parallelism
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// The seed of the schedule and of generators (default: the script's)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Into how many subtasks keyed operators are split (default: the script's)
    #[arg(long, value_name = "N")]
    parallelism: Option<u32>,
}

pub(super) fn savepoint(args: &SavepointArgs, console: &mut Console) -> Done {
    let input = read(&args.file, console)?;
    let files = input.files(console)?;
    let options = Options { seed: args.seed, parallelism: args.parallelism, batch_rows: None };
    let mut session = input.session(&files, &options, console)?;
    let made = session.stand_after(args.after).and_then(|()| session.savepoint());
    let made = made.map_err(|e| console.error(&e, &input.sources))?;
    write_atomically(&args.output, &made).map_err(|e| console.error(&e, &input.sources))?;
    let tasks = session.header().tasks.len();
    console.say(&format!("a savepoint of {} bytes, of {tasks} tasks", made.len()));
    Ok(())
}
