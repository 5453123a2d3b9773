//! A batch: rows as Arrow columns, their row kinds, their place in the stream, the watermark's stairs.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};

use crate::numbers::Numbers;
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
    /// The stream has gone idle: it holds no other input back until it speaks again.
    pub idle: bool,
    /// What the stream's clock says there, milliseconds or micro-batches; it never falls, and moves at steps
    /// alone. [`NO_CLOCK`] where no operator asks for one.
    pub clock: i64,
}

/// What [`Stair::clock`] says before the first tick, and where there is no clock.
pub const NO_CLOCK: i64 = i64::MIN;

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
    pub seqs: Numbers,
    /// The watermark's steps, by `row`, watermarks rising.
    pub stairs: Vec<Stair>,
    /// Everything up to this place in the stream has been said, with this batch or before it.
    pub upto: Seq,
}

impl Batch {
    /// A batch of inserts without watermark steps.
    ///
    /// # Panics
    /// When columns differ in length or do not match the schema.
    pub fn new(schema: SchemaRef, columns: Vec<ArrayRef>, seqs: Numbers) -> Batch {
        let rows = seqs.len();
        assert_eq!(columns.len(), schema.fields.len(), "one array a field");
        assert!(columns.iter().all(|c| c.len() == rows), "columns of one length");
        let upto = seqs.last().unwrap_or(0);
        Batch { schema, columns, rows, kinds: None, seqs, stairs: Vec::new(), upto }
    }

    /// The kind of row `i`.
    pub fn kind(&self, i: usize) -> RowKind {
        self.kinds.as_ref().map_or(RowKind::Insert, |k| k[i])
    }

    /// The same rows under new columns: what a projection makes.
    #[must_use]
    pub fn with_columns(self, schema: SchemaRef, columns: Vec<ArrayRef>) -> Batch {
        debug_assert!(columns.iter().all(|c| c.len() == self.rows), "columns of one length");
        Batch { schema, columns, ..self }
    }
}

impl Batch {
    /// No rows: only steps of the watermark and how far the stream has come.
    pub fn progress(schema: SchemaRef, stairs: Vec<Stair>, upto: Seq) -> Batch {
        let columns = schema.empty_columns(|f| crate::column::from_values(&[], f.data_type));
        Batch { schema, columns, rows: 0, kinds: None, seqs: Numbers::run(0, 0), stairs, upto }
    }

    /// The rows at `indices`, which never fall, with every step of the watermark kept in its place among them.
    #[must_use]
    pub fn select(&self, indices: &[u32]) -> Batch {
        let stairs = self
            .stairs
            .iter()
            .map(|s| Stair { row: indices.partition_point(|&i| i < s.row) as u32, ..*s })
            .collect();
        Batch { stairs, ..self.gather(indices) }
    }

    /// The rows with a value in a column, the steps of the watermark kept in their places.
    #[must_use]
    pub fn having(self, column: usize) -> Batch {
        let nulls = self.columns[column].nulls().filter(|n| n.null_count() > 0).cloned();
        let Some(nulls) = nulls else { return self };
        let some = (0..self.rows as u32).filter(|&i| nulls.is_valid(i as usize));
        self.select(&some.collect::<Vec<u32>>())
    }

    /// The rows at `indices`, without the watermark's steps.
    #[must_use]
    pub fn gather(&self, indices: &[u32]) -> Batch {
        Batch {
            schema: Arc::clone(&self.schema),
            columns: self.columns.iter().map(|c| crate::column::take(c, indices)).collect(),
            rows: indices.len(),
            kinds: self.kinds.as_ref().map(|k| indices.iter().map(|&i| k[i as usize]).collect()),
            seqs: self.seqs.gather(indices),
            stairs: Vec::new(),
            upto: self.upto,
        }
    }

    /// Rows `from..to` without copying, without the watermark's steps.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Batch {
        Batch {
            schema: Arc::clone(&self.schema),
            columns: self.columns.iter().map(|c| c.slice(from, to - from)).collect(),
            rows: to - from,
            kinds: self.kinds.as_ref().map(|k| k[from..to].into()),
            seqs: self.seqs.slice(from, to),
            stairs: Vec::new(),
            upto: self.upto,
        }
    }

    /// Batches of one schema one after the other, without the watermark's steps.
    ///
    /// # Panics
    /// When there are none.
    pub fn concat(batches: &[Batch]) -> Batch {
        let first = batches.first().expect("at least one batch");
        if batches.len() == 1 {
            return Batch { stairs: Vec::new(), ..first.clone() };
        }
        let columns = (0..first.columns.len())
            .map(|c| {
                let parts: Vec<ArrayRef> =
                    batches.iter().map(|b| Arc::clone(&b.columns[c])).collect();
                crate::column::concat(&parts)
            })
            .collect();
        let seqs = Numbers::concat(batches.iter().map(|b| &b.seqs));
        let kinds = batches.iter().any(|b| b.kinds.is_some()).then(|| {
            batches.iter().flat_map(|b| (0..b.rows).map(|i| b.kind(i))).collect::<Arc<[_]>>()
        });
        Batch { kinds, ..Batch::new(Arc::clone(&first.schema), columns, seqs) }
    }

    /// The values of row `i`.
    pub fn row(&self, i: usize) -> Vec<crate::value::Value> {
        let pairs = self.columns.iter().zip(&self.schema.fields);
        pairs.map(|(c, f)| crate::column::value_at(c, f.data_type, i)).collect()
    }

    /// Row `i` as text: `name=value` pairs joined by `, `.
    pub fn row_text(&self, i: usize) -> String {
        let cells = self.row(i);
        let parts: Vec<String> = self
            .schema
            .fields
            .iter()
            .zip(&cells)
            .map(|(f, v)| format!("{}={}", f.name, v.to_text()))
            .collect();
        parts.join(", ")
    }
}
