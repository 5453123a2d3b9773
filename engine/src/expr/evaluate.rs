//! Evaluation of a tree over a batch, or over chosen rows of it, a column at a time.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};

use crate::batch::Batch;
use crate::column;
use crate::numbers::Numbers;
use crate::schema::{DataType, Schema};
use crate::value::Value;

use super::args::Args;
use super::{Expr, ExprKind, Function, Kernel, Outcome, RowError, cast, guest, logic};

/// What an expression gives: a column, or one value that stands for all rows.
#[derive(Clone, Debug)]
pub(super) struct Datum {
    /// The column; of length 1 when constant.
    pub array: ArrayRef,
    /// Whether it stands for all rows.
    pub constant: bool,
}

impl Datum {
    /// One value for all rows.
    pub(super) fn value(value: &Value, data_type: DataType) -> Datum {
        let array = column::from_values(std::slice::from_ref(value), data_type);
        Datum { array, constant: true }
    }

    /// A column.
    pub(super) fn column(array: ArrayRef) -> Datum {
        Datum { array, constant: false }
    }

    /// True when it is NULL in all rows because it is the constant NULL.
    pub(super) fn is_constant_null(&self) -> bool {
        self.constant && self.array.is_null(0)
    }

    /// As a column of that many rows.
    pub(super) fn expand(self, rows: usize) -> ArrayRef {
        if self.constant { column::take(&self.array, &vec![0; rows]) } else { self.array }
    }

    /// A BOOLEAN as a column of that many rows.
    pub(super) fn bits(&self, rows: usize) -> BooleanArray {
        self.clone().expand(rows).as_boolean().clone()
    }
}

/// The rows an expression is evaluated for: all of a batch, or some of it.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    batch: &'a Batch,
    chosen: Option<&'a [u32]>,
}

impl<'a> Input<'a> {
    /// How many rows.
    pub(super) fn rows(&self) -> usize {
        self.chosen.map_or(self.batch.rows, <[u32]>::len)
    }

    /// Positions in the batch of some of these rows.
    pub(super) fn positions(&self, rows: &[u32]) -> Vec<u32> {
        match self.chosen {
            Some(chosen) => rows.iter().map(|r| chosen[*r as usize]).collect(),
            None => rows.to_vec(),
        }
    }

    /// The same batch with only those positions.
    pub(super) fn narrow(&self, positions: &'a [u32]) -> Input<'a> {
        Input { batch: self.batch, chosen: Some(positions) }
    }

    fn column(&self, index: usize) -> ArrayRef {
        let column = &self.batch.columns[index];
        match self.chosen {
            Some(chosen) => column::take(column, chosen),
            None => Arc::clone(column),
        }
    }

    /// An error of one of these rows as an error of the batch's row.
    pub(super) fn blame(&self, error: RowError) -> RowError {
        let row = self.chosen.and_then(|c| c.get(error.row as usize).copied());
        RowError { row: row.unwrap_or(error.row), ..error }
    }
}

/// The expression's column for all rows of a batch; a plain column is shared, never copied.
pub fn evaluate(expr: &Expr, batch: &Batch) -> Result<ArrayRef, RowError> {
    let input = Input { batch, chosen: None };
    Ok(datum(expr, &input)?.expand(batch.rows))
}

/// The expression over all rows of a batch.
pub(super) fn over_batch(expr: &Expr, batch: &Batch) -> Outcome<Datum> {
    datum(expr, &Input { batch, chosen: None })
}

/// The value of an expression that reads no column.
pub(super) fn constant(expr: &Expr) -> Result<Value, RowError> {
    let batch = Batch::new(Arc::new(Schema::default()), Vec::new(), Numbers::same(0, 1));
    let array = evaluate(expr, &batch)?;
    Ok(column::value_at(&array, expr.data_type, 0))
}

/// Evaluates for the rows of an input. Nothing fails for an input without rows.
pub(super) fn datum(expr: &Expr, input: &Input<'_>) -> Outcome<Datum> {
    if input.rows() == 0 {
        return Ok(Datum::column(column::from_values(&[], expr.data_type)));
    }
    match &expr.kind {
        ExprKind::Column(index) => Ok(Datum::column(input.column(*index))),
        ExprKind::Literal(value) => Ok(Datum::value(value, expr.data_type)),
        ExprKind::Call { function, args } => call(function, args, expr.data_type, input),
        ExprKind::Guest { function, args } => guest::call(function, args, expr.data_type, input),
        ExprKind::Cast { input: inner, lenient } => {
            let from = datum(inner, input)?;
            let constant = from.constant;
            let array = cast::convert(&from.array, inner.data_type, expr.data_type, *lenient)
                .map_err(|e| input.blame(e))?;
            Ok(Datum { array, constant })
        }
        ExprKind::Case { branches, otherwise } => {
            logic::case(branches, otherwise, expr.data_type, input)
        }
        ExprKind::And(a, b) => logic::and_or(a, b, true, input),
        ExprKind::Or(a, b) => logic::and_or(a, b, false, input),
    }
}

fn call(function: &Function, args: &[Expr], result: DataType, input: &Input<'_>) -> Outcome<Datum> {
    if let Kernel::Lazy(kernel) = function.kernel {
        return kernel(args, result, input);
    }
    let columns = args.iter().map(|a| datum(a, input)).collect::<Result<Vec<_>, _>>()?;
    let constant = columns.iter().all(|c| c.constant);
    let rows = if constant { 1 } else { input.rows() };
    let strict = matches!(function.kernel, Kernel::Total(_) | Kernel::Strict(_));
    if strict && columns.iter().any(Datum::is_constant_null) {
        return Ok(Datum::value(&Value::Null, result));
    }
    let args = Args::new(&columns, rows, result);
    let array = match function.kernel {
        Kernel::Total(kernel) | Kernel::Nullable(kernel) => kernel(&args),
        Kernel::Strict(kernel) | Kernel::Whole(kernel) => {
            kernel(&args).map_err(|e| input.blame(e))?
        }
        Kernel::Lazy(_) | Kernel::Rewritten => {
            unreachable!("typing leaves no call of {} behind", function.name)
        }
    };
    Ok(Datum { array, constant })
}
