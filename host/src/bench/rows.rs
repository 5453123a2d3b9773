//! Answers in one form, so that those of different engines can be compared row by row.
//!
//! A row is a line of its cells: whole numbers in digits, decimals without zeros at their end, times in
//! milliseconds since 1970, a double in the fewest digits that make it again. So columns of other types with
//! the same values are equal.

use std::collections::HashMap;
use std::fmt::Write as _;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use highwater_engine::batch::{Batch, RowKind};
use highwater_engine::error::{Diagnostic, Error, Result};

const BETWEEN: &str = " | ";

/// The rows of an answer, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Vec<Box<str>>);

fn unfit(what: impl Into<String>) -> Error {
    Diagnostic::new("bench.answer", what)
}

/// Writes the cell of a row that is not NULL.
type Cell<'a> = Box<dyn Fn(usize, &mut String) + 'a>;

/// The values of a column as they show themselves.
fn shown<T: ArrowPrimitiveType>(column: &ArrayRef) -> Cell<'_>
where
    T::Native: std::fmt::Debug,
{
    let values = column.as_primitive::<T>();
    Box::new(|row, line| {
        // A String takes everything.
        let _ = write!(line, "{:?}", values.value(row));
    })
}

fn cell(column: &ArrayRef) -> Result<Cell<'_>> {
    Ok(match column.data_type() {
        DataType::Int64 => shown::<Int64Type>(column),
        DataType::Int32 => shown::<Int32Type>(column),
        DataType::Float64 => shown::<Float64Type>(column),
        DataType::Timestamp(TimeUnit::Millisecond, _) => shown::<TimestampMillisecondType>(column),
        DataType::Decimal128(_, scale) => {
            let (values, scale) = (column.as_primitive::<Decimal128Type>(), *scale);
            Box::new(move |row, line| decimal(values.value(row), scale, line))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let values = column.as_primitive::<TimestampMicrosecondType>();
            Box::new(|row, line| decimal(values.value(row).into(), 3, line))
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            Box::new(|row, line| line.push_str(values.value(row)))
        }
        DataType::LargeUtf8 => {
            let values = column.as_string::<i64>();
            Box::new(|row, line| line.push_str(values.value(row)))
        }
        DataType::Utf8View => {
            let values = column.as_string_view();
            Box::new(|row, line| line.push_str(values.value(row)))
        }
        other => return Err(unfit(format!("an answer has a column of {other}"))),
    })
}

/// Writes `digits` with so many of them behind the point, those that are zeros at the end left out.
fn decimal(mut digits: i128, mut scale: i8, line: &mut String) {
    while scale > 0 && digits % 10 == 0 {
        (digits, scale) = (digits / 10, scale - 1);
    }
    if digits < 0 {
        line.push('-');
    }
    let behind = usize::from(scale.unsigned_abs());
    let digits = format!("{:0>width$}", digits.unsigned_abs(), width = behind + 1);
    let (whole, rest) = digits.split_at(digits.len() - behind);
    line.push_str(whole);
    if !rest.is_empty() {
        line.push('.');
        line.push_str(rest);
    }
}

/// A line for each row.
fn lines(columns: &[ArrayRef]) -> Result<Vec<Box<str>>> {
    let cells: Vec<Cell<'_>> = columns.iter().map(cell).collect::<Result<_>>()?;
    let line = |row: usize| {
        let mut line = String::new();
        for (place, (cell, column)) in cells.iter().zip(columns).enumerate() {
            if place > 0 {
                line.push_str(BETWEEN);
            }
            match column.is_null(row) {
                true => line.push_str("NULL"),
                false => cell(row, &mut line),
            }
        }
        line.into_boxed_str()
    };
    Ok((0..columns.first().map_or(0, |column| column.len())).map(line).collect())
}

impl Rows {
    /// These lines, in an order of their own.
    pub(super) fn of(mut lines: Vec<Box<str>>) -> Rows {
        lines.sort_unstable();
        Rows(lines)
    }

    /// The line of these cells.
    pub(super) fn line(cells: &[String]) -> Box<str> {
        cells.join(BETWEEN).into()
    }

    /// The rows of one table.
    pub(super) fn of_columns(columns: &[ArrayRef]) -> Result<Rows> {
        lines(columns).map(Rows::of)
    }

    /// What is there once all changes are made.
    ///
    /// # Errors
    /// When there are columns of other types than answers have, or a row is taken back that was not there:
    /// `bench.wrong-totals`.
    pub(super) fn of_changes(batches: &[Batch]) -> Result<Rows> {
        let mut there: Vec<Box<str>> = Vec::new();
        let mut counts: HashMap<Box<str>, i64> = HashMap::new();
        for batch in batches {
            let lines = lines(&batch.columns)?;
            let Some(kinds) = &batch.kinds else {
                there.extend(lines);
                continue;
            };
            for (line, kind) in lines.into_iter().zip(kinds.iter()) {
                let one = match kind {
                    RowKind::Insert | RowKind::UpdateAfter => 1,
                    RowKind::UpdateBefore | RowKind::Delete => -1,
                };
                match counts.entry(line) {
                    std::collections::hash_map::Entry::Vacant(entry) => drop(entry.insert(one)),
                    std::collections::hash_map::Entry::Occupied(mut entry) => {
                        *entry.get_mut() += one;
                        if *entry.get() == 0 {
                            entry.remove();
                        }
                    }
                }
            }
        }
        // A batch of a changelog that only adds rows has no kinds; later ones may take them back.
        if counts.values().any(|count| *count < 0) {
            for line in there.drain(..) {
                *counts.entry(line).or_default() += 1;
            }
        }
        for (line, count) in counts {
            let count = usize::try_from(count).map_err(|_| {
                let what = format!("a row is taken back that is not there: {line}");
                Diagnostic::new("bench.wrong-totals", what)
            })?;
            there.extend(std::iter::repeat_n(line, count));
        }
        Ok(Rows::of(there))
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with these rows, if they are not the expected ones.
    ///
    /// # Errors
    /// `bench.wrong-totals` with the first row that only one of them has.
    pub fn check(&self, subject: &str, (other, expected): (&str, &Rows)) -> Result<()> {
        if self == expected {
            return Ok(());
        }
        let place = self.0.iter().zip(&expected.0).position(|(a, b)| a != b);
        let place = place.unwrap_or(self.len().min(expected.len()));
        let show = |rows: &Rows| match rows.0.get(place) {
            Some(line) => format!("`{}`", line.escape_debug()),
            None => "none".to_owned(),
        };
        let (found, wanted) = (show(self), show(expected));
        Err(Diagnostic::new(
            "bench.wrong-totals",
            format!(
                "{subject} gives {} rows, {other} {}; sorted, the first that differ are {found} and {wanted}",
                self.len(),
                expected.len()
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use highwater_engine::numbers::Numbers;
    use highwater_engine::schema::{DataType as Type, Field, Schema};

    use super::*;

    #[test]
    fn equal_values_are_equal_whatever_their_columns() {
        let decimals = |values: Vec<i128>, scale| -> ArrayRef {
            let array = Decimal128Array::from(values).with_precision_and_scale(20, scale);
            Arc::new(array.expect("fits"))
        };
        let line = |column: ArrayRef| lines(&[column]).expect("a known type").join(";");
        assert_eq!(line(decimals(vec![-1_500, 20, 0, 3], 3)), "-1.5;0.02;0;0.003");
        assert_eq!(line(decimals(vec![10], 0)), "10");
        let micros = TimestampMicrosecondArray::from(vec![Some(5_000), Some(5_001), None]);
        assert_eq!(line(Arc::new(micros)), "5;5.001;NULL");
    }

    fn batch(values: &[&str], kinds: Option<Vec<RowKind>>) -> Batch {
        let schema = Schema::new(vec![Field::new("a", Type::String)]);
        let column: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
        let mut batch = Batch::new(schema, vec![column], Numbers::run(1, values.len()));
        batch.kinds = kinds.map(Into::into);
        batch
    }

    #[test]
    fn changes_are_made_and_what_was_never_there_is_not_taken_back() {
        use RowKind::{Delete, Insert, UpdateAfter, UpdateBefore};
        let first = batch(&["b", "a", "b"], None);
        let then = batch(&["b", "c", "d"], Some(vec![UpdateBefore, UpdateAfter, Insert]));
        let rows = Rows::of_changes(&[first.clone(), then]).expect("changes");
        assert_eq!(rows, Rows::of(["a", "b", "c", "d"].map(Into::into).into()));
        let wrong = batch(&["x"], Some(vec![Delete]));
        let error = Rows::of_changes(&[first, wrong]).expect_err("never there");
        assert_eq!(error.code, "bench.wrong-totals");
    }

    #[test]
    fn the_first_row_that_differs_is_told() {
        let rows = |values: &[i64]| {
            Rows::of_columns(&[Arc::new(Int64Array::from(values.to_vec()))]).expect("numbers")
        };
        let (all, few) = (rows(&[3, 1, 2]), rows(&[1, 3]));
        assert!(all.check("one", ("the other", &rows(&[1, 2, 3]))).is_ok());
        let error = few.check("one", ("the other", &all)).expect_err("differs");
        assert_eq!(error.code, "bench.wrong-totals");
        assert!(error.message.ends_with("are `3` and `2`"), "{}", error.message);
    }
}
