//! The restart policy: how long a job that has crashed waits before it starts again, if it does.

/// When a job starts again. All times in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// How long it waits after the first crash in a row.
    pub first: u64,
    /// By how many thousandths of the wait before a wait is as long; 1,000: all are equally long.
    pub factor: u64,
    /// The longest wait.
    pub longest: u64,
    /// Crashes so far apart are not in a row.
    pub calm: u64,
    /// How often it starts again at most; `None`: as often as it takes.
    pub most: Option<u64>,
}

impl Restarts {
    /// Equal waits.
    pub fn fixed(delay: u64, most: Option<u64>) -> Restarts {
        Restarts { first: delay, factor: 1_000, longest: delay, calm: u64::MAX, most }
    }

    fn wait(&self, crashes_before: u64) -> u64 {
        let mut wait = self.first.min(self.longest);
        for _ in 0..crashes_before {
            let longer = u128::from(wait) * u128::from(self.factor) / 1_000;
            let longer = u64::try_from(longer).unwrap_or(u64::MAX).min(self.longest);
            if longer == wait {
                break;
            }
            wait = longer;
        }
        wait
    }
}

/// Crashes in a row.
#[derive(Clone, Default)]
pub(super) struct InARow {
    count: u64,
    last: u64,
}

impl InARow {
    /// One more crash; how long the job waits now.
    pub(super) fn wait(&mut self, now: u64, policy: &Restarts) -> u64 {
        if now.saturating_sub(self.last) > policy.calm {
            self.count = 0;
        }
        let wait = policy.wait(self.count);
        (self.count, self.last) = (self.count + 1, now);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(policy: &Restarts, crashes: &[u64]) -> Vec<u64> {
        let mut row = InARow::default();
        crashes.iter().map(|&at| row.wait(at, policy)).collect()
    }

    #[test]
    fn waits_grow_up_to_the_longest_and_begin_anew_after_a_calm_time() {
        let policy = Restarts { first: 100, factor: 1_500, longest: 300, calm: 1_000, most: None };
        assert_eq!(waits(&policy, &[5, 10, 20, 30, 1_030]), [100, 150, 225, 300, 300]);
        assert_eq!(waits(&policy, &[5, 10, 1_011]), [100, 150, 100]);
        assert_eq!(waits(&Restarts::fixed(7, Some(1)), &[1, 2, 3]), [7, 7, 7]);
        let steep = Restarts { first: u64::MAX / 2, factor: u64::MAX, longest: u64::MAX, ..policy };
        assert_eq!(waits(&steep, &[0, 0]), [u64::MAX / 2, u64::MAX]);
    }
}
