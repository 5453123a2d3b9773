//! Queries: FROM, WHERE, GROUP BY, HAVING, SELECT, in the order in which they work.

use std::collections::BTreeSet;

use sqlparser::ast::{
    Distinct, Expr as Ast, Ident, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
    Spanned, WildcardAdditionalOptions,
};

use super::aggregate::place_of;
use super::builder::renumber;
use super::clauses::{refuse_query_clauses, refuse_select_clauses};
use super::conditions::conjuncts;
use super::diagnose::{Locate, span, unknown, unsupported};
use super::exists::take_partners;
use super::expr::{self, Names};
use super::frame::Windows;
use super::from::{ident_of, rename};
use super::grouped::{any_aggregate, any_pane, placed};
use super::limit::limit_of;
use super::over::{Overs, WithOvers};
use super::planner::Planner;
use super::rank::{Below, Over, over, row_number};
use super::scalar::subqueries;
use super::scope::{Column, Pending, Relation, Role};
use super::sets::elements_of;
use super::walk;
use crate::error::{Diagnostic, Result};
use crate::expr::{Expr, ExprKind};
use crate::plan::WindowSpec;
use crate::schema::{DataType, Field};
use crate::value::Value;

/// The deepest nesting of queries.
const DEPTH_LIMIT: usize = 24;

/// An output column before the projection is built.
struct Item {
    expr: Expr,
    name: String,
    role: Role,
    rowtime: bool,
}

impl Planner<'_> {
    /// Plans a query.
    pub(super) fn query(&mut self, query: &Query) -> Result<Relation> {
        if self.depth >= DEPTH_LIMIT {
            return Err(Diagnostic::new("sql.too-deep", "queries are nested too deeply")
                .hint("split it with CREATE VIEW")
                .located(query));
        }
        let sorts = std::mem::take(&mut self.sorts);
        refuse_query_clauses(query, sorts)?;
        let outer = self.scoped.len();
        self.depth += 1;
        let planned = self.query_body(query, sorts);
        self.depth -= 1;
        self.scoped.truncate(outer);
        planned
    }

    fn query_body(&mut self, query: &Query, sorts: bool) -> Result<Relation> {
        if let Some(with) = &query.with {
            if with.recursive {
                return Err(unsupported(
                    "WITH RECURSIVE is not supported",
                    "a stream has no fixpoint",
                )
                .located(with));
            }
            for cte in &with.cte_tables {
                let relation = self.query(&cte.query)?;
                let relation = rename(relation, &cte.alias)?;
                self.scoped.push((cte.alias.name.value.clone(), relation));
            }
        }
        match limit_of(query)? {
            limit if sorts => self.in_order(query, limit.as_ref()),
            Some(limit) => self.limited(query, &limit),
            None => self.body(&query.body, query),
        }
    }

    /// Plans a SELECT.
    pub(super) fn select(&mut self, select: &Select) -> Result<Relation> {
        refuse_select_clauses(select)?;
        let rows = match &select.qualify {
            Some(condition) => self.qualified(select, condition)?,
            None => self.selected(select)?,
        };
        match select.distinct {
            Some(Distinct::Distinct) => self.distinct(rows, span(select.select_token.0.span)),
            _ => Ok(rows),
        }
    }

    /// The same without DISTINCT and QUALIFY.
    pub(super) fn selected(&mut self, select: &Select) -> Result<Relation> {
        let mut conditions = Vec::new();
        if let Some(condition) = &select.selection {
            conjuncts(condition, &mut conditions);
        }
        let partners = take_partners(&mut conditions);
        let is_valued = |ast: &&Ast| !subqueries([*ast]).is_empty();
        let valued: Vec<&Ast> = conditions.extract_if(.., |ast| is_valued(&*ast)).collect();
        let joins = select.from.len() > 1 || select.from.iter().any(|f| !f.joins.is_empty());
        let mut input = if joins {
            let joined = self.joined(&select.from, &mut conditions)?;
            self.keep_only(joined, &conditions, "WHERE")?
        } else {
            let input = self.from(&select.from, select)?;
            match (self.ranked(&input, &conditions)?, &select.selection) {
                (Some((ranked, rest)), _) => self.keep_only(ranked, &rest, "WHERE")?,
                (None, Some(condition)) if partners.is_empty() && valued.is_empty() => {
                    let mut row = self.row(&input, "WHERE");
                    let predicate = expr::bind_condition(condition, &mut row, "WHERE")?;
                    self.restrict(input, predicate, condition)?
                }
                (None, None) => input,
                (None, Some(_)) => {
                    let input = self.assigned(input, span(select.select_token.0.span))?;
                    self.keep_only(input, &conditions, "WHERE")?
                }
            }
        };
        for partner in partners {
            input = self.with_partner(input, &partner)?;
        }
        if !valued.is_empty() {
            input = self.with_values(input, &subqueries(valued.iter().copied()))?;
            input = self.keep_only(input, &valued, "WHERE")?;
        }
        let keys = elements_of(&select.group_by)?;
        let calculated = select.projection.iter().filter_map(item_expr).chain(&select.having);
        if keys.is_empty() && !any_aggregate(calculated) {
            if let Some(having) = &select.having {
                return Err(Diagnostic::new("sql.group", "HAVING needs GROUP BY or an aggregate")
                    .hint("use WHERE")
                    .located(having));
            }
            return self.plain(input, select);
        }
        self.grouped(input, select, keys)
    }

    /// WHERE: a pending window stays pending as long as the condition does not look at it.
    fn restrict(&mut self, input: Relation, predicate: Expr, at: &Ast) -> Result<Relation> {
        let mut used = BTreeSet::new();
        super::builder::columns_of(&predicate, &mut used);
        let place = span(at.span());
        let existing = input.existing();
        // Which rows there are makes sessions what they are; whole keys may go before.
        let session = |pending: &Pending| {
            let inner = |column: &usize| !pending.keys.contains(column);
            matches!(pending.spec, WindowSpec::Session { .. }) && used.iter().any(inner)
        };
        let made = input.pending.as_ref().is_some_and(session);
        let input = match made || used.iter().any(|column| *column >= existing) {
            true => self.assign(input, place)?,
            false => input,
        };
        Ok(self.builder.filter(input, predicate, place))
    }

    fn plain(&mut self, input: Relation, select: &Select) -> Result<Relation> {
        let at = span(select.select_token.0.span);
        let input = if input.pending.is_some() { self.assign(input, at)? } else { input };
        let selected = select.projection.iter().filter_map(item_expr);
        let input = self.with_values(input, &subqueries(selected))?;
        let mut items = Vec::new();
        let mut number = None;
        let windows = Windows::new(&select.named_window)?;
        let mut overs = Overs::default();
        for (i, item) in select.projection.iter().enumerate() {
            let mut row = self.row(&input, "SELECT without GROUP BY");
            if let Some(call) = row_number(item)?.filter(|_| numbers_alone(select)) {
                numbers_once(&number, item)?;
                number = Some((items.len(), over(call, windows, &mut row)?));
                items.push(number_item(item, i));
                continue;
            }
            let mut names = WithOvers { names: &mut row, windows, overs: &mut overs };
            match wildcard(item)? {
                Some(qualifier) => expand(&input, qualifier, &mut items)?,
                None => items.push(bind_item(item, i, &mut names, &input)?),
            }
        }
        let input = self.with_overs(input, overs, items.iter_mut().map(|item| &mut item.expr))?;
        Ok(self.projection(&input, items, number, select))
    }

    fn grouped(&mut self, input: Relation, select: &Select, keys: &[Ast]) -> Result<Relation> {
        let at = place_of(keys).or_else(|| span(select.select_token.0.span));
        let asked = select.projection.iter().filter_map(item_expr).chain(&select.having);
        let mut named = select.named_window.iter();
        let panes =
            any_pane(asked) || named.any(|w| w.to_string().to_ascii_uppercase().contains("PANE_"));
        let mut grouped = self.group(&input, keys, panes, at)?;
        let calculated = select.projection.iter().filter_map(item_expr).chain(&select.having);
        let values = self.values(&subqueries(calculated), &input)?;
        let fields = values.iter().flat_map(|value| &value.columns);
        grouped.values = fields.map(|c| (c.field.name.clone(), nullable(&c.field))).collect();
        let mut items = Vec::new();
        for (i, item) in select.projection.iter().enumerate() {
            if wildcard(item)?.is_some() {
                return Err(Diagnostic::new(
                    "sql.group",
                    "`*` does not go with GROUP BY or aggregates",
                )
                .hint("name the group keys and aggregates")
                .located(item));
            }
            items.push((i, item));
        }
        let mut bound = Vec::new();
        let mut number = None;
        let windows = Windows::new(&select.named_window)?;
        let mut overs = Overs::default();
        for (i, item) in items {
            let Some(ast) = item_expr(item) else { continue };
            if let Some(call) = row_number(item)?.filter(|_| numbers_alone(select)) {
                numbers_once(&number, item)?;
                number = Some((bound.len(), over(call, windows, &mut grouped)?));
                bound.push((number_item(item, i).expr, item_name(item, i)));
                continue;
            }
            let mut names = WithOvers { names: &mut grouped, windows, overs: &mut overs };
            let expr = expr::bind(ast, &mut names)?;
            bound.push((expr, item_name(item, i)));
        }
        let having = match &select.having {
            Some(condition) => Some((
                expr::bind_condition(condition, &mut grouped, "HAVING")?,
                span(condition.span()),
            )),
            None => None,
        };
        let parts = grouped.into_parts();
        let mut output = self.aggregate(input, parts)?;
        let count = output.columns.len();
        output = self.beside(output, values)?;
        let place = |column: usize| placed(column, count);
        bound.iter_mut().for_each(|(expr, _)| renumber(expr, &place));
        number.iter_mut().for_each(|(_, over)| over.renumber(&place));
        overs.renumber(&place);
        if let Some((mut predicate, at)) = having {
            renumber(&mut predicate, &place);
            output = self.builder.filter(output, predicate, at);
        }
        let output = self.with_overs(output, overs, bound.iter_mut().map(|(expr, _)| expr))?;
        let item = |(expr, name): (Expr, String)| {
            let column = match expr.kind {
                ExprKind::Column(index) => output.columns.get(index),
                _ => None,
            };
            Item {
                role: column.map_or(Role::Plain, |c| c.role),
                rowtime: column.is_some_and(|c| c.field.rowtime),
                expr,
                name,
            }
        };
        let items = bound.into_iter().map(item).collect();
        Ok(self.projection(&output, items, number, select))
    }

    /// The columns of a SELECT, one of which may number the rows.
    fn projection(
        &mut self,
        input: &Relation,
        items: Vec<Item>,
        number: Option<(usize, Over)>,
        select: &Select,
    ) -> Relation {
        let mut names = BTreeSet::new();
        let mut exprs = Vec::new();
        let mut columns = Vec::new();
        for item in items {
            let mut name = item.name.clone();
            let mut count = 0_u32;
            while !names.insert(name.clone()) {
                name = format!("{}{count}", item.name);
                count += 1;
            }
            let field = Field {
                name,
                data_type: item.expr.data_type,
                nullable: item.expr.nullable,
                rowtime: item.rowtime,
            };
            columns.push(Column { qualifier: None, field, role: item.role });
            exprs.push(item.expr);
        }
        if let Some((position, over)) = number {
            exprs.remove(position);
            let number = columns.remove(position);
            let below = Below::new(exprs, columns);
            return self.numbered(input, below, (position, number), over, select);
        }
        self.builder.project(input, exprs, columns, span(select.select_token.0.span))
    }
}

/// What is NULL until its query has a row.
fn nullable(field: &Field) -> Field {
    Field { nullable: true, ..field.clone() }
}

/// Stands where the number of a row will.
fn number_item(item: &SelectItem, position: usize) -> Item {
    let expr = Expr::literal(Value::BigInt(0), DataType::BigInt);
    Item { expr, name: item_name(item, position), role: Role::Plain, rowtime: false }
}

/// Whether the rows are numbered and no other call has OVER: then a condition on the number may make ranks.
fn numbers_alone(select: &Select) -> bool {
    let has_over = |ast: &Ast| matches!(ast, Ast::Function(call) if call.over.is_some());
    select.projection.iter().all(|item| {
        matches!(row_number(item), Ok(Some(_)))
            || item_expr(item).is_none_or(|ast| !walk::any(ast, &mut |inner| has_over(inner)))
    })
}

fn numbers_once(known: &Option<(usize, Over)>, item: &SelectItem) -> Result<()> {
    match known {
        None => Ok(()),
        Some(_) => Err(unsupported(
            "two numberings of rows in one query are not supported",
            "number them in a query of their own each",
        )
        .located(item)),
    }
}

pub(super) fn item_expr(item: &SelectItem) -> Option<&Ast> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

fn item_name(item: &SelectItem, position: usize) -> String {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
        SelectItem::UnnamedExpr(Ast::Identifier(name)) => name.value.clone(),
        SelectItem::UnnamedExpr(Ast::CompoundIdentifier(parts)) => {
            parts.last().map_or_else(String::new, |p| p.value.clone())
        }
        _ => format!("EXPR${position}"),
    }
}

/// The qualifier of a wildcard; `Some(None)` for a bare `*`.
fn wildcard(item: &SelectItem) -> Result<Option<Option<Ident>>> {
    let plain = |options: &WildcardAdditionalOptions| {
        options.opt_ilike.is_none()
            && options.opt_exclude.is_none()
            && options.opt_except.is_none()
            && options.opt_replace.is_none()
            && options.opt_rename.is_none()
    };
    match item {
        SelectItem::Wildcard(options) if plain(options) => Ok(Some(None)),
        SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(name),
            options,
        ) if plain(options) => ident_of(name).map(|ident| Some(Some(ident))),
        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => Ok(None),
        _ => {
            Err(unsupported("this form of `*` is not supported", "name the columns").located(item))
        }
    }
}

fn expand(input: &Relation, qualifier: Option<Ident>, items: &mut Vec<Item>) -> Result<()> {
    let before = items.len();
    for (i, column) in input.columns.iter().enumerate() {
        if qualifier.as_ref().is_some_and(|q| column.qualifier.as_deref() != Some(q.value.as_str()))
        {
            continue;
        }
        if column.role == Role::Value {
            continue;
        }
        items.push(Item {
            expr: Expr::column(i, &column.field),
            name: column.field.name.clone(),
            role: column.role,
            rowtime: column.field.rowtime,
        });
    }
    match qualifier {
        Some(q) if items.len() == before => {
            let known = input.columns.iter().filter_map(|c| c.qualifier.as_deref());
            Err(unknown("sql.unknown-table", "table", &q.value, known, "").located_at(q.span))
        }
        _ => Ok(()),
    }
}

fn bind_item(
    item: &SelectItem,
    position: usize,
    names: &mut dyn Names,
    input: &Relation,
) -> Result<Item> {
    let Some(ast) = item_expr(item) else {
        return Err(unsupported("this form of column is not supported", "write an expression")
            .located(item));
    };
    let expr = expr::bind(ast, names)?;
    let column = match expr.kind {
        ExprKind::Column(index) => input.columns.get(index),
        _ => None,
    };
    Ok(Item {
        role: column.map_or(Role::Plain, |c| c.role),
        rowtime: column.is_some_and(|c| c.field.rowtime),
        name: item_name(item, position),
        expr,
    })
}
