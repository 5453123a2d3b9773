//! Values: aggregates, forms, functions and types.

use super::{Entry, Example, Gives, Item, Section, item, listed};
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
        Aggregate::FirstValue => (
            "FIRST_VALUE(x)",
            "The value that arrived first; with OVER, the one that stands first. NULLs are left out.",
            "SELECT gauge, FIRST_VALUE(level) AS earliest FROM readings GROUP BY gauge;",
        ),
        Aggregate::LastValue => (
            "LAST_VALUE(x)",
            "The value that arrived last; with OVER, the one that stands last. NULLs are left out.",
            "SELECT gauge, LAST_VALUE(level) AS latest FROM readings GROUP BY gauge;",
        ),
        Aggregate::ListAgg => (
            "LISTAGG(text [, 'separator'])",
            "All texts in the order they arrive, with a comma or the separator between them.",
            "SELECT river, LISTAGG(DISTINCT gauge, '; ') AS gauges FROM readings GROUP BY river;",
        ),
        _ => return spread_or_condition(function),
    };
    item(function.name(), syntax, doc, script).entry(Section::Aggregates, Gives::Rows)
}

fn spread_or_condition(function: Aggregate) -> Entry {
    let (syntax, doc, script) = match function {
        Aggregate::VarPop => (
            "VAR_POP(x)",
            "The variance, of the type of AVG(x): of integers cut toward zero; NULL where the type cannot hold it.",
            "SELECT river, VAR_POP(CAST(level AS DOUBLE)) AS spread FROM readings GROUP BY river;",
        ),
        Aggregate::VarSamp => (
            "VAR_SAMP(x)",
            "The variance of what the values are a sample of: by one value less, NULL over one.",
            "SELECT river, VAR_SAMP(CAST(level AS DOUBLE)) AS spread FROM readings GROUP BY river;",
        ),
        Aggregate::StddevPop => (
            "STDDEV_POP(x)",
            "The standard deviation: the square root of VAR_POP(x).",
            "SELECT river, STDDEV_POP(CAST(level AS DOUBLE)) AS spread FROM readings GROUP BY river;",
        ),
        Aggregate::StddevSamp => (
            "STDDEV_SAMP(x)",
            "The square root of VAR_SAMP(x).",
            "SELECT river, STDDEV_SAMP(CAST(level AS DOUBLE)) AS spread FROM readings GROUP BY river;",
        ),
        Aggregate::BoolAnd => (
            "BOOL_AND(x)",
            "Whether all are TRUE. Of RisingWave, not of Flink.",
            "SELECT gauge, BOOL_AND(level > 2) AS always FROM readings GROUP BY gauge;",
        ),
        _ => (
            "BOOL_OR(x)",
            "Whether one is TRUE. Of RisingWave, not of Flink.",
            "SELECT gauge, BOOL_OR(level > 6) AS once FROM readings GROUP BY gauge;",
        ),
    };
    item(function.name(), syntax, doc, script).entry(Section::Aggregates, Gives::Rows)
}

/// Aggregates under their other names.
const ALIASES: [Item; 2] = [
    item(
        "VARIANCE",
        "VARIANCE(x)",
        "The same as VAR_SAMP(x).",
        "SELECT river, VARIANCE(CAST(level AS DOUBLE)) AS spread FROM readings GROUP BY river;",
    ),
    item(
        "STDDEV",
        "STDDEV(x)",
        "The same as STDDEV_SAMP(x).",
        "SELECT river, STDDEV(CAST(level AS DOUBLE)) AS spread FROM readings GROUP BY river;",
    ),
];

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
    all.extend(listed(Section::Aggregates, &ALIASES));
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
