//! One value: literals, keys, rows in text form.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::schema::DataType;
use crate::time::{format_date, format_timestamp};

/// A single SQL value.
#[derive(Clone, Debug)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// BOOLEAN
    Boolean(bool),
    /// INT
    Int(i32),
    /// BIGINT
    BigInt(i64),
    /// FLOAT
    Float(f32),
    /// DOUBLE
    Double(f64),
    /// DECIMAL: the unscaled number; the scale is the type's.
    Decimal(i128, u8),
    /// STRING
    String(Arc<str>),
    /// BYTES
    Bytes(Arc<[u8]>),
    /// DATE: days since 1970-01-01
    Date(i32),
    /// TIMESTAMP(3): milliseconds
    Timestamp(i64),
    /// TIMESTAMP_LTZ(3): milliseconds UTC
    TimestampLtz(i64),
}

impl Value {
    /// The value's natural type; a decimal has precision 38.
    pub fn data_type(&self) -> DataType {
        match self {
            Value::Null => DataType::Null,
            Value::Boolean(_) => DataType::Boolean,
            Value::Int(_) => DataType::Int,
            Value::BigInt(_) => DataType::BigInt,
            Value::Float(_) => DataType::Float,
            Value::Double(_) => DataType::Double,
            Value::Decimal(_, s) => DataType::Decimal(38, *s),
            Value::String(_) => DataType::String,
            Value::Bytes(_) => DataType::Bytes,
            Value::Date(_) => DataType::Date,
            Value::Timestamp(_) => DataType::Timestamp,
            Value::TimestampLtz(_) => DataType::TimestampLtz,
        }
    }

    /// True for NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Whether the value can stand in a column of that type.
    pub fn fits(&self, data_type: DataType) -> bool {
        match (self.data_type(), data_type) {
            (DataType::Null, _) => true,
            (DataType::Decimal(_, own), DataType::Decimal(_, scale)) => own == scale,
            (own, data_type) => own == data_type,
        }
    }

    /// A total order of values of one type: NULL first, floats by IEEE 754 totalOrder with one NaN
    /// above all numbers and one zero.
    pub fn total_cmp(&self, other: &Value) -> Ordering {
        use Value::*;
        match (self, other) {
            (Null, Null) => Ordering::Equal,
            (Null, _) => Ordering::Less,
            (_, Null) => Ordering::Greater,
            (Boolean(a), Boolean(b)) => a.cmp(b),
            (Int(a), Int(b)) | (Date(a), Date(b)) => a.cmp(b),
            (BigInt(a), BigInt(b))
            | (Timestamp(a), Timestamp(b))
            | (TimestampLtz(a), TimestampLtz(b)) => a.cmp(b),
            (Float(a), Float(b)) => canonical_f32(*a).total_cmp(&canonical_f32(*b)),
            (Double(a), Double(b)) => canonical_f64(*a).total_cmp(&canonical_f64(*b)),
            (Decimal(a, _), Decimal(b, _)) => a.cmp(b),
            (String(a), String(b)) => a.cmp(b),
            (Bytes(a), Bytes(b)) => a.cmp(b),
            _ => panic!("values of different types are never compared: {self:?} and {other:?}"),
        }
    }

    /// The value as tables and traces print it; strings bare, NULL as `NULL`.
    pub fn to_text(&self) -> String {
        match self {
            Value::Null => "NULL".into(),
            Value::Boolean(b) => {
                if *b {
                    "TRUE".into()
                } else {
                    "FALSE".into()
                }
            }
            Value::Int(v) => v.to_string(),
            Value::BigInt(v) => v.to_string(),
            Value::Float(v) => {
                float_text(f64::from(*v), || ryu::Buffer::new().format(*v).to_owned())
            }
            Value::Double(v) => float_text(*v, || ryu::Buffer::new().format(*v).to_owned()),
            Value::Decimal(v, s) => decimal_text(*v, *s),
            Value::String(v) => v.to_string(),
            Value::Bytes(v) => {
                let mut text = String::from("0x");
                for b in v.iter() {
                    write!(text, "{b:02x}").expect("writing to a string cannot fail");
                }
                text
            }
            Value::Date(v) => format_date(*v),
            Value::Timestamp(v) | Value::TimestampLtz(v) => format_timestamp(*v),
        }
    }

    /// The value as the `jsonl` format writes it: numbers as numbers, decimals, dates, timestamps and
    /// bytes as strings, non-finite floats as strings.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Null => Json::Null,
            Value::Boolean(b) => Json::Bool(*b),
            Value::Int(v) => Json::from(*v),
            Value::BigInt(v) => Json::from(*v),
            Value::Float(v) if v.is_finite() => {
                // The shortest text of the single-precision number, not its double-precision tail.
                ryu::Buffer::new().format(*v).parse::<f64>().map(Json::from).unwrap_or(Json::Null)
            }
            Value::Double(v) if v.is_finite() => Json::from(*v),
            other => Json::String(other.to_text()),
        }
    }
}

/// The one NaN and the one zero that leave the engine.
pub fn canonical_f64(v: f64) -> f64 {
    if v.is_nan() {
        f64::NAN.abs()
    } else if v == 0.0 {
        0.0
    } else {
        v
    }
}

/// The one NaN and the one zero that leave the engine.
pub fn canonical_f32(v: f32) -> f32 {
    if v.is_nan() {
        f32::NAN.abs()
    } else if v == 0.0 {
        0.0
    } else {
        v
    }
}

fn float_text(v: f64, finite: impl FnOnce() -> String) -> String {
    if v.is_nan() {
        "NaN".into()
    } else if v.is_infinite() {
        if v > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        finite()
    }
}

/// The plain decimal notation of `unscaled * 10^-scale`.
pub fn decimal_text(unscaled: i128, scale: u8) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let scale = usize::from(scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{fraction}")
}
