//! What an open window holds of each key, in memory and in a snapshot.

use highwater_engine::error::Result;
use serde_json::{Value as Json, json};

use super::super::clock::resident_memory;
use super::super::state::{KEYS, bytes, columns, filled};

/// How many windows are open at once: few, where the table of keys weighs most, and some.
const PANES: [u64; 2] = [1, 4];

/// Bytes of state of a count, a sum and a maximum for each key in each open window of W1's kind, a row for each
/// number of windows. Each key is once in each window; the table of keys is in it.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// How many keys.
    pub keys: u64,
    /// How many windows are open.
    pub panes: u64,
    /// How long the snapshot is.
    pub snapshot: u64,
    /// By how much the process has grown while windows were filled, as the system counts it, spare room for
    /// more keys included. 0 where the system does not say.
    pub resident: u64,
}

impl Held {
    /// Fills windows with as many keys as so many records allow, about a million at most. `give_back` has the
    /// allocator give to the system what is free.
    ///
    /// # Errors
    /// When the engine stops.
    pub fn measure(records: u64, give_back: &dyn Fn()) -> Result<Vec<Held>> {
        let resident = || {
            give_back();
            resident_memory()
        };
        let (mut rows, mut kept) = (Vec::new(), Vec::new());
        for panes in PANES {
            let keys = usize::try_from(records / panes).map_or(KEYS, |keys| keys.clamp(1, KEYS));
            let columns = columns(keys, panes);
            let before = resident();
            let mut runner = filled(&columns)?;
            let resident = resident().saturating_sub(before);
            let snapshot = bytes(&runner.checkpoint(1)?);
            rows.push(Held { keys: keys as u64, panes, snapshot, resident });
            // What is freed now would be taken again without the process growing.
            kept.push((columns, runner));
        }
        Ok(rows)
    }

    /// A share of those bytes.
    pub fn each(&self, bytes: u64) -> f64 {
        bytes as f64 / (self.keys * self.panes) as f64
    }

    /// A line of `--json`.
    pub fn line(&self) -> Json {
        json!({
            "axis": "state", "keys": self.keys, "panes": self.panes,
            "snapshot_bytes": self.snapshot, "resident_bytes": self.resident,
            "snapshot_bytes_per_pane_and_key": self.each(self.snapshot),
            "resident_bytes_per_pane_and_key": self.each(self.resident),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_an_open_window_takes_what_its_accumulators_do() {
        for held in Held::measure(100_000, &|| {}).expect("measured") {
            assert_eq!(held.keys * held.panes, 100_000);
            // Count, sum and maximum, and the key that windows share.
            let each = held.each(held.snapshot);
            assert!((24.0..40.0).contains(&each), "{each} bytes in {held:?}");
            assert_eq!(held.line()["panes"], held.panes);
        }
    }
}
