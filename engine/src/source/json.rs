//! `format` = `json`: one object a line, fields matched to columns by their exact names.

use std::borrow::Cow;
use std::sync::Arc;

use super::Context;
use super::builder::{Builder, expectation};
use super::number::Fault;
use super::records::{MAX_RECORD, Malformed, Place, Records, Reserved, ReservedText, quote};
use super::scan::{Kind, Scanner, Slot, compact, unescape};
use crate::error::Result;
use crate::schema::DataType;

/// The options of this format.
pub(super) const OPTIONS: [&str; 3] =
    ["json.fail-on-missing-field", "json.ignore-parse-errors", "json.timestamp-format.standard"];

/// The byte order mark that some editors put before UTF-8.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// What a column asks of its field.
struct Column {
    name: String,
    data_type: DataType,
    /// Whether NULL is an error.
    not_null: bool,
}

/// The lines of a text, each an object.
struct JsonLines {
    data: Arc<[u8]>,
    columns: Vec<Column>,
    /// Positions of the columns in the order of their names.
    by_name: Vec<usize>,
    fail_on_missing: bool,
    /// Whether `@at` and `@partition` mean something.
    with_reserved: bool,
    /// Where the next line begins.
    next: Place,
    /// The current line, without its end.
    line: Place,
    end: usize,
    /// The current line's value for each column.
    slots: Vec<Slot>,
    reserved: [Slot; 2],
    /// What is wrong with the whole line.
    fault: Option<Malformed>,
}

/// Opens the format; `reserved` says whether the bytes are a block of a scenario.
pub(super) fn open(
    context: &Context<'_>,
    data: &Arc<[u8]>,
    reserved: bool,
) -> Result<Box<dyn Records>> {
    if let Some(standard) = context.option("json.timestamp-format.standard")
        && !matches!(standard, "SQL" | "ISO-8601")
    {
        return Err(context.bad_option(
            "json.timestamp-format.standard",
            standard,
            "SQL or ISO-8601 (both are always read)",
        ));
    }
    let columns: Vec<_> = (context.spec.physical.fields.iter())
        .map(|f| Column { name: f.name.clone(), data_type: f.data_type, not_null: !f.nullable })
        .collect();
    let mut by_name: Vec<usize> = Vec::with_capacity(columns.len());
    for (i, column) in columns.iter().enumerate() {
        by_name.insert(by_name.partition_point(|&other| columns[other].name <= column.name), i);
    }
    let start = if data.starts_with(BOM) { BOM.len() as u64 } else { 0 };
    Ok(Box::new(JsonLines {
        data: Arc::clone(data),
        slots: vec![Slot::MISSING; columns.len()],
        columns,
        by_name,
        fail_on_missing: context.flag("json.fail-on-missing-field", false)?,
        with_reserved: reserved,
        next: Place { byte: start, line: 1 },
        line: Place { byte: start, line: 1 },
        end: 0,
        reserved: [Slot::MISSING; 2],
        fault: None,
    }))
}

impl JsonLines {
    /// The current line.
    fn bytes(&self) -> &[u8] {
        &self.data[self.line.byte as usize..self.end]
    }

    /// The text of a slot; the line was found to be UTF-8.
    fn text(&self, slot: Slot) -> &str {
        std::str::from_utf8(&self.bytes()[slot.start..slot.end]).unwrap_or_default()
    }

    fn malformed(&self, at: usize, reason: String) -> Malformed {
        let before = String::from_utf8_lossy(&self.bytes()[..at]);
        Malformed { line: self.line.line, column: before.chars().count() as u64 + 1, reason }
    }

    /// Splits the current line into its fields; what is wrong with it as a whole.
    fn scan(&mut self) -> std::result::Result<(), Malformed> {
        self.slots.fill(Slot::MISSING);
        self.reserved = [Slot::MISSING; 2];
        if self.end - self.line.byte as usize > MAX_RECORD {
            return Err(self.malformed(0, "the line is longer than 1 MiB".into()));
        }
        if let Err(error) = std::str::from_utf8(self.bytes()) {
            let byte = self.bytes()[error.valid_up_to()];
            let reason = format!("expected UTF-8, found the byte 0x{byte:02x}");
            return Err(self.malformed(error.valid_up_to(), reason));
        }
        // Taken out so that the closure may write to them while the scanner reads the line.
        let mut slots = std::mem::take(&mut self.slots);
        let mut reserved = self.reserved;
        let mut guess = 0;
        let scanned = Scanner::new(self.bytes()).object(|key, value| {
            let raw = self.text(key);
            let name = if key.kind == Kind::Escaped { unescape(raw) } else { Cow::Borrowed(raw) };
            if let Some(column) = self.find(&name, guess) {
                slots[column] = value;
                guess = column + 1;
            } else if self.with_reserved
                && let Some(i) = Reserved::ALL.iter().position(|r| r.name() == name)
            {
                reserved[i] = value;
            }
        });
        (self.slots, self.reserved) = (slots, reserved);
        scanned.map_err(|e| {
            let rest = String::from_utf8_lossy(&self.bytes()[e.at..]);
            let found = if rest.is_empty() { "the end of the line".into() } else { quote(&rest) };
            self.malformed(e.at, format!("expected {}, found {found}", e.expected))
        })
    }

    /// The column of that name; records mostly hold their fields in the order of the columns.
    fn find(&self, name: &str, guess: usize) -> Option<usize> {
        if self.columns.get(guess).is_some_and(|c| c.name == name) {
            return Some(guess);
        }
        let at = self.by_name.binary_search_by(|&i| self.columns[i].name.as_str().cmp(name));
        at.ok().map(|i| self.by_name[i])
    }

    #[inline]
    fn convert(&self, index: usize, into: &mut Builder) -> std::result::Result<(), Malformed> {
        let slot = self.slots[index];
        let column = &self.columns[index];
        let done = match slot.kind {
            Kind::Missing if self.fail_on_missing || column.not_null => {
                return Err(self.malformed(0, format!("expected a field `{}`", column.name)));
            }
            Kind::Null if column.not_null => Err(Fault::Syntax),
            Kind::Missing | Kind::Null => {
                into.push_null();
                Ok(())
            }
            Kind::Number if into_time(column.data_type) => Err(Fault::Syntax),
            Kind::Number | Kind::True | Kind::False => into.push_text(self.text(slot)),
            Kind::Plain | Kind::Escaped => {
                let raw = self.text(slot);
                let text = if slot.kind == Kind::Escaped { unescape(raw) } else { raw.into() };
                let text = if column.data_type == DataType::String { &text } else { text.trim() };
                into.push_text(text)
            }
            Kind::Nested if column.data_type == DataType::String => {
                into.push_text(&compact(self.text(slot)))
            }
            Kind::Nested => Err(Fault::Syntax),
        };
        done.map_err(|fault| self.mismatch(slot, column, fault))
    }

    /// A value that is none of its column's type.
    fn mismatch(&self, slot: Slot, column: &Column, fault: Fault) -> Malformed {
        let quotes = slot.start - slot.begin();
        let whole = Slot { start: slot.begin(), end: slot.end + quotes, ..slot };
        let mut reason = expectation(column.data_type, fault);
        if slot.kind == Kind::Null {
            reason.push_str(" NOT NULL");
        }
        reason.push_str(&format!(" for `{}`, found {}", column.name, quote(self.text(whole))));
        if slot.kind == Kind::Number && column.data_type.is_timestamp() {
            reason
                .push_str("; for a number of milliseconds declare it BIGINT and compute the time");
            reason.push_str(" with TO_TIMESTAMP_LTZ");
        }
        self.malformed(whole.start, reason)
    }
}

/// Dates and times are written as text; a bare number has no unit.
fn into_time(data_type: DataType) -> bool {
    data_type.is_timestamp() || matches!(data_type, DataType::Date | DataType::Bytes)
}

impl Records for JsonLines {
    fn advance(&mut self) -> Option<Place> {
        loop {
            let start = self.next.byte as usize;
            let rest = self.data.get(start..).filter(|r| !r.is_empty())?;
            let length = rest.iter().position(|&b| b == b'\n');
            self.line = self.next;
            self.end = start + length.unwrap_or(rest.len());
            self.next.byte = (start + length.map_or(rest.len(), |n| n + 1)) as u64;
            self.next.line += 1;
            if !self.bytes().iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')) {
                break;
            }
        }
        if self.data[..self.end].ends_with(b"\r") {
            self.end -= 1;
        }
        self.fault = self.scan().err();
        Some(self.line)
    }

    fn seek(&mut self, place: Place) {
        self.next = place;
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
        let slot = self.reserved[field as usize];
        if matches!(slot.kind, Kind::Missing | Kind::Null) {
            return Ok(None);
        }
        let text = unescape(self.text(slot)).into_owned();
        let place = self.malformed(slot.begin(), String::new());
        Ok(Some(ReservedText { text, line: place.line, column: place.column }))
    }

    fn size(&self) -> usize {
        self.end - self.line.byte as usize
    }
}
