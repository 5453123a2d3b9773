//! Highwater's engine: a deterministic stream processor without clock, I/O, threads or chance.
//!
//! Modules stand in reading order; each may use only those above it. `ARCHITECTURE.md` is the map.

pub mod aggregate;
pub mod batch;
pub mod column;
pub mod error;
pub mod expr;
pub mod plan;
pub mod scenario;
pub mod schema;
pub mod source;
pub mod time;
pub mod trace;
pub mod udf;
pub mod value;
