//! The C ABI of `engine.wasm`: sessions behind handles, bytes in and out of linear memory.
//!
//! A call's result bytes stand at `hw_result_ptr`, `hw_result_len` until the next call. Numbers of 64
//! bits travel as two halves, the low one first. Nothing here decides anything: it is
//! [`crate::session`] for callers that only have a WebAssembly runtime.

#![allow(unsafe_code, reason = "pointers of a C ABI")]

mod guest;
mod live;
mod state;

use std::sync::Arc;

use crate::error::{Diagnostic, Error};
use crate::runner::Report;
use crate::session::{Fast, Options, Rows, Session, needs};
use crate::trace;

use guest::Imported;
use state::{State, with};

/// The ABI's version.
#[unsafe(no_mangle)]
pub extern "C" fn hw_abi() -> i32 {
    1
}

/// Room for the caller's bytes, to be written whole: what it holds before that is nothing in particular.
#[unsafe(no_mangle)]
pub extern "C" fn hw_alloc(len: u32) -> *mut u8 {
    Box::into_raw(Box::<[u8]>::new_uninit_slice(len as usize)).cast()
}

/// Gives room back.
///
/// # Safety
/// `ptr` and `len` are of one [`hw_alloc`], given back once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hw_free(ptr: *mut u8, len: u32) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(ptr, len as usize)) });
}

/// Where the last call's result stands.
#[unsafe(no_mangle)]
pub extern "C" fn hw_result_ptr() -> *const u8 {
    with(|s| s.result.as_ptr())
}

/// How long the last call's result is.
#[unsafe(no_mangle)]
pub extern "C" fn hw_result_len() -> u32 {
    with(|s| s.result.len() as u32)
}

/// The caller's bytes.
///
/// # Safety
/// `ptr` points to `len` readable bytes that stay as they are during the call.
unsafe fn bytes<'a>(ptr: *const u8, len: u32) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(ptr, len as usize) }
}

/// The caller's text; what is not UTF-8 is replaced.
///
/// # Safety
/// As [`bytes`].
unsafe fn text(ptr: *const u8, len: u32) -> String {
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { bytes(ptr, len) }).into_owned()
}

fn diagnostics(errors: &[Diagnostic]) -> Vec<u8> {
    let list: Vec<_> = errors.iter().map(Diagnostic::to_json).collect();
    serde_json::json!({ "diagnostics": list }).to_string().into_bytes()
}

fn one(error: &Error) -> Vec<u8> {
    diagnostics(std::slice::from_ref(&**error))
}

/// Gives a file by the name a script uses.
///
/// # Safety
/// Both pairs point to readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hw_file(name: *const u8, name_len: u32, data: *const u8, data_len: u32) {
    // SAFETY: the caller's promise.
    let (name, data) = unsafe { (text(name, name_len), bytes(data, data_len)) };
    with(|s| s.files.insert(&name, data));
}

/// What a file needs to be given. 1: `{"needs":[{"path","kind"}]}`; 0: diagnostics.
///
/// # Safety
/// Both pairs point to readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hw_needs(name: *const u8, name_len: u32, ptr: *const u8, len: u32) -> i32 {
    // SAFETY: the caller's promise.
    let (name, script) = unsafe { (text(name, name_len), text(ptr, len)) };
    let (status, result) = match needs(&name, &script) {
        Ok(list) => {
            let list: Vec<_> = list
                .iter()
                .map(|n| serde_json::json!({"path": n.path, "kind": n.kind.name()}))
                .collect();
            (1, serde_json::json!({ "needs": list }).to_string().into_bytes())
        }
        Err(errors) => (0, diagnostics(&errors)),
    };
    with(|s| s.result = result);
    status
}

fn options(json: &str) -> Options {
    let json: serde_json::Value = serde_json::from_slice(json.as_bytes()).unwrap_or_default();
    let narrow = |key: &str| json[key].as_u64().and_then(|n| u32::try_from(n).ok());
    Options {
        seed: json["seed"].as_u64(),
        parallelism: narrow("parallelism"),
        batch_rows: narrow("batch_rows"),
    }
}

/// Opens a file's text: a handle, or 0 and diagnostics.
///
/// # Safety
/// All pairs point to readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hw_open(
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
    let options = options(&json);
    let files = with(|s| s.files.clone());
    match Session::open(&name, &script, &files, Arc::new(Imported), &options) {
        Ok(session) => with(|s| {
            let warnings: Vec<_> = session.warnings().iter().map(Diagnostic::to_json).collect();
            s.result = serde_json::json!({"warnings": warnings}).to_string().into_bytes();
            s.add(state::Open { session, name, script, options, rows: None })
        }),
        Err(errors) => {
            with(|s| s.result = diagnostics(&errors));
            0
        }
    }
}

/// Closes a handle.
#[unsafe(no_mangle)]
pub extern "C" fn hw_close(handle: i32) {
    let closed = with(|s| (s.take(handle), s.take_live(handle)));
    drop(closed);
}

/// What a run did, as JSON.
fn report(report: &Report) -> serde_json::Value {
    serde_json::json!({
        "records": report.records, "bad": report.bad, "late": report.late,
        "rows": report.rows, "fuel": report.fuel,
        "described": report.described,
    })
}

/// Runs `work` on an open session; -1 when the handle is unknown.
fn on(handle: i32, work: impl FnOnce(&mut state::Open) -> (i32, Vec<u8>)) -> i32 {
    // The session is taken out while it works: a guest's call may come back into this module's memory.
    let Some(mut open) = with(|s: &mut State| s.take(handle)) else {
        let error = Diagnostic::new("embed.handle", format!("there is no session {handle}"));
        with(|s| s.result = one(&error));
        return -1;
    };
    let (status, result) = work(&mut open);
    with(|s| {
        s.sessions.push((handle, open));
        s.result = result;
    });
    status
}

fn progress(open: &state::Open) -> (i32, Vec<u8>) {
    let status = open.session.status();
    let code = match (&status.failed, status.finished) {
        (Some(_), _) => -1,
        (None, true) => 0,
        (None, false) => 1,
    };
    (code, status.to_json().to_string().into_bytes())
}

fn wide(lo: u32, hi: u32) -> u64 {
    u64::from(hi) << 32 | u64::from(lo)
}

/// The plan as text.
#[unsafe(no_mangle)]
pub extern "C" fn hw_explain(handle: i32) -> i32 {
    on(handle, |o| (1, o.session.explain().into_bytes()))
}

/// Up to `steps` steps: 1 more to come, 0 finished, -1 failed.
#[unsafe(no_mangle)]
pub extern "C" fn hw_step(handle: i32, steps: u32) -> i32 {
    on(handle, |o| {
        o.session.step(u64::from(steps));
        progress(o)
    })
}

/// Goes to the state right after a step.
#[unsafe(no_mangle)]
pub extern "C" fn hw_seek(handle: i32, lo: u32, hi: u32) -> i32 {
    on(handle, |o| {
        o.session.seek(wide(lo, hi));
        progress(o)
    })
}

/// Injects a fault: 1, or 0 and diagnostics.
///
/// # Safety
/// The pair points to readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hw_inject(handle: i32, ptr: *const u8, len: u32) -> i32 {
    // SAFETY: the caller's promise.
    let fault = unsafe { text(ptr, len) };
    on(handle, |o| match o.session.inject(&fault) {
        Ok(()) => (1, progress(o).1),
        Err(e) => (0, one(&e)),
    })
}

/// The status as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn hw_status(handle: i32) -> i32 {
    on(handle, |o| progress(o))
}

/// A stretch of the trace in its binary form; how many events it holds.
#[unsafe(no_mangle)]
pub extern "C" fn hw_trace(handle: i32, lo: u32, hi: u32, max: u32) -> i32 {
    on(handle, |o| {
        let chunk = o.session.trace(wide(lo, hi), max);
        (chunk.events.len() as i32, trace::encode(&chunk))
    })
}

/// The sinks and their committed rows as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn hw_output(handle: i32) -> i32 {
    on(handle, |o| {
        let tables = o.rows.take().unwrap_or_else(|| o.session.tables());
        let list: Vec<_> = tables.iter().map(Rows::to_json).collect();
        let json = serde_json::json!({ "tables": list }).to_string();
        (1, json.into_bytes())
    })
}

/// The faults that can be injected into the job, each as it is written behind `at now`, a line each.
#[unsafe(no_mangle)]
pub extern "C" fn hw_faults(handle: i32) -> i32 {
    on(handle, |o| (1, o.session.faults().join("\n").into_bytes()))
}

/// The committed rows of all sinks as JSON lines.
#[unsafe(no_mangle)]
pub extern "C" fn hw_rows(handle: i32) -> i32 {
    on(handle, |o| {
        let tables = match &o.rows {
            Some(rows) => rows.iter().map(Rows::jsonl).collect::<String>(),
            None => o.session.tables().iter().map(Rows::jsonl).collect(),
        };
        (1, tables.into_bytes())
    })
}

/// The newest completed checkpoint; 0 when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn hw_snapshot(handle: i32) -> i32 {
    on(handle, |o| match o.session.snapshot() {
        Some(bytes) => (1, bytes),
        None => (0, Vec::new()),
    })
}

/// Starts the job anew from a snapshot: 1, or 0 and diagnostics.
///
/// # Safety
/// The pair points to readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hw_restore(handle: i32, ptr: *const u8, len: u32) -> i32 {
    // SAFETY: the caller's promise.
    let snapshot = unsafe { bytes(ptr, len) };
    on(handle, |o| match o.session.restore(snapshot) {
        Ok(()) => (1, progress(o).1),
        Err(e) => (0, one(&e)),
    })
}

/// An independent copy: its handle.
#[unsafe(no_mangle)]
pub extern "C" fn hw_fork(handle: i32) -> i32 {
    with(|s| {
        let found = s.sessions.iter().find(|(known, _)| *known == handle);
        let copy = found.map(|(_, open)| open.fork());
        copy.map_or(-1, |open| s.add(open))
    })
}

/// Runs the whole job with the fast runner: 0, or -1 and diagnostics. Rows by [`hw_rows`].
#[unsafe(no_mangle)]
pub extern "C" fn hw_run(handle: i32) -> i32 {
    let files = with(|s| s.files.clone());
    on(handle, |o| {
        let fast = Fast::open(&o.name, &o.script, &files, Arc::new(Imported), &o.options);
        let fast = match fast {
            Ok(fast) => fast,
            Err(errors) => return (-1, diagnostics(&errors)),
        };
        let mut rows = fast.sinks();
        let run = fast.run(
            &mut |sink, batch| {
                if rows[sink].spec.connector != "blackhole" {
                    rows[sink].extend(&batch);
                }
                Ok(())
            },
            &mut |_| {},
        );
        match run {
            Ok(report) => {
                o.rows = Some(rows);
                (0, self::report(&report).to_string().into_bytes())
            }
            Err(e) => (-1, one(&e)),
        }
    })
}
