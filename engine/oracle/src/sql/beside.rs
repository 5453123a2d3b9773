//! Ranks and OVER as SQL.

use super::{call, interval, own, plain, times};
use crate::parts::{Call, Frame, Rank, Sort, Written};
use crate::pipeline::{Node, columns};

fn sorted(sorts: &[Sort]) -> String {
    let one = |sort: &Sort| {
        let way = if sort.descending { " DESC" } else { "" };
        let nulls = match sort.nulls_first {
            Some(true) => " NULLS FIRST",
            Some(false) => " NULLS LAST",
            None => "",
        };
        format!("c{}{way}{nulls}", sort.column)
    };
    sorts.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn over_clause(keys: &[String], order: &str) -> String {
    let by = match keys.is_empty() {
        true => String::new(),
        false => format!("PARTITION BY {} ", keys.join(", ")),
    };
    format!("({by}ORDER BY {order})")
}

fn named(keys: &[usize]) -> Vec<String> {
    keys.iter().map(|k| format!("c{k}")).collect()
}

/// The query of a rank over the view of its input.
pub(super) fn ranked(node: &Node, name: &str) -> String {
    match node {
        Node::First(input, keys) | Node::Last(input, keys) => {
            let last = matches!(node, Node::Last(..));
            let order = if last { "ts DESC" } else { "ts" };
            let keys = named(&columns(keys, input.width()));
            // What has versions hands on their time.
            let list = format!("{}, ts", plain(input));
            let over = over_clause(&keys, order);
            format!("SELECT {list} FROM {name} QUALIFY ROW_NUMBER() OVER {over} = 1")
        }
        Node::WindowTop(input, rank) => {
            let mut keys = named(&columns(&rank.keys, input.width()));
            keys.extend(["ws".to_owned(), "we".to_owned()]);
            top(input, rank, &keys, (&times(input), name))
        }
        Node::Top(input, rank) => {
            let keys = named(&columns(&rank.keys, input.width()));
            top(input, rank, &keys, (&[], name))
        }
        _ => unreachable!("no rank"),
    }
}

fn top(input: &Node, rank: &Rank, keys: &[String], (times, name): (&[&str], &str)) -> String {
    let (first, last) = (rank.first, rank.last);
    let order = sorted(&input.sorts(&rank.order));
    let number = format!("ROW_NUMBER() OVER {}", over_clause(keys, &order));
    let place = if rank.numbered { format!("c{}", input.width()) } else { "place".to_owned() };
    let mut list = vec![plain(input)];
    list.extend(rank.numbered.then(|| place.clone()));
    list.extend(times.iter().map(|&time| time.to_owned()));
    let list = list.join(", ");
    let all = own(input, "").join(", ");
    let wanted = |number: &str| match (first, last) {
        (1, last) => format!("{number} <= {last}"),
        (first, last) if first == last => format!("{number} = {first}"),
        (first, last) => format!("{number} BETWEEN {first} AND {last}"),
    };
    match rank.written {
        Written::Limit => {
            let offset = if first > 1 { format!(" OFFSET {}", first - 1) } else { String::new() };
            let count = last + 1 - first;
            format!("SELECT {list} FROM {name} ORDER BY {order} LIMIT {count}{offset}")
        }
        Written::Nested => format!(
            "SELECT {list} FROM (SELECT {all}, {number} AS {place} FROM {name}) WHERE {}",
            wanted(&place)
        ),
        Written::Qualify if rank.numbered => format!(
            "SELECT {}, {number} AS {list_rest} FROM {name} QUALIFY {}",
            plain(input),
            wanted(&place),
            list_rest = [&[place.as_str()], times].concat().join(", ")
        ),
        Written::Qualify => format!("SELECT {list} FROM {name} QUALIFY {}", wanted(&number)),
    }
}

/// The query of aggregates beside rows.
pub(super) fn over(
    input: &Node,
    (keys, frame, calls): (&[usize], Frame, &[Call]),
    name: &str,
) -> String {
    let (types, width) = (input.types(), input.width());
    let frame = match frame {
        Frame::Rows(None) => "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW".to_owned(),
        Frame::Rows(Some(count)) => format!("ROWS BETWEEN {count} PRECEDING AND CURRENT ROW"),
        // Without a frame it is this one.
        Frame::Range(None) => String::new(),
        Frame::Range(Some(ms)) => {
            format!("RANGE BETWEEN {} PRECEDING AND CURRENT ROW", interval(ms))
        }
    };
    let keys = named(&columns(keys, width));
    let window = over_clause(&keys, format!("ts {frame}").trim_end());
    let mut list = vec![plain(input)];
    let made = calls.iter().zip(width..);
    list.extend(made.map(|(c, i)| format!("{} AS c{i}", call(c, &types, " OVER w"))));
    format!("SELECT {}, ts FROM {name} WINDOW w AS {window}", list.join(", "))
}
