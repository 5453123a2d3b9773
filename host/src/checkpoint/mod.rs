//! Checkpoints of the fast runner: a crash at any moment, and the next run goes on as if there had been none.
//!
//! A barrier between two batches cuts the job. What has changed is encoded then and there, the rest is
//! what the last checkpoint had already; checksums, writing and waiting for the disk happen in a thread of
//! their own while the next batches are read. One checkpoint is written at a time: when the disk is
//! slow, there are fewer of them, and the stream does not wait.
//!
//! Rows are exactly once. They are staged in files, `filesystem` tables' beside the file they will
//! become; a checkpoint holds how long each staged file was and makes that durable first. Recovery cuts the
//! files there and writes what follows once more, the same rows. When the job has ended, one last
//! checkpoint says so, and staged files take the place of the real ones by renaming: after a crash in
//! between, that is done again. What `print` tables and a final SELECT hold is staged too, and printed by
//! the run that ends. Tables that ask for less ('sink.delivery-guarantee') get that all the same.

mod identity;
mod stage;
pub(crate) mod store;
pub(crate) mod writer;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::runner::Report;
use highwater_engine::session::{Options, Progress, Running};
use highwater_engine::snapshot::{Opened, Snapshot};
use serde_json::{Value as Json, json};

use crate::files::Script;
use crate::job::{Ran, open_fast};
use crate::read_ahead::ReadAhead;
use crate::wasm_engine::Outcome;

use identity::Identity;
use stage::Stages;
use store::Store;
use writer::Writer;

/// The section of a snapshot that holds what the host knows.
const HOST: &str = "host";

/// Where and how often.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// The folder of the checkpoints, of one job alone.
    pub folder: PathBuf,
    /// The time from one to the next.
    pub interval: Duration,
}

/// What to tell the user on the way.
pub trait Listener {
    /// How far the job is, and which share of its input files has been read, where that is known.
    fn at(&mut self, far: Progress, share: Option<f64>);
    /// Something worth knowing, such as which checkpoint the job goes on from.
    fn note(&mut self, text: &str);
}

/// Runs a script to its end with the fast runner of this program, from its last checkpoint on if there is
/// one.
///
/// # Errors
/// Everything that is wrong with the script or with the folder; a job that fails later says so in
/// [`Ran::failed`], and its checkpoints stay.
pub fn run(
    script: &Script,
    options: &Options,
    checkpoints: &Checkpoints,
    listener: &mut dyn Listener,
) -> Outcome<(Ran, Option<Completed>)> {
    let one = |e: Error| vec![*e];
    let (mut job, mut ran) = open_fast(script, options)?;
    if ran.explanation.is_some() {
        return Ok((ran, None));
    }
    let store = Store::open(&checkpoints.folder).map_err(one)?;
    let identity = Identity::of(script, options)?;
    let sinks = job.sinks();
    let mut ahead = ReadAhead::default();
    job.wrap_readers(&mut |reader| ahead.wrap(reader));
    let found = store.newest(&mut |text| listener.note(text)).map_err(one)?;
    let mut stages = Stages::plan(script, &sinks, &checkpoints.folder).map_err(one)?;
    let number = found.as_ref().map_or(0, |(number, _)| *number);
    let mut finished = None;
    let mut running = None;
    if let Some((number, bytes)) = &found {
        let opened = Opened::read(bytes).map_err(one)?;
        let host = host_section(&opened).map_err(one)?;
        identity.check(&host, script).map_err(one)?;
        finished = host["finished"].as_object().map(|_| host["finished"].clone());
        if finished.is_none() {
            let mut restored = job.begin().map_err(one)?;
            restored.restore(&opened).map_err(one)?;
            stages.resume(&host["staged"]).map_err(one)?;
            let records = restored.report().records;
            listener.note(&format!("going on from checkpoint {number}, after {records} records"));
            running = Some(restored);
        }
    } else {
        stages.begin().map_err(one)?;
        running = Some(job.begin().map_err(one)?);
    }
    drop(found);
    if let Some(running) = running {
        let mut loop_ = Loop {
            running,
            stages: &mut stages,
            identity: &identity,
            number,
            checkpoints,
            ahead: &ahead,
        };
        match loop_.run(&store, listener) {
            Ok(report) => finished = Some(report),
            Err(error) => {
                ran.failed = Some(*error);
                return Ok((ran, None));
            }
        }
    }
    let counted = finished.unwrap_or_default();
    ran.late = counted["late"].as_u64().unwrap_or(0);
    ran.bad = counted["bad"].as_u64().unwrap_or(0);
    let described = counted["described"].as_array().into_iter().flatten();
    ran.described = described.filter_map(|d| d.as_str().map(str::to_owned)).collect();
    ran.tables = stages.publish().map_err(one)?;
    Ok((ran, Some(Completed { store, stages })))
}

/// What is left to be removed once the rows have been printed.
pub struct Completed {
    store: Store,
    stages: Stages,
}

impl Completed {
    /// Removes the checkpoints and what was staged: the next run begins anew.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn remove(&self) -> Result<()> {
        self.store.clear()?;
        self.stages.clear();
        Ok(())
    }
}

fn host_section(opened: &Opened<'_>) -> Result<Json> {
    let bytes = opened.section(HOST)?;
    serde_json::from_slice(bytes)
        .map_err(|e| highwater_engine::snapshot::corrupt(&format!("what the host wrote: {e}")))
}

/// A job on its way to its end.
struct Loop<'a> {
    running: Running,
    stages: &'a mut Stages,
    identity: &'a Identity,
    /// The last checkpoint's number.
    number: u64,
    checkpoints: &'a Checkpoints,
    ahead: &'a ReadAhead,
}

impl Loop<'_> {
    /// Runs to the end; what was counted.
    fn run(&mut self, store: &Store, listener: &mut dyn Listener) -> Result<Json> {
        let mut writer = Writer::start(store);
        let mut due = Instant::now() + self.checkpoints.interval;
        loop {
            let stages = &mut *self.stages;
            let more = self.running.step(&mut |sink, batch| stages.take(sink, batch))?;
            listener.at(self.running.progress(), self.ahead.share());
            if !more {
                break;
            }
            if Instant::now() >= due && writer.idle()? {
                self.write(&mut writer, None)?;
                due = Instant::now() + self.checkpoints.interval;
            }
        }
        let report = self.running.report();
        let counted = counted(&report);
        writer.wait()?;
        self.write(&mut writer, Some(&counted))?;
        writer.wait()?;
        Ok(counted)
    }

    /// Takes a checkpoint and hands it to the writer, which has nothing else to do.
    fn write(&mut self, writer: &mut Writer, finished: Option<&Json>) -> Result<()> {
        self.number += 1;
        let mut snapshot = match finished {
            None => self.running.checkpoint(self.number)?,
            // Nothing will ever go on from here: there is only to publish.
            Some(_) => Snapshot { checkpoint: self.number, sections: Vec::new() },
        };
        let staged = self.stages.flush()?;
        let mut host = self.identity.to_json();
        host["staged"] = staged;
        host["finished"] = finished.cloned().unwrap_or_default();
        snapshot.sections.push((HOST.to_owned(), host.to_string().into_bytes().into()));
        writer.write(snapshot, self.stages.files()?)
    }
}

fn counted(report: &Report) -> Json {
    json!({
        "records": report.records, "late": report.late, "bad": report.bad,
        "described": report.described,
    })
}

/// The error of something the system did not let us do.
fn cannot(what: &str, path: &std::path::Path, error: &std::io::Error) -> Error {
    Diagnostic::new(
        "checkpoint.cannot-write",
        format!("cannot {what} `{}`: {error}", path.display()),
    )
    .hint("checkpoints need a folder that can be written, with room for the state")
}
