//! What a run tells, for whoever reads it: the engine, and programs that have nothing else of the engine in them.

pub mod error;
pub mod time;
pub mod trace;
