//! Threads: a job's tasks, each run by whichever thread is free, one thread at a time.
//!
//! The calling thread reads the input, deals it out and gets the rows; when there is nothing of that to do it
//! works like the others. Elements travel to a task through a crossbeam channel, in order; how many
//! records may be under way is bounded, so nothing piles up in front of a slow task. Since gates
//! merge by place in the stream, the rows do not depend on which thread did what when: they are those
//! of the [runner](highwater_engine::runner), and so is the error of a job that fails.

mod crew;
mod flow;
mod pin;
mod ready;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use highwater_engine::batch::Batch;
use highwater_engine::error::{Diagnostic, Result};
use highwater_engine::graph::Graph;
use highwater_engine::runner::{Progress, Report, Runner};
use highwater_engine::session::{Fast, Parts};
use highwater_engine::source::inlet::Inlet;
use highwater_engine::task::Task;

use crew::Crew;
use flow::Flow;
use pin::Pinned;

/// Batches below this many records are not worth a thread's attention.
const FEWEST_ROWS: usize = 256;
/// Expressions nest as deep as the script does.
const STACK_BYTES: usize = 64 << 20;
/// The most threads a job is given when nobody says how many.
const MOST: usize = 8;

/// On how many threads a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads {
    /// How many, the calling one among them.
    pub count: u32,
    /// Whether each is kept on a core of its own: for short runs that are measured.
    pub pinned: bool,
}

impl Threads {
    /// So many threads, wherever the system puts them.
    pub fn new(count: u32) -> Threads {
        Threads { count, pinned: false }
    }
}

/// How many threads a job gets when nobody says: as many as there are cores, 8 at most.
pub fn available() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.min(MOST) as u32
}

/// Whether a job that takes so many records at a time gains from threads at all.
pub fn helps(graph: &Graph, batch_rows: usize) -> bool {
    batch_rows >= FEWEST_ROWS && graph.is_wide()
}

/// Runs a job of the engine to its end; see [`run`].
///
/// # Errors
/// What stops the job.
pub fn run_job(
    job: Fast,
    threads: Threads,
    emit: &mut dyn FnMut(usize, Batch) -> Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report> {
    let count = if job.batch_rows() < FEWEST_ROWS { 1 } else { threads.count };
    let Parts { graph, inlet, tasks, batch_rows, name } = job.parts(count)?;
    run(&graph, inlet, tasks, batch_rows, threads, emit, progress).map_err(|e| e.in_source(&name))
}

/// Runs a job to its end. `graph` is [cut for threads](Graph::threaded) and `tasks` are its tasks; `emit`
/// gets each sink's rows in their order; `progress` hears of records read. Both are called by the calling
/// thread.
///
/// # Errors
/// What stops the job, as [`Runner::run`].
///
/// # Panics
/// When a task panics, whichever thread that was in.
pub fn run(
    graph: &Graph,
    inlet: Inlet,
    tasks: Vec<Task>,
    batch_rows: usize,
    threads: Threads,
    emit: &mut dyn FnMut(usize, Batch) -> Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report> {
    // A thread is born where its parent may run: the calling one is pinned last.
    let cores = if threads.pinned { pin::cores() } else { Vec::new() };
    // Else batches would go from thread to thread, and the job be none the faster.
    if threads.count <= 1 || !helps(graph, batch_rows) {
        let _pinned = Pinned::to(&cores, 0);
        return Runner::new(graph, inlet, tasks).run(batch_rows, emit, progress);
    }
    let (crew, sources) = Crew::new(graph, tasks, threads.count as usize);
    let done = std::thread::scope(|scope| {
        let crew = &crew;
        // Whatever happens here, the others are sent home: else the scope would wait for them for ever.
        let _home = crew.dismissal();
        let mut workers = Vec::new();
        for place in 1..threads.count as usize {
            let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
            let name = builder.name(format!("highwater-{place}"));
            let cores = &cores;
            let work = move || {
                let _pinned = Pinned::to(cores, place);
                catch_unwind(AssertUnwindSafe(|| crew.work(place))).inspect_err(|_| crew.dismiss())
            };
            workers.push(name.spawn_scoped(scope, work).map_err(|e| {
                Diagnostic::new("host.thread", format!("cannot start a thread: {e}"))
                    .hint("ask for fewer with --threads")
            })?);
        }
        let _pinned = Pinned::to(&cores, 0);
        let done = Flow::new(crew, graph, inlet, sources).run(batch_rows, emit, progress);
        crew.dismiss();
        for worker in workers {
            if let Ok(Err(panic)) | Err(panic) = worker.join() {
                resume_unwind(panic);
            }
        }
        done
    });
    let report = done?;
    let (late, fuel) = crew.counts();
    Ok(Report { late: report.late + late, fuel: report.fuel + fuel, ..report })
}
