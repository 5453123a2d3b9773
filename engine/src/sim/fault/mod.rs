//! Faults: small values placed in virtual time or behind an event. A kind is a file here and a line of [`KINDS`].

mod channel_delay;
mod channel_drop;
mod channel_duplicate;
mod channel_partition;
mod channel_reorder;
mod checkpoint;
mod clock_jump;
mod crash;
mod crash_coordinator;
mod crash_store;
mod disk_folder_error;
mod disk_fsync_error;
mod disk_full;
mod disk_read_error;
mod disk_rename_error;
mod disk_reorder;
mod disk_write_error;
mod guest_garbage;
mod guest_loop;
mod guest_trap;
mod read;
mod sink_reject;
mod sink_slow;
mod sink_timeout;
mod sink_zombie;
mod snapshot_flipped;
mod snapshot_lost;
mod snapshot_misdirected;
mod snapshot_stale;
mod snapshot_torn;
mod source_forget;
mod source_gap;
mod source_idle;
mod source_late;
mod source_redeliver;
mod source_regress;
mod source_slow;
mod source_stall;

use std::fmt;

use super::Sim;
use crate::source::inlet::Delay;
use crate::time::VirtualTime;
use crate::trace::{Event, Header, TaskInfo};

/// Every kind of fault.
pub const KINDS: &[Kind] = &[
    crash::KIND,
    crash_coordinator::KIND,
    crash_store::KIND,
    checkpoint::KIND,
    channel_delay::KIND,
    channel_drop::KIND,
    channel_duplicate::KIND,
    channel_reorder::KIND,
    channel_partition::KIND,
    snapshot_torn::KIND,
    snapshot_lost::KIND,
    snapshot_flipped::KIND,
    snapshot_misdirected::KIND,
    snapshot_stale::KIND,
    disk_full::KIND,
    disk_write_error::KIND,
    disk_fsync_error::KIND,
    disk_rename_error::KIND,
    disk_folder_error::KIND,
    disk_read_error::KIND,
    disk_reorder::KIND,
    sink_timeout::KIND,
    sink_reject::KIND,
    sink_slow::KIND,
    sink_zombie::KIND,
    source_forget::KIND,
    source_stall::KIND,
    source_idle::KIND,
    source_slow::KIND,
    source_late::KIND,
    source_redeliver::KIND,
    source_gap::KIND,
    source_regress::KIND,
    clock_jump::KIND,
    guest_trap::KIND,
    guest_loop::KIND,
    guest_garbage::KIND,
];

/// What a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One thing that needs no name.
    Nothing,
    /// A task: `window/1`.
    Task,
    /// A task that is a sink.
    Sink,
    /// A channel between two tasks: `window/1->sink/0`.
    Channel,
    /// A source, `sales`, which is all of its partitions, or one of them: `sales/1`.
    Partition,
}

impl Target {
    /// The names of all there are in a job.
    pub fn names(self, header: &Header) -> Vec<String> {
        let name = |task: u16| header.tasks[usize::from(task)].name.clone();
        match self {
            Target::Nothing => Vec::new(),
            Target::Task => header.tasks.iter().map(|task| task.name.clone()).collect(),
            Target::Sink => header
                .tasks
                .iter()
                .filter(|task| task.kind == "sink")
                .map(|task| task.name.clone())
                .collect(),
            Target::Channel => header
                .channels
                .iter()
                .map(|&(from, to)| format!("{}->{}", name(from), name(to)))
                .collect(),
            Target::Partition => sources(header).into_iter().map(|(name, ..)| name).collect(),
        }
    }

    /// How it is written.
    fn syntax(self) -> &'static str {
        match self {
            Target::Nothing => "",
            Target::Task => " TASK",
            Target::Sink => " SINK",
            Target::Channel => " TASK->TASK",
            Target::Partition => " SOURCE[/PARTITION]",
        }
    }

    /// A name as there may be in a job.
    fn example(self) -> &'static str {
        match self {
            Target::Nothing => "",
            Target::Task => " window/1",
            Target::Sink => " out/0",
            Target::Channel => " window/1->out/0",
            Target::Partition => " sales/1",
        }
    }

    /// What messages call it.
    fn called(self) -> &'static str {
        match self {
            Target::Nothing | Target::Task | Target::Sink => "task",
            Target::Channel => "channel",
            Target::Partition => "partition",
        }
    }

    /// The number, in the job, of the one that has this name.
    fn number(self, name: &str, header: &Header) -> Option<u16> {
        let all = match self {
            // A sink is known by its task.
            Target::Sink => Target::Task.names(header),
            target => target.names(header),
        };
        let own = self.names(header);
        let place = all.iter().position(|n| n == name && own.contains(n))?;
        u16::try_from(place).ok()
    }
}

/// The sources and their partitions: the name, the task, the partition's number; `None`: all of them.
pub(super) fn sources(header: &Header) -> Vec<(String, u16, Option<u16>)> {
    let sources = (0..).zip(&header.tasks).filter(|(_, task)| task.kind == "source");
    let names = |(number, task): (u16, &TaskInfo)| {
        let name = task.name.rsplit_once('/').map_or(task.name.as_str(), |(name, _)| name);
        let all = [(name.to_owned(), number, None)].into_iter();
        let each = task.partitions.iter().map(|&p| (format!("{name}/{p}"), number, Some(p)));
        all.chain(each).collect::<Vec<_>>()
    };
    sources.flat_map(names).collect()
}

/// How long something lasts that does so to the end, microseconds.
const FOR_EVER: u64 = u64::MAX;

/// A kind that strikes nothing, takes nothing and does nothing: what others begin with.
const PLAIN: Kind = Kind {
    name: "",
    target: Target::Nothing,
    count: None,
    step: None,
    lasts: None,
    means: "",
    delay: None,
    strike: |_, _, _| {},
};

/// A kind of fault.
pub struct Kind {
    /// The first words of its text: `crash`, `snapshot-torn`.
    pub name: &'static str,
    /// What stands behind the name.
    pub target: Target,
    /// How many records it is about unless the text says so; `None`: that is no question.
    pub count: Option<u64>,
    /// A duration that stands behind a word unless left out, `every 2 s`: the word, and microseconds.
    pub step: Option<(&'static str, u64)>,
    /// For how long it lasts unless the text says `for 3 s`, microseconds; `None`: it is over at once.
    pub lasts: Option<u64>,
    /// What it does, a sentence.
    pub means: &'static str,
    /// What it does to the times at which records arrive. Such a fault is a part of the input: a run that nothing
    /// else befalls has it, too, from the moment on at which it has begun here.
    pub delay: Option<fn(Aim) -> Delay>,
    /// Does it.
    pub strike: fn(&mut Sim, Aim, &mut Vec<Event>),
}

impl Kind {
    /// How it is written: `drop CHANNEL`.
    pub fn syntax(&self) -> String {
        let count = if self.count.is_some() { " [RECORDS]" } else { "" };
        let step = self.step.map_or(String::new(), |(word, _)| format!(" [{word} DURATION]"));
        let lasts = if self.lasts.is_some() { " [for DURATION]" } else { "" };
        format!("{}{}{count}{step}{lasts}", self.name, self.target.syntax())
    }

    /// A line of a `faults` block with one of it.
    pub fn example(&self) -> String {
        let count = self.count.map_or(String::new(), |count| format!(" {}", count + 1));
        let step = self.step.map_or(String::new(), |(word, _)| format!(" {word} 2 s"));
        let lasts = if self.lasts.is_some() { " for 20 s" } else { "" };
        let target = self.target.example();
        format!("on checkpoint-start 2 {}{target}{count}{step}{lasts}", self.name)
    }
}

/// Every kind and everything in a job that it can strike, as it is written behind `at now`.
pub fn choices(header: &Header) -> Vec<String> {
    let of = |kind: &Kind| match kind.target {
        Target::Nothing => vec![kind.name.to_owned()],
        target => {
            let names = target.names(header).into_iter();
            names.map(|name| format!("{} {name}", kind.name)).collect()
        }
    };
    let mut choices: Vec<String> = KINDS.iter().flat_map(of).collect();
    // Two channels may lead from one task to another.
    choices.dedup();
    choices
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Whom a fault strikes, how much of it and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    /// The task's number, the channel's, or the place among the names of sources and partitions.
    pub number: u16,
    /// Records.
    pub count: u64,
    /// Microseconds.
    pub step: u64,
    /// Microseconds.
    pub lasts: u64,
}

/// When a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// So many microseconds after the job's start.
    After(u64),
    /// At a moment between two of these, drawn from the seed.
    Between(u64, u64),
    /// At a point of virtual time.
    Time(VirtualTime),
    /// At once.
    Now,
    /// Right behind the so many-th event of this name from here on.
    On(String, u64),
}

/// A fault and its place.
#[derive(Clone, Debug)]
pub struct Fault {
    /// When.
    pub at: At,
    /// What.
    pub kind: &'static Kind,
    /// Whom.
    pub aim: Aim,
    when: String,
    what: String,
}

impl Fault {
    /// The same at a point of virtual time; written, so long after the job's start.
    pub(super) fn placed(&self, at: VirtualTime, start: VirtualTime) -> Fault {
        let when = format!("at {}us", at.0.saturating_sub(start.0));
        Fault { at: At::Time(at), when, ..self.clone() }
    }
}

impl PartialEq for Fault {
    fn eq(&self, other: &Fault) -> bool {
        (&self.when, &self.what) == (&other.when, &other.what)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.when, self.what)
    }
}
