//! Values: aggregates, forms, functions and types.

use super::{Entry, Example, Gives, Section, item};
use crate::aggregate::Function as Aggregate;
use crate::expr::functions;

/// An expression over one record.
fn value(expression: &str, gives: &'static str) -> Example {
    Example {
        shown: format!("{expression}  is  {gives}"),
        script: format!("SELECT {expression} AS result FROM one;"),
        gives: Gives::Value(gives),
    }
}

fn aggregate(function: Aggregate) -> Entry {
    let (syntax, doc, script) = match function {
        Aggregate::Count => (
            "COUNT(*) or COUNT(x)",
            "How many rows there are, or how many where x is not NULL.",
            "SELECT gauge, COUNT(*) AS n FROM readings GROUP BY gauge;",
        ),
        Aggregate::Sum => (
            "SUM(x)",
            "The sum, of the type of x; integers wrap around.",
            "SELECT gauge, SUM(level) AS total FROM readings GROUP BY gauge;",
        ),
        Aggregate::Avg => (
            "AVG(x)",
            "The average, of the type of x: of integers it is cut toward zero.",
            "SELECT gauge, AVG(level) AS average FROM readings GROUP BY gauge;",
        ),
        Aggregate::Min => (
            "MIN(x)",
            "The least value.",
            "SELECT gauge, MIN(level) AS lowest FROM readings GROUP BY gauge;",
        ),
        Aggregate::Max => (
            "MAX(x)",
            "The greatest value.",
            "SELECT gauge, MAX(level) AS highest FROM readings GROUP BY gauge;",
        ),
    };
    item(function.name(), syntax, doc, script).entry(Section::Aggregates, Gives::Rows)
}

/// A value as a list writes it: name, syntax, what it is, an expression, its value.
type Form = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// What is no call of a function.
const FORMS: &[Form] = &[
    (
        "CASE",
        "CASE WHEN condition THEN x … [ELSE y] END",
        "The first of which the condition is TRUE; only it is evaluated.",
        "CASE WHEN 1 > 2 THEN 'less' WHEN 2 > 1 THEN 'more' END",
        "more",
    ),
    (
        "CASE of a value",
        "CASE x WHEN a THEN b … [ELSE c] END",
        "The first whose value is equal.",
        "CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'many' END",
        "two",
    ),
    (
        "CAST",
        "CAST(x AS TYPE)",
        "The value in another type; an error where it has none there.",
        "CAST(' 12 ' AS INT)",
        "12",
    ),
    (
        "TRY_CAST",
        "TRY_CAST(x AS TYPE)",
        "The same, with NULL instead of an error.",
        "TRY_CAST('high' AS INT)",
        "NULL",
    ),
    ("DATE of a text", "DATE 'yyyy-MM-dd'", "A day.", "DATE '2024-02-29'", "2024-02-29"),
    (
        "TIMESTAMP of a text",
        "TIMESTAMP 'yyyy-MM-dd HH:mm:ss[.SSS]'",
        "A moment, to the millisecond.",
        "TIMESTAMP '2024-05-01 08:00:00'",
        "2024-05-01 08:00:00.000",
    ),
    (
        "INTERVAL",
        "time + INTERVAL 'n' UNIT, time - INTERVAL 'n' UNIT",
        "A time moved, SECOND to YEAR; also INTERVAL '1:30' HOUR TO MINUTE.",
        "TIMESTAMP '2024-05-01 08:00:00' + INTERVAL '90' MINUTE",
        "2024-05-01 09:30:00.000",
    ),
    (
        "NOT IN",
        "x NOT IN (a, b, …)",
        "Whether none of the list is equal; NULL when none is but one is NULL.",
        "2 NOT IN (1, 3)",
        "TRUE",
    ),
    (
        "NOT BETWEEN",
        "x NOT BETWEEN low AND high",
        "Whether it lies outside.",
        "5 NOT BETWEEN 1 AND 4",
        "TRUE",
    ),
    (
        "SUBSTRING FROM",
        "SUBSTRING(text FROM start [FOR length])",
        "The same as SUBSTRING(text, start, length).",
        "SUBSTRING('highwater' FROM 5 FOR 3)",
        "wat",
    ),
    (
        "TRIM BOTH",
        "TRIM([BOTH | LEADING | TRAILING] characters FROM text)",
        "The text without those characters at that end.",
        "TRIM(LEADING '0' FROM '0042')",
        "42",
    ),
];

const TYPES: &[Form] = &[
    ("BOOLEAN", "BOOLEAN", "TRUE or FALSE.", "CAST('true' AS BOOLEAN)", "TRUE"),
    (
        "INT",
        "INT, INTEGER",
        "32 bits; TINYINT and SMALLINT are held as it.",
        "CAST(2.9 AS INT)",
        "2",
    ),
    ("TINYINT", "TINYINT, SMALLINT", "Held as INT, with a warning.", "CAST('7' AS SMALLINT)", "7"),
    ("BIGINT", "BIGINT", "64 bits.", "CAST('9000000000' AS BIGINT)", "9000000000"),
    ("FLOAT", "FLOAT", "A binary fraction, single precision.", "CAST('1.5' AS FLOAT)", "1.5"),
    (
        "DOUBLE",
        "DOUBLE [PRECISION]",
        "A binary fraction, double precision.",
        "CAST('0.1' AS DOUBLE)",
        "0.1",
    ),
    (
        "DECIMAL",
        "DECIMAL(p, s), DEC, NUMERIC",
        "A decimal of p digits, s of them behind the point; (10, 0) without.",
        "CAST(2.345 AS DECIMAL(4, 2))",
        "2.35",
    ),
    (
        "STRING",
        "STRING, VARCHAR(n), CHAR(n)",
        "Text of any length; n is taken and not checked.",
        "CAST(12 AS STRING)",
        "12",
    ),
    (
        "BYTES",
        "BYTES, VARBINARY(n), BINARY(n)",
        "Bytes of any number.",
        "CAST(CAST('tide' AS BYTES) AS STRING)",
        "tide",
    ),
    ("DATE", "DATE", "A day.", "CAST('2024-05-01' AS DATE)", "2024-05-01"),
    (
        "TIMESTAMP",
        "TIMESTAMP(3)",
        "A moment without a zone, to the millisecond.",
        "CAST('2024-05-01 08:00:00' AS TIMESTAMP(3))",
        "2024-05-01 08:00:00.000",
    ),
    (
        "TIMESTAMP_LTZ",
        "TIMESTAMP_LTZ(3)",
        "A moment in UTC, to the millisecond.",
        "CAST(TO_TIMESTAMP_LTZ(0, 3) AS TIMESTAMP(3))",
        "1970-01-01 00:00:00.000",
    ),
];

fn formed(section: Section, forms: &'static [Form]) -> impl Iterator<Item = Entry> {
    forms.iter().map(move |&(name, syntax, doc, expression, gives)| Entry {
        name,
        section,
        syntax: syntax.to_owned(),
        doc: doc.to_owned(),
        example: value(expression, gives),
    })
}

/// All of them.
pub(super) fn entries() -> Vec<Entry> {
    let mut all: Vec<Entry> = Aggregate::ALL.into_iter().map(aggregate).collect();
    all.extend(formed(Section::Forms, FORMS));
    all.extend(functions().iter().map(|f| Entry {
        name: f.name,
        section: Section::Functions,
        syntax: f.syntax.to_owned(),
        doc: f.doc.to_owned(),
        example: value(f.example.0, f.example.1),
    }));
    all.extend(formed(Section::Types, TYPES));
    all
}
