//! Constant expressions and the text of their values.

use crate::expr::functions;
use crate::schema::{DataType, Schema};
use crate::value::Value;

use super::sql::parse;

/// The text of a constant expression's value, or the code of its error.
fn value(text: &str) -> String {
    let folded = parse(text, &Schema::default()).and_then(|e| e.fold());
    match folded {
        Ok(expr) => match expr.as_literal() {
            Some(value) => {
                let fits = value.is_null()
                    || match (value.data_type(), expr.data_type) {
                        (DataType::Decimal(_, s), DataType::Decimal(_, t)) => s == t,
                        (a, b) => a == b,
                    };
                assert!(fits, "{text} is a {value:?} but typed {}", expr.data_type);
                value.to_text()
            }
            None => panic!("{text} was not computed: {expr:?}"),
        },
        Err(error) => error.code.to_owned(),
    }
}

fn check(table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .map(|(text, expected)| (text, expected, value(text)))
        .filter(|(_, expected, got)| got != *expected)
        .map(|(text, expected, got)| format!("{text}: expected {expected}, got {got}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_registered_example_gives_what_it_says() {
    check(&functions().iter().map(|f| f.example).collect::<Vec<_>>());
    for f in functions() {
        let called = f.example.0.to_uppercase().contains(f.name.trim_start_matches("NEG"));
        assert!(called, "the example of {} does not use it", f.name);
        assert!(f.doc.ends_with('.') && !f.syntax.is_empty(), "{}", f.name);
        let same = functions().iter().filter(|g| g.name == f.name).count();
        assert_eq!(same, 1, "{} is registered once", f.name);
    }
}

#[test]
fn integers_wrap_and_divide_toward_zero() {
    check(&[
        ("2147483647 + 1", "-2147483648"),
        ("9223372036854775807 + 1", "-9223372036854775808"),
        ("CAST(-2147483648 AS INT) / -1", "-2147483648"),
        ("(-9223372036854775807 - 1) / -1", "-9223372036854775808"),
        ("(-9223372036854775807 - 1) % -1", "0"),
        ("-7 / 2", "-3"),
        ("7 % -3", "1"),
        ("1 / 0", "run.division-by-zero"),
        ("1 % 0", "run.division-by-zero"),
        ("1.0 / 0", "run.division-by-zero"),
        ("1E0 / 0", "Infinity"),
        ("-1E0 / 0", "-Infinity"),
        ("0E0 / 0", "NaN"),
        ("0E0 / 0 = 0E0 / 0", "FALSE"),
        ("0E0 / 0 <> 0E0 / 0", "TRUE"),
        ("5.5E0 % 2", "1.5"),
        ("NULL + 1", "NULL"),
        ("1 / NULL", "NULL"),
        ("2147483648 * 2", "4294967296"),
    ]);
}

#[test]
fn decimals_have_flinks_precision_and_scale() {
    // The rules of the arithmetic operators, worked by hand.
    let table = [
        ("1.50 + 2.345", DataType::Decimal(5, 3), "3.845"),
        ("1.5 * 1.25", DataType::Decimal(6, 3), "1.875"),
        // scale max(6, 1 + 3 + 1), precision 2 - 1 + 2 + 6
        ("1.0 / 3.00", DataType::Decimal(9, 6), "0.333333"),
        ("2.0 / 3.00", DataType::Decimal(9, 6), "0.666667"),
        ("-2.0 / 3.00", DataType::Decimal(9, 6), "-0.666667"),
        // scale max(6, 1 + 10 + 1), precision 2 - 1 + 0 + 12
        ("1.5 + 1", DataType::Decimal(12, 1), "2.5"),
        ("7.5 % 2.25", DataType::Decimal(3, 2), "0.75"),
        ("-7.5 % 2.25", DataType::Decimal(3, 2), "-0.75"),
        // 39 digits: no room beyond 38
        (
            "CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) + 1.0",
            DataType::Decimal(38, 1),
            "NULL",
        ),
        (
            "CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) * 10",
            DataType::Decimal(38, 0),
            "NULL",
        ),
        // 41 digits, 20 of them decimals: 21 whole ones stay, 17 decimals
        (
            "CAST(1.0000000001 AS DECIMAL(20, 10)) * CAST(3 AS DECIMAL(20, 10))",
            DataType::Decimal(38, 17),
            "3.00000000030000000",
        ),
        ("1.5 + 1E0", DataType::Double, "2.5"),
        ("-(1.5)", DataType::Decimal(2, 1), "-1.5"),
    ];
    for (text, data_type, expected) in table {
        let expr = parse(text, &Schema::default()).unwrap();
        assert_eq!((expr.data_type, value(text).as_str()), (data_type, expected), "{text}");
    }
}

#[test]
fn logic_has_three_values() {
    let n = "CAST(NULL AS BOOLEAN)";
    for (a, b, and, or) in [
        ("TRUE", "TRUE", "TRUE", "TRUE"),
        ("TRUE", "FALSE", "FALSE", "TRUE"),
        ("FALSE", "FALSE", "FALSE", "FALSE"),
        ("TRUE", n, "NULL", "TRUE"),
        ("FALSE", n, "FALSE", "NULL"),
        (n, n, "NULL", "NULL"),
    ] {
        for (x, y) in [(a, b), (b, a)] {
            assert_eq!(value(&format!("{x} AND {y}")), and, "{x} AND {y}");
            assert_eq!(value(&format!("{x} OR {y}")), or, "{x} OR {y}");
        }
    }
    check(&[
        ("NOT CAST(NULL AS BOOLEAN)", "NULL"),
        ("NULL IS NULL", "TRUE"),
        ("CAST(NULL AS INT) IS NOT NULL", "FALSE"),
        ("NULL IS NOT DISTINCT FROM NULL", "TRUE"),
        ("NULL = NULL", "NULL"),
        ("3 IN (1, NULL)", "NULL"),
        ("3 NOT IN (1, 2)", "TRUE"),
        ("NULL IN (1)", "NULL"),
        ("1 NOT BETWEEN 2 AND 3", "TRUE"),
        ("CASE WHEN FALSE THEN 1 / 0 WHEN TRUE THEN 2 END", "2"),
        ("CASE WHEN NULL THEN 1 END", "NULL"),
        ("CASE WHEN TRUE THEN 1 ELSE 2.5 END", "1.0"),
        ("NULLIF(1, 1)", "NULL"),
        ("GREATEST(1, NULL)", "NULL"),
        ("LEAST(3, 2E0, 5)", "2.0"),
    ]);
}

#[test]
fn comparison_works_across_types() {
    check(&[
        ("1.10 = 1.1", "TRUE"),
        ("1.11 > 1.1", "TRUE"),
        ("3 < 3.5", "TRUE"),
        ("1 = 1E0", "TRUE"),
        ("'10' < '9'", "TRUE"),
        ("'é' > 'z'", "TRUE"),
        ("TRUE > FALSE", "TRUE"),
        ("DATE '2020-01-02' > DATE '2020-01-01'", "TRUE"),
        ("TIMESTAMP '2020-01-01 00:00:00' = DATE '2020-01-01'", "TRUE"),
        ("TIMESTAMP '2020-01-01 10:00:00' < '2020-01-01 10:00:00.001'", "TRUE"),
        ("'2020-01-01' = DATE '2020-01-01'", "TRUE"),
        ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) > 0.1", "TRUE"),
        ("1 = 'a'", "sql.type"),
        ("TRUE = 1", "sql.type"),
    ]);
}

#[test]
fn casts_follow_flink() {
    check(&[
        ("CAST(3000000000 AS INT)", "-1294967296"),
        ("CAST(1E10 AS INT)", "2147483647"),
        ("CAST(-1.9E0 AS INT)", "-1"),
        ("CAST(0E0 / 0 AS BIGINT)", "0"),
        ("CAST(1.99 AS INT)", "1"),
        ("CAST('12.9' AS INT)", "12"),
        ("CAST(' 42 ' AS BIGINT)", "42"),
        ("CAST('+7' AS INT)", "7"),
        ("CAST('4x' AS INT)", "run.cast"),
        ("CAST('2147483648' AS INT)", "run.cast"),
        ("CAST('' AS INT)", "run.cast"),
        ("TRY_CAST('4x' AS INT)", "NULL"),
        ("CAST('1.005' AS DECIMAL(10, 2))", "1.01"),
        ("CAST('-1.005' AS DECIMAL(10, 2))", "-1.01"),
        ("CAST('1e3' AS DECIMAL(10, 2))", "1000.00"),
        ("CAST('1.5e-2' AS DECIMAL(10, 3))", "0.015"),
        ("CAST('0.0049' AS DECIMAL(10, 2))", "0.00"),
        ("CAST('0.05' AS DECIMAL(10, 1))", "0.1"),
        ("CAST('12345' AS DECIMAL(4, 0))", "NULL"),
        ("CAST('abc' AS DECIMAL(4, 0))", "run.cast"),
        ("CAST(123.456 AS DECIMAL(5, 1))", "123.5"),
        ("CAST(99.96 AS DECIMAL(3, 1))", "NULL"),
        ("CAST(0.1E0 AS DECIMAL(10, 3))", "0.100"),
        ("CAST(0E0 / 0 AS DECIMAL(10, 3))", "run.cast"),
        ("CAST(0.1 AS DOUBLE)", "0.1"),
        ("CAST(1E0 / 3 AS FLOAT)", "0.33333334"),
        ("CAST(TRUE AS INT)", "1"),
        ("CAST(0 AS BOOLEAN)", "FALSE"),
        ("CAST(2.5 AS BOOLEAN)", "TRUE"),
        ("CAST('Yes' AS BOOLEAN)", "TRUE"),
        ("CAST('0' AS BOOLEAN)", "FALSE"),
        ("CAST('maybe' AS BOOLEAN)", "run.cast"),
        ("CAST(TRUE AS STRING)", "TRUE"),
        ("CAST(1.50 AS STRING)", "1.50"),
        ("CAST(1.5E0 AS STRING)", "1.5"),
        ("CAST('NaN' AS DOUBLE)", "NaN"),
        ("CAST('inf' AS DOUBLE)", "run.cast"),
        ("CAST('2020-04-15 08:05' AS TIMESTAMP)", "2020-04-15 08:05:00.000"),
        ("CAST(TIMESTAMP '2020-04-15 08:05:00' AS DATE)", "2020-04-15"),
        ("CAST(TIMESTAMP '1969-12-31 23:59:59.999' AS DATE)", "1969-12-31"),
        ("CAST(DATE '2020-04-15' AS TIMESTAMP)", "2020-04-15 00:00:00.000"),
        ("CAST(DATE '2020-04-15' AS STRING)", "2020-04-15"),
        ("CAST('yesterday' AS DATE)", "run.cast"),
        ("CAST(CAST('hé' AS BYTES) AS STRING)", "hé"),
        ("CAST(1 AS TIMESTAMP)", "sql.type"),
        ("CAST(TRUE AS DATE)", "sql.type"),
        ("CAST(CAST(NULL AS STRING) AS INT)", "NULL"),
    ]);
}

#[test]
fn rounding_is_half_up_in_decimal() {
    check(&[
        ("ROUND(2.5)", "3"),
        ("ROUND(-2.5)", "-3"),
        ("ROUND(0.285E0, 2)", "0.29"),
        ("ROUND(9.995E0, 2)", "10.0"),
        ("ROUND(1234.5E0, -2)", "1200.0"),
        ("ROUND(49E0, -2)", "0.0"),
        ("ROUND(51E0, -2)", "100.0"),
        ("ROUND(1E300, 2)", "1e300"),
        ("ROUND(1.5E-7, 7)", "2e-7"),
        ("ROUND(0E0 / 0, 2)", "NaN"),
        ("ROUND(155, -1)", "160"),
        ("ROUND(155, -9000)", "0"),
        ("ROUND(99.99, 1)", "100.0"),
        ("ROUND(155.5, -1)", "160"),
        ("TRUNCATE(9.999E0, 2)", "9.99"),
        ("TRUNCATE(42.8)", "42"),
        ("CEIL(-0.5)", "0"),
        ("CEIL(0.1)", "1"),
        ("FLOOR(-0.1E0)", "-1.0"),
        ("ABS(CAST(-2147483648 AS INT))", "-2147483648"),
        ("SIGN(-0.5)", "-1.0"),
        ("LN(0)", "-Infinity"),
        ("SQRT(-1)", "NaN"),
        ("LOG(10, 100)", "2.0"),
    ]);
}

#[test]
fn text_counts_characters() {
    check(&[
        ("SUBSTRING('highwater', 0, 2)", "hi"),
        ("SUBSTRING('höhe', 2)", "öhe"),
        ("SUBSTRING('abc', -5)", ""),
        ("SUBSTRING('abc', 2, -1)", "NULL"),
        ("SUBSTRING('abc', 9)", ""),
        ("SUBSTRING('abc', 1, 9223372036854775807)", "abc"),
        ("SUBSTRING('abc', -9223372036854775807)", ""),
        ("CHAR_LENGTH('日本語')", "3"),
        ("POSITION('本' IN '日本語')", "2"),
        ("POSITION('' IN 'abc')", "1"),
        ("LOCATE('a', 'banana', 7)", "0"),
        ("LOCATE('a', 'banana', -3)", "0"),
        ("LEFT('abc', -1)", ""),
        ("RIGHT('日本語', 2)", "本語"),
        ("LPAD('日', 3, 'ab')", "ab日"),
        ("LPAD('x', 3, '')", "NULL"),
        ("LPAD('x', 9223372036854775807, 'ab')", "run.too-long"),
        ("REPEAT('ab', 9223372036854775807)", "run.too-long"),
        ("REPEAT('', 9223372036854775807)", ""),
        ("REPEAT('ab', -1)", ""),
        ("REPLACE(REPEAT('a', 10000), 'a', REPEAT('b', 10000))", "run.too-long"),
        ("'ß' LIKE '_'", "TRUE"),
        ("'abc' LIKE 'ab'", "FALSE"),
        ("'aXbXc' LIKE '%X_'", "TRUE"),
        ("'' LIKE '%'", "TRUE"),
        ("'' LIKE '_'", "FALSE"),
        ("'a%c' LIKE 'a!%c' ESCAPE '!'", "TRUE"),
        ("'abc' LIKE 'a!%c' ESCAPE '!'", "FALSE"),
        ("NULL LIKE 'a'", "NULL"),
        ("SPLIT_INDEX('a,b', ',', 2)", "NULL"),
        ("SPLIT_INDEX('a,,b', ',', 1)", ""),
        ("SPLIT_INDEX('a', ',', -1)", "NULL"),
        ("CHR(353)", "a"),
        ("CONCAT('a', NULL)", "NULL"),
        ("CONCAT_WS(NULL, 'a')", "NULL"),
        ("CONCAT_WS(',')", ""),
        ("INITCAP('it''s 2nd-hand')", "It'S 2nd-Hand"),
        ("UPPER('straße')", "STRASSE"),
        ("'a' || 1", "sql.type"),
    ]);
}

#[test]
fn times_are_read_printed_moved_and_measured() {
    check(&[
        ("TO_TIMESTAMP('2020-04-15 08:05:00.123')", "2020-04-15 08:05:00.123"),
        ("TO_TIMESTAMP('nonsense')", "NULL"),
        ("TO_TIMESTAMP('20200415', 'yyyyMMdd')", "2020-04-15 00:00:00.000"),
        ("TO_TIMESTAMP('20200431', 'yyyyMMdd')", "NULL"),
        ("TO_TIMESTAMP('Apr 5 2020 1:02 PM', 'MMM d yyyy h:mm a')", "2020-04-05 13:02:00.000"),
        ("TO_TIMESTAMP_LTZ(4001, 3)", "1970-01-01 00:00:04.001"),
        ("TO_TIMESTAMP_LTZ(100, 0)", "1970-01-01 00:01:40.000"),
        ("TO_TIMESTAMP_LTZ(9223372036854775807, 0)", "NULL"),
        ("TO_TIMESTAMP_LTZ(1.5E0, 0)", "1970-01-01 00:00:01.500"),
        ("TO_TIMESTAMP_LTZ(0E0 / 0, 0)", "NULL"),
        ("TO_TIMESTAMP_LTZ(1, 6)", "sql.argument"),
        (
            "DATE_FORMAT(TIMESTAMP '2020-04-05 13:02:03.004', 'EEE d MMMM yy, h:mm:ss.SS a ''UTC''')",
            "Sun 5 April 20, 1:02:03.00 PM UTC",
        ),
        ("DATE_FORMAT(TIMESTAMP '2020-04-05 00:02:03', 'D h')", "96 12"),
        ("DATE_FORMAT(TIMESTAMP '2020-04-05 00:02:03', 'Q')", "sql.argument"),
        ("FROM_UNIXTIME(-1)", "1969-12-31 23:59:59"),
        ("FROM_UNIXTIME(0, 'yyyy')", "1970"),
        ("UNIX_TIMESTAMP('1970-01-01', 'yyyy-MM-dd')", "0"),
        ("UNIX_TIMESTAMP('2020-09-11 13:14:29.153')", "1599830069"),
        ("EXTRACT(WEEK FROM DATE '2021-01-03')", "53"),
        ("EXTRACT(WEEK FROM DATE '2020-12-28')", "53"),
        ("EXTRACT(WEEK FROM DATE '2024-12-30')", "1"),
        ("EXTRACT(DOW FROM DATE '2020-04-05')", "1"),
        ("EXTRACT(ISODOW FROM DATE '2020-04-05')", "7"),
        ("EXTRACT(DOY FROM DATE '2020-12-31')", "366"),
        ("EXTRACT(MILLISECOND FROM TIMESTAMP '2020-04-05 00:02:03.456')", "456"),
        ("EXTRACT(EPOCH FROM TIMESTAMP '1970-01-02 00:00:00')", "86400"),
        ("YEAR(TIMESTAMP '1969-12-31 23:59:59')", "1969"),
        ("FLOOR(TIMESTAMP '2020-04-15 08:05:59' TO HOUR)", "2020-04-15 08:00:00.000"),
        ("FLOOR(TIMESTAMP '2020-04-15 08:05:59' TO WEEK)", "2020-04-12 00:00:00.000"),
        ("FLOOR(TIMESTAMP '2020-05-15 08:05:59' TO QUARTER)", "2020-04-01 00:00:00.000"),
        ("CEIL(TIMESTAMP '2020-12-15 08:05:59' TO MONTH)", "2021-01-01 00:00:00.000"),
        ("CEIL(TIMESTAMP '2020-12-01 00:00:00' TO MONTH)", "2020-12-01 00:00:00.000"),
        ("FLOOR(DATE '2020-04-15' TO YEAR)", "2020-01-01"),
        ("TIMESTAMPADD(WEEK, 1, DATE '2003-01-02')", "2003-01-09"),
        ("TIMESTAMPADD(SECOND, -1, DATE '2003-01-02')", "2003-01-01 23:59:59.000"),
        ("TIMESTAMPADD(YEAR, 1, TIMESTAMP '2020-02-29 12:00:00')", "2021-02-28 12:00:00.000"),
        ("TIMESTAMPADD(DAY, 9223372036854775807, TIMESTAMP '2020-02-29 12:00:00')", "NULL"),
        ("TIMESTAMPADD(YEAR, 9223372036854775807, TIMESTAMP '2020-02-29 12:00:00')", "NULL"),
        ("TIMESTAMPADD(DOW, 1, DATE '2003-01-02')", "sql.argument"),
        ("TIMESTAMPDIFF(MONTH, DATE '2020-01-31', DATE '2020-02-29')", "0"),
        ("TIMESTAMPDIFF(MONTH, DATE '2020-01-29', DATE '2020-02-29')", "1"),
        ("TIMESTAMPDIFF(YEAR, DATE '2020-02-29', DATE '2019-03-01')", "0"),
        ("TIMESTAMPDIFF(HOUR, DATE '2020-01-02', DATE '2020-01-01')", "-24"),
        ("TIMESTAMPDIFF(MILLISECOND, DATE '1970-01-01', DATE '2020-01-01')", "1577836800000"),
        ("TIMESTAMPDIFF(SECOND, DATE '1900-01-01', DATE '2020-01-01')", "NULL"),
    ]);
}

#[test]
fn the_calendar_agrees_with_chrono() {
    use crate::expr::calendar::{Unit, field};
    use chrono::{DateTime, Datelike, Timelike};
    // Steps of a prime number of milliseconds over 8,000 years.
    for i in -20_000_i64..20_000 {
        let millis = i * 6_311_433_611;
        let time = DateTime::from_timestamp_millis(millis).unwrap();
        let expected = [
            (Unit::Year, i64::from(time.year())),
            (Unit::Month, i64::from(time.month())),
            (Unit::Day, i64::from(time.day())),
            (Unit::Hour, i64::from(time.hour())),
            (Unit::Second, i64::from(time.second())),
            (Unit::Doy, i64::from(time.ordinal())),
            (Unit::Week, i64::from(time.iso_week().week())),
            (Unit::IsoDow, i64::from(time.weekday().number_from_monday())),
            (Unit::Dow, i64::from(time.weekday().number_from_sunday())),
        ];
        for (unit, value) in expected {
            assert_eq!(field(millis, unit), value, "{unit:?} of {time}");
        }
    }
}

#[test]
fn nothing_panics_at_the_ends_of_the_range() {
    let ends = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    for a in ends {
        for b in ends {
            for unit in ["MILLISECOND", "SECOND", "WEEK", "MONTH", "QUARTER", "YEAR"] {
                let t = |v| crate::expr::Expr::literal(Value::Timestamp(v), DataType::Timestamp);
                let n = |v| crate::expr::Expr::literal(Value::BigInt(v), DataType::BigInt);
                let u = crate::expr::Expr::literal(Value::String(unit.into()), DataType::String);
                for (name, args) in [
                    ("TIMESTAMPADD", vec![u.clone(), n(a), t(b)]),
                    ("TIMESTAMPDIFF", vec![u.clone(), t(a), t(b)]),
                    ("FLOOR", vec![t(a), u.clone()]),
                    ("CEIL", vec![t(a), u.clone()]),
                    ("EXTRACT", vec![u.clone(), t(a)]),
                ] {
                    crate::expr::Expr::call(name, args).unwrap().fold().unwrap();
                }
            }
        }
    }
}

#[test]
fn no_function_panics_on_odd_arguments() {
    use crate::expr::Expr;
    let most = 10_i128.pow(38) - 1;
    let odd: Vec<Expr> = [
        (Value::Null, DataType::Null),
        (Value::Int(i32::MIN), DataType::Int),
        (Value::Int(-1), DataType::Int),
        (Value::BigInt(0), DataType::BigInt),
        (Value::BigInt(i64::MIN), DataType::BigInt),
        (Value::BigInt(i64::MAX), DataType::BigInt),
        (Value::Double(f64::NAN), DataType::Double),
        (Value::Double(f64::NEG_INFINITY), DataType::Double),
        (Value::Double(-5e-324), DataType::Double),
        (Value::Float(f32::MAX), DataType::Float),
        (Value::Decimal(-most, 0), DataType::Decimal(38, 0)),
        (Value::Decimal(most, 38), DataType::Decimal(38, 38)),
        (Value::String("".into()), DataType::String),
        (Value::String("%ßé日本_'".into()), DataType::String),
        (Value::String("MONTH".into()), DataType::String),
        (Value::String("yyyyMMdd".into()), DataType::String),
        (Value::Boolean(false), DataType::Boolean),
        (Value::Date(i32::MIN), DataType::Date),
        (Value::Timestamp(i64::MIN), DataType::Timestamp),
        (Value::TimestampLtz(i64::MAX), DataType::TimestampLtz),
    ]
    .map(|(value, t)| Expr::literal(value, t))
    .into();
    let mut computed = 0;
    let mut run = |name: &str, args: Vec<Expr>| {
        computed += usize::from(Expr::call(name, args).and_then(Expr::fold).is_ok());
    };
    for f in functions() {
        run(f.name, vec![]);
        for a in &odd {
            run(f.name, vec![a.clone()]);
            for b in &odd {
                run(f.name, vec![a.clone(), b.clone()]);
                for c in &odd {
                    run(f.name, vec![a.clone(), b.clone(), c.clone()]);
                }
            }
        }
    }
    for a in &odd {
        for b in &odd {
            for lenient in [false, true] {
                if let Ok(cast) = a.clone().cast(b.data_type, lenient) {
                    computed += usize::from(cast.fold().is_ok());
                }
            }
        }
    }
    assert!(computed > 10_000, "only {computed} calls were computed");
}
