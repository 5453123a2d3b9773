//! Typing: common types, implicit casts, and what a function says when arguments do not fit.

use crate::error::{Diagnostic, Error, Result};
use crate::schema::DataType;
use crate::value::Value;

use super::{Expr, ExprKind, Function, Resolve};

/// What an argument has to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Param {
    /// Of this type, or of one that widens to it.
    Is(DataType),
    /// A string literal that names a unit of time.
    Unit,
    /// A string literal of one character.
    Char,
    /// A STRING, the pattern of a time; a literal is checked at once.
    Pattern,
}

/// The type that both widen to without a CAST, if there is one.
///
/// Integers widen to decimals and to floating point; a decimal and a FLOAT meet in DOUBLE, because a
/// FLOAT keeps only seven digits; a date and a timestamp meet in the timestamp.
pub fn common_type(a: DataType, b: DataType) -> Option<DataType> {
    use DataType::*;
    if a == b {
        return Some(a);
    }
    match (a, b) {
        (Null, t) | (t, Null) => Some(t),
        (Double, t) | (t, Double) if t.is_numeric() => Some(Double),
        (Float, Decimal(..)) | (Decimal(..), Float) => Some(Double),
        (Float, t) | (t, Float) if t.is_numeric() => Some(Float),
        (Int, BigInt) | (BigInt, Int) => Some(BigInt),
        _ if a.is_numeric() && b.is_numeric() => {
            let ((p1, s1), (p2, s2)) = (decimal_shape(a)?, decimal_shape(b)?);
            let whole = (p1 - s1).max(p2 - s2);
            let scale = s1.max(s2).min(38 - whole);
            Some(Decimal(whole + scale, scale))
        }
        (Date, t) | (t, Date) if t.is_timestamp() => Some(t),
        (Timestamp, TimestampLtz) | (TimestampLtz, Timestamp) => Some(TimestampLtz),
        _ => None,
    }
}

/// Precision and scale of an exact number type.
pub(super) fn decimal_shape(t: DataType) -> Option<(u8, u8)> {
    match t {
        DataType::Int => Some((10, 0)),
        DataType::BigInt => Some((19, 0)),
        DataType::Decimal(p, s) => Some((p, s)),
        _ => None,
    }
}

/// The expression as that type if it widens to it: numbers, dates and timestamps, NULL, and string
/// literals where a date or timestamp is expected.
pub(super) fn widen(expr: Expr, to: DataType) -> std::result::Result<Expr, Expr> {
    use DataType::*;
    let from = expr.data_type;
    if from == to {
        return Ok(expr);
    }
    let fits = match (from, to) {
        (Null, _) => true,
        (String, Date | Timestamp | TimestampLtz) => expr.as_literal().is_some(),
        (TimestampLtz, Timestamp) | (Timestamp, TimestampLtz) => true,
        (Decimal(p1, s1), Decimal(p2, s2)) => p2 - s2 >= p1 - s1 && s2 >= s1,
        _ => common_type(from, to) == Some(to),
    };
    if fits { Ok(expr.cast_unchecked(to, false)) } else { Err(expr) }
}

/// Widens all to their common type.
pub(super) fn unify(name: &str, args: Vec<Expr>) -> Result<(Vec<Expr>, DataType)> {
    let mut to = DataType::Null;
    for arg in &args {
        // A string literal takes the type of the dates and timestamps beside it.
        let literal = arg.data_type == DataType::String && arg.as_literal().is_some();
        if literal && matches!(to, DataType::Date | DataType::Timestamp | DataType::TimestampLtz) {
            continue;
        }
        to = match common_type(to, arg.data_type) {
            Some(t) => t,
            None if to == DataType::String => arg.data_type,
            None => return Err(clash(name, to, arg.data_type)),
        };
    }
    if to == DataType::Null {
        to = DataType::Int;
    }
    let seen = to;
    let args = args
        .into_iter()
        .map(|a| widen(a, to).map_err(|a| clash(name, seen, a.data_type)))
        .collect::<Result<_>>()?;
    Ok((args, to))
}

/// The error for two types that do not go together.
pub(super) fn clash(name: &str, a: DataType, b: DataType) -> Error {
    let error = Diagnostic::new(
        "sql.type",
        format!("{name} expects operands of one type, not {a} and {b}"),
    );
    let (other, string) = match (a, b) {
        (DataType::String, t) | (t, DataType::String) => (t, true),
        (t, _) => (t, false),
    };
    if string { error.hint(format!("CAST(… AS {other}) converts the STRING")) } else { error }
}

/// The error for an argument of the wrong type.
pub(super) fn wrong_type(f: &Function, index: usize, expected: &str, came: DataType) -> Error {
    let error = Diagnostic::new(
        "sql.type",
        format!("argument {} of {} has to be {expected}, not {came}", index + 1, f.name),
    );
    let error = error.hint(format!("write {}", f.syntax));
    if expected == "STRING" {
        return error.hint(format!("write {}; CAST(… AS STRING) makes text", f.syntax));
    }
    error
}

/// The error for an argument whose value is wrong.
pub(super) fn wrong_value(f: &Function, message: impl Into<String>) -> Error {
    Diagnostic::new("sql.argument", message).hint(format!("write {}", f.syntax))
}

/// Checks how many arguments came.
pub(super) fn count(f: &Function, args: &[Expr], least: usize, most: usize) -> Result<()> {
    let n = args.len();
    if (least..=most).contains(&n) {
        return Ok(());
    }
    let expected = match (least, most) {
        (a, b) if a == b => format!("{a}"),
        (a, usize::MAX) => format!("at least {a}"),
        (a, b) => format!("{a} to {b}"),
    };
    let plural = if expected == "1" { "" } else { "s" };
    Err(wrong_value(f, format!("{} expects {expected} argument{plural}, not {n}", f.name)))
}

/// The argument as that type, or the error that names its place.
pub(super) fn argument(f: &Function, index: usize, arg: Expr, to: DataType) -> Result<Expr> {
    widen(arg, to).map_err(|a| wrong_type(f, index, &to.to_string(), a.data_type))
}

/// The text of an argument that has to be a string literal.
pub(super) fn literal_text<'a>(f: &Function, index: usize, arg: &'a Expr) -> Result<&'a str> {
    match arg.as_literal() {
        Some(Value::String(text)) => Ok(text),
        _ => Err(wrong_value(
            f,
            format!("argument {} of {} has to be a string literal", index + 1, f.name),
        )),
    }
}

impl Param {
    fn check(self, f: &Function, index: usize, arg: Expr) -> Result<Expr> {
        match self {
            Param::Is(to) => argument(f, index, arg, to),
            Param::Unit => {
                super::calendar::Unit::named(f, literal_text(f, index, &arg)?)?;
                Ok(arg)
            }
            Param::Pattern => {
                if let Some(Value::String(text)) = arg.as_literal() {
                    super::format::Pattern::parse(text)?;
                }
                argument(f, index, arg, DataType::String)
            }
            Param::Char => {
                if literal_text(f, index, &arg)?.chars().count() == 1 {
                    return Ok(arg);
                }
                let place = index + 1;
                Err(wrong_value(
                    f,
                    format!("argument {place} of {} has to be one character", f.name),
                ))
            }
        }
    }
}

/// A call of arguments that are already right; NULL when an argument is, or when `partial`.
pub(super) fn call(f: &'static Function, args: Vec<Expr>, result: DataType, partial: bool) -> Expr {
    let nullable = partial || args.iter().any(|a| a.nullable);
    Expr { kind: ExprKind::Call { function: f, args }, data_type: result, nullable }
}

/// Types a call by the function's rule.
pub(super) fn resolve(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    match f.resolve {
        Resolve::Rule(rule) => rule(f, args),
        Resolve::Fixed { params, optional, result, partial } => {
            count(f, &args, params.len() - optional, params.len())?;
            let args = params
                .iter()
                .zip(args)
                .enumerate()
                .map(|(i, (param, arg))| param.check(f, i, arg))
                .collect::<Result<_>>()?;
            Ok(call(f, args, result, partial))
        }
    }
}
