//! The sink of a task chain: rows staged until a checkpoint commits them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};

use crate::batch::{Batch, Seq};
use crate::column::{canonical, millis};
use crate::error::{Diagnostic, Result};
use crate::key::Encoded;
use crate::operator::{Output, row_error};
use crate::schema::{DataType, SchemaRef};
use crate::seeded::seeded;
use crate::snapshot::bytes::{Reader, put};
use crate::snapshot::rows::{put_rows, read_rows};
use crate::trace::What;

/// A transactional sink: what it takes becomes visible when the checkpoint that follows is complete.
///
/// Rows of one place in the stream are put in order by their values (an updating stream keeps its
/// own order), so the table reads the same however many subtasks made it.
#[derive(Clone)]
pub struct Sink {
    schema: SchemaRef,
    updating: bool,
    sorted: bool,
    /// The sink's name, when its NOT NULL columns are to be held to that.
    enforced: Option<String>,
    /// Its table waits for no checkpoint: rows are in none.
    at_once: bool,
    /// Rows whose place in the stream is not complete yet.
    open: Vec<Batch>,
    /// Rows since the last barrier.
    staged: Vec<Batch>,
    /// Rows before a barrier whose checkpoint is not known to be complete.
    pending: BTreeMap<u64, Pending>,
}

/// Rows of a checkpoint, and the place up to which they are all there are, when that is not the sources'.
type Pending = (Option<Seq>, Vec<Batch>);

impl Sink {
    /// A sink for rows of `schema`; `sorted` false for those nobody reads in order.
    pub fn new(schema: SchemaRef, updating: bool, sorted: bool) -> Sink {
        Sink {
            schema,
            updating,
            sorted: sorted && !updating,
            enforced: None,
            at_once: false,
            open: Vec::new(),
            staged: Vec::new(),
            pending: BTreeMap::new(),
        }
    }

    /// The same sink, of this name, that takes no NULL in a column declared NOT NULL.
    #[must_use]
    pub fn enforcing(mut self, name: &str) -> Sink {
        self.enforced = Some(name.to_owned());
        self
    }

    /// Rows are handed over as they are staged: a barrier that has overtaken others finds some that have come in the same
    /// moment, and leaves them, or later ones would be shown before them.
    pub fn show_at_once(&mut self) {
        self.at_once = true;
    }

    /// Finds the first row that must not be there, however rows come together in batches.
    fn check(&self, batch: &Batch) -> Result<()> {
        let Some(name) = &self.enforced else { return Ok(()) };
        let fields = self.schema.fields.iter().zip(&batch.columns);
        let nulls = fields.filter(|(f, column)| !f.nullable && column.null_count() > 0);
        let first = nulls.filter_map(|(field, column)| {
            let rows = (0..batch.rows).filter(|&row| column.is_null(row));
            Some((rows.map(|row| batch.seqs.at(row)).min()?, field))
        });
        let Some((seq, field)) = first.min_by_key(|(seq, _)| *seq) else { return Ok(()) };
        let message = format!("the column `{}` is NOT NULL, the value is NULL", field.name);
        let error = Diagnostic::new("run.not-null", message)
            .hint("filter with IS NOT NULL, give a value with COALESCE, or declare the column without NOT NULL");
        Err(row_error(name, seq, error))
    }

    /// Takes rows in.
    ///
    /// # Errors
    /// A NULL in a column that takes none.
    pub fn take(&mut self, batch: Batch, out: &mut Output) -> Result<()> {
        self.check(&batch)?;
        let upto = batch.upto;
        if batch.rows > 0 {
            let columns = batch.columns.iter().map(canonical).collect();
            self.open.push(Batch { columns, ..batch });
        }
        if self.open.first().is_some_and(|b| b.seqs.at(0) <= upto) {
            self.close(upto, out);
        }
        Ok(())
    }

    /// Stages the rows up to a place in the stream, in their order.
    fn close(&mut self, upto: Seq, out: &mut Output) {
        let all = Batch::concat(&std::mem::take(&mut self.open));
        let done = all.seqs.count_upto(upto);
        if done < all.rows {
            self.open.push(all.slice(done, all.rows));
        }
        let mut ready = if done < all.rows { all.slice(0, done) } else { all };
        if self.sorted {
            ready = in_order(ready);
        }
        for i in 0..if out.traced() { ready.rows } else { 0 } {
            let (kind, seq) = (ready.kind(i) as u8, ready.seqs.at(i));
            out.note(|| What::Stage { row: ready.row_text(i), kind, seq });
        }
        self.staged.push(ready);
    }

    /// Hands over what is staged without waiting for a checkpoint: the runner's way.
    pub fn drain(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.staged)
    }

    /// How many rows a crash would lose.
    pub fn uncommitted(&self) -> u64 {
        let pending = self.pending.values().flat_map(|(_, rows)| rows);
        pending.chain(&self.staged).chain(&self.open).map(|b| b.rows as u64).sum()
    }

    /// At a barrier: the rows since the last one become the checkpoint's, and part of its snapshot. `upto`: the place
    /// up to which all rows have come, when the barrier has overtaken others.
    pub fn pre_commit(&mut self, checkpoint: u64, upto: Option<Seq>) -> Vec<u8> {
        debug_assert!(self.open.is_empty(), "a barrier stands behind complete places only");
        let staged = match self.at_once {
            true => Vec::new(),
            false if seeded("rows-staged-twice") => self.staged.clone(),
            false => std::mem::take(&mut self.staged),
        };
        let mut bytes = Vec::new();
        put(&mut bytes, checkpoint);
        let all = match staged.as_slice() {
            [] => Batch::progress(self.schema.clone(), Vec::new(), 0),
            batches => Batch::concat(batches),
        };
        put_rows(&mut bytes, &all, self.updating);
        if let Some(upto) = upto {
            put(&mut bytes, upto);
        }
        self.pending.insert(checkpoint, (upto, staged));
        bytes
    }

    /// The checkpoint will never be complete: its rows are the next one's.
    pub fn abort(&mut self, checkpoint: u64) {
        if let Some((_, mut rows)) = self.pending.remove(&checkpoint) {
            rows.append(&mut self.staged);
            self.staged = rows;
        }
    }

    /// The checkpoint is complete: its rows, to be made visible, and the place up to which they are all there are,
    /// when that is not the sources'. Asked again, it has none.
    pub fn commit(&mut self, checkpoint: u64) -> Option<(Option<Seq>, Vec<Batch>)> {
        self.pending.remove(&checkpoint)
    }

    /// Takes the rows of a checkpoint back as pending: they are committed again on recovery.
    ///
    /// # Errors
    /// When the bytes are not this sink's.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<u64> {
        let mut reader = Reader::new(bytes);
        let checkpoint = reader.number()?;
        let batch = read_rows(&mut reader, &self.schema)?;
        let upto = if reader.left() > 0 { Some(reader.number()?) } else { None };
        reader.end()?;
        (self.open, self.staged) = (Vec::new(), Vec::new());
        self.pending.clear();
        let batch = batch.filter(|b| b.rows == 0 || b.kinds.is_some() == self.updating);
        let batch = batch.ok_or_else(|| crate::operator::wrong_state("the sink"))?;
        if !seeded("a-sink-forgets-its-handle") {
            self.pending.insert(checkpoint, (upto, vec![batch]));
        }
        Ok(checkpoint)
    }
}

/// Rows by place in the stream, then by value, column after column.
fn in_order(batch: Batch) -> Batch {
    if batch.seqs.rises() {
        return batch;
    }
    // Columns that can be compared as they are, up to the first that cannot.
    let columns = 0..batch.columns.len();
    let plain: Vec<Cow<'_, [i64]>> = columns.map_while(|c| integers(&batch, c)).collect();
    if batch.seqs.alike() && plain.first().is_some_and(|c| c.is_sorted_by(|a, b| a < b)) {
        return batch;
    }
    let compare = |a: &u32, b: &u32| {
        let mut columns = plain.iter().map(|c| c[*a as usize].cmp(&c[*b as usize]));
        columns.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    };
    let rows = (plain.len() < batch.columns.len()).then(|| Encoded::rows(&batch));
    let mut order: Vec<u32> = (0..batch.rows as u32).collect();
    let seq = |i: &u32| batch.seqs.at(*i as usize);
    // Rows of several channels come one channel after the other.
    if !order.is_sorted_by_key(seq) {
        order.sort_by_key(seq);
    }
    for place in order.chunk_by_mut(|a, b| seq(a) == seq(b)).filter(|p| p.len() > 1) {
        match &rows {
            None => place.sort_by(compare),
            Some(rows) => place.sort_by(|a, b| {
                compare(a, b).then_with(|| rows.get(*a as usize).cmp(rows.get(*b as usize)))
            }),
        }
    }
    // Rows mostly come in order; then nothing is copied.
    if order.is_sorted() { batch } else { batch.gather(&order) }
}

/// A column as integers that sort as its values do, when it is one of integers without NULL.
fn integers(batch: &Batch, column: usize) -> Option<Cow<'_, [i64]>> {
    let array = Some(&batch.columns[column]).filter(|a| a.null_count() == 0)?;
    match batch.schema.fields[column].data_type {
        DataType::Int => {
            Some(array.as_primitive::<Int32Type>().values().iter().map(|&v| v.into()).collect())
        }
        DataType::BigInt => Some(Cow::Borrowed(array.as_primitive::<Int64Type>().values())),
        t if t.is_timestamp() => Some(Cow::Borrowed(millis(array))),
        _ => None,
    }
}
