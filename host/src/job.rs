//! A job, whichever engine runs it: the one compiled in, or `engine.wasm` under wasmtime.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use highwater_engine::error::Diagnostic;
use highwater_engine::session::{self, Fast, Files, NeedKind, Session};
use highwater_engine::trace::{Chunk, What};

use crate::columns;
use crate::files::{self, Script};
use crate::read_ahead::ReadAhead;
use crate::sandbox::WasmtimeSandbox;
use crate::table::Table;
use crate::threads::{self, Threads};
use crate::wasm_engine::{Handle, Outcome, WasmEngine, locate};

pub use highwater_engine::session::{Options, Progress, Status};

/// How many events are looked at together.
const EVENTS: u32 = 4_096;
/// How many malformed records are described one by one.
const DESCRIBED: usize = 5;

/// Which engine runs a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// The one compiled into this program.
    Native,
    /// `engine.wasm`, at a path or where the build puts it.
    Wasm(Option<PathBuf>),
}

/// An open, simulated job.
pub struct Job(Inner);

enum Inner {
    Native(Box<Session>),
    Wasm(Box<WasmEngine>, Handle, Vec<Diagnostic>),
}

/// What a finished job leaves.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// What every sink has received.
    pub tables: Vec<Table>,
    /// Why it stopped before its end, if it did.
    pub failed: Option<Diagnostic>,
    /// Worth knowing about the script.
    pub warnings: Vec<Diagnostic>,
    /// The hash of the trace, if there is a trace.
    pub hash: Option<String>,
    /// The plan, when the script asks for it and nothing else.
    pub explanation: Option<String>,
    /// Records left out because they came too late.
    pub late: u64,
    /// Records left out because they could not be read.
    pub bad: u64,
    /// The first of those, described.
    pub described: Vec<String>,
    /// Faults that never struck, as they are written.
    pub never_struck: Vec<String>,
}

/// What is said of a fault that never struck: its moment was never reached, and the run says nothing of it.
pub fn never_struck(fault: &str) -> String {
    format!("note: the run ended before this fault could strike: {fault}")
}

impl Ran {
    /// What was left out and why, a line each; no lines when nothing was.
    pub fn notes(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let s = |n: u64| if n == 1 { "" } else { "s" };
        if self.bad > 0 {
            lines.push(format!("note: {} malformed record{} left out", self.bad, s(self.bad)));
            lines.extend(self.described.iter().map(|d| format!("  {d}")));
        }
        if self.late > 0 {
            lines.push(format!("note: {} late record{} dropped", self.late, s(self.late)));
        }
        lines.extend(self.never_struck.iter().map(|fault| never_struck(fault)));
        lines
    }

    /// Counts what was left out. After a crash the same records are read, and left out, once more:
    /// `seen` knows them, by task, kind, partition and place.
    fn count(&mut self, chunk: &Chunk, seen: &mut BTreeSet<(u16, u8, u16, u64)>) {
        for event in &chunk.events {
            let task = event.task;
            match &event.what {
                What::Late { seq, .. } => {
                    self.late += u64::from(seen.insert((task, 0, 0, *seq)));
                }
                What::JoinLate { side, seq, .. } => {
                    self.late += u64::from(seen.insert((task, 1, u16::from(*side), *seq)));
                }
                What::BadRecord { partition, offset, line, column, reason } => {
                    if !seen.insert((task, 2, *partition, *offset)) {
                        continue;
                    }
                    self.bad += 1;
                    let task = chunk.header.tasks.get(usize::from(event.task));
                    if self.described.len() < DESCRIBED {
                        let name = task.map_or("", |t| t.name.as_str());
                        self.described.push(format!("{name}:{line}:{column}: {reason}"));
                    }
                }
                _ => {}
            }
        }
    }
}

/// Reads all files a script asks for.
///
/// # Errors
/// What is wrong with the script, and each file that cannot be read.
pub fn files(script: &Script) -> Outcome<Files> {
    let mut files = Files::default();
    let mut errors = Vec::new();
    for need in session::needs(script.short_name(), &script.text)? {
        let read = match need.kind {
            NeedKind::Guest => script.guest(&need.path).map(|b| files.insert(&need.path, b)),
            NeedKind::Data => {
                let format = need.format.as_deref().and_then(columns::Format::named);
                data(script, &need.path, format, &mut files)
            }
        };
        errors.extend(read.err().map(|e| *e));
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

/// Takes in a data file, or all files of a folder: read whole, or opened where a format is of columns.
fn data(
    script: &Script,
    path: &str,
    format: Option<columns::Format>,
    files: &mut Files,
) -> highwater_engine::error::Result<()> {
    let mut add = |path: &str, place: &Path| -> highwater_engine::error::Result<()> {
        match format {
            Some(format) => {
                files.insert_columns(path, Arc::new(columns::File::open(place, format)?));
            }
            None => files.insert(path, files::read(place)?),
        }
        Ok(())
    };
    let place = script.resolve(path);
    if !place.is_dir() {
        return add(path, &place);
    }
    for name in files::folder(&place)? {
        add(&format!("{}/{name}", path.trim_end_matches('/')), &place.join(&name))?;
    }
    Ok(())
}

/// Loads `engine.wasm` and gives it a script's files.
fn load(script: &Script, path: Option<&Path>) -> Outcome<WasmEngine> {
    let one = |e: highwater_engine::error::Error| vec![*e];
    let bytes = files::read(&locate(path).map_err(one)?).map_err(one)?;
    let mut engine = WasmEngine::load(&bytes, Arc::new(WasmtimeSandbox::default()))?;
    let files = files(script)?;
    for path in files.paths() {
        if let Some(bytes) = files.get(path) {
            engine.file(path, &bytes)?;
        }
    }
    Ok(engine)
}

impl Job {
    /// Opens a script with all its files.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(script: &Script, engine: &EngineKind, options: &Options) -> Outcome<Job> {
        match engine {
            EngineKind::Native => {
                let files = files(script)?;
                let sandbox = Arc::new(WasmtimeSandbox::default());
                let name = script.short_name();
                let session = Session::open(name, &script.text, &files, sandbox, options)?;
                Ok(Job(Inner::Native(Box::new(session))))
            }
            EngineKind::Wasm(path) => {
                let mut engine = load(script, path.as_deref())?;
                let (handle, warnings) = engine.open(script.short_name(), &script.text, options)?;
                Ok(Job(Inner::Wasm(Box::new(engine), handle, warnings)))
            }
        }
    }

    /// Runs a script to its end as fast as the machine goes, on so many threads where the job can use them;
    /// the rows are the same for any number. `engine.wasm` has one. `progress` hears how far it is, and what
    /// share of the input has been read where that is known.
    ///
    /// # Errors
    /// Everything that is wrong with the script; a job that fails later says so in [`Ran::failed`].
    pub fn run(
        script: &Script,
        engine: &EngineKind,
        options: &Options,
        threads: u32,
        progress: &mut dyn FnMut(Progress, Option<f64>),
    ) -> Outcome<Ran> {
        match engine {
            EngineKind::Native => run_native(script, options, threads, progress),
            EngineKind::Wasm(path) => {
                let mut engine = load(script, path.as_deref())?;
                let (handle, warnings) = engine.open(script.short_name(), &script.text, options)?;
                let report = engine.run(handle)?;
                let tables = engine.output(handle)?;
                let (late, bad, described) = (report.late, report.bad, report.described);
                Ok(Ran { tables, warnings, late, bad, described, ..Ran::default() })
            }
        }
    }

    /// Simulates at most `steps` steps more.
    ///
    /// # Errors
    /// When `engine.wasm` dies.
    pub fn step(&mut self, steps: u32) -> Outcome<Status> {
        match &mut self.0 {
            Inner::Native(session) => Ok(session.step(u64::from(steps))),
            Inner::Wasm(engine, handle, _) => engine.step(*handle, steps),
        }
    }

    /// Goes to the state right after a step.
    ///
    /// # Errors
    /// When `engine.wasm` dies.
    pub fn seek(&mut self, step: u64) -> Outcome<Status> {
        match &mut self.0 {
            Inner::Native(session) => Ok(session.seek(step)),
            Inner::Wasm(engine, handle, _) => engine.seek(*handle, step),
        }
    }

    /// Injects a fault, such as `at now crash window/1`.
    ///
    /// # Errors
    /// When the line is no fault.
    pub fn inject(&mut self, fault: &str) -> Outcome<()> {
        match &mut self.0 {
            Inner::Native(session) => session.inject(fault).map_err(|e| vec![*e]),
            Inner::Wasm(engine, handle, _) => engine.inject(*handle, fault),
        }
    }

    /// At most `max` events of the trace from position `first` on.
    ///
    /// # Errors
    /// When `engine.wasm` dies.
    pub fn trace(&mut self, first: u64, max: u32) -> Outcome<Chunk> {
        match &mut self.0 {
            Inner::Native(session) => Ok(session.trace(first, max)),
            Inner::Wasm(engine, handle, _) => engine.trace(*handle, first, max),
        }
    }

    /// What every sink has committed.
    ///
    /// # Errors
    /// When `engine.wasm` dies.
    pub fn tables(&mut self) -> Outcome<Vec<Table>> {
        match &mut self.0 {
            Inner::Native(session) => Ok(session.tables().iter().map(Table::from_rows).collect()),
            Inner::Wasm(engine, handle, _) => engine.output(*handle),
        }
    }

    /// The newest completed checkpoint, if there is one.
    ///
    /// # Errors
    /// When `engine.wasm` dies.
    pub fn snapshot(&mut self) -> Outcome<Option<Vec<u8>>> {
        match &mut self.0 {
            Inner::Native(session) => Ok(session.snapshot()),
            Inner::Wasm(engine, handle, _) => engine.snapshot(*handle),
        }
    }

    /// Starts the job anew from a snapshot, made by either engine.
    ///
    /// # Errors
    /// When the bytes are no snapshot of this job.
    pub fn restore(&mut self, snapshot: &[u8]) -> Outcome<()> {
        match &mut self.0 {
            Inner::Native(session) => session.restore(snapshot).map_err(|e| vec![*e]),
            Inner::Wasm(engine, handle, _) => engine.restore(*handle, snapshot),
        }
    }

    /// The plan as `EXPLAIN` prints it.
    ///
    /// # Errors
    /// When `engine.wasm` dies.
    pub fn explain(&mut self) -> Outcome<String> {
        match &mut self.0 {
            Inner::Native(session) => Ok(session.explain()),
            Inner::Wasm(engine, handle, _) => engine.explain(*handle),
        }
    }

    /// Worth knowing about the script.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        match &self.0 {
            Inner::Native(session) => session.warnings().to_vec(),
            Inner::Wasm(_, _, warnings) => warnings.clone(),
        }
    }

    /// What the job leaves in the state of `status`.
    ///
    /// # Errors
    /// When `engine.wasm` dies.
    pub fn ran(&mut self, status: &Status) -> Outcome<Ran> {
        let mut ran = Ran {
            tables: self.tables()?,
            failed: status.failed.clone(),
            warnings: self.warnings(),
            hash: Some(status.hash.clone()),
            never_struck: status.faults_to_come.clone(),
            ..Ran::default()
        };
        if let Inner::Native(session) = &self.0
            && session.explain_only()
        {
            ran.explanation = Some(session.explain());
        }
        let mut seen = 0;
        let mut left_out = BTreeSet::new();
        while seen < status.events {
            let chunk = self.trace(seen, EVENTS)?;
            if chunk.events.is_empty() {
                break;
            }
            seen += chunk.events.len() as u64;
            ran.count(&chunk, &mut left_out);
        }
        Ok(ran)
    }
}

/// A job for this program's fast runner, and what is known before it runs: warnings, and the plan of a
/// script that asks for no more.
pub(crate) fn open_fast(script: &Script, options: &Options) -> Outcome<(Fast, Ran)> {
    let (files, sandbox) = (files(script)?, Arc::new(WasmtimeSandbox::default()));
    let job = Fast::open(script.short_name(), &script.text, &files, sandbox, options)?;
    let explanation = job.explain_only().then(|| job.explain());
    let ran = Ran { warnings: job.warnings().to_vec(), explanation, ..Ran::default() };
    Ok((job, ran))
}

fn run_native(
    script: &Script,
    options: &Options,
    threads: u32,
    progress: &mut dyn FnMut(Progress, Option<f64>),
) -> Outcome<Ran> {
    let (mut job, mut ran) = open_fast(script, options)?;
    if ran.explanation.is_some() {
        return Ok(ran);
    }
    let mut ahead = ReadAhead::default();
    job.wrap_readers(&mut |reader| ahead.wrap(reader));
    let mut tables: Vec<Table> = job.sinks().iter().map(Table::from_rows).collect();
    let mut emit = |sink: usize, batch| {
        // Nobody looks at what a black hole takes in.
        if tables[sink].connector != "blackhole" {
            tables[sink].extend(&batch);
        }
        Ok(())
    };
    let mut heard = |far| progress(far, ahead.share());
    let done = threads::run_job(job, Threads::new(threads), &mut emit, &mut heard);
    match done {
        Ok(report) => {
            (ran.late, ran.bad, ran.described) = (report.late, report.bad, report.described);
        }
        Err(error) => ran.failed = Some(*error),
    }
    ran.tables = tables;
    Ok(ran)
}
