//! From a path on the command line to a script with all its files.

use std::path::Path;
use std::sync::Arc;

use highwater::files::Script;
use highwater::job::{self, EngineKind, Job};
use highwater::report::Sources;
use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::session::{Files, Options, Session, ends};

use super::console::Console;
use super::{Done, JobArgs};

/// A script and the texts its diagnostics point into.
pub(super) struct Input {
    pub(super) script: Script,
    pub(super) sources: Sources,
}

/// Reads a script, or says why not.
pub(super) fn read(path: &Path, console: &mut Console) -> Done<Input> {
    let script = Script::read(path).map_err(|e| console.error(&e, &Sources::default()))?;
    let sources =
        Sources::script(script.short_name(), &script.path.display().to_string(), &script.text);
    Ok(Input { script, sources })
}

impl Input {
    /// The script's files, or what is wrong with it or them.
    pub(super) fn files(&self, console: &mut Console) -> Done<Files> {
        job::files(&self.script).map_err(|e| console.errors(&e, &self.sources))
    }

    /// The job simulated, whose input must have an end.
    pub(super) fn session(
        &self,
        files: &Files,
        options: &Options,
        console: &mut Console,
    ) -> Done<Session> {
        let (name, text) = (self.script.short_name(), &self.script.text);
        let sandbox = Arc::new(WasmtimeSandbox::default());
        ends(name, text)
            .and_then(|()| Session::open(name, text, files, sandbox, options))
            .map_err(|e| console.errors(&e, &self.sources))
    }

    /// The job opened in the chosen engine.
    pub(super) fn open(&self, args: &JobArgs, console: &mut Console) -> Done<Job> {
        self.open_in(&args.engine(), args, console)
    }

    fn open_in(&self, engine: &EngineKind, args: &JobArgs, console: &mut Console) -> Done<Job> {
        Job::open(&self.script, engine, &args.options())
            .map_err(|e| console.errors(&e, &self.sources))
    }
}
