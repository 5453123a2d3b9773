//! Formats of columns, `parquet` and `arrow`: the host decodes files into arrays, this makes records of them.
//!
//! A row's number in its file, from 1, stands where a text has a line.

mod partition;
mod reader;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::ArrayRef;

use self::partition::Share;
use self::reader::ColumnReader;
use super::{Clock, Context, Input, check_partitions, ignore_option};
use crate::error::{Diagnostic, Result};
use crate::schema::Field;

/// The formats of columns.
pub const FORMATS: [&str; 2] = ["parquet", "arrow"];

/// A file that the host decodes into columns.
pub trait ColumnFile: Send + Sync {
    /// The rows from the first on, with these columns only: an array of each field's type, found by its
    /// name.
    ///
    /// # Errors
    /// A file that cannot be read, a column that is missing or of a type that does not fit.
    fn rows(&self, fields: &[Field]) -> Result<Box<dyn ColumnRows>>;

    /// How many rows there are, where that is known before they are read.
    fn count(&self) -> Option<u64> {
        None
    }
}

/// The rows of a file, read forward.
pub trait ColumnRows: Send {
    /// The next rows in their order, at least one; `None` at the end.
    ///
    /// # Errors
    /// A damaged file, when the damage is reached.
    fn next(&mut self) -> Result<Option<Rows>>;
}

/// Rows decoded together.
#[derive(Clone, Debug)]
pub struct Rows {
    /// An array for each field asked for, of [its type](crate::schema::DataType::to_arrow).
    pub columns: Vec<ArrayRef>,
    /// How many rows.
    pub rows: usize,
    /// The rows with a value that its column cannot hold, in their order; the value is NULL.
    pub faults: Vec<RowFault>,
}

/// Why a row cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The row, a position in [`Rows::columns`].
    pub row: usize,
    /// What was expected and what was found.
    pub reason: String,
}

/// A file of a table.
#[derive(Clone)]
struct Part {
    name: Arc<str>,
    file: Arc<dyn ColumnFile>,
}

/// Opens a table of columns: one partition a file, or one a value of the partition column.
pub(super) fn open(context: &Context<'_>, path: &str, format: &str) -> Result<Vec<Input>> {
    let ignore = ignore_option(format);
    context.only(
        |key| matches!(key, "path" | "format") || key == ignore,
        "'path', 'format' and the options of the format",
    )?;
    let parts: Vec<Part> = context
        .files
        .columns(path)
        .into_iter()
        .map(|(name, file)| Part { name: name.into(), file })
        .collect();
    if parts.is_empty() {
        return Err(Diagnostic::new(
            "source.native-format",
            format!("table `{}` has the format '{format}', which only the native host reads", context.spec.table),
        )
        .hint("run the job with `highwater run` and its native engine, or convert the file to JSON lines or CSV"));
    }
    let column = context.column_setting("arrival")?;
    let column = column.map(|c| context.arrival_column(c)).transpose()?;
    let clock = Clock { column, interval: context.interval()?, relative: column.is_none() };
    let reader = |parts: Vec<Part>, share: Option<Share>| -> Result<Input> {
        let name = parts.first().map_or_else(String::new, |p| p.name.to_string());
        let partition = share.as_ref().map_or(0, |s| s.number);
        let reader = ColumnReader::new(context, parts, clock, share)?;
        let first = context.spec.lookup && clock.relative;
        Ok(Input { partition, name, reader: Box::new(reader), first })
    };
    if let Some(column) = context.column_setting("partition")? {
        let shares = partition::shares(context, &parts, column)?;
        return shares.into_iter().map(|share| reader(parts.clone(), Some(share))).collect();
    }
    check_partitions(context, parts.len())?;
    let mut inputs = Vec::new();
    for (part, number) in parts.into_iter().zip(0u16..) {
        let mut input = reader(vec![part], None)?;
        input.partition = number;
        inputs.push(input);
    }
    Ok(inputs)
}
