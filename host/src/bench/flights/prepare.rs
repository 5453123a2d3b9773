//! The flights in the order in which they are known: date + delay, those of the timetable's order where equal.

use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, UInt32Array};
use highwater_engine::error::{Error, Result};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::FILE;
use super::rows::unfit;
use crate::bench::parquet::{whole, write};

/// Rows of a row group: what a reader decodes stays small.
const ROW_GROUP: usize = 262_144;

fn text(error: impl std::fmt::Display) -> Error {
    unfit(format!("the flights: {error}"))
}

/// Writes the flights of `file` to `folder` in the order of their arrival; how many.
///
/// # Errors
/// When the file is no Parquet of such flights or cannot be written.
pub fn prepare(file: &Path, folder: &Path) -> Result<u64> {
    let flights = whole(file)?;
    let column = |name: &str| {
        flights.column_by_name(name).ok_or_else(|| text(format!("no column `{name}`")))
    };
    let dates = column("date")?.as_primitive_opt::<TimestampMicrosecondType>();
    let delays = column("delay")?.as_primitive_opt::<Int64Type>();
    let (Some(dates), Some(delays)) = (dates, delays) else {
        return Err(text("`date` must be timestamp[us] and `delay` int64"));
    };
    if dates.null_count() + delays.null_count() > 0 {
        return Err(text("there are flights without date or delay"));
    }
    let known = |row: u32| {
        let row = row as usize;
        i128::from(dates.value(row)) + i128::from(delays.value(row)) * 60_000_000
    };
    let mut order: Vec<u32> = (0..flights.num_rows() as u32).collect();
    order.sort_by_key(|row| known(*row));
    let order = UInt32Array::from(order);
    let sorted = arrow_select::take::take_record_batch(&flights, &order).map_err(text)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    write(&folder.join(FILE), &sorted, Some(properties))?;
    Ok(sorted.num_rows() as u64)
}
