//! Rows as people and programs read them: aligned tables and JSON lines.

use std::fmt::Write as _;

use highwater_engine::batch::Batch;
use highwater_engine::error::{Diagnostic, Result};
use highwater_engine::session::Rows;
use highwater_engine::value::Value;
use serde_json::Value as Json;
use unicode_width::UnicodeWidthStr;

use crate::escape::{json, visible};

/// A column's name and SQL type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name as the user wrote it.
    pub name: String,
    /// Such as `BIGINT` or `DECIMAL(10, 2)`.
    pub data_type: String,
}

/// One row: its kind, and one text a column, `None` for NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `+I`, `-U`, `+U` or `-D`.
    pub kind: &'static str,
    /// The values as the engine prints them.
    pub cells: Vec<Option<String>>,
}

/// What a sink has received, whichever engine ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The sink's name, `result` for a final SELECT.
    pub name: String,
    /// `collect` for a final SELECT, else `print`, `filesystem`, `blackhole`.
    pub connector: String,
    /// The sink's other options.
    pub options: Vec<(String, String)>,
    /// The columns.
    pub columns: Vec<Column>,
    /// Whether the rows are a changelog.
    pub updating: bool,
    /// The rows in the order they became visible.
    pub rows: Vec<Row>,
}

impl Table {
    /// The rows of a sink of the engine compiled in.
    pub fn from_rows(rows: &Rows) -> Table {
        let columns = rows.schema.fields.iter();
        Table {
            name: rows.spec.table.clone(),
            connector: rows.spec.connector.clone(),
            options: rows.spec.options.clone().into_iter().collect(),
            columns: columns
                .map(|f| Column { name: f.name.clone(), data_type: f.data_type.to_string() })
                .collect(),
            updating: rows.updating,
            rows: rows
                .rows
                .iter()
                .map(|(kind, _, values)| Row { kind: kind.symbol(), cells: cells(values) })
                .collect(),
        }
    }

    /// Adds the rows of a batch.
    pub fn extend(&mut self, batch: &Batch) {
        let rows = (0..batch.rows)
            .map(|i| Row { kind: batch.kind(i).symbol(), cells: cells(&batch.row(i)) });
        self.rows.extend(rows);
    }

    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// One JSON object a row, in column order; a changelog has one more field, `op`.
    pub fn jsonl(&self) -> String {
        let names: Vec<String> =
            self.columns.iter().map(|c| Json::from(c.name.as_str()).to_string()).collect();
        let mut out = String::new();
        for row in &self.rows {
            out.push('{');
            for (i, (name, cell)) in names.iter().zip(&row.cells).enumerate() {
                let comma = if i > 0 { "," } else { "" };
                let value = json_value(&self.columns[i].data_type, cell.as_deref());
                write!(out, "{comma}{name}:{value}").expect("writing to a string cannot fail");
            }
            if self.updating {
                let comma = if row.cells.is_empty() { "" } else { "," };
                write!(out, "{comma}\"op\":\"{}\"", row.kind)
                    .expect("writing to a string cannot fail");
            }
            out.push_str("}\n");
        }
        // Line ends were written by us; everything else a terminal would obey is inside a string.
        let mut safe = String::with_capacity(out.len());
        for line in out.lines() {
            safe.push_str(&json(line));
            safe.push('\n');
        }
        safe
    }

    /// Comma-separated lines without a header, as Flink's `csv` format writes them; NULL is empty.
    ///
    /// # Errors
    /// When the delimiter is not one ASCII character.
    pub fn csv(&self, delimiter: Option<&str>) -> Result<String> {
        let delimiter = match delimiter.map(str::as_bytes) {
            None => b',',
            Some([one]) if one.is_ascii() => *one,
            Some(b"\\t") => b'\t',
            Some(_) => {
                return Err(Diagnostic::new(
                    "sql.bad-option",
                    "`csv.field-delimiter` must be one ASCII character",
                ));
            }
        };
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        for row in &self.rows {
            let cells = row.cells.iter().map(|c| c.as_deref().unwrap_or_default());
            let kind = self.updating.then_some(row.kind);
            writer
                .write_record(cells.chain(kind))
                .map_err(|e| Diagnostic::new("host.csv", format!("cannot write CSV: {e}")))?;
        }
        let bytes = writer.into_inner().expect("memory takes everything");
        Ok(String::from_utf8(bytes).expect("CSV of texts is text"))
    }

    /// The rows under their column names, aligned by what a terminal shows; numbers to the right.
    pub fn aligned(&self) -> String {
        let op = self.updating.then(|| ("op".to_owned(), false));
        let head: Vec<(String, bool)> = op
            .into_iter()
            .chain(self.columns.iter().map(|c| (cell_text(&c.name), is_number(&c.data_type))))
            .collect();
        let mut lines: Vec<Vec<String>> = vec![head.iter().map(|h| h.0.clone()).collect()];
        for row in &self.rows {
            let kind = self.updating.then(|| row.kind.to_owned());
            let cells = row.cells.iter().zip(&self.columns).map(|(cell, column)| match cell {
                None => "NULL".to_owned(),
                Some(text) if is_text(&column.data_type) => cell_text(text),
                Some(text) => visible(text).into_owned(),
            });
            lines.push(kind.into_iter().chain(cells).collect());
        }
        let widths: Vec<usize> = (0..head.len())
            .map(|i| lines.iter().map(|l| l[i].width()).max().unwrap_or(0).max(1))
            .collect();
        lines.insert(1, widths.iter().map(|w| "-".repeat(*w)).collect());
        let mut out = String::new();
        for line in &lines {
            let mut text = String::new();
            for ((cell, width), (_, right)) in line.iter().zip(&widths).zip(&head) {
                let gap = " ".repeat(width - cell.width());
                let (before, after) = if *right { (gap.as_str(), "") } else { ("", gap.as_str()) };
                write!(text, "{before}{cell}{after}  ").expect("writing to a string cannot fail");
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
        out
    }
}

fn cells(values: &[Value]) -> Vec<Option<String>> {
    values.iter().map(|v| (!v.is_null()).then(|| v.to_text())).collect()
}

fn is_number(data_type: &str) -> bool {
    ["INT", "BIGINT", "FLOAT", "DOUBLE"].contains(&data_type) || data_type.starts_with("DECIMAL")
}

fn is_text(data_type: &str) -> bool {
    data_type == "STRING"
}

/// A text as a cell. What could be taken for NULL, for nothing or for padding is quoted.
fn cell_text(text: &str) -> String {
    let shown = visible(text);
    let quote = text.is_empty()
        || text == "NULL"
        || text.starts_with([' ', '"', '\u{a0}'])
        || text.ends_with([' ', '"', '\u{a0}']);
    if quote { format!("\"{}\"", shown.replace('"', "\\\"")) } else { shown.into_owned() }
}

/// A cell as JSON: finite numbers as numbers, booleans as booleans, everything else as text.
fn json_value(data_type: &str, cell: Option<&str>) -> Json {
    let Some(text) = cell else { return Json::Null };
    let known = match data_type {
        "BOOLEAN" => match text {
            "TRUE" => Some(Json::Bool(true)),
            "FALSE" => Some(Json::Bool(false)),
            _ => None,
        },
        "INT" | "BIGINT" => text.parse::<i64>().ok().map(Json::from),
        "FLOAT" | "DOUBLE" => text.parse::<f64>().ok().filter(|v| v.is_finite()).map(Json::from),
        _ => None,
    };
    known.unwrap_or_else(|| Json::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(updating: bool, rows: &[(&'static str, &[Option<&str>])]) -> Table {
        let column =
            |name: &str, data_type: &str| Column { name: name.into(), data_type: data_type.into() };
        Table {
            name: "result".into(),
            connector: "collect".into(),
            columns: vec![
                column("city", "STRING"),
                column("n", "BIGINT"),
                column("price", "DECIMAL(10, 2)"),
            ],
            updating,
            rows: rows
                .iter()
                .map(|(kind, cells)| Row {
                    kind,
                    cells: cells.iter().map(|c| c.map(str::to_owned)).collect(),
                })
                .collect(),
            ..Table::default()
        }
    }

    #[test]
    fn columns_align_by_what_a_terminal_shows() {
        let t = table(
            false,
            &[
                ("+I", &[Some("서울"), Some("7"), Some("1.50")]),
                ("+I", &[Some("Bern"), Some("1234"), None]),
                ("+I", &[None, None, Some("0.05")]),
            ],
        );
        let expected = "\
city     n  price
----  ----  -----
서울     7   1.50
Bern  1234   NULL
NULL  NULL   0.05
";
        assert_eq!(t.aligned(), expected);
    }

    #[test]
    fn texts_that_pass_for_something_else_are_quoted_or_escaped() {
        let t = table(
            true,
            &[
                ("+I", &[Some("NULL"), Some("1"), None]),
                ("-U", &[Some(""), Some("1"), None]),
                ("+U", &[Some("a\u{1b}[2Jb"), Some("1"), None]),
            ],
        );
        let expected = "\
op  city         n  price
--  -----------  -  -----
+I  \"NULL\"       1   NULL
-U  \"\"           1   NULL
+U  a\\u{1b}[2Jb  1   NULL
";
        assert_eq!(t.aligned(), expected);
    }

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_null_empty() {
        let t = table(false, &[("+I", &[Some("a,\"b\""), None, Some("0.10")])]);
        assert_eq!(t.csv(None).expect("written"), "\"a,\"\"b\"\"\",,0.10\n");
        assert_eq!(t.csv(Some(";")).expect("written"), "\"a,\"\"b\"\"\";;0.10\n");
        assert_eq!(t.csv(Some("ab")).expect_err("refused").code, "sql.bad-option");
    }

    #[test]
    fn json_lines_keep_order_types_and_kinds() {
        let t = table(
            true,
            &[("+I", &[Some("a\"\u{7f}"), Some("-9223372036854775808"), Some("0.10")])],
        );
        assert_eq!(
            t.jsonl(),
            "{\"city\":\"a\\\"\\u007f\",\"n\":-9223372036854775808,\"price\":\"0.10\",\"op\":\"+I\"}\n"
        );
    }

    #[test]
    fn a_text_with_line_ends_stays_one_json_line() {
        let t = table(false, &[("+I", &[Some("a\nb\u{2028}c"), None, None])]);
        assert_eq!(t.jsonl(), "{\"city\":\"a\\nb\\u2028c\",\"n\":null,\"price\":null}\n");
    }
}
