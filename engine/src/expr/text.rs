//! Text: cutting, joining, padding, cases. Positions count characters from 1.

use arrow_array::ArrayRef;

use crate::error::Result;
use crate::schema::DataType;

use super::args::{Args, LONGEST_TEXT, build_text, too_long};
use super::resolve::{Param, argument, call, count};
use super::{Expr, Function, Kernel, Outcome, Resolve};

const TEXT: Param = Param::Is(DataType::String);
const LONG: Param = Param::Is(DataType::BigInt);

/// All arguments are STRING.
fn resolve_texts(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    let (least, most) = match f.name {
        "||" => (2, 2),
        "CONCAT_WS" => (1, usize::MAX),
        _ => (1, usize::MAX),
    };
    count(f, &args, least, most)?;
    let args = args
        .into_iter()
        .enumerate()
        .map(|(i, a)| argument(f, i, a, DataType::String))
        .collect::<Result<Vec<_>>>()?;
    let separator_only = f.name == "CONCAT_WS";
    let nullable = if separator_only { args[0].nullable } else { args.iter().any(|a| a.nullable) };
    Ok(Expr { nullable, ..call(f, args, DataType::String, false) })
}

fn concat(args: &Args<'_>) -> Outcome<ArrayRef> {
    let texts: Vec<_> = (0..args.columns.len()).map(|i| args.text(i)).collect();
    args.try_text(|row, out| {
        texts.iter().for_each(|t| out.push_str(t.at(row)));
        Ok(true)
    })
}

/// The texts that are not NULL, with the separator between them.
fn concat_ws(args: &Args<'_>) -> Outcome<ArrayRef> {
    let texts: Vec<_> = (0..args.columns.len()).map(|i| args.text(i)).collect();
    build_text(args.rows, |row, out| {
        if args.is_null(0, row) {
            return Ok(false);
        }
        let mut first = true;
        for (i, text) in texts.iter().enumerate().skip(1) {
            if args.is_null(i, row) {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push_str(texts[0].at(row));
            }
            out.push_str(text.at(row));
        }
        Ok(true)
    })
}

/// A text made of one text.
fn map(args: &Args<'_>, f: impl Fn(&str, &mut String)) -> Outcome<ArrayRef> {
    let text = args.text(0);
    args.try_text(|row, out| {
        f(text.at(row), out);
        Ok(true)
    })
}

/// The first letter of each word large, the others small.
fn initcap(text: &str, out: &mut String) {
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase())
        } else {
            out.extend(c.to_uppercase())
        }
        inside = c.is_alphanumeric();
    }
}

/// Takes characters away at the ends: blanks, or those of the second argument.
fn trim(args: &Args<'_>, left: bool, right: bool) -> Outcome<ArrayRef> {
    let (text, set) = (args.text(0), args.has(1).then(|| args.text(1)));
    args.try_text(|row, out| {
        let set = set.map_or(" ", |s| s.at(row));
        let mut text = text.at(row);
        if left {
            text = text.trim_start_matches(|c| set.contains(c));
        }
        if right {
            text = text.trim_end_matches(|c| set.contains(c));
        }
        out.push_str(text);
        Ok(true)
    })
}

/// A length or position as a `usize`; what is negative is 0.
fn size(n: i64) -> usize {
    usize::try_from(n.max(0)).unwrap_or(usize::MAX)
}

/// The byte where the character of that index starts, or the end.
fn offset(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

/// From a position (negative: from the end; 0 is 1), as many characters as asked for.
fn substring(args: &Args<'_>) -> Outcome<ArrayRef> {
    let (text, start) = (args.text(0), args.view::<i64>(1));
    let length = args.view_or::<i64>(2, &[i64::MAX]);
    args.try_text(|row, out| {
        let (text, start, length) = (text.at(row), start.at(row), length.at(row));
        if length < 0 {
            return Ok(false);
        }
        let from = if start < 0 {
            let (all, back) = (text.chars().count(), start.unsigned_abs());
            match usize::try_from(back).ok().and_then(|b| all.checked_sub(b)) {
                Some(from) => from,
                None => return Ok(true),
            }
        } else {
            size(start).saturating_sub(1)
        };
        let rest = &text[offset(text, from)..];
        out.push_str(&rest[..offset(rest, size(length))]);
        Ok(true)
    })
}

fn left(args: &Args<'_>) -> Outcome<ArrayRef> {
    let (text, n) = (args.text(0), args.view::<i64>(1));
    args.try_text(|row, out| {
        let text = text.at(row);
        out.push_str(&text[..offset(text, size(n.at(row)))]);
        Ok(true)
    })
}

fn right(args: &Args<'_>) -> Outcome<ArrayRef> {
    let (text, n) = (args.text(0), args.view::<i64>(1));
    args.try_text(|row, out| {
        let text = text.at(row);
        let skip = text.chars().count().saturating_sub(size(n.at(row)));
        out.push_str(&text[offset(text, skip)..]);
        Ok(true)
    })
}

/// Exactly that many characters: padded on one side, or cut.
fn pad(args: &Args<'_>, left: bool) -> Outcome<ArrayRef> {
    let (text, length, with) = (args.text(0), args.view::<i64>(1), args.text(2));
    args.try_text(|row, out| {
        let (text, length, with) = (text.at(row), length.at(row), with.at(row));
        if length < 0 || with.is_empty() {
            return Ok(false);
        }
        let missing = size(length).saturating_sub(text.chars().count());
        if missing > LONGEST_TEXT {
            return Err(too_long("the padded text", LONGEST_TEXT));
        }
        let padding = with.chars().cycle().take(missing);
        let text = &text[..offset(text, size(length))];
        if left {
            out.extend(padding);
            out.push_str(text);
        } else {
            out.push_str(text);
            out.extend(padding);
        }
        Ok(true)
    })
}

fn repeat(args: &Args<'_>) -> Outcome<ArrayRef> {
    let (text, n) = (args.text(0), args.view::<i64>(1));
    args.try_text(|row, out| {
        let (text, n) = (text.at(row), size(n.at(row)));
        match text.len().checked_mul(n) {
            Some(length) if length <= LONGEST_TEXT => {
                // Empty text may be asked for any number of times.
                if length > 0 {
                    (0..n).for_each(|_| out.push_str(text));
                }
                Ok(true)
            }
            _ => Err(too_long("the repeated text", LONGEST_TEXT)),
        }
    })
}

fn replace(args: &Args<'_>) -> Outcome<ArrayRef> {
    let (text, from, to) = (args.text(0), args.text(1), args.text(2));
    args.try_text(|row, out| {
        let (text, from, to) = (text.at(row), from.at(row), to.at(row));
        let found = if to.len() > from.len() { text.matches(from).count() } else { 0 };
        let grown = found.saturating_mul(to.len().saturating_sub(from.len()));
        if grown > LONGEST_TEXT {
            return Err(too_long("the text with replacements", LONGEST_TEXT));
        }
        out.push_str(&text.replace(from, to));
        Ok(true)
    })
}

fn char_length(args: &Args<'_>) -> ArrayRef {
    let text = args.text(0);
    args.each_option(|row| i32::try_from(text.at(row).chars().count()).ok())
}

fn ascii(args: &Args<'_>) -> ArrayRef {
    let text = args.text(0);
    args.each_option(|row| Some(text.at(row).chars().next().map_or(0, |c| c as i32)))
}

fn chr(args: &Args<'_>) -> Outcome<ArrayRef> {
    let n = args.view::<i64>(0);
    args.try_text(|row, out| {
        if n.at(row) >= 0 {
            out.push(char::from((n.at(row) & 0xFF) as u8));
        }
        Ok(true)
    })
}

const fn entry(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    params: &'static [Param],
    optional: usize,
    kernel: fn(&Args<'_>) -> Outcome<ArrayRef>,
) -> Function {
    let resolve = Resolve::Fixed { params, optional, result: DataType::String, partial: true };
    Function { name, syntax, doc, example, resolve, kernel: Kernel::Strict(kernel) }
}

const fn number(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    kernel: fn(&Args<'_>) -> ArrayRef,
) -> Function {
    let resolve =
        Resolve::Fixed { params: &[TEXT], optional: 0, result: DataType::Int, partial: false };
    Function { name, syntax, doc, example, resolve, kernel: Kernel::Total(kernel) }
}

const fn texts(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    kernel: Kernel,
) -> Function {
    Function { name, syntax, doc, example, resolve: Resolve::Rule(resolve_texts), kernel }
}

/// The registry's part of this file.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Function] = &[
    texts("||", "a || b", "Both texts, one after the other.", ("'high' || 'water'", "highwater"), Kernel::Strict(concat)),
    texts("CONCAT", "CONCAT(a, b, …)", "All texts, one after the other; NULL when one is NULL.", ("CONCAT('AA', 'BB', 'CC')", "AABBCC"), Kernel::Strict(concat)),
    texts("CONCAT_WS", "CONCAT_WS(separator, a, b, …)", "The texts that are not NULL, with the separator between them.", ("CONCAT_WS('~', 'AA', NULL, 'BB')", "AA~BB"), Kernel::Whole(concat_ws)),
    entry("UPPER", "UPPER(text)", "The text in capital letters.", ("UPPER('tide')", "TIDE"), &[TEXT], 0, |a| map(a, |t, out| out.push_str(&t.to_uppercase()))),
    entry("LOWER", "LOWER(text)", "The text in small letters.", ("LOWER('Tide')", "tide"), &[TEXT], 0, |a| map(a, |t, out| out.push_str(&t.to_lowercase()))),
    entry("INITCAP", "INITCAP(text)", "The first letter of each word large, the others small.", ("INITCAP('high WATER')", "High Water"), &[TEXT], 0, |a| map(a, initcap)),
    entry("REVERSE", "REVERSE(text)", "The characters from last to first.", ("REVERSE('abc')", "cba"), &[TEXT], 0, |a| map(a, |t, out| out.extend(t.chars().rev()))),
    entry("TRIM", "TRIM(text[, characters])", "The text without blanks, or those characters, at both ends.", ("TRIM('  tide ')", "tide"), &[TEXT, TEXT], 1, |a| trim(a, true, true)),
    entry("BTRIM", "BTRIM(text[, characters])", "The text without blanks, or those characters, at both ends.", ("BTRIM('xxtidexy', 'xy')", "tide"), &[TEXT, TEXT], 1, |a| trim(a, true, true)),
    entry("LTRIM", "LTRIM(text[, characters])", "The text without blanks, or those characters, at the start.", ("LTRIM('  tide') || '.'", "tide."), &[TEXT, TEXT], 1, |a| trim(a, true, false)),
    entry("RTRIM", "RTRIM(text[, characters])", "The text without blanks, or those characters, at the end.", ("RTRIM('tide  ') || '.'", "tide."), &[TEXT, TEXT], 1, |a| trim(a, false, true)),
    entry("SUBSTRING", "SUBSTRING(text, start[, length])", "The characters from a position on, counted from the end where negative.", ("SUBSTRING('highwater', 5, 3)", "wat"), &[TEXT, LONG, LONG], 1, substring),
    entry("SUBSTR", "SUBSTR(text, start[, length])", "The same as SUBSTRING.", ("SUBSTR('highwater', -5)", "water"), &[TEXT, LONG, LONG], 1, substring),
    entry("LEFT", "LEFT(text, n)", "The first `n` characters.", ("LEFT('highwater', 4)", "high"), &[TEXT, LONG], 0, left),
    entry("RIGHT", "RIGHT(text, n)", "The last `n` characters.", ("RIGHT('highwater', 5)", "water"), &[TEXT, LONG], 0, right),
    entry("LPAD", "LPAD(text, n, padding)", "The text with padding before it, or cut, to `n` characters; NULL for a negative `n` or no padding.", ("LPAD('hi', 4, '??')", "??hi"), &[TEXT, LONG, TEXT], 0, |a| pad(a, true)),
    entry("RPAD", "RPAD(text, n, padding)", "The text with padding after it, or cut, to `n` characters; NULL for a negative `n` or no padding.", ("RPAD('hi', 1, '??')", "h"), &[TEXT, LONG, TEXT], 0, |a| pad(a, false)),
    entry("REPEAT", "REPEAT(text, n)", "The text `n` times; at most 1 MiB.", ("REPEAT('ab', 3)", "ababab"), &[TEXT, LONG], 0, repeat),
    entry("REPLACE", "REPLACE(text, from, to)", "The text with every `from` replaced by `to`.", ("REPLACE('low water', 'low', 'high')", "high water"), &[TEXT, TEXT, TEXT], 0, replace),
    entry("CHR", "CHR(n)", "The character of that number, of which the last 8 bits count; no text for a negative one.", ("CHR(97)", "a"), &[LONG], 0, chr),
    number("CHAR_LENGTH", "CHAR_LENGTH(text)", "How many characters the text has.", ("CHAR_LENGTH('höhe')", "4"), char_length),
    number("CHARACTER_LENGTH", "CHARACTER_LENGTH(text)", "How many characters the text has.", ("CHARACTER_LENGTH('')", "0"), char_length),
    number("ASCII", "ASCII(text)", "The number of the first character; 0 without one.", ("ASCII('abc')", "97"), ascii),
];
