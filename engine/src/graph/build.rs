//! A graph's tasks, made anew.

use std::sync::Arc;

use super::{Graph, Share};
use crate::error::Result;
use crate::expand::Expand;
use crate::expr::Expr;
use crate::group::{BatchedAggregate, GroupAggregate};
use crate::join::{
    GuestJoin, IntervalJoin, OuterIntervalJoin, RegularJoin, TemporalJoin, WindowJoin,
};
use crate::key::KeyOrder;
use crate::materialize::Materialize;
use crate::operator::Operator;
use crate::over::OverAggregate;
use crate::plan::{GuestCall, JoinKind, Node, NodeId, Op, SinkSpec, WindowSpec};
use crate::rank::{ChangingRank, ClosingRank, Emit};
use crate::rowwise::{AssignAligned, AssignCumulating, Filter, Project};
use crate::sink::Sink;
use crate::source::ingest::Ingest;
use crate::suppress::Suppress;
use crate::task::{Edge, Gate, Head, LooseGate, Task};
use crate::udf::{Guests, Sandbox};
use crate::union::Union;
use crate::window::{
    AlignedAggregate, AttachedAggregate, CumulateAggregate, GuestWindow, LateRows, MergeAggregate,
    PartAggregate, SessionAggregate, SessionRows, TriggeredAggregate,
};

impl Graph {
    /// A fresh set of tasks. `partitions`: the partitions of each source.
    ///
    /// # Errors
    /// When a guest cannot be had.
    pub fn build(
        &self,
        partitions: &[Vec<u16>],
        guests: &Guests,
        sandbox: &Arc<dyn Sandbox>,
    ) -> Result<Vec<Task>> {
        let mut tasks = Vec::with_capacity(self.tasks.len());
        let mut source = 0;
        for (t, &(s, _)) in self.tasks.iter().enumerate() {
            let stage = &self.stages[s];
            let first = &self.plan.nodes[stage.nodes[0]];
            let head = if let Op::Source(spec) = &first.op {
                source += 1;
                let mut spec = spec.clone();
                let computed = spec.columns.iter_mut();
                for expr in computed.chain(spec.watermark.iter_mut().map(|w| &mut w.expr)) {
                    link(expr, guests, sandbox)?;
                }
                let own = partitions[source - 1].clone();
                Head::Source(Box::new(Ingest::new(&spec, &first.schema, own)))
            } else if stage.share == Share::Merge {
                let subtasks = self.stages[stage.inputs[0].0].parallelism as usize;
                Head::Merge(Box::new(self.merging(stage.nodes[0], subtasks)))
            } else {
                self.gate(s, t)
            };
            let mut operators: Vec<Box<dyn Operator>> = Vec::new();
            let mut sink = None;
            let shared = match stage.share {
                Share::Whole => None,
                Share::Part => stage.nodes.last(),
                Share::Merge => stage.nodes.first(),
            };
            for n in stage.nodes.iter().filter(|n| shared != Some(n)).copied() {
                match self.operator(n, guests, sandbox)? {
                    Made::Operator(o) => operators.push(o),
                    Made::Sink(s) => sink = Some(s),
                    Made::Nothing => {}
                }
            }
            let name = self.header.tasks[t].name.clone();
            let task = Task::new(name, head, operators, sink, self.edges(t));
            tasks.push(match shared.filter(|_| stage.share == Share::Part) {
                Some(&node) => task.sharing(self.sharing(node)),
                None => task,
            });
        }
        Ok(tasks)
    }

    /// The part of a subtask in windows that are shared.
    fn sharing(&self, id: NodeId) -> PartAggregate {
        let node = &self.plan.nodes[id];
        let schemas = (&self.plan.nodes[node.inputs[0]].schema, &node.schema);
        let Op::WindowAggregate {
            window: WindowSpec::Aligned(alignment),
            time,
            keys,
            bounds,
            aggregates,
            ..
        } = &node.op
        else {
            unreachable!("only aligned windows are shared")
        };
        let keys = (keys.as_slice(), self.order_after(id));
        PartAggregate::new(&node.name, *alignment, *time, keys, (bounds, aggregates), schemas)
    }

    /// The end at which they are merged.
    fn merging(&self, id: NodeId, subtasks: usize) -> MergeAggregate {
        let node = &self.plan.nodes[id];
        let schemas = (&self.plan.nodes[node.inputs[0]].schema, &node.schema);
        let Op::WindowAggregate {
            window: WindowSpec::Aligned(alignment),
            keys,
            bounds,
            aggregates,
            ..
        } = &node.op
        else {
            unreachable!("only aligned windows are shared")
        };
        let keys = (keys.as_slice(), self.order_after(id));
        MergeAggregate::new(*alignment, keys, (bounds, aggregates), schemas, subtasks)
    }

    /// Whether a sink puts the rows of one place in order: somebody may read them, and they have none of their own.
    fn sorted(&self, sink: &Node, spec: &SinkSpec) -> bool {
        let mut below = sink.inputs[0];
        while let Op::Project { .. } = self.plan.nodes[below].op {
            below = self.plan.nodes[below].inputs[0];
        }
        let own = match &self.plan.nodes[below].op {
            Op::Materialize(spec) => !spec.order.is_empty(),
            _ => false,
        };
        spec.connector != "blackhole" && !own
    }

    fn gate(&self, stage: usize, task: usize) -> Head {
        let first = &self.plan.nodes[self.stages[stage].nodes[0]];
        let schemas = first.inputs.iter().map(|&n| self.plan.nodes[n].schema.clone()).collect();
        let edges = self.edges_in(task);
        let inputs: Vec<usize> = edges.iter().map(|&i| self.stages[stage].inputs[i].1).collect();
        let several = self.threaded && inputs.len() > 1;
        if several && let Op::Sink(spec) = &first.op {
            let sorts = !first.updating && self.sorted(first, spec);
            return Head::Loose(LooseGate::new(inputs.len(), !sorts));
        }
        let gate = Gate::new(&inputs, schemas);
        Head::Gate(match first.op {
            Op::IntervalJoin { .. }
            | Op::RegularJoin { .. }
            | Op::WindowJoin { .. }
            | Op::OuterIntervalJoin { .. }
            | Op::Union => gate.merging(),
            // What is looked up has no say in what time it is.
            Op::LookupJoin { .. } => gate.merging().timeless(1),
            _ if several && first.inputs.len() == 1 => gate.joining(),
            _ => gate,
        })
    }

    /// The edges out of a task: one for each stage and input it feeds.
    fn edges(&self, task: usize) -> Vec<Edge> {
        let from_stage = self.tasks[task].0;
        let mut edges = Vec::new();
        for (s, stage) in self.stages.iter().enumerate() {
            for (i, &(from, _)) in stage.inputs.iter().enumerate() {
                if from != from_stage {
                    continue;
                }
                let before: usize = (0..i).map(|j| self.channels_into(s, j)).sum();
                let count = self.channels_into(s, i);
                let channels = self
                    .channels
                    .iter()
                    .enumerate()
                    .filter(|(_, c)| {
                        usize::from(c.0) == task
                            && self.tasks[usize::from(c.1)].0 == s
                            && (before..before + count).contains(&c.2)
                    })
                    .map(|(n, _)| n as u16)
                    .collect();
                edges.push(Edge {
                    channels,
                    route: stage.routes[i].clone(),
                    progress: stage.progress,
                });
            }
        }
        edges
    }

    /// How many channels of one edge end at each subtask.
    fn channels_into(&self, stage: usize, input: usize) -> usize {
        if self.forward(stage, input) {
            1
        } else {
            self.stages[self.stages[stage].inputs[input].0].parallelism as usize
        }
    }

    /// The order in which an operator's rows of one moment leave. A sink wants them by value; whoever
    /// computes with them, in an order that does not depend on the parallelism.
    fn order_after(&self, id: NodeId) -> KeyOrder {
        // A changelog stays in the order of what happened.
        if self.plan.nodes[id].updating {
            return KeyOrder::Group;
        }
        let mut readers =
            self.plan.nodes.iter().enumerate().filter(|(_, n)| n.inputs.contains(&id));
        let by_value = readers.all(|(reader, node)| match node.op {
            Op::Sink(_) => true,
            Op::Filter { .. } | Op::Project { .. } | Op::AssignWindow { .. } => {
                self.order_after(reader) == KeyOrder::Value
            }
            _ => false,
        });
        if by_value { KeyOrder::Value } else { KeyOrder::Group }
    }

    /// An operator over built-in windows.
    fn windows(&self, id: NodeId) -> Box<dyn Operator> {
        let node = &self.plan.nodes[id];
        let (name, schema) = (node.name.as_str(), &node.schema);
        let schemas = (&self.plan.nodes[node.inputs[0]].schema, schema);
        let order = self.order_after(id);
        let (window, time, keys, made) = match &node.op {
            Op::AssignWindow { window: WindowSpec::Aligned(alignment), time } => {
                return Box::new(AssignAligned::new(*alignment, *time, schema.clone()));
            }
            Op::AssignWindow { window: WindowSpec::Cumulate(windows), time } => {
                return Box::new(AssignCumulating::new(*windows, *time, schema.clone()));
            }
            Op::SessionWindow { gap, time, keys } => {
                return Box::new(SessionRows::new(name, *gap, *time, (keys, order), schemas));
            }
            Op::WindowAggregate {
                window,
                time,
                keys,
                bounds,
                aggregates,
                emission: Some(emission),
            } => {
                let (window, keys) = ((*window, emission), (keys.as_slice(), order));
                let made = (bounds.as_slice(), aggregates.as_slice());
                return Box::new(TriggeredAggregate::new(name, window, *time, keys, made, schemas));
            }
            Op::WindowAggregate { window, time, keys, bounds, aggregates, .. } => (
                *window,
                *time,
                (keys.as_slice(), order),
                (bounds.as_slice(), aggregates.as_slice()),
            ),
            _ => unreachable!("no other operator is over built-in windows alone"),
        };
        match window {
            WindowSpec::Aligned(alignment) => {
                Box::new(AlignedAggregate::new(name, alignment, time, keys, made, schemas))
            }
            WindowSpec::Cumulate(windows) => {
                Box::new(CumulateAggregate::new(name, windows, time, keys, made, schemas))
            }
            WindowSpec::Session { gap } => {
                Box::new(SessionAggregate::new(name, gap, time, keys, made, schemas))
            }
            WindowSpec::Attached { bounds } => {
                Box::new(AttachedAggregate::new(name, bounds, keys, made, schemas))
            }
        }
    }

    fn join(
        &self,
        id: NodeId,
        guests: &Guests,
        sandbox: &Arc<dyn Sandbox>,
    ) -> Result<Box<dyn Operator>> {
        let node = &self.plan.nodes[id];
        let inputs = [0, 1].map(|i| &self.plan.nodes[node.inputs[i]].schema);
        let (name, output) = (node.name.as_str(), &node.schema);
        let linked = |condition: &Option<Expr>| -> Result<Option<Expr>> {
            let mut condition = condition.clone();
            condition.iter_mut().try_for_each(|e| link(e, guests, sandbox))?;
            Ok(condition)
        };
        Ok(match &node.op {
            Op::GuestJoin { guest: call, times, keys, lower, upper } => Box::new(GuestJoin::new(
                name,
                guests.start(&call.path, sandbox, &call.parameters)?,
                [call.columns[0].clone(), call.columns[1].clone()],
                *times,
                keys,
                (*lower, *upper),
                inputs,
                output,
            )),
            Op::RegularJoin { kind, keys, condition } => {
                let condition = linked(condition)?;
                let output = (output, node.updating);
                let join = RegularJoin::new(name, *kind, keys, condition, inputs, output);
                Box::new(join.forgetting(self.plan.ttl))
            }
            Op::WindowJoin { kind, keys, ends, condition } => {
                let condition = linked(condition)?;
                let keys = (keys, *ends);
                Box::new(WindowJoin::new(name, *kind, keys, condition, inputs, output))
            }
            Op::OuterIntervalJoin { kind, times, keys, bounds, by_record, condition } => {
                let condition = linked(condition)?;
                let by = (*times, keys, *bounds, *by_record);
                Box::new(OuterIntervalJoin::new(name, *kind, by, condition, inputs, output))
            }
            Op::TemporalJoin { outer, strict, times, keys, condition } => {
                let condition = linked(condition)?;
                let by = (*times, *strict, keys);
                Box::new(TemporalJoin::new(name, *outer, by, condition, inputs, output))
            }
            Op::LookupJoin { outer, keys, replaces, condition } => {
                let condition = linked(condition)?;
                let kind = if *outer { JoinKind::Left } else { JoinKind::Inner };
                let join = RegularJoin::new(name, kind, keys, condition, inputs, (output, false));
                Box::new(join.looking_up(*replaces))
            }
            Op::IntervalJoin { times, keys, bounds, by_record, columns } => {
                let within = (*bounds, *by_record);
                Box::new(IntervalJoin::new(name, *times, keys, within, columns, inputs, output))
            }
            _ => unreachable!("only joins are asked for here"),
        })
    }

    fn operator(&self, id: NodeId, guests: &Guests, sandbox: &Arc<dyn Sandbox>) -> Result<Made> {
        let node = &self.plan.nodes[id];
        let input = |i: usize| &self.plan.nodes[node.inputs[i]].schema;
        let name = node.name.as_str();
        let guest = |call: &GuestCall| guests.start(&call.path, sandbox, &call.parameters);
        Ok(Made::Operator(match &node.op {
            Op::Source(_) => return Ok(Made::Nothing),
            Op::Sink(spec) => {
                let sorted = self.sorted(node, spec);
                let sink = Sink::new(node.schema.clone(), node.updating, sorted);
                // A SELECT's own columns make no promise to anybody.
                let checked = spec.connector != "collect";
                return Ok(Made::Sink(if checked { sink.enforcing(name) } else { sink }));
            }
            Op::Filter { predicate } => {
                let mut predicate = predicate.clone();
                link(&mut predicate, guests, sandbox)?;
                Box::new(Filter::new(name, predicate))
            }
            Op::Project { exprs } => {
                let mut exprs = exprs.clone();
                exprs.iter_mut().try_for_each(|e| link(e, guests, sandbox))?;
                Box::new(Project::new(name, exprs, node.schema.clone()))
            }
            Op::LateRows { window, time, keys, emission } => {
                Box::new(LateRows::new(name, (*window, emission), *time, keys, input(0)))
            }
            Op::Expand { sets } => Box::new(Expand::new(name, sets, &node.schema)),
            Op::AssignWindow { .. } | Op::SessionWindow { .. } | Op::WindowAggregate { .. } => {
                return Ok(Made::Operator(self.windows(id)));
            }
            Op::GroupAggregate { keys, aggregates, retracts } => {
                let schemas = (input(0), &node.schema);
                let changes = (*retracts, self.plan.nodes[node.inputs[0]].updating);
                let group = GroupAggregate::new(name, keys, aggregates, changes, schemas);
                let group = group.forgetting(self.plan.ttl);
                match self.plan.batched {
                    true => Box::new(BatchedAggregate::new(name, group, keys.len(), &node.schema)),
                    false => Box::new(group),
                }
            }
            Op::Rank(spec) => {
                let schemas = (input(0), &node.schema);
                let retracted = self.plan.nodes[node.inputs[0]].updating;
                match spec.emit {
                    Emit::Changes | Emit::Latest => {
                        let rank = ChangingRank::new(name, spec, retracted, schemas);
                        Box::new(rank.forgetting(self.plan.ttl))
                    }
                    Emit::First(_) | Emit::Window { .. } => {
                        Box::new(ClosingRank::new(name, spec, self.order_after(id), schemas))
                    }
                }
            }
            Op::Over(spec) => Box::new(OverAggregate::new(name, spec, (input(0), &node.schema))),
            Op::Suppress(spec) => Box::new(Suppress::new(name, spec, &node.schema)),
            Op::Materialize(spec) => {
                Box::new(Materialize::new(name, spec, (input(0), &node.schema)))
            }
            Op::Union => Box::new(Union::new(name, &node.schema)),
            Op::GuestWindow { guest: call, time, keys } => {
                let columns = call.columns[0].clone();
                let schemas = (input(0), &node.schema);
                let keys = (keys.as_slice(), self.order_after(id));
                Box::new(GuestWindow::new(name, guest(call)?, columns, *time, keys, schemas))
            }
            Op::GuestJoin { .. }
            | Op::IntervalJoin { .. }
            | Op::OuterIntervalJoin { .. }
            | Op::WindowJoin { .. }
            | Op::TemporalJoin { .. }
            | Op::LookupJoin { .. }
            | Op::RegularJoin { .. } => self.join(id, guests, sandbox)?,
        }))
    }
}

/// Gives the guests' functions in an expression their guests.
fn link(expr: &mut Expr, guests: &Guests, sandbox: &Arc<dyn Sandbox>) -> Result<()> {
    expr.guests(&mut |function| {
        function.link(guests.start(&function.path, sandbox, &[])?);
        Ok(())
    })
}

enum Made {
    Operator(Box<dyn Operator>),
    Sink(Sink),
    Nothing,
}
