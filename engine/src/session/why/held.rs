//! Why is this row still in the state of a join, or of OVER, and which watermark frees it?

use std::collections::BTreeMap;

use super::standing::{HeldBy, Pushed};
use super::{Many, Why, task_name};
use crate::batch::Seq;
use crate::error::Diagnostic;
use crate::session::Ledger;
use crate::time::EventTime;
use crate::trace::{Event, What};

/// The most rows that are answered for at once.
const MOST: usize = 16;

/// What joins and OVER hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The record after which the question is asked.
    pub after: Seq,
    /// The rows, those that are freed first in front.
    pub rows: Vec<HeldRow>,
    /// Rows of joins that keep their inputs whole, which no watermark frees, in the order of their records.
    pub kept: Vec<KeptRow>,
    /// Rows beyond those.
    pub more: usize,
    /// How long such rows are kept at most, milliseconds, where they have a time to live.
    pub ttl: Option<i64>,
}

/// A row of a join that keeps its input whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRow {
    /// The task.
    pub task: String,
    /// Which of its inputs: left or right.
    pub side: &'static str,
    /// The record that made the row.
    pub seq: Seq,
}

/// A row that a join or OVER holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// The task.
    pub task: String,
    /// Which of a join's inputs: left or right. OVER has one: left.
    pub side: &'static str,
    /// Whether it waits for its turn in OVER, and meets no other.
    pub waits: bool,
    /// The record that made the row.
    pub seq: Seq,
    /// The row's event time.
    pub event_time: EventTime,
    /// The watermark that frees it: nothing that is not late can meet it from there on.
    pub frees_at: EventTime,
    /// The task's watermark.
    pub watermark: EventTime,
    /// Who holds that back.
    pub held_by: Vec<HeldBy>,
    /// The least records that free it.
    pub frees: Pushed,
}

/// A row in a join: task, side, record.
type Spot = (u16, u8, Seq);

/// The rows of joins that keep their inputs whole at the end of a trace, as often as they are there.
fn kept(trace: &[Event]) -> Vec<Spot> {
    let mut all: BTreeMap<Spot, usize> = BTreeMap::new();
    for event in trace {
        let mut let_go = |side: u8, seq: Seq| {
            let count = all.get_mut(&(event.task, side, seq));
            count.into_iter().for_each(|count| *count = count.saturating_sub(1));
        };
        match &event.what {
            What::JoinKeep { side, seq } => {
                *all.entry((event.task, *side, *seq)).or_default() += 1;
            }
            What::JoinTake { side, of, .. } => let_go(*side, *of),
            What::JoinExpire { side, seqs } => seqs.iter().for_each(|seq| let_go(*side, *seq)),
            _ => {}
        }
    }
    all.into_iter().flat_map(|(spot, count)| std::iter::repeat_n(spot, count)).collect()
}

/// The rows that are still buffered at the end of a trace, with event time and the watermark that frees.
fn held(trace: &[Event]) -> BTreeMap<Spot, (i64, i64)> {
    let mut all = BTreeMap::new();
    for event in trace {
        match &event.what {
            What::JoinBuffer { side, seq, event_time, frees_at } => {
                all.insert((event.task, *side, *seq), (*event_time, *frees_at));
            }
            What::JoinExpire { side, seqs } => {
                seqs.iter().for_each(|seq| _ = all.remove(&(event.task, *side, *seq)));
            }
            _ => {}
        }
    }
    all
}

fn side_name(side: u8) -> &'static str {
    if side == 0 { "left" } else { "right" }
}

fn freed(next: &[Event], (task, side, seq): Spot) -> bool {
    next.iter().filter(|e| e.task == task).any(|e| match &e.what {
        What::JoinExpire { side: s, seqs } => *s == side && seqs.contains(&seq),
        _ => false,
    })
}

impl Why<'_> {
    /// The conservation ledger after a record, the last one where none is named, as text.
    ///
    /// # Errors
    /// When there is no such record.
    pub fn ledger(&self, after: Option<Seq>) -> Many<String> {
        let after = self.after(after)?;
        let standing = self.standing(after)?;
        let text = Ledger::of(&standing.trace).text(standing.header());
        Ok(format!("after record {after}\n{text}"))
    }

    /// What joins and OVER hold after a record, the last one where none is named; of `record` only, if given.
    ///
    /// # Errors
    /// When there is no such record, or no join.
    pub fn held(&self, after: Option<Seq>, record: Option<Seq>) -> Many<Held> {
        let after = self.after(after)?;
        if let Some(record) = record {
            self.record_numbered(record)?;
        }
        let joins = |kind: &str| matches!(kind, "join" | "guest-join" | "over");
        if !self.run.header().tasks.iter().any(|t| joins(&t.kind)) {
            let error =
                Diagnostic::new("why.no-join", "this job has no join and no OVER that holds rows");
            return Err(self.fail(error.hint("ask `window` for what windows hold")));
        }
        let standing = self.standing(after)?;
        let all = held(&standing.trace).into_iter();
        let mut all: Vec<_> =
            all.filter(|((.., seq), _)| record.is_none_or(|r| r == *seq)).collect();
        all.sort_by_key(|&(_, (_, frees_at))| frees_at);
        let mut kept = kept(&standing.trace);
        kept.retain(|(.., seq)| record.is_none_or(|r| r == *seq));
        kept.sort_by_key(|&(task, side, seq)| (seq, task, side));
        let left = MOST.saturating_sub(all.len());
        let more = (all.len() + kept.len()).saturating_sub(MOST);
        let mut rows = Vec::new();
        for (spot, (event_time, frees_at)) in all.into_iter().take(MOST) {
            let (task, side, seq) = spot;
            let happens = |next: &[Event]| freed(next, spot);
            rows.push(HeldRow {
                task: task_name(standing.header(), task),
                side: side_name(side),
                waits: standing.header().tasks[usize::from(task)].kind == "over",
                seq,
                event_time: EventTime(event_time),
                frees_at: EventTime(frees_at),
                watermark: standing.watermark(task),
                held_by: standing.held_by(task, frees_at),
                frees: standing.push(task, frees_at, &happens),
            });
        }
        let kept = kept.into_iter().take(left).map(|(task, side, seq)| KeptRow {
            task: task_name(standing.header(), task),
            side: side_name(side),
            seq,
        });
        let ttl = self.run.sim.job().graph.plan().ttl;
        Ok(Held { after, rows, kept: kept.collect(), more, ttl })
    }
}
