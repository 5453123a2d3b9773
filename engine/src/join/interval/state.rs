//! A join's buffered rows as bytes in a snapshot: frames of columns.

use super::IntervalJoin;
use crate::batch::Batch;
use crate::column::millis;
use crate::error::Result;
use crate::key::KeyGroups;
use crate::snapshot::bytes::{Reader, put, put_signed};
use crate::snapshot::rows::{put_rows, read_rows};
use crate::time::EventTime;

/// The first bytes: what operator the state is of.
const MARK: u64 = u64::from_le_bytes(*b"ivjoin_1");

impl IntervalJoin {
    /// The rows of either side that are needed: by key, then as they came.
    pub(super) fn encode(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_signed(&mut out, self.watermark.0);
        for side in 0..2 {
            put_rows(&mut out, &self.needed(side), false);
        }
        out
    }

    /// The rows of a side that are needed, by key, then as they came.
    pub(super) fn needed(&self, side: usize) -> Batch {
        let dead = self.bounds.dead(side, self.watermark);
        let held = self.rings.rows(side).filter(|&(_, time, _)| time >= dead);
        let mut held: Vec<(u32, u32)> = held.map(|(id, _, row)| (id, row)).collect();
        self.keys.sort_by_key(&mut held, |&(id, _)| id);
        let rows: Vec<u32> = held.into_iter().map(|(_, row)| row).collect();
        self.rows[side].batch(&rows)
    }

    /// Takes that back; `false` when it is of another operator or of rows that no join keeps.
    pub(super) fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Ok(false);
        }
        let watermark = EventTime(reader.signed()?);
        let mut sides: Vec<Batch> = Vec::new();
        for side in 0..2 {
            match read_rows(&mut reader, &self.inputs[side])? {
                Some(batch) if batch.kinds.is_none() => {
                    sides.push(own.rows(&self.columns[side], batch));
                }
                _ => return Ok(false),
            }
        }
        reader.end()?;
        for (side, batch) in sides.iter().enumerate() {
            let piece = self.piece(side, batch);
            if piece.place.is_some() {
                return Ok(false);
            }
            let times = millis(&piece.batch.columns[self.times[side]]);
            for (row, (&time, &id)) in (piece.first..).zip(times.iter().zip(&piece.ids)) {
                self.rings.put(side, id, (time, row));
            }
            if let Some(&newest) = times.iter().max() {
                self.rows[side].need(piece.first, newest);
            }
        }
        self.watermark = watermark;
        self.swept = self.rings.used();
        Ok(true)
    }
}
