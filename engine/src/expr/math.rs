//! Mathematical functions of DOUBLE, by libm: the same bits on every machine.

use std::f64::consts;

use arrow_array::ArrayRef;

use crate::error::Result;
use crate::schema::DataType;

use super::args::Args;
use super::arith::nan_f64;
use super::resolve::Param;
use super::{Expr, Function, Kernel, Resolve};

const DOUBLE: Param = Param::Is(DataType::Double);

fn map(args: &Args<'_>, f: impl Fn(f64) -> f64) -> ArrayRef {
    let x = args.view::<f64>(0);
    args.each(|row| nan_f64(f(x.at(row))))
}

fn map2(args: &Args<'_>, f: impl Fn(f64, f64) -> f64) -> ArrayRef {
    let (x, y) = (args.view::<f64>(0), args.view::<f64>(1));
    args.each(|row| nan_f64(f(x.at(row), y.at(row))))
}

/// `LOG(x)` or `LOG(base, x)`.
fn log(args: &Args<'_>) -> ArrayRef {
    if args.has(1) {
        map2(args, |base, x| libm::log(x) / libm::log(base))
    } else {
        map(args, libm::log)
    }
}

fn resolve_constant(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    super::resolve::count(f, &args, 0, 0)?;
    let value = if f.name == "PI" { consts::PI } else { consts::E };
    Ok(Expr::literal(crate::value::Value::Double(value), DataType::Double))
}

const fn entry(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    kernel: fn(&Args<'_>) -> ArrayRef,
) -> Function {
    let resolve =
        Resolve::Fixed { params: &[DOUBLE], optional: 0, result: DataType::Double, partial: false };
    Function { name, syntax, doc, example, resolve, kernel: Kernel::Total(kernel) }
}

/// The same with two arguments, the second optional where `optional` is 1.
const fn entry2(function: Function, optional: usize) -> Function {
    let resolve = Resolve::Fixed {
        params: &[DOUBLE, DOUBLE],
        optional,
        result: DataType::Double,
        partial: false,
    };
    Function { resolve, ..function }
}

const fn constant(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
) -> Function {
    let resolve = Resolve::Rule(resolve_constant);
    Function { name, syntax, doc, example, resolve, kernel: Kernel::Rewritten }
}

/// The registry's part of this file.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Function] = &[
    entry2(entry("POWER", "POWER(x, y)", "`x` to the power of `y`, as DOUBLE.", ("POWER(2, 10)", "1024.0"), |a| map2(a, libm::pow)), 0),
    entry("SQRT", "SQRT(x)", "The square root; NaN of a negative number.", ("SQRT(6.25)", "2.5"), |a| map(a, libm::sqrt)),
    entry("EXP", "EXP(x)", "e to the power of `x`.", ("EXP(0)", "1.0"), |a| map(a, libm::exp)),
    entry("LN", "LN(x)", "The natural logarithm.", ("LN(1)", "0.0"), |a| map(a, libm::log)),
    entry("LOG10", "LOG10(x)", "The logarithm to base 10.", ("LOG10(1000)", "3.0"), |a| map(a, libm::log10)),
    entry("LOG2", "LOG2(x)", "The logarithm to base 2.", ("LOG2(8)", "3.0"), |a| map(a, libm::log2)),
    entry2(entry("LOG", "LOG([base, ]x)", "The logarithm to that base, the natural one without.", ("LOG(2, 16)", "4.0"), log), 1),
    entry("SIN", "SIN(x)", "The sine of an angle in radians.", ("SIN(0)", "0.0"), |a| map(a, libm::sin)),
    entry("COS", "COS(x)", "The cosine of an angle in radians.", ("COS(0)", "1.0"), |a| map(a, libm::cos)),
    entry("TAN", "TAN(x)", "The tangent of an angle in radians.", ("TAN(0)", "0.0"), |a| map(a, libm::tan)),
    entry("ASIN", "ASIN(x)", "The angle in radians whose sine is `x`.", ("ASIN(1) * 2 = PI()", "TRUE"), |a| map(a, libm::asin)),
    entry("ACOS", "ACOS(x)", "The angle in radians whose cosine is `x`.", ("ACOS(1)", "0.0"), |a| map(a, libm::acos)),
    entry("ATAN", "ATAN(x)", "The angle in radians whose tangent is `x`.", ("ATAN(1) * 4 = PI()", "TRUE"), |a| map(a, libm::atan)),
    entry2(entry("ATAN2", "ATAN2(y, x)", "The angle in radians of the point (x, y).", ("ATAN2(1, 1) * 4 = PI()", "TRUE"), |a| map2(a, libm::atan2)), 0),
    entry("SINH", "SINH(x)", "The hyperbolic sine.", ("SINH(0)", "0.0"), |a| map(a, libm::sinh)),
    entry("COSH", "COSH(x)", "The hyperbolic cosine.", ("COSH(0)", "1.0"), |a| map(a, libm::cosh)),
    entry("TANH", "TANH(x)", "The hyperbolic tangent.", ("TANH(0)", "0.0"), |a| map(a, libm::tanh)),
    entry("DEGREES", "DEGREES(x)", "Radians as degrees.", ("DEGREES(PI())", "180.0"), |a| map(a, |x| x * (180.0 / consts::PI))),
    entry("RADIANS", "RADIANS(x)", "Degrees as radians.", ("RADIANS(180) = PI()", "TRUE"), |a| map(a, |x| x * (consts::PI / 180.0))),
    constant("PI", "PI()", "The ratio of a circle's circumference to its diameter.", ("PI()", "3.141592653589793")),
    constant("E", "E()", "The base of the natural logarithm.", ("E()", "2.718281828459045")),
];
