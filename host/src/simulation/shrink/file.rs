//! A scenario's file cut down: its faults, its records, its script, as long as the same stays wrong with it.

use std::sync::Arc;

use highwater_engine::scenario;
use highwater_engine::session::{Files, Guarantee, Options, Session, broken, ends};

use super::{Shrunk, fewer, script};
use crate::sandbox::WasmtimeSandbox;
use crate::simulation::caught;

/// Steps that are done before a run is asked whether it goes on for too long.
const STRIDE: u64 = 4_096;

/// What is wrong with a scenario, and after how many steps: its job fails, or its sinks show what its guarantee
/// forbids. None when nothing is, when it cannot be opened or has no end, or takes more steps than these.
fn wrong_in(name: &str, text: &str, files: &Files, most: u64) -> Option<(String, u64)> {
    let run = || {
        ends(name, text).ok()?;
        let sandbox = Arc::new(WasmtimeSandbox::default());
        let mut session = Session::open(name, text, files, sandbox, &Options::default()).ok()?;
        let mut steps = 0;
        let status = loop {
            let status = session.step(STRIDE);
            if status.finished || status.failed.is_some() || status.step < steps + STRIDE {
                break status;
            }
            steps = status.step;
            if steps >= most {
                return None;
            }
        };
        let steps = status.step;
        if let Some(failed) = status.failed {
            return Some((format!("the job fails: {}", failed.code), steps));
        }
        if !status.finished {
            return Some(("the job comes to no end".to_owned(), steps));
        }
        let guarantee = session.guarantee();
        let broken = broken(session.events(), session.header(), guarantee).into_iter().next();
        let broken = broken.or_else(|| session.wrong().map(str::to_owned));
        let broken = broken.map(|line| line.split(':').next().unwrap_or_default().to_owned());
        let undelivered = || {
            // By rows at-most-once cannot be told.
            let told = guarantee != Guarantee::AtMostOnce;
            let delivery = session.delivery().into_iter().find(|d| told && !d.keeps(guarantee))?;
            Some(format!("`{}` is not {}", delivery.table, delivery.promise(guarantee).name()))
        };
        broken.or_else(undelivered).map(|what| (what, steps))
    };
    caught(run).unwrap_or_else(|panic| Some((panic, 0)))
}

/// A block of a scenario that is no script.
#[derive(Clone, PartialEq)]
struct Block {
    /// The words behind its fence.
    info: Vec<String>,
    lines: Vec<String>,
}

impl Block {
    fn is(&self, kinds: &[&str]) -> bool {
        self.info.first().is_some_and(|kind| kinds.contains(&kind.as_str()))
    }

    fn is_records(&self) -> bool {
        self.is(&["jsonl", "csv"])
    }

    /// Whether a line may be left out: a fault, a setting, or a record, but not the first line of CSV.
    fn may_lack(&self, line: usize) -> bool {
        let text = self.lines[line].trim();
        let says = !text.is_empty() && (self.is_records() || !text.starts_with('#'));
        says && !(self.is(&["csv"]) && line == 0)
    }
}

/// What of a file can show something: of a scenario the title, the script in one piece, and the blocks, without what it
/// expects, which another input does not give; of a script that.
#[derive(Clone, PartialEq)]
struct Content {
    /// `None`: it is a script.
    title: Option<String>,
    script: String,
    blocks: Vec<Block>,
}

impl Content {
    fn of(name: &str, text: &str) -> Content {
        if !name.ends_with(".md") {
            return Content { title: None, script: text.to_owned(), blocks: Vec::new() };
        }
        let title = text.lines().find(|line| line.starts_with("# ")).unwrap_or("# Shrunk");
        let (mut script, mut blocks) = (String::new(), Vec::new());
        for (info, text) in scenario::blocks(text) {
            let block = Block { info, lines: text.lines().map(str::to_owned).collect() };
            if block.is(&["sql"]) {
                script += &format!("{}\n", text.trim_end());
            } else if block.is_records() || block.is(&["faults"]) || block.is(&["toml"]) {
                blocks.push(block);
            }
        }
        Content { title: Some(title.to_owned()), script, blocks }
    }

    /// The file. Records of tables that the script does not name are left out.
    fn text(&self) -> String {
        let Some(title) = &self.title else { return self.script.clone() };
        let mut text = format!("{title}\n");
        let mut fenced = |info: &str, content: &str| {
            let longest = content.split(|c| c != '`').map(str::len).max().unwrap_or(0);
            let fence = "`".repeat(longest.max(2) + 1);
            text += &format!("\n{fence}{info}\n{}\n{fence}\n", content.trim_end_matches('\n'));
        };
        fenced("sql", &self.script);
        let says = |block: &Block| match block.info.get(1) {
            Some(table) if block.is_records() => script::names(&self.script, table),
            _ => !block.lines.is_empty(),
        };
        for block in self.blocks.iter().filter(|block| says(block)) {
            fenced(&block.info.join(" "), &block.lines.join("\n"));
        }
        text
    }

    /// The places of lines that may be left out.
    fn removable(&self) -> Vec<(usize, usize)> {
        let blocks = self.blocks.iter().enumerate();
        let of = |(at, block): (usize, &Block)| {
            let lines = (0..block.lines.len()).filter(|&line| block.may_lack(line));
            lines.map(|line| (at, line)).collect::<Vec<_>>()
        };
        blocks.flat_map(of).collect()
    }

    /// The same without some of these places.
    fn with(&self, all: &[(usize, usize)], kept: &[(usize, usize)]) -> Content {
        let gone: Vec<_> = all.iter().filter(|at| kept.binary_search(at).is_err()).collect();
        let mut smaller = self.clone();
        for (block, line) in gone.into_iter().rev() {
            smaller.blocks[*block].lines.remove(*line);
        }
        smaller
    }
}

/// A file in which something is wrong, and is to stay so.
struct Hunt<'a> {
    name: &'a str,
    files: &'a Files,
    what: String,
    /// Whoever takes more steps has become another job.
    most: u64,
    runs: u64,
}

impl Hunt<'_> {
    fn still(&mut self, content: &Content) -> bool {
        self.runs += 1;
        let wrong = wrong_in(self.name, &content.text(), self.files, self.most);
        wrong.is_some_and(|(other, _)| other == self.what)
    }

    /// Leaves out faults and records.
    fn fewer_lines(&mut self, content: &mut Content) {
        let all = content.removable();
        let (mut kept, mut what) = (all.clone(), self.what.clone());
        fewer(&mut kept, &mut what, |kept| {
            self.still(&content.with(&all, kept)).then(|| self.what.clone())
        });
        *content = content.with(&all, &kept);
    }

    /// Cuts the script.
    fn smaller_script(&mut self, content: &mut Content) {
        let (mut cuts, mut at) = (script::cuts(&content.script), 0);
        while let Some(cut) = cuts.get(at) {
            let smaller = Content { script: cut.of(&content.script), ..content.clone() };
            if smaller.script != content.script && self.still(&smaller) {
                *content = smaller;
                cuts = script::cuts(&content.script);
            } else {
                at += 1;
            }
        }
    }
}

/// Cuts a scenario or a script down as long as the same stays wrong with it. None when nothing is wrong with it.
pub fn shrink_file(name: &str, text: &str, files: &Files) -> Option<Shrunk> {
    let (what, steps) = wrong_in(name, text, files, u64::MAX)?;
    let mut hunt = Hunt { name, files, what, most: steps * 4 + STRIDE, runs: 1 };
    let mut content = Content::of(name, text);
    let shown = hunt.still(&content);
    let mut before = None;
    while shown && before.as_ref() != Some(&content) {
        before = Some(content.clone());
        hunt.fewer_lines(&mut content);
        hunt.smaller_script(&mut content);
    }
    let tidied = Content { script: script::tidied(&content.script), ..content.clone() };
    let content = if hunt.still(&tidied) { tidied } else { content };
    let of = |kinds: &[&str]| {
        let left = content.removable().into_iter();
        let own = left.filter(|(block, _)| content.blocks[*block].is(kinds));
        own.map(|(block, line)| content.blocks[block].lines[line].trim().to_owned())
            .collect::<Vec<_>>()
    };
    Some(Shrunk {
        what: hunt.what,
        faults: of(&["faults"]),
        records: of(&["jsonl", "csv"]).len(),
        statements: script::count(&content.script),
        runs: hunt.runs,
        scenario: if shown { content.text() } else { text.to_owned() },
    })
}

/// How many statements the script of a file has.
pub(super) fn statements(name: &str, text: &str) -> usize {
    script::count(&Content::of(name, text).script)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LESSON: &str = "# Title\n\nA word.\n\n~~~sql\nCREATE TABLE `my-t` (a INT);\n~~~\n\n```sql\nSELECT a FROM \
                          `my-t`;\n```\n\n```jsonl my-t\n{}\n\n{}\n```\n\n```expect rows\n1\n```\n\n```csv u\na\n1\n#2\n```\n\n\
                          > ```faults\n> # why\n> at 1s crash\n> ```\n";

    #[test]
    fn a_lesson_is_laid_bare() {
        let content = Content::of("x.md", LESSON);
        assert_eq!(script::count(&content.script), 2);
        let lines = content.removable();
        let lines: Vec<&str> =
            lines.into_iter().map(|(b, line)| content.blocks[b].lines[line].as_str()).collect();
        assert_eq!(lines, ["{}", "{}", "1", "#2", "at 1s crash"]);
        let text = content.text();
        assert!(text.starts_with("# Title\n\n```sql\nCREATE TABLE `my-t`"), "{text}");
        assert!(text.contains("```jsonl my-t\n{}\n\n{}\n```\n"), "{text}");
        // Nobody reads `u`.
        assert!(
            !text.contains("word") && !text.contains("expect") && !text.contains("csv"),
            "{text}"
        );
        assert!(
            Content::of("x.md", &text) == Content::of("x.md", &Content::of("x.md", &text).text())
        );
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        let text = "# T\n\n````sql\nSELECT '```';\n````\n";
        assert_eq!(Content::of("x.md", text).text(), text);
    }

    /// Records that come from nowhere, a job that dies of its third crash: neither becomes one without an end.
    #[test]
    fn a_job_stays_one_with_an_end() {
        let text = "# D\n\n```sql\nSET 'restart-strategy.fixed-delay.attempts' = '1';\n\
                    CREATE TABLE d (k INT, v INT) WITH ('connector' = 'datagen', 'number-of-rows' = '60', \
                    'rows-per-second' = '1');\nSELECT k, v + 1 AS w FROM d WHERE v > 0 OR v <= 0;\n```\n\n\
                    ```faults\nat 10s crash d/0\nat 20s crash d/0\nat 30s crash d/0\n```\n";
        let shrunk = shrink_file("d.md", text, &Files::default()).expect("it dies");
        assert_eq!(shrunk.what, "the job fails: run.restarts");
        assert_eq!((shrunk.faults.len(), shrunk.statements), (2, 3), "{}", shrunk.scenario);
        assert!(shrunk.scenario.contains("number-of-rows"), "{}", shrunk.scenario);
        assert!(!shrunk.scenario.contains("WHERE"), "{}", shrunk.scenario);
        let again = shrink_file("d.md", &shrunk.scenario, &Files::default()).expect("it dies");
        assert_eq!(again.scenario, shrunk.scenario);
    }
}
