//! Parquet: page after page of the columns asked for, one row group after the other.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::Opened;

/// The metadata at the file's end, strings and bytes in the form that the engine has them.
fn metadata(file: &File) -> Result<ArrowReaderMetadata, String> {
    let found = ArrowReaderMetadata::load(file, ArrowReaderOptions::new()).map_err(text)?;
    let fields = found.schema().fields().iter().map(|field| {
        let plain = match field.data_type() {
            DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
            DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
            DataType::Dictionary(_, values) if values.is_string() => DataType::Utf8,
            DataType::Dictionary(_, values) if values.is_binary() => DataType::Binary,
            _ => return Arc::clone(field),
        };
        Arc::new(field.as_ref().clone().with_data_type(plain))
    });
    let schema =
        Schema::new_with_metadata(fields.collect::<Vec<_>>(), found.schema().metadata().clone());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    // The file's own forms do as well, they only take another step.
    Ok(ArrowReaderMetadata::try_new(Arc::clone(found.metadata()), options).unwrap_or(found))
}

/// The names of the columns.
pub(super) fn names(path: &Path) -> Result<Vec<String>, String> {
    let found = metadata(&File::open(path).map_err(text)?)?;
    Ok(found.schema().fields().iter().map(|f| f.name().clone()).collect())
}

/// How many rows there are.
pub(super) fn count(path: &Path) -> Result<u64, String> {
    let found = metadata(&File::open(path).map_err(text)?)?;
    u64::try_from(found.metadata().file_metadata().num_rows()).map_err(text)
}

/// Opens a file for the columns of these names, where it has them.
pub(super) fn open(path: &Path, names: &[&str], batch_rows: usize) -> Result<Opened, String> {
    let file = File::open(path).map_err(text)?;
    let metadata = metadata(&file)?;
    let all = metadata.schema().fields().iter().enumerate();
    let wanted: Vec<usize> =
        all.filter(|(_, f)| names.contains(&f.name().as_str())).map(|(i, _)| i).collect();
    let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_projection(mask)
        .with_batch_size(batch_rows)
        .build()
        .map_err(text)?;
    let schema = arrow_array::RecordBatchReader::schema(&reader);
    Ok(Opened { schema, batches: Box::new(reader.map(|batch| batch.map_err(text))) })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
