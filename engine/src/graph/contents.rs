//! What the operators of a job hold, over all subtasks.

use super::Graph;
use super::stages::Share;
use crate::batch::Batch;
use crate::error::{Diagnostic, Result};
use crate::operator::Contents;
use crate::plan::{NodeId, Op};
use crate::schema::SchemaRef;
use crate::task::{LetGo, Route, Task};

impl Graph {
    /// The operators that hold rows, by the names `EXPLAIN` gives them.
    pub fn holders(&self) -> Vec<&str> {
        let holds = |op: &Op| !row_by_row(op) && !matches!(op, Op::LateRows { .. });
        let nodes = self.plan.nodes.iter();
        nodes.filter(|node| holds(&node.op)).map(|node| node.name.as_str()).collect()
    }

    /// What an operator's subtasks hold together. Nothing must be under way between the tasks.
    ///
    /// # Errors
    /// A name that no operator has, and what stops an operator that is asked what it would say.
    pub fn contents(&self, tasks: &mut [Task], operator: &str) -> Result<Vec<Contents>> {
        let holders = self.holders();
        let named = |node: &NodeId| self.plan.nodes[*node].name == operator;
        let found = (0..self.plan.nodes.len()).find(named).filter(|_| holders.contains(&operator));
        let Some(node) = found else {
            let error =
                Diagnostic::new("state.operator", format!("no operator `{operator}` holds rows"));
            return Err(match holders.as_slice() {
                [] => {
                    error.hint("this job keeps no state: it has no window, join, aggregate or rank")
                }
                names => error.hint(format!("those that do are {}", names.join(", "))),
            });
        };
        let mut all: Vec<Contents> = Vec::new();
        for (task, &(stage, subtask)) in tasks.iter_mut().zip(&self.tasks) {
            // Of what is broadcast every subtask holds all.
            let same = self.stages[stage].routes.iter().any(|r| matches!(r, Route::Broadcast));
            if same && subtask > 0 {
                continue;
            }
            let Some(place) = self.chain(stage).position(|n| n == node) else { continue };
            for own in task.contents(place, self.input_of(node))? {
                match all.iter_mut().find(|c| c.part == own.part) {
                    Some(known) => known.rows = Batch::concat(&[known.rows.clone(), own.rows]),
                    None => all.push(own),
                }
            }
        }
        Ok(all)
    }

    /// Whether all operators make each of their rows of one row.
    pub fn row_by_row(&self) -> bool {
        self.plan.nodes.iter().all(|node| row_by_row(&node.op))
    }

    /// The nodes whose operators are the chain of a stage's tasks: sources and sinks are none.
    fn chain(&self, stage: usize) -> impl Iterator<Item = NodeId> {
        let nodes = self.stages[stage].nodes.iter().copied();
        nodes.filter(|&n| !matches!(self.plan.nodes[n].op, Op::Source(_) | Op::Sink(_)))
    }

    fn input_of(&self, node: NodeId) -> &SchemaRef {
        &self.plan.nodes[self.plan.nodes[node].inputs[0]].schema
    }

    /// What the operators of a task, by its number, would let go of if all input ended now, each by itself. `None` when
    /// one of them holds what no watermark frees, what only a guest can say, or what the trace does not tell of.
    ///
    /// # Errors
    /// What stops an operator.
    pub fn would_let_go(&self, number: usize, task: &Task) -> Result<Option<Vec<LetGo>>> {
        let stage = self.tasks[number].0;
        if self.stages[stage].share != Share::Whole
            || !self.chain(stage).all(|n| accounted(&self.plan.nodes[n].op))
        {
            return Ok(None);
        }
        let each = self.chain(stage).enumerate();
        each.map(|(place, n)| task.would_let_go(place, self.input_of(n)))
            .collect::<Result<_>>()
            .map(Some)
    }
}

impl Graph {
    /// How many rows the operators of a task hold, where all that hold rows can count them: see [`Task::rows_held`]. `None`
    /// also where none does.
    pub fn rows_held(&self, number: usize, task: &Task) -> Option<u64> {
        let mut held = None;
        for (place, node) in self.chain(self.tasks[number].0).enumerate() {
            if !row_by_row(&self.plan.nodes[node].op) {
                *held.get_or_insert(0) += task.rows_held(place)?;
            }
        }
        held
    }
}

/// Whether an operator makes each of its rows of one row, so that it holds none.
fn row_by_row(op: &Op) -> bool {
    matches!(
        op,
        Op::Source(_)
            | Op::Filter { .. }
            | Op::Project { .. }
            | Op::Expand { .. }
            | Op::AssignWindow { .. }
            | Op::Union
            | Op::Sink(_)
    )
}

/// Whether the trace tells all that an operator holds, and the watermark frees it: not so where the newest version of a key
/// stays, or where groups, ranks, both inputs whole, or what a guest says are held.
fn accounted(op: &Op) -> bool {
    row_by_row(op)
        || matches!(
            op,
            Op::SessionWindow { .. }
                | Op::WindowAggregate { .. }
                | Op::IntervalJoin { .. }
                | Op::OuterIntervalJoin { .. }
                | Op::WindowJoin { .. }
        )
}
