//! Groups, and what aggregates say of them.

use std::collections::BTreeSet;

use super::{Groups, Row, key, passes};
use crate::parts::{Call, Function, Sets};

/// Rows by their keys.
pub(super) fn grouped(rows: Vec<Row>, keys: &[usize]) -> Groups<Vec<Row>> {
    let mut groups = Groups::<Vec<Row>>::new();
    for row in rows {
        groups.entry(key(&row, keys)).or_default().push(row);
    }
    groups
}

/// A group's key and what its aggregates say.
pub(super) fn answer(mut key: Vec<Option<i64>>, rows: &[Row], calls: &[Call]) -> Vec<Option<i64>> {
    for call in calls {
        let rows = rows.iter().filter(|row| call.filter.is_none_or(|test| passes(&test, row)));
        let values = rows.map(|row| row.cells[call.column % row.cells.len()]).collect();
        key.push(value(call.function, values));
    }
    key
}

/// What an aggregate says of some values.
pub(super) fn value(function: Function, values: Vec<Option<i64>>) -> Option<i64> {
    let present: Vec<i64> = values.iter().flatten().copied().collect();
    let different: BTreeSet<i64> = present.iter().copied().collect();
    let (count, sum) = (present.len() as i64, present.iter().sum::<i64>());
    match function {
        Function::CountAll => Some(values.len() as i64),
        Function::Count => Some(count),
        Function::CountDistinct => Some(different.len() as i64),
        Function::Sum => (count > 0).then_some(sum),
        Function::SumDistinct => (count > 0).then(|| different.iter().sum()),
        Function::Min => present.iter().min().copied(),
        Function::Max => present.iter().max().copied(),
        Function::Avg => (count > 0).then(|| sum / count),
    }
}

/// The groups of each set: the keys, which of them the set leaves out as a number, and what aggregates say.
pub(super) fn in_sets(
    rows: &[Row],
    keys: &[usize],
    sets: &Sets,
    calls: &[Call],
) -> Vec<Vec<Option<i64>>> {
    let mut made = Vec::new();
    for set in sets.of(keys.len()) {
        let own: Vec<usize> =
            keys.iter().zip(&set).filter(|(_, has)| **has).map(|k| *k.0).collect();
        let number = set.iter().fold(0, |number, has| 2 * number + i64::from(!has));
        for (found, rows) in grouped(rows.to_vec(), &own) {
            let mut found = found.into_iter();
            let mut all: Vec<Option<i64>> =
                set.iter().map(|has| if *has { found.next().flatten() } else { None }).collect();
            all.push(Some(number));
            made.push(answer(all, &rows, calls));
        }
    }
    made
}
