//! Tests of expressions: published values, hand-worked tables, a second evaluator.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod errors;
mod random;
mod rows;
mod sql;
mod values;
