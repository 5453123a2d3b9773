//! COUNT: rows, or rows whose argument is not NULL. The set's own counts say it.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};

use super::{Accumulator, Trail, Words, WordsMut};

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

    fn merge(&mut self, _: WordsMut<'_>, _: &[(u32, u32)]) {}

    fn result(&self, _: Words<'_>, _: &[u32], values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn trail(
        &mut self,
        _: WordsMut<'_>,
        _: &[u32],
        _: Option<&ArrayRef>,
        _: usize,
        values: &[i64],
    ) -> Option<Trail> {
        Some(Trail {
            before: Arc::new(Int64Array::from(values.to_vec())),
            after: Arc::new(Int64Array::from_iter_values(values.iter().map(|n| n + 1))),
        })
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(Count)
    }
}
