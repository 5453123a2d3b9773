//! Ranks: the first rows of each partition, and the first or last by time.

use std::cmp::Ordering;

use super::{Groups, Item, Late, Log, Row, count, grouped, key};
use crate::parts::{Rank, Sort};
use crate::pipeline::columns;

fn compare(sorts: &[Sort], a: &Row, b: &Row) -> Ordering {
    let one = |sort: &Sort| {
        let (a, b) = (a.cells[sort.column], b.cells[sort.column]);
        let nulls_first = sort.nulls_first.unwrap_or(!sort.descending);
        match (a, b) {
            (None, Some(_)) if nulls_first => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) if nulls_first => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (a, b) if sort.descending => b.cmp(&a),
            (a, b) => a.cmp(&b),
        }
    };
    sorts.iter().map(one).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The rows of the places of a rank; of equal ones the first stays the first.
pub(super) fn top(rows: Vec<Row>, rank: &Rank, sorts: &[Sort]) -> Vec<Row> {
    let width = rows.first().map_or(1, |row| row.cells.len());
    let mut made = Vec::new();
    for mut rows in grouped(rows, &columns(&rank.keys, width)).into_values() {
        rows.sort_by(|a, b| compare(sorts, a, b));
        for (place, mut row) in (1..).zip(rows) {
            if (rank.first..=rank.last).contains(&place) {
                row.cells.extend(rank.numbered.then_some(Some(place as i64)));
                made.push(row);
            }
        }
    }
    made
}

/// The first row of each key by time; it leaves when the watermark moves on and has reached it.
pub(super) fn first(log: Log, keys: &[usize], late: &Late) -> Log {
    let (mut made, mut now) = (Log::new(), i64::MIN);
    let (mut waiting, mut said) = (Groups::<Row>::new(), Groups::<()>::new());
    for (seq, item) in log {
        match item {
            Item::Row(row) if row.time < now => count(late, 1),
            Item::Row(row) => {
                let key = key(&row, keys);
                let earlier = waiting.get(&key).is_none_or(|other| row.time < other.time);
                if earlier && !said.contains_key(&key) {
                    waiting.insert(key, row);
                }
            }
            Item::Mark(mark) => {
                now = mark;
                let (due, rest): (Groups<Row>, _) =
                    waiting.into_iter().partition(|(_, row)| row.time <= mark);
                waiting = rest;
                for (key, row) in due {
                    said.insert(key, ());
                    made.push((seq, Item::Row(row)));
                }
                made.push((seq, Item::Mark(mark)));
            }
        }
    }
    made
}

/// The rows that are the last of their key by time when they come.
pub(super) fn newest(log: Log, keys: &[usize]) -> Log {
    let mut last = Groups::<i64>::new();
    let mut made = log;
    made.retain(|(_, item)| {
        let Item::Row(row) = item else { return true };
        let last = last.entry(key(row, keys)).or_insert(i64::MIN);
        let is = *last <= row.time;
        *last = row.time.max(*last);
        is
    });
    made
}

/// The last row of each key by time, of equal ones that which came last.
pub(super) fn last(log: Log, keys: &[usize]) -> Vec<Row> {
    let mut last = Groups::<Row>::new();
    for (_, item) in newest(log, keys) {
        if let Item::Row(row) = item {
            last.insert(key(&row, keys), row);
        }
    }
    last.into_values().collect()
}
