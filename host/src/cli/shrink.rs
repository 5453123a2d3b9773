//! `highwater shrink`: the least that still shows what is wrong.

use std::path::PathBuf;

use clap::Args;
use highwater::escape::visible_lines;
use highwater::simulation::{Choice, LISTS, Shrunk, seed, shrink as cut_down, shrink_file};
use highwater_engine::session::{Guarantee, Options};

use super::console::Console;
use super::input::read;
use super::{Done, Failure};

#[derive(Args)]
pub(super) struct ShrinkArgs {
    /// A scenario (.md) with faults, or a seed of `highwater sim`
    #[arg(value_name = "FILE|SEED")]
    what: String,
}

pub(super) fn shrink(args: &ShrinkArgs, console: &mut Console) -> Done {
    let shrunk = match args.what.parse::<u64>() {
        Ok(number) => of_seed(number),
        Err(_) => {
            let input = read(&PathBuf::from(&args.what), console)?;
            let files = input.files(console)?;
            input.session(&files, &Options::default(), console)?;
            shrink_file(input.script.short_name(), &input.script.text, &files)
        }
    };
    let Some(shrunk) = shrunk else {
        console.say(&format!("nothing is wrong with `{}`: its guarantee holds", args.what));
        return Err(Failure::Check);
    };
    console.say(&format!(
        "{}; {} runs, {} faults, {} records and {} statements are left",
        shrunk.what,
        shrunk.runs,
        shrunk.faults.len(),
        shrunk.records,
        shrunk.statements
    ));
    console.print(&visible_lines(&shrunk.scenario))
}

/// The first schedule of a seed that shows something.
fn of_seed(number: u64) -> Option<Shrunk> {
    let guarantees = Guarantee::ALL.to_vec();
    let choice = Choice { faults: Vec::new(), guarantees, lists: LISTS, twice: true, first: true };
    // What panics is caught and told.
    std::panic::set_hook(Box::new(|_| {}));
    let found = seed(number, &choice).violations.first().and_then(cut_down);
    drop(std::panic::take_hook());
    found
}
