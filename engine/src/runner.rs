//! The runner: the same tasks as fast as the machine goes, no virtual time, no trace.

use std::collections::VecDeque;

use crate::batch::Batch;
use crate::error::Result;
use crate::graph::Graph;
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

/// Runs a job to the end of its input.
pub struct Runner<'a> {
    graph: &'a Graph,
    inlet: Inlet,
    tasks: Vec<Task>,
    sources: Vec<u16>,
    sinks: Vec<u16>,
    fx: Effects,
    queue: VecDeque<(u16, Element)>,
    report: Report,
}

impl<'a> Runner<'a> {
    /// A runner over fresh tasks.
    pub fn new(graph: &'a Graph, inlet: Inlet, tasks: Vec<Task>) -> Runner<'a> {
        Runner {
            graph,
            inlet,
            tasks,
            sources: graph.source_tasks(),
            sinks: graph.sink_tasks(),
            fx: Effects::default(),
            queue: VecDeque::new(),
            report: Report::default(),
        }
    }

    /// Runs to the end. `emit` gets each sink's rows in their order; `progress` hears of records read.
    ///
    /// # Errors
    /// What stops the job: a malformed record, a failing expression, a guest's trap, `emit`'s own.
    pub fn run(
        mut self,
        batch_rows: usize,
        emit: &mut dyn FnMut(usize, Batch) -> Result<()>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Report> {
        let schemas: Vec<_> = self.graph.sources().iter().map(|(_, s)| (*s).clone()).collect();
        while let Some(arrivals) = self.inlet.next(batch_rows, None)? {
            let (source, upto) = (arrivals.source, arrivals.upto);
            self.report.records += arrivals.rows() as u64;
            let task = usize::from(self.sources[source]);
            self.tasks[task].ingest(arrivals, &mut self.fx)?;
            self.deliver()?;
            for (other, schema) in schemas.iter().enumerate().filter(|(o, _)| *o != source) {
                let batch = Batch::progress(schema.clone(), Vec::new(), upto);
                let task = usize::from(self.sources[other]);
                self.tasks[task].progress(batch, &mut self.fx)?;
                self.deliver()?;
            }
            self.drain(emit)?;
            progress(self.report.records);
        }
        self.drain(emit)?;
        self.report.bad =
            self.tasks.iter().filter_map(|t| t.source()).map(|ingest| ingest.bad).sum();
        self.report.described =
            self.tasks.iter().filter_map(Task::source).flat_map(|i| i.described.clone()).collect();
        self.report.late = self.fx.late;
        self.report.fuel = self.fx.fuel;
        Ok(self.report)
    }

    /// Delivers elements until none is under way.
    fn deliver(&mut self) -> Result<()> {
        self.queue.extend(self.fx.sends.drain(..));
        while let Some((channel, element)) = self.queue.pop_front() {
            let (_, to, at_gate) = self.graph.channels[usize::from(channel)];
            self.tasks[usize::from(to)].receive(at_gate, element, &mut self.fx)?;
            self.queue.extend(self.fx.sends.drain(..));
        }
        Ok(())
    }

    fn drain(&mut self, emit: &mut dyn FnMut(usize, Batch) -> Result<()>) -> Result<()> {
        for (s, &task) in self.sinks.iter().enumerate() {
            let sink = self.tasks[usize::from(task)].sink().expect("a sink task has a sink");
            for batch in sink.drain() {
                self.report.rows += batch.rows as u64;
                emit(s, batch)?;
            }
        }
        Ok(())
    }
}
