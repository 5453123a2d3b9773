//! Panes as bytes in a snapshot, each by itself: one that has not changed is not encoded again.

use std::sync::Arc;

use super::{BLOCK, MISSING, Panes};
use crate::error::Result;
use crate::snapshot::bytes::{Pieces, Reader, put, put_signed};

impl Panes {
    /// All panes, by time: for each its slice, how many keys, the keys in the table's order, their
    /// accumulators.
    pub(in crate::window) fn save(&mut self) -> Pieces {
        let slices: Vec<i64> = self.panes.keys().copied().collect();
        let mut pieces = Pieces::from((slices.len() as u64).to_le_bytes().to_vec());
        for slice in slices {
            let saved = match self.panes.get(&slice).and_then(|pane| pane.saved.clone()) {
                Some(saved) => saved,
                None => Arc::new(self.encode(slice)),
            };
            if let Some(pane) = self.panes.get_mut(&slice) {
                pane.saved = Some(Arc::clone(&saved));
            }
            pieces.share(saved);
        }
        pieces
    }

    fn encode(&mut self, slice: i64) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(pane) = self.panes.get(&slice) else { return out };
        let (from, blocks) = (pane.row * self.stride, pane.blocks.len());
        let table = self.tables[from..from + self.stride].to_vec();
        let merged = self.collect(&table, blocks, Vec::new());
        put_signed(&mut out, slice);
        put(&mut out, merged.ids.len() as u64);
        self.keys.save(&merged.ids, &mut out);
        self.set.save(&merged.slots, &mut out);
        out
    }

    /// Takes the panes of a snapshot back in place of those there are; `false` when they are of other keys
    /// or aggregates.
    ///
    /// # Errors
    /// `snapshot.corrupt` when the bytes are none of panes.
    pub(in crate::window) fn load(&mut self, reader: &mut Reader<'_>) -> Result<bool> {
        self.empty();
        let mut last = None;
        for _ in 0..reader.count()? {
            let slice = reader.signed()?;
            let count = reader.count()?;
            if count == 0 || last.replace(slice).is_some_and(|last| last >= slice) {
                return Ok(false);
            }
            let Some(ids) = self.keys.load(count, reader)? else { return Ok(false) };
            self.reach();
            let mut slots = Vec::with_capacity(ids.len());
            for id in ids {
                let (place, at) = (id as usize / BLOCK, id as usize % BLOCK);
                let block = match self.tables[self.base(slice) + place] {
                    MISSING => self.block(slice, place),
                    block => block,
                };
                slots.push(block * BLOCK as u32 + at as u32);
            }
            if !self.set.load(&slots, reader)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
