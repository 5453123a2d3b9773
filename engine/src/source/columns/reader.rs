//! Reads partitions of columns: slices where all is well, row by row where something is not.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array as _, ArrayRef};

use super::super::text::micros;
use super::super::{Bad, Chunk, Clock, Context, Detached, Reader, ignore_option};
use super::partition::Share;
use super::{ColumnRows, Part, RowFault, Rows};
use crate::column::take;
use crate::error::{Diagnostic, Error, Position, Result, Span};
use crate::numbers::Numbers;
use crate::schema::{DataType, Field, SchemaRef};

/// The rows of one partition.
pub(super) struct ColumnReader {
    table: String,
    /// The option that lets malformed rows be left out, and whether it does.
    ignore: (&'static str, bool),
    schema: SchemaRef,
    parts: Vec<Part>,
    clock: Clock,
    share: Option<Share>,
    /// The file that is read, and what is left of it once it is open.
    part: usize,
    rows: Option<Box<dyn ColumnRows>>,
    /// What was decoded last, and how many of its rows have been handed out.
    piece: Option<(Rows, usize)>,
    /// How many rows of this file come before the piece, and of all files.
    line: u64,
    ordinal: u64,
    /// The arrival of the record before, in microseconds.
    last: u64,
    /// The position of the next record.
    offset: u64,
    failed: Option<Error>,
}

impl ColumnReader {
    pub(super) fn new(
        context: &Context<'_>,
        parts: Vec<Part>,
        clock: Clock,
        share: Option<Share>,
    ) -> Result<ColumnReader> {
        let spec = context.spec;
        let option = ignore_option(spec.options.get("format").map_or("", String::as_str));
        let schema = spec.physical.clone();
        let last = match clock.column {
            Some(column) => first_arrival(&parts, &schema.fields[column])?,
            None => 0,
        };
        // What does not fit the file is said before anything is read of it.
        for part in &parts {
            part.file.rows(&schema.fields)?;
        }
        Ok(ColumnReader {
            table: spec.table.clone(),
            ignore: (option, context.flag(option, false)?),
            schema,
            parts,
            clock,
            share,
            part: 0,
            rows: None,
            piece: None,
            line: 0,
            ordinal: 0,
            last,
            offset: 0,
            failed: None,
        })
    }

    /// The rows to hand out next; `None` at the end of all files.
    fn fill(&mut self) -> Result<Option<(Rows, usize)>> {
        if let Some((piece, from)) = self.piece.take() {
            if from < piece.rows {
                return Ok(Some((piece, from)));
            }
            self.line += piece.rows as u64;
            self.ordinal += piece.rows as u64;
        }
        while let Some(part) = self.parts.get(self.part) {
            let rows = match &mut self.rows {
                Some(rows) => rows,
                none => none.insert(part.file.rows(&self.schema.fields)?),
            };
            if let Some(mut piece) = rows.next()? {
                self.find_faults(&mut piece);
                return Ok(Some((piece, 0)));
            }
            (self.rows, self.line) = (None, 0);
            self.part += 1;
        }
        Ok(None)
    }

    /// Adds what the table does not allow: NULL in a column that has none, a record that never arrives.
    fn find_faults(&self, piece: &mut Rows) {
        let mut found: Vec<RowFault> = Vec::new();
        for (field, column) in self.schema.fields.iter().zip(&piece.columns) {
            if field.nullable || column.null_count() == 0 {
                continue;
            }
            let nulls = (0..piece.rows).filter(|&row| column.is_null(row));
            found.extend(nulls.map(|row| RowFault {
                row,
                reason: format!(
                    "expected a value ({} NOT NULL) for `{}`, found NULL",
                    field.data_type, field.name
                ),
            }));
        }
        if let Some(column) = self.clock.column {
            let (values, data_type) =
                (&piece.columns[column], self.schema.fields[column].data_type);
            found.extend((0..piece.rows).filter_map(|row| {
                let reason = micros(millis_at(values, row), data_type).err()?;
                Some(RowFault { row, reason })
            }));
        }
        if found.is_empty() {
            return;
        }
        // What the host says of a row counts first.
        piece.faults.append(&mut found);
        piece.faults.sort_by_key(|fault| fault.row);
        piece.faults.dedup_by_key(|fault| fault.row);
    }

    /// The arrival of the row of a piece, where it has one.
    fn arrival(&self, piece: &Rows, row: usize) -> Option<u64> {
        match self.clock.column {
            None => Some((self.ordinal + row as u64).saturating_mul(self.clock.interval)),
            Some(column) => {
                let data_type = self.schema.fields[column].data_type;
                micros(millis_at(&piece.columns[column], row), data_type).ok()
            }
        }
    }

    /// Rows without faults, all of this partition.
    fn slice(&mut self, piece: &Rows, from: usize, rows: usize) -> Chunk {
        let arrivals = match self.clock.column {
            None => {
                let first = (self.ordinal + from as u64).saturating_mul(self.clock.interval);
                Numbers::steps(first, self.clock.interval, rows)
            }
            Some(_) => (from..from + rows)
                .map(|row| {
                    // The order in the file is the order of arrival: time never falls.
                    self.last = self.last.max(self.arrival(piece, row).unwrap_or(self.last));
                    self.last
                })
                .collect(),
        };
        let offset = self.offset;
        self.offset += rows as u64;
        Chunk {
            columns: piece.columns.iter().map(|c| c.slice(from, rows)).collect(),
            rows,
            offsets: Numbers::run(offset, rows),
            lines: Numbers::run(self.line + from as u64 + 1, rows),
            arrivals,
            bad: Vec::new(),
        }
    }

    /// Rows one by one; the chunk, and after which row of the piece it ends.
    fn pick(&mut self, piece: &Rows, from: usize, max_rows: usize) -> (Chunk, usize) {
        let (mut kept, mut offsets, mut lines, mut arrivals) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut bad = Vec::new();
        let first = piece.faults.partition_point(|fault| fault.row < from);
        let mut faults = piece.faults[first..].iter().peekable();
        let mut row = from;
        while row < piece.rows && kept.len() + bad.len() < max_rows {
            let fault = faults.next_if(|fault| fault.row == row);
            let line = self.line + row as u64 + 1;
            if self.belongs(row) {
                if let (Some(fault), (_, false)) = (fault, self.ignore) {
                    self.failed = Some(self.malformed(line, &fault.reason));
                    break;
                }
                self.last = self.last.max(self.arrival(piece, row).unwrap_or(self.last));
                let (offset, arrival) = (self.offset, self.last);
                self.offset += 1;
                if let Some(fault) = fault {
                    let (before_row, reason) = (kept.len(), fault.reason.clone());
                    bad.push(Bad { before_row, offset, line, column: 1, arrival, reason });
                } else {
                    kept.push(row as u32);
                    offsets.push(offset);
                    lines.push(line);
                    arrivals.push(arrival);
                }
            }
            row += 1;
        }
        let chunk = Chunk {
            columns: piece.columns.iter().map(|c| take(c, &kept)).collect(),
            rows: kept.len(),
            offsets: offsets.into(),
            lines: lines.into(),
            arrivals: arrivals.into(),
            bad,
        };
        (chunk, row)
    }

    /// Whether a row of the piece is of this partition.
    fn belongs(&self, row: usize) -> bool {
        let Some(share) = &self.share else { return true };
        let ordinal = usize::try_from(self.ordinal).unwrap_or(usize::MAX).saturating_add(row);
        share.of.get(ordinal).is_some_and(|number| *number == share.number)
    }

    fn malformed(&self, line: u64, reason: &str) -> Error {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let at = |column| Position { line: small(line), column };
        let name = self.parts.get(self.part).map_or("", |part| &*part.name);
        Diagnostic::new(
            "source.malformed",
            format!("row {line} of table `{}` is malformed: {reason}", self.table),
        )
        .hint(format!(
            "mend the row, or set '{}' = 'true' to leave such rows out and count them",
            self.ignore.0
        ))
        .at(Span { start: at(1), end: at(2) })
        .in_source(name)
    }
}

fn millis_at(values: &ArrayRef, row: usize) -> Option<i64> {
    if values.is_null(row) {
        return None;
    }
    match values.as_primitive_opt::<Int64Type>() {
        Some(values) => Some(values.value(row)),
        None => values.as_primitive_opt::<TimestampMillisecondType>().map(|v| v.value(row)),
    }
}

/// The arrival of the first row that has one: rows before it arrive then too, and not in 1970.
fn first_arrival(parts: &[Part], field: &Field) -> Result<u64> {
    let data_type: DataType = field.data_type;
    for part in parts {
        let mut rows = part.file.rows(std::slice::from_ref(field))?;
        while let Some(piece) = rows.next()? {
            let values = &piece.columns[0];
            let mut all = (0..piece.rows).map(|row| micros(millis_at(values, row), data_type));
            if let Some(first) = all.find_map(|found| found.ok()) {
                return Ok(first);
            }
        }
    }
    Ok(0)
}

impl Reader for ColumnReader {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        loop {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            let (piece, from) = match self.fill() {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(None),
                Err(error) => {
                    self.failed = Some(error);
                    continue;
                }
            };
            let (chunk, to) = if self.share.is_none() && piece.faults.is_empty() {
                let rows = max_rows.max(1).min(piece.rows - from);
                (self.slice(&piece, from, rows), from + rows)
            } else {
                self.pick(&piece, from, max_rows.max(1))
            };
            self.piece = Some((piece, to));
            // A piece without rows of this partition is no end.
            if chunk.rows + chunk.bad.len() > 0 {
                return Ok(Some(chunk));
            }
        }
    }

    fn detach(self: Box<Self>) -> Detached {
        Ok(self)
    }

    fn relative(&self) -> bool {
        self.clock.relative
    }

    fn read_of(&self) -> Option<(u64, u64)> {
        let within = self.piece.as_ref().map_or(0, |(_, from)| *from as u64);
        let all: Option<u64> = self.parts.iter().map(|part| part.file.count()).sum();
        Some((self.ordinal + within, all?))
    }
}
