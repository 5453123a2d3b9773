//! The proleptic Gregorian calendar over all 64-bit milliseconds: fields, floors, months.

use crate::error::Result;
pub(super) use crate::time::date::{Date, date_of, days_of, month_length};

use super::Function;
use super::resolve::wrong_value;

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;

/// A unit of time as SQL names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    /// Day of the week from Sunday, 1 to 7.
    Dow,
    /// Day of the week from Monday, 1 to 7.
    IsoDow,
    /// Day of the year, from 1.
    Doy,
    /// Seconds since 1970.
    Epoch,
}

impl Unit {
    /// The unit of that name, singular or plural, in any case.
    pub(super) fn parse(name: &str) -> Option<Unit> {
        let upper = name.trim().to_ascii_uppercase();
        let upper = upper.strip_prefix("SQL_TSI_").unwrap_or(&upper);
        Some(match upper.strip_suffix('S').unwrap_or(upper) {
            "MILLISECOND" => Unit::Millisecond,
            "SECOND" => Unit::Second,
            "MINUTE" => Unit::Minute,
            "HOUR" => Unit::Hour,
            "DAY" => Unit::Day,
            "WEEK" => Unit::Week,
            "MONTH" => Unit::Month,
            "QUARTER" => Unit::Quarter,
            "YEAR" => Unit::Year,
            "DOW" => Unit::Dow,
            "ISODOW" => Unit::IsoDow,
            "DOY" => Unit::Doy,
            "EPOCH" => Unit::Epoch,
            _ => return None,
        })
    }

    /// The unit of that name, or the error that lists them.
    pub(super) fn named(f: &Function, name: &str) -> Result<Unit> {
        Unit::parse(name).ok_or_else(|| {
            wrong_value(
                f,
                format!(
                    "{} knows no unit {name:?}: MILLISECOND, SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, \
                     QUARTER, YEAR (EXTRACT also DOW, ISODOW, DOY, EPOCH)",
                    f.name
                ),
            )
        })
    }

    /// Milliseconds of a unit of fixed length.
    pub(super) fn millis(self) -> Option<i64> {
        Some(match self {
            Unit::Millisecond => 1,
            Unit::Second => 1_000,
            Unit::Minute => 60_000,
            Unit::Hour => 3_600_000,
            Unit::Day => DAY,
            Unit::Week => 7 * DAY,
            _ => return None,
        })
    }

    /// Months of a unit that the calendar measures.
    pub(super) fn months(self) -> Option<i64> {
        Some(match self {
            Unit::Month => 1,
            Unit::Quarter => 3,
            Unit::Year => 12,
            _ => return None,
        })
    }
}

/// The time moved by whole months, to the last day of a month that is too short.
pub(super) fn add_months(millis: i64, months: i64) -> Option<i64> {
    let date = date_of(millis.div_euclid(DAY));
    let total = date.year.checked_mul(12)?.checked_add(date.month - 1)?.checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let day = date.day.min(month_length(year, month));
    days_of(Date { year, month, day })?.checked_mul(DAY)?.checked_add(millis.rem_euclid(DAY))
}

/// How many whole months lie from `a` to `b`, cut toward zero.
pub(super) fn months_between(a: i64, b: i64) -> i64 {
    if b < a {
        return -months_between(b, a);
    }
    let count = |ms: i64| {
        let date = date_of(ms.div_euclid(DAY));
        (date.year * 12 + date.month, (date.day - 1) * DAY + ms.rem_euclid(DAY))
    };
    let ((from, within_from), (to, within_to)) = (count(a), count(b));
    to - from - i64::from(within_to < within_from)
}

/// The start of the unit the time is in; weeks start on Sunday, as in Flink. `None` below the range.
pub(super) fn floor(millis: i64, unit: Unit) -> Option<i64> {
    if let (Some(size), true) = (unit.millis(), unit < Unit::Week) {
        return millis.checked_sub(millis.rem_euclid(size));
    }
    let days = millis.div_euclid(DAY);
    let date = date_of(days);
    let start = match unit {
        // 1970-01-01 was a Thursday.
        Unit::Week => days - (days + 4).rem_euclid(7),
        Unit::Month => days - (date.day - 1),
        Unit::Quarter => days_of(Date { month: (date.month - 1) / 3 * 3 + 1, day: 1, ..date })?,
        _ => days_of(Date { month: 1, day: 1, ..date })?,
    };
    start.checked_mul(DAY)
}

/// The time itself when it starts a unit, otherwise the start of the next. `None` above the range.
pub(super) fn ceil(millis: i64, unit: Unit) -> Option<i64> {
    let start = floor(millis, unit)?;
    if start == millis {
        return Some(millis);
    }
    match (unit.millis(), unit.months()) {
        (Some(size), _) => start.checked_add(size),
        (_, Some(months)) => add_months(start, months),
        _ => None,
    }
}

/// A field of a time.
pub(super) fn field(millis: i64, unit: Unit) -> i64 {
    let days = millis.div_euclid(DAY);
    let of_day = millis.rem_euclid(DAY);
    let date = date_of(days);
    let day_of_year =
        || days_of(Date { month: 1, day: 1, ..date }).map_or(0, |first| days - first + 1);
    match unit {
        Unit::Millisecond => of_day % 1_000,
        Unit::Second => of_day / 1_000 % 60,
        Unit::Minute => of_day / 60_000 % 60,
        Unit::Hour => of_day / 3_600_000,
        Unit::Day => date.day,
        Unit::Month => date.month,
        Unit::Quarter => (date.month - 1) / 3 + 1,
        Unit::Year => date.year,
        Unit::Dow => (days + 4).rem_euclid(7) + 1,
        Unit::IsoDow => (days + 3).rem_euclid(7) + 1,
        Unit::Doy => day_of_year(),
        Unit::Epoch => millis.div_euclid(1_000),
        // The ISO week is that of its Thursday.
        Unit::Week => {
            let thursday = days - (days + 3).rem_euclid(7) + 3;
            let year = date_of(thursday).year;
            let first = days_of(Date { year, month: 1, day: 1 }).unwrap_or(thursday);
            (thursday - first) / 7 + 1
        }
    }
}
