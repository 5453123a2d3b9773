//! The blocks of a Markdown text as CommonMark nests them, read only as far as fences need it.
//!
//! Line by line: the containers that are open claim their marks, new blocks begin, the rest is text.
//! What a paragraph says is not looked at, but where it ends: it decides what may begin in it.

use super::fence::{Fence, Opening};
use super::html;

/// The most containers in one another; deeper marks are text. It bounds the work a line can make.
const DEEPEST: usize = 100;

/// A block that holds blocks.
#[derive(Clone, Copy)]
enum Container {
    Quote,
    /// A list's item: the columns its content is indented by, and whether it is still empty.
    Item {
        indent: usize,
        empty: bool,
    },
}

/// The innermost block, where the next line could belong to it.
enum Leaf {
    /// After a blank line, a heading, indented code: the next line begins anew.
    Nothing,
    Paragraph,
    Html(html::End),
    Fence(Fence, Opening),
}

/// The paragraph a line would belong to if nothing begins in it.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    /// With the marks of all its containers.
    Paragraph,
    /// Without the marks of some of them.
    LazyParagraph,
}

/// A line without its end, the byte where the next one begins, and its number from 1.
pub(super) struct Line<'s> {
    pub(super) text: &'s str,
    pub(super) end: usize,
    pub(super) number: u32,
    /// Whether something ends it but the file.
    pub(super) ends: bool,
}

/// All fenced blocks of a text, in order.
pub(super) fn fences(source: &str) -> Vec<Fence> {
    let mut reader = Reader { containers: Vec::new(), leaf: Leaf::Nothing, done: Vec::new() };
    // The mark some editors put before everything else.
    let mut start = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    for (number, whole) in (1..).zip(source[start..].split_inclusive('\n')) {
        let end = start + whole.len();
        let text = whole.strip_suffix('\n').unwrap_or(whole);
        let ends = text.len() < whole.len();
        let text = if ends { text.strip_suffix('\r').unwrap_or(text) } else { text };
        reader.line(&Line { text, end, number, ends });
        start = end;
    }
    reader.close(0);
    reader.done
}

struct Reader {
    containers: Vec<Container>,
    leaf: Leaf,
    done: Vec<Fence>,
}

impl Reader {
    fn line(&mut self, line: &Line<'_>) {
        let mut cursor = Cursor { line: line.text, at: 0, column: 0, in_tab: false };
        let mut depth = self.claim(&mut cursor);
        let all = depth == self.containers.len();
        if all && self.continues(cursor, line) {
            return;
        }
        let mut before = match (&self.leaf, all) {
            (Leaf::Paragraph, true) => Before::Paragraph,
            (Leaf::Paragraph, false) => Before::LazyParagraph,
            _ => Before::Nothing,
        };
        while depth < DEEPEST
            && let Some(container) = container(&mut cursor, before)
        {
            self.close(depth);
            self.containers.push(container);
            depth += 1;
            before = Before::Nothing;
        }
        if let Some(leaf) = leaf(cursor, before, line) {
            self.close(depth);
            self.leaf = leaf;
        } else if before == Before::Nothing || cursor.is_blank() {
            self.close(depth);
            if !cursor.is_blank() && cursor.indent().0 < 4 {
                self.leaf = Leaf::Paragraph;
            }
        }
    }

    /// Passes the marks of the open containers; how many have theirs in this line.
    fn claim(&mut self, cursor: &mut Cursor<'_>) -> usize {
        for (depth, container) in self.containers.iter_mut().enumerate() {
            let (indent, text) = cursor.indent();
            match container {
                Container::Quote if indent < 4 && text.rest().starts_with('>') => {
                    *cursor = text;
                    cursor.pass(1);
                    cursor.pass_blanks(1);
                }
                Container::Item { empty: true, .. } if cursor.is_blank() => return depth,
                Container::Item { indent: wanted, empty } if indent >= *wanted => {
                    cursor.pass_blanks(*wanted);
                    *empty = false;
                }
                Container::Item { .. } if cursor.is_blank() => *cursor = text,
                _ => return depth,
            }
        }
        self.containers.len()
    }

    /// Takes the line if it belongs to the innermost block whatever it says.
    fn continues(&mut self, mut cursor: Cursor<'_>, line: &Line<'_>) -> bool {
        let ends = match &mut self.leaf {
            Leaf::Nothing | Leaf::Paragraph => return false,
            Leaf::Html(end) => end.is_in(cursor.rest()),
            Leaf::Fence(fence, opening) => {
                let (indent, text) = cursor.indent();
                let ends = indent < 4 && opening.is_closed_by(text.rest());
                if !ends {
                    cursor.pass_blanks(opening.indent);
                    fence.push(line, cursor.at, cursor.rest_of_tab());
                }
                ends
            }
        };
        if ends {
            self.end_leaf();
        }
        true
    }

    /// Ends the innermost block and the containers below a depth.
    fn close(&mut self, depth: usize) {
        self.containers.truncate(depth);
        self.end_leaf();
    }

    fn end_leaf(&mut self) {
        if let Leaf::Fence(fence, _) = std::mem::replace(&mut self.leaf, Leaf::Nothing) {
            self.done.push(fence);
        }
    }
}

/// The container that begins here, its mark passed.
fn container(cursor: &mut Cursor<'_>, before: Before) -> Option<Container> {
    let (indent, mut text) = cursor.indent();
    if indent >= 4 {
        return None;
    }
    if text.rest().starts_with('>') {
        *cursor = text;
        cursor.pass(1);
        cursor.pass_blanks(1);
        return Some(Container::Quote);
    }
    let mark = item_mark(text.rest(), before)?;
    if is_break(text.rest()) || before == Before::Paragraph && is_underline(text.rest()) {
        return None;
    }
    text.pass(mark);
    let (spaces, content) = text.indent();
    let empty = content.rest().is_empty();
    if empty && before == Before::Paragraph {
        return None;
    }
    // With more than four, all but the first belong to indented code.
    if empty || spaces > 4 {
        text.pass_blanks(1);
        *cursor = text;
        return Some(Container::Item { indent: indent + mark + 1, empty });
    }
    *cursor = content;
    Some(Container::Item { indent: indent + mark + spaces, empty })
}

/// The bytes of the mark an item begins with.
fn item_mark(text: &str, before: Before) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mark = match (digits, text.as_bytes().get(digits)?) {
        (0, b'-' | b'+' | b'*') => 1,
        // Only the first item of a list can interrupt a paragraph.
        (1..=9, b'.' | b')')
            if before != Before::Paragraph || text[..digits].parse() == Ok(1_u32) =>
        {
            digits + 1
        }
        _ => return None,
    };
    matches!(text.as_bytes().get(mark), None | Some(b' ' | b'\t')).then_some(mark)
}

/// Whether the text is a thematic break, such as `* * *`.
fn is_break(text: &str) -> bool {
    let mark = text.as_bytes().first().copied().unwrap_or(0);
    let marks = text.bytes().filter(|&b| b == mark).count();
    matches!(mark, b'*' | b'-' | b'_')
        && marks >= 3
        && text.bytes().all(|b| b == mark || matches!(b, b' ' | b'\t'))
}

/// Whether the text makes the paragraph above it a heading.
fn is_underline(text: &str) -> bool {
    let text = text.trim_end_matches([' ', '\t']);
    let mark = text.as_bytes().first().copied().unwrap_or(0);
    matches!(mark, b'=' | b'-') && text.bytes().all(|b| b == mark)
}

/// Whether the text is a heading that begins with `#`.
fn is_heading(text: &str) -> bool {
    let level = text.bytes().take_while(|&b| b == b'#').count();
    (1..=6).contains(&level) && matches!(text.as_bytes().get(level), None | Some(b' ' | b'\t'))
}

/// The block without blocks that begins here, but for a paragraph.
fn leaf(cursor: Cursor<'_>, before: Before, line: &Line<'_>) -> Option<Leaf> {
    let (indent, text) = cursor.indent();
    if indent >= 4 {
        return None;
    }
    if let Some((opening, info)) = Opening::read(text.rest(), indent) {
        return Some(Leaf::Fence(Fence::new(line, info), opening));
    }
    if is_heading(text.rest())
        || is_break(text.rest())
        || before == Before::Paragraph && is_underline(text.rest())
    {
        return Some(Leaf::Nothing);
    }
    let end = html::begin(text.rest(), before == Before::Nothing)?;
    Some(if end.is_in(text.rest()) { Leaf::Nothing } else { Leaf::Html(end) })
}

/// A place in a line; a tab reaches to the next column that is a multiple of four.
#[derive(Clone, Copy)]
struct Cursor<'s> {
    line: &'s str,
    at: usize,
    column: usize,
    /// Whether some columns of the tab at `at` are passed already.
    in_tab: bool,
}

impl<'s> Cursor<'s> {
    fn rest(&self) -> &'s str {
        &self.line[self.at..]
    }

    /// The columns of the next character if it is a space or a tab.
    fn blank(&self) -> Option<usize> {
        match self.line.as_bytes().get(self.at) {
            Some(b' ') => Some(1),
            Some(b'\t') => Some(4 - self.column % 4),
            _ => None,
        }
    }

    /// The columns that are left of a tab whose others are passed.
    fn rest_of_tab(&self) -> usize {
        if self.in_tab { 4 - self.column % 4 } else { 0 }
    }

    /// Passes spaces and tabs, at most so many columns; how many it passed.
    fn pass_blanks(&mut self, columns: usize) -> usize {
        let mut passed = 0;
        while let Some(width) = self.blank().filter(|_| passed < columns) {
            let step = width.min(columns - passed);
            self.in_tab = step < width;
            self.at += usize::from(!self.in_tab);
            self.column += step;
            passed += step;
        }
        passed
    }

    /// Passes a mark of ASCII characters.
    fn pass(&mut self, bytes: usize) {
        self.at += bytes;
        self.column += bytes;
        self.in_tab = false;
    }

    /// The columns before the text, and the place of the text.
    fn indent(&self) -> (usize, Cursor<'s>) {
        let mut text = *self;
        (text.pass_blanks(usize::MAX), text)
    }

    fn is_blank(&self) -> bool {
        self.indent().1.rest().is_empty()
    }
}
