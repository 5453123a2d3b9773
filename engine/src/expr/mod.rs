//! Expressions: typed trees over the columns of a batch, evaluated a column at a time.

mod args;
mod arith;
mod build;
mod calendar;
mod cast;
mod compare;
mod decimal;
mod evaluate;
mod format;
pub mod guest;
mod logic;
mod math;
mod math_round;
mod print;
mod resolve;
mod select;
mod temporal;
mod text;
mod text_search;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use crate::error::Error;
use crate::schema::{DataType, Field};
use crate::value::Value;

use args::Args;
use evaluate::{Datum, Input};
use guest::GuestFunction;

pub use evaluate::evaluate;
pub use resolve::common_type;
pub use select::select;

/// A type-checked expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// The type of the result.
    pub data_type: DataType,
    /// Whether the result may be NULL.
    pub nullable: bool,
}

/// The kinds of expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A column of the input, by position.
    Column(usize),
    /// A constant.
    Literal(Value),
    /// A function or operator of the registry.
    Call {
        /// The registry's entry.
        function: &'static Function,
        /// The arguments, already of the types the function asked for.
        args: Vec<Expr>,
    },
    /// A function that a guest computes.
    Guest {
        /// The function.
        function: Box<GuestFunction>,
        /// The arguments, already of the types the function asks for.
        args: Vec<Expr>,
    },
    /// A conversion to the expression's type.
    Cast {
        /// What is converted.
        input: Box<Expr>,
        /// `TRY_CAST`: NULL instead of an error.
        lenient: bool,
    },
    /// The first branch whose condition is TRUE. Branches not taken are not evaluated.
    Case {
        /// Conditions and results.
        branches: Vec<(Expr, Expr)>,
        /// The result when no condition is TRUE.
        otherwise: Box<Expr>,
    },
    /// Three-valued AND; later operands are evaluated only where earlier ones are not FALSE.
    And(Box<Expr>, Box<Expr>),
    /// Three-valued OR; later operands are evaluated only where earlier ones are not TRUE.
    Or(Box<Expr>, Box<Expr>),
}

/// An entry of the function registry: what SQL's help says about it, how it is typed, how it runs.
#[derive(Clone, Debug)]
pub struct Function {
    /// The name as SQL writes it.
    pub name: &'static str,
    /// How a call is written, such as `ROUND(number[, decimals])`.
    pub syntax: &'static str,
    /// What it computes, in one sentence.
    pub doc: &'static str,
    /// An SQL expression without columns, and its value as text.
    pub example: (&'static str, &'static str),
    /// Checks the arguments, casts them and makes the call.
    resolve: Resolve,
    /// Computes a column.
    kernel: Kernel,
}

/// How a call is typed.
#[derive(Clone, Copy, Debug)]
enum Resolve {
    /// Arguments of fixed types, the last `optional` of them optional, and a fixed result.
    Fixed {
        /// What each argument is.
        params: &'static [resolve::Param],
        /// How many at the end may be left out.
        optional: usize,
        /// The result's type.
        result: DataType,
        /// Whether arguments without NULL may give NULL.
        partial: bool,
    },
    /// A rule of its own.
    Rule(fn(&'static Function, Vec<Expr>) -> crate::error::Result<Expr>),
}

/// How a call is computed.
#[derive(Clone, Copy, Debug)]
enum Kernel {
    /// NULL where an argument is NULL; the kernel skips those rows. Never fails otherwise.
    Total(fn(&Args<'_>) -> arrow_array::ArrayRef),
    /// NULL where an argument is NULL; the kernel skips those rows and may fail on others.
    Strict(fn(&Args<'_>) -> Outcome<arrow_array::ArrayRef>),
    /// Looks at NULL itself; never fails.
    Nullable(fn(&Args<'_>) -> arrow_array::ArrayRef),
    /// Looks at NULL itself and may fail.
    Whole(fn(&Args<'_>) -> Outcome<arrow_array::ArrayRef>),
    /// Decides itself which arguments are evaluated for which rows.
    Lazy(fn(&[Expr], DataType, &Input<'_>) -> Outcome<Datum>),
    /// Typing replaces the call by other expressions.
    Rewritten,
}

/// An expression that failed on a row.
#[derive(Clone, Debug)]
pub struct RowError {
    /// The row's position in the batch.
    pub row: u32,
    /// What is wrong with it.
    pub diagnostic: Error,
}

/// What evaluation gives: a row may fail.
type Outcome<T> = Result<T, RowError>;

static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    [
        arith::FUNCTIONS,
        compare::FUNCTIONS,
        logic::FUNCTIONS,
        math::FUNCTIONS,
        math_round::FUNCTIONS,
        text::FUNCTIONS,
        text_search::FUNCTIONS,
        temporal::FUNCTIONS,
    ]
    .concat()
});

/// All functions and operators: SQL's names, help and typing follow from this list.
pub fn functions() -> &'static [Function] {
    &FUNCTIONS
}

/// The entry of that name, in any case.
pub fn function(name: &str) -> Option<&'static Function> {
    functions().iter().find(|f| f.name.eq_ignore_ascii_case(name))
}

impl Expr {
    /// A column of the input.
    pub fn column(index: usize, field: &Field) -> Expr {
        Expr { kind: ExprKind::Column(index), data_type: field.data_type, nullable: field.nullable }
    }

    /// A constant of a stated type (the value must be of it, or NULL).
    pub fn literal(value: Value, data_type: DataType) -> Expr {
        Expr { nullable: value.is_null(), kind: ExprKind::Literal(value), data_type }
    }

    /// The constant, if the expression is one.
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.kind {
            ExprKind::Literal(value) => Some(value),
            _ => None,
        }
    }
}
