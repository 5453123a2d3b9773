//! Cuts a case that fails down to a small one that fails, too.

use highwater_oracle::Case;
use highwater_oracle::pipeline::Node;
use highwater_oracle::simpler::simplified;

use crate::metamorphic::{Failure, check};

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
    if !case.sound() {
        return None;
    }
    check(case).err().filter(|failure| !failure.refused)
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
