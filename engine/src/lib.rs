//! Highwater's engine: a deterministic stream processor without clock, I/O, threads or chance.
//!
//! Modules stand in reading order; each may use only those above it. `ARCHITECTURE.md` is the map.

pub use highwater_trace::{error, time, trace};

pub mod seeded;
pub mod schema;
pub mod value;
pub mod column;
pub mod numbers;
pub mod batch;
pub mod frame;
pub mod snapshot;
pub mod key;
pub mod udf;
pub mod operator;
pub mod expr;
pub mod aggregate;
pub mod watermark;
pub mod rowwise;
pub mod expand;
pub mod window;
pub mod join;
pub mod group;
pub mod union;
pub mod rank;
pub mod over;
pub mod suppress;
pub mod materialize;
pub mod plan;
pub mod sql;
pub mod source;
pub mod sink;
pub mod task;
pub mod graph;
pub mod runner;
pub mod sim;
pub mod scenario;
pub mod session;
pub mod embed;
