//! What windows say, and when: their trigger, how long they wait for late records, what a pane holds.

use std::fmt;

use super::trigger::Trigger;
use crate::time::format_duration;

/// What one firing of a window says of the firings before it (Akidau et al., The Dataflow Model, §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panes {
    /// What has come since: the panes of a window add up to it.
    Discarding,
    /// All so far, as a row of its own.
    Accumulating,
    /// All so far, and the row said before is taken back: a changelog.
    Retracting,
}

impl Panes {
    /// The names the setting takes.
    pub const NAMES: &[&str] = &["retracting", "accumulating", "discarding"];

    /// What a name means.
    pub fn named(name: &str) -> Option<Panes> {
        Some(match name {
            "discarding" => Panes::Discarding,
            "accumulating" => Panes::Accumulating,
            "retracting" => Panes::Retracting,
            _ => return None,
        })
    }
}

/// How windows that do not simply fire once, on time, say what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emission {
    /// When they fire.
    pub trigger: Trigger,
    /// For how long after its end a window takes records, milliseconds.
    pub lateness: i64,
    /// What a firing says.
    pub panes: Panes,
    /// Whether the on-time pane is said even when nothing has come since the pane before.
    pub always_on_time: bool,
    /// Whether a record is late that is behind the watermark by more than `lateness`, its windows open or not.
    pub by_record: bool,
    /// Whether two records exactly the gap apart are two sessions.
    pub apart: bool,
    /// Whether triggers are asked at the clock's ticks alone, not after each record.
    pub by_tick: bool,
}

impl Emission {
    /// Once, when the watermark has passed the end; no late records.
    pub const ON_TIME: Emission = Emission {
        trigger: Trigger::ON_TIME,
        lateness: 0,
        panes: Panes::Retracting,
        always_on_time: true,
        by_record: false,
        apart: false,
        by_tick: false,
    };

    /// Whether a window takes back what it has said before.
    pub fn retracts(&self) -> bool {
        // With time for late records, a session that has fired may still grow.
        let again = self.trigger != Trigger::ON_TIME || self.lateness > 0;
        self.panes == Panes::Retracting && again
    }

    /// Whether that is all windows do: then faster operators do it.
    pub fn is_on_time(&self) -> bool {
        let plain = !self.by_record && !self.apart;
        self.trigger == Trigger::ON_TIME && self.lateness == 0 && plain
    }
}

impl fmt::Display for Emission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let panes = match self.panes {
            Panes::Discarding => "discarding",
            Panes::Accumulating => "accumulating",
            Panes::Retracting => "retracting",
        };
        write!(f, "emit={} {panes}", self.trigger)?;
        if self.lateness > 0 {
            write!(f, ", lateness {}", format_duration(self.lateness))?;
        }
        if self.by_record {
            f.write_str(", late by record")?;
        }
        if self.apart {
            f.write_str(", sessions apart at their gap")?;
        }
        if self.by_tick { f.write_str(", by micro-batch") } else { Ok(()) }
    }
}
