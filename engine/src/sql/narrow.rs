//! What a join need not keep, because nothing behind it reads it: a projection in front of it leaves it out.

use std::collections::BTreeSet;

use super::builder::{columns_of, renumber};
use super::prune::{move_columns, readers};
use crate::expr::Expr;
use crate::plan::{Node, NodeId, Op};
use crate::schema::Schema;

/// A join keeps the rows it gets, so it gets those columns only that it reads itself or that somebody behind it
/// reads. Of no other node anything changes.
pub(super) fn narrow(nodes: &mut Vec<Node>, join: NodeId) {
    let Some(Named { made, .. }) = named(&mut nodes[join].op) else { return };
    let inputs = [nodes[join].inputs[0], nodes[join].inputs[1]];
    let widths = inputs.map(|input| nodes[input].schema.fields.len());
    let (behind, used) = match made {
        Made::Chosen => (Vec::new(), BTreeSet::new()),
        // Where whole rows are read, all columns are.
        Made::Left | Made::Both => readers(nodes, join)
            .unwrap_or_else(|| (Vec::new(), (0..nodes[join].schema.fields.len()).collect())),
    };
    let Some(names) = named(&mut nodes[join].op) else { return };
    let kept = names.needed(widths, used);
    if (0..2).all(|side| kept[side].len() == widths[side]) {
        return;
    }
    names.renumber(widths[0], &kept);
    let right = kept[1].iter().map(|c| widths[0] + c);
    match made {
        Made::Chosen => {}
        Made::Left => move_columns(nodes, join, &behind, &kept[0]),
        Made::Both => {
            let output: Vec<usize> = kept[0].iter().copied().chain(right).collect();
            move_columns(nodes, join, &behind, &output);
        }
    }
    let mut join = join;
    for side in 0..2 {
        if kept[side].len() < widths[side] {
            join = cut(nodes, (join, side), &kept[side]);
        }
    }
}

/// Whether it is a join that gets only what is read.
pub(super) fn is_join(op: &Op) -> bool {
    matches!(
        op,
        Op::IntervalJoin { .. }
            | Op::OuterIntervalJoin { .. }
            | Op::RegularJoin { .. }
            | Op::WindowJoin { .. }
            | Op::TemporalJoin { .. }
            | Op::LookupJoin { .. }
    )
}

/// Of which columns a join's rows are.
#[derive(Clone, Copy)]
enum Made {
    /// All of both inputs.
    Both,
    /// All of the left.
    Left,
    /// Those that it names.
    Chosen,
}

/// Where a join names columns of its inputs.
struct Named<'a> {
    sides: [Vec<&'a mut usize>; 2],
    /// Over the columns of both side by side.
    condition: Option<&'a mut Expr>,
    made: Made,
}

fn named(op: &mut Op) -> Option<Named<'_>> {
    let (keys, times, chosen, condition, made) = match op {
        Op::IntervalJoin { keys, times, columns, .. } => {
            (keys, Some(times), Some(columns), None, Made::Chosen)
        }
        Op::OuterIntervalJoin { keys, times, condition, .. }
        | Op::TemporalJoin { keys, times, condition, .. } => {
            (keys, Some(times), None, condition.as_mut(), Made::Both)
        }
        Op::WindowJoin { kind, keys, ends, condition } => {
            let made = if kind.one_sided() { Made::Left } else { Made::Both };
            (keys, Some(ends), None, condition.as_mut(), made)
        }
        Op::RegularJoin { kind, keys, condition } => {
            let made = if kind.one_sided() { Made::Left } else { Made::Both };
            (keys, None, None, condition.as_mut(), made)
        }
        Op::LookupJoin { keys, condition, .. } => {
            (keys, None, None, condition.as_mut(), Made::Both)
        }
        _ => return None,
    };
    let mut sides = keys.each_mut().map(|keys| keys.iter_mut().collect::<Vec<_>>());
    for (side, time) in sides.iter_mut().zip(times.into_iter().flatten()) {
        side.push(time);
    }
    for (side, columns) in sides.iter_mut().zip(chosen.into_iter().flatten()) {
        side.extend(columns);
    }
    Some(Named { sides, condition, made })
}

impl Named<'_> {
    /// The columns of left and right that the join reads, or somebody behind it reads of its rows.
    fn needed(&self, [left, right]: [usize; 2], used: BTreeSet<usize>) -> [Vec<usize>; 2] {
        let mut all = used;
        for (first, side) in [0, left].into_iter().zip(&self.sides) {
            all.extend(side.iter().map(|column| first + **column));
        }
        if let Some(condition) = &self.condition {
            columns_of(condition, &mut all);
        }
        [(0, left), (left, right)].map(|(first, width)| {
            let some: Vec<usize> = all.range(first..first + width).map(|c| c - first).collect();
            // A row without columns could not be counted.
            if some.is_empty() { (0..width.min(1)).collect() } else { some }
        })
    }

    /// Gives the columns that stay their new positions.
    fn renumber(self, left: usize, kept: &[Vec<usize>; 2]) {
        let place = |side: usize, old: usize| kept[side].partition_point(|&c| c < old);
        for (number, side) in self.sides.into_iter().enumerate() {
            side.into_iter().for_each(|column| *column = place(number, *column));
        }
        if let Some(condition) = self.condition {
            renumber(condition, &|old| match old.checked_sub(left) {
                None => place(0, old),
                Some(right) => kept[0].len() + place(1, right),
            });
        }
    }
}

/// Leaves columns of an input out: of a projection that nobody else reads, or by one of their own. Where the join
/// stands then.
fn cut(nodes: &mut Vec<Node>, (join, side): (NodeId, usize), kept: &[usize]) -> NodeId {
    let input = nodes[join].inputs[side];
    let alone = nodes.iter().flat_map(|n| &n.inputs).filter(|&&i| i == input).count() == 1;
    let before = nodes[input].schema.clone();
    let schema = Schema::new(kept.iter().map(|&c| before.fields[c].clone()).collect());
    if let Op::Project { exprs } = &mut nodes[input].op
        && alone
    {
        *exprs = kept.iter().map(|&c| exprs[c].clone()).collect();
        nodes[input].schema = schema;
        return join;
    }
    let exprs = kept.iter().map(|&c| Expr::column(c, &before.fields[c])).collect();
    let projection = Node {
        name: "project".to_owned(),
        op: Op::Project { exprs },
        inputs: vec![input],
        schema,
        updating: nodes[input].updating,
        span: nodes[join].span,
    };
    nodes.insert(join, projection);
    for node in &mut nodes[join + 1..] {
        node.inputs.iter_mut().filter(|input| **input >= join).for_each(|input| *input += 1);
    }
    nodes[join + 1].inputs[side] = join;
    join + 1
}
