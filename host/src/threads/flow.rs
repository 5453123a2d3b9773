//! What the calling thread does: it reads the input, keeps it flowing, and hands the rows on.

use std::collections::VecDeque;

use highwater_engine::batch::{Batch, Seq};
use highwater_engine::error::Result;
use highwater_engine::graph::Graph;
use highwater_engine::runner::{Progress, Report};
use highwater_engine::schema::SchemaRef;
use highwater_engine::source::inlet::Inlet;
use highwater_engine::task::{Effects, Task};

use super::crew::{Crew, Post, Stop};
use super::ready::Next;

/// The calling thread's side of a run.
pub(super) struct Flow<'a> {
    crew: &'a Crew,
    inlet: Inlet,
    /// Task and rows' schema of each source.
    sources: Vec<(Task, SchemaRef)>,
    fx: Effects,
    post: Post,
    /// How many times arrivals have been taken in, and how many loads they made.
    ticks: u64,
    loads: u64,
    /// The first load that is under way.
    oldest: u64,
    /// For each load under way, its ticks' ends in the stream.
    ends: VecDeque<Vec<(u64, Seq)>>,
    /// Everything up to this place has come out.
    complete: Seq,
    ended: bool,
    /// Rows that have come out, in a queue a sink.
    rows: Vec<VecDeque<Batch>>,
    records: u64,
    emitted: u64,
}

type Emit<'e> = &'e mut dyn FnMut(usize, Batch) -> Result<()>;

impl<'a> Flow<'a> {
    /// A flow from the start of the input.
    pub(super) fn new(
        crew: &'a Crew,
        graph: &Graph,
        inlet: Inlet,
        tasks: Vec<(u16, Task)>,
    ) -> Flow<'a> {
        let schemas: Vec<SchemaRef> = graph.sources().into_iter().map(|(_, s)| s.clone()).collect();
        let mut tasks: Vec<Option<(u16, Task)>> = tasks.into_iter().map(Some).collect();
        let mut of = |number: u16| {
            let found = tasks.iter_mut().find(|t| t.as_ref().is_some_and(|t| t.0 == number));
            found.and_then(Option::take).expect("each source has a task").1
        };
        let sources = graph.source_tasks().into_iter().map(&mut of).zip(schemas).collect();
        Flow {
            crew,
            inlet,
            sources,
            fx: Effects::default(),
            post: Post::default(),
            ticks: 0,
            loads: 0,
            oldest: 0,
            ends: VecDeque::new(),
            complete: 0,
            ended: false,
            rows: graph.sinks().iter().map(|_| VecDeque::new()).collect(),
            records: 0,
            emitted: 0,
        }
    }

    /// Runs to the end of the input or to the first error.
    pub(super) fn run(
        mut self,
        batch_rows: usize,
        emit: Emit<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report> {
        loop {
            self.collect();
            self.emit(emit)?;
            let under_way = self.loads - self.oldest;
            if self.crew.failed() == u64::MAX && !self.ended && under_way < self.crew.most_loads() {
                self.read(batch_rows);
                let sources = self.sources.iter().filter_map(|(task, _)| task.source());
                progress(Progress::of(self.records, sources));
                continue;
            }
            if under_way == 0 {
                break;
            }
            match self.crew.next() {
                Next::Task(task) => self.crew.run(task),
                // A thread has panicked: its panic is about to be told.
                Next::Leave => break,
                Next::Home => {}
            }
        }
        if let Some(error) = self.crew.error() {
            return Err(error);
        }
        Ok(self.report())
    }

    /// Takes in about `batch_rows` records: several arrivals where they come in small pieces.
    fn read(&mut self, batch_rows: usize) {
        let load = self.loads;
        self.loads += 1;
        self.crew.begin(load);
        let (mut rows, mut ends) = (0, Vec::new());
        while rows < batch_rows.div_ceil(2) && !self.ended {
            let tick = self.ticks;
            self.ticks += 1;
            match self.tick(batch_rows, load) {
                Ok(Some((taken, upto))) => {
                    rows += taken.max(1);
                    ends.push((tick, upto));
                }
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    self.crew.stop(Stop { tick, place: (0, 0), error });
                }
            }
        }
        self.ends.push_back(ends);
        self.crew.post(&mut self.post);
        self.crew.finish(load);
    }

    /// Takes the next arrivals through their source; answers how many, and where they end.
    fn tick(&mut self, batch_rows: usize, load: u64) -> Result<Option<(usize, Seq)>> {
        let tick = self.ticks - 1;
        let Some(arrivals) = self.inlet.next(batch_rows, None)? else { return Ok(None) };
        let (source, upto, rows) = (arrivals.source, arrivals.upto, arrivals.rows());
        self.records += rows as u64;
        let outcome = self.sources[source].0.ingest(arrivals, &mut self.fx);
        self.crew.send(load, tick, self.fx.sends.drain(..), &mut self.post);
        outcome?;
        for other in (0..self.sources.len()).filter(|&other| other != source) {
            let (task, schema) = &mut self.sources[other];
            let batch = Batch::progress(schema.clone(), Vec::new(), upto);
            let outcome = task.progress(batch, &mut self.fx);
            self.crew.send(load, tick, self.fx.sends.drain(..), &mut self.post);
            outcome?;
        }
        Ok(Some((rows, upto)))
    }

    /// Takes note of what has come out.
    fn collect(&mut self) {
        while self.oldest < self.loads && self.crew.is_done(self.oldest) {
            self.oldest += 1;
            // What follows from arrivals that the job did not live to see is nobody's.
            let failed = self.crew.failed();
            let ends = self.ends.pop_front().unwrap_or_default();
            let last = ends.into_iter().rfind(|(tick, _)| *tick < failed);
            self.complete = self.complete.max(last.map_or(0, |(_, upto)| upto));
        }
        while let Some((sink, batch)) = self.crew.rows() {
            self.rows[sink].push_back(batch);
        }
    }

    /// Hands on the rows whose places are complete.
    fn emit(&mut self, emit: Emit<'_>) -> Result<()> {
        for sink in 0..self.rows.len() {
            while let Some(batch) = self.rows[sink].pop_front() {
                let count = batch.seqs.count_upto(self.complete);
                let whole = count == batch.rows;
                let ready = if whole {
                    batch
                } else {
                    self.rows[sink].push_front(batch.slice(count, batch.rows));
                    batch.slice(0, count)
                };
                if ready.rows > 0 {
                    self.emitted += ready.rows as u64;
                    emit(sink, ready)?;
                }
                if !whole {
                    break;
                }
            }
        }
        Ok(())
    }

    fn report(&self) -> Report {
        let sources = self.sources.iter().filter_map(|(task, _)| task.source());
        Report::of((self.records, self.emitted), &self.fx, sources)
    }
}
