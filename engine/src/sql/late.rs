//! `LATE(TABLE view)`: the rows that the windows of a query leave out as late.

use std::collections::BTreeSet;

use sqlparser::ast::Spanned;

use super::aggregate::few_at_once;
use super::arguments::{Argument, Matched};
use super::diagnose::{Locate, span};
use super::planner::Planner;
use super::scope::Relation;
use crate::error::{Diagnostic, Result, Span};
use crate::expr::{Expr, ExprKind};
use crate::plan::{Emission, NodeId, Op, WindowSpec};
use crate::schema::{Field, Schema};

/// What an aggregation over windows reads: enough to find the rows it leaves out.
#[derive(Clone)]
pub(super) struct Windows {
    /// The rows it aggregates.
    pub input: Relation,
    pub keys: Vec<Expr>,
    pub spec: WindowSpec,
    /// The event-time column of the rows.
    pub time: usize,
    pub emission: Emission,
}

impl Planner<'_> {
    /// `LATE(TABLE view)`
    pub(super) fn late(&mut self, arguments: Vec<Argument>, at: Option<Span>) -> Result<Relation> {
        let matched = Matched::new("LATE", &["DATA"], arguments, at)?;
        let data = matched.need("DATA", "LATE(TABLE counts)")?;
        let query = self.table_value(data)?.relation;
        let windows = self.windows_of(query.node);
        windows.iter().try_for_each(|windows| few_at_once(&windows.input, at))?;
        let Some(windows) = windows else {
            let text = "LATE needs a query that aggregates over built-in windows";
            return Err(Diagnostic::new("sql.argument", text)
                .hint("name a view with GROUP BY window_start, window_end over TABLE(TUMBLE(…)) and its like, without grouping sets; over SESSION by what that is partitioned by")
                .located(data));
        };
        Ok(self.late_rows(windows, at.or_else(|| span(data.span()))))
    }

    /// The windows that a query's rows are of, seen through what is computed of them a row at a time.
    fn windows_of(&self, mut node: NodeId) -> Option<Windows> {
        loop {
            if let Some((_, windows)) = self.builder.windowed.iter().find(|(n, _)| *n == node) {
                return Some(windows.clone());
            }
            let below = self.builder.nodes.get(node)?;
            match below.op {
                Op::Filter { .. } | Op::Project { .. } => node = *below.inputs.first()?,
                _ => return None,
            }
        }
    }

    fn late_rows(&mut self, windows: Windows, at: Option<Span>) -> Relation {
        let Windows { input, keys, spec, time, emission } = windows;
        let count = input.existing();
        let mut fields: Vec<Field> =
            input.columns[..count].iter().map(|c| c.field.clone()).collect();
        let mut exprs: Vec<Expr> =
            fields.iter().enumerate().map(|(i, field)| Expr::column(i, field)).collect();
        let mut positions = Vec::new();
        let mut names: BTreeSet<String> = fields.iter().map(|f| f.name.clone()).collect();
        for key in keys {
            if let ExprKind::Column(index) = key.kind {
                positions.push(index);
                continue;
            }
            let mut name = "key".to_owned();
            while !names.insert(name.clone()) {
                name.push('0');
            }
            positions.push(exprs.len());
            fields.push(Field { nullable: key.nullable, ..Field::new(name, key.data_type) });
            exprs.push(key);
        }
        let schema = Schema::new(fields.clone());
        let node = match exprs.len() > count {
            true => {
                let op = Op::Project { exprs: exprs.clone() };
                self.builder.add("project", op, vec![input.node], schema.clone(), at)
            }
            false => input.node,
        };
        let op = Op::LateRows { window: spec, time, keys: positions, emission };
        let node = self.builder.add("late", op, vec![node], schema, at);
        // Behind the watermark, their time leads no window on.
        fields.truncate(count);
        fields.iter_mut().for_each(|field| field.rowtime = false);
        exprs.truncate(count);
        let schema = Schema::new(fields);
        let node = self.builder.add("project", Op::Project { exprs }, vec![node], schema, at);
        self.builder.relation(node)
    }
}
