//! Queries as values: `(SELECT MAX(x) FROM t)` in SELECT, WHERE and HAVING.
//!
//! The value is one row that changes, joined with every row: each time it does, the rows it was part of are taken
//! back. Before it has a value it is NULL.

use sqlparser::ast::{Expr as Ast, GroupByExpr, Ident, Query, Select, SetExpr, Spanned};

use super::diagnose::{Locate, span, unsupported};
use super::grouped::any_aggregate;
use super::planner::Planner;
use super::scope::{Relation, Role};
use super::select::item_expr;
use super::walk;
use crate::error::{Diagnostic, Error, Result};
use crate::plan::JoinKind;

/// The queries that stand as values in expressions, each once.
pub(super) fn subqueries<'a>(exprs: impl IntoIterator<Item = &'a Ast>) -> Vec<&'a Ast> {
    let mut found: Vec<&Ast> = Vec::new();
    for ast in exprs {
        walk::any(ast, &mut |inner| {
            let new = |known: &Vec<&Ast>| known.iter().all(|k| k.to_string() != inner.to_string());
            if matches!(inner, Ast::Subquery(_)) && new(&found) {
                found.push(inner);
            }
            false
        });
    }
    found
}

impl Planner<'_> {
    /// Rows with the values of queries behind their columns, where expressions find them by their text.
    pub(super) fn with_values(&mut self, input: Relation, asts: &[&Ast]) -> Result<Relation> {
        let new = asts.iter().copied().filter(|ast| input.value(ast).is_none());
        let values = self.values(&new.collect::<Vec<_>>(), &input)?;
        self.beside(input, values)
    }

    /// Queries that stand as values beside the rows of `outer`.
    pub(super) fn values(&mut self, asts: &[&Ast], outer: &Relation) -> Result<Vec<Relation>> {
        let mut values = Vec::new();
        for &ast in asts {
            let Ast::Subquery(query) = ast else { continue };
            let select = one_row(query).map_err(|e| e.located(ast))?;
            let named = |e: Error| correlated(select, outer, &e).unwrap_or(e);
            let mut value = self.query(query).map_err(named)?;
            if let [column] = value.columns.as_mut_slice() {
                column.field.name = ast.to_string();
            }
            values.push(value);
        }
        Ok(values)
    }

    /// Each row with all of the values.
    pub(super) fn beside(&mut self, input: Relation, values: Vec<Relation>) -> Result<Relation> {
        let mut rows = input;
        for value in values {
            let at = self.builder.nodes[value.node].span;
            rows = self.assigned(rows, at)?;
            let mut roles: Vec<bool> = rows.columns.iter().map(|c| c.role == Role::Value).collect();
            roles.push(true);
            rows = self.regular_join([rows, value], JoinKind::Left, (Vec::new(), None), at)?;
            for (column, _) in rows.columns.iter_mut().zip(roles).filter(|(_, value)| *value) {
                column.role = Role::Value;
                column.qualifier = None;
            }
        }
        Ok(rows)
    }
}

/// The SELECT of a query that gives one row, whatever its input: an aggregate of all rows.
fn one_row(query: &Query) -> Result<&Select> {
    let several = || {
        Diagnostic::new(
            "sql.subquery",
            "a query as a value must give one row, this one may give several",
        )
        .hint(
            "aggregate without GROUP BY: (SELECT MAX(x) FROM t); or join it: \
                 FROM a JOIN (SELECT k, MAX(x) AS hi FROM t GROUP BY k) AS b ON a.k = b.k",
        )
    };
    let SetExpr::Select(select) = &*query.body else { return Err(several()) };
    let whole = matches!(&select.group_by, GroupByExpr::Expressions(keys, more)
        if keys.is_empty() && more.is_empty());
    let items = select.projection.iter().filter_map(item_expr).chain(&select.having);
    if !whole || select.qualify.is_some() || !any_aggregate(items) {
        return Err(several());
    }
    match select.projection.len() {
        1 => Ok(select),
        count => Err(Diagnostic::new(
            "sql.subquery",
            format!("a query as a value has one column, not {count}"),
        )
        .hint("for several, join it: FROM a CROSS JOIN (SELECT MAX(x) AS hi, MIN(x) AS lo FROM t) AS b")),
    }
}

/// An error about a name that the query around has: said as what it is.
fn correlated(select: &Select, outer: &Relation, error: &Error) -> Option<Error> {
    let place = error.span?.start;
    let known = |parts: &[Ident]| {
        let here = |part: &Ident| span(part.span).is_some_and(|at| at.start == place);
        parts.iter().any(here) && outer.resolve(parts).is_ok()
    };
    let mut name = None;
    let exprs = select.projection.iter().filter_map(item_expr);
    for ast in exprs.chain(&select.selection).chain(&select.having) {
        walk::any(ast, &mut |inner| {
            let found = match inner {
                Ast::Identifier(ident) => known(std::slice::from_ref(ident)),
                Ast::CompoundIdentifier(parts) => known(parts),
                _ => false,
            };
            if found {
                name = Some((inner.to_string(), inner.span()));
            }
            found
        });
    }
    let (name, at) = name?;
    let error = unsupported(
        format!("a query as a value cannot name `{name}`, which is of the query around it"),
        "join it: FROM a LEFT JOIN (SELECT k, MAX(x) AS hi FROM b GROUP BY k) AS c ON a.k = c.k",
    );
    Some(error.located_at(at))
}
