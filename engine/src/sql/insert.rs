//! `INSERT INTO` and the final `SELECT`: where rows end, and whether they fit there.

use std::collections::BTreeMap;

use sqlparser::ast::{Ident, Query, SelectItem, SetExpr, Spanned};
use sqlparser::tokenizer::Span as TokenSpan;

use super::diagnose::{Locate, span, unknown};
use super::planner::Planner;
use super::scope::{Column, Relation, Role};
use super::types::stores_into;
use crate::error::{Diagnostic, Result};
use crate::expr::Expr;
use crate::plan::{Guarantee, Op, Settings, SinkSpec};
use crate::schema::{DataType, Field, SchemaRef};
use crate::value::Value;

/// The connector of a final SELECT.
const COLLECT: &str = "collect";
/// The name of a final SELECT's rows.
const RESULT: &str = "result";

/// Formats that are read and not written.
const READ_ONLY: [&str; 2] = ["parquet", "arrow"];

impl Planner<'_> {
    /// Plans the script's last statement when it is a bare query: its rows are its result.
    pub(super) fn collect(&mut self, query: &Query) -> Result<()> {
        let relation = self.rows_of(query)?;
        let spec = SinkSpec {
            table: RESULT.into(),
            connector: COLLECT.into(),
            options: BTreeMap::new(),
            key: Vec::new(),
            delivery: None,
        };
        let schema = relation.schema();
        let at = span(query.span());
        let rows = self.held_back(relation.node, at)?;
        self.builder.add(RESULT, Op::Sink(spec), vec![rows], schema, at);
        Ok(())
    }

    /// Plans `INSERT INTO table (columns) query`.
    pub(super) fn insert(&mut self, table: &Ident, columns: &[Ident], query: &Query) -> Result<()> {
        let (spec, schema) = self.target(table)?;
        let relation = self.rows_of(query)?;
        if relation.updating && spec.connector == "filesystem" {
            return Err(Diagnostic::new(
                "sql.updating",
                format!("`{}` is a file, the query updates its rows", table.value),
            )
            .hint("aggregate over a window, or write to a table with 'connector' = 'print'")
            .located_at(table.span));
        }
        let targets = targets(table, columns, &schema)?;
        if targets.len() != relation.columns.len() {
            return Err(count_error(table, &targets, &relation, &schema).located(query));
        }
        let fitted = self.fit(table, &targets, relation, &schema, query)?;
        let at = span(table.span);
        let rows = self.held_back(fitted.node, at)?;
        self.builder.add(&table.value, Op::Sink(spec), vec![rows], schema, at);
        Ok(())
    }

    fn target(&mut self, name: &Ident) -> Result<(SinkSpec, SchemaRef)> {
        let table = match self.tables.get(&name.value) {
            Some(Some(table)) => table,
            Some(None) => {
                return Err(Diagnostic::new(
                    "sql.broken",
                    format!("`{}` cannot be used: its definition has an error", name.value),
                )
                .located_at(name.span));
            }
            None if self.views.contains_key(&name.value) => {
                return Err(Diagnostic::new(
                    "sql.direction",
                    format!("`{}` is a view, nothing can be written to it", name.value),
                )
                .hint("create a table and write to that")
                .located_at(name.span));
            }
            None => {
                let known = self.tables.keys().map(String::as_str);
                let hint = "create it with CREATE TABLE … WITH ('connector' = 'print')";
                return Err(unknown("sql.unknown-table", "table", &name.value, known, hint)
                    .located_at(name.span));
            }
        };
        if !table.connector.writes {
            return Err(Diagnostic::new(
                "sql.direction",
                format!(
                    "`{}` cannot be written: its connector `{}` only reads",
                    name.value, table.connector.name
                ),
            )
            .hint("write to filesystem, print, push or blackhole")
            .located_at(name.span));
        }
        if let Some(format) =
            table.options.get("format").filter(|f| READ_ONLY.contains(&f.as_str()))
        {
            return Err(Diagnostic::new(
                "sql.direction",
                format!("`{}` cannot be written: the format '{format}' is only read", name.value),
            )
            .hint("write 'json' or 'csv'")
            .located_at(name.span));
        }
        let spec = SinkSpec {
            table: name.value.clone(),
            connector: table.connector.name.to_owned(),
            options: table.options.clone(),
            key: table.key.clone(),
            delivery: table.delivery.map(|(own, _)| own),
        };
        let promise = table.delivery.map(|(own, at)| (name.value.clone(), own, at));
        let schema = table.physical.clone();
        self.promising.extend(promise.filter(|p| !self.promising.iter().any(|q| q.0 == p.0)));
        Ok((spec, schema))
    }

    /// Casts a query's columns to the table's, where INSERT does so by itself.
    fn fit(
        &mut self,
        table: &Ident,
        targets: &[usize],
        relation: Relation,
        schema: &SchemaRef,
        query: &Query,
    ) -> Result<Relation> {
        let mut exprs = Vec::new();
        let mut columns = Vec::new();
        let mut same = targets.len() == schema.fields.len();
        for (index, field) in schema.fields.iter().enumerate() {
            let source = targets.iter().position(|target| *target == index);
            let expr = match source {
                Some(source) => {
                    same &= source == index;
                    let from = &relation.columns[source].field;
                    let expr = Expr::column(source, from);
                    if from.data_type == field.data_type {
                        expr
                    } else {
                        same = false;
                        if !stores_into(from.data_type, field.data_type) {
                            let place = item_span(query, source).unwrap_or(table.span);
                            return Err(type_error(table, field, from).located_at(place));
                        }
                        expr.cast(field.data_type, false).map_err(|e| e.located(query))?
                    }
                }
                None => null(field, table)?,
            };
            columns.push(Column {
                qualifier: None,
                field: Field { rowtime: false, ..field.clone() },
                role: Role::Plain,
            });
            exprs.push(expr);
        }
        if same {
            return Ok(relation);
        }
        Ok(self.builder.project(&relation, exprs, columns, span(query.span())))
    }
}

/// Refuses tables that are to promise more than their job, which the last `SET` of the script decides.
pub(super) fn promises(
    tables: Vec<(String, Guarantee, TokenSpan)>,
    settings: &Settings,
) -> impl Iterator<Item = crate::error::Error> {
    let job = settings.get("highwater.guarantee").and_then(Guarantee::named).unwrap_or_default();
    let more = tables.into_iter().filter(move |(_, own, _)| *own > job);
    more.map(move |(table, own, at)| {
        let (own, job) = (own.name(), job.name());
        Diagnostic::new(
            "sql.delivery-guarantee",
            format!("`{table}` cannot be {own}: the job is {job}"),
        )
        .hint(format!(
            "SET 'highwater.guarantee' = '{own}', or leave the option out: then the table is {job}, too"
        ))
        .located_at(at)
    })
}

/// NULL for a column the statement does not name.
fn null(field: &Field, table: &Ident) -> Result<Expr> {
    if !field.nullable {
        return Err(Diagnostic::new(
            "sql.columns",
            format!("`{}` gets no value, and it is NOT NULL", field.name),
        )
        .located_at(table.span));
    }
    Expr::literal(Value::Null, DataType::Null)
        .cast(field.data_type, false)
        .and_then(Expr::fold)
        .map_err(|e| e.located_at(table.span))
}

/// The position in the table of each column of the query.
fn targets(table: &Ident, columns: &[Ident], schema: &SchemaRef) -> Result<Vec<usize>> {
    if columns.is_empty() {
        return Ok((0..schema.fields.len()).collect());
    }
    let mut found = Vec::new();
    for column in columns {
        let Some(index) = schema.index_of(&column.value) else {
            let known = schema.fields.iter().map(|f| f.name.as_str());
            let hint = format!("`{}` has no such column that can be written", table.value);
            return Err(unknown("sql.unknown-column", "column", &column.value, known, hint)
                .located_at(column.span));
        };
        if found.contains(&index) {
            return Err(Diagnostic::new(
                "sql.duplicate",
                format!("the column `{}` is named twice", column.value),
            )
            .located_at(column.span));
        }
        found.push(index);
    }
    Ok(found)
}

fn count_error(
    table: &Ident,
    targets: &[usize],
    relation: &Relation,
    schema: &SchemaRef,
) -> crate::error::Error {
    let wanted: Vec<String> = targets
        .iter()
        .map(|i| format!("{} {}", schema.fields[*i].name, schema.fields[*i].data_type))
        .collect();
    let given: Vec<String> = relation
        .columns
        .iter()
        .map(|c| format!("{} {}", c.field.name, c.field.data_type))
        .collect();
    Diagnostic::new(
        "sql.columns",
        format!(
            "`{}` takes {} columns, the query gives {}",
            table.value,
            wanted.len(),
            given.len()
        ),
    )
    .hint(format!("it takes ({}), the query gives ({})", wanted.join(", "), given.join(", ")))
}

fn type_error(table: &Ident, to: &Field, from: &Field) -> crate::error::Error {
    Diagnostic::new(
        "sql.type",
        format!(
            "the column `{}` of `{}` is {}, the query gives {}",
            to.name, table.value, to.data_type, from.data_type
        ),
    )
    .hint(format!("write CAST({} AS {})", from.name, to.data_type))
}

/// The place of a query's output column.
fn item_span(query: &Query, index: usize) -> Option<TokenSpan> {
    match &*query.body {
        SetExpr::Query(inner) => item_span(inner, index),
        SetExpr::Select(select) => {
            let star = |item: &SelectItem| {
                matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
            };
            let items = &select.projection;
            let known = !items.iter().any(star);
            known
                .then(|| items.get(index).map(Spanned::span))
                .flatten()
                .filter(|s| s.start.line > 0)
        }
        _ => None,
    }
}
