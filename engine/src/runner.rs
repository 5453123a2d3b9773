//! The runner: the same tasks as fast as the machine goes, no virtual time, no trace.

use std::collections::VecDeque;

use crate::batch::Batch;
use crate::error::Result;
use crate::graph::Graph;
use crate::schema::SchemaRef;
use crate::source::ingest::Ingest;
use crate::source::inlet::Inlet;
use crate::task::{Effects, Element, Task};

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

    /// What the job has done so far.
    pub fn report(&self) -> Report {
        let sources = || self.tasks.iter().filter_map(Task::source);
        Report {
            records: self.records,
            bad: sources().map(|ingest| ingest.bad).sum(),
            late: self.fx.late,
            rows: self.rows,
            fuel: self.fx.fuel,
            described: sources().flat_map(|i| i.described.clone()).collect(),
        }
    }

    /// Delivers elements until none is under way.
    fn deliver(&mut self) -> Result<()> {
        self.queue.extend(self.fx.sends.drain(..));
        while let Some((channel, element)) = self.queue.pop_front() {
            let (to, at_gate) = self.channels[usize::from(channel)];
            self.tasks[usize::from(to)].receive(at_gate, element, &mut self.fx)?;
            self.queue.extend(self.fx.sends.drain(..));
        }
        Ok(())
    }
}
