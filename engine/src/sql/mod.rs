//! SQL in Flink's dialect: a script read, checked and turned into a plan.

mod aggregate;
mod arguments;
mod asof;
mod batch;
mod builder;
mod call;
mod clauses;
mod conditions;
pub mod connector;
mod ddl;
mod diagnose;
mod dialect;
mod emission;
mod exists;
mod expr;
mod frame;
mod from;
mod grouped;
mod guest;
mod inputs;
mod insert;
mod interval;
mod join;
mod lag;
mod late;
mod limit;
mod literal;
mod lookup;
pub mod manual;
mod narrow;
mod needs;
mod numbering;
mod operator;
mod over;
pub mod pieces;
mod planner;
pub mod profiles;
mod prune;
mod qualify;
mod rank;
mod refused;
mod regular;
mod scalar;
mod scope;
mod select;
mod sets;
pub mod settings;
mod statement;
mod statement_set;
mod suppress;
mod temporal;
#[cfg(test)]
mod tests;
mod types;
mod union;
mod versions;
mod walk;
mod window;

use std::sync::Arc;

use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

pub use batch::is_batch;
pub use needs::{Need, NeedKind, endless, needs};

use diagnose::Locate;

use crate::error::{Diagnostic, Error, Result};
use crate::expr::Expr;
use crate::plan::{Clock, Plan, Settings};
use crate::schema::Schema;
use crate::udf::manifest::Manifest;

/// What a script names and the engine cannot open itself.
pub trait Catalog {
    /// The manifest of the guest at a path, as `CREATE FUNCTION … AS 'path'` writes it.
    ///
    /// # Errors
    /// When there is no such guest, or it is refused.
    fn guest(&self, path: &str) -> Result<Arc<Manifest>>;
}

/// A condition over rows that look like `schema`, as WHERE takes it.
///
/// # Errors
/// When it cannot be read, or does not fit the columns; the place is one in `text`.
pub fn condition(text: &str, schema: &Schema) -> Result<Expr> {
    let dialect = dialect::Flink::default();
    let mut parser = Parser::new(&dialect)
        .try_with_sql(text)
        .map_err(|e| diagnose::from_parser(&e, statement::START))?;
    let ast = parser.parse_expr().map_err(|e| diagnose::from_parser(&e, statement::START))?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        let message = format!("expected the end of the condition, found `{next}`");
        return Err(Diagnostic::new("sql.syntax", message).located_at(next.span));
    }
    let relation = scope::Relation::of(0, schema, false);
    let functions = guest::Functions::default();
    let mut row = expr::Row { relation: &relation, place: "a condition", functions: &functions };
    expr::bind_condition(&ast, &mut row, "WHERE")
}

/// Plans a script.
///
/// # Errors
/// Everything that is wrong with it, at least one diagnostic for each wrong statement, in the order
/// of the text.
pub fn plan(script: &str, catalog: &dyn Catalog) -> std::result::Result<Plan, Vec<Diagnostic>> {
    plan_with(script, &Settings::default(), catalog)
}

/// Plans a script as if it had set some settings in its beginning and never again otherwise. They must have passed
/// [`settings::check`].
///
/// # Errors
/// As [`plan`].
pub fn plan_with(
    script: &str,
    fixed: &Settings,
    catalog: &dyn Catalog,
) -> std::result::Result<Plan, Vec<Diagnostic>> {
    let (statements, unread) = statement::parse(script);
    let mut errors: Vec<Error> = unread.into_iter().map(Box::new).collect();
    let mut planner = planner::Planner::new(catalog, &batch::settled(fixed, &statements));
    let last = statements.iter().rposition(|s| !matches!(s.kind, statement::Kind::Nothing));
    for (i, statement) in statements.iter().enumerate() {
        planner.statement(statement, Some(i) == last, &mut errors);
    }
    let (explain, settings, mut warnings) = (planner.explain, planner.settings, planner.warnings);
    let place = planner.barriers_at.unwrap_or(statement::START);
    match settings::check_barriers(&settings) {
        Ok(warning) => warnings.extend(warning.map(|warning| *warning.at(place))),
        Err(error) => errors.push(error.at(place)),
    }
    errors.extend(insert::promises(planner.promising, &settings));
    let mut nodes = planner.builder.finish();
    emission::paces(&mut nodes, &settings);
    let clock = emission::clock(&nodes, &settings).unwrap_or_else(|error| {
        errors.push(error);
        Clock::None
    });
    rank::endless_ranks(&nodes, &mut errors);
    errors.extend(batch::endless(&nodes, &settings));
    if errors.is_empty() && nodes.is_empty() {
        errors.push(
            Diagnostic::new("sql.empty", "the script has nothing to run")
                .hint("end it with SELECT, or write to a table with INSERT INTO … SELECT")
                .at(statement::START),
        );
    }
    let (batched, ttl) = (emission::batched(&settings), emission::ttl(&settings));
    if errors.is_empty() {
        return Ok(Plan { nodes, settings, warnings, explain, clock, batched, ttl });
    }
    // What uses something broken says nothing new.
    if errors.iter().any(|e| e.code != "sql.broken") {
        errors.retain(|e| e.code != "sql.broken");
    }
    Err(in_order(errors))
}

/// In the order of the text. Nearly all stand in it already, and a sort is kilobytes of a module.
fn in_order(errors: Vec<Error>) -> Vec<Diagnostic> {
    let place = |e: &Diagnostic| e.span.map(|s| (s.start.line, s.start.column));
    let mut ordered: Vec<Error> = Vec::with_capacity(errors.len());
    for error in errors {
        let at = ordered.partition_point(|other| place(other) <= place(&error));
        ordered.insert(at, error);
    }
    ordered.into_iter().map(|error| *error).collect()
}
