//! The gate of a sink with several channels. A sink puts rows in order itself, so it is enough to wait
//! until a place in the stream is complete.

use std::collections::VecDeque;

use super::{Element, Passed};
use crate::batch::{Batch, Seq};

/// Lets rows through once all channels have come as far; aligns barriers.
#[derive(Clone)]
pub struct LooseGate {
    channels: Vec<Channel>,
    upto: Seq,
    /// Whether rows of different places must leave in the order of these.
    ordered: bool,
}

#[derive(Clone, Default)]
struct Channel {
    queue: VecDeque<Element>,
    /// Rows whose place is not complete yet.
    open: Vec<Batch>,
    upto: Seq,
}

impl LooseGate {
    /// A gate of so many channels; `ordered` false when whoever is behind it sorts.
    pub fn new(channels: usize, ordered: bool) -> LooseGate {
        LooseGate { channels: vec![Channel::default(); channels], upto: 0, ordered }
    }

    /// Takes an element of a channel.
    pub fn push(&mut self, channel: usize, element: Element) {
        self.channels[channel].queue.push_back(element);
    }

    /// The next thing to let through.
    pub fn release(&mut self) -> Option<Passed> {
        for channel in &mut self.channels {
            while let Some(Element::Batch(_)) = channel.queue.front()
                && let Some(Element::Batch(batch)) = channel.queue.pop_front()
            {
                channel.upto = channel.upto.max(batch.upto);
                if batch.rows > 0 {
                    channel.open.push(batch);
                }
            }
        }
        let upto = self.channels.iter().map(|c| c.upto).min().unwrap_or(0);
        if upto > self.upto {
            self.upto = upto;
            if let Some(batch) = self.complete() {
                return Some(Passed::Batch(0, batch));
            }
        }
        if self.channels.iter().any(|c| c.queue.is_empty()) {
            return None;
        }
        let mut fronts = self.channels.iter_mut().filter_map(|c| c.queue.pop_front());
        match fronts.by_ref().last() {
            Some(Element::Barrier(id)) => Some(Passed::Barrier(id)),
            _ => None,
        }
    }

    /// The rows that are complete: channel after channel, or in the order of their places.
    fn complete(&mut self) -> Option<Batch> {
        let upto = self.upto;
        let mut ready = Vec::new();
        for channel in &mut self.channels {
            let open = std::mem::take(&mut channel.open);
            for batch in open {
                let done = batch.seqs.count_upto(upto);
                if done == batch.rows {
                    ready.push(batch);
                    continue;
                }
                if done > 0 {
                    ready.push(batch.slice(0, done));
                }
                channel.open.push(batch.slice(done, batch.rows));
            }
        }
        let one = ready.len() == 1;
        let all = if ready.is_empty() { return None } else { Batch::concat(&ready) };
        let all = Batch { upto, ..all };
        if !self.ordered || one {
            return Some(all);
        }
        let places: Vec<Seq> = all.seqs.iter().collect();
        if places.is_sorted() {
            return Some(all);
        }
        let mut order: Vec<u32> = (0..all.rows as u32).collect();
        order.sort_by_key(|&row| places[row as usize]);
        Some(all.gather(&order))
    }

    /// How many elements and batches wait.
    pub fn waiting(&self) -> usize {
        self.channels.iter().map(|c| c.queue.len() + c.open.len()).sum()
    }

    /// How far each channel has come.
    pub fn state(&self) -> Vec<u64> {
        self.channels.iter().map(|c| c.upto).collect()
    }

    /// Takes that back; `false` when it is of another gate.
    pub fn restore(&mut self, state: &[u64]) -> bool {
        for (channel, &upto) in self.channels.iter_mut().zip(state) {
            *channel = Channel { upto, ..Channel::default() };
        }
        self.upto = state.iter().copied().min().unwrap_or(0);
        state.len() == self.channels.len()
    }
}
