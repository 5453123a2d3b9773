//! An oracle for the engine: random pipelines over random records, as scenarios, and what they must leave, by
//! plain loops over all records at once.
//!
//! Nothing of how the engine works is used here, or both could be wrong together; only what its rows look like.

pub mod types;
pub mod parts;
pub mod pipeline;
mod sound;
pub mod simpler;
pub mod kinds;
mod sql;
mod time;
pub mod input;
pub mod batch;
mod generate;
mod case;
mod left;

pub use case::Case;
pub use left::left;
