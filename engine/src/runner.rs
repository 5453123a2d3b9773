//! The runner: the same tasks as fast as the machine goes, no virtual time, no trace.

use std::collections::VecDeque;

use crate::batch::Batch;
use crate::error::Result;
use crate::graph::Graph;
use crate::schema::SchemaRef;
use crate::snapshot::bytes::{Pieces, Reader, put};
use crate::snapshot::{INLET, Opened, Snapshot};
use crate::source::ingest::Ingest;
use crate::source::inlet::{Inlet, Position};
use crate::task::{Effects, Element, Task};
use crate::trace::Barriers;
use crate::{archive, unarchive};

/// The section that holds what has been counted so far.
const COUNTED: &str = "runner";

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records read.
    pub records: u64,
    /// Records left out because they could not be read.
    pub bad: u64,
    /// Records left out as late, over all operators.
    pub late: u64,
    /// Rows given to sinks.
    pub rows: u64,
    /// Fuel that guests used.
    pub fuel: u64,
    /// The first records that could not be read, described: file, line, column, what is wrong.
    pub described: Vec<String>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records read.
    pub records: u64,
    /// The least watermark of the sources, in milliseconds; none before the first.
    pub watermark: Option<i64>,
    /// The newest event time of all sources, in milliseconds, where the watermark stays a fixed delay behind.
    pub newest: Option<i64>,
}

impl Progress {
    /// How far these sources have come.
    pub fn of<'a>(records: u64, sources: impl Iterator<Item = &'a Ingest> + Clone) -> Progress {
        let timed = || sources.clone().filter(|source| source.is_timed());
        let watermark = timed().map(|source| source.watermark().0).min();
        // Neither before the first nor after the last there is a time to speak of.
        let watermark = watermark.filter(|w| *w != i64::MIN && *w != i64::MAX);
        let newest = timed().filter_map(|source| source.newest()).max();
        Progress { records, watermark, newest }
    }
}

impl From<u64> for Progress {
    /// So many records and nothing else known.
    fn from(records: u64) -> Progress {
        Progress { records, ..Progress::default() }
    }
}

impl Report {
    /// What so many records have become, and rows given to sinks.
    pub fn of<'a>(
        (records, rows): (u64, u64),
        fx: &Effects,
        sources: impl Iterator<Item = &'a Ingest> + Clone,
    ) -> Report {
        Report {
            records,
            bad: sources.clone().map(|ingest| ingest.bad).sum(),
            late: fx.late,
            rows,
            fuel: fx.fuel,
            described: sources.flat_map(|ingest| ingest.described.clone()).collect(),
        }
    }
}

/// Runs a job as far as its input goes.
pub struct Runner {
    inlet: Inlet,
    tasks: Vec<Task>,
    /// Channel number to task and channel number at its gate.
    channels: Vec<(u16, usize)>,
    /// Task and rows' schema of each source.
    sources: Vec<(u16, SchemaRef)>,
    sinks: Vec<u16>,
    fx: Effects,
    queue: VecDeque<(u16, Element)>,
    /// What tells this job from others.
    identity: Vec<(String, Pieces)>,
    /// Tasks' states at the barrier that is under way.
    parts: Vec<(u16, Pieces)>,
    records: u64,
    rows: u64,
}

impl Runner {
    /// A runner over fresh tasks of a graph.
    pub fn new(graph: &Graph, inlet: Inlet, tasks: Vec<Task>) -> Runner {
        let schemas = graph.sources().into_iter().map(|(_, schema)| schema.clone());
        Runner {
            inlet,
            tasks,
            channels: graph.channels.iter().map(|&(_, to, at_gate)| (to, at_gate)).collect(),
            sources: graph.source_tasks().into_iter().zip(schemas).collect(),
            sinks: graph.sink_tasks(),
            fx: Effects::default(),
            queue: VecDeque::new(),
            identity: graph.identity(),
            parts: Vec::new(),
            records: 0,
            rows: 0,
        }
    }

    /// Runs to the end. `emit` gets each sink's rows in their order; `progress` hears how far it is.
    ///
    /// # Errors
    /// What stops the job: a malformed record, a failing expression, a guest's trap, `emit`'s own.
    pub fn run(
        mut self,
        batch_rows: usize,
        emit: &mut dyn FnMut(usize, Batch) -> Result<()>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report> {
        while self.step(batch_rows, emit)? {
            progress(self.progress());
        }
        Ok(self.report())
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        Progress::of(self.records, self.tasks.iter().filter_map(Task::source))
    }

    /// Takes the next arrivals through all tasks; `false` at the end of the input.
    ///
    /// # Errors
    /// As [`Runner::run`]. After an error of the input itself the call can be repeated.
    pub fn step(
        &mut self,
        batch_rows: usize,
        emit: &mut dyn FnMut(usize, Batch) -> Result<()>,
    ) -> Result<bool> {
        let round = self.inlet.round(batch_rows)?;
        let Some(upto) = round.first().map(|arrivals| arrivals.upto) else { return Ok(false) };
        let mut heard = vec![false; self.sources.len()];
        for arrivals in round {
            let source = arrivals.source;
            heard[source] = true;
            self.records += arrivals.rows() as u64;
            self.tasks[usize::from(self.sources[source].0)].ingest(arrivals, &mut self.fx)?;
            self.deliver()?;
        }
        for other in (0..self.sources.len()).filter(|&other| !heard[other]) {
            let (task, schema) = &self.sources[other];
            let batch = Batch::progress(schema.clone(), Vec::new(), upto);
            self.tasks[usize::from(*task)].progress(batch, &mut self.fx)?;
            self.deliver()?;
        }
        for (s, &task) in self.sinks.iter().enumerate() {
            let sink = self.tasks[usize::from(task)].sink().expect("a sink task has a sink");
            for batch in sink.drain() {
                self.rows += batch.rows as u64;
                emit(s, batch)?;
            }
        }
        Ok(true)
    }

    /// The whole state between two steps: a barrier goes through all tasks, which encode what has changed
    /// since the last one. Nothing is under way then, and no sink holds a row back.
    ///
    /// # Errors
    /// What stops the job.
    pub fn checkpoint(&mut self, checkpoint: u64) -> Result<Snapshot> {
        self.parts.clear();
        for source in 0..self.sources.len() {
            let task = self.sources[source].0;
            self.tasks[usize::from(task)].cut(checkpoint, Barriers::Aligned, &mut self.fx);
            self.keep(task);
            self.deliver()?;
        }
        self.forget(checkpoint);
        let mut counted = Vec::new();
        [self.records, self.rows, self.fx.late, self.fx.fuel]
            .into_iter()
            .for_each(|n| put(&mut counted, n));
        let mut sections = vec![(INLET.to_owned(), archive!(self.inlet.position()).into())];
        sections.extend(self.identity.iter().cloned());
        sections.push((COUNTED.to_owned(), counted.into()));
        self.parts.sort_by_key(|part| part.0);
        for (task, pieces) in self.parts.drain(..) {
            sections.push((self.tasks[usize::from(task)].name.clone(), pieces));
        }
        Ok(Snapshot { checkpoint, sections })
    }

    /// Goes on from a checkpoint; to be called before the first step.
    ///
    /// # Errors
    /// When the snapshot is of another plan, or the input no longer reaches as far.
    pub fn restore(&mut self, graph: &Graph, snapshot: &Opened<'_>) -> Result<()> {
        graph.restore(&mut self.tasks, snapshot)?;
        let position = unarchive!(Position, snapshot.section(INLET)?)?;
        self.forget(snapshot.checkpoint);
        let mut counted = Reader::new(snapshot.section(COUNTED)?);
        self.records = counted.number()?;
        self.rows = counted.number()?;
        self.fx.late = counted.number()?;
        self.fx.fuel = counted.number()?;
        counted.end()?;
        self.inlet.seek(&position)
    }

    /// Sinks hand their rows over at once: what a barrier leaves with them is empty.
    fn forget(&mut self, checkpoint: u64) {
        for &task in &self.sinks {
            if let Some(sink) = self.tasks[usize::from(task)].sink() {
                sink.commit(checkpoint);
            }
        }
    }

    /// Keeps what a task has written at a barrier.
    fn keep(&mut self, task: u16) {
        if let Some((_, pieces)) = self.fx.snapshot.take() {
            self.parts.push((task, pieces));
        }
    }

    /// All tasks, in the graph's order. Between two steps nothing is under way.
    pub fn tasks_mut(&mut self) -> &mut [Task] {
        &mut self.tasks
    }

    /// Records read so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// What the job has done so far.
    pub fn report(&self) -> Report {
        let sources = self.tasks.iter().filter_map(Task::source);
        Report::of((self.records, self.rows), &self.fx, sources)
    }

    /// Delivers elements until none is under way.
    fn deliver(&mut self) -> Result<()> {
        self.queue.extend(self.fx.sends.drain(..));
        while let Some((channel, element)) = self.queue.pop_front() {
            let (to, at_gate) = self.channels[usize::from(channel)];
            self.tasks[usize::from(to)].receive(at_gate, element, &mut self.fx)?;
            self.keep(to);
            self.queue.extend(self.fx.sends.drain(..));
        }
        Ok(())
    }
}
