//! The readers of files beside the bare libraries: the same rows in every format, on one core.
//!
//! A library's own loop decodes each record and throws it away: `serde_json` into a typed record that borrows
//! its texts, `csv` into fields with the numbers parsed, `parquet` and `arrow-ipc` into record batches. The
//! reader makes columns of the table's types with places and arrivals; it reads times, which the loops of text
//! leave as text, and checks what it reads.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchReader, StringArray, TimestampMillisecondArray,
};
use highwater_engine::column::value_at;
use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::schema::DataType;
use highwater_engine::session::{Fast, Options};
use highwater_engine::source::Reader;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::Deserialize;

use super::ground::stream::{Bid, Stream};
use super::{clock::Began, median};
use crate::files::Script;
use crate::job;
use crate::sandbox::WasmtimeSandbox;

/// How records stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON lines.
    Json,
    /// CSV.
    Csv,
    /// Parquet, compressed with Snappy.
    Parquet,
    /// An Arrow IPC file.
    Arrow,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 4] = [Format::Json, Format::Csv, Format::Parquet, Format::Arrow];

    /// Its name in a table's options.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        }
    }
}

/// What reading a file took, median runs in seconds of processor time.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// How long the file is.
    pub bytes: u64,
    /// The engine's reader.
    pub reader: f64,
    /// The bare library.
    pub library: f64,
}

/// How many rows are decoded together.
const ROWS: usize = 8_192;

#[derive(Deserialize)]
struct Record<'a> {
    auction: i64,
    bidder: i64,
    price: i64,
    channel: &'a str,
    ts: &'a str,
}

/// What all who read the file must find: how many rows, and the sum of their prices.
type Sum = (u64, i64);

fn failed(error: impl std::fmt::Display) -> Error {
    Diagnostic::new("bench.readers", format!("the file cannot be made or read: {error}"))
}

/// Writes so many records to a file and reads it in turns.
///
/// # Errors
/// When a file cannot be written or read, or what was read is not what was written.
pub fn measure(format: Format, records: u64, repeats: u32) -> Result<Measured> {
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join("bids");
    let written = write(format, &path, records)?;
    let (mut reader, mut library) = (Vec::new(), Vec::new());
    for _ in 0..repeats.max(1) {
        for (seconds, read) in
            [(&mut library, bare as fn(Format, &Path) -> Result<(Sum, f64)>), (&mut reader, ours)]
        {
            let (found, took) = read(format, &path)?;
            seconds.push(took);
            if found != written {
                let told = format!("{} gives {found:?}, written were {written:?}", format.name());
                return Err(Diagnostic::new("bench.wrong-totals", told));
            }
        }
    }
    let bytes = std::fs::metadata(&path).map_err(failed)?.len();
    Ok(Measured { bytes, reader: median(&reader), library: median(&library) })
}

fn batch(from: u64, to: u64) -> RecordBatch {
    let bids: Vec<Bid> = (from..to).map(|i| Stream::PUBLISHED.bid(i)).collect();
    let long = |of: fn(&Bid) -> i64| Arc::new(Int64Array::from_iter_values(bids.iter().map(of)));
    let channels = bids.iter().map(|b| format!("channel-{}", b.auction % 7));
    let ts = TimestampMillisecondArray::from_iter_values(bids.iter().map(|b| b.ts));
    let columns: [(&str, ArrayRef); 5] = [
        ("auction", long(|b| b.auction)),
        ("bidder", long(|b| b.bidder)),
        ("price", long(|b| b.price)),
        ("channel", Arc::new(StringArray::from_iter_values(channels))),
        ("ts", Arc::new(ts)),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn write(format: Format, path: &Path, records: u64) -> Result<Sum> {
    let file = std::io::BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    let pieces =
        (0..records).step_by(ROWS).map(|from| batch(from, records.min(from + ROWS as u64)));
    match format {
        Format::Json | Format::Csv => write_text(format, file, pieces)?,
        Format::Parquet => {
            let properties =
                WriterProperties::builder().set_compression(Compression::SNAPPY).build();
            let mut writer = ArrowWriter::try_new(file, batch(0, 0).schema(), Some(properties))
                .map_err(failed)?;
            for piece in pieces {
                writer.write(&piece).map_err(failed)?;
            }
            writer.close().map_err(failed)?;
        }
        Format::Arrow => {
            let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &batch(0, 0).schema())
                .map_err(failed)?;
            for piece in pieces {
                writer.write(&piece).map_err(failed)?;
            }
            writer.finish().map_err(failed)?;
        }
    }
    Ok((records, (0..records).map(|i| Stream::PUBLISHED.bid(i).price).sum()))
}

fn write_text(
    format: Format,
    mut file: impl std::io::Write,
    pieces: impl Iterator<Item = RecordBatch>,
) -> Result<()> {
    for piece in pieces {
        let long = |column: usize| piece.column(column).as_primitive::<Int64Type>();
        let (auction, bidder, price) = (long(0), long(1), long(2));
        let channel = piece.column(3).as_string::<i32>();
        for i in 0..piece.num_rows() {
            let ts = value_at(piece.column(4), DataType::Timestamp, i).to_text();
            let (a, b, p, c) =
                (auction.value(i), bidder.value(i), price.value(i), channel.value(i));
            match format {
                Format::Csv => writeln!(file, "{a},{b},{p},{c},{ts}"),
                _ => writeln!(
                    file,
                    r#"{{"auction":{a},"bidder":{b},"price":{p},"channel":"{c}","ts":"{ts}"}}"#
                ),
            }
            .map_err(failed)?;
        }
    }
    file.flush().map_err(failed)
}

/// Seconds of processor time of this thread.
fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let began = Began::now();
    let done = run()?;
    Ok((done, began.took().cpu))
}

/// The bare library.
fn bare(format: Format, path: &Path) -> Result<(Sum, f64)> {
    timed(|| {
        let mut sum: Sum = (0, 0);
        let mut add = |price: i64| sum = (sum.0 + 1, sum.1 + price);
        match format {
            Format::Json => {
                let bytes = std::fs::read(path).map_err(failed)?;
                for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                    let record: Record<'_> = serde_json::from_slice(line).map_err(failed)?;
                    std::hint::black_box((
                        record.auction,
                        record.bidder,
                        record.channel,
                        record.ts,
                    ));
                    add(record.price);
                }
            }
            Format::Csv => {
                let bytes = std::fs::read(path).map_err(failed)?;
                let mut reader =
                    csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
                let mut record = csv::ByteRecord::new();
                while reader.read_byte_record(&mut record).map_err(failed)? {
                    let number = |field: usize| -> i64 {
                        let text = record.get(field).and_then(|f| std::str::from_utf8(f).ok());
                        text.and_then(|t| t.parse().ok()).unwrap_or_default()
                    };
                    std::hint::black_box((number(0), number(1), &record[3], &record[4]));
                    add(number(2));
                }
            }
            Format::Parquet => {
                let file = std::fs::File::open(path).map_err(failed)?;
                let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
                drain(reader.with_batch_size(ROWS).build().map_err(failed)?, &mut add)?;
            }
            Format::Arrow => {
                let file = std::fs::File::open(path).map_err(failed)?;
                let reader = arrow_ipc::reader::FileReader::try_new_buffered(file, None);
                drain(reader.map_err(failed)?, &mut add)?;
            }
        }
        Ok(sum)
    })
}

fn drain(reader: impl RecordBatchReader, add: &mut impl FnMut(i64)) -> Result<()> {
    for batch in reader {
        let batch = batch.map_err(failed)?;
        batch.column(2).as_primitive::<Int64Type>().values().iter().for_each(|price| add(*price));
        std::hint::black_box(&batch);
    }
    Ok(())
}

/// The engine's reader, in this thread.
fn ours(format: Format, path: &Path) -> Result<(Sum, f64)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let text = format!(
        "CREATE TABLE bids (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, ts TIMESTAMP(3)) \
         WITH ('connector' = 'filesystem', 'path' = 'bids', 'format' = '{}'); SELECT * FROM bids;",
        format.name()
    );
    let script = Script { path: folder.join("readers.sql"), name: "readers.sql".into(), text };
    let one = |mut errors: Vec<Diagnostic>| failed(errors.remove(0));
    timed(|| {
        let files = job::files(&script).map_err(one)?;
        let sandbox = Arc::new(WasmtimeSandbox::default());
        let options = Options::default();
        let mut job =
            Fast::open("readers.sql", &script.text, &files, sandbox, &options).map_err(one)?;
        let mut read = Ok((0, 0));
        job.wrap_readers(&mut |mut reader| {
            read = sum(&mut *reader);
            reader
        });
        read
    })
}

fn sum(reader: &mut dyn Reader) -> Result<Sum> {
    let mut sum = (0, 0);
    while let Some(chunk) = reader.read(ROWS)? {
        let prices = chunk.columns[2].as_primitive::<Int64Type>().values();
        sum = (sum.0 + chunk.rows as u64, sum.1 + prices.iter().sum::<i64>());
        std::hint::black_box(&chunk);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_holds_the_same_rows() {
        for format in Format::ALL {
            let measured = measure(format, 10_000, 1).expect("equal sums");
            assert!(measured.bytes > 10_000, "{}", measured.bytes);
        }
    }
}
