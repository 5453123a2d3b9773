//! What sinks have received: printed, or written to their files.

use std::path::PathBuf;

use highwater::files::{Script, write_atomically};
use highwater::table::Table;
use highwater_engine::error::{Diagnostic, Result};

use super::run::Format;

/// What goes to stdout.
///
/// As JSON lines only the final SELECT's rows or, if there is none, those of the `print` tables: one
/// kind of row each line. As tables all of them, under headings where there are several.
pub(super) fn printed(tables: &[Table], format: Format) -> String {
    let of = |connector: &str| tables.iter().filter(|t| t.connector == connector).collect();
    let selects: Vec<&Table> = of("collect");
    let prints: Vec<&Table> = of("print");
    match format {
        Format::Jsonl => {
            let shown = if selects.is_empty() { prints } else { selects };
            shown.into_iter().map(Table::jsonl).collect()
        }
        Format::Table => {
            let shown: Vec<&Table> = prints.into_iter().chain(selects).collect();
            let alone = shown.len() == 1;
            let mut out = String::new();
            for table in shown {
                if !out.is_empty() {
                    out.push('\n');
                }
                if !alone || table.connector == "print" {
                    let rows = table.rows.len();
                    let s = if rows == 1 { "" } else { "s" };
                    out.push_str(&format!(
                        "{} ({rows} row{s})\n",
                        highwater::escape::visible(&table.name)
                    ));
                }
                out.push_str(&table.aligned());
            }
            out
        }
    }
}

/// Writes the files of `filesystem` tables, each whole or not at all. A file that several statements write
/// to holds the rows of all, one statement's after the other's.
pub(super) fn write_files(script: &Script, tables: &[Table]) -> Result<()> {
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    for table in tables.iter().filter(|t| t.connector == "filesystem") {
        let path = table.option("path").ok_or_else(|| {
            Diagnostic::new(
                "sql.missing-option",
                format!("table `{}` has no option `path`", table.name),
            )
        })?;
        let rows = match table.option("format") {
            Some("csv") => table.csv(table.option("csv.field-delimiter"))?,
            _ => table.jsonl(),
        };
        let path = script.resolve(path);
        match files.iter_mut().find(|(known, _)| *known == path) {
            Some((_, file)) => file.push_str(&rows),
            None => files.push((path, rows)),
        }
    }
    files.iter().try_for_each(|(path, rows)| write_atomically(path, rows.as_bytes()))
}
