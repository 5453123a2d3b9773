//! A batch: rows as Arrow columns, their row kinds, their place in the stream, the watermark's stairs.

use std::sync::Arc;

use arrow_array::ArrayRef;

use crate::schema::SchemaRef;
use crate::time::EventTime;

/// What a row does to the result so far: Flink's changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RowKind {
    /// `+I`: a new row.
    Insert = 0,
    /// `-U`: the row that the next `+U` replaces.
    UpdateBefore = 1,
    /// `+U`: the new content of a row.
    UpdateAfter = 2,
    /// `-D`: the row is gone.
    Delete = 3,
}

impl RowKind {
    /// `+I`, `-U`, `+U` or `-D`.
    pub fn symbol(self) -> &'static str {
        match self {
            RowKind::Insert => "+I",
            RowKind::UpdateBefore => "-U",
            RowKind::UpdateAfter => "+U",
            RowKind::Delete => "-D",
        }
    }
}

/// The place of a row in the one order in which all input arrives, counted from 1 over all sources.
///
/// It is the row's identity on the trace and, where streams meet, what they are merged by. A row that
/// an operator makes carries the number of the record that made it appear. So results depend on
/// the input's order of arrival and on nothing else.
pub type Seq = u64;

/// A step of the watermark inside a batch: once the first `row` rows are through, it is `watermark`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stair {
    /// How many rows of the batch come before the step.
    pub row: u32,
    /// The watermark from there on.
    pub watermark: EventTime,
    /// The record that moved it.
    pub seq: Seq,
}

/// Rows travelling together. Operators never know how many: one in the simulation, thousands in the
/// runner; the answer is the same.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The columns' names and types.
    pub schema: SchemaRef,
    /// One array a column, each `rows` long.
    pub columns: Vec<ArrayRef>,
    /// How many rows.
    pub rows: usize,
    /// One kind a row, or `None` when all rows are inserts.
    pub kinds: Option<Arc<[RowKind]>>,
    /// One place in the stream a row, never falling.
    pub seqs: Arc<[Seq]>,
    /// The watermark's steps, by `row`, watermarks rising.
    pub stairs: Vec<Stair>,
}

impl Batch {
    /// A batch of inserts without watermark steps.
    ///
    /// # Panics
    /// When columns differ in length or do not match the schema.
    pub fn new(schema: SchemaRef, columns: Vec<ArrayRef>, seqs: Arc<[Seq]>) -> Batch {
        let rows = seqs.len();
        assert_eq!(columns.len(), schema.fields.len(), "one array a field");
        assert!(columns.iter().all(|c| c.len() == rows), "columns of one length");
        Batch { schema, columns, rows, kinds: None, seqs, stairs: Vec::new() }
    }

    /// The kind of row `i`.
    pub fn kind(&self, i: usize) -> RowKind {
        self.kinds.as_ref().map_or(RowKind::Insert, |k| k[i])
    }

    /// The same rows under new columns: what a projection makes.
    #[must_use]
    pub fn with_columns(&self, schema: SchemaRef, columns: Vec<ArrayRef>) -> Batch {
        debug_assert!(columns.iter().all(|c| c.len() == self.rows), "columns of one length");
        Batch { schema, columns, ..self.clone() }
    }
}
