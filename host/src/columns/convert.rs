//! Arrow's many types into the engine's few, without loss: what does not fit is a fault of its row.
//!
//! Timestamps of every unit become milliseconds, finer ones cut off towards the past; those with a zone are
//! instants already, and `TIMESTAMP(3)` shows them in UTC.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, new_null_array};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType as Arrow, TimeUnit};
use highwater_engine::column::canonical;
use highwater_engine::schema::{DataType, Field};
use highwater_engine::source::columns::{RowFault, Rows};

use super::{BATCH_ROWS, strings};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// How a column of a file becomes a column of a table.
pub(super) struct Cast {
    name: String,
    into: DataType,
}

/// The first fault of each row.
pub(super) type Faults = BTreeMap<usize, String>;

impl Cast {
    /// The way from `found` to the field's type, if there is one.
    pub(super) fn new(field: &Field, found: &Arrow) -> Option<Cast> {
        let cast = Cast { name: field.name.clone(), into: field.data_type };
        // Found by doing it: no list beside the code that could differ from it.
        cast.array(&new_null_array(found, 0), &mut Faults::new()).map(|_| cast)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Notes that the value of a row does not fit.
    pub(super) fn fault(&self, row: usize, found: &str, faults: &mut Faults) {
        faults.entry(row).or_insert_with(|| {
            let short: String = found.chars().take(40).flat_map(char::escape_debug).collect();
            format!("expected a value of {} for `{}`, found {short}", self.into, self.name)
        });
    }

    /// The array in the table's type; `None` when there is no way.
    fn array(&self, array: &ArrayRef, faults: &mut Faults) -> Option<ArrayRef> {
        let arrow = self.into.to_arrow();
        if *array.data_type() == Arrow::Null {
            return Some(new_null_array(&arrow, array.len()));
        }
        if let Some(dictionary) = array.as_any_dictionary_opt() {
            return self.dictionary(array, dictionary, faults);
        }
        match self.into {
            DataType::Null => None,
            DataType::Boolean => array.as_boolean_opt().map(|_| Arc::clone(array)),
            DataType::String | DataType::Bytes => strings::array(self, self.into, array, faults),
            _ if *array.data_type() == arrow && !array.data_type().is_floating() => {
                Some(Arc::clone(array))
            }
            _ => self.number(array, faults),
        }
    }

    /// Each distinct value once, then a value a row.
    fn dictionary(
        &self,
        array: &ArrayRef,
        dictionary: &dyn arrow_array::array::AnyDictionaryArray,
        faults: &mut Faults,
    ) -> Option<ArrayRef> {
        let mut broken = Faults::new();
        let values = self.array(dictionary.values(), &mut broken)?;
        if !broken.is_empty() && !values.is_empty() {
            for (row, key) in dictionary.normalized_keys().into_iter().enumerate() {
                if let Some(reason) = broken.get(&key).filter(|_| array.is_valid(row)) {
                    faults.entry(row).or_insert_with(|| reason.clone());
                }
            }
        }
        arrow_select::take::take(&values, dictionary.keys(), None).ok()
    }

    fn number(&self, array: &ArrayRef, faults: &mut Faults) -> Option<ArrayRef> {
        macro_rules! from {
            ($($arrow:pat => $p:ty, $f:expr;)*) => {
                match array.data_type() {
                    $($arrow => self.of_kind(array.as_primitive::<$p>(), $f, faults),)*
                    _ => None,
                }
            };
        }
        from! {
            Arrow::Int8 => Int8Type, |v| Number::Whole(v.into());
            Arrow::Int16 => Int16Type, |v| Number::Whole(v.into());
            Arrow::Int32 => Int32Type, |v| Number::Whole(v.into());
            Arrow::Int64 => Int64Type, |v| Number::Whole(v.into());
            Arrow::UInt8 => UInt8Type, |v| Number::Whole(v.into());
            Arrow::UInt16 => UInt16Type, |v| Number::Whole(v.into());
            Arrow::UInt32 => UInt32Type, |v| Number::Whole(v.into());
            Arrow::UInt64 => UInt64Type, |v| Number::Whole(v.into());
            Arrow::Float16 => Float16Type, |v| Number::Float(v.to_f64());
            Arrow::Float32 => Float32Type, |v| Number::Float(v.into());
            Arrow::Float64 => Float64Type, Number::Float;
            Arrow::Decimal32(_, s) => Decimal32Type, |v| Number::Decimal(v.into(), *s);
            Arrow::Decimal64(_, s) => Decimal64Type, |v| Number::Decimal(v.into(), *s);
            Arrow::Decimal128(_, s) => Decimal128Type, |v| Number::Decimal(v, *s);
            Arrow::Decimal256(_, s) => Decimal256Type, |v| v.to_i128().map_or(Number::Huge, |v| Number::Decimal(v, *s));
            Arrow::Date32 => Date32Type, |v| Number::Day(v.into());
            Arrow::Date64 => Date64Type, |v| Number::Day(v.div_euclid(DAY));
            Arrow::Timestamp(TimeUnit::Second, _) => TimestampSecondType, |v| v.checked_mul(1000).map_or(Number::Huge, Number::Instant);
            Arrow::Timestamp(TimeUnit::Millisecond, _) => TimestampMillisecondType, Number::Instant;
            Arrow::Timestamp(TimeUnit::Microsecond, _) => TimestampMicrosecondType, |v| Number::Instant(v.div_euclid(1_000));
            Arrow::Timestamp(TimeUnit::Nanosecond, _) => TimestampNanosecondType, |v| Number::Instant(v.div_euclid(1_000_000));
            Arrow::Time32(TimeUnit::Second) => Time32SecondType, |v| Number::Whole(i128::from(v) * 1000);
            Arrow::Time32(TimeUnit::Millisecond) => Time32MillisecondType, |v| Number::Whole(v.into());
            Arrow::Time64(TimeUnit::Microsecond) => Time64MicrosecondType, |v| Number::Whole(v.div_euclid(1_000).into());
            Arrow::Time64(TimeUnit::Nanosecond) => Time64NanosecondType, |v| Number::Whole(v.div_euclid(1_000_000).into());
        }
    }

    /// From one kind of number to the table's type, where the kind fits the type at all.
    fn of_kind<P: ArrowPrimitiveType>(
        &self,
        array: &PrimitiveArray<P>,
        read: impl Fn(P::Native) -> Number,
        faults: &mut Faults,
    ) -> Option<ArrayRef> {
        let kind = read(P::Native::default());
        let calendar = matches!(kind, Number::Day(_) | Number::Instant(_));
        let arrow = self.into.to_arrow();
        match self.into {
            DataType::Int if !calendar => {
                self.map::<P, Int32Type>(array, arrow, faults, |v| read(v).whole()?.try_into().ok())
            }
            DataType::BigInt if !calendar => {
                self.map::<P, Int64Type>(array, arrow, faults, |v| read(v).whole()?.try_into().ok())
            }
            DataType::Decimal(precision, scale) if !calendar => {
                self.map::<P, Decimal128Type>(array, arrow, faults, |v| {
                    read(v).decimal(precision, scale)
                })
            }
            DataType::Float if !calendar => self
                .map::<P, Float32Type>(array, arrow, faults, |v| {
                    let wide = read(v).float()?;
                    let near = wide as f32;
                    (f64::from(near) == wide || wide.is_nan()).then_some(near)
                })
                .map(|a| canonical(&a)),
            DataType::Double if !calendar => self
                .map::<P, Float64Type>(array, arrow, faults, |v| read(v).float())
                .map(|a| canonical(&a)),
            DataType::Date => match kind {
                Number::Day(_) => {
                    self.map::<P, Date32Type>(array, arrow, faults, |v| match read(v) {
                        Number::Day(day) => day.try_into().ok(),
                        _ => None,
                    })
                }
                _ => None,
            },
            DataType::Timestamp | DataType::TimestampLtz if calendar => {
                self.map::<P, TimestampMillisecondType>(array, arrow, faults, |v| match read(v) {
                    Number::Instant(millis) => Some(millis),
                    Number::Day(day) => day.checked_mul(DAY),
                    _ => None,
                })
            }
            _ => None,
        }
    }

    fn map<P: ArrowPrimitiveType, Q: ArrowPrimitiveType>(
        &self,
        array: &PrimitiveArray<P>,
        data_type: Arrow,
        faults: &mut Faults,
        convert: impl Fn(P::Native) -> Option<Q::Native>,
    ) -> Option<ArrayRef> {
        let mut values = Vec::with_capacity(array.len());
        let mut broken = Vec::new();
        for (row, value) in array.values().iter().enumerate() {
            let found = convert(*value);
            // What stands where NULL is means nothing.
            if found.is_none() && array.is_valid(row) {
                self.fault(row, &shown(array, row), faults);
                broken.push(row);
            }
            values.push(found.unwrap_or_default());
        }
        let nulls = without(array.nulls(), array.len(), &broken);
        let array = PrimitiveArray::<Q>::new(ScalarBuffer::from(values), nulls);
        Some(Arc::new(array.with_data_type(data_type)))
    }
}

/// A number of a file.
enum Number {
    Whole(i128),
    Float(f64),
    /// Unscaled, and how many of its digits stand behind the point.
    Decimal(i128, i8),
    /// Days since 1970.
    Day(i64),
    /// Milliseconds since 1970.
    Instant(i64),
    /// Beyond all that the engine has.
    Huge,
}

impl Number {
    fn whole(self) -> Option<i128> {
        match self {
            Number::Whole(v) => Some(v),
            Number::Decimal(v, s) => rescale(v, s, 0),
            _ => None,
        }
    }

    fn float(self) -> Option<f64> {
        match self {
            Number::Float(v) => Some(v),
            Number::Whole(v) => {
                let near = v as f64;
                (near as i128 == v).then_some(near)
            }
            _ => None,
        }
    }

    fn decimal(self, precision: u8, scale: u8) -> Option<i128> {
        let value = match self {
            Number::Whole(v) => rescale(v, 0, scale as i8)?,
            Number::Decimal(v, s) => rescale(v, s, scale as i8)?,
            _ => return None,
        };
        let limit = 10_u128.checked_pow(precision.into()).unwrap_or(u128::MAX);
        (value.unsigned_abs() < limit).then_some(value)
    }
}

/// The same number with another scale, if no digit is lost.
fn rescale(value: i128, from: i8, to: i8) -> Option<i128> {
    let by = i16::from(to) - i16::from(from);
    // Zero has any scale.
    let Some(power) = 10_i128.checked_pow(by.unsigned_abs().into()) else {
        return (value == 0).then_some(0);
    };
    match by {
        0.. => value.checked_mul(power),
        _ => (value % power == 0).then_some(value / power),
    }
}

/// The value of a row as a message shows it.
fn shown<P: ArrowPrimitiveType>(array: &PrimitiveArray<P>, row: usize) -> String {
    match array.data_type() {
        Arrow::Decimal32(..)
        | Arrow::Decimal64(..)
        | Arrow::Decimal128(..)
        | Arrow::Decimal256(..) => {
            format!("{:?} of {}", array.value(row), array.data_type())
        }
        _ => format!("{:?}", array.value(row)),
    }
}

/// The same NULLs and these rows too.
pub(super) fn without(
    nulls: Option<&NullBuffer>,
    rows: usize,
    broken: &[usize],
) -> Option<NullBuffer> {
    if broken.is_empty() {
        return nulls.cloned();
    }
    let mut valid: Vec<bool> = match nulls {
        Some(nulls) => nulls.iter().collect(),
        None => vec![true; rows],
    };
    broken.iter().for_each(|row| valid[*row] = false);
    Some(NullBuffer::from(valid))
}

/// What a column of that type can be declared as.
pub(super) fn hint(found: &Arrow) -> String {
    let types = [
        DataType::Boolean,
        DataType::Int,
        DataType::BigInt,
        DataType::Float,
        DataType::Double,
        DataType::Decimal(38, 9),
        DataType::String,
        DataType::Bytes,
        DataType::Date,
        DataType::Timestamp,
        DataType::TimestampLtz,
    ];
    let fits = |t: &DataType| Cast::new(&Field::new("", *t), found).is_some();
    let names: Vec<String> = types.iter().filter(|t| fits(t)).map(DataType::to_string).collect();
    match names.is_empty() {
        true => "leave the column out: columns of this type are not read".to_owned(),
        false => format!("declare it as one of {}", names.join(", ")),
    }
}

/// Rows of a batch in the table's types, in pieces that none of the engine's columns is too small for.
pub(super) fn pieces(casts: &[Cast], columns: &[ArrayRef], rows: usize) -> Vec<Rows> {
    let mut pieces = Vec::new();
    let mut from = 0;
    while from < rows {
        let mut count = BATCH_ROWS.min(rows - from);
        let cut = |count: usize| -> Vec<ArrayRef> {
            columns.iter().map(|c| c.slice(from, count)).collect()
        };
        let mut part = cut(count);
        while count > 1 && part.iter().map(strings::bytes).sum::<usize>() > strings::MOST {
            count /= 2;
            part = cut(count);
        }
        pieces.push(piece(casts, &part, count));
        from += count;
    }
    pieces
}

fn piece(casts: &[Cast], columns: &[ArrayRef], rows: usize) -> Rows {
    let mut faults = Faults::new();
    let columns = casts
        .iter()
        .zip(columns)
        .map(|(cast, column)| {
            // A type that was found to fit fits in every batch.
            let made = cast.array(column, &mut faults);
            made.unwrap_or_else(|| new_null_array(&cast.into.to_arrow(), rows))
        })
        .collect();
    let faults = faults.into_iter().map(|(row, reason)| RowFault { row, reason }).collect();
    Rows { columns, rows, faults }
}
