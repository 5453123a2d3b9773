//! A job that runs while its input is handed in: rows go in as columns, rows come out as columns.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::ArrayRef;

use super::Options;
use super::prepare::{Many, prepare};
use crate::batch::Batch;
use crate::error::{Diagnostic, Error, Result};
use crate::graph::Graph;
use crate::plan::SinkSpec;
use crate::runner::{Report, Runner};
use crate::schema::{DataType, SchemaRef};
use crate::source::Files;
use crate::source::push::{self, Feed};
use crate::udf::Sandbox;

/// A place where rows go in or come out.
#[derive(Clone, Debug)]
pub struct Port {
    /// The table's name.
    pub table: String,
    /// The connector it is written with.
    pub connector: String,
    /// The rows' columns.
    pub schema: SchemaRef,
    /// Whether rows may be updates of earlier ones.
    pub updating: bool,
}

impl Port {
    fn of_sink((spec, schema, updating): (&SinkSpec, &SchemaRef, bool)) -> Port {
        Port {
            table: spec.table.clone(),
            connector: spec.connector.clone(),
            schema: schema.clone(),
            updating,
        }
    }

    /// The JSON form of the embedding interface.
    pub fn to_json(&self) -> serde_json::Value {
        let column = |f: &crate::schema::Field| {
            serde_json::json!({
                "name": f.name, "type": f.data_type.to_string(), "nullable": f.nullable,
            })
        };
        serde_json::json!({
            "table": self.table,
            "connector": self.connector,
            "columns": self.schema.fields.iter().map(column).collect::<Vec<_>>(),
            "updating": self.updating,
        })
    }
}

/// A job fed by its caller. It does what [`Fast`](super::Fast) does with a file of the same rows.
///
/// Rows of several `push` tables arrive in turns, as their intervals say: what has been handed in of one
/// waits until the others have as much, or have ended.
pub struct Live {
    name: String,
    pub(super) graph: Graph,
    pub(super) runner: Runner,
    outputs: Vec<Port>,
    /// One list a table: it has a feed for each place where the script reads it.
    feeds: Vec<Vec<Feed>>,
    /// Rows that have come out, a queue a sink.
    out: Vec<VecDeque<Batch>>,
    /// Sinks whose rows nobody wants.
    thrown_away: Vec<bool>,
    batch_rows: usize,
    finished: bool,
    failed: Option<Error>,
    warnings: Vec<Diagnostic>,
}

impl Live {
    /// Opens a file's text. Tables of other connectors than `push` are read as usual.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(
        name: &str,
        text: &str,
        files: &Files,
        sandbox: Arc<dyn Sandbox>,
        options: &Options,
    ) -> Many<Live> {
        let mut prepared = prepare(name, text, files, sandbox, options)?;
        let one = |e: Error| vec![*e.in_source(name)];
        let inlet = prepared.inlet(false).map_err(one)?;
        let p = prepared;
        let mut feeds: Vec<Vec<Feed>> = Vec::new();
        for feed in p.feeds {
            match feeds.iter_mut().find(|f| f[0].table() == feed.table()) {
                Some(same) => same.push(feed),
                None => feeds.push(vec![feed]),
            }
        }
        let tasks = p.graph.build(&p.partitions, &p.guests, &p.sandbox).map_err(one)?;
        let outputs: Vec<Port> = p.graph.sinks().into_iter().map(Port::of_sink).collect();
        Ok(Live {
            name: name.to_owned(),
            out: outputs.iter().map(|_| VecDeque::new()).collect(),
            thrown_away: outputs.iter().map(|o| o.connector == "blackhole").collect(),
            runner: Runner::new(&p.graph, inlet, tasks),
            outputs,
            graph: p.graph,
            feeds,
            batch_rows: p.batch_rows.unwrap_or(8192),
            finished: false,
            failed: None,
            warnings: p.warnings,
        })
    }

    /// The tables to hand rows to, by the numbers [`Live::push`] takes.
    pub fn inputs(&self) -> Vec<Port> {
        let port = |feeds: &Vec<Feed>| Port {
            table: feeds[0].table().to_owned(),
            connector: push::CONNECTOR.to_owned(),
            schema: feeds[0].schema().clone(),
            updating: false,
        };
        self.feeds.iter().map(port).collect()
    }

    /// The tables rows come out of, by the numbers [`Live::take`] takes.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Things worth saying that are no errors.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Hands rows in and goes as far as the input goes. True when the job has finished.
    ///
    /// # Errors
    /// Rows that do not fit the table: nothing has changed then. What stops the job: every later call
    /// says so again.
    pub fn push(
        &mut self,
        input: usize,
        types: &[DataType],
        columns: Vec<ArrayRef>,
    ) -> Result<bool> {
        for feed in self.feeds(input)? {
            feed.push(types, columns.clone())?;
        }
        self.run()
    }

    /// Says that a table has ended, and goes as far as the input goes. True when the job has finished.
    ///
    /// # Errors
    /// What stops the job.
    pub fn end(&mut self, input: usize) -> Result<bool> {
        self.feeds(input)?.iter().for_each(Feed::end);
        self.run()
    }

    fn feeds(&self, input: usize) -> Result<&[Feed]> {
        self.feeds.get(input).map(Vec::as_slice).ok_or_else(|| {
            Diagnostic::new("embed.input", format!("there is no table {input} to hand rows to"))
                .hint(format!("the script has {} 'push' tables", self.feeds.len()))
        })
    }

    /// The next rows of a sink, in their order; `None` when there are none now.
    pub fn take(&mut self, output: usize) -> Option<Batch> {
        self.out.get_mut(output)?.pop_front()
    }

    /// What the job has done so far.
    pub fn report(&self) -> Report {
        self.runner.report()
    }

    /// Goes as far as the input goes. True when the job has finished.
    ///
    /// # Errors
    /// What stops the job.
    pub fn run(&mut self) -> Result<bool> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.advance().map_err(|e| {
            let error = e.in_source(&self.name);
            self.failed = Some(error.clone());
            error
        })
    }

    fn advance(&mut self) -> Result<bool> {
        let (out, thrown_away) = (&mut self.out, &self.thrown_away);
        let mut emit = |sink: usize, batch| {
            if !thrown_away[sink] {
                out[sink].push_back(batch);
            }
            Ok(())
        };
        while !self.finished {
            match self.runner.step(self.batch_rows, &mut emit) {
                Ok(more) => self.finished = !more,
                Err(e) if e.code == push::DRY => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }
}
