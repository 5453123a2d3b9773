//! A pipeline as SQL: a view a step, whose columns are `c0`, `c1` and so on, `ts`, `ws` and `we`.

use crate::pipeline::{Call, Function, Kind, Node, On, Residual, Test, Windows, columns, shares};

/// Milliseconds as an interval literal.
pub fn interval(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("INTERVAL '{sign}{}.{:03}' SECOND(4)", ms.abs() / 1000, ms.abs() % 1000)
}

/// The statements of a pipeline.
pub fn script(node: &Node) -> String {
    let (mut views, mut count) = (String::new(), 0);
    let last = view(node, &mut views, &mut count);
    format!("{views}SELECT {} FROM {last};", own(node, "").join(", "))
}

/// Adds the views of a step and answers the name of the last one.
fn view(node: &Node, views: &mut String, count: &mut usize) -> String {
    let names: Vec<String> =
        node.inputs().into_iter().map(|input| view(input, views, count)).collect();
    let name = format!("n{count}");
    *count += 1;
    views.push_str(&format!("CREATE VIEW {name} AS {};\n", query(node, &names)));
    name
}

/// The names of a step's columns, of a table's alias.
fn own(node: &Node, alias: &str) -> Vec<String> {
    let mut names: Vec<String> = (0..node.width()).map(|c| format!("{alias}c{c}")).collect();
    names.extend(times(node).iter().map(|name| format!("{alias}{name}")));
    names
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

fn test(test: &Test, width: usize) -> String {
    let column = test.column % width;
    match test.than {
        Some((compare, number)) => format!("c{column} {} {number}", compare.sql()),
        None => format!("c{column} IS NULL"),
    }
}

fn call(call: &Call, width: usize) -> String {
    let column = format!("c{}", call.column % width);
    let made = match call.function {
        Function::CountAll => "COUNT(*)".to_owned(),
        Function::Count => format!("COUNT({column})"),
        Function::CountDistinct => format!("COUNT(DISTINCT {column})"),
        Function::Sum => format!("SUM({column})"),
        Function::Min => format!("MIN({column})"),
        Function::Max => format!("MAX({column})"),
        Function::Avg => format!("AVG({column})"),
    };
    let filter = call.filter.map(|f| format!(" FILTER (WHERE {})", test(&f, width)));
    made + &filter.unwrap_or_default()
}

/// Windows of a view, partitioned by keys where they are sessions.
fn windowed(name: &str, windows: Windows, keys: &[usize]) -> String {
    match windows {
        Windows::Aligned(size, step, offset) if size == step => format!(
            "TABLE(TUMBLE(TABLE {name}, DESCRIPTOR(ts), {}, {}))",
            interval(size),
            interval(offset)
        ),
        Windows::Aligned(size, step, offset) => format!(
            "TABLE(HOP(TABLE {name}, DESCRIPTOR(ts), {}, {}, {}))",
            interval(step),
            interval(size),
            interval(offset)
        ),
        Windows::Session(gap) => {
            let keys: Vec<String> = keys.iter().map(|k| format!("c{k}")).collect();
            let by = match keys.is_empty() {
                true => String::new(),
                false => format!(" PARTITION BY {}", keys.join(", ")),
            };
            format!("TABLE(SESSION(TABLE {name}{by}, DESCRIPTOR(ts), {}))", interval(gap))
        }
    }
}

/// What two rows must fulfil.
fn on(on: &On, both: &[Node; 2], more: &[&str]) -> String {
    let widths = [both[0].width(), both[1].width()];
    let mut conditions: Vec<String> = on
        .keys
        .iter()
        .map(|(l, r)| format!("l.c{} = r.c{}", l % widths[0], r % widths[1]))
        .collect();
    conditions.extend(more.iter().map(|&c| c.to_owned()));
    if let Some(Residual { left, compare, right, plus }) = on.residual {
        let (l, r) = (left % widths[0], right % widths[1]);
        conditions.push(format!("l.c{l} {} r.c{r} + {plus}", compare.sql()));
    }
    conditions.join(" AND ")
}

/// The columns of both sides that a join hands on.
fn pair(both: &[Node; 2]) -> Vec<String> {
    let shares = shares(both);
    let left = (0..shares[0]).map(|c| format!("l.c{c} AS c{c}"));
    left.chain((0..shares[1]).map(|c| format!("r.c{c} AS c{}", shares[0] + c))).collect()
}

fn query(node: &Node, names: &[String]) -> String {
    match node {
        Node::Source(table) => {
            format!("SELECT a AS c0, b AS c1, c AS c2, ts FROM t{table} WHERE z = 0")
        }
        Node::Filter(input, t) => {
            let columns = own(input, "").join(", ");
            format!("SELECT {columns} FROM {} WHERE {}", names[0], test(t, input.width()))
        }
        Node::Map(input, exprs) => {
            let expr = |(i, (c, plus)): (usize, &(usize, i64))| match plus {
                0 => format!("c{} AS c{i}", c % input.width()),
                plus => format!("c{} + {plus} AS c{i}", c % input.width()),
            };
            let mut list: Vec<String> = exprs.iter().enumerate().map(expr).collect();
            list.extend(times(input).into_iter().map(str::to_owned));
            format!("SELECT {} FROM {}", list.join(", "), names[0])
        }
        Node::Rows(input, windows) => {
            let mut list: Vec<String> = (0..input.width()).map(|c| format!("c{c}")).collect();
            list.push("window_time AS ts, window_start AS ws, window_end AS we".to_owned());
            format!("SELECT {} FROM {}", list.join(", "), windowed(&names[0], *windows, &[]))
        }
        Node::Window(input, windows, keys, calls) => {
            let keys = columns(keys, input.width());
            let by: Vec<String> = keys.iter().map(|k| format!("c{k}, ")).collect();
            format!(
                "SELECT {}, window_time AS ts, window_start AS ws, window_end AS we FROM {} \
                 GROUP BY {}window_start, window_end, window_time",
                aggregates(input, &keys, calls),
                windowed(&names[0], *windows, &keys),
                by.concat()
            )
        }
        Node::Group(input, keys, calls) => {
            let keys = columns(keys, input.width());
            let by: Vec<String> = keys.iter().map(|k| format!("c{k}")).collect();
            let by = if by.is_empty() {
                String::new()
            } else {
                " GROUP BY ".to_owned() + &by.join(", ")
            };
            format!("SELECT {} FROM {}{by}", aggregates(input, &keys, calls), names[0])
        }
        Node::Distinct(input, list) => {
            let list = columns(list, input.width()).into_iter().enumerate();
            let list: Vec<String> = list.map(|(i, c)| format!("c{c} AS c{i}")).collect();
            format!("SELECT DISTINCT {} FROM {}", list.join(", "), names[0])
        }
        Node::Union(_) => {
            let list: Vec<String> = (0..node.width()).map(|c| format!("c{c}")).collect();
            let time = if node.timed() { ", ts" } else { "" };
            let one = |name: &String| format!("SELECT {}{time} FROM {name}", list.join(", "));
            format!("{} UNION ALL {}", one(&names[0]), one(&names[1]))
        }
        _ => joined(node, names),
    }
}

fn aggregates(input: &Node, keys: &[usize], calls: &[Call]) -> String {
    let mut list: Vec<String> =
        keys.iter().enumerate().map(|(i, k)| format!("c{k} AS c{i}")).collect();
    let made = calls.iter().zip(keys.len()..);
    list.extend(made.map(|(c, i)| format!("{} AS c{i}", call(c, input.width()))));
    list.join(", ")
}

fn joined(node: &Node, names: &[String]) -> String {
    let (l, r) = (&names[0], &names[1]);
    match node {
        Node::Interval(both, [least, most], o, side) => {
            let near =
                format!("r.ts BETWEEN l.ts + {} AND l.ts + {}", interval(*least), interval(*most));
            let time = if *side == 0 { "l.ts" } else { "r.ts" };
            let (list, on) = (pair(both).join(", "), on(o, both, &[&near]));
            format!("SELECT {list}, {time} AS ts FROM {l} l JOIN {r} r ON {on}")
        }
        Node::WindowJoin(both, kind, o) => {
            let same = ["l.ws = r.ws", "l.we = r.we"];
            let times = if *kind == Kind::Right { "r" } else { "l" };
            let times = ["ts", "ws", "we"].map(|name| format!("{times}.{name} AS {name}"));
            let times = if *kind == Kind::Full { Vec::new() } else { times.to_vec() };
            plain_join(both, *kind, &on(o, both, &same), &times, (l, r))
        }
        Node::Join(both, kind, o) => plain_join(both, *kind, &on(o, both, &[]), &[], (l, r)),
        Node::In(both, negated, sought, among) => {
            let list: Vec<String> = (0..both[0].width()).map(|c| format!("c{c}")).collect();
            let (sought, among) = (sought % both[0].width(), among % both[1].width());
            let not = if *negated { "NOT " } else { "" };
            format!(
                "SELECT {} FROM {l} WHERE c{sought} {not}IN (SELECT c{among} FROM {r})",
                list.join(", ")
            )
        }
        _ => unreachable!("no join"),
    }
}

fn plain_join(
    both: &[Node; 2],
    kind: Kind,
    on: &str,
    times: &[String],
    (l, r): (&String, &String),
) -> String {
    let list = match kind.one_sided() {
        true => (0..both[0].width()).map(|c| format!("l.c{c} AS c{c}")).collect(),
        false => pair(both),
    };
    let list = [&list[..], times].concat().join(", ");
    let word = match kind {
        Kind::Inner => "JOIN",
        Kind::Left => "LEFT JOIN",
        Kind::Right => "RIGHT JOIN",
        Kind::Full => "FULL JOIN",
        Kind::Semi | Kind::Anti => {
            let not = if kind == Kind::Anti { "NOT " } else { "" };
            return format!(
                "SELECT {list} FROM {l} l WHERE {not}EXISTS (SELECT 1 FROM {r} r WHERE {on})"
            );
        }
    };
    format!("SELECT {list} FROM {l} l {word} {r} r ON {on}")
}
