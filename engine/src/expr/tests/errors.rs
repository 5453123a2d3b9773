//! What a user reads: errors of typing, and expressions printed back as SQL.

use crate::expr::{Expr, common_type};
use crate::schema::{DataType, Field, Schema, SchemaRef};

use super::sql::parse;

fn schema() -> SchemaRef {
    Schema::new(vec![
        Field::new("n", DataType::BigInt),
        Field::new("s", DataType::String),
        Field::new("t", DataType::Timestamp),
        Field::new("odd name", DataType::Double),
        Field::new("p", DataType::Boolean),
    ])
}

#[test]
fn errors_say_what_was_expected_and_what_came() {
    for (text, code, message, hint) in [
        (
            "SUBSTRNG(s, 1)",
            "sql.unknown-function",
            "no function SUBSTRNG",
            "did you mean SUBSTRING?",
        ),
        ("s + 1", "sql.type", "+ expects numbers, not STRING and INT", "||"),
        ("1 * s", "sql.type", "not INT and STRING", "CAST"),
        ("t - t", "sql.type", "not TIMESTAMP(3) and TIMESTAMP(3)", "TIMESTAMPDIFF"),
        ("UPPER(n)", "sql.type", "argument 1 of UPPER has to be STRING, not BIGINT", "CAST"),
        ("LEFT(s, 1.5)", "sql.type", "argument 2 of LEFT has to be BIGINT", "LEFT(text, n)"),
        ("UPPER()", "sql.argument", "UPPER expects 1 argument, not 0", "UPPER(text)"),
        ("LPAD(s, 1)", "sql.argument", "LPAD expects 3 arguments, not 2", "LPAD"),
        ("n = s", "sql.type", "BIGINT and STRING", "CAST"),
        ("t = s", "sql.type", "TIMESTAMP(3) and STRING", "CAST"),
        ("CASE WHEN n THEN 1 END", "sql.type", "WHEN expects BOOLEAN, not BIGINT", ""),
        ("n AND p", "sql.type", "AND expects BOOLEAN, not BIGINT", ""),
        ("CASE WHEN p THEN n ELSE s END", "sql.type", "CASE expects", "CAST"),
        (
            "CAST(n AS TIMESTAMP)",
            "sql.type",
            "BIGINT cannot be cast to TIMESTAMP(3)",
            "TO_TIMESTAMP_LTZ",
        ),
        ("TIMESTAMPADD(FORTNIGHT, 1, t)", "sql.argument", "knows no unit", "TIMESTAMPADD"),
        ("RAND()", "sql.nondeterministic", "runs are reproducible", "event time"),
        ("now()", "sql.nondeterministic", "NOW", "event time"),
        ("UNIX_TIMESTAMP()", "sql.nondeterministic", "UNIX_TIMESTAMP", "event time"),
    ] {
        let error = parse(text, &schema()).expect_err(text);
        assert_eq!(error.code, code, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
        let said = error.hint.clone().unwrap_or_default();
        assert!(said.contains(hint), "{text}: {error}");
        assert_eq!(error.span, None, "{text}: the caller knows the place");
    }
}

#[test]
fn expressions_print_as_sql() {
    for (text, expected) in [
        ("n + 1 * 2 - 3", "n + 2 - 3"),
        ("(n + 1) * 2", "(n + 1) * 2"),
        ("s || 'it''s'", "s || 'it''s'"),
        ("NOT (p OR n IS NULL AND p)", "NOT (p OR n IS NULL AND p)"),
        ("(p OR p) AND p", "(p OR p) AND p"),
        ("s LIKE 'a%' ESCAPE '!'", "s LIKE 'a%' ESCAPE '!'"),
        ("s IN ('a', 'b')", "s IN ('a', 'b')"),
        ("EXTRACT(YEAR FROM t) > 2000", "EXTRACT(YEAR FROM t) > 2000"),
        ("FLOOR(t TO HOUR)", "FLOOR(t TO HOUR)"),
        ("TIMESTAMPADD(SECOND, 5, t)", "TIMESTAMPADD(SECOND, 5, t)"),
        ("CASE WHEN p THEN 'a' ELSE s END", "CASE WHEN p THEN 'a' ELSE s END"),
        ("`odd name` * 1.5E0", "`odd name` * 1.5E0"),
        ("t > '2020-01-01'", "t > TIMESTAMP '2020-01-01 00:00:00.000'"),
        ("TRY_CAST(s AS INT)", "TRY_CAST(s AS INT)"),
        ("n - (n - n)", "n - (n - n)"),
        ("-n IS NOT NULL", "-n IS NOT NULL"),
        ("COALESCE(s, NULL)", "COALESCE(s, NULL)"),
        ("POSITION('a' IN s)", "POSITION('a' IN s)"),
    ] {
        let folded = parse(text, &schema()).and_then(Expr::fold).unwrap().to_sql(&schema());
        assert_eq!(folded, expected, "{text}");
        // What is printed reads as the same expression.
        let again = parse(&folded, &schema()).and_then(Expr::fold).unwrap().to_sql(&schema());
        assert_eq!(again, folded, "{text}");
    }
}

#[test]
fn constants_are_computed_once_and_guarded_ones_stay() {
    let folded = |text: &str| parse(text, &schema()).and_then(Expr::fold);
    assert!(folded("1 + 2 * 3").unwrap().as_literal().is_some());
    assert_eq!(folded("n / (1 - 1)").unwrap().to_sql(&schema()), "n / 0");
    assert_eq!(
        folded("n + 1 / 0").expect_err("a constant division by zero").code,
        "run.division-by-zero"
    );
    assert!(folded("CASE WHEN p THEN 1 / 0 END").is_ok());
    assert!(folded("p AND 1 / 0 = 1").is_ok());
}

#[test]
fn types_meet() {
    use DataType::*;
    for (a, b, expected) in [
        (Int, BigInt, Some(BigInt)),
        (Int, Decimal(5, 2), Some(Decimal(12, 2))),
        (BigInt, Decimal(38, 30), Some(Decimal(38, 19))),
        (Decimal(4, 2), Decimal(5, 1), Some(Decimal(6, 2))),
        (BigInt, Float, Some(Float)),
        (Float, Double, Some(Double)),
        (Decimal(4, 2), Float, Some(Double)),
        (Null, String, Some(String)),
        (Date, Timestamp, Some(Timestamp)),
        (Timestamp, TimestampLtz, Some(TimestampLtz)),
        (String, Int, None),
        (Boolean, Int, None),
    ] {
        assert_eq!(common_type(a, b), expected, "{a} and {b}");
        assert_eq!(common_type(b, a), expected, "{b} and {a}");
    }
}
