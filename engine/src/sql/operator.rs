//! Operators between values and intervals.

use sqlparser::ast::BinaryOperator as Binary;

use super::diagnose::unsupported;
use super::interval::Interval;
use super::literal;
use crate::error::{Diagnostic, Error, Result};
use crate::expr::Expr;
use crate::schema::DataType;
use crate::value::Value;

/// An operand of `+` and `-`.
pub(super) enum Operand {
    Value(Expr),
    Interval(Interval),
}

pub(super) fn negate(expr: Expr, negated: bool) -> Result<Expr> {
    if negated { Expr::call("NOT", vec![expr]) } else { Ok(expr) }
}

/// A balanced tree of AND or OR, so that a long list of conditions does not nest deeply.
pub(super) fn combine(mut operands: Vec<Expr>, and: bool) -> Result<Expr> {
    while operands.len() > 1 {
        let mut paired = Vec::with_capacity(operands.len().div_ceil(2));
        let mut rest = operands.into_iter();
        while let Some(left) = rest.next() {
            paired.push(match rest.next() {
                Some(right) if and => left.and(right)?,
                Some(right) => left.or(right)?,
                None => left,
            });
        }
        operands = paired;
    }
    operands.pop().ok_or_else(|| Diagnostic::new("sql.syntax", "a condition is empty"))
}

/// What an operator makes of its operands.
pub(super) fn apply(op: &Binary, left: Operand, right: Operand) -> Result<Operand> {
    let name = match op {
        Binary::Plus => "+",
        Binary::Minus => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        Binary::Modulo => "%",
        Binary::Eq => "=",
        Binary::NotEq => "<>",
        Binary::Lt => "<",
        Binary::LtEq => "<=",
        Binary::Gt => ">",
        Binary::GtEq => ">=",
        Binary::StringConcat => "||",
        other => {
            return Err(unsupported(
                format!("the operator {other} is not supported"),
                "there are + - * / % || = <> < <= > >= AND OR NOT IN BETWEEN LIKE IS",
            ));
        }
    };
    match (name, left, right) {
        (_, Operand::Value(a), Operand::Value(b)) => {
            Expr::call(name, vec![a, b]).map(Operand::Value)
        }
        ("+", Operand::Value(x), Operand::Interval(i))
        | ("+", Operand::Interval(i), Operand::Value(x)) => shift(x, i).map(Operand::Value),
        ("-", Operand::Value(x), Operand::Interval(i)) => shift(x, i.negated()).map(Operand::Value),
        ("+" | "-", Operand::Interval(a), Operand::Interval(b)) => {
            let b = if name == "-" { b.negated() } else { b };
            match (a, b) {
                (Interval::Millis(a), Interval::Millis(b)) => {
                    Ok(Operand::Interval(Interval::Millis(a.saturating_add(b))))
                }
                (Interval::Months(a), Interval::Months(b)) => {
                    Ok(Operand::Interval(Interval::Months(a.saturating_add(b))))
                }
                _ => Err(Diagnostic::new(
                    "sql.interval",
                    "intervals of months and intervals of days cannot be added",
                )),
            }
        }
        _ => Err(Diagnostic::new("sql.interval", format!("{name} does not take an interval"))
            .hint("add an interval to a timestamp, or take it from one")),
    }
}

/// `x` moved by an interval.
fn shift(x: Expr, by: Interval) -> Result<Expr> {
    let (unit, n) = match by {
        Interval::Millis(n) => ("MILLISECOND", n),
        Interval::Months(n) => ("MONTH", n),
    };
    let n = Expr::literal(Value::BigInt(n), DataType::BigInt);
    Expr::call("TIMESTAMPADD", vec![literal::text(unit), n, x])
}

/// An interval where a value is expected.
pub(super) fn lone_interval() -> Error {
    Diagnostic::new("sql.interval", "an interval stands alone here")
        .hint("add it to a timestamp: ts + INTERVAL '5' SECOND")
}
