//! Pipelines that are a step simpler than another, for cutting down what fails.

use crate::parts::{Call, Emission, On, Rank};
use crate::pipeline::Node;
use crate::types::PLAIN;

/// All trees that are one step simpler, those that lose most first. Not all of them are sound.
pub fn simplified(node: &Node) -> Vec<Node> {
    let mut all: Vec<Node> = node.inputs().into_iter().cloned().collect();
    all.extend(plainer(node));
    for (i, input) in node.inputs().into_iter().enumerate() {
        all.extend(simplified(input).into_iter().map(|simple| node.with_input(i, simple)));
    }
    all
}

/// All lists that are shorter by one.
fn shorter<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    let without = |i: usize| [&list[..i], &list[i + 1..]].concat();
    (0..list.len()).map(without).collect()
}

/// Aggregates with one less, and with one condition less.
fn fewer(calls: &[Call]) -> Vec<Vec<Call>> {
    let mut all = shorter(calls);
    for (i, call) in calls.iter().enumerate().filter(|(_, call)| call.filter.is_some()) {
        let mut calls = calls.to_vec();
        calls[i] = Call { filter: None, ..call.clone() };
        all.push(calls);
    }
    all
}

fn looser(on: &On) -> Vec<On> {
    let keys = shorter(&on.keys).into_iter();
    let mut all: Vec<On> = keys.map(|keys| On { keys, ..on.clone() }).collect();
    all.extend(on.residual.map(|_| On { residual: None, ..on.clone() }));
    all
}

fn plainer_rank(rank: &Rank) -> Vec<Rank> {
    let keys = shorter(&rank.keys).into_iter().map(|keys| Rank { keys, ..rank.clone() });
    let mut all: Vec<Rank> = keys.collect();
    if rank.order.len() > 1 {
        all.extend(shorter(&rank.order).into_iter().map(|order| Rank { order, ..rank.clone() }));
    }
    all.extend(rank.numbered.then(|| Rank { numbered: false, ..rank.clone() }));
    all
}

fn plainer_emission(emission: &Emission) -> Vec<Emission> {
    let less = [
        Emission { by_record: false, ..emission.clone() },
        Emission { non_empty: false, ..emission.clone() },
        Emission { apart: false, ..emission.clone() },
        Emission { lateness: 0, ..emission.clone() },
    ];
    less.into_iter().filter(|less| less != emission).collect()
}

/// The same join with less to it.
fn plainer_join(node: &Node) -> Vec<Node> {
    let mut all = Vec::new();
    match node {
        Node::Interval(both, kind, bounds, on, side) => {
            let made = |on| Node::Interval(both.clone(), *kind, *bounds, on, *side);
            all.extend(looser(on).into_iter().map(made));
        }
        Node::WindowJoin(both, kind, on) => {
            all.extend(looser(on).into_iter().map(|on| Node::WindowJoin(both.clone(), *kind, on)));
        }
        Node::Join(both, kind, on) => {
            all.extend(looser(on).into_iter().map(|on| Node::Join(both.clone(), *kind, on)));
        }
        Node::Near(both, not, bounds, on) => {
            all.extend(
                looser(on).into_iter().map(|on| Node::Near(both.clone(), *not, *bounds, on)),
            );
        }
        Node::Temporal(both, outer, keys, Some(_)) => {
            all.push(Node::Temporal(both.clone(), *outer, keys.clone(), None));
        }
        _ => {}
    }
    all
}

/// The same step with less to it.
fn plainer(node: &Node) -> Vec<Node> {
    let mut all = Vec::new();
    match node {
        Node::Window(i, w, keys, calls) => {
            all.extend(
                shorter(keys).into_iter().map(|k| Node::Window(i.clone(), *w, k, calls.clone())),
            );
            all.extend(
                fewer(calls).into_iter().map(|c| Node::Window(i.clone(), *w, keys.clone(), c)),
            );
        }
        Node::Panes(i, w, keys, calls, e) => {
            let made = |k, c, e| Node::Panes(i.clone(), *w, k, c, e);
            all.extend(shorter(keys).into_iter().map(|k| made(k, calls.clone(), e.clone())));
            all.extend(fewer(calls).into_iter().map(|c| made(keys.clone(), c, e.clone())));
            let plainer = plainer_emission(e).into_iter();
            all.extend(plainer.map(|e| made(keys.clone(), calls.clone(), e)));
        }
        Node::Group(i, keys, calls) => {
            all.extend(shorter(keys).into_iter().map(|k| Node::Group(i.clone(), k, calls.clone())));
            all.extend(fewer(calls).into_iter().map(|c| Node::Group(i.clone(), keys.clone(), c)));
        }
        Node::Carried(i, keys, calls) => {
            all.extend(
                shorter(keys).into_iter().map(|k| Node::Carried(i.clone(), k, calls.clone())),
            );
            all.extend(fewer(calls).into_iter().map(|c| Node::Carried(i.clone(), keys.clone(), c)));
        }
        Node::Sets(i, w, keys, sets, calls) => {
            let made = |k, c| Node::Sets(i.clone(), *w, k, sets.clone(), c);
            all.extend(shorter(keys).into_iter().map(|k| made(k, calls.clone())));
            all.extend(fewer(calls).into_iter().map(|c| made(keys.clone(), c)));
        }
        Node::Over(i, keys, frame, calls) => {
            let made = |k, c| Node::Over(i.clone(), k, *frame, c);
            all.extend(shorter(keys).into_iter().map(|k| made(k, calls.clone())));
            all.extend(fewer(calls).into_iter().map(|c| made(keys.clone(), c)));
        }
        Node::Top(i, rank) => {
            all.extend(plainer_rank(rank).into_iter().map(|rank| Node::Top(i.clone(), rank)));
        }
        Node::WindowTop(i, rank) => {
            all.extend(plainer_rank(rank).into_iter().map(|rank| Node::WindowTop(i.clone(), rank)));
        }
        Node::Map(input, exprs) => {
            all.extend(shorter(exprs).into_iter().map(|exprs| Node::Map(input.clone(), exprs)));
        }
        // One table is simpler than two.
        Node::Source(table, dress) => {
            all.extend((*table == 1).then_some(Node::Source(0, *dress)));
            all.extend((*dress != PLAIN).then_some(Node::Source(*table, PLAIN)));
        }
        _ => all.extend(plainer_join(node)),
    }
    all
}
