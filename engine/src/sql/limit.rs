//! ORDER BY with LIMIT: the first rows of a query, a result that changes as better ones come. In batch mode also without.

use sqlparser::ast::{
    Expr as Ast, Fetch, LimitClause, OrderByExpr, OrderByKind, Query, SelectItem, SetExpr, Spanned,
};

use super::diagnose::{Locate, span, unsupported};
use super::expr;
use super::planner::Planner;
use super::rank::{Below, Sort, direction, whole};
use super::scope::{Column, Relation};
use crate::error::{Diagnostic, Result, Span};
use crate::expr::Expr;
use crate::materialize::MaterializeSpec;
use crate::plan::{NodeId, Op, RankSpec};
use crate::rank::{Emit, SortColumn};
use crate::schema::Schema;

/// How many rows are left out, and how many follow.
pub(super) struct Limit {
    offset: u64,
    rows: u64,
}

impl Limit {
    /// The rows that it lets through, of rows ordered so.
    fn ranks(&self, order: Vec<SortColumn>, columns: Vec<usize>) -> RankSpec {
        RankSpec {
            keys: Vec::new(),
            order,
            first: self.offset.saturating_add(1),
            last: self.offset.saturating_add(self.rows),
            columns,
            numbered: false,
            emit: Emit::Changes,
        }
    }
}

/// A query that is ordered.
struct Ordered {
    /// Its rows; what they are ordered by alone stands behind its own columns.
    input: NodeId,
    order: Vec<SortColumn>,
    /// Its own columns.
    columns: Vec<Column>,
    at: Option<Span>,
}

/// What LIMIT, OFFSET and FETCH say; `None` without.
pub(super) fn limit_of(query: &Query) -> Result<Option<Limit>> {
    let (limit, offset) = match &query.limit_clause {
        None => (None, None),
        Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
            (limit.as_ref(), offset.as_ref())
        }
        Some(_) => {
            return Err(unsupported(
                "this form of LIMIT is not supported",
                "write LIMIT 10, or LIMIT 10 OFFSET 5",
            )
            .located(query));
        }
    };
    let number = |ast: &Ast| {
        whole(ast).ok_or_else(|| {
            Diagnostic::new("sql.argument", "LIMIT, OFFSET and FETCH take whole numbers")
                .located(ast)
        })
    };
    let rows = match (limit, &query.fetch) {
        (Some(limit), None) => number(limit)?,
        (None, Some(Fetch { with_ties: false, percent: false, quantity })) => {
            quantity.as_ref().map_or(Ok(1), number)?
        }
        (None, None) if offset.is_none() => return Ok(None),
        (None, None) => {
            return Err(
                unsupported("OFFSET without LIMIT is not supported", "add LIMIT 10").located(query)
            );
        }
        _ => {
            return Err(unsupported(
                "this form of FETCH is not supported",
                "write FETCH FIRST 10 ROWS ONLY, or LIMIT 10",
            )
            .located(query));
        }
    };
    if rows == 0 {
        return Err(Diagnostic::new("sql.rank", "LIMIT 0 lets no row through")
            .hint("ask for one row at least")
            .located(query));
    }
    let offset = offset.map_or(Ok(0), |offset| number(&offset.value))?;
    Ok(Some(Limit { offset, rows }))
}

/// The expressions of ORDER BY.
fn order_of(query: &Query) -> Result<&[OrderByExpr]> {
    match &query.order_by {
        None => Ok(&[]),
        Some(order) => match &order.kind {
            OrderByKind::Expressions(items) if order.interpolate.is_none() => Ok(items),
            _ => {
                Err(unsupported("ORDER BY ALL is not supported", "name the columns").located(order))
            }
        },
    }
}

impl Planner<'_> {
    /// The first rows of a query.
    pub(super) fn limited(&mut self, query: &Query, limit: &Limit) -> Result<Relation> {
        let Ordered { input, order, columns, at } = self.ordered(query)?;
        let handed_on = (0..columns.len()).collect();
        let schema = Schema::new(columns.iter().map(|c| c.field.clone()).collect());
        let op = Op::Rank(limit.ranks(order, handed_on));
        let node = self.builder.add("limit", op, vec![input], schema, at);
        let updating = self.builder.nodes[node].updating;
        Ok(Relation { node, columns, updating, pending: None })
    }

    /// The rows of a query, or the first of them, that are left when all input has ended, in the order it asks for.
    pub(super) fn in_order(&mut self, query: &Query, limit: Option<&Limit>) -> Result<Relation> {
        let Ordered { mut input, order, columns, at } = self.ordered(query)?;
        if let Some(limit) = limit {
            // What they are sorted by goes with them.
            let schema = self.builder.nodes[input].schema.clone();
            let all = (0..schema.fields.len()).collect();
            let op = Op::Rank(limit.ranks(order.clone(), all));
            input = self.builder.add("limit", op, vec![input], schema, at);
        }
        let spec = MaterializeSpec { order, columns: (0..columns.len()).collect() };
        let rows = Relation { node: input, columns, updating: true, pending: None };
        Ok(self.materialized(rows, spec, at))
    }

    /// A query's rows and what they are ordered by. ORDER BY may name what the query selects, and what it could have.
    fn ordered(&mut self, query: &Query) -> Result<Ordered> {
        let items = order_of(query)?;
        let warnings = self.warnings.len();
        let mut rows = self.body(&query.body, query)?;
        let count = rows.columns.len();
        let mut hidden = Vec::new();
        let mut order = Vec::new();
        let mut unknown = None;
        for item in items {
            let (descending, nulls_first) = direction(item)?;
            let expr = match self.output(&item.expr, &rows) {
                Ok(expr) => Ok(expr),
                Err(error) if whole(&item.expr).is_some() => return Err(error),
                Err(error) => {
                    unknown = unknown.or(Some(error));
                    hidden.push(SelectItem::UnnamedExpr(item.expr.clone()));
                    Err(count + hidden.len() - 1)
                }
            };
            order.push((expr, descending, nulls_first));
        }
        if let Some(error) = unknown {
            let SetExpr::Select(select) = &*query.body else { return Err(error) };
            if select.distinct.is_some() {
                return Err(error);
            }
            // Planned once more, it would warn twice.
            self.warnings.truncate(warnings);
            let mut wider = (**select).clone();
            wider.projection.append(&mut hidden);
            rows = self.select(&wider).map_err(|_| error)?;
        }
        let column = |at: usize| Expr::column(at, &rows.columns[at].field);
        let order: Vec<Sort> = order
            .into_iter()
            .map(|(expr, descending, nulls_first)| {
                let expr = expr.unwrap_or_else(column);
                Sort { expr, descending, nulls_first }
            })
            .collect();
        let at = query.order_by.as_ref().map_or_else(|| query.span(), Spanned::span);
        let columns = rows.columns[..count].to_vec();
        let mut below = Below::new((0..count).map(column).collect(), columns.clone());
        let order = below.order(order, &rows);
        let input = below.relation(self, &rows, span(at));
        Ok(Ordered { input: input.node, order, columns, at: span(at) })
    }

    /// An expression of ORDER BY over what a query gives: by name, or by position from 1.
    fn output(&self, ast: &Ast, rows: &Relation) -> Result<Expr> {
        if let Some(position) = whole(ast) {
            let index = usize::try_from(position).unwrap_or(usize::MAX).wrapping_sub(1);
            let column = rows.columns.get(index).ok_or_else(|| {
                let text = format!("the query has no column {position}");
                Diagnostic::new("sql.columns", text)
                    .hint(format!("it has {}", rows.columns.len()))
                    .located(ast)
            })?;
            return Ok(Expr::column(index, &column.field));
        }
        expr::bind(ast, &mut self.row(rows, "ORDER BY"))
    }
}
