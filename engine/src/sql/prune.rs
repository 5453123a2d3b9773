//! What a join need not hand on, because nothing behind it reads it.

use std::collections::BTreeSet;

use super::builder::{columns_of, renumber};
use crate::plan::{Node, NodeId, Op};
use crate::schema::Schema;

/// Joins gather their rows column by column: those that the projection behind does not read are left out.
pub(super) fn prune(nodes: &mut [Node]) {
    for join in 0..nodes.len() {
        if matches!(nodes[join].op, Op::IntervalJoin { .. }) {
            prune_join(nodes, join);
        }
    }
}

fn prune_join(nodes: &mut [Node], join: NodeId) {
    // Filters, then a projection, and nobody else.
    let mut behind = Vec::new();
    let mut last = join;
    let mut used = BTreeSet::new();
    loop {
        let mut readers = (0..nodes.len()).filter(|&n| nodes[n].inputs.contains(&last));
        let (Some(reader), None) = (readers.next(), readers.next()) else { return };
        behind.push(reader);
        last = reader;
        match &nodes[reader].op {
            Op::Filter { predicate } => columns_of(predicate, &mut used),
            Op::Project { exprs } => {
                exprs.iter().for_each(|e| columns_of(e, &mut used));
                break;
            }
            _ => return,
        }
    }
    let kept: Vec<usize> = used.into_iter().collect();
    let position = |old: usize| kept.iter().position(|&k| k == old).unwrap_or(old);
    let fields = kept.iter().map(|&k| nodes[join].schema.fields[k].clone()).collect();
    let schema = Schema::new(fields);
    if let Op::IntervalJoin { columns, .. } = &mut nodes[join].op {
        let all: Vec<(usize, usize)> =
            (0..2).flat_map(|side| columns[side].iter().map(move |&c| (side, c))).collect();
        for (side, columns) in columns.iter_mut().enumerate() {
            let own = kept.iter().map(|&k| all[k]).filter(|(s, _)| *s == side);
            *columns = own.map(|(_, c)| c).collect();
        }
    }
    nodes[join].schema = schema.clone();
    for node in behind {
        match &mut nodes[node].op {
            Op::Filter { predicate } => {
                renumber(predicate, &position);
                nodes[node].schema = schema.clone();
            }
            Op::Project { exprs } => exprs.iter_mut().for_each(|e| renumber(e, &position)),
            _ => {}
        }
    }
}
