//! The aggregates of one operator side by side: one slot a key and window, some words an aggregate.

mod part;
mod state;
mod trail;

pub use part::Part;
pub(super) use state::MOST_ROWS;
pub use trail::Changes;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use highwater_kernels as kernels;

use super::{Accumulator, AggregateCall, Place, Words, WordsMut, accumulator};
use crate::batch::{Batch, Seq};
use crate::column::take;
use crate::schema::{DataType, Schema};

/// All aggregates of an operator over numbered slots.
pub struct AggregateSet {
    calls: Vec<AggregateCall>,
    /// The type of each result.
    results: Vec<DataType>,
    accumulators: Vec<Box<dyn Accumulator>>,
    /// The first word of each aggregate in a slot; word 0 counts the slot's rows.
    places: Vec<usize>,
    /// For each aggregate and slot, the rows it left out; empty as long as it left out none at all.
    skipped: Vec<Vec<u32>>,
    /// An empty slot.
    empty: Vec<u64>,
    /// Slot after slot.
    words: Vec<u64>,
    /// Whether an aggregate depends on the order of rows.
    ordered: bool,
    /// So many slots, the first, only look taken: what goes there is forgotten.
    void: u32,
    /// The place in the stream of the row that came last, and how many with it came before; kept for those.
    last: (Seq, u32),
}

impl Clone for AggregateSet {
    fn clone(&self) -> AggregateSet {
        AggregateSet {
            calls: self.calls.clone(),
            results: self.results.clone(),
            accumulators: self.accumulators.iter().map(|a| a.fork()).collect(),
            places: self.places.clone(),
            skipped: self.skipped.clone(),
            empty: self.empty.clone(),
            words: self.words.clone(),
            ordered: self.ordered,
            void: self.void,
            last: self.last,
        }
    }
}

impl AggregateSet {
    /// The accumulators for these calls over an input.
    pub fn new(calls: &[AggregateCall], input: &Schema) -> AggregateSet {
        AggregateSet::made(calls, input, false)
    }

    /// The same for an input that takes rows back: MIN and MAX keep all values.
    pub fn retracting(calls: &[AggregateCall], input: &Schema) -> AggregateSet {
        AggregateSet::made(calls, input, true)
    }

    fn made(calls: &[AggregateCall], input: &Schema, retracts: bool) -> AggregateSet {
        let one = |c: &AggregateCall| {
            accumulator(c, c.argument.map(|a| input.fields[a].data_type), retracts)
        };
        let accumulators: Vec<_> = calls.iter().map(one).collect();
        let result = |c: &AggregateCall| {
            let argument = c.argument.map(|a| input.fields[a].data_type);
            c.function.result_type(argument).expect("checked when the plan was made")
        };
        let results = calls.iter().map(result).collect();
        let (mut empty, mut places) = (vec![0], Vec::new());
        for accumulator in &accumulators {
            places.push(empty.len());
            empty.extend(std::iter::repeat_n(accumulator.empty(), accumulator.width()));
        }
        AggregateSet {
            calls: calls.to_vec(),
            results,
            skipped: vec![Vec::new(); accumulators.len()],
            ordered: accumulators.iter().any(|a| a.is_ordered()),
            void: 0,
            last: (0, 0),
            accumulators,
            places,
            empty,
            words: Vec::new(),
        }
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.words.len() / self.empty.len()
    }

    /// Makes room for this many slots.
    pub fn grow(&mut self, slots: usize) {
        let more = slots.saturating_sub(self.slots());
        if more == 0 {
            return;
        }
        self.words.reserve(more * self.empty.len());
        for _ in 0..more {
            self.words.extend_from_slice(&self.empty);
        }
        self.accumulators.iter_mut().for_each(|a| a.grow(slots));
        self.skipped.iter_mut().filter(|s| !s.is_empty()).for_each(|s| s.resize(slots, 0));
    }

    /// How many rows a slot has taken in.
    #[inline]
    pub fn rows(&self, slot: u32) -> u64 {
        self.words[slot as usize * self.empty.len()]
    }

    /// Makes the first so many slots, which are empty, count as taken: late rows go there.
    pub fn occupy(&mut self, slots: u32) {
        (0..slots).for_each(|slot| self.words[slot as usize * self.empty.len()] += 1);
        self.void = slots;
    }

    /// Takes in rows of a batch from row `from` on, each into the slot beside it.
    pub fn update(&mut self, slots: &[u32], from: usize, batch: &Batch) {
        let stride = self.empty.len();
        kernels::count_rows(&mut self.words, stride, slots);
        let arrivals = self.arrivals(from, slots.len(), batch);
        for i in 0..self.calls.len() {
            let AggregateCall { argument, filter, .. } = self.calls[i];
            let argument = argument.map(|a| &batch.columns[a]);
            let nulls = argument.is_some_and(|a| a.null_count() > 0);
            if nulls || filter.is_some() {
                self.update_some(i, slots, from, batch, &arrivals);
                continue;
            }
            self.hand_on(i, slots, argument, from, &arrivals);
        }
        if self.ordered {
            // Those keep values: late ones would only pile up.
            let void = self.void;
            let all = self.accumulators.iter_mut().filter(|a| a.is_ordered());
            all.for_each(|accumulator| accumulator.clear(0, void));
        }
    }

    /// Where so many rows from row `from` on came; nothing when no aggregate asks.
    fn arrivals(&mut self, from: usize, count: usize, batch: &Batch) -> Vec<Place> {
        let rows = if self.ordered { from..from + count } else { 0..0 };
        let place = |row: usize| {
            let seq = batch.seqs.at(row);
            // A window says many rows at one place; a snapshot is never taken between them.
            self.last = (seq, if seq == self.last.0 { self.last.1 + 1 } else { 0 });
            self.last
        };
        rows.map(place).collect()
    }

    /// Gives aggregate `i` values from position `from` on, none NULL.
    fn hand_on(
        &mut self,
        i: usize,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
        arrivals: &[Place],
    ) {
        if let (Some(argument), true) = (argument, self.accumulators[i].is_ordered()) {
            return self.accumulators[i].arrive(slots, argument, from, arrivals);
        }
        let words = WordsMut { all: &mut self.words, stride: self.empty.len(), at: self.places[i] };
        self.accumulators[i].update(words, slots, argument, from);
    }

    /// The update of aggregate `i` with rows that may be left out.
    fn update_some(
        &mut self,
        i: usize,
        slots: &[u32],
        from: usize,
        batch: &Batch,
        arrivals: &[Place],
    ) {
        let AggregateCall { argument, filter, .. } = self.calls[i];
        let argument = argument.map(|a| &batch.columns[a]);
        let filter = filter.map(|f| batch.columns[f].as_boolean());
        let (mut kept, mut rows) = (Vec::new(), Vec::new());
        for (&slot, row) in slots.iter().zip(from..) {
            let wanted = filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if wanted && argument.is_none_or(|a| a.is_valid(row)) {
                kept.push(slot);
                rows.push(row as u32);
            } else {
                self.leave_out(i, slot, false);
            }
        }
        let argument = argument.map(|a| take(a, &rows));
        let came = |&row: &u32| arrivals.get(row as usize - from).copied();
        let arrivals: Vec<Place> = rows.iter().filter_map(came).collect();
        self.hand_on(i, &kept, argument.as_ref(), 0, &arrivals);
    }

    /// Takes, for each pair, the second slot into the first.
    pub fn merge(&mut self, pairs: &[(u32, u32)]) {
        let stride = self.empty.len();
        kernels::merge_sums(&mut self.words, stride, 0, pairs);
        for (i, accumulator) in self.accumulators.iter_mut().enumerate() {
            let words = WordsMut { all: &mut self.words, stride, at: self.places[i] };
            accumulator.merge(words, pairs);
            let skipped = &mut self.skipped[i];
            for &(into, from) in if skipped.is_empty() { &[] } else { pairs } {
                skipped[into as usize] += skipped[from as usize];
            }
        }
    }

    /// Takes, for each pair, `count` slots from the second on into those from the first on.
    pub fn merge_runs(&mut self, count: u32, pairs: &[(u32, u32)]) {
        let whole = self.skipped.iter().all(Vec::is_empty);
        if whole && self.accumulators.iter().all(|a| a.adds_up()) {
            let stride = self.empty.len();
            let place = |slot: u32| slot as usize * stride;
            let runs: Vec<(usize, usize)> =
                pairs.iter().map(|&(into, from)| (place(into), place(from))).collect();
            return kernels::merge_runs(&mut self.words, count as usize * stride, &runs);
        }
        let each = |&(into, from): &(u32, u32)| (0..count).map(move |i| (into + i, from + i));
        self.merge(&pairs.iter().flat_map(each).collect::<Vec<_>>());
    }

    /// Empties slots `from..to`.
    pub fn clear(&mut self, from: u32, to: u32) {
        let stride = self.empty.len();
        let words = &mut self.words[from as usize * stride..to as usize * stride];
        kernels::fill(words, &self.empty);
        for skipped in self.skipped.iter_mut().filter(|s| !s.is_empty()) {
            skipped[from as usize..to as usize].fill(0);
        }
        self.accumulators.iter_mut().for_each(|accumulator| accumulator.clear(from, to));
    }

    /// One result column an aggregate.
    pub fn results(&self, slots: &[u32]) -> Vec<ArrayRef> {
        let stride = self.empty.len();
        let rows = kernels::gather_words(&self.words, stride, 0, slots);
        let mut columns = Vec::with_capacity(self.accumulators.len());
        for (i, accumulator) in self.accumulators.iter().enumerate() {
            let words = Words { all: &self.words, stride, at: self.places[i] };
            let skipped = &self.skipped[i];
            columns.push(if skipped.is_empty() {
                accumulator.result(words, slots, &rows)
            } else {
                let left = slots.iter().zip(&rows);
                let values: Vec<i64> =
                    left.map(|(&s, &n)| n - i64::from(skipped[s as usize])).collect();
                accumulator.result(words, slots, &values)
            });
        }
        columns
    }
}
