//! What befalls the input itself: records that arrive later, come again, never come, or are gone behind the reader.
//!
//! A delay is a rule about when records arrive, kept beside the position and not in it: it belongs to the world and
//! not to the job, no crash touches it, and a replay has the same order again. What a record's arrival comes to hangs
//! on what its log says, on the record before it in its partition and on the rules, on nothing else. Records that are
//! late are so in the log itself: [`storm`](super::storm).

use super::partition::Partition;
use super::{Inlet, Position};
use crate::error::{Diagnostic, Error, Result};
use crate::seeded::seeded;

/// What a delay does to the records of a partition that would arrive while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// They arrive at its end.
    Stall,
    /// Each arrives at least so many microseconds behind the one before it; at the end comes what is left.
    Slow(u64),
    /// They arrive so many microseconds later, behind what has come in the meantime.
    Late(u64),
    /// The partition is idle at once, for as long as nothing would have arrived; else as a stall.
    Idle,
}

/// A delay and the time in which it holds, microseconds since 1970: from the first on, the last left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// Its first moment.
    pub from: u64,
    /// The moment behind its last.
    pub until: u64,
    /// What it does.
    pub delay: Delay,
}

impl Spell {
    /// When a record arrives that would arrive at `at`; `last`: when the one before it did.
    fn moves(self, at: u64, last: Option<u64>) -> u64 {
        if at < self.from || at >= self.until {
            return at;
        }
        match (self.delay, last) {
            (Delay::Stall | Delay::Idle, _) => self.until,
            (Delay::Slow(gap), Some(last)) => at.max(last.saturating_add(gap).min(self.until)),
            (Delay::Slow(_), None) | (Delay::Late(_), _) => at,
        }
    }
}

/// Records that came although they were known, and were thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thrown {
    /// The source, a position in the job's list.
    pub source: usize,
    /// The partition's number.
    pub partition: u16,
    /// The first record's offset.
    pub offset: u64,
    /// How many.
    pub records: u64,
}

/// What has befallen a partition.
#[derive(Clone, Default)]
pub(super) struct Befallen {
    /// By their beginnings, so that one pass finds what all of them together do.
    spells: Vec<Spell>,
    /// Offsets that are never handed out: the first, and the one behind the last.
    holes: Vec<(u64, u64)>,
    /// The source's log has become shorter: where it ends, and how far the job had come then.
    regressed: Option<(u64, u64)>,
    /// What messages call the partition that has lost records.
    called: String,
    /// Records are handed out that were handed out before.
    again: bool,
}

impl Befallen {
    /// Whether records have to be looked at one by one.
    pub(super) fn any(&self) -> bool {
        let lost = !self.holes.is_empty() || self.regressed.is_some();
        self.again || lost || !self.spells.is_empty()
    }

    /// The job asks for records from an offset on.
    pub(super) fn sought(&mut self) {
        self.again = false;
    }

    /// Forgets its delays: what a planted fault does.
    pub(super) fn undelay(&mut self) {
        self.spells.clear();
    }

    fn withholds(&self, offset: u64) -> bool {
        self.holes.iter().any(|&(from, until)| (from..until).contains(&offset))
    }
}

impl Inlet {
    /// Delays a partition. Records that have arrived must lie before the delay's beginning. Tables that are there
    /// before all others are not delayed.
    ///
    /// # Errors
    /// When records have to be read again for it and cannot be.
    pub fn delay(&mut self, place: usize, spell: Spell) -> Result<()> {
        let (partition, position) = (&mut self.partitions[place], &self.position.partitions[place]);
        if partition.first {
            return Ok(());
        }
        if let Delay::Late(by) = spell.delay {
            return partition.storm(spell, by, position.offset);
        }
        let spells = &mut partition.befallen.spells;
        spells.insert(spells.partition_point(|s| s.from <= spell.from), spell);
        Ok(())
    }

    /// Where a record that has been read stands without storms of late data, given where it stands.
    pub fn calm_offset(&self, source: usize, partition: u16, offset: u64) -> u64 {
        let place = self.place(source, partition);
        place.map_or(offset, |place| self.partitions[place].storms.calm_offset(offset))
    }

    /// How many delays there are.
    pub fn delays(&self) -> usize {
        self.partitions.iter().map(|p| p.befallen.spells.len() + p.storms.len()).sum()
    }

    /// Has the delays of another reader of the same records instead of its own, before it has read any.
    pub fn delay_as(&mut self, other: &Inlet) {
        for (own, other) in self.partitions.iter_mut().zip(&other.partitions) {
            own.befallen.spells.clone_from(&other.befallen.spells);
            own.storm_as(other);
        }
    }

    /// When a partition falls silent and says so, given when its next record arrives.
    pub(super) fn falls_idle(&self, i: usize, next: u64) -> Option<u64> {
        let last = self.position.partitions[i].last_arrival;
        let spells = self.partitions[i].befallen.spells.iter();
        spells
            .filter(|s| s.delay == Delay::Idle && s.from >= last && s.from < next)
            .map(|s| s.from)
            .next()
    }

    /// The source hands a partition's last records out once more.
    ///
    /// # Errors
    /// When they cannot be read any more.
    pub fn hand_out_again(&mut self, place: usize, records: u64) -> Result<()> {
        let position = &self.position.partitions[place];
        // A partition that has ended is not read any more.
        let gone = self.partitions[place].befallen.regressed.is_some();
        if position.finished || position.offset == 0 || gone {
            return Ok(());
        }
        let back = position.offset.saturating_sub(records);
        self.partitions[place].seek(back, self.retain)?;
        self.partitions[place].befallen.again = true;
        Ok(())
    }

    /// The source never hands out the records of a partition that come next; `called`: what messages call it.
    pub fn lose(&mut self, place: usize, records: u64, called: &str) {
        let position = &self.position.partitions[place];
        if position.finished || records == 0 {
            return;
        }
        let hole = (position.offset, position.offset.saturating_add(records));
        let befallen = &mut self.partitions[place].befallen;
        befallen.holes.push(hole);
        called.clone_into(&mut befallen.called);
    }

    /// The source's log of a partition ends before the last records that were read of it, and whatever comes takes their
    /// offsets; `called`: what messages call it.
    pub fn regress(&mut self, place: usize, records: u64, called: &str) {
        let read = self.position.partitions[place].offset;
        if read == 0 || records == 0 {
            return;
        }
        let befallen = &mut self.partitions[place].befallen;
        let (end, most) = befallen.regressed.unwrap_or((u64::MAX, 0));
        befallen.regressed = Some((end.min(read.saturating_sub(records)), most.max(read)));
        called.clone_into(&mut befallen.called);
    }

    /// Makes sure that the sources still have what lies before a position that the job goes on from.
    pub(super) fn reach_to(&self, to: &Position) -> Result<()> {
        for (partition, to) in self.partitions.iter().zip(&to.partitions) {
            match partition.befallen.regressed {
                Some((end, _)) if to.offset > end && !to.finished => {
                    return Err(regress(partition));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether anything has befallen any partition.
    pub fn is_befallen(&self) -> bool {
        self.partitions.iter().any(|p| p.befallen.any() || p.storms.len() > 0)
    }

    /// What was thrown away since somebody asked last.
    pub fn thrown_away(&mut self) -> Vec<Thrown> {
        std::mem::take(&mut self.thrown)
    }

    /// When a record arrives that comes next in its partition, given what its reader says.
    pub(super) fn delayed(&self, i: usize, at: u64) -> u64 {
        let spells = &self.partitions[i].befallen.spells;
        if spells.is_empty() {
            return at;
        }
        let position = &self.position.partitions[i];
        let last = Some(position.last_arrival).filter(|_| position.offset > 0);
        let at = spells.iter().fold(at, |at, spell| spell.moves(at, last));
        // What lies behind a delayed record waits for it: a partition keeps its order.
        at.max(last.unwrap_or(0))
    }

    /// Goes to what the source hands out next: offsets tell which of it is known, and that is thrown away.
    pub(super) fn handed_out(&mut self, i: usize) -> Result<()> {
        if !self.partitions[i].befallen.any() {
            return Ok(());
        }
        let known = self.position.partitions[i].offset;
        let partition = &mut self.partitions[i];
        if seeded("a-regress-is-taken-for-a-redelivery")
            && let Some((end, read)) = partition.befallen.regressed.take()
        {
            for _ in end..read {
                partition.pass();
            }
        }
        let (mut first, mut records) = (None, 0);
        while let Some(offset) = partition.next_offset()? {
            if partition.befallen.withholds(offset) {
                if !seeded("a-gap-goes-unnoticed") {
                    break;
                }
            } else if offset < known && !seeded("what-comes-again-is-taken") {
                first.get_or_insert(offset);
                records += 1;
            } else {
                break;
            }
            partition.pass();
        }
        partition.befallen.again = false;
        let (source, number) = (partition.source, partition.number);
        if let Some(offset) = first {
            self.thrown.push(Thrown { source, partition: number, offset, records });
        }
        Ok(())
    }

    /// Makes sure that what comes next in a partition is there. A job asks for records by their offsets, so it hears
    /// when the turn of the first one comes that is lost; whoever took what the source has instead would lose
    /// records without a word. It hears, too, that a log ends before the offset that it asks for: records come again
    /// under known offsets only when the log has not become shorter.
    pub(super) fn complete(&mut self, i: usize) -> Result<()> {
        let partition = &mut self.partitions[i];
        let end = partition.befallen.regressed.map(|(end, _)| end);
        if end.is_some_and(|end| self.position.partitions[i].offset >= end) {
            return Err(regress(partition));
        }
        if partition.befallen.holes.is_empty() {
            return Ok(());
        }
        let expected = self.position.partitions[i].offset;
        match partition.next_offset()? {
            Some(offset) if partition.befallen.withholds(offset) => Err(gap(partition, expected)),
            _ => Ok(()),
        }
    }
}

/// The source has lost what the job has read of a partition.
fn regress(partition: &Partition) -> Error {
    let (end, read) = partition.befallen.regressed.expect("the caller has seen it");
    let called = &partition.befallen.called;
    let message = format!(
        "partition {called} ends at offset {end} where the job has come to offset {read}: the source has lost records \
         {end} to {} and gives their offsets to others",
        read - 1
    );
    Diagnostic::new("source.regressed", message).hint(
        "going on would mix what was read with what has taken its place: give the source its records back, or start \
         the job anew with what it has now",
    )
}

/// The source has lost what comes next in a partition.
fn gap(partition: &Partition, expected: u64) -> Error {
    let mut ahead = partition.clone();
    let mut behind = expected;
    let goes_on = loop {
        match ahead.next_offset() {
            Ok(Some(offset)) if ahead.befallen.withholds(offset) => behind = offset + 1,
            Ok(next) => break next.is_some(),
            // What lies behind can be looked at later.
            Err(_) => break true,
        }
        ahead.pass();
    };
    let called = &partition.befallen.called;
    let what = if goes_on { "goes on with" } else { "ends at" };
    let message = format!(
        "partition {called} {what} offset {behind} where offset {expected} comes next: the source has lost records \
         {expected} to {}",
        behind.saturating_sub(1)
    );
    Diagnostic::new("source.gap", message).hint(
        "going on would lose them silently: give the source its records back, or start the job anew with what is \
         left of them",
    )
}
