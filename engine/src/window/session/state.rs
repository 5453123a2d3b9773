//! Open sessions as bytes in a snapshot: columns of keys, bounds and accumulators.

use super::{Session, SessionAggregate, Sessions};
use crate::error::Result;
use crate::key::KeyGroups;
use crate::seeded::seeded;
use crate::snapshot::bytes::{Reader, put, put_all, put_signed};
use crate::time::EventTime;
use crate::window::timers::Timer;

/// The first bytes: what operator the state is of.
const MARK: u64 = u64::from_le_bytes(*b"session1");

impl SessionAggregate {
    /// Sessions by key in the table's order, then by start.
    pub(super) fn encode(&mut self) -> Vec<u8> {
        let mut ids = Vec::new();
        let mut sessions: Vec<Session> = Vec::new();
        for &id in self.keys.in_order() {
            // A key that has just come may have no place yet.
            for &session in self.open.get(id as usize).map_or(&[][..], Sessions::all) {
                ids.push(id);
                sessions.push(session);
            }
        }
        let slots: Vec<u32> = sessions.iter().map(|s| s.slot).collect();
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_signed(&mut out, self.watermark.0);
        put(&mut out, self.next_window);
        put(&mut out, sessions.len() as u64);
        sessions.iter().for_each(|s| put_signed(&mut out, s.start));
        sessions.iter().for_each(|s| put_signed(&mut out, s.end));
        // Only the trace numbers windows.
        let numbers: Vec<u64> = slots.iter().map(|&slot| self.windows[slot as usize]).collect();
        let numbered = numbers.iter().any(|&number| number > 0);
        put(&mut out, numbered.into());
        put_all(&mut out, if numbered { &numbers } else { &[] });
        self.keys.save(&ids, &mut out);
        self.aggregates.save(&slots, &mut out);
        out
    }

    /// Takes that back; `false` when it is of another operator, or of sessions that cannot be open side
    /// by side.
    pub(super) fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Ok(false);
        }
        self.watermark = EventTime(reader.signed()?);
        let before = self.next_window;
        self.next_window = before.saturating_add(reader.number()?);
        let count = reader.count()?;
        let starts: Vec<i64> = reader.numbers(count)?.map(|n| n as i64).collect();
        let ends: Vec<i64> = reader.numbers(count)?.map(|n| n as i64).collect();
        let numbered = reader.number()? > 0;
        let numbers: Vec<u64> = reader.numbers(if numbered { count } else { 0 })?.collect();
        let Some(ids) = self.keys.load(count, &mut reader)? else { return Ok(false) };
        let slots: Vec<u32> = ids.iter().map(|_| self.new_slot()).collect();
        if !self.aggregates.load(&slots, &mut reader)? {
            return Ok(false);
        }
        reader.end()?;
        self.open.resize_with(self.keys.numbers(), Sessions::default);
        for (i, (&id, &slot)) in ids.iter().zip(&slots).enumerate() {
            let session = Session { start: starts[i], end: ends[i], slot };
            if !self.keys.is_in(id, own) {
                self.aggregates.clear(slot, slot + 1);
                self.free.push(slot);
                continue;
            }
            let open = &mut self.open[id as usize];
            let behind = open.all().last().is_none_or(|last| last.end < session.start);
            if session.start > session.end || !behind {
                return Ok(false);
            }
            let at = open.all().len();
            open.splice(at, 0, Some(session));
            if !seeded("timers-forgotten") {
                self.timers.set(Timer { end: session.end, key: id, slot });
            }
            self.windows[slot as usize] =
                numbers.get(i).map_or(0, |number| before.saturating_add(*number));
        }
        Ok(true)
    }
}
