//! Cuts a case that fails down to a small one that fails, too.

use crate::metamorphic::{Case, Failure};
use crate::pipeline::Node;

/// The smallest case found, and what is wrong with it.
pub fn shrink(case: Case, failure: Failure) -> (Case, Failure) {
    let (mut best, mut why) = (case, failure);
    loop {
        let before = (best.input.records.len(), best.node.clone());
        fewer_records(&mut best, &mut why);
        while let Some((node, failure)) = simpler(&best) {
            (best.node, why) = (node, failure);
        }
        if (best.input.records.len(), &best.node) == (before.0, &before.1) {
            return (best, why);
        }
    }
}

/// What is wrong with a case, other than that the engine does not take it.
fn fails(case: &Case) -> Option<Failure> {
    let read = |table| case.input.records.iter().any(|r| r.table == table);
    if !case.node.sound() || !(0..2).all(|t| read(t) || !case.node.reads(t)) {
        return None;
    }
    case.check().err().filter(|failure| !failure.refused)
}

/// Leaves out records: halves, then quarters, then single ones.
fn fewer_records(best: &mut Case, why: &mut Failure) {
    let mut piece = best.input.records.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < best.input.records.len() {
            let mut case = best.clone();
            let end = (at + piece).min(case.input.records.len());
            case.input.records.drain(at..end);
            match fails(&case) {
                Some(failure) => (*best, *why) = (case, failure),
                None => at += piece,
            }
        }
        piece /= 2;
    }
}

/// The first simplification under which it fails still.
fn simpler(case: &Case) -> Option<(Node, Failure)> {
    simplified(&case.node).into_iter().find_map(|node| {
        let failure = fails(&Case { node: node.clone(), ..case.clone() })?;
        Some((node, failure))
    })
}

/// All trees that are one step simpler, those that lose most first.
fn simplified(node: &Node) -> Vec<Node> {
    let mut all: Vec<Node> = node.inputs().into_iter().cloned().collect();
    all.extend(plainer(node));
    for (i, input) in node.inputs().into_iter().enumerate() {
        for simple in simplified(input) {
            let mut copy = node.clone();
            *copy.inputs_mut()[i] = simple;
            all.push(copy);
        }
    }
    all
}

/// The same step with less to it.
fn plainer(node: &Node) -> Vec<Node> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Node)| {
        let mut copy = node.clone();
        change(&mut copy);
        if copy != *node {
            all.push(copy);
        }
    };
    match node {
        Node::Window(_, _, keys, calls) | Node::Group(_, keys, calls) => {
            let parts = |node: &mut Node, key: Option<usize>, call: Option<usize>, filter| {
                let (Node::Window(_, _, keys, calls) | Node::Group(_, keys, calls)) = node else {
                    return;
                };
                key.into_iter().for_each(|k| _ = keys.remove(k));
                match call {
                    Some(call) if filter => calls[call].filter = None,
                    Some(call) => _ = calls.remove(call),
                    None => {}
                }
            };
            (0..keys.len()).for_each(|k| with(&|node| parts(node, Some(k), None, false)));
            (0..calls.len()).for_each(|c| with(&|node| parts(node, None, Some(c), false)));
            (0..calls.len()).for_each(|c| with(&|node| parts(node, None, Some(c), true)));
        }
        Node::Interval(_, _, on, _) | Node::WindowJoin(_, _, on) | Node::Join(_, _, on) => {
            let on_of = |node: &mut Node, key: Option<usize>| {
                let (Node::Interval(_, _, on, _)
                | Node::WindowJoin(_, _, on)
                | Node::Join(_, _, on)) = node
                else {
                    return;
                };
                match key {
                    Some(key) => _ = on.keys.remove(key),
                    None => on.residual = None,
                }
            };
            with(&|node| on_of(node, None));
            (0..on.keys.len()).for_each(|k| with(&|node| on_of(node, Some(k))));
        }
        Node::Map(_, exprs) if exprs.len() > 1 => {
            (0..exprs.len()).for_each(|e| {
                with(&|node| {
                    if let Node::Map(_, exprs) = node {
                        exprs.remove(e);
                    }
                })
            });
        }
        // One table is simpler than two.
        Node::Source(1) => all.push(Node::Source(0)),
        _ => {}
    }
    all
}
