//! `highwater savepoint`: the state of a job, kept in a file.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use highwater::files::write_atomically;
use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::session::{Options, Session, ends};

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
    let (name, text) = (input.script.short_name(), &input.script.text);
    let sandbox = Arc::new(WasmtimeSandbox::default());
    let mut session = ends(name, text)
        .and_then(|()| Session::open(name, text, &files, sandbox, &options))
        .map_err(|e| console.errors(&e, &input.sources))?;
    let made = session.stand_after(args.after).and_then(|()| session.savepoint());
    let made = made.map_err(|e| console.error(&e, &input.sources))?;
    write_atomically(&args.output, &made).map_err(|e| console.error(&e, &input.sources))?;
    let tasks = session.header().tasks.len();
    console.say(&format!("a savepoint of {} bytes, of {tasks} tasks", made.len()));
    Ok(())
}
