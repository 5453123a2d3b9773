//! Faults placed: at a time, or behind an event.

use super::fault::{At, Fault};
use super::link::Link;
use super::outside::Writer;
use super::{Sim, Upcoming};
use crate::key::hash_u64;
use crate::time::VirtualTime;
use crate::trace::{COORDINATOR, Event, What};

/// A fault that waits for an event.
#[derive(Clone)]
pub(super) struct Waiting {
    event: String,
    /// How many more of them there must be.
    count: u64,
    fault: Fault,
}

impl Sim {
    /// Places a fault in the future; one of the past strikes at once.
    pub fn place(&mut self, fault: Fault) {
        if let At::On(event, count) = &fault.at {
            let (event, count) = (event.clone(), *count);
            self.waiting.push(Waiting { event, count, fault });
            return;
        }
        if let Some(delay) = fault.kind.delay {
            self.delay_input(fault, delay);
            return;
        }
        // Of a fault's own place among all, not of the schedule.
        let at = self.moment(&fault.at, hash_u64(self.ties));
        self.plan(at.0, Upcoming::Fault(fault));
    }

    /// The moment of a fault, now if it hangs on something else; one between two is drawn from the seed and a number of
    /// the fault's.
    pub(super) fn moment(&self, at: &At, own: u64) -> VirtualTime {
        let start = self.inlet.start();
        match at {
            At::After(micros) => start.after(*micros),
            At::Between(from, to) => {
                let drawn = hash_u64(self.job.graph.header.seed ^ own);
                start.after(from + drawn % (to - from).saturating_add(1))
            }
            At::Time(time) => *time,
            At::Now | At::On(..) => self.now,
        }
    }

    /// Lets none of the faults strike that are to come, but for delays of the input, which are a part of that.
    pub fn spare(&mut self) {
        self.upcoming.retain(|_, u| match u {
            Upcoming::Fault(fault) => fault.kind.delay.is_some() && !matches!(fault.at, At::On(..)),
            _ => true,
        });
        self.waiting.clear();
        self.ill.clear();
        self.links.iter_mut().for_each(Link::calm);
        self.writers.iter_mut().for_each(Writer::calm);
        self.disks.calm();
    }

    /// The run is over; faults that have not struck can be asked for.
    pub(super) fn nothing_follows(&mut self) {
        self.upcoming.retain(|_, upcoming| matches!(upcoming, Upcoming::Fault(_)));
    }

    /// The faults that have yet to strike; of a run that has ended, those that never have.
    pub fn faults_to_come(&self) -> Vec<String> {
        let planned = self.upcoming.values().filter_map(|upcoming| match upcoming {
            Upcoming::Fault(fault) => Some(fault),
            _ => None,
        });
        planned
            .chain(self.waiting.iter().map(|waiting| &waiting.fault))
            .map(Fault::to_string)
            .collect()
    }

    /// Whether a fault waits for what tasks do, so that they have to tell.
    pub(super) fn listens(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Has those faults strike next that have waited for one of these events.
    pub(super) fn strike_behind(&mut self, events: &[Event]) {
        if self.waiting.is_empty() {
            return;
        }
        for event in events {
            let name = event.what.name();
            for waiting in &mut self.waiting {
                if waiting.event == name {
                    waiting.count = waiting.count.saturating_sub(1);
                }
            }
        }
        let all = std::mem::take(&mut self.waiting);
        let (due, waiting): (Vec<Waiting>, _) = all.into_iter().partition(|w| w.count == 0);
        self.waiting = waiting;
        for Waiting { fault, .. } in due {
            self.plan(self.now.0, Upcoming::Fault(fault));
        }
    }

    /// A fault strikes.
    pub(super) fn strike(&mut self, fault: &Fault, trace: &mut Vec<Event>) {
        self.note(trace, COORDINATOR, What::Fault { fault: fault.to_string() });
        self.delay_behind(fault);
        (fault.kind.strike)(self, fault.aim, trace);
    }
}
