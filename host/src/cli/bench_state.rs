//! `highwater bench checkpoint`, `state` and `seek`: what durable state costs, and going to and fro in a run.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use highwater::bench::checkpoint::{self, Interval, Plan};
use highwater::bench::ground::Workload;
use highwater::bench::{seek, state};
use highwater_engine::error::{Diagnostic, Result};
use serde_json::Value as Json;

use super::bench_turns::failure;
use super::console::Console;
use super::{Done, bench, run};

#[derive(Subcommand)]
pub(super) enum StateBench {
    /// Measure workloads with checkpoints beside the same without, in turns
    Checkpoint(CheckpointArgs),
    /// Measure snapshot and restore of a large state beside a plain copy and a plain file
    State(StateArgs),
    /// Measure seeks to steps of a simulation with a long trace, beside the run itself
    Seek(SeekArgs),
}

#[derive(Args)]
pub(super) struct SeekArgs {
    /// How many events the trace has
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: u64,
    /// How many seeks
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    seeks: u32,
    /// Print a JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct CheckpointArgs {
    /// Which workloads
    #[arg(value_name = "WORKLOAD", value_parser = bench::workload, default_values = ["W1", "W3"])]
    workloads: Vec<Workload>,
    /// The time from one checkpoint to the next
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = run::interval)]
    interval: Duration,
    /// By event time instead: so much of it from one checkpoint to the next, each written before the next begins
    #[arg(long, value_name = "TIME", value_parser = run::interval, conflicts_with = "interval")]
    event_interval: Option<Duration>,
    /// How long a run shall take, about
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    seconds: f64,
    /// How many runs of each kind; the median counts
    #[arg(long, value_name = "N", default_value_t = 3)]
    repeats: u32,
    /// Where checkpoints are written while measuring (default: the system's temporary folder)
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print one JSON object a line instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct StateArgs {
    /// About how many bytes of state, such as `1GB` or `200MB`
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = size)]
    size: u64,
    /// Where snapshots are written while measuring (default: the system's temporary folder)
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print a JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// A number of bytes; a MB is a million.
fn size(text: &str) -> std::result::Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err("a number of bytes, such as `1GB` or `200MB`".into()),
    };
    let number = digits.trim().parse::<u64>().ok().filter(|n| *n > 0);
    let bytes = number.and_then(|n| n.checked_mul(factor)).filter(|n| *n <= 64_000_000_000);
    bytes.ok_or_else(|| "a number of bytes from 1 to 64GB".into())
}

pub(super) fn bench(what: &StateBench, console: &mut Console) -> Done {
    match what {
        StateBench::Checkpoint(args) => {
            for &workload in &args.workloads {
                let wall = Interval::Wall(args.interval);
                let interval = args.event_interval.map_or(wall, Interval::Event);
                let (seconds, repeats) = (args.seconds, args.repeats);
                let plan = Plan { workload, interval, seconds, repeats };
                let line = inside(args.folder.as_ref(), |f| checkpoint::measure(&plan, f));
                let line = line.map_err(|e| failure(&e, console))?;
                print(&line, args.json, checkpoint_text, console)?;
            }
            Ok(())
        }
        StateBench::State(args) => {
            let line = inside(args.folder.as_ref(), |f| state::measure(args.size, f));
            let line = line.map_err(|e| failure(&e, console))?;
            print(&line, args.json, state_text, console)
        }
        StateBench::Seek(args) => {
            let line = seek::measure(args.events, args.seeks).map_err(|e| failure(&e, console))?;
            print(&line, args.json, seek_text, console)
        }
    }
}

/// Does something in a folder that is gone afterwards.
fn inside<T>(
    folder: Option<&PathBuf>,
    run: impl FnOnce(&std::path::Path) -> Result<T>,
) -> Result<T> {
    let made = match folder {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let made = made.map_err(|e| {
        Diagnostic::new("bench.failed", format!("cannot make a folder to measure in: {e}"))
    })?;
    run(made.path())
}

fn print(line: &Json, json: bool, text: fn(&Json) -> String, console: &mut Console) -> Done {
    match json {
        true => console.print(&format!("{line}\n")),
        false => console.print(&text(line)),
    }
}

fn number(line: &Json, field: &str) -> f64 {
    line[field].as_f64().unwrap_or(f64::NAN)
}

fn checkpoint_text(line: &Json) -> String {
    let n = |field| number(line, field);
    format!(
        "{}  {:.1} M records/s with {} checkpoints, {:.1} without: {:.1} % less ({:.1} % by processor \
         time); {:.1} MB each, {:.1} ms at the barrier ({:.1} at most)\n",
        line["workload"].as_str().unwrap_or_default(),
        n("records_per_s") / 1e6,
        line["checkpoints"],
        n("records_per_s_without") / 1e6,
        n("cost") * 100.0,
        n("cost_cpu") * 100.0,
        n("bytes") / 1e6,
        n("pause_ms"),
        n("pause_ms_most"),
    )
}

fn seek_text(line: &Json) -> String {
    let n = |field| number(line, field);
    format!(
        "{} events in {} steps, simulated in {:.2} s; a seek takes {:.2} ms, {:.2} of 99 in 100, {:.2} at most\n",
        line["events"],
        line["steps"],
        n("run_seconds"),
        n("median_ms"),
        n("p99_ms"),
        n("most_ms"),
    )
}

fn state_text(line: &Json) -> String {
    let mut out = format!(
        "{:.0} MB of state: {} keys in each of {} windows\n",
        number(line, "bytes") / 1e6,
        line["keys"],
        line["windows"]
    );
    for (name, what) in [
        ("memcpy", "plain copy in memory"),
        ("disk_write", "plain file, written and synced"),
        ("snapshot", "snapshot"),
        ("snapshot_unchanged", "snapshot, nothing having changed"),
        ("checksum", "checksums and one copy"),
        ("store_write", "checkpoint, written and synced"),
        ("verify", "checksums of what was read"),
        ("restore", "restore"),
    ] {
        let rate = number(line, &format!("{name}_mb_per_s"));
        let seconds = number(line, &format!("{name}_seconds"));
        out += &format!("{what:<34} {rate:>9.0} MB/s {seconds:>8.3} s\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("1GB"), Ok(1_000_000_000));
        assert_eq!(size("200 mb"), Ok(200_000_000));
        assert_eq!(size("17"), Ok(17));
        for bad in ["", "GB", "0", "1TB", "-1", "99999999999GB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
