//! Batch mode: all input is there before anything is said of it, so no record is late and no row is taken back.

use sqlparser::ast::{Query, Spanned};

use super::diagnose::span;
use super::needs::never_ends;
use super::planner::Planner;
use super::scope::Relation;
use super::statement::{Kind, Statement};
use crate::error::{Diagnostic, Error, Result, Span};
use crate::materialize::MaterializeSpec;
use crate::plan::{Node, Op, Settings};

/// The setting that asks for it.
pub(super) const MODE: &str = "execution.runtime-mode";

/// What that setting takes.
pub(super) const MODES: &[&str] = &["streaming", "batch"];

/// Whether a job of these settings runs so.
pub fn is_batch(settings: &Settings) -> bool {
    settings.get(MODE) == Some("batch")
}

/// The settings of a script that nothing in it changes any more: those from elsewhere, and its mode, which is one for all
/// of its statements, as the last SET has it.
pub(super) fn settled(fixed: &Settings, statements: &[Statement]) -> Settings {
    let mode = statements.iter().rev().find_map(|statement| match &statement.kind {
        Kind::Set { key, value, .. } if key == MODE => Some(value),
        _ => None,
    });
    let mut settled = fixed.clone();
    if let Some(mode) = mode.filter(|mode| MODES.contains(&mode.as_str())) {
        settled.values.entry(MODE.to_owned()).or_insert_with(|| mode.clone());
    }
    settled
}

/// The tables that have no end, where one has to be waited for.
pub(super) fn endless(nodes: &[Node], settings: &Settings) -> Vec<Error> {
    let mut errors = Vec::new();
    for node in nodes.iter().filter(|_| is_batch(settings)) {
        let Op::Source(source) = &node.op else { continue };
        let options = source.options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let ends = match source.connector.as_str() {
            "push" => false,
            "datagen" => !never_ends(options),
            _ => true,
        };
        if !ends {
            let text =
                format!("batch mode waits for the end of `{}`, and it has none", source.table);
            let hint = match source.connector.as_str() {
                "datagen" => "give it 'number-of-rows' = '1000'".to_owned(),
                _ => format!("read a file, or leave '{MODE}' = 'batch' out"),
            };
            let error = Diagnostic::new("sql.batch", text).hint(hint);
            errors.push(node.span.map_or(error.clone(), |at| error.at(at)));
        }
    }
    errors
}

impl Planner<'_> {
    /// The rows of a statement's query, as they are to be written: in batch mode those that are left in the end, in the
    /// order that it asks for.
    pub(super) fn rows_of(&mut self, query: &Query) -> Result<Relation> {
        if !is_batch(&self.settings) {
            return self.query(query);
        }
        self.sorts = query.order_by.is_some();
        let rows = self.query(query);
        self.sorts = false;
        let rows = rows?;
        if !rows.updating {
            return Ok(rows);
        }
        let count = rows.columns.len();
        let spec = MaterializeSpec { order: Vec::new(), columns: (0..count).collect() };
        Ok(self.materialized(rows, spec, span(query.span())))
    }

    /// The rows of a relation that are left in the end.
    pub(super) fn materialized(
        &mut self,
        rows: Relation,
        spec: MaterializeSpec,
        at: Option<Span>,
    ) -> Relation {
        let schema = rows.schema();
        let op = Op::Materialize(spec);
        let node = self.builder.add("materialize", op, vec![rows.node], schema, at);
        Relation { node, updating: false, ..rows }
    }
}
