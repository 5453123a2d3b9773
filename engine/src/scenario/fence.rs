//! Fenced blocks of a Markdown text and their exact places; everything else is prose.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

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

/// A Markdown text, taken apart.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The first heading of the first level.
    pub(super) title: Option<String>,
    /// The first paragraph, on one line.
    pub(super) summary: Option<String>,
    pub(super) fences: Vec<Fence>,
}

/// Where text that is read belongs.
enum Open {
    Prose,
    Title(String),
    Summary(String),
    Fence(Fence),
}

/// Takes a Markdown text apart.
pub(super) fn read(source: &str) -> Document {
    let lines = Lines::new(source);
    let mut document = Document::default();
    let mut open = Open::Prose;
    for (event, range) in Parser::new_ext(source, Options::empty()).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. })
                if document.title.is_none() =>
            {
                open = Open::Title(String::new());
            }
            Event::Start(Tag::Paragraph) if document.summary.is_none() => {
                open = Open::Summary(String::new());
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let info = info.split_whitespace().map(str::to_owned).collect();
                open = Open::Fence(lines.fence(source, info, range));
            }
            Event::Text(text) => match &mut open {
                Open::Title(into) | Open::Summary(into) => into.push_str(&text),
                Open::Fence(fence) => lines.push(source, fence, &text, range.start),
                Open::Prose => {}
            },
            Event::Code(text) => {
                if let Open::Title(into) | Open::Summary(into) = &mut open {
                    into.push_str(&text);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Open::Title(into) | Open::Summary(into) = &mut open {
                    into.push(' ');
                }
            }
            Event::End(TagEnd::Heading(_) | TagEnd::Paragraph | TagEnd::CodeBlock) => {
                match std::mem::replace(&mut open, Open::Prose) {
                    Open::Title(text) => document.title = Some(text),
                    Open::Summary(text) => document.summary = Some(text),
                    Open::Fence(fence) => document.fences.push(fence),
                    Open::Prose => {}
                }
            }
            _ => {}
        }
    }
    document
}

/// The byte where each line begins.
struct Lines(Vec<usize>);

impl Lines {
    fn new(source: &str) -> Lines {
        let ends = source.bytes().enumerate().filter(|&(_, b)| b == b'\n').map(|(i, _)| i + 1);
        Lines(std::iter::once(0).chain(ends).collect())
    }

    /// The index of the line that holds the byte.
    fn of(&self, byte: usize) -> usize {
        self.0.partition_point(|&start| start <= byte).saturating_sub(1)
    }

    /// The characters between the line's begin and the byte.
    fn indent(&self, source: &str, byte: usize) -> u32 {
        let start = self.0[self.of(byte)];
        source.get(start..byte).map_or(0, |left| left.chars().count() as u32)
    }

    /// A fence without its content.
    fn fence(&self, source: &str, info: Vec<String>, range: Range<usize>) -> Fence {
        let index = self.of(range.start);
        let begin = self.0.get(index + 1).copied().unwrap_or(source.len()).min(range.end);
        let whole = source[..range.end].trim_end_matches(['\n', '\r']).len();
        let last = self.0[self.of(whole.saturating_sub(1))];
        // The last line of the block is its closing fence, unless the file ends before one.
        let mark = source[range.start..].chars().next().unwrap_or('`');
        let length = source[range.start..].chars().take_while(|&c| c == mark).count();
        let closing = source[last..whole].trim_end();
        let run = closing.chars().rev().take_while(|&c| c == mark).count();
        let closed = last >= begin && run >= length && closing.trim_start_matches(mark).len() != 1;
        let end = if closed { last } else { range.end.max(begin) };
        let opening = source[self.0[index]..begin].trim_end();
        Fence {
            info,
            text: String::new(),
            line: index as u32 + 1,
            width: opening.chars().count() as u32,
            indents: Vec::new(),
            range: begin..end,
        }
    }

    /// Adds a piece of content that stands at byte `at`.
    fn push(&self, source: &str, fence: &mut Fence, text: &str, mut at: usize) {
        for piece in text.split_inclusive('\n') {
            if fence.text.is_empty() || fence.text.ends_with('\n') {
                fence.indents.push(self.indent(source, at));
            }
            at += piece.len();
            match piece.strip_suffix("\r\n") {
                Some(line) => fence.text.extend([line, "\n"]),
                None => fence.text.push_str(piece),
            }
        }
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
