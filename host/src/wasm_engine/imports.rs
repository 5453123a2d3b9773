//! The imports of `engine.wasm`: its guests run in the host's sandbox, not inside the module.

use std::sync::Arc;

use highwater_engine::udf::{Instance, Sandbox};
use wasmtime::{Caller, Error, Extern, Linker, Memory, Result, StoreLimits};

/// What the imports see of the host.
pub(super) struct State {
    sandbox: Arc<dyn Sandbox>,
    guests: Vec<Option<Box<dyn Instance>>>,
    limits: StoreLimits,
}

impl State {
    pub(super) fn new(sandbox: Arc<dyn Sandbox>, limits: StoreLimits) -> State {
        State { sandbox, guests: Vec::new(), limits }
    }

    pub(super) fn limits(&mut self) -> &mut StoreLimits {
        &mut self.limits
    }

    fn guest(&mut self, handle: i32) -> Result<&mut Box<dyn Instance>> {
        usize::try_from(handle).ok().and_then(|g| self.guests.get_mut(g)?.as_mut()).ok_or_else(
            || Error::msg(format!("the engine asks for guest {handle}, which is not alive")),
        )
    }
}

type Engine<'a> = Caller<'a, State>;

/// Defines the six imports. A range outside the engine's own memory is a bug in the engine: a trap.
pub(super) fn define(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap("highwater", "guest_new", guest_new)?;
    linker.func_wrap("highwater", "guest_call", guest_call)?;
    linker.func_wrap("highwater", "guest_read", guest_read)?;
    linker.func_wrap("highwater", "guest_write", guest_write)?;
    linker.func_wrap("highwater", "guest_log", guest_log)?;
    linker.func_wrap("highwater", "guest_drop", guest_drop)?;
    Ok(())
}

fn guest_new(mut engine: Engine<'_>, ptr: u32, len: u32) -> Result<i32> {
    let bytes = range(split(&mut engine)?.0, ptr, len)?.to_vec();
    let state = engine.data_mut();
    let Ok(instance) = state.sandbox.instantiate(&bytes) else { return Ok(-1) };
    let free = state.guests.iter().position(Option::is_none);
    let slot = free.unwrap_or(state.guests.len());
    if free.is_none() {
        state.guests.push(None);
    }
    state.guests[slot] = Some(instance);
    i32::try_from(slot).map_err(|_| Error::msg("too many guests"))
}

fn guest_call(
    mut engine: Engine<'_>,
    guest: i32,
    name_ptr: u32,
    name_len: u32,
    args_ptr: u32,
    argc: u32,
    ret_ptr: u32,
) -> Result<i32> {
    let (memory, state) = split(&mut engine)?;
    let name = std::str::from_utf8(range(memory, name_ptr, name_len)?)?.to_owned();
    let bytes = argc.checked_mul(4).ok_or_else(|| Error::msg("too many arguments"))?;
    let args: Vec<i32> = range(memory, args_ptr, bytes)?
        .chunks_exact(4)
        .map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let Ok(result) = state.guest(guest)?.call(&name, &args) else { return Ok(1) };
    range(memory, ret_ptr, 4)?.copy_from_slice(&result.to_le_bytes());
    Ok(0)
}

fn guest_read(mut engine: Engine<'_>, guest: i32, address: u32, ptr: u32, len: u32) -> Result<i32> {
    let (memory, state) = split(&mut engine)?;
    let into = range(memory, ptr, len)?;
    Ok(i32::from(state.guest(guest)?.read(address, into)))
}

fn guest_write(
    mut engine: Engine<'_>,
    guest: i32,
    address: u32,
    ptr: u32,
    len: u32,
) -> Result<i32> {
    let (memory, state) = split(&mut engine)?;
    let from = range(memory, ptr, len)?;
    Ok(i32::from(state.guest(guest)?.write(address, from)))
}

/// Writes whole lines only: level, length, text. Lines that do not fit are dropped.
fn guest_log(mut engine: Engine<'_>, guest: i32, ptr: u32, cap: u32) -> Result<i32> {
    let (memory, state) = split(&mut engine)?;
    let out = range(memory, ptr, cap)?;
    let mut written = 0;
    for line in state.guest(guest)?.take_log() {
        let text = line.text.as_bytes();
        let Some(slot) = out.get_mut(written..written + 5 + text.len()) else { break };
        let length = u32::try_from(text.len())?;
        slot[0] = line.level;
        slot[1..5].copy_from_slice(&length.to_le_bytes());
        slot[5..].copy_from_slice(text);
        written += slot.len();
    }
    Ok(i32::try_from(written)?)
}

fn guest_drop(mut engine: Engine<'_>, guest: i32) -> Result<()> {
    let state = engine.data_mut();
    state.guest(guest)?;
    if let Some(slot) = usize::try_from(guest).ok().and_then(|g| state.guests.get_mut(g)) {
        *slot = None;
    }
    Ok(())
}

/// The engine's memory beside the host's state. Taken anew at every call: memory moves when it grows.
fn split<'a>(engine: &'a mut Engine<'_>) -> Result<(&'a mut [u8], &'a mut State)> {
    let memory: Memory = match engine.get_export("memory") {
        Some(Extern::Memory(memory)) => memory,
        _ => return Err(Error::msg("engine.wasm exports no memory")),
    };
    Ok(memory.data_and_store_mut(engine))
}

fn range(memory: &mut [u8], ptr: u32, len: u32) -> Result<&mut [u8]> {
    let (start, len) = (ptr as usize, len as usize);
    start
        .checked_add(len)
        .and_then(|end| memory.get_mut(start..end))
        .ok_or_else(|| Error::msg("the engine names a place outside its own memory"))
}
