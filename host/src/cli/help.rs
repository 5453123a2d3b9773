//! `highwater help`: of a command, or on a topic.

use clap::{Args, CommandFactory as _};
use highwater_engine::sim::fault::KINDS;
use highwater_engine::sql::{manual, profiles};
use highwater_engine::time::format_duration;

use super::console::Console;
use super::{Cli, Done, Failure};

#[derive(Args)]
pub(super) struct HelpArgs {
    /// A command, `sql` (the language), `faults` (what can be broken), or `profiles` (whose small print can be
    /// followed)
    topic: Option<String>,
    /// Of `sql`: the statement, clause, function, option or setting to show
    #[arg(num_args = 0..)]
    entry: Vec<String>,
}

pub(super) fn help(args: &HelpArgs, console: &mut Console) -> Done {
    let mut cli = Cli::command();
    let text = match (args.topic.as_deref(), args.entry.is_empty()) {
        (None, _) => cli.render_long_help(),
        (Some("sql"), true) => return console.print(&manual::text()),
        (Some("sql"), false) => return entry(&args.entry.join(" "), console),
        (Some("faults"), true) => return console.print(&faults()),
        (Some("profiles"), true) => return console.print(&profiles::table()),
        (Some(topic), true) => {
            // Built, so that the usage line knows the command's full name.
            cli.build();
            match cli.find_subcommand_mut(topic) {
                Some(command) => command.render_long_help(),
                None => {
                    console.say(&format!("error: no command or topic `{topic}`"));
                    console.say(
                        "help: topics: `sql`, `faults`, `profiles`; commands: see `highwater help`",
                    );
                    return Err(Failure::Input);
                }
            }
        }
        (Some(topic), false) => {
            console.say(&format!("error: `{topic}` has no entries"));
            console.say("help: `highwater help sql NAME` shows an entry of the language");
            return Err(Failure::Input);
        }
    };
    console.print(&format!("{text}\n"))
}

/// Every kind of fault, as the registry has them.
fn faults() -> String {
    let mut text = "A line of a `faults` block says when and what:\n\n  \
        at now …\n  \
        at 12s …        so long after the job's start\n  \
        at 5s..20s …    at a moment between, drawn from the seed\n  \
        at 2024-05-01 12:00:07 …\n  \
        on EVENT [N] …  right behind the N-th event of this name in the trace: `on checkpoint-start 2 …`\n\n\
        What lasts takes `for 3 s` behind it. What delays the input is a part of it: deliveries are judged by a run whose input is as late.\n\
        A source without a partition behind it is all of its partitions.\n\n"
        .to_owned();
    for kind in KINDS {
        let (syntax, means, example) = (kind.syntax(), kind.means, kind.example());
        text += &format!("{syntax}\n    {means}\n");
        // What has no end unless it is given one says so itself.
        if let Some(micros) = kind.lasts.filter(|micros| *micros < u64::MAX) {
            let lasts = format_duration((micros / 1_000) as i64);
            text += &format!("    It lasts {lasts} unless the line says otherwise.\n");
        }
        text += &format!("    {example}\n");
    }
    text
}

/// One entry of the language. Its name may have blanks, quoted or not.
fn entry(name: &str, console: &mut Console) -> Done {
    if let Some(text) = manual::entry(name) {
        return console.print(&text);
    }
    console.say(&format!("error: the language has no entry `{name}`"));
    console.say(&match manual::near(name) {
        Some(near) => format!("help: did you mean `{near}`?"),
        None => "help: `highwater help sql` lists them all".to_owned(),
    });
    Err(Failure::Input)
}
