//! Interval joins: FROM with several tables, and the conditions that make the join.
//!
//! The conditions of ON and WHERE are taken apart at AND. Equalities between the two sides are the keys;
//! comparisons of the two time attributes, moved by intervals, are the bounds; everything else is left as
//! a filter over joined rows.

use std::collections::BTreeSet;

use sqlparser::ast::{
    BinaryOperator as Binary, Expr as Ast, Join, JoinConstraint, JoinOperator, Spanned,
    TableFactor, TableWithJoins,
};

use super::aggregate::updating;
use super::builder::columns_of;
use super::diagnose::{Locate, span, unsupported};
use super::expr::{self, Row};
use super::interval::{Interval, interval};
use super::operator::combine;
use super::planner::Planner;
use super::scope::{Column, Relation, Role};
use crate::error::{Diagnostic, Error, Result};
use crate::expr::{Expr, ExprKind};
use crate::plan::{Bounds, Op};
use crate::schema::{DataType, Field, Schema};

/// What a pair of time columns must satisfy: `right - left` in milliseconds.
struct Times {
    columns: [usize; 2],
    lower: Option<i64>,
    upper: Option<i64>,
    /// The conditions this comes from.
    from: Vec<usize>,
}

/// What a condition between two tables is.
enum Part {
    /// Left and right expression, equal.
    Key(Expr, Expr),
    /// Time columns of left and right, and the least and greatest difference.
    Time([usize; 2], Option<i64>, Option<i64>),
}

impl Planner<'_> {
    /// The rows of FROM. Conditions that have become part of a join are taken out of `pool`.
    pub(super) fn joined<'a>(
        &mut self,
        from: &'a [TableWithJoins],
        pool: &mut Vec<&'a Ast>,
    ) -> Result<Relation> {
        let mut relation: Option<Relation> = None;
        for table in from {
            let next = self.factor(&table.relation)?;
            relation = Some(match relation {
                None => next,
                Some(left) => self.join(left, next, (&table.relation, Vec::new()), pool)?,
            });
            for join in &table.joins {
                let own = conditions_of(join)?;
                let next = self.factor(&join.relation)?;
                let Some(left) = relation.take() else { break };
                relation = Some(self.join(left, next, (&join.relation, own), pool)?);
            }
        }
        relation.ok_or_else(|| unsupported("SELECT without FROM is not supported", "read a table"))
    }

    fn join<'a>(
        &mut self,
        left: Relation,
        right: Relation,
        (at, own): (&TableFactor, Vec<&'a Ast>),
        pool: &mut Vec<&'a Ast>,
    ) -> Result<Relation> {
        let left = self.join_input(left, at)?;
        let right = self.join_input(right, at)?;
        distinct_names(&left, &right, at)?;
        let both = side_by_side(&left, &right);
        let split = left.columns.len();
        let conditions: Vec<&Ast> = own.iter().chain(pool.iter()).copied().collect();
        let mut keys = Vec::new();
        let mut times: Vec<Times> = Vec::new();
        let mut used = BTreeSet::new();
        for (i, condition) in conditions.iter().enumerate() {
            match part(condition, &both, split)? {
                Some(Part::Key(l, r)) => keys.push((l, r, i)),
                Some(Part::Time(columns, lower, upper)) => {
                    add_time(&mut times, columns, (lower, upper), i);
                }
                None => {}
            }
        }
        let bounds = times.iter().find(|t| t.lower.is_some() && t.upper.is_some());
        let (Some(found), Some(bounds)) = (bounds, bounds.and_then(Times::bounds)) else {
            return Err(no_bounds(&both, split, &times).located(at));
        };
        if keys.is_empty() {
            return Err(no_key().located(at));
        }
        if bounds.lower > bounds.upper {
            let place = conditions[found.from[found.from.len() - 1]];
            return Err(Diagnostic::new(
                "sql.argument",
                "no two times can satisfy these conditions together: nothing would be joined",
            )
            .hint("the time must be between a lower and a later upper bound")
            .located(place));
        }
        used.extend(found.from.iter().copied());
        used.extend(keys.iter().map(|(_, _, i)| *i));
        let time_columns = found.columns;
        let keys = keys.into_iter().map(|(l, r, _)| (l, r)).collect();
        let joined = self.interval_join(left, right, keys, time_columns, bounds, at)?;
        let rest = own.iter().enumerate().filter(|(i, _)| !used.contains(i)).map(|(_, c)| *c);
        let rest: Vec<&Ast> = rest.collect();
        let count = own.len();
        let mut next = count..;
        pool.retain(|_| next.next().is_some_and(|i| !used.contains(&i)));
        self.keep_only(joined, &rest, "ON")
    }

    /// A table as an input of a join: its rows stay, its windows are assigned.
    fn join_input(&mut self, relation: Relation, at: &TableFactor) -> Result<Relation> {
        let place = span(at.span());
        let relation =
            if relation.pending.is_some() { self.assign(relation, place)? } else { relation };
        if relation.updating {
            return Err(updating("an input of a join", place));
        }
        Ok(relation)
    }

    /// The join itself, between keys that may have to be computed first.
    fn interval_join(
        &mut self,
        left: Relation,
        right: Relation,
        keys: Vec<(Expr, Expr)>,
        times: [usize; 2],
        bounds: Bounds,
        at: &TableFactor,
    ) -> Result<Relation> {
        let place = span(at.span());
        let split = left.columns.len();
        let own = [left.columns.len(), right.columns.len()];
        let (mut l_keys, mut r_keys) = (Vec::new(), Vec::new());
        for (l, r) in keys {
            let (l, r) = alike(l, r).map_err(|e| e.located(at))?;
            l_keys.push(l);
            r_keys.push(shifted(r, split));
        }
        let (left, l_keys) = self.with_keys(left, l_keys, at);
        let (right, r_keys) = self.with_keys(right, r_keys, at);
        let times = [times[0], times[1] - split];
        let mut columns = Vec::new();
        for (side, relation) in [&left, &right].into_iter().enumerate() {
            for (i, column) in relation.columns[..own[side]].iter().enumerate() {
                // Other time attributes may lie far behind: rows wait in the join for this one's sake.
                let rowtime = i == times[side];
                let field = Field { rowtime, ..column.field.clone() };
                columns.push(Column { field, role: Role::Plain, ..column.clone() });
            }
        }
        let op = Op::IntervalJoin {
            times,
            keys: [l_keys, r_keys],
            bounds,
            columns: [(0..own[0]).collect(), (0..own[1]).collect()],
        };
        let node = self.builder.add(
            "join",
            op,
            vec![left.node, right.node],
            unique_names(&columns),
            place,
        );
        Ok(Relation { node, columns, updating: false, pending: None })
    }

    /// Puts computed keys behind the columns of a relation; the positions of the keys.
    fn with_keys(
        &mut self,
        relation: Relation,
        keys: Vec<Expr>,
        at: &TableFactor,
    ) -> (Relation, Vec<usize>) {
        let own = relation.columns.len();
        let mut exprs: Vec<Expr> =
            relation.columns.iter().enumerate().map(|(i, c)| Expr::column(i, &c.field)).collect();
        let mut columns = relation.columns.clone();
        let mut positions = Vec::new();
        for key in keys {
            if let ExprKind::Column(index) = key.kind {
                positions.push(index);
                continue;
            }
            let name = format!("key_{}", exprs.len() - own);
            let field = Field { nullable: key.nullable, ..Field::new(name, key.data_type) };
            columns.push(Column { qualifier: None, field, role: Role::Plain });
            positions.push(exprs.len());
            exprs.push(key);
        }
        if exprs.len() == own {
            return (relation, positions);
        }
        let schema = unique_names(&columns);
        let op = Op::Project { exprs };
        let node = self.builder.add("project", op, vec![relation.node], schema, span(at.span()));
        (Relation { node, columns, ..relation }, positions)
    }

    /// The rows for which all of these conditions are TRUE.
    pub(super) fn keep_only(
        &mut self,
        input: Relation,
        conditions: &[&Ast],
        clause: &'static str,
    ) -> Result<Relation> {
        let (Some(first), Some(last)) = (conditions.first(), conditions.last()) else {
            return Ok(input);
        };
        let mut row = Row { relation: &input, place: clause };
        let mut bound = Vec::new();
        for condition in conditions {
            bound.push(expr::bind_condition(condition, &mut row, clause)?);
        }
        let predicate = combine(bound, true)?.fold()?;
        let place = span(first.span().union(&last.span()));
        Ok(self.builder.filter(input, predicate, place))
    }
}

impl Times {
    fn bounds(&self) -> Option<Bounds> {
        Some(Bounds { lower: self.lower?, upper: self.upper? })
    }
}

/// Narrows the bounds of a pair of time columns.
fn add_time(
    times: &mut Vec<Times>,
    columns: [usize; 2],
    (lower, upper): (Option<i64>, Option<i64>),
    from: usize,
) {
    let known = times.iter().position(|t| t.columns == columns).unwrap_or_else(|| {
        times.push(Times { columns, lower: None, upper: None, from: Vec::new() });
        times.len() - 1
    });
    let times = &mut times[known];
    times.from.push(from);
    times.lower = times.lower.max(lower);
    times.upper = match (times.upper, upper) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
}

/// The conditions of a join that this engine has.
fn conditions_of(join: &Join) -> Result<Vec<&Ast>> {
    let constraint = match &join.join_operator {
        JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::CrossJoin(c) => c,
        JoinOperator::Left(_)
        | JoinOperator::LeftOuter(_)
        | JoinOperator::Right(_)
        | JoinOperator::RightOuter(_)
        | JoinOperator::FullOuter(_) => {
            return Err(unsupported(
                "outer joins are not supported",
                "JOIN gives the pairs; rows without a partner are left out",
            )
            .located(&join.relation));
        }
        _ => {
            return Err(unsupported(
                "this kind of join is not supported",
                "there is the inner join within an interval of time: a JOIN b ON …",
            )
            .located(&join.relation));
        }
    };
    match constraint {
        JoinConstraint::On(condition) => {
            let mut all = Vec::new();
            conjuncts(condition, &mut all);
            Ok(all)
        }
        JoinConstraint::None => Ok(Vec::new()),
        JoinConstraint::Using(_) | JoinConstraint::Natural => Err(unsupported(
            "USING and NATURAL are not supported",
            "write the condition out: ON a.k = b.k AND a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts",
        )
        .located(&join.relation)),
    }
}

/// A condition taken apart at AND.
pub(super) fn conjuncts<'a>(condition: &'a Ast, all: &mut Vec<&'a Ast>) {
    let mut stack = vec![condition];
    while let Some(ast) = stack.pop() {
        match ast {
            Ast::Nested(inner) => stack.push(inner),
            Ast::BinaryOp { left, op: Binary::And, right } => {
                stack.push(right);
                stack.push(left);
            }
            other => all.push(other),
        }
    }
}

/// What a condition says about the two sides; `None` when it is neither key nor time.
fn part(condition: &Ast, both: &Relation, split: usize) -> Result<Option<Part>> {
    let moved = |ast: &Ast| moved_time(ast, both, 0);
    let alike =
        |[l, r]: [usize; 2]| both.columns[l].field.data_type == both.columns[r].field.data_type;
    if let Ast::Between { expr, negated: false, low, high } = condition {
        let (Some(x), Some(low), Some(high)) = (moved(expr), moved(low), moved(high)) else {
            return Ok(None);
        };
        let (Some(from), Some(to)) =
            (compared(&Binary::GtEq, x, low, split), compared(&Binary::LtEq, x, high, split))
        else {
            return Ok(None);
        };
        let one = from.0 == to.0 && alike(from.0);
        return Ok(one.then_some(Part::Time(from.0, from.1.or(to.1), from.2.or(to.2))));
    }
    let Ast::BinaryOp { left, op, right } = condition else { return Ok(None) };
    if let (Some(x), Some(y)) = (moved(left), moved(right))
        && let Some((columns, lower, upper)) = compared(op, x, y, split)
    {
        return Ok(alike(columns).then_some(Part::Time(columns, lower, upper)));
    }
    if *op != Binary::Eq {
        return Ok(None);
    }
    let mut row = Row { relation: both, place: "a join's condition" };
    let (Ok(x), Ok(y)) = (expr::bind(left, &mut row), expr::bind(right, &mut row)) else {
        return Ok(None);
    };
    Ok(match (side_of(&x, split), side_of(&y, split)) {
        (Some(0), Some(1)) => Some(Part::Key(x, y)),
        (Some(1), Some(0)) => Some(Part::Key(y, x)),
        _ => None,
    })
}

/// A time attribute, moved by intervals: its column, and by how many milliseconds.
fn moved_time(ast: &Ast, both: &Relation, depth: usize) -> Option<(usize, i64)> {
    let resolved = |parts: &[sqlparser::ast::Ident]| {
        let index = both.resolve(parts).ok()?;
        both.columns[index].field.rowtime.then_some((index, 0))
    };
    let millis = |ast: &Ast| match interval(ast) {
        Some(Ok(Interval::Millis(n))) => Some(n),
        _ => None,
    };
    match ast {
        Ast::Nested(inner) if depth < 50 => moved_time(inner, both, depth + 1),
        Ast::Identifier(name) => resolved(std::slice::from_ref(name)),
        Ast::CompoundIdentifier(parts) => resolved(parts),
        Ast::BinaryOp { left, op, right } if depth < 50 => {
            let (time, by) = match (op, millis(right)) {
                (Binary::Plus, Some(by)) => (left, by),
                (Binary::Minus, Some(by)) => (left, by.checked_neg()?),
                (Binary::Plus, None) => (right, millis(left)?),
                _ => return None,
            };
            let (column, before) = moved_time(time, both, depth + 1)?;
            Some((column, before.checked_add(by)?))
        }
        _ => None,
    }
}

/// What a comparison of two times says: their columns, and the least and greatest `right - left`.
fn compared(
    op: &Binary,
    (x, x_by): (usize, i64),
    (y, y_by): (usize, i64),
    split: usize,
) -> Option<([usize; 2], Option<i64>, Option<i64>)> {
    if (x < split) == (y < split) {
        return None;
    }
    // Left and right in their places: `l + l_by op r + r_by` says something of `r - l`.
    let (op, [l, r], difference) = match x < split {
        true => (op.clone(), [x, y], x_by.checked_sub(y_by)?),
        false => (turned(op), [y, x], y_by.checked_sub(x_by)?),
    };
    let (lower, upper) = match op {
        Binary::LtEq => (Some(difference), None),
        Binary::Lt => (Some(difference.checked_add(1)?), None),
        Binary::GtEq => (None, Some(difference)),
        Binary::Gt => (None, Some(difference.checked_sub(1)?)),
        Binary::Eq => (Some(difference), Some(difference)),
        _ => return None,
    };
    Some(([l, r], lower, upper))
}

/// The comparison with its sides changed.
fn turned(op: &Binary) -> Binary {
    match op {
        Binary::Lt => Binary::Gt,
        Binary::LtEq => Binary::GtEq,
        Binary::Gt => Binary::Lt,
        Binary::GtEq => Binary::LtEq,
        other => other.clone(),
    }
}

/// The side whose columns an expression reads, when it is one.
fn side_of(expr: &Expr, split: usize) -> Option<usize> {
    let mut used = BTreeSet::new();
    columns_of(expr, &mut used);
    let (least, most) = (*used.first()?, *used.last()?);
    match (most < split, least >= split) {
        (true, _) => Some(0),
        (_, true) => Some(1),
        _ => None,
    }
}

/// Both keys in one type, as `=` would compare them.
fn alike(left: Expr, right: Expr) -> Result<(Expr, Expr)> {
    if left.data_type == right.data_type {
        return Ok((left, right));
    }
    let error = || {
        Diagnostic::new(
            "sql.type",
            format!("keys of type {} and {} are not joined", left.data_type, right.data_type),
        )
        .hint("cast one of them: CAST(a.k AS BIGINT) = b.k")
    };
    let wide = match (left.data_type, right.data_type) {
        (DataType::Int, DataType::BigInt) | (DataType::BigInt, DataType::Int) => DataType::BigInt,
        _ => return Err(error()),
    };
    Ok((left.cast(wide, false)?, right.cast(wide, false)?))
}

/// An expression over the columns after `by`, as one over those columns alone.
fn shifted(mut expr: Expr, by: usize) -> Expr {
    match &mut expr.kind {
        ExprKind::Column(index) => *index -= by,
        ExprKind::Literal(_) => {}
        ExprKind::Call { args, .. } => args.iter_mut().for_each(|a| shift(a, by)),
        ExprKind::Cast { input, .. } => shift(input, by),
        ExprKind::Case { branches, otherwise } => {
            for (condition, result) in branches {
                shift(condition, by);
                shift(result, by);
            }
            shift(otherwise, by);
        }
        ExprKind::And(a, b) | ExprKind::Or(a, b) => {
            shift(a, by);
            shift(b, by);
        }
    }
    expr
}

fn shift(expr: &mut Expr, by: usize) {
    let null = Expr::literal(crate::value::Value::Null, DataType::Null);
    *expr = shifted(std::mem::replace(expr, null), by);
}

/// The columns of both sides, as conditions see them.
fn side_by_side(left: &Relation, right: &Relation) -> Relation {
    let columns = left.columns.iter().chain(&right.columns).cloned().collect();
    Relation { node: left.node, columns, updating: false, pending: None }
}

/// The columns as a schema whose names differ.
fn unique_names(columns: &[Column]) -> crate::schema::SchemaRef {
    let mut names = BTreeSet::new();
    let field = |column: &Column| {
        let mut name = column.field.name.clone();
        let mut count = 0_u32;
        while !names.insert(name.clone()) {
            name = format!("{}{count}", column.field.name);
            count += 1;
        }
        Field { name, ..column.field.clone() }
    };
    Schema::new(columns.iter().map(field).collect())
}

fn distinct_names(left: &Relation, right: &Relation, at: &TableFactor) -> Result<()> {
    let name = |c: &Column| c.qualifier.clone();
    let known: BTreeSet<String> = left.columns.iter().filter_map(name).collect();
    match right.columns.iter().filter_map(name).find(|n| known.contains(n)) {
        Some(twice) => Err(Diagnostic::new(
            "sql.duplicate",
            format!("`{twice}` stands twice in FROM: its columns cannot be told apart"),
        )
        .hint(format!("give each a name of its own: FROM {twice} AS a JOIN {twice} AS b"))
        .located(at)),
        None => Ok(()),
    }
}

fn no_key() -> Error {
    unsupported(
        "a join without an equality of columns is not supported",
        "add one to the condition: a.k = b.k",
    )
}

/// The error of a join without bounds on the time between its rows.
fn no_bounds(both: &Relation, split: usize, times: &[Times]) -> Error {
    let missing = |columns: &[Column]| !columns.iter().any(|c| c.field.rowtime);
    let (left, right) = both.columns.split_at(split);
    let code = "a JOIN without bounds on the time between its rows is not supported";
    match times.first() {
        Some(one) => {
            let side = if one.lower.is_none() { "earlier" } else { "later" };
            unsupported(
                code,
                format!(
                    "`{}` may be any time {side} than `{}`: bound it on that side, too",
                    both.columns[one.columns[1]].field.name,
                    both.columns[one.columns[0]].field.name
                ),
            )
        }
        None if missing(left) || missing(right) => unsupported(
            code,
            "both tables need a time attribute (WATERMARK FOR ts AS …), handed on unchanged, and \
             the condition bounds on it: a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts",
        ),
        None => unsupported(
            code,
            "bound the time attributes on both sides: \
             a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts + INTERVAL '10' SECOND",
        ),
    }
}
