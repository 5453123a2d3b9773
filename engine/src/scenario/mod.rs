//! A scenario: one Markdown file that is a lesson, an input, a fault plan and a test at once.

mod fence;
mod html;
mod markdown;
mod settings;

use std::ops::Range;

use self::fence::Fence;
pub use self::fence::rewrite;
use crate::error::{Diagnostic, Error, Position, Span};
use crate::source::{Block, Blocks};

/// All that a scenario's file says.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// The file's name, as messages call it.
    pub name: String,
    /// The pieces of the script, in order.
    pub sql: Vec<Fragment>,
    /// The records in the file, by table.
    pub blocks: Blocks,
    /// The lines of all `faults` blocks, each with its line in the file.
    pub faults: Vec<(u32, String)>,
    /// The knobs of the run.
    pub knobs: Knobs,
    /// What a run must show.
    pub expects: Vec<Expect>,
}

/// A piece of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The SQL, lines ended by `\n`.
    pub text: String,
    /// The line of the file where it begins, from 1.
    pub first_line: u32,
    /// For each line, the characters to the left of it in the file.
    pub indents: Vec<u32>,
}

/// What a `toml settings` block may set; what is not set is for the front end to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knobs {
    /// The seed of everything that is drawn.
    pub seed: Option<u64>,
    /// Subtasks an operator, at least 1.
    pub parallelism: Option<u16>,
    /// Rows a batch, at least 1.
    pub batch_rows: Option<u32>,
}

/// What an `expect` block compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectKind {
    /// The rows of a result as they came; the argument is the table, if not the only one.
    Rows,
    /// The rows that are left of a result in the end, by their values: what its changelog comes to.
    Table,
    /// The text of the trace; the argument holds the names of the events, if not all.
    Trace,
    /// The late records.
    Late,
    /// How many rows are lost, duplicated, reordered or wrong, against a run without the faults; the argument is
    /// a guarantee, if another than the script's is to be tried.
    Delivery,
    /// The hash of the trace.
    Hash,
}

impl ExpectKind {
    /// All kinds with their names in a fence.
    pub const ALL: [(&str, ExpectKind); 6] = [
        ("rows", ExpectKind::Rows),
        ("table", ExpectKind::Table),
        ("trace", ExpectKind::Trace),
        ("late", ExpectKind::Late),
        ("delivery", ExpectKind::Delivery),
        ("hash", ExpectKind::Hash),
    ];
}

/// An `expect` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// What it compares with.
    pub kind: ExpectKind,
    /// The words after the kind, one space apart; empty where there are none.
    pub argument: String,
    /// The settings of the run that it is of, when that is not the script's own: those behind `with`.
    pub settings: Vec<(String, String)>,
    /// What must come out, lines ended by `\n`.
    pub text: String,
    /// The line of the file where the text begins, from 1.
    pub first_line: u32,
    /// The opening fence, for messages.
    pub span: Span,
    /// The bytes of the file that hold the text, for [`rewrite`].
    pub range: Range<usize>,
}

impl Scenario {
    /// The whole script.
    pub fn script(&self) -> String {
        self.sql.iter().map(|fragment| fragment.text.as_str()).collect()
    }

    /// The place in the file of a place in [`script`](Scenario::script).
    pub fn place(&self, position: Position) -> Position {
        let mut line = position.line;
        let last = self.sql.len().saturating_sub(1);
        for (i, fragment) in self.sql.iter().enumerate() {
            let count = fragment.text.lines().count() as u32;
            // The end of the script belongs to its last piece.
            if line <= count || i == last {
                let index = line.saturating_sub(1) as usize;
                let indent = fragment.indents.get(index).copied().unwrap_or(0);
                return Position {
                    line: fragment.first_line + line.saturating_sub(1),
                    column: position.column + indent,
                };
            }
            line -= count;
        }
        position
    }

    /// The diagnostic about the script, placed in the file.
    pub fn placed(&self, mut diagnostic: Error) -> Error {
        if diagnostic.source.is_none()
            && let Some(span) = &mut diagnostic.span
        {
            *span = Span { start: self.place(span.start), end: self.place(span.end) };
        }
        diagnostic.in_source(&self.name)
    }
}

/// A script without prose.
pub fn from_sql(name: &str, text: &str) -> Scenario {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    Scenario {
        name: name.to_owned(),
        sql: vec![Fragment { text, first_line: 1, indents: Vec::new() }],
        ..Scenario::default()
    }
}

/// Reads a scenario's file; `name` is what messages call it.
///
/// # Errors
/// Everything that is wrong with its blocks, in their order; the script and the records are not
/// looked into.
pub fn parse(name: &str, text: &str) -> Result<Scenario, Vec<Diagnostic>> {
    let mut scenario = Scenario { name: name.to_owned(), ..Scenario::default() };
    let mut errors = Vec::new();
    let mut settings_at = None;
    for fence in markdown::fences(text) {
        let info: Vec<_> = fence.info.iter().map(String::as_str).collect();
        let done = match info.as_slice() {
            ["sql", ..] => {
                scenario.push_sql(&fence);
                Ok(())
            }
            ["jsonl" | "csv", _, ..] => scenario.push_block(&fence),
            ["faults"] => {
                scenario.push_faults(&fence);
                Ok(())
            }
            ["toml", "settings"] => match settings_at.replace(fence.line) {
                Some(line) => Err(Diagnostic::new(
                    "scenario.two-settings",
                    format!("the settings are in line {line} already"),
                )
                .hint("put all settings into one block")
                .at(fence.span())),
                None => scenario.read_knobs(&fence),
            },
            ["expect", rest @ ..] => scenario.push_expect(&fence, rest),
            _ => Ok(()),
        };
        if let Err(error) = done {
            errors.push(*error.in_source(name));
        }
    }
    if scenario.sql.is_empty() {
        let start = Position { line: 1, column: 1 };
        let error = Diagnostic::new("scenario.no-sql", "the scenario has no SQL")
            .hint("add a block that begins with ```sql")
            .at(Span { start, end: start });
        errors.push(*error.in_source(name));
    }
    if errors.is_empty() { Ok(scenario) } else { Err(errors) }
}

/// The fenced blocks of a Markdown text in their order, whatever they are: the words behind the fence, and the content,
/// lines ended by `\n`.
pub fn blocks(text: &str) -> Vec<(Vec<String>, String)> {
    markdown::fences(text).into_iter().map(|fence| (fence.info, fence.text)).collect()
}

type Done = Result<(), Error>;

impl Scenario {
    fn push_sql(&mut self, fence: &Fence) {
        let mut text = fence.text.clone();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        self.sql.push(Fragment {
            text,
            first_line: fence.first_line(),
            indents: fence.indents.clone(),
        });
    }

    fn push_block(&mut self, fence: &Fence) -> Done {
        let mut arrival = None;
        for word in &fence.info[2..] {
            match word.strip_prefix("arrival=") {
                Some(column) if !column.is_empty() => arrival = Some(column.to_owned()),
                _ => {
                    return Err(Diagnostic::new(
                        "scenario.unknown-word",
                        format!("unknown word `{word}` after the table's name"),
                    )
                    .hint("only `arrival=<column>` may follow")
                    .at(fence.span()));
                }
            }
        }
        let format = if fence.info[0] == "csv" { "csv" } else { "json" };
        self.blocks.entry(fence.info[1].clone()).or_default().push(Block {
            format: format.to_owned(),
            arrival,
            text: fence.text.clone(),
            first_line: fence.first_line(),
            indents: fence.indents.clone(),
            file: self.name.clone(),
        });
        Ok(())
    }

    fn push_faults(&mut self, fence: &Fence) {
        let lines = fence.text.lines().zip(fence.first_line()..);
        self.faults.extend(lines.filter_map(|(line, number)| {
            let line = line.trim();
            (!line.is_empty() && !line.starts_with('#')).then(|| (number, line.to_owned()))
        }));
    }

    fn read_knobs(&mut self, fence: &Fence) -> Done {
        let knobs = settings::read(&fence.text).map_err(|mistake| {
            let range = mistake.range;
            let span = Span {
                start: in_fence(fence, range.start),
                end: in_fence(fence, range.end.max(range.start + 1)),
            };
            Diagnostic::new("scenario.settings", mistake.message).at(span)
        })?;
        for (name, zero) in [
            ("parallelism", knobs.parallelism == Some(0)),
            ("batch_rows", knobs.batch_rows == Some(0)),
        ] {
            if zero {
                let at = fence.text.find(name).unwrap_or(0);
                let span =
                    Span { start: in_fence(fence, at), end: in_fence(fence, at + name.len()) };
                return Err(Diagnostic::new(
                    "scenario.settings",
                    format!("`{name}` is 0, expected at least 1"),
                )
                .at(span));
            }
        }
        self.knobs = knobs;
        Ok(())
    }

    fn push_expect(&mut self, fence: &Fence, words: &[&str]) -> Done {
        let (word, argument) = words.split_first().unwrap_or((&"", &[]));
        let Some((_, kind)) = ExpectKind::ALL.iter().find(|(name, _)| name == word) else {
            let names: Vec<_> = ExpectKind::ALL.iter().map(|(name, _)| *name).collect();
            return Err(Diagnostic::new(
                "scenario.unknown-expect",
                format!("unknown kind of expectation `{word}`"),
            )
            .hint(format!("expect {}", names.join(", expect ")))
            .at(fence.span()));
        };
        let with = argument.iter().position(|word| *word == "with").unwrap_or(argument.len());
        let (argument, settings) = (&argument[..with], argument.get(with + 1..));
        let setting = |word: &&str| match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(Diagnostic::new(
                "scenario.unknown-word",
                format!("`{word}` behind `with` is no setting"),
            )
            .hint("write KEY=VALUE, such as highwater.guarantee=at-least-once")
            .at(fence.span())),
        };
        let settings = settings.unwrap_or_default().iter().map(setting);
        let settings = settings.collect::<Result<_, _>>()?;
        let most = match kind {
            ExpectKind::Rows | ExpectKind::Table | ExpectKind::Delivery => 1,
            ExpectKind::Trace => usize::MAX,
            ExpectKind::Late | ExpectKind::Hash => 0,
        };
        if let Some(extra) = argument.get(most) {
            return Err(Diagnostic::new(
                "scenario.unknown-word",
                format!("unknown word `{extra}` after `expect {word}`"),
            )
            .at(fence.span()));
        }
        self.expects.push(Expect {
            kind: *kind,
            argument: argument.join(" "),
            settings,
            text: fence.text.clone(),
            first_line: fence.first_line(),
            span: fence.span(),
            range: fence.range.clone(),
        });
        Ok(())
    }
}

/// The place in the file of a byte of a block.
fn in_fence(fence: &Fence, byte: usize) -> Position {
    let before = fence.text.get(..byte.min(fence.text.len())).unwrap_or_default();
    let index = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let indent = fence.indents.get(index).copied().unwrap_or(0);
    Position {
        line: fence.first_line() + index as u32,
        column: before[start..].chars().count() as u32 + 1 + indent,
    }
}

#[cfg(test)]
mod tests;
