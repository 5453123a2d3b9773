//! What befalls the input of a simulation: sources that are late, and such that repeat or lose records or fall back.

use super::fault::{Aim, At, Fault, sources};
use super::{Sim, Upcoming};
use crate::key::hash_bytes;
use crate::source::inlet::{Delay, Spell};
use crate::time::VirtualTime;
use crate::trace::{Event, What};

impl Sim {
    /// The partitions that a fault is about: their names, and their places in the inlet.
    fn partitions(&self, number: u16) -> Vec<(String, usize)> {
        let all = sources(&self.job.graph.header);
        let Some(&(_, task, partition)) = all.get(usize::from(number)) else { return Vec::new() };
        let tasks = self.job.graph.source_tasks();
        let Some(source) = tasks.iter().position(|t| *t == task) else { return Vec::new() };
        let own = |(name, of, number): (String, u16, Option<u16>)| {
            let number = number.filter(|number| partition.unwrap_or(*number) == *number)?;
            let place = self.inlet.place(source, number).filter(|_| of == task)?;
            Some((name, place))
        };
        all.into_iter().filter_map(own).collect()
    }

    /// Delays the input from the fault's time on, or from here on if that is over: what has arrived has arrived.
    pub(super) fn delay_input(&mut self, fault: Fault, delay: fn(Aim) -> Delay) {
        // Of the input alone, or it would begin elsewhere when other faults are left out.
        let own = hash_bytes(fault.to_string().as_bytes()) ^ self.inlet.delays() as u64;
        let at = self.moment(&fault.at, own);
        let begun = self.inlet.position().seq > 0;
        let from = at.0.max(if begun { self.now.0.saturating_add(1) } else { 0 });
        self.delay_from(from, &fault, delay);
        self.plan(from.max(self.now.0), Upcoming::Fault(fault));
    }

    /// Delays the input behind an event: from the next full millisecond on, as the times of records are.
    pub(super) fn delay_behind(&mut self, fault: &Fault) {
        if let (Some(delay), At::On(..)) = (fault.kind.delay, &fault.at) {
            self.delay_from((self.now.0 / 1_000 + 1) * 1_000, fault, delay);
        }
    }

    fn delay_from(&mut self, from: u64, fault: &Fault, delay: fn(Aim) -> Delay) {
        let until = from.saturating_add(fault.aim.lasts);
        for (_, place) in self.partitions(fault.aim.number) {
            let spell = Spell { from, until, delay: delay(fault.aim) };
            // What cannot be read again is told of when a recovery needs it.
            _ = self.inlet.delay(place, spell);
        }
        self.delays.push(fault.placed(VirtualTime(from), self.inlet.start()));
    }

    /// What delays the input, each from when it has begun or will begin.
    pub fn delays(&self) -> &[Fault] {
        &self.delays
    }

    /// How many records the job has read; a recovery goes back.
    pub fn records(&self) -> u64 {
        self.inlet.position().records
    }

    /// Where a record of a source's partition would stand without storms of late data, given where it stands.
    pub fn calm_offset(&self, source: usize, partition: u16, offset: u64) -> u64 {
        self.inlet.calm_offset(source, partition, offset)
    }

    /// The same run, its input as late as that of another run of the job, before its first step.
    pub fn delay_as(&mut self, other: &Sim) {
        self.inlet.delay_as(&other.inlet);
        self.delays.clone_from(&other.delays);
    }

    /// Sources hand records out once more.
    pub(super) fn hand_out_again(&mut self, aim: Aim) {
        for (_, place) in self.partitions(aim.number) {
            // What cannot be read again does not come again.
            _ = self.inlet.hand_out_again(place, aim.count);
        }
    }

    /// Sources lose the records that come next.
    pub(super) fn lose_records(&mut self, aim: Aim) {
        for (name, place) in self.partitions(aim.number) {
            self.inlet.lose(place, aim.count, &name);
        }
    }

    /// Sources lose the last records that were read of them.
    pub(super) fn lose_read_records(&mut self, aim: Aim) {
        for (name, place) in self.partitions(aim.number) {
            self.inlet.regress(place, aim.count, &name);
        }
    }

    /// Tells which records have come that were known.
    pub(super) fn note_known(&mut self, trace: &mut Vec<Event>) {
        let tasks = self.job.graph.source_tasks();
        for thrown in self.inlet.thrown_away() {
            let what = What::SourceRead {
                partition: thrown.partition,
                offset: thrown.offset,
                records: thrown.records,
                change: "thrown-away".to_owned(),
            };
            self.note(trace, tasks[thrown.source], what);
        }
    }
}
