//! Which aggregate functions there are, what they are called and of what type their results are.

use crate::schema::DataType;

/// The aggregate functions. All but COUNT leave NULLs out and are NULL over no value.
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
    /// `FIRST_VALUE(x)`: of the row that came first; with OVER, of the one that stands first. The
    /// argument's type.
    FirstValue,
    /// `LAST_VALUE(x)`: of the row that came last. Of `DISTINCT`, each value came when it first did.
    LastValue,
    /// `LISTAGG(x [, 'separator'])`: the texts in the order they came, a comma between them. STRING.
    ListAgg,
    /// `VAR_POP(x)`: the mean square of the distance from the mean. As in Flink, the type is that of AVG:
    /// the argument's, integers cut toward zero, a decimal with precision 38 and at least 6 decimals.
    /// Computed of exact sums and rounded once; NULL when the type cannot hold it, NaN when a value is no
    /// finite number.
    VarPop,
    /// `VAR_SAMP(x)` or `VARIANCE(x)`: the same by one value less; NULL over one value.
    VarSamp,
    /// `STDDEV_POP(x)`: the square root of VAR_POP, of its type.
    StddevPop,
    /// `STDDEV_SAMP(x)` or `STDDEV(x)`: the square root of VAR_SAMP, of its type.
    StddevSamp,
    /// `BOOL_AND(x)`: whether all are TRUE. BOOLEAN; of RisingWave and PostgreSQL, not of Flink.
    BoolAnd,
    /// `BOOL_OR(x)`: whether one is TRUE.
    BoolOr,
}

impl Function {
    /// All of them.
    pub const ALL: [Function; 14] = [
        Function::Count,
        Function::Sum,
        Function::Avg,
        Function::Min,
        Function::Max,
        Function::FirstValue,
        Function::LastValue,
        Function::ListAgg,
        Function::VarPop,
        Function::VarSamp,
        Function::StddevPop,
        Function::StddevSamp,
        Function::BoolAnd,
        Function::BoolOr,
    ];

    /// Other names, and what they stand for.
    pub const ALIASES: [(&str, Function); 2] =
        [("VARIANCE", Function::VarSamp), ("STDDEV", Function::StddevSamp)];

    /// The SQL name.
    pub fn name(self) -> &'static str {
        match self {
            Function::Count => "COUNT",
            Function::Sum => "SUM",
            Function::Avg => "AVG",
            Function::Min => "MIN",
            Function::Max => "MAX",
            Function::FirstValue => "FIRST_VALUE",
            Function::LastValue => "LAST_VALUE",
            Function::ListAgg => "LISTAGG",
            Function::VarPop => "VAR_POP",
            Function::VarSamp => "VAR_SAMP",
            Function::StddevPop => "STDDEV_POP",
            Function::StddevSamp => "STDDEV_SAMP",
            Function::BoolAnd => "BOOL_AND",
            Function::BoolOr => "BOOL_OR",
        }
    }

    /// The function of that SQL name, in any case.
    pub fn named(name: &str) -> Option<Function> {
        let own = Function::ALL.into_iter().map(|function| (function.name(), function));
        own.chain(Function::ALIASES)
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, function)| function)
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
            (Function::FirstValue | Function::LastValue, Some(t)) => Some(t),
            (Function::ListAgg, Some(t)) => (t == DataType::String).then_some(t),
            (Function::BoolAnd | Function::BoolOr, Some(t)) => {
                (t == DataType::Boolean).then_some(t)
            }
            (_, argument) => Function::Avg.result_type(argument),
        }
    }

    /// Which arguments it takes, where not any.
    pub fn takes(self) -> &'static str {
        match self {
            Function::ListAgg => "STRING: write CAST(x AS STRING)",
            Function::BoolAnd | Function::BoolOr => "BOOLEAN: write a condition, such as x > 0",
            _ => "numbers; COUNT, MIN, MAX, FIRST_VALUE and LAST_VALUE take any column",
        }
    }

    /// Whether DISTINCT changes nothing: the least of all values is the least of all different ones.
    pub fn ignores_distinct(self) -> bool {
        matches!(
            self,
            Function::Min
                | Function::Max
                | Function::BoolAnd
                | Function::BoolOr
                | Function::FirstValue
        )
    }
}
