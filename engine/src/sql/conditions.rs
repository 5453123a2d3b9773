//! What the conditions of a join say: keys, bounds on time, conditions on one side.

use std::collections::BTreeSet;

use sqlparser::ast::{BinaryOperator as Binary, Expr as Ast};

use super::builder::columns_of;
use super::diagnose::Locate;
use super::expr::{self, Row};
use super::guest::Functions;
use super::interval::{Interval, interval};
use super::scope::Relation;
use crate::error::{Diagnostic, Result};
use crate::expr::Expr;
use crate::plan::Bounds;

/// The conditions between two tables, by what they say.
#[derive(Default)]
pub(super) struct Conditions {
    /// Left and right expression, equal.
    pub keys: Vec<(Expr, Expr)>,
    /// Bounds on pairs of time columns.
    pub times: Vec<Times>,
    /// Conditions on one side alone: side, position, condition.
    alone: Vec<(usize, usize, Expr)>,
    /// Positions of the conditions that are taken care of.
    pub used: BTreeSet<usize>,
}

/// What a pair of time columns must satisfy: `right - left` in milliseconds.
pub(super) struct Times {
    pub columns: [usize; 2],
    pub lower: Option<i64>,
    pub upper: Option<i64>,
    /// The conditions this comes from.
    pub from: Vec<usize>,
}

/// What a condition between two tables is.
enum Part {
    Key(Expr, Expr),
    Time([usize; 2], Option<i64>, Option<i64>),
    Alone(usize, Expr),
}

impl Conditions {
    /// Sorts conditions on two tables, whose columns stand side by side: the left has the first `split`.
    pub(super) fn sort(
        list: &[&Ast],
        both: &Relation,
        split: usize,
        functions: &Functions,
    ) -> Conditions {
        let mut sorted = Conditions::default();
        for (i, condition) in list.iter().enumerate() {
            match part(condition, both, split, functions) {
                Some(Part::Key(l, r)) => sorted.keys.push((l, r)),
                Some(Part::Alone(side, condition)) => {
                    sorted.alone.push((side, i, condition));
                    continue;
                }
                Some(Part::Time(columns, lower, upper)) => {
                    sorted.add_time(columns, (lower, upper), i);
                    continue;
                }
                None => continue,
            }
            sorted.used.insert(i);
        }
        sorted
    }

    /// Narrows the bounds of a pair of time columns.
    fn add_time(
        &mut self,
        columns: [usize; 2],
        (lower, upper): (Option<i64>, Option<i64>),
        from: usize,
    ) {
        let known = self.times.iter().position(|t| t.columns == columns).unwrap_or_else(|| {
            self.times.push(Times { columns, lower: None, upper: None, from: Vec::new() });
            self.times.len() - 1
        });
        let times = &mut self.times[known];
        times.from.push(from);
        times.lower = times.lower.max(lower);
        times.upper = match (times.upper, upper) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// The first pair of time columns that is bounded on both sides.
    ///
    /// # Errors
    /// When nothing lies between its bounds.
    pub(super) fn bounds(&mut self, list: &[&Ast]) -> Result<Option<(Times, Bounds)>> {
        let bounded = |t: &Times| Some(Bounds { lower: t.lower?, upper: t.upper? });
        let found = self.times.iter().enumerate().find_map(|(at, t)| Some((at, bounded(t)?)));
        let Some((at, bounds)) = found else { return Ok(None) };
        let times = self.times.remove(at);
        let last = list[times.from.last().copied().unwrap_or_default()];
        if bounds.lower > bounds.upper {
            return Err(Diagnostic::new(
                "sql.argument",
                "no two times can satisfy these conditions together: nothing would be joined",
            )
            .hint("the time must be between a lower and a later upper bound")
            .located(last));
        }
        Ok(Some((times, bounds)))
    }

    /// The conditions on one side alone, on those sides that may be filtered before the join.
    pub(super) fn take_alone(&mut self, may: impl Fn(usize) -> bool) -> Vec<(usize, Expr)> {
        let mut taken = Vec::new();
        for (side, at, condition) in self.alone.drain(..).filter(|(side, ..)| may(*side)) {
            self.used.insert(at);
            taken.push((side, condition));
        }
        taken
    }

    /// The conditions that are not taken care of.
    pub(super) fn rest<'a>(&self, list: &[&'a Ast]) -> Vec<&'a Ast> {
        let left = list.iter().enumerate().filter(|(i, _)| !self.used.contains(i));
        left.map(|(_, condition)| *condition).collect()
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

/// What a condition says; `None` when it is on both sides, but neither a key nor a time, or has an error.
fn part(condition: &Ast, both: &Relation, split: usize, functions: &Functions) -> Option<Part> {
    let moved = |ast: &Ast| moved_time(ast, both, 0);
    let alike =
        |[l, r]: [usize; 2]| both.columns[l].field.data_type == both.columns[r].field.data_type;
    if let Ast::Between { expr, negated: false, low, high } = condition
        && let (Some(x), Some(low), Some(high)) = (moved(expr), moved(low), moved(high))
        && let (Some(from), Some(to)) =
            (compared(&Binary::GtEq, x, low, split), compared(&Binary::LtEq, x, high, split))
    {
        let one = from.0 == to.0 && alike(from.0);
        return one.then_some(Part::Time(from.0, from.1.or(to.1), from.2.or(to.2)));
    }
    let mut row = Row { relation: both, place: "a join's condition", functions };
    if let Ast::BinaryOp { left, op, right } = condition {
        if let (Some(x), Some(y)) = (moved(left), moved(right))
            && let Some((columns, lower, upper)) = compared(op, x, y, split)
        {
            return alike(columns).then_some(Part::Time(columns, lower, upper));
        }
        if *op == Binary::Eq {
            let (x, y) = (expr::bind(left, &mut row).ok()?, expr::bind(right, &mut row).ok()?);
            match (side_of(&x, split), side_of(&y, split)) {
                (Some(0), Some(1)) => return Some(Part::Key(x, y)),
                (Some(1), Some(0)) => return Some(Part::Key(y, x)),
                _ => {}
            }
        }
    }
    let bound = expr::bind_condition(condition, &mut row, "ON").ok()?;
    Some(Part::Alone(side_of(&bound, split)?, bound))
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
