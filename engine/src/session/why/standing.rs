//! A run that stands still after a record: who holds a watermark back, and which records would move it on.

use super::patch::Patch;
use super::search::least;
use super::{Many, Variation, Why, drive};
use crate::batch::Seq;
use crate::error::{Diagnostic, Result};
use crate::sim::Sim;
use crate::source::Chunk;
use crate::sql::is_batch;
use crate::time::EventTime;
use crate::trace::{Event, Header};
use crate::watermark::Activity;

/// A record may have to be later than its watermark says by at most this, milliseconds.
const LATER: i64 = 1 << 41;

/// Who holds a watermark back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// The table.
    pub table: String,
    /// Its partition.
    pub partition: u16,
    /// The partition's own watermark.
    pub watermark: EventTime,
    source: usize,
    /// The watermark it would have to have.
    need: i64,
}

/// A record that would move a watermark on, if it came next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The table.
    pub table: String,
    /// The partition.
    pub partition: u16,
    /// The least event time, milliseconds: with the one below it does not happen.
    pub event_time: i64,
    /// The event time just below, milliseconds.
    pub below: i64,
    /// The record that was tried.
    pub row: String,
}

/// The least records that together do something, one for each partition that holds back; or why there are none.
pub type Pushed = std::result::Result<Vec<Push>, String>;

/// A push and the records it was tried with.
struct Tried {
    push: Push,
    source: usize,
    enough: Chunk,
    short: Chunk,
}

/// A run after a record: all that follows from it has happened, and nothing else.
pub(super) struct Standing {
    pub(super) after: Seq,
    pub(super) trace: Vec<Event>,
    sim: Sim,
}

impl Why<'_> {
    /// Runs up to a record.
    pub(super) fn standing(&self, after: Seq) -> Many<Standing> {
        let mut session = self.varied(Variation::default())?;
        session.sim.stop_after(after);
        drive(&mut session)?;
        Ok(Standing { after, trace: session.trace, sim: session.sim })
    }
}

impl Standing {
    pub(super) fn header(&self) -> &Header {
        &self.sim.job().graph.header
    }

    /// The watermark over a task's inputs.
    pub(super) fn watermark(&self, task: u16) -> EventTime {
        self.sim.task(task).watermark()
    }

    /// The sources above a task, each with how much earlier the task's watermark is than the source's.
    fn sources(&self, task: u16) -> Vec<(usize, i64)> {
        let graph = &self.sim.job().graph;
        let sources = graph.source_tasks();
        let (mut found, mut todo) = (vec![None; sources.len()], vec![(task, 0i64)]);
        while let Some((task, behind)) = todo.pop() {
            if let Some(source) = sources.iter().position(|s| *s == task) {
                found[source] = found[source].max(Some(behind));
            }
            for &(from, _, _) in graph.channels.iter().filter(|c| c.1 == task) {
                todo.push((from, behind.saturating_add(graph.holds_back(from))));
            }
        }
        found.into_iter().enumerate().filter_map(|(s, behind)| Some((s, behind?))).collect()
    }

    /// The partitions that keep a task's watermark below `watermark`. Where all are idle, the one that came
    /// furthest stands for them: whichever speaks first decides.
    pub(super) fn held_by(&self, task: u16, watermark: i64) -> Vec<HeldBy> {
        let graph = &self.sim.job().graph;
        let tasks = graph.source_tasks();
        let (mut active, mut idle) = (Vec::new(), Vec::new());
        for (source, behind) in self.sources(task) {
            let need = watermark.saturating_add(behind);
            let Some(ingest) = self.sim.task(tasks[source]).source() else { continue };
            let reached = ingest.watermark().0 >= need;
            for (partition, own, activity) in ingest.partitions() {
                let table = graph.sources()[source].0.table.clone();
                let held = HeldBy { table, partition, watermark: own, source, need };
                match activity {
                    Activity::Active if own.0 < need && !reached => active.push(held),
                    Activity::Idle => idle.push(held),
                    _ => {}
                }
            }
        }
        if active.is_empty() {
            idle.sort_by_key(|h| std::cmp::Reverse(h.watermark));
            active.extend(idle.into_iter().next());
        }
        active
    }

    /// The least records, one for each partition that holds a task back, that bring its watermark to at
    /// least `watermark` and make `happens` true of what happens then. All were tried, and each a little
    /// less too.
    pub(super) fn push(
        &self,
        task: u16,
        watermark: i64,
        happens: &dyn Fn(&[Event]) -> bool,
    ) -> Pushed {
        if is_batch(&self.sim.job().graph.plan().settings) {
            return Err("in batch mode time stands still until all input has ended".to_owned());
        }
        let found = self.pushes(task, watermark, happens).map_err(|e| e.message)?;
        found.ok_or_else(|| "none that was tried did".to_owned())
    }

    fn pushes(
        &self,
        task: u16,
        watermark: i64,
        happens: &dyn Fn(&[Event]) -> bool,
    ) -> Result<Option<Vec<Push>>> {
        let held = self.held_by(task, watermark);
        if held.is_empty() {
            return Ok(None);
        }
        let mut later = |later: i64| -> Result<bool> {
            let Some(tried) = self.tried(&held, later)? else { return Ok(false) };
            Ok(happens(&self.with(&tried, None)?))
        };
        // One more of a session's own makes the session longer, so what the rule says need not be enough.
        let Some(later) = least(-LATER, 0, LATER, &mut later)? else { return Ok(None) };
        let Some(tried) = self.tried(&held, later)? else { return Ok(None) };
        for short in 0..tried.len() {
            if happens(&self.with(&tried, Some(short))?) {
                return Ok(None);
            }
        }
        Ok(Some(tried.into_iter().map(|t| t.push).collect()))
    }

    /// A record for each partition, with which its watermark is what it has to be and `later` ms more.
    fn tried(&self, held: &[HeldBy], later: i64) -> Result<Option<Vec<Tried>>> {
        let mut all = Vec::new();
        for h in held {
            let sources = self.sim.job().graph.sources();
            let (spec, schema) = sources[h.source];
            let Some(example) = self.sim.inlet().example(h.source, h.partition) else {
                let message = format!("no record of table `{}` can be read", h.table);
                return Err(Diagnostic::new("why.no-record", message));
            };
            let patch = Patch::new(spec, schema, example)?;
            let Some([enough, short]) = patch.smallest(h.need.saturating_add(later)) else {
                return Ok(None);
            };
            let push = Push {
                table: h.table.clone(),
                partition: h.partition,
                event_time: enough.1,
                below: short.1,
                row: enough.2,
            };
            all.push(Tried { push, source: h.source, enough: enough.0, short: short.0 });
        }
        Ok(Some(all))
    }

    /// What happens when these records come next; one of them may be a little short.
    fn with(&self, tried: &[Tried], short: Option<usize>) -> Result<Vec<Event>> {
        let (mut sim, mut trace) = (self.sim.clone(), Vec::new());
        for (i, t) in tried.iter().enumerate() {
            let record = if short == Some(i) { &t.short } else { &t.enough };
            sim.append(t.source, t.push.partition, record.clone(), &mut trace)?;
        }
        Ok(trace)
    }
}
