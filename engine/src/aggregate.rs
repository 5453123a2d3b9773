//! Aggregates: count, sum, average, least, greatest, as columns of accumulators.

use crate::schema::DataType;

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
