//! `highwater bench`: the engine beside a hand-written loop.

use std::process::Command;

use clap::Args;
use highwater::bench::{Measurement, Subject, measure};
use highwater::report::Sources;
use serde_json::{Value as Json, json};

use super::console::Console;
use super::{Done, Failure};

#[derive(Args)]
pub(super) struct BenchArgs {
    /// How many records
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    records: u64,
    /// How many runs; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    repeats: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Measure one subject in this process: what the command starts for each
    #[arg(long, hide = true)]
    only: Option<String>,
}

pub(super) fn bench(args: &BenchArgs, console: &mut Console) -> Done {
    if let Some(name) = &args.only {
        let Some(subject) = Subject::named(name) else {
            console.say(&format!("error: nothing called `{name}` is measured"));
            return Err(Failure::Input);
        };
        let measured =
            measure(subject, args.records, args.repeats).map_err(|e| wrong(&e, console))?;
        return console.print(&format!("{}\n", measured.to_json()));
    }
    let mut measured = Vec::new();
    for subject in Subject::ALL {
        console.say(&format!("measuring {} …", subject.name()));
        measured.push(child(subject, args, console)?);
    }
    let text = if args.json { json_report(&measured) } else { table(&measured) };
    console.print(&text)
}

/// Wrong results are a failed check, not a mistake of the caller.
fn wrong(error: &highwater_engine::error::Diagnostic, console: &mut Console) -> Failure {
    match console.error(error, &Sources::default()) {
        Failure::Input if error.code == "bench.wrong-totals" => Failure::Check,
        other => other,
    }
}

/// Measures in a process of its own: peak memory is a process's.
fn child(subject: Subject, args: &BenchArgs, console: &mut Console) -> Done<Measurement> {
    let run = || {
        Command::new(std::env::current_exe()?)
            .args(["bench", "--only", subject.name()])
            .args(["--records", &args.records.to_string()])
            .args(["--repeats", &args.repeats.to_string()])
            .output()
    };
    let output = match run() {
        Ok(output) => output,
        Err(error) => {
            console.say(&format!("error: cannot start a measuring process: {error}"));
            return Err(Failure::Input);
        }
    };
    let line = String::from_utf8_lossy(&output.stdout);
    let json: Option<Json> = serde_json::from_str(&line).ok();
    json.as_ref().and_then(Measurement::from_json).ok_or_else(|| {
        console.say(String::from_utf8_lossy(&output.stderr).trim_end());
        console.say(&format!("error: measuring {} failed", subject.name()));
        if output.status.code() == Some(1) { Failure::Check } else { Failure::Input }
    })
}

fn json_report(measured: &[Measurement]) -> String {
    let subjects: Vec<Json> = measured
        .iter()
        .map(|m| {
            json!({
                "subject": m.subject,
                "seconds": m.seconds,
                "cpu_seconds": m.cpu_seconds,
                "million_per_second": m.rate(),
                "ratio": m.ratio(&measured[0]),
                "peak_bytes": m.peak_bytes,
            })
        })
        .collect();
    format!("{}\n", json!({ "records": measured[0].records, "subjects": subjects }))
}

fn table(measured: &[Measurement]) -> String {
    let mut out = format!(
        "{} records, tumbling 10 s, count, sum and max per key, one thread\n\n\
         {:<8} {:>9} {:>13} {:>12} {:>12} {:>10}\n",
        measured[0].records, "", "seconds", "M records/s", "cpu seconds", "ratio (cpu)", "peak MiB"
    );
    for m in measured {
        let mebibytes = m.peak_bytes as f64 / f64::from(1 << 20);
        out += &format!(
            "{:<8} {:>9.3} {:>13.1} {:>12.3} {:>12.2} {mebibytes:>10.0}\n",
            m.subject,
            m.seconds,
            m.rate(),
            m.cpu_seconds,
            m.ratio(&measured[0]),
        );
    }
    out
}
