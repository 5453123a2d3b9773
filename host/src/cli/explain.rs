//! `highwater explain`: the plan, without running it.

use std::path::PathBuf;

use clap::Args;
use highwater::escape::visible_lines;

use super::console::Console;
use super::input::read;
use super::{Done, JobArgs};

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// A scenario (.md) or a script (.sql)
    file: PathBuf,
    #[command(flatten)]
    job: JobArgs,
}

pub(super) fn explain(args: &ExplainArgs, console: &mut Console) -> Done {
    let input = read(&args.file, console)?;
    let mut job = input.open(&args.job, console)?;
    let warnings = job.warnings();
    console.warnings(&warnings, &input.sources);
    let text = job.explain().map_err(|e| console.errors(&e, &input.sources))?;
    console.print(&visible_lines(&text))?;
    if text.ends_with('\n') { Ok(()) } else { console.print("\n") }
}
