//! The wasmtime engines of the process: their configuration, the guests' clock, compiled modules.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use highwater_engine::error::{Diagnostic, Result};
use sha2::{Digest, Sha256};
use wasmtime::{Config, Engine, Module, Strategy};

/// How often the epoch advances. Epochs are a backstop against a runtime bug, never a limit a guest
/// should meet, so they may be coarse.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// The machine stack WebAssembly may use, in bytes. The meter's own call depth ends a guest's recursion
/// well before this, at the same call on every host.
const STACK_BYTES: usize = 1 << 20;

/// Whose code a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    /// A user's: it is ended when it runs too long.
    Guest,
    /// `engine.wasm`: it may compute as long as the user likes, so its loops look at no clock.
    Own,
}

/// The process's engine for such code, made at first use; the guests' with the thread that advances its epoch.
///
/// # Errors
/// When wasmtime cannot work on this machine.
pub(crate) fn engine(code: Code) -> Result<&'static Engine> {
    type Started = OnceLock<std::result::Result<Engine, String>>;
    static GUESTS: Started = OnceLock::new();
    static OWN: Started = OnceLock::new();
    let engine = match code {
        Code::Guest => GUESTS.get_or_init(start_for_guests),
        Code::Own => OWN.get_or_init(|| new(&config(Code::Own))),
    };
    engine.as_ref().map_err(|reason| {
        Diagnostic::new("host.no-wasm", format!("wasmtime does not work on this machine: {reason}"))
    })
}

fn new(config: &Config) -> std::result::Result<Engine, String> {
    Engine::new(config).map_err(|e| format!("{e:#}"))
}

fn start_for_guests() -> std::result::Result<Engine, String> {
    let engine = new(&config(Code::Guest))?;
    let weak = engine.weak();
    std::thread::Builder::new()
        .name("highwater-epoch".into())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .map_err(|e| e.to_string())?;
    Ok(engine)
}

/// Everything a guest does not need is off: what cannot be reached cannot be attacked. Fuel and
/// canonical NaN are not wasmtime's business: the engine's meter writes both into the module, so that
/// browsers count the same.
fn config(code: Code) -> Config {
    let mut c = Config::new();
    c.strategy(Strategy::Cranelift)
        .epoch_interruption(code == Code::Guest)
        .max_wasm_stack(STACK_BYTES)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        .wasm_simd(code == Code::Own)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_custom_page_sizes(false)
        .wasm_extended_const(false)
        .wasm_wide_arithmetic(false)
        .wasm_function_references(false)
        .wasm_gc(false)
        .wasm_exceptions(false)
        .shared_memory(false);
    c
}

/// The compiled form of a module, kept by the hash of its bytes as long as the process lives.
///
/// # Errors
/// When wasmtime refuses the bytes.
pub(crate) fn compile(code: Code, bytes: &[u8]) -> Result<Module> {
    type Modules = HashMap<(Code, [u8; 32]), Module>;
    static MODULES: OnceLock<Mutex<Modules>> = OnceLock::new();
    /// Far more than one job's guests; a long-lived process that edits guests must not grow for ever.
    const KEPT: usize = 64;

    let hash = (code, Sha256::digest(bytes).into());
    let modules = MODULES.get_or_init(Mutex::default);
    if let Some(module) = modules.lock().unwrap_or_else(PoisonError::into_inner).get(&hash) {
        return Ok(module.clone());
    }
    let module = Module::new(engine(code)?, bytes).map_err(|e| {
        Diagnostic::new("host.refused-module", format!("wasmtime refuses the module: {e:#}"))
    })?;
    let mut modules = modules.lock().unwrap_or_else(PoisonError::into_inner);
    if modules.len() >= KEPT {
        modules.clear();
    }
    modules.insert(hash, module.clone());
    Ok(module)
}
