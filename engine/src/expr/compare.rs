//! Comparison: one type on both sides, NULL of NULL; text and bytes by bytes, floats as IEEE 754 says.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use crate::error::{Diagnostic, Result};
use crate::schema::DataType;

use super::args::{Args, Native};
use super::evaluate::Datum;
use super::resolve::{call, clash, count, decimal_shape, unify, widen};
use super::{Expr, Function, Kernel, Resolve, decimal};

/// Gives all operands a type they can be compared in. Exact numbers keep their scales.
fn comparable(f: &'static Function, args: Vec<Expr>) -> Result<Vec<Expr>> {
    let decimals = args.iter().any(|a| matches!(a.data_type, DataType::Decimal(..)));
    let exact = |t| decimal_shape(t).is_some() || t == DataType::Null;
    if decimals && args.iter().all(|a| exact(a.data_type)) {
        return args
            .into_iter()
            .map(|a| {
                let (p, s) = decimal_shape(a.data_type).unwrap_or((38, 0));
                widen(a, DataType::Decimal(p, s))
                    .map_err(|e| clash(f.name, e.data_type, e.data_type))
            })
            .collect();
    }
    Ok(unify(f.name, args)?.0)
}

fn resolve_binary(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 2, 2)?;
    Ok(call(f, comparable(f, args)?, DataType::Boolean, false))
}

fn resolve_distinct(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    Ok(Expr { nullable: false, ..resolve_binary(f, args)? })
}

fn resolve_in(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 2, usize::MAX)?;
    Ok(call(f, comparable(f, args)?, DataType::Boolean, false))
}

fn resolve_between(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 3, 3)?;
    let [x, low, high] = <[Expr; 3]>::try_from(args)
        .map_err(|_| Diagnostic::new("sql.argument", "BETWEEN expects x, low, high"))?;
    Expr::call(">=", vec![x.clone(), low])?.and(Expr::call("<=", vec![x, high])?)
}

fn resolve_extreme(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 1, usize::MAX)?;
    let (args, result) = unify(f.name, args)?;
    Ok(call(f, args, result, false))
}

/// Which orderings a comparison accepts; `None` (a NaN) is accepted by `<>` alone.
#[derive(Clone, Copy)]
struct Test {
    less: bool,
    equal: bool,
    greater: bool,
}

impl Test {
    const EQ: Test = Test { less: false, equal: true, greater: false };
    const LT: Test = Test { less: true, equal: false, greater: false };
    const LE: Test = Test { less: true, equal: true, greater: false };
    const GT: Test = Test { less: false, equal: false, greater: true };
    const GE: Test = Test { less: false, equal: true, greater: true };

    fn accepts(self, ordering: Ordering) -> bool {
        match ordering {
            Ordering::Less => self.less,
            Ordering::Equal => self.equal,
            Ordering::Greater => self.greater,
        }
    }
}

/// A tight loop over two columns of one fixed-width type. What is greater is what the other is less
/// than: each type needs three loops, not five.
fn fixed<T: Native + PartialOrd>(a: &Datum, b: &Datum, rows: usize, test: Test) -> BooleanBuffer {
    fn run<T: Native>(
        a: &Datum,
        b: &Datum,
        rows: usize,
        f: impl Fn(T, T) -> bool,
    ) -> BooleanBuffer {
        let (x, y) = (T::slice(&a.array), T::slice(&b.array));
        match (a.constant, b.constant) {
            (false, true) => {
                let y = y[0];
                BooleanBuffer::collect_bool(rows, |i| f(x[i], y))
            }
            (true, false) => {
                let x = x[0];
                BooleanBuffer::collect_bool(rows, |i| f(x, y[i]))
            }
            (false, false) => BooleanBuffer::collect_bool(rows, |i| f(x[i], y[i])),
            // Two constants beside a column: IN.
            (true, true) if f(x[0], y[0]) => BooleanBuffer::new_set(rows),
            (true, true) => BooleanBuffer::new_unset(rows),
        }
    }
    let (a, b) = if test.greater { (b, a) } else { (a, b) };
    match (test.less || test.greater, test.equal) {
        (false, _) => run::<T>(a, b, rows, |x, y| x == y),
        (true, false) => run::<T>(a, b, rows, |x, y| x < y),
        (true, true) => run::<T>(a, b, rows, |x, y| x <= y),
    }
}

/// Compares two columns of one type; rows with NULL hold anything.
fn compare(a: &Datum, b: &Datum, rows: usize, test: Test) -> BooleanBuffer {
    use arrow_schema::DataType as Arrow;
    let (i, j) = (usize::from(!a.constant), usize::from(!b.constant));
    match (a.array.data_type(), b.array.data_type()) {
        (Arrow::Int32 | Arrow::Date32, _) => fixed::<i32>(a, b, rows, test),
        (Arrow::Int64 | Arrow::Timestamp(..), _) => fixed::<i64>(a, b, rows, test),
        (Arrow::Float32, _) => fixed::<f32>(a, b, rows, test),
        (Arrow::Float64, _) => fixed::<f64>(a, b, rows, test),
        (Arrow::Decimal128(_, s1), Arrow::Decimal128(_, s2)) if s1 == s2 => {
            fixed::<i128>(a, b, rows, test)
        }
        (Arrow::Decimal128(_, s1), Arrow::Decimal128(_, s2)) => {
            let (x, y) = (i128::slice(&a.array), i128::slice(&b.array));
            let (s1, s2) = (*s1 as u8, *s2 as u8);
            BooleanBuffer::collect_bool(rows, |row| {
                test.accepts(decimal::compare((x[row * i], s1), (y[row * j], s2)))
            })
        }
        (Arrow::Utf8, _) => {
            let (x, y) = (a.array.as_string::<i32>(), b.array.as_string::<i32>());
            BooleanBuffer::collect_bool(rows, |row| {
                test.accepts(x.value(row * i).as_bytes().cmp(y.value(row * j).as_bytes()))
            })
        }
        (Arrow::Binary, _) => {
            let (x, y) = (a.array.as_binary::<i32>(), b.array.as_binary::<i32>());
            BooleanBuffer::collect_bool(rows, |row| {
                test.accepts(x.value(row * i).cmp(y.value(row * j)))
            })
        }
        _ => {
            let (x, y) = (a.bits(rows), b.bits(rows));
            BooleanBuffer::collect_bool(rows, |row| test.accepts(x.value(row).cmp(&y.value(row))))
        }
    }
}

fn strict(args: &Args<'_>, test: Test) -> ArrayRef {
    let bits = compare(&args.columns[0], &args.columns[1], args.rows, test);
    Arc::new(BooleanArray::new(bits, args.nulls.clone()))
}

fn unequal(args: &Args<'_>) -> ArrayRef {
    let bits = compare(&args.columns[0], &args.columns[1], args.rows, Test::EQ);
    Arc::new(BooleanArray::new(!&bits, args.nulls.clone()))
}

/// Where that argument is not NULL.
fn known(args: &Args<'_>, index: usize) -> BooleanBuffer {
    BooleanBuffer::collect_bool(args.rows, |row| !args.is_null(index, row))
}

fn distinct(args: &Args<'_>, wanted: bool) -> ArrayRef {
    let equal = compare(&args.columns[0], &args.columns[1], args.rows, Test::EQ);
    let (a, b) = (known(args, 0), known(args, 1));
    let both = &a & &b;
    let neither = !&(&a | &b);
    let same = &(&equal & &both) | &neither;
    Arc::new(BooleanArray::new(if wanted { !&same } else { same }, None))
}

/// TRUE when one is equal; NULL when none is but one is NULL.
fn is_in(args: &Args<'_>) -> ArrayRef {
    let x = known(args, 0);
    let mut found = BooleanBuffer::new_unset(args.rows);
    let mut sure = x.clone();
    for index in 1..args.columns.len() {
        let item = known(args, index);
        let equal = compare(&args.columns[0], &args.columns[index], args.rows, Test::EQ);
        found = &found | &(&equal & &(&item & &x));
        sure = &sure & &item;
    }
    let valid = &sure | &found;
    let nulls = (valid.count_set_bits() < args.rows).then(|| NullBuffer::new(valid));
    Arc::new(BooleanArray::new(found, nulls))
}

/// The greatest or least argument of each row; a NaN is above all numbers.
fn extreme(args: &Args<'_>, greatest: bool) -> ArrayRef {
    let wanted = if greatest { Ordering::Greater } else { Ordering::Less };
    let best = |row: usize, cmp: &dyn Fn(usize, usize) -> Ordering| {
        (1..args.columns.len())
            .fold(0, |best, i| if args.valid(row) && cmp(i, best) == wanted { i } else { best })
    };
    let values: Vec<crate::value::Value> = (0..args.rows)
        .map(|row| {
            if !args.valid(row) {
                return crate::value::Value::Null;
            }
            let at = |i: usize| {
                let column = &args.columns[i];
                let place = if column.constant { 0 } else { row };
                crate::column::value_at(&column.array, args.result, place)
            };
            at(best(row, &|i, j| at(i).total_cmp(&at(j))))
        })
        .collect();
    crate::column::from_values(&values, args.result)
}

const fn entry(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    resolve: fn(&'static Function, Vec<Expr>) -> Result<Expr>,
    kernel: Kernel,
) -> Function {
    Function { name, syntax, doc, example, resolve: Resolve::Rule(resolve), kernel }
}

/// The registry's part of this file.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Function] = &[
    entry("=", "a = b", "Whether both are equal; NULL when one is NULL.", ("1.0 = 1", "TRUE"), resolve_binary, Kernel::Total(|a| strict(a, Test::EQ))),
    entry("<>", "a <> b", "Whether they differ; NULL when one is NULL.", ("'a' <> 'A'", "TRUE"), resolve_binary, Kernel::Total(unequal)),
    entry("<", "a < b", "Whether `a` is less; text is compared by bytes.", ("'B' < 'a'", "TRUE"), resolve_binary, Kernel::Total(|a| strict(a, Test::LT))),
    entry("<=", "a <= b", "Whether `a` is less or equal.", ("2 <= 2", "TRUE"), resolve_binary, Kernel::Total(|a| strict(a, Test::LE))),
    entry(">", "a > b", "Whether `a` is greater.", ("2 > 10", "FALSE"), resolve_binary, Kernel::Total(|a| strict(a, Test::GT))),
    entry(">=", "a >= b", "Whether `a` is greater or equal.", ("2 >= NULL", "NULL"), resolve_binary, Kernel::Total(|a| strict(a, Test::GE))),
    entry("IS DISTINCT FROM", "a IS DISTINCT FROM b", "Whether they differ, where NULL equals NULL; never NULL.", ("1 IS DISTINCT FROM NULL", "TRUE"),
        resolve_distinct, Kernel::Nullable(|a| distinct(a, true))),
    entry("IS NOT DISTINCT FROM", "a IS NOT DISTINCT FROM b", "Whether they are equal, where NULL equals NULL; never NULL.", ("1 IS NOT DISTINCT FROM 1", "TRUE"),
        resolve_distinct, Kernel::Nullable(|a| distinct(a, false))),
    entry("IN", "x IN (a, b, …)", "Whether one of the list is equal; NULL when none is but one is NULL.", ("2 IN (1, 2, NULL)", "TRUE"), resolve_in, Kernel::Nullable(is_in)),
    entry("BETWEEN", "x BETWEEN low AND high", "Whether `low <= x` and `x <= high`.", ("5 BETWEEN 1 AND 5", "TRUE"), resolve_between, Kernel::Rewritten),
    entry("GREATEST", "GREATEST(a, b, …)", "The greatest argument; NULL when one is NULL.", ("GREATEST(1, 2.5)", "2.5"), resolve_extreme, Kernel::Total(|a| extreme(a, true))),
    entry("LEAST", "LEAST(a, b, …)", "The least argument; NULL when one is NULL.", ("LEAST('b', 'a')", "a"), resolve_extreme, Kernel::Total(|a| extreme(a, false))),
];
