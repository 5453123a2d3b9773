//! FROM: tables, views, subqueries and window functions by their names.

use sqlparser::ast::{Ident, Select, TableAlias, TableFactor, TableWithJoins};

use super::diagnose::{Locate, unknown, unsupported};
use super::planner::Planner;
use super::scope::Relation;
use crate::error::{Diagnostic, Result};

impl Planner<'_> {
    /// FROM with one table.
    pub(super) fn from(&mut self, from: &[TableWithJoins], select: &Select) -> Result<Relation> {
        match from.first() {
            Some(only) => self.factor(&only.relation),
            None => Err(unsupported("SELECT without FROM is not supported", "read from a table")
                .located_at(select.select_token.0.span)),
        }
    }

    /// One table of FROM.
    pub(super) fn factor(&mut self, factor: &TableFactor) -> Result<Relation> {
        match factor {
            TableFactor::Table { name, alias, args, version, sample, .. } => {
                if version.is_some() || sample.is_some() {
                    return Err(unsupported(
                        "FOR SYSTEM_TIME AS OF and TABLESAMPLE are not supported",
                        "read the table as it is",
                    )
                    .located(factor));
                }
                let relation = match args {
                    Some(args) => self.table_function(&ident_of(name)?, &args.args, factor)?,
                    None => self.table(&ident_of(name)?)?,
                };
                aliased(relation, alias.as_ref())
            }
            TableFactor::Derived { lateral: false, subquery, alias, .. } => {
                let relation = self.query(subquery)?;
                aliased(relation, alias.as_ref())
            }
            TableFactor::TableFunction { expr, alias } => {
                let relation = self.table_argument(expr)?;
                aliased(relation, alias.as_ref())
            }
            TableFactor::NestedJoin { .. } => Err(unsupported(
                "joins in parentheses are not supported",
                "join from left to right: a JOIN b ON … JOIN c ON …, or use a view",
            )
            .located(factor)),
            TableFactor::MatchRecognize { .. } => Err(unsupported(
                "MATCH_RECOGNIZE is not supported",
                "write the pattern as a user-defined window",
            )
            .located(factor)),
            _ => Err(unsupported(
                "this kind of table is not supported",
                "read from a table, a view, a subquery or a window function",
            )
            .located(factor)),
        }
    }

    /// A table, view or WITH query by its name.
    pub(super) fn table(&mut self, name: &Ident) -> Result<Relation> {
        if let Some((_, relation)) = self.scoped.iter().rev().find(|(n, _)| *n == name.value) {
            return Ok(relation.clone().named(&name.value));
        }
        if let Some(view) = self.views.get(&name.value) {
            return match view {
                Some(relation) => Ok(relation.clone().named(&name.value)),
                None => Err(Diagnostic::new(
                    "sql.broken",
                    format!("`{}` cannot be used: its definition has an error", name.value),
                )
                .located_at(name.span)),
            };
        }
        if self.tables.contains_key(&name.value) {
            return self.source(name).map(|relation| relation.named(&name.value));
        }
        let known = self.tables.keys().chain(self.views.keys()).map(String::as_str);
        let known = known.chain(self.scoped.iter().map(|(n, _)| n.as_str()));
        Err(unknown(
            "sql.unknown-table",
            "table",
            &name.value,
            known,
            "create it with CREATE TABLE",
        )
        .located_at(name.span))
    }
}

/// The only part of a table's name.
pub(super) fn ident_of(name: &sqlparser::ast::ObjectName) -> Result<Ident> {
    match name.0.as_slice() {
        [part] => match part.as_ident() {
            Some(ident) => Ok(ident.clone()),
            None => {
                Err(unsupported("this name is not supported", "write a plain name").located(name))
            }
        },
        _ => Err(unsupported(
            "catalogs and databases are not supported",
            "name the table alone; all tables of a script stand in one place",
        )
        .located(name)),
    }
}

fn aliased(relation: Relation, alias: Option<&TableAlias>) -> Result<Relation> {
    match alias {
        Some(alias) => rename(relation, alias),
        None => Ok(relation),
    }
}

/// `AS t (a, b)`
pub(super) fn rename(mut relation: Relation, alias: &TableAlias) -> Result<Relation> {
    if !alias.columns.is_empty() {
        if alias.columns.len() != relation.columns.len() {
            return Err(Diagnostic::new(
                "sql.columns",
                format!("{} names for {} columns", alias.columns.len(), relation.columns.len()),
            )
            .located_at(alias.name.span));
        }
        for (column, new) in relation.columns.iter_mut().zip(&alias.columns) {
            column.field.name = new.name.value.clone();
        }
    }
    Ok(relation.named(&alias.name.value))
}
