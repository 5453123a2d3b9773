//! Literals: numbers, strings, bytes, dates and timestamps.

use sqlparser::ast::Value as AstValue;

use super::diagnose::unsupported;
use crate::error::{Diagnostic, Error, Result};
use crate::expr::Expr;
use crate::schema::DataType;
use crate::time::{parse_date, parse_timestamp};
use crate::value::Value;

/// A STRING.
pub(super) fn text(value: &str) -> Expr {
    Expr::literal(Value::String(value.into()), DataType::String)
}

/// What stands behind DATE.
pub(super) fn date(text: &str) -> Result<Expr> {
    match parse_date(text) {
        Some(days) => Ok(Expr::literal(Value::Date(days), DataType::Date)),
        None => Err(bad_literal("DATE", text, "DATE '2020-04-15'")),
    }
}

/// What stands behind TIMESTAMP.
pub(super) fn timestamp(text: &str) -> Result<Expr> {
    match parse_timestamp(text) {
        Some(at) => Ok(Expr::literal(Value::Timestamp(at), DataType::Timestamp)),
        None => Err(bad_literal("TIMESTAMP", text, "TIMESTAMP '2020-04-15 08:05:00'")),
    }
}

fn bad_literal(kind: &str, text: &str, example: &str) -> Error {
    Diagnostic::new("sql.literal", format!("'{text}' is no {kind}"))
        .hint(format!("write {example}"))
}

/// A literal as the parser read it.
pub(super) fn literal(value: &AstValue) -> Result<Expr> {
    match value {
        AstValue::Number(digits, _) => number(digits),
        AstValue::SingleQuotedString(content) => Ok(text(content)),
        AstValue::Boolean(b) => Ok(Expr::literal(Value::Boolean(*b), DataType::Boolean)),
        AstValue::Null => Ok(Expr::literal(Value::Null, DataType::Null)),
        AstValue::DoubleQuotedString(content) => Err(Diagnostic::new(
            "sql.syntax",
            format!("\"{content}\" is neither a string nor a name"),
        )
        .hint("strings take single quotes '…', names take backticks `…`")),
        AstValue::HexStringLiteral(digits) => hex(digits),
        other => Err(unsupported(
            format!("the literal {other} is not supported"),
            "write a plain string or number",
        )),
    }
}

fn hex(digits: &str) -> Result<Expr> {
    let wrong = || {
        Diagnostic::new("sql.literal", format!("X'{digits}' is no row of bytes"))
            .hint("write two hexadecimal digits a byte")
    };
    let digits_of = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    };
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(digits_of).collect();
    let bytes = bytes.ok_or_else(wrong)?;
    Ok(Expr::literal(Value::Bytes(bytes.into()), DataType::Bytes))
}

/// INT, BIGINT or DECIMAL by size; DECIMAL with a point; DOUBLE with an exponent.
pub(super) fn number(text: &str) -> Result<Expr> {
    let wrong = || {
        Diagnostic::new("sql.literal", format!("{text} is no number that fits a type"))
            .hint("a DECIMAL has up to 38 digits; use an exponent for a DOUBLE: 1e40")
    };
    if text.contains(['e', 'E']) {
        let value: f64 = text.parse().map_err(|_| wrong())?;
        let finite = value.is_finite().then_some(Value::Double(value)).ok_or_else(wrong)?;
        return Ok(Expr::literal(finite, DataType::Double));
    }
    if let Ok(value) = text.parse::<i32>() {
        return Ok(Expr::literal(Value::Int(value), DataType::Int));
    }
    if let Ok(value) = text.parse::<i64>() {
        return Ok(Expr::literal(Value::BigInt(value), DataType::BigInt));
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let scale = fraction.len();
    let precision = (whole.len() + scale).max(1);
    let unscaled = format!("{sign}{whole}{fraction}");
    let unscaled = if whole.is_empty() && fraction.is_empty() { "0" } else { &unscaled };
    match (unscaled.parse::<i128>(), u8::try_from(precision), u8::try_from(scale)) {
        (Ok(value), Ok(precision @ ..=38), Ok(scale)) => {
            Ok(Expr::literal(Value::Decimal(value, scale), DataType::Decimal(precision, scale)))
        }
        _ => Err(wrong()),
    }
}
