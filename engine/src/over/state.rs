//! The state as bytes: the rows that wait, partitions with their accumulators, and the rows in their frames.

use super::Frame;
use super::aggregate::{Due, OverAggregate};
use crate::column::millis;
use crate::error::Result;
use crate::key::KeyGroups;
use crate::snapshot::bytes::{Reader, put, put_signed};
use crate::snapshot::rows::{put_rows, read_rows};
use crate::time::EventTime;

/// The first bytes: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"overagg1");

/// A frame as three numbers.
fn of_frame(frame: Frame) -> [u64; 3] {
    match frame {
        Frame::Rows(before) => [0, before.is_some().into(), before.unwrap_or(0)],
        Frame::Range(before) => [1, before.is_some().into(), before.unwrap_or(0) as u64],
    }
}

impl OverAggregate {
    pub(super) fn encode(&mut self) -> Vec<u8> {
        debug_assert!(self.places.is_empty(), "a barrier stands behind complete places only");
        let ids = self.table.in_order().iter().copied();
        let ids: Vec<u32> = ids.filter(|&id| self.aggregates.rows(id) > 0).collect();
        let mut out = Vec::new();
        put(&mut out, MARK);
        of_frame(self.frame).into_iter().for_each(|number| put(&mut out, number));
        put_signed(&mut out, self.watermark.0);
        put_rows(&mut out, &self.waiting.all(), false);
        put(&mut out, ids.len() as u64);
        self.table.save(&ids, &mut out);
        self.aggregates.save(&ids, &mut out);
        // The rows in frames as they came in, each with its partition's place in that list.
        let mut rows: Vec<(u64, u64, i64)> = Vec::new();
        for (place, &id) in (0..).zip(&ids) {
            let frame = self.partitions[id as usize].frame.iter();
            rows.extend(frame.map(|&(time, number)| (number, place, time)));
        }
        rows.sort();
        put_rows(&mut out, &self.framed.all(), false);
        for (_, place, time) in rows {
            put(&mut out, place);
            put_signed(&mut out, time);
        }
        if !self.lags.is_empty() {
            self.encode_lags(&ids, &mut out);
        }
        out
    }

    /// The rows that LAG sees, in the same way.
    fn encode_lags(&mut self, ids: &[u32], out: &mut Vec<u8>) {
        let mut rows: Vec<(u64, u64)> = Vec::new();
        for (place, &id) in (0..).zip(ids) {
            let before = self.partitions[id as usize].before.iter();
            rows.extend(before.map(|&number| (number, place)));
        }
        rows.sort();
        put_rows(out, &self.lags.rows.all(), false);
        rows.iter().for_each(|&(_, place)| put(out, place));
    }

    fn decode_lags(
        &mut self,
        ids: &[u32],
        own: KeyGroups,
        reader: &mut Reader<'_>,
    ) -> Result<bool> {
        let Some(rows) = read_rows(reader, self.lags.rows.schema())? else { return Ok(false) };
        let mut kept = Vec::new();
        for row in 0..rows.rows as u32 {
            let place = usize::try_from(reader.number()?).ok();
            let Some(&id) = place.and_then(|place| ids.get(place)) else { return Ok(false) };
            if !self.table.is_in(id, own) {
                continue;
            }
            let number = self.lags.rows.next() + kept.len() as u64;
            kept.push(row);
            let before = &mut self.partitions[id as usize].before;
            before.push_back(number);
            if before.len() as u64 > self.lags.most() {
                return Ok(false);
            }
        }
        self.lags.rows.push(if kept.len() == rows.rows { rows } else { rows.gather(&kept) });
        Ok(true)
    }

    /// Takes back what [`OverAggregate::encode`] wrote; `false` when it is of another operator.
    pub(super) fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Ok(false);
        }
        for number in of_frame(self.frame) {
            if reader.number()? != number {
                return Ok(false);
            }
        }
        self.watermark = EventTime(reader.signed()?);
        let Some(waiting) = read_rows(&mut reader, self.waiting.schema())? else {
            return Ok(false);
        };
        let count = reader.count()?;
        let Some(ids) = self.table.load(count, &mut reader)? else { return Ok(false) };
        self.grow();
        if !self.aggregates.load(&ids, &mut reader)?
            || !self.decode_frames(&ids, own, &mut reader)?
        {
            return Ok(false);
        }
        if !self.lags.is_empty() && !self.decode_lags(&ids, own, &mut reader)? {
            return Ok(false);
        }
        reader.end()?;
        for &id in ids.iter().filter(|&&id| !self.table.is_in(id, own)) {
            self.aggregates.clear(id, id + 1);
        }
        let waiting = own.rows(&self.kept_keys, waiting);
        if waiting.columns[self.kept_time].null_count() > 0 || waiting.kinds.is_some() {
            return Ok(false);
        }
        self.table.intern(&self.kept_keys, &waiting, (0, waiting.rows), &mut self.ids);
        self.grow();
        let groups = self.kept_keys.groups(&waiting);
        let first = self.waiting.next();
        for (row, &time) in millis(&waiting.columns[self.kept_time]).iter().enumerate() {
            let (id, group, seq) = (self.ids[row], groups[row], waiting.seqs.at(row));
            self.wait(Due { time, number: first + row as u64, id, group, seq });
        }
        self.waiting.push(waiting);
        Ok(true)
    }

    /// The rows in frames. Those of a partition are all that its accumulators have taken in.
    fn decode_frames(
        &mut self,
        ids: &[u32],
        own: KeyGroups,
        reader: &mut Reader<'_>,
    ) -> Result<bool> {
        let Some(rows) = read_rows(reader, self.framed.schema())? else { return Ok(false) };
        let mut kept = Vec::new();
        for row in 0..rows.rows as u32 {
            let (place, time) = (reader.number()?, reader.signed()?);
            let id = usize::try_from(place).ok().and_then(|place| ids.get(place));
            let Some(&id) = id else { return Ok(false) };
            if !self.table.is_in(id, own) {
                continue;
            }
            let number = self.framed.next() + kept.len() as u64;
            kept.push(row);
            let partition = &mut self.partitions[id as usize];
            if partition.last().is_some_and(|last| time < last) {
                return Ok(false);
            }
            partition.frame.push_back((time, number));
        }
        self.framed.push(if kept.len() == rows.rows { rows } else { rows.gather(&kept) });
        let bounded = self.frame.is_bounded();
        for &id in ids {
            if !self.table.is_in(id, own) {
                continue;
            }
            let count = self.partitions[id as usize].frame.len() as u64;
            if count != if bounded { self.aggregates.rows(id) } else { 0 } {
                return Ok(false);
            }
            self.enter_end(id);
        }
        Ok(true)
    }
}
