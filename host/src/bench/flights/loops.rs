//! The questions answered by plain loops over the file: no engine, no watermark but a running maximum.

use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use highwater_engine::error::Result;
use rustc_hash::FxHashMap;

use super::Question;
use super::rows::{Row, letters, unfit};
use crate::bench::parquet::whole;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// The file as numbers.
struct Flights {
    /// Milliseconds since 1970.
    date: Vec<i64>,
    /// Minutes.
    delay: Vec<i64>,
    /// Miles.
    distance: Vec<i64>,
    origin: Vec<i64>,
    destination: Vec<i64>,
}

fn read(path: &Path) -> Result<Flights> {
    let batch = whole(path)?;
    let number = |name: &str| -> Result<Vec<i64>> {
        let column = find(&batch, name)?.as_primitive_opt::<Int64Type>();
        column.map(|c| c.values().to_vec()).ok_or_else(|| unfit(format!("`{name}` is no int64")))
    };
    let airport = |name: &str| -> Result<Vec<i64>> {
        let column = find(&batch, name)?;
        if let Some(column) = column.as_string_opt::<i64>() {
            return (0..column.len()).map(|i| letters(column.value(i))).collect();
        }
        let column = column.as_string_opt::<i32>();
        let column = column.ok_or_else(|| unfit(format!("`{name}` is no text")))?;
        (0..column.len()).map(|i| letters(column.value(i))).collect()
    };
    let date = find(&batch, "date")?.as_primitive_opt::<TimestampMicrosecondType>();
    let date = date.ok_or_else(|| unfit("`date` is no timestamp[us]"))?;
    Ok(Flights {
        date: date.values().iter().map(|us| us.div_euclid(1_000)).collect(),
        delay: number("delay")?,
        distance: number("distance")?,
        origin: airport("origin")?,
        destination: airport("destination")?,
    })
}

fn find<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a arrow_array::ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| unfit(format!("there is no column `{name}`")))
}

/// The rows, and how many records were late.
pub(super) fn run(question: Question, path: &Path) -> Result<(Vec<Row>, u64)> {
    let flights = read(path)?;
    Ok(match question {
        Question::Hourly => hourly(&flights),
        Question::Connections => (connections(&flights), 0),
    })
}

fn hourly(flights: &Flights) -> (Vec<Row>, u64) {
    let mut hours: FxHashMap<(i64, i64), (i64, i64)> = FxHashMap::default();
    let (mut late, mut newest) = (0, i64::MIN);
    for row in 0..flights.date.len() {
        let date = flights.date[row];
        let hour = date.div_euclid(HOUR);
        // Closed when the newest flight so far is four hours after the hour's last millisecond.
        if newest.saturating_sub(4 * HOUR) >= (hour + 1) * HOUR - 1 {
            late += 1;
        } else {
            let (count, minutes) = hours.entry((flights.origin[row], hour)).or_default();
            *count += 1;
            *minutes += flights.delay[row];
        }
        newest = newest.max(date);
    }
    let mut rows = Vec::new();
    for ((origin, hour), (count, minutes)) in hours {
        let mean = minutes as f64 / count as f64;
        rows.push([origin, hour * HOUR, count, mean.to_bits() as i64, 0]);
    }
    (rows, late)
}

fn connections(flights: &Flights) -> Vec<Row> {
    let left = |row: usize| flights.date[row] + flights.delay[row] * MINUTE;
    // In the order in which they left, as the file is.
    let mut departures: FxHashMap<i64, Vec<(i64, i64)>> = FxHashMap::default();
    for row in 0..flights.date.len() {
        departures.entry(flights.origin[row]).or_default().push((left(row), flights.delay[row]));
    }
    let mut rows = Vec::new();
    for row in (0..flights.date.len()).filter(|row| flights.delay[*row] >= 30) {
        let landed = left(row) + (30 + flights.distance[row] / 8) * MINUTE;
        let airport = flights.destination[row];
        let Some(list) = departures.get(&airport) else { continue };
        let first = list.partition_point(|(at, _)| *at < landed + 30 * MINUTE);
        let within = list[first..].iter().take_while(|(at, _)| *at <= landed + 60 * MINUTE);
        for (at, late) in within {
            rows.push([airport, landed, flights.delay[row], *at, *late]);
        }
    }
    rows
}
