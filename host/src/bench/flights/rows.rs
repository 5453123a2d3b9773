//! Answers in one form: an airport and four numbers a row, sorted.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef};
use highwater_engine::error::{Diagnostic, Error, Result};

/// The rows of an answer: the airport's letters as a number, then numbers; a double by its bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Vec<[i64; 5]>);

/// The letters of an airport as a number: equal for equal letters only.
pub(super) fn letters(text: &str) -> Result<i64> {
    if text.len() > 7 {
        return Err(unfit(format!(
            "the airport `{}` has more than 7 letters",
            text.escape_debug()
        )));
    }
    Ok(text.bytes().fold(1, |n, byte| n << 8 | i64::from(byte)))
}

pub(super) fn unfit(what: impl Into<String>) -> Error {
    Diagnostic::new("bench.flights", what)
}

/// The numbers of a column.
fn numbers(column: &ArrayRef) -> Result<Vec<i64>> {
    if column.null_count() > 0 {
        return Err(unfit("an answer has NULLs"));
    }
    if let Some(values) = column.as_primitive_opt::<Int64Type>() {
        Ok(values.values().to_vec())
    } else if let Some(values) = column.as_primitive_opt::<Int32Type>() {
        Ok(values.values().iter().map(|v| i64::from(*v)).collect())
    } else if let Some(values) = column.as_primitive_opt::<TimestampMillisecondType>() {
        Ok(values.values().to_vec())
    } else if let Some(values) = column.as_primitive_opt::<Float64Type>() {
        Ok(values.values().iter().map(|v| v.to_bits() as i64).collect())
    } else if let Some(values) = column.as_string_opt::<i32>() {
        values.iter().map(|v| letters(v.unwrap_or_default())).collect()
    } else {
        Err(unfit(format!("an answer has a column of {}", column.data_type())))
    }
}

impl Rows {
    pub(super) fn push(&mut self, row: [i64; 5]) {
        self.0.push(row);
    }

    pub(super) fn extend(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if columns.len() > 5 {
            return Err(unfit("an answer has more than five columns"));
        }
        let columns: Vec<Vec<i64>> = columns.iter().map(numbers).collect::<Result<_>>()?;
        let rows = columns.first().map_or(0, Vec::len);
        self.0.extend((0..rows).map(|i| {
            let mut row = [0; 5];
            columns.iter().zip(&mut row).for_each(|(column, cell)| *cell = column[i]);
            row
        }));
        Ok(())
    }

    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with these rows, if they are not the expected ones; both sorted.
    ///
    /// # Errors
    /// `bench.wrong-totals` with the first row that only one of them has.
    pub fn check(&self, subject: &str, expected: &Rows) -> Result<()> {
        if self == expected {
            return Ok(());
        }
        let place = self.0.iter().zip(&expected.0).position(|(a, b)| a != b);
        let place = place.unwrap_or(self.len().min(expected.len()));
        let (found, wanted) = (self.0.get(place), expected.0.get(place));
        Err(Diagnostic::new(
            "bench.wrong-totals",
            format!(
                "{subject} gives {} rows, the loop {}; the first that differ are {found:?} and {wanted:?}",
                self.len(),
                expected.len()
            ),
        ))
    }
}
