//! IN and EXISTS over subqueries: semi and anti joins.
//!
//! They stand as conditions of WHERE, alone or between ANDs. NOT IN is asked of every row of the subquery: a
//! NULL there leaves nothing, as SQL has it, unless both sides are NOT NULL and the question is one of keys.

use sqlparser::ast::{Expr as Ast, Query, Select, SetExpr, Spanned, UnaryOperator};

use super::builder::renumber;
use super::conditions::{Conditions, conjuncts};
use super::diagnose::{Locate, span};
use super::expr;
use super::join::{distinct_names, side_by_side};
use super::planner::Planner;
use super::scalar::subqueries;
use super::scope::Relation;
use super::select::item_expr;
use crate::error::{Diagnostic, Result};
use crate::expr::Expr;
use crate::plan::JoinKind;

/// A condition that asks for a partner in a subquery.
pub(super) struct Partner<'a> {
    at: &'a Ast,
    /// What is looked for, of IN.
    sought: Option<&'a Ast>,
    pub query: &'a Query,
    negated: bool,
}

/// Takes those out of a list of conditions.
pub(super) fn take_partners<'a>(conditions: &mut Vec<&'a Ast>) -> Vec<Partner<'a>> {
    let mut partners = Vec::new();
    conditions.retain(|condition| match partner(condition, false) {
        Some(partner) => {
            partners.push(partner);
            false
        }
        None => true,
    });
    partners
}

fn partner(condition: &Ast, not: bool) -> Option<Partner<'_>> {
    let (mut inner, mut not) = (condition, not);
    loop {
        inner = match inner {
            Ast::Nested(nested) => nested,
            Ast::UnaryOp { op: UnaryOperator::Not, expr } => {
                not = !not;
                expr
            }
            Ast::InSubquery { expr, subquery, negated } => {
                let negated = *negated != not;
                let sought = Some(&**expr);
                return Some(Partner { at: condition, sought, query: subquery, negated });
            }
            Ast::Exists { subquery, negated } => {
                let negated = *negated != not;
                return Some(Partner { at: condition, sought: None, query: subquery, negated });
            }
            _ => return None,
        };
    }
}

impl Planner<'_> {
    /// The rows that have a partner in a subquery, or that have none.
    pub(super) fn with_partner(
        &mut self,
        input: Relation,
        partner: &Partner<'_>,
    ) -> Result<Relation> {
        let kind = if partner.negated { JoinKind::Anti } else { JoinKind::Semi };
        match (partner.sought, correlated(partner.query)) {
            (_, Some(select)) => self.exists(input, kind, select, partner),
            (Some(sought), None) => self.is_in(input, kind, sought, partner),
            (None, None) => {
                let rows = self.query(partner.query)?;
                let rows = self.assigned(rows, span(partner.at.span()))?;
                self.regular_join([input, rows], kind, (Vec::new(), None), span(partner.at.span()))
            }
        }
    }

    fn is_in(
        &mut self,
        input: Relation,
        kind: JoinKind,
        sought: &Ast,
        partner: &Partner<'_>,
    ) -> Result<Relation> {
        let at = span(partner.at.span());
        let left = {
            let mut row = self.row(&input, "WHERE");
            expr::bind(sought, &mut row)?
        };
        let rows = self.query(partner.query)?;
        let rows = self.assigned(rows, at)?;
        let [column] = rows.columns.as_slice() else {
            return Err(Diagnostic::new(
                "sql.subquery",
                format!("the subquery of IN has {} columns, it must have one", rows.columns.len()),
            )
            .hint("for several, use EXISTS: WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y = a.y)")
            .located(partner.query));
        };
        let right = Expr::column(input.columns.len(), &column.field);
        if kind == JoinKind::Semi || !(left.nullable || right.nullable) {
            return self.regular_join([input, rows], kind, (vec![(left, right)], None), at);
        }
        // Where it is not known that they differ, it is not known that the row is not in.
        let condition = may_equal(left, right).map_err(|e| e.located(partner.at))?;
        self.regular_join([input, rows], kind, (Vec::new(), Some(condition)), at)
    }

    /// A subquery whose conditions may name the columns of the row that asks.
    fn exists(
        &mut self,
        input: Relation,
        kind: JoinKind,
        select: &Select,
        partner: &Partner<'_>,
    ) -> Result<Relation> {
        let at = span(partner.at.span());
        let mut conditions = Vec::new();
        if let Some(condition) = &select.selection {
            conjuncts(condition, &mut conditions);
        }
        let rows = self.joined(&select.from, &mut conditions)?;
        let rows = self.assigned(rows, at)?;
        // A name is the subquery's own where it has it.
        let (mut own, mut shared) = (Vec::new(), Vec::new());
        for condition in conditions {
            let mut row = self.row(&rows, "WHERE");
            match expr::bind_condition(condition, &mut row, "WHERE") {
                Ok(_) => own.push(condition),
                Err(_) => shared.push(condition),
            }
        }
        let rows = self.keep_only(rows, &own, "WHERE")?;
        if shared.is_empty() {
            return match partner.sought {
                Some(sought) => self.is_in(input, kind, sought, partner),
                None => self.regular_join([input, rows], kind, (Vec::new(), None), at),
            };
        }
        distinct_names(&input, &rows, partner.at)?;
        let both = side_by_side(&input, &rows);
        self.all_true(&both, &shared, "WHERE")?;
        let split = input.columns.len();
        let mut sorted = Conditions::sort(&shared, &both, split, &self.functions);
        let alone = sorted.take_alone(|side| side == 1 || kind == JoinKind::Semi);
        let rest = sorted.rest(&shared);
        let mut condition = self.all_true(&both, &rest, "WHERE")?;
        if let Some(sought) = partner.sought {
            let left = expr::bind(sought, &mut self.row(&input, "WHERE"))?;
            let mut right = expr::bind(only_item(select)?, &mut self.row(&rows, "SELECT"))?;
            renumber(&mut right, &|c| c + split);
            if kind == JoinKind::Semi || !(left.nullable || right.nullable) {
                sorted.keys.push((left, right));
            } else {
                let unknown = may_equal(left, right).map_err(|e| e.located(partner.at))?;
                condition = Some(match condition {
                    Some(condition) => condition.and(unknown)?,
                    None => unknown,
                });
            }
        }
        let sides = self.filtered([input, rows], alone, split, at);
        self.regular_join(sides, kind, (sorted.keys, condition), at)
    }
}

/// Whether two values are equal, or one of them is not known.
fn may_equal(left: Expr, right: Expr) -> Result<Expr> {
    let unknown = |e: &Expr| Expr::call("IS NULL", vec![e.clone()]);
    let either = unknown(&left)?.or(unknown(&right)?)?;
    Expr::call("=", vec![left, right])?.or(either)
}

/// The one column of a subquery of IN.
fn only_item(select: &Select) -> Result<&Ast> {
    let mut items = select.projection.iter().map(item_expr);
    match (items.next(), items.next()) {
        (Some(Some(item)), None) => Ok(item),
        _ => Err(Diagnostic::new("sql.subquery", "the subquery of IN must have one column, named")
            .hint("for several, use EXISTS: WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y = a.y)")
            .located_at(select.select_token.0.span)),
    }
}

/// The one SELECT of a query that could look at each row by itself.
fn correlated(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let grouped = match &select.group_by {
        sqlparser::ast::GroupByExpr::Expressions(keys, more) => {
            !keys.is_empty() || !more.is_empty()
        }
        sqlparser::ast::GroupByExpr::All(_) => true,
    };
    let plain = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && select.having.is_none()
        && !grouped
        && !select.from.is_empty();
    let items = select.projection.iter().filter_map(item_expr);
    let valued = !subqueries(select.projection.iter().filter_map(item_expr)).is_empty()
        || !subqueries(&select.selection).is_empty();
    (plain && !valued && !super::grouped::any_aggregate(items)).then_some(select)
}
