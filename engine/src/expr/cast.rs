//! CAST and TRY_CAST: numbers cut and wrap as in Flink, text that does not read is an error of its row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, StringArray};
use arrow_buffer::BooleanBuffer;

use crate::column;
use crate::error::Diagnostic;
use crate::schema::DataType;
use crate::time::{parse_date, parse_timestamp};
use crate::value::{Value, canonical_f32, canonical_f64};

use super::args::{Args, Native, build_text, row_error};
use super::evaluate::Datum;
use super::{Outcome, decimal};

/// `None` when the cast exists, otherwise what to do instead (may be empty).
pub(super) fn refused(from: DataType, to: DataType) -> Option<String> {
    use DataType::*;
    let number = |t: DataType| t.is_numeric();
    let allowed = match (from, to) {
        (Null, t) => t != Null,
        (_, Null) => false,
        (a, b) if a == b => true,
        (_, String) | (String, _) => true,
        (a, b) if number(a) && number(b) => true,
        (Boolean, b) => number(b),
        (a, Boolean) => number(a),
        (Date | Timestamp | TimestampLtz, Date | Timestamp | TimestampLtz) => true,
        _ => false,
    };
    if allowed {
        return None;
    }
    Some(match (from, to) {
        (a, Timestamp | TimestampLtz) if number(a) => {
            "TO_TIMESTAMP_LTZ(x, 3) reads milliseconds, TO_TIMESTAMP_LTZ(x, 0) seconds".to_owned()
        }
        (Timestamp | TimestampLtz | Date, b) if number(b) => {
            "EXTRACT(EPOCH FROM x) gives seconds since 1970".to_owned()
        }
        _ => std::string::String::new(),
    })
}

/// Converts a column; `lenient` gives NULL where a value does not convert.
pub(super) fn convert(
    array: &ArrayRef,
    from: DataType,
    to: DataType,
    lenient: bool,
) -> Outcome<ArrayRef> {
    use DataType::*;
    if from == to {
        return Ok(Arc::clone(array));
    }
    match (from, to) {
        (Null, _) => Ok(column::from_values(&vec![Value::Null; array.len()], to)),
        (String, Bytes) => {
            let text = array.as_string::<i32>();
            Ok(Arc::new(text.iter().map(|v| v.map(str::as_bytes)).collect::<BinaryArray>()))
        }
        (String, _) => from_text(array, to, lenient),
        (Bytes, _) => {
            let bytes = array.as_binary::<i32>();
            let text = |v| std::string::String::from_utf8_lossy(v);
            Ok(Arc::new(bytes.iter().map(|v| v.map(text)).collect::<StringArray>()))
        }
        (_, String) => to_text(array, from),
        (Boolean, _) => Ok(from_boolean(array, to)),
        (Timestamp | TimestampLtz, Timestamp | TimestampLtz) => {
            let values = array.as_primitive::<arrow_array::types::TimestampMillisecondType>();
            Ok(Arc::new(values.clone().with_data_type(to.to_arrow())))
        }
        (Date, _) => Ok(plain(array, to, |days: i32| i64::from(days) * super::calendar::DAY)),
        (Timestamp | TimestampLtz, _) => fallible(array, to, lenient, |ms: i64| {
            i32::try_from(ms.div_euclid(super::calendar::DAY))
                .map(Some)
                .map_err(|_| failure(&Value::Timestamp(ms).to_text(), from, to))
        }),
        _ => number(array, from, to, lenient),
    }
}

/// A conversion of every value that cannot fail.
fn plain<A: Native, B: Native>(array: &ArrayRef, to: DataType, f: impl Fn(A) -> B) -> ArrayRef {
    let values = A::slice(array).iter().map(|v| f(*v)).collect();
    B::array(values, array.nulls().cloned(), to)
}

fn failure(text: &str, from: DataType, to: DataType) -> crate::error::Error {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let shown = if from == DataType::String { format!("{shown:?}") } else { shown };
    Diagnostic::new("run.cast", format!("{shown} cannot be cast to {to}"))
        .hint("TRY_CAST gives NULL instead")
}

/// A conversion that may fail on a value; NULLs are skipped.
fn fallible<A: Native, B: Native>(
    array: &ArrayRef,
    to: DataType,
    lenient: bool,
    f: impl Fn(A) -> crate::error::Result<Option<B>>,
) -> Outcome<ArrayRef> {
    let columns = [Datum::column(Arc::clone(array))];
    let args = Args::new(&columns, array.len(), to);
    let input = args.view::<A>(0);
    args.try_each(|row| match f(input.at(row)) {
        Err(_) if lenient => Ok(None),
        other => other,
    })
}

fn number(array: &ArrayRef, from: DataType, to: DataType, lenient: bool) -> Outcome<ArrayRef> {
    use DataType::*;
    let nonzero = |bits: BooleanBuffer| -> ArrayRef {
        Arc::new(BooleanArray::new(bits, array.nulls().cloned()))
    };
    fn bits<T: Native + PartialEq>(array: &ArrayRef) -> BooleanBuffer {
        let values = T::slice(array);
        BooleanBuffer::collect_bool(values.len(), |i| values[i] != T::default())
    }
    Ok(match (from, to) {
        (Int, Boolean) => nonzero(bits::<i32>(array)),
        (BigInt, Boolean) => nonzero(bits::<i64>(array)),
        (Float, Boolean) => nonzero(bits::<f32>(array)),
        (Double, Boolean) => nonzero(bits::<f64>(array)),
        (Decimal(..), Boolean) => nonzero(bits::<i128>(array)),
        (Int, BigInt) => plain(array, to, |v: i32| i64::from(v)),
        (Int, Float) => plain(array, to, |v: i32| v as f32),
        (Int, Double) => plain(array, to, |v: i32| f64::from(v)),
        (BigInt, Int) => plain(array, to, |v: i64| v as i32),
        (BigInt, Float) => plain(array, to, |v: i64| v as f32),
        (BigInt, Double) => plain(array, to, |v: i64| v as f64),
        (Float, Int) => plain(array, to, |v: f32| v as i32),
        (Float, BigInt) => plain(array, to, |v: f32| v as i64),
        (Float, Double) => plain(array, to, |v: f32| canonical_nan(f64::from(v))),
        (Double, Int) => plain(array, to, |v: f64| v as i32),
        (Double, BigInt) => plain(array, to, |v: f64| v as i64),
        (Double, Float) => plain(array, to, |v: f64| canonical_nan_f32(v as f32)),
        (Decimal(_, s), Int) => plain(array, to, |v: i128| (v / decimal::power_of_ten(s)) as i32),
        (Decimal(_, s), BigInt) => {
            plain(array, to, |v: i128| (v / decimal::power_of_ten(s)) as i64)
        }
        (Decimal(_, s), Double) => plain(array, to, |v: i128| decimal::to_f64(v, s)),
        (Decimal(_, s), Float) => {
            plain(array, to, |v: i128| crate::value::decimal_text(v, s).parse().unwrap_or(f32::NAN))
        }
        (_, Decimal(p, s)) => return to_decimal(array, from, (p, s), lenient),
        _ => unreachable!("typing refuses a cast from {from} to {to}"),
    })
}

fn canonical_nan(v: f64) -> f64 {
    if v.is_nan() { canonical_f64(v) } else { v }
}

fn canonical_nan_f32(v: f32) -> f32 {
    if v.is_nan() { canonical_f32(v) } else { v }
}

/// Rounds half up; too many digits give NULL, a float that is no number is an error.
fn to_decimal(
    array: &ArrayRef,
    from: DataType,
    (p, s): (u8, u8),
    lenient: bool,
) -> Outcome<ArrayRef> {
    use DataType::*;
    let to = Decimal(p, s);
    match from {
        Int => fallible(array, to, lenient, |v: i32| Ok(decimal::rescale(i128::from(v), 0, s, p))),
        BigInt => {
            fallible(array, to, lenient, |v: i64| Ok(decimal::rescale(i128::from(v), 0, s, p)))
        }
        Decimal(_, scale) => {
            fallible(array, to, lenient, |v: i128| Ok(decimal::rescale(v, scale, s, p)))
        }
        Float => fallible(array, to, lenient, |v: f32| {
            decimal::parse(ryu::Buffer::new().format(v), p, s)
                .map_err(|()| failure(&Value::Float(v).to_text(), from, to))
        }),
        _ => fallible(array, to, lenient, |v: f64| {
            decimal::parse(ryu::Buffer::new().format(v), p, s)
                .map_err(|()| failure(&Value::Double(v).to_text(), from, to))
        }),
    }
}

fn from_boolean(array: &ArrayRef, to: DataType) -> ArrayRef {
    let bits = array.as_boolean();
    fn ones<T: Native>(bits: &BooleanArray, to: DataType, one: T) -> ArrayRef {
        let values = bits.values().iter().map(|b| if b { one } else { T::default() }).collect();
        T::array(values, bits.nulls().cloned(), to)
    }
    match to {
        DataType::Int => ones(bits, to, 1_i32),
        DataType::BigInt => ones(bits, to, 1_i64),
        DataType::Float => ones(bits, to, 1_f32),
        DataType::Double => ones(bits, to, 1_f64),
        // DECIMAL(p, p) has no room for 1: NULL, as for any number that does not fit.
        DataType::Decimal(p, s) => {
            let columns = [Datum::column(Arc::clone(array))];
            Args::new(&columns, array.len(), to)
                .each_option(|row| decimal::rescale(i128::from(bits.value(row)), 0, s, p))
        }
        _ => unreachable!("typing refuses a cast from BOOLEAN to {to}"),
    }
}

fn to_text(array: &ArrayRef, from: DataType) -> Outcome<ArrayRef> {
    build_text(array.len(), |row, out| {
        let some = array.is_valid(row);
        if some {
            out.push_str(&column::value_at(array, from, row).to_text());
        }
        Ok(some)
    })
}

fn from_text(array: &ArrayRef, to: DataType, lenient: bool) -> Outcome<ArrayRef> {
    let text = array.as_string::<i32>();
    let fail = |text: &str| failure(text, DataType::String, to);
    let columns = [Datum::column(Arc::clone(array))];
    let args = Args::new(&columns, array.len(), to);
    macro_rules! read {
        ($f:expr) => {{
            let read = $f;
            args.try_each(|row| {
                let text = text.value(row).trim_matches(' ');
                match read(text) {
                    Some(value) => Ok(Some(value)),
                    None if lenient => Ok(None),
                    None => Err(fail(text)),
                }
            })
        }};
    }
    match to {
        DataType::Int => read!(|t| integer(t).and_then(|v| i32::try_from(v).ok())),
        DataType::BigInt => read!(integer),
        DataType::Float => {
            read!(|t: &str| float(t).and_then(|t| t.parse().ok()).map(canonical_nan_f32))
        }
        DataType::Double => {
            read!(|t: &str| float(t).and_then(|t| t.parse().ok()).map(canonical_nan))
        }
        DataType::Date => read!(date),
        DataType::Timestamp | DataType::TimestampLtz => read!(parse_timestamp),
        DataType::Decimal(p, s) => args.try_each(|row| {
            let text = text.value(row).trim_matches(' ');
            match decimal::parse(text, p, s) {
                Err(()) if !lenient => Err(fail(text)),
                other => Ok(other.unwrap_or(None)),
            }
        }),
        _ => boolean_from_text(text, &args, lenient, fail),
    }
}

fn boolean_from_text(
    text: &StringArray,
    args: &Args<'_>,
    lenient: bool,
    fail: impl Fn(&str) -> crate::error::Error,
) -> Outcome<ArrayRef> {
    let mut bits = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        let word = if args.valid(row) { text.value(row).trim_matches(' ') } else { "" };
        let value = match word.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "0" => Some(false),
            _ => None,
        };
        if value.is_none() && args.valid(row) && !lenient {
            return Err(row_error(row, fail(word)));
        }
        bits.push(value);
    }
    Ok(Arc::new(BooleanArray::from(bits)))
}

/// An integer; decimals after a point are cut, as in Flink.
fn integer(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if matches!(whole, "" | "-" | "+") {
        return if fraction.is_empty() { None } else { Some(0) };
    }
    whole.parse().ok()
}

/// The text of a float in the forms that SQL prints them; other words for infinity do not count.
fn float(text: &str) -> Option<&str> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = digits.bytes().next().is_some_and(|b| b.is_ascii_digit() || b == b'.');
    (plain || digits == "Infinity" || digits == "NaN").then_some(text)
}

/// A date, also from the text of a timestamp.
fn date(text: &str) -> Option<i32> {
    parse_date(text).or_else(|| {
        let days = parse_timestamp(text)?.div_euclid(super::calendar::DAY);
        i32::try_from(days).ok()
    })
}
