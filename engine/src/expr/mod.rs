//! Expressions: typed trees over the columns of a batch, evaluated a column at a time.

use crate::schema::{DataType, Field};
use crate::value::Value;

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

/// An entry of the function registry.
#[derive(Debug)]
pub struct Function {
    /// The name as SQL writes it.
    pub name: &'static str,
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
}

/// Temporary shape until the expression kernels are merged.
pub struct RowError { /// row
 pub row: u32, /// what
 pub diagnostic: crate::error::Error }
/// x
pub fn evaluate(_: &Expr, _: &crate::batch::Batch) -> Result<arrow_array::ArrayRef, RowError> { panic!() }
/// x
pub fn select(_: &Expr, _: &crate::batch::Batch) -> Result<Vec<u32>, RowError> { panic!() }
