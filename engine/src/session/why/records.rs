//! Why was this record dropped, or kept, and which delay of the watermark would turn that round?

use std::collections::BTreeMap;

use super::search::least;
use super::windows::windows;
use super::{Many, Record, Why, last_step, task_name};
use crate::batch::Seq;
use crate::time::EventTime;
use crate::trace::{Event, Header, What};

/// No delay longer than this is tried, milliseconds.
const LONGEST: i64 = 1 << 45;

/// What is told of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The record.
    pub record: Record,
    /// The delay of its table's watermark, milliseconds, where it is a fixed one.
    pub delay: Option<i64>,
    /// The operators that got it and keep or drop records; none when a condition left it out before, or
    /// there are no such operators.
    pub places: Vec<Place>,
}

/// An operator that keeps or drops records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The task.
    pub task: String,
    /// Left or right; of a join only.
    pub side: Option<&'static str>,
    /// Whether it kept the record.
    pub kept: bool,
    /// The windows it is counted in; of a dropped one the last it would have been in, which had fired.
    pub windows: Vec<(i64, i64)>,
    /// The task's watermark when the record came, and what had moved it there.
    pub watermark: Option<(EventTime, Seq)>,
    /// What would turn it round.
    pub change: Change,
}

/// The least change that turns a verdict round; both sides of it were tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The least delay, in milliseconds, that keeps the record; 1 ms less drops it.
    Keeps(i64),
    /// No delay does.
    None,
    /// The watermark has no fixed delay that could be changed.
    NotFixed,
}

/// Where a record may be kept or dropped: a task, and the side of a join.
type Spot = (u16, Option<u8>);

impl Why<'_> {
    /// What became of a record, and why.
    ///
    /// # Errors
    /// When there is no such record.
    pub fn record(&self, seq: Seq) -> Many<Told> {
        let record = self.record_numbered(seq)?.clone();
        let graph = &self.run.sim.job().graph;
        let spec = graph.sources()[record.source].0;
        let delay = spec.watermark.as_ref().and_then(|w| w.delay);
        let mut places = Vec::new();
        for (spot, first) in self.spots(seq, graph.source_tasks()[record.source]) {
            places.push(self.place(&record, delay, spot, first)?);
        }
        Ok(Told { record, delay, places })
    }

    /// The spots that tell of a record and get it as it was read, with the first event there.
    fn spots(&self, seq: Seq, source: u16) -> BTreeMap<Spot, usize> {
        let mut spots = BTreeMap::new();
        for (i, event) in self.run.trace.iter().enumerate() {
            let side = match event.what {
                What::Late { seq: s, .. } | What::WindowAdd { seq: s, .. } if s == seq => None,
                What::JoinLate { seq: s, side, .. }
                | What::JoinBuffer { seq: s, side, .. }
                | What::JoinMatch { seq: s, side, .. }
                    if s == seq =>
                {
                    Some(side)
                }
                _ => continue,
            };
            if direct(self.run.header(), event.task, source) {
                spots.entry((event.task, side)).or_insert(i);
            }
        }
        spots
    }

    fn place(&self, record: &Record, delay: Option<i64>, spot: Spot, first: usize) -> Many<Place> {
        let (trace, seq) = (&self.run.trace, record.seq);
        let watermark = last_step(&trace[..first], spot.0);
        let kept = !drops(trace, spot, seq);
        let found: Vec<(i64, i64)> = match kept {
            true => {
                let all = windows(trace).into_iter();
                all.filter(|w| w.task == spot.0 && w.records.contains(&seq))
                    .map(|w| (w.start, w.end))
                    .collect()
            }
            false => trace[first..]
                .iter()
                .filter(|e| e.task == spot.0)
                .filter_map(|e| match e.what {
                    What::Late { seq: s, start, end, .. } if s == seq => Some((start, end)),
                    _ => None,
                })
                .take(1)
                .collect(),
        };
        let now = watermark.map_or(i64::MIN, |(w, _)| w.0);
        // A window fires 1 ms before its end; what comes to a join before the watermark is late.
        let bound = match found.iter().map(|w| w.1).max() {
            Some(end) => end.saturating_sub(2),
            None => record.event_time.unwrap_or(now),
        };
        let change = match delay {
            None => Change::NotFixed,
            Some(delay) => {
                let guess = delay.saturating_add(now.saturating_sub(bound));
                self.change(record, (delay, kept), spot, guess)?
            }
        };
        let header = self.run.header();
        let joins = header.tasks.get(usize::from(spot.0)).is_some_and(|t| t.kind.ends_with("join"));
        let side = spot.1.filter(|_| joins).map(|side| if side == 0 { "left" } else { "right" });
        let task = task_name(header, spot.0);
        Ok(Place { task, side, kept, windows: found, watermark, change })
    }

    /// The least delay that keeps the record.
    fn change(
        &self,
        record: &Record,
        (delay, kept): (i64, bool),
        spot: Spot,
        guess: i64,
    ) -> Many<Change> {
        let mut keeps = |delay: i64| -> Many<bool> {
            let run = self.with_delay(&record.table, delay, record.seq)?;
            Ok(!drops(&run.trace, spot, record.seq))
        };
        let found = match kept {
            // Without any delay the watermark comes soonest: what is kept then is always kept.
            true if delay == 0 || keeps(0)? => None,
            true => least(0, guess, delay, &mut keeps)?,
            false => least(delay, guess, LONGEST, &mut keeps)?,
        };
        Ok(found.map_or(Change::None, Change::Keeps))
    }
}

/// Whether a record is dropped at a spot.
fn drops(trace: &[Event], spot: Spot, seq: Seq) -> bool {
    trace.iter().filter(|e| e.task == spot.0).any(|e| match e.what {
        What::Late { seq: s, .. } => s == seq,
        What::JoinLate { seq: s, side, .. } => s == seq && spot.1 == Some(side),
        _ => false,
    })
}

/// Whether a task gets rows of a source as they were read, or with other columns, but not made of several.
fn direct(header: &Header, task: u16, source: u16) -> bool {
    let mut todo = vec![task];
    while let Some(task) = todo.pop() {
        for &(from, _) in header.channels.iter().filter(|c| c.1 == task) {
            if from == source {
                return true;
            }
            if matches!(header.tasks[usize::from(from)].kind.as_str(), "map" | "union") {
                todo.push(from);
            }
        }
    }
    false
}
