//! Channels between tasks: a network that loses, doubles and reorders, and the numbers that make up for it.
//!
//! Each element has a number. The receiver takes them in turn: one that has come before is thrown away, one that
//! is too early waits, one that is lost is sent again.

use std::collections::BTreeMap;

use super::{Sim, State, Upcoming};
use crate::error::Result;
use crate::seeded::seeded;
use crate::task::Element;
use crate::trace::{Event, What};

/// Microseconds until an element that has got lost is sent again.
const RESEND: u64 = 200_000;
/// Microseconds by which an element comes late that others overtake.
const OVERTAKEN: u64 = 20_000;
/// Microseconds that a slow channel needs more.
const SLOW: u64 = 500_000;

/// What may happen to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// The next element is lost.
    Drop,
    /// The next element comes twice.
    Duplicate,
    /// The next element is overtaken.
    Reorder,
    /// Each element takes longer.
    Slow {
        /// Until when, virtual time.
        until: u64,
    },
    /// Nothing comes through.
    Cut {
        /// Until when, virtual time.
        until: u64,
    },
}

/// One channel.
#[derive(Clone, Default)]
pub(super) struct Link {
    /// Elements sent.
    sent: u64,
    /// Elements taken in by the receiver.
    received: u64,
    /// Elements that have overtaken others.
    early: BTreeMap<u64, Element>,
    /// When the last element arrives: channels keep their order.
    last: u64,
    disturbances: Vec<Disturbance>,
}

impl Link {
    /// Empties the channel, as a crash does. What disturbs it stays.
    pub(super) fn clear(&mut self) {
        *self = Link { disturbances: std::mem::take(&mut self.disturbances), ..Link::default() };
    }

    /// Lets nothing disturb it any more.
    pub(super) fn calm(&mut self) {
        self.disturbances.clear();
    }

    /// Elements that wait for those before them.
    pub(super) fn waiting(&self) -> usize {
        self.early.len()
    }

    /// How many elements have been sent: the next one's number.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How many the receiver has taken in.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Elements that wait for those before them, with their numbers.
    pub(super) fn early(&self) -> impl Iterator<Item = (u64, &Element)> {
        self.early.iter().map(|(number, element)| (*number, element))
    }

    /// What is sent from now on arrives behind this moment, virtual time.
    pub(super) fn keep_behind(&mut self, at: u64) {
        self.last = self.last.max(at);
    }

    /// Until when nothing comes through, virtual time.
    pub(super) fn cut_until(&self) -> u64 {
        let until = self.disturbances.iter().map(|d| match d {
            Disturbance::Cut { until } => *until,
            _ => 0,
        });
        until.max().unwrap_or(0)
    }

    /// What befalls the next element, if anything does.
    fn befalls(&mut self, now: u64) -> Option<Disturbance> {
        self.disturbances.retain(|d| match d {
            Disturbance::Slow { until } | Disturbance::Cut { until } => *until > now,
            _ => true,
        });
        let first = *self.disturbances.first()?;
        if !matches!(first, Disturbance::Slow { .. } | Disturbance::Cut { .. }) {
            self.disturbances.remove(0);
        }
        Some(first)
    }
}

impl Sim {
    /// Disturbs a channel from now on.
    pub(super) fn disturb(&mut self, channel: u16, what: Disturbance) {
        self.links[usize::from(channel)].disturbances.push(what);
    }

    /// Sends an element through a channel.
    pub(super) fn send(&mut self, channel: u16, element: Element, trace: &mut Vec<Event>) {
        let delay = 100 + self.chance(1_900) + crate::seeded::drift("a-schedule-of-its-own");
        let sent_at = self.now.after(delay).0;
        let link = &mut self.links[usize::from(channel)];
        let number = link.sent;
        link.sent += 1;
        let befalls = link.befalls(self.now.0);
        let in_turn = match befalls {
            Some(Disturbance::Slow { .. }) => sent_at.saturating_add(SLOW),
            Some(Disturbance::Cut { until }) => sent_at.max(until),
            _ => sent_at,
        };
        let in_turn = in_turn.max(link.last.saturating_add(1));
        let (at, change) = match befalls {
            Some(Disturbance::Drop) => (in_turn.saturating_add(RESEND), "lost"),
            Some(Disturbance::Reorder) => (in_turn.saturating_add(OVERTAKEN), "overtaken"),
            Some(Disturbance::Duplicate) => (in_turn, "doubled"),
            Some(Disturbance::Slow { .. } | Disturbance::Cut { .. }) => (in_turn, "held"),
            None => (in_turn, ""),
        };
        if at == in_turn {
            link.last = in_turn;
        }
        if befalls.is_some() {
            self.note_channel(channel, number, change, trace);
        }
        if befalls == Some(Disturbance::Duplicate) {
            let twice = at.saturating_add(OVERTAKEN);
            self.plan(twice, Upcoming::Deliver(channel, number, element.clone()));
        }
        if befalls == Some(Disturbance::Drop) && seeded("the-lost-are-not-sent-again") {
            return;
        }
        self.plan(at, Upcoming::Deliver(channel, number, element));
    }

    /// An element comes to the end of its channel: it, and those that have waited for it, are taken in.
    pub(super) fn arrived(
        &mut self,
        channel: u16,
        number: u64,
        element: Element,
        trace: &mut Vec<Event>,
    ) -> Result<()> {
        let link = &mut self.links[usize::from(channel)];
        if number < link.received && seeded("doubles-are-taken") {
            return self.receive(channel, element, trace);
        }
        if number < link.received {
            self.note_channel(channel, number, "thrown-away", trace);
            return Ok(());
        }
        if number > link.received && seeded("early-ones-are-taken") {
            link.received = number + 1;
            return self.receive(channel, element, trace);
        }
        if number > link.received {
            // Twice early is once early.
            if !seeded("the-early-are-forgotten") {
                link.early.insert(number, element);
            }
            self.note_channel(channel, number, "early", trace);
            return Ok(());
        }
        let mut next = Some(element);
        while let Some(element) = next {
            let received = &mut self.links[usize::from(channel)].received;
            let number = *received;
            *received += 1;
            self.log(channel, number, &element);
            self.receive(channel, element, trace)?;
            // A write that hangs has brought the job down.
            if self.state == State::Down {
                return Ok(());
            }
            let link = &mut self.links[usize::from(channel)];
            next = link.early.remove(&link.received);
        }
        Ok(())
    }

    fn note_channel(&self, channel: u16, number: u64, change: &str, trace: &mut Vec<Event>) {
        let (_, to, _) = self.job.graph.channels[usize::from(channel)];
        self.note(trace, to, What::Channel { channel, number, change: change.to_owned() });
    }
}
