//! What a run took: waits of rows, records left out, checkpoints, restarts, fuel, virtual time.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Rows, Session};
use crate::batch::Seq;
use crate::error::Diagnostic;
use crate::trace::{COORDINATOR, Event, Header, What};

/// How long the rows of a table took, microseconds of virtual time: from the moment when a source first read the
/// record whose place in the stream a row carries, until the table showed the row. That is exact, and no more than
/// that:
///
/// * A row carries the place of the record that made it appear: its own record for a filter or a running aggregate,
///   the one that met another for a join, the one that moved the watermark over a window's end for a window.
/// * After a crash a record is read again; its first reading counts, and a row that is shown twice counts twice.
/// * What a record waits while the job is down, before it is read for the first time, is no part of it.
/// * Rows whose place is no record's, since the end of the input, an idle partition or a clock made them appear, have
///   no such time and are counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// The rows that have such a time.
    pub rows: u64,
    /// The rows that have none.
    pub without_record: u64,
    /// Half of the rows took at most so long: the least time of which that is true. 0 when there are no rows.
    pub p50: u64,
    /// The same for 99 of 100 rows.
    pub p99: u64,
    /// The row that took longest.
    pub max: u64,
}

impl Latency {
    /// Of all times, in any order, and the rows that have none.
    pub(super) fn of(mut waits: Vec<u64>, without_record: u64) -> Latency {
        waits.sort();
        let rank = |percent: usize| {
            let at = (waits.len() * percent).div_ceil(100).saturating_sub(1);
            waits.get(at).copied().unwrap_or(0)
        };
        let rows = waits.len() as u64;
        Latency { rows, without_record, p50: rank(50), p99: rank(99), max: rank(100) }
    }
}

/// When things happened in a run, virtual microseconds.
pub(super) struct Moments {
    /// When each record was first read.
    read: BTreeMap<Seq, u64>,
    /// When each sink's task made rows visible: how many, in the order of its table.
    shown: BTreeMap<u16, Vec<(u64, u64)>>,
}

impl Moments {
    pub(super) fn of(trace: &[Event]) -> Moments {
        let mut moments = Moments { read: BTreeMap::new(), shown: BTreeMap::new() };
        for event in trace {
            match event.what {
                What::Arrive { seq, .. } => _ = moments.read.entry(seq).or_insert(event.at),
                What::Commit { rows, .. } => {
                    moments.shown.entry(event.task).or_default().push((event.at, rows));
                }
                _ => {}
            }
        }
        moments
    }

    /// How long the rows of a sink's table took that come from records, and how many come from none.
    pub(super) fn waits(&self, task: u16, table: &Rows) -> (Vec<u64>, u64) {
        let shown = self.shown.get(&task).into_iter().flatten();
        let shown = shown.flat_map(|&(at, rows)| (0..rows).map(move |_| at));
        let mut waits = Vec::with_capacity(table.rows.len());
        let mut without = 0;
        for ((_, seq, _), at) in table.rows.iter().zip(shown) {
            match self.read.get(seq) {
                Some(read) => waits.push(at.saturating_sub(*read)),
                None => without += 1,
            }
        }
        (waits, without)
    }
}

/// What an operator left out. A record counts once, though a replay may have it left out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The operator, by the name that `EXPLAIN` gives it.
    pub operator: String,
    /// Whether the records could not be read, or had no event time; else they were late.
    pub unreadable: bool,
    /// How many; `None` in a run that has no such operator.
    pub records: [Option<u64>; 2],
}

/// Operator, whether unreadable.
type Place<'a> = (&'a str, bool);

/// What the operators of two runs left out.
pub(super) fn dropped(a: &Session, b: &Session) -> Vec<Dropped> {
    let both = [a, b].map(|session| left_out(session.events(), session.header()));
    let names = [a, b].map(|session| operators(session.header()));
    let places: BTreeSet<&Place<'_>> = both.iter().flat_map(BTreeMap::keys).collect();
    let found = places.into_iter().map(|place| Dropped {
        operator: place.0.to_owned(),
        unreadable: place.1,
        records: [0, 1].map(|run| {
            names[run].contains(place.0).then(|| both[run].get(place).copied().unwrap_or(0))
        }),
    });
    found.collect()
}

/// The operators of a run, subtasks together.
fn operators(header: &Header) -> BTreeSet<&str> {
    header.tasks.iter().map(|task| operator(&task.name)).collect()
}

/// `window` of `window/1`.
fn operator(task: &str) -> &str {
    task.rsplit_once('/').map_or(task, |(operator, _)| operator)
}

fn left_out<'a>(trace: &[Event], header: &'a Header) -> BTreeMap<Place<'a>, u64> {
    let mut seen = BTreeSet::new();
    let mut counts: BTreeMap<Place<'a>, u64> = BTreeMap::new();
    for event in trace {
        let Some(task) = header.tasks.get(usize::from(event.task)) else { continue };
        // What tells a record from others: the side it came in by and its number, or its place in the source.
        let (unreadable, record) = match event.what {
            What::Late { seq, .. } => (false, (0, seq)),
            What::JoinLate { side, seq, .. } => (false, (u64::from(side), seq)),
            What::BadRecord { partition, offset, .. } => (true, (u64::from(partition), offset)),
            _ => continue,
        };
        let place = (operator(&task.name), unreadable);
        if seen.insert((place, record)) {
            *counts.entry(place).or_default() += 1;
        }
    }
    counts
}

/// How much an operator has held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MostHeld {
    /// The operator, by the name that `EXPLAIN` gives it.
    pub operator: String,
    /// The most bytes that its subtasks together wrote for a checkpoint; `None` in a run that has no such operator, or
    /// in which it never wrote.
    pub bytes: [Option<u64>; 2],
}

/// What the operators of two runs have held, by name.
pub(super) fn most_held(a: &Session, b: &Session) -> Vec<MostHeld> {
    let both = [a, b].map(|session| written(session.events(), session.header()));
    let names: BTreeSet<&str> = both.iter().flat_map(BTreeMap::keys).copied().collect();
    let found = names.into_iter().map(|name| MostHeld {
        operator: name.to_owned(),
        bytes: [0, 1].map(|run| both[run].get(name).copied()),
    });
    found.collect()
}

fn written<'a>(trace: &[Event], header: &'a Header) -> BTreeMap<&'a str, u64> {
    let mut sums: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    let mut most: BTreeMap<&str, u64> = BTreeMap::new();
    for event in trace {
        match event.what {
            What::Snapshot { checkpoint, bytes } => {
                let Some(task) = header.tasks.get(usize::from(event.task)) else { continue };
                let operator = operator(&task.name);
                let sum = sums.entry((operator, checkpoint)).or_default();
                *sum += bytes;
                let most = most.entry(operator).or_default();
                *most = (*most).max(*sum);
            }
            // A number may be given again when its checkpoint came to nothing.
            What::CheckpointStart { checkpoint, .. } => sums.retain(|(_, of), _| *of != checkpoint),
            _ => {}
        }
    }
    most
}

/// What a run took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Whether it came to its end.
    pub finished: bool,
    /// Why it stopped before that, if it did.
    pub stopped: Option<Diagnostic>,
    /// Steps of the simulation.
    pub steps: u64,
    /// Events on its trace.
    pub events: u64,
    /// Virtual time from before its first step until behind its last, microseconds.
    pub duration: u64,
    /// How often it was started again after a crash.
    pub restarts: u64,
    /// Checkpoints that were complete.
    pub checkpoints: u64,
    /// Checkpoints that were begun and never complete: a crash came between, or the store could not write them.
    pub failed_checkpoints: u64,
    /// The bytes of the largest complete checkpoint; `None` without any.
    pub most_bytes: Option<u64>,
    /// The bytes of the last complete checkpoint.
    pub last_bytes: Option<u64>,
    /// Fuel that guests used, replays included.
    pub fuel: u64,
}

impl Figures {
    pub(super) fn of(session: &Session) -> Figures {
        let status = session.status();
        let began = session.keyframes.first().map_or(status.at, |first| first.sim.now().0);
        let mut figures = Figures {
            finished: status.finished,
            stopped: status.failed,
            steps: status.step,
            events: status.events,
            duration: status.at.saturating_sub(began),
            fuel: status.fuel,
            ..Figures::default()
        };
        let mut begun = 0;
        for event in session.events().iter().filter(|event| event.task == COORDINATOR) {
            match event.what {
                What::Restore { .. } => figures.restarts += 1,
                What::CheckpointStart { .. } => begun += 1,
                What::CheckpointComplete { bytes, .. } => {
                    figures.checkpoints += 1;
                    figures.most_bytes = figures.most_bytes.max(Some(bytes));
                    figures.last_bytes = Some(bytes);
                }
                _ => {}
            }
        }
        figures.failed_checkpoints = u64::saturating_sub(begun, figures.checkpoints);
        figures
    }
}
