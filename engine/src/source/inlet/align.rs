//! Watermark alignment: a partition whose watermark is too far ahead of its group's is not read until that has
//! caught up, so that windows and joins behind need not hold what it would bring.

use std::collections::BTreeMap;

use arrow_array::Array;

use super::Inlet;
use crate::batch::Batch;
use crate::column::millis;
use crate::expr;
use crate::numbers::Numbers;
use crate::plan::{Align, SourceSpec};
use crate::schema::SchemaRef;
use crate::source::Chunk;

/// The alignment of a source: the group, how far ahead, and how far a record moves its partition.
#[derive(Clone)]
pub(super) struct Aligned {
    align: Align,
    spec: SourceSpec,
    schema: SchemaRef,
}

impl Aligned {
    /// The watermark that a row of a chunk proposes; `None` where it proposes none, or cannot be computed: its
    /// own task says so.
    fn proposes(&self, chunk: &Chunk, row: usize, arrival: u64) -> Option<i64> {
        let one = Numbers::run(1, 1);
        let mut columns: Vec<_> = chunk.columns.iter().map(|c| c.slice(row, 1)).collect();
        if self.spec.arrival {
            let at = (arrival / 1000) as i64;
            columns
                .push(crate::column::timestamps(vec![at], crate::schema::DataType::TimestampLtz));
        }
        let raw = Batch::new(self.spec.row(), columns, one.clone());
        let watermark = self.spec.watermark.as_ref()?;
        let columns: Option<Vec<_>> =
            self.spec.columns.iter().map(|e| expr::evaluate(e, &raw).ok()).collect();
        let batch = Batch::new(self.schema.clone(), columns?, one);
        let proposed = expr::evaluate(&watermark.expr, &batch).ok()?;
        proposed.is_valid(0).then(|| millis(&proposed)[0])
    }
}

impl Inlet {
    /// The same, the partitions of sources that say so kept together by their watermarks.
    #[must_use]
    pub fn aligned(mut self, sources: &[(&SourceSpec, &SchemaRef)]) -> Inlet {
        let aligned = |(spec, schema): &(&SourceSpec, &SchemaRef)| {
            let align = spec.watermark.as_ref()?.align.clone()?;
            Some(Aligned { align, spec: (*spec).clone(), schema: (*schema).clone() })
        };
        self.aligned = sources.iter().map(aligned).collect();
        self
    }

    /// The partitions that are not read for now: each is further ahead than its source allows of the least
    /// watermark in its group.
    pub(super) fn held(&self) -> Vec<bool> {
        let group = |i: usize| self.aligned.get(self.partitions[i].source)?.as_ref();
        let mut least: BTreeMap<&str, i64> = BTreeMap::new();
        for (i, position) in self.position.partitions.iter().enumerate() {
            if let Some(own) = group(i).filter(|_| !position.finished && !position.idle) {
                let least = least.entry(own.align.group.as_str()).or_insert(i64::MAX);
                *least = (*least).min(position.ahead);
            }
        }
        let held = |i: usize| {
            let Some(own) = group(i) else { return false };
            let least = least.get(own.align.group.as_str()).copied().unwrap_or(i64::MAX);
            self.position.partitions[i].ahead > least.saturating_add(own.align.drift)
        };
        (0..self.partitions.len()).map(held).collect()
    }

    /// Whether any source is kept together with others.
    pub(super) fn aligns(&self) -> bool {
        self.aligned.iter().any(Option::is_some)
    }

    /// Notes how far a row that is taken moves its partition.
    pub(super) fn moved(&mut self, i: usize, chunk: &Chunk, row: usize, arrival: u64) {
        let own = self.aligned.get(self.partitions[i].source).and_then(Option::as_ref);
        if let Some(watermark) = own.and_then(|own| own.proposes(chunk, row, arrival)) {
            let ahead = &mut self.position.partitions[i].ahead;
            *ahead = (*ahead).max(watermark);
        }
    }
}
