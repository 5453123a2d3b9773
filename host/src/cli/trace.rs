//! `highwater trace`: everything that happens, as text lines or as one binary chunk.

use std::path::PathBuf;

use clap::Args;
use highwater::files::write_atomically;
use highwater::job::{Job, Status};
use highwater::wasm_engine::Outcome;
use highwater_engine::trace::{Chunk, encode};

use super::console::Console;
use super::input::{Input, read};
use super::{Done, Failure, JobArgs};

/// How many steps the simulation does before its events are printed.
const STEPS: u32 = 5_000;
/// How many events are fetched at once.
const EVENTS: u32 = 4_096;

#[derive(Args)]
pub(super) struct TraceArgs {
    /// A scenario (.md) or a script (.sql)
    file: PathBuf,
    #[command(flatten)]
    job: JobArgs,
    /// Write the trace in its binary form instead of printing it
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// The first step to print
    #[arg(long, value_name = "STEP", default_value_t = 0)]
    from: u64,
    /// The last step to print
    #[arg(long, value_name = "STEP", default_value_t = u64::MAX)]
    to: u64,
    /// Only events of this name, such as `late` or `window-fire`; several separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    grep: Vec<String>,
    /// Print the hash of the whole trace as the last line
    #[arg(long)]
    hash: bool,
}

pub(super) fn trace(args: &TraceArgs, console: &mut Console) -> Done {
    let input = read(&args.file, console)?;
    let mut job = input.open(&args.job, console)?;
    let mut kept = Chunk { header: Default::default(), first: 0, events: Vec::new() };
    let mut seen = 0;
    let status = loop {
        let status = job.step(STEPS).map_err(|e| console.errors(&e, &input.sources))?;
        while seen < status.events {
            let mut chunk =
                fetch(&mut job, seen, &status).map_err(|e| console.errors(&e, &input.sources))?;
            seen += chunk.events.len() as u64;
            chunk.events.retain(|e| args.wants(e));
            if args.binary.is_some() {
                kept.header = chunk.header;
                kept.events.append(&mut chunk.events);
            } else {
                for event in &chunk.events {
                    console.print_exact(&event.line(&chunk.header))?;
                }
            }
        }
        // The hash is that of the whole trace, so only without it may the rest be left out.
        let enough = !args.hash && status.step > args.to;
        if status.finished || status.failed.is_some() || enough {
            break status;
        }
    };
    if let Some(path) = &args.binary {
        write_atomically(path, &encode(&kept)).map_err(|e| console.error(&e, &input.sources))?;
    }
    if args.hash {
        console.print(&format!("trace {}\n", status.hash))?;
    }
    failed(&status, &input, console)
}

impl TraceArgs {
    fn wants(&self, event: &highwater_engine::trace::Event) -> bool {
        (self.from..=self.to).contains(&event.step)
            && (self.grep.is_empty() || self.grep.iter().any(|name| name == event.what.name()))
    }
}

fn fetch(job: &mut Job, first: u64, status: &Status) -> Outcome<Chunk> {
    let chunk = job.trace(first, EVENTS)?;
    if chunk.events.is_empty() {
        let told = format!("the trace ends at event {first} of {}", status.events);
        return Err(vec![*highwater_engine::error::Diagnostic::new("host.short-trace", told)]);
    }
    Ok(chunk)
}

fn failed(status: &Status, input: &Input, console: &mut Console) -> Result<(), Failure> {
    match &status.failed {
        Some(failed) => Err(console.error(failed, &input.sources)),
        None => Ok(()),
    }
}
