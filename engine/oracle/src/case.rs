//! A case: what is drawn of one seed.

use crate::generate;
use crate::input::{Dice, Input};
use crate::pipeline::Node;
use crate::sql;

/// A pipeline and its input.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is drawn from.
    pub seed: u64,
    /// The pipeline's last step.
    pub node: Node,
    /// The records it is over.
    pub input: Input,
}

impl Case {
    /// The case of a seed, always the same.
    pub fn new(seed: u64) -> Case {
        let mut dice = Dice(seed);
        let node = generate::pipeline(&mut dice);
        let tables = [0, 1].map(|table| node.reads(table));
        let input = Input::random(&mut dice, tables, may_idle(&node));
        Case { seed, node, input }
    }

    /// Whether partitions may be idle: the plain loops know what comes of it.
    pub fn may_idle(&self) -> bool {
        may_idle(&self.node)
    }

    /// The pipeline as statements; the last is the query.
    pub fn script(&self) -> String {
        sql::script(&self.node)
    }

    /// Whether the engine takes it: a pipeline that can be, over tables that have records.
    pub fn sound(&self) -> bool {
        let read = |table| self.input.records.iter().any(|r| r.table == table);
        self.node.sound() && (0..2).all(|table| read(table) || !self.node.reads(table))
    }

    /// The scenario of some input: its own, or a change of it.
    pub fn scenario(&self, input: &Input) -> String {
        input.scenario(&self.script())
    }
}

/// Two tables may be idle at different times; and silence is a time that windows wait for.
fn may_idle(node: &Node) -> bool {
    let waits = |step: &&Node| matches!(step, Node::Panes(.., emission) if emission.by_time());
    let both = node.reads(0) && node.reads(1);
    !both && !node.steps().iter().any(waits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch;

    #[test]
    fn a_seed_gives_one_case() {
        let [one, other] = [7, 7].map(Case::new);
        assert_eq!(one.scenario(&one.input), other.scenario(&other.input));
        assert_eq!(batch::result(&one.node, &one.input), batch::result(&other.node, &other.input));
        let next = Case::new(8);
        assert_ne!(one.scenario(&one.input), next.scenario(&next.input));
    }
}
