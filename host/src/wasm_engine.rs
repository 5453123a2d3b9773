//! `engine.wasm` under wasmtime: its C ABI as safe Rust, its guests in the host's own sandbox.

mod imports;
mod live;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use highwater_engine::error::{Diagnostic, Error};
use highwater_engine::runner::Report;
use highwater_engine::session::{Options, Status};
use highwater_engine::trace;
use highwater_engine::udf::Sandbox;
use serde_json::Value as Json;
use wasmtime::{Linker, Memory, Store, StoreLimitsBuilder, TypedFunc, WasmParams, WasmResults};

use crate::runtime::{Code, compile, engine};
use crate::table::Table;
use imports::State;
pub use live::Started;
pub use wire::WireNeed;
use wire::{diagnostics, parse};

/// The version of the C ABI this host speaks.
const ABI: i32 = 1;
/// What a 32-bit memory can hold, in bytes.
const MEMORY_BYTES: usize = 1 << 32;

/// What a call gives back, or everything that is wrong.
pub type Outcome<T> = Result<T, Vec<Diagnostic>>;

/// A job open inside the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(i32);

/// The engine as a WebAssembly module, alive in one store.
///
/// After a trap inside the module its memory cannot be trusted: every later call fails.
pub struct WasmEngine {
    store: Store<State>,
    instance: wasmtime::Instance,
    memory: Memory,
    broken: bool,
}

/// Where `engine.wasm` is: the given path, or the environment's, or the build's below the current folder
/// or a folder above it, or beside the executable.
///
/// # Errors
/// When it is at none of these places.
pub fn locate(given: Option<&Path>) -> Result<PathBuf, Error> {
    const BUILT: &str = "target/highwater/engine.wasm";
    let environment = std::env::var_os("HIGHWATER_ENGINE_WASM").filter(|v| !v.is_empty());
    if let Some(path) = given.map(Path::to_owned).or(environment.map(PathBuf::from)) {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(missing(format!("no engine.wasm at `{}`", path.display())))
        };
    }
    let here = std::env::current_dir().ok();
    let above = here.iter().flat_map(|p| p.ancestors()).map(|p| p.join(BUILT));
    let executable = std::env::current_exe().ok();
    let beside = executable.iter().filter_map(|p| p.parent()).map(|p| p.join("engine.wasm"));
    above
        .chain(beside)
        .find(|path| path.is_file())
        .ok_or_else(|| missing("engine.wasm has not been built".to_owned()))
}

fn missing(message: String) -> Error {
    Diagnostic::new("host.no-engine-wasm", message).hint(
        "`cargo play` and `cargo verify` build it as target/highwater/engine.wasm; \
         `--engine-wasm PATH` or HIGHWATER_ENGINE_WASM name another one",
    )
}

impl WasmEngine {
    /// Compiles and starts the module.
    ///
    /// # Errors
    /// When the bytes are no engine of this ABI.
    pub fn load(bytes: &[u8], sandbox: Arc<dyn Sandbox>) -> Outcome<WasmEngine> {
        WasmEngine::start(bytes, sandbox).map_err(|e| vec![*e])
    }

    fn start(bytes: &[u8], sandbox: Arc<dyn Sandbox>) -> Result<WasmEngine, Error> {
        let module = compile(Code::Own, bytes)?;
        let limits = StoreLimitsBuilder::new()
            .memory_size(MEMORY_BYTES)
            .instances(1)
            .tables(4)
            .memories(1)
            .build();
        let mut store = Store::new(engine(Code::Own)?, State::new(sandbox, limits));
        store.limiter(|state| state.limits());
        let mut linker = Linker::new(engine(Code::Own)?);
        imports::define(&mut linker).map_err(|e| refused(&e))?;
        let instance = linker.instantiate(&mut store, &module).map_err(|e| refused(&e))?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| refused(&wasmtime::Error::msg("it exports no memory")))?;
        let mut engine = WasmEngine { store, instance, memory, broken: false };
        match engine.call::<(), i32>("hw_abi", ())? {
            ABI => Ok(engine),
            other => Err(Diagnostic::new(
                "host.engine-abi",
                format!("engine.wasm speaks version {other} of the ABI, this host version {ABI}"),
            )
            .hint("build both from the same source")),
        }
    }

    /// Gives the engine a file, data or guest, under the name the script uses.
    ///
    /// # Errors
    /// When the module traps or has no memory left.
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> Outcome<()> {
        self.with_buffers(&[name.as_bytes(), bytes], |engine, b| {
            engine.call::<_, ()>("hw_file", (b[0].0, b[0].1, b[1].0, b[1].1))
        })
    }

    /// The files a script or scenario asks for. `name` ends in `.md` or `.sql`.
    ///
    /// # Errors
    /// When the text cannot be read.
    pub fn needs(&mut self, name: &str, text: &str) -> Outcome<Vec<WireNeed>> {
        let ok = self.with_buffers(&[name.as_bytes(), text.as_bytes()], |engine, b| {
            engine.call::<_, i32>("hw_needs", (b[0].0, b[0].1, b[1].0, b[1].1))
        })?;
        let json = self.json()?;
        if ok != 1 {
            return Err(diagnostics(&json));
        }
        wire::needs(&json).map_err(|e| vec![*e])
    }

    /// Opens a job; beside it, what is worth knowing about the script.
    ///
    /// # Errors
    /// What is wrong with the script, its files or its guests.
    pub fn open(
        &mut self,
        name: &str,
        text: &str,
        options: &Options,
    ) -> Outcome<(Handle, Vec<Diagnostic>)> {
        let options = wire::options(options);
        let texts = [name.as_bytes(), text.as_bytes(), options.as_bytes()];
        let handle = self.with_buffers(&texts, |engine, b| {
            let args = (b[0].0, b[0].1, b[1].0, b[1].1, b[2].0, b[2].1);
            engine.call::<_, i32>("hw_open", args)
        })?;
        let json = self.json()?;
        if handle > 0 {
            Ok((Handle(handle), wire::list_of(&json["warnings"])))
        } else {
            Err(diagnostics(&json))
        }
    }

    /// Forgets a job.
    ///
    /// # Errors
    /// When the module traps.
    pub fn close(&mut self, job: Handle) -> Outcome<()> {
        self.checked::<_, ()>("hw_close", job.0)
    }

    /// The plan as `EXPLAIN` prints it.
    ///
    /// # Errors
    /// When the module traps.
    pub fn explain(&mut self, job: Handle) -> Outcome<String> {
        self.checked::<_, i32>("hw_explain", job.0)?;
        self.text()
    }

    /// Simulates at most `steps` steps more.
    ///
    /// # Errors
    /// When the module traps; a failed job is told by its status.
    pub fn step(&mut self, job: Handle, steps: u32) -> Outcome<Status> {
        self.checked::<_, i32>("hw_step", (job.0, steps))?;
        self.read_status()
    }

    /// Goes to the state right after a step, forwards or backwards; 0 is the start.
    ///
    /// # Errors
    /// When the module traps; a failed job is told by its status.
    pub fn seek(&mut self, job: Handle, step: u64) -> Outcome<Status> {
        let (low, high) = halves(step);
        self.checked::<_, i32>("hw_seek", (job.0, low, high))?;
        self.read_status()
    }

    /// Injects a fault, a line as in a scenario's `faults` block. What came after the current step is
    /// forgotten and runs anew.
    ///
    /// # Errors
    /// When the line is no fault.
    pub fn inject(&mut self, job: Handle, fault: &str) -> Outcome<()> {
        let ok = self.with_buffers(&[fault.as_bytes()], |engine, b| {
            engine.call::<_, i32>("hw_inject", (job.0, b[0].0, b[0].1))
        })?;
        if ok == 1 { Ok(()) } else { Err(diagnostics(&self.json()?)) }
    }

    /// How far the job is.
    ///
    /// # Errors
    /// When the module traps.
    pub fn status(&mut self, job: Handle) -> Outcome<Status> {
        self.checked::<_, i32>("hw_status", job.0)?;
        self.read_status()
    }

    /// At most `max` events of the trace from position `first` on.
    ///
    /// # Errors
    /// When the module traps or gives bytes that are no trace.
    pub fn trace(&mut self, job: Handle, first: u64, max: u32) -> Outcome<trace::Chunk> {
        let (low, high) = halves(first);
        self.checked::<_, i32>("hw_trace", (job.0, low, high, max))?;
        trace::decode(&self.bytes()?).map_err(|e| vec![*e])
    }

    /// What every sink has committed.
    ///
    /// # Errors
    /// When the module traps.
    pub fn output(&mut self, job: Handle) -> Outcome<Vec<Table>> {
        self.checked::<_, i32>("hw_output", job.0)?;
        let json = self.json()?;
        wire::tables(&json).map_err(|e| vec![*e])
    }

    /// The committed rows in the form of `--format jsonl`.
    ///
    /// # Errors
    /// When the module traps.
    pub fn rows(&mut self, job: Handle) -> Outcome<String> {
        self.checked::<_, i32>("hw_rows", job.0)?;
        self.text()
    }

    /// The newest completed checkpoint, if there is one.
    ///
    /// # Errors
    /// When the module traps.
    pub fn snapshot(&mut self, job: Handle) -> Outcome<Option<Vec<u8>>> {
        let found = self.checked::<_, i32>("hw_snapshot", job.0)?;
        if found == 1 { Ok(Some(self.bytes()?)) } else { Ok(None) }
    }

    /// Starts the job anew from a snapshot.
    ///
    /// # Errors
    /// When the bytes are no snapshot of this job.
    pub fn restore(&mut self, job: Handle, snapshot: &[u8]) -> Outcome<()> {
        let ok = self.with_buffers(&[snapshot], |engine, b| {
            engine.call::<_, i32>("hw_restore", (job.0, b[0].0, b[0].1))
        })?;
        if ok == 1 { Ok(()) } else { Err(diagnostics(&self.json()?)) }
    }

    /// A second job in the same state.
    ///
    /// # Errors
    /// When the module traps or refuses.
    pub fn fork(&mut self, job: Handle) -> Outcome<Handle> {
        let handle = self.checked::<_, i32>("hw_fork", job.0)?;
        if handle > 0 {
            Ok(Handle(handle))
        } else {
            Err(vec![*refused(&wasmtime::Error::msg("it cannot fork the job"))])
        }
    }

    /// Runs the plan to its end with the fast runner.
    ///
    /// # Errors
    /// Why the job stopped, or that the module trapped.
    pub fn run(&mut self, job: Handle) -> Outcome<Report> {
        let ok = self.checked::<_, i32>("hw_run", job.0)?;
        let json = self.json()?;
        if ok == 0 { Ok(wire::report(&json)) } else { Err(diagnostics(&json)) }
    }

    fn read_status(&mut self) -> Outcome<Status> {
        let json = self.json()?;
        // A call on a job that is not open answers with diagnostics.
        if json["diagnostics"].is_array() {
            return Err(diagnostics(&json));
        }
        wire::status(&json).map_err(|e| vec![*e])
    }

    fn checked<P: WasmParams, R: WasmResults>(&mut self, name: &str, args: P) -> Outcome<R> {
        self.call(name, args).map_err(|e| vec![*e])
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, args: P) -> Result<R, Error> {
        self.alive()?;
        let func: TypedFunc<P, R> =
            self.instance.get_typed_func(&mut self.store, name).map_err(|e| refused(&e))?;
        func.call(&mut self.store, args).map_err(|e| self.trapped(name, &e))
    }

    fn alive(&self) -> Result<(), Error> {
        if self.broken {
            return Err(Diagnostic::new("host.engine-trapped", "engine.wasm has trapped before")
                .hint("load the module anew"));
        }
        Ok(())
    }

    fn trapped(&mut self, name: &str, error: &wasmtime::Error) -> Error {
        self.broken = true;
        Diagnostic::new("host.engine-trapped", format!("engine.wasm died in `{name}`: {error:#}"))
            .hint("this is a bug in the engine or a lack of memory, not a mistake in the script")
    }

    /// Copies texts into the module, makes a call with their places, and frees them again.
    fn with_buffers<R>(
        &mut self,
        texts: &[&[u8]],
        call: impl FnOnce(&mut WasmEngine, &[(u32, u32)]) -> Result<R, Error>,
    ) -> Outcome<R> {
        let run = || {
            let mut places = Vec::with_capacity(texts.len());
            for text in texts {
                places.push(self.put(text)?);
            }
            let result = call(self, &places)?;
            for (ptr, len) in places {
                self.call::<_, ()>("hw_free", (ptr, len))?;
            }
            Ok(result)
        };
        run().map_err(|e: Error| vec![*e])
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(u32, u32), Error> {
        let too_large = || {
            Diagnostic::new("host.engine-memory", "the input does not fit engine.wasm's memory")
                .hint("32-bit WebAssembly holds 4 GiB at most; `--engine native` has no such limit")
        };
        let len = u32::try_from(bytes.len()).map_err(|_| too_large())?;
        let ptr = self.call::<_, u32>("hw_alloc", len)?;
        self.memory.write(&mut self.store, ptr as usize, bytes).map_err(|_| too_large())?;
        Ok((ptr, len))
    }

    /// The bytes the last call left.
    fn bytes(&mut self) -> Outcome<Vec<u8>> {
        let ptr = self.checked::<_, u32>("hw_result_ptr", ())? as usize;
        let len = self.checked::<_, u32>("hw_result_len", ())? as usize;
        let memory = self.memory.data(&self.store);
        match ptr.checked_add(len).and_then(|end| memory.get(ptr..end)) {
            Some(bytes) => Ok(bytes.to_vec()),
            None => {
                Err(vec![*refused(&wasmtime::Error::msg("its result lies outside its memory"))])
            }
        }
    }

    fn text(&mut self) -> Outcome<String> {
        String::from_utf8(self.bytes()?)
            .map_err(|_| vec![*refused(&wasmtime::Error::msg("its result is no UTF-8"))])
    }

    fn json(&mut self) -> Outcome<Json> {
        let text = self.text()?;
        parse(&text).map_err(|e| vec![*e])
    }
}

fn halves(v: u64) -> (u32, u32) {
    // The two halves of 64 bits are 32 bits each by construction.
    (v as u32, (v >> 32) as u32)
}

fn refused(error: &wasmtime::Error) -> Error {
    Diagnostic::new("host.refused-engine", format!("this is no engine.wasm: {error:#}"))
        .hint("build engine.wasm from the same source as this command")
}
