//! A sandbox for tests: an interpreter, the third runtime after wasmtime and the browser's.
#![allow(dead_code, reason = "shared by several test programs")]

use std::sync::Arc;

use highwater_engine::error::{Diagnostic, Result};
use highwater_engine::udf::{Instance, LogLine, Sandbox, Trap};
use wasmi::{Caller, Config, Engine, Extern, Linker, Module, Store};

/// Runs guests in an interpreter.
pub struct Interpreter;

impl Interpreter {
    /// As operators take it.
    pub fn shared() -> Arc<dyn Sandbox> {
        Arc::new(Interpreter)
    }
}

#[derive(Default)]
struct Log(Vec<LogLine>);

struct Live {
    store: Store<Log>,
    instance: wasmi::Instance,
}

fn note(caller: &mut Caller<'_, Log>, level: u8, at: i32, len: i32) {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else { return };
    let (at, len) = (at as u32 as usize, (len as u32 as usize).min(1024));
    let bytes = memory.data(&*caller).get(at..at.saturating_add(len)).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes).into_owned();
    if caller.data().0.len() < 64 {
        caller.data_mut().0.push(LogLine { level, text });
    }
}

fn linker(engine: &Engine) -> Linker<Log> {
    let mut linker = Linker::new(engine);
    let log = |mut c: Caller<'_, Log>, level: i32, at: i32, len: i32| {
        note(&mut c, level.clamp(0, 4) as u8, at, len);
    };
    let abort =
        |mut c: Caller<'_, Log>, at: i32, len: i32| -> std::result::Result<(), wasmi::Error> {
            note(&mut c, 255, at, len);
            Err(wasmi::Error::new("abort"))
        };
    let script = |_: Caller<'_, Log>,
                  _: i32,
                  _: i32,
                  _: i32,
                  _: i32|
     -> std::result::Result<(), wasmi::Error> { Err(wasmi::Error::new("abort")) };
    linker.func_wrap("hw", "log", log).expect("a new name");
    linker.func_wrap("hw", "abort", abort).expect("a new name");
    linker.func_wrap("env", "abort", script).expect("a new name");
    linker
}

impl Sandbox for Interpreter {
    fn instantiate(&self, metered: &[u8]) -> Result<Box<dyn Instance>> {
        let refuse = |e: wasmi::Error| Diagnostic::new("guest.host", e.to_string());
        let mut config = Config::default();
        // The guest's own meter must stop it first.
        config.set_max_recursion_depth(100_000).set_max_stack_height(64 << 20);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, metered).map_err(refuse)?;
        let mut store = Store::new(&engine, Log::default());
        let instance =
            linker(&engine).instantiate_and_start(&mut store, &module).map_err(refuse)?;
        Ok(Box::new(Live { store, instance }))
    }
}

impl Live {
    fn memory(&self) -> wasmi::Memory {
        self.instance.get_memory(&self.store, "memory").expect("the gate asked for it")
    }
}

impl Instance for Live {
    fn call(&mut self, export: &str, args: &[i32]) -> std::result::Result<i32, Trap> {
        let function = self.instance.get_func(&self.store, export).expect("the gate asked for it");
        let args: Vec<wasmi::Val> = args.iter().map(|a| wasmi::Val::I32(*a)).collect();
        let mut results = [wasmi::Val::I32(0)];
        function.call(&mut self.store, &args, &mut results).map_err(|_| Trap)?;
        Ok(results[0].i32().expect("an i32"))
    }

    fn read(&mut self, address: u32, into: &mut [u8]) -> bool {
        self.memory().read(&self.store, address as usize, into).is_ok()
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> bool {
        self.memory().write(&mut self.store, address as usize, bytes).is_ok()
    }

    fn take_log(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.store.data_mut().0)
    }
}
