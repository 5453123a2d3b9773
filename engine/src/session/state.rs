//! Queryable state: what an operator holds, all of it or the rows that fulfil a condition; now, or as of a checkpoint.
//!
//! What is asked about is a cut of the whole job. A session that is in the middle of something is copied, and
//! the copy takes nothing more in and does what is under way: so all subtasks stand after the same record.

use super::{Live, Session};
use crate::batch::Seq;
use crate::error::{Diagnostic, Result};
use crate::expr;
use crate::graph::Graph;
use crate::key::encode;
use crate::operator::Contents;
use crate::schema::SchemaRef;
use crate::sim::State;
use crate::snapshot::Opened;
use crate::sql;
use crate::task::Task;
use crate::trace::What;
use crate::value::Value;

/// Rows that an operator holds.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What they are: `groups` of a running aggregation, `left` and `right` of a join, `versions` of a temporal
    /// one's right, `ranks`, or `open`: what windows, or rows that wait in OVER, would say if the input ended.
    pub part: &'static str,
    /// Their columns.
    pub schema: SchemaRef,
    /// The rows, in the order of their values.
    pub rows: Vec<Vec<Value>>,
}

impl Session {
    /// The operators that can be asked, by the names that `EXPLAIN` gives them.
    pub fn holders(&self) -> Vec<String> {
        self.sim.job().graph.holders().into_iter().map(str::to_owned).collect()
    }

    /// Goes on to a record, the last one where none is named, and stands still there: nothing more is taken in,
    /// not even the end of the input.
    ///
    /// # Errors
    /// What stops the job on the way.
    pub fn stand_after(&mut self, seq: Option<Seq>) -> Result<()> {
        let last = || {
            let mut whole = self.fork();
            whole.step(u64::MAX);
            let seqs = whole.events().iter().filter_map(|event| match event.what {
                What::Arrive { seq, .. } => Some(seq),
                _ => None,
            });
            seqs.max().unwrap_or(0)
        };
        let seq = seq.unwrap_or_else(last);
        self.sim.stop_after(seq);
        self.forget_future();
        while !self.sim.stands() && self.advance() {}
        self.sim.settle();
        self.forget_future();
        while self.advance() {}
        match self.sim.state() {
            State::Failed(error) => Err(Box::new(error.clone())),
            _ => Ok(()),
        }
    }

    /// What an operator holds after the records that have been read so far; `wanted`: a condition over its
    /// columns, such as `k = 'a' AND window_start >= TIMESTAMP '2024-05-01 08:00:00'`.
    ///
    /// # Errors
    /// A name that no operator has, a condition that cannot be read, and a job that is down.
    pub fn state(&self, operator: &str, wanted: Option<&str>) -> Result<Vec<Kept>> {
        if matches!(self.sim.state(), State::Down) {
            return Err(Diagnostic::new("state.down", "the job has crashed: its state is gone")
                .hint("ask as of its newest checkpoint, or after it has recovered"));
        }
        let mut sim = self.sim.clone();
        sim.settle();
        while sim.step(&mut Vec::new()) {}
        if let State::Failed(error) = sim.state() {
            return Err(Box::new(error.clone()));
        }
        let job = sim.job().clone();
        kept(&job.graph, sim.tasks_mut(), operator, wanted)
    }

    /// The same as of a completed checkpoint.
    ///
    /// # Errors
    /// As [`Session::state`], and a checkpoint that there is not.
    pub fn state_at(
        &self,
        checkpoint: u64,
        operator: &str,
        wanted: Option<&str>,
    ) -> Result<Vec<Kept>> {
        let stored = self.sim.checkpoints();
        let Some((_, bytes)) = stored.iter().find(|(id, _)| *id == checkpoint) else {
            let error =
                Diagnostic::new("state.checkpoint", format!("there is no checkpoint {checkpoint}"));
            return Err(match (stored.first(), stored.last()) {
                (Some(first), Some(last)) => {
                    error.hint(format!("there are checkpoints {} to {}", first.0, last.0))
                }
                _ => error.hint("SET 'execution.checkpointing.interval' = '10 s' makes some"),
            });
        };
        let job = self.sim.job();
        let mut tasks = job.tasks()?;
        let snapshot = Opened::read(bytes)?;
        job.graph.restore(&mut tasks, &snapshot)?;
        kept(&job.graph, &mut tasks, operator, wanted)
    }
}

impl Live {
    /// The operators that can be asked, by the names that `EXPLAIN` gives them.
    pub fn holders(&self) -> Vec<String> {
        self.graph.holders().into_iter().map(str::to_owned).collect()
    }

    /// What an operator holds after the rows that have been handed in, as [`Session::state`].
    ///
    /// # Errors
    /// A name that no operator has, and a condition that cannot be read.
    pub fn state(&mut self, operator: &str, wanted: Option<&str>) -> Result<Vec<Kept>> {
        kept(&self.graph, self.runner.tasks_mut(), operator, wanted)
    }
}

fn kept(
    graph: &Graph,
    tasks: &mut [Task],
    operator: &str,
    wanted: Option<&str>,
) -> Result<Vec<Kept>> {
    let (mut found, mut refused) = (Vec::new(), None);
    for Contents { part, rows } in graph.contents(tasks, operator)? {
        let rows = match wanted.map(|text| sql::condition(text, &rows.schema)) {
            None => rows,
            Some(Ok(condition)) => {
                let chosen = expr::select(&condition, &rows).map_err(|e| e.diagnostic)?;
                rows.gather(&chosen)
            }
            // The other side may have that column.
            Some(Err(error)) => {
                refused.get_or_insert(error);
                continue;
            }
        };
        let mut all: Vec<Vec<Value>> = (0..rows.rows).map(|i| rows.row(i)).collect();
        all.sort_by_cached_key(|row| encode(row));
        found.push(Kept { part, schema: rows.schema.clone(), rows: all });
    }
    match refused {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}
