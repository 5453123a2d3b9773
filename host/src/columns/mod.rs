//! Files of columns, Parquet and Arrow IPC: opened, projected to the columns asked for, decoded batch by batch.

mod convert;
mod ipc;
mod parquet;
mod strings;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::schema::Field;
use highwater_engine::source::columns::{ColumnFile, ColumnRows, Rows};

use convert::{Cast, pieces};

/// How many rows are decoded at a time.
const BATCH_ROWS: usize = 8_192;

/// How columns stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `'format' = 'parquet'`.
    Parquet,
    /// `'format' = 'arrow'`: Arrow IPC, a file or a stream.
    Arrow,
}

impl Format {
    /// The format of that name in a table's options.
    pub fn named(name: &str) -> Option<Format> {
        match name {
            "parquet" => Some(Format::Parquet),
            "arrow" => Some(Format::Arrow),
            _ => None,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Format::Parquet => "Parquet",
            Format::Arrow => "Arrow IPC",
        }
    }
}

/// Batches of a file, one after the other.
type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, String>> + Send>;

/// A file that was opened for some columns.
struct Opened {
    /// What its batches look like.
    schema: SchemaRef,
    batches: Batches,
}

/// A file of columns. Each use opens it anew and reads forward.
#[derive(Clone, Debug)]
pub struct File {
    path: PathBuf,
    /// What messages call it.
    name: String,
    format: Format,
    /// How many rows it has, where it says so.
    count: Option<u64>,
}

impl File {
    /// The file at `path`.
    ///
    /// # Errors
    /// When there is none, or it cannot be read as that format.
    pub fn open(path: &Path, format: Format) -> Result<File> {
        crate::files::readable(path)?;
        let (path, name) = (path.to_owned(), path.display().to_string());
        let mut file = File { path, name, format, count: None };
        // Damage is said before the job begins, as far as it shows.
        file.start(&[])?;
        if format == Format::Parquet {
            file.count = contained(|| parquet::count(&file.path)).ok();
        }
        Ok(file)
    }

    /// What is wrong with the file.
    fn damaged(&self, what: &str) -> Error {
        let title = self.format.title();
        let hint = match self.format {
            Format::Parquet => {
                "codecs that can be read: uncompressed, snappy, gzip, lz4, zstd; the file may be cut off or \
                 of another format"
            }
            Format::Arrow => {
                "codecs that can be read: uncompressed, lz4, zstd; the file may be cut off or of another \
                 format (Feather 1 is none)"
            }
        };
        Diagnostic::new(
            "source.damaged-file",
            format!("`{}` cannot be read as {title}: {what}", self.name),
        )
        .hint(hint)
    }

    /// Opens the file for these columns, all of a name once.
    fn start(&self, fields: &[Field]) -> Result<Opened> {
        let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        let open = || match self.format {
            Format::Parquet => parquet::open(&self.path, &names, BATCH_ROWS),
            Format::Arrow => ipc::open(&self.path, &names),
        };
        let opened = contained(open).map_err(|what| self.damaged(&what))?;
        for field in fields {
            if opened.schema.index_of(&field.name).is_err() {
                return Err(self.no_column(field));
            }
        }
        Ok(opened)
    }

    fn no_column(&self, field: &Field) -> Error {
        let all = contained(|| match self.format {
            Format::Parquet => parquet::names(&self.path),
            Format::Arrow => ipc::names(&self.path),
        });
        Diagnostic::new(
            "source.no-column",
            format!("`{}` has no column `{}`", self.name, field.name),
        )
        .hint(format!("its columns are {}", all.unwrap_or_default().join(", ")))
    }
}

/// Decoders of foreign bytes may panic: that is an error of the file like any other.
fn contained<T>(
    decode: impl FnOnce() -> std::result::Result<T, String>,
) -> std::result::Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("the decoder stumbled: {}", text.unwrap_or("for no reason it knows")))
    })
}

impl ColumnFile for File {
    fn rows(&self, fields: &[Field]) -> Result<Box<dyn ColumnRows>> {
        let opened = self.start(fields)?;
        let mut casts = Vec::new();
        for field in fields {
            let found = opened.schema.field_with_name(&field.name).map(|f| f.data_type().clone());
            let found = found.map_err(|_| self.no_column(field))?;
            casts.push(Cast::new(field, &found).ok_or_else(|| {
                let (name, into) = (&field.name, field.data_type);
                Diagnostic::new(
                    "source.column-type",
                    format!(
                        "`{}`: column `{name}` is {found}, which is not read as {into}",
                        self.name
                    ),
                )
                .hint(convert::hint(&found))
            })?);
        }
        let batches = opened.batches;
        Ok(Box::new(Decoder { file: self.clone(), casts, batches, ready: VecDeque::new() }))
    }

    fn count(&self) -> Option<u64> {
        self.count
    }
}

/// Decodes a file forward.
struct Decoder {
    file: File,
    casts: Vec<Cast>,
    batches: Batches,
    /// Pieces of the last batch.
    ready: VecDeque<Rows>,
}

impl ColumnRows for Decoder {
    fn next(&mut self) -> Result<Option<Rows>> {
        loop {
            if let Some(rows) = self.ready.pop_front() {
                return Ok(Some(rows));
            }
            let (batches, casts) = (&mut self.batches, &self.casts);
            let next = contained(|| {
                let Some(batch) = batches.next().transpose()? else { return Ok(None) };
                let mut columns = Vec::new();
                for cast in casts {
                    let column = batch.column_by_name(cast.name());
                    columns.push(Arc::clone(column.ok_or("a column is missing from a batch")?));
                }
                Ok(Some(pieces(casts, &columns, batch.num_rows())))
            });
            match next.map_err(|what| self.file.damaged(&what))? {
                Some(pieces) => self.ready.extend(pieces),
                None => return Ok(None),
            }
        }
    }
}
