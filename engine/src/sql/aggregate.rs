//! GROUP BY: keys, aggregates, and whether they aggregate windows or the whole stream.

use std::collections::BTreeSet;

use sqlparser::ast::{
    DuplicateTreatment, Expr as Ast, Function as AstFunction, FunctionArg, FunctionArgExpr,
    FunctionArguments, GroupByExpr, Ident,
};

use super::builder::{WindowKind, columns_of};
use super::diagnose::{Locate, span, unsupported};
use super::expr::{self, Names, Row, aggregate_of};
use super::planner::Planner;
use super::scope::{Column, Relation, Role, window_fields};
use crate::aggregate::Function as Aggregate;
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::{Expr, ExprKind};
use crate::plan::{AggregateCall, Op, WindowSpec};
use crate::schema::{Field, Schema};

/// A group key.
struct Key {
    /// The key as written, for keys that are no plain columns.
    text: String,
    expr: Expr,
    /// The column it is, where it is one.
    column: Option<usize>,
    field: Field,
    role: Role,
    /// Its position in the aggregation's output.
    output: usize,
}

/// An aggregate call.
struct Call {
    text: String,
    function: Aggregate,
    argument: Option<Expr>,
    filter: Option<Expr>,
    field: Field,
}

/// The window an aggregation is over.
struct Windowed {
    window: usize,
    spec: WindowSpec,
}

/// What SELECT and HAVING see after GROUP BY.
pub(super) struct Grouped<'a> {
    input: &'a Relation,
    keys: Vec<Key>,
    calls: Vec<Call>,
    windowed: Option<Windowed>,
    /// The position of the first aggregate in the output.
    base: usize,
    span: Option<Span>,
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
        match aggregate_of(ast) {
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
}

impl Grouped<'_> {
    /// Remembers an aggregate, once for each spelling, and names its output column.
    fn call(&mut self, ast: &Ast, function: Aggregate, call: &AstFunction) -> Result<Expr> {
        let text = ast.to_string();
        if let Some(i) = self.calls.iter().position(|known| known.text == text) {
            return Ok(Expr::column(self.base + i, &self.calls[i].field));
        }
        let argument = match argument(function, call)? {
            Some(argument) => {
                let mut row = Row { relation: self.input, place: "an aggregate's argument" };
                Some(expr::bind(argument, &mut row)?)
            }
            None => None,
        };
        let filter = match &call.filter {
            Some(condition) => {
                let mut row = Row { relation: self.input, place: "FILTER" };
                Some(expr::bind_condition(condition, &mut row, "FILTER (WHERE …)")?)
            }
            None => None,
        };
        let argument_type = argument.as_ref().map(|a| a.data_type);
        let Some(data_type) = function.result_type(argument_type) else {
            let of = argument_type.map_or("`*`".to_owned(), |t| t.to_string());
            return Err(Diagnostic::new(
                "sql.type",
                format!("{} does not apply to {of}", function.name()),
            )
            .hint("SUM and AVG take numbers; COUNT, MIN and MAX take any column"));
        };
        let nullable = function != Aggregate::Count;
        let field = Field { name: String::new(), data_type, nullable, rowtime: false };
        let expr = Expr::column(self.base + self.calls.len(), &field);
        self.calls.push(Call { text, function, argument, filter, field });
        Ok(expr)
    }
}

/// The argument of an aggregate; `None` for `COUNT(*)`.
fn argument(function: Aggregate, call: &AstFunction) -> Result<Option<&Ast>> {
    let name = function.name();
    if call.over.is_some() {
        return Err(unsupported(
            "OVER is not supported",
            "aggregate over a window: TABLE(TUMBLE(…)) with GROUP BY window_start, window_end",
        ));
    }
    let FunctionArguments::List(list) = &call.args else {
        return Err(Diagnostic::new("sql.argument", format!("{name} needs an argument")));
    };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return Err(unsupported(
            format!("{name}(DISTINCT …) is not supported"),
            "group by the column in a first view, then aggregate its rows in a second",
        ));
    }
    if !list.clauses.is_empty() || !call.within_group.is_empty() || call.null_treatment.is_some() {
        return Err(unsupported(
            format!("{name} with ORDER BY or NULLS is not supported"),
            "leave it out: the order of rows does not matter to it",
        ));
    }
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if function == Aggregate::Count => {
            Ok(None)
        }
        [arg] => expr::plain_argument(arg, name).map(Some),
        args => Err(Diagnostic::new(
            "sql.argument",
            format!("{name} takes one argument, not {}", args.len()),
        )),
    }
}

/// The expressions of GROUP BY.
pub(super) fn keys_of(group_by: &GroupByExpr) -> Result<&[Ast]> {
    match group_by {
        GroupByExpr::Expressions(keys, modifiers) if modifiers.is_empty() => Ok(keys),
        _ => Err(unsupported(
            "GROUP BY ALL and WITH modifiers are not supported",
            "list the keys: GROUP BY a, b",
        )
        .located(group_by)),
    }
}

impl Planner<'_> {
    /// Gives the keys of GROUP BY their meaning.
    pub(super) fn group<'a>(
        &mut self,
        input: &'a Relation,
        keys: &[Ast],
        at: Option<Span>,
    ) -> Result<Grouped<'a>> {
        if input.updating {
            return Err(updating("aggregated", at));
        }
        let mut bound = Vec::new();
        for key in keys {
            bound.push(bind_key(input, key)?);
        }
        let mut grouped =
            Grouped { input, keys: bound, calls: Vec::new(), windowed: None, base: 0, span: at };
        grouped.windowed = self.windowed(&grouped).map_err(|error| match at {
            Some(at) => error.at(at),
            None => error,
        })?;
        grouped.layout();
        Ok(grouped)
    }

    /// The window the keys name by both its ends; a warning when they name one end only.
    fn windowed(&mut self, grouped: &Grouped) -> Result<Option<Windowed>> {
        let roles: Vec<Role> = grouped.keys.iter().map(|key| key.role).collect();
        let started = roles.iter().find_map(|r| match r {
            Role::Start(w) => Some(*w),
            _ => None,
        });
        let ended = roles.iter().find_map(|r| match r {
            Role::End(w) => Some(*w),
            _ => None,
        });
        let data_window = |w: usize| self.builder.windows.get(w) == Some(&WindowKind::Data);
        let pending_session = grouped.input.pending.as_ref().is_some_and(|p| data_window(p.window));
        match (started, ended) {
            (Some(start), Some(end)) if start == end => {
                let spec = match (&grouped.input.pending, self.builder.windows.get(start)) {
                    (Some(pending), _) if pending.window == start => pending.spec,
                    (_, Some(WindowKind::Aligned(spec))) => *spec,
                    _ => {
                        return Err(unsupported(
                            "aggregating session or user-defined windows once more is not supported",
                            "put a new window over window_time: TABLE(TUMBLE(…, DESCRIPTOR(window_time), …))",
                        ));
                    }
                };
                if pending_session {
                    self.check_session_keys(grouped)?;
                }
                Ok(Some(Windowed { window: start, spec }))
            }
            _ if pending_session => Err(unsupported(
                "a SESSION must be aggregated by window_start and window_end",
                "add both to GROUP BY",
            )),
            (None, None) => Ok(None),
            (start, _) => {
                let missing = if start.is_some() { "window_end" } else { "window_start" };
                self.warn_unbounded(grouped, missing);
                Ok(None)
            }
        }
    }

    fn warn_unbounded(&mut self, grouped: &Grouped, missing: &str) {
        let mut warning = Diagnostic::new(
            "sql.unbounded-aggregation",
            format!(
                "GROUP BY lacks `{missing}`: this is no window aggregation but an updating one that \
                 never ends and also counts late records"
            ),
        )
        .hint(format!("add `{missing}` to GROUP BY"));
        if let Some(span) = grouped.span {
            warning = warning.at(span);
        }
        self.warnings.push(*warning);
    }

    /// The keys beside the window's columns must be those of the session's PARTITION BY.
    fn check_session_keys(&self, grouped: &Grouped) -> Result<()> {
        let Some(pending) = &grouped.input.pending else { return Ok(()) };
        let name = |index: &usize| grouped.input.columns[*index].field.name.clone();
        let plain = || grouped.keys.iter().filter(|key| key.role == Role::Plain);
        for key in plain() {
            if !key.column.is_some_and(|c| pending.keys.contains(&c)) {
                return Err(unsupported(
                    format!("the key `{}` is not in the PARTITION BY of SESSION", key.text),
                    format!(
                        "sessions are per partition: SESSION(TABLE t PARTITION BY {}, …)",
                        pending
                            .keys
                            .iter()
                            .map(name)
                            .chain([key.text.clone()])
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                ));
            }
        }
        for key in &pending.keys {
            if !plain().any(|k| k.column == Some(*key)) {
                return Err(unsupported(
                    format!("GROUP BY lacks `{}`, which SESSION is partitioned by", name(key)),
                    format!("add `{}` to GROUP BY", name(key)),
                ));
            }
        }
        Ok(())
    }

    /// Adds the nodes of an aggregation.
    pub(super) fn aggregate(&mut self, mut input: Relation, grouped: Parts) -> Result<Relation> {
        let Parts { keys, calls, windowed, span: at } = grouped;
        let mut used = BTreeSet::new();
        let plain = |key: &&Key| windowed.is_none() || key.role == Role::Plain;
        for expr in keys.iter().filter(plain).map(|key| &key.expr) {
            columns_of(expr, &mut used);
        }
        for call in &calls {
            call.argument.iter().chain(&call.filter).for_each(|e| columns_of(e, &mut used));
        }
        let existing = input.existing();
        if used.iter().any(|column| *column >= existing) {
            input = self.assign(input, at)?;
        }
        let time = windowed.as_ref().map(|w| time_column(&input, w.window));
        let mut needed = Needed::default();
        let key_columns: Vec<usize> = keys
            .iter()
            .filter(plain)
            .map(|key| needed.add(key.expr.clone(), &key.field.name))
            .collect();
        let time = time.map(|time| {
            let field = &input.columns[time].field;
            needed.add(Expr::column(time, field), &field.name)
        });
        let calls: Vec<(AggregateCall, Field)> = calls
            .into_iter()
            .map(|call| {
                let argument = call.argument.map(|e| needed.add(e, "argument"));
                let filter = call.filter.map(|e| needed.add(e, "filter"));
                (AggregateCall { function: call.function, argument, filter }, call.field)
            })
            .collect();
        let (node, positions) = self.needed(&input, needed, at);
        let place = |i: usize| positions[i];
        let key_columns: Vec<usize> = key_columns.into_iter().map(place).collect();
        let aggregates: Vec<AggregateCall> = calls
            .iter()
            .map(|(call, _)| AggregateCall {
                argument: call.argument.map(place),
                filter: call.filter.map(place),
                ..*call
            })
            .collect();
        let mut columns: Vec<Column> = keys
            .iter()
            .filter(plain)
            .map(|key| Column { qualifier: None, field: key.field.clone(), role: Role::Plain })
            .collect();
        let op = match (windowed, time) {
            (Some(windowed), Some(time)) => {
                let time = positions[time];
                let time_type = self.builder.nodes[node].schema.fields[time].data_type;
                let roles = [Role::Start, Role::End, Role::Time];
                for (field, role) in window_fields(time_type).into_iter().zip(roles) {
                    columns.push(Column { qualifier: None, field, role: role(windowed.window) });
                }
                Op::WindowAggregate { window: windowed.spec, time, keys: key_columns, aggregates }
            }
            _ => Op::GroupAggregate { keys: key_columns, aggregates },
        };
        for (i, (call, field)) in calls.iter().enumerate() {
            let name = format!("{}_{i}", call.function.name().to_ascii_lowercase());
            let field = Field { name, ..field.clone() };
            columns.push(Column { qualifier: None, field, role: Role::Plain });
        }
        let name = if matches!(op, Op::WindowAggregate { .. }) { "window" } else { "group" };
        let schema = Schema::new(columns.iter().map(|c| c.field.clone()).collect());
        let node = self.builder.add(name, op, vec![node], schema, at);
        let updating = self.builder.nodes[node].updating;
        Ok(Relation { node, columns, updating, pending: None })
    }

    /// A node that has the needed expressions as columns, and where each of them is.
    fn needed(
        &mut self,
        input: &Relation,
        needed: Needed,
        at: Option<Span>,
    ) -> (usize, Vec<usize>) {
        let plain: Option<Vec<usize>> = needed
            .exprs
            .iter()
            .map(|(expr, _)| match expr.kind {
                ExprKind::Column(index) => Some(index),
                _ => None,
            })
            .collect();
        if let Some(positions) = plain {
            return (input.node, positions);
        }
        let mut names = BTreeSet::new();
        let mut fields = Vec::new();
        for (expr, name) in &needed.exprs {
            let original = match expr.kind {
                ExprKind::Column(index) => Some(&input.columns[index].field),
                _ => None,
            };
            let base = original.map_or(name.as_str(), |f| f.name.as_str());
            let mut unique = base.to_owned();
            let mut count = 0_u32;
            while !names.insert(unique.clone()) {
                unique = format!("{base}{count}");
                count += 1;
            }
            fields.push(Field {
                name: unique,
                data_type: expr.data_type,
                nullable: expr.nullable,
                rowtime: original.is_some_and(|f| f.rowtime),
            });
        }
        let positions = (0..needed.exprs.len()).collect();
        let exprs = needed.exprs.into_iter().map(|(expr, _)| expr).collect();
        let op = Op::Project { exprs };
        (self.builder.add("project", op, vec![input.node], Schema::new(fields), at), positions)
    }
}

/// What a finished [`Grouped`] hands on; it no longer borrows the input.
pub(super) struct Parts {
    keys: Vec<Key>,
    calls: Vec<Call>,
    windowed: Option<Windowed>,
    span: Option<Span>,
}

impl Grouped<'_> {
    /// Ends the collection of aggregates.
    pub(super) fn into_parts(self) -> Parts {
        Parts { keys: self.keys, calls: self.calls, windowed: self.windowed, span: self.span }
    }

    /// Gives each key its position in the output.
    fn layout(&mut self) {
        let windowed = self.windowed.is_some();
        let plain = self.keys.iter().filter(|k| !windowed || k.role == Role::Plain).count();
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
        self.base = if windowed { plain + 3 } else { plain };
    }
}

/// Expressions an aggregation reads, each once.
#[derive(Default)]
struct Needed {
    exprs: Vec<(Expr, String)>,
}

impl Needed {
    fn add(&mut self, expr: Expr, name: &str) -> usize {
        if let ExprKind::Column(index) = expr.kind {
            let same =
                |(e, _): &(Expr, String)| matches!(e.kind, ExprKind::Column(i) if i == index);
            if let Some(known) = self.exprs.iter().position(same) {
                return known;
            }
        }
        self.exprs.push((expr, name.to_owned()));
        self.exprs.len() - 1
    }
}

/// The column whose time lies in the window: the one it was made from, or one of its own.
fn time_column(input: &Relation, window: usize) -> usize {
    if let Some(pending) = &input.pending {
        return pending.time;
    }
    let with = |role: Role| input.columns.iter().position(|c| c.role == role);
    with(Role::Time(window)).or_else(|| with(Role::Start(window))).unwrap_or(0)
}

fn bind_key(input: &Relation, ast: &Ast) -> Result<Key> {
    if let Ast::Value(value) = ast {
        return Err(unsupported(
            format!("GROUP BY {value} is not supported"),
            "positions are no keys here: write the column or expression",
        )
        .located(ast));
    }
    let expr = expr::bind(ast, &mut Row { relation: input, place: "GROUP BY" })?;
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
    exprs.into_iter().any(|ast| has_aggregate(ast, 0))
}

fn has_aggregate(ast: &Ast, depth: usize) -> bool {
    if aggregate_of(ast).is_some() {
        return true;
    }
    // Deeper expressions are refused when they are bound.
    if depth > 300 {
        return false;
    }
    let inside = |ast: &Ast| has_aggregate(ast, depth + 1);
    match ast {
        Ast::BinaryOp { left, right, .. }
        | Ast::IsDistinctFrom(left, right)
        | Ast::IsNotDistinctFrom(left, right) => inside(left) || inside(right),
        Ast::UnaryOp { expr, .. }
        | Ast::Nested(expr)
        | Ast::IsNull(expr)
        | Ast::IsNotNull(expr)
        | Ast::IsTrue(expr)
        | Ast::IsNotTrue(expr)
        | Ast::IsFalse(expr)
        | Ast::IsNotFalse(expr)
        | Ast::IsUnknown(expr)
        | Ast::IsNotUnknown(expr)
        | Ast::Extract { expr, .. }
        | Ast::Floor { expr, .. }
        | Ast::Ceil { expr, .. }
        | Ast::Trim { expr, .. } => inside(expr),
        Ast::Between { expr, low, high, .. } => inside(expr) || inside(low) || inside(high),
        Ast::InList { expr, list, .. } => inside(expr) || list.iter().any(inside),
        Ast::Like { expr, pattern, .. } => inside(expr) || inside(pattern),
        Ast::Substring { expr, substring_from, substring_for, .. } => {
            inside(expr) || substring_from.iter().chain(substring_for).any(|e| inside(e))
        }
        Ast::Position { expr, r#in } => inside(expr) || inside(r#in),
        Ast::Overlay { expr, overlay_what, .. } => inside(expr) || inside(overlay_what),
        Ast::Case { operand, conditions, else_result, .. } => {
            operand.iter().chain(else_result).any(|e| inside(e))
                || conditions.iter().any(|when| inside(&when.condition) || inside(&when.result))
        }
        Ast::Function(call) => match &call.args {
            FunctionArguments::List(list) => list.args.iter().any(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => inside(e),
                _ => false,
            }),
            _ => false,
        },
        _ => false,
    }
}

/// Why an updating input is refused.
pub(super) fn updating(what: &str, at: Option<Span>) -> Error {
    let error = Diagnostic::new(
        "sql.updating",
        format!("a query that updates its rows cannot be {what}"),
    )
    .hint(
        "its input is a GROUP BY without a window, whose rows change with every record: aggregate \
         over a window instead (GROUP BY window_start, window_end)",
    );
    match at {
        Some(at) => error.at(at),
        None => error,
    }
}

/// The place of GROUP BY's keys.
pub(super) fn place_of(keys: &[Ast]) -> Option<Span> {
    use sqlparser::ast::Spanned;
    let spans: Vec<Span> = keys.iter().filter_map(|key| span(key.span())).collect();
    Some(Span { start: spans.first()?.start, end: spans.last()?.end })
}
