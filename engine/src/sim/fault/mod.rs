//! Faults: small values placed in virtual time or behind an event. A kind is a file here and a line of [`KINDS`].

mod channel_delay;
mod channel_drop;
mod channel_duplicate;
mod channel_partition;
mod channel_reorder;
mod crash;
mod crash_coordinator;
mod crash_store;
mod disk_folder_error;
mod disk_fsync_error;
mod disk_full;
mod disk_rename_error;
mod disk_write_error;
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

use std::fmt;

use super::Sim;
use crate::trace::{Event, Header};

/// Every kind of fault.
pub const KINDS: &[Kind] = &[
    crash::KIND,
    crash_coordinator::KIND,
    crash_store::KIND,
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
    sink_timeout::KIND,
    sink_reject::KIND,
    sink_slow::KIND,
    sink_zombie::KIND,
    source_forget::KIND,
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

/// A kind of fault.
pub struct Kind {
    /// The first words of its text: `crash`, `snapshot-torn`.
    pub name: &'static str,
    /// What stands behind the name.
    pub target: Target,
    /// For how long it lasts unless the text says `for 3 s`, microseconds; `None`: it is over at once.
    pub lasts: Option<u64>,
    /// What it does, a sentence.
    pub means: &'static str,
    /// Does it.
    pub strike: fn(&mut Sim, Aim, &mut Vec<Event>),
}

impl Kind {
    /// How it is written: `drop CHANNEL`.
    pub fn syntax(&self) -> String {
        let target = match self.target {
            Target::Nothing => "",
            Target::Task => " TASK",
            Target::Sink => " SINK",
            Target::Channel => " TASK->TASK",
        };
        let lasts = if self.lasts.is_some() { " [for DURATION]" } else { "" };
        format!("{}{target}{lasts}", self.name)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Whom a fault strikes and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    /// The task's number, or the channel's.
    pub number: u16,
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
    Time(crate::time::VirtualTime),
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
    text: String,
}

impl PartialEq for Fault {
    fn eq(&self, other: &Fault) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
