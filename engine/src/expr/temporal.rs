//! Dates and times: reading, printing, fields, moving, measuring. The zone is UTC.

use arrow_array::ArrayRef;

use crate::error::Result;
use crate::schema::DataType;
use crate::time::{parse_date, parse_timestamp};
use crate::value::Value;

use super::args::{Args, Text};
use super::calendar::{self, Unit};
use super::format::Pattern;
use super::resolve::{Param, argument, call, count, literal_text, wrong_type, wrong_value};
use super::{Expr, Function, Kernel, Outcome, Resolve};

const TEXT: Param = Param::Is(DataType::String);
const LONG: Param = Param::Is(DataType::BigInt);
const TIME: Param = Param::Is(DataType::Timestamp);

/// The pattern argument: taken apart again only when it changes.
struct Patterns<'a> {
    text: Option<Text<'a>>,
    default: &'static str,
    last: Option<(&'a str, Pattern)>,
}

impl<'a> Patterns<'a> {
    fn new(args: &Args<'a>, index: usize, default: &'static str) -> Patterns<'a> {
        Patterns { text: args.has(index).then(|| args.text(index)), default, last: None }
    }

    fn at(&mut self, row: usize) -> Result<&Pattern> {
        let text = self.text.as_ref().map_or(self.default, |t| t.at(row));
        if self.last.as_ref().is_none_or(|(known, _)| *known != text) {
            self.last = Some((text, Pattern::parse(text)?));
        }
        Ok(&self.last.as_ref().expect("a pattern was just stored").1)
    }
}

const SECONDS: &str = "yyyy-MM-dd HH:mm:ss";

fn to_timestamp(args: &Args<'_>) -> Outcome<ArrayRef> {
    let text = args.text(0);
    if !args.has(1) {
        return Ok(args.each_option(|row| parse_timestamp(text.at(row))));
    }
    let mut patterns = Patterns::new(args, 1, SECONDS);
    args.try_each(|row| Ok(patterns.at(row)?.read(text.at(row))))
}

fn to_date(args: &Args<'_>) -> Outcome<ArrayRef> {
    let text = args.text(0);
    if !args.has(1) {
        return Ok(args.each_option(|row| parse_date(text.at(row))));
    }
    let mut patterns = Patterns::new(args, 1, SECONDS);
    args.try_each(|row| {
        let millis = patterns.at(row)?.read(text.at(row));
        Ok(millis.and_then(|ms| i32::try_from(ms.div_euclid(calendar::DAY)).ok()))
    })
}

fn unix_timestamp(args: &Args<'_>) -> Outcome<ArrayRef> {
    let text = args.text(0);
    if !args.has(1) {
        // A fraction of a second is read and cut.
        return Ok(args.each_option(|row| Some(parse_timestamp(text.at(row))?.div_euclid(1_000))));
    }
    let mut patterns = Patterns::new(args, 1, SECONDS);
    args.try_each(|row| Ok(patterns.at(row)?.read(text.at(row)).map(|ms| ms.div_euclid(1_000))))
}

fn from_unixtime(args: &Args<'_>) -> Outcome<ArrayRef> {
    let seconds = args.view::<i64>(0);
    let mut patterns = Patterns::new(args, 1, SECONDS);
    args.try_text(|row, out| {
        let Some(millis) = seconds.at(row).checked_mul(1_000) else { return Ok(false) };
        patterns.at(row)?.write(millis, out);
        Ok(true)
    })
}

fn date_format(args: &Args<'_>) -> Outcome<ArrayRef> {
    let time = args.view::<i64>(0);
    let mut patterns = Patterns::new(args, 1, SECONDS);
    args.try_text(|row, out| {
        patterns.at(row)?.write(time.at(row), out);
        Ok(true)
    })
}

fn resolve_to_ltz(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 1, 2)?;
    let mut args = args.into_iter();
    let (x, precision) = (args.next(), args.next());
    let x = x.ok_or_else(|| wrong_value(f, "TO_TIMESTAMP_LTZ expects a number"))?;
    let x = match x.data_type {
        DataType::Null | DataType::Int | DataType::BigInt => argument(f, 0, x, DataType::BigInt)?,
        t if t.is_numeric() => argument(f, 0, x, DataType::Double)?,
        t => return Err(wrong_type(f, 0, "a number", t)),
    };
    let precision = match precision.as_ref().map(Expr::as_literal) {
        None | Some(Some(Value::Int(3) | Value::BigInt(3))) => 3,
        Some(Some(Value::Int(0) | Value::BigInt(0))) => 0,
        Some(_) => {
            let message = "the precision has to be 0 (seconds) or 3 (milliseconds)";
            return Err(wrong_value(f, message));
        }
    };
    let precision = Expr::literal(Value::BigInt(precision), DataType::BigInt);
    Ok(call(f, vec![x, precision], DataType::TimestampLtz, true))
}

fn to_ltz(args: &Args<'_>) -> ArrayRef {
    let scale = if args.view::<i64>(1).at(0) == 0 { 1_000 } else { 1 };
    if let arrow_schema::DataType::Float64 = arrow_array::Array::data_type(&args.columns[0].array) {
        let x = args.view::<f64>(0);
        return args.each_option(|row| {
            let millis = libm::floor(x.at(row) * scale as f64);
            // Within the doubles that are whole milliseconds of an i64; not NaN.
            (millis.abs() < 9.2e18).then_some(millis as i64)
        });
    }
    let x = args.view::<i64>(0);
    args.each_option(|row| x.at(row).checked_mul(scale))
}

fn field(args: &Args<'_>, unit: Unit) -> ArrayRef {
    let time = args.view::<i64>(args.columns.len() - 1);
    args.each(|row| calendar::field(time.at(row), unit))
}

fn extract(args: &Args<'_>) -> ArrayRef {
    match Unit::parse(args.text(0).at(0)) {
        Some(unit) => field(args, unit),
        None => args.each_option::<i64>(|_| None),
    }
}

/// The unit of a function that moves or measures time.
fn duration_unit(f: &'static Function, arg: &Expr) -> Result<Unit> {
    let unit = Unit::named(f, literal_text(f, 0, arg)?)?;
    if unit > Unit::Year {
        return Err(wrong_value(f, format!("{} has no use for {unit:?}", f.name)));
    }
    Ok(unit)
}

fn resolve_add(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 3, 3)?;
    let [unit, n, time] = <[Expr; 3]>::try_from(args)
        .map_err(|_| wrong_value(f, "TIMESTAMPADD expects a unit, a number and a time"))?;
    let whole_days = duration_unit(f, &unit)? >= Unit::Day;
    let n = argument(f, 1, n, DataType::BigInt)?;
    let stays_date = time.data_type == DataType::Date && whole_days;
    let to =
        if time.data_type == DataType::TimestampLtz { time.data_type } else { DataType::Timestamp };
    let time = argument(f, 2, time, to)?;
    let moved = call(f, vec![unit, n, time], to, true);
    Ok(if stays_date { moved.cast_unchecked(DataType::Date, true) } else { moved })
}

fn add(args: &Args<'_>) -> ArrayRef {
    let (n, time) = (args.view::<i64>(1), args.view::<i64>(2));
    let Some(unit) = Unit::parse(args.text(0).at(0)) else {
        return args.each_option::<i64>(|_| None);
    };
    args.each_option(|row| match (unit.millis(), unit.months()) {
        (Some(size), _) => time.at(row).checked_add(n.at(row).checked_mul(size)?),
        (_, Some(months)) => calendar::add_months(time.at(row), n.at(row).checked_mul(months)?),
        _ => None,
    })
}

fn resolve_diff(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 3, 3)?;
    let [unit, a, b] = <[Expr; 3]>::try_from(args)
        .map_err(|_| wrong_value(f, "TIMESTAMPDIFF expects a unit and two times"))?;
    // Milliseconds of a month do not fit an INT.
    let fine = duration_unit(f, &unit)? == Unit::Millisecond;
    let result = if fine { DataType::BigInt } else { DataType::Int };
    let (a, b) = (argument(f, 1, a, DataType::Timestamp)?, argument(f, 2, b, DataType::Timestamp)?);
    Ok(call(f, vec![unit, a, b], result, true))
}

fn diff(args: &Args<'_>) -> ArrayRef {
    let (a, b) = (args.view::<i64>(1), args.view::<i64>(2));
    let unit = Unit::parse(args.text(0).at(0));
    let between = |row: usize| -> Option<i64> {
        let (a, b) = (a.at(row), b.at(row));
        let unit = unit?;
        match (unit.millis(), unit.months()) {
            (Some(size), _) => {
                i64::try_from((i128::from(b) - i128::from(a)) / i128::from(size)).ok()
            }
            (_, Some(months)) => Some(calendar::months_between(a, b) / months),
            _ => None,
        }
    };
    if args.result == DataType::BigInt {
        return args.each_option(between);
    }
    args.each_option(|row| between(row).and_then(|v| i32::try_from(v).ok()))
}

#[allow(clippy::too_many_arguments)] // one line of a table
const fn entry(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    params: &'static [Param],
    optional: usize,
    result: DataType,
    kernel: Kernel,
) -> Function {
    let resolve = Resolve::Fixed { params, optional, result, partial: true };
    Function { name, syntax, doc, example, resolve, kernel }
}

const fn part(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    kernel: fn(&Args<'_>) -> ArrayRef,
) -> Function {
    let resolve =
        Resolve::Fixed { params: &[TIME], optional: 0, result: DataType::BigInt, partial: false };
    Function { name, syntax, doc, example, resolve, kernel: Kernel::Total(kernel) }
}

const fn rule(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    resolve: fn(&'static Function, Vec<Expr>) -> Result<Expr>,
    kernel: fn(&Args<'_>) -> ArrayRef,
) -> Function {
    let (resolve, kernel) = (Resolve::Rule(resolve), Kernel::Total(kernel));
    Function { name, syntax, doc, example, resolve, kernel }
}

/// The registry's part of this file.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Function] = &[
    entry("TO_TIMESTAMP", "TO_TIMESTAMP(text[, pattern])", "The text as TIMESTAMP(3), read as `yyyy-MM-dd HH:mm:ss.SSS` or by the pattern; NULL when it does not read.",
        ("TO_TIMESTAMP('15/04/2020 08:05', 'dd/MM/yyyy HH:mm')", "2020-04-15 08:05:00.000"),
        &[TEXT, Param::Pattern], 1, DataType::Timestamp, Kernel::Strict(to_timestamp)),
    rule("TO_TIMESTAMP_LTZ", "TO_TIMESTAMP_LTZ(number[, 0 or 3])", "The number of seconds (0) or milliseconds (3, also without) since 1970 as TIMESTAMP_LTZ(3).",
        ("TO_TIMESTAMP_LTZ(1586937900000, 3)", "2020-04-15 08:05:00.000"), resolve_to_ltz, to_ltz),
    entry("TO_DATE", "TO_DATE(text[, pattern])", "The text as DATE, read as `yyyy-MM-dd` or by the pattern; NULL when it does not read.",
        ("TO_DATE('15.4.2020', 'd.M.yyyy')", "2020-04-15"), &[TEXT, Param::Pattern], 1, DataType::Date, Kernel::Strict(to_date)),
    entry("DATE_FORMAT", "DATE_FORMAT(time, pattern)", "The time as text in a pattern of Java's letters: y M d H h m s S a E D.",
        ("DATE_FORMAT(TIMESTAMP '2020-04-15 08:05:00', 'yyyy/MM/dd HH:mm')", "2020/04/15 08:05"), &[TIME, Param::Pattern], 0, DataType::String, Kernel::Strict(date_format)),
    entry("FROM_UNIXTIME", "FROM_UNIXTIME(seconds[, pattern])", "Seconds since 1970 as text in UTC, `yyyy-MM-dd HH:mm:ss` or by the pattern.",
        ("FROM_UNIXTIME(1586937900)", "2020-04-15 08:05:00"), &[LONG, Param::Pattern], 1, DataType::String, Kernel::Strict(from_unixtime)),
    entry("UNIX_TIMESTAMP", "UNIX_TIMESTAMP(text[, pattern])", "Seconds since 1970 of a text in UTC, `yyyy-MM-dd HH:mm:ss` or by the pattern; NULL when it does not read.",
        ("UNIX_TIMESTAMP('2020-04-15 08:05:00')", "1586937900"), &[TEXT, Param::Pattern], 1, DataType::BigInt, Kernel::Strict(unix_timestamp)),
    entry("EXTRACT", "EXTRACT(unit FROM time)", "A field of the time: YEAR, QUARTER, MONTH, WEEK, DAY, DOW (Sunday is 1), ISODOW (Monday is 1), DOY, HOUR, MINUTE, SECOND, MILLISECOND, EPOCH.",
        ("EXTRACT(DAY FROM DATE '2020-04-15')", "15"), &[Param::Unit, TIME], 0, DataType::BigInt, Kernel::Total(extract)),
    part("YEAR", "YEAR(time)", "The year.", ("YEAR(DATE '1994-09-27')", "1994"), |a| field(a, Unit::Year)),
    part("QUARTER", "QUARTER(time)", "The quarter of the year, 1 to 4.", ("QUARTER(DATE '1994-09-27')", "3"), |a| field(a, Unit::Quarter)),
    part("MONTH", "MONTH(time)", "The month, 1 to 12.", ("MONTH(DATE '1994-09-27')", "9"), |a| field(a, Unit::Month)),
    part("WEEK", "WEEK(time)", "The ISO week of the year, 1 to 53.", ("WEEK(DATE '1994-09-27')", "39"), |a| field(a, Unit::Week)),
    part("DAYOFYEAR", "DAYOFYEAR(time)", "The day of the year, 1 to 366.", ("DAYOFYEAR(DATE '1994-09-27')", "270"), |a| field(a, Unit::Doy)),
    part("DAYOFMONTH", "DAYOFMONTH(time)", "The day of the month, 1 to 31.", ("DAYOFMONTH(DATE '1994-09-27')", "27"), |a| field(a, Unit::Day)),
    part("DAYOFWEEK", "DAYOFWEEK(time)", "The day of the week, 1 for Sunday to 7.", ("DAYOFWEEK(DATE '1994-09-27')", "3"), |a| field(a, Unit::Dow)),
    part("HOUR", "HOUR(time)", "The hour, 0 to 23.", ("HOUR(TIMESTAMP '1994-09-27 13:14:15')", "13"), |a| field(a, Unit::Hour)),
    part("MINUTE", "MINUTE(time)", "The minute, 0 to 59.", ("MINUTE(TIMESTAMP '1994-09-27 13:14:15')", "14"), |a| field(a, Unit::Minute)),
    part("SECOND", "SECOND(time)", "The second, 0 to 59.", ("SECOND(TIMESTAMP '1994-09-27 13:14:15')", "15"), |a| field(a, Unit::Second)),
    rule("TIMESTAMPADD", "TIMESTAMPADD(unit, n, time)", "The time moved by `n` units, MILLISECOND to YEAR; NULL beyond the range of times.",
        ("TIMESTAMPADD(MONTH, 1, DATE '2020-01-31')", "2020-02-29"), resolve_add, add),
    rule("TIMESTAMPDIFF", "TIMESTAMPDIFF(unit, a, b)", "How many whole units lie from `a` to `b`; NULL beyond the range of the result.",
        ("TIMESTAMPDIFF(DAY, TIMESTAMP '2003-01-02 10:00:00', TIMESTAMP '2003-01-03 10:00:00')", "1"), resolve_diff, diff),
];
