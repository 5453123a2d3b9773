//! Why? Answers about windows, records, rows held and rows made, each tried before it is given.
//!
//! An answer says what would have to be otherwise: one more record, another delay of the watermark, only some
//! of the input. Both the answer and what falls one millisecond short of it are run, so nothing here knows
//! the rules of the operators a second time.

mod held;
mod lineage;
mod patch;
mod records;
mod search;
mod standing;
mod text;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::prepare::{Many, Variation, prepare_varied};
use super::{Files, Options, Rows, Session};
use crate::batch::Seq;
use crate::error::{Diagnostic, Error};
use crate::sim::State;
use crate::sim::fault::{At, Fault};
use crate::time::{EventTime, VirtualTime};
use crate::trace::{Event, Header, What};
use crate::udf::Sandbox;

pub use held::{Held, HeldRow, KeptRow};
pub use lineage::Made;
pub use records::{Change, Place, Told};
pub use standing::{HeldBy, Push, Pushed};
pub use text::interval;
pub use windows::{Fired, Open, Wanted, Windows};

/// The most records a file may have: an answer runs it, or a part of it, again and again.
pub const MOST_RECORDS: usize = 20_000;
/// Steps between two looks at how many records there are.
const STEPS: u64 = 4_096;

/// A record of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number: its place in the whole stream.
    pub seq: Seq,
    /// Its table.
    pub table: String,
    /// The table's place among the sources.
    pub source: usize,
    /// Its partition.
    pub partition: u16,
    /// Its place in the partition, as it is without a storm of late data.
    pub offset: u64,
    /// When it arrives.
    pub at: VirtualTime,
    /// Its event time, milliseconds, where its table declares one.
    pub event_time: Option<i64>,
    /// Its columns.
    pub row: String,
}

/// A file that has been run once and answers questions about that run.
pub struct Why<'a> {
    name: &'a str,
    text: &'a str,
    files: &'a Files,
    sandbox: Arc<dyn Sandbox>,
    options: Options,
    records: BTreeMap<Seq, Record>,
    /// What delays the input.
    delays: Vec<Fault>,
    /// The whole run.
    run: Session,
}

impl<'a> Why<'a> {
    /// Runs a file. Checkpoints and faults change no row, so the run has none but delays of the input.
    ///
    /// # Errors
    /// Everything that is wrong with the file, why the job failed if it did, and more records than
    /// [`MOST_RECORDS`].
    pub fn open(
        name: &'a str,
        text: &'a str,
        files: &'a Files,
        sandbox: Arc<dyn Sandbox>,
        options: &Options,
    ) -> Many<Why<'a>> {
        super::ends(name, text)?;
        let job = (name, text, files);
        let delays = delays(job, &sandbox, options)?;
        let run = varied(job, &sandbox, options, &delays, Variation::default())?;
        let (options, records) = (*options, BTreeMap::new());
        let mut why = Why { name, text, files, sandbox, options, records, delays, run };
        if why.run.explain_only() {
            return Err(why.fail(
                Diagnostic::new("why.explain", "this file asks for its plan and runs nothing")
                    .hint("take EXPLAIN out to ask about its run"),
            ));
        }
        let (mut seen, mut more) = (0, true);
        while more {
            more = (0..STEPS).all(|_| why.run.sim.step(&mut why.run.trace));
            why.note(seen);
            seen = why.run.trace.len();
            if why.records.len() > MOST_RECORDS {
                let message = format!("there are more than {MOST_RECORDS} records");
                return Err(why.fail(Diagnostic::new("why.too-long", message).hint(
                    "an answer runs the file many times: ask about one with fewer records",
                )));
            }
        }
        drive(&mut why.run)?;
        Ok(why)
    }

    /// Notes the records that have arrived since an event.
    fn note(&mut self, from: usize) {
        let graph = &self.run.sim.job().graph;
        let tasks = graph.source_tasks();
        for event in &self.run.trace[from..] {
            let What::Arrive { partition, offset, seq, event_time, row } = &event.what else {
                continue;
            };
            let Some(source) = tasks.iter().position(|t| *t == event.task) else { continue };
            let offset = self.run.sim.calm_offset(source, *partition, *offset);
            self.records.insert(
                *seq,
                Record {
                    seq: *seq,
                    table: graph.sources()[source].0.table.clone(),
                    source,
                    partition: *partition,
                    offset,
                    at: VirtualTime(event.at),
                    event_time: *event_time,
                    row: row.clone(),
                },
            );
        }
    }

    /// The records that were read, by their numbers.
    pub fn records(&self) -> &BTreeMap<Seq, Record> {
        &self.records
    }

    /// The rows that come out, a table each.
    pub fn tables(&self) -> Vec<Rows> {
        self.run.tables()
    }

    /// The record of a number.
    fn record_numbered(&self, seq: Seq) -> Many<&Record> {
        if let Some(record) = self.records.get(&seq) {
            return Ok(record);
        }
        let (first, last) = (self.records.keys().next(), self.records.keys().next_back());
        let (Some(first), Some(last)) = (first, last) else {
            return Err(self.fail(Diagnostic::new("why.no-record", "no record was read")));
        };
        let error = Diagnostic::new("why.no-record", format!("there is no record {seq}"));
        let count = self.records.len();
        let records = if count == 1 { "record" } else { "records" };
        let mut hint = format!("{count} {records} were read, numbered {first} to {last}");
        if (first..last).contains(&&seq) {
            hint = format!(
                "the number {seq} stands for a record left out, or a partition that fell silent or ended; {hint}"
            );
        }
        Err(self.fail(error.hint(hint)))
    }

    /// The last record's number, or the given one's.
    fn after(&self, after: Option<Seq>) -> Many<Seq> {
        let last = self.records.keys().next_back().copied();
        Ok(self.record_numbered(after.or(last).unwrap_or(0))?.seq)
    }

    /// The job, a little otherwise.
    fn varied(&self, variation: Variation<'_>) -> Many<Session> {
        let job = (self.name, self.text, self.files);
        varied(job, &self.sandbox, &self.options, &self.delays, variation)
    }

    /// What happened in a run with another delay, up to a record and without all behind it.
    fn with_delay(&self, table: &str, delay: i64, until: Seq) -> Many<Session> {
        let variation = Variation { delay: Some((table, delay)), ..Variation::default() };
        let mut session = self.varied(variation)?;
        session.sim.stop_after(until);
        drive(&mut session)?;
        Ok(session)
    }

    /// A whole run in which there are only these records.
    fn with_only(&self, seqs: &BTreeSet<Seq>) -> Many<Session> {
        let place = |r: &Record| (r.source, r.partition, r.offset);
        let only = seqs.iter().filter_map(|s| self.records.get(s)).map(place).collect();
        let mut session = self.varied(Variation { only: Some(&only), ..Variation::default() })?;
        drive(&mut session)?;
        Ok(session)
    }

    fn fail(&self, error: Error) -> Vec<Diagnostic> {
        vec![*error.in_source(self.name)]
    }
}

/// A job: what messages call its file, the file's text, and what it reads.
type File<'a> = (&'a str, &'a str, &'a Files);

/// What delays the input of a job in its run with all that befalls it: when records arrive is part of the input.
fn delays(
    (name, text, files): File<'_>,
    sandbox: &Arc<dyn Sandbox>,
    options: &Options,
) -> Many<Vec<Fault>> {
    let sandbox = Arc::clone(sandbox);
    let prepared = prepare_varied(name, text, files, sandbox, options, Variation::default())?;
    let delays = |fault: &Fault| fault.kind.delay.is_some();
    let behind = |fault: &Fault| delays(fault) && matches!(fault.at, At::On(..));
    if !prepared.faults.iter().any(delays) {
        return Ok(Vec::new());
    }
    let runs = prepared.faults.iter().any(behind);
    let mut session = Session::of(name, prepared).map_err(|e| vec![*e.in_source(name)])?;
    let mut events = Vec::new();
    while runs && session.sim.step(&mut events) && session.sim.records() <= MOST_RECORDS as u64 {
        events.clear();
    }
    Ok(session.sim.delays().to_vec())
}

/// Opens a job that is a little otherwise than the file says.
fn varied(
    (name, text, files): File<'_>,
    sandbox: &Arc<dyn Sandbox>,
    options: &Options,
    delays: &[Fault],
    variation: Variation<'_>,
) -> Many<Session> {
    let sandbox = Arc::clone(sandbox);
    let mut prepared = prepare_varied(name, text, files, sandbox, options, variation)?;
    prepared.faults = delays.to_vec();
    prepared.settings.values.remove("execution.checkpointing.interval");
    // One record at a time, so that a run can stand still after any.
    prepared.batch_rows = Some(1);
    Session::of(name, prepared).map_err(|e| vec![*e.in_source(name)])
}

/// Goes on to the end, or to where the run is to stand still. Nobody asks for the hash of what was varied.
fn drive(session: &mut Session) -> Many<()> {
    while session.sim.step(&mut session.trace) {}
    match session.sim.state() {
        State::Failed(error) => Err(vec![error.clone()]),
        _ => Ok(()),
    }
}

/// The name of a task.
fn task_name(header: &Header, task: u16) -> String {
    header.tasks.get(usize::from(task)).map_or_else(String::new, |t| t.name.clone())
}

/// The step that brought a task's watermark to at least `watermark`: how far, and the record behind it.
fn reached(trace: &[Event], task: u16, watermark: i64) -> Option<(EventTime, Seq)> {
    let steps = trace.iter().filter(|e| e.task == task);
    steps.filter_map(step).find(|(w, _)| w.0 >= watermark)
}

/// The last step of a task's watermark.
fn last_step(trace: &[Event], task: u16) -> Option<(EventTime, Seq)> {
    trace.iter().rev().filter(|e| e.task == task).find_map(step)
}

fn step(event: &Event) -> Option<(EventTime, Seq)> {
    match event.what {
        What::Watermark { watermark, seq } => Some((EventTime(watermark), seq)),
        _ => None,
    }
}
