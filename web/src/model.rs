//! All of the page's state as plain data.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::run::{Pos, Run};

/// One entry of `examples/index.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The file's name in `examples/`.
    pub file: String,
    /// Its title.
    pub title: String,
    /// One sentence.
    pub summary: String,
}

/// What is wrong with a text, as the engine says it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Problem {
    /// A stable dotted code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The text the place is in.
    pub source: Option<String>,
    /// From line and column to line and column, all from 1, the end exclusive.
    pub place: Option<[u32; 4]>,
}

impl Problem {
    /// Reads the engine's JSON form.
    pub fn from_json(v: &Value) -> Problem {
        let text = |name: &str| v[name].as_str().map(str::to_owned);
        let number = |name: &str| v[name].as_u64().and_then(|n| u32::try_from(n).ok());
        let place = || {
            let (line, column) = (number("line")?, number("column")?);
            let end = (number("end_line").unwrap_or(line), number("end_column").unwrap_or(column));
            Some([line, column, end.0, end.1])
        };
        Problem {
            code: text("code").unwrap_or_default(),
            message: text("message").unwrap_or_else(|| "the engine gave no reason".to_owned()),
            hint: text("hint"),
            source: text("source"),
            place: place(),
        }
    }

    /// A problem of the page's own.
    pub fn new(code: &str, message: impl Into<String>) -> Problem {
        Problem { code: code.to_owned(), message: message.into(), ..Problem::default() }
    }

    /// The first line as the command line prints it.
    pub fn line(&self) -> String {
        let mut out = String::new();
        if let Some(source) = &self.source {
            out = format!("{source}:");
        }
        if let Some([line, column, ..]) = self.place {
            out.push_str(&format!("{line}:{column}:"));
        }
        if !out.is_empty() {
            out.push(' ');
        }
        format!("{out}{} [{}]", self.message, self.code)
    }
}

/// What the engine says of itself after each call.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Status {
    /// The step the engine stands at.
    pub step: u64,
    /// Virtual time in microseconds.
    pub at: u64,
    /// Length of the trace.
    pub events: u64,
    /// The input has ended.
    pub finished: bool,
    /// Why the job stopped for good.
    pub failed: Option<Problem>,
    /// Hash of the trace, 32 hexadecimal digits.
    pub hash: String,
    /// The furthest step reached.
    pub horizon: u64,
    /// Guest fuel used.
    pub fuel: u64,
    /// Faults that have yet to strike; of a run that has ended, those that never have.
    pub faults_to_come: Vec<String>,
}

impl Status {
    /// What there is to say of a run at its end.
    pub fn ending(&self) -> String {
        if let Some(problem) = &self.failed {
            return format!("The job stopped: {}", problem.message);
        }
        let never = self.faults_to_come.iter();
        let never: String = never.map(|fault| format!(" Never struck: {fault}.")).collect();
        format!("The input has ended and everything is committed.{never}")
    }

    /// Reads the engine's JSON form.
    pub fn from_json(text: &str) -> Option<Status> {
        let v: Value = serde_json::from_str(text).ok()?;
        let n = |name: &str| v[name].as_u64().unwrap_or(0);
        Some(Status {
            step: v["step"].as_u64()?,
            at: n("at_us"),
            events: n("events"),
            finished: v["finished"].as_bool().unwrap_or(false),
            failed: v.get("failed").filter(|f| !f.is_null()).map(Problem::from_json),
            hash: v["hash"].as_str().unwrap_or_default().to_owned(),
            horizon: n("horizon").max(n("step")),
            fuel: n("fuel"),
            faults_to_come: v["faults_to_come"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|fault| fault.as_str().map(str::to_owned))
                .collect(),
        })
    }
}

/// The columns of one output table.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TableInfo {
    /// The sink's name.
    pub name: String,
    /// Column names.
    pub columns: Vec<String>,
    /// Rows may be taken back: the kind is shown.
    pub updating: bool,
}

/// What moves the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Play {
    /// Nothing.
    #[default]
    Paused,
    /// Steps at the chosen speed.
    Playing,
    /// As fast as it goes, to the end.
    ToEnd,
}

/// Where a scenario stands.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Phase {
    /// The page is starting.
    #[default]
    Starting,
    /// The worker is reading files and opening the scenario.
    Opening,
    /// There is a run.
    Ready,
    /// It cannot be opened; the problems say why.
    Refused,
    /// The page itself cannot go on.
    Broken(String),
}

/// Which part of the trace the list shows.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Filter {
    /// Only events of that name.
    pub name: Option<String>,
    /// Only events of that task.
    pub task: Option<u16>,
    /// Only lines that hold this text, letter case aside.
    pub text: String,
    /// How many events have been looked at.
    pub scanned: usize,
    /// The positions of those that pass.
    pub hits: Vec<Pos>,
}

impl Filter {
    /// Everything passes.
    pub fn is_empty(&self) -> bool {
        self.name.is_none() && self.task.is_none() && self.text.is_empty()
    }

    /// Looks at events not looked at yet, and forgets those that are no more.
    pub fn scan(&mut self, run: &Run) {
        if self.is_empty() {
            (self.scanned, self.hits) = (0, Vec::new());
            return;
        }
        let end = run.applied;
        if self.scanned > end {
            self.hits.retain(|h| (*h as usize) < end);
            self.scanned = end;
        }
        let wanted = self.text.to_lowercase();
        for (i, e) in run.shown().iter().enumerate().skip(self.scanned) {
            let passes = self.name.as_ref().is_none_or(|n| n == e.what.name())
                && self.task.is_none_or(|t| t == e.task)
                && (wanted.is_empty() || e.line(&run.header).to_lowercase().contains(&wanted));
            if passes {
                self.hits.push(Pos::try_from(i).unwrap_or(Pos::MAX));
            }
        }
        self.scanned = end;
    }
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Model {
    /// The gallery.
    pub examples: Vec<Example>,
    /// The file that is open.
    pub file: String,
    /// Its text as it came, to go back to.
    pub original: String,
    /// The text in the editor.
    pub text: String,
    /// The text the run was made from.
    pub running_text: String,
    /// Counts changes of the text, so that a late answer to an old check is told apart.
    pub revision: u64,
    /// What is wrong with the text.
    pub problems: Vec<Problem>,
    /// Where the scenario stands.
    pub phase: Phase,
    /// Seed chosen by hand; `None`: the scenario's.
    pub seed: Option<u64>,
    /// The run.
    pub run: Run,
    /// What the engine said last.
    pub status: Status,
    /// Output tables, learnt once a run.
    pub tables: Vec<TableInfo>,
    /// The faults that can strike, as they are written; the engine's list.
    pub faults: Vec<String>,
    /// What moves it.
    pub play: Play,
    /// Steps a second.
    pub speed: f64,
    /// Fractions of a step owed by the last frame.
    pub owed: f64,
    /// A request is under way in the worker.
    pub busy: bool,
    /// Where the user wants the cursor while the engine is elsewhere.
    pub wanted: Option<u64>,
    /// A seek asked for while another request was under way.
    pub queued_seek: bool,
    /// A fault to inject as soon as the worker is free.
    pub queued_fault: Option<String>,
    /// Faults injected by hand: the step and the line. Restarting the worker needs them.
    pub injected: Vec<(u64, String)>,
    /// Times the worker had to be started anew in a row.
    pub restarts: u32,
    /// The record looked at: a position in the run's marks.
    pub inspected: Option<usize>,
    /// The operator whose windows and verdicts the plane shows; `None`: the first.
    pub operator: Option<String>,
    /// The key whose windows are shown; `None`: all.
    pub key: Option<String>,
    /// The events panel's filter.
    pub filter: Filter,
    /// The last thing worth saying aloud.
    pub announcement: String,
    /// How far announcements have looked.
    pub announced: usize,
    /// Windows whose details are folded out in tables, by the figure's name.
    pub table_views: BTreeSet<&'static str>,
}

impl Model {
    /// The state of a page that has just been loaded.
    pub fn new() -> Model {
        Model { speed: 100.0, ..Model::default() }
    }

    /// The step on the screen.
    pub fn step(&self) -> u64 {
        self.wanted.unwrap_or(self.status.step)
    }

    /// The scrubber's right end.
    pub fn horizon(&self) -> u64 {
        self.status.horizon.max(self.run.known_step())
    }

    /// The end of the run is on the screen.
    pub fn at_end(&self) -> bool {
        self.wanted.is_none() && (self.status.finished || self.status.failed.is_some())
    }

    /// The text in the editor is not what runs.
    pub fn edited(&self) -> bool {
        self.text != self.running_text
    }

    /// The same run at a shell's prompt.
    pub fn command_line(&self) -> String {
        let seed = self.seed.unwrap_or(self.run.header.seed);
        format!("highwater run examples/{} --seed {seed} --hash", self.file)
    }

    /// The operator whose windows and verdicts the plane shows.
    pub fn shown_operator(&self) -> Option<&str> {
        let all = self.run.waiting_operators();
        let chosen = self.operator.as_deref().filter(|o| all.contains(o));
        chosen.or(all.first().copied())
    }

    /// Whether a task is one of that operator's.
    pub fn shows_task(&self, task: u16) -> bool {
        self.shown_operator().is_none_or(|o| o == self.run.operator_of(task))
    }

    /// Virtual time on the screen, microseconds.
    pub fn now(&self) -> u64 {
        match self.wanted {
            Some(_) => self.run.shown().last().map_or(0, |e| e.at),
            None => self.status.at,
        }
    }
}
