//! `format` = `csv`: RFC 4180 with Flink's options; columns by position, or by a header's names.

use std::io::Cursor;
use std::sync::Arc;

use csv::{ByteRecord, Position, Reader, ReaderBuilder};

use super::Context;
use super::builder::{Builder, expectation};
use super::json::BOM;
use super::number::Fault;
use super::records::{MAX_RECORD, Malformed, Place, Records, Reserved, ReservedText, quote};
use crate::error::{Diagnostic, Result};
use crate::schema::{DataType, Field};

/// The options of this format; `csv.header` is an addition to Flink's.
pub(super) const OPTIONS: [&str; 8] = [
    "csv.allow-comments",
    "csv.disable-quote-character",
    "csv.escape-character",
    "csv.field-delimiter",
    "csv.header",
    "csv.ignore-parse-errors",
    "csv.null-literal",
    "csv.quote-character",
];

/// How the text is cut into fields.
#[derive(Clone, Copy)]
struct Marks {
    delimiter: u8,
    /// `None`: quotes mean nothing.
    quote: Option<u8>,
    escape: Option<u8>,
    /// Whether lines that begin with `#` are left out.
    comments: bool,
}

/// The records of a text.
struct CsvRecords {
    data: Arc<[u8]>,
    reader: Reader<Cursor<Arc<[u8]>>>,
    marks: Marks,
    columns: Vec<Field>,
    /// Where each column stands in a record.
    fields: Vec<usize>,
    reserved: [Option<usize>; 2],
    /// How many fields a record has.
    width: usize,
    null_literal: Option<String>,
    record: ByteRecord,
    /// The current record, with its line end.
    start: Place,
    end: usize,
    /// What is wrong with the whole record.
    fault: Option<Malformed>,
}

/// Opens the format. A block of a scenario has a header unless the options say otherwise.
pub(super) fn open(
    context: &Context<'_>,
    data: &Arc<[u8]>,
    block: bool,
) -> Result<Box<dyn Records>> {
    let quoting = !context.flag("csv.disable-quote-character", false)?;
    let marks = Marks {
        delimiter: context.character("csv.field-delimiter")?.unwrap_or(b','),
        quote: context.character("csv.quote-character")?.or(Some(b'"')).filter(|_| quoting),
        escape: context.character("csv.escape-character")?,
        comments: context.flag("csv.allow-comments", false)?,
    };
    let columns = context.spec.physical.fields.clone();
    let mut records = CsvRecords {
        reader: ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(marks.delimiter)
            .quoting(quoting)
            .quote(marks.quote.unwrap_or(b'"'))
            .escape(marks.escape)
            .comment(marks.comments.then_some(b'#'))
            .from_reader(Cursor::new(Arc::clone(data))),
        data: Arc::clone(data),
        marks,
        fields: (0..columns.len()).collect(),
        reserved: [None; 2],
        width: columns.len(),
        columns,
        null_literal: context.option("csv.null-literal").map(str::to_owned),
        record: ByteRecord::new(),
        start: Place { byte: 0, line: 1 },
        end: 0,
        fault: None,
    };
    if context.flag("csv.header", block)? && records.advance().is_some() {
        records.read_header(context, block)?;
    }
    Ok(Box::new(records))
}

impl CsvRecords {
    /// Finds the columns by the names in the current record.
    fn read_header(&mut self, context: &Context<'_>, block: bool) -> Result<()> {
        let names: Vec<_> =
            self.record.iter().map(|n| String::from_utf8_lossy(n).trim().to_owned()).collect();
        let position = |name: &str| names.iter().position(|n| n == name);
        for (column, field) in self.columns.iter().zip(&mut self.fields) {
            *field = position(&column.name).ok_or_else(|| {
                Diagnostic::new(
                    "source.csv-header",
                    format!(
                        "the header of table `{}` has no column `{}`",
                        context.spec.table, column.name
                    ),
                )
                .hint(format!("it has {}", quote(&names.join(", "))))
            })?;
        }
        if block {
            self.reserved = Reserved::ALL.map(|r| position(r.name()));
        }
        self.width = names.len();
        Ok(())
    }

    /// The current record as it stands in the text.
    fn raw(&self) -> &[u8] {
        &self.data[self.start.byte as usize..self.end]
    }

    /// Steps over the blank lines and comments before a record, which the parser leaves out.
    fn skip(&self, mut place: Place) -> Place {
        if place.byte == 0 && self.data.starts_with(BOM) {
            place.byte = BOM.len() as u64;
        }
        loop {
            let rest = &self.data[place.byte as usize..self.end];
            match rest.first() {
                Some(b'\n') => place = Place { byte: place.byte + 1, line: place.line + 1 },
                Some(b'\r') => place.byte += 1,
                Some(b'#') if self.marks.comments => {
                    let length = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                    place.byte += length as u64;
                }
                _ => return place,
            }
        }
    }

    /// Where field `target` begins in the raw record, and whether the record ends inside quotes.
    fn walk(&self, target: usize) -> (usize, bool) {
        let raw = self.raw();
        let (mut at, mut field, mut start, mut quoted) = (0, 0, 0, false);
        while at < raw.len() {
            let byte = raw[at];
            if quoted {
                if Some(byte) == self.marks.escape
                    || Some(byte) == self.marks.quote && raw.get(at + 1) == Some(&byte)
                {
                    at += 1;
                } else if Some(byte) == self.marks.quote {
                    quoted = false;
                }
            } else if byte == self.marks.delimiter {
                field += 1;
                if field == target {
                    start = at + 1;
                }
            } else if Some(byte) == self.marks.quote
                && (at == 0 || raw[at - 1] == self.marks.delimiter)
            {
                quoted = true;
            }
            at += 1;
        }
        (start, quoted)
    }

    fn malformed(&self, at: usize, reason: String) -> Malformed {
        let before = &self.raw()[..at];
        let lines = before.iter().filter(|&&b| b == b'\n').count() as u64;
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |n| n + 1);
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() as u64 + 1;
        Malformed { line: self.start.line + lines, column, reason }
    }

    /// What is wrong with the current record as a whole.
    fn check(&self) -> std::result::Result<(), Malformed> {
        if self.size() > MAX_RECORD {
            return Err(self.malformed(0, "the record is longer than 1 MiB".into()));
        }
        if let Err(error) = std::str::from_utf8(self.raw()) {
            let byte = self.raw()[error.valid_up_to()];
            let reason = format!("expected UTF-8, found the byte 0x{byte:02x}");
            return Err(self.malformed(error.valid_up_to(), reason));
        }
        // Quotes that are never closed swallow all that follows, so only a last record has them.
        if self.end == self.data.len() && self.walk(0).1 {
            return Err(self.malformed(0, "a quote is opened and never closed".into()));
        }
        if self.record.len() != self.width {
            let reason = format!("expected {} fields, found {}", self.width, self.record.len());
            return Err(self.malformed(0, reason));
        }
        Ok(())
    }

    #[inline]
    fn convert(&self, index: usize, into: &mut Builder) -> std::result::Result<(), Malformed> {
        let column = &self.columns[index];
        let raw = self.record.get(self.fields[index]).unwrap_or_default();
        // The record was found to be UTF-8, and delimiters are ASCII.
        let text = std::str::from_utf8(raw).unwrap_or_default();
        let done = if self.null_literal.as_deref() == Some(text) {
            if column.nullable {
                into.push_null();
                return Ok(());
            }
            Err(Fault::Syntax)
        } else if column.data_type == DataType::String {
            into.push_text(text)
        } else {
            into.push_text(text.trim())
        };
        done.map_err(|fault| {
            let mut reason = expectation(column.data_type, fault);
            reason.push_str(&format!(" for `{}`, found {}", column.name, quote(text)));
            if text.is_empty() && self.null_literal.is_none() {
                reason.push_str("; with 'csv.null-literal' = '' an empty field is NULL");
            }
            self.malformed(self.walk(self.fields[index]).0, reason)
        })
    }
}

impl Records for CsvRecords {
    fn advance(&mut self) -> Option<Place> {
        let before = self.reader.position();
        let before = Place { byte: before.byte(), line: before.line() };
        // Reading from memory cannot fail, and records of any width are taken.
        let Ok(true) = self.reader.read_byte_record(&mut self.record) else { return None };
        self.end = (self.reader.position().byte() as usize).min(self.data.len());
        self.start = self.skip(before);
        self.fault = self.check().err();
        Some(self.start)
    }

    fn seek(&mut self, place: Place) {
        let mut position = Position::new();
        position.set_byte(place.byte).set_line(place.line);
        // A position inside the bytes can always be reached.
        let _in_memory = self.reader.seek(position);
    }

    fn row(&self, columns: &mut [Builder]) -> std::result::Result<(), Malformed> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        columns.iter_mut().enumerate().try_for_each(|(i, column)| self.convert(i, column))
    }

    fn cell(&self, column: usize, into: &mut Builder) -> std::result::Result<(), Malformed> {
        match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => self.convert(column, into),
        }
    }

    fn reserved(&self, field: Reserved) -> std::result::Result<Option<ReservedText>, Malformed> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let Some(index) = self.reserved[field as usize] else { return Ok(None) };
        let text = String::from_utf8_lossy(self.record.get(index).unwrap_or_default());
        if text.trim().is_empty() {
            return Ok(None);
        }
        let place = self.malformed(self.walk(index).0, String::new());
        let text = text.trim().to_owned();
        Ok(Some(ReservedText { text, line: place.line, column: place.column }))
    }

    fn size(&self) -> usize {
        self.end - self.start.byte as usize
    }
}
