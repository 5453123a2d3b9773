//! The crew: tasks with their mail, and the threads that run them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam::channel::{Receiver, Sender, unbounded};
use highwater_engine::batch::Batch;
use highwater_engine::error::Error;
use highwater_engine::graph::Graph;
use highwater_engine::task::{Effects, Element, Task};

use super::ready::{Next, Ready};

/// How many letters a task reads before another task has its turn.
const LETTERS: usize = 2;

/// An element on its way.
pub(super) struct Piece {
    /// The arrivals that it follows from, counted.
    pub tick: u64,
    /// The channel at the receiving gate.
    pub channel: usize,
    pub element: Element,
}

/// Elements for a task that follow from one load of input.
struct Letter {
    load: u64,
    pieces: Vec<Piece>,
}

/// Why a task has stopped.
pub(super) struct Stop {
    /// The arrivals that it could not bear.
    pub tick: u64,
    /// Where the task stands: what comes first in the graph is told first.
    pub place: (usize, usize),
    pub error: Error,
}

/// A task and its mail.
struct Slot {
    mail: (Sender<Letter>, Receiver<Letter>),
    /// Letters sent and not read; whoever sends the first says that there is something to do.
    unread: AtomicUsize,
    /// Whose it is, and whether anybody else may have it.
    thread: usize,
    light: bool,
    work: Mutex<Work>,
}

/// The part of a slot that one thread at a time has.
struct Work {
    task: Task,
    fx: Effects,
    stopped: bool,
    /// Which of the job's sinks it is.
    sink: Option<usize>,
    place: (usize, usize),
}

/// Both ends of a channel.
type Both<T> = (Sender<T>, Receiver<T>);

/// All tasks but the sources, and what their threads share.
pub(super) struct Crew {
    /// By task number; none where a source is.
    slots: Vec<Option<Slot>>,
    /// Channel number to task and channel at its gate.
    channels: Vec<(usize, usize)>,
    ready: Ready,
    /// Letters under way and not done with, for each load that may be under way.
    loads: Vec<AtomicU64>,
    /// How many loads are done with that the calling thread has not been told of, and how many are not.
    done: AtomicU64,
    under_way: AtomicU64,
    /// The earliest arrivals that some task could not bear.
    failed: AtomicU64,
    rows: Both<(usize, Batch)>,
    stops: Both<Stop>,
}

/// Sends everybody home when it goes.
pub(super) struct Dismissal<'a>(&'a Crew);

impl Drop for Dismissal<'_> {
    fn drop(&mut self) {
        self.0.dismiss();
    }
}

/// How many edges lie between the sources and each task.
fn depths(graph: &Graph) -> Vec<usize> {
    let mut depths = vec![0; graph.len()];
    // Tasks are numbered along the flow.
    let mut channels = graph.channels.clone();
    channels.sort();
    for _ in 0..graph.len() {
        for &(from, to, _) in &channels {
            let depth = depths[usize::from(from)] + 1;
            depths[usize::from(to)] = depths[usize::from(to)].max(depth);
        }
    }
    depths
}

/// Whose a task is: subtasks of one operator are spread over all threads, the first going to the calling
/// thread; an operator's only one goes to the last, since the calling thread has the input to read.
fn home(graph: &Graph, number: usize, threads: usize) -> usize {
    match graph.subtask(number) {
        (_, 1) => threads - 1,
        (subtask, _) => subtask % threads,
    }
}

impl Crew {
    /// The crew of a graph, and the sources' tasks by number.
    pub(super) fn new(graph: &Graph, tasks: Vec<Task>, threads: usize) -> (Crew, Vec<(u16, Task)>) {
        let (source_tasks, sink_tasks, depths) =
            (graph.source_tasks(), graph.sink_tasks(), depths(graph));
        let (mut slots, mut sources) = (Vec::new(), Vec::new());
        for (number, task) in tasks.into_iter().enumerate() {
            if source_tasks.contains(&(number as u16)) {
                sources.push((number as u16, task));
                slots.push(None);
                continue;
            }
            let sink = sink_tasks.iter().position(|&s| usize::from(s) == number);
            let place = (depths[number], number);
            let work = Work { task, fx: Effects::default(), stopped: false, sink, place };
            slots.push(Some(Slot {
                mail: unbounded(),
                unread: AtomicUsize::new(0),
                thread: home(graph, number, threads),
                light: graph.is_light(number),
                work: Mutex::new(work),
            }));
        }
        let channel = |&(_, to, at_gate): &(u16, u16, usize)| (usize::from(to), at_gate);
        let crew = Crew {
            slots,
            channels: graph.channels.iter().map(channel).collect(),
            ready: Ready::new(threads),
            loads: (0..graph.batches_ahead()).map(|_| AtomicU64::new(0)).collect(),
            done: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
            failed: AtomicU64::new(u64::MAX),
            rows: unbounded(),
            stops: unbounded(),
        };
        (crew, sources)
    }

    /// How many loads may be under way.
    pub(super) fn most_loads(&self) -> u64 {
        self.loads.len() as u64
    }

    fn load(&self, load: u64) -> &AtomicU64 {
        &self.loads[(load % self.most_loads()) as usize]
    }

    /// A load of input begins: until [`Crew::finish`] it is under way in any case.
    pub(super) fn begin(&self, load: u64) {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        self.load(load).fetch_add(1, Ordering::SeqCst);
    }

    /// Something that followed from a load is done with. The calling thread hears of it when there is room
    /// for some more: to be woken for each would cost more than it is worth.
    pub(super) fn finish(&self, load: u64) {
        if self.load(load).fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        let last = self.under_way.fetch_sub(1, Ordering::SeqCst) == 1;
        if last || done * 4 >= self.most_loads() {
            self.done.store(0, Ordering::SeqCst);
            self.ready.home();
        }
    }

    /// Whether nothing that followed from a load is under way.
    pub(super) fn is_done(&self, load: u64) -> bool {
        self.load(load).load(Ordering::SeqCst) == 0
    }

    /// The earliest arrivals that could not be borne; the highest number when there are none.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    /// Rows that have come out of a sink.
    pub(super) fn rows(&self) -> Option<(usize, Batch)> {
        self.rows.1.try_recv().ok()
    }

    /// Says why a task has stopped.
    pub(super) fn stop(&self, stop: Stop) {
        self.failed.fetch_min(stop.tick, Ordering::SeqCst);
        // Both ends live as long as the crew.
        let _ = self.stops.0.send(stop);
    }

    /// The error of the earliest arrivals, the one nearest to the sources: what a single thread would have met.
    pub(super) fn error(&self) -> Option<Error> {
        let first = self.stops.1.try_iter().min_by_key(|s| (s.tick, s.place));
        first.map(|stop| stop.error)
    }

    /// The next thing for the calling thread to do.
    pub(super) fn next(&self) -> Next {
        self.ready.next(0)
    }

    /// Everybody may leave.
    pub(super) fn dismiss(&self) {
        self.ready.leave();
    }

    pub(super) fn dismissal(&self) -> Dismissal<'_> {
        Dismissal(self)
    }

    /// Late records and fuel over all tasks.
    pub(super) fn counts(&self) -> (u64, u64) {
        let slots = self.slots.iter().flatten();
        slots.fold((0, 0), |(late, fuel), slot| {
            let work = slot.work();
            (late + work.fx.late, fuel + work.fx.fuel)
        })
    }

    /// What a thread does until it is sent home.
    pub(super) fn work(&self, thread: usize) {
        loop {
            match self.ready.next(thread) {
                Next::Task(task) => self.run(task),
                Next::Leave => return,
                Next::Home => {}
            }
        }
    }

    /// Sends what a task has answered to the tasks it is for.
    pub(super) fn send(
        &self,
        load: u64,
        tick: u64,
        sends: impl Iterator<Item = (u16, Element)>,
        post: &mut Post,
    ) {
        for (channel, element) in sends {
            let (to, channel) = self.channels[usize::from(channel)];
            let piece = Piece { tick, channel, element };
            match post.letters.iter_mut().find(|(task, _)| *task == to) {
                Some((_, letter)) => letter.pieces.push(piece),
                None => post.letters.push((to, Letter { load, pieces: vec![piece] })),
            }
        }
    }

    /// Posts the letters that have been written.
    pub(super) fn post(&self, post: &mut Post) {
        for (to, letter) in post.letters.drain(..) {
            let Some(slot) = &self.slots[to] else { unreachable!("nobody sends to a source") };
            self.load(letter.load).fetch_add(1, Ordering::SeqCst);
            let first = slot.unread.fetch_add(1, Ordering::SeqCst) == 0;
            // Both ends live as long as the crew.
            let _ = slot.mail.0.send(letter);
            if first {
                self.ready.put(slot.thread, to, slot.light);
            }
        }
    }

    /// Reads some of a task's mail.
    pub(super) fn run(&self, number: usize) {
        let Some(slot) = &self.slots[number] else { unreachable!("sources have no mail") };
        let mut read = 0;
        let mut work = slot.work();
        let mut post = Post::default();
        while read < LETTERS
            && let Ok(letter) = slot.mail.1.try_recv()
        {
            read += 1;
            let load = letter.load;
            for piece in letter.pieces {
                work.take(piece, load, self, &mut post);
            }
            self.post(&mut post);
            self.finish(load);
        }
        drop(work);
        if slot.unread.fetch_sub(read, Ordering::SeqCst) > read {
            self.ready.put(slot.thread, number, slot.light);
        }
    }
}

/// Letters being written.
#[derive(Default)]
pub(super) struct Post {
    letters: Vec<(usize, Letter)>,
}

impl Slot {
    /// A panic ends the whole run, so no thread goes on with a task that one has left half done.
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    /// Takes an element in, unless it follows from arrivals that the job does not live to see.
    fn take(&mut self, piece: Piece, load: u64, crew: &Crew, post: &mut Post) {
        let tick = piece.tick;
        if self.stopped || tick > crew.failed() {
            return;
        }
        let outcome = self.task.receive(piece.channel, piece.element, &mut self.fx);
        crew.send(load, tick, self.fx.sends.drain(..), post);
        if let Err(error) = outcome {
            self.stopped = true;
            return crew.stop(Stop { tick, place: self.place, error });
        }
        if let (Some(number), Some(sink)) = (self.sink, self.task.sink()) {
            for batch in sink.drain() {
                // Both ends live as long as the crew.
                let _ = crew.rows.0.send((number, batch));
            }
        }
    }
}
