//! The script's state while it is planned: tables, views, functions, and the plan so far.

use std::collections::BTreeMap;

use sqlparser::ast::{BinaryOperator, Expr as Ast, Ident};
use sqlparser::tokenizer::Span as TokenSpan;

use super::Catalog;
use super::builder::Builder;
use super::connector::{Connector, DELIVERY};
use super::ddl::{self, ColumnKind, TableDefinition};
use super::diagnose::{Locate, span, unknown};
use super::expr::{self, Row};
use super::guest::{Functions, Guest};
use super::interval::{Interval, interval};
use super::lookup::Computed;
use super::scope::Relation;
use super::statement::{Kind, Statement};
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::Expr;
use crate::plan::{Guarantee, NodeId, Op, Pace, Settings, SourceSpec, WatermarkSpec};
use crate::schema::{Field, Schema, SchemaRef};
use crate::udf::manifest::GuestKind;

/// A table of the script.
pub(super) struct Table {
    pub connector: &'static Connector,
    pub options: BTreeMap<String, String>,
    /// The columns the connector holds.
    pub physical: SchemaRef,
    /// All columns, computed ones too.
    pub schema: SchemaRef,
    /// One expression over `physical` for each column of `schema`.
    pub columns: Vec<Expr>,
    watermark: Option<WatermarkSpec>,
    /// The columns of the primary key, positions in `physical`.
    pub key: Vec<usize>,
    /// What it is to promise of rows written to it, and where the script says so.
    pub delivery: Option<(Guarantee, TokenSpan)>,
    span: Option<Span>,
    /// Whether `columns` read when a record arrives.
    arrival: bool,
    /// The nodes that read it, once something does: as a stream, to look up.
    nodes: [Option<NodeId>; 2],
}

/// Everything the script has said so far.
pub(super) struct Planner<'c> {
    catalog: &'c dyn Catalog,
    pub builder: Builder,
    /// Tables by name; `None` for one whose definition has an error.
    pub tables: BTreeMap<String, Option<Table>>,
    pub views: BTreeMap<String, Option<Relation>>,
    pub functions: Functions,
    /// The queries of WITH clauses that are visible now, innermost last.
    pub scoped: Vec<(String, Relation)>,
    pub settings: Settings,
    /// Settings that no SET of the script changes.
    pub fixed: Settings,
    pub warnings: Vec<Diagnostic>,
    /// How deeply the query being planned is nested.
    pub depth: usize,
    /// Whether the script ends in an EXPLAIN.
    pub explain: bool,
    /// Whether the query that is planned next may have an order without an end of it.
    pub sorts: bool,
    /// Whether tables are read to be looked up.
    pub looking_up: bool,
    /// Tables that are written and say themselves what they promise, and where.
    pub promising: Vec<(String, Guarantee, TokenSpan)>,
    /// Where the script says what barriers are.
    pub barriers_at: Option<Span>,
}

impl<'c> Planner<'c> {
    /// A planner of an empty script; `fixed`: settings that hold whatever it SETs.
    pub(super) fn new(catalog: &'c dyn Catalog, fixed: &Settings) -> Planner<'c> {
        Planner {
            catalog,
            builder: Builder::default(),
            tables: BTreeMap::new(),
            views: BTreeMap::new(),
            functions: Functions::default(),
            scoped: Vec::new(),
            settings: fixed.clone(),
            fixed: fixed.clone(),
            warnings: Vec::new(),
            depth: 0,
            explain: false,
            sorts: false,
            looking_up: false,
            promising: Vec::new(),
            barriers_at: None,
        }
    }

    /// Plans one statement; `last` says whether it ends the script.
    pub(super) fn statement(&mut self, statement: &Statement, last: bool, errors: &mut Vec<Error>) {
        let result = match &statement.kind {
            Kind::Nothing => Ok(()),
            Kind::CreateTable(table) => {
                self.create_table(table, errors);
                Ok(())
            }
            Kind::CreateView { name, columns, query } => self.create_view(name, columns, query),
            Kind::CreateFunction { name, path, path_at } => {
                let created = self.create_function(name, path);
                created.map_err(|e| e.located_at(*path_at))
            }
            Kind::Set { key, key_at, value, value_at } => {
                if key == super::settings::BARRIERS {
                    self.barriers_at = span(*value_at);
                }
                let (key, value) = ((key.as_str(), *key_at), (value.as_str(), *value_at));
                let set =
                    super::settings::apply(&mut self.settings, &mut self.warnings, key, value);
                self.settings.values.extend(self.fixed.values.clone());
                set
            }
            Kind::Insert { table, columns, query } => self.insert(table, columns, query),
            Kind::Select(query) if last => self.collect(query),
            Kind::Select(_) => Err(Diagnostic::new(
                "sql.statement",
                "a SELECT whose rows go nowhere: only the last statement may be one",
            )
            .hint("write INSERT INTO t SELECT …, or CREATE VIEW v AS SELECT …")),
            Kind::Explain(inner) if last => {
                self.explain = true;
                self.statement(inner, true, errors);
                Ok(())
            }
            Kind::Explain(_) => {
                Err(Diagnostic::new("sql.statement", "EXPLAIN must be the last statement")
                    .hint("a script with EXPLAIN shows its plan and runs nothing"))
            }
        };
        if let Err(error) = result {
            errors.push(error.at(statement.span));
        }
    }

    fn check_new(&self, name: &Ident) -> Result<()> {
        let known = self.tables.contains_key(&name.value)
            || self.views.contains_key(&name.value)
            || self.functions.get(&name.value).is_some();
        if known {
            return Err(Diagnostic::new(
                "sql.duplicate",
                format!("`{}` exists already", name.value),
            )
            .hint("give it another name")
            .located_at(name.span));
        }
        Ok(())
    }

    fn create_function(&mut self, name: &Ident, path: &str) -> Result<()> {
        self.check_new(name)?;
        let loaded = self.catalog.guest(path).and_then(|manifest| {
            let function = manifest.kind == GuestKind::Function;
            match crate::expr::function(&name.value).filter(|_| function) {
                None => Ok(manifest),
                Some(built_in) => {
                    let text = format!("{} is a built-in function", built_in.name);
                    let error = Diagnostic::new("sql.duplicate", text);
                    Err(error.hint("give yours another name").located_at(name.span))
                }
            }
        });
        let (guest, result) = match loaded {
            Ok(manifest) => {
                let guest = Guest { name: name.value.clone(), path: path.to_owned(), manifest };
                (Some(guest), Ok(()))
            }
            Err(error) => (None, Err(error)),
        };
        self.functions.insert(&name.value, guest);
        result
    }

    fn create_view(
        &mut self,
        name: &Ident,
        columns: &[Ident],
        query: &sqlparser::ast::Query,
    ) -> Result<()> {
        self.check_new(name)?;
        let planned = self.query(query).and_then(|mut relation| {
            if !columns.is_empty() && columns.len() != relation.columns.len() {
                return Err(Diagnostic::new(
                    "sql.columns",
                    format!(
                        "the view names {} columns, its query gives {}",
                        columns.len(),
                        relation.columns.len()
                    ),
                )
                .located_at(name.span));
            }
            for (column, name) in relation.columns.iter_mut().zip(columns) {
                column.field.name = name.value.clone();
            }
            Ok(relation)
        });
        let (view, result) = match planned {
            Ok(relation) => (Some(relation), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.views.insert(name.value.clone(), view);
        result
    }

    fn create_table(&mut self, definition: &TableDefinition, errors: &mut Vec<Error>) {
        if let Err(error) = self.check_new(&definition.name) {
            errors.push(error);
            return;
        }
        let before = errors.len();
        let connected = ddl::connect(definition, errors);
        let (physical, schema, (columns, arrival)) = self.columns(definition, errors);
        let watermark = match watermark(definition, &schema, &self.functions) {
            Ok(watermark) => watermark,
            Err(error) => {
                errors.push(error);
                None
            }
        };
        let key = primary_key(definition, &physical).unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        });
        let delivery = definition.options.iter().find(|o| o.key == DELIVERY);
        let delivery = delivery.and_then(|o| Some((Guarantee::named(&o.value)?, o.value_at)));
        let mut fields = schema.fields.clone();
        if let Some(field) = watermark.as_ref().and_then(|w| fields.get_mut(w.column)) {
            field.rowtime = true;
        }
        let table =
            connected.filter(|_| errors.len() == before).map(|(connector, options)| Table {
                connector,
                options,
                physical,
                schema: Schema::new(fields),
                columns,
                watermark,
                key,
                delivery,
                span: span(definition.name.span),
                arrival,
                nodes: [None; 2],
            });
        self.tables.insert(definition.name.value.clone(), table);
    }

    /// The physical columns, all columns, and an expression over the former for each of the latter, and whether
    /// these read when a record arrives.
    fn columns(
        &mut self,
        definition: &TableDefinition,
        errors: &mut Vec<Error>,
    ) -> (SchemaRef, SchemaRef, (Vec<Expr>, bool)) {
        let mut physical = Vec::new();
        for column in &definition.columns {
            if let ColumnKind::Physical(declared, at) = &column.kind {
                if let Some(narrow) = declared.widened {
                    self.warnings.push(
                        *Diagnostic::new(
                            "sql.widened",
                            format!("{narrow} is held as INT: it does not wrap at its own size"),
                        )
                        .located_at(*at),
                    );
                }
                physical.push(Field {
                    nullable: !declared.not_null,
                    ..Field::new(column.name.value.clone(), declared.data_type)
                });
            }
        }
        let physical = Schema::new(physical);
        if physical.fields.is_empty() {
            errors.push(
                Diagnostic::new(
                    "sql.columns",
                    "a table needs at least one column that is not computed",
                )
                .located_at(definition.name.span),
            );
        }
        let relation = Relation::of(0, &physical, false);
        let row = self.row(&relation, "a computed column");
        let mut names = Computed { row, arrival: false };
        let mut fields = Vec::new();
        let mut exprs = Vec::new();
        for column in &definition.columns {
            let name = &column.name.value;
            let computed = match &column.kind {
                ColumnKind::Physical(..) => physical
                    .index_of(name)
                    .map(|i| Expr::column(i, &physical.fields[i]))
                    .ok_or_else(|| {
                        Diagnostic::new("sql.unknown-column", format!("unknown column `{name}`"))
                    }),
                ColumnKind::Computed(ast) => expr::bind(ast, &mut names),
            };
            match computed {
                Ok(expr) => {
                    let nullable = expr.nullable;
                    fields.push(Field { nullable, ..Field::new(name.clone(), expr.data_type) });
                    exprs.push(expr);
                }
                Err(error) => errors.push(error.located_at(column.name.span)),
            }
        }
        (physical, Schema::new(fields), (exprs, names.arrival))
    }

    /// What names and functions mean row by row in a relation.
    pub(super) fn row<'a>(&'a self, relation: &'a Relation, place: &'static str) -> Row<'a> {
        Row { relation, place, functions: &self.functions }
    }

    /// The node that reads a table.
    pub(super) fn source(&mut self, name: &Ident) -> Result<Relation> {
        let Some(Some(table)) = self.tables.get_mut(&name.value) else {
            return Err(Diagnostic::new(
                "sql.broken",
                format!("`{}` cannot be used: its definition has an error", name.value),
            )
            .located_at(name.span));
        };
        if !table.connector.reads {
            return Err(Diagnostic::new(
                "sql.direction",
                format!("`{}` cannot be read: its connector `{}` only writes", name.value, table.connector.name),
            )
            .hint("read from filesystem, datagen, or a table without WITH whose records stand in the scenario")
            .located_at(name.span));
        }
        let lookup = self.looking_up;
        if let Some(node) = table.nodes[usize::from(lookup)] {
            return Ok(self.builder.relation(node));
        }
        let spec = SourceSpec {
            table: name.value.clone(),
            connector: table.connector.name.to_owned(),
            options: table.options.clone(),
            physical: table.physical.clone(),
            columns: table.columns.clone(),
            watermark: table.watermark.clone(),
            arrival: table.arrival,
            lookup,
        };
        let (schema, span) = (table.schema.clone(), table.span);
        let node = self.builder.add(&name.value, Op::Source(spec), Vec::new(), schema, span);
        table.nodes[usize::from(lookup)] = Some(node);
        Ok(self.builder.relation(node))
    }
}

/// The positions of the primary key's columns.
fn primary_key(definition: &TableDefinition, physical: &SchemaRef) -> Result<Vec<usize>> {
    let position = |column: &Ident| {
        physical.index_of(&column.value).ok_or_else(|| {
            let text =
                format!("`{}` is computed and cannot be part of a primary key", column.value);
            Diagnostic::new("sql.type", text).located_at(column.span)
        })
    };
    definition.key.iter().map(position).collect()
}

/// Gives `WATERMARK FOR` its meaning.
fn watermark(
    definition: &TableDefinition,
    schema: &SchemaRef,
    functions: &Functions,
) -> Result<Option<WatermarkSpec>> {
    let Some(declared) = &definition.watermark else { return Ok(None) };
    let Some(column) = schema.index_of(&declared.column.value) else {
        let known = schema.fields.iter().map(|f| f.name.as_str());
        return Err(unknown("sql.unknown-column", "column", &declared.column.value, known, "")
            .located_at(declared.column.span));
    };
    let field = &schema.fields[column];
    if !field.data_type.is_timestamp() {
        return Err(Diagnostic::new(
            "sql.type",
            format!("a watermark needs a timestamp, `{}` is {}", field.name, field.data_type),
        )
        .hint(format!(
            "compute one: event_time AS TO_TIMESTAMP_LTZ({}, 3), and put the watermark on it",
            field.name
        ))
        .located_at(declared.column.span));
    }
    let relation = Relation::of(0, schema, false);
    let mut row = Row { relation: &relation, place: "WATERMARK", functions };
    let expr = expr::bind(&declared.expr, &mut row)?;
    if expr.data_type != field.data_type {
        return Err(Diagnostic::new(
            "sql.type",
            format!("the watermark is {}, its column is {}", expr.data_type, field.data_type),
        )
        .hint(format!("write {0} - INTERVAL '5' SECOND", field.name))
        .located(&declared.expr));
    }
    let delay = delay(&declared.expr, &field.name);
    if delay.is_some_and(|delay| delay < 0) {
        return Err(Diagnostic::new(
            "sql.watermark",
            "the watermark runs ahead of its column: every record would be late",
        )
        .hint("take the interval from the column: ts - INTERVAL '5' SECOND")
        .located(&declared.expr));
    }
    Ok(Some(WatermarkSpec { column, expr, delay, pace: Pace::default(), idle: None, align: None }))
}

/// The constant of `column - INTERVAL …`; 0 for the column alone.
fn delay(ast: &Ast, column: &str) -> Option<i64> {
    match ast {
        Ast::Nested(inner) => delay(inner, column),
        Ast::Identifier(name) => (name.value == column).then_some(0),
        Ast::BinaryOp { left, op, right } => {
            let inner = delay(left, column)?;
            let Some(Ok(Interval::Millis(by))) = interval(right) else { return None };
            match op {
                BinaryOperator::Minus => inner.checked_add(by),
                BinaryOperator::Plus => inner.checked_sub(by),
                _ => None,
            }
        }
        _ => None,
    }
}
