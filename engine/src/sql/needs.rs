//! What a script needs from outside before it can be planned and run: data files and guest modules.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::{
    Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArguments, Query, SetExpr, TableFactor,
    TableWithJoins,
};

use super::conditions::conjuncts;
use super::diagnose::Locate;
use super::dialect::{TABLE, marker};
use super::exists::take_partners;
use super::scalar::subqueries;
use super::select::item_expr;
use super::statement::{self, Kind, Statement};
use crate::error::Diagnostic;

/// What a needed file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeedKind {
    /// A table that is read.
    Data,
    /// A guest module.
    Guest,
}

impl NeedKind {
    /// `data` or `guest`.
    pub fn name(self) -> &'static str {
        match self {
            NeedKind::Data => "data",
            NeedKind::Guest => "guest",
        }
    }
}

/// A file the script needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The path as the script writes it.
    pub path: String,
    /// What it is for.
    pub kind: NeedKind,
    /// The `format` option of the table that is read, as the script writes it.
    pub format: Option<String>,
}

/// The files a script needs, in the order in which it names them.
///
/// # Errors
/// When a statement cannot be read.
pub fn needs(script: &str) -> Result<Vec<Need>, Vec<Diagnostic>> {
    let (statements, errors) = statement::parse(script);
    if !errors.is_empty() {
        return Err(errors);
    }
    let read = tables_read(&statements);
    let mut needs: Vec<Need> = Vec::new();
    let mut need = |path: &str, kind, format: Option<&str>| {
        let need = Need { path: path.to_owned(), kind, format: format.map(str::to_owned) };
        if !needs.contains(&need) {
            needs.push(need);
        }
    };
    for statement in &statements {
        match &statement.kind {
            Kind::CreateTable(table) if read.contains(&table.name.value) => {
                let value = |key: &str| table.options.iter().find(|o| o.key == key);
                if value("connector").is_some_and(|o| o.value == "filesystem")
                    && let Some(path) = value("path")
                {
                    let format = value("format").map(|o| o.value.as_str());
                    need(&path.value, NeedKind::Data, format);
                }
            }
            Kind::CreateFunction { path, .. } => need(path, NeedKind::Guest, None),
            _ => {}
        }
    }
    Ok(needs)
}

/// An error for each table whose records never end, so that a run would not either.
///
/// Nothing is said of a script that only explains, or that cannot be read.
pub fn endless(script: &str) -> Vec<Diagnostic> {
    let (statements, _) = statement::parse(script);
    if statements.iter().any(|statement| matches!(statement.kind, Kind::Explain(_))) {
        return Vec::new();
    }
    let read = tables_read(&statements);
    let tables = statements.iter().filter_map(|statement| match &statement.kind {
        Kind::CreateTable(table) if read.contains(&table.name.value) => Some(table),
        _ => None,
    });
    tables
        .filter(|table| {
            let mut options = table.options.iter();
            let datagen = options.any(|o| o.key == "connector" && o.value == "datagen");
            datagen && never_ends(table.options.iter().map(|o| (o.key.as_str(), o.value.as_str())))
        })
        .map(|table| {
            let name = &table.name.value;
            let text = format!("the records of `{name}` never end, and neither would the run");
            *Diagnostic::new("run.endless", text)
                .hint("add 'number-of-rows' = '…' to its WITH clause")
                .located_at(table.name.span)
        })
        .collect()
}

/// Whether a `datagen` table of these options never ends.
pub(super) fn never_ends<'a>(mut options: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
    // A table ends with its shortest sequence.
    let sequence =
        |key: &str| key.strip_prefix("fields.").is_some_and(|rest| rest.ends_with(".kind"));
    !options.any(|(key, value)| key == "number-of-rows" || (sequence(key) && value == "sequence"))
}

/// The tables that some statement reads, by itself or through views.
fn tables_read(statements: &[Statement]) -> BTreeSet<String> {
    let mut views: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut read = BTreeSet::new();
    for statement in statements {
        collect(&statement.kind, &mut views, &mut read);
    }
    read
}

/// Adds the tables a statement reads, those of the views it uses included.
fn collect(
    kind: &Kind,
    views: &mut BTreeMap<String, BTreeSet<String>>,
    read: &mut BTreeSet<String>,
) {
    let mut names = BTreeSet::new();
    match kind {
        Kind::Insert { query, .. } | Kind::Select(query) => {
            in_query(query, &mut names, 0);
            resolve(names, views, read);
        }
        // A view that nobody uses is checked, but its tables are not read.
        Kind::CreateView { name, query, .. } => {
            in_query(query, &mut names, 0);
            let mut tables = BTreeSet::new();
            resolve(names, views, &mut tables);
            views.insert(name.value.clone(), tables);
        }
        Kind::Explain(inner) => collect(&inner.kind, views, read),
        _ => {}
    }
}

fn resolve(
    names: BTreeSet<String>,
    views: &BTreeMap<String, BTreeSet<String>>,
    into: &mut BTreeSet<String>,
) {
    for name in names {
        match views.get(&name) {
            Some(tables) => into.extend(tables.iter().cloned()),
            None => {
                into.insert(name);
            }
        }
    }
}

/// Deeper queries are refused by the planner.
const DEPTH_LIMIT: usize = 100;

fn in_query(query: &Query, names: &mut BTreeSet<String>, depth: usize) {
    if depth > DEPTH_LIMIT {
        return;
    }
    for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
        in_query(&cte.query, names, depth + 1);
    }
    in_body(&query.body, names, depth + 1);
}

fn in_body(body: &SetExpr, names: &mut BTreeSet<String>, depth: usize) {
    if depth > DEPTH_LIMIT {
        return;
    }
    match body {
        SetExpr::Select(select) => {
            select.from.iter().for_each(|from| in_from(from, names, depth + 1));
            let mut conditions = Vec::new();
            if let Some(condition) = &select.selection {
                conjuncts(condition, &mut conditions);
            }
            let selected = select.projection.iter().filter_map(item_expr);
            let clauses = [&select.selection, &select.having, &select.qualify];
            for ast in subqueries(selected.chain(clauses.into_iter().flatten())) {
                if let Ast::Subquery(query) = ast {
                    in_query(query, names, depth + 1);
                }
            }
            let partners = take_partners(&mut conditions);
            partners.iter().for_each(|partner| in_query(partner.query, names, depth + 1));
        }
        SetExpr::Query(inner) => in_query(inner, names, depth + 1),
        SetExpr::SetOperation { left, right, .. } => {
            in_body(left, names, depth + 1);
            in_body(right, names, depth + 1);
        }
        _ => {}
    }
}

fn in_from(from: &TableWithJoins, names: &mut BTreeSet<String>, depth: usize) {
    in_factor(&from.relation, names, depth);
    from.joins.iter().for_each(|join| in_factor(&join.relation, names, depth));
}

fn in_factor(factor: &TableFactor, names: &mut BTreeSet<String>, depth: usize) {
    match factor {
        TableFactor::Table { name, args, .. } => match args {
            Some(args) => args.args.iter().for_each(|arg| in_argument(arg, names, depth)),
            None => {
                names.extend(
                    name.0.last().and_then(|part| part.as_ident()).map(|i| i.value.clone()),
                );
            }
        },
        TableFactor::Derived { subquery, .. } => in_query(subquery, names, depth + 1),
        TableFactor::TableFunction { expr, .. } => in_expr(expr, names, depth),
        TableFactor::NestedJoin { table_with_joins, .. } if depth < DEPTH_LIMIT => {
            in_from(table_with_joins, names, depth + 1);
        }
        _ => {}
    }
}

fn in_argument(arg: &FunctionArg, names: &mut BTreeSet<String>, depth: usize) {
    let (FunctionArg::Named { arg, .. }
    | FunctionArg::ExprNamed { arg, .. }
    | FunctionArg::Unnamed(arg)) = arg;
    if let FunctionArgExpr::Expr(expr) = arg {
        in_expr(expr, names, depth);
    }
}

/// The tables an argument of a table function names.
fn in_expr(expr: &Ast, names: &mut BTreeSet<String>, depth: usize) {
    match (marker(expr), expr) {
        (Some((TABLE, args)), _) => match args.first() {
            Some(Ast::Identifier(name)) => {
                names.insert(name.value.clone());
            }
            Some(Ast::Subquery(query)) => in_query(query, names, depth + 1),
            _ => {}
        },
        (_, Ast::Subquery(query)) => in_query(query, names, depth + 1),
        (_, Ast::Function(call)) if depth < DEPTH_LIMIT => {
            if let FunctionArguments::List(list) = &call.args {
                list.args.iter().for_each(|arg| in_argument(arg, names, depth + 1));
            }
        }
        _ => {}
    }
}
