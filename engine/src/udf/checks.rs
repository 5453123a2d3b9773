//! Checks of answers that depend on what was asked: positions, windows, groups.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef};

use super::answer::Lie;
use super::guest::MAX_WINDOWS_PER_ROW;

type Checked<T> = Result<T, Lie>;

/// Positions below `limit`, never falling, at most `most` times each.
pub(super) fn check_positions(column: &ArrayRef, limit: usize, most: usize) -> Checked<Vec<u32>> {
    let column = column.as_primitive::<Int32Type>();
    if column.null_count() == 0 {
        // The usual answer: one row for each.
        let all = column.values();
        if all.len() <= limit && most > 0 && all.iter().zip(0..).all(|(p, i)| *p == i) {
            return Ok((0..all.len() as u32).collect());
        }
    }
    let (mut last, mut times) = (0, 0);
    let mut positions = Vec::with_capacity(column.len());
    for (i, position) in column.iter().enumerate() {
        match position.and_then(|p| u32::try_from(p).ok()) {
            Some(p) if (p as usize) < limit && p >= last => {
                times = if p == last { times + 1 } else { 1 };
                if times > most {
                    return Err(format!("position {p} has more than {most} rows"));
                }
                last = p;
                positions.push(p);
            }
            _ => {
                return Err(format!(
                    "its position {position:?} at row {i} is out of order or range"
                ));
            }
        }
    }
    Ok(positions)
}

/// The windows of rows, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// The row of each window; never falls.
    pub rows: Vec<u32>,
    /// Where each begins.
    pub starts: Vec<i64>,
    /// Where each ends.
    pub ends: Vec<i64>,
}

impl Assigned {
    /// How many windows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Row, start and end of each.
    pub fn iter(&self) -> impl Iterator<Item = (u32, i64, i64)> {
        let bounds = self.starts.iter().zip(&self.ends);
        self.rows.iter().zip(bounds).map(|(row, (start, end))| (*row, *start, *end))
    }

    /// Adds windows whose rows are counted from `first`.
    pub fn append(&mut self, more: Assigned, first: u32) {
        if self.is_empty() && first == 0 {
            *self = more;
            return;
        }
        self.rows.extend(more.rows.iter().map(|row| first + row));
        self.starts.extend(more.starts);
        self.ends.extend(more.ends);
    }
}

/// Windows that hold their rows' times.
pub(super) fn check_windows(
    columns: &[ArrayRef],
    rows: usize,
    time: impl Fn(usize) -> i64,
) -> Checked<Assigned> {
    let positions = check_positions(&columns[0], rows, MAX_WINDOWS_PER_ROW)?;
    let starts = columns[1].as_primitive::<TimestampMillisecondType>();
    let ends = columns[2].as_primitive::<TimestampMillisecondType>();
    if starts.null_count() + ends.null_count() > 0 {
        return Err("a window's start or end is NULL".into());
    }
    let (starts, ends) = (starts.values().to_vec(), ends.values().to_vec());
    for (row, (&start, &end)) in positions.iter().zip(starts.iter().zip(&ends)) {
        let at = time(*row as usize);
        if start > at || at >= end {
            return Err(format!("the window [{start}, {end}) does not hold its row's time {at}"));
        }
    }
    Ok(Assigned { rows: positions, starts, ends })
}

/// Groups from 0 without a gap, one a window.
pub(super) fn check_groups(n: usize, column: &ArrayRef, windows: usize) -> Checked<Vec<u32>> {
    if n != windows {
        return Err(format!("it answers {n} rows for {windows} windows"));
    }
    let groups = check_positions(column, windows, windows)?;
    let mut next = 0;
    for group in &groups {
        if *group > next || (next > 0 && *group + 1 < next) {
            return Err(format!("group {group} leaves a gap"));
        }
        next = group + 1;
    }
    Ok(groups)
}
