//! What must be computed before an aggregation: its keys, time, arguments and filters.

use std::collections::BTreeSet;

use super::planner::Planner;
use super::scope::Relation;
use crate::error::Span;
use crate::expr::{Expr, ExprKind};
use crate::plan::Op;
use crate::schema::{Field, Schema};

/// Expressions an aggregation reads, each once.
#[derive(Default)]
pub(super) struct Inputs {
    exprs: Vec<(Expr, String)>,
    /// How many of them, the first, are nobody else's.
    apart: usize,
}

impl Inputs {
    /// Its place among them; `name` is for what is no plain column.
    pub(super) fn add(&mut self, expr: Expr, name: &str) -> usize {
        if let ExprKind::Column(index) = expr.kind {
            let same =
                |(e, _): &(Expr, String)| matches!(e.kind, ExprKind::Column(i) if i == index);
            if let Some(known) = self.exprs[self.apart..].iter().position(same) {
                return self.apart + known;
            }
        }
        self.exprs.push((expr, name.to_owned()));
        self.exprs.len() - 1
    }

    /// Makes columns of their own of those so far: what is added from here on shares none of them.
    pub(super) fn keep_apart(&mut self) {
        self.apart = self.exprs.len();
    }
}

impl Planner<'_> {
    /// A node that has the inputs as columns, and where each of them is.
    pub(super) fn inputs(
        &mut self,
        input: &Relation,
        inputs: Inputs,
        at: Option<Span>,
    ) -> (usize, Vec<usize>) {
        let plain: Option<Vec<usize>> = inputs
            .exprs
            .iter()
            .map(|(expr, _)| match expr.kind {
                ExprKind::Column(index) if inputs.apart == 0 => Some(index),
                _ => None,
            })
            .collect();
        if let Some(positions) = plain {
            return (input.node, positions);
        }
        let mut names = BTreeSet::new();
        let mut fields = Vec::new();
        for (expr, name) in &inputs.exprs {
            let original = match expr.kind {
                ExprKind::Column(index) => Some(&input.columns[index].field),
                _ => None,
            };
            let base = original.map_or(name.as_str(), |f| f.name.as_str());
            let mut unique = base.to_owned();
            let mut count = 0_u32;
            while !names.insert(unique.clone()) {
                unique = format!("{base}{count}");
                count += 1;
            }
            fields.push(Field {
                name: unique,
                data_type: expr.data_type,
                nullable: expr.nullable,
                rowtime: original.is_some_and(|f| f.rowtime),
            });
        }
        let positions = (0..inputs.exprs.len()).collect();
        let exprs = inputs.exprs.into_iter().map(|(expr, _)| expr).collect();
        let op = Op::Project { exprs };
        (self.builder.add("project", op, vec![input.node], Schema::new(fields), at), positions)
    }
}
