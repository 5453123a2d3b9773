//! User-defined operators and functions: what a guest module is, what may run it, how it is metered.

mod answer;
mod body;
pub mod call;
mod checks;
mod code;
mod concat;
mod frame;
mod gate;
pub mod guest;
mod helpers;
pub mod manifest;
mod manifest_json;
mod meter;
mod module;
mod registry;
mod reply;
mod shape;
mod slots;

pub use call::Call;
pub use checks::Assigned;
pub use guest::{Failure, Guest, MAX_ROWS_PER_SLOT, MAX_WINDOWS_PER_ROW, Side};
pub use manifest::pack;
pub use meter::METER_VERSION;
pub use module::GuestModule;
pub use registry::Guests;

use arrow_buffer::MutableBuffer;

use crate::error::Result;

/// The export by which the meter is given the fuel of a call: `(fuel_lo, fuel_hi)`.
pub const WIND_UP: &str = meter::helper::BEGIN;

/// Whether an export is one that the meter adds to call an operator: `(frame, fuel_lo, fuel_hi) -> status`.
pub fn runs_operator(export: &str) -> bool {
    meter::helper::RUN.iter().any(|(_, run)| *run == export)
}

/// The limits a guest runs under. Equal on every host: they are part of the trace's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for one call: a base plus so much a row, counted by the injected meter.
    pub fuel_base: u64,
    /// Fuel a row of the frame.
    pub fuel_per_row: u64,
    /// The largest linear memory, in 64 KiB pages.
    pub memory_pages: u32,
    /// The deepest nest of calls, weighted by the size of frames.
    pub call_depth: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { fuel_base: 5_000_000, fuel_per_row: 50_000, memory_pages: 256, call_depth: 2_000 }
    }
}

impl Limits {
    /// The fuel of one call about so many rows.
    pub fn fuel(&self, rows: u32) -> u64 {
        let rows = self.fuel_per_row.saturating_mul(u64::from(rows));
        self.fuel_base.saturating_add(rows).min(i64::MAX as u64)
    }
}

/// Whatever runs guests: wasmtime in the host, the page's worker, the embedder of `engine.wasm`.
///
/// It is handed bytes that have passed the admission gate and the meter, so it needs no limits of its
/// own for a result; wall-clock backstops are its business.
pub trait Sandbox: Send + Sync {
    /// Compiles and instantiates a metered module.
    ///
    /// # Errors
    /// When the runtime refuses the bytes: a fault of the host, never a guest's.
    fn instantiate(&self, metered: &[u8]) -> Result<Box<dyn Instance>>;
}

/// A live guest. Thrown away after any trap.
pub trait Instance: Send {
    /// Calls an export that takes and returns `i32`s.
    ///
    /// # Errors
    /// `Trap` when the guest trapped.
    fn call(&mut self, export: &str, args: &[i32]) -> std::result::Result<i32, Trap>;

    /// Copies from the guest's memory; `false` when out of bounds.
    fn read(&mut self, address: u32, into: &mut [u8]) -> bool;

    /// Copies into the guest's memory; `false` when out of bounds.
    fn write(&mut self, address: u32, bytes: &[u8]) -> bool;

    /// Appends `len` bytes of the guest's memory; `false` when out of bounds.
    fn append(&mut self, address: u32, len: usize, into: &mut MutableBuffer) -> bool {
        let start = into.len();
        into.resize(start + len, 0);
        self.read(address, &mut into[start..])
    }

    /// Makes a stretch of the guest's memory zeros; `false` when out of bounds.
    fn clear(&mut self, address: u32, len: usize) -> bool {
        static ZEROS: [u8; 4096] = [0; 4096];
        (0..len).step_by(ZEROS.len()).all(|from| {
            let part = &ZEROS[..ZEROS.len().min(len - from)];
            address.checked_add(from as u32).is_some_and(|address| self.write(address, part))
        })
    }

    /// What the guest said through `hw.log` and `hw.abort` since the last call of this, oldest first.
    fn take_log(&mut self) -> Vec<LogLine>;
}

/// The guest trapped. Why is read from the meter's own globals, the same on every host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap;

/// One line of a guest's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// 0 trace, 1 debug, 2 info, 3 warn, 4 error; 255: the message of `hw.abort`.
    pub level: u8,
    /// UTF-8, made lossless by replacement, at most 1 KiB.
    pub text: String,
}
