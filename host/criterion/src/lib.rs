//! The workloads of `highwater bench`, without the rest of the host: nothing here needs wasmtime.

/// The host's own folder, compiled once more.
#[path = "../../src/bench/ground/mod.rs"]
pub mod ground;
