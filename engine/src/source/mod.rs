//! Sources: from a table's options and bytes to chunks of decoded rows with their arrival times.
//!
//! A connector says where bytes come from, a format how records stand in them. Each is one file and
//! one line in a registry below.

pub mod arrivals;
mod builder;
pub mod columns;
mod csv;
mod datagen;
mod files;
pub mod ingest;
pub mod inlet;
mod json;
mod number;
pub mod only;
mod options;
pub mod push;
mod records;
mod scan;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;

pub use self::files::Files;
use self::records::{Part, Records, Shift};
use crate::error::{Diagnostic, Result};
use crate::numbers::Numbers;
use crate::plan::{Settings, SourceSpec};

/// The most partitions a table may have.
pub const MAX_PARTITIONS: usize = 1024;

/// Rows of one partition, decoded, in the order they stand in the input.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// One array for each column of [`SourceSpec::physical`].
    pub columns: Vec<ArrayRef>,
    /// How many rows.
    pub rows: usize,
    /// A row's position in its partition, from 0; malformed records take a position too.
    pub offsets: Numbers,
    /// A row's line in its file, from 1; for a block of a scenario, the line in the scenario's
    /// file. 0 for generated rows.
    pub lines: Numbers,
    /// When a row arrives, in microseconds of virtual time, never falling in a partition; since
    /// 1970, or since the job's start when the reader is [relative](Reader::relative).
    pub arrivals: Numbers,
    /// The malformed records among the rows, in order.
    pub bad: Vec<Bad>,
}

/// A record that could not be decoded and that the table's options allow to leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// How many rows of the chunk come before it.
    pub before_row: usize,
    /// Its position in its partition, from 0.
    pub offset: u64,
    /// The line of the offending place, counted as in [`Chunk::lines`].
    pub line: u64,
    /// The offending place in the line: a character, from 1.
    pub column: u64,
    /// When it arrives, as in [`Chunk::arrivals`].
    pub arrival: u64,
    /// What was expected and what was found.
    pub reason: String,
}

/// The rows of one partition, read forward.
pub trait Reader {
    /// The next rows, at most `max_rows` with the malformed records among them; `None` at the end.
    /// Which chunks the rows come in never changes the rows.
    ///
    /// # Errors
    /// A malformed record where the table does not allow leaving it out, when its turn comes: the
    /// rows before it have been delivered. The error is repeated by further calls.
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>>;

    /// Whether arrivals count from the job's start instead of 1970.
    fn relative(&self) -> bool;

    /// How much has been read, and of how much, in bytes or rows; `None` where nobody knows.
    fn read_of(&self) -> Option<(u64, u64)> {
        None
    }

    /// The reader in a form that may go to another thread, or as it is where it must not.
    ///
    /// # Errors
    /// The reader itself.
    fn detach(self: Box<Self>) -> Detached;
}

/// A reader that may go to another thread, or else the reader.
pub type Detached = std::result::Result<Box<dyn Reader + Send>, Box<dyn Reader>>;

/// One partition of a table.
pub struct Input {
    /// Its number.
    pub partition: u16,
    /// What messages call it: the file's name, the scenario's, or the table's.
    pub name: String,
    /// Its rows.
    pub reader: Box<dyn Reader>,
    /// Whether they all come before those of other tables: a table to look up whose records do not say when
    /// they arrive.
    pub first: bool,
}

/// A fenced block of a scenario that holds records of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// `json` (one object a line) or `csv`.
    pub format: String,
    /// The column that says when a record arrives, if the fence names one.
    pub arrival: Option<String>,
    /// The records.
    pub text: String,
    /// The line of the scenario's file where the text begins, from 1.
    pub first_line: u32,
    /// How many characters of each line the fence's own indentation took, for places in messages.
    pub indents: Vec<u32>,
    /// The name of the scenario's file.
    pub file: String,
}

/// The blocks of a scenario by table, each table's in their order.
pub type Blocks = BTreeMap<String, Vec<Block>>;

/// When the records of a table arrive.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// The column that says it.
    column: Option<usize>,
    /// Otherwise: the time between two records, in microseconds.
    interval: u64,
    relative: bool,
}

/// What a connector opens a table with.
struct Context<'a> {
    spec: &'a SourceSpec,
    settings: &'a Settings,
    files: &'a Files,
    blocks: &'a Blocks,
    seed: u64,
}

/// Opens a table for a connector.
type Connector = fn(&Context<'_>) -> Result<Vec<Input>>;

/// All connectors that can be read.
const CONNECTORS: [(&str, Connector); 3] =
    [("filesystem", open_files), ("inline", open_blocks), ("datagen", datagen::open)];

/// Opens a format over the bytes of one file or block; the flag is true for a block.
type Format = fn(&Context<'_>, &Arc<[u8]>, bool) -> Result<Box<dyn Records>>;

/// All formats of text.
const FORMATS: [(&str, Format); 2] = [("json", json::open), ("csv", csv::open)];

/// Opens the table that `spec` describes: one input a partition, by partition number.
///
/// # Errors
/// Options, settings or files that do not fit together; never the content of a record, which is
/// reported when its turn comes.
pub fn open(
    spec: &SourceSpec,
    settings: &Settings,
    files: &Files,
    blocks: &Blocks,
    seed: u64,
) -> Result<Vec<Input>> {
    let context = Context { spec, settings, files, blocks, seed };
    let Some((_, connector)) = CONNECTORS.iter().find(|(name, _)| *name == spec.connector) else {
        let names: Vec<_> = CONNECTORS.iter().map(|(name, _)| *name).collect();
        return Err(Diagnostic::new(
            "source.unknown-connector",
            format!(
                "table `{}` cannot be read with the connector '{}'",
                spec.table, spec.connector
            ),
        )
        .hint(format!("connectors that can be read: {}", names.join(", "))));
    };
    connector(&context)
}

/// `connector` = `filesystem`: one file, or a folder with one partition a file.
fn open_files(context: &Context<'_>) -> Result<Vec<Input>> {
    let path = context.required("path")?;
    let format = context.required("format")?;
    if columns::FORMATS.contains(&format) {
        return columns::open(context, path, format);
    }
    let format = format_named(context, format)?;
    context.only(
        |key| matches!(key, "path" | "format") || is_format_option(key),
        "'path', 'format' and the options of the format",
    )?;
    let files = context.files.matching(path);
    if files.is_empty() {
        return Err(Diagnostic::new(
            "source.file-not-found",
            format!("table `{}` reads '{path}', which is not there", context.spec.table),
        )
        .hint("the path is looked up relative to the script's folder"));
    }
    let part = |(name, bytes): &(&str, Arc<[u8]>)| -> Result<Part> {
        Ok(Part {
            records: (format.1)(context, bytes, false)?,
            format: format.0,
            ignore: context.flag(ignore_option(format.0), false)?,
            name: (*name).into(),
            bytes: bytes.len() as u64,
            shift: Shift::default(),
        })
    };
    if context.setting("partition").is_some() {
        return text::open(context, &|| files.iter().map(part).collect(), None, false);
    }
    check_partitions(context, files.len())?;
    let mut inputs = Vec::new();
    for (file, number) in files.iter().zip(0u16..) {
        for mut input in text::open(context, &|| Ok(vec![part(file)?]), None, false)? {
            input.partition = number;
            inputs.push(input);
        }
    }
    Ok(inputs)
}

/// `connector` = `inline`: the blocks of the scenario that bear the table's name.
fn open_blocks(context: &Context<'_>) -> Result<Vec<Input>> {
    context.only(is_format_option, "the options of the formats json and csv")?;
    let Some(blocks) = context.blocks.get(&context.spec.table).filter(|b| !b.is_empty()) else {
        return Err(Diagnostic::new(
            "source.no-block",
            format!(
                "table `{0}` is inline, but no block holds records of `{0}`",
                context.spec.table
            ),
        )
        .hint(format!("add a block that begins with ```jsonl {}", context.spec.table)));
    };
    let part = |block: &Block| -> Result<Part> {
        let format = format_named(context, &block.format)?;
        Ok(Part {
            records: (format.1)(context, &Arc::from(block.text.as_bytes()), true)?,
            format: format.0,
            ignore: context.flag(ignore_option(format.0), false)?,
            name: block.file.as_str().into(),
            bytes: block.text.len() as u64,
            shift: Shift { first_line: block.first_line, indents: block.indents.as_slice().into() },
        })
    };
    let arrival = blocks.iter().find_map(|b| b.arrival.as_deref());
    text::open(context, &|| blocks.iter().map(part).collect(), arrival, true)
}

fn format_named(context: &Context<'_>, name: &str) -> Result<(&'static str, Format)> {
    FORMATS.iter().find(|(known, _)| *known == name).copied().ok_or_else(|| {
        let names = FORMATS.iter().map(|(name, _)| *name).chain(columns::FORMATS);
        context.bad_option("format", name, &names.collect::<Vec<_>>().join(" or "))
    })
}

fn is_format_option(key: &str) -> bool {
    json::OPTIONS.contains(&key) || csv::OPTIONS.contains(&key)
}

/// The options that let a format leave out malformed records, by format.
const IGNORE: [(&str, &str); 4] = [
    ("json", "json.ignore-parse-errors"),
    ("csv", "csv.ignore-parse-errors"),
    ("parquet", "parquet.ignore-parse-errors"),
    ("arrow", "arrow.ignore-parse-errors"),
];

/// The option that lets a format leave out malformed records.
fn ignore_option(format: &str) -> &'static str {
    IGNORE.iter().find(|(name, _)| *name == format).map_or(IGNORE[0].1, |(_, option)| option)
}

fn check_partitions(context: &Context<'_>, count: usize) -> Result<()> {
    if count <= MAX_PARTITIONS {
        return Ok(());
    }
    Err(Diagnostic::new(
        "source.too-many-partitions",
        format!("table `{}` would have more than {MAX_PARTITIONS} partitions", context.spec.table),
    ))
}

#[cfg(test)]
mod tests;
