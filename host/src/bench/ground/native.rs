//! The engine over the same columns: SQL in, columns from memory, rows added up as they come.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{ArrayRef, TimestampMillisecondArray};
use highwater_engine::batch::Batch;
use highwater_engine::error::{Diagnostic, Result};
use highwater_engine::expr::{self, Expr};
use highwater_engine::graph::Graph;
use highwater_engine::numbers::Numbers;
use highwater_engine::plan::{Op, Plan, SourceSpec};
use highwater_engine::runner::Runner;
use highwater_engine::schema::{DataType, Field, Schema};
use highwater_engine::source::inlet::Inlet;
use highwater_engine::source::{Chunk, Detached, Input, Reader};
use highwater_engine::sql::{self, Catalog};
use highwater_engine::task::Task;
use highwater_engine::udf::manifest::Manifest;
use highwater_engine::udf::{Guests, Instance, Sandbox};

use super::{Columns, Totals, Workload};
use crate::threads::{self, Threads};

/// Reads columns that are in memory already, as often as asked: each time, their times are later by as much
/// as the stream is long.
struct Memory {
    columns: Columns,
    next: usize,
    /// How often they have been read, and how often they shall be.
    round: u32,
    rounds: u32,
    /// Milliseconds from one round to the next.
    span: i64,
}

impl Memory {
    /// The rows `first..first + rows`, as they are in this round.
    fn slice(&self, first: usize, rows: usize) -> Vec<ArrayRef> {
        let later = i64::from(self.round) * self.span;
        let column = |array: &ArrayRef| match array.as_primitive_opt::<TimestampMillisecondType>() {
            Some(times) if later > 0 => {
                let times = times.values()[first..first + rows].iter().map(|t| t + later);
                Arc::new(TimestampMillisecondArray::from_iter_values(times)) as ArrayRef
            }
            _ => array.slice(first, rows),
        };
        self.columns.arrays.iter().map(column).collect()
    }
}

impl Reader for Memory {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        if self.next == self.columns.rows() && self.round + 1 < self.rounds {
            (self.next, self.round) = (0, self.round + 1);
        }
        let first = self.next;
        let rows = max_rows.min(self.columns.rows() - first);
        if rows == 0 {
            return Ok(None);
        }
        self.next += rows;
        let number = u64::from(self.round) * self.columns.rows() as u64 + first as u64;
        Ok(Some(chunk(self.slice(first, rows), number)))
    }

    fn detach(self: Box<Self>) -> Detached {
        Ok(self)
    }

    fn relative(&self) -> bool {
        true
    }
}

/// Rows in memory as a reader hands them over, the first of them with that number.
pub fn chunk(columns: Vec<ArrayRef>, number: u64) -> Chunk {
    let rows = columns[0].len();
    Chunk {
        columns,
        rows,
        offsets: Numbers::run(number, rows),
        lines: Numbers::same(0, rows),
        arrivals: Numbers::run(number, rows),
        bad: Vec::new(),
    }
}

/// The stream's pace.
const RECORDS_PER_MS: i64 = 10;

fn memory(columns: &Columns, rounds: u32) -> Memory {
    let span = columns.rows() as i64 / RECORDS_PER_MS;
    Memory { columns: columns.clone(), next: 0, round: 0, rounds, span }
}

/// The guests a workload calls, and what runs them.
#[derive(Clone)]
pub struct Host {
    /// The modules by the paths of the SQL.
    pub guests: Guests,
    /// What runs them.
    pub sandbox: Arc<dyn Sandbox>,
}

impl Default for Host {
    /// No guests.
    fn default() -> Host {
        Host { guests: Guests::default(), sandbox: Arc::new(NoSandbox) }
    }
}

impl Catalog for Host {
    fn guest(&self, path: &str) -> Result<Arc<Manifest>> {
        Ok(Arc::new(self.guests.module(path)?.manifest().clone()))
    }
}

/// Runs nothing.
struct NoSandbox;

impl Sandbox for NoSandbox {
    fn instantiate(&self, _: &[u8]) -> Result<Box<dyn Instance>> {
        Err(Diagnostic::new("guest.missing", "these workloads call no guest"))
    }
}

/// A script's plan.
///
/// # Errors
/// When the engine refuses the job.
pub fn plan(sql: &str, host: &Host) -> Result<Plan> {
    sql::plan(sql, host).map_err(|mut errors| Box::new(errors.swap_remove(0)))
}

/// A job over such an input for each place that reads a table, cut for so many threads.
///
/// # Errors
/// When the engine refuses the job, or there is no such input.
pub fn job(
    sql: &str,
    input: &dyn Fn(&SourceSpec) -> Result<Input>,
    threads: u32,
    host: &Host,
) -> Result<(Graph, Inlet, Vec<Task>)> {
    let graph = Graph::threaded(plan(sql, host)?, threads, 1)?;
    let inputs = graph.sources().into_iter().map(|(spec, _)| Ok(vec![input(spec)?]));
    let inputs: Vec<Vec<Input>> = inputs.collect::<Result<_>>()?;
    let sources = inputs.len();
    let inlet = Inlet::new(inputs, false)?;
    let tasks = graph.build(&vec![vec![0]; sources], &host.guests, &host.sandbox)?;
    Ok((graph, inlet, tasks))
}

/// The only partition of a table.
fn only(reader: Box<dyn Reader>) -> Result<Input> {
    Ok(Input { partition: 0, name: "events".into(), reader, first: false })
}

/// Runs a workload in the engine compiled in, `batch_rows` records at a time, on so many threads.
///
/// # Errors
/// When the engine refuses the job or stops.
pub fn run(
    workload: Workload,
    columns: &Columns,
    batch_rows: usize,
    threads: u32,
) -> Result<Totals> {
    let sql = workload.sql("datagen");
    run_with(workload, &sql, columns, (batch_rows, threads), &Host::default())
}

/// The same with other SQL for the same rows, and with guests.
///
/// # Errors
/// When the engine refuses the job or stops.
pub fn run_with(
    workload: Workload,
    sql: &str,
    columns: &Columns,
    (batch_rows, threads): (usize, u32),
    host: &Host,
) -> Result<Totals> {
    let (graph, inlet, tasks) = job(sql, &|_| only(Box::new(memory(columns, 1))), threads, host)?;
    let mut totals = Totals::default();
    let report = threads::run(
        &graph,
        inlet,
        tasks,
        batch_rows,
        Threads { count: threads, pinned: true },
        &mut |_, batch| {
            workload.add(&batch.columns, batch.kinds.as_deref(), &mut totals);
            Ok(())
        },
        &mut |_| {},
    )?;
    totals.late = report.late;
    Ok(totals)
}

/// A job over columns that are read so many times, before its first step.
///
/// # Errors
/// When the engine refuses the job.
pub fn runner(sql: &str, columns: &Columns, rounds: u32, host: &Host) -> Result<Runner> {
    runner_over(sql, &|| Box::new(memory(columns, rounds)), host)
}

/// A job over what such readers read, each place that reads the table with one of its own, before its first
/// step.
///
/// # Errors
/// When the engine refuses the job.
pub fn runner_over(sql: &str, reader: &dyn Fn() -> Box<dyn Reader>, host: &Host) -> Result<Runner> {
    let (graph, inlet, tasks) = job(sql, &|_| only(reader()), 1, host)?;
    Ok(Runner::new(&graph, inlet, tasks))
}

/// The one expression that a script computes of its table's columns, with its guest.
///
/// # Errors
/// When the engine refuses the script.
pub fn expression(sql: &str, host: &Host) -> Result<Expr> {
    let plan = plan(sql, host)?;
    let mut found = plan.nodes.iter().find_map(|node| match &node.op {
        Op::Project { exprs } => exprs.first().cloned(),
        _ => None,
    });
    let expr = found.as_mut().ok_or_else(|| Diagnostic::new("bench.failed", "no projection"))?;
    expr.guests(&mut |function| {
        let mut guest = host.guests.start(&function.path, &host.sandbox, &[])?;
        guest.trace(false);
        function.link(guest);
        Ok(())
    })?;
    Ok(expr.clone())
}

/// Evaluates an expression over columns, `batch_rows` rows at a time.
///
/// # Errors
/// When it fails on a row.
pub fn evaluate(
    expr: &Expr,
    columns: &Columns,
    batch_rows: usize,
    see: &mut dyn FnMut(&[i64]),
) -> Result<()> {
    let names = (0..columns.arrays.len()).map(|i| Field::new(format!("c{i}"), DataType::BigInt));
    let schema = Schema::new(names.collect());
    let mut first = 0;
    while first < columns.rows() {
        let rows = batch_rows.min(columns.rows() - first);
        let arrays = columns.arrays.iter().map(|a| a.slice(first, rows)).collect();
        let batch = Batch::new(schema.clone(), arrays, Numbers::run(first as u64, rows));
        let values = expr::evaluate(expr, &batch).map_err(|e| e.diagnostic)?;
        see(values.as_primitive::<Int64Type>().values());
        first += rows;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::loops;
    use super::*;

    #[test]
    fn the_engine_and_the_loops_agree() {
        for workload in Workload::ALL {
            let columns = workload.input(120_000);
            let expected = loops::run(workload, &columns);
            for (batch_rows, threads) in [(1_000, 1), (8_192, 1), (1_000, 2), (8_192, 3)] {
                let found = run(workload, &columns, batch_rows, threads).expect("runs");
                let name = workload.name();
                assert_eq!(found, expected, "{name}, batches of {batch_rows}, {threads} threads");
            }
            assert!(expected.rows > 0);
        }
    }
}
