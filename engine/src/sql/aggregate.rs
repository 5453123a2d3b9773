//! GROUP BY: keys, aggregates, and whether they aggregate windows or the whole stream.

use std::collections::BTreeSet;

use sqlparser::ast::Expr as Ast;

use super::builder::columns_of;
use super::diagnose::span;
use super::emission::emission;
use super::grouped::{Call, Grouped, Key, Parts, Windowed};
use super::inputs::Inputs;
use super::late::Windows;
use super::planner::Planner;
use super::scope::{Column, Relation, Role, window_fields};
use super::sets::{Sets, keys_and_sets};
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::Expr;
use crate::plan::{
    AggregateCall, Emission, GroupingSet, NodeId, Op, PaneColumn, WindowBound, WindowSpec,
};
use crate::schema::{DataType, Field, Schema};

impl Planner<'_> {
    /// Gives the keys of GROUP BY their meaning.
    pub(super) fn group<'a>(
        &mut self,
        input: &'a Relation,
        keys: &[Ast],
        panes: bool,
        at: Option<Span>,
    ) -> Result<Grouped<'a>> {
        let (keys, sets) = keys_and_sets(input, keys, &self.functions)?;
        let mut grouped = Grouped {
            input,
            functions: self.functions.clone(),
            keys,
            calls: Vec::new(),
            windowed: None,
            emission: None,
            sets,
            values: Vec::new(),
            base: 0,
            span: at,
        };
        grouped.windowed = self.windowed(&grouped);
        if grouped.windowed.is_some() && input.updating {
            return Err(updating("aggregated by windows", at));
        }
        if grouped.windowed.is_some() {
            let emission = emission(&self.settings)?;
            grouped.emission = Some(emission).filter(|e| panes || !e.is_on_time());
            if grouped.emission.is_some() {
                few_at_once(input, at)?;
            }
        }
        grouped.layout();
        Ok(grouped)
    }

    /// The window the keys name by both its ends; a warning when they name one end only.
    fn windowed(&mut self, grouped: &Grouped) -> Option<Windowed> {
        let everywhere = |k: &usize| grouped.sets.as_ref().is_none_or(|sets| sets.all_have(*k));
        let whole = || (0..grouped.keys.len()).filter(everywhere).map(|k| &grouped.keys[k]);
        let column = |role: Role| whole().find(|k| k.role == role)?.column;
        // The window of this query comes before those that its rows have brought along.
        let pending = grouped.input.pending.as_ref().map(|pending| pending.window);
        let brought = grouped.keys.iter().filter_map(|key| key.role.window());
        let named = brought.clone().next().is_some();
        let mut missing = None;
        for window in pending.into_iter().chain(brought) {
            match (column(Role::Start(window)), column(Role::End(window))) {
                (Some(start), Some(end)) => {
                    return Some(Windowed { window, bounds: [start, end] });
                }
                (Some(_), None) => missing = Some("window_end"),
                (None, Some(_)) => missing = Some("window_start"),
                (None, None) => missing = missing.or(Some("window_start and window_end")),
            }
        }
        missing
            .filter(|_| named)
            .into_iter()
            .for_each(|missing| self.warn_unbounded(grouped, missing));
        None
    }

    fn warn_unbounded(&mut self, grouped: &Grouped, missing: &str) {
        let mut warning = Diagnostic::new(
            "sql.unbounded-aggregation",
            format!(
                "{} lacks `{missing}`: this is no window aggregation but an updating one that \
                 never ends and also counts late records",
                if grouped.sets.is_some() { "a set of GROUP BY" } else { "GROUP BY" },
            ),
        )
        .hint(format!("add `{missing}` to GROUP BY"));
        if let Some(span) = grouped.span {
            warning = warning.at(span);
        }
        self.warnings.push(*warning);
    }

    /// How rows find their window, and the column whose time lies in it; `None` where only the rows say it.
    fn spec_of(&self, input: &Relation, window: usize) -> Option<(WindowSpec, usize)> {
        if let Some(pending) = input.pending.as_ref().filter(|p| p.window == window) {
            return Some((pending.spec, pending.time));
        }
        let alignment = (*self.builder.windows.get(window)?)?;
        let with = |role: Role| input.columns.iter().position(|c| c.role == role);
        let time = with(Role::Time(window)).or_else(|| with(Role::Start(window)))?;
        Some((WindowSpec::Aligned(alignment), time))
    }

    /// What an aggregation over windows reads of its rows; `None` where it gives them another shape first.
    fn windows_read(
        &self,
        input: &Relation,
        over: &Over,
        keys: &[&Key],
        emission: Option<&Emission>,
    ) -> Result<Option<Windows>> {
        let (spec, time) = match self.spec_of(input, over.window) {
            Some(found) => found,
            None => (WindowSpec::Attached { bounds: over.bounds }, over.bounds[1]),
        };
        let emission = match emission {
            Some(emission) => emission.clone(),
            None => self::emission(&self.settings)?,
        };
        // Rows of sessions have been left out before they come here.
        if matches!(self.builder.nodes[input.node].op, Op::SessionWindow { .. }) {
            return Ok(None);
        }
        let keys = keys.iter().map(|key| key.expr.clone()).collect();
        Ok(Some(Windows { input: input.clone(), keys, spec, time, emission }))
    }

    /// Adds the nodes of an aggregation.
    pub(super) fn aggregate(&mut self, mut input: Relation, grouped: Parts) -> Result<Relation> {
        let Parts { keys, calls, windowed, emission, sets, span: at } = grouped;
        if keys.is_empty() && calls.is_empty() {
            return Err(nothing(at));
        }
        let plain = |key: &&Key| windowed.is_none() || key.role == Role::Plain;
        let own: Vec<&Key> = keys.iter().filter(plain).collect();
        if !assigns_itself(&input, windowed, &own, sets.is_some())
            || reads_window(&input, &own, &calls)
        {
            input = self.assign(input, at)?;
        }
        let mut inputs = Inputs::default();
        let key_columns: Vec<usize> =
            own.iter().map(|key| inputs.add(key.expr.clone(), &key.field.name)).collect();
        if sets.is_some() {
            // Aggregates read what a key is in all sets.
            inputs.keep_apart();
        }
        let mut column = |index: usize| {
            let field = &input.columns[index].field;
            inputs.add(Expr::column(index, field), &field.name)
        };
        let over = windowed.map(|windowed| {
            let time_type = time_type(&input, windowed.window);
            let (spec, times) = match self.spec_of(&input, windowed.window) {
                Some((spec, time)) => (Some(spec), [column(time); 2]),
                None => (None, windowed.bounds.map(column)),
            };
            Over { window: windowed.window, time_type, spec, times, bounds: windowed.bounds }
        });
        let read = match &over {
            // Each set of keys has windows of its own.
            Some(over) if sets.is_none() => {
                self.windows_read(&input, over, &own, emission.as_ref())?
            }
            _ => None,
        };
        let calls: Vec<(AggregateCall, Field)> =
            calls.into_iter().map(|call| read_by(call, &mut inputs)).collect();
        let (node, positions) = self.inputs(&input, inputs, at);
        let place = |i: usize| positions[i];
        let key_columns: Vec<usize> = key_columns.into_iter().map(place).collect();
        let placed = |(call, _): &(AggregateCall, Field)| AggregateCall {
            argument: call.argument.map(place),
            filter: call.filter.map(place),
            ..call.clone()
        };
        let aggregates: Vec<AggregateCall> = calls.iter().map(placed).collect();
        // A key that some set leaves out is no end of the window.
        let sets = sets.map(|sets| sets.at(|key| key_columns[keys[key].output]));
        let (node, key_columns, mut columns) = self.keyed_by(node, (&own, key_columns), sets, at);
        let op = match over {
            Some(over) => {
                columns.extend(over.columns());
                let panes = PaneColumn::ALL.iter().map(|(_, pane)| *pane);
                let panes: Vec<PaneColumn> = panes.filter(|_| emission.is_some()).collect();
                columns.extend(panes.iter().map(|pane| Column::plain(pane.field())));
                let said = WindowBound::ALL.into_iter();
                let bounds = over.times.map(place);
                Op::WindowAggregate {
                    window: over.spec.unwrap_or(WindowSpec::Attached { bounds }),
                    time: bounds[1],
                    keys: key_columns,
                    bounds: said.chain(panes.into_iter().map(WindowBound::Pane)).collect(),
                    aggregates,
                    emission,
                }
            }
            None => Op::GroupAggregate { keys: key_columns, aggregates, retracts: true },
        };
        for (i, (call, field)) in calls.iter().enumerate() {
            let name = format!("{}_{i}", call.function.name().to_ascii_lowercase());
            columns.push(unnamed(Field { name, ..field.clone() }));
        }
        let name = if matches!(op, Op::WindowAggregate { .. }) { "window" } else { "group" };
        let schema = Schema::new(columns.iter().map(|c| c.field.clone()).collect());
        let node = self.builder.add(name, op, vec![node], schema, at);
        self.builder.windowed.extend(read.map(|windows| (node, windows)));
        let updating = self.builder.nodes[node].updating;
        Ok(Relation { node, columns, updating, pending: None })
    }

    /// The rows to aggregate, where their keys stand, and the keys' columns in the result.
    fn keyed_by(
        &mut self,
        node: NodeId,
        (keys, mut places): (&[&Key], Vec<usize>),
        sets: Option<Vec<GroupingSet>>,
        at: Option<Span>,
    ) -> (NodeId, Vec<usize>, Vec<Column>) {
        let mut columns: Vec<Column> = keys.iter().map(|key| unnamed(key.field.clone())).collect();
        let Some(sets) = sets else { return (node, places, columns) };
        let (node, id) = self.expanded(node, sets, at);
        places.push(id);
        columns.push(unnamed(Sets::field()));
        (node, places, columns)
    }
}

fn unnamed(field: Field) -> Column {
    Column { qualifier: None, field, role: Role::Plain }
}

/// The most windows a row may be in when each is kept by itself.
const MOST_AT_ONCE: i64 = 1_000;

/// Refuses windows that overlap too much to be kept by themselves.
pub(super) fn few_at_once(input: &Relation, at: Option<Span>) -> Result<()> {
    let count = match input.pending.as_ref().map(|pending| pending.spec) {
        Some(WindowSpec::Aligned(alignment)) => alignment.overlap(),
        Some(WindowSpec::Cumulate(windows)) => windows.size / windows.step,
        _ => 1,
    };
    if count <= MOST_AT_ONCE {
        return Ok(());
    }
    let text = format!(
        "a row would be in {count} windows that fire early or late, each kept by itself: at most {MOST_AT_ONCE}"
    );
    let error = Diagnostic::new("sql.window", text)
        .hint("take a longer slide or step, or leave triggers, panes and lateness out");
    Err(match at {
        Some(at) => error.at(at),
        None => error,
    })
}

/// An aggregate whose argument and filter are among what is computed before, and its column.
fn read_by(call: Call, inputs: &mut Inputs) -> (AggregateCall, Field) {
    let argument = call.argument.map(|e| inputs.add(e, "argument"));
    let filter = call.filter.map(|e| inputs.add(e, "filter"));
    let Call { function, distinct, separator, field, .. } = call;
    (AggregateCall { function, argument, distinct, filter, separator }, field)
}

/// The window an aggregation is over, as its operator sees it.
struct Over {
    window: usize,
    time_type: DataType,
    /// How rows find their window; `None` where it stands in them.
    spec: Option<WindowSpec>,
    /// What is read to find it: the time, or the window's start and end.
    times: [usize; 2],
    /// The columns of its start and end in the rows that are aggregated.
    bounds: [usize; 2],
}

impl Over {
    /// The window's columns among those of the result.
    fn columns(&self) -> impl Iterator<Item = Column> {
        let roles = [Role::Start, Role::End, Role::Time].map(|role| role(self.window));
        let fields = window_fields(self.time_type).into_iter().zip(roles);
        fields.map(|(field, role)| Column { qualifier: None, field, role })
    }
}

/// The type of `window_time`: that of the time the window was made from, where the rows still tell.
fn time_type(input: &Relation, window: usize) -> DataType {
    let time = input.columns.iter().find(|column| column.role == Role::Time(window));
    time.map_or(DataType::Timestamp, |column| column.field.data_type)
}

/// Whether an aggregation does what the window function in its FROM asks for, so that nobody else need assign
/// the windows: it is over them, of a session by what that is partitioned by (all of it in every set); or there is one window a row,
/// and it does not matter which.
fn assigns_itself(input: &Relation, windowed: Option<Windowed>, keys: &[&Key], sets: bool) -> bool {
    let Some(pending) = &input.pending else { return true };
    let over = windowed.is_some_and(|windowed| windowed.window == pending.window);
    match pending.spec {
        WindowSpec::Aligned(alignment) => over || alignment.overlap() == 1,
        WindowSpec::Session { .. } => {
            let has = |column: usize| keys.iter().any(|key| key.column == Some(column));
            let known = |key: &Key| key.column.is_some_and(|c| pending.keys.contains(&c));
            !sets
                && over
                && pending.keys.iter().all(|&c| has(c))
                && keys.iter().all(|key| known(key))
        }
        WindowSpec::Cumulate(_) | WindowSpec::Attached { .. } => over,
    }
}

/// Whether keys or aggregates read columns that only assigning the pending window makes.
fn reads_window(input: &Relation, keys: &[&Key], calls: &[Call]) -> bool {
    let mut used = BTreeSet::new();
    keys.iter().for_each(|key| columns_of(&key.expr, &mut used));
    for call in calls {
        call.argument.iter().chain(&call.filter).for_each(|e| columns_of(e, &mut used));
    }
    let existing = input.existing();
    used.iter().any(|column| *column >= existing)
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

/// Why `GROUP BY ()` alone is refused.
fn nothing(at: Option<Span>) -> Error {
    let error = Diagnostic::new("sql.group", "GROUP BY has neither a key nor an aggregate")
        .hint("add a key or an aggregate: SELECT COUNT(*) AS n FROM t GROUP BY ()");
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
