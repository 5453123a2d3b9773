//! The state of a regular join as bytes: keys, and for each the rows of both sides.

use super::RegularJoin;
use crate::batch::NO_CLOCK;
use crate::error::Result;
use crate::key::{KeyGroups, measure};
use crate::snapshot::bytes::{Reader, put, put_bytes, put_signed};

/// The first bytes: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"regular1");

impl RegularJoin {
    pub(super) fn encode(&mut self) -> Vec<u8> {
        debug_assert!(!self.places.waits(), "a barrier stands behind complete places only");
        let ids = self.keys.in_order().iter().copied();
        let held = |&id: &u32| self.sides.iter().any(|side| !side.of(id).is_empty());
        let ids: Vec<u32> = ids.filter(held).collect();
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_bytes(&mut out, &self.condition.guests());
        if let Some(ages) = &self.ages {
            put_signed(&mut out, ages.now());
        }
        put(&mut out, ids.len() as u64);
        self.keys.save(&ids, &mut out);
        for (s, side) in self.sides.iter().enumerate() {
            for rows in ids.iter().map(|&id| side.of(id)) {
                put(&mut out, rows.len() as u64);
                for &row in rows {
                    put_bytes(&mut out, side.bytes(row));
                    put(&mut out, side.seq(row));
                    if self.kind.counted(s) {
                        put(&mut out, side.partners(row).into());
                    }
                    if let Some(ages) = &self.ages {
                        put_signed(&mut out, ages.written(row * 2 + s as u32));
                    }
                }
            }
        }
        out
    }

    /// Takes back what [`RegularJoin::encode`] wrote; `false` when it is of another operator.
    pub(super) fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK || reader.bytes()? != self.condition.guests() {
            return Ok(false);
        }
        let now = if self.ages.is_some() { reader.signed()? } else { NO_CLOCK };
        let mut times = Vec::new();
        let count = reader.count()?;
        let Some(ids) = self.keys.load(count, &mut reader)? else { return Ok(false) };
        for s in 0..2 {
            self.sides[s].reach(self.keys.numbers());
            for &id in &ids {
                for _ in 0..reader.count()? {
                    let (row, seq) = (reader.bytes()?, reader.number()?);
                    let side = &mut self.sides[s];
                    if measure(row, &side.types) != Some(row.len()) {
                        return Ok(false);
                    }
                    let partners = if self.kind.counted(s) { reader.number()? } else { 0 };
                    let Ok(partners) = u32::try_from(partners) else { return Ok(false) };
                    let written = if self.ages.is_some() { reader.signed()? } else { NO_CLOCK };
                    if !self.keys.is_in(id, own) {
                        continue;
                    }
                    let number = side.add(id, row, seq);
                    if self.kind.counted(s) {
                        side.count(number, partners.into());
                    }
                    times.push((written, number * 2 + s as u32));
                }
            }
        }
        if let Some(ages) = &mut self.ages {
            ages.restore(now, times);
            return reader.end().map(|()| true);
        }
        let partners = |s: usize, id: u32| {
            let most = self.sides[1 - s].of(id).len() as u32;
            self.sides[s].of(id).iter().all(|&row| self.sides[s].partners(row) <= most)
        };
        if !ids.iter().all(|&id| partners(0, id) && partners(1, id)) {
            return Ok(false);
        }
        reader.end()?;
        Ok(true)
    }
}
