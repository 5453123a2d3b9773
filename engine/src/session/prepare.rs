//! From a file's text to a job: scenario, plan, guests, inputs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Options;
use crate::error::{Diagnostic, Position, Result, Span};
use crate::expr::Expr;
use crate::graph::Graph;
use crate::plan::{Op, Plan, Settings, SourceSpec};
use crate::scenario::{self, Knobs, Scenario};
use crate::schema::DataType;
use crate::sim::Job;
use crate::sim::fault::Fault;
use crate::sim::restarts::Restarts;
use crate::sim::ward::Ward;
use crate::source::inlet::Inlet;
use crate::source::only::Only;
use crate::source::push::{self, Feed};
use crate::source::{self, Files, Input};
use crate::sql::{self, Catalog, Need};
use crate::time::parse_duration_micros;
use crate::udf::manifest::Manifest;
use crate::udf::{Guests, Sandbox};
use crate::value::Value;

/// Several things that are wrong.
pub(super) type Many<T> = std::result::Result<T, Vec<Diagnostic>>;

/// On how many disks each snapshot is kept.
const REPLICAS: &str = "highwater.store.replicas";

/// How many checkpoints are kept unless the script says otherwise: a damaged one has others behind it.
const RETAINED: usize = 3;

/// A job and what it was made from.
pub(super) struct Prepared {
    pub graph: Graph,
    pub guests: Guests,
    pub sandbox: Arc<dyn Sandbox>,
    pub inputs: Vec<Vec<Input>>,
    /// Where the rows of `push` tables go in, in the order of the sources.
    pub feeds: Vec<Feed>,
    pub partitions: Vec<Vec<u16>>,
    pub faults: Vec<Fault>,
    pub warnings: Vec<Diagnostic>,
    pub explain_only: bool,
    pub settings: Settings,
    pub batch_rows: Option<usize>,
}

/// Guests among the given files.
struct FileCatalog<'a> {
    files: &'a Files,
    guests: std::cell::RefCell<Guests>,
}

impl Catalog for FileCatalog<'_> {
    fn guest(&self, path: &str) -> Result<Arc<Manifest>> {
        let mut guests = self.guests.borrow_mut();
        if guests.module(path).is_err() {
            let bytes = self.files.get(path).ok_or_else(|| {
                Diagnostic::new("guest.missing", format!("there is no guest `{path}`")).hint(
                    "the path is relative to the script; `cargo play` and `cargo verify` build the guests of this project",
                )
            })?;
            guests.admit(path, &bytes)?;
        }
        Ok(Arc::new(guests.module(path)?.manifest().clone()))
    }
}

/// Reads a file's text by the ending of its name.
pub(super) fn read(name: &str, text: &str) -> Many<Scenario> {
    if name.ends_with(".md") {
        scenario::parse(name, text)
    } else {
        Ok(scenario::from_sql(name, text))
    }
}

/// What a script needs to be given: data files it reads and guests it calls.
pub(super) fn needs(name: &str, text: &str) -> Many<Vec<Need>> {
    let scenario = read(name, text)?;
    sql::needs(&scenario.script()).map_err(|errors| placed(&scenario, errors))
}

/// Whether a run to the end would come to one; otherwise an error for each table that has none.
pub(super) fn ends(name: &str, text: &str) -> Many<()> {
    let scenario = read(name, text)?;
    let endless = sql::endless(&scenario.script());
    if endless.is_empty() { Ok(()) } else { Err(placed(&scenario, endless)) }
}

/// The diagnostics of the joined script at their places in the file.
fn placed(scenario: &Scenario, errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
    errors.into_iter().map(|e| *scenario.placed(Box::new(e))).collect()
}

/// What is otherwise than the file says, for those who ask what would be if.
#[derive(Clone, Copy, Default)]
pub(super) struct Variation<'a> {
    /// A table, and how far its watermark stays behind, milliseconds.
    pub delay: Option<(&'a str, i64)>,
    /// The only records there are: source, partition, offset.
    pub only: Option<&'a BTreeSet<(usize, u16, u64)>>,
    /// Settings that hold whatever the script says, key and value; of two of one key the later.
    pub set: &'a [(String, String)],
}

impl Variation<'_> {
    /// The settings, if they are some, and the script's knobs do not stand in their way.
    fn settings(&self, knobs: &mut Knobs) -> Many<Settings> {
        let mut settings = Settings::default();
        let mut errors = Vec::new();
        for (key, value) in self.set {
            errors.extend(sql::settings::check(key, value).err().map(|error| *error));
            match key.as_str() {
                "highwater.seed" => knobs.seed = None,
                "parallelism.default" => knobs.parallelism = None,
                "highwater.batch-rows" => knobs.batch_rows = None,
                _ => {}
            }
            settings.values.insert(key.clone(), value.clone());
        }
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// Refuses settings of tables that the job does not read.
    fn reach(&self, plan: &Plan) -> Result<()> {
        let read = |table: &str| {
            let mut ops = plan.nodes.iter().map(|node| &node.op);
            ops.any(|op| matches!(op, Op::Source(spec) if spec.table == table))
        };
        for (key, _) in self.set {
            let Some((table, _)) = sql::settings::of_table(key).filter(|(t, _)| !read(t)) else {
                continue;
            };
            let what = format!("the setting `{key}` has no effect: no table `{table}` is read");
            return Err(Diagnostic::new("sql.unknown-setting", what)
                .hint("name a table of the script that its queries read"));
        }
        Ok(())
    }

    /// Gives the table's watermark its other delay.
    fn change(&self, plan: &mut Plan) -> Result<()> {
        let Some((table, delay)) = self.delay else { return Ok(()) };
        for node in &mut plan.nodes {
            let Op::Source(spec) = &mut node.op else { continue };
            if let Some(watermark) = spec.watermark.as_mut().filter(|_| spec.table == table) {
                let time = Expr::column(watermark.column, &node.schema.fields[watermark.column]);
                let unit = Expr::literal(Value::String("MILLISECOND".into()), DataType::String);
                let back = Expr::literal(Value::BigInt(-delay), DataType::BigInt);
                watermark.expr = Expr::call("TIMESTAMPADD", vec![unit, back, time])?;
                watermark.delay = Some(delay);
            }
        }
        Ok(())
    }

    /// The inputs of a source without the records that are not to be.
    fn thin(&self, source: usize, inputs: Vec<Input>) -> Vec<Input> {
        let Some(only) = self.only else { return inputs };
        let one = |Input { partition, name, reader, first }| {
            let kept = only.range((source, partition, 0)..=(source, partition, u64::MAX));
            let reader = Box::new(Only::new(reader, kept.map(|&(.., offset)| offset).collect()));
            Input { partition, name, reader, first }
        };
        inputs.into_iter().map(one).collect()
    }
}

/// Makes a job ready.
pub(super) fn prepare(
    name: &str,
    text: &str,
    files: &Files,
    sandbox: Arc<dyn Sandbox>,
    options: &Options,
) -> Many<Prepared> {
    prepare_varied(name, text, files, sandbox, options, Variation::default())
}

/// Makes a job ready that is not quite the file's.
pub(super) fn prepare_varied(
    name: &str,
    text: &str,
    files: &Files,
    sandbox: Arc<dyn Sandbox>,
    options: &Options,
    variation: Variation<'_>,
) -> Many<Prepared> {
    let mut scenario = read(name, text)?;
    let set = variation.settings(&mut scenario.knobs)?;
    let catalog = FileCatalog { files, guests: Guests::default().into() };
    let plan = sql::plan_with(&scenario.script(), &set, &catalog);
    let mut plan = plan.map_err(|e| placed(&scenario, e))?;
    let one = |e: crate::error::Error| vec![*e.in_source(name)];
    variation.reach(&plan).map_err(|e| vec![*e])?;
    variation.change(&mut plan).map_err(one)?;
    let settings = plan.settings.clone();
    let seed = options.seed.or(scenario.knobs.seed).or(number(&settings, "highwater.seed"));
    let seed = seed.unwrap_or(1);
    let parallelism = options
        .parallelism
        .or(scenario.knobs.parallelism.map(u32::from))
        .or(number(&settings, "parallelism.default").and_then(|n| u32::try_from(n).ok()))
        .unwrap_or(1);
    let batch_rows = options
        .batch_rows
        .or(scenario.knobs.batch_rows)
        .map(u64::from)
        .or(number(&settings, "highwater.batch-rows"))
        .map(|n| usize::try_from(n.max(1)).unwrap_or(usize::MAX));
    let warnings = placed(&scenario, plan.warnings.clone());
    let explain_only = plan.explain;
    let mut graph = Graph::new(plan, parallelism, seed).map_err(one)?;
    let (mut inputs, mut feeds) = (Vec::new(), Vec::new());
    let mut partitions: Vec<Vec<u16>> = Vec::new();
    for (spec, _) in graph.sources() {
        // A plan that is only shown reads nothing.
        if explain_only {
            partitions.push(Vec::new());
            continue;
        }
        let opened = if spec.connector == push::CONNECTOR {
            let opened = push::open(spec, &settings);
            opened.map(|(feed, inputs)| {
                feeds.push(feed);
                inputs
            })
        } else {
            source::open(spec, &settings, files, &scenario.blocks, seed)
        };
        let opened = opened.map_err(one)?;
        partitions.push(opened.iter().map(|i| i.partition).collect());
        inputs.push(variation.thin(inputs.len(), opened));
    }
    for (source, task) in graph.source_tasks().into_iter().enumerate() {
        let numbers = partitions.get(source).cloned().unwrap_or_default();
        graph.header.tasks[usize::from(task)].partitions = numbers;
    }
    let mut faults = Vec::new();
    let mut errors = Vec::new();
    for (line, text) in &scenario.faults {
        match Fault::parse(text, &graph.header) {
            Ok(fault) => faults.push(fault),
            Err(e) => errors.push(*e.at(line_span(*line, text)).in_source(name)),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let guests = catalog.guests.into_inner();
    Ok(Prepared {
        graph,
        guests,
        sandbox,
        inputs,
        feeds,
        partitions,
        faults,
        warnings,
        explain_only,
        settings,
        batch_rows,
    })
}

/// A number among the settings.
fn number(settings: &Settings, key: &str) -> Option<u64> {
    settings.get(key).and_then(|v| v.trim().parse().ok())
}

/// The whole of a line that holds `text`.
fn line_span(line: u32, text: &str) -> Span {
    let columns = text.chars().count() as u32;
    let at = |column| Position { line, column };
    Span { start: at(1), end: at(columns + 1) }
}

/// A duration among the settings, in microseconds; zero counts as absent.
fn duration(settings: &Settings, key: &str) -> Option<u64> {
    settings.get(key).and_then(parse_duration_micros).filter(|d| *d > 0)
}

/// The restart policy that the settings name.
fn restarts(settings: &Settings) -> Restarts {
    let of = |key: &str| format!("restart-strategy.{key}");
    let time = |key: &str, default| duration(settings, &of(key)).unwrap_or(default);
    let most = number(settings, &of("fixed-delay.attempts"));
    let fixed = |most| Restarts::fixed(time("fixed-delay.delay", 1_000_000), most);
    match settings.get(&of("type")) {
        Some("none") => fixed(Some(0)),
        Some("exponential-delay") => {
            let factor = settings.get(&of("exponential-delay.backoff-multiplier"));
            let factor = factor.and_then(|text| text.trim().parse::<f64>().ok()).unwrap_or(1.5);
            Restarts {
                first: time("exponential-delay.initial-backoff", 1_000_000),
                // A wait never becomes shorter; as casts saturate, none becomes too long.
                factor: ((factor * 1_000.0) as u64).max(1_000),
                longest: time("exponential-delay.max-backoff", 60_000_000),
                calm: time("exponential-delay.reset-backoff-threshold", 3_600_000_000),
                most: None,
            }
        }
        _ => fixed(most),
    }
}

impl Prepared {
    /// The job that a simulation runs.
    pub fn job(self) -> Job {
        let duration = |key| duration(&self.settings, key);
        let number = |key| number(&self.settings, key);
        let retained = number("state.checkpoints.num-retained");
        Job {
            checkpoint_interval: duration("execution.checkpointing.interval"),
            barriers: sql::settings::barriers(&self.settings),
            restarts: restarts(&self.settings),
            retained: retained.and_then(|n| usize::try_from(n).ok()).unwrap_or(RETAINED),
            replicas: number(REPLICAS).and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
            retention: duration("highwater.source.retention"),
            batch_rows: self.batch_rows.unwrap_or(1),
            graph: self.graph,
            guests: self.guests,
            ward: Ward::new(self.sandbox),
            partitions: self.partitions,
        }
    }

    /// Refuses tables that nobody will feed.
    pub fn fed(&self) -> Result<()> {
        let Some(feed) = self.feeds.first() else { return Ok(()) };
        let message = format!("table `{}` waits for rows that nobody hands in here", feed.table());
        Err(Diagnostic::new("source.not-fed", message)
            .hint("a 'push' table is fed by a program that embeds the engine; read a file with 'filesystem'"))
    }

    /// The inputs merged by arrival; `retain` to be able to go back.
    pub fn inlet(&mut self, retain: bool) -> Result<Inlet> {
        let idle = duration(&self.settings, "table.exec.source.idle-timeout");
        let inlet = Inlet::new(std::mem::take(&mut self.inputs), retain)?;
        let own = |spec: &SourceSpec| match spec.watermark.as_ref().and_then(|w| w.idle) {
            Some(own) => Some(own).filter(|own| *own > 0),
            None => idle,
        };
        let after: Vec<_> = self.graph.sources().iter().map(|(spec, _)| own(spec)).collect();
        let inlet = inlet.idling(&after).aligned(&self.graph.sources());
        Ok(inlet.ticking(self.graph.plan().clock))
    }
}
