//! Three-valued logic and the expressions that leave operands alone: CASE, AND, OR, COALESCE, IF.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use crate::column;
use crate::error::Result;
use crate::schema::DataType;
use crate::value::Value;

use super::args::Args;
use super::build::boolean;
use super::evaluate::{Datum, Input, datum};
use super::resolve::{call, count, unify};
use super::{Expr, Function, Kernel, Outcome, Resolve};

/// Evaluates `a AND b` or `a OR b`; `b` only for the rows that `a` does not decide.
pub(super) fn and_or(a: &Expr, b: &Expr, and: bool, input: &Input<'_>) -> Outcome<Datum> {
    let first = datum(a, input)?;
    let rows = input.rows();
    let left = Truth::of(&first.bits(rows));
    let decided = if and { &left.no } else { &left.yes };
    let open = rows - decided.count_set_bits();
    if open == 0 {
        return Ok(first);
    }
    let right = if open == rows || never_fails(b) {
        Truth::of(&datum(b, input)?.bits(rows))
    } else {
        let rest: Vec<u32> = (!decided).set_indices().map(|r| r as u32).collect();
        let positions = input.positions(&rest);
        let part = Truth::of(&datum(b, &input.narrow(&positions))?.bits(rest.len()));
        part.spread(&rest, rows)
    };
    let (yes, no) = if and {
        (&left.yes & &right.yes, &left.no | &right.no)
    } else {
        (&left.yes | &right.yes, &left.no & &right.no)
    };
    Ok(Datum::column(Truth { yes, no }.array()))
}

/// The rows where a BOOLEAN is TRUE and those where it is FALSE; NULL is neither.
struct Truth {
    yes: BooleanBuffer,
    no: BooleanBuffer,
}

impl Truth {
    fn of(array: &BooleanArray) -> Truth {
        let values = array.values();
        match array.nulls() {
            Some(nulls) => Truth { yes: values & nulls.inner(), no: &!values & nulls.inner() },
            None => Truth { yes: values.clone(), no: !values },
        }
    }

    /// The rows at their places among `rows`; the others are NULL.
    fn spread(&self, places: &[u32], rows: usize) -> Truth {
        let spread = |bits: &BooleanBuffer| {
            let mut all = vec![false; rows];
            for (i, place) in places.iter().enumerate() {
                all[*place as usize] = bits.value(i);
            }
            BooleanBuffer::from(all)
        };
        Truth { yes: spread(&self.yes), no: spread(&self.no) }
    }

    fn array(self) -> ArrayRef {
        let known = &self.yes | &self.no;
        let nulls = (known.count_set_bits() < known.len()).then(|| NullBuffer::new(known));
        Arc::new(BooleanArray::new(self.yes, nulls))
    }
}

/// True when evaluating for more rows than needed can do no harm: it is quicker than gathering.
fn never_fails(expr: &Expr) -> bool {
    let mut total = true;
    expr.visit(&mut |e| {
        total &= match &e.kind {
            super::ExprKind::Call { function, .. } => {
                matches!(function.kernel, Kernel::Total(_) | Kernel::Nullable(_))
            }
            super::ExprKind::Cast { input, .. } => {
                input.data_type.is_numeric() && !matches!(e.data_type, DataType::Decimal(..))
            }
            super::ExprKind::Case { .. } => false,
            _ => true,
        }
    });
    total
}

/// Results of branches put together row by row.
struct Merge {
    pieces: Vec<ArrayRef>,
    /// How many values the pieces hold.
    held: u32,
    /// For each row, which of them it takes.
    source: Vec<u32>,
    rows: usize,
}

impl Merge {
    fn new(rows: usize) -> Merge {
        Merge { pieces: Vec::new(), held: 0, source: vec![0; rows], rows }
    }

    /// Those rows take the values of `part`, which holds one for each of them.
    fn add(&mut self, part: Datum, rows: &[u32]) {
        for (i, row) in rows.iter().enumerate() {
            let offset = if part.constant { 0 } else { i as u32 };
            self.source[*row as usize] = self.held + offset;
        }
        self.held += part.array.len() as u32;
        self.pieces.push(part.array);
    }

    fn finish(self, data_type: DataType) -> Datum {
        if self.pieces.is_empty() {
            return Datum::column(column::from_values(&vec![Value::Null; self.rows], data_type));
        }
        let all = column::concat(&self.pieces);
        Datum::column(column::take(&all, &self.source))
    }
}

/// `CASE`: every row takes its first branch that is TRUE, and only that is evaluated for it.
pub(super) fn case(
    branches: &[(Expr, Expr)],
    otherwise: &Expr,
    data_type: DataType,
    input: &Input<'_>,
) -> Outcome<Datum> {
    let rows = input.rows();
    let mut merge = Merge::new(rows);
    let mut open: Vec<u32> = (0..rows as u32).collect();
    for (condition, result) in branches {
        let positions = input.positions(&open);
        let here = if open.len() == rows { *input } else { input.narrow(&positions) };
        let truth = datum(condition, &here)?;
        let taken = Truth::of(&truth.bits(open.len())).yes;
        if taken.count_set_bits() == rows {
            return datum(result, input);
        }
        let (mut chosen, mut rest) = (Vec::new(), Vec::new());
        for (i, row) in open.iter().enumerate() {
            if taken.value(i) { chosen.push(*row) } else { rest.push(*row) }
        }
        if !chosen.is_empty() {
            let positions = input.positions(&chosen);
            merge.add(datum(result, &input.narrow(&positions))?, &chosen);
        }
        open = rest;
        if open.is_empty() {
            break;
        }
    }
    if open.len() == rows {
        return datum(otherwise, input);
    }
    if !open.is_empty() {
        let positions = input.positions(&open);
        merge.add(datum(otherwise, &input.narrow(&positions))?, &open);
    }
    Ok(merge.finish(data_type))
}

/// `COALESCE`: every row takes its first operand that is not NULL, and evaluates no further.
fn coalesce(args: &[Expr], result: DataType, input: &Input<'_>) -> Outcome<Datum> {
    let rows = input.rows();
    let mut merge = Merge::new(rows);
    let mut open: Vec<u32> = (0..rows as u32).collect();
    for (i, arg) in args.iter().enumerate() {
        let positions = input.positions(&open);
        let all = open.len() == rows;
        let part = if all { datum(arg, input)? } else { datum(arg, &input.narrow(&positions))? };
        let last = i + 1 == args.len();
        let full = part.array.null_count() == 0 || last;
        if all && full {
            return Ok(part);
        }
        let rest = if full {
            Vec::new()
        } else {
            let null = |i: usize| part.array.is_null(if part.constant { 0 } else { i });
            open.iter().enumerate().filter(|(i, _)| null(*i)).map(|(_, row)| *row).collect()
        };
        merge.add(part, &open);
        open = rest;
        if open.is_empty() {
            break;
        }
    }
    Ok(merge.finish(result))
}

fn resolve_coalesce(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 1, if f.name == "IFNULL" { 2 } else { usize::MAX })?;
    let (args, result) = unify(f.name, args)?;
    let nullable = args.iter().all(|a| a.nullable);
    Ok(Expr { nullable, ..call(f, args, result, false) })
}

fn resolve_if(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 3, 3)?;
    let mut args = args.into_iter();
    let (Some(condition), Some(yes), no) = (args.next(), args.next(), args.next()) else {
        unreachable!("three arguments were counted")
    };
    Expr::case(vec![(boolean("IF", condition)?, yes)], no)
}

fn resolve_nullif(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 2, 2)?;
    let equal = Expr::call("=", args.clone())?;
    let mut args = args.into_iter();
    let first = args.next().expect("two arguments were counted");
    let null = Expr::literal(Value::Null, first.data_type);
    Expr::case(vec![(equal, null)], Some(first))
}

fn resolve_test(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 1, 1)?;
    let args = args.into_iter().map(|a| boolean(f.name, a)).collect::<Result<_>>()?;
    let nullable = f.name == "NOT";
    let expr = call(f, args, DataType::Boolean, false);
    Ok(Expr { nullable: nullable && expr.nullable, ..expr })
}

fn resolve_null_test(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 1, 1)?;
    // An untyped NULL has no column of its own.
    let typed = |a: Expr| {
        if a.data_type == DataType::Null { a.cast_unchecked(DataType::Int, true) } else { a }
    };
    let args = args.into_iter().map(typed).collect();
    Ok(Expr { nullable: false, ..call(f, args, DataType::Boolean, false) })
}

fn resolve_and_or(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 2, usize::MAX)?;
    let mut args = args.into_iter();
    let first = args.next().expect("the arguments were counted");
    args.try_fold(first, |a, b| if f.name == "AND" { a.and(b) } else { a.or(b) })
}

fn bits(values: BooleanBuffer) -> ArrayRef {
    Arc::new(BooleanArray::new(values, None))
}

fn null_test(args: &Args<'_>, null: bool) -> ArrayRef {
    bits(BooleanBuffer::collect_bool(args.rows, |row| args.is_null(0, row) == null))
}

fn not(args: &Args<'_>) -> ArrayRef {
    let array = args.bits(0);
    Arc::new(BooleanArray::new(!array.values(), array.nulls().cloned()))
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
    entry("AND", "a AND b", "TRUE when both are TRUE, FALSE when one is FALSE, NULL otherwise; `b` is evaluated only where `a` is not FALSE.",
        ("FALSE AND 1 / 0 = 1", "FALSE"), resolve_and_or, Kernel::Rewritten),
    entry("OR", "a OR b", "TRUE when one is TRUE, FALSE when both are FALSE, NULL otherwise; `b` is evaluated only where `a` is not TRUE.",
        ("TRUE OR CAST(NULL AS BOOLEAN)", "TRUE"), resolve_and_or, Kernel::Rewritten),
    entry("NOT", "NOT a", "The opposite; NULL of NULL.", ("NOT FALSE", "TRUE"), resolve_test, Kernel::Total(not)),
    entry("IS NULL", "x IS NULL", "Whether the value is NULL.", ("1 IS NULL", "FALSE"),
        resolve_null_test, Kernel::Nullable(|a| null_test(a, true))),
    entry("IS NOT NULL", "x IS NOT NULL", "Whether the value is not NULL.", ("1 IS NOT NULL", "TRUE"),
        resolve_null_test, Kernel::Nullable(|a| null_test(a, false))),
    entry("IS TRUE", "a IS TRUE", "Whether it is TRUE; FALSE of NULL.", ("CAST(NULL AS BOOLEAN) IS TRUE", "FALSE"),
        resolve_test, Kernel::Nullable(|a| bits(Truth::of(&a.bits(0)).yes))),
    entry("IS NOT TRUE", "a IS NOT TRUE", "Whether it is FALSE or NULL.", ("CAST(NULL AS BOOLEAN) IS NOT TRUE", "TRUE"),
        resolve_test, Kernel::Nullable(|a| bits(!&Truth::of(&a.bits(0)).yes))),
    entry("IS FALSE", "a IS FALSE", "Whether it is FALSE; FALSE of NULL.", ("(1 > 2) IS FALSE", "TRUE"),
        resolve_test, Kernel::Nullable(|a| bits(Truth::of(&a.bits(0)).no))),
    entry("IS NOT FALSE", "a IS NOT FALSE", "Whether it is TRUE or NULL.", ("(1 > 2) IS NOT FALSE", "FALSE"),
        resolve_test, Kernel::Nullable(|a| bits(!&Truth::of(&a.bits(0)).no))),
    entry("COALESCE", "COALESCE(a, b, …)", "The first argument that is not NULL; later ones are not evaluated.",
        ("COALESCE(NULL, 2, 1 / 0)", "2"), resolve_coalesce, Kernel::Lazy(coalesce)),
    entry("IFNULL", "IFNULL(x, default)", "The value, or the default where it is NULL.", ("IFNULL(NULL, 'none')", "none"),
        resolve_coalesce, Kernel::Lazy(coalesce)),
    entry("IF", "IF(condition, yes, no)", "`yes` where the condition is TRUE, `no` elsewhere; only the one needed is evaluated.",
        ("IF(1 < 2, 'less', 'more')", "less"), resolve_if, Kernel::Rewritten),
    entry("NULLIF", "NULLIF(a, b)", "NULL where both are equal, `a` elsewhere.", ("NULLIF(5, 0)", "5"), resolve_nullif, Kernel::Rewritten),
];
