//! Which partition each row belongs to, where a column says it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array as _;

use super::super::{Context, MAX_PARTITIONS, check_partitions};
use super::Part;
use crate::column::value_at;
use crate::error::Result;

/// The rows of one partition among those of all files.
pub(super) struct Share {
    /// The partition.
    pub(super) number: u16,
    /// The partition of each row.
    pub(super) of: Arc<[u16]>,
}

/// Reads the partition column once: distinct values, NULL among them, in the order in which they come.
pub(super) fn shares(context: &Context<'_>, parts: &[Part], column: usize) -> Result<Vec<Share>> {
    let field = &context.spec.physical.fields[column];
    let mut numbers: BTreeMap<Option<String>, u16> = BTreeMap::new();
    let mut of = Vec::new();
    for part in parts {
        let mut rows = part.file.rows(std::slice::from_ref(field))?;
        while let Some(piece) = rows.next()? {
            let values = &piece.columns[0];
            let mut faults = piece.faults.iter().map(|f| f.row).peekable();
            for row in 0..piece.rows {
                // A row without a value that can be read is reported when its turn comes.
                let broken = faults.next_if_eq(&row).is_some();
                if broken || (values.is_null(row) && !field.nullable) {
                    of.push(0);
                    continue;
                }
                let value = value_at(values, field.data_type, row);
                let key = (!value.is_null()).then(|| value.to_text());
                let next = numbers.len();
                if next >= MAX_PARTITIONS && !numbers.contains_key(&key) {
                    check_partitions(context, MAX_PARTITIONS + 1)?;
                }
                of.push(*numbers.entry(key).or_insert(next as u16));
            }
        }
    }
    let of: Arc<[u16]> = of.into();
    let count = numbers.len().max(1) as u16;
    Ok((0..count).map(|number| Share { number, of: Arc::clone(&of) }).collect())
}
