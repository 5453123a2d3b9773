//! What a job promises of the records it has read, should it have to start again.

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

    /// Whether checkpoints are made, and a recovery reads again what came after the newest.
    pub fn replays(self) -> bool {
        self > Guarantee::AtMostOnce
    }

    /// Whether rows wait at the sink for the checkpoint that holds all they came from.
    pub fn stages(self) -> bool {
        self == Guarantee::ExactlyOnce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
