//! Functions that keep the type of their number: ABS, SIGN, CEIL, FLOOR, ROUND, TRUNCATE.

use arrow_array::ArrayRef;

use crate::error::{Error, Result};
use crate::schema::DataType;
use crate::value::Value;

use super::args::{Args, Native};
use super::arith::{nan_f32, nan_f64};
use super::calendar::{self, Unit};
use super::decimal::{divide_half_up, power_of_ten, within};
use super::resolve::{argument, call, count, literal_text, wrong_type};
use super::{Expr, Function, Kernel, Resolve};

fn number(f: &'static Function, arg: Expr) -> Result<Expr> {
    match arg.data_type {
        DataType::Null => Ok(arg.cast_unchecked(DataType::Int, false)),
        t if t.is_numeric() => Ok(arg),
        t => Err(wrong_type(f, 0, "a number", t)),
    }
}

fn first(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    args.into_iter().next().ok_or_else(|| missing(f))
}

fn missing(f: &'static Function) -> Error {
    super::resolve::wrong_value(f, format!("{} expects an argument", f.name))
}

fn resolve_same(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 1, 1)?;
    let x = number(f, first(f, args)?)?;
    let result = match x.data_type {
        // DECIMAL(2, 2) has no room for 1.
        DataType::Decimal(p, s) if f.name == "SIGN" => DataType::Decimal(p.max(s + 1).min(38), s),
        t => t,
    };
    let partial = f.name == "SIGN" && matches!(result, DataType::Decimal(..));
    Ok(call(f, vec![x], result, partial))
}

/// `FLOOR(number)` or `FLOOR(time, unit)`.
fn resolve_floor(f: &'static Function, mut args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 1, 2)?;
    if args.len() == 1 {
        let x = number(f, first(f, args)?)?;
        let result = match x.data_type {
            DataType::Decimal(p, _) => DataType::Decimal(p, 0),
            t => t,
        };
        return Ok(call(f, vec![x], result, false));
    }
    let unit = args.swap_remove(1);
    let known = Unit::named(f, literal_text(f, 1, &unit)?)?;
    if known > Unit::Year {
        return Err(super::resolve::wrong_value(f, format!("{} has no use for {known:?}", f.name)));
    }
    let x = first(f, args)?;
    let (was_date, keep) = (x.data_type == DataType::Date, x.data_type.is_timestamp());
    let x = if keep { x } else { argument(f, 0, x, DataType::Timestamp)? };
    let result = x.data_type;
    let floored = call(f, vec![x, unit], result, true);
    Ok(if was_date { floored.cast_unchecked(DataType::Date, true) } else { floored })
}

fn resolve_round(f: &'static Function, args: Vec<Expr>) -> Result<Expr> {
    count(f, &args, 1, 2)?;
    let mut args = args.into_iter();
    let x = number(f, args.next().ok_or_else(|| missing(f))?)?;
    let places = match args.next() {
        Some(places) => argument(f, 1, places, DataType::BigInt)?,
        None => Expr::literal(Value::BigInt(0), DataType::BigInt),
    }
    .fold()?;
    let (result, partial) = match (x.data_type, places.as_literal()) {
        (DataType::Decimal(p, s), Some(Value::BigInt(r))) if *r < i64::from(s) => {
            let kept = u8::try_from((*r).max(0)).unwrap_or(s);
            (DataType::Decimal((p - s + kept + 1).min(38), kept), true)
        }
        (t, _) => (t, matches!(t, DataType::Decimal(..))),
    };
    Ok(call(f, vec![x, places], result, partial))
}

fn each<T: Native>(args: &Args<'_>, f: impl Fn(T) -> T) -> ArrayRef {
    let x = args.view::<T>(0);
    args.each(|row| f(x.at(row)))
}

fn abs(args: &Args<'_>) -> ArrayRef {
    match args.result {
        DataType::Int => each(args, i32::wrapping_abs),
        DataType::BigInt => each(args, i64::wrapping_abs),
        DataType::Float => each(args, |v: f32| nan_f32(v.abs())),
        DataType::Double => each(args, |v: f64| nan_f64(v.abs())),
        _ => each(args, i128::wrapping_abs),
    }
}

fn sign(args: &Args<'_>) -> ArrayRef {
    match args.result {
        DataType::Int => each(args, i32::signum),
        DataType::BigInt => each(args, i64::signum),
        DataType::Float => each(args, |v: f32| if v == 0.0 { v } else { nan_f32(v.signum()) }),
        DataType::Double => each(args, |v: f64| if v == 0.0 { v } else { nan_f64(v.signum()) }),
        DataType::Decimal(p, s) => {
            let x = args.view::<i128>(0);
            // Not even DECIMAL(38, 38) has room for 1.
            args.each_option(|row| within(x.at(row).signum() * power_of_ten(s), p))
        }
        _ => each(args, i128::signum),
    }
}

fn floor(args: &Args<'_>, up: bool) -> ArrayRef {
    if args.has(1) {
        return floor_time(args, up);
    }
    match args.result {
        DataType::Int => each(args, |v: i32| v),
        DataType::BigInt => each(args, |v: i64| v),
        DataType::Float => {
            each(args, |v: f32| nan_f32(if up { libm::ceilf(v) } else { libm::floorf(v) }))
        }
        DataType::Double => {
            each(args, |v: f64| nan_f64(if up { libm::ceil(v) } else { libm::floor(v) }))
        }
        _ => {
            let unit = power_of_ten(scale(args));
            each(args, move |v: i128| {
                let down = v.div_euclid(unit);
                if up && v.rem_euclid(unit) != 0 { down + 1 } else { down }
            })
        }
    }
}

fn floor_time(args: &Args<'_>, up: bool) -> ArrayRef {
    let (time, unit) = (args.view::<i64>(0), args.text(1));
    let Some(unit) = Unit::parse(unit.at(0)) else { return args.each_option::<i64>(|_| None) };
    args.each_option(|row| {
        if up { calendar::ceil(time.at(row), unit) } else { calendar::floor(time.at(row), unit) }
    })
}

/// The scale of a decimal first argument.
fn scale(args: &Args<'_>) -> u8 {
    match arrow_array::Array::data_type(&args.columns[0].array) {
        arrow_schema::DataType::Decimal128(_, s) => *s as u8,
        _ => 0,
    }
}

fn round(args: &Args<'_>, half_up: bool) -> ArrayRef {
    let places = args.view::<i64>(1);
    match args.result {
        DataType::Int => {
            let x = args.view::<i32>(0);
            args.each(|row| round_integer(i128::from(x.at(row)), places.at(row), half_up) as i32)
        }
        DataType::BigInt => {
            let x = args.view::<i64>(0);
            args.each(|row| round_integer(i128::from(x.at(row)), places.at(row), half_up) as i64)
        }
        DataType::Float => {
            let x = args.view::<f32>(0);
            args.each(|row| {
                let text = ryu::Buffer::new().format(x.at(row)).to_owned();
                let rounded = round_text(&text, places.at(row), half_up);
                rounded.and_then(|t| t.parse().ok()).unwrap_or(nan_f32(x.at(row)))
            })
        }
        DataType::Double => {
            let x = args.view::<f64>(0);
            args.each(|row| {
                let text = ryu::Buffer::new().format(x.at(row)).to_owned();
                let rounded = round_text(&text, places.at(row), half_up);
                rounded.and_then(|t| t.parse().ok()).unwrap_or(nan_f64(x.at(row)))
            })
        }
        DataType::Decimal(p, to) => {
            let (x, from) = (args.view::<i128>(0), scale(args));
            args.each_option(|row| round_decimal(x.at(row), from, places.at(row), to, half_up))
                .pipe_within(p, args)
        }
        _ => each(args, |v: i128| v),
    }
}

/// Keeps only decimals of at most that many digits.
trait Within {
    fn pipe_within(self, precision: u8, args: &Args<'_>) -> ArrayRef;
}

impl Within for ArrayRef {
    fn pipe_within(self, precision: u8, args: &Args<'_>) -> ArrayRef {
        let values = i128::slice(&self).to_vec();
        if values.iter().all(|v| within(*v, precision).is_some()) {
            return self;
        }
        args.each_option(
            |row| {
                if self.is_null(row) { None } else { within(values[row], precision) }
            },
        )
    }
}

fn round_integer(value: i128, places: i64, half_up: bool) -> i128 {
    if places >= 0 {
        return value;
    }
    let unit = power_of_ten(u8::try_from(places.unsigned_abs()).unwrap_or(38));
    let kept = if half_up { divide_half_up(value, unit) } else { value / unit };
    kept.wrapping_mul(unit)
}

fn round_decimal(value: i128, from: u8, places: i64, to: u8, half_up: bool) -> Option<i128> {
    let drop = i64::from(from).saturating_sub(places);
    if drop <= 0 {
        return value.checked_mul(power_of_ten(to.saturating_sub(from)));
    }
    let Some(drop) = u8::try_from(drop).ok().filter(|d| *d <= 38) else { return Some(0) };
    let unit = power_of_ten(drop);
    let kept = if half_up { divide_half_up(value, unit) } else { value / unit };
    // `kept` has scale `from - drop`, possibly below zero.
    let up = i16::from(to) - (i16::from(from) - i16::from(drop));
    match u8::try_from(up) {
        Ok(up) if up <= 38 => kept.checked_mul(power_of_ten(up)),
        Ok(_) => (kept == 0).then_some(0),
        Err(_) => Some(kept / power_of_ten(u8::try_from(-up).unwrap_or(38))),
    }
}

/// Rounds a number in decimal text to that many decimals; `None` when it stays as it is.
///
/// The shortest text of a float is what its reader sees, so 0.285 rounds to 0.29 although the
/// double nearest to it lies a little below.
fn round_text(text: &str, places: i64, half_up: bool) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let point = (whole.len() as i64).saturating_add(exponent.parse().ok()?);
    let keep = point.saturating_add(places);
    if keep < 0 {
        return Some(format!("{sign}0"));
    }
    let keep = usize::try_from(keep).ok().filter(|k| *k < digits.len())?;
    let up = half_up && digits[keep] >= b'5';
    digits.truncate(keep);
    digits.insert(0, b'0');
    if up {
        for digit in digits.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                break;
            }
            *digit = b'0';
        }
    }
    let digits = String::from_utf8(digits).ok()?;
    // One digit stands before the old first one.
    Some(format!("{sign}{digits}e{}", point - keep as i64))
}

const fn entry(
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
    entry("ABS", "ABS(x)", "The number without its sign.", ("ABS(-2.50)", "2.50"), resolve_same, abs),
    entry("SIGN", "SIGN(x)", "-1, 0 or 1, of the number's type.", ("SIGN(-7)", "-1"), resolve_same, sign),
    entry("FLOOR", "FLOOR(x) or FLOOR(time TO unit)", "The greatest whole number not above `x`, or the start of the unit the time is in (weeks start on Sunday).",
        ("FLOOR(-1.5)", "-2"), resolve_floor, |a| floor(a, false)),
    entry("CEIL", "CEIL(x) or CEIL(time TO unit)", "The least whole number not below `x`, or the time moved up to the start of a unit.",
        ("CEIL(1.2)", "2"), resolve_floor, |a| floor(a, true)),
    entry("CEILING", "CEILING(x)", "The same as CEIL.", ("CEILING(-1.2)", "-1"), resolve_floor, |a| floor(a, true)),
    entry("ROUND", "ROUND(x[, decimals])", "The number rounded half up (away from zero) to that many decimals; negative ones round whole digits.",
        ("ROUND(2.345, 2)", "2.35"), resolve_round, |a| round(a, true)),
    entry("TRUNCATE", "TRUNCATE(x[, decimals])", "The number cut to that many decimals.", ("TRUNCATE(-2.349, 2)", "-2.34"), resolve_round, |a| round(a, false)),
];
