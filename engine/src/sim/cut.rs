//! Whether a checkpoint is a cut: on every channel, what its receiver had taken in when it wrote its state, and what the
//! snapshot keeps of the channel, is what its sender had sent when that wrote its own (the consistent cut of Chandy and
//! Lamport, Distributed Snapshots, 1985). Counted where the elements are numbered, which neither tasks nor gates can
//! do; a checker, and nothing that a checkpoint needs.

use std::collections::BTreeMap;

use super::Sim;
use super::checkpoint::UnderWay;
use crate::trace::Barriers;

/// How far each channel was at both its ends.
#[derive(Clone, Default)]
pub(super) struct Cut {
    barriers: Barriers,
    sent: BTreeMap<u16, u64>,
    taken: BTreeMap<u16, u64>,
    /// Elements that came before a barrier that overtakes.
    came: BTreeMap<u16, u64>,
}

impl Cut {
    /// That of a checkpoint with such barriers.
    pub(super) fn new(barriers: Barriers) -> Cut {
        Cut { barriers, ..Cut::default() }
    }
}

impl Sim {
    /// A task sends the barrier of a checkpoint; one that is over by now leaves the one under way alone.
    pub(super) fn cut_sent(&mut self, checkpoint: u64, channel: u16) {
        let sent = self.links[usize::from(channel)].sent();
        if let Some(under_way) = self.coordinator.under_way().filter(|u| u.checkpoint == checkpoint)
        {
            under_way.cut.sent.insert(channel, sent);
        }
    }

    /// A barrier that has overtaken what is on its channel has come.
    pub(super) fn cut_came(&mut self, checkpoint: u64, channel: u16) {
        let received = self.links[usize::from(channel)].received();
        if let Some(under_way) = self.coordinator.under_way().filter(|u| u.checkpoint == checkpoint)
        {
            under_way.cut.came.insert(channel, received);
        }
    }

    /// A task has written its state, when so many elements waited on each channel of its gate.
    pub(super) fn cut_taken(&mut self, checkpoint: u64, task: u16, queued: &[usize]) {
        // A barrier that is awaited in line stands there as an element.
        let awaited = |u: &mut UnderWay| u.cut.barriers == Barriers::Aligned;
        let barrier = u64::from(self.coordinator.under_way().is_none_or(awaited));
        let channels = self.job.graph.channels.iter().enumerate();
        let into = channels.filter(|(_, (_, to, _))| *to == task);
        let taken: Vec<(u16, u64)> = into
            .filter_map(|(c, (_, _, at_gate))| {
                let waits = *queued.get(*at_gate)? as u64 + barrier;
                Some((c as u16, self.links[c].received().saturating_sub(waits)))
            })
            .collect();
        if let Some(under_way) = self.coordinator.under_way().filter(|u| u.checkpoint == checkpoint)
        {
            under_way.cut.taken.extend(taken);
        }
    }

    /// All states are in, and the snapshot keeps so many elements of channels, none of those not named.
    pub(super) fn check_cut(&mut self, checkpoint: u64, cut: &Cut, kept: &BTreeMap<u16, u64>) {
        let name = |task: u16| &self.job.graph.header.tasks[usize::from(task)].name;
        for (channel, sent) in &cut.sent {
            let Some(taken) = cut.taken.get(channel) else { continue };
            // One that is not awaited is an element that has been taken in, too.
            if cut.barriers == Barriers::Unawaited && taken > sent {
                continue;
            }
            let kept = kept.get(channel).copied().unwrap_or(0);
            // A task that waits for a place to be complete before it writes its state takes in more behind the barrier;
            // rows are known by their places.
            let taken = match cut.came.get(channel) {
                Some(came) if came <= sent => *taken.min(sent),
                _ => *taken,
            };
            if taken + kept != *sent {
                let (from, to, _) = self.job.graph.channels[usize::from(*channel)];
                self.wrong = Some(format!(
                    "checkpoint {checkpoint} is no cut: {}->{} had sent {sent} elements, of which {taken} were taken \
                     in and {kept} are kept",
                    name(from),
                    name(to)
                ));
            }
        }
    }

    /// What the run's own checkers have found.
    pub fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }
}
