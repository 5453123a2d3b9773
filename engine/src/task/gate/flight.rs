//! What stands in a gate when its task writes its state before all barriers have come: it is in flight, and goes
//! into the snapshot.

use super::{Channel, Element, Gate};
use crate::batch::{Batch, Seq, Stair};
use crate::error::Result;
use crate::operator::wrong_state;
use crate::seeded::seeded;
use crate::snapshot::bytes::{Reader, put, put_signed};
use crate::snapshot::corrupt;
use crate::snapshot::rows::{put_rows, read_rows};
use crate::time::EventTime;

/// What waits in a gate.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The clock has moved, and nobody behind the gate has been told.
    pub ticked: bool,
    /// By channel, its number at the gate.
    pub channels: Vec<Vec<Batch>>,
}

impl Gate {
    /// Whether everything that has been let through is of places that are complete. Operators write their state at
    /// such moments only.
    pub fn complete(&self) -> bool {
        self.passed <= self.upto
    }

    /// Up to which place everything has been let through.
    pub fn upto(&self) -> Seq {
        self.upto
    }

    /// What waits here, with what has been taken of it left out.
    pub fn held(&self) -> Held {
        let waits = |channel: &Channel| {
            if seeded("what-waits-at-a-gate-is-not-kept") {
                return Vec::new();
            }
            let (row, stair) = (channel.row, channel.stair);
            let batches = channel.queue.iter().map(|element| match element {
                Element::Batch(batch) => batch.clone(),
                _ => unreachable!("barriers that overtake stand in no queue"),
            });
            let mut batches: Vec<Batch> = batches.collect();
            if let Some(front) = batches.first_mut() {
                let step = |s: &Stair| Stair { row: s.row.saturating_sub(row as u32), ..*s };
                let stairs = front.stairs[stair..].iter().map(step).collect();
                *front = Batch { stairs, ..front.slice(row, front.rows) };
            }
            batches
        };
        Held { ticked: self.ticked, channels: self.channels.iter().map(waits).collect() }
    }

    /// Has it wait here again, behind what does.
    ///
    /// # Errors
    /// `snapshot.corrupt` or `snapshot.mismatch` for bytes that [`put_held`] has not written for such a gate.
    pub fn hold(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.ticked = reader.number()? != 0;
        let channels = reader.count()?;
        if channels != self.channels.len() {
            return Err(wrong_state("a gate"));
        }
        for c in 0..channels {
            let schema = self.schemas[self.channels[c].input].clone();
            for _ in 0..reader.count()? {
                let (upto, count) = (reader.number()?, reader.count()?);
                let stairs = (0..count).map(|_| read_stair(reader)).collect::<Result<Vec<_>>>()?;
                let rows = read_rows(reader, &schema)?.ok_or_else(|| wrong_state("a gate"))?;
                let rises = |pair: &[Stair]| pair[0].row <= pair[1].row;
                let inside = stairs.last().is_none_or(|last| last.row as usize <= rows.rows);
                if !inside || !stairs.windows(2).all(rises) || !rows.seqs.iter().is_sorted() {
                    return Err(corrupt("what was in flight has no order"));
                }
                self.push(c, Element::Batch(Batch { stairs, upto, ..rows }));
            }
        }
        Ok(())
    }
}

/// Writes what [`Gate::hold`] reads.
pub fn put_held(out: &mut Vec<u8>, held: &Held) {
    put(out, held.ticked.into());
    put(out, held.channels.len() as u64);
    for batches in &held.channels {
        put(out, batches.len() as u64);
        for batch in batches {
            put(out, batch.upto);
            put(out, batch.stairs.len() as u64);
            for stair in &batch.stairs {
                put(out, stair.row.into());
                put_signed(out, stair.watermark.0);
                put(out, stair.seq);
                put(out, stair.idle.into());
                put_signed(out, stair.clock);
            }
            put_rows(out, batch, batch.kinds.is_some());
        }
    }
}

fn read_stair(reader: &mut Reader<'_>) -> Result<Stair> {
    let row =
        u32::try_from(reader.number()?).map_err(|_| corrupt("a step stands behind all rows"))?;
    let watermark = EventTime(reader.signed()?);
    let seq = reader.number()?;
    let idle = reader.number()? != 0;
    Ok(Stair { row, watermark, seq, idle, clock: reader.signed()? })
}
