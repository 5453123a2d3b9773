//! Diagnostics of the SQL front end: places, suggestions, and sqlparser's own errors in our form.

use sqlparser::ast::Spanned;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Span as TokenSpan};

use crate::error::{Diagnostic, Error, Position, Span};

/// The message under which a hook of the dialect hands one of our own diagnostics through sqlparser.
pub(super) const OWN_ERROR: &str = "diagnostic";

/// A place of sqlparser as ours; `None` when it is unknown there.
pub(super) fn span(at: TokenSpan) -> Option<Span> {
    (at.start.line > 0).then(|| Span { start: position(at.start), end: position(at.end) })
}

fn position(at: Location) -> Position {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: number(at.line), column: number(at.column) }
}

/// Fills in the place of a part of the parse tree, as far as sqlparser knows it.
pub(super) trait Locate {
    /// The error at that part.
    fn located(self, part: &impl Spanned) -> Error;
    /// The error at that token's span.
    fn located_at(self, at: TokenSpan) -> Error;
}

impl Locate for Error {
    fn located(self, part: &impl Spanned) -> Error {
        self.located_at(part.span())
    }

    fn located_at(self, at: TokenSpan) -> Error {
        match span(at) {
            Some(span) => self.at(span),
            None => self,
        }
    }
}

/// Something Flink has and this engine has not: said with what is possible instead.
pub(super) fn unsupported(what: impl Into<String>, instead: impl Into<String>) -> Error {
    Diagnostic::new("sql.unsupported", what).hint(instead)
}

/// An unknown name, with the nearest known one as the hint.
pub(super) fn unknown<'a>(
    code: &'static str,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    otherwise: impl Into<String>,
) -> Error {
    let hint = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => otherwise.into(),
    };
    let error = Diagnostic::new(code, format!("unknown {what} `{name}`"));
    if hint.is_empty() { error } else { error.hint(hint) }
}

/// The candidate nearest to a name by edit distance, if one is near enough to be meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().take(64).collect();
    let limit = ((wanted.len() + 1) / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let letters: Vec<char> = candidate.to_lowercase().chars().take(64).collect();
        let distance = edit_distance(&wanted, &letters);
        if distance <= limit && distance < letters.len() && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut table = vec![0; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = table[(i - 1) * width + j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least =
                    replaced.min(table[(i - 1) * width + j] + 1).min(table[i * width + j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(table[(i - 2) * width + j - 2] + 1);
                }
                least
            };
        }
    }
    table[a.len() * width + b.len()]
}

/// An error of sqlparser as a diagnostic. `end` is where the statement ends, for errors without a place.
pub(super) fn from_parser(error: &ParserError, end: Span) -> Error {
    let text = match error {
        ParserError::RecursionLimitExceeded => {
            return Diagnostic::new("sql.too-deep", "the statement is nested too deeply")
                .hint("split it with CREATE VIEW")
                .at(end);
        }
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
    };
    let (message, place) = split_place(text);
    let lowered =
        message.replacen("Expected: ", "expected ", 1).replacen(", found: ", ", found ", 1);
    let found = message.split_once("found: ").map(|(_, found)| found.trim().to_owned());
    let message = match found.as_deref() {
        Some("EOF") => lowered.replace("found EOF", "found the end of the statement"),
        _ => lower_first(&lowered),
    };
    let mut diagnostic = Diagnostic::new("sql.syntax", message.trim_end_matches('.').to_owned());
    if let Some(hint) = syntax_hint(text, found.as_deref()) {
        diagnostic = diagnostic.hint(hint);
    }
    match place {
        Some(start) => {
            let length = found.filter(|f| f != "EOF").map_or(1, |f| f.chars().count());
            let column = start.column.saturating_add(u32::try_from(length).unwrap_or(1));
            diagnostic.at(Span { start, end: Position { line: start.line, column } })
        }
        None => diagnostic.at(end),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), text.chars().nth(1)) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// Words that are hardly meant as names.
const CLAUSES: [&str; 12] = [
    "FROM", "WHERE", "GROUP", "HAVING", "SELECT", "AS", "WITH", "INSERT", "CREATE", "AND", "OR",
    "THEN",
];

fn syntax_hint(text: &str, found: Option<&str>) -> Option<String> {
    if text.contains("Unterminated string literal") {
        return Some("close the string with a single quote; a quote inside is written ''".into());
    }
    if text.contains("Unterminated encapsulated identifier") || text.contains("Expected close deli")
    {
        return Some("close the name with a backtick `".into());
    }
    match found? {
        "EOF" | ";" => Some("the statement ends too early: is a parenthesis not closed?".into()),
        f if f.starts_with('"') => {
            Some("strings take single quotes '…', names take backticks `…`".into())
        }
        "`" => Some("names are quoted with a backtick at both ends".into()),
        _ if text.contains("Expected: )") => {
            Some("is a parenthesis not closed before this?".into())
        }
        f if CLAUSES.contains(&f.to_ascii_uppercase().as_str()) => {
            Some("something before it is missing or too much".into())
        }
        f if f.chars().all(|c| c.is_alphanumeric() || c == '_') && !f.is_empty() => Some(format!(
            "if `{f}` is a name, put it in backticks; else something before it is missing or too much"
        )),
        _ => None,
    }
}

/// Cuts ` at Line: 3, Column: 5` from the end of a message.
fn split_place(text: &str) -> (&str, Option<Position>) {
    let Some((message, place)) = text.rsplit_once("at Line: ") else { return (text, None) };
    let parsed = place.split_once(", Column: ").and_then(|(line, column)| {
        Some(Position { line: line.parse().ok()?, column: column.trim().parse().ok()? })
    });
    match parsed {
        Some(position) if position.line > 0 => (message.trim_end(), Some(position)),
        Some(_) => (message.trim_end(), None),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_close_or_nothing() {
        let known = ["quakes", "counts", "net"];
        assert_eq!(nearest("quaks", known), Some("quakes"));
        assert_eq!(nearest("uqakes", known), Some("quakes"), "a swap is one step");
        assert_eq!(nearest("NTE", known), Some("net"));
        assert_eq!(nearest("planes", known), None);
        assert_eq!(nearest("x", ["y"]), None, "replacing everything is not near");
    }

    #[test]
    fn places_are_cut_from_messages() {
        let (message, place) = split_place("Expected: ), found: EOF at Line: 3, Column: 14");
        assert_eq!(message, "Expected: ), found: EOF");
        assert_eq!(place, Some(Position { line: 3, column: 14 }));
        assert_eq!(split_place("no place"), ("no place", None));
    }
}
