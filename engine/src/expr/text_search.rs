//! Looking into text: LIKE, positions, parts.

use arrow_array::ArrayRef;

use crate::schema::DataType;

use super::args::{Args, Text};
use super::resolve::Param;
use super::{Function, Kernel, Outcome, Resolve};

const TEXT: Param = Param::Is(DataType::String);
const LONG: Param = Param::Is(DataType::BigInt);

/// A piece of a LIKE pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// This character.
    Char(char),
    /// `_`: any one.
    One,
    /// `%`: any number of any.
    Many,
}

fn pieces(pattern: &str, escape: Option<char>) -> Vec<Piece> {
    let mut chars = pattern.chars();
    let mut pieces = Vec::new();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            // An escape at the very end stands for itself.
            c if Some(c) == escape => Piece::Char(chars.next().unwrap_or(c)),
            '%' if pieces.last() == Some(&Piece::Many) => continue,
            '%' => Piece::Many,
            '_' => Piece::One,
            c => Piece::Char(c),
        });
    }
    pieces
}

/// Matches the whole text. When a piece fails, the last `%` takes one character more; an earlier one
/// never has to, so the time is at most the product of both lengths.
fn matches(text: &str, pieces: &[Piece]) -> bool {
    let (mut rest, mut next) = (text, 0);
    let mut retry: Option<(&str, usize)> = None;
    loop {
        let mut chars = rest.chars();
        let c = chars.next();
        match (pieces.get(next), c) {
            (None, None) => return true,
            (Some(Piece::Many), _) => {
                retry = Some((rest, next));
                next += 1;
                continue;
            }
            (Some(Piece::One), Some(_)) => {
                rest = chars.as_str();
                next += 1;
                continue;
            }
            (Some(Piece::Char(p)), Some(c)) if *p == c => {
                rest = chars.as_str();
                next += 1;
                continue;
            }
            _ => {}
        }
        let Some((from, many)) = retry else { return false };
        let mut chars = from.chars();
        if chars.next().is_none() {
            return false;
        }
        rest = chars.as_str();
        retry = Some((rest, many));
        next = many + 1;
    }
}

fn like(args: &Args<'_>, wanted: bool) -> ArrayRef {
    let (text, pattern) = (args.text(0), args.text(1));
    let escape = if args.has(2) { args.text(2).at(0).chars().next() } else { None };
    let mut last: Option<(&str, Vec<Piece>)> = None;
    args.each_bit(|row| {
        let pattern = pattern.at(row);
        if last.as_ref().is_none_or(|(known, _)| *known != pattern) {
            last = Some((pattern, pieces(pattern, escape)));
        }
        let pieces = last.as_ref().map_or(&[][..], |(_, pieces)| pieces);
        matches(text.at(row), pieces) == wanted
    })
}

/// The position in characters of the first `needle` from character `from` (0 is the first) on.
fn find(text: &str, needle: &str, from: usize) -> i32 {
    let Some((start, _)) =
        text.char_indices().map(|(i, c)| (i, Some(c))).chain([(text.len(), None)]).nth(from)
    else {
        return 0;
    };
    match text[start..].find(needle) {
        Some(at) => {
            let before = from + text[start..start + at].chars().count();
            i32::try_from(before + 1).unwrap_or(i32::MAX)
        }
        None => 0,
    }
}

fn position(args: &Args<'_>, needle: Text<'_>, text: Text<'_>) -> ArrayRef {
    let from = args.view_or::<i64>(2, &[1]);
    args.each_option(|row| {
        // Where the search starts before the text there is nothing to find.
        let Ok(from) = usize::try_from(from.at(row).saturating_sub(1)) else { return Some(0) };
        Some(find(text.at(row), needle.at(row), from))
    })
}

fn starts_or_ends(args: &Args<'_>, starts: bool) -> ArrayRef {
    let (text, part) = (args.text(0), args.text(1));
    args.each_bit(|row| {
        let (text, part) = (text.at(row), part.at(row));
        if starts { text.starts_with(part) } else { text.ends_with(part) }
    })
}

fn split_index(args: &Args<'_>) -> Outcome<ArrayRef> {
    let (text, delimiter, index) = (args.text(0), args.text(1), args.view::<i64>(2));
    args.try_text(|row, out| {
        let (text, delimiter) = (text.at(row), delimiter.at(row));
        let Ok(index) = usize::try_from(index.at(row)) else { return Ok(false) };
        if text.is_empty() || delimiter.is_empty() {
            return Ok(false);
        }
        let part = text.split(delimiter).nth(index);
        out.push_str(part.unwrap_or_default());
        Ok(part.is_some())
    })
}

#[allow(clippy::too_many_arguments)] // one line of a table
const fn entry(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    params: &'static [Param],
    optional: usize,
    result: DataType,
    kernel: Kernel,
) -> Function {
    let partial = matches!(result, DataType::String);
    let resolve = Resolve::Fixed { params, optional, result, partial };
    Function { name, syntax, doc, example, resolve, kernel }
}

/// The registry's part of this file.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Function] = &[
    entry("LIKE", "text LIKE pattern [ESCAPE 'c']", "Whether the whole text fits the pattern, where `%` is any text and `_` any character.",
        ("'highwater' LIKE 'hi%t_r'", "TRUE"), &[TEXT, TEXT, Param::Char], 1, DataType::Boolean, Kernel::Total(|a| like(a, true))),
    entry("NOT LIKE", "text NOT LIKE pattern [ESCAPE 'c']", "Whether the text does not fit the pattern.",
        ("'100%' NOT LIKE '100!%' ESCAPE '!'", "FALSE"), &[TEXT, TEXT, Param::Char], 1, DataType::Boolean, Kernel::Total(|a| like(a, false))),
    entry("POSITION", "POSITION(part IN text)", "The position of the first `part` in the text, 0 without one.",
        ("POSITION('wat' IN 'highwater')", "5"), &[TEXT, TEXT], 0, DataType::Int, Kernel::Total(|a| position(a, a.text(0), a.text(1)))),
    entry("LOCATE", "LOCATE(part, text[, from])", "The position of the first `part` from a position on, 0 without one.",
        ("LOCATE('a', 'banana', 3)", "4"), &[TEXT, TEXT, LONG], 1, DataType::Int, Kernel::Total(|a| position(a, a.text(0), a.text(1)))),
    entry("INSTR", "INSTR(text, part)", "The position of the first `part` in the text, 0 without one.",
        ("INSTR('banana', 'n')", "3"), &[TEXT, TEXT], 0, DataType::Int, Kernel::Total(|a| position(a, a.text(1), a.text(0)))),
    entry("STARTSWITH", "STARTSWITH(text, part)", "Whether the text starts with the part.", ("STARTSWITH('highwater', 'high')", "TRUE"), &[TEXT, TEXT], 0, DataType::Boolean, Kernel::Total(|a| starts_or_ends(a, true))),
    entry("ENDSWITH", "ENDSWITH(text, part)", "Whether the text ends with the part.", ("ENDSWITH('highwater', 'high')", "FALSE"), &[TEXT, TEXT], 0, DataType::Boolean, Kernel::Total(|a| starts_or_ends(a, false))),
    entry("SPLIT_INDEX", "SPLIT_INDEX(text, delimiter, index)", "The part of that index, from 0, between delimiters; NULL without one.",
        ("SPLIT_INDEX('a,b,c', ',', 1)", "b"), &[TEXT, TEXT, LONG], 0, DataType::String, Kernel::Strict(split_index)),
];
