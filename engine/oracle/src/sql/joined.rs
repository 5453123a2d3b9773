//! Joins as SQL.

use super::{call, interval, plain};
use crate::parts::{Call, Kind, On, Residual};
use crate::pipeline::{Node, shares};
use crate::types::Type;

/// Two values as they are compared: as numbers where their types differ.
fn alike([l, r]: [&str; 2], [left, right]: [Type; 2]) -> [String; 2] {
    match left == right {
        true => [l.to_owned(), r.to_owned()],
        false => [left.number(l), right.number(r)],
    }
}

/// What two rows must fulfil.
fn on(on: &On, both: &[Node; 2], more: &[&str]) -> String {
    let types = [0, 1].map(|side| both[side].types());
    let pair = |l: usize, r: usize| {
        let (l, r) = (l % types[0].len(), r % types[1].len());
        ([format!("l.c{l}"), format!("r.c{r}")], [types[0][l], types[1][r]])
    };
    let key = |(l, r): &(usize, usize)| {
        let (values, types) = pair(*l, *r);
        alike([&values[0], &values[1]], types).join(" = ")
    };
    let mut conditions: Vec<String> = on.keys.iter().map(key).collect();
    conditions.extend(more.iter().map(|&c| c.to_owned()));
    if let Some(Residual { left, compare, right, plus }) = on.residual {
        let ([l, r], types) = pair(left, right);
        // An equality is a key, and keys are of one type: also where a sum has more digits.
        let [l, r] = match types[0] == types[1] && types[0].adds() {
            true => [l, types[1].kept(format!("{r} + {plus}"))],
            false => [types[0].number(&l), format!("{} + {plus}", types[1].number(&r))],
        };
        conditions.push(format!("{l} {} {r}", compare.sql()));
    }
    conditions.join(" AND ")
}

fn near([least, most]: [i64; 2]) -> String {
    format!("r.ts BETWEEN l.ts + {} AND l.ts + {}", interval(least), interval(most))
}

/// The columns of both sides that a join hands on.
fn pair(both: &[Node; 2]) -> Vec<String> {
    let shares = shares(both);
    let left = (0..shares[0]).map(|c| format!("l.c{c} AS c{c}"));
    left.chain((0..shares[1]).map(|c| format!("r.c{c} AS c{}", shares[0] + c))).collect()
}

/// The query of a join over the views of its inputs.
pub(super) fn query(node: &Node, names: &[String]) -> String {
    let (l, r) = (&names[0], &names[1]);
    match node {
        Node::Interval(both, kind, bounds, o, side) => {
            let time = if *side == 0 { "l.ts AS ts" } else { "r.ts AS ts" };
            let times = if node.timed() { vec![time.to_owned()] } else { Vec::new() };
            plain_join(both, *kind, &on(o, both, &[&near(*bounds)]), &times, (l, r))
        }
        Node::Near(both, not, bounds, o) => {
            let kind = if *not { Kind::Anti } else { Kind::Semi };
            plain_join(both, kind, &on(o, both, &[&near(*bounds)]), &[], (l, r))
        }
        Node::WindowJoin(both, kind, o) => {
            let same = ["l.ws = r.ws", "l.we = r.we"];
            let times = if *kind == Kind::Right { "r" } else { "l" };
            let times = ["ts", "ws", "we"].map(|name| format!("{times}.{name} AS {name}"));
            let times = if *kind == Kind::Full { Vec::new() } else { times.to_vec() };
            plain_join(both, *kind, &on(o, both, &same), &times, (l, r))
        }
        Node::Temporal(both, outer, keys, residual) => {
            let of = both[1].version_keys().unwrap_or_default();
            let keys = keys.iter().copied().cycle().zip(of).collect();
            let condition = on(&On { keys, residual: *residual }, both, &[]);
            let word = if *outer { "LEFT JOIN" } else { "JOIN" };
            format!(
                "SELECT {}, l.ts AS ts FROM {l} l {word} {r} FOR SYSTEM_TIME AS OF l.ts AS r \
                 ON {condition}",
                pair(both).join(", ")
            )
        }
        Node::Join(both, kind, o) => plain_join(both, *kind, &on(o, both, &[]), &[], (l, r)),
        Node::In(both, negated, sought, among) => {
            let types = [0, 1].map(|side| both[side].types());
            let (sought, among) = (sought % types[0].len(), among % types[1].len());
            let not = if *negated { "NOT " } else { "" };
            let [value, of] = alike(
                [&format!("c{sought}"), &format!("c{among}")],
                [types[0][sought], types[1][among]],
            );
            format!(
                "SELECT {} FROM {l} WHERE {value} {not}IN (SELECT {of} FROM {r})",
                plain(&both[0])
            )
        }
        Node::Against(both, column, compare, function, of) => {
            let types = [0, 1].map(|side| both[side].types());
            let one = Call { function: *function, column: *of, filter: None };
            let (column, all) = (column % types[0].len(), call(&one, &types[1], ""));
            let [value, all] =
                alike([&format!("c{column}"), &all], [types[0][column], one.made(&types[1])]);
            format!(
                "SELECT {} FROM {l} WHERE {value} {} (SELECT {all} FROM {r})",
                plain(&both[0]),
                compare.sql(),
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
    let word = kind.name();
    if kind.one_sided() {
        return format!("SELECT {list} FROM {l} l WHERE {word} (SELECT 1 FROM {r} r WHERE {on})");
    }
    format!("SELECT {list} FROM {l} l {word} {r} r ON {on}")
}
