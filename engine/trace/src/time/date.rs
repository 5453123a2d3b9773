//! Days as dates of the proleptic Gregorian calendar and back, as numbers and as text.

/// A date. Years of any `i64` of milliseconds fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The year; 0 is the one before the first.
    pub year: i64,
    /// The month, from 1.
    pub month: i64,
    /// The day of the month, from 1.
    pub day: i64,
}

/// The date of a number of days since 1970-01-01 (at most about 1.1e11 of them).
///
/// Years are counted from March, so that the leap day ends one; 400 years have 146,097 days.
#[inline]
pub fn date_of(days: i64) -> Date {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Date {
        year: era * 400 + year_of_era + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * from_march + 2) / 5 + 1,
    }
}

/// Days since 1970-01-01; `None` when that cannot be represented.
#[inline]
pub fn days_of(date: Date) -> Option<i64> {
    let year = date.year.checked_sub(i64::from(date.month <= 2))?;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = (date.month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + date.day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era.checked_mul(146_097)?.checked_add(day_of_era - 719_468)
}

/// How many days the month has.
#[inline]
pub fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if year.rem_euclid(4) == 0
            && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) =>
        {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days whose dates have a text, years -262143 to 262142; others are printed as plain numbers.
const WRITTEN: std::ops::RangeInclusive<i64> = -96_465_292..=95_026_236;

/// `YYYY-MM-DD` for a number of days since 1970-01-01, where it has a text.
pub(super) fn write(days: i64) -> Option<String> {
    let Date { year, month, day } = WRITTEN.contains(&days).then(|| date_of(days))?;
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// Reads `YYYY-MM-DD` as days since 1970-01-01. A year of more than four digits takes a sign.
pub(super) fn read(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let most = if unsigned.len() < text.len() { 6 } else { 4 };
    let mut parts = unsigned.split('-');
    let mut next = |most: usize| -> Option<i64> {
        let digits = parts.next()?;
        let right = digits.len() <= most && digits.bytes().all(|b| b.is_ascii_digit());
        right.then(|| digits.parse().ok())?
    };
    let (year, month, day) = (next(most)?, next(2)?, next(2)?);
    let year = if text.starts_with('-') { -year } else { year };
    let exists = (1..=12).contains(&month) && (1..=month_length(year, month)).contains(&day);
    if parts.next().is_some() || !exists {
        return None;
    }
    days_of(Date { year, month, day }).filter(|days| WRITTEN.contains(days))
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    fn epoch() -> NaiveDate {
        NaiveDate::default()
    }

    #[test]
    fn every_day_of_a_few_centuries_is_the_calendars() {
        let mut date = NaiveDate::from_ymd_opt(1580, 1, 1).expect("a date");
        let first = date.signed_duration_since(epoch()).num_days();
        for days in first..first + 366 * 450 {
            let (month, day) = (i64::from(date.month()), i64::from(date.day()));
            assert_eq!(date_of(days), Date { year: i64::from(date.year()), month, day });
            let text = date.format("%Y-%m-%d").to_string();
            assert_eq!(write(days).as_deref(), Some(text.as_str()));
            assert_eq!(read(&text), Some(days));
            date = date.succ_opt().expect("a date");
        }
    }

    #[test]
    fn the_ends_are_the_calendars() {
        for (date, end) in [(NaiveDate::MIN, *WRITTEN.start()), (NaiveDate::MAX, *WRITTEN.end())] {
            assert_eq!(date.signed_duration_since(epoch()).num_days(), end);
            let text = date.format("%Y-%m-%d").to_string();
            assert_eq!(write(end).as_deref(), Some(text.trim_start_matches('+')));
            assert_eq!(read(&text), Some(end));
        }
        assert_eq!((write(*WRITTEN.start() - 1), write(*WRITTEN.end() + 1)), (None, None));
        assert_eq!((write(i64::MIN), write(i64::MAX)), (None, None));
    }

    #[test]
    fn what_is_no_date_is_not_read() {
        for (text, days) in [
            ("1970-01-01", Some(0)),
            ("1970-1-2", Some(1)),
            ("2020-02-29", Some(18_321)),
            ("-0001-12-31", Some(-719_529)),
            ("+12345-01-01", Some(3_789_391)),
            ("12345-01-01", None),
            ("2021-02-29", None),
            ("1900-02-29", None),
            ("2020-00-01", None),
            ("2020-13-01", None),
            ("2020-01-00", None),
            ("2020-01-32", None),
            ("2020-01", None),
            ("2020-01-01-01", None),
            ("2020--1-01", None),
            ("--2020-01-01", None),
            ("+999999-01-01", None),
            ("2020-001-01", None),
            ("2020-01-0１", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(read(text), days, "{text}");
            let theirs = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
            assert_eq!(theirs.map(|d| d.signed_duration_since(epoch()).num_days()), days, "{text}");
        }
    }
}
