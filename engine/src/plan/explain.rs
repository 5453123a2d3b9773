//! A plan as text: a tree for each sink, the sink at the top, inputs indented below.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{
    AggregateCall, GroupingSet, GuestCall, Node, NodeId, Op, OverSpec, Plan, SourceSpec, WindowSpec,
};
use crate::expr::Expr;
use crate::over::{Frame, Lag};
use crate::schema::Schema;
use crate::time::format_duration;

/// The plan as people read it. A node that several others read is shown once and then named.
pub fn explain(plan: &Plan) -> String {
    let mut text = String::new();
    let mut shown = vec![false; plan.nodes.len()];
    for (id, node) in plan.nodes.iter().enumerate() {
        if matches!(node.op, Op::Sink(_)) {
            if !text.is_empty() {
                text.push('\n');
            }
            tree(plan, id, &mut shown, &mut text);
        }
    }
    for warning in &plan.warnings {
        line(&mut text, "", &format!("\nwarning: {warning}"));
    }
    text
}

fn line(text: &mut String, indent: &str, what: &str) {
    writeln!(text, "{indent}{what}").expect("writing to a string cannot fail");
}

/// Writes a node and what is below it. The walk keeps its own stack: plans may be deep.
fn tree(plan: &Plan, root: NodeId, shown: &mut [bool], text: &mut String) {
    let mut stack = vec![(root, 0_usize)];
    while let Some((id, depth)) = stack.pop() {
        let Some(node) = plan.nodes.get(id) else { continue };
        let indent = "   ".repeat(depth);
        let arrow = if depth == 0 { "" } else { "+- " };
        let indent = if depth == 0 { indent } else { indent[3..].to_owned() };
        if std::mem::replace(&mut shown[id], true) {
            line(text, &indent, &format!("{arrow}{} (see above)", node.name));
            continue;
        }
        let changes = if node.updating { ", changes=[I,U,D]" } else { "" };
        line(text, &indent, &format!("{arrow}{}: {}{changes}", node.name, describe(plan, node)));
        stack.extend(node.inputs.iter().rev().map(|input| (*input, depth + 1)));
    }
}

/// One line on what a node does.
pub(super) fn describe(plan: &Plan, node: &Node) -> String {
    let text = describe_op(plan, node);
    match plan.ttl.filter(|_| node.op.is_kept_for_ever()) {
        Some(ttl) => format!("{text}, ttl {}", format_duration(ttl)),
        None => text,
    }
}

fn describe_op(plan: &Plan, node: &Node) -> String {
    let none = Schema::default();
    let input = |i: usize| {
        node.inputs.get(i).and_then(|id| plan.nodes.get(*id)).map_or(&none, |n| &*n.schema)
    };
    match &node.op {
        Op::Source(source) => describe_source(node, source),
        Op::Filter { predicate } => format!("Filter({})", predicate.to_sql(input(0))),
        Op::Project { exprs } => format!("Project({})", project(exprs, input(0), &node.schema)),
        Op::Expand { sets } => format!("Expand(sets=[{}])", grouping_sets(sets, input(0))),
        Op::AssignWindow { window, time } => {
            format!("AssignWindow({}, time=[{}])", describe_window(window), name(input(0), *time))
        }
        Op::SessionWindow { gap, time, keys } => format!(
            "SessionWindow(gap {}, time=[{}], keys=[{}])",
            format_duration(*gap),
            name(input(0), *time),
            names(input(0), keys)
        ),
        Op::WindowAggregate {
            window: WindowSpec::Attached { bounds },
            keys,
            aggregates,
            emission,
            ..
        } => format!(
            "WindowAggregate(windows=[{}], keys=[{}], aggregates=[{}]{})",
            names(input(0), bounds),
            names(input(0), keys),
            calls(aggregates, input(0)),
            emission.iter().map(|e| format!(", {e}")).collect::<String>()
        ),
        Op::WindowAggregate { window, time, keys, aggregates, emission, .. } => format!(
            "WindowAggregate({}, time=[{}], keys=[{}], aggregates=[{}]{})",
            describe_window(window),
            name(input(0), *time),
            names(input(0), keys),
            calls(aggregates, input(0)),
            emission.iter().map(|e| format!(", {e}")).collect::<String>()
        ),
        Op::LateRows { window, time, keys, emission } => format!(
            "LateRows({}, time=[{}], keys=[{}], {emission})",
            describe_window(window),
            name(input(0), *time),
            names(input(0), keys)
        ),
        Op::GroupAggregate { keys, aggregates, retracts } => format!(
            "GroupAggregate(keys=[{}], aggregates=[{}]{})",
            names(input(0), keys),
            calls(aggregates, input(0)),
            if *retracts { "" } else { ", upserts" }
        ),
        Op::GuestWindow { guest, time, keys } => format!(
            "GuestWindow({}, time=[{}], keys=[{}])",
            describe_guest(guest, &[input(0)]),
            name(input(0), *time),
            names(input(0), keys)
        ),
        Op::Rank(spec) => spec.describe(input(0)),
        Op::Over(spec) => describe_over(spec, input(0)),
        Op::Suppress(spec) => spec.describe(input(0)),
        Op::Materialize(spec) => spec.describe(input(0)),
        Op::GuestJoin { .. }
        | Op::IntervalJoin { .. }
        | Op::OuterIntervalJoin { .. }
        | Op::WindowJoin { .. }
        | Op::TemporalJoin { .. }
        | Op::LookupJoin { .. }
        | Op::RegularJoin { .. } => describe_join(node, [input(0), input(1)]),
        Op::Union => format!(
            "Union([{}])",
            names(&node.schema, &(0..node.schema.fields.len()).collect::<Vec<_>>())
        ),
        Op::Sink(sink) => {
            let delivery = sink.delivery.map(|own| format!(", delivery=[{}]", own.name()));
            let delivery = delivery.unwrap_or_default();
            format!("Sink({}, [{}]{delivery})", sink.connector, columns(&node.schema))
        }
    }
}

fn describe_over(spec: &OverSpec, input: &Schema) -> String {
    let frame = match spec.frame {
        Frame::Rows(None) => "ROWS UNBOUNDED PRECEDING".to_owned(),
        Frame::Rows(Some(count)) => format!("ROWS {count} PRECEDING"),
        Frame::Range(None) => "RANGE UNBOUNDED PRECEDING".to_owned(),
        Frame::Range(Some(length)) => format!("RANGE {} PRECEDING", format_duration(length)),
    };
    let lag = |lag: &Lag| {
        let default = lag.default.map_or(String::new(), |d| format!(", {}", name(input, d)));
        format!("LAG({}, {}{default})", name(input, lag.column), lag.offset)
    };
    let lags: Vec<String> = spec.lags.iter().map(lag).collect();
    let lags =
        if lags.is_empty() { String::new() } else { format!(", lags=[{}]", lags.join(", ")) };
    format!(
        "Over(keys=[{}], order=[{}], frame=[{frame}], aggregates=[{}]{lags}, columns=[{}])",
        names(input, &spec.keys),
        name(input, spec.time),
        calls(&spec.aggregates, input),
        names(input, &spec.columns)
    )
}

fn describe_join(node: &Node, inputs: [&Schema; 2]) -> String {
    let by = |keys: &[Vec<usize>; 2]| {
        format!("keys=[{} = {}]", names(inputs[0], &keys[0]), names(inputs[1], &keys[1]))
    };
    let at = |times: &[usize; 2]| {
        format!("times=[{}, {}]", name(inputs[0], times[0]), name(inputs[1], times[1]))
    };
    let between = |lower: i64, upper: i64| {
        format!("between {} and {}", format_duration(lower), format_duration(upper))
    };
    let when = |condition: &Option<Expr>| {
        let fields = inputs.iter().flat_map(|s| s.fields.clone()).collect();
        let pairs = Schema::new(fields);
        // The result's names are told apart, where it has the columns of both.
        let whole = pairs.fields.len() == node.schema.fields.len();
        let pairs = if whole { &node.schema } else { &pairs };
        let text = condition.as_ref().map(|c| format!(", condition=[{}]", c.to_sql(pairs)));
        text.unwrap_or_default()
    };
    match &node.op {
        Op::GuestJoin { guest, times, keys, lower, upper } => {
            let guest = describe_guest(guest, &inputs);
            format!("GuestJoin({guest}, {}, {}, {})", at(times), by(keys), between(*lower, *upper))
        }
        Op::IntervalJoin { times, keys, bounds, .. } => {
            let between = between(bounds.lower, bounds.upper);
            format!("IntervalJoin({}, {}, {between})", at(times), by(keys))
        }
        Op::OuterIntervalJoin { kind, times, keys, bounds, condition, .. } => {
            let (kind, between) = (kind.name(), between(bounds.lower, bounds.upper));
            let (at, by, when) = (at(times), by(keys), when(condition));
            format!("IntervalJoin({kind}, {at}, {by}, {between}{when})")
        }
        Op::WindowJoin { kind, keys, condition, .. } => {
            format!("WindowJoin({}, {}{})", kind.name(), by(keys), when(condition))
        }
        Op::TemporalJoin { outer, strict, times, keys, condition } => {
            let kind = if *outer { "left" } else { "inner" };
            let strict = if *strict { ", before" } else { "" };
            let (at, by, when) = (at(times), by(keys), when(condition));
            format!("TemporalJoin({kind}, {at}, {by}{strict}{when})")
        }
        Op::LookupJoin { outer, keys, replaces, condition } => {
            let kind = if *outer { "left" } else { "inner" };
            let latest = if *replaces { ", latest" } else { "" };
            let by = if keys[0].is_empty() { "broadcast".to_owned() } else { by(keys) };
            format!("LookupJoin({kind}, {by}{latest}{})", when(condition))
        }
        Op::RegularJoin { kind, keys, condition } => {
            format!("RegularJoin({}, {}{})", kind.name(), by(keys), when(condition))
        }
        _ => unreachable!("only joins are asked for here"),
    }
}

fn describe_source(node: &Node, source: &SourceSpec) -> String {
    let mut parts = vec![source.connector.clone(), format!("[{}]", columns(&node.schema))];
    if let Some(path) = source.options.get("path") {
        parts.insert(1, format!("'{path}'"));
    }
    for (field, expr) in node.schema.fields.iter().zip(&source.columns) {
        let own = source.physical.fields.len();
        if !matches!(expr.kind, crate::expr::ExprKind::Column(c) if c < own) {
            parts.push(format!("{} = {}", field.name, expr.to_sql(&source.row())));
        }
    }
    if source.lookup {
        parts.push("lookup".to_owned());
    }
    if let Some(watermark) = &source.watermark {
        let column = name(&node.schema, watermark.column);
        parts.push(match watermark.delay {
            Some(delay) => format!("watermark=[{column} - {}]", format_duration(delay)),
            None => format!("watermark=[{column}: {}]", watermark.expr.to_sql(&node.schema)),
        });
    }
    format!("Source({})", parts.join(", "))
}

fn describe_window(window: &WindowSpec) -> String {
    match window {
        WindowSpec::Aligned(a) => {
            let size = format_duration(a.size);
            let window = match a.overlap() {
                1 => format!("TUMBLE {size}"),
                _ => format!("HOP {size} by {}", format_duration(a.step)),
            };
            match a.offset {
                0 => window,
                offset => format!("{window} offset {}", format_duration(offset)),
            }
        }
        WindowSpec::Cumulate(c) => {
            let (size, step) = (format_duration(c.size), format_duration(c.step));
            match c.offset {
                0 => format!("CUMULATE {size} by {step}"),
                offset => format!("CUMULATE {size} by {step} offset {}", format_duration(offset)),
            }
        }
        WindowSpec::Attached { .. } => "of the row".to_owned(),
        WindowSpec::Session { gap } => format!("SESSION gap {}", format_duration(*gap)),
    }
}

fn describe_guest(guest: &GuestCall, inputs: &[&Schema]) -> String {
    let reads: Vec<String> = guest
        .columns
        .iter()
        .zip(inputs)
        .map(|(columns, schema)| format!("reads=[{}]", names(schema, columns)))
        .collect();
    let parameters: Vec<String> = guest.parameters.iter().map(|p| p.to_text()).collect();
    let mut parts = vec![format!("{} '{}'", guest.name, guest.path)];
    parts.extend(reads);
    if !parameters.is_empty() {
        parts.push(format!("parameters=[{}]", parameters.join(", ")));
    }
    parts.join(", ")
}

/// The keys of each set, without those that are in all.
fn grouping_sets(sets: &[GroupingSet], input: &Schema) -> String {
    let all: BTreeSet<usize> = sets.iter().flat_map(|set| set.left_out.iter().copied()).collect();
    let set = |set: &GroupingSet| {
        let kept: Vec<usize> = all.difference(&set.left_out).copied().collect();
        format!("({})", names(input, &kept))
    };
    sets.iter().map(set).collect::<Vec<_>>().join(", ")
}

fn project(exprs: &[Expr], input: &Schema, output: &Schema) -> String {
    let column = |(expr, field): (&Expr, &crate::schema::Field)| {
        let sql = expr.to_sql(input);
        if sql == field.name { sql } else { format!("{sql} AS {}", field.name) }
    };
    exprs.iter().zip(&output.fields).map(column).collect::<Vec<_>>().join(", ")
}

fn calls(aggregates: &[AggregateCall], input: &Schema) -> String {
    let call = |call: &AggregateCall| {
        let argument = call.argument.map_or("*", |argument| name(input, argument));
        let filter = match call.filter {
            Some(filter) => format!(" FILTER (WHERE {})", name(input, filter)),
            None => String::new(),
        };
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        let separator = match &call.separator {
            Some(text) => format!(", '{}'", text.replace('\'', "''")),
            None => String::new(),
        };
        format!("{}({distinct}{argument}{separator}){filter}", call.function.name())
    };
    aggregates.iter().map(call).collect::<Vec<_>>().join(", ")
}

fn columns(schema: &Schema) -> String {
    let column = |f: &crate::schema::Field| {
        let rowtime = if f.rowtime { " *ROWTIME*" } else { "" };
        format!("{} {}{rowtime}", f.name, f.data_type)
    };
    schema.fields.iter().map(column).collect::<Vec<_>>().join(", ")
}

fn name(schema: &Schema, index: usize) -> &str {
    schema.fields.get(index).map_or("?", |f| f.name.as_str())
}

fn names(schema: &Schema, indexes: &[usize]) -> String {
    indexes.iter().map(|i| name(schema, *i)).collect::<Vec<_>>().join(", ")
}
