//! The delivery checker: what the sinks of a run show, against those of a run that nothing befell.
//!
//! It knows rows and no operators. The four counters are those that Flink's tests of unaligned checkpoints
//! keep: lost, duplicated, out of order, and here also rows that should not be there at all.

use std::collections::BTreeMap;

use super::table::{Rows, text_table};
use super::{Guarantee, KEYFRAME, Session};
use crate::batch::{RowKind, Seq};
use crate::key::encode;
use crate::sim::Sim;

/// How the rows of a sink differ from those expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The sink's table.
    pub table: String,
    /// Rows there should be.
    pub expected: u64,
    /// Rows there are.
    pub delivered: u64,
    /// Rows that are missing.
    pub lost: u64,
    /// Rows that are there once more than they should.
    pub duplicated: u64,
    /// Of those, rows that one place of the stream has made more often than it should. Where nothing is ever taken
    /// back a record that counts once cannot do that, whatever has become of others.
    pub again: u64,
    /// Rows that stand behind one that should come after them.
    pub reordered: u64,
    /// Rows that nobody expects: results of other records than all.
    pub wrong: u64,
    /// Whether the rows are a changelog.
    pub updating: bool,
}

impl Delivery {
    /// Compares a sink's rows, kinds included, with those there should be.
    pub fn of(expected: &Rows, delivered: &Rows) -> Delivery {
        let mut places: BTreeMap<(RowKind, Vec<u8>), Vec<usize>> = BTreeMap::new();
        for (place, (kind, _, values)) in expected.rows.iter().enumerate().rev() {
            places.entry((*kind, encode(values))).or_default().push(place);
        }
        let mut found = Delivery {
            table: expected.spec.table.clone(),
            expected: expected.rows.len() as u64,
            delivered: delivered.rows.len() as u64,
            updating: expected.updating,
            ..Delivery::default()
        };
        let mut last = None;
        for (kind, _, values) in &delivered.rows {
            match places.get_mut(&(*kind, encode(values))).map(Vec::pop) {
                None => found.wrong += 1,
                Some(None) => found.duplicated += 1,
                Some(place) => {
                    found.reordered += u64::from(place < last);
                    last = last.max(place);
                }
            }
        }
        found.lost = places.values().map(|left| left.len() as u64).sum();
        let by_place = |rows: &Rows| {
            let mut counts: BTreeMap<(Seq, RowKind, Vec<u8>), u64> = BTreeMap::new();
            for (kind, seq, values) in &rows.rows {
                *counts.entry((*seq, *kind, encode(values))).or_default() += 1;
            }
            counts
        };
        let delivered = by_place(delivered);
        let more = by_place(expected).into_iter().map(|(row, count)| {
            delivered.get(&row).map_or(0, |delivered| delivered.saturating_sub(count))
        });
        found.again = more.sum();
        found
    }

    /// Whether a guarantee allows for this. Under at-most-once what has been lost may make others say what they
    /// would not have said, which may look like a row that is there already; but not from the same place, unless
    /// something is taken back. `invariants` judges that by records.
    pub fn keeps(&self, guarantee: Guarantee) -> bool {
        match guarantee {
            Guarantee::AtMostOnce => self.again == 0 || self.updating,
            Guarantee::AtLeastOnce => self.lost == 0 && self.wrong == 0,
            Guarantee::ExactlyOnce => {
                self.lost + self.duplicated + self.reordered + self.wrong == 0
            }
        }
    }

    /// Adds another sink's, or another run's, up.
    pub fn add(&mut self, other: &Delivery) {
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.again += other.again;
        self.reordered += other.reordered;
        self.wrong += other.wrong;
    }

    /// What is wrong, in one line.
    pub fn line(&self) -> String {
        format!(
            "`{}`: {} lost, {} duplicated, {} reordered, {} wrong of {}",
            self.table, self.lost, self.duplicated, self.reordered, self.wrong, self.expected
        )
    }

    /// Several as a table, a line a sink: what `expect delivery` blocks hold.
    pub fn text(all: &[Delivery]) -> String {
        let names = ["table", "expected", "delivered", "lost", "duplicated", "reordered", "wrong"];
        let row = |d: &Delivery| {
            let numbers = [d.expected, d.delivered, d.lost, d.duplicated, d.reordered, d.wrong];
            let numbers = numbers.map(|n| n.to_string());
            [vec![d.table.clone()], numbers.to_vec()].concat()
        };
        let rows: Vec<Vec<String>> = all.iter().map(row).collect();
        text_table(&names.map(str::to_owned), &rows)
    }
}

impl Session {
    /// The same job from its beginning, in a world without faults. Records arrive when they do here: delays of
    /// the input stay.
    #[must_use]
    pub fn faultless(&self) -> Session {
        self.begun_again(|mut sim| {
            sim.spare();
            sim.delay_as(&self.sim);
            sim
        })
    }

    /// What the job promises.
    pub fn guarantee(&self) -> Guarantee {
        self.sim.guarantee()
    }

    /// The same job from its beginning, with another guarantee.
    #[must_use]
    pub fn promising(&self, guarantee: Guarantee) -> Session {
        self.begun_again(|sim| sim.promising(guarantee))
    }

    fn begun_again(&self, change: impl FnOnce(Sim) -> Sim) -> Session {
        let beginning = self.keyframes.first().expect("the beginning is always kept");
        let mut session = Session {
            name: self.name.clone(),
            sim: change(beginning.sim.clone()),
            trace: self.trace[..beginning.events].to_vec(),
            ahead: 0,
            hash: beginning.hash.clone(),
            keyframes: Vec::new(),
            spacing: KEYFRAME,
            horizon: beginning.sim.step_count(),
            warnings: self.warnings.clone(),
            explain_only: self.explain_only,
        };
        session.keep();
        session
    }

    /// What the sinks show, against those of a run to the end without faults; a line a sink.
    pub fn delivery(&self) -> Vec<Delivery> {
        let mut calm = self.faultless();
        calm.finish();
        let expected = calm.tables().into_iter().zip(self.tables());
        expected.map(|(expected, delivered)| Delivery::of(&expected, &delivered)).collect()
    }
}
