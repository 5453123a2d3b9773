//! Tests of expressions: published values, hand-worked tables, a second evaluator.

mod errors;
mod random;
mod rows;
mod sql;
mod values;
