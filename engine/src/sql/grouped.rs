//! What SELECT and HAVING see after GROUP BY: keys and aggregates, no other column.

use std::sync::Arc;

use sqlparser::ast::{
    DuplicateTreatment, Expr as Ast, Function as AstFunction, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, Value as AstValue,
};

use super::call::plain_argument;
use super::diagnose::{Locate, unsupported};
use super::expr::{self, Names, Row, aggregate_of};
use super::guest::Functions;
use super::over::{RESULTS, misplaced_over};
use super::scope::{Relation, Role};
use super::sets::{Sets, grouping_of};
use super::walk;
use crate::aggregate::Function as Aggregate;
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::{Expr, ExprKind};
use crate::plan::{Emission, PaneColumn};
use crate::schema::Field;

/// A group key.
pub(super) struct Key {
    /// The key as written, for keys that are no plain columns.
    pub text: String,
    pub expr: Expr,
    /// The column it is, where it is one.
    pub column: Option<usize>,
    pub field: Field,
    pub role: Role,
    /// Its position in the aggregation's output.
    pub output: usize,
}

/// An aggregate call.
pub(super) struct Call {
    pub text: String,
    pub function: Aggregate,
    pub argument: Option<Expr>,
    pub distinct: bool,
    pub filter: Option<Expr>,
    pub separator: Option<Arc<str>>,
    pub field: Field,
}

/// What a call says beside its argument and its filter.
#[derive(Default)]
pub(super) struct Manner {
    pub distinct: bool,
    pub separator: Option<Arc<str>>,
}

impl Call {
    /// A call whose parts have their meaning.
    ///
    /// # Errors
    /// When the function does not apply to its argument.
    pub(super) fn new(
        text: String,
        function: Aggregate,
        argument: Option<Expr>,
        filter: Option<Expr>,
        Manner { distinct, separator }: Manner,
    ) -> Result<Call> {
        let argument_type = argument.as_ref().map(|a| a.data_type);
        let Some(data_type) = function.result_type(argument_type) else {
            let of = argument_type.map_or("`*`".to_owned(), |t| t.to_string());
            return Err(Diagnostic::new(
                "sql.type",
                format!("{} does not apply to {of}", function.name()),
            )
            .hint(format!("{} takes {}", function.name(), function.takes())));
        };
        let nullable = function != Aggregate::Count;
        let field = Field { name: String::new(), data_type, nullable, rowtime: false };
        let distinct = distinct && !function.ignores_distinct();
        Ok(Call { text, function, argument, distinct, filter, separator, field })
    }
}

/// The window an aggregation is over.
#[derive(Clone, Copy)]
pub(super) struct Windowed {
    pub window: usize,
    /// The columns of its start and end.
    pub bounds: [usize; 2],
}

/// What SELECT and HAVING see after GROUP BY.
pub(super) struct Grouped<'a> {
    pub input: &'a Relation,
    pub functions: Functions,
    pub keys: Vec<Key>,
    pub calls: Vec<Call>,
    pub windowed: Option<Windowed>,
    /// How its windows fire, when they do not simply do so once on time.
    pub emission: Option<Emission>,
    /// The grouping sets, where there are several.
    pub sets: Option<Sets>,
    /// The values of queries in SELECT and HAVING, by their texts.
    pub values: Vec<(String, Field)>,
    /// The position of the first aggregate in the output.
    pub base: usize,
    pub span: Option<Span>,
}

impl Names for Grouped<'_> {
    fn whole(&mut self, ast: &Ast) -> Result<Option<Expr>> {
        if matches!(ast, Ast::Identifier(_) | Ast::CompoundIdentifier(_)) {
            return Ok(None);
        }
        if self.keys.iter().any(|key| key.column.is_none()) {
            let text = ast.to_string();
            if let Some(key) = self.keys.iter().find(|k| k.column.is_none() && k.text == text) {
                return Ok(Some(Expr::column(key.output, &key.field)));
            }
        }
        if let Some(pane) = pane_function(ast) {
            return self.pane(pane, ast).map(Some);
        }
        if let Ast::Subquery(_) = ast {
            return Ok(self.value(&ast.to_string()));
        }
        if let Some((call, name)) = grouping_of(ast) {
            return self.grouping(call, &name).map(Some);
        }
        match aggregate_of(ast) {
            Some((function, call)) if call.over.is_some() => Err(misplaced_over(function.name())),
            Some((function, call)) => self.call(ast, function, call).map(Some),
            None => Ok(None),
        }
    }

    fn column(&mut self, parts: &[Ident]) -> Result<Expr> {
        let index = self.input.resolve(parts)?;
        if let Some(key) = self.keys.iter().find(|key| key.column == Some(index)) {
            return Ok(Expr::column(key.output, &key.field));
        }
        let name = &self.input.columns[index].field.name;
        let error = Diagnostic::new(
            "sql.group",
            format!("the column `{name}` is neither in GROUP BY nor inside an aggregate"),
        )
        .hint(format!(
            "add `{name}` to GROUP BY, or say which of its values: MIN({name}), MAX({name})"
        ));
        Err(match parts.last() {
            Some(part) => error.located_at(part.span),
            None => error,
        })
    }

    fn functions(&self) -> Option<&Functions> {
        Some(&self.functions)
    }
}

/// The positions of values, until it is known how many columns stand before them.
const VALUES: usize = usize::MAX / 2;

/// The position of a column once it is known where the values stand.
pub(super) fn placed(column: usize, values: usize) -> usize {
    // What OVER calls say stands behind.
    if (VALUES..RESULTS).contains(&column) { column - VALUES + values } else { column }
}

impl Grouped<'_> {
    /// What a row says of its pane.
    fn pane(&self, pane: PaneColumn, ast: &Ast) -> Result<Expr> {
        if self.windowed.is_none() || self.emission.is_none() {
            let text = format!("{ast} is known of the panes of a window only");
            return Err(Diagnostic::new("sql.argument", text)
                .hint("aggregate over a window: GROUP BY window_start, window_end")
                .located(ast));
        }
        let place = PaneColumn::ALL.iter().position(|(_, column)| *column == pane).unwrap_or(0);
        Ok(Expr::column(self.base - PaneColumn::ALL.len() + place, &pane.field()))
    }

    fn value(&self, text: &str) -> Option<Expr> {
        let place = self.values.iter().position(|(known, _)| known == text)?;
        Some(Expr::column(VALUES + place, &self.values[place].1))
    }

    /// Remembers an aggregate, once for each spelling, and names its output column.
    fn call(&mut self, ast: &Ast, function: Aggregate, call: &AstFunction) -> Result<Expr> {
        let text = ast.to_string();
        if let Some(i) = self.calls.iter().position(|known| known.text == text) {
            return Ok(Expr::column(self.base + i, &self.calls[i].field));
        }
        let argument = match argument(function, call)? {
            Some(argument) => {
                let (relation, functions) = (self.input, &self.functions);
                let mut row = Row { relation, place: "an aggregate's argument", functions };
                Some(expr::bind(argument, &mut row)?)
            }
            None => None,
        };
        let filter = match &call.filter {
            Some(condition) => {
                let (relation, functions) = (self.input, &self.functions);
                let mut row = Row { relation, place: "FILTER", functions };
                Some(expr::bind_condition(condition, &mut row, "FILTER (WHERE …)")?)
            }
            None => None,
        };
        let call = Call::new(text, function, argument, filter, manner(function, call)?)?;
        let expr = Expr::column(self.base + self.calls.len(), &call.field);
        self.calls.push(call);
        Ok(expr)
    }
}

/// Whether an aggregate is over different values.
fn distinct(call: &AstFunction) -> bool {
    matches!(&call.args, FunctionArguments::List(list)
        if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}

/// What a call says beside its argument, which has been looked at.
pub(super) fn manner(function: Aggregate, call: &AstFunction) -> Result<Manner> {
    let separator = match &call.args {
        FunctionArguments::List(list) if function == Aggregate::ListAgg => list.args.get(1),
        _ => None,
    };
    let text = |arg: &FunctionArg| {
        let ast = plain_argument(arg, function.name())?;
        if let Ast::Value(value) = ast
            && let AstValue::SingleQuotedString(text) = &value.value
        {
            return Ok(Arc::from(text.as_str()));
        }
        Err(Diagnostic::new("sql.argument", "LISTAGG is separated by a text as written")
            .hint("for example LISTAGG(x, '; '); without one it is a comma")
            .located(ast))
    };
    Ok(Manner { distinct: distinct(call), separator: separator.map(text).transpose()? })
}

/// The argument of an aggregate; `None` for `COUNT(*)`.
pub(super) fn argument(function: Aggregate, call: &AstFunction) -> Result<Option<&Ast>> {
    let name = function.name();
    let FunctionArguments::List(list) = &call.args else {
        return Err(Diagnostic::new("sql.argument", format!("{name} needs an argument")));
    };
    if !list.clauses.is_empty() || !call.within_group.is_empty() || call.null_treatment.is_some() {
        return Err(arranged(function));
    }
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if function == Aggregate::Count => {
            match distinct(call) {
                false => Ok(None),
                true => Err(Diagnostic::new("sql.argument", "COUNT(DISTINCT *) has no meaning")
                    .hint("say of which column: COUNT(DISTINCT x)")),
            }
        }
        [arg] => plain_argument(arg, name).map(Some),
        [arg, _] if function == Aggregate::ListAgg => plain_argument(arg, name).map(Some),
        args => Err(Diagnostic::new(
            "sql.argument",
            format!("{name} takes one argument, not {}", args.len()),
        )),
    }
}

/// Why an aggregate with an order or a word on NULLs is refused.
fn arranged(function: Aggregate) -> Error {
    let ordered =
        matches!(function, Aggregate::FirstValue | Aggregate::LastValue | Aggregate::ListAgg);
    let hint = match ordered {
        true => {
            "leave it out: rows count in the order they arrive, of OVER in that of its window, and \
                 NULLs never"
        }
        false => "leave it out: the order of rows does not matter to it",
    };
    unsupported(format!("{} with ORDER BY or NULLS is not supported", function.name()), hint)
}

/// What a finished [`Grouped`] hands on; it no longer borrows the input.
pub(super) struct Parts {
    pub keys: Vec<Key>,
    pub calls: Vec<Call>,
    pub windowed: Option<Windowed>,
    pub emission: Option<Emission>,
    pub sets: Option<Sets>,
    pub span: Option<Span>,
}

impl Grouped<'_> {
    /// Ends the collection of aggregates.
    pub(super) fn into_parts(self) -> Parts {
        let Grouped { keys, calls, windowed, emission, sets, span, .. } = self;
        Parts { keys, calls, windowed, emission, sets, span }
    }

    /// Gives each key its position in the output.
    pub(super) fn layout(&mut self) {
        let windowed = self.windowed.is_some();
        let window = self.windowed.map(|windowed| windowed.window);
        // The bounds of other windows are keys like any.
        for (number, key) in self.keys.iter_mut().enumerate() {
            let everywhere = self.sets.as_ref().is_none_or(|sets| sets.all_have(number));
            if key.role.window() != window || !everywhere {
                key.role = Role::Plain;
            }
        }
        let mut plain = self.keys.iter().filter(|k| !windowed || k.role == Role::Plain).count();
        if let Some(sets) = &mut self.sets {
            sets.output = plain;
            plain += 1;
        }
        let mut next = 0;
        for key in &mut self.keys {
            key.output = match (windowed, key.role) {
                (true, Role::Start(_)) => plain,
                (true, Role::End(_)) => plain + 1,
                (true, Role::Time(_)) => plain + 2,
                _ => {
                    next += 1;
                    next - 1
                }
            };
        }
        let panes = if self.emission.is_some() { PaneColumn::ALL.len() } else { 0 };
        self.base = if windowed { plain + 3 + panes } else { plain };
    }
}

/// Gives a group key its meaning.
pub(super) fn bind_key(input: &Relation, ast: &Ast, functions: &Functions) -> Result<Key> {
    if let Ast::Value(value) = ast {
        return Err(unsupported(
            format!("GROUP BY {value} is not supported"),
            "positions are no keys here: write the column or expression",
        )
        .located(ast));
    }
    let expr = expr::bind(ast, &mut Row { relation: input, place: "GROUP BY", functions })?;
    let column = match expr.kind {
        ExprKind::Column(index) => Some(index),
        _ => None,
    };
    let origin = column.map(|index| &input.columns[index]);
    let text = ast.to_string();
    let field = Field {
        name: origin.map_or_else(|| "key".to_owned(), |c| c.field.name.clone()),
        data_type: expr.data_type,
        nullable: expr.nullable,
        rowtime: false,
    };
    let role = origin.map_or(Role::Plain, |c| c.role);
    let text = origin.map_or(text, |c| c.field.name.clone());
    Ok(Key { text, expr, column, field, role, output: 0 })
}

/// Whether any of these expressions calls an aggregate.
pub(super) fn any_aggregate<'a>(exprs: impl IntoIterator<Item = &'a Ast>) -> bool {
    exprs.into_iter().any(|ast| walk::any(ast, &mut |inner| is_aggregate(inner)))
}

/// Whether any of these expressions asks for a pane.
pub(super) fn any_pane<'a>(exprs: impl IntoIterator<Item = &'a Ast>) -> bool {
    // By its text: it may stand in OVER, in FILTER or in a query. To be wrong costs time alone.
    let asks = |ast: &Ast| ast.to_string().to_ascii_uppercase().contains("PANE_");
    exprs.into_iter().any(asks)
}

/// The column of a pane that a call without arguments asks for.
fn pane_function(ast: &Ast) -> Option<PaneColumn> {
    let Ast::Function(call) = ast else { return None };
    let plain = match &call.args {
        FunctionArguments::List(list) => list.args.is_empty() && list.clauses.is_empty(),
        FunctionArguments::None => true,
        FunctionArguments::Subquery(_) => false,
    };
    let name = call.name.to_string();
    let known = |(known, _): &&(&str, PaneColumn)| plain && known.eq_ignore_ascii_case(&name);
    PaneColumn::ALL.iter().find(known).map(|(_, column)| *column)
}

/// An aggregate that makes one row of many: one with OVER does not.
fn is_aggregate(ast: &Ast) -> bool {
    aggregate_of(ast).is_some_and(|(_, call)| call.over.is_none())
}
