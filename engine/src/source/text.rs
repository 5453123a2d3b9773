//! Reads partitions of text: which records belong to which, when each arrives, what is malformed.

use std::collections::BTreeMap;

use super::builder::Builder;
use super::options::duration;
use super::records::{Malformed, Part, Place, Reserved};
use super::{
    Bad, Chunk, Clock, Context, Detached, Input, MAX_PARTITIONS, Reader, check_partitions,
};
use crate::column::value_at;
use crate::error::{Error, Result};
use crate::schema::DataType;
use crate::time::parse_timestamp;

/// A chunk ends early after this many bytes of input, so that no column can outgrow its offsets.
const CHUNK_BYTES: usize = 64 << 20;

/// A record that was found beforehand.
#[derive(Debug)]
struct Entry {
    part: usize,
    place: Place,
    /// Its number in the table.
    ordinal: u64,
    /// When it arrives, if a reserved field says so.
    arrival: Option<u64>,
    /// What is wrong with its reserved fields.
    fault: Option<Box<Malformed>>,
}

/// Which records a reader reads.
enum Walk {
    /// All, part after part: the part, and the number of the next record.
    All { part: usize, ordinal: u64 },
    /// Those listed.
    Listed { entries: Vec<Entry>, next: usize },
}

/// Makes the parts of a table, afresh for each reader.
type Parts<'a> = &'a dyn Fn() -> Result<Vec<Part>>;

/// Opens a table of text: `arrival` is the column a block names, `reserved` allows `@at` and
/// `@partition`.
pub(super) fn open(
    context: &Context<'_>,
    parts: Parts<'_>,
    arrival: Option<&str>,
    reserved: bool,
) -> Result<Vec<Input>> {
    let column = match (context.column_setting("arrival")?, arrival) {
        (None, Some(name)) => Some(context.column("arrival", name)?),
        (setting, _) => setting,
    };
    let column = column.map(|c| context.arrival_column(c)).transpose()?;
    let partition = context.column_setting("partition")?;
    let mut clock = Clock { column, interval: context.interval()?, relative: column.is_none() };
    let mut first = context.spec.lookup && column.is_none();
    if partition.is_none() && !reserved {
        let walk = Walk::All { part: 0, ordinal: 0 };
        return Ok(vec![input(context, parts, 0, walk, (clock, first))?]);
    }
    let mut index = Index::new(context, partition, clock, reserved);
    index.run(&mut parts()?)?;
    clock.relative = index.clock.relative;
    first &= index.absolute.is_none();
    if column.is_none() && !clock.relative {
        index.fill_absolute();
    }
    let mut partitions = index.partitions;
    if partitions.is_empty() {
        partitions.insert(0, Vec::new());
    }
    partitions
        .into_iter()
        .map(|(number, entries)| {
            input(context, parts, number, Walk::Listed { entries, next: 0 }, (clock, first))
        })
        .collect()
}

fn input(
    context: &Context<'_>,
    parts: Parts<'_>,
    partition: u16,
    walk: Walk,
    (clock, first): (Clock, bool),
) -> Result<Input> {
    let own = parts()?;
    let name = own.first().map_or_else(|| context.spec.table.clone(), |p| p.name.to_string());
    let types = context.spec.physical.fields.iter().map(|f| f.data_type);
    let mut reader = TextReader {
        table: context.spec.table.clone(),
        parts: own,
        builders: types.map(Builder::new).collect(),
        walk,
        clock,
        last: 0,
        offset: 0,
        bytes: 0,
        failed: None,
    };
    if let Some(column) = clock.column {
        reader.last = first_arrival(&mut reader, column)?;
        reader.parts = parts()?;
    }
    Ok(Input { partition, name, reader: Box::new(reader), first })
}

/// The arrival of the first record that has one: broken records before it arrive then too, and not
/// in 1970.
fn first_arrival(reader: &mut TextReader, column: usize) -> Result<u64> {
    let mut found = None;
    while found.is_none() {
        let Some(step) = reader.advance() else { break };
        found = step.arrival.or_else(|| {
            let mut cell = Builder::new(reader.builders[column].data_type());
            reader.parts[step.part].records.cell(column, &mut cell).ok()?;
            micros(cell.last_i64(), cell.data_type()).ok()
        });
    }
    match &mut reader.walk {
        Walk::All { part, ordinal } => (*part, *ordinal) = (0, 0),
        Walk::Listed { next, .. } => *next = 0,
    }
    Ok(found.unwrap_or(0))
}

/// A time in a column as microseconds since 1970.
pub(super) fn micros(millis: Option<i64>, data_type: DataType) -> std::result::Result<u64, String> {
    let millis = millis.ok_or("the arrival is NULL")?;
    u64::try_from(millis).ok().and_then(|ms| ms.checked_mul(1000)).ok_or_else(|| {
        format!("the arrival {millis} ({data_type}) is before 1970 or beyond the calendar")
    })
}

/// Finds out beforehand which record belongs to which partition.
struct Index {
    /// The column of distinct values, with their numbers so far; NULL is a value too.
    column: Option<(usize, BTreeMap<Option<String>, u16>)>,
    types: Vec<DataType>,
    clock: Clock,
    reserved: bool,
    /// Whether arrivals in `@at` are absolute, once the first has shown it.
    absolute: Option<bool>,
    /// The first arrival in `@at`.
    first: Option<u64>,
    /// The arrival of the record before.
    last: Option<u64>,
    partitions: BTreeMap<u16, Vec<Entry>>,
    too_many: Error,
}

impl Index {
    fn new(context: &Context<'_>, column: Option<usize>, clock: Clock, reserved: bool) -> Index {
        let too_many = check_partitions(context, MAX_PARTITIONS + 1).err();
        Index {
            column: column.map(|c| (c, BTreeMap::new())),
            types: context.spec.physical.fields.iter().map(|f| f.data_type).collect(),
            clock,
            reserved,
            absolute: None,
            first: None,
            last: None,
            partitions: BTreeMap::new(),
            too_many: too_many.expect("one more than the most is too many"),
        }
    }

    fn run(&mut self, parts: &mut [Part]) -> Result<()> {
        let mut ordinal = 0;
        for (number, part) in parts.iter_mut().enumerate() {
            while let Some(place) = part.records.advance() {
                let mut fault = None;
                let partition = self.partition(part).unwrap_or_else(|f| {
                    fault = f.map(Box::new);
                    Some(0)
                });
                let partition = partition.ok_or_else(|| self.too_many.clone())?;
                let arrival = self.arrival(part).unwrap_or_else(|f| {
                    fault.get_or_insert(Box::new(f));
                    self.last
                });
                self.last = arrival;
                let entry = Entry { part: number, place, ordinal, arrival, fault };
                self.partitions.entry(partition).or_default().push(entry);
                ordinal += 1;
            }
        }
        Ok(())
    }

    /// The partition of the current record; `None` when there are too many.
    fn partition(&mut self, part: &Part) -> std::result::Result<Option<u16>, Option<Malformed>> {
        if let Some((column, numbers)) = &mut self.column {
            let data_type = self.types[*column];
            let mut cell = Builder::new(data_type);
            // A broken cell is reported when the record's turn comes.
            part.records.cell(*column, &mut cell).map_err(|_| None)?;
            let value = value_at(&cell.finish(), data_type, 0);
            let key = (!value.is_null()).then(|| value.to_text());
            let next = numbers.len();
            if next >= MAX_PARTITIONS && !numbers.contains_key(&key) {
                return Ok(None);
            }
            return Ok(Some(*numbers.entry(key).or_insert(next as u16)));
        }
        if !self.reserved {
            return Ok(Some(0));
        }
        // A record that is no record at all is reported when its turn comes.
        let Ok(Some(field)) = part.records.reserved(Reserved::Partition) else {
            return Ok(Some(0));
        };
        match field.text.parse::<u16>() {
            Ok(number) if usize::from(number) < MAX_PARTITIONS => Ok(Some(number)),
            _ => Err(Some(Malformed {
                line: field.line,
                column: field.column,
                reason: format!(
                    "expected a number below {MAX_PARTITIONS} for `@partition`, found `{}`",
                    field.text.escape_debug()
                ),
            })),
        }
    }

    /// Lets the records before the first one with a timestamp in `@at` arrive with it, not in 1970.
    fn fill_absolute(&mut self) {
        let first = self.first;
        for entry in self.partitions.values_mut().flatten() {
            entry.arrival = entry.arrival.or(first);
        }
    }

    /// When `@at` lets the current record arrive; a record without it comes one interval after the
    /// one before. `None` when no record so far had it.
    fn arrival(&mut self, part: &Part) -> std::result::Result<Option<u64>, Malformed> {
        if !self.reserved {
            return Ok(None);
        }
        let field = match part.records.reserved(Reserved::At) {
            Ok(Some(field)) => field,
            _ if self.clock.column.is_some() => return Ok(None),
            _ => return Ok(self.last.map(|last| last.saturating_add(self.clock.interval))),
        };
        let fault = |expected: &str| Malformed {
            line: field.line,
            column: field.column,
            reason: format!("expected {expected} for `@at`, found `{}`", field.text.escape_debug()),
        };
        if self.clock.column.is_some() {
            return Err(fault("no value, because a column says when records arrive,"));
        }
        let (absolute, at) = if let Some(at) = duration(&field.text) {
            (false, at)
        } else if let Some(ms) = parse_timestamp(&field.text) {
            (
                true,
                micros(Some(ms), DataType::TimestampLtz).map_err(|_| fault("a time since 1970"))?,
            )
        } else {
            return Err(fault("a duration such as `1.2s`, or a timestamp"));
        };
        if *self.absolute.get_or_insert(absolute) != absolute {
            return Err(fault(if absolute {
                "a duration, as in the records before"
            } else {
                "a timestamp, as in the records before"
            }));
        }
        self.clock.relative = !absolute;
        self.first.get_or_insert(at);
        Ok(Some(at))
    }
}

/// The rows of one partition of text.
struct TextReader {
    table: String,
    parts: Vec<Part>,
    builders: Vec<Builder>,
    walk: Walk,
    clock: Clock,
    /// The arrival of the record before, in microseconds.
    last: u64,
    /// The position of the next record.
    offset: u64,
    /// How many bytes of records have been read.
    bytes: u64,
    /// The error that ended the reading.
    failed: Option<Error>,
}

/// A record that was reached.
struct Step {
    part: usize,
    place: Place,
    ordinal: u64,
    arrival: Option<u64>,
    fault: Option<Box<Malformed>>,
}

impl TextReader {
    fn advance(&mut self) -> Option<Step> {
        match &mut self.walk {
            Walk::All { part, ordinal } => loop {
                let place = self.parts.get_mut(*part)?.records.advance();
                if let Some(place) = place {
                    *ordinal += 1;
                    let (part, ordinal) = (*part, *ordinal - 1);
                    return Some(Step { part, place, ordinal, arrival: None, fault: None });
                }
                *part += 1;
            },
            Walk::Listed { entries, next } => {
                let Entry { part, place, ordinal, arrival, ref fault } = *entries.get(*next)?;
                *next += 1;
                self.parts[part].records.seek(place);
                self.parts[part].records.advance()?;
                Some(Step { part, place, ordinal, arrival, fault: fault.clone() })
            }
        }
    }

    /// Decodes the current record into the builders; its arrival.
    fn decode(&mut self, step: &Step) -> std::result::Result<u64, Malformed> {
        if let Some(fault) = &step.fault {
            return Err((**fault).clone());
        }
        self.parts[step.part].records.row(&mut self.builders)?;
        match (step.arrival, self.clock.column) {
            (Some(at), _) => Ok(at),
            (None, None) => Ok(step.ordinal.saturating_mul(self.clock.interval)),
            (None, Some(column)) => {
                let cell = &self.builders[column];
                micros(cell.last_i64(), cell.data_type()).map_err(|reason| Malformed {
                    line: step.place.line,
                    column: 1,
                    reason,
                })
            }
        }
    }

    /// When a record arrives that cannot be decoded.
    fn arrival_of_bad(&self, step: &Step) -> u64 {
        let at = match (step.arrival, self.clock.column) {
            (Some(at), _) => Some(at),
            (None, None) => Some(step.ordinal.saturating_mul(self.clock.interval)),
            (None, Some(column)) => {
                let mut cell = Builder::new(self.builders[column].data_type());
                let read = self.parts[step.part].records.cell(column, &mut cell);
                read.ok().and_then(|()| micros(cell.last_i64(), cell.data_type()).ok())
            }
        };
        at.unwrap_or(self.last)
    }
}

impl Reader for TextReader {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let (mut offsets, mut lines, mut arrivals) = (Vec::new(), Vec::new(), Vec::new());
        let mut bad = Vec::new();
        let mut bytes = 0;
        while offsets.len() + bad.len() < max_rows.max(1) && bytes < CHUNK_BYTES {
            let Some(step) = self.advance() else { break };
            bytes += self.parts[step.part].records.size();
            let rows = offsets.len();
            match self.decode(&step) {
                Ok(arrival) => {
                    // The order in the file is the order of arrival: time never falls.
                    self.last = self.last.max(arrival);
                    offsets.push(self.offset);
                    lines.push(self.parts[step.part].line(step.place.line));
                    arrivals.push(self.last);
                }
                Err(fault) => {
                    for builder in &mut self.builders {
                        builder.truncate(rows);
                    }
                    let part = &self.parts[step.part];
                    let fault = part.place(fault);
                    if !part.ignore {
                        self.failed = Some(part.error(&self.table, &fault));
                        break;
                    }
                    self.last = self.last.max(self.arrival_of_bad(&step));
                    bad.push(Bad {
                        before_row: rows,
                        offset: self.offset,
                        line: fault.line,
                        column: fault.column,
                        arrival: self.last,
                        reason: fault.reason,
                    });
                }
            }
            self.offset += 1;
        }
        self.bytes += bytes as u64;
        let rows = offsets.len();
        if rows + bad.len() == 0 {
            return self.failed.clone().map_or(Ok(None), Err);
        }
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        Ok(Some(Chunk {
            columns,
            rows,
            offsets: offsets.into(),
            lines: lines.into(),
            arrivals: arrivals.into(),
            bad,
        }))
    }

    fn detach(self: Box<Self>) -> Detached {
        Ok(self)
    }

    fn relative(&self) -> bool {
        self.clock.relative
    }

    fn read_of(&self) -> Option<(u64, u64)> {
        match &self.walk {
            Walk::All { .. } => Some((self.bytes, self.parts.iter().map(|p| p.bytes).sum())),
            Walk::Listed { entries, next } => Some((*next as u64, entries.len() as u64)),
        }
    }
}
