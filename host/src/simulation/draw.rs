//! What is drawn from a seed: the pipeline and its records, the knobs of the job, lists of faults.

use std::sync::Arc;

use highwater_engine::session::{Files, Guarantee, Options, Session, Trial};
use highwater_engine::sim::fault::{At, Fault, KINDS, Kind, Target};
use highwater_engine::source::inlet;
use highwater_engine::trace::Header;
use highwater_oracle::Case;
use highwater_oracle::input::{Delay, Dice, Lateness};

use super::guest::Guest;
use crate::sandbox::WasmtimeSandbox;

/// Events that faults strike behind, and up to which of them.
const EVENTS: [(&str, u64); 18] = [
    ("arrive", 30),
    ("watermark", 12),
    ("window-fire", 6),
    ("join-match", 6),
    ("stage", 8),
    ("checkpoint-start", 4),
    ("barrier", 8),
    ("snapshot", 8),
    ("checkpoint-complete", 4),
    ("commit", 4),
    ("fault", 2),
    ("crash", 2),
    ("restore", 2),
    ("replay", 3),
    ("store", 1),
    ("sink-write", 1),
    ("in-flight", 3),
    ("source-read", 1),
];

/// The setting by which sources forget.
pub(super) const RETENTION: &str = "highwater.source.retention";

/// The setting of what a job promises.
const GUARANTEE: &str = "highwater.guarantee";

/// The setting by which barriers overtake.
const BARRIERS: &str = "highwater.barriers";
const UNALIGNED: &str = "execution.checkpointing.unaligned.enabled";

/// A job drawn from a seed.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The seed.
    pub seed: u64,
    /// The pipeline and its records.
    pub case: Case,
    /// Settings, by their keys.
    pub settings: Vec<(&'static str, String)>,
    /// Subtasks of keyed operators.
    pub parallelism: u32,
    /// Records that travel together.
    pub batch_rows: u32,
    /// What rows are written to.
    pub sink: Sink,
    /// How often the job is started again at most; `None`: as often as it takes.
    pub attempts: Option<u64>,
    /// What a guest does with the records of a table besides: [`super::guest`].
    pub guest: Option<Guest>,
}

/// What the rows of a drawn job are written to, besides the result of the script's query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Nothing: there is that result alone, and it is as the job promises.
    Result,
    /// A table that shows rows at once, whatever the job promises.
    Plain,
    /// The same with rows by a key: its first column, which need not be one.
    Idempotent,
}

impl Drawn {
    /// Draws a job.
    pub fn new(seed: u64) -> Drawn {
        let case = Case::new(seed);
        let mut dice = Dice(seed ^ 0x6B6E_6F62);
        let interval = dice.of(&["700 ms", "2 s", "5 s", "9 s", "40 s"]).to_owned();
        let delay = dice.of(&["1 ms", "300 ms", "1 s", "7 s"]).to_owned();
        let kept = dice.of(&["1", "2", "3", "3"]).to_owned();
        let mut settings = vec![
            ("execution.checkpointing.interval", interval),
            ("restart-strategy.fixed-delay.delay", delay),
            ("state.checkpoints.num-retained", kept),
        ];
        if dice.once_in(8) {
            settings.push((RETENTION, dice.of(&["10 s", "25 s"]).to_owned()));
        }
        let (parallelism, batch_rows) = (1 + dice.below(3) as u32, dice.of(&[1, 1, 2, 5, 40]));
        if dice.once_in(2) {
            settings.push((UNALIGNED, "true".to_owned()));
        }
        let sink = match dice.below(8) {
            0 => Sink::Plain,
            1 => Sink::Idempotent,
            _ => Sink::Result,
        };
        if dice.once_in(4) {
            settings.push(("highwater.store.replicas", dice.of(&["2", "3"]).to_owned()));
        }
        let guest = dice.once_in(8);
        let attempts = dice.once_in(16).then(|| 1 + dice.below(3));
        if let Some(most) = attempts {
            settings.push(("restart-strategy.fixed-delay.attempts", most.to_string()));
        }
        if attempts.is_none() && dice.once_in(8) {
            settings.push(("restart-strategy.type", "exponential-delay".to_owned()));
        }
        if !settings.iter().any(|(key, _)| *key == UNALIGNED) && dice.once_in(3) {
            settings.push((BARRIERS, "none".to_owned()));
        }
        let guest = guest.then(|| dice.of(&[Guest::Counting, Guest::Pairing]));
        Drawn { seed, case, settings, parallelism, batch_rows, sink, attempts, guest }
    }

    /// The job's guest, and the source table that it works on.
    pub(super) fn guest(&self) -> Option<(Guest, usize)> {
        let first = (0..2).find(|table| self.case.node.reads(*table));
        self.guest.zip(first)
    }

    /// The same job with so many subtasks, and with aligned barriers: those let key groups move.
    #[must_use]
    pub(super) fn moved(&self, parallelism: u32) -> Drawn {
        let mut drawn = Drawn { parallelism, ..self.clone() };
        drawn.settings.retain(|(key, _)| *key != UNALIGNED);
        drawn
    }

    /// How the job is opened.
    pub fn options(&self) -> Options {
        Options {
            seed: Some(self.seed),
            parallelism: Some(self.parallelism),
            batch_rows: Some(self.batch_rows),
        }
    }

    /// The job as a scenario, with a block of these faults when there are some.
    pub fn scenario(&self, faults: &[String]) -> String {
        let set = |(key, value): &(&str, String)| format!("SET '{key}' = '{value}';\n");
        let sets: String = self.settings.iter().map(set).collect();
        let guest = self.guest().map(|(guest, table)| guest.statements(table)).unwrap_or_default();
        let mut text = self.case.input.scenario(&format!("{sets}{guest}{}", self.script()));
        if !faults.is_empty() {
            text += &format!("\n```faults\n{}\n```\n", faults.join("\n"));
        }
        text
    }

    /// The pipeline's script, its rows written where they are to be, too. What columns these have is the engine's to say.
    fn script(&self) -> String {
        let script = self.case.script();
        let Some((views, query)) = script.rsplit_once("SELECT ") else { return script };
        if self.sink == Sink::Result {
            return script;
        }
        let (text, sandbox) =
            (self.case.input.scenario(&script), Arc::new(WasmtimeSandbox::default()));
        let Ok(session) =
            Session::open("drawn.md", &text, &Files::default(), sandbox, &self.options())
        else {
            return script;
        };
        let tables = session.tables();
        let fields = tables[0].schema.fields.iter().enumerate();
        let columns: Vec<String> = fields.map(|(i, f)| format!("o{i} {}", f.data_type)).collect();
        let key = match self.sink {
            Sink::Idempotent => ", PRIMARY KEY (o0) NOT ENFORCED",
            _ => "",
        };
        // A table cannot promise more than its job, and without a word promises as much.
        let least = (GUARANTEE, Guarantee::AtMostOnce.name().to_owned());
        let promise = match self.settings.contains(&least) {
            true => "",
            false => ", 'sink.delivery-guarantee' = 'at-least-once'",
        };
        format!(
            "{views}CREATE TABLE drawn ({}{key}) WITH ('connector' = 'print'{promise});\nINSERT INTO drawn SELECT {query}\nSELECT {query}",
            columns.join(", ")
        )
    }

    /// The whole as a file that opens anywhere: its knobs and its guarantee in it, too.
    pub fn file(&self, guarantee: Guarantee, faults: &[String]) -> String {
        let mut drawn = self.clone();
        drawn.settings.push((GUARANTEE, guarantee.name().to_owned()));
        let knobs = format!(
            "\n```toml settings\nseed = {}\nparallelism = {}\nbatch_rows = {}\n```\n",
            self.seed, self.parallelism, self.batch_rows
        );
        drawn.scenario(faults) + &knobs
    }

    /// One list of faults, of these kinds (all when there are none), for a job whose run without faults is known.
    pub fn faults(
        &self,
        list: u64,
        kinds: &[String],
        session: &Session,
        calm: &Trial,
    ) -> Vec<String> {
        let mut dice = Dice(self.seed.wrapping_mul(31) ^ (list + 1) << 40);
        let chosen = |kind: &&Kind| match kinds.is_empty() {
            true => self.guest.is_some() || !kind.name.starts_with("guest-"),
            false => kinds.iter().any(|name| name == kind.name),
        };
        let judged = |kind: &&Kind| kind.name != "source-idle" || self.case.may_idle();
        let all: Vec<&Kind> = KINDS.iter().filter(chosen).filter(judged).collect();
        let mut swarm: Vec<&Kind> = all.iter().copied().filter(|_| dice.once_in(3)).collect();
        // Much of what is broken shows when the job comes back.
        let crashes = all.iter().copied().filter(|kind| kind.name.starts_with("crash"));
        if !dice.once_in(4) {
            swarm.extend(crashes);
        }
        if swarm.is_empty() {
            swarm.push(dice.of(&all));
        }
        let span = calm.at - calm.events.first().map_or(calm.at, |event| event.at);
        let count = 1 + dice.below(6);
        (0..count).filter_map(|_| fault(&mut dice, &swarm, session, span)).collect()
    }
}

/// Delays of the input as plain loops know them.
///
/// # Errors
/// What is no delay, or begins who knows when.
pub(super) fn delays(lines: &[String], header: &Header) -> Result<Vec<Delay>, String> {
    let one = |line: &String| {
        let fault = Fault::parse(line, header).map_err(|e| e.to_string())?;
        let (Some(delay), At::After(from)) = (fault.kind.delay, &fault.at) else {
            return Err(format!("`{line}` is no delay from a time on"));
        };
        let millis = |micros: u64| i64::try_from(micros / 1000).unwrap_or(i64::MAX);
        let until = millis(from.saturating_add(fault.aim.lasts));
        let name = Target::Partition.names(header)[usize::from(fault.aim.number)].clone();
        let (table, partition) = name.split_once('/').map_or((&*name, None), |(t, p)| (t, Some(p)));
        let how = match delay(fault.aim) {
            inlet::Delay::Stall => Lateness::Stalled,
            inlet::Delay::Slow(gap) => Lateness::Slow(millis(gap)),
            inlet::Delay::Late(by) => Lateness::Late(millis(by)),
            inlet::Delay::Idle => Lateness::Idle,
        };
        let table =
            table.trim_start_matches('t').parse().map_err(|_| format!("no table: {name}"))?;
        let partition = partition.map(|p| p.parse().map_err(|_| format!("no partition: {name}")));
        Ok(Delay { table, partition: partition.transpose()?, from: millis(*from), until, how })
    };
    lines.iter().map(one).collect()
}

/// One fault as a line; none where there is nothing that it could strike.
fn fault(dice: &mut Dice, kinds: &[&Kind], session: &Session, span: u64) -> Option<String> {
    let kind = dice.of(kinds);
    let target = match kind.target {
        Target::Nothing => String::new(),
        target => {
            let names = target.names(session.header());
            if names.is_empty() {
                return None;
            }
            format!(" {}", dice.of(&names))
        }
    };
    let moment = |dice: &mut Dice| dice.below(span / 1000 + 1);
    let when = match dice.below(5) {
        // The first record of all is there before what delays others.
        0..=2 if kind.delay.is_some() => format!("at {}ms", 1 + moment(dice)),
        0 | 1 => format!("at {}ms", moment(dice)),
        2 => {
            let (a, b) = (moment(dice), moment(dice));
            format!("at {}ms..{}ms", a.min(b), a.max(b))
        }
        _ => {
            let (event, most) = dice.of(&EVENTS);
            format!("on {event} {}", 1 + dice.below(most))
        }
    };
    let count = match kind.count {
        Some(_) if dice.once_in(2) => format!(" {}", 1 + dice.below(9)),
        _ => String::new(),
    };
    let step = match kind.step {
        Some((word, _)) => format!(" {word} {}ms", dice.of(&[100, 2_000, 15_000])),
        None => String::new(),
    };
    let lasts = match kind.lasts {
        Some(_) if dice.once_in(2) => {
            format!(" for {}ms", dice.of(&[30, 800, 5_000, 20_000]))
        }
        _ => String::new(),
    };
    Some(format!("{when} {}{target}{count}{step}{lasts}", kind.name))
}
