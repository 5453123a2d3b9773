//! `highwater state`: what an operator holds, after a record or as of a checkpoint.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use highwater::escape::visible_lines;
use highwater_engine::session::{Kept, Options, jsonl_row, text_table};

use super::Done;
use super::console::Console;
use super::input::read;

#[derive(Args)]
pub(super) struct StateArgs {
    /// A scenario (.md) or a script (.sql)
    file: PathBuf,
    /// The operator, by the name that `highwater explain` gives it (default: list them)
    operator: Option<String>,
    /// Only the rows for which this condition over the operator's columns is TRUE, such as "k = 'a'"
    #[arg(long = "where", value_name = "CONDITION", requires = "operator")]
    wanted: Option<String>,
    /// Ask after the record of this number (default: the last)
    #[arg(long, value_name = "N", conflicts_with = "checkpoint")]
    after: Option<u64>,
    /// Ask as of this checkpoint
    #[arg(long, value_name = "N")]
    checkpoint: Option<u64>,
    /// How rows are printed
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// The seed of the schedule and of generators (default: the script's)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Into how many subtasks keyed operators are split (default: the script's)
    #[arg(long, value_name = "N")]
    parallelism: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(super) fn state(args: &StateArgs, console: &mut Console) -> Done {
    let input = read(&args.file, console)?;
    let files = input.files(console)?;
    let options = Options { seed: args.seed, parallelism: args.parallelism, batch_rows: None };
    let opened = input.session(&files, &options, console)?;
    let Some(operator) = &args.operator else {
        let names: String = opened.holders().iter().map(|name| format!("{name}\n")).collect();
        return console.print(&visible_lines(&names));
    };
    let wanted = args.wanted.as_deref();
    let mut session = opened;
    let kept = match args.checkpoint {
        Some(checkpoint) => {
            session.step(u64::MAX);
            session.state_at(checkpoint, operator, wanted)
        }
        None => session.stand_after(args.after).and_then(|()| session.state(operator, wanted)),
    };
    let kept = kept.map_err(|e| console.errors(&[*e], &input.sources))?;
    for part in &kept {
        let text = match args.format {
            Format::Table => table(part),
            Format::Json => {
                part.rows.iter().map(|row| jsonl_row(&part.schema, None, row) + "\n").collect()
            }
        };
        if kept.len() > 1 && args.format == Format::Table {
            console.print(&format!("{}:\n", part.part))?;
        }
        console.print(&visible_lines(&text))?;
    }
    Ok(())
}

fn table(part: &Kept) -> String {
    let header: Vec<String> = part.schema.fields.iter().map(|f| f.name.clone()).collect();
    let cell =
        |v: &highwater_engine::value::Value| if v.is_null() { "NULL".into() } else { v.to_text() };
    let rows: Vec<Vec<String>> =
        part.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    text_table(&header, &rows)
}
