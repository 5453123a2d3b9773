//! `highwater bench growth`: how the cost of an event grows, as tables and as a chart.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use highwater::bench::Subject;
use highwater::bench::growth::chart::{Curve, draw};
use highwater::bench::growth::held::Held;
use highwater::bench::growth::verdict::Verdict;
use highwater::bench::growth::{Axis, Pair, Point};
use highwater::files::{check_writable, write_atomically};
use highwater_engine::error::Diagnostic;
use serde_json::Value as Json;

use super::bench_turns::{Turn, answer, failure, in_turns};
use super::console::Console;
use super::{Done, Failure};

#[derive(Args)]
pub(super) struct GrowthArgs {
    /// The longest stream
    #[arg(long, value_name = "N", default_value_t = 100_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    records: u64,
    /// How many runs of each; the median counts
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// Along what: records, keys, batch-rows, disorder, overlap; all of them when none is named
    #[arg(long = "axis", value_name = "NAME", value_delimiter = ',', value_parser = axis)]
    axes: Vec<Axis>,
    /// Draw the curves into an SVG file
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Fail when a cost grows more than it may; machines are noisy, so it is only said otherwise
    #[arg(long)]
    strict: bool,
    /// Print one JSON object a line instead of tables
    #[arg(long)]
    json: bool,
    /// Measure that point of the one axis in this process: what the command starts for each measurement
    #[arg(long, hide = true, value_name = "PLACE", requires = "engine")]
    here: Option<usize>,
    /// What is measured here
    #[arg(long, hide = true, value_name = "NAME", value_parser = super::bench::subject)]
    engine: Option<Subject>,
}

/// How many processes share the runs of a measurement: more than for the workloads, as what is compared lies
/// minutes apart.
const ROUNDS: u32 = 3;

fn axis(name: &str) -> Result<Axis, String> {
    let names = || Axis::ALL.map(Axis::name).join(", ");
    Axis::named(name).ok_or_else(|| format!("the axes are {}", names()))
}

pub(super) fn growth(args: &GrowthArgs, console: &mut Console) -> Done {
    if let (Some(place), Some(subject)) = (args.here, args.engine) {
        return here(args, place, subject, console);
    }
    if let Some(path) = &args.chart {
        // Minutes of measuring are not to end in an error that could have been told at once.
        check_writable(path).map_err(|e| failure(&e, console))?;
    }
    let axes = if args.axes.is_empty() { Axis::ALL.as_slice() } else { &args.axes };
    let mut curves: Vec<Curve> = Vec::new();
    for axis in Axis::ALL.into_iter().filter(|axis| axes.contains(axis)) {
        let pairs = measure(axis, args, console)?;
        let text = if args.json { lines(axis, &pairs) } else { table(axis, &pairs) };
        console.print(&text)?;
        // A long command's results are seen as they come.
        console.flush()?;
        curves.push((axis, pairs));
    }
    console.say("measuring state …");
    let held = Held::measure(args.records, &crate::give_back).map_err(|e| failure(&e, console))?;
    let text = if args.json { held_lines(&held) } else { held_text(&held) };
    console.print(&text)?;
    if let Some(path) = &args.chart {
        chart(path, &curves, &held).map_err(|e| failure(&e, console))?;
    }
    judged(args.strict, curves.iter().filter_map(|(axis, pairs)| Verdict::of(*axis, pairs)))
}

/// How the command ends: a limit that is missed is a failure only where that is asked for.
fn judged(strict: bool, mut verdicts: impl Iterator<Item = Verdict>) -> Done {
    match strict && !verdicts.all(|verdict| verdict.met()) {
        true => Err(Failure::Check),
        false => Ok(()),
    }
}

fn chart(path: &Path, curves: &[Curve], held: &[Held]) -> highwater_engine::error::Result<()> {
    write_atomically(path, draw(curves, held)?.as_bytes())
}

/// The hidden side: a point measured for one of the two.
fn here(args: &GrowthArgs, place: usize, subject: Subject, console: &mut Console) -> Done {
    let point = match args.axes.as_slice() {
        [axis] => axis.points(args.records).get(place).copied(),
        _ => None,
    };
    let Some(point) = point else {
        console.say("error: --here measures a point of one axis");
        return Err(Failure::Input);
    };
    answer(point.measure(subject, args.repeats), console)
}

/// All points of an axis, first by the loop, then by the engine, whose totals are compared.
fn measure(axis: Axis, args: &GrowthArgs, console: &mut Console) -> Done<Vec<Pair>> {
    let points = axis.points(args.records);
    let places = points.iter().enumerate();
    let turns: Vec<Turn> = places
        .flat_map(|(place, point)| {
            [Subject::Loop, Subject::Native].map(|subject| turn(place, point, subject, args))
        })
        .collect();
    let mut measured = in_turns(&turns, (ROUNDS, args.repeats), console)?.into_iter();
    let mut pairs = Vec::new();
    for point in points {
        // As many as there are turns.
        let (Some(by_hand), Some(engine)) = (measured.next(), measured.next()) else { break };
        let both = by_hand.and_then(|by_hand| Ok((by_hand, engine?)));
        let pair = both.and_then(|(by_hand, engine)| {
            Pair::new(point, by_hand, engine).map_err(|error: Box<Diagnostic>| *error)
        });
        pairs.push(pair.map_err(|error| failure(&error, console))?);
    }
    Ok(pairs)
}

/// What [`here`] is asked.
fn turn(place: usize, point: &Point, subject: Subject, args: &GrowthArgs) -> Turn {
    let (axis, engine) = (point.axis.name(), subject.name());
    let mut arguments: Vec<OsString> =
        ["bench", "growth", "--axis", axis, "--engine", engine].map(OsString::from).into();
    let numbers = [place.to_string(), args.records.to_string()];
    for (option, number) in ["--here", "--records"].into_iter().zip(numbers) {
        arguments.extend([option.into(), number.into()]);
    }
    Turn { name: format!("{axis} {}, {engine}", point.label()), arguments }
}

/// The lines of `--json` of an axis, its verdict last.
fn lines(axis: Axis, pairs: &[Pair]) -> String {
    let measurements = pairs.iter().flat_map(Pair::lines);
    let verdict = Verdict::of(axis, pairs).map(|verdict| verdict.line());
    measurements.chain(verdict).map(|line| format!("{line}\n")).collect()
}

fn table(axis: Axis, pairs: &[Pair]) -> String {
    let mut text = format!(
        "{}: {}{}\n{:>15} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11} {:>8}\n",
        axis.title(),
        axis.about(),
        axis.note(),
        axis.name(),
        "M events/s",
        "ns an event",
        "(the loop)",
        "ratio (cpu)",
        "rows",
        "rows/event",
        "late",
        "peak MB",
    );
    for pair in pairs {
        text += &row(pair);
    }
    if let Some(verdict) = Verdict::of(axis, pairs) {
        text += &format!("{}\n", verdict.text());
    }
    text + "\n"
}

fn row(pair: &Pair) -> String {
    let ((engine, by_hand), [_, line]) = (pair.costs(), pair.lines());
    let number = |field: &str| line[field].as_f64().unwrap_or(f64::NAN);
    // A JSON value knows no width.
    let whole = |field: &str| line[field].to_string();
    format!(
        "{:>15} {:>11.1} {engine:>11.2} {by_hand:>11.2} {:>11.2} {:>11} {:>11.3} {:>11} {:>8.0}\n",
        pair.point.label(),
        1e3 / engine,
        number("ratio"),
        whole("rows"),
        number("rows_per_event"),
        whole("late"),
        number("peak_rss_mb"),
    )
}

fn held_lines(held: &[Held]) -> String {
    let lines = held.iter().map(Held::line);
    lines.map(|line: Json| format!("{line}\n")).collect()
}

fn held_text(held: &[Held]) -> String {
    let mut text =
        "State of a count, a sum and a maximum: bytes a key in an open window, the table of keys \
         included;\nin memory as the process grows, spare room for more keys included\n"
            .to_owned();
    text += &format!("{:>15} {:>11} {:>11} {:>11}\n", "open windows", "keys", "snapshot", "memory");
    for held in held {
        let (snapshot, resident) = (held.each(held.snapshot), held.each(held.resident));
        text +=
            &format!("{:>15} {:>11} {snapshot:>11.1} {resident:>11.1}\n", held.panes, held.keys);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_limit_fails_strictly_and_is_only_said_else() {
        let verdicts = |growths: [f64; 2]| {
            growths.into_iter().map(|growth| Verdict { axis: Axis::Overlap, growth, limit: 2.0 })
        };
        assert!(matches!(judged(true, verdicts([1.0, 2.1])), Err(Failure::Check)));
        assert!(judged(false, verdicts([1.0, 2.1])).is_ok());
        assert!(judged(true, verdicts([1.0, 1.9])).is_ok());
    }
}
