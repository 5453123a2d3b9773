//! COUNT: rows, or rows whose argument is not NULL. The set's own counts say it.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};

use super::{Accumulator, Rows, Trail, Words, WordsMut};
use crate::value::Value;

/// Nothing of its own.
pub(super) struct Count;

impl Accumulator for Count {
    fn width(&self) -> usize {
        0
    }

    fn adds_up(&self) -> bool {
        true
    }

    fn splits(&self) -> bool {
        true
    }

    fn update(&mut self, _: WordsMut<'_>, _: &[u32], _: Option<&ArrayRef>, _: usize) {}

    fn retract(&mut self, _: WordsMut<'_>, _: &[u32], _: Option<&ArrayRef>, _: usize) {}

    fn merge(&mut self, _: WordsMut<'_>, _: &[(u32, u32)]) {}

    fn result(&self, _: Words<'_>, _: &[u32], values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn value(&self, _: Words<'_>, _: u32, values: i64) -> Value {
        Value::BigInt(values)
    }

    fn trail(
        &mut self,
        _: WordsMut<'_>,
        _: &[u32],
        _: Option<&ArrayRef>,
        rows: &Rows<'_>,
    ) -> Option<Trail> {
        let values = rows.values.iter();
        let after: Vec<i64> = match rows.back {
            [] => values.map(|n| n + 1).collect(),
            back => values.zip(back).map(|(n, &back)| if back { n - 1 } else { n + 1 }).collect(),
        };
        Some(Trail {
            before: Arc::new(Int64Array::from(rows.values.to_vec())),
            after: Arc::new(Int64Array::from(after)),
        })
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(Count)
    }
}
