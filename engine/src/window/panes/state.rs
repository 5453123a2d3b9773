//! Panes as bytes in a snapshot, each by itself: one that has not changed is not encoded again.

use std::sync::Arc;

use super::{BLOCK, MISSING, Panes};
use crate::error::Result;
use crate::key::KeyGroups;
use crate::seeded::seeded;
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

    /// Takes in what a snapshot has of panes and of keys in these groups, besides what is there; `false` when it is of
    /// other keys or aggregates.
    ///
    /// # Errors
    /// `snapshot.corrupt` when the bytes are none of panes.
    pub(in crate::window) fn load(
        &mut self,
        reader: &mut Reader<'_>,
        own: KeyGroups,
    ) -> Result<bool> {
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
            for &id in &ids {
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
            let foreign = ids.iter().zip(slots).filter(|&(&id, _)| !self.keys.is_in(id, own));
            let foreign: Vec<u32> = foreign.map(|(_, slot)| slot).collect();
            self.leave_out(slice, &foreign);
        }
        if seeded("panes-forgotten") {
            self.empty();
        }
        Ok(true)
    }

    /// Clears slots of a pane, which has changed, and drops it when nothing is left in it.
    fn leave_out(&mut self, slice: i64, slots: &[u32]) {
        slots.iter().for_each(|&slot| self.set.clear(slot, slot + 1));
        let Some(pane) = self.panes.get_mut(&slice) else { return };
        pane.saved = None;
        let slots =
            |&(_, block): &(u32, u32)| (0..BLOCK as u32).map(move |i| block * BLOCK as u32 + i);
        if !pane.blocks.iter().flat_map(slots).any(|slot| self.set.rows(slot) > 0) {
            self.drop(slice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{AggregateCall, Function};
    use crate::batch::Batch;
    use crate::column::{from_values, millis};
    use crate::key::{KeyColumns, KeyOrder};
    use crate::numbers::Numbers;
    use crate::schema::{DataType, Field, Schema};
    use crate::time::Alignment;
    use crate::value::Value;

    fn add(panes: &mut Panes, rows: &[(i64, i64)]) {
        let column = |t: DataType, of: &dyn Fn(&(i64, i64)) -> Value| {
            from_values(&rows.iter().map(of).collect::<Vec<_>>(), t)
        };
        let columns = vec![
            column(DataType::BigInt, &|r| Value::BigInt(r.0)),
            column(DataType::Timestamp, &|r| Value::Timestamp(r.1)),
        ];
        let batch = Batch::new(schema(), columns, Numbers::run(1, rows.len()));
        let alignment = Alignment::new(10, 10, 0);
        panes.add(&batch, millis(&batch.columns[1]), (0, rows.len()), (&alignment, 0));
    }

    fn schema() -> crate::schema::SchemaRef {
        Schema::new(vec![Field::new("k", DataType::BigInt), Field::new("t", DataType::Timestamp)])
    }

    fn panes() -> Panes {
        let call = AggregateCall::of(Function::Max, Some(1));
        Panes::new(KeyColumns::new(&schema(), &[0]), KeyOrder::Value, &[call], &schema())
    }

    /// Where each piece lies.
    fn places(pieces: &Pieces) -> Vec<*const u8> {
        pieces.iter().map(<[u8]>::as_ptr).collect()
    }

    #[test]
    fn a_pane_that_has_not_changed_is_the_same_memory() {
        let mut panes = panes();
        add(&mut panes, &[(7, 1), (3, 2), (7, 15), (1, 21)]);
        let first = panes.save();
        let again = panes.save();
        assert_eq!(places(&first)[1..], places(&again)[1..], "nothing has changed");
        // Rows near each other, and rows far apart: each way of finding panes tells of what it changes.
        for (rows, changed) in [(&[(7, 12), (9, 13)][..], 2), (&[(3, 3), (3, 9_000)], 1)] {
            let before = panes.save();
            add(&mut panes, rows);
            let after = panes.save();
            for (i, (a, b)) in places(&before).iter().zip(places(&after)).enumerate().skip(1) {
                assert_eq!(*a != b, i == changed, "piece {i} after {rows:?}");
            }
            // What is shared is what would be encoded anew.
            let bytes = after.clone().concat();
            let mut fresh = self::panes();
            assert!(fresh.load(&mut Reader::new(&bytes), KeyGroups::ALL).expect("whole"));
            assert_eq!(fresh.save().concat(), bytes);
        }
    }

    #[test]
    fn panes_out_of_order_or_twice_are_refused() {
        let mut one = panes();
        add(&mut one, &[(7, 1)]);
        let pane = one.encode(0);
        let load = |count: u64, list: &[&[u8]]| {
            let bytes = [&count.to_le_bytes()[..], &list.concat()].concat();
            panes().load(&mut Reader::new(&bytes), KeyGroups::ALL).map_err(|e| e.code)
        };
        add(&mut one, &[(7, 11)]);
        let later = one.encode(1);
        assert_eq!(load(2, &[&pane, &later]), Ok(true));
        assert_eq!(load(2, &[&later, &pane]), Ok(false));
        assert_eq!(load(2, &[&pane, &pane]), Ok(false));
        assert_eq!(load(3, &[&pane, &later]), Err("snapshot.corrupt"));
    }
}
