//! The entries as text.

use std::fmt::Write as _;

use super::super::diagnose::nearest;
use super::{Entry, Gives, Section, TABLES, entries};

/// The widest column of names: what is longer has a line of its own.
const NAMES: usize = 34;
/// Where lines end.
const WIDTH: usize = 118;

const INTRODUCTION: &str = "\
SQL in the dialect of Apache Flink

Statements end with `;`. `highwater help sql NAME` shows one entry with its whole example. Examples read these
tables, which hold levels of rivers at gauges, alerts, and the levels allowed:

";

/// All of the language.
pub fn text() -> String {
    let mut out = String::from(INTRODUCTION);
    for line in TABLES.lines() {
        _ = writeln!(out, "  {line}");
    }
    let all = entries();
    for group in all.chunk_by(|a, b| a.section == b.section) {
        section(group, &mut out);
    }
    out
}

/// One heading with what stands below it.
fn section(entries: &[Entry], out: &mut String) {
    let Some(first) = entries.first() else { return };
    _ = writeln!(out, "\n{}\n", first.section.title());
    let widths = entries.iter().map(|e| e.syntax.chars().count()).filter(|&n| n <= NAMES);
    let column = widths.max().unwrap_or(NAMES / 2) + 4;
    for entry in entries {
        let mut lines = wrapped(&entry.doc, WIDTH - column);
        lines.extend(entry.example.shown.lines().map(str::to_owned));
        let length = entry.syntax.chars().count();
        _ = write!(out, "  {}", entry.syntax);
        let mut gap = (column - 2).checked_sub(length).filter(|&gap| gap > 1);
        if gap.is_none() {
            out.push('\n');
            gap = Some(column);
        }
        for line in lines {
            _ = writeln!(out, "{}{line}", " ".repeat(gap.unwrap_or(column)));
            gap = Some(column);
        }
        if entry.example.shown.contains('\n') {
            out.push('\n');
        }
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
}

/// A text in lines of so many characters, broken at blanks.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// All that has this name, in any case, each with its whole example; of a connector, its options, too.
pub fn entry(name: &str) -> Option<String> {
    let all = entries();
    let named: Vec<&Entry> = all.iter().filter(|e| e.name.eq_ignore_ascii_case(name)).collect();
    let mut out = String::new();
    for (i, entry) in named.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        one(entry, &mut out);
        if entry.section == Section::Connectors {
            let of = Section::OptionsOf(entry.name);
            let options: Vec<Entry> = all.iter().filter(|e| e.section == of).cloned().collect();
            section(&options, &mut out);
        }
    }
    (!named.is_empty()).then_some(out)
}

fn one(entry: &Entry, out: &mut String) {
    _ = writeln!(out, "{}\n\n  {}\n", entry.section.title(), entry.syntax);
    for line in wrapped(&entry.doc, WIDTH - 2) {
        _ = writeln!(out, "  {line}");
    }
    out.push('\n');
    for line in entry.example.script.lines() {
        _ = writeln!(out, "  {line}");
    }
    if let Gives::Value(value) = entry.example.gives {
        _ = writeln!(out, "  -- {value}");
    }
}

/// The name of an entry that is nearly this one.
pub fn near(name: &str) -> Option<&'static str> {
    nearest(name, entries().iter().map(|e| e.name))
}
