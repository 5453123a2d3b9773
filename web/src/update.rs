//! Every change of the page's state: a message in, the new state and what the page must do out.

use highwater_trace::trace::{Chunk, What};

use crate::model::{Example, Filter, Model, Phase, Play, Problem, Status, TableInfo};
use crate::run::Run;
use crate::words;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum Msg {
    /// The gallery was read, and the file the address asks for.
    Gallery { examples: Vec<Example>, wanted: Option<String> },
    /// An example was chosen.
    Choose(String),
    /// Its text was read.
    Text { file: String, text: String },
    /// The page cannot go on.
    Broken(String),
    /// The user typed.
    Edit(String),
    /// The user stopped typing.
    CheckNow,
    /// The worker has looked at the text of that revision.
    Checked { revision: u64, problems: Vec<Problem> },
    /// Run the text in the editor from the start.
    RunText,
    /// Go back to the example's text.
    Revert,
    /// The worker opened the scenario.
    Opened { status: Status, tables: Vec<TableInfo>, faults: Vec<String>, chunk: Option<Chunk> },
    /// The worker could not.
    Refused(Vec<Problem>),
    /// The worker moved: what it says and what is new in the trace.
    Moved { status: Status, chunk: Option<Chunk> },
    /// The worker refused a fault.
    FaultRefused(Vec<Problem>),
    /// The worker died or did not answer.
    WorkerLost(String),
    /// A frame passed: milliseconds since the last one.
    Frame(f64),
    /// The user's controls.
    Play,
    /// See [`Msg::Play`].
    Pause,
    /// Go on by that many steps, or back.
    StepBy(i64),
    /// Go to a step.
    Seek(u64),
    /// Run to the end.
    ToEnd,
    /// From the start.
    Restart,
    /// Steps a second.
    Speed(f64),
    /// The seed as typed; empty: the scenario's own.
    Seed(String),
    /// Kill a task now.
    CrashTask(u16),
    /// Have a fault strike now, written as behind `at now` in a `faults` block.
    Strike(String),
    /// Look at a record; `None`: at none.
    Inspect(Option<usize>),
    /// Look at the next record, or an earlier one.
    InspectBy(i64),
    /// Show the windows of one operator.
    Operator(String),
    /// Show the windows of one key.
    Key(Option<String>),
    /// Change what the list of events shows.
    FilterName(Option<String>),
    /// See [`Msg::FilterName`].
    FilterTask(Option<u16>),
    /// See [`Msg::FilterName`].
    FilterText(String),
    /// Show a figure as a table, or as a picture again.
    ToggleTable(&'static str),
}

/// What the page must do.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
pub enum Command {
    /// Read an example's text.
    Fetch(String),
    /// Put the file into the address.
    Address(String),
    /// Look at a text.
    Check { revision: u64, name: String, text: String },
    /// Open a scenario; inject the faults at their steps and go to `seek`.
    Open { name: String, text: String, seed: Option<u64>, faults: Vec<(u64, String)>, seek: u64 },
    /// Step on, and say what is new since that event.
    Step { steps: u32, budget_ms: u32, since: u64 },
    /// Go to a step.
    Seek { step: u64, since: u64 },
    /// Inject a fault.
    Inject { fault: String, since: u64 },
    /// Start the worker anew.
    RestartWorker,
}

/// How many milliseconds of work the worker does before it answers, when it runs to the end.
const SLICE_MS: u32 = 24;
/// The most steps a frame asks for when playing.
const FRAME_STEPS: f64 = 20_000.0;

/// Changes the state.
pub fn update(m: &mut Model, msg: Msg) -> Vec<Command> {
    match msg {
        Msg::Gallery { examples, wanted } => {
            m.examples = examples;
            let known = |f: &String| m.examples.iter().any(|e| e.file == *f);
            let first = wanted.filter(known).or_else(|| {
                let named = m.examples.iter().find(|e| e.file == "earthquakes.md");
                named.or(m.examples.first()).map(|e| e.file.clone())
            });
            match first {
                Some(file) => choose(m, file),
                None => broken(m, "there are no examples beside this page"),
            }
        }
        Msg::Choose(file) if m.examples.iter().any(|e| e.file == file) => choose(m, file),
        Msg::Choose(_) => Vec::new(),
        Msg::Text { file, text } if file == m.file => {
            m.original.clone_from(&text);
            m.text = text;
            m.revision += 1;
            open(m)
        }
        Msg::Text { .. } => Vec::new(),
        Msg::Broken(why) => broken(m, &why),
        Msg::Edit(_) | Msg::CheckNow | Msg::Checked { .. } | Msg::RunText | Msg::Revert => {
            edit(m, msg)
        }
        Msg::Opened { .. }
        | Msg::Refused(_)
        | Msg::Moved { .. }
        | Msg::FaultRefused(_)
        | Msg::WorkerLost(_) => answer(m, msg),
        Msg::Frame(ms) => frame(m, ms),
        Msg::Inspect(_)
        | Msg::InspectBy(_)
        | Msg::Operator(_)
        | Msg::Key(_)
        | Msg::FilterName(_)
        | Msg::FilterTask(_)
        | Msg::FilterText(_)
        | Msg::ToggleTable(_) => {
            look(m, msg);
            Vec::new()
        }
        _ => control(m, msg),
    }
}

fn choose(m: &mut Model, file: String) -> Vec<Command> {
    m.file.clone_from(&file);
    m.phase = Phase::Opening;
    m.play = Play::Paused;
    m.seed = None;
    vec![Command::Address(file.clone()), Command::Fetch(file)]
}

fn broken(m: &mut Model, why: &str) -> Vec<Command> {
    m.phase = Phase::Broken(why.to_owned());
    m.play = Play::Paused;
    Vec::new()
}

/// Opens the text in the editor from the start.
fn open(m: &mut Model) -> Vec<Command> {
    m.running_text.clone_from(&m.text);
    m.phase = Phase::Opening;
    m.problems.clear();
    m.injected.clear();
    fresh(m);
    vec![open_command(m, 0)]
}

fn open_command(m: &Model, seek: u64) -> Command {
    Command::Open {
        name: m.file.clone(),
        text: m.running_text.clone(),
        seed: m.seed,
        faults: m.injected.clone(),
        seek,
    }
}

/// A run that has not begun.
fn fresh(m: &mut Model) {
    m.run = Run::default();
    m.status = Status::default();
    m.play = Play::Paused;
    m.owed = 0.0;
    m.busy = true;
    m.wanted = None;
    m.queued_seek = false;
    m.queued_fault = None;
    m.inspected = None;
    (m.operator, m.key) = (None, None);
    m.announced = 0;
    m.filter = Filter::default();
}

fn edit(m: &mut Model, msg: Msg) -> Vec<Command> {
    match msg {
        Msg::Edit(text) => {
            m.text = text;
            m.revision += 1;
        }
        Msg::CheckNow => {
            let (revision, name, text) = (m.revision, m.file.clone(), m.text.clone());
            return vec![Command::Check { revision, name, text }];
        }
        Msg::Checked { revision, problems } if revision == m.revision => m.problems = problems,
        Msg::RunText => return open(m),
        Msg::Revert => {
            m.text = m.original.clone();
            m.revision += 1;
            return open(m);
        }
        _ => {}
    }
    Vec::new()
}

fn answer(m: &mut Model, msg: Msg) -> Vec<Command> {
    m.busy = false;
    match msg {
        Msg::Opened { status, tables, faults, chunk } => {
            m.phase = Phase::Ready;
            m.tables = tables;
            m.faults = faults;
            m.wanted = None;
            let restarts = m.restarts;
            moved(m, status, chunk);
            // Only a step taken shows that the engine is well again.
            m.restarts = restarts;
        }
        Msg::Refused(problems) => {
            m.phase = Phase::Refused;
            m.problems = problems;
            m.play = Play::Paused;
        }
        Msg::FaultRefused(problems) => {
            m.injected.pop();
            m.announcement = problems.first().map(Problem::line).unwrap_or_default();
        }
        Msg::Moved { status, chunk } => moved(m, status, chunk),
        Msg::WorkerLost(why) => return lost(m, &why),
        _ => {}
    }
    next(m)
}

fn moved(m: &mut Model, status: Status, chunk: Option<Chunk>) {
    if let Some(chunk) = chunk
        && !m.run.extend(chunk)
    {
        m.announcement = "a stretch of the trace is missing; it is read anew".to_owned();
        m.run.events.clear();
    }
    m.status = status;
    m.restarts = 0;
    if m.wanted == Some(m.status.step) || m.status.finished || m.status.failed.is_some() {
        m.wanted = m.wanted.filter(|w| *w < m.status.step);
    }
    let step = m.wanted.unwrap_or(m.status.step);
    show(m, step);
    if m.play != Play::Paused && m.at_end() {
        m.play = Play::Paused;
        m.announcement = m.status.ending();
    }
}

fn show(m: &mut Model, step: u64) {
    let before = m.run.applied;
    m.run.show(step);
    if m.inspected.is_some_and(|i| i >= m.run.marks.all.len()) {
        m.inspected = None;
    }
    m.filter.scan(&m.run);
    if m.run.applied < before {
        m.announced = m.run.applied;
    } else if m.play == Play::Paused || m.speed <= 20.0 {
        announce(m);
    }
}

/// Says the last thing worth saying among the events that are new on the screen.
fn announce(m: &mut Model) {
    let from = m.announced.min(m.run.applied);
    let said = m.run.shown().iter().skip(from).rev().find_map(|e| match &e.what {
        What::WindowFire { start, end, key, rows, .. } => Some(format!(
            "Window {} of {key} fired: {}.",
            words::window(*start, *end),
            words::count(u64::from(*rows), "row")
        )),
        What::WindowPane { start, end, key, timing, .. } => Some(format!(
            "Window {} of {key} said what it holds: {} pane.",
            words::window(*start, *end),
            if timing == "EARLY" { "an early" } else { "a late" }
        )),
        What::Late { event_time, .. } | What::JoinLate { event_time, .. } => Some(format!(
            "A late record was dropped: event time {}.",
            words::event_time(*event_time)
        )),
        What::CheckpointComplete { checkpoint, .. } => {
            Some(format!("Checkpoint {checkpoint} is complete."))
        }
        What::Crash { lost_rows, .. } => Some(format!(
            "{} crashed; {} lost.",
            m.run.task_name(e.task),
            words::count(*lost_rows, "staged row")
        )),
        What::Restore { checkpoint: 0 } => {
            Some("The job starts again without a checkpoint.".to_owned())
        }
        What::Restore { checkpoint } => {
            Some(format!("The job comes back from checkpoint {checkpoint}."))
        }
        _ => None,
    });
    if let Some(said) = said {
        m.announcement = said;
    }
    m.announced = m.run.applied;
}

fn lost(m: &mut Model, why: &str) -> Vec<Command> {
    m.restarts += 1;
    if m.restarts > 2 {
        return broken(m, why);
    }
    m.announcement = format!("The engine did not answer ({why}) and was started anew.");
    m.play = Play::Paused;
    m.busy = true;
    m.wanted = None;
    let seek = m.status.step;
    vec![Command::RestartWorker, open_command(m, seek)]
}

/// What has waited for the worker to be free.
fn next(m: &mut Model) -> Vec<Command> {
    if m.busy || m.phase != Phase::Ready {
        return Vec::new();
    }
    if let Some(fault) = m.queued_fault.clone() {
        if m.wanted.is_some_and(|w| w != m.status.step) {
            return seek_now(m);
        }
        m.queued_fault = None;
        m.run.cut();
        m.injected.retain(|(step, _)| *step <= m.status.step);
        m.injected.push((m.status.step, fault.clone()));
        m.busy = true;
        return vec![Command::Inject { fault, since: m.run.events.len() as u64 }];
    }
    if m.queued_seek {
        return seek_now(m);
    }
    Vec::new()
}

fn seek_now(m: &mut Model) -> Vec<Command> {
    m.queued_seek = false;
    let Some(step) = m.wanted else { return Vec::new() };
    m.busy = true;
    vec![Command::Seek { step, since: m.run.events.len() as u64 }]
}

fn frame(m: &mut Model, ms: f64) -> Vec<Command> {
    if m.phase != Phase::Ready || m.busy || m.play == Play::Paused {
        return Vec::new();
    }
    let since = m.run.events.len() as u64;
    if m.play == Play::ToEnd {
        m.busy = true;
        return vec![Command::Step { steps: u32::MAX, budget_ms: SLICE_MS, since }];
    }
    // A tab that slept does not catch up.
    m.owed += m.speed * ms.clamp(0.0, 100.0) / 1000.0;
    if m.owed < 1.0 {
        return Vec::new();
    }
    let steps = m.owed.floor().min(FRAME_STEPS);
    m.owed = (m.owed - steps).min(1.0);
    m.busy = true;
    vec![Command::Step { steps: steps as u32, budget_ms: SLICE_MS, since }]
}

fn control(m: &mut Model, msg: Msg) -> Vec<Command> {
    if m.phase != Phase::Ready && !matches!(msg, Msg::Speed(_) | Msg::Seed(_)) {
        return Vec::new();
    }
    match msg {
        Msg::Play => start(m, Play::Playing),
        Msg::ToEnd => start(m, Play::ToEnd),
        Msg::Pause => {
            m.play = Play::Paused;
            Vec::new()
        }
        Msg::StepBy(by) => {
            let target = m.step().saturating_add_signed(by);
            seek(m, target)
        }
        Msg::Seek(step) => seek(m, step),
        Msg::Restart => seek(m, 0),
        Msg::Speed(speed) => {
            m.speed = speed.clamp(1.0, 20_000.0);
            Vec::new()
        }
        Msg::Seed(text) => {
            let seed = text.trim().parse().ok();
            if seed == m.seed || (seed.is_none() && !text.trim().is_empty()) {
                return Vec::new();
            }
            m.seed = seed;
            if m.running_text.is_empty() { Vec::new() } else { open(m) }
        }
        Msg::CrashTask(task) => {
            let Some(info) = m.run.header.tasks.get(usize::from(task)) else { return Vec::new() };
            m.queued_fault = Some(format!("at now crash {}", info.name));
            next(m)
        }
        Msg::Strike(fault) if !fault.trim().is_empty() => {
            let fault = fault.trim();
            let placed = fault.starts_with("at ") || fault.starts_with("on ");
            m.queued_fault =
                Some(if placed { fault.to_owned() } else { format!("at now {fault}") });
            next(m)
        }
        _ => Vec::new(),
    }
}

fn start(m: &mut Model, play: Play) -> Vec<Command> {
    m.play = play;
    m.owed = 1.0;
    if m.at_end() && play == Play::Playing {
        // Playing at the end means: once more.
        return seek_to(m, 0);
    }
    Vec::new()
}

fn seek(m: &mut Model, step: u64) -> Vec<Command> {
    m.play = Play::Paused;
    seek_to(m, step)
}

/// Known history is shown at once; the engine follows when it is free.
fn seek_to(m: &mut Model, step: u64) -> Vec<Command> {
    let step = if m.status.finished { step.min(m.horizon()) } else { step };
    m.wanted = Some(step);
    show(m, step);
    m.queued_seek = true;
    next(m)
}

fn look(m: &mut Model, msg: Msg) {
    match msg {
        Msg::Inspect(i) => m.inspected = i.filter(|i| *i < m.run.marks.all.len()),
        Msg::InspectBy(by) => {
            let last = m.run.marks.all.len().checked_sub(1);
            let by = isize::try_from(by).unwrap_or(if by < 0 { isize::MIN } else { isize::MAX });
            m.inspected = last.map(|last| match m.inspected {
                Some(i) => i.saturating_add_signed(by).min(last),
                None => last,
            });
        }
        Msg::Operator(name) => (m.operator, m.key) = (Some(name), None),
        Msg::Key(key) => m.key = key,
        Msg::FilterName(name) => m.filter = Filter { name, ..reset(&m.filter) },
        Msg::FilterTask(task) => m.filter = Filter { task, ..reset(&m.filter) },
        Msg::FilterText(text) => m.filter = Filter { text, ..reset(&m.filter) },
        Msg::ToggleTable(figure) => {
            let was_table = m.table_views.remove(figure);
            if !was_table {
                m.table_views.insert(figure);
            }
        }
        _ => {}
    }
    m.filter.scan(&m.run);
}

fn reset(f: &Filter) -> Filter {
    Filter { scanned: 0, hits: Vec::new(), ..f.clone() }
}

#[cfg(test)]
mod tests;
