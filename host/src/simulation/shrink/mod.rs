//! A schedule that shows something wrong, cut down: fewer faults, fewer records, a smaller job.

mod file;
mod script;

use highwater_engine::sim::fault::Fault;
use highwater_oracle::simpler::simplified;

use super::draw::{Drawn, Sink};
use super::{Found, Subject, Violation, caught, guest, refusal};

pub use file::shrink_file;

/// The least that still shows it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is wrong, a line.
    pub what: String,
    /// The faults that are left.
    pub faults: Vec<String>,
    /// The records that are left.
    pub records: usize,
    /// The statements of the script that are left.
    pub statements: usize,
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
                Err(what) => {
                    let alike = refusal(&what) == refusal(&self.violation.what);
                    return (self.violation.faults.is_empty() && alike).then_some(what);
                }
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
    // What a file shows by itself can lose parts of its statements, too.
    const NAME: &str = "shrunk.md";
    if let Some(shrunk) = shrink_file(NAME, &scenario, &guest::files()) {
        return Some(Shrunk { runs: hunt.runs + shrunk.runs, ..shrunk });
    }
    let records = drawn.case.input.records.len();
    let statements = file::statements(NAME, &scenario);
    Some(Shrunk { what, faults, records, statements, runs: hunt.runs, scenario })
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
    let changes: [fn(&mut Drawn); 4] = [
        |d| d.parallelism = 1,
        |d| d.batch_rows = 1,
        |d| d.sink = Sink::Result,
        |d| d.guest = None,
    ];
    for change in changes {
        let mut smaller = drawn.clone();
        change(&mut smaller);
        if let Some(still) = wrong(&smaller) {
            (*drawn, *what) = (smaller, still);
        }
    }
}
