//! Colours for Markdown with SQL in it, and the places of problems: a text becomes stretches with classes.

use crate::model::Problem;

/// What a stretch of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing special.
    Plain,
    /// A heading.
    Heading,
    /// A fence or another mark of Markdown.
    Mark,
    /// A word of SQL.
    Keyword,
    /// A text in quotes.
    Quoted,
    /// A number.
    Number,
    /// A comment.
    Comment,
}

impl Kind {
    /// The class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Kind::Plain => "",
            Kind::Heading => "hl-heading",
            Kind::Mark => "hl-mark",
            Kind::Keyword => "hl-keyword",
            Kind::Quoted => "hl-quoted",
            Kind::Number => "hl-number",
            Kind::Comment => "hl-comment",
        }
    }
}

/// A stretch of the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// A problem lies here.
    pub wrong: bool,
}

const KEYWORDS: &str = " ADD ALL AND AS ASC AVG BETWEEN BIGINT BOOLEAN BY BYTES CASE CAST COUNT CREATE \
CUMULATE DATE DECIMAL DESC DESCRIPTOR DISTINCT DOUBLE ELSE END EXPLAIN FALSE FLOAT FOR FROM FUNCTION \
GROUP HAVING HOP HOUR HOURS IF IN INSERT INT INTERVAL INTO IS JOIN LANGUAGE LEFT LIKE LIMIT MAX METADATA \
MIN MINUTE MINUTES NOT NULL ON OR ORDER PARTITION SECOND SECONDS SELECT SESSION SET STRING SUM TABLE \
THEN TIMESTAMP TIMESTAMP_LTZ TRUE TUMBLE UNION VALUES VIEW WASM WATERMARK WHEN WHERE WITH DAY DAYS ";

/// Cuts a scenario's text, or an SQL script when `sql` is set, into pieces; the pieces joined are the text.
pub fn pieces(text: &str, sql: bool, problems: &[Problem]) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    let mut fence: Option<String> = sql.then(|| "sql".to_owned());
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let number = u32::try_from(i + 1).unwrap_or(u32::MAX);
        let mut parts: Vec<(Kind, &str)> = Vec::new();
        let trimmed = line.trim_start();
        if !sql && trimmed.starts_with("```") {
            parts.push((Kind::Mark, line));
            let info = trimmed.trim_start_matches('`').trim().to_owned();
            fence = if fence.is_some() { None } else { Some(info) };
        } else {
            match fence.as_deref().map(|f| f.split_whitespace().next().unwrap_or_default()) {
                Some("sql") => sql_line(line, &mut parts),
                Some(_) => data_line(line, &mut parts),
                None if line.starts_with('#') => parts.push((Kind::Heading, line)),
                None => parts.push((Kind::Plain, line)),
            }
        }
        mark(number, line, &parts, problems, &mut out);
    }
    out
}

/// Splits a line's parts where problems begin and end, and joins what is alike.
fn mark(
    number: u32,
    line: &str,
    parts: &[(Kind, &str)],
    problems: &[Problem],
    out: &mut Vec<Piece>,
) {
    let wrong: Vec<(u32, u32)> = problems.iter().filter_map(|p| on_line(p, number, line)).collect();
    let mut column = 0;
    for (kind, text) in parts {
        if wrong.is_empty() {
            push(out, *kind, text, false);
            continue;
        }
        for c in text.chars() {
            column += 1;
            let bad = wrong.iter().any(|(from, to)| (*from..*to).contains(&column));
            push(out, *kind, c.encode_utf8(&mut [0; 4]), bad && c != '\n');
        }
    }
}

/// The columns of a line a problem covers, from 1, the end exclusive; at least one.
fn on_line(p: &Problem, line: u32, text: &str) -> Option<(u32, u32)> {
    let [from_line, from, to_line, to] = p.place?;
    if line < from_line || line > to_line {
        return None;
    }
    let length = u32::try_from(text.trim_end_matches('\n').chars().count()).unwrap_or(u32::MAX);
    let start = if line == from_line { from } else { 1 };
    let end = if line == to_line { to } else { length.saturating_add(1) };
    // A place behind the last character is shown on it.
    let start = start.min(length.max(1));
    Some((start, end.max(start + 1)))
}

fn push(out: &mut Vec<Piece>, kind: Kind, text: &str, wrong: bool) {
    match out.last_mut() {
        Some(last) if last.kind == kind && last.wrong == wrong => last.text.push_str(text),
        _ => out.push(Piece { text: text.to_owned(), kind, wrong }),
    }
}

fn sql_line<'a>(line: &'a str, parts: &mut Vec<(Kind, &'a str)>) {
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let (kind, length) = if rest.starts_with("--") {
            (Kind::Comment, rest.len())
        } else if c == '\'' || c == '`' || c == '"' {
            let end = rest[1..].find(c).map_or(rest.trim_end_matches('\n').len(), |i| i + 2);
            (Kind::Quoted, end)
        } else if c.is_ascii_digit() {
            (Kind::Number, run(rest, |c| c.is_ascii_digit() || c == '.'))
        } else if c.is_alphanumeric() || c == '_' {
            let length = run(rest, |c| c.is_alphanumeric() || c == '_');
            let word = format!(" {} ", rest[..length].to_ascii_uppercase());
            (if KEYWORDS.contains(&word) { Kind::Keyword } else { Kind::Plain }, length)
        } else {
            let plain = |c: char| !c.is_alphanumeric() && !"'`\"_-".contains(c);
            (Kind::Plain, run(rest, plain).max(c.len_utf8()))
        };
        let (part, after) = rest.split_at(length);
        parts.push((kind, part));
        rest = after;
    }
}

/// Data, faults and settings: quoted texts and comments stand out.
fn data_line<'a>(line: &'a str, parts: &mut Vec<(Kind, &'a str)>) {
    if line.trim_start().starts_with('#') {
        parts.push((Kind::Comment, line));
        return;
    }
    let mut rest = line;
    while let Some(at) = rest.find('"') {
        let end = rest[at + 1..].find('"').map_or(rest.len(), |i| at + i + 2);
        parts.push((Kind::Plain, &rest[..at]));
        parts.push((Kind::Quoted, &rest[at..end]));
        rest = &rest[end..];
    }
    parts.push((Kind::Plain, rest));
}

fn run(text: &str, inside: impl Fn(char) -> bool) -> usize {
    text.find(|c| !inside(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# Title\n\nProse with SELECT.\n\n```sql\nSELECT 'a b', 12 FROM t -- why\n```\n지진 끝";

    fn joined(pieces: &[Piece]) -> String {
        pieces.iter().map(|p| p.text.as_str()).collect()
    }

    fn find<'a>(pieces: &'a [Piece], text: &str) -> &'a Piece {
        pieces.iter().find(|p| p.text.contains(text)).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn nothing_is_lost_whatever_the_text() {
        for text in [TEXT, "", "\n", "```", "```sql\n'open", "```sql\n--", "\"", "```x\n\"a", "é'ü"]
        {
            for sql in [false, true] {
                assert_eq!(joined(&pieces(text, sql, &[])), text);
                let wrong = Problem { place: Some([1, 1, 9, 9]), ..Problem::default() };
                assert_eq!(joined(&pieces(text, sql, &[wrong])), text);
            }
        }
    }

    #[test]
    fn sql_is_told_from_prose() {
        let p = pieces(TEXT, false, &[]);
        assert_eq!(find(&p, "# Title").kind, Kind::Heading);
        assert_eq!(find(&p, "Prose with SELECT").kind, Kind::Plain);
        assert_eq!(find(&p, "'a b'").kind, Kind::Quoted);
        assert_eq!(find(&p, "12").kind, Kind::Number);
        assert_eq!(find(&p, "FROM").kind, Kind::Keyword);
        assert_eq!(find(&p, "-- why").kind, Kind::Comment);
    }

    #[test]
    fn problems_are_underlined_where_they_are() {
        let at = |place| Problem { place: Some(place), ..Problem::default() };
        let p = pieces(TEXT, false, &[at([6, 8, 6, 13])]);
        let wrong: String = p.iter().filter(|p| p.wrong).map(|p| p.text.as_str()).collect();
        assert_eq!(wrong, "'a b'");
        let p = pieces("ab\ncd", true, &[at([1, 9, 1, 9])]);
        let wrong: String = p.iter().filter(|p| p.wrong).map(|p| p.text.as_str()).collect();
        assert_eq!(wrong, "b", "behind the end of a line the last character is marked");
        let p = pieces("ab\ncd\nef", true, &[at([1, 2, 3, 2])]);
        let wrong: String = p.iter().filter(|p| p.wrong).map(|p| p.text.as_str()).collect();
        assert_eq!(wrong, "bcde");
    }
}
