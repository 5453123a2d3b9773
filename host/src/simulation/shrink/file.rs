//! A scenario's file cut down: its faults, its records, its script, as long as the same stays wrong with it.

use std::ops::Range;
use std::sync::Arc;

use highwater_engine::session::{Files, Guarantee, Options, Session, broken};

use super::{Shrunk, fewer, script};
use crate::sandbox::WasmtimeSandbox;
use crate::simulation::caught;

/// What is wrong with a scenario: its job fails, or its sinks show what its guarantee forbids. None when nothing is,
/// or when it cannot be opened.
fn wrong_in(name: &str, text: &str, files: &Files) -> Option<String> {
    let run = || {
        let sandbox = Arc::new(WasmtimeSandbox::default());
        let mut session = Session::open(name, text, files, sandbox, &Options::default()).ok()?;
        let status = session.finish();
        if let Some(failed) = status.failed {
            return Some(format!("the job fails: {}", failed.code));
        }
        if !status.finished {
            return Some("the job comes to no end".to_owned());
        }
        let guarantee = session.guarantee();
        let broken = broken(session.events(), session.header(), guarantee).into_iter().next();
        // By rows at-most-once cannot be told.
        if guarantee == Guarantee::AtMostOnce {
            return broken;
        }
        broken.or_else(|| {
            let delivery = session.delivery().into_iter().find(|d| !d.keeps(guarantee))?;
            Some(format!("`{}` is not {}", delivery.table, delivery.promise(guarantee).name()))
        })
    };
    caught(run).unwrap_or_else(Some)
}

/// A file in which something is wrong, and is to stay so.
struct Hunt<'a> {
    name: &'a str,
    files: &'a Files,
    what: String,
    runs: u64,
}

impl Hunt<'_> {
    fn still(&mut self, text: &str) -> bool {
        self.runs += 1;
        wrong_in(self.name, text, self.files).is_some_and(|other| other == self.what)
    }

    /// Leaves out lines of `faults` blocks and of records.
    fn fewer_lines(&mut self, text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let all = removable(&lines);
        let without = |kept: &[usize]| {
            let stays = |place: &usize| all.binary_search(place).is_err() || kept.contains(place);
            let lines = lines.iter().enumerate().filter(|(place, _)| stays(place));
            lines.map(|(_, line)| format!("{line}\n")).collect::<String>()
        };
        let (mut kept, mut what) = (all.clone(), self.what.clone());
        fewer(&mut kept, &mut what, |kept| self.still(&without(kept)).then(|| self.what.clone()));
        without(&kept)
    }

    /// Cuts the script.
    fn smaller_script(&mut self, mut text: String) -> String {
        let mut at = 0;
        while let Some(smaller) = cuts(self.name, &text).into_iter().nth(at) {
            match self.still(&smaller) {
                true => text = smaller,
                false => at += 1,
            }
        }
        text
    }
}

/// Cuts a scenario or a script down as long as the same stays wrong with it. None when nothing is wrong with it.
pub fn shrink_file(name: &str, text: &str, files: &Files) -> Option<Shrunk> {
    let what = wrong_in(name, text, files)?;
    let mut hunt = Hunt { name, files, what, runs: 1 };
    let bare = if is_scenario(name) { bare(text) } else { text.to_owned() };
    let mut text = if hunt.still(&bare) { bare } else { text.to_owned() };
    loop {
        let before = text.clone();
        text = hunt.fewer_lines(&text);
        text = hunt.smaller_script(text);
        if text == before {
            break;
        }
    }
    let tidied = tidied(&text);
    let scenario = if hunt.still(&tidied) { tidied } else { text };
    let lines: Vec<&str> = scenario.lines().collect();
    let left = removable(&lines).into_iter().map(|place| lines[place].trim().to_owned());
    let (faults, records): (Vec<String>, Vec<String>) =
        left.partition(|line| line.starts_with("at ") || line.starts_with("on "));
    let (records, statements) = (records.len(), statements(name, &scenario));
    Some(Shrunk { what: hunt.what, faults, records, statements, runs: hunt.runs, scenario })
}

fn is_scenario(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".md")
}

/// The blocks of a scenario: the words behind each opening fence, and the lines between the fences.
fn blocks<'a>(lines: &[&'a str]) -> Vec<(&'a str, Range<usize>)> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    for (place, line) in lines.iter().enumerate() {
        let Some(info) = line.trim().strip_prefix("```") else { continue };
        open = match open {
            Some((info, from)) => {
                found.push((info, from..place));
                None
            }
            None => Some((info.trim(), place + 1)),
        };
    }
    found
}

fn kind(info: &str) -> &str {
    info.split_whitespace().next().unwrap_or_default()
}

/// How many statements the script of a file has.
pub(super) fn statements(name: &str, text: &str) -> usize {
    if !is_scenario(name) {
        return script::count(text);
    }
    let lines: Vec<&str> = text.lines().collect();
    let scripts = blocks(&lines).into_iter().filter(|(info, _)| kind(info) == "sql");
    scripts.map(|(_, range)| script::count(&lines[range].join("\n"))).sum()
}

/// Its blocks under its title: without a word of the lesson, and without what it expects, which another input does not give.
fn bare(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let title = lines.iter().find(|line| line.starts_with("# "));
    let mut bare = title.map(|title| format!("{title}\n")).unwrap_or_default();
    for (info, range) in blocks(&lines).into_iter().filter(|(info, _)| kind(info) != "expect") {
        bare += &format!("\n```{info}\n");
        lines[range].iter().for_each(|line| bare += &format!("{line}\n"));
        bare += "```\n";
    }
    bare
}

/// The text with each cut of one of its scripts, and without the records that no script has a word for any more.
fn cuts(name: &str, text: &str) -> Vec<String> {
    if !is_scenario(name) {
        return script::cuts(text);
    }
    let lines: Vec<&str> = text.lines().collect();
    let scripts = blocks(&lines).into_iter().filter(|(info, _)| kind(info) == "sql");
    let of = |(_, range): (&str, Range<usize>)| {
        let (before, behind) = (lines[..range.start].join("\n"), lines[range.end..].join("\n"));
        let cuts = script::cuts(&lines[range].join("\n")).into_iter();
        let whole = move |cut: String| used(&format!("{before}\n{cut}\n{behind}\n"));
        cuts.map(whole).collect::<Vec<_>>()
    };
    scripts.flat_map(of).collect()
}

/// The scenario without the records of tables that its script does not name.
fn used(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let blocks = blocks(&lines);
    let scripts = blocks.iter().filter(|(info, _)| kind(info) == "sql");
    let script: String = scripts.map(|(_, range)| lines[range.clone()].join("\n")).collect();
    let named = |table: &str| {
        script.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == table)
    };
    let unused = |(info, range): &(&str, Range<usize>)| {
        let table = info.split_whitespace().nth(1).filter(|_| is_records(info));
        table.is_some_and(|table| !named(table)).then(|| range.start - 1..range.end + 1)
    };
    let gone: Vec<Range<usize>> = blocks.iter().filter_map(unused).collect();
    let stays = |place: &usize| !gone.iter().any(|range| range.contains(place));
    let lines = lines.iter().enumerate().filter(|(place, _)| stays(place));
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

fn is_records(info: &str) -> bool {
    matches!(kind(info), "jsonl" | "csv")
}

/// The lines that may be left out: faults, and records but for the first line of CSV.
fn removable(lines: &[&str]) -> Vec<usize> {
    let mut found = Vec::new();
    for (info, range) in blocks(lines) {
        if is_records(info) || kind(info) == "faults" {
            let first = range.start + usize::from(kind(info) == "csv");
            let says =
                |place: &usize| !matches!(lines[*place].trim().chars().next(), None | Some('#'));
            found.extend((first..range.end).filter(says));
        }
    }
    found
}

/// The text without lines and spaces that cuts have left.
fn tidied(text: &str) -> String {
    let mut tidied = String::new();
    let mut inside = "";
    for line in text.lines() {
        let fence = line.trim().strip_prefix("```");
        if let Some(info) = fence {
            inside = if inside.is_empty() { kind(info) } else { "" };
        }
        if inside != "sql" || fence.is_some() {
            tidied += &format!("{line}\n");
        } else if !line.trim().is_empty() {
            let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
            tidied += &format!("{}\n", words.join(" ").replace(" ;", ";"));
        }
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::*;

    const LESSON: &str = "# Title\n\nA word.\n\n```sql\nSELECT 1;\n```\n\n```jsonl t\n{}\n\n{}\n```\n\n\
                          ```expect rows\n1\n```\n\n```csv u\na\n1\n2\n```\n\n```faults\n# why\nat 1s crash\n```\n";

    #[test]
    fn a_lesson_is_laid_bare() {
        let bare = bare(LESSON);
        assert!(bare.starts_with("# Title\n\n```sql\nSELECT 1;\n```\n"), "{bare}");
        assert!(!bare.contains("word") && !bare.contains("expect"), "{bare}");
        assert_eq!(statements("x.md", &bare), 1);
        let lines: Vec<&str> = bare.lines().collect();
        let removable: Vec<&str> = removable(&lines).into_iter().map(|at| lines[at]).collect();
        assert_eq!(removable, ["{}", "{}", "1", "2", "at 1s crash"]);
    }

    #[test]
    fn records_go_with_their_table() {
        let named = LESSON.replace("SELECT 1", "CREATE TABLE t (a INT); SELECT a FROM t");
        let used = used(&named);
        assert!(used.contains("```jsonl t") && !used.contains("csv u"), "{used}");
        let cuts = cuts("x.md", &used);
        let without = cuts.iter().find(|cut| !cut.contains("FROM t") && !cut.contains("TABLE t"));
        assert!(cuts.iter().any(|cut| !cut.contains("CREATE TABLE")), "{cuts:?}");
        assert!(without.is_none_or(|cut| !cut.contains("jsonl")), "{without:?}");
    }

    #[test]
    fn what_cuts_have_left_is_tidied() {
        let text = "# T  x\n\n```sql\n\nSELECT a  FROM t ;\n\n```\n";
        assert_eq!(tidied(text), "# T  x\n\n```sql\nSELECT a FROM t;\n```\n");
    }
}
