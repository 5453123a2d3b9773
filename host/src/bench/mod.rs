//! The benchmark: keyed tumbling windows over generated bids, beside a hand-written loop in the same run.

pub mod baseline;
pub mod stream;
