//! Parquet files as one batch.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use highwater_engine::error::{Diagnostic, Error, Result};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

fn failed(path: &Path, error: impl std::fmt::Display) -> Error {
    Diagnostic::new("bench.file", format!("`{}`: {error}", path.display()))
}

/// All rows of a file in one batch.
pub(super) fn whole(path: &Path) -> Result<RecordBatch> {
    let text = |error: &dyn std::fmt::Display| failed(path, error);
    let file = File::open(path).map_err(|e| text(&e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| text(&e))?;
    let schema = Arc::clone(reader.schema());
    let batches = reader.with_batch_size(65_536).build().map_err(|e| text(&e))?;
    let batches: Vec<RecordBatch> =
        batches.collect::<std::result::Result<_, _>>().map_err(|e| text(&e))?;
    arrow_select::concat::concat_batches(&schema, &batches).map_err(|e| text(&e))
}

/// Writes a batch to a file.
pub(super) fn write(
    path: &Path,
    batch: &RecordBatch,
    properties: Option<WriterProperties>,
) -> Result<()> {
    let written = || -> std::result::Result<(), Box<dyn std::error::Error>> {
        let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), properties)?;
        writer.write(batch)?;
        writer.close()?;
        Ok(())
    };
    written().map_err(|e| failed(path, e))
}
