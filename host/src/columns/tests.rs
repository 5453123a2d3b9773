//! Every type of Arrow into the table's, by all three ways to the disk; damage of every kind.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array,
    Decimal256Array, DictionaryArray, FixedSizeBinaryArray, Float16Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray, NullArray,
    RecordBatch, StringArray, StringViewArray, Time32SecondArray, Time64NanosecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::i256;
use highwater_engine::column::value_at;
use highwater_engine::schema::{DataType, Field};
use highwater_engine::source::columns::ColumnFile as _;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::{File, Format};

fn parquet(path: &Path, batch: &RecordBatch, codec: Compression, row_group: usize) {
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_max_row_group_row_count(Some(row_group))
        .build();
    let file = std::fs::File::create(path).expect("made");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("starts");
    writer.write(batch).expect("written");
    writer.close().expect("closed");
}

fn ipc(path: &Path, batch: &RecordBatch, stream: bool) {
    let file = std::fs::File::create(path).expect("made");
    if stream {
        let mut writer =
            arrow_ipc::writer::StreamWriter::try_new(file, &batch.schema()).expect("starts");
        writer.write(batch).expect("written");
        writer.finish().expect("closed");
    } else {
        let mut writer =
            arrow_ipc::writer::FileWriter::try_new(file, &batch.schema()).expect("starts");
        writer.write(batch).expect("written");
        writer.finish().expect("closed");
    }
}

/// A line a row, faults in their place.
fn read(path: &Path, format: Format, fields: &[Field]) -> Result<Vec<String>, String> {
    let told = |e: highwater_engine::error::Error| format!("{} {}", e.code, e.message);
    let file = File::open(path, format).map_err(told)?;
    let mut rows = file.rows(fields).map_err(told)?;
    let mut lines = Vec::new();
    while let Some(piece) = rows.next().map_err(told)? {
        for (column, field) in piece.columns.iter().zip(fields) {
            assert_eq!(*column.data_type(), field.data_type.to_arrow());
            assert_eq!(column.len(), piece.rows);
        }
        let mut faults = piece.faults.iter().peekable();
        for row in 0..piece.rows {
            if let Some(fault) = faults.next_if(|fault| fault.row == row) {
                lines.push(format!("! {}", fault.reason));
                continue;
            }
            let values = piece.columns.iter().zip(fields);
            let texts = values.map(|(c, f)| value_at(c, f.data_type, row).to_text());
            lines.push(texts.collect::<Vec<_>>().join("|"));
        }
    }
    Ok(lines)
}

/// The values of one column read as a type, by Parquet and both forms of Arrow IPC.
fn column(array: ArrayRef, into: DataType) -> Vec<Result<Vec<String>, String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    let batch = RecordBatch::try_from_iter_with_nullable([("x", array, true)]).expect("a batch");
    let fields = [Field::new("x", into)];
    let mut found = Vec::new();
    for stream in [false, true] {
        ipc(&path, &batch, stream);
        found.push(read(&path, Format::Arrow, &fields));
    }
    // Parquet has no 256-bit statistics problem here, but knows no such thing as half of the others.
    parquet(&path, &batch, Compression::SNAPPY, 2);
    found.push(read(&path, Format::Parquet, &fields));
    found
}

fn check(array: impl arrow_array::Array + 'static, into: DataType, expected: &[&str]) {
    let kind = array.data_type().clone();
    for (way, found) in column(Arc::new(array), into).into_iter().enumerate() {
        let found = found.unwrap_or_else(|e| panic!("{kind} as {into}, way {way}: {e}"));
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, expected, "{kind} as {into}, way {way}");
    }
}

fn fault(into: &str, found: &str) -> String {
    format!("! expected a value of {into} for `x`, found {found}")
}

#[test]
fn whole_numbers_of_every_width_fit_or_are_faults() {
    use DataType::{BigInt, Decimal, Double, Float, Int};
    check(Int8Array::from(vec![Some(-128), None, Some(127)]), Int, &["-128", "NULL", "127"]);
    check(Int16Array::from(vec![-32768, 32767]), BigInt, &["-32768", "32767"]);
    check(UInt8Array::from(vec![0, 255]), Int, &["0", "255"]);
    check(UInt16Array::from(vec![65535]), Int, &["65535"]);
    check(UInt32Array::from(vec![4_294_967_295]), BigInt, &["4294967295"]);
    check(Int32Array::from(vec![i32::MIN]), BigInt, &["-2147483648"]);
    check(Int64Array::from(vec![7, 1 << 31]), Int, &["7", &fault("INT", "2147483648")]);
    let most = [&fault("BIGINT", "18446744073709551615"), "9223372036854775807"];
    check(UInt64Array::from(vec![u64::MAX, u64::MAX / 2]), BigInt, &most);
    check(
        Int64Array::from(vec![12, 1234]),
        Decimal(5, 2),
        &["12.00", &fault("DECIMAL(5, 2)", "1234")],
    );
    check(
        Int64Array::from(vec![1 << 53, (1 << 53) + 1]),
        Double,
        &["9007199254740992.0", &fault("DOUBLE", "9007199254740993")],
    );
    check(
        Int32Array::from(vec![1 << 24, (1 << 24) + 1]),
        Float,
        &["16777216.0", &fault("FLOAT", "16777217")],
    );
}

#[test]
fn floats_decimals_and_truth_values_keep_every_digit() {
    use DataType::{BigInt, Boolean, Decimal, Double, Float};
    check(Float32Array::from(vec![0.1_f32, f32::NAN, -0.0]), Float, &["0.1", "NaN", "0.0"]);
    check(Float32Array::from(vec![0.5_f32]), Double, &["0.5"]);
    check(Float64Array::from(vec![0.5, 0.1]), Float, &["0.5", &fault("FLOAT", "0.1")]);
    check(Float16Array::from_iter_values([half(0.25)]), Double, &["0.25"]);
    let decimals = || Decimal128Array::from(vec![12_300, 12_345]).with_precision_and_scale(10, 3);
    let decimals = || decimals().expect("it fits");
    check(decimals(), Decimal(12, 4), &["12.3000", "12.3450"]);
    check(
        decimals(),
        Decimal(4, 1),
        &["12.3", &fault("DECIMAL(4, 1)", "12345 of Decimal128(10, 3)")],
    );
    let whole = Decimal128Array::from(vec![700, 701]).with_precision_and_scale(10, 2);
    check(whole.expect("it fits"), BigInt, &["7", &fault("BIGINT", "701 of Decimal128(10, 2)")]);
    let wide = Decimal256Array::from(vec![i256::from_i128(-5)]).with_precision_and_scale(50, 1);
    check(wide.expect("it fits"), Decimal(3, 1), &["-0.5"]);
    check(
        BooleanArray::from(vec![Some(true), None, Some(false)]),
        Boolean,
        &["TRUE", "NULL", "FALSE"],
    );
}

fn half(
    value: f32,
) -> <arrow_array::types::Float16Type as arrow_array::ArrowPrimitiveType>::Native {
    <arrow_array::types::Float16Type as arrow_array::ArrowPrimitiveType>::Native::from_f32(value)
}

#[test]
fn times_of_every_unit_and_zone_become_milliseconds() {
    use DataType::{Date, Int, Timestamp, TimestampLtz};
    // 2001-09-09 01:46:40 is second 1,000,000,000.
    check(TimestampSecondArray::from(vec![1_000_000_000]), Timestamp, &["2001-09-09 01:46:40.000"]);
    check(
        TimestampMillisecondArray::from(vec![Some(999), None]),
        Timestamp,
        &["1970-01-01 00:00:00.999", "NULL"],
    );
    // Cut off towards the past, before 1970 too.
    check(
        TimestampMicrosecondArray::from(vec![1_999, -1]),
        Timestamp,
        &["1970-01-01 00:00:00.001", "1969-12-31 23:59:59.999"],
    );
    check(TimestampNanosecondArray::from(vec![-1]), TimestampLtz, &["1969-12-31 23:59:59.999"]);
    let zoned = TimestampMicrosecondArray::from(vec![0]).with_timezone("+09:00");
    check(zoned.clone(), TimestampLtz, &["1970-01-01 00:00:00.000"]);
    check(zoned, Timestamp, &["1970-01-01 00:00:00.000"]);
    check(Date32Array::from(vec![11_574, -1]), Date, &["2001-09-09", "1969-12-31"]);
    check(Date64Array::from(vec![86_400_000]), Date, &["1970-01-02"]);
    check(Date32Array::from(vec![1]), Timestamp, &["1970-01-02 00:00:00.000"]);
    check(Time32SecondArray::from(vec![61]), Int, &["61000"]);
    check(Time64NanosecondArray::from(vec![1_999_999]), DataType::BigInt, &["1"]);
}

#[test]
fn seconds_beyond_the_range_of_milliseconds_are_faults() {
    let array: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX, 1]));
    for found in column(array, DataType::Timestamp).into_iter().take(2) {
        let expected =
            [fault("TIMESTAMP(3)", "9223372036854775807"), "1970-01-01 00:00:01.000".into()];
        assert_eq!(found.expect("reads"), expected);
    }
}

#[test]
fn texts_and_bytes_of_every_form() {
    use DataType::{Bytes, Int, String};
    let texts = || vec![Some("서울"), None, Some("")];
    let expected = ["서울", "NULL", ""];
    check(StringArray::from(texts()), String, &expected);
    check(LargeStringArray::from(texts()), String, &expected);
    check(StringViewArray::from(texts()), String, &expected);
    let dictionary: DictionaryArray<Int8Type> =
        vec![Some("a"), None, Some("b"), Some("a")].into_iter().collect();
    check(dictionary, String, &["a", "NULL", "b", "a"]);
    let values: ArrayRef = Arc::new(Int64Array::from(vec![5, 1 << 40]));
    let keys = Int8Array::from(vec![Some(0), Some(1), None, Some(0)]);
    let wide = DictionaryArray::new(keys, values);
    check(wide, Int, &["5", &fault("INT", "1099511627776"), "NULL", "5"]);
    check(StringArray::from(vec!["é"]), Bytes, &["0xc3a9"]);
    check(
        BinaryArray::from(vec![&b"ok"[..], b"\xff"]),
        String,
        &["ok", &fault("STRING", "bytes that are no UTF-8")],
    );
    check(BinaryArray::from(vec![&b"\x00\xff"[..]]), Bytes, &["0x00ff"]);
    let fixed = FixedSizeBinaryArray::try_from_iter([b"ab", b"cd"].into_iter()).expect("it fits");
    check(fixed, Bytes, &["0x6162", "0x6364"]);
    check(NullArray::new(2), Int, &["NULL", "NULL"]);
    let long = "x".repeat((1 << 20) + 1);
    check(
        StringArray::from(vec!["y", long.as_str()]),
        String,
        &["y", &fault("STRING", "a value longer than 1 MiB")],
    );
}

#[test]
fn what_does_not_fit_is_said_before_anything_is_read() {
    for (array, into, hint) in [
        (
            Arc::new(Int64Array::from(vec![1])) as ArrayRef,
            DataType::Timestamp,
            "source.column-type",
        ),
        (Arc::new(StringArray::from(vec!["1"])), DataType::Int, "source.column-type"),
        (Arc::new(TimestampSecondArray::from(vec![1])), DataType::Date, "source.column-type"),
        (Arc::new(Float64Array::from(vec![1.0])), DataType::BigInt, "none"),
    ] {
        for found in column(array.clone(), into) {
            match hint {
                "none" => assert_eq!(found.expect("it opens"), [fault("BIGINT", "1.0")]),
                code => assert!(found.expect_err("refused").starts_with(code)),
            }
        }
    }
}

/// Some rows of several types, a column of lists among them.
fn sample(rows: i64) -> RecordBatch {
    let mut lists = ListBuilder::new(Int64Builder::new());
    (0..rows).for_each(|i| lists.append_value([Some(i), None]));
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let names = (0..rows).map(|i| (i % 5 != 0).then(|| format!("name {}", i % 7)));
    let columns = [
        ("list", Arc::new(lists.finish()) as ArrayRef),
        ("name", Arc::new(names.collect::<StringArray>())),
        ("id", ids),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(n, a)| (n, a, true))).expect("a batch")
}

fn expected(rows: i64) -> Vec<String> {
    let name = |i: i64| if i % 5 == 0 { "NULL".into() } else { format!("name {}", i % 7) };
    (0..rows).map(|i| format!("{i}|{}", name(i))).collect()
}

fn wanted() -> [Field; 2] {
    [Field::new("id", DataType::BigInt), Field::new("name", DataType::String)]
}

#[test]
fn columns_are_found_by_name_in_every_codec_across_row_groups() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.parquet");
    // More rows than are decoded at a time, and row groups that end elsewhere.
    let rows = 20_001;
    for codec in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        parquet(&path, &sample(rows), codec, 7_000);
        assert_eq!(read(&path, Format::Parquet, &wanted()), Ok(expected(rows)), "{codec:?}");
    }
    for stream in [false, true] {
        ipc(&path, &sample(rows), stream);
        assert_eq!(read(&path, Format::Arrow, &wanted()), Ok(expected(rows)), "stream {stream}");
    }
    let other = [Field::new("nome", DataType::String)];
    let error =
        File::open(&path, Format::Arrow).expect("opens").rows(&other).err().expect("refused");
    assert_eq!(error.code, "source.no-column");
    assert_eq!(error.hint.as_deref(), Some("its columns are list, name, id"));
    let list = [Field::new("list", DataType::String)];
    let error =
        File::open(&path, Format::Arrow).expect("opens").rows(&list).err().expect("refused");
    assert_eq!(error.code, "source.column-type");
}

#[test]
fn damaged_files_are_errors_and_never_panics() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    let good = |format: Format, stream: bool| -> Vec<u8> {
        match format {
            Format::Parquet => parquet(&path, &sample(300), Compression::SNAPPY, 100),
            Format::Arrow => ipc(&path, &sample(300), stream),
        }
        std::fs::read(&path).expect("read")
    };
    for (format, stream) in
        [(Format::Parquet, false), (Format::Arrow, false), (Format::Arrow, true)]
    {
        let bytes = good(format, stream);
        let damaged = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            read(&path, format, &wanted())
        };
        assert_eq!(damaged(&bytes), Ok(expected(300)));
        for cut in (0..bytes.len()).step_by(bytes.len() / 97) {
            // A stream may end after any message.
            if let Ok(lines) = damaged(&bytes[..cut]) {
                assert!(stream && lines.len() < 300, "{format:?} cut at {cut}");
            }
        }
        assert!(damaged(b"{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n").is_err(), "another format");
        let mut errors = 0;
        for i in 0..600_usize {
            let mut bytes = bytes.clone();
            let at = i * 7919 % bytes.len();
            bytes[at] ^= 1 << (i % 8);
            errors += usize::from(damaged(&bytes).is_err());
        }
        assert!(errors > 30, "{format:?}: {errors}");
    }
}

#[test]
fn a_decoder_that_panics_is_a_damaged_file() {
    let told = super::contained(|| -> Result<(), String> { panic!("index {}", 7) });
    assert_eq!(told, Err("the decoder stumbled: index 7".into()));
}
