//! The workloads of `highwater bench`, without the rest of the host: nothing here needs wasmtime.

/// The host's own folders, compiled once more.
#[path = "../../src/bench/ground/mod.rs"]
pub mod ground;
#[path = "../../src/threads/mod.rs"]
pub mod threads;
