//! `highwater help`: of a command, or on a topic.

use clap::{Args, CommandFactory as _};

use super::console::Console;
use super::{Cli, Done, Failure};

#[derive(Args)]
pub(super) struct HelpArgs {
    /// A command, or `sql`: the language, its functions, connectors and settings
    topic: Option<String>,
}

pub(super) fn help(args: &HelpArgs, console: &mut Console) -> Done {
    let mut cli = Cli::command();
    let text = match args.topic.as_deref() {
        None => cli.render_long_help(),
        Some("sql") => return console.print(&sql()),
        Some(topic) => {
            // Built, so that the usage line knows the command's full name.
            cli.build();
            match cli.find_subcommand_mut(topic) {
                Some(command) => command.render_long_help(),
                None => {
                    console.say(&format!("error: no command or topic `{topic}`"));
                    console.say("help: topics: `sql`; commands: see `highwater help`");
                    return Err(Failure::Input);
                }
            }
        }
    };
    console.print(&format!("{text}\n"))
}

/// The language as the engine's own lists have it.
fn sql() -> String {
    String::new()
}
