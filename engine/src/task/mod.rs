//! A task: one subtask of a chain of operators, a state machine from elements to effects.

mod gate;

use crate::batch::{Batch, Stair};
use crate::error::Result;
use crate::key::{KeyColumns, subtask_of};
use crate::operator::{Merged, Operator, Output, wrong_state};
use crate::sink::Sink;
use crate::snapshot::bytes::{Pieces, Reader, put, put_bytes};
use crate::source::arrivals::Arrivals;
use crate::source::ingest::Ingest;
use crate::time::EventTime;
use crate::trace::What;
use crate::{archive, unarchive};

pub use gate::{Gate, GateState, Passed};

/// What travels on a channel.
#[derive(Clone)]
pub enum Element {
    /// Rows, steps of the watermark, progress.
    Batch(Batch),
    /// The cut of a checkpoint.
    Barrier(u64),
}

/// Where a task's rows go: one edge of the graph, seen from one subtask.
#[derive(Clone)]
pub struct Edge {
    /// The channels to the subtasks of the next stage, by subtask.
    pub channels: Vec<u16>,
    /// How rows find their subtask.
    pub route: Route,
    /// Whether the other end merges several channels and so needs to hear of progress.
    pub progress: bool,
}

/// How rows find their subtask.
#[derive(Clone)]
pub enum Route {
    /// All to the one channel there is.
    Only,
    /// By the key group of these columns.
    Key(KeyColumns),
}

/// What stands at the head of a task.
#[derive(Clone)]
pub enum Head {
    /// A source: arrivals come from outside.
    Source(Ingest),
    /// Channels from other tasks.
    Gate(Gate),
}

/// One subtask.
pub struct Task {
    /// Its name: `window/1`.
    pub name: String,
    head: Head,
    operators: Vec<Box<dyn Operator>>,
    sink: Option<Sink>,
    edges: Vec<Edge>,
}

impl Clone for Task {
    fn clone(&self) -> Task {
        Task {
            name: self.name.clone(),
            head: self.head.clone(),
            operators: self.operators.iter().map(|o| o.fork()).collect(),
            sink: self.sink.clone(),
            edges: self.edges.clone(),
        }
    }
}

/// What a task answers.
#[derive(Default)]
pub struct Effects {
    /// Elements for channels, in order.
    pub sends: Vec<(u16, Element)>,
    /// The checkpoint whose barrier has come on all channels, and the state at that moment.
    pub snapshot: Option<(u64, Pieces)>,
    /// What happened, when somebody looks.
    pub trace: Option<Vec<What>>,
    /// Fuel that guests used.
    pub fuel: u64,
    /// Records left out as late.
    pub late: u64,
}

impl Task {
    /// A task of these parts.
    pub fn new(
        name: String,
        head: Head,
        operators: Vec<Box<dyn Operator>>,
        sink: Option<Sink>,
        edges: Vec<Edge>,
    ) -> Task {
        Task { name, head, operators, sink, edges }
    }

    /// Takes arrivals in; only for a source.
    ///
    /// # Errors
    /// What stops the job.
    pub fn ingest(&mut self, arrivals: Arrivals, fx: &mut Effects) -> Result<()> {
        let Head::Source(ingest) = &mut self.head else { unreachable!("only sources ingest") };
        let mut out = Output { trace: fx.trace.take(), ..Output::default() };
        let batch = ingest.ingest(arrivals, &mut out);
        fx.trace = out.trace.take();
        self.run(0, batch?, fx)
    }

    /// Tells a source how far the whole input has come, so that whoever merges it with others can go on.
    ///
    /// # Errors
    /// What stops the job.
    pub fn progress(&mut self, batch: Batch, fx: &mut Effects) -> Result<()> {
        self.run(0, batch, fx)
    }

    /// Cuts a source for a checkpoint.
    pub fn cut(&mut self, checkpoint: u64, fx: &mut Effects) {
        self.barrier(checkpoint, fx);
    }

    /// The source at the head, if this is one.
    pub fn source(&self) -> Option<&Ingest> {
        if let Head::Source(ingest) = &self.head { Some(ingest) } else { None }
    }

    /// The sink at the end, if there is one.
    pub fn sink(&mut self) -> Option<&mut Sink> {
        self.sink.as_mut()
    }

    /// Elements that wait for their turn.
    pub fn waiting(&self) -> usize {
        if let Head::Gate(gate) = &self.head { gate.waiting() } else { 0 }
    }

    /// How many rows a crash would lose.
    pub fn uncommitted(&self) -> u64 {
        self.sink.as_ref().map_or(0, Sink::uncommitted)
    }

    /// Takes an element of a channel (its number at this task's gate).
    ///
    /// # Errors
    /// What stops the job.
    pub fn receive(&mut self, channel: usize, element: Element, fx: &mut Effects) -> Result<()> {
        let Head::Gate(gate) = &mut self.head else { unreachable!("sources have no channels") };
        gate.push(channel, element);
        loop {
            let Head::Gate(gate) = &mut self.head else { unreachable!("checked above") };
            match gate.release() {
                None => return Ok(()),
                Some(Passed::Barrier(checkpoint)) => self.barrier(checkpoint, fx),
                Some(Passed::Batch(input, batch)) => {
                    tell_steps(&batch.stairs, fx);
                    self.run(input, batch, fx)?;
                }
                Some(Passed::Merged(merged)) => {
                    tell_steps(&merged.stairs, fx);
                    self.run_merged(merged, fx)?;
                }
            }
        }
    }

    /// The watermark over this task's inputs.
    pub fn watermark(&self) -> EventTime {
        match &self.head {
            Head::Source(ingest) => ingest.watermark(),
            Head::Gate(gate) => gate.watermark(),
        }
    }

    /// Sends a batch through the chain and on to the edges.
    fn run(&mut self, input: usize, batch: Batch, fx: &mut Effects) -> Result<()> {
        let mut out = Output { trace: fx.trace.take(), ..Output::default() };
        let result = through(&mut self.operators, input, vec![batch], &mut out);
        self.finish(result, out, fx)
    }

    /// The same for rows of several inputs.
    fn run_merged(&mut self, merged: Merged, fx: &mut Effects) -> Result<()> {
        let mut out = Output { trace: fx.trace.take(), ..Output::default() };
        let (first, rest) = self.operators.split_first_mut().expect("a join behind its gate");
        let result = first.process_merged(merged, &mut out).and_then(|()| {
            let batches = std::mem::take(&mut out.batches);
            through(rest, 0, batches, &mut out)
        });
        self.finish(result, out, fx)
    }

    fn finish(
        &mut self,
        result: Result<Vec<Batch>>,
        mut out: Output,
        fx: &mut Effects,
    ) -> Result<()> {
        fx.fuel += out.fuel;
        fx.late += out.late;
        let result = result.and_then(|batches| {
            for batch in batches {
                match &mut self.sink {
                    Some(sink) => sink.take(batch, &mut out)?,
                    None => send(&self.edges, batch, fx),
                }
            }
            Ok(())
        });
        fx.trace = out.trace.take();
        result
    }

    fn barrier(&mut self, checkpoint: u64, fx: &mut Effects) {
        let head = match &self.head {
            Head::Source(ingest) => ingest.snapshot(),
            Head::Gate(gate) => archive!(&gate.state()),
        };
        // The head, the operators in the order of the chain, the sink: each behind its length.
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, &head);
        put(&mut bytes, self.operators.len() as u64);
        let mut pieces = Pieces::from(bytes);
        for operator in &mut self.operators {
            let state = operator.save();
            pieces.push((state.len() as u64).to_le_bytes().to_vec());
            pieces.append(state);
        }
        let sink = self.sink.as_mut().map(|s| s.pre_commit(checkpoint)).unwrap_or_default();
        pieces.push((sink.len() as u64).to_le_bytes().to_vec());
        pieces.push(sink);
        fx.snapshot = Some((checkpoint, pieces));
        for channel in self.edges.iter().flat_map(|e| &e.channels) {
            fx.sends.push((*channel, Element::Barrier(checkpoint)));
        }
    }

    /// Takes the state of a snapshot's section back.
    ///
    /// # Errors
    /// When the bytes are damaged or another task's.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = Reader::new(bytes);
        let head = reader.bytes()?;
        if reader.count()? != self.operators.len() {
            return Err(wrong_state(&self.name));
        }
        match &mut self.head {
            Head::Source(ingest) => ingest.restore(head)?,
            Head::Gate(gate) => {
                if !gate.restore(unarchive!(GateState, head)?) {
                    return Err(wrong_state(&self.name));
                }
            }
        }
        for operator in &mut self.operators {
            operator.restore(reader.bytes()?)?;
        }
        let state = reader.bytes()?;
        if let Some(sink) = &mut self.sink {
            sink.restore(state)?;
        }
        reader.end()
    }
}

/// What the operators of a chain make of batches.
fn through(
    operators: &mut [Box<dyn Operator>],
    mut input: usize,
    mut batches: Vec<Batch>,
    out: &mut Output,
) -> Result<Vec<Batch>> {
    for operator in operators {
        for batch in batches {
            operator.process(input, batch, out)?;
        }
        batches = std::mem::take(&mut out.batches);
        input = 0;
    }
    Ok(batches)
}

/// Tells of the steps of a task's watermark.
fn tell_steps(stairs: &[Stair], fx: &mut Effects) {
    if let Some(trace) = &mut fx.trace {
        let steps = stairs.iter().filter(|s| !s.idle);
        trace.extend(steps.map(|s| What::Watermark { watermark: s.watermark.0, seq: s.seq }));
    }
}

/// Sends a batch along every edge.
fn send(edges: &[Edge], batch: Batch, fx: &mut Effects) {
    let quiet = batch.rows == 0 && batch.stairs.is_empty();
    for edge in edges {
        if quiet && !edge.progress {
            continue;
        }
        match &edge.route {
            Route::Only => fx.sends.push((edge.channels[0], Element::Batch(batch.clone()))),
            Route::Key(_) if edge.channels.len() == 1 => {
                fx.sends.push((edge.channels[0], Element::Batch(batch.clone())));
            }
            Route::Key(keys) => {
                let groups = keys.groups(&batch);
                let subtasks = edge.channels.len() as u32;
                for (subtask, channel) in edge.channels.iter().enumerate() {
                    let rows: Vec<u32> = (0..batch.rows as u32)
                        .filter(|&r| subtask_of(groups[r as usize], subtasks) as usize == subtask)
                        .collect();
                    let part = batch.select(&rows);
                    if part.rows > 0 || !part.stairs.is_empty() || edge.progress {
                        fx.sends.push((*channel, Element::Batch(part)));
                    }
                }
            }
        }
    }
}
