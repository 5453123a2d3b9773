//! A schedule that shows something wrong, cut down: fewer faults, fewer records, a smaller job.

use std::sync::Arc;

use highwater_engine::session::{Files, Guarantee, Options, Session, broken};
use highwater_engine::sim::fault::Fault;
use highwater_oracle::simpler::simplified;

use super::draw::{Drawn, Sink};
use super::{Found, Subject, Violation, caught};
use crate::sandbox::WasmtimeSandbox;

/// The least that still shows it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is wrong, a line.
    pub what: String,
    /// The faults that are left.
    pub faults: Vec<String>,
    /// The records that are left.
    pub records: usize,
    /// The steps of the pipeline that are left, its sources included; `None`: it was not drawn, and stays as it is.
    pub steps: Option<usize>,
    /// How many runs it took.
    pub runs: u64,
    /// A scenario that shows it and opens in the page.
    pub scenario: String,
}

/// Something wrong that is looked for in ever smaller schedules.
struct Hunt<'a> {
    violation: &'a Violation,
    runs: u64,
}

impl Hunt<'_> {
    /// What is wrong with a schedule, whatever it is.
    fn wrong(&mut self, drawn: &Drawn, faults: &[String]) -> Option<String> {
        self.runs += 1;
        let run = || {
            let subject = match Subject::of(drawn.clone()) {
                Ok(subject) => subject,
                // A job that fails by itself is another matter, unless that is what was found.
                Err(what) => return self.violation.faults.is_empty().then_some(what),
            };
            if self.violation.faults.is_empty() {
                return subject.compare_with_loops().and_then(|()| subject.moves()).err();
            }
            // A fault for which a smaller job has no place shows nothing.
            let header = subject.session.header();
            if faults.iter().any(|line| Fault::parse(line, header).is_err()) {
                return None;
            }
            match subject.calm_under(faults) {
                Ok(calm) => {
                    let schedule = (self.violation.guarantee, faults);
                    subject.run(schedule, &calm, true, &mut Found::default())
                }
                Err(what) => Some(what),
            }
        };
        caught(run).unwrap_or_else(Some)
    }
}

/// Cuts a schedule down as long as something stays wrong with it.
pub fn shrink(violation: &Violation) -> Option<Shrunk> {
    let mut drawn = Drawn::new(violation.seed);
    let mut faults = violation.faults.clone();
    let mut hunt = Hunt { violation, runs: 0 };
    let mut what = hunt.wrong(&drawn, &faults)?;
    loop {
        let before = (faults.len(), drawn.case.input.records.len(), drawn.case.node.clone());
        fewer(&mut faults, &mut what, |faults| hunt.wrong(&drawn, faults));
        let mut records = drawn.case.input.records.clone();
        fewer(&mut records, &mut what, |records| {
            let mut smaller = drawn.clone();
            smaller.case.input.records = records.to_vec();
            hunt.wrong(&smaller, &faults)
        });
        drawn.case.input.records = records;
        simpler(&mut drawn, &mut what, |drawn| hunt.wrong(drawn, &faults));
        while plainer(&mut drawn, &mut what, |drawn| hunt.wrong(drawn, &faults)) {}
        if (faults.len(), drawn.case.input.records.len(), &drawn.case.node)
            == (before.0, before.1, &before.2)
        {
            break;
        }
    }
    let scenario = drawn.file(violation.guarantee, &faults);
    let records = drawn.case.input.records.len();
    let steps = Some(drawn.case.node.steps().len());
    Some(Shrunk { what, faults, records, steps, runs: hunt.runs, scenario })
}

/// Leaves parts of a list out, halves first, then ever smaller ones (delta debugging; Zeller and Hildebrandt, TSE
/// 2002).
fn fewer<T: Clone>(
    list: &mut Vec<T>,
    what: &mut String,
    mut wrong: impl FnMut(&[T]) -> Option<String>,
) {
    let mut part = list.len().div_ceil(2);
    while part > 0 && !list.is_empty() {
        let mut from = 0;
        while from < list.len() {
            let mut without = list.clone();
            without.drain(from..(from + part).min(list.len()));
            match wrong(&without) {
                Some(still) => (*list, *what) = (without, still),
                None => from += part,
            }
        }
        part = if part == 1 { 0 } else { part.div_ceil(2) };
    }
}

/// The first pipeline that is a step simpler and over which something stays wrong; whether there is one.
fn plainer(
    drawn: &mut Drawn,
    what: &mut String,
    mut wrong: impl FnMut(&Drawn) -> Option<String>,
) -> bool {
    for node in simplified(&drawn.case.node) {
        let mut smaller = drawn.clone();
        smaller.case.node = node;
        if let Some(still) = smaller.case.sound().then(|| wrong(&smaller)).flatten() {
            (*drawn, *what) = (smaller, still);
            return true;
        }
    }
    false
}

/// One subtask, one record at a time.
fn simpler(drawn: &mut Drawn, what: &mut String, mut wrong: impl FnMut(&Drawn) -> Option<String>) {
    let changes: [fn(&mut Drawn); 3] =
        [|d| d.parallelism = 1, |d| d.batch_rows = 1, |d| d.sink = Sink::Result];
    for change in changes {
        let mut smaller = drawn.clone();
        change(&mut smaller);
        if let Some(still) = wrong(&smaller) {
            (*drawn, *what) = (smaller, still);
        }
    }
}

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

/// Cuts a scenario's file down: lines of its `faults` blocks and of its records are left out as long as the same
/// stays wrong with it. None when nothing is wrong with it.
pub fn shrink_file(name: &str, text: &str, files: &Files) -> Option<Shrunk> {
    let what = wrong_in(name, text, files)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut kept = removable(&lines);
    let all = kept.clone();
    let without = |kept: &[usize]| {
        let stays = |place: &usize| !all.contains(place) || kept.contains(place);
        let lines = lines.iter().enumerate().filter(|(place, _)| stays(place));
        lines.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    let (mut found, mut runs) = (what.clone(), 1);
    fewer(&mut kept, &mut found, |kept| {
        runs += 1;
        wrong_in(name, &without(kept), files).filter(|other| *other == what)
    });
    let faults = kept.iter().map(|&place| lines[place].trim().to_owned());
    let (faults, records): (Vec<String>, Vec<String>) =
        faults.partition(|line| line.starts_with("at ") || line.starts_with("on "));
    let scenario = without(&kept);
    Some(Shrunk { what, faults, records: records.len(), steps: None, runs, scenario })
}

/// The lines of a scenario that may be left out: faults, and records but for the first line of CSV.
fn removable(lines: &[&str]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut inside = None;
    for (place, line) in lines.iter().enumerate() {
        let line = line.trim();
        match (inside, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let kind = info.split_whitespace().next().unwrap_or_default();
                inside =
                    Some((kind == "faults" || kind == "jsonl" || kind == "csv", kind == "csv"));
            }
            (Some(_), Some(_)) => inside = None,
            (Some((true, true)), None) => inside = Some((true, false)),
            (Some((true, false)), None) if !line.is_empty() && !line.starts_with('#') => {
                found.push(place);
            }
            _ => {}
        }
    }
    found
}
