//! Open windows as bytes in a snapshot: keys with their windows, and accumulators.

use super::AttachedAggregate;
use crate::error::Result;
use crate::key::KeyGroups;
use crate::snapshot::bytes::{Reader, put, put_all, put_signed};
use crate::time::EventTime;
use crate::value::Value;
use crate::window::closed;

/// The first bytes: what operator the state is of.
const MARK: u64 = u64::from_le_bytes(*b"attache1");

impl AttachedAggregate {
    /// Keys and windows in the table's order.
    pub(super) fn encode(&mut self) -> Vec<u8> {
        let held = &self.held;
        let all = self.table.in_order().iter().copied();
        let ids: Vec<u32> = all.filter(|&id| held.get(id as usize).is_some_and(|h| h.0)).collect();
        let slots: Vec<u32> = ids.iter().map(|id| id + 1).collect();
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_signed(&mut out, self.watermark.0);
        put(&mut out, self.next_window);
        put(&mut out, ids.len() as u64);
        // Only the trace numbers windows.
        let numbers: Vec<u64> = ids.iter().map(|&id| held[id as usize].1).collect();
        let numbered = numbers.iter().any(|&number| number > 0);
        put(&mut out, numbered.into());
        put_all(&mut out, if numbered { &numbers } else { &[] });
        self.table.save(&ids, &mut out);
        self.aggregates.save(&slots, &mut out);
        out
    }

    /// Takes that back; `false` when it is of another operator, or of windows that cannot be open.
    pub(super) fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Ok(false);
        }
        self.watermark = EventTime(reader.signed()?);
        let before = self.next_window;
        self.next_window = before.saturating_add(reader.number()?);
        let count = reader.count()?;
        let numbered = reader.number()? > 0;
        let numbers: Vec<u64> = reader.numbers(if numbered { count } else { 0 })?.collect();
        let Some(ids) = self.table.load(count, &mut reader)? else { return Ok(false) };
        self.reach();
        let slots: Vec<u32> = ids.iter().map(|id| id + 1).collect();
        if !self.aggregates.load(&slots, &mut reader)? {
            return Ok(false);
        }
        reader.end()?;
        for (i, &id) in ids.iter().enumerate() {
            let Some((start, end)) = self.window_of(id) else { return Ok(false) };
            if closed(end, self.watermark) {
                return Ok(false);
            }
            let key = self.table.key(id);
            if !own.has_key(&key[..key.len() - 2]) {
                self.aggregates.clear(id + 1, id + 2);
                continue;
            }
            self.open.entry((end, start)).or_default().push(id);
            self.held[id as usize] =
                (true, numbers.get(i).map_or(0, |number| before.saturating_add(*number)));
        }
        Ok(true)
    }

    /// The window of a number, which stands behind its key.
    fn window_of(&self, id: u32) -> Option<(i64, i64)> {
        let millis = |value: &Value| match value {
            Value::Timestamp(ms) | Value::TimestampLtz(ms) => Some(*ms),
            _ => None,
        };
        match self.table.key(id).as_slice() {
            [.., start, end] => Some((millis(start)?, millis(end)?)),
            _ => None,
        }
    }
}
