//! `highwater bench readers`: each format read into columns beside the bare library's own decoding.

use clap::Args;
use highwater::bench::readers::{Format, Measured, measure};
use highwater::report::Sources;
use serde_json::{Value as Json, json};

use super::Done;
use super::console::Console;

#[derive(Args)]
pub(super) struct ReadersArgs {
    /// How many records
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    records: u64,
    /// How many runs of each; the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// Print one JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

pub(super) fn readers(args: &ReadersArgs, console: &mut Console) -> Done {
    let mut text = String::new();
    if !args.json {
        text += &format!(
            "{:<8} {:>8} {:>9} {:>12} {:>14} {:>17} {:>11}\n",
            "", "MB", "MB/s", "M records/s", "library MB/s", "(M records/s)", "ratio (cpu)"
        );
    }
    for format in Format::ALL {
        console.say(&format!("measuring {} …", format.name()));
        let found = measure(format, args.records, args.repeats)
            .map_err(|e| console.error(&e, &Sources::default()))?;
        let line = line(format, args.records, &found);
        text += &if args.json { format!("{line}\n") } else { row(&line) };
    }
    console.print(&text)
}

fn line(format: Format, records: u64, found: &Measured) -> Json {
    let megabytes = found.bytes as f64 / 1e6;
    json!({
        "workload": format!("read-{}", format.name()),
        "engine": "native",
        "threads": 1,
        "records": records,
        "megabytes": megabytes,
        "seconds": found.reader,
        "megabytes_per_s": megabytes / found.reader,
        "records_per_s": records as f64 / found.reader,
        "baseline": records as f64 / found.library,
        "baseline_megabytes_per_s": megabytes / found.library,
        "ratio": found.library / found.reader,
    })
}

fn row(line: &Json) -> String {
    let number = |field: &str| line[field].as_f64().unwrap_or(f64::NAN);
    let name = line["workload"].as_str().unwrap_or_default().trim_start_matches("read-");
    format!(
        "{name:<8} {:>8.1} {:>9.0} {:>12.2} {:>14.0} {:>17.2} {:>11.2}\n",
        number("megabytes"),
        number("megabytes_per_s"),
        number("records_per_s") / 1e6,
        number("baseline_megabytes_per_s"),
        number("baseline") / 1e6,
        number("ratio"),
    )
}
