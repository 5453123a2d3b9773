//! What the operators of a job hold, over all subtasks.

use super::Graph;
use crate::batch::Batch;
use crate::error::{Diagnostic, Result};
use crate::operator::Contents;
use crate::plan::{NodeId, Op};
use crate::task::{Route, Task};

impl Graph {
    /// The operators that hold rows, by the names `EXPLAIN` gives them.
    pub fn holders(&self) -> Vec<&str> {
        let holds = |op: &Op| {
            !matches!(
                op,
                Op::Source(_)
                    | Op::Sink(_)
                    | Op::Filter { .. }
                    | Op::Project { .. }
                    | Op::AssignWindow { .. }
                    | Op::Expand { .. }
                    | Op::LateRows { .. }
                    | Op::Union
            )
        };
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
            let nodes = &self.stages[stage].nodes;
            let Some(at) = nodes.iter().position(|&n| n == node) else { continue };
            // Sources and sinks are no operators of a chain.
            let is_operator =
                |n: &&NodeId| !matches!(self.plan.nodes[**n].op, Op::Source(_) | Op::Sink(_));
            let place = nodes[..at].iter().filter(is_operator).count();
            let input = &self.plan.nodes[self.plan.nodes[node].inputs[0]].schema;
            for own in task.contents(place, input)? {
                match all.iter_mut().find(|c| c.part == own.part) {
                    Some(known) => known.rows = Batch::concat(&[known.rows.clone(), own.rows]),
                    None => all.push(own),
                }
            }
        }
        Ok(all)
    }
}
