//! The input gate: several channels merged into the one order of the stream, barriers aligned.
//!
//! Rows of equal place come before steps of the watermark of that place, then by input, then by
//! channel. So what an operator sees does not depend on when messages happen to arrive.

use std::collections::VecDeque;

use rkyv::{Archive, Deserialize, Serialize};

use super::Element;
use crate::batch::{Batch, Seq, Stair};
use crate::schema::SchemaRef;
use crate::time::EventTime;
use crate::watermark::{Activity, MinWatermark};

/// What a gate lets through.
pub enum Passed {
    /// Rows or progress of an input, with steps of the watermark over all channels.
    Batch(usize, Batch),
    /// A barrier has come on every channel: the moment to write the state.
    Barrier(u64),
}

/// The channels of one task.
#[derive(Clone)]
pub struct Gate {
    channels: Vec<Channel>,
    watermark: MinWatermark,
    upto: Seq,
    /// One schema an input, for batches that carry only progress.
    schemas: Vec<SchemaRef>,
}

#[derive(Clone)]
struct Channel {
    input: usize,
    queue: VecDeque<Element>,
    row: usize,
    stair: usize,
    upto: Seq,
}

/// The part of a gate that outlives its queues.
#[derive(Archive, Serialize, Deserialize)]
pub struct GateState {
    watermark: MinWatermark,
    upto: u64,
    channels: Vec<u64>,
}

/// Where the next thing of a channel belongs: place, rows before steps.
type Key = (Seq, u8);

impl Gate {
    /// A gate with a channel for each entry of `inputs`, the operator's input it leads to.
    pub fn new(inputs: &[usize], schemas: Vec<SchemaRef>) -> Gate {
        let channel = |&input| Channel { input, queue: VecDeque::new(), row: 0, stair: 0, upto: 0 };
        Gate {
            channels: inputs.iter().map(channel).collect(),
            watermark: MinWatermark::new(inputs.len()),
            upto: 0,
            schemas,
        }
    }

    /// The watermark over all channels.
    pub fn watermark(&self) -> EventTime {
        self.watermark.current()
    }

    /// Takes an element of a channel.
    pub fn push(&mut self, channel: usize, element: Element) {
        self.channels[channel].queue.push_back(element);
    }

    /// The next thing to let through, if its turn has come.
    pub fn release(&mut self) -> Option<Passed> {
        if self.channels.iter().all(Channel::blocked) {
            let mut checkpoint = 0;
            for channel in &mut self.channels {
                if let Some(Element::Barrier(id)) = channel.queue.pop_front() {
                    checkpoint = id;
                }
            }
            return Some(Passed::Barrier(checkpoint));
        }
        if self.channels.len() == 1 {
            return self.next_alone();
        }
        self.channels.iter_mut().for_each(Channel::settle);
        let best = (0..self.channels.len())
            .filter_map(|c| Some((self.channels[c].key()?, self.channels[c].input, c)))
            .min();
        let turn = best.filter(|&(key, _, c)| {
            let others = self.channels.iter().enumerate().filter(|&(i, _)| i != c);
            others.map(|(_, o)| o).all(|o| o.blocked() || o.key().is_some() || o.upto >= key.0)
        });
        match turn {
            Some((_, _, c)) => Some(self.take(c)),
            None => self.progress(),
        }
    }

    /// With one channel, what comes passes as it is.
    fn next_alone(&mut self) -> Option<Passed> {
        let channel = &mut self.channels[0];
        let Some(Element::Batch(batch)) = channel.queue.pop_front() else { return None };
        channel.upto = channel.upto.max(batch.upto);
        self.upto = channel.upto;
        for stair in &batch.stairs {
            self.watermark.propose(0, stair.watermark);
        }
        self.watermark.set_activity(0, Activity::Active);
        self.watermark.advance();
        Some(Passed::Batch(channel.input, batch))
    }

    /// Takes the next rows, or the next step, of a channel whose turn it is.
    fn take(&mut self, c: usize) -> Passed {
        let bound = self.bound(c);
        let channel = &mut self.channels[c];
        let input = channel.input;
        let Some(Element::Batch(batch)) = channel.queue.front() else {
            unreachable!("only a batch has a key")
        };
        if let Some(stair) = batch.stairs.get(channel.stair).copied()
            && stair.row as usize <= channel.row
        {
            channel.stair += 1;
            let activity = if stair.idle { Activity::Idle } else { Activity::Active };
            self.watermark.set_activity(c, activity);
            self.watermark.propose(c, stair.watermark);
            let mut stairs = Vec::new();
            if let Some(watermark) = self.watermark.advance() {
                stairs.push(Stair { row: 0, watermark, seq: stair.seq, idle: false });
            } else if stair.idle && self.all_idle() {
                let watermark = self.watermark.current();
                stairs.push(Stair { row: 0, watermark, seq: stair.seq, idle: true });
            }
            let schema = self.schemas[input].clone();
            return Passed::Batch(input, Batch::progress(schema, stairs, self.upto));
        }
        let from = channel.row;
        let end = batch.stairs.get(channel.stair).map_or(batch.rows, |s| s.row as usize);
        let mut to = from + 1;
        while to < end && ((batch.seqs.at(to), 0), input, c) < bound {
            to += 1;
        }
        let mut piece = batch.slice(from, to);
        channel.row = to;
        piece.upto = self.upto;
        self.watermark.set_activity(c, Activity::Active);
        Passed::Batch(input, piece)
    }

    fn all_idle(&self) -> bool {
        (0..self.watermark.len()).all(|c| self.watermark.activity(c) == Activity::Idle)
    }

    /// What a channel's rows must come before: the other channels' next things.
    fn bound(&self, c: usize) -> (Key, usize, usize) {
        let others = self.channels.iter().enumerate().filter(|(i, o)| *i != c && !o.blocked());
        others
            .map(|(i, o)| match o.key() {
                Some(key) => (key, o.input, i),
                None => ((o.upto + 1, 0), 0, 0),
            })
            .min()
            .unwrap_or(((Seq::MAX, u8::MAX), usize::MAX, usize::MAX))
    }

    /// Tells how far all channels have come, when that has changed.
    fn progress(&mut self) -> Option<Passed> {
        let reached = self.channels.iter().filter(|c| !c.blocked()).map(|c| match c.key() {
            Some((seq, _)) => c.upto.max(seq - 1),
            None => c.upto,
        });
        let upto = reached.min()?;
        (upto > self.upto).then(|| {
            self.upto = upto;
            let input = self.channels[0].input;
            Passed::Batch(input, Batch::progress(self.schemas[input].clone(), Vec::new(), upto))
        })
    }

    /// The elements that wait in the gate.
    pub fn waiting(&self) -> usize {
        self.channels.iter().map(|c| c.queue.len()).sum()
    }

    /// The state at an aligned barrier.
    pub fn state(&self) -> GateState {
        GateState {
            watermark: self.watermark.clone(),
            upto: self.upto,
            channels: self.channels.iter().map(|c| c.upto).collect(),
        }
    }

    /// Takes state back; `false` when it is of another gate.
    pub fn restore(&mut self, state: GateState) -> bool {
        if state.channels.len() != self.channels.len() {
            return false;
        }
        for (channel, upto) in self.channels.iter_mut().zip(state.channels) {
            (channel.row, channel.stair, channel.upto) = (0, 0, upto);
            channel.queue.clear();
        }
        (self.watermark, self.upto) = (state.watermark, state.upto);
        true
    }
}

impl Channel {
    fn blocked(&self) -> bool {
        matches!(self.queue.front(), Some(Element::Barrier(_)))
    }

    /// Drops batches that are used up.
    fn settle(&mut self) {
        while let Some(Element::Batch(batch)) = self.queue.front() {
            if self.row < batch.rows || self.stair < batch.stairs.len() {
                break;
            }
            self.upto = self.upto.max(batch.upto);
            self.queue.pop_front();
            (self.row, self.stair) = (0, 0);
        }
    }

    /// Where the next thing belongs; `None` when nothing is there or a barrier stands in the way.
    fn key(&self) -> Option<Key> {
        let Some(Element::Batch(batch)) = self.queue.front() else { return None };
        match batch.stairs.get(self.stair) {
            Some(s) if s.row as usize <= self.row => Some((s.seq, 1)),
            _ => batch.seqs.get(self.row).map(|seq| (seq, 0)),
        }
    }
}
