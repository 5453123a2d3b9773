//! Open windows as bytes in a snapshot: columns of keys, numbers of windows, accumulators.

use super::TriggeredAggregate;
use super::open::{NONE, Open, Pane, Said, Timing};
use crate::error::Result;
use crate::key::KeyGroups;
use crate::snapshot::bytes::{Reader, put, put_signed};
use crate::time::EventTime;
use crate::window::trigger::State;
use crate::window::{Panes, WindowSpec};

/// The first bytes: what operator the state is of.
const MARK: u64 = u64::from_le_bytes(*b"trigger1");

impl TriggeredAggregate {
    /// Windows by key in the table's order, then by bounds.
    pub(super) fn encode(&mut self) -> Vec<u8> {
        debug_assert!(self.places.is_empty(), "a barrier stands behind complete places only");
        let mut ids = Vec::new();
        let mut all: Vec<&Open> = Vec::new();
        for &id in self.keys.in_order() {
            for open in self.open.get(id as usize).map_or(&[][..], Vec::as_slice) {
                ids.push(id);
                all.push(open);
            }
        }
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_signed(&mut out, self.watermark.0);
        put_signed(&mut out, self.clock);
        put(&mut out, self.next_window);
        put(&mut out, all.len() as u64);
        let mut slots = Vec::new();
        for open in all {
            encode_window(open, &mut out);
            slots.extend(Some(open.slot).filter(|&slot| slot != NONE));
            slots.extend(open.said.iter().map(|said| said.slot));
        }
        self.keys.save(&ids, &mut out);
        self.aggregates.save(&slots, &mut out);
        out
    }

    /// Takes that back; `false` when it is of another operator.
    pub(super) fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Ok(false);
        }
        self.watermark = EventTime(reader.signed()?);
        self.clock = reader.signed()?;
        let before = self.next_window;
        self.next_window = before.saturating_add(reader.number()?);
        if self.next_window >= MOST {
            return Ok(false);
        }
        let count = reader.count()?;
        let (mut all, mut slots) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let Some(mut open) = self.decode_window(&mut slots, &mut reader)? else {
                return Ok(false);
            };
            open.number += if open.number > 0 { before } else { 0 };
            all.push(open);
        }
        let Some(ids) = self.keys.load(count, &mut reader)? else { return Ok(false) };
        if !self.aggregates.load(&slots, &mut reader)? {
            return Ok(false);
        }
        reader.end()?;
        self.open.resize_with(self.keys.numbers(), Vec::new);
        for (&id, open) in ids.iter().zip(all) {
            if !self.keys.is_in(id, own) {
                let slots = open.said.iter().map(|said| said.slot).chain([open.slot]);
                for slot in slots.filter(|&slot| slot != NONE) {
                    self.aggregates.clear(slot, slot + 1);
                    self.free.push(slot);
                }
                continue;
            }
            let own = &mut self.open[id as usize];
            let bounds = (open.start, open.end);
            let apart = !matches!(self.spec, WindowSpec::Session { .. })
                || own.last().is_none_or(|o| o.end <= open.start);
            let behind = own.last().is_none_or(|o| (o.start, o.end) < bounds);
            if open.start > open.end || !apart || !behind {
                return Ok(false);
            }
            let window = (id, open.start, open.end);
            if let Some(deadline) = self.machine.deadline(&open.states) {
                self.deadlines.insert((deadline, window));
            }
            if open.asked {
                self.asked.push(window);
            }
            own.push(open);
            self.set_timers(window);
        }
        // What the watermark has passed has been told.
        self.ends =
            self.ends.split_off(&(self.watermark.0.saturating_add(1), (0, i64::MIN, i64::MIN)));
        Ok(true)
    }

    fn decode_window(
        &mut self,
        slots: &mut Vec<u32>,
        reader: &mut Reader<'_>,
    ) -> Result<Option<Open>> {
        let (start, end) = (reader.signed()?, reader.signed()?);
        let (fresh, panes, on_time) = (reader.number()?, reader.number()?, reader.number()?);
        let flags = reader.number()?;
        let number = reader.number()?;
        let mut slot = NONE;
        if flags & HELD > 0 {
            slot = self.new_slot();
            slots.push(slot);
        }
        let mut said = Vec::new();
        for _ in 0..reader.count()? {
            let (start, end) = (reader.signed()?, reader.signed()?);
            let (index, on_time_index) = (reader.number()?, reader.number()?);
            let how = reader.number()?;
            let Some(&timing) = Timing::ALL.get((how >> 1) as usize) else { return Ok(None) };
            let slot = self.new_slot();
            slots.push(slot);
            let pane = Pane { timing, index, on_time_index, last: how & 1 > 0 };
            said.push(Said { start, end, slot, pane });
        }
        let counts = [fresh, panes, on_time, number];
        let plain = counts.iter().all(|&count| count < MOST) && flags <= HELD | BORN_LATE | ASKED;
        let known = said.is_empty() || self.emission.panes == Panes::Retracting;
        if !plain || !known || reader.count()? != self.machine.len() {
            return Ok(None);
        }
        let mut states = self.machine.fresh();
        for state in &mut states {
            let (count, deadline) = (reader.number()?, reader.signed()?);
            if count >= MOST {
                return Ok(None);
            }
            *state = State { finished: reader.number()? > 0, count, deadline };
        }
        let (born_late, asked) = (flags & BORN_LATE > 0, flags & ASKED > 0);
        Ok(Some(Open {
            start,
            end,
            slot,
            fresh,
            panes,
            on_time,
            born_late,
            said,
            states,
            asked,
            number,
        }))
    }
}

/// More records and panes than any stream has.
const MOST: u64 = 1 << 48;

const HELD: u64 = 1;
const BORN_LATE: u64 = 2;
const ASKED: u64 = 4;

fn encode_window(open: &Open, out: &mut Vec<u8>) {
    put_signed(out, open.start);
    put_signed(out, open.end);
    [open.fresh, open.panes, open.on_time].into_iter().for_each(|n| put(out, n));
    let flag = |bit: u64, on: bool| if on { bit } else { 0 };
    let held = flag(HELD, open.slot != NONE);
    put(out, held | flag(BORN_LATE, open.born_late) | flag(ASKED, open.asked));
    put(out, open.number);
    put(out, open.said.len() as u64);
    for said in &open.said {
        put_signed(out, said.start);
        put_signed(out, said.end);
        put(out, said.pane.index);
        put(out, said.pane.on_time_index);
        put(out, ((said.pane.timing as u64) << 1) | u64::from(said.pane.last));
    }
    put(out, open.states.len() as u64);
    for state in &open.states {
        put(out, state.count);
        put_signed(out, state.deadline);
        put(out, state.finished.into());
    }
}
