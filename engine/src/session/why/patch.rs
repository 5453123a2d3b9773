//! A record of a table with another event time.

use crate::batch::Batch;
use crate::column::{from_values, millis, value_at};
use crate::error::{Diagnostic, Result};
use crate::expr::{self, Expr, ExprKind};
use crate::numbers::Numbers;
use crate::plan::{SourceSpec, WatermarkSpec};
use crate::schema::{DataType, SchemaRef};
use crate::source::Chunk;
use crate::time::format_timestamp;
use crate::value::Value;

use super::search::least;

/// Further than this from where it begins no number is looked for.
const FAR: i64 = 1 << 52;

/// Makes records out of one by changing the column that its event time comes from.
pub(super) struct Patch<'a> {
    spec: &'a SourceSpec,
    schema: &'a SchemaRef,
    watermark: &'a WatermarkSpec,
    example: Chunk,
    /// The physical column.
    column: usize,
}

impl<'a> Patch<'a> {
    /// Out of a record of the table `spec`, whose rows look like `schema`.
    ///
    /// # Errors
    /// When the event time does not come from one column that can be set.
    pub(super) fn new(
        spec: &'a SourceSpec,
        schema: &'a SchemaRef,
        example: Chunk,
    ) -> Result<Patch<'a>> {
        let refused = || {
            let message =
                format!("the event time of table `{}` does not come from one column", spec.table);
            Diagnostic::new("why.event-time", message).hint(
                "a record can be proposed where one number, text or timestamp makes the event time",
            )
        };
        let watermark = spec.watermark.as_ref().ok_or_else(refused)?;
        let time = &spec.columns[watermark.column];
        let mut columns = Vec::new();
        time.visit(&mut |e| {
            if let ExprKind::Column(c) = e.kind {
                columns.push(c);
            }
        });
        columns.sort();
        columns.dedup();
        let &[column] = columns.as_slice() else { return Err(refused()) };
        // When a record arrives is not written in it.
        let field = spec.physical.fields.get(column).ok_or_else(refused)?;
        let settable = settable(field.data_type);
        if !settable || calls_guest(time) || calls_guest(&watermark.expr) {
            return Err(refused());
        }
        Ok(Patch { spec, schema, watermark, example, column })
    }

    /// The least record, by its event time, that proposes a watermark of at least `need`; and the one just
    /// before it.
    pub(super) fn smallest(&self, need: i64) -> Option<[(Chunk, i64, String); 2]> {
        let field = &self.spec.physical.fields[self.column];
        let start = match value_at(&self.example.columns[self.column], field.data_type, 0) {
            Value::BigInt(n) => n,
            Value::Int(n) | Value::Date(n) => n.into(),
            // A time: it is not far from the watermark it proposes.
            _ => need,
        };
        let mut enough = |n| Ok::<bool, ()>(self.proposes(n).is_some_and(|w| w >= need));
        let (low, most) = (start.saturating_sub(FAR), start.saturating_add(FAR));
        let found = least(low, start, most, &mut enough).ok().flatten()?;
        Some([self.made(found)?, self.made(found - 1)?])
    }

    /// The record with that number, its event time and its columns.
    fn made(&self, n: i64) -> Option<(Chunk, i64, String)> {
        let record = self.record(n)?;
        let batch = self.columns(&record)?;
        let time = millis(&batch.columns[self.watermark.column])[0];
        Some((record, time, batch.row_text(0)))
    }

    fn record(&self, n: i64) -> Option<Chunk> {
        let data_type = self.spec.physical.fields[self.column].data_type;
        let value = match data_type {
            DataType::BigInt => Value::BigInt(n),
            DataType::Int => Value::Int(n.try_into().ok()?),
            DataType::Date => Value::Date(n.try_into().ok()?),
            DataType::TimestampLtz => Value::TimestampLtz(n),
            DataType::String => Value::String(format_timestamp(n).into()),
            _ => Value::Timestamp(n),
        };
        let mut record = self.example.clone();
        record.columns[self.column] = from_values(&[value], data_type);
        Some(record)
    }

    /// The table's columns; those that a guest computes are left out, as nothing here needs them.
    fn columns(&self, record: &Chunk) -> Option<Batch> {
        let one = Numbers::run(1, 1);
        let mut columns = record.columns.clone();
        if self.spec.arrival {
            columns.push(from_values(&[Value::TimestampLtz(0)], DataType::TimestampLtz));
        }
        let raw = Batch::new(self.spec.row(), columns, one.clone());
        let fields = self.spec.columns.iter().zip(&self.schema.fields);
        let columns: Option<Vec<_>> = fields
            .map(|(e, field)| match calls_guest(e) {
                true => Some(from_values(&[Value::Null], field.data_type)),
                false => expr::evaluate(e, &raw).ok(),
            })
            .collect();
        let batch = Batch::new(self.schema.clone(), columns?, one);
        batch.columns[self.watermark.column].is_valid(0).then_some(batch)
    }

    /// The watermark that the record with that number proposes.
    fn proposes(&self, n: i64) -> Option<i64> {
        let batch = self.columns(&self.record(n)?)?;
        let proposed = expr::evaluate(&self.watermark.expr, &batch).ok()?;
        proposed.is_valid(0).then(|| millis(&proposed)[0])
    }
}

fn settable(data_type: DataType) -> bool {
    matches!(
        data_type,
        DataType::BigInt
            | DataType::Int
            | DataType::Date
            | DataType::String
            | DataType::Timestamp
            | DataType::TimestampLtz
    )
}

fn calls_guest(e: &Expr) -> bool {
    let mut any = false;
    e.visit(&mut |e| any |= matches!(e.kind, ExprKind::Guest { .. }));
    any
}
