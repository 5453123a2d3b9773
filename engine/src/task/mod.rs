//! A task: one subtask of a chain of operators, a state machine from elements to effects.

mod back;
mod contents;
mod gate;
mod loose;
mod route;

use crate::batch::{Batch, Seq, Stair};
use crate::error::Result;
use crate::key::KeyGroups;
use crate::operator::{Merged, Operator, Output, wrong_state};
use crate::sink::Sink;
use crate::snapshot::bytes::{Pieces, Reader, put, put_bytes};
use crate::source::arrivals::Arrivals;
use crate::source::ingest::Ingest;
use crate::time::EventTime;
use crate::trace::{Barriers, What};
use crate::{archive, unarchive};

use crate::window::{HandOver, MergeAggregate, Merging, PartAggregate};

pub use contents::LetGo;
pub use gate::{Gate, GateState, Held, Passed, put_held};
pub use loose::LooseGate;
pub use route::{Blocks, Edge, Route};

use route::send;

/// What travels on a channel.
#[derive(Clone)]
pub enum Element {
    /// Rows, steps of the watermark, progress.
    Batch(Batch),
    /// The cut of a checkpoint.
    Barrier(u64),
    /// The same of one for which nobody waits.
    Mark(u64),
    /// Blocks come to this subtask from here on; the newest event time of all before, milliseconds.
    Turn(i64),
    /// What a subtask has of windows that it shares with others.
    Parts(Box<HandOver>),
}

/// What stands at the head of a task.
#[derive(Clone)]
pub enum Head {
    /// A source: arrivals come from outside.
    Source(Box<Ingest>),
    /// Channels from other tasks.
    Gate(Gate),
    /// Channels from other tasks, in front of a sink that puts rows in order itself.
    Loose(LooseGate),
    /// Channels from the subtasks of a pre-aggregation, whose windows are merged here.
    Merge(Box<MergeAggregate>),
}

/// What stands at the end of a task.
#[derive(Clone)]
enum Tail {
    /// Rows go on along the edges.
    Edges,
    /// Rows are staged.
    Sink(Sink),
    /// Rows go into windows that are shared with other subtasks.
    Parts(Box<PartAggregate>),
}

/// One subtask.
pub struct Task {
    /// Its name: `window/1`.
    pub name: String,
    head: Head,
    operators: Vec<Box<dyn Operator>>,
    tail: Tail,
    edges: Vec<Edge>,
    /// The checkpoint whose barriers nobody waits for in line, until the state is written, and which kind they are.
    due: Option<(u64, Barriers)>,
    /// The last checkpoint for which that has been done.
    written: u64,
}

impl Clone for Task {
    fn clone(&self) -> Task {
        Task {
            name: self.name.clone(),
            head: self.head.clone(),
            operators: self.operators.iter().map(|o| o.fork()).collect(),
            tail: self.tail.clone(),
            edges: self.edges.clone(),
            due: self.due,
            written: self.written,
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
    /// The checkpoint whose last barrier has come, when nobody has waited for it.
    pub marked: Option<u64>,
    /// What waited in the task's gate then, when the barrier has come ahead of it.
    pub held: Option<Held>,
    /// How many elements waited on each channel of the task's gate then.
    pub queued: Vec<usize>,
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
        let tail = sink.map_or(Tail::Edges, Tail::Sink);
        Task { name, head, operators, tail, edges, due: None, written: 0 }
    }

    /// The same task, its rows going into windows that it shares with other subtasks.
    #[must_use]
    pub fn sharing(self, windows: PartAggregate) -> Task {
        Task { tail: Tail::Parts(Box::new(windows)), ..self }
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
    pub fn cut(&mut self, checkpoint: u64, barriers: Barriers, fx: &mut Effects) {
        self.write(checkpoint, barriers, None, fx);
    }

    /// A barrier has come ahead of what is in flight on its channel: the state is written at once, or as soon as
    /// everything is complete that has been let through.
    pub fn overtaken(&mut self, checkpoint: u64, fx: &mut Effects) {
        if checkpoint > self.written {
            self.due = Some((checkpoint, Barriers::Unaligned));
            self.write_when_complete(fx);
        }
    }

    /// It gets round to writing its state, some time after the last barrier has come of a checkpoint at whose barriers
    /// nobody waits.
    pub fn get_round(&mut self, checkpoint: u64, fx: &mut Effects) {
        self.due = Some((checkpoint, Barriers::Unawaited));
        self.write_when_complete(fx);
    }

    fn write_when_complete(&mut self, fx: &mut Effects) {
        let (Some((checkpoint, barriers)), Head::Gate(gate)) = (self.due, &self.head) else {
            return;
        };
        if gate.complete() {
            (self.due, self.written) = (None, checkpoint);
            let overtaken = barriers == Barriers::Unaligned;
            fx.held = overtaken.then(|| gate.held());
            let upto = overtaken.then(|| gate.upto());
            self.write(checkpoint, barriers, upto, fx);
        }
    }

    /// What comes now comes from behind this place, though its state may be of a later one.
    pub fn go_back(&mut self, upto: Seq) {
        if let Head::Gate(gate) = &mut self.head {
            gate.go_back(upto);
        }
    }

    /// The source at the head, if this is one.
    pub fn source(&self) -> Option<&Ingest> {
        if let Head::Source(ingest) = &self.head { Some(ingest.as_ref()) } else { None }
    }

    /// The sink at the end, if there is one.
    pub fn sink(&mut self) -> Option<&mut Sink> {
        if let Tail::Sink(sink) = &mut self.tail { Some(sink) } else { None }
    }

    /// Elements that wait for their turn.
    pub fn waiting(&self) -> usize {
        match &self.head {
            Head::Source(_) => 0,
            Head::Gate(gate) => gate.queued().iter().sum(),
            Head::Loose(gate) => gate.waiting(),
            Head::Merge(merge) => merge.waiting(),
        }
    }

    /// How many rows a crash would lose.
    pub fn uncommitted(&self) -> u64 {
        if let Tail::Sink(sink) = &self.tail { sink.uncommitted() } else { 0 }
    }

    /// Takes an element of a channel (its number at this task's gate).
    ///
    /// # Errors
    /// What stops the job.
    pub fn receive(&mut self, channel: usize, element: Element, fx: &mut Effects) -> Result<()> {
        match (&mut self.head, element) {
            // Its gate has one channel and keeps nothing back.
            (Head::Gate(_), Element::Turn(newest)) => {
                let Tail::Parts(windows) = &mut self.tail else {
                    unreachable!("only who shares windows takes turns")
                };
                windows.turn(newest);
            }
            (Head::Gate(gate), element) => gate.push(channel, element),
            (Head::Loose(gate), element) => gate.push(channel, element),
            (Head::Merge(merge), Element::Parts(parts)) => merge.push(channel, *parts),
            (Head::Merge(merge), Element::Barrier(id)) => merge.barrier(channel, id),
            (Head::Merge(_), Element::Batch(_) | Element::Turn(_) | Element::Mark(_)) => {
                unreachable!("windows are merged from parts")
            }
            (Head::Source(_), _) => unreachable!("sources have no channels"),
        }
        self.work(fx)
    }

    /// Has what was in flight wait at the gate again, as a snapshot holds it.
    ///
    /// # Errors
    /// When the bytes are damaged or another task's.
    pub fn hold(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        match &mut self.head {
            Head::Gate(gate) => gate.hold(reader),
            _ => Err(wrong_state(&self.name)),
        }
    }

    /// Does what can be done with what waits at the gate.
    ///
    /// # Errors
    /// What stops the job.
    pub fn work(&mut self, fx: &mut Effects) -> Result<()> {
        while let Some(passed) = self.release() {
            match passed {
                Passed::Barrier(checkpoint) => {
                    self.write(checkpoint, Barriers::Aligned, None, fx);
                }
                Passed::Mark(checkpoint) => fx.marked = Some(checkpoint),
                Passed::Batch(input, batch) => {
                    tell_steps(&batch.stairs, fx);
                    self.run(input, batch, fx)?;
                }
                Passed::Merged(merged) => {
                    tell_steps(&merged.stairs, fx);
                    self.run_merged(merged, fx)?;
                }
            }
        }
        self.write_when_complete(fx);
        Ok(())
    }

    /// The next thing that the head lets through.
    fn release(&mut self) -> Option<Passed> {
        match &mut self.head {
            Head::Source(_) => None,
            Head::Gate(gate) => gate.release(),
            Head::Loose(gate) => gate.release(),
            Head::Merge(merge) => merge.release().map(|passed| match passed {
                Merging::Batch(batch) => Passed::Batch(0, batch),
                Merging::Barrier(id) => Passed::Barrier(id),
            }),
        }
    }

    /// Knows of time what such a task knew, and nothing else of it.
    pub fn remember(&mut self, former: &Task) {
        if let (Head::Gate(own), Head::Gate(former)) = (&mut self.head, &former.head) {
            own.remember(former);
        }
    }

    /// The watermark over this task's inputs.
    pub fn watermark(&self) -> EventTime {
        match &self.head {
            Head::Source(ingest) => ingest.watermark(),
            Head::Gate(gate) => gate.watermark(),
            Head::Loose(_) => EventTime::MIN,
            Head::Merge(merge) => merge.watermark(),
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
        let newest = self.source().and_then(Ingest::newest);
        let result = result.and_then(|batches| {
            for batch in batches {
                match &mut self.tail {
                    Tail::Sink(sink) => sink.take(batch, &mut out)?,
                    Tail::Edges => send(&mut self.edges, batch, newest, fx),
                    Tail::Parts(windows) => {
                        if let Some(parts) = windows.take(batch, &mut out) {
                            let channel = self.edges[0].channels[0];
                            fx.sends.push((channel, Element::Parts(Box::new(parts))));
                        }
                    }
                }
            }
            Ok(())
        });
        fx.fuel += out.fuel;
        fx.late += out.late;
        fx.trace = out.trace.take();
        result
    }

    /// Writes the state and sends barriers on. `upto`: the place up to which it holds everything, when that is not
    /// the sources'.
    fn write(&mut self, checkpoint: u64, barriers: Barriers, upto: Option<Seq>, fx: &mut Effects) {
        let head = match &self.head {
            Head::Source(ingest) => ingest.snapshot(),
            Head::Gate(gate) => archive!(&gate.state()),
            Head::Loose(gate) => archive!(&gate.state()),
            // At a barrier all parts have been merged.
            Head::Merge(_) => Vec::new(),
        };
        // The head, the operators in the order of the chain, the tail: each behind its length.
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, &head);
        put(&mut bytes, self.operators.len() as u64);
        let mut pieces = Pieces::from(bytes);
        for operator in &mut self.operators {
            let state = operator.save();
            pieces.push((state.len() as u64).to_le_bytes().to_vec());
            pieces.append(state);
        }
        let tail = match &mut self.tail {
            Tail::Edges => Pieces::default(),
            Tail::Sink(sink) => sink.pre_commit(checkpoint, upto).into(),
            Tail::Parts(windows) => windows.save(),
        };
        pieces.push((tail.len() as u64).to_le_bytes().to_vec());
        pieces.append(tail);
        fx.snapshot = Some((checkpoint, pieces));
        if let Head::Gate(gate) = &self.head {
            fx.queued = gate.queued();
        }
        for channel in self.edges.iter().flat_map(|e| &e.channels) {
            let barrier = match barriers {
                Barriers::Unawaited => Element::Mark(checkpoint),
                _ => Element::Barrier(checkpoint),
            };
            fx.sends.push((*channel, barrier));
        }
    }

    /// Puts the source of a task like this one at the head, with all that it knows.
    pub fn go_on_from(&mut self, source: Ingest) {
        debug_assert!(self.source().is_some(), "only sources go on");
        self.head = Head::Source(Box::new(source));
    }

    /// Takes state of a snapshot's sections back.
    ///
    /// # Errors
    /// When the bytes are damaged or another task's.
    pub fn restore(&mut self, former: &Former<'_>) -> Result<()> {
        for edge in &mut self.edges {
            if let Route::Blocks(blocks) = &mut edge.route {
                blocks.forget();
            }
        }
        let mut heads = Vec::new();
        self.operators.iter_mut().for_each(|operator| operator.empty());
        for section in &former.sections {
            let mut reader = Reader::new(section);
            heads.push(reader.bytes()?);
            if reader.count()? != self.operators.len() {
                return Err(wrong_state(&self.name));
            }
            for operator in &mut self.operators {
                operator.absorb(reader.bytes()?, former.own)?;
            }
            let state = reader.bytes()?;
            match &mut self.tail {
                Tail::Edges => {}
                Tail::Sink(sink) => _ = sink.restore(state)?,
                Tail::Parts(windows) => windows.restore(state)?,
            }
            reader.end()?;
        }
        self.restore_head(&heads, &former.channels)
    }

    fn restore_head(&mut self, heads: &[&[u8]], channels: &[Vec<usize>]) -> Result<()> {
        let sound = match (&mut self.head, heads) {
            (Head::Source(ingest), [head]) => return ingest.restore(head),
            (Head::Gate(gate), _) => {
                let states = heads.iter().map(|head| unarchive!(GateState, head));
                let states = states.collect::<Result<Vec<GateState>>>()?;
                GateState::dealt(&states, channels).is_some_and(|state| gate.restore(state))
            }
            (Head::Loose(gate), [head]) => gate.restore(&unarchive!(Vec<u64>, head)?),
            (Head::Merge(_), [_]) => true,
            _ => false,
        };
        if sound { Ok(()) } else { Err(wrong_state(&self.name)) }
    }
}

/// What a task takes of a snapshot: of one that was what it is, or of several subtasks that had its keys then.
pub struct Former<'a> {
    /// Their sections.
    pub sections: Vec<&'a [u8]>,
    /// The keys that are the task's.
    pub own: KeyGroups,
    /// For each channel at its gate, those at theirs that told what it will tell.
    pub channels: Vec<Vec<usize>>,
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

// A host runs tasks in whichever thread is free.
const _: () = {
    const fn goes_to_another_thread<T: Send>() {}
    goes_to_another_thread::<Task>();
    goes_to_another_thread::<Effects>();
};
