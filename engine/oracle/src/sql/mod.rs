//! A pipeline as SQL: a view a step, whose columns are `c0`, `c1` and so on, `ts`, `ws` and `we`.

mod beside;
mod joined;
mod panes;

use crate::parts::{Call, Function, Sets, Test, Windows};
use crate::pipeline::{Node, columns};
use crate::types::Type;

/// Milliseconds as an interval literal.
pub(crate) fn interval(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("INTERVAL '{sign}{}.{:03}' SECOND(4)", ms.abs() / 1000, ms.abs() % 1000)
}

/// The statements of a pipeline.
pub(crate) fn script(node: &Node) -> String {
    let (mut views, mut count) = (String::new(), 0);
    let last = view(node, &mut views, &mut count);
    format!("{views}SELECT {} FROM {last};", own(node, "").join(", "))
}

/// Adds the views of a step and answers the name of the last one.
fn view(node: &Node, views: &mut String, count: &mut usize) -> String {
    // A condition within an aggregation's query has no view below it but those of the aggregation.
    let query_of = if let Node::Having(input, _) = node { input } else { node };
    let names: Vec<String> =
        query_of.inputs().into_iter().map(|input| view(input, views, count)).collect();
    let name = format!("n{count}");
    *count += 1;
    let [before, after] = panes::settings(node);
    let having = match node {
        Node::Having(input, t) => format!(" HAVING {}", having(input, t)),
        _ => String::new(),
    };
    let query = query(query_of, &names);
    views.push_str(&format!("{before}CREATE VIEW {name} AS {query}{having};\n{after}"));
    name
}

/// The names of a step's columns, of a table's alias.
fn own(node: &Node, alias: &str) -> Vec<String> {
    let mut names: Vec<String> = (0..node.width()).map(|c| format!("{alias}c{c}")).collect();
    names.extend(times(node).iter().map(|name| format!("{alias}{name}")));
    names
}

/// The columns of a step without those of time.
fn plain(node: &Node) -> String {
    let names: Vec<String> = (0..node.width()).map(|c| format!("c{c}")).collect();
    names.join(", ")
}

fn times(node: &Node) -> Vec<&'static str> {
    let mut names = Vec::new();
    if node.timed() {
        names.push("ts");
    }
    if node.windows().is_some() {
        names.extend(["ws", "we"]);
    }
    names
}

fn test(test: &Test, types: &[Type]) -> String {
    let column = test.column % types.len();
    condition(&format!("c{column}"), types[column], test)
}

fn condition(value: &str, own: Type, test: &Test) -> String {
    match (test.than, own) {
        (Some((compare, number)), Type::String) => format!("{value} {} '{number}'", compare.sql()),
        (Some((compare, number)), own) if own.adds() => {
            format!("{value} {} {number}", compare.sql())
        }
        (Some((compare, number)), own) => {
            format!("{} {} {number}", own.number(value), compare.sql())
        }
        (None, _) => format!("{value} IS NULL"),
    }
}

fn call(call: &Call, types: &[Type], over: &str) -> String {
    let [own, read] = call.of(types);
    let mut column = format!("c{}", call.column % types.len());
    if own != read {
        column = own.number(&column);
    }
    let made = match call.function {
        Function::CountAll => "COUNT(*)".to_owned(),
        Function::Count => format!("COUNT({column})"),
        Function::CountDistinct => format!("COUNT(DISTINCT {column})"),
        Function::Sum => format!("SUM({column})"),
        Function::SumDistinct => format!("SUM(DISTINCT {column})"),
        Function::Min => format!("MIN({column})"),
        Function::Max => format!("MAX({column})"),
        Function::Avg => format!("AVG({column})"),
    };
    let filter = call.filter.map(|f| format!(" FILTER (WHERE {})", test(&f, types)));
    let made = made + &filter.unwrap_or_default() + over;
    let sums = matches!(call.function, Function::Sum | Function::SumDistinct);
    if sums { read.kept(made) } else { made }
}

/// Windows of a view, partitioned by keys where they are sessions.
fn windowed(name: &str, windows: Windows, keys: &[usize]) -> String {
    let function = windows.name();
    let parameters = match windows {
        Windows::Aligned(size, step, offset) if size == step => vec![size, offset],
        Windows::Aligned(size, step, offset) | Windows::Cumulate(size, step, offset) => {
            vec![step, size, offset]
        }
        Windows::Session(gap) => vec![gap],
    };
    let parameters: Vec<String> = parameters.into_iter().map(interval).collect();
    let keys: Vec<String> = keys.iter().map(|k| format!("c{k}")).collect();
    let by = match windows {
        Windows::Session(_) if !keys.is_empty() => format!(" PARTITION BY {}", keys.join(", ")),
        _ => String::new(),
    };
    let parameters = parameters.join(", ");
    format!("TABLE({function}(TABLE {name}{by}, DESCRIPTOR(ts), {parameters}))")
}

/// Keys of GROUP BY, each followed by a comma.
fn listed(keys: &[usize]) -> String {
    keys.iter().map(|k| format!("c{k}, ")).collect()
}

const BOUNDS: &str = "window_time AS ts, window_start AS ws, window_end AS we";

fn query(node: &Node, names: &[String]) -> String {
    match node {
        Node::Source(table, dress) => {
            let [a, b, c] = [0, 1, 2].map(|i| dress[i].made(["a", "b", "c"][i]));
            format!("SELECT {a} AS c0, {b} AS c1, {c} AS c2, ts FROM t{table} WHERE z = 0")
        }
        Node::Versions(table) => format!("SELECT a AS c0, b AS c1, c AS c2, ts FROM t{table}"),
        Node::Filter(input, t) => {
            let columns = own(input, "").join(", ");
            format!("SELECT {columns} FROM {} WHERE {}", names[0], test(t, &input.types()))
        }
        Node::Map(input, exprs) => {
            let types = input.types();
            let expr = |(i, (c, plus)): (usize, &(usize, i64))| match (c % types.len(), plus) {
                (c, plus) if *plus != 0 && types[c].adds() => {
                    format!("{} AS c{i}", types[c].kept(format!("c{c} + {plus}")))
                }
                (c, _) => format!("c{c} AS c{i}"),
            };
            let mut list: Vec<String> = exprs.iter().enumerate().map(expr).collect();
            list.extend(times(input).into_iter().map(str::to_owned));
            format!("SELECT {} FROM {}", list.join(", "), names[0])
        }
        Node::Rows(input, windows) => {
            let from = windowed(&names[0], *windows, &[]);
            format!("SELECT {}, {BOUNDS} FROM {from}", plain(input))
        }
        Node::Late(_) => {
            format!("SELECT {} FROM TABLE(LATE(TABLE {}))", plain(node), names[0])
        }
        Node::Window(..) | Node::Group(..) | Node::Sets(..) | Node::Carried(..) => {
            aggregation(node, &names[0])
        }
        Node::Panes(input, windows, keys, calls, emission) => {
            panes::query((input, *windows), (keys, calls), emission, &names[0])
        }
        Node::Distinct(input, list) => {
            let list = columns(list, input.width()).into_iter().enumerate();
            let list: Vec<String> = list.map(|(i, c)| format!("c{c} AS c{i}")).collect();
            format!("SELECT DISTINCT {} FROM {}", list.join(", "), names[0])
        }
        Node::Union(both) | Node::Merged(both) => {
            let all = if matches!(node, Node::Union(_)) { " ALL" } else { "" };
            let time = if node.timed() { ", ts" } else { "" };
            let one = |side: usize| {
                let types = node.types().into_iter().zip(both[side].types()).enumerate();
                let list: Vec<String> = types
                    .map(|(c, (made, own))| match made == own {
                        true => format!("c{c}"),
                        false => format!("{} AS c{c}", own.number(&format!("c{c}"))),
                    })
                    .collect();
                format!("SELECT {}{time} FROM {}", list.join(", "), names[side])
            };
            format!("{} UNION{all} {}", one(0), one(1))
        }
        Node::First(..) | Node::Last(..) | Node::Top(..) | Node::WindowTop(..) => {
            beside::ranked(node, &names[0])
        }
        Node::Over(input, keys, frame, calls) => {
            beside::over(input, (keys, *frame, calls), &names[0])
        }
        _ => joined::query(node, names),
    }
}

fn aggregation(node: &Node, name: &str) -> String {
    match node {
        Node::Window(input, windows, keys, calls) => {
            let keys = columns(keys, input.width());
            let (list, from) = (aggregates(input, &keys, calls), windowed(name, *windows, &keys));
            format!(
                "SELECT {list}, {BOUNDS} FROM {from} \
                 GROUP BY {}window_start, window_end, window_time",
                listed(&keys)
            )
        }
        Node::Carried(input, keys, calls) => {
            let keys = columns(keys, input.width());
            let list = aggregates(input, &keys, calls);
            let comma = if list.is_empty() { "" } else { ", " };
            format!(
                "SELECT {list}{comma}ts, ws, we FROM {name} GROUP BY {}ws, we, ts",
                listed(&keys)
            )
        }
        Node::Group(input, keys, calls) => {
            let keys = columns(keys, input.width());
            let by = listed(&keys);
            let by = by.strip_suffix(", ").map_or(String::new(), |by| format!(" GROUP BY {by}"));
            format!("SELECT {} FROM {name}{by}", aggregates(input, &keys, calls))
        }
        Node::Sets(input, windows, keys, sets, calls) => {
            let keys = columns(keys, input.width());
            let by = in_sets(&keys, sets);
            let list = in_sets_list(input, &keys, calls);
            match windows {
                Some(windows) => format!(
                    "SELECT {list}, {BOUNDS} FROM {} \
                     GROUP BY window_start, window_end, window_time, {by}",
                    windowed(name, *windows, &keys[..1])
                ),
                None => format!("SELECT {list} FROM {name} GROUP BY {by}"),
            }
        }
        _ => unreachable!("no aggregation"),
    }
}

fn aggregates(input: &Node, keys: &[usize], calls: &[Call]) -> String {
    let mut list: Vec<String> =
        keys.iter().enumerate().map(|(i, k)| format!("c{k} AS c{i}")).collect();
    let made = calls.iter().zip(keys.len()..);
    list.extend(made.map(|(c, i)| format!("{} AS c{i}", call(c, &input.types(), ""))));
    list.join(", ")
}

/// What says which set a row is of.
fn grouping(keys: &[usize]) -> String {
    let keys: Vec<String> = keys.iter().map(|k| format!("c{k}")).collect();
    format!("GROUPING_ID({})", keys.join(", "))
}

fn in_sets_list(input: &Node, keys: &[usize], calls: &[Call]) -> String {
    let mut list: Vec<String> =
        keys.iter().enumerate().map(|(i, k)| format!("c{k} AS c{i}")).collect();
    list.push(format!("{} AS c{}", grouping(keys), keys.len()));
    let made = calls.iter().zip(keys.len() + 1..);
    list.extend(made.map(|(c, i)| format!("{} AS c{i}", call(c, &input.types(), ""))));
    list.join(", ")
}

fn in_sets(keys: &[usize], sets: &Sets) -> String {
    let all: Vec<String> = keys.iter().map(|k| format!("c{k}")).collect();
    match sets {
        Sets::Rollup => format!("ROLLUP ({})", all.join(", ")),
        Sets::Cube => format!("CUBE ({})", all.join(", ")),
        Sets::Listed(_) => {
            let one = |set: Vec<bool>| {
                let own: Vec<&str> =
                    all.iter().zip(set).filter(|(_, has)| *has).map(|(k, _)| k.as_str()).collect();
                format!("({})", own.join(", "))
            };
            let sets: Vec<String> = sets.of(keys.len()).into_iter().map(one).collect();
            format!("GROUPING SETS ({})", sets.join(", "))
        }
    }
}

/// A condition on the columns of an aggregation, within its query.
fn having(node: &Node, t: &Test) -> String {
    let column = t.column % node.width();
    let (input, keys, calls) = match node {
        Node::Window(input, _, keys, calls)
        | Node::Group(input, keys, calls)
        | Node::Sets(input, _, keys, _, calls) => (input, columns(keys, input.width()), calls),
        _ => unreachable!("no aggregation"),
    };
    let extra = usize::from(matches!(node, Node::Sets(..)));
    let value = match column.checked_sub(keys.len()) {
        None => format!("c{}", keys[column]),
        Some(0) if extra == 1 => grouping(&keys),
        Some(place) => call(&calls[place - extra], &input.types(), ""),
    };
    condition(&value, node.types()[column], t)
}
