//! Filters: the rows where a condition is TRUE.

use arrow_array::Array;
use arrow_array::cast::AsArray;

use crate::batch::Batch;

use super::evaluate::over_batch;
use super::{Expr, RowError};

/// The positions of the rows where a BOOLEAN expression is TRUE, rising; FALSE and NULL are left out.
pub fn select(expr: &Expr, batch: &Batch) -> Result<Vec<u32>, RowError> {
    let datum = over_batch(expr, batch)?;
    let bits = datum.array.as_boolean();
    if datum.constant {
        let keep = bits.is_valid(0) && bits.value(0);
        return Ok(if keep { (0..position(batch.rows)).collect() } else { Vec::new() });
    }
    let kept = match bits.nulls() {
        Some(nulls) => bits.values() & nulls.inner(),
        None => bits.values().clone(),
    };
    Ok(kept.set_indices().map(position).collect())
}

fn position(row: usize) -> u32 {
    u32::try_from(row).expect("a batch has fewer than 2^32 rows")
}
