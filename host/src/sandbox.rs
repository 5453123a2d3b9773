//! Runs guests under wasmtime: no clock, no files, no randomness, only a log.

use std::sync::OnceLock;
use std::time::Duration;

use arrow_buffer::MutableBuffer;
use highwater_engine::error::{Diagnostic, Result};
use highwater_engine::udf::{Instance, LogLine, Sandbox, Trap};
use wasmtime::{
    Caller, Extern, Func, Linker, Memory, Store, StoreLimits, StoreLimitsBuilder, TypedFunc, Val,
    ValType,
};

use crate::runtime::{Code, TICK, compile, engine};

/// The most memory an instance may have, in bytes. The meter's own cap, lower and equal on all hosts,
/// is what guests meet; this one holds should the meter ever fail.
const MEMORY_BYTES: usize = 64 << 20;
/// The most elements of a guest's table.
const TABLE_ELEMENTS: usize = 10_000;
/// The longest line of a guest's log, in bytes.
const LOG_LINE_BYTES: usize = 1024;
/// The most lines kept between two [`Instance::take_log`].
const LOG_LINES: usize = 64;
/// The level of a message given to `hw.abort`.
const ABORT_LEVEL: u8 = 255;

/// The host's sandbox. All of a process's sandboxes share one engine and its compiled modules.
#[derive(Clone, Debug)]
pub struct WasmtimeSandbox {
    timeout: Duration,
}

impl Default for WasmtimeSandbox {
    /// A sandbox whose calls may last 10 seconds: thousands of times what the meter's fuel allows.
    fn default() -> WasmtimeSandbox {
        WasmtimeSandbox { timeout: Duration::from_secs(10) }
    }
}

impl WasmtimeSandbox {
    /// A sandbox that ends a call after about `timeout` of wall-clock time. The meter's fuel must run out
    /// before, or results depend on the machine.
    pub fn with_timeout(timeout: Duration) -> WasmtimeSandbox {
        WasmtimeSandbox { timeout }
    }

    fn ticks(&self) -> u64 {
        let ticks = self.timeout.as_millis() / TICK.as_millis();
        u64::try_from(ticks).unwrap_or(u64::MAX >> 1).saturating_add(1)
    }
}

impl Sandbox for WasmtimeSandbox {
    fn instantiate(&self, metered: &[u8]) -> Result<Box<dyn Instance>> {
        let module = compile(Code::Guest, metered)?;
        let limits = StoreLimitsBuilder::new()
            .memory_size(MEMORY_BYTES)
            .table_elements(TABLE_ELEMENTS)
            .instances(1)
            .tables(1)
            .memories(1)
            .trap_on_grow_failure(true)
            .build();
        let mut store = Store::new(engine(Code::Guest)?, GuestState { limits, log: Vec::new() });
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(self.ticks());
        let instance = linker()?.instantiate(&mut store, &module).map_err(refused)?;
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| {
            Diagnostic::new("host.refused-module", "the guest exports no memory called `memory`")
        })?;
        let ticks = self.ticks();
        Ok(Box::new(WasmtimeInstance { store, instance, memory, ticks, exports: Vec::new() }))
    }
}

fn refused(error: wasmtime::Error) -> highwater_engine::error::Error {
    Diagnostic::new("host.refused-module", format!("wasmtime cannot start the guest: {error:#}"))
}

/// What a guest's imports see of the host.
struct GuestState {
    limits: StoreLimits,
    log: Vec<LogLine>,
}

impl GuestState {
    fn say(&mut self, level: u8, text: &str) {
        if self.log.len() < LOG_LINES {
            let text = text[..text.floor_char_boundary(LOG_LINE_BYTES)].to_owned();
            self.log.push(LogLine { level, text });
        }
    }
}

/// The imports of every guest, defined once.
fn linker() -> Result<&'static Linker<GuestState>> {
    static LINKER: OnceLock<std::result::Result<Linker<GuestState>, String>> = OnceLock::new();
    let engine = engine(Code::Guest)?;
    let linker = LINKER.get_or_init(|| {
        let mut linker = Linker::new(engine);
        define(&mut linker).map_err(|e| format!("{e:#}"))?;
        Ok(linker)
    });
    linker.as_ref().map_err(|reason| {
        Diagnostic::new("host.no-wasm", format!("wasmtime refuses the guest's imports: {reason}"))
    })
}

fn define(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    type Guest<'a> = Caller<'a, GuestState>;
    linker.func_wrap("hw", "log", |mut guest: Guest<'_>, level: i32, ptr: i32, len: i32| {
        let text = text_at(&mut guest, ptr, len)?;
        // Levels above the known ones would pass for an abort.
        guest.data_mut().say(level.clamp(0, 4) as u8, &text);
        wasmtime::Result::Ok(())
    })?;
    linker.func_wrap("hw", "abort", |mut guest: Guest<'_>, ptr: i32, len: i32| {
        let text = text_at(&mut guest, ptr, len)?;
        guest.data_mut().say(ABORT_LEVEL, &text);
        wasmtime::Result::<()>::Err(wasmtime::Error::msg("the guest called hw.abort"))
    })?;
    linker.func_wrap(
        "env",
        "abort",
        |mut guest: Guest<'_>, message: i32, file: i32, line: i32, column: i32| {
            let message = assemblyscript_text(&mut guest, message);
            let file = assemblyscript_text(&mut guest, file);
            guest.data_mut().say(ABORT_LEVEL, &format!("{message} ({file}:{line}:{column})"));
            wasmtime::Result::<()>::Err(wasmtime::Error::msg("the guest called env.abort"))
        },
    )?;
    Ok(())
}

fn memory_of<'a>(guest: &'a mut Caller<'_, GuestState>) -> wasmtime::Result<&'a [u8]> {
    match guest.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory.data(guest)),
        _ => Err(wasmtime::Error::msg("the guest exports no memory")),
    }
}

/// A text in the guest's memory, at most one line of the log long. A range outside memory is a trap.
fn text_at(guest: &mut Caller<'_, GuestState>, ptr: i32, len: i32) -> wasmtime::Result<String> {
    let memory = memory_of(guest)?;
    // i32 bit patterns are u32 addresses; as usize their sum cannot wrap.
    let (start, len) = (ptr as u32 as usize, len as u32 as usize);
    let bytes = start
        .checked_add(len)
        .and_then(|end| memory.get(start..end))
        .ok_or_else(|| wasmtime::Error::msg("a log text outside the guest's memory"))?;
    Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(LOG_LINE_BYTES)]).into_owned())
}

/// An AssemblyScript string: UTF-16, its length in bytes in the four bytes before it. Empty when it
/// lies outside memory: the guest is dying anyway.
fn assemblyscript_text(guest: &mut Caller<'_, GuestState>, ptr: i32) -> String {
    let mut read = || {
        let memory = memory_of(guest).ok()?;
        let start = ptr as u32 as usize;
        let length = memory.get(start.checked_sub(4)?..start)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let bytes = memory.get(start..start.checked_add(length)?)?;
        let bytes = &bytes[..bytes.len().min(LOG_LINE_BYTES)];
        let units: Vec<u16> =
            bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        Some(String::from_utf16_lossy(&units))
    };
    read().unwrap_or_default()
}

/// A guest alive in its own store.
struct WasmtimeInstance {
    store: Store<GuestState>,
    instance: wasmtime::Instance,
    memory: Memory,
    ticks: u64,
    /// Exports looked up so far, `None` for what is no function of `i32`s.
    exports: Vec<(String, Option<Export>)>,
}

/// A callable export, its types checked once.
enum Export {
    /// `() -> i32`
    Ask(TypedFunc<(), i32>),
    /// `i32 -> i32`
    One(TypedFunc<i32, i32>),
    /// `(i32, i32) -> i32`
    Two(TypedFunc<(i32, i32), i32>),
    /// `(i32, i32, i32) -> i32`
    Three(TypedFunc<(i32, i32, i32), i32>),
    /// Any other number of `i32`s, and 0 or 1 result.
    Other(Func, usize),
}

impl WasmtimeInstance {
    /// Where an export stands among those looked up.
    fn position(&mut self, name: &str) -> usize {
        // A guest has a handful: going through them is quicker than any tree.
        if let Some(known) = self.exports.iter().position(|(known, _)| known == name) {
            return known;
        }
        let found = self.instance.get_func(&mut self.store, name).and_then(|func| {
            let ty = func.ty(&self.store);
            let mut types = ty.params().chain(ty.results());
            let (params, results) = (ty.params().len(), ty.results().len());
            if results > 1 || !types.all(|t| matches!(t, ValType::I32)) {
                return None;
            }
            let store = &self.store;
            Some(match (params, results) {
                (0, 1) => Export::Ask(func.typed(store).ok()?),
                (1, 1) => Export::One(func.typed(store).ok()?),
                (2, 1) => Export::Two(func.typed(store).ok()?),
                (3, 1) => Export::Three(func.typed(store).ok()?),
                _ => Export::Other(func, results),
            })
        });
        self.exports.push((name.to_owned(), found));
        self.exports.len() - 1
    }
}

impl Instance for WasmtimeInstance {
    fn call(&mut self, export: &str, args: &[i32]) -> std::result::Result<i32, Trap> {
        let place = self.position(export);
        let (store, export) = (&mut self.store, &self.exports[place].1);
        store.set_epoch_deadline(self.ticks);
        let result = match (export, args) {
            (Some(Export::Ask(func)), []) => func.call(store, ()),
            (Some(Export::One(func)), [a]) => func.call(store, *a),
            (Some(Export::Two(func)), [a, b]) => func.call(store, (*a, *b)),
            (Some(Export::Three(func)), [a, b, c]) => func.call(store, (*a, *b, *c)),
            (Some(Export::Other(func, count)), args) => {
                let args: Vec<Val> = args.iter().map(|a| Val::I32(*a)).collect();
                let mut results = [Val::I32(0)];
                let called = func.call(store, &args, &mut results[..*count]);
                called.map(|()| results[0].unwrap_i32())
            }
            _ => return Err(Trap),
        };
        match result {
            Ok(result) => Ok(result),
            Err(error) => {
                if matches!(error.downcast_ref(), Some(wasmtime::Trap::Interrupt)) {
                    let text = "ended by the host's clock: the meter did not stop it in time";
                    self.store.data_mut().say(ABORT_LEVEL, text);
                }
                Err(Trap)
            }
        }
    }

    fn read(&mut self, address: u32, into: &mut [u8]) -> bool {
        self.memory.read(&self.store, address as usize, into).is_ok()
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> bool {
        self.memory.write(&mut self.store, address as usize, bytes).is_ok()
    }

    fn append(&mut self, address: u32, len: usize, into: &mut MutableBuffer) -> bool {
        let start = address as usize;
        let part =
            start.checked_add(len).and_then(|end| self.memory.data(&self.store).get(start..end));
        part.map(|bytes| into.extend_from_slice(bytes)).is_some()
    }

    fn clear(&mut self, address: u32, len: usize) -> bool {
        let start = address as usize;
        let memory = self.memory.data_mut(&mut self.store);
        let part = start.checked_add(len).and_then(|end| memory.get_mut(start..end));
        part.map(|bytes| bytes.fill(0)).is_some()
    }

    fn take_log(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.store.data_mut().log)
    }
}
