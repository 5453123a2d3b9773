//! GROUP BY: keys, aggregates, and whether they aggregate windows or the whole stream.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr as Ast, GroupByExpr};

use super::builder::{WindowKind, columns_of};
use super::diagnose::{Locate, span, unsupported};
use super::grouped::{Call, Grouped, Key, Parts, Windowed, bind_key};
use super::inputs::Inputs;
use super::planner::Planner;
use super::scope::{Column, Relation, Role, window_fields};
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::Expr;
use crate::plan::{AggregateCall, Op, WindowBound};
use crate::schema::{Field, Schema};

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
        let mut bound = Vec::new();
        for key in keys {
            bound.push(bind_key(input, key, &self.functions)?);
        }
        let mut grouped = Grouped {
            input,
            functions: self.functions.clone(),
            keys: bound,
            calls: Vec::new(),
            windowed: None,
            base: 0,
            span: at,
        };
        grouped.windowed = self.windowed(&grouped).map_err(|error| match at {
            Some(at) => error.at(at),
            None => error,
        })?;
        if grouped.windowed.is_some() && input.updating {
            return Err(updating("aggregated by windows", at));
        }
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
        let plain = |key: &&Key| windowed.is_none() || key.role == Role::Plain;
        if reads_window(&input, keys.iter().filter(plain), &calls) {
            input = self.assign(input, at)?;
        }
        let time = windowed.as_ref().map(|w| time_column(&input, w.window));
        let mut inputs = Inputs::default();
        let key_columns: Vec<usize> = keys
            .iter()
            .filter(plain)
            .map(|key| inputs.add(key.expr.clone(), &key.field.name))
            .collect();
        let time = time.map(|time| {
            let field = &input.columns[time].field;
            inputs.add(Expr::column(time, field), &field.name)
        });
        let calls: Vec<(AggregateCall, Field)> = calls
            .into_iter()
            .map(|call| {
                let argument = call.argument.map(|e| inputs.add(e, "argument"));
                let filter = call.filter.map(|e| inputs.add(e, "filter"));
                let (function, distinct) = (call.function, call.distinct);
                (AggregateCall { function, argument, distinct, filter }, call.field)
            })
            .collect();
        let (node, positions) = self.inputs(&input, inputs, at);
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
                let (window, keys, bounds) =
                    (windowed.spec, key_columns, WindowBound::ALL.to_vec());
                Op::WindowAggregate { window, time, keys, bounds, aggregates }
            }
            _ => Op::GroupAggregate { keys: key_columns, aggregates, retracts: true },
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
}

/// Whether keys or aggregates read columns that only assigning the pending window makes.
fn reads_window<'k>(input: &Relation, keys: impl Iterator<Item = &'k Key>, calls: &[Call]) -> bool {
    let mut used = BTreeSet::new();
    keys.for_each(|key| columns_of(&key.expr, &mut used));
    for call in calls {
        call.argument.iter().chain(&call.filter).for_each(|e| columns_of(e, &mut used));
    }
    let existing = input.existing();
    used.iter().any(|column| *column >= existing)
}

/// The column whose time lies in the window: the one it was made from, or one of its own.
fn time_column(input: &Relation, window: usize) -> usize {
    if let Some(pending) = &input.pending {
        return pending.time;
    }
    let with = |role: Role| input.columns.iter().position(|c| c.role == role);
    with(Role::Time(window)).or_else(|| with(Role::Start(window))).unwrap_or(0)
}

/// Why an updating input is refused.
pub(super) fn updating(what: &str, at: Option<Span>) -> Error {
    let error = Diagnostic::new(
        "sql.updating",
        format!("a query that updates its rows cannot be {what}"),
    )
    .hint(
        "its input changes rows it has given before, and a window that has closed cannot take them \
         back: aggregate over a window there, too (GROUP BY window_start, window_end)",
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
