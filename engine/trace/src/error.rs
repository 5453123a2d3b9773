//! What a user did wrong, said so that it can be mended: code, place, message, hint. Bugs panic.

use std::fmt;

/// A place in a text: line and column counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A stretch of text, the end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first character.
    pub start: Position,
    /// The place after the last character.
    pub end: Position,
}

/// One thing that is wrong, with all a front end needs to show it well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable dotted code, such as `sql.unknown-column`.
    pub code: &'static str,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The file or block the place refers to, as the user knows it.
    pub source: Option<String>,
    /// Where.
    pub span: Option<Span>,
}

/// A user's error. Boxed, so that the happy path stays narrow.
pub type Error = Box<Diagnostic>;
/// The result of everything a user can get wrong.
pub type Result<T> = std::result::Result<T, Error>;

impl Diagnostic {
    /// A diagnostic without place or hint.
    pub fn new(code: &'static str, message: impl Into<String>) -> Error {
        Box::new(Diagnostic { code, message: message.into(), hint: None, source: None, span: None })
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self: Box<Self>, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a place, unless it already has one.
    #[must_use]
    pub fn at(mut self: Box<Self>, span: Span) -> Error {
        self.span.get_or_insert(span);
        self
    }

    /// The same with the name of the text the place is in, unless it already has one.
    #[must_use]
    pub fn in_source(mut self: Box<Self>, source: &str) -> Error {
        self.source.get_or_insert_with(|| source.to_owned());
        self
    }

    /// The JSON form the page and embedders read:
    /// `{code, message, hint, source, line, column, end_line, end_column}`, absent parts null.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "source": self.source,
            "line": self.span.map(|s| s.start.line),
            "column": self.span.map(|s| s.start.column),
            "end_line": self.span.map(|s| s.end.line),
            "end_column": self.span.map(|s| s.end.column),
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source}:")?;
        }
        if let Some(span) = &self.span {
            write!(f, "{}:{}:", span.start.line, span.start.column)?;
        }
        if self.source.is_some() || self.span.is_some() {
            f.write_str(" ")?;
        }
        write!(f, "{} [{}]", self.message, self.code)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
