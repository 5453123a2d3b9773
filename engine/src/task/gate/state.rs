//! What a snapshot keeps of a gate.

use rkyv::{Archive, Deserialize, Serialize};

use super::Gate;
use crate::batch::Seq;
use crate::seeded::seeded;
use crate::watermark::MinWatermark;

/// The part of a gate that outlives its queues.
#[derive(Archive, Serialize, Deserialize)]
pub struct GateState {
    watermark: MinWatermark,
    clock: i64,
    upto: u64,
    channels: Vec<u64>,
}

impl Gate {
    /// The state at an aligned barrier.
    pub fn state(&self) -> GateState {
        GateState {
            watermark: self.watermark.clone(),
            clock: self.clock,
            upto: self.upto,
            channels: self.channels.iter().map(|c| c.upto).collect(),
        }
    }

    /// Takes state back; `false` when it is of another gate.
    pub fn restore(&mut self, state: GateState) -> bool {
        let channels = self.channels.len();
        if state.channels.len() != channels || state.watermark.len() != channels {
            return false;
        }
        for (channel, upto) in self.channels.iter_mut().zip(state.channels) {
            (channel.row, channel.stair, channel.upto) = (0, 0, upto);
            channel.queue.clear();
        }
        (self.watermark, self.clock, self.upto) = (state.watermark, state.clock, state.upto);
        if seeded("a-gate-forgets-its-watermark") {
            self.watermark = MinWatermark::new(channels);
        }
        (self.ticked, self.passed) = (false, self.upto);
        true
    }

    /// What comes now comes from behind this place, though the state may be of a later one: of what comes again, too,
    /// the order is kept.
    pub fn go_back(&mut self, upto: Seq) {
        self.upto = self.upto.min(upto);
        self.passed = self.upto;
        for channel in &mut self.channels {
            channel.upto = channel.upto.min(upto);
        }
    }
}

impl GateState {
    /// The state of a gate each of whose channels stands for some at these gates, all of them of subtasks at one
    /// barrier: how far they are differs in nothing that matters. `None` when there are no such channels.
    pub fn dealt(all: &[GateState], channels: &[Vec<usize>]) -> Option<GateState> {
        let first = all.first()?;
        let alike = |state: &GateState| {
            let count = first.channels.len();
            state.channels.len() == count && state.watermark.len() == count
        };
        let known = channels
            .iter()
            .all(|of| !of.is_empty() && of.iter().all(|&channel| channel < first.channels.len()));
        if !known || !all.iter().all(alike) {
            return None;
        }
        let upto = |of: &Vec<usize>| {
            let all =
                all.iter().flat_map(|state| of.iter().map(|&channel| state.channels[channel]));
            all.min().unwrap_or(0)
        };
        let watermarks: Vec<&MinWatermark> = all.iter().map(|state| &state.watermark).collect();
        Some(GateState {
            watermark: MinWatermark::dealt(&watermarks, channels),
            clock: all.iter().map(|state| state.clock).max()?,
            upto: all.iter().map(|state| state.upto).min()?,
            channels: channels.iter().map(upto).collect(),
        })
    }
}
