//! What a job promises of the records it has read, should it have to start again; and what a table does of its rows.

use super::SinkSpec;

/// The delivery guarantee of a job: what a recovery keeps, and what it reads again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarantee {
    /// No record counts twice, and some may not count at all: nothing is kept for a recovery, nothing is read
    /// again, and rows are visible as soon as they reach a sink.
    AtMostOnce,
    /// Every record counts, and some may count twice: a recovery goes back to the newest checkpoint and reads on
    /// from there, though rows have been visible as soon as they reached a sink.
    AtLeastOnce,
    /// Every record counts once: the same recovery, and rows are visible once a checkpoint holds all they came
    /// from.
    #[default]
    ExactlyOnce,
}

impl Guarantee {
    /// All of them, from the weakest.
    pub const ALL: [Guarantee; 3] =
        [Guarantee::AtMostOnce, Guarantee::AtLeastOnce, Guarantee::ExactlyOnce];

    /// Their names as a setting.
    pub const NAMES: &[&str] = &["exactly-once", "at-least-once", "at-most-once"];

    /// Those that a table may ask for itself. To promise less than that of a single table would mean not to try a write
    /// again, while the job makes the rows again.
    pub const OF_TABLES: &[&str] = &["exactly-once", "at-least-once"];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Guarantee::AtMostOnce => "at-most-once",
            Guarantee::AtLeastOnce => "at-least-once",
            Guarantee::ExactlyOnce => "exactly-once",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Guarantee> {
        Guarantee::ALL.into_iter().find(|guarantee| guarantee.name() == name)
    }

    /// What a table promises in a job of this guarantee: what the job does, or what the script asks of the table where
    /// that is less.
    #[must_use]
    pub fn of_table(self, own: Option<Guarantee>) -> Guarantee {
        own.map_or(self, |own| own.min(self))
    }

    /// Whether checkpoints are made, and a recovery reads again what came after the newest.
    pub fn replays(self) -> bool {
        self > Guarantee::AtMostOnce
    }
}

/// What a table makes of the rows that are written to it, and so of those that a recovery writes again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SinkKind {
    /// Rows are there as soon as they are written, and those written again are there again.
    Plain,
    /// Rows are there as soon as they are written, one a key: those written again take their own place.
    Idempotent,
    /// Rows are there once the checkpoint is committed that holds all they came from, in two phases: they are part of
    /// its snapshot, and a recovery commits them again.
    #[default]
    Transactional,
}

impl SinkSpec {
    /// What the table makes of rows in a job of this guarantee. A file only grows: it has no rows by key.
    pub fn kind(&self, job: Guarantee) -> SinkKind {
        let keyed = !self.key.is_empty() && self.connector != "filesystem";
        match job.of_table(self.delivery) {
            Guarantee::ExactlyOnce => SinkKind::Transactional,
            Guarantee::AtLeastOnce if keyed => SinkKind::Idempotent,
            _ => SinkKind::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_promises_no_more_than_its_job() {
        use Guarantee::{AtLeastOnce, AtMostOnce, ExactlyOnce};
        use SinkKind::{Idempotent, Plain, Transactional};
        let spec = |delivery, key: &[usize], connector: &str| SinkSpec {
            table: "t".into(),
            connector: connector.into(),
            options: std::collections::BTreeMap::new(),
            key: key.to_vec(),
            delivery,
        };
        for (delivery, kinds) in [
            (None, [Plain, Idempotent, Transactional]),
            (Some(AtLeastOnce), [Plain, Idempotent, Idempotent]),
            (Some(ExactlyOnce), [Plain, Idempotent, Transactional]),
        ] {
            assert_eq!(Guarantee::ALL.map(|job| spec(delivery, &[0], "print").kind(job)), kinds);
            let plain = kinds.map(|kind| if kind == Idempotent { Plain } else { kind });
            assert_eq!(Guarantee::ALL.map(|job| spec(delivery, &[], "print").kind(job)), plain);
            assert_eq!(
                Guarantee::ALL.map(|job| spec(delivery, &[0], "filesystem").kind(job)),
                plain
            );
        }
        assert_eq!(AtMostOnce.of_table(Some(AtLeastOnce)), AtMostOnce);
        assert_eq!(ExactlyOnce.of_table(Some(AtLeastOnce)), AtLeastOnce);
        assert_eq!(AtLeastOnce.of_table(None), AtLeastOnce);
        for name in Guarantee::OF_TABLES {
            assert!(Guarantee::named(name).is_some_and(Guarantee::replays), "{name}");
        }
    }

    #[test]
    fn every_guarantee_has_its_name() {
        assert_eq!(Guarantee::NAMES.len(), Guarantee::ALL.len());
        for guarantee in Guarantee::ALL {
            assert!(Guarantee::NAMES.contains(&guarantee.name()));
            assert_eq!(Guarantee::named(guarantee.name()), Some(guarantee));
        }
        assert_eq!(Guarantee::named("EXACTLY_ONCE"), None);
    }
}
