//! Types, fields and schemas: what a column holds, named as in Flink SQL.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow_array::ArrayRef;
use arrow_schema::{DataType as ArrowType, TimeUnit};

/// The type of a column or expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// The type of an untyped `NULL` literal; casts to every other type.
    Null,
    /// `BOOLEAN`
    Boolean,
    /// `INT`: 32 bits; arithmetic wraps.
    Int,
    /// `BIGINT`: 64 bits; arithmetic wraps.
    BigInt,
    /// `FLOAT`: IEEE 754 single precision.
    Float,
    /// `DOUBLE`: IEEE 754 double precision.
    Double,
    /// `DECIMAL(precision, scale)`, precision 1 to 38, scale at most the precision.
    Decimal(u8, u8),
    /// `STRING`: UTF-8.
    String,
    /// `BYTES`
    Bytes,
    /// `DATE`: days since 1970-01-01.
    Date,
    /// `TIMESTAMP(3)`: milliseconds, no zone.
    Timestamp,
    /// `TIMESTAMP_LTZ(3)`: milliseconds UTC.
    TimestampLtz,
}

impl DataType {
    /// The Arrow type that carries this one.
    pub fn to_arrow(self) -> ArrowType {
        match self {
            DataType::Null => ArrowType::Null,
            DataType::Boolean => ArrowType::Boolean,
            DataType::Int => ArrowType::Int32,
            DataType::BigInt => ArrowType::Int64,
            DataType::Float => ArrowType::Float32,
            DataType::Double => ArrowType::Float64,
            DataType::Decimal(p, s) => ArrowType::Decimal128(p, s as i8),
            DataType::String => ArrowType::Utf8,
            DataType::Bytes => ArrowType::Binary,
            DataType::Date => ArrowType::Date32,
            DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Millisecond, None),
            DataType::TimestampLtz => {
                ArrowType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
            }
        }
    }

    /// True for the two timestamp types.
    pub fn is_timestamp(self) -> bool {
        matches!(self, DataType::Timestamp | DataType::TimestampLtz)
    }

    /// True for the types arithmetic works on.
    pub fn is_numeric(self) -> bool {
        matches!(
            self,
            DataType::Int
                | DataType::BigInt
                | DataType::Float
                | DataType::Double
                | DataType::Decimal(..)
        )
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataType::Null => f.write_str("NULL"),
            DataType::Boolean => f.write_str("BOOLEAN"),
            DataType::Int => f.write_str("INT"),
            DataType::BigInt => f.write_str("BIGINT"),
            DataType::Float => f.write_str("FLOAT"),
            DataType::Double => f.write_str("DOUBLE"),
            DataType::Decimal(p, s) => write!(f, "DECIMAL({p}, {s})"),
            DataType::String => f.write_str("STRING"),
            DataType::Bytes => f.write_str("BYTES"),
            DataType::Date => f.write_str("DATE"),
            DataType::Timestamp => f.write_str("TIMESTAMP(3)"),
            DataType::TimestampLtz => f.write_str("TIMESTAMP_LTZ(3)"),
        }
    }
}

/// One column of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The column's name as the user wrote it.
    pub name: String,
    /// What it holds.
    pub data_type: DataType,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// Whether it is an event-time attribute: the watermark speaks about this column.
    pub rowtime: bool,
}

impl Field {
    /// A nullable column that is no time attribute.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Field {
        Field { name: name.into(), data_type, nullable: true, rowtime: false }
    }
}

/// The columns of a stream, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Schema {
    /// The columns.
    pub fields: Vec<Field>,
    empty: Empty,
}

/// The columns of no rows, made once: batches that only move the watermark share them.
#[derive(Clone, Default)]
struct Empty(OnceLock<Box<[ArrayRef]>>);

/// They are what the fields say, made already or not.
impl PartialEq for Empty {
    fn eq(&self, _: &Empty) -> bool {
        true
    }
}

impl Eq for Empty {}

impl fmt::Debug for Empty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// A schema as operators share it.
pub type SchemaRef = Arc<Schema>;

impl Schema {
    /// A schema of these columns.
    pub fn new(fields: Vec<Field>) -> SchemaRef {
        Arc::new(Schema { fields, empty: Empty::default() })
    }

    /// The columns of no rows, which `make` makes of each field once.
    pub fn empty_columns(&self, make: impl Fn(&Field) -> ArrayRef) -> Vec<ArrayRef> {
        self.empty.0.get_or_init(|| self.fields.iter().map(make).collect()).to_vec()
    }

    /// The position of the column of that exact name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// The position of the event-time attribute, if there is one.
    pub fn rowtime(&self) -> Option<usize> {
        self.fields.iter().position(|f| f.rowtime)
    }
}
