//! `highwater diff`: two runs side by side, of two files, or of one under other settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use highwater::escape::visible_lines;
use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::session::{Comparison, Session};

use super::console::Console;
use super::diff_report::{lines, report};
use super::input::read;
use super::progress::Progress;
use super::{Done, Failure};

/// How many steps the simulation does between two looks at the terminal.
const STEPS: u64 = 20_000;

/// Compare two runs: their rows, dropped records, latency and state
///
/// Both jobs are simulated to their ends, each with the faults of its file. Run A is the first file; run B is the
/// second, or the first with the settings of --set.
///
/// Rows: tables are the same by name, rows by kind and values. `both` counts pairs of equal rows; `order` says how many
/// of these stand in B behind one that A has later.
///
/// Latency: virtual time from the moment when a source first reads the record whose place in the stream a row carries
/// until the table shows the row. For a filter that is the row's own record; for a join the one that met another; for a
/// window the one that moved the watermark over its end. What a record waits before it is read, while the job is down,
/// is no part of it; a row that is shown twice counts twice; rows that the end of the input, an idle partition or a
/// clock made appear have no record, and are counted apart.
///
/// State: for each operator the most bytes that its subtasks together wrote for a checkpoint, with what a sink gives to it;
/// below, bytes are those of complete checkpoints; a checkpoint has failed that was begun and never complete.
///
/// The exit code is 0 whether or not the runs differ, unless --check is given.
#[derive(Args)]
#[command(
    override_usage = "highwater diff [OPTIONS] <A> <B>\n       highwater diff [OPTIONS] <A> --set <KEY=VALUE>..."
)]
pub(super) struct DiffArgs {
    /// Run A: a scenario (.md) or a script (.sql)
    a: PathBuf,
    /// Run B: another one
    #[arg(required_unless_present = "set", conflicts_with = "set")]
    b: Option<PathBuf>,
    /// Run B is A's file under this setting, whatever its script or its `toml settings` block says; may be given
    /// several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// How many of the rows are printed, for each table, that only one run has
    #[arg(long, value_name = "N", default_value_t = 10)]
    rows: usize,
    /// Print JSON objects, one a line, instead of text; the last one sums up
    #[arg(long)]
    json: bool,
    /// End with exit code 1 when rows differ, or their order
    #[arg(long)]
    check: bool,
}

/// `key=value`, as SET has it; quotes and blanks around both may stay.
fn setting(text: &str) -> Result<(String, String), String> {
    let bare = |part: &str| {
        let part = part.trim();
        let inside = part.strip_prefix('\'').and_then(|part| part.strip_suffix('\''));
        inside.unwrap_or(part).to_owned()
    };
    let parts = text.split_once('=').map(|(key, value)| (bare(key), bare(value)));
    parts
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| "expected KEY=VALUE, such as highwater.guarantee=at-least-once".to_owned())
}

pub(super) fn diff(args: &DiffArgs, console: &mut Console) -> Done {
    let a = run(&args.a, &[], console)?;
    let b = run(args.b.as_ref().unwrap_or(&args.a), &args.set, console)?;
    let found = Comparison::of(&a, &b);
    let told = if args.json {
        lines(&found, args.rows)
    } else {
        format!("{}{}", names(args), report(&found, args.rows))
    };
    console.print(&visible_lines(&told))?;
    if args.check && found.rows_differ() { Err(Failure::Check) } else { Ok(()) }
}

/// What A and B are.
fn names(args: &DiffArgs) -> String {
    let b = match &args.b {
        Some(b) => b.display().to_string(),
        None => {
            let set = args.set.iter().map(|(key, value)| format!("{key} = {value}"));
            format!("{} with {}", args.a.display(), set.collect::<Vec<_>>().join(", "))
        }
    };
    format!("A  {}\nB  {b}\n", args.a.display())
}

/// A run to its end, or until the job has failed: that is something to compare, too.
fn run(file: &Path, set: &[(String, String)], console: &mut Console) -> Done<Session> {
    let input = read(file, console)?;
    let files = input.files(console)?;
    let (name, text) = (input.script.short_name(), &input.script.text);
    let sandbox = Arc::new(WasmtimeSandbox::default());
    let opened = Session::to_compare(name, text, &files, sandbox, set);
    let mut session = opened.map_err(|e| console.errors(&e, &input.sources))?;
    let mut progress = Progress::new("events", None);
    let mut steps = 0;
    loop {
        let status = session.step(STEPS);
        progress.at(status.events.into(), None);
        if status.finished || status.failed.is_some() || status.step == steps {
            return Ok(session);
        }
        steps = status.step;
    }
}
