//! Changes that are held back in front of a sink: the settings that ask for it, and where it is done.

use super::emission::millis;
use super::planner::Planner;
use super::profiles::value;
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::ExprKind;
use crate::plan::{JoinKind, Node, NodeId, Op, RankSpec, SuppressSpec, WindowBound};

/// For how long.
pub(super) const TIME: &str = "highwater.emit.suppress.time";
/// Of how many keys at most.
pub(super) const ROWS: &str = "highwater.emit.suppress.rows";

impl Planner<'_> {
    /// What a sink reads of rows: them, or, as the settings so far say, their changes held back. That is done
    /// where the rows have a key, below what is filtered and computed.
    pub(super) fn held_back(&mut self, rows: NodeId, at: Option<Span>) -> Result<NodeId> {
        let time = millis(&self.settings, TIME);
        let most = value(&self.settings, ROWS).and_then(|rows| rows.parse().ok());
        let nodes = &self.builder.nodes;
        if time == Some(0) || (time, most) == (None, None) || !nodes[rows].updating {
            return Ok(rows);
        }
        let placed = |error: Error| if let Some(at) = at { error.at(at) } else { error };
        let (mut above, mut below) = (Vec::new(), rows);
        while let Op::Filter { .. } | Op::Project { .. } = nodes[below].op {
            above.push(below);
            below = nodes[below].inputs[0];
        }
        let Some(keys) = key_of(nodes, below) else {
            return Err(placed(keyless(&nodes[below].name)));
        };
        if time.is_some() && !is_timed(nodes, below) {
            let text =
                format!("'{TIME}' waits for the watermark, and no table that is read has one");
            let hint = format!(
                "declare WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, or set '{ROWS}' alone"
            );
            return Err(placed(Diagnostic::new("sql.setting", text).hint(hint)));
        }
        let spec = SuppressSpec { keys, time, rows: most };
        let schema = nodes[below].schema.clone();
        let mut made = self.builder.add("suppress", Op::Suppress(spec), vec![below], schema, at);
        for node in above.into_iter().rev() {
            let Node { name, op, schema, span, .. } = self.builder.nodes[node].clone();
            made = self.builder.add(&name, op, vec![made], schema, span);
        }
        Ok(made)
    }
}

fn keyless(name: &str) -> Error {
    let text = format!("changes are held back by key, and the rows of `{name}` have none");
    Diagnostic::new("sql.setting", text).hint(format!(
        "rows have one where they are grouped, numbered within a partition, or joined with each other; \
         SET '{TIME}' = '0 s' before this statement holds nothing back"
    ))
}

/// The columns that tell a node's rows apart at any time; `None` where nothing says so.
fn key_of(nodes: &[Node], node: NodeId) -> Option<Vec<usize>> {
    let Node { op, inputs, .. } = &nodes[node];
    match op {
        Op::GroupAggregate { keys, .. } => Some((0..keys.len()).collect()),
        Op::WindowAggregate { keys, bounds, .. } => {
            let place = |wanted| Some(keys.len() + bounds.iter().position(|b| *b == wanted)?);
            let window = [place(WindowBound::Start)?, place(WindowBound::End)?];
            Some((0..keys.len()).chain(window).collect())
        }
        Op::Rank(spec) => key_of_ranks(spec, || key_of(nodes, inputs[0])),
        Op::Filter { .. } => key_of(nodes, inputs[0]),
        Op::Project { exprs } => {
            let is = |key: usize| {
                let same = |kind: &ExprKind| matches!(kind, ExprKind::Column(c) if *c == key);
                exprs.iter().position(|e| same(&e.kind))
            };
            key_of(nodes, inputs[0])?.into_iter().map(is).collect()
        }
        Op::RegularJoin { kind, .. } => {
            let left = key_of(nodes, inputs[0])?;
            if kind.one_sided() {
                return Some(left);
            }
            let right = key_of(nodes, inputs[1])?;
            let some = |side: usize, keys: &[usize]| {
                keys.iter().any(|&key| !nodes[inputs[side]].schema.fields[key].nullable)
            };
            // Where both keys may be NULL, a row without a partner on the left looks like one on the right.
            if *kind == JoinKind::Full && !some(0, &left) && !some(1, &right) {
                return None;
            }
            let width = nodes[inputs[0]].schema.fields.len();
            Some(left.into_iter().chain(right.into_iter().map(|key| width + key)).collect())
        }
        _ => None,
    }
}

/// A rank has one row, where the partition or the row says which rank that is.
fn key_of_ranks(spec: &RankSpec, input: impl FnOnce() -> Option<Vec<usize>>) -> Option<Vec<usize>> {
    let handed_on = |key: usize| spec.columns.iter().position(|&c| c == key);
    let partition = || spec.keys.iter().map(|&key| handed_on(key)).collect::<Option<Vec<_>>>();
    match (spec.first == spec.last, spec.numbered) {
        (true, _) => partition(),
        (false, true) => Some([partition()?, vec![spec.columns.len()]].concat()),
        (false, false) => input()?.into_iter().map(handed_on).collect(),
    }
}

/// Whether a table behind a node has a watermark.
fn is_timed(nodes: &[Node], node: NodeId) -> bool {
    let mut seen = vec![false; nodes.len()];
    let mut todo = vec![node];
    while let Some(node) = todo.pop() {
        if std::mem::replace(&mut seen[node], true) {
            continue;
        }
        match &nodes[node].op {
            Op::Source(source) if source.watermark.is_some() => return true,
            _ => todo.extend(&nodes[node].inputs),
        }
    }
    false
}
