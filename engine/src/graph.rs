//! The graph: a plan cut into stages at every exchange of rows, then into tasks and channels.

mod build;
mod contents;
mod restore;
mod stages;

use crate::error::{Diagnostic, Result};
use crate::key::hash_bytes;
use crate::plan::{Op, Plan, SinkSpec, SourceSpec};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::Pieces;
use crate::snapshot::{PLAN, SEED};
use crate::task::Route;
use crate::trace::{Header, TaskInfo};
use crate::window::TURN;
use stages::{Share, Stage, share_sources, stages};

/// A plan made ready to run.
pub struct Graph {
    plan: Plan,
    stages: Vec<Stage>,
    /// Channel number → from task, to task, channel number at the receiving gate.
    pub channels: Vec<(u16, u16, usize)>,
    /// Names for the trace.
    pub header: Header,
    /// Task number → stage, subtask.
    tasks: Vec<(usize, u32)>,
    /// Whether it is cut for threads.
    threaded: bool,
    /// Of the plan.
    fingerprint: [u8; 8],
    sources: Vec<u16>,
    sinks: Vec<u16>,
}

impl Graph {
    /// Cuts a plan into tasks.
    ///
    /// # Errors
    /// When the parallelism is out of range.
    pub fn new(plan: Plan, parallelism: u32, seed: u64) -> Result<Graph> {
        Graph::cut(plan, parallelism, seed, false)
    }

    /// Cuts a plan so that many threads have something to do. The rows are those of any other cut.
    ///
    /// Joins, sessions and guests' operators get a subtask a thread, by key. So do tumbling windows whose
    /// aggregates merge to the same in any order, but by blocks of the stream: then reading keys is shared
    /// too. Other windows and running aggregates have one: to bring their rows back in order, or to
    /// deal records out by key, would cost what was won.
    ///
    /// # Errors
    /// When the number of threads is out of range.
    pub fn threaded(plan: Plan, threads: u32, seed: u64) -> Result<Graph> {
        Graph::cut(plan, threads, seed, threads > 1)
    }

    fn cut(mut plan: Plan, parallelism: u32, seed: u64, threaded: bool) -> Result<Graph> {
        if parallelism == 0 || parallelism > crate::key::KEY_GROUPS {
            return Err(Diagnostic::new(
                "settings.parallelism",
                format!("a parallelism of {parallelism} is out of range"),
            )
            .hint(format!("choose 1 to {}", crate::key::KEY_GROUPS)));
        }
        share_sources(&mut plan);
        let stages = stages(&plan, parallelism, threaded);
        let fingerprint = hash_bytes(plan.explain().as_bytes()).to_le_bytes();
        let mut graph = Graph {
            plan,
            fingerprint,
            sources: Vec::new(),
            sinks: Vec::new(),
            stages,
            channels: Vec::new(),
            header: Header { seed, ..Header::default() },
            tasks: Vec::new(),
            threaded,
        };
        graph.number();
        graph.sources = graph.tasks_where(|op| matches!(op, Op::Source(_)));
        graph.sinks = graph.tasks_where(|op| matches!(op, Op::Sink(_)));
        Ok(graph)
    }

    /// The plan behind the graph.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What a snapshot says of the job that has made it, as sections: a few bytes that differ when the plan does
    /// (operators, columns, windows, functions, guests), and the seed where records are drawn from it.
    pub fn identity(&self) -> Vec<(String, Pieces)> {
        let mut identity = vec![(PLAN.to_owned(), self.fingerprint.to_vec().into())];
        if self.sources().iter().any(|(source, _)| source.draws()) {
            identity.push((SEED.to_owned(), self.header.seed.to_le_bytes().to_vec().into()));
        }
        identity
    }

    /// The sources, in the order of the inlet.
    pub fn sources(&self) -> Vec<(&SourceSpec, &SchemaRef)> {
        let nodes = self.plan.nodes.iter();
        nodes
            .filter_map(|n| if let Op::Source(s) = &n.op { Some((s, &n.schema)) } else { None })
            .collect()
    }

    /// The sinks, with their rows' schema and whether they take updates.
    pub fn sinks(&self) -> Vec<(&SinkSpec, &SchemaRef, bool)> {
        let nodes = self.plan.nodes.iter();
        nodes
            .filter_map(|n| {
                if let Op::Sink(s) = &n.op { Some((s, &n.schema, n.updating)) } else { None }
            })
            .collect()
    }

    /// The task of each source, in the order of the inlet.
    pub fn source_tasks(&self) -> Vec<u16> {
        self.sources.clone()
    }

    /// The task of each sink, in the order of [`Graph::sinks`].
    pub fn sink_tasks(&self) -> Vec<u16> {
        self.sinks.clone()
    }

    /// Which of [`Graph::sinks`] a task is; `None`: it is none.
    pub fn sink_of(&self, task: u16) -> Option<usize> {
        self.sinks.iter().position(|sink| *sink == task)
    }

    fn tasks_where(&self, wanted: impl Fn(&Op) -> bool) -> Vec<u16> {
        let nodes = self.plan.nodes.iter().enumerate().filter(|(_, n)| wanted(&n.op));
        nodes
            .map(|(id, _)| {
                let at = self.tasks.iter().position(|&(s, _)| self.stages[s].nodes.contains(&id));
                at.expect("every node is in a task") as u16
            })
            .collect()
    }

    /// How many batches should be under way at once, so that every subtask has something to do.
    pub fn batches_ahead(&self) -> usize {
        let widest = self.stages.iter().map(|s| s.parallelism).max().unwrap_or(1) as usize;
        let shares = self.stages.iter().any(|s| s.share == Share::Part);
        if shares { widest * TURN as usize * 3 / 2 } else { 4 * widest }
    }

    /// Whether any of its operators has several subtasks.
    pub fn is_wide(&self) -> bool {
        self.stages.iter().any(|s| s.parallelism > 1)
    }

    /// What a task has at heart: nothing but the rows under way, or state that stays.
    pub fn is_light(&self, task: usize) -> bool {
        let stage = &self.stages[self.tasks[task].0];
        matches!(stage.kind, "map" | "sink") || stage.share == Share::Merge
    }

    /// How far the watermark that a task hands on stays behind the one it gets, milliseconds.
    pub fn holds_back(&self, task: u16) -> i64 {
        let nodes = &self.stages[self.tasks[usize::from(task)].0].nodes;
        let back = nodes.iter().map(|&n| match &self.plan.nodes[n].op {
            Op::IntervalJoin { bounds, .. } => bounds.back().saturating_add(1),
            _ => 0,
        });
        back.fold(0, i64::saturating_add)
    }

    /// Which subtask a task is, of how many.
    pub fn subtask(&self, task: usize) -> (usize, usize) {
        let (stage, subtask) = self.tasks[task];
        (subtask as usize, self.stages[stage].parallelism as usize)
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// True without tasks.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Gives tasks and channels their numbers.
    fn number(&mut self) {
        for (s, stage) in self.stages.iter().enumerate() {
            for subtask in 0..stage.parallelism {
                self.tasks.push((s, subtask));
                let lines: Vec<String> =
                    stage.nodes.iter().map(|&n| self.plan.describe(n)).collect();
                self.header.tasks.push(TaskInfo {
                    name: format!("{}/{subtask}", stage.name),
                    kind: stage.kind.to_owned(),
                    describe: lines.join("\n"),
                    partitions: Vec::new(),
                });
            }
        }
        for to in 0..self.tasks.len() {
            let (stage, subtask) = self.tasks[to];
            let mut at_gate = 0;
            for (i, &(from_stage, _)) in self.stages[stage].inputs.iter().enumerate() {
                for from in 0..self.tasks.len() {
                    let (s, from_subtask) = self.tasks[from];
                    let forward = self.forward(stage, i);
                    if s == from_stage && (!forward || from_subtask == subtask) {
                        self.channels.push((from as u16, to as u16, at_gate));
                        at_gate += 1;
                    }
                }
            }
        }
        self.header.channels = self.channels.iter().map(|&(f, t, _)| (f, t)).collect();
    }

    /// The edge of each channel at a task's gate: by edge, then by sending task.
    fn edges_in(&self, task: usize) -> Vec<usize> {
        let (stage, subtask) = self.tasks[task];
        let edge = |(i, &(from_stage, _)): (usize, &(usize, usize))| {
            let forward = self.forward(stage, i);
            let sends =
                move |&&(s, from): &&(usize, u32)| s == from_stage && (!forward || from == subtask);
            std::iter::repeat_n(i, self.tasks.iter().filter(sends).count())
        };
        self.stages[stage].inputs.iter().enumerate().flat_map(edge).collect()
    }

    /// Whether the edge connects subtask i with subtask i only.
    fn forward(&self, stage: usize, input: usize) -> bool {
        let from = &self.stages[self.stages[stage].inputs[input].0];
        matches!(self.stages[stage].routes[input], Route::Only)
            && from.parallelism == self.stages[stage].parallelism
    }
}
