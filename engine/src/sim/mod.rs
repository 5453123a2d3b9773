//! The simulation: the same tasks under virtual time, a seeded schedule and faults, step by step.

mod checkpoint;
mod cut;
pub mod disk;
pub mod fault;
mod input;
pub mod link;
pub mod outside;
mod place;
mod recovery;
mod replicas;
pub mod restarts;
mod still;
mod unaligned;
mod unawaited;
mod upcoming;
pub mod ward;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::batch::{Batch, Seq, Stair};
use crate::error::{Diagnostic, Result};
use crate::graph::Graph;
use crate::key::hash_u64;
use crate::plan::Guarantee;
use crate::source::arrivals::Arrivals;
use crate::source::inlet::Inlet;
use crate::task::{Effects, Element, Task};
use crate::time::VirtualTime;
use crate::trace::{Barriers, COORDINATOR, Event, What};
use crate::udf::{Guests, Sandbox};

use checkpoint::Coordinator;
use fault::Fault;
use link::Link;
use outside::Writer;
use place::Waiting;
use replicas::Replicas;
use restarts::{InARow, Restarts};
use upcoming::Upcoming;
use ward::{Illness, Ward};

pub use outside::Table;

/// Microseconds between two records when a source catches up after a recovery.
const CATCH_UP: u64 = 20;

/// What does not change while a job runs, shared by all copies of it.
pub struct Job {
    /// The graph.
    pub graph: Graph,
    /// Its guests.
    pub guests: Guests,
    /// What runs them.
    pub ward: Arc<Ward>,
    /// The partitions of each source.
    pub partitions: Vec<Vec<u16>>,
    /// Microseconds between checkpoints; `None`: only one at the end.
    pub checkpoint_interval: Option<u64>,
    /// What barriers do to what they meet.
    pub barriers: Barriers,
    /// When it starts again after a crash.
    pub restarts: Restarts,
    /// How many checkpoints the store keeps.
    pub retained: usize,
    /// On how many disks, each with all of them.
    pub replicas: usize,
    /// Microseconds for which sources keep what has arrived; `None`: for ever.
    pub retention: Option<u64>,
    /// The most records that arrive together.
    pub batch_rows: usize,
}

impl Job {
    /// Its tasks, which know nothing.
    ///
    /// # Errors
    /// When a guest cannot be had.
    pub fn tasks(&self) -> Result<Vec<Task>> {
        let sandbox: Arc<dyn Sandbox> = self.ward.clone();
        self.graph.build(&self.partitions, &self.guests, &sandbox)
    }
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is more to come.
    Running,
    /// A task has crashed; the restart is on its way.
    Down,
    /// The input has ended and everything is committed.
    Finished,
    /// The job stopped for good.
    Failed(Diagnostic),
}

/// A simulated run. A clone is an independent copy: the way to seek and to fork.
#[derive(Clone)]
pub struct Sim {
    job: Rc<Job>,
    tasks: Vec<Task>,
    inlet: Inlet,
    upcoming: BTreeMap<(u64, u64), Upcoming>,
    ties: u64,
    now: VirtualTime,
    step: u64,
    chance: u64,
    links: Vec<Link>,
    coordinator: Coordinator,
    /// Completed checkpoints, oldest first.
    store: Vec<(u64, Rc<[u8]>)>,
    /// Where a recovery finds them.
    disks: Replicas,
    tables: Vec<Table>,
    writers: Vec<Writer>,
    /// How often the job has been started again.
    life: u64,
    crashes: InARow,
    /// The checkpoint that closes the job has been committed, as far as the coordinator goes.
    last_committed: bool,
    /// Sources have nothing any more up to this place.
    forgotten: Seq,
    /// Faults that wait for an event.
    waiting: Vec<Waiting>,
    /// Those that delay the input, each with the time from which on.
    delays: Vec<Fault>,
    /// What befalls the guests of a task when they are called next.
    ill: BTreeMap<u16, Illness>,
    state: State,
    inputs_done: bool,
    /// The furthest place in the stream that was ever read.
    furthest: Seq,
    fuel: u64,
    /// The last place in the stream that is taken in, if the run is to stand still there.
    until: Option<Seq>,
    /// Nobody looks at what the tasks do.
    quiet: bool,
    /// What a recovery keeps and reads again.
    guarantee: Guarantee,
    /// A checkpoint that is no cut.
    wrong: Option<String>,
    /// How often a fresh operator has taken another's state and place, when they do so behind each element, and the
    /// tasks as they were built.
    taken_back: Option<(u64, Rc<[Task]>)>,
}

impl Sim {
    /// A run that has not begun.
    ///
    /// # Errors
    /// When a guest cannot be had or the first record is malformed.
    pub fn new(job: Rc<Job>, inlet: Inlet, faults: &[Fault]) -> Result<Sim> {
        let tasks = job.tasks()?;
        let mut sim = Sim {
            tasks,
            now: inlet.start(),
            inlet,
            upcoming: BTreeMap::new(),
            ties: 0,
            step: 0,
            chance: hash_u64(job.graph.header.seed ^ 0x5EED),
            links: vec![Link::default(); job.graph.channels.len()],
            coordinator: Coordinator::default(),
            store: Vec::new(),
            disks: Replicas::new(job.replicas),
            tables: job.graph.sinks().iter().map(|_| Table::default()).collect(),
            writers: job.graph.sinks().iter().map(|_| Writer::default()).collect(),
            life: 0,
            crashes: InARow::default(),
            last_committed: false,
            forgotten: 0,
            waiting: Vec::new(),
            delays: Vec::new(),
            ill: BTreeMap::new(),
            state: State::Running,
            inputs_done: false,
            furthest: 0,
            fuel: 0,
            until: None,
            quiet: false,
            guarantee: Guarantee::default(),
            wrong: None,
            taken_back: None,
            job,
        };
        sim.start_sources();
        for fault in faults {
            sim.place(fault.clone());
        }
        Ok(sim.promising(Guarantee::default()))
    }

    /// The same run, its tasks saying nothing of what they do.
    #[must_use]
    pub fn quiet(self) -> Sim {
        Sim { quiet: true, ..self }
    }

    /// The same run, whose operators write their state behind each element that their task takes in, wherever state may be
    /// written, and fresh ones go on from that alone: nothing of it may show.
    #[must_use]
    pub fn taking_back(self) -> Sim {
        let fresh = self.job.tasks().expect("they have been built before");
        Sim { taken_back: Some((0, fresh.into())), ..self }
    }

    /// How often a fresh operator has gone on from the state of another.
    pub fn taken_back(&self) -> u64 {
        self.taken_back.as_ref().map_or(0, |(count, _)| *count)
    }

    /// The job.
    pub fn job(&self) -> &Rc<Job> {
        &self.job
    }

    /// Where the run stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Steps done.
    pub fn step_count(&self) -> u64 {
        self.step
    }

    /// Virtual time.
    pub fn now(&self) -> VirtualTime {
        self.now
    }

    /// Fuel that guests have used, replays included.
    pub fn fuel(&self) -> u64 {
        self.fuel
    }

    /// What the sinks have made visible, in the order of the graph's sinks.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The completed checkpoints, oldest first.
    pub fn checkpoints(&self) -> &[(u64, Rc<[u8]>)] {
        &self.store
    }

    /// Does the next thing. `false` when there is nothing left to do.
    pub fn step(&mut self, trace: &mut Vec<Event>) -> bool {
        if matches!(self.state, State::Finished | State::Failed(_)) {
            return false;
        }
        let Some(((at, _), upcoming)) = self.upcoming.pop_first() else { return false };
        self.now = VirtualTime(at.max(self.now.0));
        self.step += 1;
        let before = trace.len();
        if let Err(error) = self.happen(upcoming, trace) {
            self.note(
                trace,
                COORDINATOR,
                What::Fail { code: error.code.to_owned(), message: error.message.clone() },
            );
            self.nothing_follows();
            self.state = State::Failed(*error);
        }
        self.strike_behind(&trace[before..]);
        true
    }

    /// Plans an event.
    fn plan(&mut self, at: u64, upcoming: Upcoming) {
        self.ties += 1;
        self.upcoming.insert((at.max(self.now.0), self.ties), upcoming);
    }

    /// The next number of the seeded schedule, below `limit`.
    fn chance(&mut self, limit: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        hash_u64(self.chance) % limit
    }

    fn note(&self, trace: &mut Vec<Event>, task: u16, what: What) {
        trace.push(Event { step: self.step, at: self.now.0, task, what });
    }

    fn start_sources(&mut self) {
        let at = match self.inlet.peek() {
            Ok(Some(at)) => at.0,
            // The end, or a malformed first record, is told by the first step.
            _ => self.now.0,
        };
        self.plan(at, Upcoming::Source);
        if let Some(interval) = self.job.checkpoint_interval {
            self.plan(self.now.0.saturating_add(interval), Upcoming::CheckpointTimer);
        }
    }

    /// Reads the records that have arrived.
    fn arrive(&mut self, trace: &mut Vec<Event>) -> Result<()> {
        if self.stands() {
            return Ok(());
        }
        // What was awaited for now may have been delayed since.
        if self.inlet.is_befallen()
            && let Ok(Some(at)) = self.inlet.peek()
            && at > self.now
        {
            self.plan(at.0, Upcoming::Source);
            return Ok(());
        }
        let next = self.inlet.next(self.job.batch_rows, Some(self.now));
        self.note_known(trace);
        let Some(mut arrivals) = next? else {
            self.inputs_done = true;
            return self.checkpoint_due(trace);
        };
        if let Some(until) = self.until {
            arrivals.cut(until);
        }
        self.take_in(arrivals, trace)?;
        if self.state == State::Down {
            return Ok(());
        }
        match self.inlet.peek() {
            Ok(Some(at)) => self.plan(at.0.max(self.now.after(CATCH_UP).0), Upcoming::Source),
            Ok(None) | Err(_) => self.plan(self.now.after(CATCH_UP).0, Upcoming::Source),
        }
        Ok(())
    }

    /// Hands arrivals to their source, and tells the others.
    fn take_in(&mut self, arrivals: Arrivals, trace: &mut Vec<Event>) -> Result<()> {
        self.furthest = self.furthest.max(arrivals.upto);
        let (source, upto) = (arrivals.source, arrivals.upto);
        let sources = self.job.graph.source_tasks();
        self.with_task(sources[source], trace, |task, fx| task.ingest(arrivals, fx))?;
        self.tell_progress(Some(source), upto, trace)
    }

    /// Tells sources how far the whole input has come.
    fn tell_progress(
        &mut self,
        except: Option<usize>,
        upto: Seq,
        trace: &mut Vec<Event>,
    ) -> Result<()> {
        let tasks = self.job.graph.source_tasks();
        if tasks.len() == 1 && except.is_some() {
            return Ok(());
        }
        for source in (0..tasks.len()).filter(|source| Some(*source) != except) {
            self.tell(source, Vec::new(), upto, trace)?;
        }
        Ok(())
    }

    /// Tells a source how far the whole input has come, and steps of its watermark.
    fn tell(
        &mut self,
        source: usize,
        stairs: Vec<Stair>,
        upto: Seq,
        trace: &mut Vec<Event>,
    ) -> Result<()> {
        let (task, schema) = {
            let graph = &self.job.graph;
            (graph.source_tasks()[source], graph.sources()[source].1.clone())
        };
        let batch = Batch::progress(schema, stairs, upto);
        self.with_task(task, trace, |task, fx| task.progress(batch, fx))
    }

    fn receive(&mut self, channel: u16, element: Element, trace: &mut Vec<Event>) -> Result<()> {
        let (_, to, at_gate) = self.job.graph.channels[usize::from(channel)];
        if let Element::Barrier(checkpoint) | Element::Mark(checkpoint) = element {
            self.note(trace, to, What::Barrier { checkpoint, channel });
        }
        self.with_task(to, trace, |task, fx| task.receive(at_gate, element, fx))
    }

    /// Lets a task work and carries out its effects.
    fn with_task(
        &mut self,
        task: u16,
        trace: &mut Vec<Event>,
        work: impl FnOnce(&mut Task, &mut Effects) -> Result<()>,
    ) -> Result<()> {
        // It has died of something that another task did in this step.
        if self.state == State::Down {
            return Ok(());
        }
        let told = !self.quiet || self.listens();
        let mut fx = Effects { trace: told.then(Vec::new), ..Effects::default() };
        self.before_work(task);
        if let Some((_, sink)) = self.at_once(task) {
            sink.show_at_once();
        }
        let result = work(&mut self.tasks[usize::from(task)], &mut fx);
        let ill = self.after_work(task, result.is_err());
        self.fuel += fx.fuel;
        for what in fx.trace.take().into_iter().flatten() {
            self.note(trace, task, what);
        }
        if let (true, Err(error)) = (ill, &result) {
            self.die_of_a_guest(task, error, trace);
            return Ok(());
        }
        result?;
        if let Some((count, fresh)) = &mut self.taken_back {
            let task = usize::from(task);
            *count += self.tasks[task].take_back(&fresh[task])?;
        }
        self.show(task, trace);
        // A write that hangs has brought the job down.
        if self.state == State::Down {
            return Ok(());
        }
        for (channel, element) in fx.sends {
            if let Element::Barrier(checkpoint) | Element::Mark(checkpoint) = element {
                self.cut_sent(checkpoint, channel);
            }
            match element {
                Element::Barrier(checkpoint) if self.overtakes() => {
                    self.overtake(channel, checkpoint);
                }
                element => self.send(channel, element, trace),
            }
        }
        if let Some((checkpoint, bytes)) = fx.snapshot {
            self.cut_taken(checkpoint, task, &fx.queued);
            self.cut_channels(task, fx.held);
            self.acknowledge(checkpoint, task, bytes, trace);
        }
        if let Some(checkpoint) = fx.marked {
            self.will_get_round(task, checkpoint);
        }
        Ok(())
    }
}
