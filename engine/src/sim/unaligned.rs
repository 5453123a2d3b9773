//! Unaligned checkpoints: barriers overtake what is in flight, and that becomes part of the snapshot.
//!
//! A task writes its state when the first barrier comes. The state of a channel is then what its sender had sent
//! before it wrote its own, less what its receiver had taken in: the cut of Chandy and Lamport, Distributed Snapshots
//! (1985), as in Flink's unaligned checkpoints. A slow channel is one whose buffers are full; a barrier that overtakes
//! them does not stand in line, so such a checkpoint takes no longer because of it, but holds more.

use std::collections::BTreeMap;

use super::{Sim, State, Upcoming};
use crate::batch::Batch;
use crate::error::Result;
use crate::operator::wrong_state;
use crate::seeded::seeded;
use crate::snapshot::bytes::{Reader, put};
use crate::task::{Element, Held, Task, put_held};
use crate::trace::{Event, What};

/// What is in flight at a checkpoint, as far as that is known.
#[derive(Clone, Default)]
pub(super) struct InFlight {
    /// What waited in the gate of a task.
    held: BTreeMap<u16, Held>,
    between: BTreeMap<u16, Between>,
}

/// What is on a channel.
#[derive(Clone, Default)]
struct Between {
    elements: BTreeMap<u64, Batch>,
    /// The first element that the receiver had not taken in when it wrote its state.
    from: Option<u64>,
    /// The first that the sender had not sent when it wrote its own.
    to: Option<u64>,
}

impl Between {
    fn add(&mut self, number: u64, element: &Element) {
        if let Element::Batch(batch) = element {
            self.elements.insert(number, batch.clone());
        }
    }

    /// What belongs to the checkpoint.
    fn cut(&self) -> Vec<Batch> {
        let (from, to) = (self.from.unwrap_or(0), self.to.unwrap_or(0));
        if seeded("elements-in-flight-are-not-kept") {
            return Vec::new();
        }
        let from = if seeded("elements-in-flight-come-twice") { 0 } else { from };
        self.elements
            .iter()
            .filter(|(n, _)| (from..to).contains(n))
            .map(|(_, b)| b.clone())
            .collect()
    }
}

impl Sim {
    fn in_flight(&mut self) -> Option<&mut InFlight> {
        self.coordinator.under_way()?.in_flight.as_mut()
    }

    /// Whether barriers overtake now.
    pub(super) fn overtakes(&mut self) -> bool {
        self.in_flight().is_some()
    }

    /// Sends a barrier ahead of all that is on a channel.
    pub(super) fn overtake(&mut self, channel: u16, checkpoint: u64) {
        let link = &self.links[usize::from(channel)];
        let (to, received) = (link.sent(), link.received());
        let on_its_way = self.upcoming.values().filter_map(|upcoming| match upcoming {
            Upcoming::Deliver(of, number, element) if *of == channel && *number >= received => {
                Some((*number, element.clone()))
            }
            _ => None,
        });
        let mut elements: Vec<(u64, Element)> = on_its_way.collect();
        elements.extend(link.early().map(|(number, element)| (number, element.clone())));
        let cut_until = link.cut_until();
        if let Some(in_flight) = self.in_flight() {
            let between = in_flight.between.entry(channel).or_default();
            between.to = Some(to);
            elements.iter().for_each(|(number, element)| between.add(*number, element));
        }
        let at = self.now.after(100 + self.chance(1_900)).0.max(cut_until);
        // It overtakes what was sent before it, and is not overtaken by what comes behind.
        if !seeded("a-barrier-is-overtaken") {
            self.links[usize::from(channel)].keep_behind(at);
        }
        self.plan(at, Upcoming::Overtaken(channel, checkpoint));
    }

    /// A barrier comes that has overtaken what was on its channel.
    pub(super) fn overtaken(
        &mut self,
        channel: u16,
        checkpoint: u64,
        trace: &mut Vec<Event>,
    ) -> Result<()> {
        let (_, to, _) = self.job.graph.channels[usize::from(channel)];
        self.note(trace, to, What::Barrier { checkpoint, channel });
        self.cut_came(checkpoint, channel);
        self.with_task(to, trace, |task, fx| {
            task.overtaken(checkpoint, fx);
            Ok(())
        })
    }

    /// An element is taken in: it was in flight if the receiver has written its state and the sender has not.
    pub(super) fn log(&mut self, channel: u16, number: u64, element: &Element) {
        let Some(in_flight) = self.in_flight() else { return };
        if let Some(between) = in_flight.between.get_mut(&channel)
            && between.from.is_some()
            && between.to.is_none()
        {
            between.add(number, element);
        }
    }

    /// A task has written its state, and this stood in its gate. What has come behind a barrier while the task waited
    /// for a place to be complete is no part of the checkpoint.
    pub(super) fn cut_channels(&mut self, task: u16, mut held: Option<Held>) {
        let channels = self.job.graph.channels.iter().enumerate();
        let into = channels.filter(|(_, (_, to, _))| *to == task);
        let from: Vec<(u16, usize, u64)> =
            into.map(|(c, &(_, _, gate))| (c as u16, gate, self.links[c].received())).collect();
        let Some(in_flight) = self.in_flight() else { return };
        for (channel, at_gate, received) in from {
            let between = in_flight.between.entry(channel).or_default();
            between.from = Some(received);
            let behind = between.to.map_or(0, |to| received.saturating_sub(to)) as usize;
            if let Some(waits) = held.as_mut().and_then(|held| held.channels.get_mut(at_gate)) {
                waits.truncate(waits.len().saturating_sub(behind));
            }
        }
        in_flight.held.extend(held.map(|held| (task, held)));
    }

    /// What was in flight, once all tasks have written their state: the content of [`IN_FLIGHT`], and how many elements of
    /// each channel.
    pub(super) fn put_in_flight(
        &self,
        checkpoint: u64,
        in_flight: InFlight,
        kept: &mut BTreeMap<u16, u64>,
        trace: &mut Vec<Event>,
    ) -> Vec<u8> {
        let InFlight { mut held, between } = in_flight;
        for (channel, &(_, to, at_gate)) in self.job.graph.channels.iter().enumerate() {
            let channel = channel as u16;
            let Some(all) = held.get_mut(&to).and_then(|held| held.channels.get_mut(at_gate))
            else {
                continue;
            };
            all.extend(between.get(&channel).map(Between::cut).unwrap_or_default());
            let (elements, rows) = (all.len() as u64, all.iter().map(|b| b.rows as u64).sum());
            kept.insert(channel, elements);
            if elements > 0 {
                self.note(trace, to, What::InFlight { checkpoint, channel, elements, rows });
            }
        }
        let mut out = Vec::new();
        put(&mut out, held.len() as u64);
        for (task, held) in &held {
            put(&mut out, (*task).into());
            put_held(&mut out, held);
        }
        out
    }

    /// Has what was in flight wait at the gates again.
    pub(super) fn hold_in_flight(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = Reader::new(bytes);
        for _ in 0..reader.count()? {
            let task = usize::try_from(reader.number()?).ok();
            let task = task.and_then(|task| self.tasks.get_mut(task));
            task.ok_or_else(|| wrong_state("what was in flight"))?.hold(&mut reader)?;
        }
        reader.end()
    }

    /// Tasks go on with what waits at their gates.
    pub(super) fn go_on_with_held(&mut self, trace: &mut Vec<Event>) -> Result<()> {
        for task in 0..self.tasks.len() as u16 {
            if self.state == State::Running && self.tasks[usize::from(task)].waiting() > 0 {
                self.with_task(task, trace, Task::work)?;
            }
        }
        Ok(())
    }
}
