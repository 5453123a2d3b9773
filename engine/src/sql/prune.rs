//! What an operator need not hand on, because nothing behind it reads it.

use std::collections::BTreeSet;

use super::builder::{columns_of, renumber};
use super::narrow::{is_join, narrow};
use crate::expr::{Expr, ExprKind};
use crate::plan::{Node, NodeId, Op, WindowSpec};
use crate::schema::Schema;

/// Joins, windows, ranks and OVER make their rows column by column, and so do projections of joined rows: those
/// columns that nothing behind reads are left out, and joins get no others either. The last come first: what one
/// of them does not read those before it need not make.
pub(super) fn prune(nodes: &mut Vec<Node>) {
    for node in (0..nodes.len()).rev() {
        let chooses = match nodes[node].op {
            Op::IntervalJoin { .. } | Op::WindowAggregate { .. } | Op::Rank(_) | Op::Over(_) => {
                true
            }
            // Elsewhere it costs nothing, and whoever is told of a late row sees all of it.
            Op::Project { .. } => is_joined(nodes, node),
            _ => false,
        };
        if chooses && let Some((behind, used)) = readers(nodes, node) {
            let retracted = nodes[nodes[node].inputs[0]].updating;
            let kept = hand_on(&mut nodes[node], used, retracted);
            move_columns(nodes, node, &behind, &kept);
        }
        narrow(nodes, node);
    }
    for node in 0..nodes.len() {
        let upserts = matches!(nodes[node].op, Op::GroupAggregate { .. }) && upserts(nodes, node);
        if let Op::GroupAggregate { retracts, .. } = &mut nodes[node].op {
            *retracts = !upserts;
        }
    }
}

/// Whether a node hands on, a row at a time, what a join has made.
fn is_joined(nodes: &[Node], mut node: NodeId) -> bool {
    while let Op::Project { .. } | Op::Filter { .. } = nodes[node].op {
        node = nodes[node].inputs[0];
    }
    is_join(&nodes[node].op)
}

/// Whether all that becomes of a changelog goes, by projections alone, to sinks that need no `-U`: those
/// that forget all, and those whose key is the changelog's own.
fn upserts(nodes: &[Node], group: NodeId) -> bool {
    let Op::GroupAggregate { keys, .. } = &nodes[group].op else { return false };
    // Nodes that read it, and which of its columns each of theirs is.
    let mut behind =
        vec![(group, (0..nodes[group].schema.fields.len()).map(Some).collect::<Vec<_>>())];
    while let Some((node, columns)) = behind.pop() {
        for (reader, next) in nodes.iter().enumerate().filter(|(_, n)| n.inputs.contains(&node)) {
            match &next.op {
                Op::Project { exprs } => {
                    let column = |e: &Expr| match e.kind {
                        ExprKind::Column(c) => columns[c],
                        _ => None,
                    };
                    behind.push((reader, exprs.iter().map(column).collect()));
                }
                Op::Sink(sink) if sink.connector == "blackhole" => {}
                Op::Sink(sink) if sink.connector == "push" && !sink.key.is_empty() => {
                    let own: BTreeSet<_> = sink.key.iter().map(|&c| columns[c]).collect();
                    if own != (0..keys.len()).map(Some).collect() {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }
    true
}

/// The nodes behind one up to the first that makes rows of its own, and the columns they read, at least one: a row
/// without columns could not be counted. `None` when others read it, too, or whole rows are read.
pub(super) fn readers(nodes: &mut [Node], node: NodeId) -> Option<(Vec<NodeId>, BTreeSet<usize>)> {
    let (mut behind, mut last, mut used) = (Vec::new(), node, BTreeSet::new());
    loop {
        let mut readers = (0..nodes.len()).filter(|&n| nodes[n].inputs.contains(&last));
        let (Some(reader), None) = (readers.next(), readers.next()) else { return None };
        behind.push(reader);
        last = reader;
        match &mut nodes[reader].op {
            Op::Filter { predicate } => columns_of(predicate, &mut used),
            Op::Suppress(spec) => used.extend(&spec.keys),
            Op::Project { exprs } => {
                exprs.iter().for_each(|e| columns_of(e, &mut used));
                break;
            }
            op => {
                used.extend(aggregated(op)?.into_iter().map(|column| *column));
                break;
            }
        }
    }
    if used.is_empty() {
        used.insert(0);
    }
    Some((behind, used))
}

/// The columns that an aggregation reads.
fn aggregated(op: &mut Op) -> Option<Vec<&mut usize>> {
    let (mut columns, aggregates): (Vec<&mut usize>, _) = match op {
        Op::GroupAggregate { keys, aggregates, .. } => (keys.iter_mut().collect(), aggregates),
        Op::WindowAggregate { window, time, keys, aggregates, .. } => {
            let bounds = match window {
                WindowSpec::Attached { bounds } => bounds.as_mut_slice(),
                _ => &mut [],
            };
            (keys.iter_mut().chain([time]).chain(bounds).collect(), aggregates)
        }
        _ => return None,
    };
    columns.extend(aggregates.iter_mut().flat_map(|a| a.argument.iter_mut().chain(&mut a.filter)));
    Some(columns)
}

/// Leaves out what is not used; the columns that stay. `retracted`: its input takes rows back.
fn hand_on(node: &mut Node, mut used: BTreeSet<usize>, retracted: bool) -> Vec<usize> {
    match &mut node.op {
        Op::Project { exprs } => {
            *exprs = used.iter().map(|&c| exprs[c].clone()).collect();
            used.into_iter().collect()
        }
        Op::IntervalJoin { columns, .. } => {
            let left = columns[0].len();
            for (side, columns) in columns.iter_mut().enumerate() {
                let mut place = side * left;
                columns.retain(|_| {
                    place += 1;
                    used.contains(&(place - 1))
                });
            }
            used.into_iter().collect()
        }
        Op::WindowAggregate { keys, bounds, aggregates, .. } => {
            // The keys stay: they say which subtask a row belongs to.
            let (first, calls) = (keys.len(), keys.len() + bounds.len());
            let kept = (0..calls + aggregates.len()).filter(|c| *c < first || used.contains(c));
            let kept: Vec<usize> = kept.collect();
            let among =
                |from: usize, to: usize| kept.iter().filter(move |c| (from..to).contains(c));
            *aggregates =
                among(calls, usize::MAX).map(|&c| aggregates[c - calls].clone()).collect();
            *bounds = among(first, calls).map(|&c| bounds[c - first]).collect();
            kept
        }
        Op::Rank(spec) => {
            let count = spec.columns.len();
            spec.numbered = used.contains(&count);
            // A row that is taken back is known by all its columns.
            if retracted {
                used.extend(0..count);
            }
            let kept = used.range(..count).map(|&c| spec.columns[c]);
            spec.columns = kept.collect();
            used.into_iter().collect()
        }
        Op::Over(spec) => {
            let count = spec.columns.len();
            let kept: Vec<usize> = used.into_iter().collect();
            let (columns, calls) = kept.split_at(kept.partition_point(|&c| c < count));
            spec.columns = columns.iter().map(|&c| spec.columns[c]).collect();
            let (aggregates, lags) = (std::mem::take(&mut spec.aggregates), &spec.lags);
            let lag = |&c: &usize| lags.get((c - count).checked_sub(aggregates.len())?).cloned();
            spec.lags = calls.iter().filter_map(lag).collect();
            let aggregate = |&c: &usize| aggregates.get(c - count).cloned();
            spec.aggregates = calls.iter().filter_map(aggregate).collect();
            kept
        }
        _ => unreachable!("only those are asked"),
    }
}

/// Gives the columns that stay their new positions.
pub(super) fn move_columns(nodes: &mut [Node], node: NodeId, behind: &[NodeId], kept: &[usize]) {
    let position = |old: usize| kept.iter().position(|&k| k == old).unwrap_or(old);
    let fields = kept.iter().map(|&k| nodes[node].schema.fields[k].clone()).collect();
    let schema = Schema::new(fields);
    nodes[node].schema = schema.clone();
    for &node in behind {
        match &mut nodes[node].op {
            Op::Filter { predicate } => {
                renumber(predicate, &position);
                nodes[node].schema = schema.clone();
            }
            Op::Suppress(spec) => {
                spec.keys.iter_mut().for_each(|key| *key = position(*key));
                nodes[node].schema = schema.clone();
            }
            Op::Project { exprs } => exprs.iter_mut().for_each(|e| renumber(e, &position)),
            op => {
                let columns = aggregated(op).into_iter().flatten();
                columns.for_each(|column| *column = position(*column));
            }
        }
    }
}
