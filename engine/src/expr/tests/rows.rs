//! Expressions over batches: what is evaluated for which rows, and which row an error names.

use std::sync::Arc;

use crate::batch::Batch;
use crate::column;
use crate::expr::{RowError, evaluate, select};
use crate::schema::{DataType, Field, Schema};
use crate::value::Value;

use super::sql::parse;

/// Columns `n` BIGINT, `d` DOUBLE, `s` STRING, `m` DECIMAL(10, 2), `t` TIMESTAMP(3).
fn batch(rows: &[(Option<i64>, f64, &str, i128, i64)]) -> Batch {
    let types = [
        ("n", DataType::BigInt),
        ("d", DataType::Double),
        ("s", DataType::String),
        ("m", DataType::Decimal(10, 2)),
        ("t", DataType::Timestamp),
    ];
    let column = |i: usize| -> Vec<Value> {
        rows.iter()
            .map(|(n, d, s, m, t)| match i {
                0 => n.map_or(Value::Null, Value::BigInt),
                1 => Value::Double(*d),
                2 => Value::String((*s).into()),
                3 => Value::Decimal(*m, 2),
                _ => Value::Timestamp(*t),
            })
            .collect()
    };
    let columns =
        types.iter().enumerate().map(|(i, (_, t))| column::from_values(&column(i), *t)).collect();
    let fields = types.map(|(name, t)| Field::new(name, t)).into();
    let seqs = crate::numbers::Numbers::run(1, rows.len());
    Batch::new(Schema::new(fields), columns, seqs)
}

fn four() -> Batch {
    batch(&[
        (Some(4), 0.5, "1", 150, 0),
        (Some(0), -0.0, "x", -50, 1_000),
        (None, f64::NAN, "2", 0, 86_399_999),
        (Some(-3), 2.0, "", 1_000, -1),
    ])
}

fn texts(text: &str, batch: &Batch) -> Result<Vec<String>, RowError> {
    let expr = parse(text, &batch.schema).unwrap().fold().unwrap();
    let array = evaluate(&expr, batch)?;
    assert_eq!(array.len(), batch.rows, "{text}");
    assert_eq!(*array.data_type(), expr.data_type.to_arrow(), "{text}");
    let values = (0..batch.rows).map(|i| column::value_at(&array, expr.data_type, i).to_text());
    Ok(values.collect())
}

#[test]
fn every_kind_of_column_is_computed() {
    let batch = four();
    for (text, expected) in [
        ("n + 1", ["5", "1", "NULL", "-2"]),
        ("10 - n", ["6", "10", "NULL", "13"]),
        ("n * n", ["16", "0", "NULL", "9"]),
        ("n / 2", ["2", "0", "NULL", "-1"]),
        ("d / 0", ["Infinity", "NaN", "NaN", "Infinity"]),
        ("d < 1", ["TRUE", "TRUE", "FALSE", "FALSE"]),
        ("m + n", ["5.50", "-0.50", "NULL", "7.00"]),
        ("m * 2", ["3.00", "-1.00", "0.00", "20.00"]),
        ("m > n", ["FALSE", "FALSE", "NULL", "TRUE"]),
        ("s || '!'", ["1!", "x!", "2!", "!"]),
        ("s || s", ["11", "xx", "22", ""]),
        ("s = 'x'", ["FALSE", "TRUE", "FALSE", "FALSE"]),
        ("s IN ('1', '2')", ["TRUE", "FALSE", "TRUE", "FALSE"]),
        ("s LIKE '_'", ["TRUE", "TRUE", "TRUE", "FALSE"]),
        ("TRY_CAST(s AS INT)", ["1", "NULL", "2", "NULL"]),
        ("n IS NULL", ["FALSE", "FALSE", "TRUE", "FALSE"]),
        ("COALESCE(n, 7)", ["4", "0", "7", "-3"]),
        ("GREATEST(n, 1)", ["4", "1", "NULL", "1"]),
        ("CASE WHEN n > 0 THEN s WHEN n < 0 THEN 'low' END", ["1", "NULL", "NULL", "low"]),
        ("HOUR(t)", ["0", "0", "23", "23"]),
        ("t < '1970-01-01 00:00:01'", ["TRUE", "FALSE", "FALSE", "TRUE"]),
        ("CAST(n AS STRING)", ["4", "0", "NULL", "-3"]),
        ("CAST(m AS INT)", ["1", "0", "0", "10"]),
        ("42", ["42", "42", "42", "42"]),
        ("CAST(NULL AS INT)", ["NULL", "NULL", "NULL", "NULL"]),
    ] {
        assert_eq!(texts(text, &batch).unwrap(), expected, "{text}");
    }
}

#[test]
fn operands_that_are_not_needed_are_not_evaluated() {
    let batch = four();
    for (text, expected) in [
        ("CASE WHEN n <> 0 THEN 12 / n END", ["3", "NULL", "NULL", "-4"]),
        ("IF(n = 0, 0, 12 / n)", ["3", "0", "NULL", "-4"]),
        ("n <> 0 AND 12 / n > 0", ["TRUE", "FALSE", "NULL", "FALSE"]),
        ("n = 0 OR 12 / n > 0", ["TRUE", "TRUE", "NULL", "FALSE"]),
        ("COALESCE(TRY_CAST(s AS INT), CHAR_LENGTH(s))", ["1", "1", "2", "0"]),
        ("CASE WHEN s IN ('1', '2') THEN CAST(s AS INT) ELSE -1 END", ["1", "-1", "2", "-1"]),
        (
            "CASE WHEN n = 0 THEN 0 ELSE CASE WHEN n > 0 THEN 8 / n ELSE 9 / n END END",
            ["2", "0", "NULL", "-3"],
        ),
        ("CASE WHEN s = 'never' THEN 1 / 0 ELSE 5 END", ["5", "5", "5", "5"]),
    ] {
        assert_eq!(texts(text, &batch).unwrap(), expected, "{text}");
    }
}

#[test]
fn an_error_names_its_row_and_what_helps() {
    let batch = four();
    for (text, row, code) in [
        ("12 / n", 1, "run.division-by-zero"),
        ("12 % n", 1, "run.division-by-zero"),
        ("12 / m", 2, "run.division-by-zero"),
        ("CAST(s AS INT)", 1, "run.cast"),
        // The rows that reach the branch are the last two; the error is in the last of the batch.
        ("CASE WHEN t BETWEEN 0 AND 1 THEN 0 END", 0, ""),
        ("CASE WHEN s IN ('1', 'x') THEN 0 ELSE CAST(s AS INT) END", 3, "run.cast"),
        ("s IN ('1', 'x') OR CAST(s AS INT) > 0", 3, "run.cast"),
        ("COALESCE(n, CAST(s || '?' AS INT))", 2, "run.cast"),
    ] {
        if code.is_empty() {
            assert!(parse(text, &batch.schema).is_err(), "{text}");
            continue;
        }
        let error = texts(text, &batch).expect_err(text);
        assert_eq!((error.row, error.diagnostic.code), (row, code), "{text}");
        assert!(error.diagnostic.hint.is_some(), "{text}");
    }
}

#[test]
fn filters_keep_the_rows_that_are_true() {
    let batch = four();
    for (text, expected) in [
        ("n > 0", &[0][..]),
        ("n <= 0", &[1, 3]),
        ("NOT (n > 0)", &[1, 3]),
        ("n IS NULL", &[2]),
        ("TRUE", &[0, 1, 2, 3]),
        ("NULL = 1", &[]),
        ("d = d", &[0, 1, 3]),
        ("n <> 0 AND 12 / n = 3", &[0]),
    ] {
        let expr = parse(text, &batch.schema).unwrap();
        assert_eq!(select(&expr, &batch).unwrap(), expected, "{text}");
    }
}

#[test]
fn a_plain_column_is_shared_and_no_rows_are_no_trouble() {
    let batch = four();
    let column = evaluate(&parse("n", &batch.schema).unwrap(), &batch).unwrap();
    assert!(Arc::ptr_eq(&column, &batch.columns[0]), "a plain column is not copied");
    let empty = four_without_rows();
    for text in ["n", "12 / n", "1 / 0", "CASE WHEN n > 0 THEN s ELSE 'b' END", "s LIKE 'a%'", "42"]
    {
        let expr = parse(text, &empty.schema).unwrap();
        assert_eq!(evaluate(&expr, &empty).unwrap().len(), 0, "{text}");
    }
}

fn four_without_rows() -> Batch {
    batch(&[])
}
