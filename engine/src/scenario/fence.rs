//! Fenced blocks of a Markdown text and their exact places; everything else is prose.

use std::ops::Range;

use super::markdown::Line;
use crate::error::{Position, Span};

/// A fenced block.
#[derive(Clone, Debug)]
pub(super) struct Fence {
    /// The words after the opening fence.
    pub(super) info: Vec<String>,
    /// The content, lines ended by `\n`, without the fence's own indentation.
    pub(super) text: String,
    /// The line of the opening fence, from 1.
    pub(super) line: u32,
    /// The characters of the opening fence's line.
    pub(super) width: u32,
    /// For each line of the content, how many characters stand to the left of it in the file.
    pub(super) indents: Vec<u32>,
    /// The bytes of the file between the fences.
    pub(super) range: Range<usize>,
}

impl Fence {
    /// A block without its content, opened in a line.
    pub(super) fn new(line: &Line<'_>, info: &str) -> Fence {
        Fence {
            info: unescaped(info).split_whitespace().map(str::to_owned).collect(),
            text: String::new(),
            line: line.number,
            width: characters(line.text.trim_end()),
            indents: Vec::new(),
            range: line.end..line.end,
        }
    }

    /// Adds a line, from a byte on, which may stand in a tab of which so many columns are left.
    pub(super) fn push(&mut self, line: &Line<'_>, at: usize, tab: usize) {
        self.indents.push(characters(&line.text[..at]));
        self.text.extend(std::iter::repeat_n(' ', tab));
        self.text.push_str(&line.text[at + usize::from(tab > 0)..]);
        if line.ends {
            self.text.push('\n');
        }
        self.range.end = line.end;
    }

    /// The line of the file where the content begins, from 1.
    pub(super) fn first_line(&self) -> u32 {
        self.line.saturating_add(1)
    }

    /// The opening fence, for messages about the block as a whole.
    pub(super) fn span(&self) -> Span {
        Span {
            start: Position { line: self.line, column: 1 },
            end: Position { line: self.line, column: self.width.saturating_add(1) },
        }
    }
}

fn characters(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// A text without the backslashes before punctuation.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letters.next_if(|next| letter == '\\' && next.is_ascii_punctuation()) {
            Some(escaped) => plain.push(escaped),
            None => plain.push(letter),
        }
    }
    plain
}

/// What a closing fence has to match.
pub(super) struct Opening {
    mark: u8,
    length: usize,
    /// The columns before it, which are no part of the content's lines either.
    pub(super) indent: usize,
}

impl Opening {
    /// An opening fence and the text after it.
    pub(super) fn read(text: &str, indent: usize) -> Option<(Opening, &str)> {
        let mark = *text.as_bytes().first().filter(|mark| matches!(mark, b'`' | b'~'))?;
        let length = text.bytes().take_while(|&b| b == mark).count();
        let info = &text[length..];
        // Otherwise it is code in a paragraph: ``` `` ```
        let is_fence = length >= 3 && (mark == b'~' || !info.contains('`'));
        is_fence.then_some((Opening { mark, length, indent }, info))
    }

    /// Whether the text is a fence that closes the block.
    pub(super) fn is_closed_by(&self, text: &str) -> bool {
        let length = text.bytes().take_while(|&b| b == self.mark).count();
        length >= self.length && text[length..].bytes().all(|b| matches!(b, b' ' | b'\t'))
    }
}

/// The text with the contents of some blocks replaced, for `UPDATE_EXPECT`: `replacements` are
/// [`Expect::range`](super::Expect::range) and the new lines, ended by `\n`. The file's line ends
/// and the blocks' indentation are kept.
pub fn rewrite(text: &str, replacements: &[(Range<usize>, String)]) -> String {
    let crlf = text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'));
    let line_end = if crlf { "\r\n" } else { "\n" };
    let mut ordered: Vec<_> = replacements.iter().collect();
    ordered.sort_by_key(|(range, _)| range.start);
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for (range, new) in ordered {
        result.push_str(&text[done..range.start]);
        let closing = &text[range.end..];
        let indent = &closing[..closing.find(['`', '~', '\n']).unwrap_or(0)];
        for line in new.lines() {
            // A blank line gets no trailing spaces, but inside a quotation it keeps its mark.
            result.push_str(if line.is_empty() { indent.trim_end() } else { indent });
            result.push_str(line);
            result.push_str(line_end);
        }
        done = range.end;
    }
    result.push_str(&text[done..]);
    result
}
