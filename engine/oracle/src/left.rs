//! What the engine's rows come to, in the oracle's terms. The one place that knows what they look like.

use std::collections::BTreeMap;

use highwater_engine::batch::RowKind;
use highwater_engine::session::Rows;
use highwater_engine::value::Value;

use crate::batch::Cell;
use crate::types::FIRST_DAY;

/// The rows that a changelog of the engine leaves, sorted.
///
/// # Errors
/// When a row is taken back that is not there.
pub fn left(rows: &Rows) -> Result<Vec<Vec<Cell>>, String> {
    let mut left: BTreeMap<Vec<Cell>, usize> = BTreeMap::new();
    for (kind, seq, values) in &rows.rows {
        let cells: Vec<Cell> = values.iter().map(cell).collect();
        match kind {
            RowKind::Insert | RowKind::UpdateAfter => *left.entry(cells).or_default() += 1,
            RowKind::UpdateBefore | RowKind::Delete => match left.get_mut(&cells) {
                Some(count) if *count > 0 => *count -= 1,
                _ => return Err(format!("{cells:?} is taken back at {seq}, but is not there")),
            },
        }
    }
    let repeat = |(row, count): (Vec<Cell>, usize)| std::iter::repeat_n(row, count);
    Ok(left.into_iter().flat_map(repeat).collect())
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::BigInt(v) => Cell::Number(*v),
        Value::Int(v) => Cell::Number((*v).into()),
        Value::Boolean(v) => Cell::Number((*v).into()),
        Value::Date(v) => Cell::Number(i64::from(*v) - FIRST_DAY),
        Value::Timestamp(v) => Cell::Time(*v),
        // All others that are drawn are whole.
        Value::Double(v) if v.fract() == 0.0 => Cell::Number(*v as i64),
        Value::Decimal(v, scale) if v % 10_i128.pow((*scale).into()) == 0 => {
            Cell::Number((v / 10_i128.pow((*scale).into())) as i64)
        }
        Value::String(text) if text.parse::<i64>().is_ok() => {
            Cell::Number(text.parse().unwrap_or_default())
        }
        other => panic!("no column holds {other:?}"),
    }
}
