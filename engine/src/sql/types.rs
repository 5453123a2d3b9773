//! Data types as Flink SQL writes them, and which of them a sink takes without a CAST.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::diagnose::{Locate, nearest, unsupported};
use super::dialect::Flink;
use super::statement::lift;
use crate::error::{Diagnostic, Error, Result};
use crate::schema::DataType;

/// The names a type may start with, for suggestions.
pub(super) const NAMES: [&str; 20] = [
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INT",
    "INTEGER",
    "BIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
    "DEC",
    "NUMERIC",
    "STRING",
    "VARCHAR",
    "CHAR",
    "BYTES",
    "VARBINARY",
    "BINARY",
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
];

/// A type as a column declares it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared {
    /// The engine's type.
    pub data_type: DataType,
    /// `NOT NULL` was said.
    pub not_null: bool,
    /// The narrower type that was written, when the engine holds it in a wider one.
    pub widened: Option<&'static str>,
}

/// Reads a type at the parser's place.
pub(super) fn parse(dialect: &Flink, parser: &mut Parser) -> Result<Declared> {
    let token = parser.next_token();
    let Token::Word(word) = &token.token else {
        return Err(syntax("a data type", &token.token).located_at(token.span));
    };
    let name = word.value.to_ascii_uppercase();
    let mut widened = None;
    let data_type = match name.as_str() {
        "BOOLEAN" => DataType::Boolean,
        "TINYINT" | "SMALLINT" => {
            widened = Some(if name == "TINYINT" { "TINYINT" } else { "SMALLINT" });
            DataType::Int
        }
        "INT" | "INTEGER" => DataType::Int,
        "BIGINT" => DataType::BigInt,
        "FLOAT" => DataType::Float,
        "DOUBLE" => {
            let _ = parser.parse_keyword(Keyword::PRECISION);
            DataType::Double
        }
        "DECIMAL" | "DEC" | "NUMERIC" => {
            decimal(&numbers(dialect, parser)?).map_err(|e| e.located_at(token.span))?
        }
        "STRING" => DataType::String,
        "VARCHAR" | "CHAR" => {
            numbers(dialect, parser)?;
            DataType::String
        }
        "BYTES" => DataType::Bytes,
        "VARBINARY" | "BINARY" => {
            numbers(dialect, parser)?;
            DataType::Bytes
        }
        "DATE" => DataType::Date,
        "TIMESTAMP" | "TIMESTAMP_LTZ" => {
            timestamp(dialect, parser, &name).map_err(|e| e.located_at(token.span))?
        }
        _ => return Err(unknown_type(&word.value).located_at(token.span)),
    };
    let not_null = if parser.parse_keywords(&[Keyword::NOT, Keyword::NULL]) {
        true
    } else {
        let _ = parser.parse_keyword(Keyword::NULL);
        false
    };
    Ok(Declared { data_type, not_null, widened })
}

/// Reads a type from its own text, such as [`DataType`] prints it.
pub(super) fn parse_text(text: &str) -> Result<DataType> {
    let dialect = Flink::default();
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|e| Diagnostic::new("sql.type", e.to_string()))?;
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    parse(&dialect, &mut parser).map(|declared| declared.data_type)
}

fn syntax(expected: &str, found: &Token) -> Error {
    let found = match found {
        Token::EOF | Token::SemiColon => "the end of the statement".to_owned(),
        other => other.to_string(),
    };
    Diagnostic::new("sql.syntax", format!("expected {expected}, found {found}"))
}

fn unknown_type(name: &str) -> Error {
    let upper = name.to_ascii_uppercase();
    match upper.as_str() {
        "TIME" | "ARRAY" | "MAP" | "ROW" | "MULTISET" | "RAW" | "INTERVAL" | "VARIANT" => {
            unsupported(
                format!("columns of type {upper} are not supported"),
                "the types are BOOLEAN, INT, BIGINT, FLOAT, DOUBLE, DECIMAL, STRING, BYTES, DATE, \
                 TIMESTAMP(3) and TIMESTAMP_LTZ(3)",
            )
        }
        "TEXT" => Diagnostic::new("sql.type", "unknown data type `TEXT`").hint("use STRING"),
        "DATETIME" => {
            Diagnostic::new("sql.type", "unknown data type `DATETIME`").hint("use TIMESTAMP(3)")
        }
        _ => {
            let error = Diagnostic::new("sql.type", format!("unknown data type `{name}`"));
            match nearest(&upper, NAMES) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("the types are {}", NAMES.join(", "))),
            }
        }
    }
}

/// `(n)`, `(n, m)` or nothing.
fn numbers(dialect: &Flink, parser: &mut Parser) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    if parser.consume_token(&Token::LParen) {
        found.push(lift(dialect, parser, Parser::parse_literal_uint)?);
        if parser.consume_token(&Token::Comma) {
            found.push(lift(dialect, parser, Parser::parse_literal_uint)?);
        }
        lift(dialect, parser, |p| p.expect_token(&Token::RParen))?;
    }
    Ok(found)
}

fn decimal(numbers: &[u64]) -> Result<DataType> {
    let precision = numbers.first().copied().unwrap_or(10);
    let scale = numbers.get(1).copied().unwrap_or(0);
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(p @ 1..=38), Ok(s)) if s <= p => Ok(DataType::Decimal(p, s)),
        _ => Err(Diagnostic::new(
            "sql.type",
            format!("DECIMAL({precision}, {scale}) does not exist"),
        )
        .hint("the precision is 1 to 38 and the scale at most the precision")),
    }
}

/// `TIMESTAMP [(p)] [WITH[OUT] [LOCAL] TIME ZONE]`, `TIMESTAMP_LTZ [(p)]`.
fn timestamp(dialect: &Flink, parser: &mut Parser, name: &str) -> Result<DataType> {
    let precision = numbers(dialect, parser)?;
    let mut local = name == "TIMESTAMP_LTZ";
    if parser.parse_keyword(Keyword::WITH) {
        local = parser.parse_keyword(Keyword::LOCAL);
        lift(dialect, parser, |p| p.expect_keywords(&[Keyword::TIME, Keyword::ZONE]))?;
        if !local {
            return Err(unsupported(
                "TIMESTAMP WITH TIME ZONE is not supported",
                "use TIMESTAMP_LTZ(3), which holds UTC milliseconds",
            ));
        }
    } else if parser.parse_keyword(Keyword::WITHOUT) {
        lift(dialect, parser, |p| p.expect_keywords(&[Keyword::TIME, Keyword::ZONE]))?;
    }
    if precision.len() > 1 || precision.first().is_some_and(|p| *p > 3) {
        return Err(unsupported(
            format!("{name} holds milliseconds, precision 3 at most"),
            format!("use {name}(3)"),
        ));
    }
    Ok(if local { DataType::TimestampLtz } else { DataType::Timestamp })
}

/// Whether a value of one type goes into a column of another without a CAST, as Flink's INSERT allows.
pub(super) fn stores_into(from: DataType, to: DataType) -> bool {
    use DataType::*;
    if from == to {
        return true;
    }
    match (from, to) {
        (Null, _) | (Int, BigInt | Float) | (BigInt | Decimal(..), Float) => true,
        (f, Double | Decimal(..)) => f.is_numeric(),
        (Timestamp, TimestampLtz | Date) | (TimestampLtz, Timestamp | Date) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printed_type_is_read_again() {
        use DataType::*;
        for t in [
            Boolean,
            Int,
            BigInt,
            Float,
            Double,
            Decimal(38, 6),
            String,
            Bytes,
            Date,
            Timestamp,
            TimestampLtz,
        ] {
            assert_eq!(parse_text(&t.to_string()).expect("a known type"), t);
        }
        assert_eq!(parse_text("timestamp(3) with local time zone").ok(), Some(TimestampLtz));
        assert_eq!(parse_text("NUMERIC").ok(), Some(Decimal(10, 0)));
        assert!(parse_text("DECIMAL(39, 2)").is_err());
        assert!(parse_text("TIMESTAMP(6)").is_err());
    }

    #[test]
    fn a_sink_widens_but_never_narrows() {
        use DataType::*;
        assert!(stores_into(Int, BigInt) && stores_into(BigInt, Double));
        assert!(stores_into(Decimal(5, 2), Decimal(10, 2)) && stores_into(Null, String));
        assert!(!stores_into(BigInt, Int) && !stores_into(Int, String));
        assert!(!stores_into(Double, Float) && !stores_into(Timestamp, BigInt));
    }
}
