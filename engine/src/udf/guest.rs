//! A guest as operators call it: typed columns in, checked columns out, accumulators in a slab.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use highwater_abi::{Column, Output, export};

use super::Sandbox;
use super::call::{Call, Caller, Want, bad};
use super::checks::{Assigned, check_groups, check_positions, check_windows};
use super::concat::concat;
use super::frame::{FrameWriter, Rows};
use super::manifest::Typed;
use super::module::GuestModule;
use super::slots::{Dense, Touched, scatter};
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
    touched: Touched,
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
        Guest {
            caller: Caller::new(module, sandbox, parameters.to_vec()),
            touched: Touched::default(),
        }
    }

    /// Whether somebody looks. If not, instances are kept for longer, and [`Call::pages`] then depends on
    /// earlier calls.
    pub fn trace(&mut self, traced: bool) {
        self.caller.traced = traced;
    }

    /// The module.
    pub fn module(&self) -> &GuestModule {
        &self.caller.module
    }

    /// Whether windows of one key may become one: the guest can merge accumulators.
    pub fn merges(&self) -> bool {
        self.caller.module.has(export::WIN_MERGE)
    }

    /// Whether the guest makes its own new accumulators; without that they are zeros.
    pub fn initialises(&self) -> bool {
        self.caller.module.has(export::WIN_INIT)
    }

    /// Bytes of one accumulator in a slab.
    pub fn stride(&self) -> u32 {
        self.caller.module.manifest().state_layout().1
    }

    /// The windows of each of the given rows, counted as positions in `rows`. A window holds its row's event
    /// time. A row may be in no window.
    ///
    /// # Errors
    /// [`Failure`], `row` a position in `rows`.
    pub fn assign(
        &mut self,
        times: &[i64],
        columns: &[ArrayRef],
        rows: &[u32],
        calls: &mut Vec<Call>,
    ) -> std::result::Result<Assigned, Failure> {
        let mut windows = Assigned::default();
        self.halving(0..rows.len(), calls, &mut |guest, range, calls| {
            let part = &rows[range.clone()];
            let columns_in = 1 + columns.len();
            let mut writer = guest.writer(columns_in as u16, part.len() as u32);
            let inputs = &guest.module.manifest().inputs[0].columns;
            write_rows(&mut writer, inputs, times, columns, part);
            // A window a row, eight bytes and a bit a cell: as the SDK lays its answers out.
            let frame = writer.finish(room(3, part.len() * 25));
            let types = [DataType::Int, DataType::Timestamp, DataType::Timestamp];
            let most = part.len().saturating_mul(MAX_WINDOWS_PER_ROW);
            let done = guest.call(export::WIN_ASSIGN, frame, Want::Columns(&types, most), calls)?;
            let told = check_windows(&done.columns, part.len(), |row| times[part[row] as usize]);
            let found = told.map_err(|lie| bad(export::WIN_ASSIGN, &lie))?;
            windows.append(found, range.start as u32);
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
        let mut writer = self.caller.writer(2, windows.len() as u32);
        writer.timestamps(windows.iter().map(|w| w.0));
        writer.timestamps(windows.iter().map(|w| w.1));
        let frame = writer.finish(room(1, windows.len() * 9));
        let want = Want::Columns(&[DataType::Int], windows.len());
        let answer = self.caller.call(export::WIN_MERGE_WINDOWS, frame, want, calls);
        let answer = answer.and_then(|done| {
            let told = check_groups(done.rows, &done.columns[0], windows.len());
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
                let mut writer = guest.writer(0, range.len() as u32);
                writer.state(&slab[part.clone()], stride, range.len() as u32);
                let done =
                    guest.call(export::WIN_INIT, writer.finish(room(0, 0)), Want::State, calls)?;
                slab[part].copy_from_slice(&done.state);
                guest.recycle(done);
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
        let mut touched = std::mem::take(&mut self.touched);
        let done = self.halving(0..rows.len(), calls, &mut |guest, range, calls| {
            let (part, slots) = (&rows[range.clone()], &slots[range]);
            touched.renumber(slots);
            let mut writer = guest.writer(2 + columns.len() as u16, part.len() as u32);
            let inputs = &guest.module.manifest().inputs[0].columns;
            write_rows(&mut writer, inputs, times, columns, part);
            writer.positions(&touched.places);
            let used = &touched.used;
            writer.state_of(used, slab, stride);
            let frame = writer.finish(room(0, 0));
            let done = guest.call(export::WIN_ACCUMULATE, frame, Want::State, calls)?;
            scatter(used, &done.state, slab, stride);
            guest.recycle(done);
            Ok(())
        });
        self.touched = touched;
        done
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
            let into = dense.positions(part.iter().map(|p| p.0));
            let from = dense.positions(part.iter().map(|p| p.1));
            let mut writer = guest.writer(2, part.len() as u32);
            writer.positions(&into);
            writer.positions(&from);
            writer.state_of(&dense.used, slab, stride);
            let frame = writer.finish(room(0, 0));
            let done = guest.call(export::WIN_MERGE, frame, Want::State, calls)?;
            scatter(&dense.used, &done.state, slab, stride);
            guest.recycle(done);
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
            let mut writer = guest.writer(2, part.len() as u32);
            writer.timestamps(part.iter().map(|w| w.0));
            writer.timestamps(part.iter().map(|w| w.1));
            writer.state(&slab[bytes_of(&range, stride)], stride, part.len() as u32);
            let frame = writer.finish(room(types.len(), part.len() * 16 * types.len()));
            let most = part.len().saturating_mul(MAX_ROWS_PER_SLOT);
            let want = Want::Columns(&types, most);
            let mut columns = guest.call(export::WIN_RESULT, frame, want, calls)?.columns;
            let told = check_positions(&columns.remove(0), part.len(), MAX_ROWS_PER_SLOT);
            let rows = told.map_err(|lie| bad(export::WIN_RESULT, &lie))?;
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
            let left_places = lefts.positions(part.iter().map(|p| p.0));
            let right_places = rights.positions(part.iter().map(|p| p.1));
            let inputs = &guest.module.manifest().inputs;
            let columns = 4 + inputs[0].columns.len() + inputs[1].columns.len();
            let mut writer = guest.writer(columns as u16, part.len() as u32);
            let inputs = &guest.module.manifest().inputs;
            for (side, input, used) in [(left, &inputs[0], &lefts), (right, &inputs[1], &rights)] {
                let rows = used.select(side.rows);
                write_rows(&mut writer, &input.columns, side.times, side.columns, &rows);
            }
            writer.positions(&left_places);
            writer.positions(&right_places);
            let frame = writer.finish(room(1, part.len().div_ceil(8)));
            let want = Want::Columns(&[DataType::Boolean], part.len());
            let done = guest.call(export::JOIN_MATCH, frame, want, calls)?;
            if done.rows != part.len() {
                let lie = format!("it answers {} rows for {} pairs", done.rows, part.len());
                return Err(bad(export::JOIN_MATCH, &lie));
            }
            matched.extend(done.columns[0].as_boolean().iter().map(|m| m == Some(true)));
            Ok(())
        })?;
        Ok(matched)
    }

    /// The values of a function for so many rows of its arguments, one column an argument. The columns of a
    /// strict function hold no NULL.
    ///
    /// # Errors
    /// [`Failure`], `row` the row that fails.
    pub fn function(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        calls: &mut Vec<Call>,
    ) -> std::result::Result<ArrayRef, Failure> {
        let result = self.caller.module.manifest().output[0].data_type;
        let mut parts = Vec::new();
        self.halving(0..rows, calls, &mut |guest, range, calls| {
            let mut writer = guest.writer(columns.len() as u16, range.len() as u32);
            let arguments = &guest.module.manifest().inputs[0].columns;
            assert_eq!(arguments.len(), columns.len(), "one column an argument");
            for (argument, column) in arguments.iter().zip(columns) {
                let rows = Rows::Run(range.start, range.len());
                writer.array(argument.data_type, column, rows);
            }
            let a_row = match result {
                DataType::String | DataType::Bytes => 24,
                _ => 9,
            };
            let frame = writer.finish(room(1, range.len() * a_row));
            let want = Want::Columns(&[result], range.len());
            let done = guest.call(export::FN_CALL, frame, want, calls)?;
            if done.rows != range.len() {
                let lie = format!("the answer has {} rows for {}", done.rows, range.len());
                return Err(bad(export::FN_CALL, &lie));
            }
            parts.push(done.columns);
            Ok(())
        })?;
        Ok(concat(&[result], parts).remove(0))
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
fn write_rows<'a>(
    writer: &mut FrameWriter<'a>,
    inputs: &[Typed],
    times: &'a [i64],
    columns: &'a [ArrayRef],
    rows: &[u32],
) {
    assert_eq!(inputs.len(), columns.len(), "one array a column of the manifest");
    let rows = Rows::of(rows);
    writer.times(times, rows);
    for (input, column) in inputs.iter().zip(columns) {
        writer.array(input.data_type, column, rows);
    }
}

/// One try at a range of rows. It changes nothing unless it succeeds.
type Attempt<'a> = dyn FnMut(&mut Caller, Range<usize>, &mut Vec<Call>) -> Result<()> + 'a;

/// A first guess at the room an answer needs; a guest that needs more says so.
fn room(columns: usize, bytes: usize) -> usize {
    Output::LEN + columns * (Column::LEN + 16) + bytes + 256
}

fn bytes_of(slots: &Range<usize>, stride: u32) -> Range<usize> {
    slots.start * stride as usize..slots.end * stride as usize
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
