//! Aggregates: count, sum, average, least, greatest, as columns of accumulators.

mod count;
mod extreme;
mod set;
mod sum;

pub use set::AggregateSet;

use arrow_array::ArrayRef;

use crate::schema::DataType;
use crate::value::Value;

/// The aggregate functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `COUNT(*)` or `COUNT(x)`: rows, or rows where `x` is not NULL. BIGINT, never NULL.
    Count,
    /// `SUM(x)`: the argument's type (integers wrap; a decimal gets precision 38); NULL over no value.
    Sum,
    /// `AVG(x)`: the argument's type, integers cut toward zero; a decimal gets precision 38 and at
    /// least 6 decimals; NULL over no value.
    Avg,
    /// `MIN(x)`
    Min,
    /// `MAX(x)`
    Max,
}

impl Function {
    /// All of them.
    pub const ALL: [Function; 5] =
        [Function::Count, Function::Sum, Function::Avg, Function::Min, Function::Max];

    /// The SQL name.
    pub fn name(self) -> &'static str {
        match self {
            Function::Count => "COUNT",
            Function::Sum => "SUM",
            Function::Avg => "AVG",
            Function::Min => "MIN",
            Function::Max => "MAX",
        }
    }

    /// The function of that SQL name, in any case.
    pub fn named(name: &str) -> Option<Function> {
        Function::ALL.into_iter().find(|f| f.name().eq_ignore_ascii_case(name))
    }

    /// The result's type for an argument's type (`None` for `COUNT(*)`); `None` when it does not apply.
    pub fn result_type(self, argument: Option<DataType>) -> Option<DataType> {
        match (self, argument) {
            (Function::Count, _) => Some(DataType::BigInt),
            (_, None | Some(DataType::Null)) => None,
            (Function::Sum, Some(DataType::Decimal(_, s))) => Some(DataType::Decimal(38, s)),
            (Function::Avg, Some(DataType::Decimal(_, s))) => Some(DataType::Decimal(38, s.max(6))),
            (Function::Sum | Function::Avg, Some(t)) => t.is_numeric().then_some(t),
            (Function::Min | Function::Max, Some(t)) => Some(t),
        }
    }
}

/// An aggregate function over an input column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggregateCall {
    /// Which function.
    pub function: Function,
    /// The input column; `None` for `COUNT(*)`.
    pub argument: Option<usize>,
    /// A BOOLEAN input column that must be TRUE for the row to count (`FILTER (WHERE …)`).
    pub filter: Option<usize>,
}

/// The accumulators of one aggregate: a column of states, one a slot.
pub trait Accumulator {
    /// Makes room: new slots are empty.
    fn grow(&mut self, slots: usize);

    /// Takes in `rows` of the argument column, each into the slot beside it.
    fn update(&mut self, slots: &[u32], rows: &[u32], argument: Option<&ArrayRef>);

    /// Takes slot `from` into slot `into`.
    fn merge(&mut self, into: u32, from: u32);

    /// Empties a slot.
    fn clear(&mut self, slot: u32);

    /// The results of slots.
    fn result(&self, slots: &[u32]) -> ArrayRef;

    /// The state of a slot as values.
    fn save(&self, slot: u32) -> Vec<Value>;

    /// Takes a saved state back; `false` when it is another aggregate's.
    fn load(&mut self, slot: u32, state: &[Value]) -> bool;

    /// An independent copy.
    fn fork(&self) -> Box<dyn Accumulator>;
}

/// The accumulators for a function over an argument type (`None` for `COUNT(*)`).
///
/// # Panics
/// When [`Function::result_type`] says the function does not apply.
pub fn accumulator(function: Function, argument: Option<DataType>) -> Box<dyn Accumulator> {
    let result = function.result_type(argument).expect("checked when the plan was made");
    match (function, argument) {
        (Function::Count, _) => Box::new(count::Count::default()),
        (Function::Sum | Function::Avg, _) => sum::sum(function == Function::Avg, argument, result),
        (Function::Min | Function::Max, Some(t)) => extreme::extreme(function == Function::Max, t),
        (Function::Min | Function::Max, None) => unreachable!("MIN and MAX have an argument"),
    }
}
