//! Guests run by whoever runs `engine.wasm`: the module's only imports.

use crate::error::{Diagnostic, Result};
use crate::udf::{Instance, LogLine, Sandbox, Trap};

#[cfg(target_arch = "wasm32")]
#[link(wasm_import_module = "highwater")]
unsafe extern "C" {
    fn guest_new(ptr: *const u8, len: u32) -> i32;
    fn guest_call(
        guest: i32,
        name: *const u8,
        name_len: u32,
        args: *const u8,
        argc: u32,
        ret: *mut u8,
    ) -> i32;
    fn guest_read(guest: i32, address: u32, ptr: *mut u8, len: u32) -> i32;
    fn guest_write(guest: i32, address: u32, ptr: *const u8, len: u32) -> i32;
    fn guest_log(guest: i32, ptr: *mut u8, cap: u32) -> i32;
    fn guest_drop(guest: i32);
}

/// Natively nothing is imported: these are never called, they only let the crate link.
#[cfg(not(target_arch = "wasm32"))]
mod absent {
    pub unsafe fn guest_new(_: *const u8, _: u32) -> i32 {
        -1
    }
    pub unsafe fn guest_call(
        _: i32,
        _: *const u8,
        _: u32,
        _: *const u8,
        _: u32,
        _: *mut u8,
    ) -> i32 {
        1
    }
    pub unsafe fn guest_read(_: i32, _: u32, _: *mut u8, _: u32) -> i32 {
        0
    }
    pub unsafe fn guest_write(_: i32, _: u32, _: *const u8, _: u32) -> i32 {
        0
    }
    pub unsafe fn guest_log(_: i32, _: *mut u8, _: u32) -> i32 {
        0
    }
    pub unsafe fn guest_drop(_: i32) {}
}
#[cfg(not(target_arch = "wasm32"))]
use absent::*;

/// The most bytes of log taken at a time.
const LOG_BYTES: usize = 128 << 10;

/// The longest line of a guest's log.
const LINE_BYTES: usize = 1024;

/// The sandbox of the embedder.
pub(super) struct Imported;

impl Sandbox for Imported {
    fn instantiate(&self, metered: &[u8]) -> Result<Box<dyn Instance>> {
        // SAFETY: the pair describes `metered`.
        let guest = unsafe { guest_new(metered.as_ptr(), metered.len() as u32) };
        if guest < 0 {
            return Err(Diagnostic::new("guest.host", "the embedder cannot run this guest")
                .hint("it must compile and instantiate any module that the engine hands it"));
        }
        Ok(Box::new(Handle { guest, log: Vec::new() }))
    }
}

struct Handle {
    guest: i32,
    /// Where its log is put before it is read: asked for after each call, and mostly empty.
    log: Vec<u8>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own.
        unsafe { guest_drop(self.guest) }
    }
}

impl Instance for Handle {
    fn call(&mut self, export: &str, args: &[i32]) -> std::result::Result<i32, Trap> {
        let args: Vec<u8> = args.iter().flat_map(|a| a.to_le_bytes()).collect();
        let mut answer = [0; 4];
        // SAFETY: every pair describes a live buffer; `answer` has room for one i32.
        let status = unsafe {
            guest_call(
                self.guest,
                export.as_ptr(),
                export.len() as u32,
                args.as_ptr(),
                (args.len() / 4) as u32,
                answer.as_mut_ptr(),
            )
        };
        if status == 0 { Ok(i32::from_le_bytes(answer)) } else { Err(Trap) }
    }

    fn read(&mut self, address: u32, into: &mut [u8]) -> bool {
        // SAFETY: the pair describes `into`.
        unsafe { guest_read(self.guest, address, into.as_mut_ptr(), into.len() as u32) == 1 }
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> bool {
        // SAFETY: the pair describes `bytes`.
        unsafe { guest_write(self.guest, address, bytes.as_ptr(), bytes.len() as u32) == 1 }
    }

    fn take_log(&mut self) -> Vec<LogLine> {
        self.log.resize(LOG_BYTES, 0);
        // SAFETY: the pair describes `log`.
        let len = unsafe { guest_log(self.guest, self.log.as_mut_ptr(), LOG_BYTES as u32) };
        let mut rest = &self.log[..usize::try_from(len).unwrap_or(0).min(LOG_BYTES)];
        let mut lines = Vec::new();
        while let [level, a, b, c, d, tail @ ..] = rest {
            let len = (u32::from_le_bytes([*a, *b, *c, *d]) as usize).min(tail.len());
            let mut text = String::from_utf8_lossy(&tail[..len]).into_owned();
            // Replaced bytes may have made it longer: cut as every sandbox cuts.
            text.truncate(text.floor_char_boundary(LINE_BYTES));
            lines.push(LogLine { level: *level, text });
            rest = &tail[len..];
        }
        lines
    }
}
