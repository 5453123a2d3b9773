//! Jobs that are fed by the embedder: rows in and out as [frames](crate::frame).
//!
//! [`hw_start`] opens a script whose tables say `'connector' = 'push'`, [`hw_push`] hands rows in and runs
//! as far as they go, [`hw_take`] hands rows out, [`hw_end`] says that no more will come.

use std::sync::Arc;

use arrow_buffer::Buffer;

use super::guest::Imported;
use super::state::{State, with};
use super::{diagnostics, one, options, text};
use crate::error::{Diagnostic, Result};
use crate::frame::{self, Layout};
use crate::session::{Live, Port};

/// Opens a script for rows that are handed in: a handle, or 0 and diagnostics. The result is
/// `{"warnings", "inputs", "outputs"}`; an entry of the last two is `{"table", "connector", "columns":
/// [{"name", "type", "nullable"}], "updating"}`, its place the number that the other calls take.
///
/// # Safety
/// All pairs point to readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hw_start(
    name: *const u8,
    name_len: u32,
    ptr: *const u8,
    len: u32,
    options_ptr: *const u8,
    options_len: u32,
) -> i32 {
    // SAFETY: the caller's promise.
    let (name, script, json) =
        unsafe { (text(name, name_len), text(ptr, len), text(options_ptr, options_len)) };
    let files = with(|s| s.files.clone());
    match Live::open(&name, &script, &files, Arc::new(Imported), &options(&json)) {
        Ok(live) => with(|s| {
            let list = |ports: Vec<Port>| ports.iter().map(Port::to_json).collect::<Vec<_>>();
            let warnings: Vec<_> = live.warnings().iter().map(Diagnostic::to_json).collect();
            let json = serde_json::json!({
                "warnings": warnings,
                "inputs": list(live.inputs()),
                "outputs": list(live.outputs().to_vec()),
            });
            s.result = json.to_string().into_bytes();
            s.add_live(live)
        }),
        Err(errors) => {
            with(|s| s.result = diagnostics(&errors));
            0
        }
    }
}

/// Runs `work` on a fed job: -1 and diagnostics when it fails or the handle is unknown.
fn on(handle: i32, work: impl FnOnce(&mut Live) -> Result<i32>) -> i32 {
    // The job is taken out while it works: a guest's call may come back into this module's memory.
    let Some(mut live) = with(|s: &mut State| s.take_live(handle)) else {
        let error = Diagnostic::new("embed.handle", format!("there is no fed job {handle}"));
        with(|s| s.result = one(&error));
        return -1;
    };
    let status = work(&mut live);
    with(|s| {
        s.live.push((handle, live));
        status.unwrap_or_else(|e| {
            s.result = one(&e);
            -1
        })
    })
}

/// Hands a frame of rows to a table and runs as far as the input goes: 1 more may come, 0 finished, -1
/// and diagnostics.
///
/// The bytes become the engine's: they must be one whole room of [`super::hw_alloc`] and must not be
/// freed or touched again, whatever the answer.
///
/// # Safety
/// `ptr` and `len` are of one [`super::hw_alloc`], not given back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hw_push(handle: i32, input: u32, ptr: *mut u8, len: u32) -> i32 {
    // SAFETY: the caller's promise.
    let room = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(ptr, len as usize)) };
    let buffer = Buffer::from_vec(room.into_vec());
    on(handle, |live| {
        let frame = frame::decode(&buffer)?;
        if frame.kinds.is_some() {
            let error = Diagnostic::new("source.pushed", "rows handed in cannot be updates");
            return Err(error.hint("leave the row kinds out of the frame"));
        }
        Ok(i32::from(!live.push(input as usize, &frame.types, frame.columns)?))
    })
}

/// Says that a table has ended, and runs as far as the input goes: 1 other tables have not, 0 finished,
/// -1 and diagnostics.
#[unsafe(no_mangle)]
pub extern "C" fn hw_end(handle: i32, input: u32) -> i32 {
    on(handle, |live| Ok(i32::from(!live.end(input as usize)?)))
}

/// The next rows of an output as a frame: how many, 0 when there are none now, -1 and diagnostics.
#[unsafe(no_mangle)]
pub extern "C" fn hw_take(handle: i32, output: u32) -> i32 {
    on(handle, |live| {
        let Some(batch) = live.take(output as usize) else { return Ok(0) };
        let types: Vec<_> = batch.schema.fields.iter().map(|f| f.data_type).collect();
        let kinds = batch.kinds.as_deref();
        let layout = Layout::new(batch.rows, &types, &batch.columns, kinds)?;
        with(|s| {
            s.result.resize(layout.len(), 0);
            layout.write(&types, &batch.columns, kinds, &mut s.result);
        });
        Ok(i32::try_from(batch.rows).unwrap_or(i32::MAX))
    })
}

/// What a fed job has done so far, as JSON like that of [`super::hw_run`].
#[unsafe(no_mangle)]
pub extern "C" fn hw_report(handle: i32) -> i32 {
    on(handle, |live| {
        let json = super::report(&live.report());
        with(|s| s.result = json.to_string().into_bytes());
        Ok(1)
    })
}
