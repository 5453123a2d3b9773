//! Diagnostics for people: the source line underlined, the code, the hint.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use highwater_engine::error::{Diagnostic, Position};

use crate::escape::{is_unsafe, visible, visible_lines};

/// The texts that diagnostics may point into, by the names diagnostics use.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: BTreeMap<String, Text>,
    main: Option<String>,
}

#[derive(Clone, Debug)]
struct Text {
    /// The path shown to the user.
    path: String,
    text: String,
}

impl Sources {
    /// The script itself: diagnostics without a source speak about it. `name` is what diagnostics call
    /// it, `path` what the user called it.
    pub fn script(name: &str, path: &str, text: &str) -> Sources {
        let mut sources = Sources::default();
        sources.add(name, path, text);
        sources.main = Some(name.to_owned());
        sources
    }

    /// One more text, such as a data file.
    pub fn add(&mut self, name: &str, path: &str, text: &str) {
        // Every character stays one character, so columns stay right; what a terminal would obey goes.
        let clean = |c: char| if is_unsafe(c) && !"\n\r\t".contains(c) { '\u{fffd}' } else { c };
        let text =
            Text { path: visible(path).into_owned(), text: text.chars().map(clean).collect() };
        self.texts.insert(name.to_owned(), text);
    }

    fn find(&self, source: Option<&str>) -> Option<&Text> {
        self.texts.get(source.or(self.main.as_deref())?)
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The job cannot go on.
    Error,
    /// Worth knowing.
    Warning,
}

/// The diagnostic as text of several lines, ended by a line end. `colour`: with terminal colours.
pub fn render(d: &Diagnostic, severity: Severity, sources: &Sources, colour: bool) -> String {
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = visible_lines(&d.message);
    let title = level.primary_title(message.as_ref()).id(d.code);
    let found = sources.find(d.source.as_deref());
    let place = d.source.as_deref().map(visible);
    let mut group = match (found, d.span) {
        (Some(text), Some(span)) => {
            let start = offset(&text.text, span.start);
            let end = offset(&text.text, span.end).max(start);
            title.element(
                Snippet::source(&text.text)
                    .path(&text.path)
                    .annotation(AnnotationKind::Primary.span(start..end)),
            )
        }
        (Some(text), None) => title.element(Origin::path(text.path.as_str())),
        (None, span) => match &place {
            Some(place) => {
                let mut origin = Origin::path(place.as_ref());
                if let Some(span) = span {
                    origin = origin
                        .line(span.start.line as usize)
                        .char_column(span.start.column as usize);
                }
                title.element(origin)
            }
            None => Group::with_title(title),
        },
    };
    let hint = d.hint.as_deref().map(visible_lines);
    if let Some(hint) = &hint {
        group = group.element(Level::HELP.message(hint.as_ref()));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.render(&[group]);
    text.push('\n');
    text
}

/// The byte at which a position lies, held inside the text.
fn offset(text: &str, position: Position) -> usize {
    let line_start = match position.line {
        0 | 1 => 0,
        n => match text.match_indices('\n').nth(n as usize - 2) {
            Some((at, _)) => at + 1,
            None => return text.len(),
        },
    };
    let line = text[line_start..].split('\n').next().unwrap_or_default();
    let column = position.column.saturating_sub(1) as usize;
    line_start + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_engine::error::Span;

    fn at(line: u32, column: u32) -> Position {
        Position { line, column }
    }

    #[test]
    fn the_place_is_underlined_with_wide_characters_before_it() {
        let sources =
            Sources::script("a.sql", "dir/a.sql", "SELECT 1;\nSELECT '日本', magg FROM t;\n");
        let d = Diagnostic::new("sql.unknown-column", "no column `magg`")
            .hint("did you mean `mag`?")
            .at(Span { start: at(2, 14), end: at(2, 18) });
        let text = render(&d, Severity::Error, &sources, false);
        assert!(text.starts_with("error[sql.unknown-column]: no column `magg`\n"), "{text}");
        assert!(text.contains("--> dir/a.sql:2:14"), "{text}");
        assert!(text.contains("2 | SELECT '日本', magg FROM t;"), "{text}");
        // Two characters that fill two cells each: the carets stand two cells further right.
        assert!(text.contains("|                ^^^^"), "{text}");
        assert!(text.contains("help: did you mean `mag`?"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn hostile_text_cannot_drive_the_terminal() {
        let sources = Sources::script("a.sql", "a.sql", "SELECT '\u{9b}31m\u{1b}[2J' x\n");
        let d = Diagnostic::new("sql.syntax", "unexpected `\u{1b}[2J`")
            .hint("not \u{7}")
            .at(Span { start: at(1, 17), end: at(1, 18) });
        let text = render(&d, Severity::Error, &sources, false);
        assert!(!text.contains(|c| is_unsafe(c) && c != '\n'), "{text:?}");
        assert!(text.contains("\\u{1b}[2J"), "{text}");
    }

    #[test]
    fn places_outside_the_text_do_not_panic() {
        let sources = Sources::script("a.sql", "a.sql", "SELECT");
        for (line, column) in [(0, 0), (1, 99), (99, 1), (u32::MAX, u32::MAX)] {
            let d = Diagnostic::new("sql.syntax", "unexpected end")
                .at(Span { start: at(line, column), end: at(line, column) });
            assert!(render(&d, Severity::Error, &sources, true).contains("unexpected end"));
        }
        let d = Diagnostic::new("data.bad", "no number").in_source("data/x.jsonl");
        assert!(render(&d, Severity::Error, &Sources::default(), false).contains("data/x.jsonl"));
    }
}
