//! Stages: where a plan is cut.

use crate::aggregate::AggregateSet;
use crate::expr::ExprKind;
use crate::key::KeyColumns;
use crate::plan::{NodeId, Op, Plan, WindowSpec};
use crate::task::{Blocks, Route};
use crate::time::Alignment;

/// Operators that run in one task, without an exchange between them.
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) nodes: Vec<NodeId>,
    pub(super) parallelism: u32,
    /// Edges in: the stage they come from, and the operator's input they lead to.
    pub(super) inputs: Vec<(usize, usize)>,
    /// How rows are routed on each of `inputs`.
    pub(super) routes: Vec<Route>,
    /// Whether it, or a stage behind it, merges several channels.
    pub(super) progress: bool,
    pub(super) share: Share,
}

/// What a stage does of an aggregation over windows that several subtasks share by blocks of the stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// Nothing, or all of it.
    Whole,
    /// Its last node, for some blocks.
    Part,
    /// Its first node, from the parts.
    Merge,
}

/// A table that is read several times is read once: every reader sees the same arrivals.
pub(super) fn share_sources(plan: &mut Plan) {
    let mut keep: Vec<NodeId> = (0..plan.nodes.len()).collect();
    for (id, keep) in keep.iter_mut().enumerate() {
        if let Op::Source(spec) = &plan.nodes[id].op {
            let first = plan.nodes[..id]
                .iter()
                .position(|n| matches!(&n.op, Op::Source(s) if (&s.table, s.lookup) == (&spec.table, spec.lookup)));
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
pub(super) fn stages(plan: &Plan, parallelism: u32, threaded: bool) -> Vec<Stage> {
    let consumers =
        |id: NodeId| plan.nodes.iter().flat_map(|n| &n.inputs).filter(|&&i| i == id).count();
    let mut stages: Vec<Stage> = Vec::new();
    let mut stage_of: Vec<usize> = Vec::new();
    for (id, node) in plan.nodes.iter().enumerate() {
        let rowwise = matches!(
            node.op,
            Op::Filter { .. } | Op::Project { .. } | Op::AssignWindow { .. } | Op::Expand { .. }
        );
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
            Op::WindowAggregate { window: WindowSpec::Session { .. }, keys, .. }
            | Op::SessionWindow { keys, .. } => ("session", vec![keyed(0, keys)]),
            Op::WindowAggregate { keys, .. } | Op::LateRows { keys, .. } => {
                ("window", vec![keyed(0, keys)])
            }
            Op::GroupAggregate { keys, .. } => ("aggregate", vec![keyed(0, keys)]),
            Op::GuestWindow { keys, .. } => ("guest-window", vec![keyed(0, keys)]),
            Op::GuestJoin { keys, .. } => {
                ("guest-join", vec![keyed(0, &keys[0]), keyed(1, &keys[1])])
            }
            Op::IntervalJoin { keys, .. } => ("join", vec![keyed(0, &keys[0]), keyed(1, &keys[1])]),
            Op::Rank(spec) => ("rank", vec![keyed(0, &spec.keys)]),
            Op::Over(spec) => ("over", vec![keyed(0, &spec.keys)]),
            // Without a key any subtask can look any row up, once it has all there is to find.
            Op::LookupJoin { keys, .. } if keys[0].is_empty() => {
                ("join", vec![Route::Deal, Route::Broadcast])
            }
            // How many keys are held, and which has been for longest, only one subtask can say.
            Op::Suppress(_) => ("suppress", vec![Route::Only]),
            // As with the order of all rows.
            Op::Materialize(_) => ("materialize", vec![Route::Only]),
            Op::RegularJoin { keys, .. }
            | Op::WindowJoin { keys, .. }
            | Op::OuterIntervalJoin { keys, .. }
            | Op::LookupJoin { keys, .. }
            | Op::TemporalJoin { keys, .. } => {
                ("join", vec![keyed(0, &keys[0]), keyed(1, &keys[1])])
            }
            Op::Union => ("union", vec![Route::Only; node.inputs.len()]),
            _ => ("map", vec![Route::Only]),
        };
        if threaded
            && let Some(alignment) = shareable(plan, id)
            && let (input, from) = (node.inputs[0], upstream[0])
            // What is computed a row at a time behind the source is shared along.
            && let own = stages[from].nodes.len() > 1 && consumers(input) == 1
            && stages[from].parallelism == 1
        {
            let from_here = if own { stages[from].nodes[0] } else { input };
            let timed = is_timed_by(plan, id, from_here);
            let mut nodes = if own { stages[from].nodes.split_off(1) } else { Vec::new() };
            nodes.iter().for_each(|&n| stage_of[n] = stages.len());
            nodes.push(id);
            stages.push(Stage {
                name: format!("{}-part", node.name),
                kind: "window",
                nodes,
                parallelism,
                inputs: vec![(from, 0)],
                routes: vec![Route::Blocks(Blocks::new(alignment, timed, parallelism as usize))],
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
            _ if routes.iter().any(|r| matches!(r, Route::Key(_) | Route::Deal)) => parallelism,
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
    let Op::WindowAggregate {
        window: WindowSpec::Aligned(alignment),
        aggregates,
        emission: None,
        ..
    } = &node.op
    else {
        return None;
    };
    let input = &plan.nodes[node.inputs[0]].schema;
    // Where windows overlap, every subtask would have to put most of them together from its slices.
    let apart = alignment.overlap() == 1;
    (apart && AggregateSet::new(aggregates, input).splits()).then_some(*alignment)
}

/// Whether the windows of node `id` are over the event time that the source `from` declares, which comes
/// before it in a chain.
fn is_timed_by(plan: &Plan, id: NodeId, from: NodeId) -> bool {
    let Op::WindowAggregate { time, .. } = &plan.nodes[id].op else { return false };
    let (mut column, mut at) = (*time, plan.nodes[id].inputs[0]);
    while at != from {
        let node = &plan.nodes[at];
        let input = node.inputs[0];
        column = match &node.op {
            Op::Filter { .. } => column,
            Op::Project { exprs } => match exprs[column].kind {
                ExprKind::Column(column) => column,
                _ => return false,
            },
            // The window's bounds stand behind the columns of the row.
            _ if column < plan.nodes[input].schema.fields.len() => column,
            _ => return false,
        };
        at = input;
    }
    let Op::Source(source) = &plan.nodes[from].op else { return false };
    source.watermark.as_ref().is_some_and(|watermark| watermark.column == column)
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
