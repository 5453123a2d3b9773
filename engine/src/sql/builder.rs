//! The plan under construction: nodes, their names, and what is left out in the end.

use std::collections::BTreeSet;

use super::late::Windows;
use super::scope::{Column, Relation};
use crate::error::Span;
use crate::expr::{Expr, ExprKind};
use crate::plan::{Node, NodeId, Op};
use crate::schema::{Schema, SchemaRef};
use crate::time::Alignment;

/// The nodes so far.
#[derive(Default)]
pub(super) struct Builder {
    pub nodes: Vec<Node>,
    /// The windows that queries make, by number: how they lie, where every row has one by its time alone.
    pub windows: Vec<Option<Alignment>>,
    /// The aggregations over windows so far, and what they read.
    pub windowed: Vec<(NodeId, Windows)>,
    /// The OVER nodes that are the number of a row and nothing else: a condition on it makes ranks of them.
    pub numberings: Vec<NodeId>,
}

impl Builder {
    /// Adds a node. Its name becomes unique in the end.
    pub(super) fn add(
        &mut self,
        name: &str,
        op: Op,
        inputs: Vec<NodeId>,
        schema: SchemaRef,
        span: Option<Span>,
    ) -> NodeId {
        let updated = inputs.iter().any(|i| self.nodes.get(*i).is_some_and(|n| n.updating));
        let updating = match &op {
            // Keys alone never change once they are there.
            Op::GroupAggregate { aggregates, .. } => updated || !aggregates.is_empty(),
            Op::WindowAggregate { emission: Some(e), .. } => e.retracts(),
            Op::RegularJoin { kind, .. } => updated || kind.updates(),
            Op::Rank(spec) => spec.updates(updated),
            // Each row meets what is there and is done.
            Op::TemporalJoin { .. } | Op::LookupJoin { .. } => false,
            // What comes before the end is not handed on.
            Op::Materialize(_) => false,
            _ => updated,
        };
        self.nodes.push(Node { name: name.to_owned(), op, inputs, schema, updating, span });
        self.nodes.len() - 1
    }

    /// A relation over a node.
    pub(super) fn relation(&self, node: NodeId) -> Relation {
        match self.nodes.get(node) {
            Some(n) => Relation::of(node, &n.schema, n.updating),
            None => Relation::of(node, &Schema::default(), false),
        }
    }

    /// The rows of a relation for which a condition is TRUE.
    pub(super) fn filter(
        &mut self,
        mut input: Relation,
        predicate: Expr,
        span: Option<Span>,
    ) -> Relation {
        if let ExprKind::Literal(crate::value::Value::Boolean(true)) = predicate.kind {
            return input;
        }
        let schema = match self.nodes.get(input.node) {
            Some(node) => node.schema.clone(),
            None => input.schema(),
        };
        input.node = self.add("filter", Op::Filter { predicate }, vec![input.node], schema, span);
        input
    }

    /// Computed columns over a relation; none, when they are its own columns under their own names.
    pub(super) fn project(
        &mut self,
        input: &Relation,
        exprs: Vec<Expr>,
        columns: Vec<Column>,
        span: Option<Span>,
    ) -> Relation {
        let identity = exprs.len() == input.existing()
            && exprs.iter().enumerate().all(|(i, e)| {
                matches!(e.kind, ExprKind::Column(c) if c == i)
                    && columns.get(i).map(|c| &c.field.name)
                        == input.columns.get(i).map(|c| &c.field.name)
            });
        if identity {
            return Relation { columns, pending: None, ..input.clone() };
        }
        let schema = Schema::new(columns.iter().map(|c| c.field.clone()).collect());
        let node = self.add("project", Op::Project { exprs }, vec![input.node], schema, span);
        Relation { node, columns, updating: input.updating, pending: None }
    }

    /// The nodes that sinks need, with unique names.
    pub(super) fn finish(self) -> Vec<Node> {
        let mut needed = vec![false; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate().rev() {
            needed[i] |= matches!(node.op, Op::Sink(_));
            if needed[i] {
                node.inputs.iter().for_each(|input| needed[*input] = true);
            }
        }
        let mut position = vec![0; self.nodes.len()];
        let mut nodes = Vec::new();
        for (i, mut node) in self.nodes.into_iter().enumerate().filter(|(i, _)| needed[*i]) {
            position[i] = nodes.len();
            node.inputs.iter_mut().for_each(|input| *input = position[*input]);
            nodes.push(node);
        }
        super::prune::prune(&mut nodes);
        let mut names = BTreeSet::new();
        for node in &mut nodes {
            let base = node.name.clone();
            let mut count = 1_u32;
            while !names.insert(node.name.clone()) {
                count += 1;
                node.name = format!("{base}-{count}");
            }
        }
        nodes
    }
}

/// The columns of its input that an expression reads.
pub(super) fn columns_of(expr: &Expr, into: &mut BTreeSet<usize>) {
    match &expr.kind {
        ExprKind::Column(index) => {
            into.insert(*index);
        }
        ExprKind::Literal(_) => {}
        ExprKind::Call { args, .. } | ExprKind::Guest { args, .. } => {
            args.iter().for_each(|arg| columns_of(arg, into));
        }
        ExprKind::Cast { input, .. } => columns_of(input, into),
        ExprKind::Case { branches, otherwise } => {
            for (condition, result) in branches {
                columns_of(condition, into);
                columns_of(result, into);
            }
            columns_of(otherwise, into);
        }
        ExprKind::And(a, b) | ExprKind::Or(a, b) => {
            columns_of(a, into);
            columns_of(b, into);
        }
    }
}

/// Gives the columns that an expression reads other positions.
pub(super) fn renumber(expr: &mut Expr, position: &dyn Fn(usize) -> usize) {
    match &mut expr.kind {
        ExprKind::Column(index) => *index = position(*index),
        ExprKind::Literal(_) => {}
        ExprKind::Call { args, .. } | ExprKind::Guest { args, .. } => {
            args.iter_mut().for_each(|arg| renumber(arg, position));
        }
        ExprKind::Cast { input, .. } => renumber(input, position),
        ExprKind::Case { branches, otherwise } => {
            for (condition, result) in branches {
                renumber(condition, position);
                renumber(result, position);
            }
            renumber(otherwise, position);
        }
        ExprKind::And(a, b) | ExprKind::Or(a, b) => {
            renumber(a, position);
            renumber(b, position);
        }
    }
}
