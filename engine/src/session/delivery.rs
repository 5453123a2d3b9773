//! The delivery checker: what the sinks of a run show, against those of a run that nothing befell; and whether that is
//! what each of them promises.
//!
//! It knows rows and no operators. An idempotent table is taken for what it holds by its key. The four counters are those that Flink's tests of unaligned checkpoints
//! keep: lost, duplicated, out of order, and here also rows that should not be there at all.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{Rows, text_table};
use super::{Guarantee, KEYFRAME, Session};
use crate::batch::{RowKind, Seq};
use crate::key::encode;
use crate::plan::SinkKind;
use crate::sim::Sim;
use crate::trace::{Event, Header, What};

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
    /// Of those, rows in front of one that is there: not even a job that stops may leave them out.
    pub holes: u64,
    /// Rows that are there once more than they should.
    pub duplicated: u64,
    /// Rows that one place of the stream has made more often than it should.
    pub more: u64,
    /// Rows that stand behind one that should come after them.
    pub reordered: u64,
    /// Rows that nobody expects: results of other records than all.
    pub wrong: u64,
    /// Rows that were shown at some time and are nowhere among those expected: results of other records than all,
    /// whether or not something has overwritten them since.
    pub invented: u64,
    /// Rows that an idempotent table was given once more and that took their own place.
    pub overwritten: u64,
    /// Whether the table is idempotent: all but `more` and `overwritten` is of the last row of each key.
    pub by_key: bool,
    /// What the table is to promise, where the script says so.
    pub own: Option<Guarantee>,
}

impl Delivery {
    /// Compares a sink's rows, kinds included, with those there should be.
    pub fn of(expected: &Rows, delivered: &Rows) -> Delivery {
        let by_key = delivered.kind == SinkKind::Idempotent;
        let [should, is] = [expected, delivered].map(|rows| match by_key {
            true => rows.held(),
            false => rows.rows.iter().collect(),
        });
        let mut places: BTreeMap<(RowKind, Vec<u8>), Vec<usize>> = BTreeMap::new();
        for (place, (kind, _, values)) in should.iter().enumerate().rev() {
            places.entry((*kind, encode(values))).or_default().push(place);
        }
        let mut found = Delivery {
            table: expected.spec.table.clone(),
            expected: should.len() as u64,
            delivered: is.len() as u64,
            by_key,
            own: expected.spec.delivery,
            ..Delivery::default()
        };
        let mut last = None;
        for (kind, _, values) in &is {
            match places.get_mut(&(*kind, encode(values))).map(Vec::pop) {
                None => found.wrong += 1,
                Some(None) => found.duplicated += 1,
                Some(place) => {
                    found.reordered += u64::from(place < last);
                    last = last.max(place);
                }
            }
        }
        let lost = || places.values().flatten();
        found.lost = lost().count() as u64;
        // Which of a key's rows is the last says nothing of others.
        found.holes = lost().filter(|&&place| !by_key && Some(place) < last).count() as u64;
        found.more = more_often(expected, delivered);
        found.overwritten = if by_key { found.more } else { 0 };
        let known: BTreeSet<Vec<u8>> =
            expected.rows.iter().map(|(_, _, values)| encode(values)).collect();
        let shown = delivered.rows.iter();
        found.invented = shown.filter(|(_, _, row)| !known.contains(&encode(row))).count() as u64;
        found
    }

    /// What the table promises in a job of this guarantee.
    pub fn promise(&self, job: Guarantee) -> Guarantee {
        job.of_table(self.own)
    }

    /// Whether what the table promises in a job of this guarantee allows for this. Of an idempotent table the last row of
    /// each key must be what it should be. Of at-most-once rows cannot tell: what has been lost makes others say what they
    /// would not have said, which may look like a row that is there already. `invariants` judges that by records.
    pub fn keeps(&self, job: Guarantee) -> bool {
        match self.promise(job) {
            Guarantee::AtMostOnce => true,
            Guarantee::AtLeastOnce if self.by_key => {
                self.lost + self.duplicated + self.wrong + self.invented == 0
            }
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
        self.holes += other.holes;
        self.duplicated += other.duplicated;
        self.more += other.more;
        self.reordered += other.reordered;
        self.wrong += other.wrong;
        self.invented += other.invented;
        self.overwritten += other.overwritten;
    }

    /// What is wrong, in one line.
    pub fn line(&self) -> String {
        format!(
            "`{}`: {} lost, {} duplicated, {} reordered, {} wrong of {}",
            self.table, self.lost, self.duplicated, self.reordered, self.wrong, self.expected
        )
    }

    /// Several as a table, a line a sink: what `expect delivery` blocks hold. Where one of them is idempotent, there is
    /// a column of what was overwritten.
    pub fn text(all: &[Delivery]) -> String {
        let mut names =
            vec!["table", "expected", "delivered", "lost", "duplicated", "reordered", "wrong"];
        let by_key = all.iter().any(|d| d.by_key || d.overwritten > 0);
        names.extend(by_key.then_some("overwritten"));
        let row = |d: &Delivery| {
            let numbers = [d.expected, d.delivered, d.lost, d.duplicated, d.reordered, d.wrong];
            let numbers = numbers.into_iter().chain(by_key.then_some(d.overwritten));
            std::iter::once(d.table.clone()).chain(numbers.map(|n| n.to_string())).collect()
        };
        let rows: Vec<Vec<String>> = all.iter().map(row).collect();
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        text_table(&names, &rows)
    }
}

/// Rows that one place of the stream has made more often than it should.
fn more_often(expected: &Rows, delivered: &Rows) -> u64 {
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
    more.sum()
}

/// What at-most-once forbids: rows that tables show more often than they came to their sinks, each by its table, its
/// place in the stream and its kind. In a job that does its work row by row (`judged` by a run without faults, see
/// [`Session::row_by_row`]) also those that one record has made more often than it should: what is lost makes no others
/// there.
pub fn shown_again(
    tables: &[Rows],
    events: &[Event],
    header: &Header,
    judged: Option<&[Delivery]>,
) -> u64 {
    let mut shown: BTreeMap<(&str, Seq, u8), i64> = BTreeMap::new();
    for table in tables {
        for (kind, seq, _) in &table.rows {
            *shown.entry((&table.spec.table, *seq, *kind as u8)).or_default() += 1;
        }
    }
    for event in events {
        let What::Stage { kind, seq, .. } = event.what else { continue };
        let name = &header.tasks[usize::from(event.task)].name;
        let table = name.rsplit_once('/').map_or(&**name, |(table, _)| table);
        if let Some(count) = shown.get_mut(&(table, seq, kind)) {
            *count -= 1;
        }
    }
    let again: u64 = shown.into_values().map(|count| count.max(0) as u64).sum();
    again.max(judged.map_or(0, |all| all.iter().map(|delivery| delivery.more).sum()))
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

    /// Whether each row is made of one record alone, so that it does not hang on others.
    pub fn row_by_row(&self) -> bool {
        self.sim.job().graph.row_by_row()
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
