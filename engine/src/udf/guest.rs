//! A guest as operators call it: typed columns in, checked columns out, accumulators in a slab.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef};
use highwater_abi::{Column, Output, export};

use super::Sandbox;
use super::answer::Lie;
use super::call::{Call, Caller, bad};
use super::concat::concat;
use super::frame::FrameWriter;
use super::manifest::Typed;
use super::module::GuestModule;
use crate::error::{Error, Result};
use crate::schema::DataType;
use crate::value::Value;

/// The most windows one record may be in.
pub const MAX_WINDOWS_PER_ROW: usize = 64;
/// The most result rows of one window.
pub const MAX_ROWS_PER_SLOT: usize = 1024;

/// A call that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why, with the fuel used; code `guest.…`. The caller adds the operator and the record.
    pub diagnostic: Error,
    /// The first row that makes the guest fail, counted in the list of rows, slots or pairs the caller
    /// gave; `None` when no single row does.
    pub row: Option<u32>,
}

/// One side of a join: event times and columns of a buffer, and the rows of it that are meant.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Event times, one a buffered row.
    pub times: &'a [i64],
    /// The manifest's columns in its order.
    pub columns: &'a [ArrayRef],
    /// The rows that pairs refer to.
    pub rows: &'a [u32],
}

/// A guest with its parameters. A clone shares the module and starts with a fresh instance: state never
/// lives in the guest.
///
/// A frame that fails is split and tried again, down to single rows. So the row to blame is known, a
/// guest with little memory gets frames it can take, and a failure does not depend on batch size.
#[derive(Clone)]
pub struct Guest {
    caller: Caller,
}

/// Start and end of a window, milliseconds, the end exclusive.
pub type Bounds = (i64, i64);

impl Guest {
    /// A guest with a value for each of the manifest's parameters, in its order.
    ///
    /// # Panics
    /// When the number of parameters is wrong: the planner has matched them.
    pub fn new(module: Arc<GuestModule>, sandbox: Arc<dyn Sandbox>, parameters: &[Value]) -> Guest {
        assert_eq!(parameters.len(), module.manifest().parameters.len(), "one value a parameter");
        Guest { caller: Caller::new(module, sandbox, parameters.to_vec()) }
    }

    /// The same guest for a run without a trace: instances are kept for longer, and [`Call::pages`] then
    /// depends on earlier calls.
    #[must_use]
    pub fn untraced(mut self) -> Guest {
        self.caller.traced = false;
        self
    }

    /// The module.
    pub fn module(&self) -> &GuestModule {
        &self.caller.module
    }

    /// Whether windows of one key may become one: the guest can merge accumulators.
    pub fn merges(&self) -> bool {
        self.caller.module.has(export::WIN_MERGE)
    }

    /// Bytes of one accumulator in a slab.
    pub fn stride(&self) -> u32 {
        self.caller.module.manifest().state_layout().1
    }

    /// The windows of each of the given rows: position in `rows`, start, end; positions never fall. A
    /// window holds its row's event time. A row may be in no window.
    ///
    /// # Errors
    /// [`Failure`], `row` a position in `rows`.
    pub fn assign(
        &mut self,
        times: &[i64],
        columns: &[ArrayRef],
        rows: &[u32],
        calls: &mut Vec<Call>,
    ) -> std::result::Result<Vec<(u32, i64, i64)>, Failure> {
        let mut windows = Vec::with_capacity(rows.len());
        self.halving(0..rows.len(), calls, &mut |guest, range, calls| {
            let part = &rows[range.clone()];
            let inputs = &guest.module.manifest().inputs[0].columns;
            let mut writer = FrameWriter::new(1 + inputs.len() as u16, part.len() as u32);
            write_rows(&mut writer, inputs, times, columns, part);
            let frame = writer.finish(room(3, part.len() * 20));
            let done = guest.call(export::WIN_ASSIGN, frame, calls)?;
            let types = [DataType::Int, DataType::Timestamp, DataType::Timestamp];
            let most = part.len().saturating_mul(MAX_WINDOWS_PER_ROW);
            let told = done.answer().columns(&types, most).and_then(|(n, columns)| {
                check_windows(n, &columns, part.len(), |row| times[part[row] as usize])
            });
            let first = range.start as u32;
            let found = told.map_err(|lie| bad(export::WIN_ASSIGN, &lie))?;
            windows.extend(found.into_iter().map(|(row, start, end)| (first + row, start, end)));
            Ok(())
        })?;
        Ok(windows)
    }

    /// Which of one key's windows become one: for each window the number of its group, starting at 0,
    /// never falling, without gaps. `windows` are sorted by start, then end. When the guest has no
    /// `win_merge`, each stays alone; without `win_merge_windows`, those that overlap or touch join.
    ///
    /// # Errors
    /// [`Failure`] without a row.
    pub fn merge_windows(
        &mut self,
        windows: &[Bounds],
        calls: &mut Vec<Call>,
    ) -> std::result::Result<Vec<u32>, Failure> {
        if !self.merges() {
            return Ok((0..windows.len() as u32).collect());
        }
        if !self.caller.module.has(export::WIN_MERGE_WINDOWS) {
            return Ok(overlapping(windows));
        }
        let mut writer = FrameWriter::new(2, windows.len() as u32);
        writer.timestamps(windows.iter().map(|w| w.0));
        writer.timestamps(windows.iter().map(|w| w.1));
        let frame = writer.finish(room(1, windows.len() * 4));
        let answer = self.caller.call(export::WIN_MERGE_WINDOWS, frame, calls).and_then(|done| {
            let told = done.answer().columns(&[DataType::Int], windows.len());
            let told = told.and_then(|(n, columns)| check_groups(n, &columns[0], windows.len()));
            told.map_err(|lie| bad(export::WIN_MERGE_WINDOWS, &lie))
        });
        answer.map_err(|diagnostic| Failure { diagnostic, row: None })
    }

    /// New accumulators, [`Guest::stride`] bytes each: zeros, or what `win_init` makes of them.
    ///
    /// # Errors
    /// [`Failure`], `row` a slot.
    pub fn init(
        &mut self,
        slots: u32,
        calls: &mut Vec<Call>,
    ) -> std::result::Result<Vec<u8>, Failure> {
        let stride = self.stride();
        let mut slab = vec![0; slots as usize * stride as usize];
        if self.caller.module.has(export::WIN_INIT) {
            self.halving(0..slots as usize, calls, &mut |guest, range, calls| {
                let part = bytes_of(&range, stride);
                let mut writer = FrameWriter::new(0, range.len() as u32);
                writer.state(&slab[part.clone()], stride, range.len() as u32);
                let done = guest.call(export::WIN_INIT, writer.finish(room(0, 0)), calls)?;
                slab[part].copy_from_slice(&done.state);
                Ok(())
            })?;
        }
        Ok(slab)
    }

    /// Adds row `rows[i]` to accumulator `slots[i]` of the slab, for each `i` in order.
    ///
    /// # Errors
    /// [`Failure`], `row` a position in `rows`; the rows before it may have been added.
    #[allow(clippy::too_many_arguments, reason = "columns, selection, slab: each is needed")]
    pub fn accumulate(
        &mut self,
        times: &[i64],
        columns: &[ArrayRef],
        rows: &[u32],
        slots: &[u32],
        slab: &mut [u8],
        calls: &mut Vec<Call>,
    ) -> std::result::Result<(), Failure> {
        assert_eq!(rows.len(), slots.len(), "one slot a row");
        let stride = self.stride();
        self.halving(0..rows.len(), calls, &mut |guest, range, calls| {
            let (part, slots) = (&rows[range.clone()], &slots[range]);
            let dense = Dense::new(slots.iter().copied());
            let inputs = &guest.module.manifest().inputs[0].columns;
            let mut writer = FrameWriter::new(2 + inputs.len() as u16, part.len() as u32);
            write_rows(&mut writer, inputs, times, columns, part);
            writer.positions(&dense.positions(slots.iter().copied()));
            writer.state(&dense.gather(slab, stride), stride, dense.len());
            let done = guest.call(export::WIN_ACCUMULATE, writer.finish(room(0, 0)), calls)?;
            dense.scatter(&done.state, slab, stride);
            Ok(())
        })
    }

    /// Adds accumulator `pairs[i].1` to accumulator `pairs[i].0`, for each `i` in order. What was added
    /// stays as it is; the caller drops it.
    ///
    /// # Errors
    /// [`Failure`], `row` a position in `pairs`.
    pub fn merge(
        &mut self,
        pairs: &[(u32, u32)],
        slab: &mut [u8],
        calls: &mut Vec<Call>,
    ) -> std::result::Result<(), Failure> {
        let stride = self.stride();
        self.halving(0..pairs.len(), calls, &mut |guest, range, calls| {
            let part = &pairs[range];
            let dense = Dense::new(part.iter().flat_map(|p| [p.0, p.1]));
            let mut writer = FrameWriter::new(2, part.len() as u32);
            writer.positions(&dense.positions(part.iter().map(|p| p.0)));
            writer.positions(&dense.positions(part.iter().map(|p| p.1)));
            writer.state(&dense.gather(slab, stride), stride, dense.len());
            let done = guest.call(export::WIN_MERGE, writer.finish(room(0, 0)), calls)?;
            dense.scatter(&done.state, slab, stride);
            Ok(())
        })
    }

    /// The result rows of the accumulators of a slab, `windows[i]` being the bounds of slot `i`: the
    /// slot of each row, never falling, and the manifest's output columns.
    ///
    /// # Errors
    /// [`Failure`], `row` a slot.
    pub fn result(
        &mut self,
        windows: &[Bounds],
        slab: &[u8],
        calls: &mut Vec<Call>,
    ) -> std::result::Result<(Vec<u32>, Vec<ArrayRef>), Failure> {
        let stride = self.stride();
        let output: Vec<DataType> =
            self.caller.module.manifest().output.iter().map(|c| c.data_type).collect();
        let types: Vec<DataType> = [DataType::Int].into_iter().chain(output.clone()).collect();
        let (mut slots, mut parts) = (Vec::new(), Vec::new());
        self.halving(0..windows.len(), calls, &mut |guest, range, calls| {
            let part = &windows[range.clone()];
            let mut writer = FrameWriter::new(2, part.len() as u32);
            writer.timestamps(part.iter().map(|w| w.0));
            writer.timestamps(part.iter().map(|w| w.1));
            writer.state(&slab[bytes_of(&range, stride)], stride, part.len() as u32);
            let frame = writer.finish(room(types.len(), part.len() * 16 * types.len()));
            let done = guest.call(export::WIN_RESULT, frame, calls)?;
            let most = part.len().saturating_mul(MAX_ROWS_PER_SLOT);
            let told = done.answer().columns(&types, most);
            let told = told.and_then(|(_, mut columns)| {
                let rows = check_positions(&columns.remove(0), part.len(), MAX_ROWS_PER_SLOT)?;
                Ok((rows, columns))
            });
            let (rows, columns) = told.map_err(|lie| bad(export::WIN_RESULT, &lie))?;
            slots.extend(rows.into_iter().map(|row| range.start as u32 + row));
            parts.push(columns);
            Ok(())
        })?;
        Ok((slots, concat(&output, parts)))
    }

    /// Decides candidate pairs: positions in `left.rows` and in `right.rows`.
    ///
    /// # Errors
    /// [`Failure`], `row` a position in `pairs`.
    pub fn join_match(
        &mut self,
        left: Side<'_>,
        right: Side<'_>,
        pairs: &[(u32, u32)],
        calls: &mut Vec<Call>,
    ) -> std::result::Result<Vec<bool>, Failure> {
        let mut matched = Vec::with_capacity(pairs.len());
        self.halving(0..pairs.len(), calls, &mut |guest, range, calls| {
            let part = &pairs[range];
            let lefts = Dense::new(part.iter().map(|p| p.0));
            let rights = Dense::new(part.iter().map(|p| p.1));
            let inputs = &guest.module.manifest().inputs;
            let columns = 4 + inputs[0].columns.len() + inputs[1].columns.len();
            let mut writer = FrameWriter::new(columns as u16, part.len() as u32);
            for (side, input, used) in [(left, &inputs[0], &lefts), (right, &inputs[1], &rights)] {
                let rows = used.select(side.rows);
                write_rows(&mut writer, &input.columns, side.times, side.columns, &rows);
            }
            writer.positions(&lefts.positions(part.iter().map(|p| p.0)));
            writer.positions(&rights.positions(part.iter().map(|p| p.1)));
            let frame = writer.finish(room(1, part.len().div_ceil(8)));
            let done = guest.call(export::JOIN_MATCH, frame, calls)?;
            let told = done.answer().columns(&[DataType::Boolean], part.len());
            let told = told.and_then(|(n, columns)| match n == part.len() {
                true => Ok(columns),
                false => Err(format!("it answers {n} rows for {} pairs", part.len())),
            });
            let columns = told.map_err(|lie| bad(export::JOIN_MATCH, &lie))?;
            matched.extend(columns[0].as_boolean().iter().map(|m| m == Some(true)));
            Ok(())
        })?;
        Ok(matched)
    }

    /// Runs `call` over a range of rows; when that fails, over its halves, down to the row that fails.
    fn halving(
        &mut self,
        range: Range<usize>,
        calls: &mut Vec<Call>,
        call: &mut Attempt<'_>,
    ) -> std::result::Result<(), Failure> {
        if range.is_empty() {
            return Ok(());
        }
        let before = calls.len();
        match call(&mut self.caller, range.clone(), calls) {
            Ok(()) => Ok(()),
            Err(diagnostic) if diagnostic.code == "guest.host" => {
                Err(Failure { diagnostic, row: None })
            }
            Err(diagnostic) if range.len() == 1 => {
                Err(Failure { diagnostic, row: Some(range.start as u32) })
            }
            Err(_) => {
                calls.truncate(before);
                let middle = range.start + range.len() / 2;
                self.halving(range.start..middle, calls, call)?;
                self.halving(middle..range.end, calls, call)
            }
        }
    }
}

/// The event time and the manifest's columns of the selected rows.
fn write_rows(
    writer: &mut FrameWriter,
    inputs: &[Typed],
    times: &[i64],
    columns: &[ArrayRef],
    rows: &[u32],
) {
    assert_eq!(inputs.len(), columns.len(), "one array a column of the manifest");
    writer.times(times, rows);
    for (input, column) in inputs.iter().zip(columns) {
        writer.array(input.data_type, column, rows);
    }
}

/// One try at a range of rows. It changes nothing unless it succeeds.
type Attempt<'a> = dyn FnMut(&mut Caller, Range<usize>, &mut Vec<Call>) -> Result<()> + 'a;

type Checked<T> = std::result::Result<T, Lie>;

/// A first guess at the room an answer needs; a guest that needs more says so.
fn room(columns: usize, bytes: usize) -> usize {
    Output::LEN + columns * (Column::LEN + 16) + bytes + 256
}

fn bytes_of(slots: &Range<usize>, stride: u32) -> Range<usize> {
    slots.start * stride as usize..slots.end * stride as usize
}

/// The few numbers out of many that a frame speaks about, renumbered from 0 in their own order.
struct Dense {
    used: Vec<u32>,
}

impl Dense {
    fn new(numbers: impl Iterator<Item = u32>) -> Dense {
        let mut used: Vec<u32> = numbers.collect();
        used.sort();
        used.dedup();
        Dense { used }
    }

    fn len(&self) -> u32 {
        self.used.len() as u32
    }

    fn positions(&self, numbers: impl Iterator<Item = u32>) -> Vec<u32> {
        numbers.map(|n| self.used.partition_point(|u| *u < n) as u32).collect()
    }

    fn select(&self, rows: &[u32]) -> Vec<u32> {
        self.used.iter().map(|u| rows[*u as usize]).collect()
    }

    fn gather(&self, slab: &[u8], stride: u32) -> Vec<u8> {
        let stride = stride as usize;
        let mut part = Vec::with_capacity(self.used.len() * stride);
        for slot in &self.used {
            part.extend_from_slice(&slab[*slot as usize * stride..][..stride]);
        }
        part
    }

    fn scatter(&self, part: &[u8], slab: &mut [u8], stride: u32) {
        let stride = stride as usize;
        for (i, slot) in self.used.iter().enumerate() {
            slab[*slot as usize * stride..][..stride]
                .copy_from_slice(&part[i * stride..(i + 1) * stride]);
        }
    }
}

/// Groups of sorted windows that overlap or touch.
fn overlapping(windows: &[Bounds]) -> Vec<u32> {
    let mut groups = Vec::with_capacity(windows.len());
    let (mut group, mut reach) = (0, i64::MIN);
    for (i, (start, end)) in windows.iter().enumerate() {
        if i > 0 && *start > reach {
            group += 1;
            reach = i64::MIN;
        }
        reach = reach.max(*end);
        groups.push(group);
    }
    groups
}

/// Positions below `limit`, never falling, at most `most` times each.
fn check_positions(column: &ArrayRef, limit: usize, most: usize) -> Checked<Vec<u32>> {
    let column = column.as_primitive::<Int32Type>();
    let (mut last, mut times) = (0, 0);
    let mut positions = Vec::with_capacity(column.len());
    for (i, position) in column.iter().enumerate() {
        match position.and_then(|p| u32::try_from(p).ok()) {
            Some(p) if (p as usize) < limit && p >= last => {
                times = if p == last { times + 1 } else { 1 };
                if times > most {
                    return Err(format!("position {p} has more than {most} rows"));
                }
                last = p;
                positions.push(p);
            }
            _ => {
                return Err(format!(
                    "its position {position:?} at row {i} is out of order or range"
                ));
            }
        }
    }
    Ok(positions)
}

fn check_windows(
    n: usize,
    columns: &[ArrayRef],
    rows: usize,
    time: impl Fn(usize) -> i64,
) -> Checked<Vec<(u32, i64, i64)>> {
    let positions = check_positions(&columns[0], rows, MAX_WINDOWS_PER_ROW)?;
    let starts = columns[1].as_primitive::<TimestampMillisecondType>();
    let ends = columns[2].as_primitive::<TimestampMillisecondType>();
    if starts.null_count() + ends.null_count() > 0 {
        return Err("a window's start or end is NULL".into());
    }
    let mut windows = Vec::with_capacity(n);
    for (i, row) in positions.into_iter().enumerate() {
        let (start, end, at) = (starts.value(i), ends.value(i), time(row as usize));
        if start > at || at >= end {
            return Err(format!("the window [{start}, {end}) does not hold its row's time {at}"));
        }
        windows.push((row, start, end));
    }
    Ok(windows)
}

fn check_groups(n: usize, column: &ArrayRef, windows: usize) -> Checked<Vec<u32>> {
    if n != windows {
        return Err(format!("it answers {n} rows for {windows} windows"));
    }
    let groups = check_positions(column, windows, windows)?;
    let mut next = 0;
    for group in &groups {
        if *group > next || (next > 0 && *group + 1 < next) {
            return Err(format!("group {group} leaves a gap"));
        }
        next = group + 1;
    }
    Ok(groups)
}
