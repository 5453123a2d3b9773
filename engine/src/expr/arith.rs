//! Arithmetic: integers wrap, division by zero of exact numbers names its row, decimals are Flink's.

use arrow_array::{Array, ArrayRef};

use crate::error::{Diagnostic, Result};
use crate::schema::DataType;
use crate::value::{Value, canonical_f32, canonical_f64};

use super::args::{Args, Native, row_error};
use super::decimal::{self, Operator};
use super::resolve::{call, clash, common_type, count, decimal_shape, unify, widen};
use super::{Expr, Function, Kernel, Outcome, Resolve};

fn resolve_binary(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 2, 2)?;
    for (arg, other) in args.iter().zip(args.iter().rev()) {
        if !arg.data_type.is_numeric() && arg.data_type != DataType::Null {
            let error = Diagnostic::new(
                "sql.type",
                format!(
                    "{} expects numbers, not {} and {}",
                    f.name, args[0].data_type, args[1].data_type
                ),
            );
            let (arg, other) = (arg.data_type, other.data_type);
            return Err(match arg {
                DataType::String if f.name == "+" => error.hint("a || b joins text"),
                DataType::String if other.is_numeric() => {
                    error.hint(format!("CAST(… AS {other}) reads a number from text"))
                }
                t if t.is_timestamp() => {
                    error.hint("TIMESTAMPDIFF(SECOND, a, b) measures time; an INTERVAL moves it")
                }
                _ => error,
            });
        }
    }
    let op = operator(f.name);
    let (a, b) = (args[0].data_type, args[1].data_type);
    let common = common_type(a, b).ok_or_else(|| clash(f.name, a, b))?;
    if !matches!(common, DataType::Decimal(..)) {
        let (args, result) = unify(f.name, args)?;
        return Ok(call(f, args, result, false));
    }
    // Each operand keeps its own precision and scale: the result's follow from them.
    let mut shapes = Vec::new();
    let mut exact = Vec::new();
    for arg in args {
        let (p, s) = decimal_shape(arg.data_type).or(decimal_shape(common)).unwrap_or((38, 0));
        shapes.push((p, s));
        exact.push(
            widen(arg, DataType::Decimal(p, s)).map_err(|e| clash(f.name, e.data_type, common))?,
        );
    }
    Ok(call(f, exact, decimal::result_type(op, shapes[0], shapes[1]), true))
}

fn operator(name: &str) -> Operator {
    match name {
        "+" => Operator::Add,
        "-" => Operator::Subtract,
        "*" => Operator::Multiply,
        "/" => Operator::Divide,
        _ => Operator::Modulo,
    }
}

fn resolve_negate(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 1, 1)?;
    let (mut args, t) = unify(f.name, args)?;
    if !t.is_numeric() {
        return Err(Diagnostic::new("sql.type", format!("the sign expects a number, not {t}")));
    }
    // A negative constant is a constant, so that the planner sees `-1` as it was written.
    let negative = args[0].as_literal().and_then(|value| match value {
        Value::Int(v) => Some(Value::Int(v.wrapping_neg())),
        Value::BigInt(v) => Some(Value::BigInt(v.wrapping_neg())),
        Value::Double(v) => Some(Value::Double(-v)),
        Value::Decimal(v, s) => Some(Value::Decimal(-v, *s)),
        _ => None,
    });
    match negative {
        Some(value) => Ok(Expr::literal(value, t)),
        None => Ok(call(f, std::mem::take(&mut args), t, false)),
    }
}

/// A tight loop over two columns, or a column and a constant.
fn binary<T: Native>(args: &Args<'_>, f: impl Fn(T, T) -> T) -> ArrayRef {
    let (left, right) = (&args.columns[0], &args.columns[1]);
    let (a, b) = (T::slice(&left.array), T::slice(&right.array));
    let values: Vec<T> = match (left.constant, right.constant) {
        (false, true) => {
            let y = b[0];
            a.iter().map(|x| f(*x, y)).collect()
        }
        (true, false) => {
            let x = a[0];
            b.iter().map(|y| f(x, *y)).collect()
        }
        _ => a.iter().zip(b).map(|(x, y)| f(*x, *y)).collect(),
    };
    T::array(values, args.nulls.clone(), args.result)
}

/// Operands and result as decimals; never an error but for a zero divisor.
fn decimals(args: &Args<'_>, op: Operator) -> Outcome<ArrayRef> {
    let scale = |i: usize| match args.columns[i].array.data_type() {
        arrow_schema::DataType::Decimal128(_, s) => *s as u8,
        _ => 0,
    };
    let (s1, s2) = (scale(0), scale(1));
    let (a, b) = (args.view::<i128>(0), args.view::<i128>(1));
    let to = decimal_shape(args.result).unwrap_or((38, 0));
    let divides = matches!(op, Operator::Divide | Operator::Modulo);
    args.try_each(|row| {
        let divisor = b.at(row);
        if divides && divisor == 0 {
            return Err(by_zero());
        }
        Ok(decimal::compute(op, (a.at(row), s1), (divisor, s2), to))
    })
}

fn by_zero() -> crate::error::Error {
    Diagnostic::new("run.division-by-zero", "division by zero")
        .hint("NULLIF(divisor, 0) gives NULL instead")
}

/// The first row whose integer divisor is zero.
fn check_divisor<T: Native + PartialEq>(args: &Args<'_>) -> Outcome<()> {
    let b = args.view::<T>(1);
    let zero = T::default();
    match (0..args.rows).find(|row| b.at(*row) == zero && args.valid(*row)) {
        Some(row) => Err(row_error(row, by_zero())),
        None => Ok(()),
    }
}

/// Operands of one type give that type; integers wrap.
macro_rules! wrapping {
    ($args:expr, $method:ident, $op:tt) => {
        match $args.result {
            DataType::Int => binary::<i32>($args, i32::$method),
            DataType::BigInt => binary::<i64>($args, i64::$method),
            DataType::Float => binary::<f32>($args, |x, y| nan_f32(x $op y)),
            DataType::Double => binary::<f64>($args, |x, y| nan_f64(x $op y)),
            _ => decimals_total($args, operator(stringify!($op))),
        }
    };
}

/// Addition, subtraction and multiplication of decimals cannot fail.
fn decimals_total(args: &Args<'_>, op: Operator) -> ArrayRef {
    decimals(args, op).unwrap_or_else(|_| args.each_option::<i128>(|_| None))
}

pub(super) fn nan_f64(v: f64) -> f64 {
    if v.is_nan() { canonical_f64(v) } else { v }
}

pub(super) fn nan_f32(v: f32) -> f32 {
    if v.is_nan() { canonical_f32(v) } else { v }
}

fn divide(args: &Args<'_>) -> Outcome<ArrayRef> {
    Ok(match args.result {
        DataType::Int => {
            check_divisor::<i32>(args)?;
            binary::<i32>(args, |x, y| if y == 0 { 0 } else { x.wrapping_div(y) })
        }
        DataType::BigInt => {
            check_divisor::<i64>(args)?;
            binary::<i64>(args, |x, y| if y == 0 { 0 } else { x.wrapping_div(y) })
        }
        DataType::Float => binary::<f32>(args, |x, y| nan_f32(x / y)),
        DataType::Double => binary::<f64>(args, |x, y| nan_f64(x / y)),
        _ => return decimals(args, Operator::Divide),
    })
}

fn modulo(args: &Args<'_>) -> Outcome<ArrayRef> {
    Ok(match args.result {
        DataType::Int => {
            check_divisor::<i32>(args)?;
            binary::<i32>(args, |x, y| if y == 0 { 0 } else { x.wrapping_rem(y) })
        }
        DataType::BigInt => {
            check_divisor::<i64>(args)?;
            binary::<i64>(args, |x, y| if y == 0 { 0 } else { x.wrapping_rem(y) })
        }
        DataType::Float => binary::<f32>(args, |x, y| nan_f32(libm::fmodf(x, y))),
        DataType::Double => binary::<f64>(args, |x, y| nan_f64(libm::fmod(x, y))),
        _ => return decimals(args, Operator::Modulo),
    })
}

fn negate(args: &Args<'_>) -> ArrayRef {
    fn each<T: Native>(args: &Args<'_>, f: impl Fn(T) -> T) -> ArrayRef {
        let x = args.view::<T>(0);
        args.each(|row| f(x.at(row)))
    }
    match args.result {
        DataType::Int => each(args, i32::wrapping_neg),
        DataType::BigInt => each(args, i64::wrapping_neg),
        DataType::Float => each(args, |x: f32| nan_f32(-x)),
        DataType::Double => each(args, |x: f64| nan_f64(-x)),
        _ => each(args, i128::wrapping_neg),
    }
}

const fn entry(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    kernel: Kernel,
) -> Function {
    Function { name, syntax, doc, example, resolve: Resolve::Rule(resolve_binary), kernel }
}

/// The registry's part of this file.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Function] = &[
    entry("+", "a + b", "The sum; integers wrap around, a decimal beyond 38 digits is NULL.", ("2147483647 + 1", "-2147483648"),
        Kernel::Total(|args| wrapping!(args, wrapping_add, +))),
    entry("-", "a - b", "The difference; integers wrap around, a decimal beyond 38 digits is NULL.", ("1.50 - 2", "-0.50"),
        Kernel::Total(|args| wrapping!(args, wrapping_sub, -))),
    entry("*", "a * b", "The product; integers wrap around, a decimal beyond 38 digits is NULL.", ("1.5 * 1.5", "2.25"),
        Kernel::Total(|args| wrapping!(args, wrapping_mul, *))),
    entry("/", "a / b", "The quotient; of integers it is cut toward zero, and a zero divisor is an error except for DOUBLE and FLOAT.", ("-7 / 2", "-3"),
        Kernel::Strict(divide)),
    entry("%", "a % b", "The rest of the division, with the sign of `a`.", ("-7 % 3", "-1"), Kernel::Strict(modulo)),
    entry("MOD", "MOD(a, b)", "The rest of the division, with the sign of `a`.", ("MOD(7, 3)", "1"), Kernel::Strict(modulo)),
    Function { name: "NEG", syntax: "-a", doc: "The number with the other sign.", example: ("-(1 - 3)", "2"),
        resolve: Resolve::Rule(resolve_negate), kernel: Kernel::Total(negate) },
];
