//! The graph: a plan cut into stages at every exchange of rows, then into tasks and channels.

use std::sync::Arc;

use crate::aggregate::AggregateSet;
use crate::error::{Diagnostic, Result};
use crate::expr::Expr;
use crate::group::GroupAggregate;
use crate::join::{GuestJoin, IntervalJoin};
use crate::key::{KeyColumns, KeyOrder, hash_bytes};
use crate::operator::Operator;
use crate::plan::{GuestCall, NodeId, Op, Plan, SinkSpec, SourceSpec, WindowSpec};
use crate::rowwise::{AssignAligned, Filter, Project};
use crate::schema::SchemaRef;
use crate::sink::Sink;
use crate::source::ingest::Ingest;
use crate::task::{Blocks, Edge, Gate, Head, LooseGate, Route, Task};
use crate::time::Alignment;
use crate::trace::{Header, TaskInfo};
use crate::udf::{Guests, Sandbox};
use crate::window::{
    AlignedAggregate, GuestWindow, MergeAggregate, PartAggregate, SessionAggregate, TURN,
};

/// A plan made ready to run.
pub struct Graph {
    plan: Plan,
    stages: Vec<Stage>,
    /// Channel number → from task, to task, channel number at the receiving gate.
    pub channels: Vec<(u16, u16, usize)>,
    /// Names for the trace.
    pub header: Header,
    /// Task number → stage, subtask.
    tasks: Vec<(usize, u32)>,
    /// Whether it is cut for threads.
    threaded: bool,
}

/// Operators that run in one task, without an exchange between them.
struct Stage {
    name: String,
    kind: &'static str,
    nodes: Vec<NodeId>,
    parallelism: u32,
    /// Edges in: the stage they come from, and the operator's input they lead to.
    inputs: Vec<(usize, usize)>,
    /// How rows are routed on each of `inputs`.
    routes: Vec<Route>,
    /// Whether it, or a stage behind it, merges several channels.
    progress: bool,
    share: Share,
}

/// What a stage does of an aggregation over windows that several subtasks share by blocks of the stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    /// Nothing, or all of it.
    Whole,
    /// Its last node, for some blocks.
    Part,
    /// Its first node, from the parts.
    Merge,
}

impl Graph {
    /// Cuts a plan into tasks.
    ///
    /// # Errors
    /// When the parallelism is out of range.
    pub fn new(plan: Plan, parallelism: u32, seed: u64) -> Result<Graph> {
        Graph::cut(plan, parallelism, seed, false)
    }

    /// Cuts a plan so that many threads have something to do. The rows are those of any other cut.
    ///
    /// Joins, sessions and guests' operators get a subtask a thread, by key. So do tumbling windows whose
    /// aggregates merge to the same in any order, but by blocks of the stream: then reading keys is shared
    /// too. Other windows and running aggregates have one: to bring their rows back in order, or to
    /// deal records out by key, would cost what was won.
    ///
    /// # Errors
    /// When the number of threads is out of range.
    pub fn threaded(plan: Plan, threads: u32, seed: u64) -> Result<Graph> {
        Graph::cut(plan, threads, seed, threads > 1)
    }

    fn cut(mut plan: Plan, parallelism: u32, seed: u64, threaded: bool) -> Result<Graph> {
        if parallelism == 0 || parallelism > crate::key::KEY_GROUPS {
            return Err(Diagnostic::new(
                "settings.parallelism",
                format!("a parallelism of {parallelism} is out of range"),
            )
            .hint(format!("choose 1 to {}", crate::key::KEY_GROUPS)));
        }
        share_sources(&mut plan);
        let stages = stages(&plan, parallelism, threaded);
        let mut graph = Graph {
            plan,
            stages,
            channels: Vec::new(),
            header: Header { seed, ..Header::default() },
            tasks: Vec::new(),
            threaded,
        };
        graph.number();
        Ok(graph)
    }

    /// The plan behind the graph.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A few bytes that differ when the plan does: operators, columns, windows, functions, guests.
    pub fn fingerprint(&self) -> [u8; 8] {
        hash_bytes(self.plan.explain().as_bytes()).to_le_bytes()
    }

    /// The sources, in the order of the inlet.
    pub fn sources(&self) -> Vec<(&SourceSpec, &SchemaRef)> {
        let nodes = self.plan.nodes.iter();
        nodes
            .filter_map(|n| if let Op::Source(s) = &n.op { Some((s, &n.schema)) } else { None })
            .collect()
    }

    /// The sinks, with their rows' schema and whether they take updates.
    pub fn sinks(&self) -> Vec<(&SinkSpec, &SchemaRef, bool)> {
        let nodes = self.plan.nodes.iter();
        nodes
            .filter_map(|n| {
                if let Op::Sink(s) = &n.op { Some((s, &n.schema, n.updating)) } else { None }
            })
            .collect()
    }

    /// The task of each source, in the order of the inlet.
    pub fn source_tasks(&self) -> Vec<u16> {
        self.tasks_where(|op| matches!(op, Op::Source(_)))
    }

    /// The task of each sink, in the order of [`Graph::sinks`].
    pub fn sink_tasks(&self) -> Vec<u16> {
        self.tasks_where(|op| matches!(op, Op::Sink(_)))
    }

    fn tasks_where(&self, wanted: impl Fn(&Op) -> bool) -> Vec<u16> {
        let nodes = self.plan.nodes.iter().enumerate().filter(|(_, n)| wanted(&n.op));
        nodes
            .map(|(id, _)| {
                let at = self.tasks.iter().position(|&(s, _)| self.stages[s].nodes.contains(&id));
                at.expect("every node is in a task") as u16
            })
            .collect()
    }

    /// How many batches should be under way at once, so that every subtask has something to do.
    pub fn batches_ahead(&self) -> usize {
        let widest = self.stages.iter().map(|s| s.parallelism).max().unwrap_or(1) as usize;
        let shares = self.stages.iter().any(|s| s.share == Share::Part);
        if shares { widest * TURN as usize * 3 / 2 } else { 4 * widest }
    }

    /// Whether any of its operators has several subtasks.
    pub fn is_wide(&self) -> bool {
        self.stages.iter().any(|s| s.parallelism > 1)
    }

    /// What a task has at heart: nothing but the rows under way, or state that stays.
    pub fn is_light(&self, task: usize) -> bool {
        let stage = &self.stages[self.tasks[task].0];
        matches!(stage.kind, "map" | "sink") || stage.share == Share::Merge
    }

    /// Which subtask a task is, of how many.
    pub fn subtask(&self, task: usize) -> (usize, usize) {
        let (stage, subtask) = self.tasks[task];
        (subtask as usize, self.stages[stage].parallelism as usize)
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// True without tasks.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Gives tasks and channels their numbers.
    fn number(&mut self) {
        for (s, stage) in self.stages.iter().enumerate() {
            for subtask in 0..stage.parallelism {
                self.tasks.push((s, subtask));
                let lines: Vec<String> =
                    stage.nodes.iter().map(|&n| self.plan.describe(n)).collect();
                self.header.tasks.push(TaskInfo {
                    name: format!("{}/{subtask}", stage.name),
                    kind: stage.kind.to_owned(),
                    describe: lines.join("\n"),
                    partitions: 0,
                });
            }
        }
        for to in 0..self.tasks.len() {
            let (stage, subtask) = self.tasks[to];
            let mut at_gate = 0;
            for (i, &(from_stage, _)) in self.stages[stage].inputs.iter().enumerate() {
                for from in 0..self.tasks.len() {
                    let (s, from_subtask) = self.tasks[from];
                    let forward = self.forward(stage, i);
                    if s == from_stage && (!forward || from_subtask == subtask) {
                        self.channels.push((from as u16, to as u16, at_gate));
                        at_gate += 1;
                    }
                }
            }
        }
        self.header.channels = self.channels.iter().map(|&(f, t, _)| (f, t)).collect();
    }

    /// Whether the edge connects subtask i with subtask i only.
    fn forward(&self, stage: usize, input: usize) -> bool {
        let from = &self.stages[self.stages[stage].inputs[input].0];
        matches!(self.stages[stage].routes[input], Route::Only)
            && from.parallelism == self.stages[stage].parallelism
    }

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
                Head::Source(Ingest::new(&spec, &first.schema, partitions[source - 1].clone()))
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
        let input = &self.plan.nodes[node.inputs[0]].schema;
        let Op::WindowAggregate {
            window: WindowSpec::Aligned(alignment),
            time,
            keys,
            aggregates,
            ..
        } = &node.op
        else {
            unreachable!("only aligned windows are shared")
        };
        PartAggregate::new(&node.name, *alignment, *time, keys, aggregates, input)
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

    fn gate(&self, stage: usize, task: usize) -> Head {
        let first = &self.plan.nodes[self.stages[stage].nodes[0]];
        let schemas = first.inputs.iter().map(|&n| self.plan.nodes[n].schema.clone()).collect();
        // Channels stand at the gate by edge, then by sending task, as they were numbered.
        let mut inputs = Vec::new();
        for (i, &(from_stage, input)) in self.stages[stage].inputs.iter().enumerate() {
            let subtask = self.tasks[task].1;
            let forward = self.forward(stage, i);
            for &(s, from_subtask) in &self.tasks {
                if s == from_stage && (!forward || from_subtask == subtask) {
                    inputs.push(input);
                }
            }
        }
        let several = self.threaded && inputs.len() > 1;
        if several && let Op::Sink(spec) = &first.op {
            let sorts = !first.updating && sorted(spec);
            return Head::Loose(LooseGate::new(inputs.len(), !sorts));
        }
        let gate = Gate::new(&inputs, schemas);
        Head::Gate(match first.op {
            Op::IntervalJoin { .. } => gate.merging(),
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

    fn operator(&self, id: NodeId, guests: &Guests, sandbox: &Arc<dyn Sandbox>) -> Result<Made> {
        let node = &self.plan.nodes[id];
        let input = |i: usize| &self.plan.nodes[node.inputs[i]].schema;
        let name = node.name.as_str();
        let guest = |call: &GuestCall| guests.start(&call.path, sandbox, &call.parameters);
        Ok(Made::Operator(match &node.op {
            Op::Source(_) => return Ok(Made::Nothing),
            Op::Sink(spec) => {
                let sink = Sink::new(node.schema.clone(), node.updating, sorted(spec));
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
            Op::AssignWindow { window: WindowSpec::Aligned(alignment), time } => {
                Box::new(AssignAligned::new(*alignment, *time, node.schema.clone()))
            }
            Op::AssignWindow { window: WindowSpec::Session { .. }, .. } => {
                unreachable!("the planner refuses a SESSION that nothing aggregates")
            }
            Op::WindowAggregate { window, time, keys, bounds, aggregates } => {
                let made = (bounds.as_slice(), aggregates.as_slice());
                let schemas = (input(0), &node.schema);
                match *window {
                    WindowSpec::Aligned(alignment) => Box::new(AlignedAggregate::new(
                        name,
                        alignment,
                        *time,
                        (keys, self.order_after(id)),
                        made,
                        schemas,
                    )),
                    WindowSpec::Session { gap } => {
                        let keys = (keys.as_slice(), self.order_after(id));
                        Box::new(SessionAggregate::new(name, gap, *time, keys, made, schemas))
                    }
                }
            }
            Op::GroupAggregate { keys, aggregates, retracts } => {
                let schemas = (input(0), &node.schema);
                Box::new(GroupAggregate::new(name, keys, aggregates, *retracts, schemas))
            }
            Op::GuestWindow { guest: call, time, keys } => {
                let columns = call.columns[0].clone();
                let schemas = (input(0), &node.schema);
                let keys = (keys.as_slice(), self.order_after(id));
                Box::new(GuestWindow::new(name, guest(call)?, columns, *time, keys, schemas))
            }
            Op::GuestJoin { guest: call, times, keys, lower, upper } => Box::new(GuestJoin::new(
                name,
                guest(call)?,
                [call.columns[0].clone(), call.columns[1].clone()],
                *times,
                keys,
                (*lower, *upper),
                [input(0), input(1)],
                &node.schema,
            )),
            Op::IntervalJoin { times, keys, bounds, columns } => Box::new(IntervalJoin::new(
                name,
                *times,
                keys,
                *bounds,
                columns,
                [input(0), input(1)],
                &node.schema,
            )),
        }))
    }
}

/// Whether somebody may read the rows in their order.
fn sorted(spec: &SinkSpec) -> bool {
    spec.connector != "blackhole"
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

/// A table that is read several times is read once: every reader sees the same arrivals.
fn share_sources(plan: &mut Plan) {
    let mut keep: Vec<NodeId> = (0..plan.nodes.len()).collect();
    for (id, keep) in keep.iter_mut().enumerate() {
        if let Op::Source(spec) = &plan.nodes[id].op {
            let first = plan.nodes[..id]
                .iter()
                .position(|n| matches!(&n.op, Op::Source(s) if s.table == spec.table));
            if let Some(first) = first {
                *keep = first;
            }
        }
    }
    let mut place = vec![0; keep.len()];
    let mut nodes = Vec::new();
    for (id, mut node) in std::mem::take(&mut plan.nodes).into_iter().enumerate() {
        if keep[id] == id {
            place[id] = nodes.len();
            node.inputs.iter_mut().for_each(|i| *i = place[keep[*i]]);
            nodes.push(node);
        } else {
            place[id] = place[keep[id]];
        }
    }
    plan.nodes = nodes;
}

/// Cuts the plan at exchanges, and where rows go more than one way.
fn stages(plan: &Plan, parallelism: u32, threaded: bool) -> Vec<Stage> {
    let consumers =
        |id: NodeId| plan.nodes.iter().flat_map(|n| &n.inputs).filter(|&&i| i == id).count();
    let mut stages: Vec<Stage> = Vec::new();
    let mut stage_of: Vec<usize> = Vec::new();
    for (id, node) in plan.nodes.iter().enumerate() {
        let rowwise =
            matches!(node.op, Op::Filter { .. } | Op::Project { .. } | Op::AssignWindow { .. });
        if rowwise && consumers(node.inputs[0]) == 1 {
            let stage = stage_of[node.inputs[0]];
            stages[stage].nodes.push(id);
            stage_of.push(stage);
            continue;
        }
        let upstream: Vec<usize> = node.inputs.iter().map(|&i| stage_of[i]).collect();
        let schema = |i: usize| &plan.nodes[node.inputs[i]].schema;
        let keyed = |i: usize, keys: &[usize]| {
            if keys.is_empty() { Route::Only } else { Route::Key(KeyColumns::new(schema(i), keys)) }
        };
        let (kind, routes) = match &node.op {
            Op::Source(_) => ("source", vec![]),
            Op::Sink(_) => ("sink", vec![Route::Only]),
            Op::WindowAggregate { window: WindowSpec::Aligned(_), keys, .. } => {
                ("window", vec![keyed(0, keys)])
            }
            Op::WindowAggregate { keys, .. } => ("session", vec![keyed(0, keys)]),
            Op::GroupAggregate { keys, .. } => ("aggregate", vec![keyed(0, keys)]),
            Op::GuestWindow { keys, .. } => ("guest-window", vec![keyed(0, keys)]),
            Op::GuestJoin { keys, .. } => {
                ("guest-join", vec![keyed(0, &keys[0]), keyed(1, &keys[1])])
            }
            Op::IntervalJoin { keys, .. } => ("join", vec![keyed(0, &keys[0]), keyed(1, &keys[1])]),
            _ => ("map", vec![Route::Only]),
        };
        if threaded
            && let Some(alignment) = shareable(plan, id)
            && stages[upstream[0]].parallelism == 1
        {
            let input = node.inputs[0];
            let from = upstream[0];
            // What is computed a row at a time behind the source is shared along.
            let own = stages[from].nodes.len() > 1 && consumers(input) == 1;
            let mut nodes = if own { stages[from].nodes.split_off(1) } else { Vec::new() };
            nodes.iter().for_each(|&n| stage_of[n] = stages.len());
            nodes.push(id);
            stages.push(Stage {
                name: format!("{}-part", node.name),
                kind: "window",
                nodes,
                parallelism,
                inputs: vec![(from, 0)],
                routes: vec![Route::Blocks(Blocks::new(alignment, parallelism as usize))],
                progress: false,
                share: Share::Part,
            });
            stage_of.push(stages.len());
            stages.push(Stage {
                name: node.name.clone(),
                kind: "window",
                nodes: vec![id],
                parallelism: 1,
                inputs: vec![(stages.len() - 1, 0)],
                routes: vec![Route::Only],
                progress: false,
                share: Share::Merge,
            });
            continue;
        }
        let width = match kind {
            "map" => stages[upstream[0]].parallelism,
            // What leaves these is about as much as what comes in: routing it costs what is won.
            "aggregate" | "window" if threaded => 1,
            _ if routes.iter().any(|r| matches!(r, Route::Key(_))) => parallelism,
            _ => 1,
        };
        stage_of.push(stages.len());
        stages.push(Stage {
            name: node.name.clone(),
            kind,
            nodes: vec![id],
            parallelism: width,
            inputs: upstream.into_iter().enumerate().map(|(i, s)| (s, i)).collect(),
            routes,
            progress: false,
            share: Share::Whole,
        });
    }
    mark_progress(&mut stages);
    stages
}

/// The windows of a node that subtasks can share by blocks of the stream.
fn shareable(plan: &Plan, id: NodeId) -> Option<Alignment> {
    let node = &plan.nodes[id];
    let Op::WindowAggregate { window: WindowSpec::Aligned(alignment), aggregates, .. } = &node.op
    else {
        return None;
    };
    let input = &plan.nodes[node.inputs[0]].schema;
    // Where windows overlap, every subtask would have to put most of them together from its slices.
    let apart = alignment.overlap() == 1;
    (apart && AggregateSet::new(aggregates, input).splits()).then_some(*alignment)
}

/// A stage that merges channels must hear how far each has come, and so must all before it, which pass
/// it on; and all behind it, because what a merge lets through is complete only a moment later.
fn mark_progress(stages: &mut [Stage]) {
    let merges: Vec<bool> = stages
        .iter()
        .map(|stage| {
            let widths = stage.inputs.iter().map(|&(from, _)| stages[from].parallelism);
            if stage.kind == "map" { false } else { widths.sum::<u32>() > 1 }
        })
        .collect();
    let mut behind = merges.clone();
    for s in 0..stages.len() {
        behind[s] |= stages[s].inputs.iter().any(|&(from, _)| behind[from]);
    }
    let mut before = merges;
    for s in (0..stages.len()).rev() {
        for &(from, _) in &stages[s].inputs {
            before[from] |= before[s];
        }
    }
    for (s, stage) in stages.iter_mut().enumerate() {
        stage.progress = behind[s] || before[s];
    }
}
