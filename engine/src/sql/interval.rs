//! Interval literals: `INTERVAL '10' MINUTES`, `INTERVAL '1:30' MINUTE TO SECOND`.

use sqlparser::ast::{Expr, UnaryOperator};

use super::diagnose::Locate;
use super::dialect::{INTERVAL, marker, text_of};
use crate::error::{Diagnostic, Error, Result};

/// A length of time as SQL writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interval {
    /// Day to second, in milliseconds.
    Millis(i64),
    /// Year to month, in months.
    Months(i64),
}

impl Interval {
    /// The same, backwards.
    pub(super) fn negated(self) -> Interval {
        match self {
            Interval::Millis(n) => Interval::Millis(n.saturating_neg()),
            Interval::Months(n) => Interval::Months(n.saturating_neg()),
        }
    }
}

/// A unit: its name, its milliseconds or months, and how many of it make one of the unit above.
struct Unit {
    name: &'static str,
    scale: i64,
    below: i64,
}

const TIME: [Unit; 4] = [
    Unit { name: "DAY", scale: 86_400_000, below: i64::MAX },
    Unit { name: "HOUR", scale: 3_600_000, below: 24 },
    Unit { name: "MINUTE", scale: 60_000, below: 60 },
    Unit { name: "SECOND", scale: 1_000, below: 60 },
];
const CALENDAR: [Unit; 2] = [
    Unit { name: "YEAR", scale: 12, below: i64::MAX },
    Unit { name: "MONTH", scale: 1, below: 12 },
];

/// The interval an expression is, if it is an interval literal, maybe with a sign.
pub(super) fn interval(expr: &Expr) -> Option<Result<Interval>> {
    match expr {
        Expr::Nested(inner) => interval(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
            interval(inner).map(|found| found.map(Interval::negated))
        }
        Expr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => interval(inner),
        _ => {
            let (INTERVAL, args) = marker(expr)? else { return None };
            let texts: Vec<&str> = args.iter().filter_map(|arg| text_of(arg)).collect();
            let &[value, unit, precision, last] = texts.as_slice() else { return None };
            Some(read(value, unit, precision, last).map_err(|e| e.located(expr)))
        }
    }
}

/// The milliseconds of an interval argument; months have no fixed length.
pub(super) fn millis(expr: &Expr, what: &str) -> Result<i64> {
    match interval(expr) {
        Some(found) => match found? {
            Interval::Millis(n) => Ok(n),
            Interval::Months(_) => Err(Diagnostic::new(
                "sql.interval",
                format!("{what} must be of a fixed length, months and years are not"),
            )
            .hint("use DAY, HOUR, MINUTE or SECOND")
            .located(expr)),
        },
        None => Err(Diagnostic::new("sql.argument", format!("{what} must be an interval literal"))
            .hint("for example INTERVAL '10' MINUTES")
            .located(expr)),
    }
}

fn read(value: &str, unit: &str, precision: &str, last: &str) -> Result<Interval> {
    let calendar = unit_index(&CALENDAR, unit).is_some();
    let units: &[Unit] = if calendar { &CALENDAR } else { &TIME };
    let scaled = |factor: i64| {
        let (sign, text) = sign(value);
        let first = unit_index(units, unit).ok_or_else(|| unknown_unit(unit))?;
        let last = match last {
            "" => first,
            name => {
                unit_index(units, name).filter(|l| *l > first).ok_or_else(|| range(unit, name))?
            }
        };
        let fields = fields(text, &units[first..=last]).ok_or_else(|| shape(value, unit, last))?;
        let digits = precision.parse::<usize>().unwrap_or(2);
        if fields.leading_digits > digits {
            return Err(too_many_digits(value, &units[first], fields.leading_digits));
        }
        fields.total.checked_mul(sign).and_then(|n| n.checked_mul(factor)).ok_or_else(|| {
            Diagnostic::new("sql.interval", format!("interval '{value}' is too long"))
        })
    };
    if calendar {
        return scaled(1).map(Interval::Months);
    }
    match unit.trim_end_matches('S') {
        "WEEK" => weeks(value).map(Interval::Millis),
        _ => scaled(1).map(Interval::Millis),
    }
}

fn weeks(value: &str) -> Result<i64> {
    let (sign, digits) = sign(value);
    match digits.parse::<i64>() {
        Ok(n @ 0..=99) => Ok(sign * n * 7 * 86_400_000),
        _ => Err(shape(value, "WEEK", 0)),
    }
}

fn sign(value: &str) -> (i64, &str) {
    let value = value.trim();
    match value.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, value.strip_prefix('+').unwrap_or(value)),
    }
}

struct Fields {
    total: i64,
    leading_digits: usize,
}

/// Reads `D HH:MM:SS.mmm`, `HH:MM`, `Y-M` and so on: one number for each unit.
fn fields(text: &str, units: &[Unit]) -> Option<Fields> {
    let mut rest = text;
    let mut total = 0_i64;
    let mut leading_digits = 0;
    for (i, unit) in units.iter().enumerate() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, tail) = rest.split_at(end);
        let number: i64 = digits.parse().ok()?;
        if i == 0 {
            leading_digits = digits.trim_start_matches('0').len().max(1);
        } else if number >= unit.below {
            return None;
        }
        total = total.checked_add(number.checked_mul(unit.scale)?)?;
        rest = tail;
        if i + 1 < units.len() {
            let separator = match unit.name {
                "DAY" => ' ',
                "YEAR" => '-',
                _ => ':',
            };
            rest = rest.strip_prefix(separator)?;
        } else if unit.name == "SECOND" && rest.starts_with('.') {
            total = total.checked_add(fraction(&rest[1..])?)?;
            rest = "";
        }
    }
    rest.is_empty().then_some(Fields { total, leading_digits })
}

/// The milliseconds of the digits after the point; finer digits are cut.
fn fraction(digits: &str) -> Option<i64> {
    let ok = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    ok.then(|| {
        (0..3).fold(0, |sum, i| {
            sum * 10 + digits.as_bytes().get(i).map_or(0, |b| i64::from(b - b'0'))
        })
    })
}

fn unit_index(units: &[Unit], name: &str) -> Option<usize> {
    units
        .iter()
        .position(|u| name.strip_prefix(u.name).is_some_and(|rest| matches!(rest, "" | "S")))
}

fn unknown_unit(unit: &str) -> Error {
    Diagnostic::new("sql.interval", format!("`{unit}` is no unit of an interval"))
        .hint("the units are YEAR, MONTH, WEEK, DAY, HOUR, MINUTE and SECOND")
}

fn range(first: &str, last: &str) -> Error {
    Diagnostic::new("sql.interval", format!("an interval cannot go from {first} to {last}"))
        .hint("for example DAY TO SECOND, HOUR TO MINUTE, YEAR TO MONTH")
}

fn shape(value: &str, unit: &str, last: usize) -> Error {
    let example = if last > 0 { "'1:30' MINUTE TO SECOND" } else { "'10' MINUTES" };
    Diagnostic::new("sql.interval", format!("'{value}' is no interval of {unit}"))
        .hint(format!("for example INTERVAL {example}"))
}

fn too_many_digits(value: &str, unit: &Unit, digits: usize) -> Error {
    Diagnostic::new(
        "sql.interval",
        format!("'{value}' has more than the two digits an interval of {} takes", unit.name),
    )
    .hint(format!(
        "say the number of digits, INTERVAL '{value}' {}({digits}), or use a larger unit",
        unit.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_the_standard_says() {
        let millis = |v, u, l| read(v, u, "", l).ok();
        assert_eq!(millis("10", "MINUTES", ""), Some(Interval::Millis(600_000)));
        assert_eq!(millis("1:30", "MINUTE", "SECOND"), Some(Interval::Millis(90_000)));
        assert_eq!(millis("1 02:03:04.5", "DAY", "SECOND"), Some(Interval::Millis(93_784_500)));
        assert_eq!(millis("-0.25", "SECOND", ""), Some(Interval::Millis(-250)));
        assert_eq!(millis("2-6", "YEAR", "MONTH"), Some(Interval::Months(30)));
        assert_eq!(millis("2", "WEEKS", ""), Some(Interval::Millis(1_209_600_000)));
        assert_eq!(read("100", "SECOND", "3", "").ok(), Some(Interval::Millis(100_000)));
        for (value, unit, last) in [
            ("100", "SECOND", ""),
            ("1:60", "MINUTE", "SECOND"),
            ("", "DAY", ""),
            ("x", "DAY", ""),
            ("1", "PARSEC", ""),
            ("1:1", "SECOND", "MINUTE"),
            ("1", "YEAR", "DAY"),
        ] {
            assert!(read(value, unit, "", last).is_err(), "{value} {unit} {last}");
        }
    }
}
