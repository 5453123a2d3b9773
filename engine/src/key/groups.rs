//! The key groups of a subtask: what it takes of the state of those that had its keys before.

use super::{KEY_GROUPS, KeyColumns, KeyTable, group_of_encoded, measure, subtask_of};
use crate::batch::Batch;
use crate::seeded::seeded;
use crate::value::Value;

/// Neighbouring key groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyGroups {
    from: u32,
    to: u32,
}

impl KeyGroups {
    /// All there are.
    pub const ALL: KeyGroups = KeyGroups { from: 0, to: KEY_GROUPS };

    /// Those of a subtask, one of so many.
    pub fn of(subtask: u32, parallelism: u32) -> KeyGroups {
        let own = |group: &u32| subtask_of(*group, parallelism) == subtask;
        let from = (0..KEY_GROUPS).find(own).unwrap_or(KEY_GROUPS);
        let to = (from..KEY_GROUPS).find(|group| !own(group)).unwrap_or(KEY_GROUPS);
        KeyGroups { from, to }
    }

    /// Whether a group is one of them.
    pub fn has(self, group: u32) -> bool {
        (self.from..self.to).contains(&group)
    }

    /// Whether some group is one of these and of the others.
    pub fn meets(self, other: KeyGroups) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// Whether a key is in one of them.
    pub fn has_key(self, key: &[Value]) -> bool {
        self == KeyGroups::ALL || self.has(super::group_of(key))
    }

    /// The rows whose key is in one of them, as they come.
    pub(crate) fn rows(self, keys: &KeyColumns, batch: Batch) -> Batch {
        if self == KeyGroups::ALL {
            return batch;
        }
        let groups = keys.groups(&batch);
        let own: Vec<u32> =
            (0..batch.rows as u32).filter(|&row| self.has(groups[row as usize])).collect();
        batch.gather(&own)
    }
}

impl KeyTable {
    /// Whether the key of a number is in one of these groups.
    pub fn is_in(&self, id: u32, own: KeyGroups) -> bool {
        own == KeyGroups::ALL || own.has(self.group(id)) || seeded("moved-keys-stay-as-well")
    }
}

/// Whether a key's bytes are those of one in these groups; `None` when they are of no such key.
pub fn encoded_in(key: &[u8], keys: &KeyColumns, own: KeyGroups) -> Option<bool> {
    let whole = measure(key, &keys.types) == Some(key.len());
    whole.then(|| own == KeyGroups::ALL || own.has(group_of_encoded(key, &keys.types)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every group has one owner, whatever the parallelism.
    #[test]
    fn subtasks_share_all_groups() {
        for parallelism in [1, 2, 3, 5, 7, 127, 128] {
            for group in 0..KEY_GROUPS {
                let owners = (0..parallelism).filter(|&s| KeyGroups::of(s, parallelism).has(group));
                assert_eq!(owners.collect::<Vec<_>>(), [subtask_of(group, parallelism)]);
            }
        }
        assert_eq!(KeyGroups::of(0, 1), KeyGroups::ALL);
        assert!(KeyGroups::of(0, 2).meets(KeyGroups::of(1, 3)));
        assert!(!KeyGroups::of(0, 3).meets(KeyGroups::of(1, 2)));
    }
}
