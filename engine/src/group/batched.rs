//! A changelog by micro-batches: of each key only what it was before and what it is behind the batch.

use std::sync::Arc;

use super::GroupAggregate;
use crate::batch::{Batch, NO_CLOCK, RowKind, Stair};
use crate::column::{differ, take};
use crate::error::Result;
use crate::key::{KeyColumns, KeyGroups, KeyOrder, KeyTable};
use crate::operator::{Contents, Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::bytes::{Pieces, Reader, put, put_bytes, put_signed};
use crate::snapshot::rows::{put_rows, read_rows};
use crate::time::EventTime;

/// A running aggregate whose changes leave at the clock's ticks: for each key that has changed, the row before
/// the first change is taken back and the row after the last is said, and nothing in between.
#[derive(Clone)]
pub struct BatchedAggregate {
    name: String,
    inner: GroupAggregate,
    keys: KeyColumns,
    output: SchemaRef,
    /// Changes since the last tick.
    held: Vec<Batch>,
    clock: i64,
}

/// The first bytes of its state: what operator it is of.
const MARK: u64 = u64::from_le_bytes(*b"batched1");

impl BatchedAggregate {
    /// The changes of `inner`, whose rows look like `output` and have their keys in the first `keys` columns.
    pub fn new(name: &str, inner: GroupAggregate, keys: usize, output: &SchemaRef) -> Self {
        BatchedAggregate {
            name: name.to_owned(),
            inner,
            keys: KeyColumns::new(output, &(0..keys).collect::<Vec<_>>()),
            output: Arc::clone(output),
            held: Vec::new(),
            clock: NO_CLOCK,
        }
    }

    /// Takes in what has changed, and says it at ticks and at the end of the stream.
    fn fold(&mut self, batch: Batch, out: &mut Output) {
        let mut from = 0;
        let (mut said, mut stairs) = (Vec::new(), Vec::new());
        let mut rows = 0;
        for stair in &batch.stairs {
            let ends = stair.watermark == EventTime::MAX;
            if stair.clock > self.clock || ends {
                self.clock = self.clock.max(stair.clock);
                self.hold(batch.slice(from, stair.row as usize));
                from = stair.row as usize;
                if let Some(changes) = self.changes(stair) {
                    rows += changes.rows as u32;
                    said.push(changes);
                }
            }
            stairs.push(Stair { row: rows, ..*stair });
        }
        self.hold(batch.slice(from, batch.rows));
        out.batches.push(match said.is_empty() {
            true => Batch::progress(self.output.clone(), stairs, batch.upto),
            false => Batch { stairs, upto: batch.upto, ..Batch::concat(&said) },
        });
    }

    fn hold(&mut self, batch: Batch) {
        if batch.rows > 0 {
            self.held.push(batch);
        }
    }

    /// What the held changes come to, by key group; `None` when that is nothing.
    fn changes(&mut self, stair: &Stair) -> Option<Batch> {
        let held = std::mem::take(&mut self.held);
        let all = if held.is_empty() { return None } else { Batch::concat(&held) };
        let mut table = KeyTable::new(&self.keys.types, KeyOrder::Group);
        let mut ids = Vec::new();
        table.intern(&self.keys, &all, (0, all.rows), &mut ids);
        let mut ends: Vec<Option<(u32, u32)>> = vec![None; table.numbers()];
        for (&id, row) in ids.iter().zip(0_u32..) {
            let (_, last) = ends[id as usize].get_or_insert((row, row));
            *last = row;
        }
        let (mut picks, mut kinds) = (Vec::new(), Vec::new());
        let order: Vec<u32> = table.in_order().to_vec();
        for (first, last) in order.iter().filter_map(|&id| ends[id as usize]) {
            let before = all.kind(first as usize);
            let taken = matches!(before, RowKind::UpdateBefore | RowKind::Delete);
            let stays = matches!(all.kind(last as usize), RowKind::Insert | RowKind::UpdateAfter);
            if taken {
                picks.push(first);
                kinds.push(if stays { RowKind::UpdateBefore } else { RowKind::Delete });
            }
            if stays {
                let new = before == RowKind::Insert;
                picks.push(last);
                kinds.push(if new { RowKind::Insert } else { RowKind::UpdateAfter });
            }
        }
        let made = all.gather(&picks);
        let kept = changed(&made, &kinds);
        let kinds: Vec<RowKind> = kept.iter().map(|&i| kinds[i as usize]).collect();
        let columns = made.columns.iter().map(|c| take(c, &kept)).collect();
        let seqs = crate::numbers::Numbers::same(stair.seq, kept.len());
        let made = Batch::new(self.output.clone(), columns, seqs);
        (made.rows > 0).then(|| Batch { kinds: Some(kinds.into()), ..made })
    }
}

/// The rows without the pairs of a row and itself.
fn changed(batch: &Batch, kinds: &[RowKind]) -> Vec<u32> {
    let pairs = (0..kinds.len() as u32).filter(|&i| kinds[i as usize] == RowKind::UpdateBefore);
    let before: Vec<u32> = pairs.collect();
    let after: Vec<u32> = before.iter().map(|i| i + 1).collect();
    let mut differs = vec![false; before.len()];
    for column in &batch.columns {
        differ(&take(column, &before), &take(column, &after), &mut differs);
    }
    let mut kept = vec![true; kinds.len()];
    for (&i, _) in before.iter().zip(&differs).filter(|(_, differs)| !**differs) {
        (kept[i as usize], kept[i as usize + 1]) = (false, false);
    }
    (0..kinds.len() as u32).filter(|&i| kept[i as usize]).collect()
}

impl Operator for BatchedAggregate {
    fn process(&mut self, input: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let mut own = Output { trace: out.trace.take(), ..Output::default() };
        let done = self.inner.process(input, batch, &mut own);
        out.trace = own.trace.take();
        done?;
        own.batches.into_iter().for_each(|batch| self.fold(batch, out));
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        let mut head = Vec::new();
        put(&mut head, MARK);
        put_signed(&mut head, self.clock);
        put(&mut head, u64::from(!self.held.is_empty()));
        if !self.held.is_empty() {
            put_rows(&mut head, &Batch::concat(&self.held), true);
        }
        put_bytes(&mut head, &self.inner.save().concat());
        head.into()
    }

    fn empty(&mut self) {
        self.clock = NO_CLOCK;
        self.held.clear();
        self.inner.empty();
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Err(wrong_state(&self.name));
        }
        self.clock = self.clock.max(reader.signed()?);
        if reader.number()? > 0 {
            let held = read_rows(&mut reader, &self.output)?;
            let held = held.ok_or_else(|| wrong_state(&self.name))?;
            self.hold(own.rows(&self.keys, held));
        }
        self.inner.absorb(reader.bytes()?, own)?;
        reader.end()
    }

    fn contents(&mut self) -> Option<Vec<Contents>> {
        self.inner.contents()
    }

    fn rows_held(&self) -> Option<u64> {
        self.inner.rows_held()
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
