//! Types of columns. A cell is a number here whatever its type is; each type shows small numbers in its own way, in
//! the same order.

/// The first day of those that stand for numbers: 2024-05-01, counted from 1970.
pub const FIRST_DAY: i64 = 19_844;

/// A type of columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// The table's own.
    BigInt,
    /// Half as wide.
    Int,
    /// With two digits behind the point, 0 both.
    Decimal,
    /// Whole numbers here.
    Double,
    /// Their digits.
    String,
    /// Whether the number is more than 0.
    Boolean,
    /// Days from the first.
    Date,
}

/// The types of a table's columns.
pub type Dress = [Type; 3];

/// All columns as the table has them.
pub const PLAIN: Dress = [Type::BigInt; 3];

impl Type {
    /// All of them.
    pub const ALL: [Type; 7] = [
        Type::BigInt,
        Type::Int,
        Type::Decimal,
        Type::Double,
        Type::String,
        Type::Boolean,
        Type::Date,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Type::BigInt => "BIGINT",
            Type::Int => "INT",
            Type::Decimal => "DECIMAL",
            Type::Double => "DOUBLE",
            Type::String => "STRING",
            Type::Boolean => "BOOLEAN",
            Type::Date => "DATE",
        }
    }

    /// Whether there are sums of it.
    pub(crate) fn adds(self) -> bool {
        matches!(self, Type::BigInt | Type::Int | Type::Decimal | Type::Double)
    }

    /// The number that a table's number becomes.
    pub(crate) fn shown(self, value: i64) -> i64 {
        if self == Type::Boolean { i64::from(value > 0) } else { value }
    }

    /// A table's column, a BIGINT, as one of this type.
    pub(crate) fn made(self, column: &str) -> String {
        match self {
            Type::BigInt => column.to_owned(),
            Type::Int => format!("CAST({column} AS INT)"),
            Type::Decimal => format!("CAST({column} AS DECIMAL(12, 2))"),
            Type::Double => format!("CAST({column} AS DOUBLE)"),
            Type::String => format!("CAST({column} AS STRING)"),
            Type::Boolean => format!("{column} > 0"),
            Type::Date => {
                let arm = |n: i64| format!(" WHEN {n} THEN DATE '2024-05-{:02}'", n + 1);
                format!("CASE {column}{} END", (0..10).map(arm).collect::<String>())
            }
        }
    }

    /// What is computed of this type, which may have more digits then, as this type.
    pub(crate) fn kept(self, value: String) -> String {
        match self {
            Type::Decimal => format!("CAST({value} AS DECIMAL(12, 2))"),
            _ => value,
        }
    }

    /// A value of this type as the number it shows.
    pub(crate) fn number(self, value: &str) -> String {
        match self {
            Type::BigInt => value.to_owned(),
            Type::Boolean => {
                format!("CAST(CASE WHEN {value} THEN 1 WHEN NOT {value} THEN 0 END AS BIGINT)")
            }
            Type::Date => format!("CAST(EXTRACT(DAY FROM {value}) AS BIGINT) - 1"),
            _ => format!("CAST({value} AS BIGINT)"),
        }
    }
}
