//! Watermarks: the greatest proposal a partition, the least of the active partitions over a source.

use rkyv::{Archive, Deserialize, Serialize};

use crate::batch::NO_CLOCK;
use crate::seeded::seeded;
use crate::time::{EventTime, VirtualTime};

/// When the stream says what time it is: at each tick, operators that wait for processing time, or for the end
/// of a micro-batch, look at what they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// Never: nobody asks.
    #[default]
    None,
    /// When a record arrives after the next multiple of so many milliseconds: the clock says this multiple.
    /// Processing time goes on with records, on all hosts alike: their arrivals are part of the input.
    Time(i64),
    /// After so many records of all sources together: the clock counts micro-batches.
    Records(u64),
}

impl Clock {
    /// What the clock says when a record arrives at `arrival` behind so many others of all sources.
    pub fn at(self, arrival: VirtualTime, records: u64) -> i64 {
        match self {
            Clock::None => NO_CLOCK,
            Clock::Time(step) => {
                let millis = (arrival.0 / 1000) as i64;
                millis - millis % step.max(1)
            }
            Clock::Records(count) => (records / count.max(1)) as i64,
        }
    }
}

/// When a source says how far its watermark is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// When what records have moved is said.
    pub at: Said,
    /// Whether the watermark also goes on as time does, from the record on that moved it last.
    pub runs: bool,
}

/// When a watermark that has moved is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Said {
    /// At once.
    #[default]
    EachRecord,
    /// At the clock's next tick.
    EachTick,
    /// Not before the input ends.
    AtEnd,
    /// At the first tick behind each multiple of so many milliseconds.
    Every(i64),
}

/// What a partition is doing.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It holds the watermark to its own.
    Active,
    /// It said nothing for the idle timeout: it holds nothing back until it speaks again.
    Idle,
    /// Its input has ended: it never holds anything back again.
    Finished,
}

/// The watermark of several partitions or inputs: the least of those that are active. It never falls.
///
/// With no active one left it stays where it is; the source moves it to the end of time once all its
/// partitions have finished.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct MinWatermark {
    parts: Vec<(i64, Activity)>,
    current: i64,
}

impl MinWatermark {
    /// All parts active, nothing known.
    pub fn new(parts: usize) -> MinWatermark {
        MinWatermark { parts: vec![(i64::MIN, Activity::Active); parts], current: i64::MIN }
    }

    /// That of parts each of which stands for some of these.
    pub fn dealt(all: &[&MinWatermark], parts: &[Vec<usize>]) -> MinWatermark {
        let part = |of: &Vec<usize>| {
            let those = all.iter().flat_map(|one| of.iter().map(|&part| one.parts[part]));
            let least = those.clone().map(|(watermark, _)| watermark).min();
            let is = |activity: Activity| those.clone().any(|(_, own)| own == activity);
            let known = [Activity::Active, Activity::Idle].into_iter().find(|&a| is(a));
            (least.unwrap_or(i64::MIN), known.unwrap_or(Activity::Finished))
        };
        let current = all.iter().map(|one| one.current).min().unwrap_or(i64::MIN);
        MinWatermark { parts: parts.iter().map(part).collect(), current }
    }

    /// What is known of time where everything else begins anew: no part is behind where all were, and nobody has been told
    /// yet.
    #[must_use]
    pub fn begun_again(&self) -> MinWatermark {
        let parts = self.parts.iter().map(|&(part, activity)| (part.max(self.current), activity));
        MinWatermark { parts: parts.collect(), current: i64::MIN }
    }

    /// The watermark over all parts.
    pub fn current(&self) -> EventTime {
        EventTime(self.current)
    }

    /// One part's own watermark.
    pub fn part(&self, part: usize) -> EventTime {
        EventTime(self.parts[part].0)
    }

    /// What one part is doing.
    pub fn activity(&self, part: usize) -> Activity {
        self.parts[part].1
    }

    /// How many parts there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// True without parts.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Raises a part's own watermark; true when that part's watermark moved.
    pub fn propose(&mut self, part: usize, watermark: EventTime) -> bool {
        let moved = watermark.0 > self.parts[part].0;
        if moved {
            self.parts[part].0 = watermark.0;
        }
        moved
    }

    /// Notes what a part is doing; true when that changed.
    pub fn set_activity(&mut self, part: usize, activity: Activity) -> bool {
        std::mem::replace(&mut self.parts[part].1, activity) != activity
    }

    /// The new watermark over all parts, if it moved.
    pub fn advance(&mut self) -> Option<EventTime> {
        let idle = seeded("the-idle-hold-back");
        let holds =
            |p: &&(i64, Activity)| p.1 == Activity::Active || (idle && p.1 == Activity::Idle);
        let active = self.parts.iter().filter(holds);
        let all = active.map(|p| p.0);
        let least = if seeded("the-fastest-partition-leads") { all.max() } else { all.min() }?;
        (least > self.current).then(|| {
            self.current = least;
            EventTime(least)
        })
    }

    /// Moves to the end of time: nothing will come any more.
    pub fn finish(&mut self) -> Option<EventTime> {
        (self.current < i64::MAX).then(|| {
            self.current = i64::MAX;
            EventTime::MAX
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_active_partition_holds_the_rest() {
        let mut w = MinWatermark::new(2);
        assert!(w.propose(0, EventTime(10)));
        assert_eq!(w.advance(), None, "partition 1 has said nothing");
        assert!(w.propose(1, EventTime(4)));
        assert_eq!(w.advance(), Some(EventTime(4)));
        assert!(!w.propose(1, EventTime(3)), "a watermark never falls");
        assert!(w.set_activity(1, Activity::Idle));
        assert_eq!(w.advance(), Some(EventTime(10)));
        w.set_activity(1, Activity::Active);
        assert_eq!(w.advance(), None, "waking up does not take the watermark back");
        w.set_activity(0, Activity::Idle);
        w.set_activity(1, Activity::Idle);
        assert_eq!(w.advance(), None, "all idle: it stays");
        assert_eq!(w.finish(), Some(EventTime::MAX));
    }
}
