//! `highwater torture`: a job crashed at every step, and again at every step of its recovery.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use highwater::escape::visible_lines;
use highwater_engine::session::{Delivery, Every, Guarantee, Options, Session, Torture, Victim};
use serde_json::json;

use super::console::Console;
use super::input::read;
use super::progress::Progress;
use super::{Done, Failure};

#[derive(Args)]
pub(super) struct TortureArgs {
    /// A scenario (.md) or a script (.sql)
    file: PathBuf,
    /// What the job promises (default: the script's)
    #[arg(long, value_parser = names())]
    guarantee: Option<String>,
    /// What crashes: a task, one after the other; the coordinator; the snapshot store with a task; or each in turn, `all`
    #[arg(long, default_value = "task", value_parser = victims())]
    at: String,
    /// Crash behind every so many steps only
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Crash a second time behind every so many steps of the recovery only
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    again: u64,
    /// Crash once a run, not a second time in the recovery
    #[arg(long, conflicts_with = "again")]
    once: bool,
    /// Print a JSON object instead of text
    #[arg(long)]
    json: bool,
    /// The seed of the schedule and of generators (default: the script's)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Into how many subtasks keyed operators are split (default: the script's)
    #[arg(long, value_name = "N")]
    parallelism: Option<u32>,
}

/// Every guarantee, one after the other; everything that can crash.
const ALL: &str = "all";

fn names() -> PossibleValuesParser {
    Guarantee::NAMES.iter().copied().chain([ALL]).collect::<Vec<_>>().into()
}

fn victims() -> PossibleValuesParser {
    Victim::ALL.iter().map(|(name, _)| *name).chain([ALL]).collect::<Vec<_>>().into()
}

pub(super) fn torture(args: &TortureArgs, console: &mut Console) -> Done {
    let input = read(&args.file, console)?;
    let files = input.files(console)?;
    let options = Options { seed: args.seed, parallelism: args.parallelism, batch_rows: None };
    let session = input.session(&files, &options, console)?;
    let jobs: Vec<Session> = match &args.guarantee {
        None => vec![session],
        Some(name) => Guarantee::named(name)
            .map_or_else(|| Guarantee::ALL.to_vec(), |one| vec![one])
            .into_iter()
            .map(|one| session.promising(one))
            .collect(),
    };
    let wanted = Victim::ALL.iter().filter(|(name, _)| args.at == ALL || args.at == *name);
    let victims: Vec<Victim> = wanted.map(|(_, victim)| *victim).collect();
    let again = (!args.once).then_some(args.again);
    let every = Every { victims: &victims, step: args.every, again };
    let mut kept = true;
    for job in jobs {
        let mut progress = Progress::new("runs", None);
        let found = job.torture(every, &mut |runs, share| progress.at(runs.into(), Some(share)));
        drop(progress);
        let found = found.map_err(|e| console.errors(&[*e], &input.sources))?;
        kept &= found.violated == 0;
        let told = if args.json { line(&found) } else { report(&found) };
        console.print(&visible_lines(&told))?;
    }
    if kept { Ok(()) } else { Err(Failure::Check) }
}

fn report(found: &Torture) -> String {
    let name = found.guarantee.name();
    let mut text = format!(
        "{name}: {} steps, {} runs with a crash, {} with a second one in the recovery\n{}",
        found.steps,
        found.single,
        found.double,
        Delivery::text(&found.tables)
    );
    if found.stopped > 0 {
        text += &format!("the restart policy has ended {} of them\n", found.stopped);
    }
    if found.counted_twice > 0 {
        text += &format!(
            "{} of them went on from states for which nobody had waited: records may count twice in them\n",
            found.counted_twice
        );
    }
    if found.violated == 0 {
        text += &format!("{name} holds in all of them\n");
    } else {
        text += &format!("{name} does not hold in {} of them, for example\n", found.violated);
    }
    for violation in &found.violations {
        let steps: Vec<String> = violation.crashes.iter().map(u64::to_string).collect();
        text += &format!("  crashed after step {}: {}\n", steps.join(", then "), violation.what);
    }
    text
}

fn line(found: &Torture) -> String {
    let table = |d: &Delivery| {
        json!({
            "table": d.table,
            "guarantee": d.promise(found.guarantee).name(),
            "expected": d.expected,
            "delivered": d.delivered,
            "lost": d.lost,
            "duplicated": d.duplicated,
            "reordered": d.reordered,
            "wrong": d.wrong,
            "overwritten": d.overwritten,
        })
    };
    let violations = found.violations.iter().map(|v| json!({"crashes": v.crashes, "what": v.what}));
    let object = json!({
        "guarantee": found.guarantee.name(),
        "steps": found.steps,
        "single": found.single,
        "double": found.double,
        "stopped": found.stopped,
        "counted_twice": found.counted_twice,
        "tables": found.tables.iter().map(table).collect::<Vec<_>>(),
        "violated": found.violated,
        "violations": violations.collect::<Vec<_>>(),
    });
    format!("{object}\n")
}
