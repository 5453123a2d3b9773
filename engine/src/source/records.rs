//! What a text format is to the reader: records one after the other, decoded cell by cell.

use std::sync::Arc;

use super::builder::Builder;
use super::ignore_option;
use crate::error::{Diagnostic, Error, Position, Span};

/// The longest record, in bytes.
pub(super) const MAX_RECORD: usize = 1 << 20;

/// Where a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The byte, from 0.
    pub(super) byte: u64,
    /// The line, from 1.
    pub(super) line: u64,
}

/// Why a record cannot be decoded, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The line, from 1, in the file or block.
    pub(super) line: u64,
    /// The character in the line, from 1.
    pub(super) column: u64,
    /// What was expected and what was found.
    pub(super) reason: String,
}

/// A field that says something about the record instead of being part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reserved {
    /// `@at`: when the record arrives.
    At,
    /// `@partition`: where.
    Partition,
}

impl Reserved {
    /// Both, in the order of their numbers.
    pub(super) const ALL: [Reserved; 2] = [Reserved::At, Reserved::Partition];

    /// The field's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Reserved::At => "@at",
            Reserved::Partition => "@partition",
        }
    }
}

/// The text of a reserved field and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReservedText {
    pub(super) text: String,
    pub(super) line: u64,
    pub(super) column: u64,
}

/// The records of one file or block.
pub(super) trait Records: Send {
    /// Moves to the next record; `None` at the end. A record that is broken is a record too.
    fn advance(&mut self) -> Option<Place>;

    /// Makes the record at `place`, which `advance` told, the next one.
    fn seek(&mut self, place: Place);

    /// Adds the current record to the columns. On failure some may be longer than others.
    fn row(&self, columns: &mut [Builder]) -> Result<(), Malformed>;

    /// Adds one cell of the current record to its column.
    fn cell(&self, column: usize, into: &mut Builder) -> Result<(), Malformed>;

    /// A reserved field of the current record, if it has it.
    fn reserved(&self, field: Reserved) -> Result<Option<ReservedText>, Malformed>;

    /// How many bytes the current record takes.
    fn size(&self) -> usize;
}

/// How lines and columns of a block become those of the file it stands in.
#[derive(Clone, Debug)]
pub(super) struct Shift {
    /// The line of the file where the block begins.
    pub(super) first_line: u32,
    /// The characters to the left of each line.
    pub(super) indents: Arc<[u32]>,
}

impl Default for Shift {
    fn default() -> Shift {
        Shift { first_line: 1, indents: Arc::from([]) }
    }
}

/// A file or block with its records.
pub(super) struct Part {
    pub(super) records: Box<dyn Records>,
    /// The format's name.
    pub(super) format: &'static str,
    /// Whether malformed records are left out and counted instead of ending the job.
    pub(super) ignore: bool,
    /// The file's name.
    pub(super) name: Arc<str>,
    /// How long it is.
    pub(super) bytes: u64,
    pub(super) shift: Shift,
}

impl Part {
    /// The line of the file for a line of the part.
    pub(super) fn line(&self, local: u64) -> u64 {
        local + u64::from(self.shift.first_line.saturating_sub(1))
    }

    /// The same place, counted in the file.
    pub(super) fn place(&self, mut fault: Malformed) -> Malformed {
        let index = usize::try_from(fault.line.saturating_sub(1)).unwrap_or(usize::MAX);
        fault.column += u64::from(self.shift.indents.get(index).copied().unwrap_or(0));
        fault.line = self.line(fault.line);
        fault
    }

    /// The error for a malformed record, its place counted in the file.
    pub(super) fn error(&self, table: &str, fault: &Malformed) -> Error {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let (line, column) = (small(fault.line), small(fault.column));
        let end = Position { line, column: column.saturating_add(1) };
        Diagnostic::new(
            "source.malformed",
            format!("a record of table `{table}` is malformed: {}", fault.reason),
        )
        .hint(format!(
            "mend the record, or set '{}' = 'true' to leave such records out and count them",
            ignore_option(self.format)
        ))
        .at(Span { start: Position { line, column }, end })
        .in_source(&self.name)
    }
}

/// A piece of the input for a message: short, on one line, without control characters.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}
