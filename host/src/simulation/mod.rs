//! The engine broken on purpose: pipelines, records, knobs and faults drawn from seeds, run under every guarantee,
//! and looked at by checkers that know no operator.
//!
//! A schedule is a job, a guarantee and a list of faults. Each is run twice, and both runs must have the same
//! trace, also where in the second every operator, and the gate in front with the rows that wait there, writes its state
//! behind each element and goes on from that alone. Its rows, and what its tasks hold in the end, are compared with those
//! of the run that nothing befell but delays of its input, and that run's rows with what plain loops give over records as
//! late as those. Which kinds of faults there are in a schedule is drawn first, and then the faults among them: many
//! schedules without a kind find what a few of each hide (swarm testing; Groce and others, ISSTA 2012).

mod draw;
mod guest;
mod shrink;
mod states;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use highwater_engine::session::{Delivery, Guarantee, Session, Trial, broken, shown_again};
use highwater_engine::trace::{Event, What};
use highwater_oracle::input::Input;
use highwater_oracle::pipeline::Node;
use highwater_oracle::{batch, left};

use crate::sandbox::WasmtimeSandbox;

use draw::RETENTION;
pub use draw::{Drawn, Sink};
pub use shrink::{Shrunk, shrink, shrink_file};
pub use states::STATES;

/// Lists of faults that are drawn for each pipeline, unless somebody asks for fewer.
pub const LISTS: u64 = 4;

/// Of one in so many seeds, second runs go on from snapshots behind every element.
const FROM_STATES: u64 = 8;

/// One in so many jobs goes on from its checkpoints with another parallelism.
const MOVED: u64 = 4;

/// What is to be drawn.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Names of kinds of faults; empty: all.
    pub faults: Vec<String>,
    /// What jobs promise.
    pub guarantees: Vec<Guarantee>,
    /// How many lists of faults are drawn for each pipeline.
    pub lists: u64,
    /// Whether each schedule is run a second time, and both traces compared.
    pub twice: bool,
    /// Whether a seed is done with at the first schedule that shows something wrong.
    pub first: bool,
}

/// What has been counted under one guarantee: jobs that promise it, and the rows of tables that do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Schedules.
    pub schedules: u64,
    /// Of those, jobs that stopped before their end, as some faults have them do. What they have not come to counts
    /// nowhere.
    pub stopped: u64,
    /// Rows there should be, of all others.
    pub expected: u64,
    /// Rows missing that the guarantee does not allow to be missing.
    pub lost: u64,
    /// Rows there once more than the guarantee allows.
    pub duplicated: u64,
    /// Rows out of order although the guarantee keeps order.
    pub reordered: u64,
    /// Rows that no record makes, under a guarantee that forbids them.
    pub wrong: u64,
    /// Rows missing as the guarantee allows.
    pub expected_loss: u64,
    /// Rows that say what records make that count twice in a state, where nobody waits for barriers.
    pub counted_twice: u64,
    /// Rows twice, or given to an idempotent table twice, as the guarantee allows.
    pub expected_duplicates: u64,
    /// Under at-most-once: rows that look like others and are of other records, since what knows nothing any more says
    /// the same again.
    pub alike: u64,
}

/// A schedule that has shown something wrong.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What the pipeline and its records are drawn from.
    pub seed: u64,
    /// Which of the seed's lists of faults.
    pub list: u64,
    /// What the job promised.
    pub guarantee: Guarantee,
    /// The faults, a line each.
    pub faults: Vec<String>,
    /// What is wrong, a line.
    pub what: String,
}

/// What has come of some seeds.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Schedules that were run.
    pub schedules: u64,
    /// In the order of [`Guarantee::ALL`].
    pub counts: [Counts; 3],
    /// Schedules whose two runs differ.
    pub trace_mismatches: u64,
    /// How often, in second runs, an operator has gone on from its own snapshot alone.
    pub restore_points: u64,
    /// How often a job has gone on from a snapshot with another parallelism.
    pub rescales: u64,
    /// Names of [`STATES`] that some run was in.
    pub states: BTreeSet<&'static str>,
    /// Schedules that have shown something wrong.
    pub violations: Vec<Violation>,
}

impl Found {
    /// Adds what has come of other seeds.
    pub fn add(&mut self, other: Found) {
        self.schedules += other.schedules;
        for (own, other) in self.counts.iter_mut().zip(other.counts) {
            own.schedules += other.schedules;
            own.stopped += other.stopped;
            own.alike += other.alike;
            own.expected += other.expected;
            own.lost += other.lost;
            own.duplicated += other.duplicated;
            own.reordered += other.reordered;
            own.wrong += other.wrong;
            own.counted_twice += other.counted_twice;
            own.expected_loss += other.expected_loss;
            own.expected_duplicates += other.expected_duplicates;
        }
        self.trace_mismatches += other.trace_mismatches;
        self.restore_points += other.restore_points;
        self.rescales += other.rescales;
        self.states.extend(other.states);
        self.violations.extend(other.violations);
    }
}

/// A seed's pipeline, and its run that nothing befell.
pub struct Subject {
    drawn: Drawn,
    session: Session,
    calm: Trial,
}

impl Subject {
    /// Draws it, runs it, and compares it with plain loops.
    ///
    /// # Errors
    /// What is wrong with it before any fault has struck.
    pub fn new(seed: u64) -> Result<Subject, String> {
        let drawn = Drawn::new(seed);
        let subject = Subject::of(drawn)?;
        subject.compare_with_loops()?;
        Ok(subject)
    }

    /// The same of what is drawn already, compared with nothing.
    fn of(drawn: Drawn) -> Result<Subject, String> {
        let session = opened(&drawn)?;
        let calm = session.trial(Guarantee::ExactlyOnce, &[], 0).map_err(|e| e.to_string())?;
        if let Some((code, message)) = &calm.stopped {
            return Err(format!("the job fails without faults: {code}: {message}"));
        }
        Ok(Subject { drawn, session, calm })
    }

    /// The job goes on from its checkpoints with more subtasks, and from those with as many as it had; how many times.
    fn moves(&self) -> Result<u64, String> {
        let few = self.drawn.parallelism;
        let many = few + 1 + (self.drawn.seed / MOVED % 4) as u32;
        let mut run = opened(&self.drawn.moved(few))?;
        run.finish();
        let moved = run.goes_on_as(&opened(&self.drawn.moved(many))?, 4);
        moved.map_err(|wrong| format!("gone on with {many} subtasks for {few}: {wrong}"))
    }

    fn compare_with_loops(&self) -> Result<(), String> {
        self.compare(&self.calm, &self.drawn.case.input)
    }

    /// The run that befalls nothing but its input, of those faults that do from a time on, compared with plain loops, too:
    /// what a run with all of them is judged by, where no others delay its input.
    fn calm_under(&self, faults: &[String]) -> Result<Cow<'_, Trial>, String> {
        let delays = self.session.delays_among(faults).map_err(|e| e.to_string())?;
        if delays.is_empty() {
            return Ok(Cow::Borrowed(&self.calm));
        }
        let calm = self.session.trial(Guarantee::ExactlyOnce, &delays, self.calm.steps);
        let calm = calm.map_err(|e| e.to_string())?;
        if let Some((code, message)) = &calm.stopped {
            return Err(format!("the job fails when its input is late: {code}: {message}"));
        }
        let delays = draw::delays(&delays, self.session.header())?;
        self.compare(&calm, &self.drawn.case.input.delayed(&delays))?;
        Ok(Cow::Owned(calm))
    }

    fn compare(&self, calm: &Trial, input: &Input) -> Result<(), String> {
        let of = |node: &Node| batch::result(node, input).0;
        let expected = of(&self.drawn.case.node);
        let guest = self.drawn.guest().map(|(guest, table)| (guest, guest.rows(table, input)));
        for table in &calm.tables {
            let expected = match &guest {
                Some((guest, own)) if table.spec.table == guest.table() => own,
                _ => &expected,
            };
            if left(table)? != *expected {
                return Err(format!(
                    "the rows of `{}` are not those of plain loops",
                    table.spec.table
                ));
            }
        }
        Ok(())
    }

    /// Whether a job may stop with this error.
    fn may_stop(&self, code: &str, faults: &[String], events: &[Event]) -> bool {
        match code {
            "run.restarts" => {
                let crashes = events.iter().filter(|e| matches!(e.what, What::Crash { .. }));
                self.drawn.attempts.is_some_and(|most| crashes.count() as u64 > most)
            }
            "source.retention" => self.may_lack_records(faults),
            "source.regressed" => faults.iter().any(|fault| fault.contains(" source-regress ")),
            "source.gap" => faults.iter().any(|fault| fault.contains(" source-gap ")),
            _ => false,
        }
    }

    /// Whether a recovery may find that sources no longer have the rest. When a record has arrived the trace does not say:
    /// while the job is down, or the clock leaps, it is read later.
    fn may_lack_records(&self, faults: &[String]) -> bool {
        let any = |part: &str| faults.iter().any(|fault| fault.contains(part));
        self.drawn.settings.iter().any(|(key, _)| *key == RETENTION)
            || (any("forget") && (any("snapshot-") || any("read-error")))
    }

    /// What is wrong when a second run has another trace. Of some seeds its operators go on from their snapshots behind
    /// every element.
    fn differs(
        &self,
        one: &Trial,
        faults: &[String],
        calm: &Trial,
        found: &mut Found,
    ) -> Option<String> {
        let (session, steps) = (&self.session, calm.steps);
        let (second, difference) = match self.drawn.seed % FROM_STATES {
            0 => (
                session.trial_from_states(one.guarantee, faults, steps),
                "operators that go on from their own snapshots have another trace",
            ),
            _ => (session.trial(one.guarantee, faults, steps), "two runs have two traces"),
        };
        let Ok(second) = second else { return Some(difference.to_owned()) };
        found.restore_points += second.taken_back;
        if let Some(wrong) = second.wrong.filter(|_| one.wrong.is_none()) {
            return Some(wrong);
        }
        let differs = second.events != one.events || second.stopped != one.stopped;
        found.trace_mismatches += u64::from(differs);
        differs.then(|| difference.to_owned())
    }

    /// Which task does not hold in the end what it holds when nothing befalls the job, where no record counts otherwise.
    fn otherwise(&self, one: &Trial, calm: &Trial) -> Option<String> {
        let alike = one.guarantee.replays() && one.stopped.is_none() && !one.counted_twice;
        let header = self.session.header();
        let both = one.states.iter().zip(&calm.states).zip(&header.tasks);
        let mut other = both.filter(|((one, calm), _)| alike && one != calm);
        let ((one, calm), task) = other.next()?;
        let number = one.iter().zip(calm).position(|(one, calm)| one != calm).unwrap_or(0);
        Some(format!(
            "operator {number} of {} holds another state in the end: {}",
            task.name, task.describe
        ))
    }

    /// Runs one list of faults under a guarantee, and once more if traces are to be compared.
    fn run(
        &self,
        (guarantee, faults): (Guarantee, &[String]),
        calm: &Trial,
        twice: bool,
        found: &mut Found,
    ) -> Option<String> {
        found.schedules += 1;
        let one = match self.session.trial(guarantee, faults, calm.steps) {
            Ok(one) => one,
            Err(error) => return Some(error.to_string()),
        };
        states::reached(&one, self.session.header(), &mut found.states);
        // Faults behind events have delayed the input of this run alone.
        let own = match one.delays == calm.delays {
            true => None,
            false => match self.calm_under(&one.delays) {
                Ok(own) => Some(own),
                Err(wrong) => return Some(wrong),
            },
        };
        let calm = own.as_deref().unwrap_or(calm);
        let delivered = one.against(calm);
        let header = self.session.header();
        let by_row = self.session.row_by_row().then_some(&delivered[..]);
        let again = match guarantee {
            Guarantee::AtMostOnce => shown_again(&one.tables, &one.events, header, by_row),
            _ => 0,
        };
        count(&mut found.counts, &one, again, &delivered);
        if let Some(difference) = twice.then(|| self.differs(&one, faults, calm, found)).flatten() {
            return Some(difference);
        }
        if let Some(what) = self.otherwise(&one, calm) {
            return Some(what);
        }
        let broken = broken(&one.events, self.session.header(), guarantee).into_iter().next();
        if let Some(line) = broken.or_else(|| one.wrong.clone()) {
            return Some(line);
        }
        match &one.stopped {
            Some((code, _)) if self.may_stop(code, faults, &one.events) => {
                let too_much = |d: &Delivery| match d.promise(guarantee) {
                    Guarantee::ExactlyOnce => d.duplicated + d.wrong + d.reordered + d.holes,
                    Guarantee::AtLeastOnce if !one.counted_twice => d.invented,
                    Guarantee::AtLeastOnce | Guarantee::AtMostOnce => 0,
                };
                let said = delivered.iter().map(too_much).sum::<u64>();
                (said > 0).then(|| "a job that stopped has said what it should not".to_owned())
            }
            Some((code, message)) => Some(format!("the job stops: {code}: {message}")),
            // By values it cannot be told: what knows nothing any more says the same again, of other records.
            None if guarantee == Guarantee::AtMostOnce => (again > 0)
                .then(|| format!("{again} rows are shown that never came to a sink, or twice")),
            None if one.counted_twice => {
                let wrong = delivered.iter().any(|d| d.wrong > 0);
                found.states.extend(wrong.then_some("records-counted-twice"));
                None
            }
            None => delivered.iter().find(|d| !d.keeps(guarantee)).map(Delivery::line),
        }
    }
}

/// What is wrong with a job that the engine does not take, in front of the error's code.
const REFUSED: &str = "the pipeline is refused: ";

/// The code of the error with which a job is refused.
fn refusal(what: &str) -> Option<&str> {
    what.strip_prefix(REFUSED)?.split(':').next()
}

fn opened(drawn: &Drawn) -> Result<Session, String> {
    let sandbox = Arc::new(WasmtimeSandbox::default());
    Session::open("sim.md", &drawn.scenario(&[]), &guest::files(), sandbox, &drawn.options())
        .map_err(|errors| {
            let first = errors.first().map(|e| format!("{}: {}", e.code, e.message));
            format!("{REFUSED}{}", first.unwrap_or_default())
        })
}

/// Counts what each table's guarantee allows apart from what it forbids.
fn count(counts: &mut [Counts; 3], trial: &Trial, again: u64, delivered: &[Delivery]) {
    let place = |guarantee: Guarantee| {
        Guarantee::ALL.iter().position(|g| *g == guarantee).expect("one of all")
    };
    // Who may stop has not lost what it has not come to.
    let stopped = trial.stopped.is_some();
    let job = &mut counts[place(trial.guarantee)];
    job.schedules += 1;
    job.stopped += u64::from(stopped);
    job.duplicated += again;
    for d in delivered {
        let promise = d.promise(trial.guarantee);
        let counts = &mut counts[place(promise)];
        let (lost, duplicated, wrong) = match stopped {
            true => (0, 0, 0),
            false => (d.lost, d.duplicated, d.wrong),
        };
        counts.expected += if stopped { 0 } else { d.expected };
        match promise {
            Guarantee::AtLeastOnce if trial.counted_twice => {
                counts.expected_duplicates += d.duplicated;
                counts.counted_twice += d.wrong;
            }
            Guarantee::AtLeastOnce if d.by_key => {
                counts.expected_duplicates += d.overwritten;
                counts.lost += lost;
                counts.duplicated += duplicated;
                counts.wrong += wrong + d.invented;
            }
            Guarantee::AtMostOnce => {
                counts.expected_loss += lost;
                counts.alike += d.duplicated;
            }
            Guarantee::AtLeastOnce => {
                counts.lost += lost;
                counts.wrong += d.wrong;
                counts.expected_duplicates += d.duplicated;
            }
            Guarantee::ExactlyOnce => {
                counts.lost += lost;
                counts.duplicated += d.duplicated;
                counts.reordered += d.reordered;
                counts.wrong += d.wrong;
            }
        }
    }
}

/// The scenario of one schedule of a seed, as a file that opens anywhere.
///
/// # Errors
/// What is wrong with the seed's job before any fault has struck.
pub fn scenario(seed: u64, list: u64, guarantee: Guarantee) -> Result<String, String> {
    let subject = Subject::new(seed)?;
    let faults = subject.drawn.faults(list, &[], &subject.session, &subject.calm);
    Ok(subject.drawn.file(guarantee, &faults))
}

/// Runs all schedules of a seed. A panic of the engine is something that was found, too.
pub fn seed(seed: u64, choice: &Choice) -> Found {
    let mut found = Found::default();
    let whole = |what: String, found: &mut Found| {
        let guarantee = Guarantee::ExactlyOnce;
        found.violations.push(Violation { seed, list: 0, guarantee, faults: Vec::new(), what });
    };
    let subject = match caught(|| Subject::new(seed)) {
        Ok(Ok(subject)) => subject,
        Ok(Err(what)) | Err(what) => {
            whole(what, &mut found);
            return found;
        }
    };
    if seed % MOVED == 1 {
        match caught(|| subject.moves()).and_then(|moved| moved) {
            Ok(times) => found.rescales += times,
            Err(what) => whole(what, &mut found),
        }
    }
    for list in 0..choice.lists {
        let faults = subject.drawn.faults(list, &choice.faults, &subject.session, &subject.calm);
        let calm = caught(|| subject.calm_under(&faults)).and_then(|calm| calm);
        for &guarantee in &choice.guarantees {
            let run = |found: &mut Found| match &calm {
                Ok(calm) => subject.run((guarantee, &faults), calm, choice.twice, found),
                Err(wrong) => Some(wrong.clone()),
            };
            let wrong = caught(|| run(&mut found)).unwrap_or_else(Some);
            if let Some(what) = wrong {
                let faults = faults.clone();
                found.violations.push(Violation { seed, list, guarantee, faults, what });
                if choice.first {
                    return found;
                }
            }
        }
    }
    found
}

fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        format!("the engine panics: {text}")
    })
}
