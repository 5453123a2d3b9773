//! Columns give the records that the same rows give as CSV, whatever batches they come in.

use std::sync::Arc;

use super::super::tests::{Table, table};
use super::{ColumnFile, ColumnRows, RowFault, Rows};
use crate::column::from_values;
use crate::error::{Diagnostic, Result};
use crate::schema::{DataType, Field};
use crate::value::Value;

const COLUMNS: [(&str, DataType); 3] =
    [("k", DataType::String), ("v", DataType::Int), ("at", DataType::BigInt)];

/// Rows of text, decoded in batches of so many; `!` is a value that does not fit, an empty one NULL.
struct Fake {
    rows: Vec<[&'static str; 3]>,
    batch: usize,
    damaged: bool,
}

struct FakeRows {
    fields: Vec<Field>,
    batches: std::vec::IntoIter<Vec<[&'static str; 3]>>,
    damaged: bool,
}

impl ColumnFile for Fake {
    fn rows(&self, fields: &[Field]) -> Result<Box<dyn ColumnRows>> {
        let batches: Vec<_> = self.rows.chunks(self.batch).map(<[_]>::to_vec).collect();
        let batches = batches.into_iter();
        Ok(Box::new(FakeRows { fields: fields.to_vec(), batches, damaged: self.damaged }))
    }
}

impl ColumnRows for FakeRows {
    fn next(&mut self) -> Result<Option<Rows>> {
        let Some(batch) = self.batches.next() else {
            return match self.damaged {
                true => Err(Diagnostic::new("source.damaged-file", "it is cut off")),
                false => Ok(None),
            };
        };
        let column = |field: &Field| {
            let place = COLUMNS.iter().position(|(n, _)| *n == field.name).expect("a column");
            let values: Vec<Value> = batch
                .iter()
                .map(|row| match (row[place], field.data_type) {
                    ("" | "!", _) => Value::Null,
                    (text, DataType::String) => Value::String(text.into()),
                    (text, DataType::Int) => Value::Int(text.parse().expect("a number")),
                    (text, _) => Value::BigInt(text.parse().expect("a number")),
                })
                .collect();
            from_values(&values, field.data_type)
        };
        let wrong = |row: &[&str; 3]| {
            let asked = |i: usize| self.fields.iter().any(|f| f.name == COLUMNS[i].0);
            (0..3).any(|i| row[i] == "!" && asked(i))
        };
        let faults = batch.iter().enumerate().filter(|(_, row)| wrong(row));
        let faults = faults.map(|(row, _)| RowFault { row, reason: "it does not fit".into() });
        Ok(Some(Rows {
            columns: self.fields.iter().map(column).collect(),
            rows: batch.len(),
            faults: faults.collect(),
        }))
    }
}

const ROWS: [[&str; 3]; 7] = [
    ["b", "1", "5"],
    ["a", "2", "7"],
    ["b", "3", "6"],
    ["c", "", "9"],
    ["a", "5", "9"],
    ["b", "6", "12"],
    ["", "7", "12"],
];

/// The same rows as CSV.
fn csv(rows: &[[&str; 3]]) -> Table {
    let text: String =
        rows.iter().map(|r| format!("{},{},{}\n", r[0], r[1], r[2].replace('!', "x"))).collect();
    let options = [("path", "in"), ("format", "csv"), ("csv.null-literal", "")];
    table(&COLUMNS, &options, &[("in", text.as_bytes())])
}

fn columns(files: &[(&str, &[[&'static str; 3]])], batch: usize, damaged: bool) -> Table {
    let mut t = table(&COLUMNS, &[("path", "in"), ("format", "parquet")], &[]);
    for (path, rows) in files {
        t.files.insert_columns(path, Arc::new(Fake { rows: rows.to_vec(), batch, damaged }));
    }
    t
}

#[test]
fn records_offsets_lines_and_arrivals_are_those_of_the_same_csv() {
    let plain = |t: Table| t;
    let spaced = |t: Table| t.set("interval", "7 ms");
    let timed = |t: Table| t.set("arrival", "at");
    let parted = |t: Table| t.set("partition", "k");
    let both = |t: Table| t.set("partition", "k").set("arrival", "at");
    let ways: [fn(Table) -> Table; 5] = [plain, spaced, timed, parted, both];
    for (number, way) in ways.into_iter().enumerate() {
        let expected = way(csv(&ROWS)).lines(100);
        for (batch, max_rows) in [(1, 3), (2, 1), (3, 2), (100, 3), (100, 100)] {
            let found = way(columns(&[("in", &ROWS)], batch, false)).lines(max_rows);
            assert_eq!(found, expected, "way {number}, batches of {batch}, chunks of {max_rows}");
        }
    }
}

#[test]
fn files_of_a_folder_are_partitions_and_with_a_partition_column_one_stream() {
    let files: [(&str, &[[&str; 3]]); 2] = [("in/1", &ROWS[..3]), ("in/2", &ROWS[3..])];
    let apart = columns(&files, 2, false).lines(2);
    assert_eq!(apart, [csv(&ROWS[..3]).lines(9).remove(0), csv(&ROWS[3..]).lines(9).remove(0)]);
    let text = |rows: &[[&str; 3]]| -> String {
        rows.iter().map(|r| format!("{},{},{}\n", r[0], r[1], r[2])).collect()
    };
    let options = [("path", "in"), ("format", "csv"), ("csv.null-literal", "")];
    let (first, second) = (text(&ROWS[..3]), text(&ROWS[3..]));
    let texts = [("in/1", first.as_bytes()), ("in/2", second.as_bytes())];
    let expected = table(&COLUMNS, &options, &texts).set("partition", "k").lines(9);
    assert_eq!(columns(&files, 2, false).set("partition", "k").lines(2), expected);
}

#[test]
fn a_row_that_does_not_fit_stops_the_job_or_is_counted() {
    let mut rows = ROWS;
    rows[2][1] = "!";
    let stops = columns(&[("in", &rows)], 2, false).lines(100).remove(0);
    assert_eq!(stops.len(), 3, "two rows come first: {stops:?}");
    let (told, hint) = (&stops[2], "'parquet.ignore-parse-errors' = 'true'");
    assert!(told.contains("in:3:1: row 3 of table `t` is malformed: it does not fit"), "{told}");
    assert!(told.contains("[source.malformed]") && told.contains(hint), "{told}");
    let ignoring =
        |t: Table, format: &str| t.option(&format!("{format}.ignore-parse-errors"), "true");
    let expected = ignoring(csv(&rows), "csv").lines(100).remove(0);
    for batch in [1, 2, 100] {
        let found = ignoring(columns(&[("in", &rows)], batch, false), "parquet").lines(3).remove(0);
        // Only the words about the bad record differ.
        let same = |lines: &[String]| -> Vec<String> {
            lines.iter().map(|l| l.split("BAD").next().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(same(&found), same(&expected));
        assert!(found.iter().any(|l| l.contains("it does not fit")), "{found:?}");
    }
}

#[test]
fn null_is_no_value_of_a_column_that_is_not_null() {
    let mut t = columns(&[("in", &ROWS)], 3, false);
    let mut fields = t.spec.physical.fields.clone();
    fields[1].nullable = false;
    t.spec.physical = crate::schema::Schema::new(fields);
    let lines = t.lines(100).remove(0);
    let reason = "expected a value (INT NOT NULL) for `v`, found NULL";
    assert!(lines[3].contains("in:4:1: ") && lines[3].contains(reason), "{lines:?}");
}

#[test]
fn damage_is_told_after_the_rows_before_it() {
    let lines = columns(&[("in", &ROWS)], 3, true).lines(100).remove(0);
    assert_eq!(lines.len(), ROWS.len() + 1);
    assert!(lines[ROWS.len()].contains("source.damaged-file"), "{lines:?}");
}

#[test]
fn without_a_host_that_decodes_the_format_is_refused() {
    let t = table(&COLUMNS, &[("path", "in"), ("format", "arrow")], &[("in", b"ARROW1")]);
    let error = t.open().err().expect("refused");
    assert_eq!(error.code, "source.native-format");
    let t = columns(&[("in", &ROWS)], 3, false).option("csv.header", "true");
    assert_eq!(t.open().err().expect("refused").code, "source.unknown-option");
}
