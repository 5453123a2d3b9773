//! Aggregates as columns of accumulators: counts and sums, extremes, spreads, what depends on the order of rows.

mod bag;
mod count;
mod distinct;
mod exact;
mod extreme;
mod function;
mod ordered;
mod set;
mod spread;
mod sum;

pub use function::Function;
pub use set::{AggregateSet, Changes, Part};

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use crate::batch::Seq;
use crate::error::Result;
use crate::schema::DataType;
use crate::snapshot::bytes::Reader;
use crate::value::Value;

/// An aggregate function over an input column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateCall {
    /// Which function.
    pub function: Function,
    /// The input column; `None` for `COUNT(*)`.
    pub argument: Option<usize>,
    /// Whether each value counts once, however often it comes (`DISTINCT`).
    pub distinct: bool,
    /// A BOOLEAN input column that must be TRUE for the row to count (`FILTER (WHERE …)`).
    pub filter: Option<usize>,
    /// What stands between the texts of LISTAGG, where it is no comma.
    pub separator: Option<Arc<str>>,
}

impl AggregateCall {
    /// A function over all values of a column (`None` for `COUNT(*)`).
    pub fn of(function: Function, argument: Option<usize>) -> AggregateCall {
        AggregateCall { function, argument, distinct: false, filter: None, separator: None }
    }
}

/// Where a value came: its row's place in the stream, and which of those with that place it is.
type Place = (Seq, u32);

/// The accumulators of one aggregate: some words of every slot of an [`AggregateSet`].
///
/// The set counts a slot's rows and those this aggregate left out (a NULL argument, an unfulfilled
/// filter). So no accumulator needs a word to say that it has seen nothing.
trait Accumulator: Send {
    /// How many words of a slot are its own.
    fn width(&self) -> usize;

    /// What those words hold in an empty slot.
    fn empty(&self) -> u64 {
        0
    }

    /// Whether its words merge by adding them up.
    fn adds_up(&self) -> bool {
        false
    }

    /// Whether its words are all it has, and merge to the same in any order.
    fn splits(&self) -> bool {
        false
    }

    /// Makes room for what is not in words.
    fn grow(&mut self, _slots: usize) {}

    /// Empties what is not in words, of slots `from..to`.
    fn clear(&mut self, _from: u32, _to: u32) {}

    /// Takes in values from position `from` on, none NULL, each into the slot beside it.
    fn update(
        &mut self,
        words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    );

    /// Whether results depend on the order in which values came, so that it has to be told.
    fn is_ordered(&self) -> bool {
        false
    }

    /// The same as [`Accumulator::update`] for one that [is ordered](Accumulator::is_ordered): where each
    /// value came stands in `places`, each later than all before.
    fn arrive(&mut self, _: &[u32], _: &ArrayRef, _from: usize, _: &[Place]) {
        unreachable!("only one that asks for them gets places")
    }

    /// Takes values back, each out of a slot it was put into before.
    fn retract(
        &mut self,
        _words: WordsMut<'_>,
        _slots: &[u32],
        _argument: Option<&ArrayRef>,
        _from: usize,
    ) {
        unreachable!("only a set made for it takes rows back")
    }

    /// Takes, for each pair, the second slot into the first.
    fn merge(&mut self, words: WordsMut<'_>, pairs: &[(u32, u32)]);

    /// The results of slots; `values` says how many values each has taken in.
    fn result(&self, words: Words<'_>, slots: &[u32], values: &[i64]) -> ArrayRef;

    /// The result of one slot that has taken in so many values.
    fn value(&self, words: Words<'_>, slot: u32, values: i64) -> Value;

    /// Takes in or takes back the values of all rows of a batch, none NULL, each of the slot beside it, and
    /// says what each slot's result was before and after each of them; `None`, and nothing done, where
    /// this takes no short cut.
    fn trail(
        &mut self,
        _words: WordsMut<'_>,
        _slots: &[u32],
        _argument: Option<&ArrayRef>,
        _rows: &Rows<'_>,
    ) -> Option<Trail> {
        None
    }

    /// Whether a slot's own words can be what this writes.
    fn valid(&self, _words: &[u64]) -> bool {
        true
    }

    /// Appends what slots have that is not in words.
    fn save(&self, _slots: &[u32], _out: &mut Vec<u8>) {}

    /// Takes that back; `false` when it is another aggregate's.
    fn load(&mut self, _slots: &[u32], _reader: &mut Reader<'_>) -> Result<bool> {
        Ok(true)
    }

    /// An independent copy.
    fn fork(&self) -> Box<dyn Accumulator>;
}

/// What results were before and after each row.
#[derive(Debug)]
pub struct Trail {
    /// Before; NULL or 0 for a slot's first row.
    pub before: ArrayRef,
    /// After.
    pub after: ArrayRef,
}

impl Trail {
    /// Of 64-bit integers; where a slot had no value before, there was no result.
    fn of(before: Vec<i64>, after: Vec<i64>, rows: &Rows<'_>) -> Trail {
        let values = rows.values;
        let some = NullBuffer::new(BooleanBuffer::collect_bool(values.len(), |i| values[i] > 0));
        let nulls = Some(some).filter(|n| n.null_count() > 0);
        Trail {
            before: Arc::new(Int64Array::new(before.into(), nulls)),
            after: Arc::new(Int64Array::from(after)),
        }
    }
}

/// What is known of the rows of a batch that [`Accumulator::trail`] goes through.
struct Rows<'a> {
    /// How many values each row's slot had before it.
    values: &'a [i64],
    /// For each row, whether it is taken back; none when there are none such.
    back: &'a [bool],
    /// Where each came; only for those that ask for it.
    places: &'a [Place],
}

impl Rows<'_> {
    #[inline]
    fn takes_back(&self, row: usize) -> bool {
        self.back.get(row).is_some_and(|&back| back)
    }
}

/// One aggregate's words among those of all slots. The words of a slot stand side by side, so that all
/// aggregates of a record meet in one line of the processor's cache.
struct WordsMut<'a> {
    all: &'a mut [u64],
    stride: usize,
    at: usize,
}

impl WordsMut<'_> {
    /// The first word of a slot.
    #[inline]
    fn one(&mut self, slot: u32) -> &mut u64 {
        &mut self.all[slot as usize * self.stride + self.at]
    }

    /// So many words of a slot.
    #[inline]
    fn many(&mut self, slot: u32, count: usize) -> &mut [u64] {
        let from = slot as usize * self.stride + self.at;
        &mut self.all[from..from + count]
    }

    /// Those behind the first so many.
    fn behind(self, words: usize) -> Self {
        WordsMut { at: self.at + words, ..self }
    }
}

/// The same to look at.
#[derive(Clone, Copy)]
struct Words<'a> {
    all: &'a [u64],
    stride: usize,
    at: usize,
}

impl Words<'_> {
    #[inline]
    fn many(&self, slot: u32, count: usize) -> &[u64] {
        let from = slot as usize * self.stride + self.at;
        &self.all[from..from + count]
    }

    /// Those behind the first so many.
    fn behind(self, words: usize) -> Self {
        Words { at: self.at + words, ..self }
    }
}

/// The accumulators of a call over an argument type (`None` for `COUNT(*)`), that can also take rows back
/// if need be.
///
/// # Panics
/// When [`Function::result_type`] says the function does not apply.
fn accumulator(
    call: &AggregateCall,
    argument: Option<DataType>,
    retracts: bool,
) -> Box<dyn Accumulator> {
    let function = call.function;
    let result = function.result_type(argument).expect("checked when the plan was made");
    let plain: Box<dyn Accumulator> = match (function, argument) {
        (Function::Count, _) => Box::new(count::Count),
        (Function::Sum | Function::Avg, _) => sum::sum(function == Function::Avg, argument, result),
        (_, None) => unreachable!("COUNT alone goes without an argument"),
        (Function::Min | Function::Max | Function::BoolAnd | Function::BoolOr, Some(t)) => {
            let make = if retracts { bag::ranked } else { extreme::extreme };
            return make(matches!(function, Function::Max | Function::BoolOr), t);
        }
        (Function::FirstValue | Function::LastValue | Function::ListAgg, Some(t)) => {
            return ordered::ordered(call, t, retracts);
        }
        (_, Some(t)) => spread::spread(function, t, result),
    };
    match argument {
        Some(t) if call.distinct => distinct::distinct(plain, t),
        _ => plain,
    }
}

#[cfg(test)]
mod tests;
