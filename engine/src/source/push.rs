//! `connector` = `push`: rows that the program around the engine hands in, whenever it has some.
//!
//! They arrive in the order in which they are handed in, [one interval](Context::interval) apart, so the
//! result is that of a file of the same rows, however they were cut into pieces.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use arrow_array::{Array, ArrayRef};

use super::{Blocks, Chunk, Context, Detached, Files, Input, Reader};
use crate::error::{Diagnostic, Result};
use crate::numbers::Numbers;
use crate::plan::{Settings, SourceSpec};
use crate::schema::{DataType, SchemaRef};

/// The connector's name.
pub const CONNECTOR: &str = "push";

/// The code of "nothing there now, the end not said": the reader can go on when rows have been handed in.
pub const DRY: &str = "source.dry";

/// The end of a table at which rows go in.
#[derive(Clone, Debug)]
pub struct Feed {
    table: String,
    schema: SchemaRef,
    queue: Rc<RefCell<Queue>>,
}

/// Rows handed in and not read yet.
#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Vec<ArrayRef>>,
    /// Rows of the first piece that have been read.
    read: usize,
    ended: bool,
}

/// The other end.
struct Pushed {
    queue: Rc<RefCell<Queue>>,
    interval: u64,
    next: u64,
}

/// Opens the table: where rows go in, and where the engine reads them.
///
/// # Errors
/// Options and settings that the connector does not know.
pub fn open(spec: &SourceSpec, settings: &Settings) -> Result<(Feed, Vec<Input>)> {
    let (files, blocks) = (Files::default(), Blocks::default());
    let context = Context { spec, settings, files: &files, blocks: &blocks, seed: 0 };
    context.only(|_| false, "no options")?;
    if let Some(name) = context.setting("arrival") {
        return Err(Diagnostic::new(
            "source.bad-setting",
            format!("rows of `{}` arrive as they are handed in, not by `{name}`", spec.table),
        )
        .hint(format!("leave out 'highwater.{}.arrival'", spec.table)));
    }
    let queue = Rc::new(RefCell::new(Queue::default()));
    let reader = Pushed { queue: Rc::clone(&queue), interval: context.interval()?, next: 0 };
    let feed = Feed { table: spec.table.clone(), schema: spec.physical.clone(), queue };
    let name = spec.table.clone();
    let input = Input { partition: 0, name, reader: Box::new(reader), first: false };
    Ok((feed, vec![input]))
}

impl Feed {
    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The columns that are handed in: the table's without the computed ones.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Hands rows in: an array a column.
    ///
    /// # Errors
    /// Columns of other types or number, a NULL where the table allows none, rows after the end.
    pub fn push(&self, types: &[DataType], columns: Vec<ArrayRef>) -> Result<()> {
        let fields = &self.schema.fields;
        let wrong = |what: String| {
            let names: Vec<String> =
                fields.iter().map(|f| format!("{} {}", f.name, f.data_type)).collect();
            Diagnostic::new("source.pushed", format!("rows for `{}`: {what}", self.table))
                .hint(format!("its columns are {}", names.join(", ")))
        };
        if self.queue.borrow().ended {
            return Err(wrong("the table has ended".into()));
        }
        if columns.len() != fields.len() {
            return Err(wrong(format!("{} columns instead of {}", columns.len(), fields.len())));
        }
        let rows = columns.first().map_or(0, |c| c.len());
        for ((field, column), found) in fields.iter().zip(&columns).zip(types) {
            if *found != field.data_type || *column.data_type() != field.data_type.to_arrow() {
                return Err(wrong(format!("`{}` is {found}", field.name)));
            }
            if column.len() != rows {
                return Err(wrong(format!("`{}` has another number of rows", field.name)));
            }
            if !field.nullable && column.null_count() > 0 {
                return Err(wrong(format!("`{}` is NOT NULL, a value is NULL", field.name)));
            }
        }
        if rows > 0 {
            self.queue.borrow_mut().pieces.push_back(columns);
        }
        Ok(())
    }

    /// Says that no more rows will come.
    pub fn end(&self) {
        self.queue.borrow_mut().ended = true;
    }
}

impl Reader for Pushed {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        let mut queue = self.queue.borrow_mut();
        let Some(piece) = queue.pieces.front() else {
            if queue.ended {
                return Ok(None);
            }
            return Err(Diagnostic::new(DRY, "no rows have been handed in yet"));
        };
        let from = queue.read;
        let rows = max_rows.min(piece[0].len() - from);
        let columns = piece.iter().map(|c| c.slice(from, rows)).collect();
        if from + rows == piece[0].len() {
            queue.pieces.pop_front();
            queue.read = 0;
        } else {
            queue.read += rows;
        }
        let first = self.next;
        self.next += rows as u64;
        Ok(Some(Chunk {
            columns,
            rows,
            offsets: Numbers::run(first, rows),
            lines: Numbers::same(0, rows),
            arrivals: Numbers::steps(first.saturating_mul(self.interval), self.interval, rows),
            bad: Vec::new(),
        }))
    }

    fn detach(self: Box<Self>) -> Detached {
        Err(self)
    }

    fn relative(&self) -> bool {
        true
    }
}
