//! `highwater why`: answers about windows, records, rows held and rows made, each tried before it is given.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use highwater::escape::visible_lines;
use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::session::Options;
use highwater_engine::session::why::{Wanted, Why};
use highwater_engine::time::parse_timestamp;

use super::Done;
use super::console::Console;
use super::input::read;

#[derive(Args)]
pub(super) struct WhyArgs {
    /// A scenario (.md) or a script (.sql)
    file: PathBuf,
    #[command(subcommand)]
    question: Question,
    /// The seed of the schedule and of generators (default: the script's)
    #[arg(long, value_name = "N", global = true)]
    seed: Option<u64>,
    /// Into how many subtasks keyed operators are split (default: the script's)
    #[arg(long, value_name = "N", global = true)]
    parallelism: Option<u32>,
}

#[derive(Subcommand)]
enum Question {
    /// Why has this window not fired, and which record would fire it?
    Window {
        /// Ask after the record of this number (default: the last)
        #[arg(long, value_name = "N")]
        after: Option<u64>,
        /// The window's key, as the trace shows it
        #[arg(long, value_name = "K")]
        key: Option<String>,
        /// When the window ends
        #[arg(long, value_name = "TIME", value_parser = time)]
        end: Option<i64>,
    },
    /// Why was this record dropped, or kept, and which delay of the watermark turns that round?
    Record {
        /// The record's number, as the trace and `expect late` show it
        number: u64,
    },
    /// Why is this row still in a join's state, and which watermark frees it?
    Held {
        /// Ask after the record of this number (default: the last)
        #[arg(long, value_name = "N")]
        after: Option<u64>,
        /// Only the rows of this record
        #[arg(long, value_name = "N")]
        record: Option<u64>,
    },
    /// Where is everything: what has each task taken in, passed on, dropped, and what does it hold?
    Ledger {
        /// Ask after the record of this number (default: the last)
        #[arg(long, value_name = "N")]
        after: Option<u64>,
    },
    /// Which input records made this row?
    Row {
        /// The table it is in; `result` for a last SELECT
        table: String,
        /// The row's number there, from 1
        number: usize,
    },
}

fn time(text: &str) -> Result<i64, String> {
    parse_timestamp(text).ok_or_else(|| "expected a time such as 2024-05-01 08:00:30".to_owned())
}

pub(super) fn why(args: &WhyArgs, console: &mut Console) -> Done {
    let input = read(&args.file, console)?;
    let files = input.files(console)?;
    let options = Options { seed: args.seed, parallelism: args.parallelism, batch_rows: None };
    let (name, text) = (input.script.short_name(), &input.script.text);
    let sandbox = Arc::new(WasmtimeSandbox::default());
    let answer = Why::open(name, text, &files, sandbox, &options).and_then(|why| {
        Ok(match &args.question {
            Question::Window { after, key, end } => {
                let wanted = Wanted { key: key.clone(), end: *end };
                why.window(*after, &wanted)?.text(&why)
            }
            Question::Record { number } => why.record(*number)?.text(&why),
            Question::Held { after, record } => why.held(*after, *record)?.text(&why),
            Question::Ledger { after } => why.ledger(*after)?,
            Question::Row { table, number } => why.row(Some(table), *number)?.text(&why),
        })
    });
    let answer = answer.map_err(|e| console.errors(&e, &input.sources))?;
    console.print(&visible_lines(&answer))
}
