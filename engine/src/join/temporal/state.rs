//! The state of a temporal join as bytes: keys with their versions, and the rows that wait.

use super::{NONE, TemporalJoin, Version, Waiting};
use crate::error::Result;
use crate::key::{KeyGroups, group_of, measure};
use crate::snapshot::bytes::{Reader, put, put_bytes, put_signed};
use crate::time::EventTime;
use crate::value::Value;

/// The first bytes: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"temporal");

impl TemporalJoin {
    pub(super) fn encode(&mut self) -> Vec<u8> {
        debug_assert!(!self.places.waits(), "a barrier stands behind complete places only");
        let mut held = vec![false; self.keys.numbers()];
        for (held, versions) in held.iter_mut().zip(&self.versions) {
            *held = !versions.is_empty();
        }
        let waiting = self.waiting.values().flatten().filter(|row| row.id != NONE);
        waiting.for_each(|row| held[row.id as usize] = true);
        let ids = self.keys.in_order().iter().copied();
        let ids: Vec<u32> = ids.filter(|&id| held[id as usize]).collect();
        let mut place = vec![u64::MAX; self.keys.numbers()];
        (0..).zip(&ids).for_each(|(at, &id)| place[id as usize] = at);
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_bytes(&mut out, &self.condition.guests());
        put_signed(&mut out, self.watermark.0);
        put(&mut out, ids.len() as u64);
        self.keys.save(&ids, &mut out);
        for versions in ids.iter().map(|&id| &self.versions[id as usize]) {
            put(&mut out, versions.len() as u64);
            for (time, version) in versions {
                put_signed(&mut out, *time);
                put(&mut out, version.seq);
                put(&mut out, version.row.is_some().into());
                put_bytes(&mut out, version.row.as_deref().unwrap_or_default());
            }
        }
        let mut waiting: Vec<_> = self.waiting.values().flatten().collect();
        waiting.sort_by_key(|row| row.arrival);
        put(&mut out, waiting.len() as u64);
        for row in waiting {
            put_signed(&mut out, row.time);
            put(&mut out, row.seq);
            put(&mut out, if row.id == NONE { u64::MAX } else { place[row.id as usize] });
            put_bytes(&mut out, &row.row);
        }
        out
    }

    /// Takes back what [`TemporalJoin::encode`] wrote; `false` when it is of another operator.
    pub(super) fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK || reader.bytes()? != self.condition.guests() {
            return Ok(false);
        }
        self.watermark = EventTime(reader.signed()?);
        let count = reader.count()?;
        let Some(ids) = self.keys.load(count, &mut reader)? else { return Ok(false) };
        self.versions.resize_with(self.keys.numbers(), Default::default);
        let sound = self.decode_versions(&ids, own, &mut reader)?;
        if !sound || !self.decode_waiting(&ids, own, &mut reader)? {
            return Ok(false);
        }
        reader.end()?;
        Ok(true)
    }

    fn decode_versions(
        &mut self,
        ids: &[u32],
        own: KeyGroups,
        reader: &mut Reader<'_>,
    ) -> Result<bool> {
        for &id in ids {
            for _ in 0..reader.count()? {
                let (time, seq) = (reader.signed()?, reader.number()?);
                let (some, row) = (reader.number()?, reader.bytes()?);
                if some > 1 || (some == 1 && measure(row, &self.types[1]) != Some(row.len())) {
                    return Ok(false);
                }
                if !self.keys.is_in(id, own) {
                    continue;
                }
                let row = (some == 1).then(|| row.into());
                self.versions[id as usize].insert(time, Version { row, seq });
                self.changes.insert((time, id));
            }
        }
        Ok(true)
    }

    fn decode_waiting(
        &mut self,
        ids: &[u32],
        own: KeyGroups,
        reader: &mut Reader<'_>,
    ) -> Result<bool> {
        for _ in 0..reader.count()? {
            let (time, seq) = (reader.signed()?, reader.number()?);
            self.arrivals += 1;
            let (place, row) = (reader.number()?, reader.bytes()?);
            let id = match place {
                u64::MAX => NONE,
                place => match ids.get(place as usize) {
                    Some(&id) => id,
                    None => return Ok(false),
                },
            };
            if measure(row, &self.types[0]) != Some(row.len()) {
                return Ok(false);
            }
            let all = crate::key::decode(row, &self.types[0]);
            let key: Vec<Value> = self.columns[0].columns.iter().map(|&c| all[c].clone()).collect();
            let (group, arrival) = (group_of(&key), self.arrivals);
            if !own.has(group) {
                continue;
            }
            let waiting = Waiting { id, group, time, seq, arrival, row: row.into() };
            self.waiting.entry(time).or_default().push(waiting);
        }
        Ok(true)
    }
}
