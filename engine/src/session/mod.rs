//! A session: one job opened from a file's text, stepped, sought, forked, crashed, looked at.

mod audit;
mod check;
mod compare;
mod delivery;
mod invariants;
mod ledger;
mod live;
mod prepare;
mod running;
mod savepoint;
mod state;
mod status;
mod table;
mod torture;
mod trial;
pub mod why;

use std::rc::Rc;
use std::sync::Arc;

use crate::error::{Diagnostic, Result};
use crate::graph::Graph;
pub use crate::plan::Guarantee;
pub use crate::runner::Progress;
use crate::runner::{Report, Runner};
use crate::sim::fault::Fault;
use crate::sim::{Sim, State};
use crate::source::inlet::Inlet;
use crate::source::{Input, Reader};
use crate::task::Task;
use crate::trace::{Chunk, Event, TraceHash};
use crate::udf::Sandbox;

pub use crate::source::Files;
pub use crate::sql::{Need, NeedKind};
pub use check::{Block, CheckReport, check};
pub use compare::{Comparison, Differing, Dropped, Figures, Latency, MostHeld, Parted, TableDiff};
pub use delivery::{Delivery, shown_again};
pub use invariants::broken;
pub use ledger::{Account, Ledger};
pub use live::{Live, Port};
pub use running::Running;
pub use state::Kept;
pub use status::Status;
pub use table::{Rows, jsonl_row, text_table};
pub use torture::{Every, Torture, Victim, Violation};
pub use trial::Trial;

use prepare::{Many, Prepared, prepare};

/// Steps between two copies of the simulation kept for seeking back.
const KEYFRAME: u64 = 256;
/// The most copies kept; then every second one is let go.
const KEYFRAMES: usize = 256;

/// What the caller wants otherwise than the file says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The seed of schedule and generators.
    pub seed: Option<u64>,
    /// Subtasks of keyed operators.
    pub parallelism: Option<u32>,
    /// The most records that travel together.
    pub batch_rows: Option<u32>,
}

/// What a file needs to be given before it can be opened: data it reads, guests it calls.
///
/// # Errors
/// When the text cannot be read that far.
pub fn needs(name: &str, text: &str) -> Many<Vec<Need>> {
    prepare::needs(name, text)
}

/// Refuses a file whose input never ends, for those who run to the end. Whoever steps, may.
///
/// # Errors
/// One for each table that has no end, or what is wrong with the file as a scenario.
pub fn ends(name: &str, text: &str) -> Many<()> {
    prepare::ends(name, text)
}

/// A copy of the simulation after some step, and how long the trace was then.
#[derive(Clone)]
struct Keyframe {
    sim: Sim,
    events: usize,
    hash: TraceHash,
}

/// One simulated job.
#[derive(Clone)]
pub struct Session {
    name: String,
    sim: Sim,
    trace: Vec<Event>,
    /// So many events at the trace's end are ahead of the present: known, since the run has been there.
    ahead: usize,
    hash: TraceHash,
    keyframes: Vec<Keyframe>,
    spacing: u64,
    horizon: u64,
    warnings: Rc<[Diagnostic]>,
    explain_only: bool,
}

impl Session {
    /// Opens a file's text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(
        name: &str,
        text: &str,
        files: &Files,
        sandbox: Arc<dyn Sandbox>,
        options: &Options,
    ) -> Many<Session> {
        let prepared = prepare(name, text, files, sandbox, options)?;
        Session::of(name, prepared).map_err(|e| vec![*e.in_source(name)])
    }

    /// A session of a job made ready.
    fn of(name: &str, mut prepared: Prepared) -> Result<Session> {
        prepared.fed()?;
        let inlet = prepared.inlet(true)?;
        let guarantee = prepared.settings.get("highwater.guarantee").and_then(Guarantee::named);
        let Prepared { faults, warnings, explain_only, .. } = &mut prepared;
        let (faults, warnings) = (std::mem::take(faults), std::mem::take(warnings));
        let explain_only = *explain_only;
        let sim = Sim::new(Rc::new(prepared.job()), inlet, &faults)?;
        let sim = sim.promising(guarantee.unwrap_or_default());
        let mut session = Session {
            name: name.to_owned(),
            sim,
            trace: Vec::new(),
            ahead: 0,
            hash: TraceHash::default(),
            keyframes: Vec::new(),
            spacing: KEYFRAME,
            horizon: 0,
            warnings: warnings.into(),
            explain_only,
        };
        session.keep();
        Ok(session)
    }

    /// The plan as `EXPLAIN` prints it.
    pub fn explain(&self) -> String {
        self.sim.job().graph.plan().explain()
    }

    /// True when the file asks for an explanation and nothing else.
    pub fn explain_only(&self) -> bool {
        self.explain_only
    }

    /// Things worth saying that are no errors.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Does up to `steps` steps.
    pub fn step(&mut self, steps: u64) -> Status {
        for _ in 0..steps {
            if !self.advance() {
                break;
            }
        }
        self.status()
    }

    /// Runs to the end.
    pub fn finish(&mut self) -> Status {
        while self.advance() {}
        self.status()
    }

    fn advance(&mut self) -> bool {
        if self.sim.step_count() < self.horizon {
            return self.advance_again();
        }
        let before = self.trace.len();
        if !self.sim.step(&mut self.trace) {
            return false;
        }
        let header = &self.sim.job().graph.header;
        for event in &self.trace[before..] {
            self.hash.update(event, header);
        }
        let step = self.sim.step_count();
        if step > self.horizon {
            self.horizon = step;
            if step.is_multiple_of(self.spacing) {
                self.keep();
            }
        }
        true
    }

    /// Does a step that has been done before.
    fn advance_again(&mut self) -> bool {
        let mut events = Vec::new();
        let more = self.sim.step(&mut events);
        for event in &events {
            self.hash.update(event, &self.sim.job().graph.header);
        }
        let present = self.present();
        if more && self.trace[present..].starts_with(&events) {
            self.ahead -= events.len();
        } else {
            // A guest that remembers what it was asked before is asked other things now: nothing is known any more.
            self.trace.truncate(present);
            self.trace.append(&mut events);
            self.ahead = 0;
            self.horizon = self.sim.step_count();
            let horizon = self.horizon;
            self.keyframes.retain(|k| k.sim.step_count() < horizon);
        }
        more
    }

    /// How many events there are up to the present.
    fn present(&self) -> usize {
        self.trace.len() - self.ahead
    }

    /// Keeps a copy of the present for seeking back.
    fn keep(&mut self) {
        if self.keyframes.len() >= KEYFRAMES {
            self.spacing *= 2;
            let spacing = self.spacing;
            self.keyframes.retain(|k| k.sim.step_count().is_multiple_of(spacing));
        }
        let (sim, hash) = (self.sim.clone(), self.hash.clone());
        self.keyframes.push(Keyframe { sim, events: self.trace.len(), hash });
    }

    /// Goes to the state right after a step, by the nearest copy before it and the steps from there.
    pub fn seek(&mut self, step: u64) -> Status {
        let near = self.keyframes.iter().rposition(|k| k.sim.step_count() <= step);
        let near = &self.keyframes[near.expect("the beginning is always kept")];
        let now = self.sim.step_count();
        if step < now || near.sim.step_count() > now {
            self.sim = near.sim.clone();
            self.hash = near.hash.clone();
            self.ahead = self.trace.len() - near.events;
        }
        while self.sim.step_count() < step && self.advance() {}
        self.status()
    }

    /// The faults that there are for this job, each as it is written behind `at now`.
    pub fn faults(&self) -> Vec<String> {
        crate::sim::fault::choices(self.header())
    }

    /// Injects a fault, such as `at now crash window/1`. The future is run anew from here.
    ///
    /// # Errors
    /// When the line is no fault.
    pub fn inject(&mut self, fault: &str) -> Result<()> {
        let fault = Fault::parse(fault, &self.sim.job().graph.header)?;
        self.sim.place(fault);
        self.forget_future();
        Ok(())
    }

    /// What comes from here on is another run's.
    fn forget_future(&mut self) {
        self.trace.truncate(self.present());
        self.ahead = 0;
        let step = self.sim.step_count();
        self.keyframes.retain(|k| k.sim.step_count() < step || step == 0);
        if step == 0 {
            self.keyframes.clear();
        }
        self.horizon = step;
        self.keep();
    }

    /// An independent copy.
    #[must_use]
    pub fn fork(&self) -> Session {
        self.clone()
    }

    /// Where the session stands.
    pub fn status(&self) -> Status {
        let (finished, failed) = match self.sim.state() {
            State::Finished => (true, None),
            State::Failed(e) => (false, Some(e.clone())),
            State::Running | State::Down => (false, None),
        };
        let tables = self.sim.tables().iter().flat_map(|t| &t.batches);
        Status {
            step: self.sim.step_count(),
            at: self.sim.now().0,
            events: self.present() as u64,
            finished,
            failed,
            hash: self.hash.hex(),
            committed_rows: tables.map(|b| b.rows as u64).sum(),
            checkpoints: self.sim.checkpoints().len() as u64,
            fuel: self.sim.fuel(),
            horizon: self.horizon,
            faults_to_come: self.sim.faults_to_come(),
        }
    }

    /// A stretch of the trace: events from `first`, at most `max`.
    pub fn trace(&self, first: u64, max: u32) -> Chunk {
        let from = usize::try_from(first).unwrap_or(usize::MAX).min(self.present());
        let to = from.saturating_add(max as usize).min(self.present());
        let header = self.sim.job().graph.header.clone();
        Chunk { header, first: from as u64, events: self.trace[from..to].to_vec() }
    }

    /// All events so far.
    pub fn events(&self) -> &[Event] {
        &self.trace[..self.present()]
    }

    /// The names behind the events' numbers.
    pub fn header(&self) -> &crate::trace::Header {
        &self.sim.job().graph.header
    }

    /// What the sinks have made visible.
    pub fn tables(&self) -> Vec<Rows> {
        Rows::of(&self.sim)
    }

    /// The newest completed checkpoint.
    pub fn snapshot(&self) -> Option<Vec<u8>> {
        self.sim.checkpoints().last().map(|(_, bytes)| bytes.to_vec())
    }

    /// Starts the job anew from a snapshot made by any host.
    ///
    /// # Errors
    /// When the snapshot is damaged or of another pipeline; the session stays as it was.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let beginning = self.keyframes.first().expect("the beginning is always kept");
        let mut sim = beginning.sim.clone();
        let mut trace = Vec::new();
        sim.restore(bytes, &mut trace).map_err(|e| e.in_source(&self.name))?;
        self.sim = sim;
        self.hash = TraceHash::default();
        for event in &trace {
            self.hash.update(event, &self.sim.job().graph.header);
        }
        self.trace = trace;
        self.ahead = 0;
        self.keyframes.clear();
        self.horizon = self.sim.step_count();
        self.keep();
        Ok(())
    }
}

/// How many records are taken in at a time where nobody says.
const BATCH_ROWS: usize = 8192;

/// A job taken apart, for whoever drives its tasks in a way of his own.
pub struct Parts {
    /// Which task sends to which.
    pub graph: Graph,
    /// The input in the order in which it arrives.
    pub inlet: Inlet,
    /// A task for each of the graph's.
    pub tasks: Vec<Task>,
    /// How many records are taken in at a time.
    pub batch_rows: usize,
    /// The file's name, for errors.
    pub name: String,
}

/// A job's rows without the simulation.
pub struct Fast {
    prepared: Prepared,
    name: String,
}

impl Fast {
    /// Opens a file's text for the runner.
    ///
    /// # Errors
    /// Everything that is wrong with it; input that never ends is.
    pub fn open(
        name: &str,
        text: &str,
        files: &Files,
        sandbox: Arc<dyn Sandbox>,
        options: &Options,
    ) -> Many<Fast> {
        let prepared = prepare(name, text, files, sandbox, options)?;
        prepared.fed().map_err(|e| vec![*e.in_source(name)])?;
        ends(name, text)?;
        Ok(Fast { prepared, name: name.to_owned() })
    }

    /// The sinks, without rows.
    pub fn sinks(&self) -> Vec<Rows> {
        let sinks = self.prepared.graph.sinks().into_iter();
        sinks
            .map(|(spec, schema, updating)| Rows::new(spec, schema, updating, Vec::new()))
            .collect()
    }

    /// The plan as `EXPLAIN` prints it.
    pub fn explain(&self) -> String {
        self.prepared.graph.plan().explain()
    }

    /// True when the file asks for an explanation and nothing else.
    pub fn explain_only(&self) -> bool {
        self.prepared.explain_only
    }

    /// Things worth saying that are no errors.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.prepared.warnings
    }

    /// Lets `wrap` take the place of each reader that may go to another thread: a host with threads decodes
    /// input there.
    pub fn wrap_readers(
        &mut self,
        wrap: &mut dyn FnMut(Box<dyn Reader + Send>) -> Box<dyn Reader>,
    ) {
        let mut one = |Input { partition, name, reader, first }: Input| {
            let reader = reader.detach().map_or_else(|reader| reader, &mut *wrap);
            Input { partition, name, reader, first }
        };
        let inputs = std::mem::take(&mut self.prepared.inputs).into_iter();
        self.prepared.inputs =
            inputs.map(|list| list.into_iter().map(&mut one).collect()).collect();
    }

    /// Gets ready to run step by step.
    ///
    /// # Errors
    /// When the first records cannot be read.
    pub fn begin(mut self) -> Result<Running> {
        let batch_rows = self.prepared.batch_rows.unwrap_or(BATCH_ROWS);
        let inlet = self.prepared.inlet(false).map_err(|e| e.in_source(&self.name))?;
        let p = self.prepared;
        let tasks = p.graph.build(&p.partitions, &p.guests, &p.sandbox)?;
        let runner = Runner::new(&p.graph, inlet, tasks);
        Ok(Running { graph: p.graph, runner, batch_rows, name: self.name })
    }

    /// The job taken apart for a driver with so many threads.
    ///
    /// # Errors
    /// When the number of threads is out of range, or the first records cannot be read.
    pub fn parts(mut self, threads: u32) -> Result<Parts> {
        let batch_rows = self.prepared.batch_rows.unwrap_or(BATCH_ROWS);
        let inlet = self.prepared.inlet(false).map_err(|e| e.in_source(&self.name))?;
        let p = self.prepared;
        let graph = Graph::threaded(p.graph.plan().clone(), threads, p.graph.header.seed)?;
        let tasks = graph.build(&p.partitions, &p.guests, &p.sandbox)?;
        Ok(Parts { graph, inlet, tasks, batch_rows, name: self.name })
    }

    /// How many records are taken in at a time.
    pub fn batch_rows(&self) -> usize {
        self.prepared.batch_rows.unwrap_or(BATCH_ROWS)
    }

    /// Runs to the end; see [`Runner::run`].
    ///
    /// # Errors
    /// What stops the job.
    pub fn run(
        mut self,
        emit: &mut dyn FnMut(usize, crate::batch::Batch) -> Result<()>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report> {
        let rows = self.batch_rows();
        let inlet = self.prepared.inlet(false).map_err(|e| e.in_source(&self.name))?;
        let p = &self.prepared;
        let tasks = p.graph.build(&p.partitions, &p.guests, &p.sandbox)?;
        Runner::new(&p.graph, inlet, tasks)
            .run(rows, emit, progress)
            .map_err(|e| e.in_source(&self.name))
    }
}
