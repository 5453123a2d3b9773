//! The rows of the plain loops: an airport and numbers, made into the lines that all answers are compared as.

use highwater_engine::error::{Diagnostic, Error, Result};

use super::Question;
use crate::bench::rows::Rows;

/// A row of the loops: the airport's letters as a number, then numbers; a double by its bits.
pub type Row = [i64; 5];

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

/// The airport of that number.
fn airport(letters: i64) -> String {
    let bytes = letters.to_be_bytes();
    // A one stands before the letters.
    let first = bytes.iter().position(|byte| *byte != 0).map_or(bytes.len(), |one| one + 1);
    String::from_utf8_lossy(&bytes[first..]).into_owned()
}

pub(super) fn unfit(what: impl Into<String>) -> Error {
    Diagnostic::new("bench.flights", what)
}

/// What a question's rows look like in an answer.
pub(super) fn told(question: Question, rows: &[Row]) -> Rows {
    let line = |[of, a, b, c, d]: &Row| match question {
        Question::Hourly => {
            let mean = f64::from_bits(c.cast_unsigned());
            Rows::line(&[airport(*of), a.to_string(), b.to_string(), format!("{mean:?}")])
        }
        Question::Connections => {
            let numbers = [a, b, c, d].map(ToString::to_string);
            Rows::line(&[&[airport(*of)][..], &numbers].concat())
        }
    };
    Rows::of(rows.iter().map(line).collect())
}
