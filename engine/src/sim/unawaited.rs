//! Checkpoints at whose barriers nobody waits: each task writes its state when it gets round to it.
//!
//! Sources are cut as ever, and a task writes behind the last barrier of those in front of it: so its state holds all that
//! went into theirs, and nothing is lost. It also holds what came in the meantime, which the sources read again after a
//! crash: those records count twice in it. Other engines' at-least-once does the same for another reason (there rows pass
//! that stand behind a barrier while another channel's is awaited), and as rarely exactly.

use super::{Sim, Upcoming};
use crate::error::Result;
use crate::plan::Guarantee;
use crate::trace::{Barriers, Event, What};

/// What part of the time between two checkpoints a task may let pass; and that time where there is none.
const SHARE: u64 = 4;
const INTERVAL: u64 = 1_000_000;

impl Sim {
    /// What the barriers of a checkpoint do that need not be complete: whoever counts everything once waits for them.
    pub(super) fn barriers(&self) -> Barriers {
        match self.job.barriers {
            Barriers::Unawaited if self.guarantee == Guarantee::ExactlyOnce => Barriers::Aligned,
            barriers => barriers,
        }
    }

    /// Whether some record may count twice in what tables say, so that their rows say nothing of the guarantee: the job has
    /// gone on from a state for which nobody has waited. Not where each row is made of one record alone.
    pub fn may_count_twice(&self, events: &[Event]) -> bool {
        self.guarantee == Guarantee::AtLeastOnce
            && self.job.barriers == Barriers::Unawaited
            && !self.job.graph.row_by_row()
            && events
                .iter()
                .any(|e| matches!(e.what, What::Restore { checkpoint } if checkpoint > 0))
    }

    /// The last barrier of a checkpoint has come to a task.
    pub(super) fn will_get_round(&mut self, task: u16, checkpoint: u64) {
        let most = self.job.checkpoint_interval.unwrap_or(INTERVAL) / SHARE;
        let at = self.now.after(1 + self.chance(most.max(1))).0;
        self.plan(at, Upcoming::GetsRound(task, checkpoint));
    }

    /// It writes its state.
    pub(super) fn gets_round(
        &mut self,
        task: u16,
        checkpoint: u64,
        trace: &mut Vec<Event>,
    ) -> Result<()> {
        self.with_task(task, trace, |task, fx| {
            task.get_round(checkpoint, fx);
            Ok(())
        })
    }
}
